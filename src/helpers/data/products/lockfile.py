"""What each product's folder holds, with size, hash, date and address: ``files.lock.json``."""

from __future__ import annotations

from pathlib import Path

NAME = "files.lock.json"


def verified(folder: Path, path: Path) -> bool:
    """Tell whether a file is as recorded; False: it is not recorded. A DataError says that it is another one now."""
    raise NotImplementedError


def record(folder: Path, path: Path, url: str) -> None:
    """Write a file's name, size, SHA-256, date and address into the folder's lock file; no address: put there by hand."""
    raise NotImplementedError
