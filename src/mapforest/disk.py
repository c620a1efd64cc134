"""What a power failure cannot take: files that the system was asked to put on disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_AT_ONCE = 8  # a disk that is asked for several files at once writes them together


def synced(path: Path) -> None:
    """Wait until a file is on disk, or a folder with all that it holds; nothing happens if it is not there.

    The name of the path itself stands in its folder: see :func:`names_synced`.
    """
    if path.is_dir():
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(_sync, [*path.rglob("*"), path]))
    elif path.is_file():
        _sync(path)


def names_synced(folder: Path) -> None:
    """Wait until the names of the files in a folder are on disk: what was renamed there has its name for good."""
    _sync(folder)


def _sync(path: Path) -> None:
    """Wait for one file or folder; Windows syncs files alone, and asks for the right to write."""
    if os.name == "nt" and path.is_dir():
        return
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
