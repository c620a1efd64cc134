"""SoilGrids 2.0: soil organic carbon stock of the upper 30 or 100 cm, from windows of its maps at 250 m, or at 1 km.

A layer at 250 m is a mosaic (VRT) of thousands of tiles behind plain addresses. What a box needs is read by range
requests, once, into a GeoTIFF of the product's folder, strip by strip: a call after a cut connection goes on with the
strips that are lacking.
"""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window
from tqdm import tqdm

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.session import ask, redacted, session
from helpers.data.products.transports import Folder, Https
from helpers.data.products.transports.kept import fetched
from helpers.data.products.windows import Lattice, cells_of, lattice_of, masked, values_on
from helpers.errors import ConfigError, DataError

_MISSING = -32768
#: Layers down to a depth, cm.
_LAYERS = {30: ((0, 5), (5, 15), (15, 30)), 100: ((0, 5), (5, 15), (15, 30), (30, 60), (60, 100))}
_NAME = re.compile(r"(?P<layer>(?:soc|bdod|cfvo|ocs)_\d+-\d+cm_mean).*\.tif")
#: Rows of a strip: those of a tile, so that few tiles are opened twice.
_STRIP = 450
#: GDAL asks again when the archive is busy. It remembers an address that failed until the process ends, unless it is
#: told to keep nothing of one: then the next call asks anew.
_GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".vrt,.tif",
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",
    "GDAL_HTTP_MAX_RETRY": 4,
    "GDAL_HTTP_RETRY_DELAY": 1,
    "GDAL_HTTP_CONNECTTIMEOUT": 30,
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 100,
}


@dataclass(frozen=True)
class SoilGrids:
    """Soil organic carbon [kg C m-2], from content, density and coarse fragments, or from the map of stocks ``ocs``."""

    key: str
    transport: Https | Folder
    source: Literal["soc", "ocs"] = "soc"
    depth_cm: Literal[30, 100] = 30
    resolution_m: Literal[250, 1000] = 250
    in_blocks: ClassVar[bool] = True
    static: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse maps that do not exist."""
        if self.depth_cm not in _LAYERS or self.resolution_m not in (250, 1000):
            raise ConfigError(f"{self.key}: expected depth_cm 30 or 100, and resolution_m 250 or 1000")
        if self.source == "ocs" and self.depth_cm != 30:
            raise ConfigError(f"{self.key}: ocs is mapped for 0-30 cm only; for 100 cm the source is soc")

    def plan(self, want: Want) -> Plan:
        """Return one file for each layer: a window of the box at 250 m, the whole map at 1 km."""
        if isinstance(self.transport, Folder):
            found = self.transport.find("**/*.tif")
            assets = [one for one in found if _layer(one.name) in self._layers]
            where = f"put into {self.transport.path}, a file each"
        elif self.resolution_m == 1000:
            folder = "data_aggregated/1000m"
            assets = self.transport.find([f"{folder}/{_property(one)}/{one}_1000.tif" for one in self._layers])
            where = f"not at {self.transport.base}/{folder}; is there another name? Put into the product's folder"
        else:
            base, edges = f"{self.transport.base}/data", "_".join(f"{round(edge, 6):.12g}" for edge in want.box)
            names = [(f"{one}_{edges}.tif", f"{base}/{_property(one)}/{one}.vrt") for one in self._layers]
            assets, where = [Asset(name, url) for name, url in names], ""
        absent = [one for one in self._layers if one not in {_layer(asset.name) for asset in assets}]
        return Plan(tuple(assets), by_hand=f"{where}: {', '.join(absent)}" if absent else "")

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a whole map, or of the window that the name of the file tells."""
        edges = re.search(r"mean_(-?[\d.]+)_(-?[\d.]+)_(-?[\d.]+)_(-?[\d.]+)\.tif$", asset.name)
        if edges is None or not asset.url:
            return self.transport.fetch(asset, folder)

        def get(target: Path) -> str:
            """Write the file there; return the address that it came from."""
            _write_window(asset.url, Box(*map(float, edges.groups())), target)
            return asset.url

        return fetched(asset, folder, get)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the stock; a cell that one of its layers lacks is missing."""
        paths = self._of_layers(files)
        window = lattice_of(paths[self._layers[0]]).part(box)
        if self.source == "ocs":
            stock = _stored(paths[self._layers[0]], window) / 10  # t ha-1
        else:
            stock = np.zeros((window.rows, window.columns), "float32")
            for top, bottom in _LAYERS[self.depth_cm]:
                soc, bdod, cfvo = (
                    _stored(paths[f"{one}_{top}-{bottom}cm_mean"], window) for one in ("soc", "bdod", "cfvo")
                )
                # dg/kg, cg/cm3 of fine earth and parts in 1000 of coarse fragments; metres.
                stock += soc / 1e4 * (bdod * 10) * (1 - cfvo / 1000) * ((bottom - top) / 100)
        return window.field(stock, "soc", long_name=f"soil organic carbon stock, 0-{self.depth_cm} cm")

    @property
    def _layers(self) -> list[str]:
        """Names of the maps that the stock needs."""
        if self.source == "ocs":
            return ["ocs_0-30cm_mean"]
        return [f"{one}_{a}-{b}cm_mean" for a, b in _LAYERS[self.depth_cm] for one in ("soc", "bdod", "cfvo")]

    def _of_layers(self, files: Sequence[Path]) -> dict[str, Path]:
        """Return the file of each layer."""
        found: dict[str, Path] = {}
        for path in files:
            if (layer := _layer(path.name)) and found.setdefault(layer, path) != path:
                raise DataError(f"{self.key}: {path.name} and {found[layer].name} are the same layer; remove one")
        if absent := [layer for layer in self._layers if layer not in found]:
            raise DataError(f"{self.key}: {', '.join(absent)} is missing among {len(files)} files; fetch it")
        return found


def _layer(name: str) -> str:
    """Return the layer that a file's name begins with; empty: none."""
    found = _NAME.fullmatch(Path(name).name)
    return found["layer"] if found else ""


