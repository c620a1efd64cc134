"""Records that cannot stand where their coordinates put them, and records that repeat another study's.

A wrong digit in a coordinate puts a warm, wet wood on cold, dry steppe, and the random forest learns that steppe
respires like a wood. So what a record says of its own place (elevation, mean annual temperature and precipitation,
country) is compared with the cell at its coordinates.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from helpers.config import Settings
from helpers.data.cube import sample
from helpers.data.grid import bounds
from helpers.data.region import contains, in_box, outline

#: What a record may say of its own place; its columns are named ``own_elevation`` [m] and so on, as those of the cube.
OWN = ("elevation", "temperature", "precipitation")
#: From so many contradictions on, a record is left out: with one alone the author, or the map, may be in error.
CONFLICTS_THAT_EXCLUDE = 2
#: A border of 1:110 million is generalised by some tens of kilometres: nearer to it than this it decides nothing.
BORDER_DEGREES = 0.5
#: Years by which two publications of one flux may differ. Of Rs of two studies within 0.7 degree, SRDB has 20 pairs
#: that agree to 0.1 % and 4 that differ by 0.1-0.2 % where years are this near; otherwise 4 and 14, which is chance.
REPUBLICATION_YEARS = 1

_REASONS = {
    "place": "own elevation, climate or country contradict the coordinates",
    "first publication": "the same flux stands nearby under another study or coordinate",
}


def check_places(records: pd.DataFrame, cube: xr.Dataset, settings: Settings) -> pd.DataFrame:
    """Compare what each record says of its own place with the cell at its coordinates.

    The records are located, with ``own_elevation`` [m], ``own_temperature`` [degC], ``own_precipitation`` [mm yr-1] and
    ``country``, as far as the tables have them. Yearly covariates are averaged; records outside of the grid have no
    cell to compare with. The settings give the greatest differences, ``place_elevation_m`` and ``place_temperature_k``,
    and the greatest ratio, ``place_precipitation_ratio``.

    The columns are ``cell_elevation``, ``cell_temperature`` and ``cell_precipitation``; ``conflicts``, how many of the
    four contradict the coordinates; ``conflict``, which. What is not known contradicts nothing.
    """
    on_grid = in_box(bounds(cube), records["longitude"], records["latitude"])
    cells = sample(cube, records.loc[on_grid, ["longitude", "latitude"]], OWN).reindex(records.index).astype(float)
    own = records.reindex(columns=[f"own_{name}" for name in OWN]).set_axis(OWN, axis=1).astype(float)
    rain = own["precipitation"].where(own["precipitation"] > 0) / cells["precipitation"]
    contradicts = pd.DataFrame(
        {
            "elevation": (own["elevation"] - cells["elevation"]).abs() > settings.place_elevation_m,
            "temperature": (own["temperature"] - cells["temperature"]).abs() > settings.place_temperature_k,
            "precipitation": np.maximum(rain, 1 / rain) > settings.place_precipitation_ratio,
            "country": _in_another_country(records, settings),
        }
    )
    names = [", ".join(contradicts.columns[row]) for row in contradicts.to_numpy()]
    return cells.add_prefix("cell_").assign(conflicts=contradicts.sum(axis=1), conflict=names)


def republications(records: pd.DataFrame, conflicts: pd.Series, settings: Settings) -> pd.Series:
    """Find the records whose flux stands nearby a second time, under another study or another coordinate.

    Two records are one measurement if their values differ by at most ``republication_share``, longitude and latitude
    each by at most ``republication_degrees`` (both of the settings), and the years by at most
    :data:`REPUBLICATION_YEARS`. Between two studies a year may be unknown. Within one study it must be known, and the
    coordinates must differ: a table of a thousand plots without years (Michaletz) has as many pairs that differ by
    0-0.1 % as by 0.1-0.2 %, so they are chance.

    The records are located, with positive values, in the schema; their conflicts are those of :func:`check_places`. Of
    several records of one measurement the one with the fewest is kept; of equal ones the first. The result is for each
    repetition the name of the record that is kept, else empty.
    """
    kept = pd.Series("", index=records.index)
    for _, group in records.groupby("variable"):
        place, year = group[["longitude", "latitude"]].to_numpy(), group["year"].to_numpy()
        study = group.groupby(["source", "reference"]).ngroup().to_numpy()
        # In units of what may differ, pairs that are near in all three lie within one; a little more holds the limit.
        log_value = np.log(group["value"].to_numpy()) / np.log1p(settings.republication_share)
        scaled = np.column_stack([log_value, place / settings.republication_degrees])
        pairs = cKDTree(scaled).query_pairs(1 + 1e-9, p=np.inf, output_type="ndarray")
        one, other = pairs.T
        apart = np.abs(year[one] - year[other])
        elsewhere = (place[one] != place[other]).any(axis=1)
        same = np.where(
            study[one] != study[other], ~(apart > REPUBLICATION_YEARS), elsewhere & (apart <= REPUBLICATION_YEARS)
        )
        links = coo_array((np.ones(same.sum()), pairs[same].T), shape=(len(group), len(group)))
        order = np.argsort(conflicts[group.index].to_numpy(), kind="stable")
        measurement = connected_components(links, directed=False)[1][order]
        names = record_names(group).iloc[order]
        again = pd.Series(measurement, names.index).duplicated()
        kept[names.index[again]] = names.groupby(measurement).transform("first")[again]
    return kept


def check_records(records: pd.DataFrame, cube: xr.Dataset, settings: Settings) -> pd.DataFrame:
    """Tell for each record whether it contradicts its place or repeats another one, and what follows.

    The records are what :func:`helpers.sites.quality.quality_control` or :func:`~helpers.sites.quality.control_pairs`
    left. The columns are ``record``, what the table says of it, those of :func:`check_places`, ``republication_of``
    from :func:`republications`, and ``left_out``: ``place`` (two contradictions or more), ``first publication`` (a
    repetition), else empty.
    """
    records = records.rename(columns={"rs": "value"})  # of a pair the soil respiration is looked for again
    places = check_places(records, cube, settings)
    again = republications(records, places["conflicts"], settings)
    reasons = np.select([places["conflicts"] >= CONFLICTS_THAT_EXCLUDE, again != ""], list(_REASONS), "")
    shown = ["variable", "longitude", "latitude", "value", "in_region", *(f"own_{name}" for name in OWN), "country"]
    table = records.reindex(columns=shown).join(places).assign(republication_of=again, left_out=reasons)
    table.insert(0, "record", record_names(records))
    return table


def listed(checked: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of :func:`check_records` with a contradiction or a repetition."""
    return checked[(checked["conflicts"] > 0) | (checked["republication_of"] != "")]


