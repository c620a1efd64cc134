"""The parameters of a run: read, overridden, and refused with the nearest valid name."""

import re

import pytest
import yaml
from made_places import real_values

from helpers import config
from helpers.config import load_config
from helpers.errors import ConfigError
from helpers.sites import training


@pytest.mark.parametrize("name", config.config_names())
def test_each_committed_configuration_is_valid_and_named_as_its_file(name):
    assert load_config(name).config == name


def test_the_papers_forests_are_the_defaults_of_open():
    settings = load_config("open")
    assert (settings.n_trees, settings.npp_mtry, settings.rs_mtry, settings.nodesize) == (1500, 6, 7, 5)


def test_run_is_named_as_its_configuration_unless_told():
    assert (load_config("open").run, load_config("open", {"run": "trial"}).run) == ("open", "trial")


def test_none_leaves_the_files_value():
    assert load_config("open", {"n_trees": None}).n_trees == 1500


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_tres": 5}, "unknown key 'n_tres'; did you mean 'n_trees'"),
        ({"n_trees": 0}, "n_trees: .*greater than or equal to 1 .given: 0"),
        ({"n_trees": "many"}, "n_trees: .*valid integer.*'many'"),
        ({"npp_mtry": 8}, "npp_mtry is 8, but this forest has 7 predictors"),
        ({"rs_mtry": 9}, "rs_mtry is 9, but this forest has 8 predictors"),
        ({"world": "peper"}, "world is 'peper'; expected virtual, real .*, or the configuration .*open"),
        ({"world": 3}, "world: .*'virtual' or 'real'"),
        ({"west": 120.0, "east": 100.0}, "west .120.0. lies beyond east .100.0."),
        ({"first_year": 2018, "last_year": 2000}, "first_year .2018. lies beyond last_year .2000."),
        ({"run": "../elsewhere"}, "run: .*plain name"),
        ({"sweep": "../elsewhere"}, "sweep: .*plain name"),
        ({"left_out": "srda"}, "left_out is 'srda'; expected none or one of precip.*; did you mean 'srad'"),
        ({"world": "virtual", "soc_depth": 100}, "soc_depth is 100, which only world: real has; expected 30"),
        ({"world": "virtual", "rs_filter": "coverage"}, "rs_filter is 'coverage', which only world: real has"),
    ],
)
def test_values_that_cannot_be_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        load_config("open", values)


