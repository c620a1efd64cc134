"""The next plots: cells that may have one, their order, what is told of them, and files for the field."""

from __future__ import annotations

import functools
import json
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from helpers.balance import plan
from helpers.config import Settings, load_config, plot_outlines
from helpers.errors import DataError

GPX = "{http://www.topografix.com/GPX/1/1}"
PREDICTORS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis", "soc")


def settings(**plots: object) -> Settings:
    return load_config("virtual", {"plots": plots, "threads": 1})


def budget(n_years: int = 1) -> pd.DataFrame:
    """Cells of a budget on a lattice of 12 by 8 cells; the northern row is water, two years differ in temperature."""
    longitude, latitude = (axis.ravel() for axis in np.meshgrid(np.arange(85, 97.0), np.arange(37, 29.0, -1)))
    rng = np.random.default_rng(5)
    one = pd.DataFrame({"latitude": latitude, "longitude": longitude})
    for name in PREDICTORS:
        one[name] = rng.normal(10.0, 2.0, len(one))
    one["land_cover"] = np.where(longitude < 90, 10.0, 16.0)
    one["elevation"] = 3000 + 200 * (longitude - 85)
    one = one.assign(cover=one["land_cover"], inside=longitude < 92, block=0, filled_area=90.0, predicted_area=90.0)
    one["area"] = np.where(latitude == 37, 0.0, 90.0)
    years = [one.assign(temperature=one["temperature"] + year, area=one["area"] / n_years) for year in range(n_years)]
    return pd.concat(years, ignore_index=True)


def families(cells: pd.DataFrame) -> xr.Dataset:
    """Two models: of NPP they are 20 apart and 40 in the east, of Rs 2 apart everywhere."""
    table = cells.loc[cells["area"] > 0, ["latitude", "longitude"]].drop_duplicates()
    half = np.where(table["longitude"] > 91, 20.0, 10.0)
    fields = {"npp": (300 - half, 300 + half), "rs": (500.0, 502.0)}
    found = []
    for member in range(2):
        rows = table.assign(**{name: pair[member] for name, pair in fields.items()})
        found.append(rows.set_index(["latitude", "longitude"]).to_xarray())
    return xr.concat(found, pd.Index(["a", "b"], name="member")).sortby("latitude", ascending=False)


@functools.cache
def cells_of(n_years: int = 1) -> pd.DataFrame:
    cells = budget(n_years)
    return plan.map_cells(cells, families(cells))


