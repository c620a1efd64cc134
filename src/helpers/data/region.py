"""The region: its outline from a file, and the cells and sites that lie in it or around it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import geopandas
import numpy as np
import pandas as pd
import pyproj
import shapely
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from helpers.config import Outline, Settings, from_root
from helpers.data import catalog
from helpers.data.grid import bounds, target_grid
from helpers.errors import DataError

Numbers = TypeVar("Numbers", NDArray, pd.Series, xr.DataArray)

_DEGREES = pyproj.CRS.from_epsg(4326)
_REPAIR = "repair the file in a GIS (shapely.make_valid)"
#: A repair may change the area of a polygon by this part: slivers go, and the shape stays what was drawn.
_REPAIRED_AREA = 0.01


class Boundary(NamedTuple):
    """An outline from a file."""

    geometry: BaseGeometry  #: All its polygons as one, longitude and latitude in degrees, EPSG:4326.
    notes: tuple[str, ...]  #: What was done to them that the owner of the file should know.


def read_boundary(path: str | Path, *parts: Path) -> BaseGeometry:
    """Return the geometry of :func:`open_boundary`: for files of the catalogue, which are known.

    A shapefile's .shx, .dbf and .prj are found beside it, whether or not the catalogue names them as `parts`.
    """
    return open_boundary(path).geometry


def open_boundary(path: str | Path) -> Boundary:
    """Read a boundary (shapefile, GeoPackage, GeoJSON), bring it to EPSG:4326, repair and check it.

    The file has one layer with polygons. Another coordinate system is reprojected; without one the file is refused.
    Longitudes from 0 to 360 become those from -180 to 180. Holes stay. A polygon that is not valid is repaired if that
    changes its area by less than 1 %. A feature without geometry is left out. Each of these is a note. DataError is
    raised otherwise, and names the file and the feature: a part of the file is missing, it cannot be read, it has
    several layers or none, something else than polygons, degrees beyond 360 and 90, or an edge across the antimeridian.
    """
    path = Path(path)
    _refuse_missing_parts(path)
    notes: list[str] = []
    table = _in_degrees(path, _only_layer(path), notes)
    polygons = [_sound(path, number, polygon, notes) for number, polygon in table.items()]
    try:
        geometry = shapely.union_all(polygons)
    except shapely.GEOSException as error:
        raise DataError(f"boundary {path}: its polygons cannot be joined ({error}); {_REPAIR}") from None
    return Boundary(_from_180_to_180(path, geometry, notes), tuple(f"boundary {path}: {note}" for note in notes))


def _refuse_missing_parts(path: Path) -> None:
    """Refuse a path that is no file, and a shapefile without its siblings."""
    suffixes = (".shp", ".shx", ".dbf", ".prj") if path.suffix.lower() == ".shp" else (path.suffix,)
    either = {suffix: [path.with_suffix(suffix), path.with_suffix(suffix.upper())] for suffix in suffixes}
    missing = [one.name for suffix, (one, other) in either.items() if not one.is_file() and not other.is_file()]
    if missing:
        raise DataError(f"boundary {path}: {', '.join(missing)} is missing")


def _only_layer(path: Path) -> geopandas.GeoSeries:
    """Read the geometries of a file that has one layer of them, by the number of their feature, counted from 1."""
    try:
        layers = geopandas.list_layers(path)
        names = layers.loc[layers["geometry_type"].notna(), "name"].tolist()
        # Columns are not needed, and their text may be in any encoding.
        table = geopandas.read_file(path, layer=names[0], columns=[]) if len(names) == 1 else None
    except Exception as error:  # pyogrio's errors share no base with OSError
        raise DataError(f"boundary {path} cannot be read as a vector file: {error}") from None
    if table is None:
        found = f"the layers {', '.join(names)}" if names else "none"
        raise DataError(
            f"boundary {path}: expected one layer of polygons, found {found}; save one to a file of its own"
        )
    if table.crs is None:
        raise DataError(
            f"boundary {path}: it names no coordinate system; assign its own, such as EPSG:4326 if it is in degrees"
        )
    return table.geometry.set_axis(range(1, len(table) + 1))


def _in_degrees(path: Path, features: geopandas.GeoSeries, notes: list[str]) -> pd.Series:
    """Return the polygons in EPSG:4326; tell of features without geometry and of another coordinate system."""
    empty = features.isna() | features.is_empty
    if empty.any():
        numbers = ", ".join(map(str, features.index[empty][:5]))
        notes.append(
            f"{empty.sum()} of {len(features)} features have no geometry and are left out, the first: {numbers}"
        )
    given = features[~empty]
    kinds = given.geom_type
    other = kinds[~kinds.isin(["Polygon", "MultiPolygon"])]
    if given.empty or len(other):
        found = f"feature {other.index[0]}: {sorted(set(other))}" if len(other) else "no geometry at all"
        raise DataError(f"boundary {path}: expected polygons, found {found}")
    flat = geopandas.GeoSeries(shapely.force_2d(given.to_numpy()), given.index, crs=features.crs)
    if not features.crs.equals(_DEGREES, ignore_axis_order=True):
        notes.append(f"reprojected from {features.crs.name} to EPSG:4326")
        # An edge that is straight on the map is none in degrees: points along it keep it where it was.
        step = np.diff(flat.total_bounds.reshape(2, 2), axis=0).max() / 1000
        try:
            flat = flat.segmentize(step).to_crs(_DEGREES)
        except Exception as error:  # of pyproj or of GEOS
            raise DataError(f"boundary {path}: cannot be reprojected to EPSG:4326 ({error}); do it in a GIS") from None
    return flat.explode().pipe(pd.Series)


def _sound(path: Path, number: int, polygon: BaseGeometry, notes: list[str]) -> BaseGeometry:
    """Return a polygon whose degrees are possible, repaired if need be."""
    west, south, east, north = polygon.bounds
    if not (west >= -360 and east <= 360 and south >= -90 and north <= 90):
        raise DataError(
            f"boundary {path}, feature {number}: reaches from {west:g} to {east:g} and from {south:g} to {north:g}; "
            "expected degrees east and degrees north. Are they exchanged, or is its coordinate system another one?"
        )
    if np.abs(np.diff(shapely.get_coordinates(polygon.exterior)[:, 0])).max() > 180:
        raise DataError(
            f"boundary {path}, feature {number}: an edge is more than 180 degrees of longitude long: does it cross the "
            "antimeridian? Cut the polygon there, or write longitudes from 0 to 360"
        )
    if polygon.is_valid:
        return polygon
    reason = shapely.is_valid_reason(polygon)
    mended = _areas(shapely.make_valid(polygon))
    change = abs(mended.area / polygon.area - 1) if polygon.area > 0 else np.inf
    if not change <= _REPAIRED_AREA:
        raise DataError(
            f"boundary {path}, feature {number} is no valid polygon ({reason}), and a repair would change its area by "
            f"more than {_REPAIRED_AREA:.0%}; {_REPAIR} and look at it"
        )
    notes.append(f"feature {number} was no valid polygon ({reason}) and is repaired; its area changed by {change:.2%}")
    return mended


def _from_180_to_180(path: Path, geometry: BaseGeometry, notes: list[str]) -> BaseGeometry:
    """Bring longitudes beyond 180 degrees to those of the grid."""
    west, _, east, _ = geometry.bounds
    if west >= -180 and east <= 180:
        return geometry
    if east - west > 360:
        raise DataError(f"boundary {path}: reaches from {west:g} to {east:g} degrees east, more than once around")
    notes.append(f"its longitudes, {west:g} to {east:g}, are brought to -180 to 180")
    around = [(turn, shapely.box(turn - 180, -90, turn + 180, 90)) for turn in (-360, 0, 360)]
    return shapely.union_all([translate(_areas(geometry & world), -turn) for turn, world in around])


def _areas(geometry: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a geometry, without its points and lines."""
    return shapely.union_all([part for part in _parts(geometry) if part.geom_type == "Polygon"])


