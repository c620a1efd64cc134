"""What differs between two runs, and what of all that made them differs: ``python -m helpers.runs.compare A B``.

A run's tables, and the numbers that its pages quote, are compared one by one. Of each notebook whose results differ the
provenance of both runs tells what it was given and what it was made with.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from helpers.config import project_root
from helpers.errors import RunError
from helpers.runs.dependencies import reached_files
from helpers.runs.files import runs_folder, shown
from helpers.runs.provenance import read_record
from helpers.runs.steps import STEPS, deciding_parameters

#: Differences that count for none: relative ones, and absolute ones in whatever unit a number has.
RELATIVE, ABSOLUTE = 1e-9, 1e-9
_PAIR = ("A", "B")
_EXAMPLES = """\
A run is the name of one in the folder of runs, or the path of its folder.

  python -m helpers.runs.compare virtual trial
  python -m helpers.runs.compare /backup/runs/open runs/open --tolerance 1e-6

Exit code: 0 if nothing differs, 1 if something does, 2 if a run cannot be read.
"""

Records = Mapping[str, Mapping[str, Any]]


class Difference(NamedTuple):
    """A table, or a number that pages quote, that differs between two runs."""

    notebook: str  #: That saved it, or glued it.
    name: str  #: Of the table, or of the number.
    words: str  #: What differs; the largest difference where there are several.
    relative: float  #: That difference over the larger of the two; NaN where it is none of numbers.
    only_in: str = ""  #: "A" or "B", if the other one does not have it.


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the provenance of each notebook of a run, in the order of the notebooks; RunError if there is none."""
    paths = {path.stem: path for path in (folder / "provenance").glob("[!.]*.json")}
    if not paths:
        raise RunError(f"{shown(folder)} is not the folder of a run: expected files in {shown(folder / 'provenance')}")
    return {name: read_record(paths[name]) for name in sorted(paths, key=lambda name: (_place(name), name))}


def _place(notebook: str) -> int:
    return list(STEPS).index(notebook) if notebook in STEPS else len(STEPS)


def differences(first: Path, second: Path, tolerance: float = RELATIVE) -> list[Difference]:
    """Return which tables and quoted numbers of two runs differ, by more than a relative ``tolerance``.

    The arguments are the folders of the runs. RunError is raised if one is none, or a table that is on record is not
    there.
    """
    given = records_of(first), records_of(second)
    found = []
    for notebook in dict.fromkeys([*given[0], *given[1]]):
        records = [each.get(notebook, {"outputs": {}, "numbers": {}}) for each in given]
        found += _of_tables(notebook, records, (first, second), tolerance)
        if all("numbers" in record for record in records):  # older runs have none on record
            found += _of_numbers(notebook, [record["numbers"] for record in records], tolerance)
    return found


def _of_tables(
    notebook: str, records: Sequence[Mapping[str, Any]], folders: Sequence[Path], tolerance: float
) -> list[Difference]:
    """Return which tables of a notebook differ."""
    digests = [
        {name: made["sha256"] for name, made in record["outputs"].items() if name.startswith("tables/")}
        for record in records
    ]
    found = []
    for name in dict.fromkeys([*digests[0], *digests[1]]):
        table, there = Path(name).stem, [name in each for each in digests]
        if not all(there):
            only = _PAIR[there.index(True)]
            found.append(Difference(notebook, table, f"only in {only}", np.nan, only))
        elif digests[0][name] != digests[1][name]:
            words, relative = largest(*(_read(folder / name) for folder in folders), tolerance)
            found += [Difference(notebook, table, words, relative)] * bool(words)
    return found


def _of_numbers(notebook: str, numbers: Sequence[Mapping[str, Any]], tolerance: float) -> list[Difference]:
    """Return which numbers that pages quote differ."""
    found = []
    for name in dict.fromkeys([*numbers[0], *numbers[1]]):
        there = [name in each for each in numbers]
        if not all(there):
            only = _PAIR[there.index(True)]
            found.append(Difference(notebook, f"number {name}", f"only in {only}", np.nan, only))
            continue
        words, relative = largest(*(pd.DataFrame({name: [each[name]]}) for each in numbers), tolerance)
        found += [Difference(notebook, f"number {name}", words.partition(": ")[2], relative)] * bool(words)
    return found


