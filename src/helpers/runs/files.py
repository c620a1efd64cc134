"""Files of runs: where they lie, and how they are written whole or not at all."""

import contextlib
import glob
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from pathlib import Path

import psutil

from helpers.config import project_root
from helpers.errors import RunError
from mapforest.disk import names_synced, synced
from mapforest.errors import BlockError
from mapforest.locks import Lock

SOURCES = Path(__file__).resolve().parents[2]  # the folder of our packages, which child processes import
#: Bytes of the longest address of a socket: 103 on macOS, 107 on Linux.
SOCKET_BYTES = 103
_YOUNG_SECONDS = 60.0  # in which a folder may not have its lock yet


def runs_folder() -> Path:
    """Return the folder of all runs: ``QTP_RUNS_DIR`` if that is set, else ``runs/`` of the checkout."""
    named = os.environ.get("QTP_RUNS_DIR")
    return Path(named).expanduser().resolve() if named else project_root() / "runs"


def stamp_of(run: str) -> str:
    """Return the name of the file that a folder of pages holds if it is the book of a run."""
    return f"of-run-{run.replace('/', '-')}"


def sweep_results(sweep: str) -> Path | None:
    """Return the table of a sweep: of one that was run here, else the one that comes with the book, else ``None``."""
    shipped = project_root() / "data" / "sweeps" / f"{sweep}.csv"
    tables = (runs_folder() / "sweeps" / sweep / "results.csv", shipped)
    return next((path for path in tables if sweep and path.is_file()), None)


def child_environment(**own: str) -> dict[str, str]:
    """Return the environment of a child process that may work in another folder: paths in it are absolute.

    It names the checkout, the runs' folder, the data folders (one that is a web address stays) and Matplotlib's cache;
    ``PYTHONPATH`` begins with our packages. Variables given by name are added, or replace these.
    """
    data = {name: os.environ.get(name, "") for name in ("QTP_DATA_DIR", "QTP_DATA_MIRROR")}
    paths = [str(SOURCES), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        **os.environ,
        **{name: _absolute(value) for name, value in data.items() if value and "://" not in value},
        "QTP_BOOK_ROOT": str(project_root()),
        "QTP_RUNS_DIR": str(runs_folder()),
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR") or str(project_root() / "_build" / "cache" / "matplotlib"),
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in paths if path),
        **own,
    }


def _absolute(path: str) -> str:
    """Return a path that means the same in every folder."""
    return os.path.abspath(os.path.expanduser(path))


@contextlib.contextmanager
def socket_folder(prefix: str, longest_name: str) -> Iterator[str]:
    """Yield a temporary folder in which a socket of a name of this length can have its address.

    It lies where temporary files do (``TMPDIR``), or in ``/tmp`` if that path is too long. If neither will do, RunError
    is raised. Windows has no such sockets, and there any folder will do. Those of processes that were killed are
    removed.
    """
    named = tempfile.gettempdir()
    for parent in (named, "/tmp"):
        # What mkdtemp adds to the prefix has eight letters.
        address = os.path.join(parent, f"{prefix}12345678", longest_name)
        fits = os.name == "nt" or len(os.fsencode(address)) <= SOCKET_BYTES
        if fits and os.access(parent, os.W_OK | os.X_OK):
            _remove_dead(Path(parent), prefix)
            with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
                lock = Lock(os.path.join(folder, "lock"))
                lock.take("talks through sockets")
                try:
                    yield folder
                finally:
                    lock.free()
            return
    raise RunError(
        f"TMPDIR is too long for a socket: {named} has {len(os.fsencode(named))} bytes, expected at most "
        f"{SOCKET_BYTES - len(address) + len('/tmp')}, and /tmp cannot be written to: set TMPDIR to a shorter folder"
    )


def _remove_dead(parent: Path, prefix: str) -> None:
    """Remove the folders of sockets whose process was killed."""
    for folder in parent.glob(f"{prefix}????????"):
        with contextlib.suppress(OSError, BlockError):  # it is of another user, or just being removed
            begun = time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
            if begun and (folder / "lock").is_file() and Lock(folder / "lock").is_free():
                shutil.rmtree(folder)


@contextlib.contextmanager
def written_whole(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Yield a neighbouring path to write a file or folder to; put it under its name only when that succeeded.

    What was there before is replaced; after an error it is still there, unchanged. What is ``lasting`` is on disk
    before it gets its name, and under it when the block ends: a power failure leaves the one or the other, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path)
    partial, old = (path.with_name(f".{_here()}.{os.getpid()}.{what}.{path.name}") for what in ("partial", "old"))
    try:
        yield partial
        if lasting and not partial.is_symlink():
            synced(partial)
        if path.is_dir() and not path.is_symlink():
            path.rename(old)
        try:
            partial.replace(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        if lasting:
            names_synced(path.parent)
    finally:
        for leftover in (partial, old):
            remove(leftover)


@cache
def _here() -> str:
    """Return a name of this host, and on Linux of this container's numbers of processes, without a dot."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]
    with contextlib.suppress(OSError):
        host += f"-{os.stat('/proc/self/ns/pid').st_ino}"
    return host


def _tidy(path: Path) -> None:
    """Remove what processes of this host that were killed had begun to write for a path, or to replace.

    A folder is replaced in two steps. Of a process that was killed between them the earlier folder gets its name back.
    """
    for what in ("partial", "old"):
        for leftover in path.parent.glob(f".{_here()}.*.{what}.{glob.escape(path.name)}"):
            writer = leftover.name.split(".")[2]
            if not writer.isdigit() or _lives(int(writer)):
                continue
            if what == "old" and not path.exists():
                leftover.rename(path)
            else:
                remove(leftover)


def _lives(process: int) -> bool:
    """Tell whether a process works; one that has ended stays in the list until its parent has heard of it."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and contents in alphabetical order."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    total, parts = hashlib.sha256(), sorted(part for part in path.rglob("*") if part.is_file())
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # to read and to hash lets other threads work
        for part, own in zip(parts, pool.map(digest, parts), strict=True):
            total.update(f"{part.relative_to(path).as_posix()}\0{own}\n".encode())
    return total.hexdigest()


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    parts = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return sum(part.stat().st_size for part in parts)


def shown(path: Path) -> str:
    """Return a path as a reader finds it: from the checkout where it lies in it."""
    root = project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def zipped(name: str, content: bytes) -> bytes:
    """Return a ZIP archive of one file, the same bytes each time.

    Examples
    --------
    >>> zipped("a.csv", b"x\\n" * 1000) == zipped("a.csv", b"x\\n" * 1000)
    True
    """
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        # Its entry has a date of its own, not that of now.
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
