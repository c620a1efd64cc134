"""Site tables of NPP, soil respiration and heterotrophic respiration: schema, quality control and
aggregation.

One row is one observation. Raw tables hold every record; :func:`quality_control` applies its rules in a fixed
order and tells, in a flow table, what each of them left out and why. The readers of the databases are in
:mod:`helpers.site_databases`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa
import xarray as xr
from numpy.typing import ArrayLike

from helpers.site_databases import (
    CARBON_UNIT,
    Contains,
    ObservationError,
    pair_site_means,
    read_michaletz,
    read_srdb,
    read_sun2022,
    rs_rh_flow,
    rs_rh_pairs,
    site_name,
    srdb_records,
)

__all__ = [
    "BOUNDS",
    "MAX_BELOWGROUND_SHARE",
    "REGION",
    "SCHEMA",
    "ObservationError",
    "aggregate",
    "find_duplicates",
    "land_cover_balance",
    "pair_site_means",
    "quality_control",
    "read_michaletz",
    "read_open",
    "read_srdb",
    "read_sun2022",
    "read_table",
    "rs_rh_flow",
    "rs_rh_pairs",
    "site_name",
    "srdb_records",
    "summarise",
]

#: West, south, east and north of China with its neighbours, degrees. No longitude of it could be a latitude
#: of it.
REGION = (73.0, 18.0, 136.0, 54.0)

#: Plausible annual values, g C m-2 yr-1: above zero and at most this. They are wide, to catch wrong units and not to
#: judge ecology: of SRDB V5's annual values worldwide 99.7 % (Rs), 98.8 % (NPP) and 99.6 % (Rh) lie within them.
BOUNDS = {"npp": 3000.0, "rs": 5000.0, "rh": 3000.0}

#: Above this below-ground share of NPP, root biomass was probably taken for root production.
MAX_BELOWGROUND_SHARE = 0.9

#: Records are one measurement told twice when their values differ by at most this part.
DUPLICATE_TOLERANCE = 0.005

#: A table of observations. Further columns are allowed, and kept.
SCHEMA = pa.DataFrameSchema(
    {
        "variable": pa.Column(str, pa.Check.isin(["npp", "rs", "rh"]), description="npp, rs or rh"),
        "site": pa.Column(str, pa.Check.str_length(min_value=1), description="name of the site"),
        "longitude": pa.Column(float, nullable=True, description="degrees east"),
        "latitude": pa.Column(float, nullable=True, description="degrees north"),
        "year": pa.Column(float, nullable=True, description="year of measurement; missing = unknown"),
        "value": pa.Column(float, nullable=True, description="g C m-2 yr-1"),
        "unit": pa.Column(str, description="the unit as published; value is in g C m-2 yr-1 always"),
        "treatment": pa.Column(str, description="'none' = unmanipulated"),
        "quality": pa.Column(str, description="quality flag; empty = none"),
        "vegetation": pa.Column(str, description="formation, or 'formation: detail'"),
        "source": pa.Column(str, description="the database"),
        "reference": pa.Column(str, description="who published it"),
        "in_china": pa.Column(bool),
        "on_plateau": pa.Column(bool),
        "possible_duplicate": pa.Column(bool),
    },
    strict=False,
    coerce=True,
    name="observations",
)

#: Columns that a table of your own may leave out, and what they are then.
_DEFAULTS = {
    "treatment": "none",
    "quality": "",
    "vegetation": "",
    "reference": "",
    "possible_duplicate": "false",
}


def read_open(
    *,
    srdb: str | Path,
    michaletz: str | Path,
    sun: str | Path,
    contains: Contains,
    elevation_rule: bool = True,
) -> pd.DataFrame:
    """Read the three open databases into one raw table.

    Parameters
    ----------
    srdb, michaletz, sun : str or pathlib.Path
        The files, see :mod:`helpers.site_databases`.
    contains : callable
        ``contains(longitude, latitude)`` gives, for arrays in degrees, whether points lie inside the plateau
        boundary.
    elevation_rule : bool
        Whether SRDB records of the paper's box at 2500 m or higher also count as plateau, see
        :func:`helpers.site_databases.read_srdb`.

    Returns
    -------
    pandas.DataFrame
        In the :data:`SCHEMA`, every record of China and of the plateau, with ``possible_duplicate`` set.

    Raises
    ------
    ObservationError
        If a file is missing or is not what it should be.
    """
    tables = [
        read_srdb(srdb, contains, elevation_rule),
        read_michaletz(michaletz, contains),
        read_sun2022(sun, contains),
    ]
    raw = SCHEMA.validate(pd.concat(tables, ignore_index=True))
    raw["possible_duplicate"] |= find_duplicates(raw)
    return raw


def find_duplicates(observations: pd.DataFrame) -> pd.Series:
    """Tell which records repeat another one.

    Two records can be one measurement if variable, treatment and location (to 0.01 degree) agree. They are
    taken for it

    - from different sources or references, if the values differ by at most 0.5 % and the years agree or one
      is unknown;
    - from the same source and reference, if value and year are the same: plots of one study may well be
      alike.

    The first one stays, an unflagged record before a flagged one.

    Parameters
    ----------
    observations : pandas.DataFrame
        In the :data:`SCHEMA`.

    Returns
    -------
    pandas.Series of bool
        True for the repetitions; same index.
    """
    order = np.argsort((observations["quality"] != "").to_numpy(), kind="stable")
    ordered = observations.iloc[order].reset_index(drop=True)
    keys = ["variable", "treatment", ordered["longitude"].round(2), ordered["latitude"].round(2)]
    origin = ordered.groupby(["source", "reference"]).ngroup().to_numpy()
    value, year = ordered["value"].to_numpy(float), ordered["year"].to_numpy(float)
    repeated = np.zeros(len(ordered), dtype=bool)
    for rows in ordered.groupby(keys).indices.values():
        for position, row in enumerate(rows):
            others = rows[:position][~repeated[rows[:position]]]
            repeated[row] = _same_measurement(value, year, origin, row, others).any()
    out = np.empty(len(ordered), dtype=bool)
    out[order] = repeated
    return pd.Series(out, index=observations.index, name="possible_duplicate")


def _same_measurement(
    value: np.ndarray, year: np.ndarray, origin: np.ndarray, row: int, others: np.ndarray
) -> np.ndarray:
    unknown = np.isnan(year[others]) | np.isnan(year[row])
    same_year = (year[others] == year[row]) | (np.isnan(year[others]) & np.isnan(year[row]))
    exact = np.isclose(value[others], value[row], rtol=1e-9, atol=0)
    near = np.isclose(value[others], value[row], rtol=DUPLICATE_TOLERANCE, atol=0)
    return np.where(origin[others] == origin[row], exact & same_year, near & (same_year | unknown))


def _swapped(table: pd.DataFrame, region: Sequence[float]) -> pd.Series:
    """Tell which points lie outside the region, but inside it once latitude and longitude are exchanged."""
    return ~_in_region(table["longitude"], table["latitude"], region) & _in_region(
        table["latitude"], table["longitude"], region
    )


def _in_region(longitude: pd.Series, latitude: pd.Series, region: Sequence[float]) -> pd.Series:
    west, south, east, north = region
    return longitude.between(west, east) & latitude.between(south, north)


def _belowground_share(table: pd.DataFrame) -> pd.Series:
    return table["belowground_share"] if "belowground_share" in table else pd.Series(np.nan, index=table.index)


#: Name, what is left out (of the table and the region), and why; in the order of application.
_RULES: tuple[tuple[str, Callable[[pd.DataFrame, Sequence[float]], pd.Series], str], ...] = (
    (
        "located",
        lambda t, _: t["longitude"].isna() | t["latitude"].isna(),
        "longitude or latitude is missing",
    ),
    ("coordinates in order", _swapped, "latitude and longitude are exchanged"),
    (
        "coordinates in range",
        lambda t, r: ~_in_region(t["longitude"], t["latitude"], r),
        "outside of the region",
    ),
    (
        "value given",
        lambda t, _: t["value"].isna(),
        "no value, such as NPP of which only a part was measured",
    ),
    ("value positive", lambda t, _: t["value"] <= 0, "a yearly flux of zero or less"),
    (
        "value plausible",
        lambda t, _: t["value"] > t["variable"].map(BOUNDS).astype(float),
        "above the plausible range: check units?",
    ),
    ("unmanipulated", lambda t, _: t["treatment"] != "none", "the plot was manipulated"),
    ("no quality flag", lambda t, _: t["quality"] != "", "the source flags the record"),
    (
        "production, not biomass",
        lambda t, _: _belowground_share(t) > MAX_BELOWGROUND_SHARE,
        f"below-ground share above {MAX_BELOWGROUND_SHARE}: root biomass taken for production?",
    ),
    (
        "no repetition",
        lambda t, _: t["possible_duplicate"] | find_duplicates(t),
        "the measurement is in the table already",
    ),
)


def quality_control(
    raw: pd.DataFrame,
    domain: Literal["china", "plateau"] | None = None,
    region: Sequence[float] = REGION,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what cannot be used, rule by rule, and count it.

    The rules, in this order: coordinates missing; latitude and longitude exchanged; outside of the region; no
    value; value not positive; value above :data:`BOUNDS` (a wrong unit, most likely); manipulated; flagged;
    below-ground share above :data:`MAX_BELOWGROUND_SHARE` (where the table has a column
    ``belowground_share``); repeated, by :func:`find_duplicates` among what is left or by the table's own
    ``possible_duplicate``; outside of the domain.

    A value in a wrong unit that stays within the bounds is not found: 100 times too large an NPP of 25 g C
    m-2 yr-1 is 2500.

    Parameters
    ----------
    raw : pandas.DataFrame
        In the :data:`SCHEMA`.
    domain : {"china", "plateau"}, optional
        Keep only records that train a forest of this domain; all if not given.
    region : sequence of four floats
        West, south, east and north of what counts as located, degrees.

    Returns
    -------
    used : pandas.DataFrame
        The rows of `raw` that passed, with their index.
    flow : pandas.DataFrame
        Columns ``variable``, ``source``, ``step``, ``n`` (records left), ``excluded``, ``reason``. The first
        step of each variable and source is ``records``, with all; n falls by ``excluded`` from step to step.

    Raises
    ------
    pandera.errors.SchemaError
        If `raw` is not in the schema.
    """
    used = SCHEMA.validate(raw)
    groups = used.groupby(["variable", "source"]).size()
    rows = [(*group, "records", n, 0, "as read") for group, n in groups.items()]
    rules = _RULES
    if domain is not None:
        column = {"china": "in_china", "plateau": "on_plateau"}[domain]
        rules = (*_RULES, (f"in the domain: {domain}", lambda t, _: ~t[column], "outside of the domain"))
    left = groups
    for step, excludes, reason in rules:
        used = used[~excludes(used, region).to_numpy(dtype=bool)]
        before, left = left, used.groupby(["variable", "source"]).size().reindex(groups.index, fill_value=0)
        rows += [(*group, step, left[group], before[group] - left[group], reason) for group in groups.index]
    flow = pd.DataFrame(rows, columns=["variable", "source", "step", "n", "excluded", "reason"])
    return used, flow.sort_values(["variable", "source"], kind="stable", ignore_index=True)


