"""The plateau's boundary, and what lies in it."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import shapely
from made_places import real_values
from shapely.geometry.polygon import orient

from helpers.config import Outline, load_config, resolve
from helpers.data import cube, grid, region
from helpers.data.readers import open_source
from helpers.errors import DataError
from helpers.virtual.geography import PAPER_BOX, REGION
from helpers.world import open_world


def test_the_geography_of_the_virtual_world_is_the_default_grid_and_holds_the_papers_box() -> None:
    settings = load_config("open")
    assert (settings.west, settings.south, settings.east, settings.north) == REGION
    assert shapely.box(*REGION).contains(shapely.box(*PAPER_BOX))


def test_a_mask_holds_the_cells_whose_centre_is_inside() -> None:
    cells = grid.target_grid(0, 0, 4, 4, 1)
    mask = region.mask_from_polygon(shapely.box(0, 0, 2.6, 1.4), cells)
    assert mask.sum() == 3
    assert mask.sel(latitude=0.5, longitude=[0.5, 1.5, 2.5]).all()


def test_a_point_without_coordinates_is_in_no_polygon() -> None:
    inside = region.contains(shapely.box(0, 0, 1, 1), np.array([0.5, np.nan, 2.0]), np.array([0.5, 0.5, 0.5]))
    assert inside.tolist() == [True, False, False]


def test_a_boundary_of_two_polygons_is_read_as_one(tmp_path) -> None:
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]
    geopandas.GeoDataFrame(geometry=boxes, crs=4326).to_file(tmp_path / "b.shp")
    assert region.read_boundary(tmp_path / "b.shp").equals(shapely.union_all(boxes))


@pytest.mark.real_data
def test_the_plateau_and_its_mask_have_the_published_area(real_data) -> None:
    boundary = open_source("boundary")
    cells = grid.target_grid(73, 25, 105, 41, 0.1)
    masked = grid.cell_area(cells.latitude, cells.longitude).where(region.mask_from_polygon(boundary, cells)).sum()
    # A straight line in longitude and latitude is no geodesic: short edges are close to both.
    parts = [orient(part) for part in shapely.get_parts(shapely.segmentize(boundary, 0.1))]
    area = sum(abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in parts) / 1e6
    assert area == pytest.approx(2_542_299, rel=1e-4)
    assert float(masked) == pytest.approx(2_542_299, rel=0.01)


# --- what users' files hold ------------------------------------------------------------------------------------------

BOX = shapely.box(90, 30, 92, 32)


def saved(folder, *geometries, crs=4326, name="b.gpkg", **options):
    """Write a file of geometries, one feature each, and return its path."""
    geopandas.GeoDataFrame(geometry=list(geometries), crs=crs).to_file(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("name", ["b.shp", "b.gpkg", "b.geojson"])
def test_each_format_gives_the_polygon_and_no_notes(tmp_path, name):
    read = region.open_boundary(saved(tmp_path, BOX, name=name))
    assert read.geometry.equals(BOX) and read.notes == ()


def test_holes_stay_holes(tmp_path):
    ring = BOX.difference(shapely.box(90.5, 30.5, 91, 31))
    assert region.open_boundary(saved(tmp_path, ring)).geometry.equals(ring)


def test_features_that_overlap_count_once(tmp_path):
    read = region.open_boundary(saved(tmp_path, BOX, shapely.box(91, 31, 93, 33)))
    assert read.geometry.area == pytest.approx(7)


def test_heights_are_left_out(tmp_path):
    read = region.open_boundary(saved(tmp_path, shapely.force_3d(BOX, 4500.0))).geometry
    assert not read.has_z and read.equals(BOX)


# kind: parts that are no polygon

BOW_TIE = shapely.Polygon([(90, 30), (92, 32), (92, 30), (90, 32)])
#: A loop of a thousandth of a degree at one corner.
SMALL_LOOP = shapely.Polygon([(90, 30), (92, 30), (92, 32), (90.001, 32), (90, 31.999), (90, 32), (90.001, 31.999)])
#: A ring that touches itself at one point: it draws a hole of half a square degree without naming it one.
TOUCHING = shapely.Polygon([(90, 30), (92, 30), (92, 32), (91, 32), (91.5, 31), (90.5, 31), (91, 32), (90, 32)])


@pytest.mark.parametrize("broken", [BOW_TIE, shapely.Polygon([(90, 30), (91, 31), (92, 32)])])
@pytest.mark.parametrize("before", [0, 1])
def test_a_part_that_a_repair_would_change_is_refused_by_its_number(tmp_path, broken, before):
    path = saved(tmp_path, *[BOX] * before, broken, shapely.box(91, 30.5, 93, 31.5))
    with pytest.raises(DataError, match=rf"b.gpkg, feature {before + 1} is no valid polygon .*make_valid"):
        region.open_boundary(path)


@pytest.mark.parametrize(("broken", "area"), [(SMALL_LOOP, 4), (TOUCHING, 3.5)])
def test_a_part_that_keeps_its_shape_is_repaired_and_told(tmp_path, broken, area):
    assert not broken.is_valid
    read = region.open_boundary(saved(tmp_path, shapely.box(95, 30, 96, 31), broken))
    assert read.geometry.is_valid and read.geometry.area == pytest.approx(area + 1, abs=2e-3)
    (note,) = read.notes
    assert "b.gpkg: feature 2 was no valid polygon" in note and "its area changed by 0.00%" in note


def test_a_repair_may_change_a_hundredth_of_the_area_and_no_more(tmp_path):
    """A loop of area a is drawn against the ring's turn: it counts as -a before and as a after the repair."""

    def looped(size):
        corner = [(92 - size, 32), (92, 32 - size), (92, 32), (92 - size, 32 - size)]
        return shapely.Polygon([(90, 32), (90, 30), (92 - size, 30), *corner[::-1]])

    small, large = looped(0.1), looped(0.4)
    assert not small.is_valid and not large.is_valid
    (note,) = region.open_boundary(saved(tmp_path, small, name="small.gpkg")).notes
    assert "is repaired" in note
    with pytest.raises(DataError, match="would change its area by more than 1%"):
        region.open_boundary(saved(tmp_path, large, name="large.gpkg"))


