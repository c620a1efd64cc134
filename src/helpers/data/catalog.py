"""The catalogue of the ``open`` configuration: what each product is, where it comes from, and its files.

The catalogue is ``data/catalog.yml``. Files are fetched into one cache folder and are used only when their SHA-256
agrees. Two environment variables steer this:

``QTP_DATA_DIR``
    the cache folder; without it, the operating system's cache folder for ``qtp-carbon-book``.
``QTP_DATA_MIRROR``
    a folder or a base address that holds files under their own names; it is tried before the public address.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import platformdirs
from filelock import FileLock
from pydantic import BaseModel, Field, ValidationError, model_validator

from helpers.config import STRICT, project_root
from helpers.data.products.session import Refused, download, mismatch, redacted, session
from helpers.errors import ConfigError, DataError
from helpers.strict_yaml import parsed, yaml_text


class File(BaseModel):
    """One downloadable file of a product."""

    model_config = STRICT

    name: str = Field(pattern=r"^\w[\w.-]*$", description="file name without folders, also in mirror and cache")
    bytes: int = Field(gt=0, description="size")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="checksum")
    url: str = Field(pattern=r"^https://", description="public address, pinned to a version")


class Entry(BaseModel):
    """One product: what it is, whom to cite, who reads it, and its files."""

    model_config = STRICT

    key: str = Field(pattern=r"^\w+$", description="name of the entry, filled in from the mapping")
    title: str
    variable: str = Field(description="what the pipeline takes from it, with its unit")
    licence: str
    citation: list[Annotated[str, Field(pattern=r"^[\w:.+-]+$")]] = Field(
        min_length=1, description="keys in references.bib"
    )
    reference: str = Field(description="the same, for people")
    reader: str = Field(
        "",
        pattern=r"^([a-z_]+\.[a-z_0-9]+\.[a-z_0-9]+)?$",
        description="function that reads it, by its name in src/helpers",
    )
    notes: str
    years: str = Field("", description="years that a mean stands for")
    origin: str = Field("", description="where it comes from when there is nothing to download")
    inputs: list[str] = Field([], description="layers that it is derived from: keys, or key.variable")
    in_repository: list[str] = Field([], description="files of this repository that the reader takes, by their path")
    files: list[File] = []
    connector: str = Field(
        "",
        pattern=r"^([a-z_0-9]+\.[A-Z]\w*)?$",
        description="class of helpers.data.products that plans, fetches and reads it from its archive",
    )
    options: dict[str, Any] = Field({}, description="what the connector is made with")
    account: str = Field("", description="accounts that its archive asks for (connectors only, as all below)")
    address: str = Field("", description="where people find it")
    size: str = Field("", description="about how much comes for the paper's box and years")
    checked: str = Field("", description="how its reading was checked")
    stand_in: str = Field("", description="what could only be tested against a stand-in")
    unknown: str = Field("", description="what is not known of its files")

    @model_validator(mode="after")
    def _has_a_source(self) -> Entry:
        if [bool(one) for one in (self.files, self.origin, self.inputs, self.connector)].count(True) != 1:
            raise ValueError(
                "expected one of files, inputs that it is derived from, an origin without download, and a connector"
            )
        if not self.connector and not self.reader:
            raise ValueError("expected a reader")
        told = ("account", "address", "size", "checked", "stand_in", "unknown")
        lacking = [name for name in told if bool(getattr(self, name)) != bool(self.connector)]
        if lacking or (self.options and not self.connector):
            raise ValueError(f"{', '.join(lacking) or 'options'}: expected with a connector, and only with one")
        return self


def catalogue_path() -> Path:
    """Return the path of the catalogue file of this project."""
    return project_root() / "data" / "catalog.yml"


def load_catalog() -> dict[str, Entry]:
    """Read and check the catalogue, and return the products by key, in the file's order.

    The function raises a DataError if the file is missing, is not a YAML mapping, or an entry is not valid; the message
    names entry and field.
    """
    path = catalogue_path()
    try:
        return dict(_parsed(yaml_text(path), path))
    except ConfigError as error:
        raise DataError(f"catalogue {error}") from None


def reader(key: str) -> Callable:
    """Return the function that reads a product, imported by the name that the catalogue gives it.

    It takes the product's files, in the order of the catalogue; a reader may want more, as its docstring tells. The
    function raises a DataError if there is no such product, or no function of that name in ``src/helpers``.
    """
    name = entry_of(key).reader
    if not name:
        raise DataError(f"{key} is a product with a connector: name it under predictors or products")
    module, function = name.rsplit(".", 1)
    try:
        found = getattr(importlib.import_module(f"helpers.{module}"), function, None)
        problem = "" if callable(found) else f"{module} has no such function"
    except ModuleNotFoundError as error:
        problem = str(error)
    if problem:
        raise DataError(
            f"catalogue {catalogue_path()}, entry {key!r}: reader {name!r}: {problem}; "
            "expected folder.module.function below src/helpers, as data.readers.read_soc"
        )
    return found


def fetch(key: str) -> dict[str, Path]:
    """Return the path of each file of a product by its name, fetching those that are not in the cache yet.

    A cached file with the right checksum is never fetched again. Otherwise the mirror is tried, then the public
    address, as :func:`helpers.data.products.session.download` does it: no more bytes come than the catalogue tells,
    and a line that only trickles is given up. A file appears in the cache only when it is whole and its checksum
    agrees. The function raises a DataError if there is no such product, or if a file cannot be obtained.
    """
    product = entry_of(key)
    kept = [project_root() / path for path in product.in_repository]
    return {file.name: _fetch_file(file) for file in product.files} | {path.name: path for path in kept}


def cached_or_mirrored() -> bool:
    """Tell whether the cache, or a mirror folder, has all files of the catalogue with the right checksums."""
    folders = [cache_folder()]
    if _mirror() and not _is_address(_mirror()):
        folders.append(Path(_mirror()).expanduser())
    return all(
        any(_is_good(folder / file.name, file.sha256) for folder in folders)
        for entry in load_catalog().values()
        for file in entry.files
    )


def catalogue_table() -> pd.DataFrame:
    """Return the fields of each :class:`Entry` by key, for people, with the number of its files and their megabytes."""
    table = pd.DataFrame([entry.model_dump() for entry in load_catalog().values()]).set_index("key")
    return table.assign(
        files=table["files"].str.len(),
        megabytes=[round(sum(file["bytes"] for file in files) / 1e6, 2) for files in table["files"]],
        citation=table["citation"].str.join(", "),
        origin=table["origin"].mask(
            table["origin"] == "", np.where(table["connector"] == "", "download", "its archive")
        ),
    )


def cache_folder() -> Path:
    """Return the folder that fetched files are kept in (``QTP_DATA_DIR``, else the operating system's cache)."""
    named = os.environ.get("QTP_DATA_DIR")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("qtp-carbon-book"))


