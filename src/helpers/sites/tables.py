"""Site tables in the common schema: the open databases together, and tables of the reader's own.

In a table of your own an empty cell and each word of :data:`helpers.sites.words.MISSING` (NA, NaN, null, none ...) mean
"not given". A ``treatment`` that is not given or one of :data:`helpers.sites.words.UNMANIPULATED` (none, control ...)
is that of an untouched plot; a ``quality`` that is not given or one of :data:`helpers.sites.words.WITHOUT_FLAG` (good,
ok ...) is no flag. Other words exclude the record in quality control. Numbers and answers (0, TRUE, no) may mean either
and are refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import shapely

from helpers.data import catalog, region
from helpers.data.region import Places
from helpers.errors import DataError
from helpers.sites import spreadsheet
from helpers.sites.csv_file import read_text
from helpers.sites.places import BORDER_DEGREES, OWN
from helpers.sites.quality import Box, find_duplicates, swapped
from helpers.sites.schema import BOUNDS, CARBON_UNIT, LOWEST, SCHEMA
from helpers.sites.units import HONEST_FACTOR, TYPICAL, fitting_units
from helpers.sites.words import UNMANIPULATED, WITHOUT_FLAG, in_our_words, is_unclear, without_missing
from helpers.strict_yaml import short

#: Columns that a table of your own may leave out.
_OPTIONAL = (
    *("in_surroundings", "in_region"),
    *("treatment", "quality", "vegetation", "reference", "possible_duplicate"),
)
#: Names that columns had when the region was the plateau alone.
_EARLIER_NAMES = {"on_plateau": "in_region", "in_china": "in_surroundings"}
#: Likeness of two names, of at most 1, from which one may be a slip of the other: ``Treatment``, ``treatmnt``,
#: ``sites``. Names of two things, as ``temperature`` and ``own_temperature``, are less alike.
_NEARLY = 0.87
#: Texts that may be added.
_TEXTS = ("country", "record", "note")
#: Numbers that may be added, and the range of what is possible.
_RANGES = {
    "own_elevation": (-450, 9000, "m"),
    "own_temperature": (-40, 40, "degC"),
    "own_precipitation": (0, 12_000, "mm yr-1"),
    "belowground_share": (0, 1, "of NPP"),
    "annual_coverage": (0, 1, "of the year"),
}
#: Records of one name lie at most this far apart, degrees: a cell of the ``open`` grid, some 10 km. Records of a site
#: may be averaged at their mean coordinates, and farther apart these would lie in a cell of neither.
SITE_DEGREES = 0.1


class OwnTable(NamedTuple):
    """A table of your own."""

    path: Path  #: Where it was read from.
    records: pd.DataFrame  #: Its records, in the schema.
    notes: tuple[str, ...]  #: What was decided about it that its owner should know, a sentence or two each.


def read_databases(keys: Sequence[str], places: Places) -> pd.DataFrame:
    """Read site databases of the catalogue into one raw table.

    The table is in the :data:`helpers.sites.schema.SCHEMA` and has every record of the region and of its surroundings,
    with ``possible_duplicate`` set: of records that agree the first stays, so the order of the keys counts. A key that
    is no site database, or a file that is missing or not what it should be, raises a ``DataError``. Without keys the
    table is empty: then all records are your own.
    """
    for key in keys:
        if not catalog.entry_of(key).reader.startswith("sites.databases."):
            raise DataError(
                f"observations: {key!r} is no site database of data/catalog.yml; a table of your own goes in "
                "extra_observations"
            )
    tables = [catalog.reader(key)(*catalog.fetch(key).values(), places) for key in keys]
    raw = SCHEMA.validate(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*SCHEMA.columns]))
    raw["possible_duplicate"] |= find_duplicates(raw)
    return raw


def read_table(path: str | Path, places: Places) -> OwnTable:
    """Read and check a table of your own in the schema: a CSV file in UTF-8, separated by commas, or a spreadsheet.

    A spreadsheet (.xlsx) is read as :func:`helpers.sites.spreadsheet.read_text` tells.

    Values must be in g C m-2 yr-1 already, and the column ``unit`` must say so. May be left out: ``treatment``,
    ``quality``, ``vegetation``, ``reference``, ``possible_duplicate``. The places tell what lies in the
    region and in its surroundings; ``in_region`` and ``in_surroundings`` may be typed, to be compared. Within
    :data:`helpers.sites.places.BORDER_DEGREES` of the border of a country its outline may be coarse: there the typed
    one stays. Records outside of the grid are told, and left out by quality control.
    May be added: what the author says of the place, for :mod:`helpers.sites.places`, ``own_elevation`` [m],
    ``own_temperature`` [degC], ``own_precipitation`` [mm yr-1] and ``country``; ``belowground_share`` of NPP;
    ``annual_coverage``, the part of the year that was measured (without the column: all of it); ``record``, ``note``.
    Any other column is set aside. ``data/observations/example_npp.csv`` is an example.

    A DataError reports all problems together, by column and rows (the header is row 1), with what was expected: a file
    that cannot be read, a missing column, values of the wrong type, exchanged or impossible coordinates, implausible
    values, another unit, one name at two places.
    """
    path = Path(path)
    by_sheet = path.suffix.lower() in spreadsheet.SUFFIXES
    raw, told = spreadsheet.read_text(path) if by_sheet else (read_text(path, SCHEMA.columns), [])
    text = _known_columns(path, raw := _by_our_names(path, raw))
    table, problems = _typed(text)
    problems += _implausible(text, table, places.grid) + _too_small(text, table) + _scattered(text, table)
    if problems:
        counted = "rows as sheet!row" if by_sheet else "rows count from the header, row 1"
        raise DataError(f"{path}: cannot be used ({counted})\n- " + "\n- ".join([*problems, *told]))
    notes = told + _set_aside(raw) + _excluded_words(table) + _off_grid(text, table, places.grid)
    for name, inside, decides in _outlines(table, places):
        notes += _contradictions(name, text, inside, decides)
        table[name] = np.where(decides | (text[name] == ""), inside, table[name])
    records = SCHEMA.validate(table.reset_index(drop=True))
    return OwnTable(path, records, tuple(f"{path}: {note}" for note in notes))


def _by_our_names(path: Path, raw: pd.DataFrame) -> pd.DataFrame:
    """Return the table with columns of earlier names under those of today; refuse a name that is nearly ours."""
    for earlier, name in _EARLIER_NAMES.items():
        if earlier in raw and name in raw:
            raise DataError(f"{path}: columns {earlier} and {name} say the same; keep one of them")
    # A note decides nothing: one that is not read is told, and does no harm.
    ours, near = [name for name in (*_known(), *_EARLIER_NAMES) if name != "note"], []
    for given in (str(name) for name in raw if name not in (*ours, "note")):
        like = difflib.get_close_matches(re.sub(r"\W+", "_", given.lower()), ours, n=1, cutoff=_NEARLY)
        near += [f"{short(given)} is nearly {like[0]}"] if like else []
    if near:
        raise DataError(
            f"{path}: column {'; '.join(near)}: it would not be read. Give it that name if it is that column, else "
            "one that is less like it"
        )
    return raw.rename(columns=_EARLIER_NAMES)


def _known_columns(path: Path, raw: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are read, what is missing or left out as empty cells."""
    missing = [name for name in SCHEMA.columns if name not in raw and name not in _OPTIONAL]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; expected {', '.join(SCHEMA.columns)}. "
            "See data/observations/example_npp.csv"
        )
    names = [name for name in _known() if name in raw or name in _OPTIONAL]
    return without_missing(raw).reindex(columns=names, fill_value="")