@pytest.mark.parametrize("nothing", [None, shapely.Polygon()])
@pytest.mark.parametrize("name", ["b.gpkg", "b.geojson"])
def test_a_feature_without_geometry_is_left_out_and_told(tmp_path, nothing, name):
    read = region.open_boundary(saved(tmp_path, BOX, nothing, name=name))
    assert read.geometry.equals(BOX)
    assert read.notes == (
        f"boundary {tmp_path / name}: 1 of 2 features have no geometry and are left out, the first: 2",
    )


def test_a_file_without_any_geometry_is_refused(tmp_path):
    with pytest.raises(DataError, match="b.gpkg: expected (polygons|one layer of polygons), found no"):
        region.open_boundary(saved(tmp_path, None, None))


@pytest.mark.parametrize("other", [shapely.Point(91, 31), shapely.LineString([(90, 30), (92, 32)])])
def test_a_feature_that_is_no_polygon_is_refused_by_its_number(tmp_path, other):
    with pytest.raises(DataError, match=f"expected polygons, found feature 2: ..{other.geom_type}"):
        region.open_boundary(saved(tmp_path, BOX, other, name="b.geojson"))


# kind: coordinate systems


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:32646", "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84"])
@pytest.mark.parametrize("name", ["b.gpkg", "b.shp"])
def test_another_coordinate_system_is_reprojected_and_told(tmp_path, crs, name):
    projected = geopandas.GeoSeries([shapely.segmentize(BOX, 0.05)], crs=4326).to_crs(crs)
    read = region.open_boundary(saved(tmp_path, *projected, crs=crs, name=name))
    assert read.geometry.symmetric_difference(BOX).area < 1e-3
    assert "reprojected from" in read.notes[0] and "EPSG:4326" in read.notes[0]


def test_edges_that_are_straight_on_the_map_stay_where_they_were(tmp_path):
    """The middle of a long edge of a conic map lies half a degree off the line between its ends in degrees."""
    albers = "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84"
    box = shapely.box(-2.5e6, 3e6, 0, 4e6)
    read = region.open_boundary(saved(tmp_path, box, crs=albers)).geometry
    middle = geopandas.GeoSeries([shapely.Point(-1.25e6, 3e6)], crs=albers).to_crs(4326).iloc[0]
    assert read.exterior.distance(middle) < 0.01