def _parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    """Return the single parts of a geometry, also of collections within it."""
    return [single for part in shapely.get_parts(geometry) for single in shapely.get_parts(part)]


def outline(described: Outline) -> Boundary:
    """Return the outline of a region or of its surroundings, from the catalogue or from a file of your own."""
    named = described.boundary
    if Path(named).suffix:
        return open_boundary(from_root(named))
    return open_boundary(next(iter(catalog.fetch(named).values())))


@dataclass(frozen=True, eq=False)
class Places:
    """Tells which points belong to a region, to its surroundings and to the grid."""

    geometry: BaseGeometry  #: The region's outline, degrees.
    high_land_m: float | None  #: Records of its bounding box with this elevation or more belong to it, too.
    surroundings: BaseGeometry  #: The outline of the surroundings; the region's own where there are none.
    country: str  #: The country that the surroundings are, as site tables name it; empty: none.
    grid: tuple[float, float, float, float]  #: West, south, east and north of the target grid.

    @classmethod
    def of(cls, settings: Settings, geometry: BaseGeometry) -> Places:
        """Return the places of a run, whose region has this outline."""
        wider = settings.region.surroundings
        around = geometry if wider is None else outline(wider).geometry
        country = (settings.region if wider is None else wider).country
        grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
        return cls(geometry, settings.region.high_land_m, around, country, bounds(grid))

    def inside(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points lie in the region's outline; False where a coordinate is missing."""
        return contains(self.geometry, longitude, latitude)

    def is_high(self, longitude: pd.Series, latitude: pd.Series, elevation: pd.Series) -> pd.Series:
        """Tell which points are high land of the region's bounding box, elevation in m; unknown is not high."""
        if self.high_land_m is None:
            return pd.Series(False, longitude.index)
        return (elevation >= self.high_land_m) & in_box(self.geometry.bounds, longitude, latitude)

    def around(self, longitude: ArrayLike, latitude: ArrayLike, country: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points lie in the surroundings: by the country that a record names, else by the outline."""
        named = np.asarray(country, dtype=object)
        inside = contains(self.surroundings, longitude, latitude)
        return np.where(named != "", named == self.country, inside) if self.country else inside


def refuse_cut(geometry: BaseGeometry, grid: xr.Dataset, name: str) -> None:
    """Raise a DataError if a grid does not hold a whole outline: its balance would be that of a smaller region."""
    west, south, east, north = bounds(grid)
    found = geometry.bounds
    if found[0] < west or found[1] < south or found[2] > east or found[3] > north:
        lies, has = (f"{w:.2f} to {e:.2f} E and {s:.2f} to {n:.2f} N" for w, s, e, n in (found, bounds(grid)))
        raise DataError(
            f"{name} lies from {lies}, but the grid has {has} and would cut it; "
            "choose west, south, east and north beyond the outline"
        )


def contains(geometry: BaseGeometry, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points lie in a polygon [degrees]; the answer is False where a coordinate is missing."""
    shapely.prepare(geometry)
    return shapely.contains_xy(geometry, np.asarray(longitude, "float64"), np.asarray(latitude, "float64"))


def in_box(box: tuple[float, float, float, float], longitude: Numbers, latitude: Numbers) -> Numbers:
    """Tell which points lie in a box of west, south, east and north [degrees], its edges included."""
    west, south, east, north = box
    return (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)


def mask_from_polygon(geometry: BaseGeometry, grid: xr.Dataset) -> xr.DataArray:
    """Tell which cells of a grid (latitude, longitude) have their centre in a polygon [degrees]."""
    return xr.DataArray(
        contains(geometry, *np.meshgrid(grid["longitude"], grid["latitude"])),
        {"latitude": grid["latitude"], "longitude": grid["longitude"]},
        ("latitude", "longitude"),
        "in_region",
        {"long_name": "centre of the cell lies in the boundary", "units": "1"},
    )
