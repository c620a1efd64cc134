"""Writes SoilGrids 2.0: mosaics of tiles behind a VRT, the windows that are read of them, and maps at 1 km."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

#: Interrupted Goode Homolosine, as ISRIC's files name it.
HOMOLOSINE = "+proj=igh +ellps=WGS84 +units=m +no_defs"
_MISSING = -32768
#: The tiles are counted from this corner; folders of tiles are squares of 450 km.
_LATTICE, _STEP, _FOLDER = (-20037500.0, 8600750.0), 250.0, 450_000.0
#: Cells that the corner of each property's mosaic lies east and south of that of the lattice, and cells of its tiles.
_CORNERS = {"soc": (351, 959), "cfvo": (350, 959), "bdod": (348, 957), "ocs": (351, 962)}
_TILES = {"soc": 450, "cfvo": 450, "bdod": 600, "ocs": 450}
LAYERS = tuple(f"{one}_{depth}cm_mean" for depth in ("0-5", "5-15", "15-30") for one in ("soc", "bdod", "cfvo"))
DEEP = tuple(f"{one}_{depth}cm_mean" for depth in ("30-60", "60-100") for one in ("soc", "bdod", "cfvo"))


def write_mosaics(root: Path, box: Box, layers: Iterable[str] = LAYERS) -> list[Path]:
    """Write ``data/<property>/<layer>.vrt`` and the tiles around a box that it names; return the VRT files."""
    return [_write_mosaic(root / "data" / layer.split("_")[0], box, layer) for layer in layers]


def write_windows(folder: Path, box: Box, layers: Iterable[str] = LAYERS) -> list[Path]:
    """Write the window of each layer that is read of a mosaic, as it lies in a product's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for layer in layers:
        left, top, columns, rows = _cells(box, _corner(layer), _STEP)
        paths.append(folder / f"{layer}_{'_'.join(f'{edge:g}' for edge in box)}.tif")
        values = _stored(layer, left, top, rows, columns, _STEP)
        _write(paths[-1], values, Affine(_STEP, 0, left, 0, -_STEP, top))
    return paths


def write_aggregated(root: Path, box: Box, layers: Iterable[str] = LAYERS) -> list[Path]:
    """Write ``data_aggregated/1000m/<property>/<layer>_1000.tif``: the globe, empty but for the box."""
    corner, size = (-19949000.0, 8361000.0), {"width": 39_880, "height": 14_520}
    paths = []
    for layer in layers:
        paths.append(root / "data_aggregated" / "1000m" / layer.split("_")[0] / f"{layer}_1000.tif")
        left, top, columns, rows = _cells(box, corner, 1000.0)
        values = _stored(layer, left, top, rows, columns, 1000.0)
        window = Window(round((left - corner[0]) / 1000), round((corner[1] - top) / 1000), columns, rows)
        _write(
            paths[-1], values, Affine(1000, 0, corner[0], 0, -1000, corner[1]), window=window, SPARSE_OK=True, **size
        )
    return paths