def entry_of(key: str) -> Entry:
    """Return what the catalogue says of a product; a DataError is raised if there is no such product."""
    catalog = load_catalog()
    if key not in catalog:
        raise DataError(f"no product {key!r} in the catalogue; there are: {', '.join(catalog)}")
    return catalog[key]


@lru_cache(maxsize=1)
def _parsed(text: str, path: Path) -> dict[str, Entry]:
    """Return the entries of a catalogue; the same text is read once."""
    raw = parsed(text, str(path))
    if not isinstance(raw, dict) or not all(isinstance(value, dict) for value in raw.values()):
        raise DataError(f"catalogue {path}: expected one mapping per product, 'key: {{title: …}}'")
    entries = {key: _entry(key, value, path) for key, value in raw.items()}
    names = Counter(file.name for entry in entries.values() for file in entry.files)
    shared = [name for name, times in names.items() if times > 1]
    if shared:  # the cache has one folder for all
        raise DataError(f"catalogue {path}: {', '.join(shared)}: named by more than one entry; expected own names")
    return entries


def _entry(key: str, value: dict, path: Path) -> Entry:
    try:
        return Entry.model_validate({**value, "key": key})
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc'])) or 'entry'}: {item['msg']}" for item in error.errors())
        raise DataError(f"catalogue {path}, entry {key!r}: {'; '.join(problems)}") from None


def _mirror() -> str:
    return os.environ.get("QTP_DATA_MIRROR", "").strip()


def _is_address(place: str) -> bool:
    return "://" in place


def _is_good(path: Path, sha256: str) -> bool:
    """Tell whether a file exists and has this checksum."""
    return path.is_file() and not mismatch(path, None, f"sha256:{sha256}")


def _fetch_file(file: File) -> Path:
    """Return the path of one file in the cache, putting it there first if need be."""
    target = cache_folder() / file.name
    if _is_good(target, file.sha256):
        return target
    places = [f"{_mirror().rstrip('/')}/{file.name}"] if _mirror() else []
    attempts = []
    for place in [*places, file.url]:
        problem = _put_into_cache(file, place, target)
        if not problem:
            return target
        attempts.append(f"  - {redacted(place) if _is_address(place) else place}: {problem}\n")
    raise DataError(
        f"cannot get {file.name} ({file.bytes / 1e6:.1f} MB). Tried:\n" + "".join(attempts) + "What to do: "
        "set QTP_DATA_MIRROR to a folder or address that holds it, or download it by hand from\n"
        f"  {file.url}\ninto {cache_folder()}\n(set QTP_DATA_DIR to another folder if you may not write there). "
        f"Expected sha256: {file.sha256}"
    )


def _put_into_cache(file: File, place: str, target: Path) -> str:
    """Get a file from a folder or an address, never more of it than it has; return what went wrong, or nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if _is_good(target, file.sha256):  # another process was faster
                return ""
            target.unlink(missing_ok=True)
            if _is_address(place):
                download(session(), place, target, size=file.bytes, checksum=f"sha256:{file.sha256}")
                return ""
            return _copy(file, Path(place).expanduser(), target)
    except Refused as error:
        return error.what
    except OSError as error:
        return f"cannot be written to {target.parent} ({error.strerror or error})"


def _copy(file: File, source: Path, target: Path) -> str:
    """Copy a file of a mirror folder whole, or not at all; return what is wrong with it."""
    if not source.is_file():
        return "no such file"
    try:
        problem = mismatch(source, file.bytes, f"sha256:{file.sha256}")
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if problem:
        return f"wrong checksum or size: the file there is not the one that the catalogue names ({problem})"
    partial = target.with_name(f".{target.name}.part")  # the next call replaces what a killed one leaves
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)  # on a full disk it takes the room of others
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
