"""What each product is, where it comes from, and getting it: the catalogue of the ``open`` configuration.

The catalogue is ``data/catalog.yml``. Files are fetched with pooch into one cache folder and are used only when their
SHA-256 agrees. Two environment variables steer it:

``QTP_DATA_DIR``
    the cache folder; without it, the operating system's cache folder for ``qtp-carbon-book``.
``QTP_DATA_MIRROR``
    a folder or a base address that holds files under their own names; it is tried before the public address.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath

import pandas as pd
import requests
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from helpers.config import project_root
from helpers.errors import DataError

with warnings.catch_warnings():  # pooch asks tqdm for a notebook's widget; the plain progress bar serves everywhere
    warnings.filterwarnings("ignore", message="IProgress not found")
    import pooch


class File(BaseModel):
    """One downloadable file of a product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="file name, also in a mirror and in the cache")
    bytes: int = Field(gt=0, description="size")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="checksum")
    url: str = Field(pattern=r"^https://", description="public address, pinned to a version")

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if PurePosixPath(value).name != value or "\\" in value:
            raise ValueError("expected a plain file name without folders")
        return value


class Entry(BaseModel):
    """One product: what it is, whom to cite, who reads it, and its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(description="name of the entry, filled in from the mapping")
    title: str
    variable: str = Field(description="what the pipeline takes from it, with its unit")
    licence: str
    citation: list[str] = Field(min_length=1, description="keys in references.bib")
    reference: str = Field(description="the same, for people")
    reader: str = Field(pattern=r"^[a-z_]+\.[a-z_]+\.[a-z_0-9]+$", description="module and function that read it")
    notes: str
    origin: str = Field("", description="where it comes from when there is nothing to download")
    files: list[File]

    @model_validator(mode="after")
    def _has_a_source(self) -> Entry:
        if bool(self.files) == bool(self.origin):
            raise ValueError("expected either files, or an origin saying where it comes from without download")
        return self


def catalogue_path() -> Path:
    """Return the path of the catalogue file of this project."""
    return project_root() / "data" / "catalog.yml"


def load_catalog(path: Path | None = None) -> dict[str, Entry]:
    """Read and check the catalogue.

    Parameters
    ----------
    path : pathlib.Path, optional
        Catalogue file; without it, the project's own.

    Returns
    -------
    dict of str to Entry
        The products by key, in the file's order.

    Raises
    ------
    DataError
        If the file is missing, is no YAML mapping, or an entry is not valid; the message names entry and field.
    """
    path = path or catalogue_path()
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"catalogue {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise DataError(f"catalogue {path} is not readable as YAML: {error}") from None
    if not isinstance(raw, dict) or not all(isinstance(value, dict) for value in raw.values()):
        raise DataError(f"catalogue {path}: expected one mapping a product, 'key: {{title: …}}'")
    entries = {key: _entry(key, value, path) for key, value in raw.items()}
    _refuse_shared_names(entries, path)
    return entries


def fetch(key: str) -> dict[str, Path]:
    """Return the files of a product, fetching those that are not in the cache yet.

    A cached file with the right checksum is never fetched again. Otherwise the mirror is tried, then the public
    address. A file appears in the cache only when it is whole and its checksum agrees.

    Parameters
    ----------
    key : str
        Key of the catalogue.

    Returns
    -------
    dict of str to pathlib.Path
        Local path of each file by its name; empty for a product without files.

    Raises
    ------
    DataError
        If there is no such product, or a file cannot be had.
    """
    catalog = load_catalog()
    if key not in catalog:
        raise DataError(f"no product {key!r} in the catalogue; there are: {', '.join(catalog)}")
    return {file.name: _fetch_file(file) for file in catalog[key].files}


def cached_or_mirrored(keys: Iterable[str] | None = None) -> bool:
    """Tell whether all files of some products are at hand without network.

    Parameters
    ----------
    keys : iterable of str, optional
        Keys of the catalogue; without them, all.

    Returns
    -------
    bool
        True if each file lies, with the right checksum, in the cache or in a mirror folder. A mirror that is an
        address counts as network.
    """
    catalog = load_catalog()
    folders = [cache_folder()]
    mirror = _mirror()
    if mirror and not _is_address(mirror):
        folders.append(Path(mirror))
    files = [file for key in (catalog if keys is None else keys) for file in catalog[key].files]
    return all(any(_is_good(folder / file.name, file.sha256) for folder in folders) for file in files)


def catalogue_table() -> pd.DataFrame:
    """Return the catalogue as a table for people, one row a product.

    Returns
    -------
    pandas.DataFrame
        Index ``key``; columns title, variable, files, megabytes, licence, reference, citation, origin, notes.
    """
    rows = [
        {
            "key": entry.key,
            "title": entry.title,
            "variable": entry.variable,
            "files": len(entry.files),
            "megabytes": round(sum(file.bytes for file in entry.files) / 1e6, 2),
            "licence": entry.licence,
            "reference": entry.reference,
            "citation": ", ".join(entry.citation),
            "origin": entry.origin or "download",
            "notes": entry.notes,
        }
        for entry in load_catalog().values()
    ]
    return pd.DataFrame(rows).set_index("key")


def cache_folder() -> Path:
    """Return the folder that fetched files are kept in (``QTP_DATA_DIR``, else the operating system's cache)."""
    named = os.environ.get("QTP_DATA_DIR")
    return Path(named).expanduser() if named else Path(pooch.os_cache("qtp-carbon-book"))


def _entry(key: str, value: dict, path: Path) -> Entry:
    try:
        return Entry(key=key, **value)
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise DataError(f"catalogue {path}, entry {key!r}: 'key' is the name of the entry, not a field") from None
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'entry'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise DataError(f"catalogue {path}, entry {key!r}: {problems}") from None


def _refuse_shared_names(entries: dict[str, Entry], path: Path) -> None:
    owners: dict[str, str] = {}
    for key, entry in entries.items():
        for file in entry.files:
            if file.name in owners:
                raise DataError(f"catalogue {path}: {owners[file.name]!r} and {key!r} both have a file {file.name}")
            owners[file.name] = key


def _mirror() -> str:
    return os.environ.get("QTP_DATA_MIRROR", "").strip()


def _is_address(mirror: str) -> bool:
    return "://" in mirror


def _is_good(path: Path, sha256: str) -> bool:
    """Tell whether a file exists and has this checksum."""
    try:
        state = path.stat()
    except OSError:
        return False
    return _checksum(path, state.st_size, state.st_mtime_ns) == sha256


@lru_cache(maxsize=256)
def _checksum(path: Path, size: int, modified: int) -> str:
    """Return the checksum of a file; size and time of change are there so that a changed file is read anew."""
    return pooch.file_hash(str(path), alg="sha256")


def _fetch_file(file: File) -> Path:
    """Return the path of one file in the cache, putting it there first if need be."""
    target = cache_folder() / file.name
    if _is_good(target, file.sha256):
        return target
    _make_cache_folder()
    attempts = []
    mirror = _mirror()
    if mirror:
        place = f"{mirror.rstrip('/')}/{file.name}"
        problem = _download(file, place) if _is_address(mirror) else _copy(file, Path(mirror).expanduser() / file.name)
        if not problem:
            return target
        attempts.append(f"mirror {place}: {problem}")
    problem = _download(file, file.url)
    if not problem:
        return target
    attempts.append(f"{file.url}: {problem}")
    raise DataError(
        f"cannot get {file.name} ({file.bytes / 1e6:.1f} MB). Tried:\n"
        + "".join(f"  - {attempt}\n" for attempt in attempts)
        + "What to do: set QTP_DATA_MIRROR to a folder or address that holds it, or download it by hand from\n"
        f"  {file.url}\ninto {cache_folder()}\nExpected sha256: {file.sha256}"
    )


def _make_cache_folder() -> None:
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cache folder {cache_folder()} cannot be made ({error.strerror}): "
            "set QTP_DATA_DIR to a folder you may write to"
        ) from None


