"""Site tables in the common schema: the open databases together, and tables of the reader's own."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.data.region import REGION
from helpers.errors import DataError
from helpers.sites.databases import read_michaletz, read_peng, read_srdb, read_sun2022
from helpers.sites.quality import find_duplicates, swapped
from helpers.sites.schema import BOUNDS, CARBON_UNIT, SCHEMA, Contains

#: Columns that a table of your own may leave out, and their values then.
_DEFAULTS = {"treatment": "none", "quality": "", "vegetation": "", "reference": "", "possible_duplicate": "false"}
#: What an author may say of the place, and the range of what is possible on land.
_OWN_RANGES = {
    "own_elevation": (-450, 9000, "m"),
    "own_temperature": (-40, 40, "degC"),
    "own_precipitation": (0, 12_000, "mm yr-1"),
}


def read_open(
    *, srdb: str | Path, michaletz: str | Path, sun: str | Path, peng: str | Path, contains: Contains
) -> pd.DataFrame:
    """Read the four open databases of :mod:`helpers.sites.databases` into one raw table.

    The table is in the :data:`helpers.sites.schema.SCHEMA` and has every record of China and of the plateau, with
    ``possible_duplicate`` set. A file that is missing or not what it should be raises a ``DataError``.
    """
    tables = [read_srdb(srdb, contains), read_michaletz(michaletz, contains), read_sun2022(sun, contains)]
    tables.append(
        read_peng(peng, contains)
    )  # last: of records that agree the first stays, and most of these are copies
    raw = SCHEMA.validate(pd.concat(tables, ignore_index=True))
    raw["possible_duplicate"] |= find_duplicates(raw)
    return raw


def read_table(path: str | Path, contains: Contains) -> pd.DataFrame:
    """Read and check a table of your own: a CSV file in UTF-8, separated by commas, in the schema.

    Values must be in g C m-2 yr-1 already, and the column ``unit`` must say so. ``treatment``, ``quality``,
    ``vegetation``, ``reference``, ``possible_duplicate`` and ``on_plateau`` may be left out; without ``on_plateau``,
    ``contains`` decides. What the author says of the place may be added, for :mod:`helpers.sites.places`:
    ``own_elevation`` [m], ``own_temperature`` [degC], ``own_precipitation`` [mm yr-1], ``country``.
    ``data/observations/example_npp.csv`` is an example.

    A DataError reports all problems together, by column and rows (the header is row 1), with what was expected: a file
    that cannot be read, a missing column, values of the wrong type, exchanged or impossible coordinates, implausible
    values, another unit.
    """
    path = Path(path)
    text = _read_text_table(path)
    text = text.assign(**{name: default for name, default in _DEFAULTS.items() if name not in text})
    missing = [name for name in SCHEMA.columns if name not in text and name != "on_plateau"]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; expected {', '.join(SCHEMA.columns)}. "
            "See data/observations/example_npp.csv"
        )
    problems: list[str] = []
    table = text.copy()
    for name in ("longitude", "latitude", "year", "value", *(name for name in _OWN_RANGES if name in text)):
        table[name] = pd.to_numeric(text[name], errors="coerce").astype(float)
        problems += _tell(text, name, table[name].isna() & (text[name] != ""), "a number")
    for name in [name for name in ("in_china", "on_plateau", "possible_duplicate") if name in text]:
        lower = text[name].str.lower()
        table[name] = lower == "true"
        problems += _tell(text, name, ~lower.isin(["true", "false"]), "true or false")
    problems += _implausible(text, table)
    if problems:
        raise DataError(f"{path}: cannot be used (rows count from the header, row 1)\n- " + "\n- ".join(problems))
    if "on_plateau" not in table:
        table["on_plateau"] = contains(table["longitude"].to_numpy(), table["latitude"].to_numpy())
    return SCHEMA.validate(table)


def _read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV file as stripped text, absent cells empty; every way to fail has its own advice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name in extra_observations") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as 'CSV UTF-8'") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file is empty; expected a header and one row per observation") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DataError(
            f"{path}: a row has more cells than the header ({str(error).strip()}); put texts with commas in quotes"
        ) from None
    if len(text.columns) == 1 and ";" in text.columns[0]:
        raise DataError(f"{path}: columns are separated by semicolons; save it separated by commas")
    if text.empty:
        raise DataError(f"{path}: no rows below the header; expected one row per observation")
    text.columns = text.columns.str.strip()
    return text.fillna("").apply(lambda column: column.str.strip())


def _implausible(text: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """List what is wrong with values of the right type."""
    west, south, east, north = REGION
    exchanged = swapped(table)
    known, bound = table["variable"].isin(BOUNDS), table["variable"].map(BOUNDS).astype(float)
    limits = ", ".join(f"{name} {bound:g}" for name, bound in BOUNDS.items())
    checks = (
        ("variable", ~known, "one of " + ", ".join(BOUNDS)),
        ("site", text["site"] == "", "a name"),
        ("longitude", text["longitude"] == "", "degrees east, not empty"),
        ("latitude", text["latitude"] == "", "degrees north, not empty"),
        ("longitude", exchanged, "degrees east: are latitude and longitude exchanged?"),
        ("longitude", ~exchanged & _outside(table["longitude"], west, east), f"{west:g} to {east:g} degrees east"),
        ("latitude", ~exchanged & _outside(table["latitude"], south, north), f"{south:g} to {north:g} degrees north"),
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
        *(
            (name, _outside(table[name], low, high), f"{low:g} to {high:g} {unit}, or empty")
            for name, (low, high, unit) in _OWN_RANGES.items()
            if name in table
        ),
    )
    return [line for name, wrong, expected in checks for line in _tell(text, name, wrong, expected)]


def _outside(column: pd.Series, low: float, high: float) -> pd.Series:
    """Tell which known values lie outside of a range."""
    return column.notna() & ~column.between(low, high)


def _tell(text: pd.DataFrame, name: str, wrong: pd.Series, expected: str) -> list[str]:
    """Say in one line what is wrong with a column, with its first rows."""
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return []
    shown = ", ".join(f"{row + 2} ({text[name].iloc[row]!r})" for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return [f"column {name}, row {shown}{more}: expected {expected}"]