def aggregate(observations: pd.DataFrame, how: Literal["rows", "site_mean", "site_median"]) -> pd.DataFrame:
    """Bring the records of each site together, or leave them as they are.

    Sites with many records would else weigh more than others, and their copies on both sides of a random
    split make a validation too kind.

    Parameters
    ----------
    observations : pandas.DataFrame
        In the :data:`SCHEMA`.
    how : {"rows", "site_mean", "site_median"}
        One row a record, or one row a site and variable with the mean or median of its values.

    Returns
    -------
    pandas.DataFrame
        In the :data:`SCHEMA`, with ``n_records``. A site has the mean of its coordinates; the year if all records share
        it, else none; its distinct texts joined by ``"; "``; and what holds for any record. Columns beyond the schema
        stay with rows and are lost with sites.

    Raises
    ------
    ValueError
        If `how` is none of the three.
    """
    if how not in ("rows", "site_mean", "site_median"):
        raise ValueError(f"how is {how!r}; expected rows, site_mean or site_median")
    if how == "rows":
        return observations.reset_index(drop=True).assign(n_records=1)
    rules = {
        "longitude": "mean",
        "latitude": "mean",
        "year": _common_year,
        "value": how.removeprefix("site_"),
        **dict.fromkeys(["unit", "treatment", "quality", "vegetation", "source", "reference"], _joined),
        **dict.fromkeys(["in_china", "on_plateau", "possible_duplicate"], "any"),
    }
    groups = observations.groupby(["variable", "site"], sort=False)
    table = groups.agg(rules).assign(n_records=groups.size()).reset_index()
    return table[[*SCHEMA.columns, "n_records"]]