def _read(path: Path) -> pd.DataFrame:
    """Return a table of a run, with its texts as they are."""
    if not path.is_file():
        raise RunError(f"{shown(path)} is missing, though it is on record: run its notebook again")
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def largest(first: pd.DataFrame, second: pd.DataFrame, tolerance: float = RELATIVE) -> tuple[str, float]:
    """Return in words what differs most between two tables, and that as a share of the larger value.

    Nothing, and zero, if no number differs by more than ``tolerance`` of the larger one and by 1e-9 in its unit, and no
    text differs. The share is NaN where the shape of the tables, a text, or what is missing differs.

    Examples
    --------
    >>> table = pd.DataFrame({"flux": ["npp", "rs"], "mean": [100.0, 200.0]})
    >>> largest(table, table.assign(mean=[100.0, 150.0]))
    ('mean, row 2: 200 and 150', 0.25)
    >>> largest(table, table)
    ('', 0.0)
    """
    if list(first.columns) != list(second.columns):
        other = [name for name in [*first, *second] if (name in first) != (name in second)]
        return f"columns: {', '.join(other) or 'in another order'}", np.nan
    if len(first) != len(second):
        return f"{len(first)} and {len(second)} rows", np.nan
    worst: tuple[str, float] = ("", 0.0)
    for column in first:
        one, other = first[column], second[column]
        numeric = [pd.api.types.is_numeric_dtype(each) and each.dtype != bool for each in (one, other)]
        if all(numeric):
            off = _off(one.to_numpy("float64"), other.to_numpy("float64"), tolerance)
        else:
            same = (one == other) | (one.isna() & other.isna())
            off = np.where(same, 0.0, np.inf)
        row = int(np.argmax(off)) if len(off) else 0
        if len(off) and off[row] > worst[1]:
            worst = (f"{column}, row {row + 1}: {_words(one.iloc[row])} and {_words(other.iloc[row])}", float(off[row]))
    return worst if np.isfinite(worst[1]) else (worst[0], np.nan)