def test_unknown_key_of_a_file_names_the_file(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("world: real\nresolution: 0.1\nnode_size: 3\n")
    with pytest.raises(ConfigError, match="mine.yml: unknown key 'node_size'; did you mean 'nodesize'"):
        load_config(path)


def test_a_file_without_keys_is_refused(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("- open\n")
    with pytest.raises(ConfigError, match="expected one 'key: value' per line"):
        load_config(path)


def test_missing_configuration_lists_those_there_are():
    with pytest.raises(ConfigError, match="there are: .*open, .*virtual"):
        load_config("opne")


def test_a_notebooks_own_values_override_its_configuration():
    names = {"config": "open", "n_trees": 100, "npp_mtry": None, "unrelated": 3}
    settings = config.from_notebook(names)
    assert (settings.config, settings.n_trees, settings.npp_mtry) == ("open", 100, 6)


def test_a_misspelt_papermill_parameter_is_refused():
    names = {"In": ["", "import os", "# Parameters\nn_tres = 100\n"], "config": "open", "n_tres": 100}
    with pytest.raises(ConfigError, match="papermill: unknown key 'n_tres'; did you mean 'n_trees'"):
        config.from_notebook(names)


def injected(**values):
    """Return the names of a notebook whose parameters papermill has injected, over those of its own cell."""
    cell = "# Parameters\n" + "\n".join(f"{key} = {value!r}" for key, value in values.items())
    return {"In": ["", 'config = "virtual"\nn_trees = None', cell], "config": "virtual", "n_trees": None} | values


MINE = real_values(resolution=0.5)


@pytest.mark.parametrize(
    "values", [MINE, MINE | {"n_trees": 7, "run": "trial"}, {"world": "real"}, {"world": "virtual"}]
)
def test_a_file_by_papermill_that_does_not_say_its_name_is_refused_and_asked_for_it(values):
    with pytest.raises(
        ConfigError, match=f"world is '{values['world']}'.*add a line 'config: NAME'.*there are: .*open, .*virtual"
    ):
        config.from_notebook(injected(**values))


def test_a_parameter_alone_still_replaces_one_of_the_usual_configuration():
    settings = config.from_notebook(injected(resolution=0.5))
    assert (settings.config, settings.resolution, settings.n_trees) == ("virtual", 0.5, 500)


@pytest.mark.parametrize("name", [*config.config_names(), "mine"])
def test_a_file_means_the_same_by_papermill_and_by_the_command(name, tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    for known in config.config_names():
        text = (config.project_root() / "config" / f"{known}.yml").read_text(encoding="utf-8")
        (tmp_path / "config" / f"{known}.yml").write_text(text, encoding="utf-8")
    (tmp_path / "data").symlink_to(config.project_root() / "data")
    (tmp_path / "config" / "mine.yml").write_text(yaml.safe_dump({"config": "mine"} | MINE))
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    values = yaml.safe_load((tmp_path / "config" / f"{name}.yml").read_text(encoding="utf-8"))
    assert config.from_notebook(injected(**values)) == load_config(name)


def test_a_file_under_another_name_than_its_config_key_is_refused(tmp_path):
    """Papermill would lay it over the other one, and the command would not."""
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump({"config": "open"} | MINE))
    with pytest.raises(ConfigError, match=r"mine\.yml: config is 'open'.*write 'config: mine', or give"):
        load_config(path)


def test_the_name_of_a_configuration_is_no_parameter_that_can_be_replaced():
    with pytest.raises(ConfigError, match=r"open\.yml: config cannot be replaced by 'virtual'"):
        load_config("open", {"config": "virtual"})


NOT_UTF8 = [
    ("# près d'ici\nworld: real\n".encode("latin-1"), 1),
    (b"world: real\nresolution: 0.5\n# 5 \xb0 \n", 3),
    ("world: real\n".encode("utf-16"), 1),
]


@pytest.mark.parametrize(("content", "line"), NOT_UTF8)
def test_a_file_that_is_not_in_utf8_is_named_with_its_line(content, line, tmp_path):
    path = tmp_path / "mine.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}: not in UTF-8, at line {line}: save"):
        load_config(path)


def test_utf8_with_its_mark_at_the_start_is_read(tmp_path):
    """As editors on Windows write it."""
    path = tmp_path / "mine.yml"
    path.write_text("world: virtual # près d'ici\nresolution: 0.5\n", encoding="utf-8-sig")
    assert load_config(path).resolution == 0.5


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=f"{re.escape(str(tmp_path))}: cannot be read: "):
        config.read_yaml(tmp_path)


@pytest.mark.parametrize("given", ["~/own.csv", "data/own.csv", "/elsewhere/own.csv"])
def test_paths_of_own_files_begin_at_home_the_checkout_or_the_root(given, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path / "check out"))
    place = {"~": "home/own.csv", "d": "check out/data/own.csv", "/": "elsewhere/own.csv"}[given[0]]
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    given = given.replace("/elsewhere", str(tmp_path / "elsewhere"))
    settings = config.resolve({"config": "mine", "extra_observations": [given]} | MINE)
    assert config.own_files(settings) == [tmp_path / place]


def test_an_own_table_that_is_not_there_is_named_as_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings = config.resolve({"config": "mine", "extra_observations": ["~/gone.csv"]} | MINE)
    with pytest.raises(ConfigError, match=rf"extra_observations: '~/gone.csv': no file {re.escape(str(tmp_path))}"):
        config.own_files(settings)


def test_outlines_of_plots_are_found_as_other_own_files_and_are_none_of_them(tmp_path):
    path = tmp_path / "here.geojson"
    path.touch()
    settings = load_config("open", {"plots": {"not_within": str(path)}})
    assert config.plot_outlines(settings) == {"not_within": path} and config.plot_outlines(load_config("open")) == {}
    assert path not in config.own_files(settings)
    with pytest.raises(ConfigError, match=r"plots\.within: 'gone\.geojson': no file"):
        config.plot_outlines(load_config("open", {"plots": {"within": "gone.geojson"}}))