def _joined(texts: pd.Series) -> str:
    return "; ".join(dict.fromkeys(texts))


def _common_year(years: pd.Series) -> float:
    return years.iloc[0] if (years == years.iloc[0]).all() else math.nan


def summarise(observations: pd.DataFrame) -> pd.DataFrame:
    """Count records and sites by variable, source and formation (the vegetation up to its colon).

    Parameters
    ----------
    observations : pandas.DataFrame
        In the :data:`SCHEMA`.

    Returns
    -------
    pandas.DataFrame
        Columns ``variable``, ``source``, ``formation``, ``n``, ``sites``, ``n_china``, ``n_plateau``,
        ``sites_plateau``, ``mean_plateau_gC_m2_yr``.
    """
    formation = observations["vegetation"].str.split(":").str[0].replace("", "not stated")
    plateau = observations["on_plateau"]
    table = observations.assign(
        formation=formation,
        plateau_site=observations["site"].where(plateau),
        plateau_value=observations["value"].where(plateau),
    )
    return (
        table.groupby(["variable", "source", "formation"])
        .agg(
            n=("site", "size"),
            sites=("site", "nunique"),
            n_china=("in_china", "sum"),
            n_plateau=("on_plateau", "sum"),
            sites_plateau=("plateau_site", "nunique"),
            mean_plateau_gC_m2_yr=("plateau_value", "mean"),
        )
        .reset_index()
    )


