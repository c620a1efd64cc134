"""A file in a product's folder: taken as it lies there, or fetched, verified and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath

from filelock import FileLock

from helpers.data.products import lockfile
from helpers.data.products.interface import Asset
from helpers.data.products.session import mismatch
from helpers.errors import DataError


def fetched(asset: Asset, folder: Path, get: Callable[[Path], str]) -> Path:
    """Return the path of an asset's file in a product's folder.

    A file of this name that lies there is compared with what is recorded of it, and with the size and checksum that the
    archive told; nobody asks who put it there. Otherwise ``get`` writes it under the path that it is given, whole, and
    returns the address that it came from. Both are recorded in the lock file.
    """
    target = folder / safe(asset.name, folder.name)
    recorded = target.is_file() and asset.name in lockfile.entries(folder)
    with nullcontext() if recorded else _alone(folder, target.parent):
        if target.is_file():
            keep(asset, folder, target)
        else:
            lockfile.record(folder, target, get(target), asset.checksum)
    return target


@contextmanager
def _alone(folder: Path, needed: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder, and make the folder that is needed in it."""
    lock = FileLock(folder / ".fetch.lock")
    try:
        needed.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"{folder.name}: {folder} cannot be written to ({error.strerror or type(error).__name__}). "
            "What to do: name another folder for downloads (archives.downloads in the configuration)"
        ) from None
    try:
        yield
    finally:
        lock.release()


def keep(asset: Asset, folder: Path, path: Path) -> None:
    """Verify a file that is there, and record one that was put there by hand."""
    known = lockfile.verified(folder, path, asset.name)
    compared = known and lockfile.entries(folder)[asset.name].get("checksum") == asset.checksum
    problem = mismatch(path, asset.size, "" if compared else asset.checksum)
    if problem:
        raise DataError(
            f"{folder.name}, {path.name}: {path} is not the archive's file: {problem}. It is cut off, damaged or of "
            "another version. What to do: move it away and call again, it is fetched; or put the right one there"
        )
    if not known:
        lockfile.record(folder, path, "", asset.checksum, asset.name)


def safe(name: str, product: str) -> str:
    """Return a file's name; one that would lie outside of its folder, or be one of ours, is refused."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or parts[0] == "/" or any(part.startswith(".") for part in parts) or ":" in parts[0]:
        raise DataError(f"{product}: {name!r} is no name for a file. What to do: look at the archive's page by hand")
    if parts[-1] == lockfile.NAME:
        raise DataError(f"{product}: {name} is the name of our own list of files. What to do: rename it")
    return name
