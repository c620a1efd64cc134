"""The parameters of a run: read, overridden, and refused with the nearest valid name."""

import pytest

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
        ({"world": "paper"}, "world: .*'virtual' or 'open'"),
        ({"west": 120.0, "east": 100.0}, "west .120.0. lies beyond east .100.0."),
        ({"first_year": 2018, "last_year": 2000}, "first_year .2018. lies beyond last_year .2000."),
        ({"run": "../elsewhere"}, "run: .*plain name"),
        ({"sweep": "../elsewhere"}, "sweep: .*plain name"),
        ({"left_out": "srda"}, "left_out: .*given: 'srda'.; did you mean 'srad'"),
        ({"world": "virtual", "soc_depth": 100}, "soc_depth is 100, which only world: open has; expected 30"),
        ({"world": "virtual", "rs_filter": "coverage"}, "rs_filter is 'coverage', which only world: open has"),
    ],
)
def test_values_that_cannot_be_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        load_config("open", values)


def test_unknown_key_of_a_file_names_the_file(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("world: open\nresolution: 0.1\nnode_size: 3\n")
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
