"""Files that need no protocol of their own: behind plain addresses, and put into a folder by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helpers.data.products.interface import Asset


class Https:
    """Files behind a base address, without an account."""

    def __init__(self, base: str) -> None:
        """Take the address that the paths are below."""
        self.base = base.rstrip("/")

    def find(self, paths: Sequence[str]) -> list[Asset]:
        """Return those of these paths that are there, with their sizes, in the order given; others are left out (404)."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""
        raise NotImplementedError


class Folder:
    """Files that somebody put into a folder."""

    def __init__(self, path: Path) -> None:
        """Take the folder: that of the product, or another one, whose files are used where they lie."""
        self.path = Path(path)

    def find(self, pattern: str) -> list[Asset]:
        """Return the files whose path in the folder matches a pattern as ``*.tif`` or ``**/*.tif``, in their order."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file that is there."""
        raise NotImplementedError
