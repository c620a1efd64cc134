"""Whether what a run has saved is still there, as it was saved, and whether its executed notebooks can be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.errors import RunError
from helpers.runs.failures import no_notebook
from helpers.runs.files import digest, shown, size
from helpers.runs.provenance import read_record

#: Bytes up to which the content of an artefact is compared whenever it is used: a second for the cube of 1 km, whose
#: notebooks take minutes. To read a larger one would take longer than to open it. Of that the bytes of all files are
#: added up, which tells that one is missing or cut, and the book compares the content of all.
WHOLE_BYTES = 2 * 2**30


def loss(path: Path, output: Mapping[str, Any]) -> str:
    """Return in words what is missing of an artefact, nothing if all its bytes are there.

    ``output`` is its entry in the provenance.
    """
    if not path.exists():
        return "is missing"
    found, saved = size(path), output["bytes"]
    return "" if found == saved else f"has {found:,} bytes, and {saved:,} were saved"


def damage(path: Path, output: Mapping[str, Any], whole: bool = False) -> str:
    """Return in words what is wrong with an artefact, nothing if it is as it was saved.

    ``output`` is its entry in the provenance. A ``whole`` comparison is one of content, however large it is.
    """
    if missing := loss(path, output):
        return missing
    if (whole or output["bytes"] <= WHOLE_BYTES) and digest(path) != output["sha256"]:
        return "was changed after it was saved: its SHA-256 is another one"
    return ""


def why_stale(folder: Path, notebook: str) -> str:
    """Return in words why the executed copy of a notebook is out of date though nothing that it needs has changed.

    It is if it cannot be read, or if the notebook's provenance or an output in the run's ``folder`` is missing or
    damaged. Nothing is returned if all is there, or if there is no executed copy.
    """
    executed = folder / "notebooks" / f"{notebook}.ipynb"
    if not executed.is_file():
        return ""
    try:
        read_executed(executed)
        record = read_record(folder / "provenance" / f"{notebook}.json")
    except RunError as error:
        return str(error)
    if record["finished"] is None:
        return "it did not reach book_run.finish() in its last session"
    problems = {name: damage(folder / name, output) for name, output in record["outputs"].items()}
    return "; ".join(f"{shown(folder / name)} {problem}" for name, problem in problems.items() if problem)


def put_aside_stale(folder: Path, notebook: str) -> str:
    """Rename the executed copy of a notebook to ``<name>.stale.ipynb`` if :func:`why_stale` tells of it; return that.

    What is missing is made again by the workflow.
    """
    why = why_stale(folder, notebook)
    if why:
        executed = folder / "notebooks" / f"{notebook}.ipynb"
        executed.replace(executed.with_suffix(".stale.ipynb"))
    return why


def read_executed(path: Path) -> dict[str, Any]:
    """Return the JSON of an executed notebook; RunError is raised, and names the file, if it is not a whole one."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"cannot be read ({error})"
    else:
        if not (why := no_notebook(notebook)):
            return notebook
        problem = f"is not a notebook: {why}"
    raise RunError(f"{shown(path)} {problem}: remove it and run notebooks/{path.name} again")
