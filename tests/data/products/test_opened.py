"""A product with a connector becomes a layer: planned, fetched, aligned, its years filled; and a cube of them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import dask.array
import numpy as np
import pytest
import xarray as xr

from helpers.config import Settings, resolve
from helpers.data import cube
from helpers.data.grid import target_grid
from helpers.data.products import align, connect, opened
from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.errors import ConfigError, DataError
from helpers.sites.places import OWN

#: What each catalogue key stands for here: its level, and whether no year changes it.
LEVELS = {
    **{"cmfd_prec": (500, False), "cmfd_temp": (2, False), "cmfd_srad": (200, False), "mcd12q1": (10, False)},
    **{"glo90": (4500, True), "globmap_lai": (1, False), "mod17a3hgf": (250, False), "soilgrids_30cm": (7, True)},
    **{"casa_npp": (300, False), "glo_pem_npp": (320, False), "stell2021_rs": (600, True)},
}
#: What it gives.
NAMES = {
    **{"cmfd_prec": "precipitation", "cmfd_temp": "temperature", "cmfd_srad": "srad", "mcd12q1": "land_cover"},
    **{"glo90": "elevation", "globmap_lai": "lai", "mod17a3hgf": "npp_modis", "soilgrids_30cm": "soc"},
    **{"casa_npp": "npp", "glo_pem_npp": "npp", "stell2021_rs": "rs"},
}
LACKING = {"mod17a3hgf": {2000}, "mcd12q1": {2000}, "casa_npp": {2002, 2003}}


class Plain:
    """A product of 0.05 degree whose value is its level, plus 0.1 for each year since 2000."""

    in_blocks = True
    planned: ClassVar[list[str]] = []
    by_hand: ClassVar[str] = ""

    def __init__(self, key: str, folder: Path) -> None:
        self.key, self.folder = key, folder
        self.level, self.static = LEVELS[key]
        self.name = NAMES[key]

    def plan(self, want: Want) -> Plan:
        """Return one file of all years."""
        self.planned.append(self.key)
        lacking = () if self.static else tuple(year for year in want.years if year in LACKING.get(self.key, ()))
        assets = (Asset(f"{self.key}.tif", f"https://a.example/{self.key}.tif?sig=secret", 3, year=None),)
        return Plan(assets, lacking, self.by_hand)

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Write the file."""
        path = folder / asset.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("map")
        return path

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return cells that cover the box."""
        assert [path.name for path in files] == [f"{self.key}.tif"]
        cells = target_grid(box.west - 0.1, box.south - 0.1, box.east + 0.1, box.north + 0.1, 0.05)
        axes = {"y": cells["latitude"].values, "x": cells["longitude"].values}
        value = self.level + (0.1 * (year - 2000) if year and self.key != "mcd12q1" else 0)
        if self.key == "mcd12q1" and year == 2001:
            value = 16
        return xr.DataArray(
            np.full((axes["y"].size, axes["x"].size), value, "float32"), axes, ("y", "x"), self.name
        ).rio.write_crs(4326)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A world of such products, 30 x 20 cells, 2000 to 2003."""
    made = {key: Plain(key, tmp_path) for key in LEVELS}
    monkeypatch.setattr(opened, "connect", lambda key, _: made[key])
    monkeypatch.setattr(Plain, "planned", [])
    return world(tmp_path)


def world(folder: Path, **changes: object) -> Settings:
    values = {
        "config": "paper",
        "world": "real",
        **{"west": 91, "south": 29, "east": 94, "north": 31, "resolution": 0.1, "first_year": 2000, "last_year": 2003},
        "region": {"name": "Here", "boundary": "boundary"},
        "predictors": {
            **{"precipitation": "cmfd_prec", "temperature": "cmfd_temp", "srad": "cmfd_srad", "land_cover": "mcd12q1"},
            **{"elevation": "glo90", "lai": "globmap_lai", "npp_modis": "mod17a3hgf", "soc": "soilgrids_{soc_depth}cm"},
        },
        "products": {"npp": {"modis": "npp_modis", "casa": "casa_npp"}, "rs": {"stell": "stell2021_rs"}},
        "observations": ["srdb"],
        "archives": {"downloads": str(folder)},
    }
    return resolve(values | changes)


