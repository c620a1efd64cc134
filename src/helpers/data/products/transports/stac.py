"""A STAC API, and addresses that must be signed before they are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from helpers.data.products.interface import Asset, Want
from helpers.data.products.session import Refused, download, needed, retries, scrubbed, session
from helpers.data.products.transports.kept import fetched
from helpers.errors import DataError

_PAGE = 250  # items


class Stac:
    """A STAC API such as that of the Planetary Computer; its addresses are signed with a token, without an account."""

    def __init__(self, api: str, signing: str) -> None:
        """Take the address of the API (``…/api/stac/v1``) and of its tokens (``…/api/sas/v1/token``)."""
        self.api, self.signing = api.rstrip("/"), signing.rstrip("/")

    def find(self, collection: str, asset: str, want: Want) -> list[Asset]:
        """Return one asset of each item in the box and the years, sorted by name: all productions, of all satellites.

        The property ``platform`` is not asked for: some years' metadata lacked it, and a query would leave such items
        out in silence. The product tells its files by their names.
        """
        items = self._search(collection, want)
        links = [found for item in items if (found := item["assets"].get(asset))]
        if items and not links:
            raise DataError(f"{collection}: no item has {asset!r}; the first has {', '.join(items[0]['assets'])}")
        return sorted(map(_asset, links), key=lambda one: one.name)

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there; a signature that ran out is renewed."""

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            for renew in (False, True):
                url = self._signed(asset, folder, renew)
                try:
                    download(session(), url, target, size=asset.size, checksum=asset.checksum)
                    return asset.url
                except Refused as error:
                    if renew or url == asset.url or error.status not in (401, 403):
                        raise
            raise AssertionError("the second signature returns or raises")

        return fetched(asset, folder, get)

    def _search(self, collection: str, want: Want) -> list[dict[str, Any]]:
        """Return the items of a collection that lie in the box and the years."""
        needed("pystac_client")
        from pystac_client import Client
        from pystac_client.stac_api_io import StacApiIO

        try:
            client = Client.open(self.api, stac_io=StacApiIO(max_retries=retries(), timeout=60))
            search = client.search(
                collections=[collection],
                bbox=list(want.box),
                datetime=f"{min(want.years)}-01-01/{max(want.years)}-12-31",
                limit=_PAGE,
            )
            return list(search.items_as_dicts())
        except Exception as error:  # the library passes on errors of every kind: of HTTP, of JSON, of its own
            status = getattr(error, "status_code", None)
            what = f"it answers {status}" if status else f"{type(error).__name__}: {scrubbed(str(error))[:200]}"
            raise Refused(
                f"{collection}: the STAC API at {self.api} cannot be searched ({what}). What to do: look at the "
                "connection and call again later, or take the product from another archive (its option 'transport')",
                status,
            ) from None

    def _signed(self, asset: Asset, folder: Path, renew: bool) -> str:
        """Return an address with its signature; one that is not in a store that wants signatures stays as it is."""
        needed("planetary_computer")
        from planetary_computer import sas, settings, sign_url, utils

        settings.Settings.get().sas_url = self.signing
        if not urlsplit(asset.url).netloc.endswith(sas.BLOB_STORAGE_DOMAIN):
            return asset.url
        try:  # the token first, and by our session: sign_url alone would wait for ever for an answer
            address = "/".join((self.signing, *utils.parse_blob_url(urlsplit(asset.url))))
            token, key = sas.TOKEN_CACHE.get(address), settings.Settings.get().subscription_key
            if renew or token is None or token.ttl() < 60:
                answer = session().get(address, headers={"Ocp-Apim-Subscription-Key": key} if key else None)
                answer.raise_for_status()
                sas.TOKEN_CACHE[address] = sas.SASToken(**answer.json())
            return sign_url(asset.url)
        except (requests.RequestException, ValueError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            raise Refused(
                f"{folder.name}, {asset.name}: no signature from {self.signing} ({status or type(error).__name__}). "
                "What to do: look at the connection and call again later; a key PC_SDK_SUBSCRIPTION_KEY in the "
                f"environment is optional; or put {asset.name} into {folder} by hand",
                status,
            ) from None


def _asset(link: dict[str, Any]) -> Asset:
    """Return what an item tells of one of its files."""
    name = urlsplit(link["href"]).path.rsplit("/", 1)[-1]
    return Asset(name, link["href"], link.get("file:size"))
