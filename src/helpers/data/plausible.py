"""Maps that may be wrong: what is doubtful in a region, told to its owner. What is impossible is refused before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.data.land_cover import IGBP_CLASSES
from helpers.data.variables import known_of

#: Share of the region's area without a value, from which on it is told. Products leave out water, ice and bare ground.
MOST_MISSING = 0.3
#: Cells from which on one value everywhere is no chance.
_ENOUGH = 50
#: Share of the region's cells, from which on a class counts whose climate it cannot have.
_LEAST_SHARE = 0.02
#: Climates that a class of land cover does not have: its median over the class's cells is beyond.
_NO_CLIMATE = (
    (2, "temperature", -np.inf, 5.0, "degC"),  # evergreen broadleaf forest in the cold
    (15, "temperature", 8.0, np.inf, "degC"),  # snow and ice in the warmth
    (16, "precipitation", 1200.0, np.inf, "mm yr-1"),  # barren ground in the rain
)


def doubts(climatology: xr.Dataset, products: xr.Dataset) -> list[str]:
    """Return what is doubtful in the maps of a region, a sentence each; of maps as they should be there is none.

    ``climatology`` is that of :func:`helpers.data.cube.climatology`: covariates, ``in_region``, ``cell_area``. Of the
    products the first year is looked at. Doubtful are a median that no region has (its unit may be another one), a
    large part without values, one value everywhere, and land cover in a climate that it does not have.
    """
    inside = climatology["in_region"].values
    area = climatology["cell_area"].values[inside]
    maps = [str(name) for name in climatology.data_vars if name not in ("in_region", "cell_area", "spatial_ref")]
    values = {name: climatology[name].values[inside] for name in maps if climatology[name].ndim == 2}
    told = [note for name, cells in values.items() for note in _of_map(name, cells, area)]
    for name in products.data_vars:
        field = products[name].isel(time=0) if "time" in products[name].dims else products[name]
        told += _of_map(str(name), field.values[inside], area)
    return [*told, *_of_classes(values)]


def _of_map(name: str, cells: NDArray, area: NDArray) -> Iterator[str]:
    """Tell what is doubtful in one map."""
    there, known = np.isfinite(cells), known_of(name)
    if not there.any():
        yield f"{name}: no value in the region; does the map cover it?"
        return
    missing = 1 - area[there].sum() / area.sum()
    if missing > MOST_MISSING:
        yield f"{name}: {missing:.0%} of the region's area has no value, and is left out with it. Is the map whole?"
    (low, high), median = known.usual, float(np.median(cells[there]))
    if not low <= median <= high:
        yield (
            f"{name}: its median in the region is {median:.3g} {known.units}; regions have {low:g} to {high:g}. "
            "Check units?"
        )
    if name != "land_cover" and there.sum() >= _ENOUGH and np.ptp(cells[there]) == 0:
        yield f"{name}: each cell of the region has the value {median:.3g}. Is the map damaged?"


def _of_classes(values: dict[str, NDArray]) -> Iterator[str]:
    """Tell of land cover in a climate that it does not have: the numbers may be those of another scheme."""
    if "land_cover" not in values:
        return
    classes = pd.Series(values["land_cover"])
    shares = classes.value_counts(normalize=True)
    for number, name, low, high, unit in _NO_CLIMATE:
        if name in values and shares.get(number, 0) >= _LEAST_SHARE:
            median = float(np.nanmedian(np.where(classes == number, values[name], np.nan)))
            if low < median < high:
                yield (
                    f"land_cover: {shares[number]:.0%} of the region is {IGBP_CLASSES[number]} ({number}), at a median "
                    f"{name} of {median:.3g} {unit}. Are these IGBP classes?"
                )