def opened_cube(settings: Settings) -> xr.Dataset:
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    return cube.open_cube(settings, grid, xr.ones_like(grid["latitude"] * grid["longitude"], dtype=bool))


def years_of(field: xr.DataArray) -> list[float]:
    return [round(float(value), 4) for value in field[:, 0, 0]]


def test_a_yearly_layer_has_the_years_of_the_run_and_a_static_one_none(settings):
    found = opened_cube(settings)
    assert found["time"].dt.year.values.tolist() == [2000, 2001, 2002, 2003]
    assert years_of(found["precipitation"]) == [500.0, 500.1, 500.2, 500.3]
    assert years_of(found["npp_modis"]) == [250.2, 250.1, 250.2, 250.3]  # 2000 is the mean of the others
    assert years_of(found["land_cover"]) == [16, 16, 10, 10]  # classes have no mean: 2000 takes 2001
    assert found["elevation"].dims == found["soc"].dims == ("latitude", "longitude")
    assert found["npp_modis"].attrs["years"] == "2001-2003; their mean for 2000"
    assert found["npp_modis"].attrs["units"] == "g m-2 yr-1" and found["npp_modis"].attrs["source"] == "mod17a3hgf"
    assert found.attrs["years"].startswith("own_mean: precipitation 2000-2003, ")


def test_nothing_of_such_a_cube_is_in_memory_and_its_tiles_have_all_years(settings):
    found = opened_cube(settings)
    for name in cube.covariates(found):
        assert isinstance(found[name].data, dask.array.Array)
        assert found[name].chunks[0] == (4,) or "time" not in found[name].dims


def test_common_years_are_those_that_all_predictors_and_products_have(settings, tmp_path):
    chosen = world(tmp_path, missing_years="common_years")
    found = opened_cube(chosen)
    assert found["time"].dt.year.values.tolist() == [2001]
    # They are means of 2001 alone, and say so: CASA has 2000, too, and MODIS 2002 and 2003.
    products = cube.open_products(chosen, found)
    assert {products[name].attrs["years"] for name in ("npp_casa", "npp_modis")} == {"2001"}
    with pytest.raises(DataError, match="no year of 2002-2003 is in all products"):
        opened_cube(world(tmp_path, missing_years="common_years", first_year=2002))


def test_the_nearest_year_stands_for_a_lacking_one(settings, tmp_path):
    found = opened_cube(world(tmp_path, missing_years="nearest_year"))
    assert years_of(found["npp_modis"]) == [250.1, 250.1, 250.2, 250.3]


def test_products_are_compared_by_the_mean_of_their_own_years_which_they_tell(settings):
    found = cube.open_products(settings, opened_cube(settings))
    assert round(float(found["npp_casa"][0, 0]), 3) == 300.05
    assert found["npp_casa"].attrs["years"] == "2000-2001; their mean for 2002-2003"
    assert round(float(found["npp_modis"][0, 0]), 3) == 250.2
    assert found["npp_modis"].attrs["years"] == "2001-2003; their mean for 2000"
    assert found["rs_stell"].attrs["years"] == "a mean of all years" and float(found["rs_stell"][0, 0]) == 600


def test_a_plan_is_kept_without_secrets_and_asked_for_once(settings, tmp_path):
    opened_cube(settings)
    assert Plain.planned.count("mod17a3hgf") == 1
    text = (tmp_path / "mod17a3hgf" / "plan.json").read_text()
    assert "secret" not in text and json.loads(text)["lacking"] == [2000]
    opened_cube(settings)
    assert Plain.planned.count("mod17a3hgf") == 1
    opened_cube(world(tmp_path, last_year=2002))
    assert Plain.planned.count("mod17a3hgf") == 2
    (tmp_path / "mod17a3hgf" / "plan.json").write_text('{"asked": ')  # cut off: it is asked for anew
    opened_cube(world(tmp_path, last_year=2002))
    assert Plain.planned.count("mod17a3hgf") == 3


