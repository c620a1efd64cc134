"""A sweep: what its file may say, which cells it makes, and what they share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from helpers.config import load_config, project_root
from helpers.errors import ConfigError
from helpers.sweeps import plan as plans
from helpers.sweeps import stages
from helpers.sweeps.plan import FINAL, LONGEST_NAME, Plan, cell_name, part_of, plan, read_sweep

SWEEPS = sorted((project_root() / "config" / "sweeps").glob("*.yml"))


@pytest.fixture
def planned(tmp_path: Path):
    """Plan a sweep that is given as keywords."""

    def _plan(name: str = "mine", **values):
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump({"config": "virtual"} | values))
        return plan(read_sweep(path))

    return _plan


def names(made: Plan) -> list[str]:
    return [cell.name for cell in made.cells]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_each_committed_sweep_is_valid(path):
    assert plan(read_sweep(path)).cells


def test_the_sweep_of_ci_is_small_and_the_real_one_is_not():
    sizes = {name: len(plan(read_sweep(name)).cells) for name in ("ci", "full-open")}
    assert 8 <= sizes["ci"] <= 12 and sizes["full-open"] >= 500


def test_axes_are_crossed_and_the_base_is_one_of_the_cells(planned):
    made = planned(axes={"rs_rh_line": ["paper", "records"], "n_trees": [500, 50]})
    assert set(names(made)) == {"base", "n_trees=50", "rs_rh_line=records", "n_trees=50__rs_rh_line=records"}


def test_a_cell_has_the_base_and_its_own_values(planned):
    (cell,) = planned(base={"nodesize": 9}, axes={"n_trees": [50]}).cells
    expected = load_config("virtual", {"nodesize": 9, "n_trees": 50})
    assert cell.settings == expected and cell.values == {"n_trees": 50}


def test_an_explicit_cell_with_lists_stands_for_each_of_its_values(planned):
    assert names(planned(cells=[{"left_out": ["lai", "soc"]}])) == ["left_out=lai", "left_out=soc"]


def test_a_cell_that_is_named_twice_counts_once(planned):
    assert names(planned(axes={"n_trees": [500, 50]}, cells=[{"n_trees": 50}])) == ["base", "n_trees=50"]


def test_only_combinations_of_the_axes_count_as_crossed(planned):
    made = planned(axes={"n_trees": [500, 50]}, cells=[{"n_trees": 50}, {"nodesize": 9}])
    assert [cell.crossed for cell in made.cells] == [True, True, False]


def test_seeds_are_an_axis(planned):
    assert names(planned(seeds=[1, 2])) == ["seed=1", "seed=2"]


def test_exclusions_leave_out_what_matches_all_of_their_values(planned):
    axes = {"training_domain": ["region", "surroundings"], "rs_rh_line": ["paper", "records", "site_means"]}
    made = planned(axes=axes, exclusions=[{"training_domain": "surroundings", "rs_rh_line": ["records", "site_means"]}])
    assert "training_domain=surroundings" in names(made) and len(made.cells) == 4


def test_a_cap_keeps_the_base_and_stays_when_an_axis_grows(planned):
    few = planned(axes={"nodesize": [5, 6, 7], "n_trees": [500, 10, 20]}, cap=4)
    more = planned(axes={"nodesize": [5, 6, 7], "n_trees": [500, 10, 20, 30]}, cap=5)
    assert len(few.cells) == 4 and few.n_capped == 5 and "base" in names(few)
    kept = [name for name in names(few) if name in names(more)]
    assert len(kept) >= 3


def test_a_cap_leaves_explicit_cells_alone(planned):
    made = planned(axes={"n_trees": list(range(10, 60, 10))}, cells=[{"nodesize": [8, 9]}], cap=2)
    assert names(made)[2:] == ["nodesize=8", "nodesize=9"]


def test_names_do_not_depend_on_the_order_of_the_file():
    one = cell_name({"n_trees": 50, "rs_rh_line": "records"})
    assert one == cell_name({"rs_rh_line": "records", "n_trees": 50}) == "n_trees=50__rs_rh_line=records"


def test_a_long_name_is_cut_and_stays_unique():
    values = {
        key: 12345678 for key in ("seed", "n_trees", "npp_mtry", "rs_mtry", "nodesize", "validation_trees", "n_folds")
    }
    one, other = cell_name(values), cell_name(values | {"n_folds": 1})
    assert max(len(one), len(other)) <= LONGEST_NAME and one != other and one[:60] == other[:60]


def test_a_name_is_a_file_name():
    assert "/" not in cell_name({"extra_observations": ["../my sites.csv"]})


def test_cells_share_each_notebook_that_their_parameters_do_not_decide(planned):
    made = planned(axes={"rs_rh_line": ["paper", "records"], "rs_mtry": [3, 7], "npp_mtry": [3, 6]})
    assert len(made.cells) == 8
    assert list(made.counts().values()) == [1, 2, 2, 8]


def test_another_world_shares_nothing(planned):
    assert list(planned(axes={"resolution": [0.5, 1.0]}).counts().values()) == [2, 2, 2, 2]


def test_a_stage_needs_all_notebooks_before_it_with_the_same_parameters(planned):
    made = planned(axes={"rs_mtry": [3, 7]})
    for cell in made.cells:
        final = made.stages[FINAL, cell.stages[FINAL]]
        assert dict(final.needs) == {name: digest for name, digest in cell.stages.items() if name != FINAL}


def test_a_stage_is_given_what_counts_there_and_nothing_else(planned):
    made = planned(base={"resolution": 0.5}, axes={"rs_rh_line": ["records"]})
    given = {stage.notebook[:2]: stage.parameters for stage in made.stages.values()}
    assert given["02"] == {"resolution": 0.5} and given["04"] == {"resolution": 0.5, "rs_rh_line": "records"}


def test_the_digest_of_a_stage_is_that_of_any_sweep_with_its_parameters(planned):
    one = planned(axes={"n_trees": [50]}, name="one")
    other = planned(base={"n_trees": 50}, axes={"rs_rh_line": ["paper", "records"]}, name="other")
    assert one.cells[0].stages == other.cells[0].stages


def test_parts_hold_every_cell_once(planned):
    made = planned(axes={"n_trees": list(range(10, 80, 10)), "rs_rh_line": ["paper", "records"]})
    parts = [part_of(made, part) for part in ("1/3", "2/3", "3/3")]
    assert sorted(name for part in parts for name in names(part)) == sorted(names(made))
    assert max(len(part.cells) for part in parts) <= 5


def test_a_part_has_the_stages_that_its_cells_need_alone(planned):
    made = planned(axes={"n_trees": [10, 20], "rs_rh_line": ["paper", "records"]})
    assert list(part_of(made, "1/2").counts().values()) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"axis": {}}, "unknown key 'axis'; did you mean 'axes'"),
        ({"axes": {"n_tres": [5]}}, "axes: 'n_tres' is not a parameter that a cell can have; did you mean 'n_trees'"),
        ({"axes": {"n_trees": []}}, "n_trees has no value"),
        ({"axes": {"n_trees": [0]}}, "n_trees: .*greater than or equal to 1 .given: 0"),
        ({"axes": {"rs_rh_line": ["site_mean"]}}, "given: 'site_mean'.; did you mean 'site_means'"),
        ({"axes": {"npp_mtry": [8]}}, "npp_mtry is 8, but this forest has 7 predictors"),
        ({"axes": {"soc_depth": [100]}}, "soc_depth is 100, which only world: real has"),
        ({"axes": {"run": ["a"]}}, "axes: 'run' is not a parameter"),
        ({"axes": {"block_cells": [1000]}}, "axes: 'block_cells' is not a parameter"),
        ({"cells": [{"left_uot": "lai"}]}, "cells: 'left_uot' is not a parameter .*; did you mean 'left_out'"),
        ({"exclusions": [{"n_trees": "many"}]}, "exclusions: n_trees: .*valid integer"),
        ({"base": {"resolutoin": 1}}, "base: 'resolutoin' is not a parameter .*; did you mean 'resolution'"),
        ({"axes": {"seed": [1]}, "seeds": [2]}, "say the same"),
        ({"config": "vrtual"}, "no configuration 'vrtual'"),
        ({"axes": {"n_trees": [5]}, "exclusions": [{"n_trees": 6}]}, "excludes no cell"),
        ({"axes": {"n_trees": [5]}, "exclusions": [{"n_trees": 5}]}, "no cell is left"),
        ({"cap": 0}, "cap: .*greater than or equal to 1"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(planned, values, message):
    with pytest.raises(ConfigError, match=message):
        planned(**values)


def test_all_misspelt_names_are_told_at_once(planned):
    with pytest.raises(ConfigError, match="n_tres.*\n.*nodsize"):
        planned(axes={"n_tres": [5], "nodsize": [3]})


def test_a_sweep_that_does_not_exist_names_those_that_do():
    with pytest.raises(ConfigError, match="there are: ci, full-open"):
        read_sweep("full")


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "half"])
def test_a_part_that_does_not_exist_is_refused(planned, part):
    with pytest.raises(ConfigError, match="expected the number of a part and how many there are, for example 1/4"):
        part_of(planned(seeds=[1, 2]), part)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASK_SCHEDULER_ADDRESS", "tcp://node1:8786"),
        ("QTP_DATA_MIRROR", "https://example.org/files"),
        ("QTP_DATA_DIR", str(Path("cache").absolute())),
    ],
)
def test_a_sweep_passes_its_environment_on(tmp_path, monkeypatch, name, value):
    """Snakemake works in another folder, so a relative path is made absolute."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    monkeypatch.setenv("QTP_DATA_DIR", "cache")
    if name != "QTP_DATA_DIR":
        monkeypatch.setenv(name, value)
    passed_on = {}
    monkeypatch.setattr("helpers.runs.warm.beside", lambda command, prepare, env: passed_on.update(env))
    stages.main(["run", "ci"])
    assert passed_on[name] == value


