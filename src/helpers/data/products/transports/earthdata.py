"""NASA's archives: the CMR finds without an account, Earthdata Login lets fetch."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from helpers.data.products.interface import Asset, Want
from helpers.data.products.session import Refused, ask, download, needed, redacted, retries, scrubbed, session
from helpers.data.products.transports.kept import fetched
from helpers.errors import DataError

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "POSIX": "cksum"}  # as the CMR writes them, and as we do


class _Nasa:
    """An archive of NASA, found by the CMR and fetched with a token of Earthdata Login.

    The token is that of the variable ``EARTHDATA_TOKEN``, or one that a name and a password get: ``EARTHDATA_USERNAME``
    and ``EARTHDATA_PASSWORD``, or those of ``~/.netrc``. earthaccess is used without its global login, which after a
    failure leaves it with NASA's own hosts, whatever was configured.
    """

    def __init__(self, cmr: str, login_host: str) -> None:
        """Take the address of the CMR's search (``https://cmr.earthdata.nasa.gov/search``) and the login's host."""
        self.cmr, self.login_host = cmr.rstrip("/"), login_host
        self._token = ""

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, fetched if it is not there; only then somebody logs in."""

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            for again in (False, True):
                try:
                    headers = {"Authorization": f"Bearer {self._login(folder.name, asset.url)}"}
                    download(
                        session(),
                        asset.url,
                        target,
                        size=asset.size,
                        checksum=asset.checksum,
                        headers=headers,
                        hint=self._hint(),
                    )
                    return asset.url
                except Refused as error:
                    self._token = ""  # a token may have run out: a name and a password get another one
                    if again or error.status not in (200, 401) or os.environ.get("EARTHDATA_TOKEN"):
                        raise
            raise AssertionError("the second login returns or raises")

        return fetched(asset, folder, get)

    def _search(self, short_name: str, **query: Any) -> list:
        """Return the granules that a query finds; without an account."""
        earthaccess = needed("earthaccess")
        try:
            granules = earthaccess.DataGranules().short_name(short_name).parameters(**query)
            granules.session = session()
            with warnings.catch_warnings():  # earthaccess warns of its own next version
                warnings.simplefilter("ignore", FutureWarning)
                return granules.mode(f"{self.cmr}/").get(100_000)
        except (requests.RequestException, RuntimeError, ValueError, KeyError, TypeError) as error:
            status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
            what = f"it answers {status}" if status else f"{type(error).__name__}: {scrubbed(str(error))[:200]}"
            raise Refused(
                f"{short_name}: the CMR at {self.cmr} cannot be searched ({what}). What to do: look at the connection "
                "and call again later",
                status,
            ) from None

    def _login(self, product: str, url: str) -> str:
        """Return a token, of the environment or of a login."""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise DataError(f"{product}: {redacted(url)} is not encrypted: no token is sent there")
        self._token = self._token or os.environ.get("EARTHDATA_TOKEN", "") or self._new_token(product)
        return self._token

    def _new_token(self, product: str) -> str:
        """Return a token that earthaccess gets for a name and a password."""
        needed("earthaccess")
        from earthaccess.exceptions import LoginAttemptFailure, LoginStrategyUnavailable
        from earthaccess.system import PROD, System

        system = System(f"{self.cmr}/", PROD.status_url, PROD.status_api_url, self.login_host)
        problem = "no name and password, and no token, were found"
        for strategy in ("environment", "netrc"):
            auth = _auth(self.login_host)
            try:
                auth.login(strategy=strategy, system=system)
            except LoginStrategyUnavailable:
                continue
            except LoginAttemptFailure:
                problem = f"{self.login_host} does not take the name and password of {_PLACES[strategy]}"
                break
            except (requests.RequestException, ValueError, KeyError) as error:
                problem = f"{self.login_host} does not answer as it should ({type(error).__name__})"
                break
            if auth.authenticated and auth.token:
                return auth.token["access_token"]
        raise Refused(f"{product}: the login to Earthdata failed: {problem}. What to do: {self._hint()}")

    def _hint(self) -> str:
        """Return how to let us in."""
        return (
            f"make an account at https://{self.login_host} (free), and there a token, which lasts 60 days; set it as "
            "EARTHDATA_TOKEN, or set EARTHDATA_USERNAME and EARTHDATA_PASSWORD, or write the line 'machine "
            f"{self.login_host} login NAME password PASSWORD' into ~/.netrc"
        )