@pytest.mark.parametrize(
    ("plots", "message"),
    [
        ({"number": 0}, "plots.number: .*greater than or equal to 1"),
        ({"number": 51}, "plots.number: .*less than or equal to 50"),
        ({"apart_km": -1.0}, "plots.apart_km: .*greater than or equal to 0"),
        ({"highest": 4000.0}, "plots.highest: Extra inputs"),
        ({"highest_m": "4000"}, "plots.highest_m: .*valid number"),
    ],
)
def test_a_plan_of_plots_that_cannot_be_is_refused(plots, message):
    with pytest.raises(ConfigError, match=message):
        load_config("virtual", {"plots": plots})


def test_a_configuration_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(MINE))
    assert load_config("~/mine.yml").config == "mine"


# --- a real world is a table -----------------------------------------------------------------------------------------

OWN_MAP = {"file": "ndvi.tif", "unit": "1"}


def real(**changes):
    """Resolve the configuration ``open`` with some parameters replaced."""
    return config.resolve({"config": "mine"} | real_values(**changes))


def predictors(without=(), **more):
    """Return the predictors of ``open``, without some and with others."""
    given = real_values()["predictors"] | more
    return {name: source for name, source in given.items() if name not in without}


@pytest.mark.parametrize("name", config.NEEDED_LAYERS)
def test_each_layer_that_the_code_asks_for_is_needed_also_where_no_forest_sees_it(name):
    seen = [one for one in config.RS_PREDICTORS if one != name]
    changes = {"npp_predictors": [one for one in seen if one != "soc"], "rs_predictors": seen}
    with pytest.raises(ConfigError, match=f"predictors has no {name}; every world needs precipitation, temperature"):
        real(predictors=predictors(without=[name]), **changes)
    assert name in real(**changes).predictors


def test_a_layer_that_is_not_needed_may_be_missing_if_no_forest_sees_it():
    assert set(config.RS_PREDICTORS) - set(config.NEEDED_LAYERS) == {"srad", "lai", "npp_modis"}
    seen = [name for name in config.NPP_PREDICTORS if name != "lai"]
    settings = real(predictors=predictors(without=["lai"]), npp_predictors=seen, rs_predictors=seen)
    assert "lai" not in settings.predictors


