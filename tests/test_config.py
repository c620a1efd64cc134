"""The parameters of a run: read, overridden, and refused with the nearest valid name."""

import re

import pytest
import yaml
from made_places import real_values

from helpers import config
from helpers.config import load_config
from helpers.errors import ConfigError


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
        ({"world": "paper"}, "world: .*'virtual' or 'real'"),
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
    with pytest.raises(ConfigError, match="there are: open"):
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
    with pytest.raises(ConfigError, match=f"world is '{values['world']}'.*add a line 'config: NAME'.*there are: open"):
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
    (tmp_path / "config" / "mine.yml").write_text(yaml.safe_dump({"config": "mine"} | MINE))
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    values = yaml.safe_load((tmp_path / "config" / f"{name}.yml").read_text(encoding="utf-8"))
    assert config.from_notebook(injected(**values)) == load_config(name)


def test_a_file_under_another_name_than_its_config_key_is_refused(tmp_path):
    """Papermill would lay it over the other one, and the command would not."""
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump({"config": "open"} | MINE))
    with pytest.raises(ConfigError, match=r"mine\.yml: config is 'open'.*write 'config: mine', or rename .* open\.yml"):
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


def test_a_configuration_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(MINE))
    assert load_config("~/mine.yml").config == "mine"
