"""The made-up archive: each product of paper-mini comes from its files to the field that it was made from."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from helpers.config import Settings, load_config
from helpers.data import catalog, region
from helpers.data.grid import target_grid
from helpers.data.products import connect, opened
from helpers.errors import ConfigError
from helpers.sites.tables import read_table
from helpers.virtual import archive
from helpers.virtual.archive import fields, rasters, respiration, sites
from helpers.world import open_world

#: A part of the region of paper-mini and of its years, with the seam of four tiles of MODIS.
PART = {"west": 92.2, "south": 29.9, "east": 92.6, "north": 30.2, "last_year": 2001, "threads": 1}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    downloads = {"downloads": str(tmp_path_factory.mktemp("archive"))}
    settings = load_config("paper-mini", PART | {"archives": downloads})
    archive.write_archive(settings)
    return settings


def grid_of(settings: Settings):
    return target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)


def of_place(flux):
    return lambda longitude, latitude, _: flux(longitude, latitude)


def of_cells(flux):
    """Return a field as cells of 0.1 degree have it: that of their centres."""
    return lambda x, y, year: flux((np.floor(x * 10) + 0.5) / 10, (np.floor(y * 10) + 0.5) / 10, year)


#: By catalogue key: our name, the field in the files, and how far a cell of the product may be from ours.
EXPECTED = {
    "cmfd_prec": ("precipitation", of_cells(fields.precipitation), 1e-3),
    "cmfd_srad": ("srad", of_cells(fields.srad), 1e-3),
    "globmap_lai": ("lai", fields.lai, 0.2),
    "mod17a3hgf": ("npp_modis", fields.npp, 0.02),
    "glo90": ("elevation", of_place(fields.elevation), 0.001),
    "soilgrids_30cm": ("soc", of_place(fields.soc), 0.02),
    "casa_npp": ("npp", lambda *at: rasters.CASA * fields.npp(*at), 0.03),
    "glo_pem_npp": ("npp", lambda *at: rasters.GLO_PEM * fields.npp(*at), 0.03),
    "stell2021_rs": ("rs", lambda x, y, _: fields.rs(x, y, respiration.YEAR), 0.02),
    "stell2021_rh": ("rh", lambda x, y, _: fields.rh(x, y, respiration.YEAR), 0.02),
    "warner2019_rs": ("rs", lambda x, y, _: respiration.OF_1736 * fields.rs(x, y, respiration.YEAR), 0.02),
}


def test_every_product_of_the_configuration_is_looked_at_here(settings):
    others = {"cmfd_temp", "mcd12q1", "paper_sites"}  # each has a test of its own
    assert set(opened.keys(settings, tables=True)) == {*EXPECTED, *others}


@pytest.mark.parametrize("key", EXPECTED)
def test_a_product_is_on_the_grid_the_field_that_its_files_were_made_from(settings, key):
    name, field, tolerance = EXPECTED[key]
    grid = grid_of(settings)
    found = opened.layer(name, key, grid, settings, [2000, 2001])
    values = found.sel(time="2001").squeeze().values if "time" in found.dims else found.values
    expected = field(*np.meshgrid(grid["longitude"], grid["latitude"]), 2001)
    assert np.isfinite(values).mean() > 0.99
    np.testing.assert_allclose(values[np.isfinite(values)], expected[np.isfinite(values)], rtol=tolerance)
    assert found.attrs["made_up"] and found.attrs["source"] == key


def test_temperature_and_land_cover_too(settings):
    grid = grid_of(settings)
    place = np.meshgrid(grid["longitude"], grid["latitude"])
    warm = opened.layer("temperature", "cmfd_temp", grid, settings, [2001])[0].values
    np.testing.assert_allclose(warm, of_cells(fields.temperature)(*place, 2001), atol=0.006)
    classes = opened.layer("land_cover", "mcd12q1", grid, settings, [2000, 2001])
    assert (classes[1].values == fields.land_cover(*place, 2001)).mean() > 0.97
    np.testing.assert_array_equal(classes[0], classes[1])  # 2000 is not in the collection: it takes 2001


def test_nothing_is_written_twice_and_another_box_anew(settings):
    (first, *_) = (connect.folder_of("glo90", settings)).glob("*.tif")
    before = first.stat().st_mtime_ns
    archive.write_archive(settings)
    assert first.stat().st_mtime_ns == before
    archive.write_archive(settings.model_copy(update={"last_year": 2000}))
    assert first.stat().st_mtime_ns > before
    archive.write_archive(settings)


def test_nothing_is_made_up_for_a_real_archive():
    with pytest.raises(ConfigError, match="paper: made_up is false"):
        archive.write_archive(load_config("paper"))


def test_every_product_with_a_connector_can_be_made_up():
    keys = {key for key, entry in catalog.load_catalog().items() if entry.connector}
    assert keys == set(archive._WRITERS)


def test_the_sites_are_read_as_they_were_written(settings, tmp_path):
    (path,) = sites.write_sites(tmp_path, fields.BOX, [2001, 2002])
    places = region.Places.of(settings, region.outline(settings.region).geometry)
    read = read_table(path, places)
    counts = read.records["variable"].value_counts().to_dict()
    assert counts == {"npp": sites.NPP_SITES, "rs": sites.RS_SITES, "rh": sites.RS_SITES}
    npp = read.records[read.records["variable"] == "npp"]
    expected = fields.npp(npp["longitude"], npp["latitude"], npp["year"])
    assert abs(np.log(npp["value"] / expected)).max() < 5 * sites.SCATTER and npp["in_region"].mean() > 0.9
    assert any("longitude and latitude stand in each other's column" in note for note in read.notes)


def test_the_world_opens_from_the_files_alone(settings, tmp_path):
    path = tmp_path / "outline.geojson"
    path.write_text(shapely.to_geojson(shapely.box(92.25, 29.95, 92.55, 30.15)))
    outline = settings.region.model_copy(update={"boundary": str(path)})
    world = open_world(settings.model_copy(update={"region": outline}))
    assert world.cube.sizes["time"] == 2
    # Records beyond the outline are no pairs, since the region has no surroundings.
    inside = world.observations["in_region"] & (world.observations["variable"] == "rs")
    assert 20 < inside.sum() < sites.RS_SITES and len(world.rs_rh_pairs) == inside.sum()
    assert set(world.products) == {"npp_modis", "npp_casa", "npp_glo_pem", "rs_stell", "rs_warner", "rh_stell"}
    assert world.products["npp_modis"].attrs["years"] == "2001; their mean for 2000"
