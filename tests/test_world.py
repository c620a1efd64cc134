"""Both worlds come under the same names."""

import pandas as pd
import pytest
from opened import real_world

from helpers.config import RS_PREDICTORS, load_config, project_root
from helpers.data import cube, grid, region
from helpers.errors import DataError
from helpers.virtual import world as virtual
from helpers.world import World, open_world

TINY = {"resolution": 1.0, "west": 73, "east": 105, "south": 25, "north": 40, "last_year": 2002, "npp_sites": 10}


@pytest.fixture(scope="module")
def virtual_world() -> World:
    return open_world(load_config("virtual", TINY))


COMMON_NAMES = {
    "cube": {*RS_PREDICTORS, "in_region", "cell_area"},
    "products": {"npp", "rs"},
    "observations": {"npp", "rs"},
    "rs_rh_pairs": {"rs", "rh", "site"},
}


def missing_names(here: World) -> dict[str, set[str]]:
    """Return which of the common names each part of a world lacks."""
    found = {
        "cube": set(here.cube),
        "products": {name.split("_")[0] for name in here.products},
        "observations": set(here.observations["variable"]),
        "rs_rh_pairs": set(here.rs_rh_pairs),
    }
    return {part: COMMON_NAMES[part] - names for part, names in found.items() if COMMON_NAMES[part] - names}


def test_virtual_world_has_the_common_names(virtual_world):
    assert missing_names(virtual_world) == {}


def test_virtual_world_has_its_truth_for_each_year(virtual_world):
    assert set(virtual_world.truth) == {"npp", "rs", "rh", "nep"} and virtual_world.truth.sizes["time"] == 3


@pytest.mark.real_data
def test_real_world_has_the_common_names(real_data):
    assert missing_names(real_world()) == {}


@pytest.mark.real_data
def test_real_world_claims_no_truth(real_data):
    assert real_world().truth is None


def test_own_observations_join_those_of_the_world(virtual_world):
    example = project_root() / "data" / "observations" / "example_npp.csv"
    settings = load_config("virtual", TINY | {"extra_observations": ["data/observations/example_npp.csv"]})
    added = open_world(settings).observations
    assert len(added) == len(virtual_world.observations) + len(pd.read_csv(example))


def test_a_world_without_own_tables_has_no_notes(virtual_world):
    assert virtual_world.notes == ()


def test_what_was_decided_about_own_tables_is_told_and_their_pairs_join(virtual_world, tmp_path):
    head = "variable,site,longitude,latitude,year,value,unit,source,lai\n"
    place = "h0,92,33,2015,{},g C m-2 yr-1,own,2\n"
    (tmp_path / "own.csv").write_text(head + "rs," + place.format(800) + "rh," + place.format(400))
    here = open_world(load_config("virtual", TINY | {"extra_observations": [str(tmp_path / "own.csv")]}))
    assert any("column lai" in note for note in here.notes) and any(
        "1 of 1 records join" in note for note in here.notes
    )
    added = here.rs_rh_pairs.iloc[len(virtual_world.rs_rh_pairs) :]
    assert added[["site", "rs", "rh"]].to_numpy().tolist() == [["h0", 800, 400]]


def test_own_observations_that_are_not_there_are_named_before_a_world_is_made(monkeypatch):
    monkeypatch.setattr(virtual, "virtual_fields", lambda _: pytest.fail("made a world"))
    settings = load_config("virtual", TINY | {"extra_observations": ["nowhere.csv"]})
    with pytest.raises(DataError, match="nowhere.csv: no such file"):
        open_world(settings)


def test_a_box_that_cuts_the_virtual_plateau_is_refused_before_a_world_is_made(monkeypatch):
    monkeypatch.setattr(virtual, "virtual_fields", lambda _: pytest.fail("made a world"))
    with pytest.raises(DataError, match="Virtual plateau lies from .* would cut it; choose west, south"):
        open_world(load_config("virtual", TINY | {"west": 85}))


def test_a_box_beyond_the_virtual_world_is_refused_before_anyone_measures(monkeypatch):
    monkeypatch.setattr(virtual, "observe", lambda _: pytest.fail("measured"))
    with pytest.raises(DataError, match="73-136 E, 18-54 N.*choose a smaller box"):
        open_world(load_config("virtual", TINY | {"west": 60}))


def test_the_region_of_a_world_follows_its_mask(virtual_world):
    high = open_world(load_config("virtual", TINY | {"region_mask": "above_3000m"})).cube
    inside = high["in_region"]
    assert float(high["elevation"].where(inside).min()) >= 3000
    assert int(inside.sum()) != int(virtual_world.cube["in_region"].sum())


@pytest.mark.real_data
def test_the_soil_of_the_real_world_is_as_deep_as_the_settings_say(real_data, monkeypatch):
    asked = {}

    def opened(name, source, target):
        asked[name] = source
        return real_world().cube[name].isel(time=0, missing_dims="ignore")

    monkeypatch.setattr(cube, "open_layer", opened)
    made = real_world().cube
    deep = cube.open_cube(load_config("open", {"soc_depth": 100}), made, made["in_region"])
    assert asked["soc"] == "soc_0_100cm" and set(asked) == set(RS_PREDICTORS) == set(cube.covariates(deep))


@pytest.mark.real_data
def test_the_grid_of_the_papers_own_configuration_holds_the_whole_plateau(real_data):
    settings = load_config("paper")
    box = (settings.west, settings.south, settings.east, settings.north)
    target = grid.target_grid(*box, settings.resolution)
    outline = region.outline(settings.region).geometry
    region.refuse_cut(outline, target, settings.region.name)
    west, south, east, north = outline.bounds
    assert box[0] <= west and box[1] <= south and east <= box[2] and north <= box[3]
    with pytest.raises(DataError):
        region.refuse_cut(outline, grid.target_grid(73, 26, 105, 40, settings.resolution), settings.region.name)
