"""What a run's provenance holds: inputs with digests, code, versions, commit, numbers, laws, time and memory."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from helpers.config import Settings, project_root
from helpers.errors import RunError
from helpers.runs.files import SOURCES, digest, shown

#: What each notebook's record holds, among others.
_KEYS = frozenset({"settings", "finished", "inputs", "outputs"})


def producer(folder: Path, artefact: str) -> tuple[str, dict[str, Any] | None]:
    """Return the notebook that saved an artefact of a run, and what its provenance says of it.

    RunError is raised if a record that may tell of it cannot be read.
    """
    # A hidden file is one that another notebook of the run is writing at this moment: it may still be empty.
    for path in sorted((folder / "provenance").glob("[!.]*.json")):
        output = read_record(path)["outputs"].get(artefact)
        if output is not None:
            return path.stem, output
    return "", None


def read_record(path: Path) -> dict[str, Any]:
    """Return the provenance of a notebook; RunError is raised, and names the file, if it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{shown(path)} is missing: run notebooks/{path.stem}.ipynb again") from None
    except (OSError, ValueError, RecursionError) as error:
        problem = f"cannot be read ({error})"
    else:
        if isinstance(record, dict) and record.keys() >= _KEYS and _has_entries(record):
            return record
        problem = f"is not a notebook's record, which has {', '.join(sorted(_KEYS))}"
    raise RunError(f"{shown(path)} {problem}: remove it and run notebooks/{path.stem}.ipynb again")


def _has_entries(record: dict[str, Any]) -> bool:
    """Tell whether what should be entries by name are such, each input has its sum, and each output its bytes, too."""
    named = [record["settings"], *(record.get(key, {}) for key in ("inputs", "outputs", "numbers", "packages", "code"))]
    if not all(isinstance(entries, dict) for entries in named):
        return False
    made, laws = record["outputs"].values(), record.get("laws", [])
    return (
        all(isinstance(digest, str) for digest in record["inputs"].values())
        and all(isinstance(output, dict) and isinstance(output.get("sha256"), str) for output in made)
        and all(isinstance(output.get("bytes"), int) for output in made)
        and all(isinstance(number, (str, int, float)) for number in record.get("numbers", {}).values())
        and isinstance(laws, list)
        and all(isinstance(law, dict) for law in laws)
        and isinstance(record["finished"], (str, type(None)))
    )


def begun(notebook: str, settings: Settings) -> dict[str, Any]:
    """Return the provenance of a notebook that begins: what it is given, and what it is executed with."""
    return {
        "notebook": notebook,
        "run": settings.run,
        "settings": settings.model_dump(),
        "started": now(),
        "finished": None,
        "inputs": _file_digests(notebook, settings),
        "outputs": {},
        "laws": [],
        "git": _git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
    }


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory() -> int | None:
    """Return this process's peak resident memory in bytes, or ``None`` where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _file_digests(notebook: str, settings: Settings) -> dict[str, str]:
    """Return the SHA-256 of the notebook and of its configuration, where they are files of the checkout."""
    root = project_root()
    files = [root / "notebooks" / f"{notebook}.ipynb", root / "config" / f"{settings.config}.yml"]
    return {path.relative_to(root).as_posix(): digest(path) for path in files if path.is_file()}


def code_digests() -> dict[str, str]:
    """Return the SHA-256 of each module of our packages that this process has imported, its first 16 digits."""
    names = [name for name in sorted(sys.modules) if name.split(".")[0] in ("helpers", "mapforest")]
    origins = [getattr(sys.modules[name].__spec__, "origin", None) for name in names]
    files = [Path(origin) for origin in origins if origin]
    return {path.relative_to(SOURCES.parent).as_posix(): digest(path)[:16] for path in files if path.is_file()}


def _git_state() -> dict[str, Any]:
    """Return the commit of the checkout and whether it holds uncommitted changes; ``None`` without a repository."""
    top = _git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != project_root().resolve():
        # An unpacked copy within another repository is not what that repository's commit holds.
        return {"commit": None, "dirty": None}
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """Return what git says of the checkout; ``None`` where it says nothing or is not there."""
    try:
        command = ["git", "-C", str(project_root()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache  # a second to read; copies of a process that has read them share it
def package_versions() -> dict[str, str]:
    """Return the version of every installed distribution."""
    found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