def test_a_cluster_is_handed_the_profile_and_no_server_of_this_machine(tmp_path, monkeypatch):
    """Its jobs would run there, and not where the cluster put them."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr("subprocess.run", lambda command, env, check: calls.append((command, env)))
    stages.main(["run", "ci", "--profile", "mine"])
    ((command, environment),) = calls
    assert command[command.index("--profile") + 1] == str(tmp_path / "mine") and "QTP_WARM" not in environment


def test_the_time_left_is_that_of_stages_like_those_that_have_ended():
    keys = [("04_rh_and_nep", name) for name in "abc"]
    assert stages.expected_minutes(keys, {}, jobs=1) == round(3 * stages.USUAL_SECONDS["04_rh_and_nep"] / 60, 2)
    ended = {keys[0]: {"status": "done", "wall_seconds": 60.0}}
    assert stages.expected_minutes(keys, ended, jobs=2) == 1.0


# -- stale only what changed -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that may be edited."""
    root, copy = project_root(), tmp_path_factory.mktemp("checkout")
    for name in ("config", "notebooks", "data", "src"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def new_stages(copied, monkeypatch):
    """Edit a file of the checkout; return the notebooks whose stages a sweep would then execute again."""
    monkeypatch.setenv("QTP_BOOK_ROOT", str(copied))

    def stages_now(sweep: str) -> set[tuple[str, str]]:
        plans.code_digest.cache_clear()
        return set(plan(read_sweep(sweep)).stages)

    def _edit(file: str, old: str, new: str, sweep: str = "ci") -> list[str]:
        path = copied / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        before = stages_now(sweep)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        try:
            after = stages_now(sweep)
        finally:
            path.write_text(text, encoding="utf-8")
        return sorted({notebook[:2] for notebook, _ in after - before})

    yield _edit
    plans.code_digest.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new", "again"),
    [
        ("src/helpers/runs/execute.py", "import papermill", "import papermill as papermill", []),
        ("src/helpers/balance/carbon.py", '"""', '"""Another text. ', []),
        ("src/helpers/balance/carbon.py", "return ", "return 1.0 * ", ["04"]),
        ("src/mapforest/retransform.py", "np.exp(", "np.exp2(", ["02", "03", "04"]),
        ("src/mapforest/metrics.py", "return ", "return 1.0 * ", ["02", "03", "04"]),
        ("data/paper/claims.csv", "\n", "\n\n", []),
        ("notebooks/04_rh_and_nep.ipynb", "# ", "# Another title: ", []),
        ("notebooks/04_rh_and_nep.ipynb", "book_run.finish()", "book_run.finish() ; 1", ["04"]),
    ],
)
def test_an_edit_makes_new_stages_of_what_executes_it_alone(new_stages, file, old, new, again):
    assert new_stages(file, old, new) == again