def _known() -> list[str]:
    """Return the columns that are read."""
    return [*SCHEMA.columns, *_TEXTS, *_RANGES]


def _typed(text: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns in their types and our words, and what could not be brought there."""
    table, problems = text.copy(), []
    for name in ("longitude", "latitude", "year", "value", *(name for name in _RANGES if name in text)):
        table[name] = pd.to_numeric(text[name], errors="coerce").astype(float)
        problems += _tell(text, name, table[name].isna() & (text[name] != ""), "a number, its decimals after a point")
    for name in ("in_surroundings", "in_region", "possible_duplicate"):
        lower = text[name].str.lower()
        table[name] = lower == "true"
        problems += _tell(text, name, ~lower.isin(["true", "false", ""]), "true or false, or empty")
    for name, accepted, ours, other in (
        ("treatment", UNMANIPULATED, "none", "the manipulation in words, such as fertilized"),
        ("quality", WITHOUT_FLAG, "", "the flag in words"),
    ):
        table[name] = in_our_words(text[name], accepted, ours)
        expected = f"empty, {', '.join(accepted)}, or {other}: a number or an answer may mean either"
        problems += _tell(text, name, is_unclear(text[name]), expected)
    if "annual_coverage" not in table:
        table["annual_coverage"] = 1.0
    if "record" in table:  # where it has no name of its own, it goes by that of its site
        table["record"] = text["record"].mask(text["record"] == "")
    return table, problems


def _implausible(text: pd.DataFrame, table: pd.DataFrame, grid: Box) -> list[str]:
    """List what is wrong with values of the right type."""
    exchanged = swapped(table, grid)
    known, bound = table["variable"].isin(BOUNDS), table["variable"].map(BOUNDS).astype(float)
    limits = ", ".join(f"{name} {bound:g}" for name, bound in BOUNDS.items())
    today = date.today().year  # no one has measured in the future
    checks = (
        ("variable", ~known, "one of " + ", ".join(BOUNDS)),
        ("site", text["site"] == "", "a name"),
        ("longitude", text["longitude"] == "", "degrees east, not empty"),
        ("latitude", text["latitude"] == "", "degrees north, not empty"),
        ("longitude", exchanged, "degrees east: are latitude and longitude exchanged?"),
        ("longitude", _outside(table["longitude"], -180, 180), "-180 to 180 degrees east"),
        ("latitude", ~exchanged & _outside(table["latitude"], -90, 90), "-90 to 90 degrees north"),
        ("year", _outside(table["year"], 1900, today), f"a year from 1900 to {today}, or empty"),
        ("year", ~_outside(table["year"], 1900, today) & (table["year"] % 1 > 0), "a whole year, or empty"),
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
        *(
            (name, _outside(table[name], low, high), f"{low:g} to {high:g} {unit}, or empty")
            for name, (low, high, unit) in _RANGES.items()
            if name in table
        ),
    )
    return [line for name, wrong, expected in checks for line in _tell(text, name, wrong, expected)]


def _too_small(text: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """List the values below the least of their flux, with the units that would explain them."""
    lines = []
    for variable, lowest in LOWEST.items():
        small = (table["variable"] == variable) & (table["value"] > 0) & (table["value"] < lowest)
        if small.any():
            ratio = table.loc[small, "value"].median() / TYPICAL[variable]
            units = fitting_units(ratio, HONEST_FACTOR)
            likely = f" Likely {' or '.join(units)}" if units else ""
            lines += _tell(
                text, "value", small, f"at least {lowest:g} {CARBON_UNIT} of {variable}: check units?{likely}"
            )
    return lines


def _scattered(text: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """List the sites whose records lie too far apart; coordinates that are wrong have lines of their own."""
    placed = table[table["latitude"].abs().le(90) & table["longitude"].abs().le(180) & (table["site"] != "")]
    places = placed.groupby("site")[["longitude", "latitude"]]
    apart = (places.max() - places.min()).max(axis=1)
    # A little more holds the limit: 92.1 - 92.0 is not 0.1 to the last digit.
    wide = table["site"].isin(apart.index[apart > SITE_DEGREES + 1e-9])
    return _tell(text, "site", wide, f"one place for one name, to {SITE_DEGREES:g} degree; name each place differently")


def _off_grid(text: pd.DataFrame, table: pd.DataFrame, grid: Box) -> list[str]:
    """Tell which records lie outside of the target grid."""
    off = ~region.in_box(grid, table["longitude"], table["latitude"])
    west, south, east, north = grid
    said = f"outside of the grid, {west:g} to {east:g} E and {south:g} to {north:g} N; left out by quality control"
    return [f"row {_rows(text, 'longitude', off)}: {said}"] if off.any() else []


def _outlines(table: pd.DataFrame, places: Places) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return for each flag of place what the outline says of the records, and where it decides."""
    place = table["longitude"].to_numpy(), table["latitude"].to_numpy()
    far = shapely.distance(shapely.points(*place), places.surroundings.boundary) > BORDER_DEGREES
    return [
        ("in_region", places.inside(*place), np.ones(len(table), bool)),
        ("in_surroundings", region.contains(places.surroundings, *place), far | (not places.country)),
    ]


def _contradictions(name: str, text: pd.DataFrame, inside: np.ndarray, decides: np.ndarray) -> list[str]:
    """Tell where a typed flag and the outline contradict each other."""
    typed = text[name].str.lower()
    differs = (typed != "") & ((typed == "true") != inside)
    said = f"is not what the outline says; {name} is taken from the coordinates: are they right?"
    near = f"is not what the outline says, which is coarse so near the border; {name} stays as typed"
    return [
        f"column {name}, row {_rows(text, name, rows)}: {words}"
        for rows, words in ((differs & decides, said), (differs & ~decides, near))
        if rows.any()
    ]


def _set_aside(raw: pd.DataFrame) -> list[str]:
    """Tell of the columns that are not read."""
    others = [name for name in raw if name not in _known()]
    if not others:
        return []
    ours = [f"own_{name}" for name in OWN if name in others]
    hint = f"; what an author says of the place is read from {', '.join(ours)}" if ours else ""
    return [f"set aside, since no rule reads it: column {', '.join(others)}{hint}"]


def _excluded_words(table: pd.DataFrame) -> list[str]:
    """Tell which words of treatment and quality exclude records, so that a misspelt one is seen."""
    notes = []
    for name, fine, why in (("treatment", "none", "manipulated"), ("quality", "", "flagged")):
        counts = table[name][table[name] != fine].value_counts()
        if len(counts):
            words = ", ".join(f"{word} ({n})" for word, n in counts.items())
            notes.append(f"column {name}: quality control leaves out what is {why}: {words}")
    return notes


def _outside(column: pd.Series, low: float, high: float) -> pd.Series:
    """Tell which known values lie outside of a range."""
    return column.notna() & ~column.between(low, high)


def _tell(text: pd.DataFrame, name: str, wrong: pd.Series, expected: str) -> list[str]:
    """Say in one line what is wrong with a column, with its first rows."""
    return [f"column {name}, row {_rows(text, name, wrong)}: expected {expected}"] if wrong.any() else []


def _rows(text: pd.DataFrame, name: str, chosen: pd.Series) -> str:
    """Name the first of the chosen rows with their cells, and count the rest."""
    cells = text[name][np.asarray(chosen)]
    shown = ", ".join(f"{row} ({cell!r})" for row, cell in cells.iloc[:5].items())
    return shown + (f" and {len(cells) - 5} more" if len(cells) > 5 else "")