REFUSED = {
    "no boundary": ({"region": {"name": "Valley"}}, "region has no boundary; expected a key .* or a vector file"),
    "name of the cube": ({"predictors": predictors(cell_area=OWN_MAP)}, "'cell_area' cannot name a layer or a product"),
    "name of a table": ({"predictors": predictors(value=OWN_MAP)}, "'value' cannot name a layer or a product"),
    "no name": ({"predictors": predictors(**{"my map": OWN_MAP})}, "'my map' cannot name a layer or a product"),
    "name of the forest": ({"products": {"npp": {"random_forest": "miami_npp"}}}, "'random_forest' cannot name"),
    "depth that nothing has": (
        {"predictors": predictors(soc="soc_0_30cm"), "soc_depth": 100},
        "soc_depth is 100, but no name in predictors holds {soc_depth}",
    ),
    "idle": ({"predictors": predictors(ndvi=OWN_MAP)}, "predictors has ndvi, which neither npp_predictors nor rs_"),
    "unknown": ({"npp_predictors": ["lia"]}, "npp_predictors has 'lia', which predictors lacks;.*did you mean 'lai'"),
    "unknown of rs": ({"rs_predictors": ["lai", "ndvi"]}, "rs_predictors has 'ndvi', which predictors lacks"),
    "twice": ({"npp_predictors": ["lai", "soc", "lai"]}, "npp_predictors names a predictor twice: lai, soc, lai"),
    "none": ({"npp_predictors": []}, "npp_predictors: .*at least 1 item"),
    "no records": ({"observations": []}, "observations is empty; expected site databases of data/catalog.yml"),
    "no surroundings": (
        {"region": {"name": "Valley", "boundary": "a.shp"}, "training_domain": "surroundings"},
        "training_domain is 'surroundings', but region has none; expected 'region'",
    ),
    "flux": ({"products": {"gpp": {"a": "miami_npp"}}}, "products.gpp"),
    "layer": ({"predictors": predictors(lai={"file": "a.tif"})}, r"predictors\.lai\.Layer\.unit: Field required"),
    "kind": ({"predictors": predictors(lai=OWN_MAP | {"kind": "class"})}, r"predictors\.lai\.Layer\.kind: .*'classes'"),
    "key": ({"predictors": predictors(lai=OWN_MAP | {"units": "1"})}, r"predictors\.lai\.Layer\.units: Extra inputs"),
    "nameless": ({"region": {"name": "", "boundary": "a.shp"}}, r"region\.name: .*at least 1 character"),
    "left out": ({"left_out": "ndvi"}, "left_out is 'ndvi'; expected none or one of precipitation, "),
    "check": (
        {"predictors": predictors(without=["npp_modis"]), "npp_predictors": ["lai"], "rs_predictors": ["srad"]},
        "npp_modis_at_sites is 'modis_npp_sites', but predictors has no npp_modis",
    ),
    "mtry": ({"npp_predictors": ["lai", "soc"], "npp_mtry": 3}, "npp_mtry is 3, but this forest has 2 predictors"),
    "mtry of rs": ({"rs_predictors": ["lai", "soc"], "rs_mtry": 3}, "rs_mtry is 3, but this forest has 2 predictors"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_real_world_that_is_not_complete_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        real(**changes)


def test_what_was_refused_is_right_with_one_change():
    """So that no message above comes from another fault."""
    assert real(predictors=predictors(ndvi=OWN_MAP), rs_predictors=["ndvi", "lai"]).predictors["ndvi"].unit == "1"
    assert real(observations=[], extra_observations=["own.csv"]).observations == []
    valley = {"name": "Valley", "boundary": "a.shp", "surroundings": {"name": "Range", "boundary": "b.shp"}}
    assert real(region=valley, training_domain="surroundings").region.surroundings.country == ""
    assert real(npp_predictors=["lai", "soc"], npp_mtry=2).npp_mtry == 2
    assert real(left_out="soc").left_out == "soc"


def test_a_region_is_called_by_its_name_unless_told():
    valley = {"name": "Valley", "boundary": "a.shp"}
    assert (real(region=valley).region.called, real().region.called) == ("Valley", "the plateau")
    assert not real(region=valley).region.of_paper and real().region.of_paper


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("predictors", {"lai": "lai_from_fapar"}),
        ("products", {"npp": {"miami": "miami_npp"}}),
        ("observations", ["srdb"]),
        ("npp_modis_at_sites", "modis_npp_sites"),
    ],
)
def test_what_a_virtual_world_makes_itself_is_refused_there(key, value):
    with pytest.raises(ConfigError, match=f"{key}: a virtual world makes its own; expected world: real"):
        load_config("virtual", {key: value})


def test_a_virtual_world_has_the_papers_predictors_and_no_others():
    assert load_config("virtual", {"npp_predictors": ["lai"]}).npp_predictors == ["lai"]
    with pytest.raises(ConfigError, match="npp_predictors has 'ndvi', which predictors lacks; it has precipitation"):
        load_config("virtual", {"npp_predictors": ["ndvi"]})


def test_the_papers_mtry_follows_a_shorter_list_of_predictors():
    three = {"rs_predictors": ["lai", "soc", "srad"], "predictors": predictors(without=["npp_modis"])}
    three["npp_modis_at_sites"] = ""
    settings = real(npp_predictors=["lai", "soc"], **three)
    forests = [training.from_settings(settings, name, 10, 1) for name in ("npp", "rs")]
    assert [(forest.mtry, forest.predictors) for forest in forests] == [
        (2, ("lai", "soc")),
        (3, ("lai", "soc", "srad")),
    ]
    typed = real(npp_predictors=["lai", "soc"], npp_mtry=1)
    assert training.from_settings(typed, "npp", 10, 1).mtry == 1


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("extra_observations", {"extra_observations": ["gone.csv"]}),
        ("predictors.lai", {"predictors": predictors(lai=OWN_MAP | {"file": "gone.tif"})}),
        ("products.npp.mine", {"products": {"npp": {"mine": OWN_MAP | {"file": "gone.nc"}}}}),
        ("region", {"region": {"name": "Valley", "boundary": "gone.shp"}}),
        (
            "region.surroundings",
            {"region": {"name": "V", "boundary": "boundary", "surroundings": {"name": "R", "boundary": "gone.gpkg"}}},
        ),
    ],
)
def test_a_missing_file_is_told_with_its_key(key, changes, tmp_path, monkeypatch):
    settings = real(**changes)
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    where = re.escape(str(tmp_path))
    with pytest.raises(
        ConfigError, match=rf"^{key}: 'gone\.\w+': no file {where}/gone\.\w+: expected an absolute path"
    ):
        config.own_files(settings)