def leave_out(
    records: pd.DataFrame, flow: pd.DataFrame, checked: pd.DataFrame, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what the check refuses, and go on counting where quality control stopped.

    The records and the flow table are those that :func:`helpers.sites.quality.quality_control` left, and the table of
    :func:`check_records` is of these records or of more. Where ``site_checks`` is ``strict`` records are left out, else
    all stay. The flow table gets two more steps for each variable and source.
    """
    strict = settings.site_checks == "strict"
    kept, groups = records, ["variable", "source"]
    rows, left = [], flow.groupby(groups)["n"].last()
    for step, reason in _REASONS.items():
        if strict:
            kept = kept.drop(index=checked.index[checked["left_out"] == step], errors="ignore")
        before, left = left, kept.groupby(groups).size().reindex(left.index, fill_value=0)
        reason = reason if strict else "not asked for: site_checks is as_published"
        rows += [(*group, step, left[group], before[group] - left[group], reason) for group in left.index]
    both = pd.concat([flow, pd.DataFrame(rows, columns=flow.columns)])
    return kept, both.sort_values(groups, kind="stable", ignore_index=True)


def record_names(records: pd.DataFrame) -> pd.Series:
    """Return what the database calls each record; where a table has no such name, the site's."""
    return records["record"].fillna(records["site"]) if "record" in records else records["site"]


def _in_another_country(records: pd.DataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Tell which records name the run's country and lie beyond its border, or name another and lie within it."""
    described = settings.region.surroundings or settings.region
    if not described.country or "country" not in records:
        return np.zeros(len(records), dtype=bool)
    country, area = records["country"].fillna(""), outline(described).geometry
    points = shapely.points(records["longitude"], records["latitude"])
    far = shapely.distance(points, area.boundary) > BORDER_DEGREES
    inside = contains(area, records["longitude"], records["latitude"])
    return ((country != "") & far & ((country == described.country) != inside)).to_numpy()
