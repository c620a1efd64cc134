"""What each product's folder holds, with size, hash, date and address: ``files.lock.json``."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from helpers.data.products.session import redacted
from helpers.errors import DataError

NAME = "files.lock.json"


def entries(folder: Path) -> dict[str, dict[str, object]]:
    """Return what is recorded of a folder's files, by name: size, sha256, date, address and the archive's checksum.

    The address of a file that was put there by hand is empty. Without a lock file nothing is recorded.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        if all(isinstance(entry["size"], int) and isinstance(entry["sha256"], str) for entry in files.values()):
            return files
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        pass
    raise DataError(f"{path} is not readable as a lock file. What to do: delete it; it is written anew from the files")


def verified(folder: Path, path: Path, name: str = "") -> bool:
    """Tell whether a file is as recorded; False: it is not recorded. A DataError says that it is another one now.

    ``name`` is that of its entry, without which it is the file's path from the folder.
    """
    entry = entries(folder).get(name or path.relative_to(folder).as_posix())
    if entry is None:
        return False
    size, found = path.stat().st_size, sha256(path)
    if (entry["size"], entry["sha256"]) != (size, found):
        raise DataError(
            f"{folder.name}, {path.name}: {path} is not the file that {folder / NAME} records: {size} bytes and sha256 "
            f"{found}, recorded are {entry['size']} bytes and {entry['sha256']} of {entry.get('date', 'before')}. "
            "It was damaged or replaced. What to do: delete the file and call again, it is fetched anew; or, if you "
            "replaced it on purpose, delete its entry in the lock file"
        )
    return True


def record(folder: Path, path: Path, url: str, checksum: str = "", name: str = "") -> None:
    """Write a file's name, size, SHA-256, date and address into the folder's lock file.

    An empty address says that the file was put there by hand; ``checksum`` is what the archive told and was compared;
    ``name`` as in :func:`verified`.
    """
    entry = {
        "size": path.stat().st_size,
        "sha256": sha256(path),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "address": redacted(url),
        "checksum": checksum,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{NAME}.lock"):
            files = entries(folder) | {name or path.relative_to(folder).as_posix(): entry}
            text = json.dumps({"files": dict(sorted(files.items()))}, indent=1, ensure_ascii=False) + "\n"
            write_whole(folder / NAME, text)
    except OSError as error:
        raise DataError(
            f"{folder / NAME} cannot be written ({error.strerror or type(error).__name__}). What to do: make room, or "
            "name another folder for downloads (archives.downloads in the configuration); then call again"
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Write a small file whole, or leave the one that is there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file; one that did not change is read once in a process."""
    told = path.stat()
    return _sha256(path, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sha256(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