def _copy(file: File, source: Path) -> str:
    """Copy one file from a mirror folder into the cache; return what went wrong, or an empty string."""
    if not source.is_file():
        return "no such file"
    try:
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".part-") as folder:
            part = Path(shutil.copyfile(source, Path(folder) / file.name))
            found = pooch.file_hash(str(part), alg="sha256")
            if found != file.sha256:
                return f"wrong checksum, sha256 {found}"
            part.replace(cache_folder() / file.name)
    except OSError as error:
        return f"cannot be copied ({error.strerror})"
    return ""


def _download(file: File, url: str) -> str:
    """Download one file into the cache with pooch; return what went wrong, or an empty string."""
    registry = pooch.create(
        path=cache_folder(),
        base_url="",
        registry={file.name: f"sha256:{file.sha256}"},
        urls={file.name: url},
        retry_if_failed=1,
    )
    try:
        registry.fetch(file.name, downloader=pooch.HTTPDownloader(progressbar=True))
    except requests.HTTPError as error:
        return f"the server answered {error.response.status_code}"
    except requests.RequestException as error:
        return f"no connection ({type(error).__name__})"
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    except ValueError:
        return "wrong checksum: the file there is not the one the catalogue means"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Fetch products, or list them: the command ``python -m helpers.data.catalog``."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.data.catalog", description="Fetch the files of the open configuration."
    )
    parser.add_argument("keys", nargs="*", help="products to fetch; none: all")
    parser.add_argument("--list", action="store_true", help="show the catalogue and fetch nothing")
    options = parser.parse_args(arguments)
    try:
        if options.list:
            table = catalogue_table()[["title", "files", "megabytes", "licence"]]
            print(table.to_string(max_colwidth=60))
            return 0
        for key in options.keys or load_catalog():
            for path in fetch(key).values():
                print(f"{key}: {path}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
