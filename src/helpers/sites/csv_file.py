"""The cells of a CSV file, as text: of a table of your own, and of the databases.

No row may lend its cells to another one: a cell too many, a quote that is not closed or a name that stands twice would
put values under other names, and a plausible map would come of it.
"""

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from helpers.errors import DataError
from helpers.strict_yaml import short

_HOW = (
    "save it as 'CSV UTF-8', separated by commas, with decimal points (in R: write.csv with row.names = FALSE; in a "
    "spreadsheet of a language with decimal commas: change the system's number format first)"
)
#: What a cell may be separated by; of equals the first.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
#: First bytes of files that are often saved, or renamed, in place of a CSV file.
_OTHER_FILES = {
    b"PK\x03\x04": "a workbook of a spreadsheet, or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"{": "JSON",
}
_PAGE = re.compile(r"\s*<(!doctype\s+html|html|\?xml)", re.IGNORECASE)
#: What text does not have, and a damaged file does. Of the databases SRDB has a stray byte 2 in a name.
_CONTROL, _NUL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"), re.compile("\0")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_SEPARATOR_LINE = re.compile(r'"?sep=.', re.IGNORECASE)


def read_text(path: Path, names: Collection[str]) -> pd.DataFrame:
    """Read a CSV file of your own in UTF-8, separated by commas, as stripped text; absent cells are empty.

    The index is the row in the file, counted from the header, row 1. Rows without any text are skipped, and so are
    columns with neither name nor text; one with text but no name is called after its place, such as ``column 1``.
    ``names`` are columns to expect: by them the separator is found. Whatever is not such a file raises a DataError that
    says what it is, as far as that can be told, and how to save it: other separators, decimal commas, row names, a
    workbook, UTF-16 or other text, more or fewer cells than the header, a line break within a cell, a column that
    stands twice.
    """
    text = _decoded(path)
    _refuse_other_separators(path, text, names)
    header, rows = _rows(path, text, _CONTROL)
    if not rows:
        raise DataError(f"{path}: no rows below the header; expected one row per observation")
    _refuse_long_rows(path, header, rows)
    _refuse_short_rows(path, header, rows)
    width = len(header)
    cells = [(row + [""] * width)[:width] for row in rows.values()]
    return _named_columns(path, pd.DataFrame(cells, list(rows), dtype=str), header)


def read_database(path: Path, what: str) -> pd.DataFrame:
    """Read a CSV file of a database in latin-1, separated by commas, as stripped text; the index is that of read_text.

    ``what`` it is, is said where it is something else. Each row has as many cells as the header: databases do, so a
    row that has not is damaged. What is refused besides is as for :func:`read_text`.
    """
    try:
        text = path.read_bytes().decode("latin-1")
        _refuse_page(path, text)
        header, rows = _rows(path, text, _NUL)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {what}. Fetch it first, or set the mirror folder") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {what}") from None
    except DataError as error:
        raise DataError(f"{error}. Expected {what}: fetch it again") from None
    wrong = [number for number, row in rows.items() if len(row) != len(header)]
    if wrong:
        raise DataError(
            f"{path}: row {wrong[0]} (the header is row 1) has {len(rows[wrong[0]])} cells and the header "
            f"{len(header)}; {len(wrong)} such rows. Its values would stand under other names; expected {what}: fetch "
            "it again"
        )
    return _named_columns(path, pd.DataFrame(rows.values(), list(rows), header, dtype=str), header)


def _rows(path: Path, text: str, no_text: re.Pattern[str]) -> tuple[list[str], dict[int, list[str]]]:
    """Return the header and the rows with any text, by their number in the file; a row is a line, never more."""
    damage = no_text.search(text)
    if damage:
        line = text.count("\n", 0, damage.start()) + 1
        raise DataError(f"{path}: line {line}: {damage[0]!r}, which is no text; the file is damaged, or no CSV file")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error as error:
        raise DataError(
            f"{path}: not readable as CSV ({error}); close every quote, and write a quote inside of a text twice"
        ) from None
    filled = [number for number, row in enumerate(rows) if any(row)]
    if not filled:
        raise DataError(f"{path}: the file is empty; expected a header and one row per observation")
    first = filled[0]
    for number in filled:
        broken = next((cell for cell in rows[number] if "\n" in cell or "\r" in cell), None)
        if broken is not None:
            raise DataError(
                f"{path}: row {number - first + 1} (the header is row 1): a cell goes on after the end of its line, "
                f"{short(broken)}. Is a quote in it, or before it, not closed? Rows would be lost: close it, or take "
                "the line break out"
            )
    return rows[first], {number - first + 1: rows[number] for number in filled[1:]}


