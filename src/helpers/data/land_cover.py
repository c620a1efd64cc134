"""The land-cover classes of IGBP, their areas in the region, and how sites and map are spread over them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from helpers.data.scan import scan
from helpers.errors import DataError
from mapforest.cells import commonest

GRASSLAND, WATER = 10, 17
#: Names of the classes, in IGBP's words. Water is 17 in every configuration (MCD12C1 writes 0, MCD12Q1 writes 17).
IGBP_CLASSES: Mapping[int, str] = {
    1: "evergreen needleleaf forest",
    2: "evergreen broadleaf forest",
    3: "deciduous needleleaf forest",
    4: "deciduous broadleaf forest",
    5: "mixed forest",
    6: "closed shrubland",
    7: "open shrubland",
    8: "woody savanna",
    9: "savanna",
    10: "grassland",
    11: "permanent wetland",
    12: "cropland",
    13: "urban and built-up",
    14: "cropland and natural vegetation mosaic",
    15: "snow and ice",
    16: "barren",
    WATER: "water",
}
#: The classes as CF attributes of a map of land cover.
IGBP_FLAGS: Mapping[str, object] = {
    "flag_values": list(IGBP_CLASSES),
    "flag_meanings": " ".join(re.sub(r"\W+", "_", name) for name in IGBP_CLASSES.values()),
}


def class_shares(cube: xr.Dataset) -> pd.DataFrame:
    """Return each land-cover class's area in the region, the largest first.

    The cube has ``land_cover``, ``in_region`` and ``cell_area`` [km2]. The columns are ``land_cover`` (class),
    ``meaning``, ``area_Mkm2`` and ``share`` (of the region's area that has a class, 1). A cell counts once: by the
    class of most years.
    """
    classes = commonest(cube["land_cover"]).where(cube["in_region"])
    area = class_areas(classes, cube["cell_area"]).sort_values(ascending=False) / 1e6
    table = area.rename_axis("land_cover").reset_index(name="area_Mkm2").astype({"land_cover": int})
    table.insert(1, "meaning", table["land_cover"].map(IGBP_CLASSES))
    return table.assign(share=table["area_Mkm2"] / table["area_Mkm2"].sum())


def class_areas(classes: xr.DataArray, cell_area: xr.DataArray) -> pd.Series:
    """Return the area of each class of a map [unit of the cells' area], by the class; cells without one do not count.

    Both are (latitude, longitude) on one grid, and are read once, block by block.
    """

    def of_block(classes: NDArray, area: NDArray) -> pd.Series:
        """Return the areas of a block."""
        return pd.Series(area.ravel()).groupby(classes.ravel()).sum()

    return pd.concat(list(scan(of_block, [classes, cell_area]).flat)).groupby(level=0).sum()


def land_cover_balance(site_classes: ArrayLike, map_classes: xr.DataArray, map_area: xr.DataArray) -> pd.DataFrame:
    """Compare the land cover of the sites with that of the map.

    A forest is trained on the classes that its sites are in; where most of the map is another class, it extrapolates.
    Sites and cells without a class are left out; a cell has the class of most years. The columns are
    ``land_cover`` (every class that occurs in either, the largest on the map first), ``n_sites``, ``site_share`` (of
    the sites) and ``map_share`` (of the area); each share sums to 1. The function raises a DataError if no site, or no
    area, has a class.
    """
    sites = pd.Series(np.asarray(site_classes, dtype=float)).dropna()
    cells = class_areas(*xr.broadcast(commonest(map_classes), map_area))
    if sites.empty or not cells.sum() > 0:
        raise DataError("expected at least one site and one cell with a land-cover class: are they inside the grid?")
    n_sites = sites.value_counts()
    table = pd.DataFrame({"n_sites": n_sites, "map_share": cells / cells.sum()}).fillna(0)
    table = table.assign(n_sites=table["n_sites"].astype(int), site_share=table["n_sites"] / n_sites.sum())
    table.insert(0, "land_cover", table.index.astype(int))
    columns = ["land_cover", "n_sites", "site_share", "map_share"]
    return table.sort_values(["map_share", "land_cover"], ascending=[False, True])[columns].reset_index(drop=True)
