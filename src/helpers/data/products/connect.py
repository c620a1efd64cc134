"""From a key of the catalogue to its product: the connector that the entry names, with its options and its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers.config import Settings, from_root
from helpers.data import catalog
from helpers.data.products import cmfd, elevation, globmap, modis, rasters, respiration, soilgrids, tables, transports
from helpers.data.products.interface import Product
from helpers.errors import ConfigError, DataError

#: The modules of the connectors, imported here by name: so a change of one makes notebook 01 stale.
_MODULES: dict[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (cmfd, elevation, globmap, modis, rasters, respiration, soilgrids, tables)
}
#: Where assets come from, by the name that ``transport`` has in the options.
_TRANSPORTS: dict[str, Callable[[Settings], Any]] = {
    "stac": lambda settings: transports.Stac(settings.archives.stac, settings.archives.stac_signing),
    "earthdata": lambda settings: transports.Earthdata(settings.archives.cmr, settings.archives.earthdata_login),
    "ornl": lambda settings: transports.Ornl(settings.archives.cmr, settings.archives.earthdata_login),
    "figshare": lambda settings: transports.Figshare(settings.archives.figshare),
    "zenodo": lambda settings: transports.Zenodo(settings.archives.zenodo),
    "glo90": lambda settings: transports.Https(settings.archives.glo90),
    "soilgrids": lambda settings: transports.Https(settings.archives.soilgrids),
}


def has_connector(source: object) -> bool:
    """Tell whether the source of a layer is a product with a connector; a map of your own is not."""
    return isinstance(source, str) and bool(catalog.entry_of(source.partition(".")[0]).connector)


def downloads(settings: Settings) -> Path:
    """Return the folder that has one folder per product. What is made up has another than what is not."""
    named = settings.archives.downloads
    folder = from_root(named) if named else catalog.cache_folder() / "products"
    return folder / "made_up" if settings.made_up else folder


def folder_of(key: str, settings: Settings) -> Path:
    """Return the folder of a product's files."""
    return downloads(settings) / key


def options_of(key: str, settings: Settings) -> dict[str, Any]:
    """Return the options of a product: the catalogue's, and those of the configuration above them.

    What is made up lies in a folder, whatever archive the options name.
    """
    options = {**catalog.entry_of(key).options, **settings.connectors.get(key, {})}
    return options | {"transport": "folder"} if settings.made_up else options


def connect(key: str, settings: Settings) -> Product:
    """Return a product of the catalogue with its transport. A ConfigError names an option that it cannot have."""
    entry = catalog.entry_of(key)
    if not entry.connector:
        raise DataError(f"{key} has no connector in the catalogue: {catalog.catalogue_path()}")
    module, _, name = entry.connector.partition(".")
    connector = getattr(_MODULES.get(module), name, None)
    if connector is None:
        raise DataError(f"catalogue {catalog.catalogue_path()}, entry {key!r}: no connector {entry.connector!r}")
    options = options_of(key, settings)
    transport = _transport(key, options.pop("transport", "folder"), options, settings)
    try:
        return connector(key, transport, **options)
    except TypeError as error:  # Python's own message names the option
        raise ConfigError(f"connectors.{key}: {error}") from None


def _transport(key: str, name: str, options: dict[str, Any], settings: Settings) -> Any:
    """Return the transport of that name; of a folder the options may name another one."""
    if name == "folder":
        path = options.pop("path", "")
        return transports.Folder(from_root(path) if path else folder_of(key, settings))
    if name not in _TRANSPORTS:
        raise ConfigError(
            f"connectors.{key}: transport is {name!r}; expected folder or one of {', '.join(sorted(_TRANSPORTS))}"
        )
    return _TRANSPORTS[name](settings)