def _decoded(path: Path) -> str:
    """Return the file's text, or say what it is."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name in extra_observations") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a CSV file") from None
    for start, what in _OTHER_FILES.items():
        if content.startswith(start):
            raise DataError(f"{path}: this is {what}, not CSV; {_HOW}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; {_HOW}") from None
    _refuse_page(path, text)
    if not text.strip(' ",;\t\r\n'):
        raise DataError(f"{path}: the file is empty; expected a header and one row per observation")
    return text


def _refuse_page(path: Path, text: str) -> None:
    """Refuse a web page: a server that wants a login gives one in place of a file."""
    if _PAGE.match(text):
        raise DataError(f"{path}: this is a web page, not CSV; download the table itself, after a login if need be")


def _refuse_other_separators(path: Path, text: str, names: Collection[str]) -> None:
    """Say which separators and decimals a file has, if they are others, and that it names them itself."""
    lines = [line for line in text.splitlines() if line.strip()]
    told = []
    if _SEPARATOR_LINE.match(lines[0]):
        told.append(
            f"the first line, {lines[0].strip()!r}, is a hint to one spreadsheet program and no header; delete it"
        )
        lines = lines[1:]
    separator = max(_SEPARATORS, key=lambda one: _fit(lines[0], one, names)) if lines else ","
    if separator != ",":
        cells = [cell for line in lines[1:50] for cell in _split(line, separator)]
        decimals = any(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in cells)
        and_decimals = " and decimals are written with commas" if decimals else ""
        told.append(f"columns are separated by {_SEPARATORS[separator]}{and_decimals}; {_HOW}")
    if told:
        raise DataError(f"{path}: {'; '.join(told)}")


def _fit(line: str, separator: str, names: Collection[str]) -> tuple[int, bool, int]:
    """Rate a separator by the expected names that a header then has; without any, commas are those of a CSV file."""
    cells = [cell.strip().lower() for cell in _split(line, separator)]
    return len(set(cells) & set(names)), separator == "," and len(cells) > 1, len(cells)


def _split(line: str, separator: str) -> list[str]:
    """Split one line, quotes or not."""
    return next(csv.reader([line], delimiter=separator), [])


def _refuse_long_rows(path: Path, header: list[str], rows: dict[int, list[str]]) -> None:
    """Refuse rows with text beyond the header; if all have row names before their cells, say so."""
    long = [number for number, row in rows.items() if any(row[len(header) :])]
    if not long:
        return
    at = header.index("variable") if "variable" in header else None
    if at is not None and all(len(row) == len(header) + 1 for row in rows.values()):
        first, second = ({row[at + step] for row in rows.values()} for step in (0, 1))
        if second <= {"npp", "rs", "rh"} and not first <= {"npp", "rs", "rh"}:
            raise DataError(
                f"{path}: each row has one cell more than the header: it begins with a row name, as R's write.table "
                f"writes it; {_HOW}"
            )
    shown = ", ".join(map(str, long[:5])) + (f" and {len(long) - 5} more" if len(long) > 5 else "")
    raise DataError(
        f"{path}: row {shown} (the header is row 1): more cells than the header, which has {len(header)}; put texts "
        "with commas in quotes, and write decimals with a point"
    )


def _refuse_short_rows(path: Path, header: list[str], rows: dict[int, list[str]]) -> None:
    """Refuse rows that end before the last name of the header: a cell left out moves those after it."""
    last = max((place for place, name in enumerate(header, 1) if name), default=0)
    short_ones = [number for number, row in rows.items() if len(row) < last]
    if short_ones:
        number = short_ones[0]
        raise DataError(
            f"{path}: row {number} (the header is row 1): fewer cells than the header, {len(rows[number])} of {last}; "
            f"{len(short_ones)} such rows. Write an empty cell as a comma, too: else its neighbours stand under other "
            "names"
        )


def _named_columns(path: Path, table: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """Name the columns, leave out those with neither name nor text, and refuse a name that stands twice."""
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {', '.join(twice)} stands twice; expected each name once")
    table = table.set_axis([name or f"column {place}" for place, name in enumerate(header, 1)], axis=1)
    empty = [not name and not table.iloc[:, place].any() for place, name in enumerate(header)]
    return table.loc[:, [not out for out in empty]]
