"""A table of your own, or of a paper's supplement, in a spreadsheet: read as text, under the names of the schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from helpers.data.products.session import needed
from helpers.errors import DataError
from helpers.sites.schema import BOUNDS, CARBON_UNIT

TEMPLATE = "data/observations/template.xlsx"
#: Rows among which a header is looked for: titles and notes may stand above it.
_HEADER_WITHIN = 20
#: Other files that a table comes in, and what to do.
_OTHER_FILES = {
    ".docx": f"a text document, not a spreadsheet: copy its table into {TEMPLATE}",
    ".doc": f"a text document, not a spreadsheet: copy its table into {TEMPLATE}",
    ".pdf": f"a PDF, not a spreadsheet: copy its table into {TEMPLATE}",
    ".xls": "a spreadsheet of the old kind: save it as .xlsx",
    ".ods": "a spreadsheet of another kind: save it as .xlsx",
}
#: What is read here, or refused with what to do.
SUFFIXES = frozenset({".xlsx", *_OTHER_FILES})
#: What a header may say, without its unit, in place of our name.
_NAMES = {
    "longitude": r"lon(g(itude)?)?",
    "latitude": r"lat(itude)?",
    "year": r"(sampling |measure(ment|d) |observation )?(year|date|time|period)s?",
    "site": r"sites?( ?name)?|location|plot",
    "reference": r"ref(erence|s|\.)?s?|literature|citation",
    "value": "value",
}
_UNIT = re.compile(r"gc(m-?2|/m\^?2)(/?(yr|year|a|y))(-1)?")
_SPAN = re.compile(r"((?:19|20)\d\d)\s*[-~\u2013\u2014]\s*((?:19|20)\d\d)")
_ANGLE = re.compile(
    r"([NSEW])?\s*(\d+(?:\.\d+)?)(?:\s*[°º]\s*|\s+|(?![\d.]))"  # 91′ are not 9 degrees and 1 minute
    r"(?:(\d+(?:\.\d+)?)\s*['′’]\s*)?(?:(\d+(?:\.\d+)?)\s*(?:[\"″”]|''|′′)\s*)?([NSEW])?",
    re.IGNORECASE,
)
_OTHER_AXIS = re.compile(r"(?:[(\[（,/°º]|deg\w*)\s*(?:w|west|s|south)\s*[)\]）]?$")  # at the end of a title
_AXES = {"E": "longitude", "W": "longitude", "N": "latitude", "S": "latitude"}


class Sheets(NamedTuple):
    """What the sheets of a file hold."""

    table: pd.DataFrame  #: Stripped text; the index is sheet and row, such as ``NPP!4``.
    notes: list[str]  #: What was decided about it.


def read_text(path: Path) -> Sheets:
    """Read all sheets of a spreadsheet (.xlsx) that have a header with longitude and latitude, as text.

    Titles may stand above a header. A column is known by our name or a usual one, with or without its unit; ``npp``,
    ``rs`` and ``rh`` may be columns of their own, each with its unit in brackets. A span of years counts as its middle
    year. Degrees and minutes become degrees. Longitude and latitude that stand in each other's column change places
    where both say by their letter which they are; without letters that is for :mod:`helpers.sites.tables` to refuse.
    What is not read, spans and exchanges are notes.

    A DataError is raised for another kind of file, a file without such a header or without records, a column that
    stands twice, and a formula without its value.
    """
    kind = _OTHER_FILES.get(path.suffix.lower())
    if kind:
        raise DataError(f"{path}: this is {kind}")
    found, notes = [], []
    for name, rows in _rows(path).items():
        header = _header(rows)
        if header is None:
            notes.append(f"sheet {name!r} is not read: no row with longitude and latitude among its first rows")
            continue
        found.append(_of_sheet(f"{path}, sheet {name!r}", name, rows, header, notes))
    if not found:
        raise DataError(
            f"{path}: no sheet has a header with longitude and latitude among its first {_HEADER_WITHIN} rows; "
            f"copy the table into {TEMPLATE}"
        )
    table = pd.concat(found).fillna("")
    if table.empty:
        raise DataError(f"{path}: no rows below the header; expected one row per observation")
    for name in ("longitude", "latitude", "year"):
        table[name] = table.get(name, pd.Series("", table.index))
    _place(table, notes)
    _years(table, notes)
    return Sheets(_completed(table, path), notes)


def _rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the cells of each sheet; a formula has the value that was saved with it."""
    openpyxl = needed("openpyxl")
    try:
        values, formulas = (openpyxl.load_workbook(path, data_only=only) for only in (True, False))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check its name") from None
    except Exception as error:  # openpyxl, zipfile and the XML parser each have their own
        raise DataError(f"{path}: cannot be read as a spreadsheet ({error}); save it as .xlsx again") from None
    for sheet in formulas.worksheets:
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            if cell.data_type == "f" and values[sheet.title][cell.coordinate].value is None:
                raise DataError(
                    f"{path}, {sheet.title}!{cell.coordinate}: a formula without a value; open the file and save it, "
                    "or paste the values"
                )
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in values.worksheets}


def _header(rows: Sequence[tuple[Any, ...]]) -> int | None:
    """Return the place of the row that names longitude and latitude."""
    for at, row in enumerate(rows[:_HEADER_WITHIN]):
        if {"longitude", "latitude"} <= {_name(_text(cell)) for cell in row}:
            return at
    return None