def _property(layer: str) -> str:
    """Return what a layer maps: soc, bdod, cfvo or ocs."""
    return layer.split("_")[0]


def _stored(path: Path, window: Lattice) -> NDArray[np.float32]:
    """Return the mapped numbers of a layer on a window; negative ones are refused."""
    values = values_on(path, window, lambda stored, own: masked(stored, own, _MISSING))
    most = 1000 if path.name.startswith("cfvo") else np.inf
    if ((values < 0) | (values > most)).any():
        raise DataError(
            f"{path.name}: has values from {np.nanmin(values):g} to {np.nanmax(values):g}; expected 0 to {most}"
        )
    return values


def _write_window(url: str, box: Box, target: Path) -> None:
    """Read what a box needs of a mosaic by range requests, and write it whole."""
    tag, strips = _etag(url, target.name), target.with_name(f"{target.name}.strips")
    strips.mkdir(exist_ok=True)
    try:
        with rasterio.Env(**_GDAL), rasterio.open(f"/vsicurl/{url}") as source:
            window = _clipped(source, box, redacted(url))
            left, right, bottom = window.col_off, window.col_off + window.width, window.row_off + window.height
            # Strips of another edition of the mosaic are not these.
            edition = zlib.crc32(f"{tag} {tuple(source.transform)} {source.shape} {window}".encode())
            pieces = {top: strips / f"{edition:08x}-{top}.npy" for top in range(window.row_off, bottom, _STRIP)}
            for top, piece in tqdm(pieces.items(), desc=target.name, unit="strip", disable=None):
                if not piece.exists():
                    rows = (top, min(top + _STRIP, bottom))
                    _saved(piece, source.read(1, window=Window.from_slices(rows, (left, right))))
            about = {"source": redacted(url), "etag": tag}
            _merged([pieces[top] for top in pieces], source, window, target, about)
    except (RasterioError, OSError) as error:
        raise DataError(
            f"{target.name}: its window of {redacted(url)} cannot be had ({error.__cause__ or error}); "
            "run it again: what came is kept"
        ) from None
    shutil.rmtree(strips)


def _etag(url: str, name: str) -> str:
    """Return what names the edition of a file, as the archive tells it; a DataError says that the file is not there."""
    answer = ask(session(), url, archive=name, method="HEAD")
    if answer.status_code == 404:
        raise DataError(f"{name}: {redacted(url)} is not there; is archives.soilgrids right?")
    return answer.headers.get("ETag", "")


def _clipped(source: rasterio.DatasetReader, box: Box, name: str) -> Window:
    """Return the rows and columns of a mosaic that cover a box."""
    cells = cells_of(source, name)
    part = cells.part(box)
    row, column = cells.first_of(part)
    left, right = max(column, 0), min(column + part.columns, cells.columns)
    top, bottom = max(row, 0), min(row + part.rows, cells.rows)
    if left >= right or top >= bottom:
        raise DataError(f"{name}: does not cover the box {tuple(box)}")
    return Window(left, top, right - left, bottom - top)


def _saved(path: Path, values: NDArray) -> None:
    """Write an array whole, or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, values)
    part.replace(path)


def _merged(pieces: list[Path], source: rasterio.DatasetReader, window: Window, target: Path, about: dict) -> None:
    """Write strips as one GeoTIFF, whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    profile = {"driver": "GTiff", "count": 1, "dtype": source.dtypes[0], "nodata": _MISSING, "crs": source.crs}
    profile |= {"width": window.width, "height": window.height, "transform": source.window_transform(window)}
    packing = {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 256, "blockysize": 256}
    with rasterio.open(part, "w", **profile, **packing) as file:
        row = 0
        for piece in pieces:
            values = np.load(piece)
            file.write(values, 1, window=Window(0, row, *values.shape[::-1]))
            row += len(values)
        file.update_tags(**about)
    part.replace(target)