def _write_mosaic(folder: Path, box: Box, layer: str) -> Path:
    """Write the tiles of a layer, in strips, and the VRT that names them relative to itself."""
    corner, tile = _corner(layer), _TILES[layer.split("_")[0]]
    size, many = tile * _STEP, round(_FOLDER / (tile * _STEP))
    left, top, columns, rows = _cells(box, _LATTICE, _STEP)
    across = range(int((left - _LATTICE[0]) // size), int((left + columns * _STEP - _LATTICE[0]) // size) + 1)
    down = range(int((_LATTICE[1] - top) // size), int((_LATTICE[1] - top + rows * _STEP) // size) + 1)
    sources = []
    for row, column in ((row, column) for row in down for column in across):
        cell = f"tileSG-{row // many:03d}-{column // many:03d}"
        name = f"{cell}/{cell}_{row % many + 1}-{column % many + 1}.tif"
        west, north = _LATTICE[0] + column * size, _LATTICE[1] - row * size
        values = _stored(layer, west, north, tile, tile, _STEP)
        strips = {"tiled": False, "blockysize": 9 if tile == 450 else 6}
        _write(folder / layer / name, values, Affine(_STEP, 0, west, 0, -_STEP, north), **strips)
        at = f'xOff="{round((west - corner[0]) / _STEP)}" yOff="{round((corner[1] - north) / _STEP)}"'
        sources.append(
            f'<ComplexSource><SourceFilename relativeToVRT="1">./{layer}/{name}</SourceFilename>'
            f'<SourceBand>1</SourceBand><SourceProperties RasterXSize="{tile}" RasterYSize="{tile}" DataType="Int16" '
            f'BlockXSize="{tile}" BlockYSize="{strips["blockysize"]}"/>'
            f'<SrcRect xOff="0" yOff="0" xSize="{tile}" ySize="{tile}"/>'
            f'<DstRect {at} xSize="{tile}" ySize="{tile}"/><NODATA>{_MISSING}</NODATA></ComplexSource>'
        )
    wkt = rasterio.CRS.from_string(HOMOLOSINE).to_wkt().replace("&", "&amp;").replace('"', "&quot;")
    path = folder / f"{layer}.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="159246" rasterYSize="58034"><SRS>{wkt}</SRS><GeoTransform>{corner[0]}, {_STEP}, '
        f'0.0, {corner[1]}, 0.0, -{_STEP}</GeoTransform><VRTRasterBand dataType="Int16" band="1">'
        f"<NoDataValue>{_MISSING}</NoDataValue>{''.join(sources)}</VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )
    return path


def _corner(layer: str) -> tuple[float, float]:
    """Return the corner of a mosaic: each property has its own."""
    east, south = _CORNERS[layer.split("_")[0]]
    return _LATTICE[0] + east * _STEP, _LATTICE[1] - south * _STEP


def _cells(box: Box, corner: tuple[float, float], step: float) -> tuple[float, float, int, int]:
    """Return the corner, columns and rows of the cells of a lattice around a box."""
    left, bottom, right, top = transform_bounds("EPSG:4326", HOMOLOSINE, *box, densify_pts=100)
    west = corner[0] + (np.floor((left - corner[0]) / step) - 3) * step
    north = corner[1] - (np.floor((corner[1] - top) / step) - 3) * step
    return west, north, int(np.ceil((right - west) / step)) + 3, int(np.ceil((north - bottom) / step)) + 3


def _stored(layer: str, left: float, top: float, rows: int, columns: int, step: float) -> np.ndarray:
    """Return the mapped numbers of cells: density and coarse fragments vary a little, content makes the stock."""
    longitude, latitude = _places(left, top, rows, columns, step)
    name, depth = layer.split("_")[:2]
    above, below = (int(end) for end in depth.removesuffix("cm").split("-"))
    stock = fields.soc(longitude, latitude, below) - (fields.soc(longitude, latitude, above) if above else 0)
    density = np.round(110 + 3 * (latitude - 28) + above / 10)
    coarse = np.round(120 + 10 * (longitude - 90))
    if name == "ocs":
        values = 10 * stock
    elif name == "soc":
        values = stock / (density * 10 * (1 - coarse / 1000) * (below - above) / 100) * 1e4
    else:
        values = {"bdod": density, "cfvo": coarse}[name]
    values = np.broadcast_to(values, (rows, columns))
    return np.where(fields.data_gap(longitude, latitude), _MISSING, np.round(values)).astype("int16")


def _places(left: float, top: float, rows: int, columns: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude of cells: a row has one latitude, and longitude is even along it."""
    back = pyproj.Transformer.from_crs(HOMOLOSINE, "EPSG:4326", always_xy=True)
    y = top - (np.arange(rows) + 0.5) * step
    west, latitude = back.transform(np.full(rows, left + step / 2), y)
    east, _ = back.transform(np.full(rows, left + (columns - 0.5) * step), y)
    share = np.linspace(0, 1, columns)
    return west[:, None] + share * (east - west)[:, None], latitude[:, None]


def _write(path: Path, values: np.ndarray, transform: Affine, window: Window | None = None, **options: object) -> None:
    """Write a GeoTIFF, or a window of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "dtype": "int16", "count": 1, "nodata": _MISSING, "crs": HOMOLOSINE}
    profile |= {"height": values.shape[0], "width": values.shape[1], "compress": "deflate", "predictor": 2, "zlevel": 1}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256} if options.get("tiled", True) else {}
    with rasterio.open(path, "w", transform=transform, **profile | options) as file:
        file.write(values, 1, window=window)
