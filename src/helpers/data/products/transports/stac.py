"""A STAC API, and addresses that must be signed before they are fetched."""

from __future__ import annotations

from pathlib import Path

from helpers.data.products.interface import Asset, Want


class Stac:
    """A STAC API such as that of the Planetary Computer; its addresses are signed with a token that needs no account."""

    def __init__(self, api: str, signing: str) -> None:
        """Take the address of the API (``…/api/stac/v1``) and of its tokens (``…/api/sas/v1/token``)."""
        self.api, self.signing = api.rstrip("/"), signing.rstrip("/")

    def find(self, collection: str, asset: str, want: Want, platform: str = "") -> list[Asset]:
        """Return one asset of each item, the newest production of each tile and year; ``platform``: terra or aqua."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""
        raise NotImplementedError