def test_another_datum_in_degrees_moves_no_further_than_datums_differ(tmp_path):
    read = region.open_boundary(saved(tmp_path, BOX, crs=4490))
    assert read.geometry.symmetric_difference(BOX).area < 1e-4 and "China Geodetic" in read.notes[0]


# kind: longitudes


@pytest.mark.parametrize(
    ("west", "east", "expected"),
    [
        (190, 200, shapely.box(-170, 30, -160, 32)),
        (170, 190, shapely.union_all([shapely.box(170, 30, 180, 32), shapely.box(-180, 30, -170, 32)])),
        (180, 200, shapely.box(-180, 30, -160, 32)),
    ],
)
def test_longitudes_beyond_180_are_brought_back_and_told(tmp_path, west, east, expected):
    read = region.open_boundary(saved(tmp_path, shapely.box(west, 30, east, 32)))
    assert read.geometry.equals(expected) and "brought to -180 to 180" in read.notes[0]


def test_an_edge_across_the_antimeridian_is_refused_by_its_number(tmp_path):
    across = shapely.Polygon([(170, 30), (-170, 30), (-170, 32), (170, 32)])
    with pytest.raises(DataError, match="feature 2: an edge is more than 180 degrees .*antimeridian. Cut"):
        region.open_boundary(saved(tmp_path, BOX, across))


@pytest.mark.parametrize("wrong", [shapely.box(30, 90, 32, 92), shapely.box(1e5, 3e6, 2e5, 4e6)])
def test_degrees_that_are_none_are_refused_by_number(tmp_path, wrong):
    with pytest.raises(DataError, match="feature 1: reaches from .* Are they exchanged, or is its coordinate system"):
        region.open_boundary(saved(tmp_path, wrong))


# kind: files


def test_several_layers_are_refused_with_their_names(tmp_path):
    for layer in ("inner", "outer"):
        path = saved(tmp_path, BOX, layer=layer)
    with pytest.raises(DataError, match="b.gpkg: expected one layer of polygons, found the layers inner, outer"):
        region.open_boundary(path)


def test_a_table_beside_the_layer_is_no_layer_of_polygons(tmp_path):
    pd.DataFrame({"name": ["a"]}).pipe(geopandas.GeoDataFrame).pipe(
        pyogrio.write_dataframe, tmp_path / "b.gpkg", layer="a table"
    )
    assert region.open_boundary(saved(tmp_path, BOX, layer="outline", mode="a")).geometry.equals(BOX)


def test_names_in_another_encoding_are_not_needed(tmp_path):
    frame = geopandas.GeoDataFrame({"name": ["青藏高原"]}, geometry=[BOX], crs=4326)
    frame.to_file(tmp_path / "b.shp", encoding="GBK")
    for suffix in (".cpg",):
        (tmp_path / "b.shp").with_suffix(suffix).write_text("UTF-8")
    assert region.open_boundary(tmp_path / "b.shp").geometry.equals(BOX)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.geojson", b"\xff\xfe\x00"),
        ("b.geojson", b'{"type": "FeatureCollection"'),
        ("b.gpkg", b"SQLite format 3\x00x"),
    ],
)
def test_a_file_that_no_reader_can_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"boundary .*{name}"):
        region.open_boundary(tmp_path / name)


# --- what belongs to a region ----------------------------------------------------------------------------------------

#: An L: its bounding box is 90 to 94 E and 30 to 34 N, and the north-eastern quarter of that lies outside.
ANGLE = shapely.union_all([shapely.box(90, 30, 92, 34), shapely.box(90, 30, 94, 32)])


def places(**described) -> region.Places:
    """Return the places of a run whose region has the outline ANGLE."""
    described = {"name": "Angle", "boundary": "angle.shp"} | described
    return region.Places.of(resolve({"config": "mine"} | real_values(region=described)), ANGLE)


def test_a_point_is_inside_by_the_outline_and_not_by_its_box():
    inside = places(high_land_m=2500).inside([91.0, 93.0, 93.0, np.nan], [33.0, 33.0, 31.0, 31.0])
    assert inside.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(2500, [True, False, False, False, True]), (2400, [True, True, False, False, True]), (None, [False] * 5)],
)
def test_high_land_of_the_bounding_box_counts_from_its_limit_on_and_never_without_one(limit, expected):
    records = pd.DataFrame(
        {
            "longitude": [93.0, 93.0, 93.0, 95.0, 94.0],
            "latitude": [33.0, 33.0, 33.0, 33.0, 34.0],
            "elevation": [2500.0, 2499.0, np.nan, 5000.0, 2500.0],
        },
        index=list("abcde"),
    )
    high = places(high_land_m=limit).is_high(records["longitude"], records["latitude"], records["elevation"])
    assert high.tolist() == expected and high.index.tolist() == list("abcde")


