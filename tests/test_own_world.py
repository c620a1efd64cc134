"""A world of your own files, each named in the configuration: no code knows of it."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import pytest
import xarray as xr
import yaml
from made_world import GRID, REGION, fields, made_files, sites

from helpers import config
from helpers.data import catalog
from helpers.data.cube import covariates, sample
from helpers.data.grid import bounds
from helpers.errors import ConfigError, DataError
from helpers.forests import fitting
from helpers.sites.quality import control_pairs, quality_control
from helpers.sites.training import from_settings, training_table
from helpers.world import World, open_world
from mapforest.predict import predict


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    return made_files(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def settings(values):
    return config.resolve(values)


@pytest.fixture(scope="module")
def world(settings) -> World:
    return open_world(settings)


def changed(values, **layer):
    """Return the parameters with something else said of one layer, given as ``name={key: value}``."""
    values = copy.deepcopy(values)
    for name, more in layer.items():
        table = values["products"]["npp"] if name == "mine" else values["predictors"]
        table[name] |= more
    return values


def test_every_file_is_found_by_its_key(settings, values):
    assert len(config.own_files(settings)) == 1 + len(values["predictors"]) + 1 + 1


def test_the_cube_has_own_predictors_after_those_of_the_paper(world):
    ours = ["precipitation", "temperature", "land_cover", "elevation", "soc"]
    assert covariates(world.cube) == [*ours, "ndvi", "soil_type"]
    assert bounds(world.cube) == pytest.approx(GRID)


@pytest.mark.parametrize("name", ["ndvi", "soil_type", "elevation"])
def test_each_cell_has_the_value_of_the_map_at_its_centre(world, name):
    """A centre lies where four cells of the map meet: the south-eastern one counts."""
    made = fields()[name].sel(x=world.cube["longitude"] + 1e-6, y=world.cube["latitude"] - 1e-6, method="nearest")
    np.testing.assert_allclose(world.cube[name], made, rtol=1e-6)


def test_the_region_is_the_outline(world):
    inside = world.cube["in_region"]
    assert int(inside.sum()) == 8 * 6 and world.boundary.bounds == REGION
    assert float(world.cube["longitude"].where(inside).min()) == 91.25


def test_the_product_is_there_by_its_name(world):
    assert list(world.products) == ["npp_mine"]
    np.testing.assert_allclose(world.products["npp_mine"], 500 * world.cube["ndvi"], rtol=1e-5)
    assert world.products["npp_mine"].attrs["units"] == "g m-2 yr-1"


def test_the_records_are_those_of_the_own_table_alone_and_their_pairs_are_found(world):
    assert len(world.observations) == len(sites()) and set(world.observations["source"]) == {"mine"}
    assert world.observations["in_region"].all() and world.observations["in_surroundings"].all()
    pairs, _ = control_pairs(world.rs_rh_pairs)
    assert len(pairs) == 20 and (pairs["rh"] / pairs["rs"]).to_numpy() == pytest.approx(0.6)
    assert world.truth is None and world.modis_at_sites is None


@pytest.mark.parametrize(("name", "more"), [("npp", []), ("rs", ["soc"])])
def test_the_forests_see_the_own_predictors_by_name(world, settings, name, more):
    used, _ = quality_control(world.observations, bounds(world.cube))
    table, flow = training_table(settings, name, world.cube, used)
    seen = ["precipitation", "temperature", "ndvi", "soil_type", *more]
    assert [one for one in table if one in covariates(world.cube)] == seen
    assert flow["n"].iloc[-1] == len(table) == {"npp": 48, "rs": 20}[name]
    np.testing.assert_array_equal(table["ndvi"], sample(world.cube, table, ["ndvi"])["ndvi"])
    forest, _ = fitting.grow(settings, name, table)
    assert forest.importance["predictor"].tolist()[0] == "ndvi" or name == "rs"
    assert set(forest.importance["predictor"]) == set(seen)
    assert from_settings(settings, name, 10, 1).categorical == ["soil_type"]
    found = predict(forest, world.cube, world.cube["in_region"], threads=1)["prediction"]
    assert (np.isfinite(found) == world.cube["in_region"]).all()


def test_a_map_of_the_forest_follows_the_own_predictor(world, settings):
    used, _ = quality_control(world.observations, bounds(world.cube))
    forest, _ = fitting.grow(settings, "npp", training_table(settings, "npp", world.cube, used)[0])
    found = predict(forest, world.cube, world.cube["in_region"], threads=1)["prediction"]
    assert float(xr.corr(found, world.cube["ndvi"].where(world.cube["in_region"]))) > 0.9


# what is checked


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"soc": {"unit": "t ha-1"}}, r"product soc, .*soc.tif: its unit is 't ha-1', expected 'kg m-2': convert"),
        ({"mine": {"unit": "g C m-2 yr-1"}}, r"product npp, .*npp.tif: its unit is 'g C .*', expected 'g m-2 yr-1'"),
        ({"ndvi": {"high": 0.5}}, r"ndvi: \d+ of 120 values lie outside 0 to 0.5 1 .* Check units"),
        ({"ndvi": {"low": 0.2}}, r"ndvi: \d+ of 120 values lie outside 0.2 to 1 1 "),
        ({"elevation": {"high": 4500}}, r"elevation: \d+ of 120 values lie outside -500 to 4500 m "),
        ({"mine": {"high": 300}}, r"npp_mine: \d+ of 120 values lie outside 0 to 300 g m-2 yr-1"),
        ({"mine": {"low": 100}}, r"npp_mine: \d+ of 120 values lie outside 100 to 4000 "),
        ({"ndvi": {"kind": "classes"}}, r"ndvi.tif: kind is classes, but there are numbers that are not whole"),
    ],
)
def test_units_and_limits_of_own_maps_are_checked(values, layer, message):
    with pytest.raises(DataError, match=message):
        open_world(config.resolve(changed(values, **layer)))


def test_an_own_map_that_no_forest_sees_is_refused(values):
    with pytest.raises(ConfigError, match="predictors has ndvi, which neither npp_predictors nor rs_predictors names"):
        config.resolve(values | {"npp_predictors": ["soil_type"], "rs_predictors": ["soil_type", "soc"]})


def test_a_product_may_be_a_predictor_that_is_a_map_of_your_own(values):
    named = copy.deepcopy(values)
    named["predictors"]["npp_modis"] = values["products"]["npp"]["mine"]
    named |= {"products": {"npp": {"modis": "npp_modis"}}, "npp_predictors": ["ndvi", "npp_modis", "soil_type"]}
    named["rs_predictors"] = ["precipitation", "temperature"]
    here = open_world(config.resolve(named))
    np.testing.assert_array_equal(here.products["npp_modis"], here.cube["npp_modis"])


def test_a_grid_that_cuts_the_outline_is_refused_with_both_boxes(values):
    told = "Green Valley lies from 91.00 to 95.00 E and 31.00 to 34.00 N, but the grid has 90.00 to 94.50 E and"
    with pytest.raises(DataError, match=f"{told} 30.00 to 35.00 N and would cut it; choose west, south, east"):
        open_world(config.resolve(values | {"east": 94.5}))


def test_records_outside_of_the_grid_are_a_step_of_the_flow(values, tmp_path):
    table = sites()
    table.loc[[3, 4], ["longitude", "site"]] = [[100.0, "far"], [100.0, "farther"]]
    table.to_csv(tmp_path / "far.csv", index=False)
    here = open_world(config.resolve(values | {"extra_observations": [str(tmp_path / "far.csv")]}))
    assert any("row 5 ('100.0'), 6 ('100.0'): outside of the grid, 90 to 96 E and 30 to 35 N" in n for n in here.notes)
    used, flow = quality_control(here.observations, bounds(here.cube))
    left = flow[(flow["variable"] == "npp") & (flow["step"] == "coordinates in range")]
    assert left["excluded"].tolist() == [2] and len(used) == len(table) - 2


def test_without_any_pair_of_rs_and_rh_a_world_is_refused(values, tmp_path):
    sites().query("variable != 'rh'").to_csv(tmp_path / "npp.csv", index=False)
    with pytest.raises(DataError, match="no record of both Rs and Rh"):
        open_world(config.resolve(values | {"extra_observations": [str(tmp_path / "npp.csv")]}))


# --- a product of the catalogue --------------------------------------------------------------------------------------


@pytest.fixture
def longer_catalogue(tmp_path, monkeypatch):
    """The catalogue with two more entries at its end, of readers that are there; their files lie in a mirror."""
    world = {"latitude": np.arange(89.5, -90, -1.0), "longitude": np.arange(-179.5, 180)}
    stock = xr.DataArray(np.full((180, 360), 66, "int16"), world, tuple(world)).rename(latitude="y", longitude="x")
    stock.rio.write_crs("EPSG:4326").rio.to_raster(tmp_path / "stock.tif")
    flux = {"cnpp": 1.0, "cresp": 0.5}
    shape, axes = (1, 180, 360), {"lat": world["latitude"][::-1], "lon": np.arange(0.5, 360)}
    model = {name: (("time", "lat", "lon"), np.full(shape, value)) for name, value in flux.items()}
    xr.Dataset(model | {"landarea": (("lat", "lon"), np.ones(shape[1:]))}, axes).to_netcdf(tmp_path / "model.nc")
    text = (config.project_root() / "data" / "catalog.yml").read_text(encoding="utf-8")
    about = dict.fromkeys(("title", "variable", "licence", "reference", "notes"), "made up") | {"citation": ["A2000"]}
    for key, name, reader in (("my_soil", "stock.tif", "read_soc"), ("my_model", "model.nc", "read_casa_cnp")):
        content = (tmp_path / name).read_bytes()
        file = {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        entry = about | {"reader": f"data.readers.{reader}", "files": [file | {"url": f"https://127.0.0.1:9/{name}"}]}
        text += "\n" + yaml.safe_dump({key: entry})
    (tmp_path / "catalog.yml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalog, "catalogue_path", lambda: tmp_path / "catalog.yml")
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path))
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "cache"))


def test_a_product_is_added_by_an_entry_of_the_catalogue_and_a_line_of_the_configuration(longer_catalogue, values):
    changes = copy.deepcopy(values)
    changes["predictors"]["soc"] = "my_soil"
    changes["products"] |= {"rh": {"theirs": "my_model.rh"}}
    changes["products"]["npp"]["theirs"] = "my_model.npp"
    here = open_world(config.resolve(changes))
    assert list(here.products) == ["npp_mine", "npp_theirs", "rh_theirs"]
    np.testing.assert_allclose(here.products["npp_theirs"], 365.0)
    np.testing.assert_allclose(here.products["rh_theirs"], 182.5)
    np.testing.assert_allclose(here.cube["soc"], 6.6, rtol=1e-6)
    assert here.cube["soc"].attrs["source"] == "my_soil"


@pytest.mark.parametrize(
    ("part", "name", "source", "message"),
    [
        ("predictors", "soc", "my_model.npp", "soc: my_model.npp is in 'g m-2 yr-1', expected 'kg m-2'"),
        ("npp", "theirs", "my_soil", "npp: my_soil is in 'kg m-2', expected 'g m-2 yr-1'; is it another quantity"),
        ("npp", "theirs", "temperature", "npp: temperature is in 'degC', expected 'g m-2 yr-1'"),
    ],
)
def test_another_quantity_is_no_predictor_or_product_of_that_name(
    longer_catalogue, values, part, name, source, message
):
    changes = copy.deepcopy(values)
    (changes["predictors"] if part == "predictors" else changes["products"][part])[name] = source
    with pytest.raises(DataError, match=message):
        open_world(config.resolve(changes))


def test_a_predictor_of_your_own_name_may_be_in_any_unit(longer_catalogue, values):
    changes = copy.deepcopy(values)
    changes["predictors"]["ndvi"] = "my_soil"
    np.testing.assert_allclose(open_world(config.resolve(changes)).cube["ndvi"], 6.6, rtol=1e-6)


def test_a_key_that_the_catalogue_lacks_is_told_with_those_it_has(values):
    changes = copy.deepcopy(values)
    changes["predictors"]["soc"] = "my_soil"
    with pytest.raises(DataError, match="no product 'my_soil' in the catalogue; there are: boundary, "):
        open_world(config.resolve(changes))