def land_cover_balance(site_classes: ArrayLike, map_classes: xr.DataArray, map_area: xr.DataArray) -> pd.DataFrame:
    """Compare the land cover of the sites with that of the map.

    A forest of trees knows the classes that its sites are in; where the map is mostly another class it
    extrapolates.

    Parameters
    ----------
    site_classes : array of float, shape (n,)
        IGBP class at each site; missing values are left out.
    map_classes : xarray.DataArray
        IGBP class of each cell, missing outside of the area of interest.
    map_area : xarray.DataArray
        Area of each cell, km2; dims as `map_classes`.

    Returns
    -------
    pandas.DataFrame
        Columns ``land_cover`` (class), ``n_sites``, ``site_share`` (of the sites), ``map_share``
        (of the area); every class that occurs in either; largest on the map first. The shares sum to 1.

    Raises
    ------
    ValueError
        If there is no site, or no area, with a class.
    """
    sites = pd.Series(np.asarray(site_classes, dtype=float)).dropna()
    classes, area = xr.broadcast(map_classes, map_area)
    cells = pd.Series(area.to_numpy().ravel()).groupby(classes.to_numpy().ravel()).sum()
    if sites.empty or not cells.sum() > 0:
        raise ValueError("expected at least one site and one cell with a land-cover class: are they inside the grid?")
    n_sites = sites.value_counts()
    table = pd.DataFrame({"n_sites": n_sites, "map_share": cells / cells.sum()}).fillna(0)
    table = table.assign(n_sites=table["n_sites"].astype(int), site_share=table["n_sites"] / n_sites.sum())
    table.insert(0, "land_cover", table.index.astype(int))
    columns = ["land_cover", "n_sites", "site_share", "map_share"]
    return table.sort_values(["map_share", "land_cover"], ascending=[False, True])[columns].reset_index(drop=True)


