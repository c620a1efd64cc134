"""What a failure of the machine means for a run, and what to do: a full disk, too little memory, no such folder."""

import errno
import json
import re
import shutil
import tempfile
from pathlib import Path

from helpers.errors import RunError
from helpers.runs.files import runs_folder

_ANOTHER = "set QTP_RUNS_DIR to a folder that you may write to, on a disk with room"
_ROOM = 1_000_000  # bytes, below which no page can be written
_LESS = "a lower resolution, fewer block_cells or fewer threads need less"


def meaning(name: str, message: str, folder: Path) -> str:
    """Return what an error of a notebook means, by its class and its message, and what to do; empty: it says so itself.

    The folder is that of the run. Where the message does not say what could not be written, the disk that is full is
    looked for: that of the run, or that of temporary files.
    """
    number = re.match(r"\[Errno (\d+)\]", message)
    if number and int(number[1]) in (errno.ENOSPC, errno.EDQUOT):
        named = re.search(r": '(/.+?)'", message)
        places = [Path(named[1])] if named else [folder, Path(tempfile.gettempdir())]
        return _full(min(places, key=_free))
    if number and int(number[1]) in (errno.EROFS, errno.EACCES):
        return f"it cannot be written there: {_ANOTHER}"
    # Where not even a message could be made, there is none.
    if name in ("MemoryError", "_ArrayMemoryError", "DeadKernelError") or not message.strip():
        return f"out of memory? {_LESS}"
    return ""


def of_disk(error: OSError, folder: Path) -> str:
    """Return the message of a run that could not use its folder."""
    path = Path(error.filename or folder)
    # What copies a whole folder puts the errors of its files into one text.
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or f"[Errno {errno.ENOSPC}]" in str(error):
        return _full(path)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{path} is a file, and a folder of the run must be there: {_ANOTHER}"
    return f"{path}: {error.strerror or error}: {_ANOTHER}"


def refuse_no_notebook(path: Path) -> None:
    """Raise a RunError that names the file if it is no notebook, or the beginning of one."""
    try:
        problem = no_notebook(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise RunError(
            f"{path} is not a whole notebook ({problem}): restore it with `git checkout`, or save it again in "
            "JupyterLab"
        )


def no_notebook(found: object) -> str:
    """Return in words why some JSON is not that of a notebook, as far as it is read here; nothing if it is."""
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list):
        return "it has no cells"
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            return f"cell {number} has no type"
        source, metadata, outputs = cell.get("source"), cell.get("metadata"), cell.get("outputs", [])
        if not isinstance(source, str) and not (isinstance(source, list) and _are(str, source)):
            return f"cell {number} has no source"
        if not isinstance(metadata, dict) or not _are(str, metadata.get("tags", [])):
            return f"cell {number} has no metadata, or no tags"
        if not _are(dict, outputs) or not _are(dict, [output.get("data", {}) for output in outputs]):
            return f"cell {number} has no outputs"
    return ""


def _are(kind: type, values: object) -> bool:
    """Tell whether some JSON is a list of one kind."""
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def full(folder: Path) -> str:
    """Return in words that the disk of a folder is full, nothing if it has room."""
    return _full(folder) if _free(folder) < _ROOM else ""


def _full(folder: Path) -> str:
    """Say that a disk is full, how much is left of it, and what to do.

    What was begun there has been removed by now, so that there may be room again.
    """
    usage = shutil.disk_usage(_there(folder))
    ways = "make room"
    if folder.is_relative_to(runs_folder()):
        ways += f", or {_ANOTHER}"
    elif folder.is_relative_to(tempfile.gettempdir()):
        ways += ", or set TMPDIR to a folder on a disk with room"
    megabytes = f"{usage.free / 1e6:,.0f} of {usage.total / 1e6:,.0f} MB are free"
    return f"the disk of {folder} is full ({megabytes}): {ways}"


def _free(folder: Path) -> int:
    """Return the free bytes of the disk that a folder is on, or will be."""
    return shutil.disk_usage(_there(folder)).free


def _there(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())
