"""A sweep from its file to its table: shared, resumed, repeated, and told of its failures.

One sweep is executed, and most tests look at it or go on from a copy of it: nearly all of the time goes into notebooks.
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
from helpers.sweeps.plan import NOTEBOOKS
from helpers.sweeps.stages import execute_stage

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
}
SWEEP = {
    "config": "virtual",
    "base": BASE,
    "axes": {"rs_rh_line": ["paper", "site_means"]},
    "cells": [{"n_folds": 50}],  # there are 40 records of NPP
}
CELL = "rs_rh_line=site_means"
MEASURED = ["wall_seconds", "peak_memory_bytes"]


def environment(runs: Path) -> dict[str, str]:
    return os.environ | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": str(ROOT / "src")}


def call(file: Path, runs: Path) -> list[str]:
    return [sys.executable, "-m", "helpers.sweeps.stages", "run", str(file), "--jobs", "2"]


def run(file: Path, runs: Path) -> list[str]:
    """Run a sweep to its end; return what it says."""
    done = subprocess.run(
        call(file, runs), cwd=ROOT, env=environment(runs), capture_output=True, text=True, check=False
    )
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
    return pd.read_parquet(runs / "sweeps" / "tiny" / "results.parquet").set_index("cell")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """File, runs' folder and report of a sweep that was not disturbed."""
    folder = tmp_path_factory.mktemp("sweep")
    file = written(folder)
    return file, folder / "runs", run(file, folder / "runs")


def test_data_preparation_runs_once_for_all_cells(swept):
    assert sorted(executed(swept[2])) == ["01", "02", "02", "03", "03", "04", "04", "04"]


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
    failed = results(swept[1]).loc["n_folds=50"]
    assert failed["status"] == "failed" and "cannot be split into 50 folds" in failed["error"]


def test_a_cells_folder_is_a_whole_run(swept):
    cell = swept[1] / "sweeps" / "tiny" / "cells" / "base"
    assert (cell / "cube.zarr").exists() and (cell / "tables" / "validation_npp.csv").exists()
    assert (cell / "nep.zarr").exists() and not (cell / "figures").exists()


def test_a_finished_sweep_does_nothing_and_says_so(swept):
    report = run(swept[0], swept[1])
    assert executed(report) == [] and "finished, nothing to do" in report[0]


def test_a_changed_value_runs_its_own_cells_alone(swept, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(swept[1], runs, symlinks=True)
    report = run(written(tmp_path, axes={"rs_rh_line": ["paper", "records"]}), runs)
    assert executed(report) == ["04"] and "rs_rh_line=records" in results(runs).index


@pytest.fixture(scope="module")
def resumed(swept, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Runs' folder and report of a sweep that was killed in the middle of a notebook, and started again."""
    runs = tmp_path_factory.mktemp("killed") / "runs"
    shutil.copytree(swept[1], runs, symlinks=True)
    root = runs / "sweeps" / "tiny"
    stage = (root / "cells" / CELL).resolve()
    shutil.rmtree(stage)
    for table in root.glob("results.*"):
        table.unlink()
    process = subprocess.Popen(
        call(swept[0], runs), cwd=ROOT, env=environment(runs), stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not (stage / "provenance" / "04_rh_and_nep.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (stage / "status.json").exists(), "killed too late"
    return runs, run(swept[0], runs)


def test_a_killed_sweep_goes_on_to_the_same_table(swept, resumed):
    again, undisturbed = (results(runs).drop(columns=MEASURED) for runs in (resumed[0], swept[1]))
    pd.testing.assert_frame_equal(again, undisturbed)


def test_a_killed_sweep_repeats_the_broken_stage_alone(resumed):
    assert executed(resumed[1]) == ["04"]


def test_a_cluster_would_be_given_every_stage(tmp_path):
    """The profile of SLURM, as far as a dry run with the executor of this machine goes."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-s",
        str(ROOT / "workflow" / "sweep.smk"),
        "--dry-run",
        "--cores",
        "2",
    ]
    command += ["--profile", str(ROOT / "workflow" / "profiles" / "slurm"), "--executor", "local"]
    command += ["--directory", str(tmp_path), "--config", f"sweep={written(tmp_path)}"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^stage +8$", done.stdout + done.stderr, flags=re.MULTILINE)


def test_code_that_is_edited_while_a_sweep_runs_stops_it(swept, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(swept[1] / "sweeps" / "tiny", folder, symlinks=True)
    plan_file = folder / "plan.json"
    content = json.loads(plan_file.read_text())
    content["code"] = {path: 0 for path in content["code"]}
    plan_file.write_text(json.dumps(content))
    stage = content["stages"][0]
    with pytest.raises(ConfigError, match="was edited while the sweep ran"):
        execute_stage(plan_file, stage["notebook"], stage["digest"])


@pytest.fixture(scope="module")
def calls(swept) -> list[str]:
    """What ``helpers.sweeps.stages show`` prints of a cell."""
    command = [sys.executable, "-m", "helpers.sweeps.stages", "show", str(swept[0]), CELL]
    done = subprocess.run(command, cwd=ROOT, env=environment(swept[1]), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_calls_of_a_cell_are_its_notebooks_with_the_same_parameters(calls):
    names = [re.match(r"papermill notebooks/(\w+)\.ipynb", line)[1] for line in calls]
    assert names == list(NOTEBOOKS) and len({line.partition("--cwd")[2] for line in calls}) == 1


def test_papermill_alone_runs_a_cell(swept, calls, tmp_path):
    """The last call, on what the sweep's earlier stages left: results of other parameters would be refused."""
    root, folder = swept[1] / "sweeps" / "tiny", tmp_path / f"cell-{CELL}"
    content = json.loads((root / "plan.json").read_text())
    (last,) = [stage for stage in content["stages"] if stage["digest"] == content["cells"][CELL]]
    for notebook, digest in last["needs"]:
        shutil.copytree(root / "stages" / notebook / digest, folder, dirs_exist_ok=True)
    assert not (folder / "nep.zarr").exists()
    line = calls[-1].replace("papermill", f"{sys.executable} -m papermill -k python3 --no-progress-bar", 1)
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
    expected = results(swept[1]).loc[CELL, "nep_mean_gC_m2_yr"]
    assert table.loc["NEP", "mean_gC_m2_yr"] == pytest.approx(expected, rel=1e-9)


def test_a_misspelt_axis_is_refused_before_anything_starts(tmp_path):
    file = written(tmp_path, axes={"rs_rh_lien": ["paper"]})
    done = subprocess.run(call(file, tmp_path), cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 1 and "did you mean 'rs_rh_line'" in done.stderr and not (tmp_path / "sweeps").exists()