def training(n: int = 30) -> pd.DataFrame:
    """Sites in the west, whose flux grows with leaf area."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({name: rng.normal(10.0, 2.0, n) for name in PREDICTORS})
    return table.assign(
        land_cover=rng.choice([10.0, 16.0], n),
        longitude=rng.uniform(85, 88, n),
        latitude=rng.uniform(30, 36, n),
        value=100 + 20 * table["lai"].abs(),
    )


def grounds(cells: pd.DataFrame, chosen: Settings) -> dict[str, plan.Ground]:
    tables = {"npp": training(), "rs": training(20)}
    return plan.grounds(chosen, tables, cells, 0.6)


def test_a_cell_of_several_years_is_one_with_its_means_and_the_class_of_most_years():
    cells = cells_of(n_years=2)
    assert len(cells) == 12 * 7 and not cells.duplicated(["latitude", "longitude"]).any()
    np.testing.assert_allclose(cells["area"], 90.0)
    first = budget().query("latitude == 36 and longitude == 85").iloc[0]
    found = cells.query("latitude == 36 and longitude == 85").iloc[0]
    assert found["temperature"] == pytest.approx(first["temperature"] + 0.5) and found["land_cover"] == 10


def test_models_differ_by_their_standard_deviation():
    cells = cells_of()
    np.testing.assert_allclose(cells["npp_spread"], np.sqrt(2) * np.where(cells["longitude"] > 91, 20.0, 10.0))
    np.testing.assert_allclose(cells["rs_spread"], np.sqrt(2))


@given(st.lists(st.booleans(), min_size=84, max_size=84), st.integers(4, 100))
def test_a_sample_stands_for_the_whole_area_of_what_is_allowed_and_of_what_is_not(allowed, most):
    cells, allowed = cells_of(), np.array(allowed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "MOST_CELLS", most)
        table, free = plan.sampled(cells, allowed)
    assert len(table) <= max(most, 1) and free.sum() >= min(allowed.sum(), most // 2)
    for one, other in ((free, allowed), (~free, ~allowed)):
        assert table["area"][one].sum() == pytest.approx(cells["area"][other].sum())
    assert table[["latitude", "longitude"]].merge(cells).shape[0] == len(table)


def outline(folder: Path, west: float, east: float) -> str:
    path = folder / f"{west:g}.geojson"
    path.write_text(shapely.to_geojson(shapely.box(west, 28, east, 38)))
    return str(path)


def test_plots_keep_within_outlines_out_of_others_and_below_a_height(tmp_path):
    chosen = settings(within=outline(tmp_path, 86.5, 99), not_within=outline(tmp_path, 88.5, 89.5), highest_m=4200.0)
    cells = cells_of()
    allowed = plan.allowed_cells(chosen, cells, plot_outlines(chosen))
    assert sorted(cells["longitude"][allowed].unique()) == [87.0, 88.0, 90.0, 91.0]


def test_a_file_without_polygons_is_refused_by_its_name(tmp_path):
    path = tmp_path / "way.geojson"
    path.write_text(shapely.to_geojson(shapely.LineString([(80, 30), (90, 30)])))
    chosen = settings(within=str(path))
    with pytest.raises(DataError, match=r"way\.geojson: expected polygons, found feature 1: \['LineString'\]"):
        plan.allowed_cells(chosen, cells_of(), plot_outlines(chosen))


def test_a_longer_plan_goes_on_from_a_shorter_one_and_each_flux_has_its_own():
    cells = cells_of()
    allowed = (cells["longitude"] > 88).to_numpy()
    found = {}
    for number in (3, 8):
        chosen = settings(number=number, apart_km=150.0)
        found[number] = plan.ordered(chosen, "variance", grounds(cells, chosen), allowed)
        assert {name: len(plots) >= number for name, plots in found[number].items()} == dict.fromkeys(plan.PLANS, True)
        assert all(allowed[plots].all() for plots in found[number].values())
    assert all(found[8][name][:3] == found[3][name][:3] for name in plan.PLANS)
    assert found[8]["npp"] != found[8]["rs"]


def test_more_plots_than_there_is_room_for_are_refused_with_the_constraints():
    cells, chosen = cells_of(), settings(number=9, apart_km=800.0, highest_m=4000.0)
    allowed = plan.allowed_cells(chosen, cells, {})
    with pytest.raises(DataError, match=r"plots\.number is 9, and with apart_km 800\.0, highest_m 4000\.0: .*9 plots"):
        plan.ordered(chosen, "variance", grounds(cells, chosen), allowed)


def test_a_region_without_room_for_the_usual_number_has_fewer_plots():
    cells, chosen = cells_of(), settings(apart_km=400.0)
    found = plan.ordered(chosen, "variance", grounds(cells, chosen), np.ones(len(cells), bool))
    assert all(len(plots) < 20 for plots in found.values())


def test_rs_counts_by_the_share_of_it_that_is_rh():
    cells, tables = cells_of(), {"npp": training(), "rs": training(20)}
    one, half = (plan.grounds(settings(), tables, cells, share) for share in (1.0, 0.5))
    assert half["rs"].weight == pytest.approx(one["rs"].weight / 4) and half["npp"].weight == one["npp"].weight > 0


def test_what_is_left_falls_for_what_is_measured():
    cells, chosen = cells_of(), settings(number=4)
    of = grounds(cells, chosen)
    left = plan.variance_left(of, plan.ordered(chosen, "variance", of, np.ones(len(cells), bool)))
    assert {name: tuple(shares) for name, shares in left.items()} == dict(plan.FLUXES)
    for share in (share for shares in left.values() for share in shares.values()):
        assert share[0] == 1 and len(share) == 51 and (np.diff(share) < 0).all()


def test_the_interval_to_expect_is_that_of_nep_and_narrower_the_more_is_measured():
    row = {"scenario": "main", "part": "region", "mean_gC_m2_yr": 0.0, "low_gC_m2_yr": -80.0, "high_gC_m2_yr": 40.0}
    row |= {"total_TgC_yr": 0.0, "total_low_TgC_yr": -160.0, "total_high_TgC_yr": 80.0}
    budget = pd.DataFrame([row | {"quantity": name} for name in ("NPP", "Rh", "NEP")])
    sources = pd.DataFrame({"source": ["sites", "smearing", "all"]}).assign(
        npp_sd_gC_m2_yr=[30.0, 0.0, 40.0], rh_sd_gC_m2_yr=[40.0, 0.0, 50.0], nep_sd_gC_m2_yr=[50.0, 0.0, 100.0]
    )
    none = np.array([1.0, 0.0])
    found = plan.intervals(budget, sources, {"both": {"npp": none, "rs": none}, "rs": {"rs": none}})
    after = found.set_index(["plan", "plots"])
    # Of a variance of 10000 the sites of NPP make 900, those of Rs 1600.
    expected = {("both", 0): 1.0, ("both", 1): np.sqrt(0.75), ("rs", 0): 1.0, ("rs", 1): np.sqrt(0.84)}
    assert after["width_share"].to_dict() == pytest.approx(expected)
    assert after.loc[("rs", 1), "total_low_TgC_yr"] == pytest.approx(-160 * np.sqrt(0.84))
    assert found["measured"].tolist() == ["NPP and Rs at the same places"] * 2 + ["Rs alone"] * 2


UNITS = {"land_cover": "1", "elevation": "m", "lai": "1", "soc": "kg m-2"}


def plots(note: str = "") -> pd.DataFrame:
    cells = cells_of().iloc[[3, 40]]
    left = {"npp": np.array([1.0, 0.8, 0.7]), "rs": np.array([1.0, 0.9, 0.55])}
    return plan.plot_table(cells, left, UNITS, note)


def test_a_plot_is_told_with_words_and_units():
    table = plots()
    assert table.columns.tolist() == [
        *("plot", "longitude", "latitude", "elevation [m]", "land cover", "leaf area index"),
        *("soil organic carbon [kg C m-2]", "map may be used", "NPP variance left [%]", "Rs variance left [%]"),
    ]
    assert table["plot"].tolist() == [1, 2] and set(table["land cover"]) <= {"grassland", "barren"}
    assert table["Rs variance left [%]"].tolist() == pytest.approx([90, 55])
    assert plots("simulated")["note"].tolist() == ["simulated"] * 2


def test_a_gpx_has_a_waypoint_per_plot_with_name_elevation_and_what_is_known():
    table = plots("simulated: no place to go to")
    root = ElementTree.fromstring(plan.files(table, "Plateau & more")["gpx"])
    assert root.tag == f"{GPX}gpx" and root.get("version") == "1.1" and root.get("creator")
    assert root.findtext(f"{GPX}metadata/{GPX}name") == "Plateau & more"
    points = root.findall(f"{GPX}wpt")
    places = [(float(point.get("lon")), float(point.get("lat"))) for point in points]
    assert places == list(table[["longitude", "latitude"]].itertuples(index=False, name=None))
    assert [point.findtext(f"{GPX}name") for point in points] == ["plot 01", "plot 02"]
    assert [float(point.findtext(f"{GPX}ele")) for point in points] == table["elevation [m]"].tolist()
    # The schema has the parts of a waypoint in this order.
    assert [child.tag.removeprefix(GPX) for child in points[0]] == ["ele", "name", "desc", "type"]
    told = points[1].findtext(f"{GPX}desc")
    assert "Rs variance left [%] 55" in told and told.endswith("note: simulated: no place to go to")


def test_a_geojson_has_a_point_per_plot_with_all_columns():
    table = plots()
    content = plan.files(table, "")["geojson"]
    read = geopandas.read_file(BytesIO(content))
    assert read.crs.to_epsg() == 4326 and [point.x for point in read.geometry] == table["longitude"].tolist()
    pd.testing.assert_frame_equal(pd.DataFrame(read.drop(columns="geometry")), table, check_dtype=False)
    assert set(json.loads(content)["features"][0]["properties"]) == set(table.columns)


def test_places_in_words_are_the_first_in_their_order():
    table = plots()
    words = plan.in_words(table, 1)
    assert words.startswith(f"{table['latitude'][0]:.2f} N {table['longitude'][0]:.2f} E (") and ";" not in words
    assert plan.in_words(table).count(";") == 1