@pytest.mark.parametrize("sweep", ["ci", "full-open"])
def test_one_colour_makes_no_new_stages(new_stages, sweep):
    assert new_stages("src/helpers/figures/style.py", '"#', '"#0', sweep) == []


@pytest.mark.parametrize(("sweep", "again"), [("ci", []), ("full-open", ["01", "02", "03", "04"])])
def test_an_edited_cell_of_another_world_makes_no_new_stages(new_stages, sweep, again):
    edit = ("notebooks/01_data_preparation.ipynb", "check = comparison", "check = 0 or comparison")
    assert new_stages(*edit, sweep=sweep) == again


def test_an_edited_table_of_the_readers_own_makes_new_stages(planned, tmp_path):
    own = tmp_path / "sites.csv"

    def stages_with(text: str) -> set[tuple[str, str]]:
        own.write_text(text)
        return set(planned(base={"extra_observations": [str(own)]}, seeds=[1]).stages)

    assert stages_with("one") == stages_with("one")
    assert not stages_with("one") & stages_with("another")


@pytest.mark.parametrize(
    "content", ["config: virtual # près\n".encode("latin-1"), "config: virtual\n".encode("utf-16")]
)
def test_a_sweep_that_is_not_in_utf8_is_named(content, tmp_path):
    (tmp_path / "mine.yml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yml: not in UTF-8, at line 1"):
        read_sweep(tmp_path / "mine.yml")


def test_a_sweeps_own_table_may_lie_in_the_home_folder(planned, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "own.csv").write_text("one\n")
    base = {"extra_observations": ["~/own.csv"]}
    before = planned(base=base, cells=[{"n_trees": 50}]).cells[0].stages[FINAL]
    (tmp_path / "own.csv").write_text("two\n")
    assert planned(base=base, cells=[{"n_trees": 50}]).cells[0].stages[FINAL] != before
