"""Quality control of site records, their aggregation by site, and counts of them.

One row is one observation. Raw tables hold every record; :func:`quality_control` applies its rules in a fixed order and
counts, in a flow table, what each of them leaves out and why.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from helpers.data.region import in_box
from helpers.errors import DataError
from helpers.sites.databases import PAIR_COVERAGE
from helpers.sites.schema import BOUNDS, SCHEMA

#: West, south, east and north, degrees.
Box = tuple[float, float, float, float]
#: Above this below-ground share of NPP, root biomass was probably taken for root production.
MAX_BELOWGROUND_SHARE = 0.9
#: Two records may be one measurement if their values differ by at most this part.
DUPLICATE_TOLERANCE = 0.005


def find_duplicates(observations: pd.DataFrame) -> pd.Series:
    """Tell which records repeat another one.

    Two records can be one measurement if variable, treatment and location (to 0.01 degree) agree. They are taken for it

    - from different sources or references, if the values differ by at most :data:`DUPLICATE_TOLERANCE` and the years
      agree or one is unknown;
    - from the same source and reference, if value and year are the same: plots of one study may well be alike.

    The first one stays, an unflagged record before a flagged one. The result is True for the repetitions, with the same
    index.
    """
    order = np.argsort((observations["quality"] != "").to_numpy(), kind="stable")
    ordered = observations.iloc[order].reset_index(drop=True)
    keys = ["variable", "treatment", ordered["longitude"].round(2), ordered["latitude"].round(2)]
    origin = ordered.groupby(["source", "reference"]).ngroup().to_numpy()
    value, year = ordered["value"].to_numpy(float), ordered["year"].to_numpy(float)
    repeated = np.zeros(len(ordered), dtype=bool)
    for rows in ordered.groupby(keys).indices.values():
        for position, row in enumerate(rows):
            # Compare with records that stay only: values may drift over a chain of near copies.
            others = rows[:position][~repeated[rows[:position]]]
            repeated[row] = _same_measurement(value, year, origin, row, others).any()
    out = np.empty(len(ordered), dtype=bool)
    out[order] = repeated
    return pd.Series(out, index=observations.index, name="possible_duplicate")


def _same_measurement(
    value: np.ndarray, year: np.ndarray, origin: np.ndarray, row: int, others: np.ndarray
) -> np.ndarray:
    """Tell for each of the others whether it is the measurement of a row, see :func:`find_duplicates`."""
    same_year, unknown = year[others] == year[row], np.isnan(year[others])
    both_unknown, one_unknown = unknown & np.isnan(year[row]), unknown | np.isnan(year[row])
    exact = np.isclose(value[others], value[row], rtol=1e-9, atol=0)
    near = np.isclose(value[others], value[row], rtol=DUPLICATE_TOLERANCE, atol=0)
    same_origin = origin[others] == origin[row]
    return np.where(same_origin, exact & (same_year | both_unknown), near & (same_year | one_unknown))


def swapped(table: pd.DataFrame, box: Box) -> pd.Series:
    """Tell which points lie outside a box, but inside it once latitude and longitude are exchanged."""
    longitude, latitude = table["longitude"], table["latitude"]
    return ~in_box(box, longitude, latitude) & in_box(box, latitude, longitude)


def _root_biomass(table: pd.DataFrame) -> pd.Series:
    """Tell which records have too large a below-ground share; tables without that column have none."""
    return table.get("belowground_share", pd.Series(np.nan, table.index)) > MAX_BELOWGROUND_SHARE


#: Name, what is left out, and why.
_Rule = tuple[str, Callable[[pd.DataFrame], pd.Series], str]

_LOCATED: _Rule = (
    "located",
    lambda t: t["longitude"].isna() | t["latitude"].isna(),
    "longitude or latitude is missing",
)
_UNMANIPULATED: _Rule = ("unmanipulated", lambda t: t["treatment"] != "none", "the plot was manipulated")
_UNFLAGGED: _Rule = ("no quality flag", lambda t: t["quality"] != "", "the source flags the record")
#: In the order of application, after those of place.
_RULES: tuple[_Rule, ...] = (
    ("value given", lambda t: t["value"].isna(), "no value, such as NPP of which only a part was measured"),
    ("value positive", lambda t: t["value"] <= 0, "a yearly flux of zero or less"),
    (
        "value plausible",
        lambda t: t["value"] > t["variable"].map(BOUNDS).astype(float),
        "above the plausible range: check units?",
    ),
    _UNMANIPULATED,
    _UNFLAGGED,
    (
        "production, not biomass",
        _root_biomass,
        f"below-ground share above {MAX_BELOWGROUND_SHARE}: root biomass taken for production?",
    ),
    (
        "no repetition",
        lambda t: t["possible_duplicate"] | find_duplicates(t),
        "the measurement is in the table already",
    ),
)

_PAIR_RULES: tuple[_Rule, ...] = (
    _UNMANIPULATED,
    _UNFLAGGED,
    (
        "measured long enough",
        lambda t: ~(t["annual_coverage"] >= PAIR_COVERAGE),
        f"measured over less than {PAIR_COVERAGE} of the year, or over an unknown part of it",
    ),
    ("Rh within Rs", lambda t: t["rh"] > t["rs"], "Rh, a part of Rs, exceeds it"),
    _LOCATED,
)


def _rules_of_place(box: Box) -> tuple[_Rule, ...]:
    """Return the rules that ask where a record lies, for a grid of these edges."""
    return (
        _LOCATED,
        ("coordinates in order", lambda t: swapped(t, box), "latitude and longitude are exchanged"),
        ("coordinates in range", lambda t: ~in_box(box, t["longitude"], t["latitude"]), "outside of the grid"),
    )


def quality_control(raw: pd.DataFrame, box: Box) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what cannot be used, rule by rule, and count it.

    The rules, in this order: coordinates missing; latitude and longitude exchanged; outside of the grid, whose
    west, south, east and north are the `box`; no value; value not positive; value above
    :data:`helpers.sites.schema.BOUNDS` (a wrong unit, most likely); manipulated; flagged; below-ground share above
    :data:`MAX_BELOWGROUND_SHARE`, if the table has it; repeated, by :func:`find_duplicates` among what is left or
    by the table's own ``possible_duplicate``.

    A value in a wrong unit that stays within the bounds is not found: 100 times too large an NPP of 25 g C m-2 yr-1 is
    2500. A table that is not in the :data:`helpers.sites.schema.SCHEMA` raises a ``pandera.errors.SchemaError``.

    With the rows that passed comes the flow table: ``variable``, ``source``, ``step``, ``n`` (records left),
    ``excluded``, ``reason``. The first step of each variable and source is ``records``, with all; n falls by
    ``excluded`` from step to step.
    """
    return _filtered(SCHEMA.validate(raw), (*_rules_of_place(box), *_RULES))


