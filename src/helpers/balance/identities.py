"""Laws that the numbers of each run must keep, whatever its data: one that is broken is an error of the program.

A run checks them and keeps what it found, see :meth:`helpers.runs.folder.Run.hold`. Laws that an estimate may break
because nature disagrees with it are in :mod:`helpers.balance.closure`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.balance.budgets import budget, budget_table, same_grid
from helpers.data.scan import scan
from mapforest.cells import commonest

#: What rounding of single precision explains: in a cell, g C m-2 yr-1, and in a total, Tg C yr-1.
ROUNDING, TOTAL_ROUNDING = 0.01, 1e-3
#: By which share the area of a cell may differ from that on a sphere: at the poles it is 0.9 % larger.
FLATTENING = 0.01
#: Radius of the sphere that has the area of the ellipsoid, km.
_RADIUS_KM = 6371.0072
_AREA_ROUNDING = 1e-6  # million km2
_FLUX, _TOTAL, _AREA = "g C m-2 yr-1", "Tg C yr-1", "million km2"
#: Columns of tables that are a mean, its total and the area of both.
BUDGETS = (
    ("mean_gC_m2_yr", "total_TgC_yr", "valid_area_Mkm2"),
    ("low_gC_m2_yr", "total_low_TgC_yr", "valid_area_Mkm2"),
    ("high_gC_m2_yr", "total_high_TgC_yr", "valid_area_Mkm2"),
    ("common_mean_gC_m2_yr", "common_total_TgC_yr", "common_area_Mkm2"),
    ("nep_gC_m2_yr", "nep_total_TgC_yr", "area_Mkm2"),
)

Maps = Mapping[str, xr.DataArray]


class Check(NamedTuple):
    """How far some numbers are from a law, and how far they may be."""

    law: str  #: What must be true.
    of: str  #: The maps or the table that it was looked for in.
    deviation: float  #: The largest deviation, not below zero; NaN breaks the law.
    tolerance: float
    unit: str
    advice: str  #: What to do where the law is broken.

    @property
    def holds(self) -> bool:
        """Whether the deviation is a number within the tolerance."""
        return bool(self.deviation <= self.tolerance)


def broken(checks: Iterable[Check]) -> str:
    """Return in words which laws are broken, by how much, and what to do; nothing if all hold."""
    return "; ".join(
        f"{check.of}: {check.law} does not hold: off by up to {check.deviation:g} {check.unit}, expected at most "
        f"{check.tolerance:g}: {check.advice}"
        for check in checks
        if not check.holds
    )


def of_maps(maps: Maps, in_region: xr.DataArray, of: str = "maps") -> list[Check]:
    """Return how far the maps of a balance are from NEP = NPP - Rh in each cell and year, and from each other's cells.

    The maps are ``npp``, ``rs``, ``rh`` and ``nep`` [g C m-2 yr-1] on one grid, with years or without, in memory or
    Dask-backed: each chunk is read once. NEP must be known exactly where NPP and Rh are; Rh nowhere where Rs is not;
    nothing outside of ``in_region`` (boolean, without years). ``of`` is what the maps are called.
    """
    fluxes = [maps[name] for name in ("npp", "rs", "rh", "nep")]
    for field in fluxes:
        same_grid(field, in_region)
    apart, *cells = np.stack(list(scan(_of_block, [in_region, *fluxes]).flat)).T
    differing = {
        "NEP is known where NPP and Rh are": "run the notebook that made NEP again",
        "Rh is known only where Rs is": "run the notebook that made Rh again",
        "nothing is known outside of the region": "run the notebooks from the first one on: the cube is another one",
    }
    advice = "run the notebook that made NEP again: the maps are of different runs, or one has another sign or unit"
    rest = Check("NEP is NPP - Rh", of, float(apart.max()), ROUNDING, _FLUX, advice)
    counts = [float(count.sum()) for count in cells]
    known = zip(differing.items(), counts, strict=True)
    return [rest, *(Check(law, of, count, 0.0, "cells", advice) for (law, advice), count in known)]


def _of_block(within: NDArray, npp: NDArray, rs: NDArray, rh: NDArray, nep: NDArray) -> NDArray[np.float64]:
    """Return of a block the largest distance of NEP from NPP - Rh, and the cells and years that break the others."""
    left, has = npp - rh, {name: ~np.isnan(flux) for name, flux in {"rs": rs, "rh": rh, "nep": nep}.items()}
    apart = np.abs(nep - left)
    both = ~np.isnan(left)
    outside = (has["rs"] | ~np.isnan(npp)) & ~within.astype(bool)
    wrong = [has["nep"] != both, has["rh"] & ~has["rs"], outside]
    return np.array([np.nanmax(apart, initial=0.0), *(np.count_nonzero(cells) for cells in wrong)])


def known_where_predictors_are(flux: xr.DataArray, predictors: Sequence[xr.DataArray], region: xr.DataArray) -> Check:
    """Return in how many cells and years a map is known and a predictor is not, or the other way round.

    A forest's map must be known exactly at the cells of the region (boolean) at which each of its predictors is. All
    lie on one grid; each chunk is read once.
    """

    def differing(within: NDArray, found: NDArray, *known: NDArray) -> int:
        """Return how many cells of a block differ."""
        expected = np.logical_and.reduce(np.broadcast_arrays(within.astype(bool), *(~np.isnan(one) for one in known)))
        return np.count_nonzero(np.isnan(found) == expected)

    cells = float(sum(scan(differing, [region, flux, *predictors]).flat))
    advice = "run the notebook that made the cube, and then this one, again"
    law = "a map is known where all predictors are"
    return Check(law, str(flux.name), cells, 0.0, "cells", advice)


def areas_of_the_grid(cell_area: xr.DataArray) -> Check:
    """Return by which share the area of a cell [km2] differs most from that of its edges on a sphere.

    It finds another unit, another grid and rows that are turned round.
    """
    rows, columns = (np.asarray(cell_area[axis], "float64") for axis in ("latitude", "longitude"))
    height, width = (abs(axis[-1] - axis[0]) / (len(axis) - 1) for axis in (rows, columns))
    ends = [np.sin(np.deg2rad(np.clip(rows + side * height / 2, -90, 90))) for side in (1, -1)]
    expected = _RADIUS_KM**2 * np.deg2rad(width) * (ends[0] - ends[1])
    found = cell_area.transpose("latitude", "longitude").to_numpy()
    off = float(np.abs(found / expected[:, None] - 1).max())
    law, advice = "the area of a cell is that of its edges", "expected km2: run notebook 01 again"
    return Check(law, "cell_area", off, FLATTENING, "1", advice)


def sums_of_cells(flat: Maps, cell_area: xr.DataArray, of: str = "maps") -> Check:
    """Return how far the mean of a map times its area is from the sum over its cells, of several maps without years.

    They are fluxes [g C m-2 yr-1] in memory, on the grid of the cells' areas [km2].
    """
    off, area = [], cell_area.transpose("latitude", "longitude").to_numpy()
    for field in flat.values():
        values, found = field.transpose("latitude", "longitude").to_numpy(), budget(field, cell_area)
        summed = float((values * area)[~np.isnan(values)].sum()) / 1e6
        mean = found["mean_gC_m2_yr"] * found["valid_area_Mkm2"]
        off.append(0.0 if np.isnan(values).all() else abs(mean - summed))
    advice = "the areas of the cells do not fit the map: run the notebook that made it again"
    return Check("a total is the sum over the cells", of, float(np.max(off)), TOTAL_ROUNDING, _TOTAL, advice)


def totals(name: str, table: pd.DataFrame) -> list[Check]:
    """Return how far the totals of a table are from mean times area, for each of :data:`BUDGETS` that it has.

    A row without a total and without a mean, as that of an area of nothing, does not count.
    """
    checks = []
    for mean, total, area in BUDGETS:
        if {mean, total, area} <= set(table.columns):
            given = table.loc[table[mean].notna() | table[total].notna(), [mean, total, area]].astype("float64")
            off = (given[total] - given[mean] * given[area]).abs().max(skipna=False) if len(given) else 0.0
            advice = f"{total} is not {mean} x {area}: look at the units, and run the notebook again"
            checks.append(Check("a total is mean times area", name, float(off), TOTAL_ROUNDING, _TOTAL, advice))
    return checks


def parts_are_the_whole(of: str, parts: pd.DataFrame, whole: pd.DataFrame, by: Sequence[str]) -> list[Check]:
    """Return how far the totals and the areas of parts are from those of the whole, which has one row for each ``by``.

    Both tables have ``total_TgC_yr`` and ``valid_area_Mkm2``. What only one of them has counts in full.
    """
    columns = {"total_TgC_yr": (TOTAL_ROUNDING, _TOTAL), "valid_area_Mkm2": (_AREA_ROUNDING, _AREA)}
    summed, expected = (table.groupby(list(by))[list(columns)].sum() for table in (parts, whole))
    off = summed.sub(expected, fill_value=0.0).abs()
    advice = "a part is missing, or stands twice: run the notebook again"
    return [
        Check("the parts add up to the whole", of, float(off[name].max(skipna=False)), tolerance, unit, advice)
        for name, (tolerance, unit) in columns.items()
    ]


def classes_are_the_whole(
    by_class: pd.DataFrame, flat: Maps, classes: xr.DataArray, cell_area: xr.DataArray
) -> list[Check]:
    """Return how far the budgets by land cover are from the whole over all cells that have a class.

    The table is that of :func:`helpers.balance.budgets.budget_by_class` of the same maps, classes and areas.
    """
    has_class = commonest(classes).notnull().compute()
    whole = budget_table({(name, ""): field.where(has_class) for name, field in flat.items()}, cell_area)
    return parts_are_the_whole("land cover", by_class, whole, ["quantity"])


def years_are_the_whole(yearly: pd.DataFrame, whole: pd.DataFrame) -> list[Check]:
    """Return how far the mean of the yearly totals is from the total of the means over the years.

    The tables are those of :func:`helpers.balance.budgets.yearly_budgets` and, with a row per quantity, of
    :func:`helpers.balance.budgets.budget_table`. The law is one of quantities whose cells are known in each year: where
    the area of a year is smaller than the whole, the two are means over other cells, and nothing is said.
    """
    complete = yearly.set_index("quantity")["valid_area_Mkm2"].groupby(level=0).min()
    area = whole.set_index("quantity")["valid_area_Mkm2"].reindex(complete.index)
    same = complete.index[(complete - area).abs() <= _AREA_ROUNDING]
    chosen = yearly[yearly["quantity"].isin(same)]
    means = chosen.groupby("quantity", as_index=False)[["total_TgC_yr", "valid_area_Mkm2"]].mean()
    return parts_are_the_whole("years", means, whole[whole["quantity"].isin(same)], ["quantity"]) if len(same) else []


def rest_of_rows(of: str, table: pd.DataFrame, column: str, by: Sequence[str]) -> Check:
    """Return how far NEP of a budget is from NPP less Rh, in the rows that are alike in ``by`` and so of one area.

    The table has ``quantity`` (of each NPP, Rh and NEP a row) and the ``column`` [g C m-2 yr-1] or [Tg C yr-1].
    """
    rows = {name: group.set_index(list(by)) for name, group in table.groupby("quantity")}
    npp, rh, nep = (rows[name][column] for name in ("NPP", "Rh", "NEP"))
    off = (nep - (npp - rh)).abs().max(skipna=False)
    unit = _TOTAL if "TgC" in column else _FLUX
    advice = "the three are not of one area, or one has another sign: run the notebook again"
    tolerance = TOTAL_ROUNDING if unit == _TOTAL else ROUNDING
    return Check("NEP is NPP - Rh", of, float(off), tolerance, unit, advice)


def on_record(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return checks as a run keeps them: without the advice, and with whether each holds."""
    found = []
    for check in checks:
        kept = {name: value for name, value in check._asdict().items() if name != "advice"}
        # JSON has no NaN.
        found.append(kept | {"deviation": None if np.isnan(check.deviation) else check.deviation, "holds": check.holds})
    return found