def test_what_must_be_got_by_hand_is_told_before_anything_is_read(settings, monkeypatch):
    monkeypatch.setattr(Plain, "by_hand", "three tiles from the archive into here")
    with pytest.raises(DataError, match="cmfd_prec: not all files are there: three tiles .*make data CONFIG=paper"):
        opened_cube(settings)


def test_a_value_out_of_its_range_names_its_cell_also_where_nothing_is_in_memory(settings, monkeypatch):
    monkeypatch.setitem(LEVELS, "cmfd_temp", (275, False))
    monkeypatch.setattr(opened, "connect", lambda key, _: Plain(key, Path()))
    with pytest.raises(DataError, match=r"temperature: 2400 of 2400 values lie outside .*the first at time 2000-01-01"):
        opened_cube(settings)


def test_a_record_without_a_year_has_the_mean_of_a_number_and_the_commonest_of_a_class(settings):
    sites = xr.Dataset({"longitude": ("s", [92.0]), "latitude": ("s", [30.0])}).to_dataframe()
    found = cube.sample(opened_cube(settings), sites, ["land_cover", *OWN]).iloc[0]
    assert found["land_cover"] == 10 and round(found["precipitation"], 3) == 500.15


def test_means_over_the_years_keep_classes_whole(settings):
    means = cube.climatology(opened_cube(settings))
    assert set(np.unique(means["land_cover"])) == {10} and "time" not in means.dims


# --- folders and options ---------------------------------------------------------------------------------------------


def test_what_is_made_up_never_lies_where_the_archives_files_do(tmp_path):
    real, made_up = world(tmp_path), world(tmp_path, made_up=True)
    assert connect.folder_of("glo90", real) == tmp_path / "glo90"
    assert connect.folder_of("glo90", made_up) == tmp_path / "made_up" / "glo90"
    # Nothing is asked for over the network.
    assert {connect.options_of(key, made_up)["transport"] for key in LEVELS} == {"folder"}
    assert connect.options_of("mcd12q1", real)["transport"] == "earthdata"


def test_options_of_a_configuration_stand_above_those_of_the_catalogue(tmp_path):
    options = {"mod17a3hgf": {"transport": "earthdata"}, "casa_npp": {"scale": 0.1, "transport": "folder"}}
    chosen = world(tmp_path, connectors=options)
    assert type(connect.connect("mod17a3hgf", chosen).transport).__name__ == "Earthdata"
    casa = connect.connect("casa_npp", chosen)
    assert casa.scale == 0.1 and list(casa.years) == [1985, 2015] and casa.transport.path == tmp_path / "casa_npp"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mod17a3hgf": {"transport": "ftp"}}, "connectors.mod17a3hgf: transport is 'ftp'; expected folder or one of"),
        ({"mod17a3hgf": {"token": "s3cret"}}, "connectors.mod17a3hgf: .*unexpected keyword argument 'token'"),
    ],
)
def test_an_option_that_a_product_cannot_have_is_named_without_its_value(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message) as told:
        connect.connect("mod17a3hgf", world(tmp_path, connectors=options))
    assert "s3cret" not in str(told.value)


def test_the_address_of_an_archive_is_that_of_the_configuration(tmp_path):
    chosen = world(tmp_path, archives={"downloads": str(tmp_path), "glo90": "http://127.0.0.1:9/dem"})
    assert connect.connect("glo90", chosen).transport.base == "http://127.0.0.1:9/dem"


def test_a_product_can_be_sent_to_a_worker(tmp_path):
    for key in LEVELS:
        product = connect.connect(key, world(tmp_path))
        assert type(pickle.loads(pickle.dumps(product))) is type(product)


def test_a_layer_is_made_anew_when_what_reads_it_changes(tmp_path):
    """Its own module, and those that it reads with; not those that only fetch."""
    used = {name.rpartition(".")[2] for name in align._code_of(connect.connect("casa_npp", world(tmp_path)))}
    assert {"rasters", "windows", "align"} <= used and not used & {"session", "transports", "modis"}


def test_a_product_cannot_stand_for_another_quantity(settings, tmp_path):
    layers = dict(settings.predictors) | {"temperature": "cmfd_prec"}
    with pytest.raises(DataError, match="cmfd_prec gives precipitation, and stands for temperature"):
        opened_cube(world(tmp_path, predictors=layers))
