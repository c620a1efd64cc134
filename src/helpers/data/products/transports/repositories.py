"""Repositories that list the files of a DOI with their MD5: figshare and Zenodo."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.data.products.interface import Asset
from helpers.data.products.session import Refused, ask, download, redacted, session
from helpers.data.products.transports.kept import fetched
from helpers.errors import DataError

_PAGE = 100  # files
_TRY_ELSEWHERE = (200, 202, 401, 403, 404)  # a page or nothing in place of the file, a challenge, a refusal


class Figshare:
    """figshare, by its API. Its own addresses of files may want a browser; those of the API did not."""

    def __init__(self, api: str) -> None:
        """Take the address of the API (``https://api.figshare.com/v2``)."""
        self.api = api.rstrip("/")

    def find(self, doi_or_article: str, version: int | None = None) -> list[Asset]:
        """Return all files of an article, by its DOI or its number, sorted by name.

        Without a version it is that of the DOI (``….v1``), else the newest.
        """
        number = re.fullmatch(r"(?:.*m9\.figshare\.)?(\d+)(\.v\d+)?", doi_or_article)
        of_doi = re.search(r"\.v(\d+)$", doi_or_article)
        version = version or (int(of_doi[1]) if of_doi else None)
        article = f"articles/{number[1] if number else self._number(doi_or_article)}"
        files = self._files(article + (f"/versions/{version}" if version else ""), doi_or_article)
        if not files:
            raise DataError(f"figshare, {doi_or_article}: no files there. What to do: look at {_page(doi_or_article)}")
        return _sorted(_figshare_asset, files, f"figshare, {doi_or_article}", _page(doi_or_article))

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there: from its own address, then from that of the API."""
        number = re.search(r"/(\d+)/?$", redacted(asset.url))
        urls = [asset.url, *([f"{self.api}/file/download/{number[1]}"] if number else [])]

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            for url in urls:
                try:
                    download(
                        session(),
                        url,
                        target,
                        size=asset.size,
                        checksum=asset.checksum,
                        hint=f"open {redacted(asset.url)} in a browser",
                    )
                    return url
                except Refused as error:
                    if url == urls[-1] or error.status not in _TRY_ELSEWHERE:
                        raise
            raise AssertionError("the last address returns or raises")

        return fetched(asset, folder, get)

    def _files(self, article: str, doi: str) -> list[dict[str, Any]]:
        """Return what figshare tells of an article's files; its own entry may list only the first ten of them."""
        files: dict[int, dict[str, Any]] = {}
        for number in itertools.count(1):
            page = self._ask(f"{article}/files?page={number}&page_size={_PAGE}", doi)
            if page is None and number == 1:
                page = (self._ask(article, doi) or {}).get("files")
            before = len(files)
            files |= {file["id"]: file for file in page or []}
            if len(files) - before < _PAGE:
                break
        return list(files.values())

    def _number(self, doi: str) -> int:
        """Return the number of the article that has a DOI."""
        found = self._ask(f"articles?doi={re.sub(r'^https?://(dx.)?doi.org/', '', doi)}", doi)
        if not found:
            raise DataError(f"figshare, {doi}: no article has this DOI. What to do: look at {_page(doi)}")
        return found[0]["id"]

    def _ask(self, path: str, doi: str) -> Any:
        return _asked(f"{self.api}/{path}", f"figshare, {doi}", _page(doi))


class Zenodo:
    """Zenodo, by its API."""

    def __init__(self, api: str) -> None:
        """Take the address of the API (``https://zenodo.org/api``)."""
        self.api = api.rstrip("/")

    def find(self, doi: str) -> list[Asset]:
        """Return all files of a record, by its DOI (``10.5281/zenodo.4700264``), sorted by name."""
        told = re.fullmatch(r"(?:.*zenodo\.)?(\d+)", doi)
        if not told:
            raise DataError(f"zenodo, {doi!r}: no DOI of Zenodo; expected 10.5281/zenodo.NUMBER")
        record = _asked(f"{self.api}/records/{told[1]}", f"zenodo, {doi}", _page(doi))
        files = (record or {}).get("files") or []
        if not files:
            raise DataError(
                f"zenodo, {doi}: the record lists no files: it is not there, or not open. What to do: look at "
                f"{_page(doi)}, and put its files into the product's folder by hand"
            )
        return _sorted(_zenodo_asset, files, f"zenodo, {doi}", _page(doi))

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there."""

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            download(session(), asset.url, target, size=asset.size, checksum=asset.checksum)
            return asset.url

        return fetched(asset, folder, get)


def _asked(url: str, archive: str, page: str) -> Any:
    """Return what an API answers, as JSON; None: it has no such entry."""
    by_hand = f"get the files by hand from {page} into the product's folder"
    answer = ask(session(), url, archive=archive, by_hand=by_hand)
    if answer.status_code == 404:
        return None
    try:
        return answer.json()
    except ValueError:
        what = "the answer is no JSON but a web page, or empty"
        raise Refused(f"{archive}: {redacted(url)}: {what}. What to do: {by_hand}", answer.status_code) from None


def _figshare_asset(file: dict[str, Any]) -> Asset:
    checksum = file.get("computed_md5") or file.get("supplied_md5") or ""
    return Asset(file["name"], file["download_url"], file.get("size"), f"md5:{checksum}" if checksum else "")


def _zenodo_asset(file: dict[str, Any]) -> Asset:
    checksum = file.get("checksum", "")
    return Asset(file["key"], file["links"]["self"], file.get("size"), checksum if checksum.startswith("md5:") else "")


def _sorted(asset: Callable[[dict[str, Any]], Asset], files: list[Any], archive: str, page: str) -> list[Asset]:
    """Return the files that an API lists, sorted by name."""
    try:
        return sorted(map(asset, files), key=lambda one: one.name)
    except (KeyError, TypeError, AttributeError):
        what = "its answer is not as it is documented"
        raise DataError(f"{archive}: {what}. What to do: get the files by hand from {page}") from None


def _page(doi: str) -> str:
    """Return the page of a DOI for people."""
    if doi.startswith("http"):
        return doi
    return f"https://figshare.com/articles/dataset/_/{doi}" if doi.isdigit() else f"https://doi.org/{doi}"