def control_pairs(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out the pairs of Rs and Rh that cannot be compared, and count them as :func:`quality_control` does.

    The pairs are those of :func:`helpers.sites.databases.rs_rh_pairs`. What is left is unmanipulated, without quality
    flag, measured over at least half of the year (:data:`helpers.sites.databases.PAIR_COVERAGE`), has Rh of at most Rs,
    and is located. The means by site of what is left of SRDB give the paper's line from Rs to Rh (Eq. 3); the records
    give a flatter one.
    """
    return _filtered(raw, _PAIR_RULES)


def _filtered(used: pd.DataFrame, rules: tuple[_Rule, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply rules in their order; return what is left and the flow table."""
    groups = used.groupby(["variable", "source"]).size()
    rows = [(*group, "records", n, 0, "as read") for group, n in groups.items()]
    left = groups
    for step, excludes, reason in rules:
        used = used[~excludes(used).to_numpy(dtype=bool)]
        before, left = left, used.groupby(["variable", "source"]).size().reindex(groups.index, fill_value=0)
        rows += [(*group, step, left[group], before[group] - left[group], reason) for group in groups.index]
    flow = pd.DataFrame(rows, columns=["variable", "source", "step", "n", "excluded", "reason"])
    return used, flow.sort_values(["variable", "source"], kind="stable", ignore_index=True)


def aggregate(observations: pd.DataFrame, how: Literal["rows", "site_mean", "site_median"]) -> pd.DataFrame:
    """Bring the records of each site together, or leave them as they are.

    Otherwise sites with many records weigh more than others, and a random split puts their copies on both sides, which
    flatters the validation. There is one row per record (``rows``), or one per site and variable with the mean or
    median of its values (``site_mean``, ``site_median``); any other word raises a ``DataError``.

    The table is in the schema, with ``n_records``. A site has the mean of its coordinates; the year if all records
    share it, else none; its distinct texts joined by ``"; "``; and what holds for any record. Columns beyond the schema
    stay with rows and are lost with sites.
    """
    if how not in ("rows", "site_mean", "site_median"):
        raise DataError(f"aggregation is {how!r}; expected rows, site_mean or site_median")
    if how == "rows":
        return observations.reset_index(drop=True).assign(n_records=1)
    rules = {
        "longitude": "mean",
        "latitude": "mean",
        "year": _common_year,
        "value": how.removeprefix("site_"),
        **dict.fromkeys(["unit", "treatment", "quality", "vegetation", "source", "reference"], _joined),
        **dict.fromkeys(["in_surroundings", "in_region", "possible_duplicate"], "any"),
    }
    groups = observations.groupby(["variable", "site"], sort=False)
    table = groups.agg(rules).assign(n_records=groups.size()).reset_index()
    return table[[*SCHEMA.columns, "n_records"]]


def _joined(texts: pd.Series) -> str:
    """Return each text once, in their order."""
    return "; ".join(dict.fromkeys(texts))


def _common_year(years: pd.Series) -> float:
    """Return the year that all records share, else NaN."""
    return years.iloc[0] if (years == years.iloc[0]).all() else math.nan


def summarise(observations: pd.DataFrame) -> pd.DataFrame:
    """Count records and sites by variable, source and formation (the vegetation up to its colon).

    The columns are ``variable``, ``source``, ``formation``, ``n``, ``sites``, ``n_surroundings``, ``n_region``,
    ``sites_region`` and ``mean_region_gC_m2_yr``.
    """
    inside = observations["in_region"]
    table = observations.assign(
        formation=observations["vegetation"].str.split(":").str[0].replace("", "not stated"),
        region_site=observations["site"].where(inside),
        region_value=observations["value"].where(inside),
    )
    groups = table.groupby(["variable", "source", "formation"])
    return groups.agg(
        n=("site", "size"),
        sites=("site", "nunique"),
        n_surroundings=("in_surroundings", "sum"),
        n_region=("in_region", "sum"),
        sites_region=("region_site", "nunique"),
        mean_region_gC_m2_yr=("region_value", "mean"),
    ).reset_index()
