"""A sweep from its file to its table: shared, resumed, repeated, and told of its failures.

One sweep is executed: killed, and gone on with. All tests look at it: nearly all of the time goes into notebooks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from helpers.errors import ConfigError
from helpers.sweeps import stages
from helpers.sweeps.plan import FINAL, NOTEBOOKS

ROOT = Path(__file__).resolve().parents[2]
BASE = {
    "resolution": 1.0,
    "first_year": 2018,
    "n_trees": 4,
    "validation_trees": 4,
    "validation_schemes": "fast",
    "n_folds": 3,
    "npp_sites": 40,
    "rs_sites": 20,
    "rs_rh_line": "site_means",
}
SWEEP = {
    "config": "virtual",
    "base": BASE,
    "axes": {"rs_rh_line": ["site_means", "paper"]},
    "cells": [{"west": 60.0}],  # the virtual world begins at 73 degrees east
}
CELL, IMPOSSIBLE = "rs_rh_line=paper", "west=60.0"
MEASURED = ["wall_seconds", "peak_memory_bytes"]


def environment(runs: Path) -> dict[str, str]:
    return os.environ | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": str(ROOT / "src")}


def call(file: Path) -> list[str]:
    return [sys.executable, "-m", "helpers.sweeps.stages", "run", str(file), "--jobs", "2"]


def run(file: Path, runs: Path) -> list[str]:
    """Run a sweep to its end; return what it says."""
    done = subprocess.run(call(file), cwd=ROOT, env=environment(runs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def written(folder: Path, **changes: object) -> Path:
    path = folder / "tiny.yml"
    path.write_text(yaml.safe_dump(SWEEP | changes))
    return path


def executed(report: list[str]) -> list[str]:
    """Return the notebooks of the stages that a report says were executed."""
    return [line.split("] ")[1][:2] for line in report if line.startswith("[")]


def results(runs: Path) -> pd.DataFrame:
    return pd.read_csv(runs / "sweeps" / "tiny" / "results.csv", keep_default_na=False, na_values=[""]).set_index(
        "cell"
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Runs' folder and report of a sweep of one cell, and an impossible one, that was killed in its last notebook."""
    folder = tmp_path_factory.mktemp("sweep")
    runs, file = folder / "runs", written(folder, axes={"rs_rh_line": ["site_means"]})
    process = subprocess.Popen(
        call(file), cwd=ROOT, env=environment(runs), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    begun = f"sweeps/tiny/stages/{FINAL}/*/provenance/{FINAL}.json"
    while not list(runs.glob(begun)) and process.poll() is None:
        time.sleep(0.1)
    assert process.poll() is None, "ended before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    report = process.communicate()[0].splitlines()
    (broken,) = runs.glob(begun)
    assert not (broken.parents[1] / "status.json").exists(), "killed too late"
    return runs, report


@pytest.fixture(scope="module")
def swept(killed: tuple[Path, list[str]]) -> tuple[Path, Path, list[str]]:
    """File, runs' folder and report of the same sweep, gone on with, with one more cell."""
    file = written(killed[0].parent)
    return file, killed[0], run(file, killed[0])


def test_a_killed_sweep_goes_on_and_executes_each_stage_once(killed, swept):
    """The impossible cell has a world of its own; every other stage before the last is shared."""
    assert sorted(executed(killed[1]) + executed(swept[2])) == sorted(2 * ["01", "02", "03", "04"] + ["04"])


def test_a_killed_sweep_repeats_the_broken_stage(killed, swept):
    ended = [any(f"{FINAL} base: " in line for line in report) for report in (killed[1], swept[2])]
    assert ended == [False, True]


def test_cells_that_are_done_have_budgets_and_scores(swept):
    done = results(swept[1]).loc[["base", CELL]]
    numbers = ["nep_mean_gC_m2_yr", "nep_total_TgC_yr", "nep_valid_area_Mkm2", "npp_r2_knndm", "rs_rmse_out_of_bag"]
    assert (done["status"] == "done").all() and done[[*numbers, "true_nep_mean_gC_m2_yr", *MEASURED]].notna().all(
        axis=None
    )


def test_cells_differ_in_what_their_choice_decides_alone(swept):
    base, other = (results(swept[1]).loc[name] for name in ("base", CELL))
    assert base["npp_mean_gC_m2_yr"] == other["npp_mean_gC_m2_yr"]
    assert base["rh_mean_gC_m2_yr"] != other["rh_mean_gC_m2_yr"]


def test_an_impossible_cell_is_a_row_with_its_error(swept):
    failed = results(swept[1]).loc[IMPOSSIBLE]
    assert failed["status"] == "failed" and "73-136 E" in failed["error"]


def test_a_cells_folder_is_a_whole_run(swept):
    cell = swept[1] / "sweeps" / "tiny" / "cells" / "base"
    assert (cell / "cube.zarr").exists() and (cell / "tables" / "validation_npp.csv").exists()
    assert (cell / "nep.zarr").exists() and not (cell / "figures").exists()


@pytest.fixture
def command(monkeypatch, capsys):
    """Call a command of sweeps that executes nothing; return its exit code and what it says."""

    def _command(runs: Path, *arguments: object) -> tuple[int, str]:
        monkeypatch.setenv("QTP_RUNS_DIR", str(runs))
        code = stages.main([str(argument) for argument in arguments])
        return code, "".join(capsys.readouterr())

    return _command


def test_a_finished_sweep_does_nothing_and_says_so(swept, command):
    code, report = command(swept[1], "run", swept[0])
    assert code == 0 and "finished, nothing to do" in report and executed(report.splitlines()) == []


def test_a_dry_run_lists_the_cells_and_changes_nothing(swept, command):
    _, report = command(swept[1], "run", swept[0], "--dry-run", "--retry-failed")
    assert re.findall(r"^  (.{8})(.+)$", report, flags=re.MULTILINE) == [
        ("done    ", "base"),
        ("done    ", CELL),
        ("to run  ", IMPOSSIBLE),
    ]
    assert results(swept[1]).loc[IMPOSSIBLE, "status"] == "failed"
    assert command(swept[1], "run", swept[0])[1].count("finished, nothing to do") == 1


def test_failed_stages_are_forgotten_when_they_are_to_be_repeated(swept, command, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    shutil.copytree(swept[1], runs, symlinks=True)
    monkeypatch.setattr("helpers.runs.warm.beside", lambda command, prepare, env: 0)
    code, report = command(runs, "run", swept[0], "--retry-failed")
    assert code == 1 and "4 failed stages are executed again" in report and "4 stages were not executed" in report
    assert results(runs)["status"].to_dict() == {"base": "done", CELL: "done", IMPOSSIBLE: "not run"}


@pytest.mark.parametrize("lost", ["tables/budget_forests.csv", f"provenance/{FINAL}.json"])
def test_a_stage_that_has_lost_something_is_executed_again(swept, command, tmp_path, lost):
    runs = tmp_path / "runs"
    shutil.copytree(swept[1], runs, symlinks=True)
    (runs / "sweeps" / "tiny" / "cells" / "base" / lost).unlink()
    report = command(runs, "run", swept[0], "--dry-run")[1]
    assert re.search(rf"{FINAL} \w+ is executed again: .*{re.escape(lost)} (is missing|cannot be read)", report)
    assert re.search("^  to run  base$", report, flags=re.MULTILINE)


def test_a_status_that_is_cut_is_named(swept, command, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(swept[1], runs, symlinks=True)
    (runs / "sweeps" / "tiny" / "cells" / "base" / "status.json").write_text('{"sta')
    code, report = command(runs, "run", swept[0], "--dry-run")
    assert code == 1 and re.search(r"status\.json cannot be read .*remove it", report)


def test_a_cluster_would_be_given_every_stage(tmp_path):
    """The profile of SLURM, as far as a dry run with the executor of this machine goes; tests/cluster goes further."""
    smk = ROOT / "workflow" / "sweep.smk"
    command = [sys.executable, "-m", "snakemake", "-s", str(smk), "--dry-run", "--cores", "2"]
    command += ["--profile", str(ROOT / "workflow" / "profiles" / "slurm"), "--executor", "local"]
    command += ["--directory", str(tmp_path), "--config", f"sweep={written(tmp_path)}"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = re.findall(r"^stage_(\d\d)\w+ +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    assert dict(counts) == {"01": "2", "02": "2", "03": "2", "04": "3"}


def test_code_that_is_edited_while_a_sweep_runs_stops_it(swept, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(swept[1] / "sweeps" / "tiny", folder, symlinks=True)
    plan_file = folder / "plan.json"
    content = json.loads(plan_file.read_text())
    stage = content["stages"][0]
    assert stages.execute_stage(plan_file, stage["notebook"], stage["digest"])["status"] == "done"
    stage["code"] = "what it was before"
    plan_file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="was edited while the sweep ran"):
        stages.execute_stage(plan_file, stage["notebook"], stage["digest"])


@pytest.fixture
def calls(swept, command) -> list[str]:
    """What ``helpers.sweeps.stages show`` prints of a cell."""
    return command(swept[1], "show", swept[0], CELL)[1].splitlines()


def test_the_calls_of_a_cell_are_its_notebooks_with_the_same_parameters(calls):
    names = [re.match(r"papermill notebooks/(\w+)\.ipynb", line)[1] for line in calls]
    assert names == list(NOTEBOOKS) and len({line.partition("--cwd")[2] for line in calls}) == 1


def test_papermill_alone_runs_the_cell_that_was_killed_to_the_same_numbers(swept, command, tmp_path):
    """The last call, on what the sweep's earlier stages left: results of other parameters would be refused."""
    line = command(swept[1], "show", swept[0], "base")[1].splitlines()[-1]
    root, folder = swept[1] / "sweeps" / "tiny", tmp_path / "cell-base"
    content = json.loads((root / "plan.json").read_text())
    (last,) = [stage for stage in content["stages"] if stage["digest"] == content["cells"]["base"]]
    for notebook, digest in last["needs"]:
        shutil.copytree(root / "stages" / notebook / digest, folder, dirs_exist_ok=True)
    assert not (folder / "nep.zarr").exists()
    line = line.replace("papermill", f"{sys.executable} -m papermill -k python3 --no-progress-bar", 1)
    done = subprocess.run(
        line.replace("notebooks", str(ROOT / "notebooks")).split(),
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(folder / "tables" / "budget_forests.csv").set_index("quantity")
    expected = results(swept[1]).loc["base", "nep_mean_gC_m2_yr"]
    assert table.loc["NEP", "mean_gC_m2_yr"] == pytest.approx(expected, rel=1e-9)


def test_a_misspelt_axis_is_refused_before_anything_starts(command, tmp_path):
    code, report = command(tmp_path, "run", written(tmp_path, axes={"rs_rh_lien": ["paper"]}))
    assert code == 1 and "did you mean 'rs_rh_line'" in report and not (tmp_path / "sweeps").exists()