class Earthdata(_Nasa):
    """The archives of MODIS."""

    def find(self, short_name: str, version: str, want: Want) -> list[Asset]:
        """Return the files of a collection in the box and the years, sorted by name: all their productions."""
        granules = self._search(
            short_name,
            version=version,
            bounding_box=tuple(want.box),
            temporal=(f"{min(want.years)}-01-01", f"{max(want.years)}-12-31"),
        )
        found = [asset for granule in granules for asset in _assets(granule) if asset.name.endswith(".hdf")]
        return sorted(found, key=lambda one: one.name)


class Ornl(_Nasa):
    """The archive of ORNL: as the others, with a ``.sha256`` beside each file that needs no account."""

    def find(self, short_name: str, names: Sequence[str]) -> list[Asset]:
        """Return the files of these names in a collection; a DataError says which it does not have."""
        assets = {asset.name: asset for granule in self._search(short_name) for asset in _assets(granule)}
        lacking = [name for name in names if name not in assets]
        if lacking:
            has = ", ".join(sorted(assets)[:20]) or "no file at all"
            raise DataError(
                f"{short_name}: the archive does not list {', '.join(lacking)}; it lists {has}. What to do: name one "
                "of these in the product's settings"
            )
        return [self._with_sha256(assets[name], short_name) for name in names]

    def _with_sha256(self, asset: Asset, short_name: str) -> Asset:
        """Return a file with its checksum from the file beside it, where that is there."""
        url = re.sub(r"(?<=[/-])protected/", "public/", asset.url) + ".sha256"
        by_hand = f"put {asset.name} into the product's folder by hand"
        try:
            answer = ask(session(), url, archive=f"{short_name}, {asset.name}", by_hand=by_hand)
        except Refused as error:
            if error.status not in (401, 403):
                raise
            return asset  # the CMR's own size still tells whether it is whole
        told = re.match(r"\s*([0-9a-fA-F]{64})\b", answer.text) if answer.ok else None
        return Asset(asset.name, asset.url, asset.size, f"sha256:{told[1].lower()}") if told else asset


_PLACES = {"environment": "EARTHDATA_USERNAME and EARTHDATA_PASSWORD", "netrc": "~/.netrc"}


def _auth(login_host: str):
    """Return a login of earthaccess that asks again when the host is busy, and that knows a host with a port."""
    earthaccess = needed("earthaccess")

    class Login(earthaccess.Auth):
        def get_session(self) -> requests.Session:
            """Return its session, which asks a busy host again."""
            made = super().get_session()
            made.mount("https://", HTTPAdapter(max_retries=retries().new(raise_on_status=True)))
            for hook in made.hooks["response"]:
                hook.hostname = urlsplit(f"https://{login_host}").hostname
            return made

    return Login()


def _assets(granule: Any) -> list[Asset]:
    """Return the files of a granule that are to be had by HTTPS, with what the CMR tells of them."""
    described = granule["umm"].get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    related = [link["URL"] for link in granule["umm"].get("RelatedUrls", []) if link.get("Type") == "GET DATA"]
    links = {urlsplit(link).path.rsplit("/", 1)[-1]: link for link in sorted(related) if link.startswith("http")}
    assets = []
    for name, link in links.items():  # where there are two of a name, https came last
        mine = [one for one in described if one.get("Name") == name] or (described if len(links) == 1 else [])
        told = mine[0] if len(mine) == 1 else {}
        kind, value = (told.get("Checksum", {}).get(key, "") for key in ("Algorithm", "Value"))
        checksum = f"{_ALGORITHMS[kind]}:{value.lower()}" if kind in _ALGORITHMS and value else ""
        assets.append(Asset(name, link, told.get("SizeInBytes"), checksum))
    return assets