def _off(one: np.ndarray, other: np.ndarray, tolerance: float) -> np.ndarray:
    """Return relative differences: zero below the tolerances, infinite where one value is missing or has no end."""
    finite, same = np.isfinite(one) & np.isfinite(other), (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.abs(np.where(finite, one, 0.0) - np.where(finite, other, 0.0))
    larger = np.maximum(np.abs(one), np.abs(other))
    share = np.divide(apart, larger, out=np.zeros_like(apart), where=finite & (larger > 0))
    return np.where(~finite & ~same, np.inf, np.where((apart > ABSOLUTE) & (share > tolerance), share, 0.0))


def _words(value: object) -> str:
    """Return a value as text; a long text is cut."""
    if isinstance(value, (float, np.floating)):
        return "missing" if np.isnan(value) else f"{value:.10g}"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def what_made_it(notebook: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, str]:
    """Return what differs in what two runs gave to a notebook and made it with, from its record in each, by kind.

    The kinds are ``seed``, ``parameters``, ``inputs`` (their SHA-256), ``notebook``, ``code`` (of our packages),
    ``versions`` and ``machine``. Of the code it tells of the modules that the notebook of this checkout reaches, if one
    of these differs. The commits tell nothing by themselves: they are left out.
    """
    settings = [record["settings"] for record in (first, second)]
    deciding = [key for key in deciding_parameters(notebook) if key != "seed"] or sorted(settings[0])
    own = f"notebooks/{notebook}.ipynb"
    inputs = [{name: digest[:12] for name, digest in record["inputs"].items()} for record in (first, second)]
    texts = [each.pop(own, "") for each in inputs]
    versions = [record.get("packages", {}) | {"Python": record.get("python")} for record in (first, second)]
    lacking = [name for name, record in zip(_PAIR, (first, second), strict=True) if "code" not in record]
    code = {} if lacking else _differing(first["code"], second["code"])
    found = {
        "seed": _named(_differing(*({"seed": each.get("seed")} for each in settings))),
        "parameters": _named(_differing(*({key: each.get(key) for key in deciding} for each in settings))),
        "inputs": _named(_differing(*inputs)),
        "notebook": own if texts[0] != texts[1] else "",
        "code": f"not on record of {' and '.join(lacking)}" if lacking else ", ".join(_reached(notebook, list(code))),
        "versions": _of_versions(*versions),
        "machine": _named(_differing(*({"it": record.get("platform")} for record in (first, second)))),
    }
    return {kind: words for kind, words in found.items() if words}


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the pairs of values that differ, by key."""
    keys = dict.fromkeys([*first, *second])
    return {key: (first.get(key, "none"), second.get(key, "none")) for key in keys if first.get(key) != second.get(key)}


def _of_versions(first: Mapping[str, str], second: Mapping[str, str]) -> str:
    """Return which packages have other versions, and how many only one of two runs has."""
    both = first.keys() & second.keys()
    differing = _named({name: pair for name, pair in _differing(first, second).items() if name in both})
    alone = [(name, len(one.keys() - both)) for name, one in zip(_PAIR, (first, second), strict=True)]
    words = [differing, *(f"packages only in {name}: {n}" for name, n in alone if n)]
    return "; ".join(word for word in words if word)


def _named(pairs: Mapping[str, tuple[Any, Any]]) -> str:
    return "; ".join(f"{key} {_words(one)} and {_words(other)}" for key, (one, other) in pairs.items())


def _reached(notebook: str, files: Sequence[str]) -> list[str]:
    """Return those of some modules that a notebook uses, or all where none of them is one that it uses."""
    root = project_root()
    path = root / "notebooks" / f"{notebook}.ipynb"
    if not files or not path.is_file():
        return list(files)
    used = {file.relative_to(root).as_posix() for file in reached_files(path, root)}
    return [file for file in files if file in used] or list(files)


def explanation(first: Path, second: Path, tolerance: float = RELATIVE) -> str:
    """Return in words what differs between two runs and what may be why, notebook by notebook; nothing if all agree.

    The arguments are those of :func:`differences`.
    """
    found, given = differences(first, second, tolerance), (records_of(first), records_of(second))
    parts = []
    for notebook in dict.fromkeys(difference.notebook for difference in found):
        lines = [notebook]
        own = [difference for difference in found if difference.notebook == notebook]
        for name in _PAIR:
            alone = [difference.name for difference in own if difference.only_in == name]
            lines += [f"  only in {name}: {', '.join(alone)}"] * bool(alone)
        for one in (difference for difference in own if not difference.only_in):
            share = "" if np.isnan(one.relative) else f" ({one.relative:.2g} of the larger)"
            lines.append(f"  {one.name}: {one.words}{share}")
        if all(notebook in records for records in given):
            why = what_made_it(notebook, *(records[notebook] for records in given))
            lines += [f"  it differs in {kind}: {words}" for kind, words in why.items()]
            lines += [] if why else ["  nothing on record differs: chance without a seed, or a machine that errs"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _told(name: str, folder: Path) -> str:
    """Return what is on record of a run as a whole."""
    last = max(records_of(folder).values(), key=lambda record: record["finished"] or "")
    git, settings = last.get("git", {}), last["settings"]
    commit = (git.get("commit") or "none")[:12] + " with uncommitted changes" * bool(git.get("dirty"))
    words = f"configuration {settings.get('config')}, seed {settings.get('seed')}"
    facts = f"{words}, commit {commit}, ended {last['finished']}"
    return f"{name}: {shown(folder)}\n   {facts}"


def _folder(given: str) -> Path:
    """Return the folder of a run by its path or its name."""
    path = Path(given).expanduser()
    return path.resolve() if (path / "provenance").is_dir() else runs_folder() / given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.compare``; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.runs.compare",
        description="Say which tables and quoted numbers of two runs differ, by how much, and what differs in what "
        "made them: seed, parameters, inputs, code, versions.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("A", help="the first run")
    parser.add_argument("B", help="the second run")
    parser.add_argument(
        "--tolerance", type=float, default=RELATIVE, help="relative differences up to this count for none (%(default)s)"
    )
    given = parser.parse_args(arguments)
    folders = _folder(given.A), _folder(given.B)
    try:
        heads = [_told(name, folder) for name, folder in zip(_PAIR, folders, strict=True)]
        found = explanation(*folders, given.tolerance)
    except RunError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(heads) + "\n")
    print(found or f"No table and no quoted number differs by more than {given.tolerance:g} of it.")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
