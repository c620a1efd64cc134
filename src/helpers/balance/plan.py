"""The next plots of a run: which cells may have one, in which order to build them, and files to take to the field.

A plan is a table with a row per plot, from :func:`plans`; the designs are those of :mod:`mapforest.designs`, which
:mod:`helpers.balance.plots` has tried in virtual worlds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.balance.plots import expected_interval
from helpers.config import Settings
from helpers.data.region import open_boundary
from helpers.data.variables import units_in_print
from helpers.errors import DataError
from helpers.names import choice_name, class_name, predictor_name
from helpers.sites.training import from_settings
from mapforest import designs
from mapforest.designs import Ground
from mapforest.errors import ForestError

#: What is measured at the plots of a plan, by its name, and which fluxes these are.
PLANS: Mapping[str, str] = {"both": "NPP and Rs at the same places", "npp": "NPP alone", "rs": "Rs alone"}
FLUXES: Mapping[str, tuple[str, ...]] = {"both": ("npp", "rs"), "npp": ("npp",), "rs": ("rs",)}
#: Plots that are put in their order, whatever number is asked for: a shorter plan is the beginning of a longer one.
MOST_PLOTS = 50
#: Numbers of further plots whose interval is told.
STEPS = (0, 10, 20, 50)
#: Trees of a forest that says how alike two places are; and cells that a plan is chosen from, at most.
TREES, MOST_CELLS = 300, 2000
#: Numbers that a region is tried with where there is no room for the usual one: its book is built all the same.
_FEWER = (10, 5, 1)
_PLACE = ["latitude", "longitude"]
_OWN = {*_PLACE, "cover", "area", "filled_area", "predicted_area", "block", "inside"}


def map_cells(cells: pd.DataFrame, families: xr.Dataset) -> pd.DataFrame:
    """Return the land cells of a budget, a row each, with how far the models of a family differ there.

    The cells are those of :func:`helpers.balance.cells.budget_cells`, in their years; the families are the fields of
    :func:`helpers.forests.families.as_fields`. The columns are ``latitude``, ``longitude``, the predictors (means over
    the years; the land cover is the class of most years), ``area`` [km2], ``inside``, whether the map may be used, and
    for each flux ``npp_spread`` and ``rs_spread``: the standard deviation between the models [g C m-2 yr-1].
    """
    land = cells[cells["area"] > 0]
    predictors = [name for name in land.columns if name not in _OWN]
    how = dict.fromkeys(predictors, "mean") | {"land_cover": "first", "area": "sum", "inside": "first"}
    table = land.assign(land_cover=land["cover"]).groupby(_PLACE, as_index=False).agg(how)
    at = {axis: xr.DataArray(table[axis].to_numpy(), dims="row") for axis in _PLACE}
    spread = families.std("member", ddof=1).sel(at, method="nearest")
    return table.assign(**{f"{name}_spread": spread[name].to_numpy() for name in ("npp", "rs")})


def allowed_cells(settings: Settings, cells: pd.DataFrame, outlines: Mapping[str, Path]) -> NDArray[np.bool_]:
    """Return which cells may have a plot by the settings ``plots``, shape (m,).

    The outlines are those of :func:`helpers.config.plot_outlines`; a file that holds no polygon raises a DataError.
    """
    shapes = {key: open_boundary(path).geometry for key, path in outlines.items()}
    within, left_out = shapes.get("within"), shapes.get("not_within")
    return designs.allowed_cells(cells, within=within, left_out=left_out, max_elevation=settings.plots.highest_m)


def sampled(cells: pd.DataFrame, allowed: NDArray[np.bool_]) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return at most :data:`MOST_CELLS` of the cells, each with the area that it stands for, and which may have a plot.

    Cells that may have a plot, and those that only count in the mean, are thinned apart, evenly in the order of rows
    and columns: a small part of the map keeps its cells.
    """
    parts = [np.flatnonzero(allowed), np.flatnonzero(~allowed)]
    room = [max(MOST_CELLS - len(other), MOST_CELLS // 2) for other in reversed(parts)]
    area = cells["area"].to_numpy(float, copy=True)
    chosen = []
    for part, most in zip(parts, room, strict=True):
        some = part[np.linspace(0, len(part) - 1, min(len(part), most)).round().astype(int)]
        if len(some):
            area[some] *= area[part].sum() / area[some].sum()
        chosen.append(some)
    rows = np.sort(np.concatenate(chosen))
    return cells.iloc[rows].reset_index(drop=True).assign(area=area[rows]), allowed[rows]


def grounds(
    settings: Settings, tables: Mapping[str, pd.DataFrame], cells: pd.DataFrame, share: float
) -> dict[str, Ground]:
    """Return what each flux knows of the cells of :func:`sampled`.

    The training tables of ``npp`` and ``rs`` are those of our estimate. The forests are small, of the logarithm. What
    they leave resembles that of neighbours as far as the blocks of the budget's draws reach, ``block_km``. Where both
    fluxes are planned together each counts by its own error in NEP, so that Rs has the ``share`` of it that is Rh.
    """
    found = {}
    for name, table in tables.items():
        target = np.log(table["value"].to_numpy(float))
        forest = from_settings(settings, name, TREES, settings.seed).fit(table, target)
        area, spread = (cells[column].to_numpy(float) for column in ("area", f"{name}_spread"))
        mean = {"npp": 1.0, "rs": share}[name] * np.average(np.exp(forest.predict(cells)), weights=area)
        weight = float(mean**2 * np.nanvar(target - forest.oob_prediction))
        found[name] = Ground(forest, table, cells, area, settings.block_km, spread, weight)
    return found


def ordered(
    settings: Settings, design: str, of: Mapping[str, Ground], allowed: NDArray[np.bool_]
) -> dict[str, list[int]]:
    """Return for each of :data:`PLANS` the positions of its plots among the cells, in the order of building them.

    They are :data:`MOST_PLOTS`, or ``plots.number`` where the constraints leave no room for so many, and where nobody
    asked for a number, fewer still. A DataError says how many there is room for where that is too many, too.
    """
    asked, found = settings.plots.number, {}
    tried = (MOST_PLOTS, asked) if "number" in settings.plots.model_fields_set else (MOST_PLOTS, asked, *_FEWER)
    for name, fluxes in FLUXES.items():
        for n in tried:
            try:
                plan = designs.propose(
                    design,
                    [of[flux] for flux in fluxes],
                    n,
                    settings.seed,
                    allowed=allowed,
                    min_distance_km=settings.plots.apart_km,
                )
            except ForestError as problem:
                if n == tried[-1]:
                    limits = ", ".join(f"{key} {value!r}" for key, value in settings.plots if key != "number" and value)
                    raise DataError(f"plots.number is {n}, and with {limits or 'no limit'}: {problem}") from None
            else:
                found[name] = plan["cell"].tolist()
                break
    return found


def variance_left(
    of: Mapping[str, Ground], chosen: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return by plan, for each flux that it measures, the share of its mean's variance that is left after k plots.

    Each is of shape (n + 1,), 1 without a plot; the plans are those of :func:`ordered`.
    """
    return {
        name: {flux: designs.variance_left(of[flux], cells) for flux in FLUXES[name]} for name, cells in chosen.items()
    }


def intervals(
    budget: pd.DataFrame, sources: pd.DataFrame, left: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> pd.DataFrame:
    """Return the interval of NEP to expect after the first k plots of each plan, by :func:`variance_left`.

    The tables are those of notebook 06. The columns are ``plan``, ``measured`` (:data:`PLANS`), and those of
    :func:`helpers.balance.plots.expected_interval`, ``width_share`` in place of ``ratio``.
    """
    tables = []
    for name, shares in left.items():
        table = expected_interval(budget, sources, shares)
        tables.append(table[table["quantity"] == "NEP"].assign(plan=name, measured=PLANS[name]))
    found = pd.concat(tables, ignore_index=True).rename(columns={"ratio": "width_share"}).drop(columns="quantity")
    return found[["plan", "measured", *(name for name in found if name not in ("plan", "measured"))]]


def plot_table(
    cells: pd.DataFrame, left: Mapping[str, NDArray[np.float64]], units: Mapping[str, str], note: str
) -> pd.DataFrame:
    """Return the plots of one plan in their order, with what people need to know of them.

    The cells are those that were chosen, ``left`` are the plan's shares of :func:`variance_left`, the units are those
    of the predictors. The columns have words and units: ``plot``, ``longitude``, ``latitude`` [degrees],
    ``elevation [m]``, ``land cover`` and the other predictors, ``map may be used``, the variance of what is
    measured that is left after the plot, and the ``note``, if there is one.
    """
    table = pd.DataFrame({"plot": range(1, len(cells) + 1)})
    table[["longitude", "latitude"]] = cells[["longitude", "latitude"]].to_numpy().round(5)
    table["elevation [m]"] = _four_digits(cells["elevation"])
    table["land cover"] = [class_name(number) for number in cells["land_cover"]]
    for name in (name for name in units if name not in ("elevation", "land_cover")):
        unit = units_in_print(name, units[name])
        table[predictor_name(name) + f" [{unit}]" * (unit not in ("1", ""))] = _four_digits(cells[name])
    table["map may be used"] = np.where(cells["inside"], "yes", "no")
    for flux, share in left.items():
        table[f"{choice_name(flux)} variance left [%]"] = _four_digits(100 * share[1:])
    return table.assign(note=note) if note else table


def _four_digits(values: Iterable[float]) -> list[float]:
    """Return numbers with the digits that somebody in the field can use."""
    return [float(f"{value:.4g}") for value in values]


def in_words(plots: pd.DataFrame, number: int = 5) -> str:
    """Return the first places of a plan as a text.

    Examples
    --------
    >>> row = {"longitude": 92.85, "latitude": -4.5, "elevation [m]": 4871.3, "land cover": "grassland"}
    >>> in_words(pd.DataFrame([row]))
    '4.50 S 92.85 E (grassland, 4871 m)'
    """
    told = []
    for row in plots.head(number).to_dict("records"):
        sides = ((row["latitude"], "NS"), (row["longitude"], "EW"))
        place = " ".join(f"{abs(degrees):.2f} {letters[degrees < 0]}" for degrees, letters in sides)
        told.append(f"{place} ({row['land cover']}, {row['elevation [m]']:.0f} m)")
    return "; ".join(told)


def files(plots: pd.DataFrame, title: str) -> dict[str, bytes]:
    """Return a plan of :func:`plot_table` as GeoJSON and GPX 1.1, by the ending.

    The places are degrees on WGS 84. A waypoint of the GPX has the plot's number, its elevation, its land cover as the
    type, and all else as its description; ``title`` says what the file is.
    """
    points = geopandas.points_from_xy(plots["longitude"], plots["latitude"], crs="EPSG:4326")
    told = plots.drop(columns=["plot", "longitude", "latitude"])
    waypoints = {
        "ele": plots["elevation [m]"].round(1),
        "name": [f"plot {number:02d}" for number in plots["plot"]],
        "desc": ["; ".join(_told(row)) for row in told.to_dict("records")],
        "type": plots["land cover"],
    }
    gpx = BytesIO()
    geopandas.GeoDataFrame(waypoints, geometry=points).to_file(
        gpx, driver="GPX", layer="waypoints", engine="pyogrio", METADATA_NAME=title
    )
    features = geopandas.GeoDataFrame(plots, geometry=points)
    return {"geojson": features.to_json(drop_id=True, ensure_ascii=False).encode(), "gpx": gpx.getvalue()}


def _told(row: Mapping[str, object]) -> list[str]:
    """Return what a row says, each value with its name; what is empty is left out."""
    known = {name: value for name, value in row.items() if value != "" and value == value}
    return [f"{name} {value:.4g}" if isinstance(value, float) else f"{name}: {value}" for name, value in known.items()]