def surroundings(folder, **described):
    path = saved(folder, shapely.box(80, 20, 100, 40), name="range.geojson")
    return {"name": "Range", "boundary": str(path)} | described


def test_surroundings_that_are_a_country_go_by_the_country_a_record_names_and_else_by_the_outline(tmp_path):
    made = places(surroundings=surroundings(tmp_path, country="Nepal"))
    here, there = (90.0, 30.0), (10.0, 50.0)
    for place, country, expected in [
        (here, "", True),
        (there, "", False),
        (here, "India", False),
        (there, "Nepal", True),
    ]:
        assert made.around([place[0]], [place[1]], [country]).tolist() == [expected]


def test_surroundings_that_are_no_country_go_by_the_outline_alone(tmp_path):
    made = places(surroundings=surroundings(tmp_path))
    assert made.around([90.0, 90.0, 10.0], [30.0, 30.0, 50.0], ["India", "", "Nepal"]).tolist() == [True, True, False]


@pytest.mark.parametrize(("country", "expected"), [("", [True, False]), ("Angleland", [False, True])])
def test_without_surroundings_the_region_is_its_own(country, expected):
    found = places(country=country).around([91.0, 99.0], [31.0, 31.0], ["India", "Angleland"])
    assert found.tolist() == expected


def test_the_grid_of_places_has_the_edges_of_its_cells():
    values = real_values(region={"name": "Angle", "boundary": "a.shp"}, west=89.93, east=94.02, south=29.99, north=35)
    made = region.Places.of(resolve({"config": "mine"} | values), ANGLE)
    assert made.grid == pytest.approx((89.9, 29.9, 94.1, 35))


@pytest.mark.parametrize(
    "box", [(90.5, 30, 94, 34), (90, 30.5, 94, 34), (90, 30, 93.5, 34), (90, 30, 94, 33.5), (93, 30, 94, 34)]
)
def test_a_grid_that_cuts_the_outline_is_refused_with_both_boxes(box):
    west, south, east, north = (f"{edge:.2f}" for edge in box)
    told = (
        "Angle lies from 90.00 to 94.00 E and 30.00 to 34.00 N, but the grid has "
        f"{west} to {east} E and {south} to {north} N and would cut it; choose west, south, east and north beyond"
    )
    with pytest.raises(DataError, match=told):
        region.refuse_cut(ANGLE, grid.target_grid(*box, 0.5), "Angle")


@pytest.mark.parametrize("box", [(90, 30, 94, 34), (89, 29, 95, 35)])
def test_a_grid_that_just_holds_the_outline_is_taken(box):
    target = grid.target_grid(*box, 0.5)
    region.refuse_cut(ANGLE, target, "Angle")
    assert region.mask_from_polygon(ANGLE, target).any()


def test_an_outline_comes_from_a_file_of_your_own_or_from_the_catalogue(tmp_path, monkeypatch):
    """A path without a folder begins at the checkout; a key has no suffix."""
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    path = saved(tmp_path, BOX, name="mine.gpkg")
    assert region.outline(Outline(name="mine", boundary="mine.gpkg")).geometry.equals(BOX)
    asked = []
    monkeypatch.setattr(region.catalog, "fetch", lambda key: asked.append(key) or {"mine.gpkg": path})
    assert region.outline(Outline(name="mine", boundary="mine")).geometry.equals(BOX) and asked == ["mine"]


@pytest.mark.real_data
@pytest.mark.parametrize("edge", [{"west": 82, "east": 105, "south": 26, "north": 40}, {"west": 89}, {"east": 104}])
def test_the_plateau_is_not_cut_by_a_small_grid(real_data, monkeypatch, edge):
    """The outline is told before a layer is opened."""
    monkeypatch.setattr(cube, "open_cube", lambda *_: pytest.fail("opened layers"))
    with pytest.raises(DataError, match="Qinghai-Tibet Plateau lies from 73.50 to 104.67 E and 25.99 to 39.83 N, but"):
        open_world(load_config("open", edge))
