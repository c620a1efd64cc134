"""NASA's archives: the CMR finds without an account, Earthdata Login lets fetch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helpers.data.products.interface import Asset, Want


class Earthdata:
    """An archive of NASA, found by the CMR and fetched with a token of Earthdata Login."""

    def __init__(self, cmr: str, login_host: str) -> None:
        """Take the address of the CMR's search (``https://cmr.earthdata.nasa.gov/search``) and the host of the login."""
        self.cmr, self.login_host = cmr.rstrip("/"), login_host

    def find(self, short_name: str, version: str, want: Want) -> list[Asset]:
        """Return the files of a collection, the newest production of each tile and year."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""
        raise NotImplementedError


class Ornl(Earthdata):
    """The archive of ORNL: as the others, with a ``.sha256`` beside each file that needs no account."""

    def find(self, short_name: str, names: Sequence[str]) -> list[Asset]:
        """Return the files of these names in a collection; a DataError says which it does not have."""
        raise NotImplementedError
