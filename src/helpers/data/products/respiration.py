"""Maps of soil respiration by quantile regression forests, from ORNL: Stell 2021 (1928) and Warner 2019 (1736).

The paper's methods cite the first, its data statement links the second. They are two maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Folder, Ornl
from helpers.data.products.windows import lattice_of, masked, values_on
from helpers.errors import ConfigError, DataError

#: The collection, and its map of each flux.
_COLLECTIONS = {
    1928: ("SoilResp_HeterotrophicResp_1928", {"rs": "soil_Rs_mean.tif", "rh": "soil_Rh_mean.tif"}),
    1736: ("CMS_Global_Soil_Respiration_1736", {"rs": "soil_resp_mean_quantile_regress_forest.tif"}),
}
#: No soil respires more, g C m-2 yr-1: what is above is a number for missing.
_MOST = 20_000


@dataclass(frozen=True)
class OrnlRespiration:
    """Mean yearly soil respiration (rs) or its heterotrophic part (rh), g C m-2 yr-1, 30 arc-seconds."""

    key: str
    transport: Ornl | Folder
    dataset: Literal[1928, 1736] = 1928
    variable: Literal["rs", "rh"] = "rs"
    in_blocks: ClassVar[bool] = True
    static: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse maps that do not exist."""
        if self.variable not in _COLLECTIONS.get(self.dataset, ("", {}))[1]:
            raise ConfigError(f"{self.key}: expected dataset 1928 with rs or rh, or 1736 with rs")

    def plan(self, want: Want) -> Plan:
        """Return the one global map."""
        collection, files = _COLLECTIONS[self.dataset]
        name = files[self.variable]
        if isinstance(self.transport, Folder):
            found = self.transport.find(f"**/{name}")
            return Plan(tuple(found[:1]), by_hand="" if found else f"put {name} into {self.transport.path}")
        return Plan(tuple(self.transport.find(collection, [name])))

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the map, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the map. Values that are not above zero are no values."""
        name = _COLLECTIONS[self.dataset][1][self.variable]
        path = next((path for path in files if path.name == name), None)
        if path is None:
            raise DataError(f"{self.key}: {name} is missing, found {', '.join(one.name for one in files) or 'none'}")
        window = lattice_of(path, "EPSG:4326").part(box)
        return window.field(values_on(path, window, _decode, "EPSG:4326"), self.variable)


def _decode(stored: NDArray, missing: float | None) -> NDArray[np.float32]:
    """Return values, NaN where a number is none of a respiring soil."""
    values = masked(stored, missing)
    values[(values <= 0) | (values > _MOST)] = np.nan
    return values
