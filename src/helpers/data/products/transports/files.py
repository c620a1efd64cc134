"""Files that need no protocol of their own: behind plain addresses, and put into a folder by hand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from helpers.data.products.interface import Asset
from helpers.data.products.lockfile import NAME
from helpers.data.products.session import ask, download, redacted, session
from helpers.data.products.transports.kept import fetched, keep
from helpers.errors import DataError

_AT_ONCE = 8  # questions


class Https:
    """Files behind a base address, without an account."""

    def __init__(self, base: str) -> None:
        """Take the address that the paths are below."""
        self.base = base.rstrip("/")

    def find(self, paths: Sequence[str]) -> list[Asset]:
        """Return those of these paths that are there, with their sizes, in the order given; a 404 is left out.

        What is not there is the difference of the two lengths: tiles of the open sea, for example.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [asset for asset in pool.map(self._asset, paths) if asset is not None]

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            download(session(), asset.url, target, size=asset.size, checksum=asset.checksum)
            return asset.url

        return fetched(asset, folder, get)

    def _asset(self, path: str) -> Asset | None:
        """Return one file, None if the archive does not have it."""
        url = f"{self.base}/{quote(path.lstrip('/'))}"
        by_hand = f"get {path} by hand from {redacted(self.base)} into the product's folder"
        answer = ask(session(), url, archive=path, by_hand=by_hand, method="HEAD")
        if answer.status_code == 404:
            return None
        length = answer.headers.get("Content-Length", "")
        size = int(length) if length.isdigit() and not answer.headers.get("Content-Encoding") else None
        return Asset(path.rsplit("/", 1)[-1], url, size)


class Folder:
    """Files that somebody put into a folder."""

    def __init__(self, path: Path) -> None:
        """Take the folder: that of the product, or another one, whose files are used where they lie."""
        self.path = Path(path).expanduser()

    def find(self, pattern: str) -> list[Asset]:
        """Return the files whose path in the folder matches a pattern as ``*.tif`` or ``**/*.tif``, sorted by path.

        A folder that is not there has none.
        """
        found = (path for path in self.path.glob(pattern) if path.is_file() and path.name != NAME)
        names = ((path.relative_to(self.path), path.stat().st_size) for path in found)
        visible = [(name.as_posix(), size) for name, size in names if not any(p.startswith(".") for p in name.parts)]
        return [Asset(name, "", size) for name, size in sorted(visible)]

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file that is there, recorded in the product's folder."""
        for place in (folder, self.path):
            path = place / asset.name
            if path.is_file():
                keep(asset, folder, path)
                return path
        places = " or ".join(dict.fromkeys((str(self.path), str(folder))))
        raise DataError(f"{folder.name}, {asset.name}: it is not there. What to do: put it by hand into {places}")
