"""Repositories that list the files of a DOI with their MD5: figshare and Zenodo."""

from __future__ import annotations

from pathlib import Path

from helpers.data.products.interface import Asset


class Figshare:
    """figshare, by its API."""

    def __init__(self, api: str) -> None:
        """Take the address of the API (``https://api.figshare.com/v2``)."""
        self.api = api.rstrip("/")

    def find(self, doi_or_article: str, version: int | None = None) -> list[Asset]:
        """Return all files of an article, by its DOI or its number; without a version: that of the DOI, else the newest."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""
        raise NotImplementedError


class Zenodo:
    """Zenodo, by its API."""

    def __init__(self, api: str) -> None:
        """Take the address of the API (``https://zenodo.org/api``)."""
        self.api = api.rstrip("/")

    def find(self, doi: str) -> list[Asset]:
        """Return all files of a record, by its DOI."""
        raise NotImplementedError

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""
        raise NotImplementedError