def _of_sheet(where: str, sheet: str, rows: Sequence[tuple[Any, ...]], header: int, notes: list[str]) -> pd.DataFrame:
    """Return the records of a sheet, one flux each."""
    titles = [_text(cell) for cell in rows[header]]
    names = [_name(title) or f"column {place}" for place, title in enumerate(titles, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{where}: column {', '.join(twice)} stands twice; expected each name once")
    _refuse_other_axes(where, names, titles)
    cells = {
        f"{sheet}!{number}": [_text(cell, name) for cell, name in zip(row, names, strict=False)]
        for number, row in enumerate(rows[header + 1 :], header + 2)
    }
    cells = {row: texts for row, texts in cells.items() if any(texts)}
    remarks = {row: texts for row, texts in cells.items() if sum(map(bool, texts)) == 1 and len(names) > 2}
    notes += [f"row {row} is taken for a remark: {''.join(texts)[:60]!r}" for row, texts in remarks.items()]
    kept = {row: texts for row, texts in cells.items() if row not in remarks}
    table = pd.DataFrame.from_dict(kept, orient="index", columns=names, dtype=str)
    fluxes = {name: title for name, title in zip(names, titles, strict=True) if name in BOUNDS}
    if "value" in table or not fluxes:
        return table.assign(unit=table["unit"].map(_unit)) if "unit" in table else table
    parts = [
        table.drop(columns=list(fluxes)).assign(variable=name, value=table[name], unit=_unit_of(title, table))
        for name, title in fluxes.items()
    ]
    return pd.concat([part[part["value"] != ""] for part in parts])


def _refuse_other_axes(where: str, names: Sequence[str], titles: Sequence[str]) -> None:
    """Raise if a title says that its degrees count to the west or the south: without their sign they lie elsewhere."""
    for name, title in zip(names, titles, strict=True):
        if name in ("longitude", "latitude") and _OTHER_AXIS.search(title.lower()):
            raise DataError(
                f"{where}: column {title!r} has degrees to the west or the south; expected degrees east and north: "
                f"change their signs, and name the column {name}"
            )


def _text(cell: Any, name: str = "") -> str:
    """Return a cell as text: a date in the column of years as its year, a whole number without a point."""
    if cell is None:
        return ""
    if isinstance(cell, date) and name == "year":  # in another column it is a number that turned into a date
        return str(cell.year)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).replace("\u2212", "-").split())


def _name(title: str) -> str:
    """Return our name of a column: its title in small letters, without a unit in brackets or after a comma."""
    bare = re.sub(r"[\s_]+", " ", re.split(r"[(\[（,/]", title.lower())[0]).strip(" .:*°")
    ours = next((name for name, form in _NAMES.items() if re.fullmatch(form, bare)), None)
    return ours or bare.replace(" ", "_")


def _unit_of(title: str, table: pd.DataFrame) -> str | pd.Series:
    """Return the unit of a flux: that in the brackets of its title, else the column's."""
    found = re.search(r"[(\[（](.*)[)\]）]", title)
    if found:
        return _unit(found[1])
    return table["unit"].map(_unit) if "unit" in table else ""


def _unit(text: str) -> str:
    """Return our spelling of a unit if it is ours, else the text."""
    plain = text.lower().translate(str.maketrans("⁻⁰¹²", "-012"))
    return CARBON_UNIT if _UNIT.fullmatch(re.sub(r"[\s·.*^]", "", plain)) else text


def _place(table: pd.DataFrame, notes: list[str]) -> None:
    """Bring coordinates to degrees, and to their own columns where their letters say that they are exchanged."""
    read = {name: table[name].map(_angle) for name in ("longitude", "latitude")}
    axis = {name: column.map(lambda angle: angle[1]) for name, column in read.items()}
    exchanged = (axis["longitude"] == "latitude") & (axis["latitude"] == "longitude")
    for name, other in (("longitude", "latitude"), ("latitude", "longitude")):
        degrees = read[name].map(lambda angle: angle[0])
        wrong = (axis[name] == other) & ~exchanged
        # A letter that contradicts its column, while the other is silent, is no number: it is refused with its row.
        table[name] = degrees.where(~exchanged, read[other].map(lambda angle: angle[0])).where(~wrong, table[name])
    if exchanged.any():
        notes.append(
            f"row {_first(table.index[exchanged])}: longitude and latitude stand in each other's column, as their "
            "letters say; they are exchanged"
        )


def _angle(text: str) -> tuple[str, str]:
    """Return degrees as text, and the axis that a letter tells; what is no angle stays as it is."""
    found = _ANGLE.fullmatch(text)
    if found is None:
        return text, ""
    before, degrees, minutes, seconds, after = found.groups()
    letter = (after or before or "").upper()
    broken = "." in degrees and (minutes or seconds) or "." in (minutes or "") and seconds  # 91.5°30′ is no angle
    if broken or (before and after) or float(minutes or 0) >= 60 or float(seconds or 0) >= 60:
        return text, ""
    if not letter and minutes is None and seconds is None:
        return degrees, ""
    value = float(degrees) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
    return f"{-value if letter in 'SW' and letter else value:.6f}", _AXES.get(letter, "")


def _years(table: pd.DataFrame, notes: list[str]) -> None:
    """Replace spans of years by their middle year, of two the earlier."""
    spans = table["year"].map(_SPAN.fullmatch)
    is_span = spans.notna()
    if is_span.any():
        table.loc[is_span, "year"] = [str((int(span[1]) + int(span[2])) // 2) for span in spans[is_span]]
        notes.append(f"row {_first(table.index[is_span])}: a span of years counts as its middle year")


def _completed(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Name sites without a name by their place, and the source by the file."""
    named = table.get("site", pd.Series("", table.index))
    place = table["latitude"] + " N " + table["longitude"] + " E"
    source = table.get("source", pd.Series("", table.index))
    return table.assign(site=named.where(named != "", place), source=source.where(source != "", path.stem))


def _first(rows: pd.Index) -> str:
    """Name the first rows, and count the rest."""
    rows = rows.unique()  # a row of two fluxes is two records
    return ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