def test_keys_of_the_catalogue_are_no_files_of_your_own(tmp_path):
    named = [tmp_path / name for name in ("own.csv", "lai.tif", "npp.zarr", "o.gpkg")]
    for path in named:
        path.touch()
    table, lai, npp, outline = map(str, named)
    settings = real(
        extra_observations=[table],
        predictors=predictors(lai=OWN_MAP | {"file": lai}),
        products={"npp": {"mine": OWN_MAP | {"file": npp}, "miami": "miami_npp"}},
        region={"name": "Valley", "boundary": outline, "surroundings": {"name": "R", "boundary": "china"}},
    )
    assert config.own_files(settings) == named
    assert config.own_files(real()) == []


def test_a_world_may_be_named_after_the_configuration_that_describes_it(tmp_path):
    """A file of three lines has the layers, the sites and the grid of the other one, and its own parameters."""
    path = tmp_path / "mine.yml"
    path.write_text("config: mine\nworld: japan\nresolution: 0.5\nproducts: {}\n")
    mine, japan = load_config(path), load_config("japan")
    assert (mine.config, mine.world, mine.resolution, mine.products) == ("mine", "real", 0.5, {})
    assert (mine.region, mine.predictors, mine.observations) == (japan.region, japan.predictors, japan.observations)
    assert (mine.west, mine.north) == (japan.west, japan.north)
    assert load_config("virtual", {"world": "open"}).predictors == load_config("open").predictors


# --- products with a connector ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"archives": {"glo9": "https://a.example"}}, "archives.glo9: Extra inputs are not permitted"),
        ({"missing_years": "mean"}, "missing_years: .*'own_mean', 'common_years' or 'nearest_year'"),
        ({"resampling": "cubic"}, "resampling: .*'nearest' or 'average'"),
    ],
)
def test_settings_of_connectors_are_checked(values, message):
    with pytest.raises(ConfigError, match=message):
        load_config("paper", values)


@pytest.mark.parametrize(
    "values",
    [{"made_up": True}, {"connectors": {"glo90": {}}}, {"resampling": "average"}, {"missing_years": "nearest_year"}],
)
def test_a_virtual_world_has_no_connectors(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        load_config("virtual", values)


@pytest.mark.parametrize("values", [{"made_up": True}, {"resampling": "average"}, {"missing_years": "nearest_year"}])
def test_a_choice_from_which_nothing_follows_is_refused(values):
    name = next(iter(values))
    with pytest.raises(ConfigError, match=f"{name}: no layer or product has a connector, so nothing follows"):
        load_config("open", values)
    layers = load_config("open").predictors | {"elevation": "glo90"}
    assert getattr(load_config("open", values | {"predictors": layers}), name) == values[name]


def test_a_world_that_is_named_brings_its_archives_its_years_and_that_it_is_made_up(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.yml").write_text("glo90: {connector: elevation.Glo90}\n")
    base = real_values(made_up=True, connectors={"glo90": {}}, archives={"downloads": "here"}, last_year=2002)
    base["predictors"]["elevation"] = "glo90"
    (tmp_path / "config" / "base.yml").write_text(yaml.safe_dump({"config": "base"} | base))
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    found = config.resolve({"config": "mine", "world": "base", "resolution": 0.5})
    assert (found.made_up, found.archives.downloads, found.last_year) == (True, "here", 2002)
    assert found.connectors == {"glo90": {}}
