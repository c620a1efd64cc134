"""The cells that the region's budget is summed over: which they are, what each stands for, and what is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from helpers.data.cube import covariates
from helpers.data.land_cover import class_areas
from helpers.errors import DataError
from mapforest.cells import commonest
from mapforest.folds import block_labels

#: Years of a yearly cube that each cell is taken with. They are evenly spread, and rotate from cell to cell, so that
#: all years count alike: a few fixed years for all cells would move the virtual plateau's mean NPP by 3 g C m-2 yr-1.
N_YEARS = 5

#: IGBP classes of water (0, 17) and of snow and ice (15): no NPP, and no soil to respire.
WATER_AND_ICE = (0, 15, 17)


def budget_cells(cube: xr.Dataset, places: pd.DataFrame, usable: ArrayLike, block_km: float) -> pd.DataFrame:
    """Return the cells that both forests predict, in their years, with the area that each row stands for.

    The cube has ``in_region``, ``cell_area`` [km2] and the covariates of both forests.
    A cell must have them all, so that NPP, Rh and NEP refer to one area; where none has, a DataError is raised.
    ``places``, ``latitude`` and ``longitude``, are the n cells whose applicability was judged, and ``usable``, shape
    (n,), is true where they are in the area of applicability. Cells that were not judged are outside. ``block_km`` is
    the edge of a block.

    Returns
    -------
    pandas.DataFrame
        One row per cell and year, at most :data:`N_YEARS` of each cell: ``latitude``, ``longitude``, the
        predictors; ``cover``, the land-cover class of most years; ``predicted_area`` [km2], the cell's area divided
        by its number of rows; ``area`` [km2], the same without water and ice (:data:`WATER_AND_ICE`);
        ``filled_area`` [km2], which also shares out, over the valid cells of a land-cover class, the area of its
        cells without a covariate; ``block``, its number; ``inside``, whether the cell is in the area of
        applicability.
    """
    place, columns = ["latitude", "longitude"], [*covariates(cube), "cell_area"]
    # A cell has one class for its area, also where its land cover changes from year to year.
    cube = cube.assign(cover=commonest(cube["land_cover"]))
    table = cube[[*columns, "cover"]].where(cube["in_region"]).to_dataframe().reset_index()
    table = _in_turn(table[[*place, *columns, "cover"]].dropna(ignore_index=True), place)
    if table.empty:
        raise DataError("no cell of the region has all covariates: check the covariates and the mask")
    predicted_area = table["cell_area"] / table.groupby(place)["cell_area"].transform("size")
    area = predicted_area.where(~table["cover"].isin(WATER_AND_ICE), 0.0)
    share = _land_area(cube) / predicted_area.groupby(table["cover"]).sum()
    judged = pd.Series(np.asarray(usable, dtype=bool), index=pd.MultiIndex.from_frame(places[place]))
    return table.drop(columns="cell_area").assign(
        predicted_area=predicted_area,
        area=area,
        # Water and ice have no share of the land: they stay at zero.
        filled_area=area * table["cover"].map(share).fillna(0.0),
        block=block_labels(table["longitude"], table["latitude"], block_km),
        inside=judged.reindex(pd.MultiIndex.from_frame(table[place]), fill_value=False).to_numpy(),
    )


def _in_turn(table: pd.DataFrame, place: list[str]) -> pd.DataFrame:
    """Return at most ``N_YEARS`` evenly spread rows of each cell, in another phase from cell to cell."""
    groups = table.groupby(place)
    year, n_years = groups.cumcount(), groups.cumcount() + groups.cumcount(ascending=False) + 1
    # Of m years, those whose multiples of N_YEARS leave a rest below N_YEARS are N_YEARS, as even as m allows.
    turn = (year + groups.ngroup()) * N_YEARS % n_years
    return table[turn < N_YEARS].reset_index(drop=True)


def missing_cells(cube: xr.Dataset, cells: pd.DataFrame) -> pd.DataFrame:
    """Return what is missing by land-cover class, and how much of it the scenario ``filled`` fills.

    The cells are those of :func:`budget_cells`. The columns are ``land_cover``, ``land_Mkm2`` (region),
    ``valid_Mkm2``, ``missing_Mkm2`` and ``filled_Mkm2``. The largest class comes first; water and ice
    are left out.
    """
    table = pd.DataFrame({"land_Mkm2": _land_area(cube)}) / 1e6
    table["valid_Mkm2"] = cells.groupby("cover")["area"].sum() / 1e6
    table["filled_Mkm2"] = (cells["filled_area"] - cells["area"]).groupby(cells["cover"]).sum() / 1e6
    table = table.fillna(0.0).assign(missing_Mkm2=lambda known: known["land_Mkm2"] - known["valid_Mkm2"])
    table.index = table.index.astype(int)
    columns = ["land_Mkm2", "valid_Mkm2", "missing_Mkm2", "filled_Mkm2"]
    return table.rename_axis("land_cover").sort_values("land_Mkm2", ascending=False)[columns].reset_index()


def _land_area(cube: xr.Dataset) -> pd.Series:
    """Return the region's area by land-cover class, km2, without water and ice."""
    area = class_areas(commonest(cube["land_cover"]).where(cube["in_region"]), cube["cell_area"])
    return area.drop(labels=[name for name in WATER_AND_ICE if name in area.index])