def read_table(path: str | Path, contains: Contains | None = None) -> pd.DataFrame:
    """Read and check a table of your own, a CSV file in the schema.

    Everything wrong with it is told at once. Values must be in g C m-2 yr-1 already, and the column ``unit``
    must say so. ``treatment``, ``quality``, ``vegetation``, ``reference`` and ``possible_duplicate`` may be
    left out; ``data/observations/example_npp.csv`` is an example.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV, UTF-8, comma separated, one header row.
    contains : callable, optional
        ``contains(longitude, latitude)`` tells what is inside the plateau boundary: then ``on_plateau`` may
        be left out.

    Returns
    -------
    pandas.DataFrame
        In the :data:`SCHEMA`.

    Raises
    ------
    ObservationError
        If the file cannot be read, lacks a column, or holds values of the wrong type, exchanged or impossible
        coordinates, implausible values or another unit; the message lists column, rows (the header is row 1)
        and what was expected.
    """
    path = Path(path)
    text = _read_text_table(path)
    text = text.assign(**{name: default for name, default in _DEFAULTS.items() if name not in text})
    optional = {"on_plateau"} if contains is not None else set()
    missing = [name for name in SCHEMA.columns if name not in text and name not in optional]
    if missing:
        raise ObservationError(
            f"{path}: no column {', '.join(missing)}; expected {', '.join(SCHEMA.columns)}. "
            "See data/observations/example_npp.csv"
        )
    problems: list[str] = []
    table = text.copy()
    for name in ("longitude", "latitude", "year", "value"):
        table[name] = pd.to_numeric(text[name], errors="coerce").astype(float)
        problems += _tell(text, name, table[name].isna() & (text[name] != ""), "a number")
    for name in ("in_china", "on_plateau", "possible_duplicate"):
        if name in text:
            lower = text[name].str.lower()
            table[name] = lower == "true"
            problems += _tell(text, name, ~lower.isin(["true", "false"]), "true or false")
    problems += _implausible(text, table)
    if problems:
        raise ObservationError(
            f"{path}: cannot be used (rows count from the header, row 1)\n- " + "\n- ".join(problems)
        )
    if "on_plateau" not in table:
        table["on_plateau"] = np.asarray(
            contains(table["longitude"].to_numpy(), table["latitude"].to_numpy()), dtype=bool
        )
    return SCHEMA.validate(table)


def _read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV file as stripped text, absent cells empty; every way to fail has its own advice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except FileNotFoundError:
        raise ObservationError(f"{path}: no such file; check the name in extra_observations") from None
    except UnicodeDecodeError:
        raise ObservationError(f"{path}: not UTF-8 text; save it as 'CSV UTF-8'") from None
    except pd.errors.EmptyDataError:
        raise ObservationError(f"{path}: the file is empty; expected a header and one row an observation") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ObservationError(
            f"{path}: a row has more cells than the header ({str(error).strip()}); put texts with commas in quotes"
        ) from None
    if len(text.columns) == 1 and ";" in text.columns[0]:
        raise ObservationError(f"{path}: columns are parted by semicolons; save it parted by commas")
    if text.empty:
        raise ObservationError(f"{path}: no rows below the header; expected one row an observation")
    text.columns = text.columns.str.strip()
    return text.fillna("").apply(lambda column: column.str.strip())


def _implausible(text: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """List what is wrong with values of the right type."""
    west, south, east, north = REGION
    swapped = _swapped(table, REGION)
    known, bound = table["variable"].isin(BOUNDS), table["variable"].map(BOUNDS).astype(float)
    limits = ", ".join(f"{name} {bound:g}" for name, bound in BOUNDS.items())
    checks = (
        ("variable", ~known, "one of " + ", ".join(BOUNDS)),
        ("site", text["site"] == "", "a name"),
        ("longitude", text["longitude"] == "", "degrees east, not empty"),
        ("latitude", text["latitude"] == "", "degrees north, not empty"),
        ("longitude", swapped, "degrees east: are latitude and longitude exchanged?"),
        (
            "longitude",
            ~swapped & _outside(table["longitude"], west, east),
            f"{west:g} to {east:g} degrees east",
        ),
        (
            "latitude",
            ~swapped & _outside(table["latitude"], south, north),
            f"{south:g} to {north:g} degrees north",
        ),
        ("year", _outside(table["year"], 1900, 2100), "a year from 1900 to 2100, or empty"),
        ("value", text["value"] == "", "g C m-2 yr-1, not empty"),
        (
            "value",
            (table["value"] <= 0) | (known & (table["value"] > bound)),
            f"above 0 and at most {limits} {CARBON_UNIT}: check units?",
        ),
        (
            "unit",
            text["unit"] != CARBON_UNIT,
            f"{CARBON_UNIT}; convert value (dry matter x 0.5 for wood, x 0.45 for herbs)",
        ),
        ("source", text["source"] == "", "a name"),
    )
    return [line for name, wrong, expected in checks for line in _tell(text, name, wrong, expected)]


def _outside(column: pd.Series, low: float, high: float) -> pd.Series:
    return column.notna() & ~column.between(low, high)


def _tell(text: pd.DataFrame, name: str, wrong: pd.Series, expected: str) -> list[str]:
    """Say in one line what is wrong with a column, with its first rows."""
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return []
    shown = ", ".join(f"{row + 2} ({text[name].iloc[row]!r})" for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return [f"column {name}, row {shown}{more}: expected {expected}"]
