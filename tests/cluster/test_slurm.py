"""A sweep and notebook 02 on a true SLURM, whose jobs, node and caller are killed: the tables are those of one machine.

``make test-cluster`` calls it; ``make test`` leaves it out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from one_node import CPUS, OneNode, kill_group, missing, one_node, wait_for

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
IMPOSSIBLE = "west=60.0"  # the virtual world begins at 73 degrees east
MEASURED = ["wall_seconds", "peak_memory_bytes"]
#: What a real cluster would not have: small jobs, so that there are some to kill, and no database of past jobs.
PROFILE = {
    "group-components": ["worlds=2", "npp=2", "rs=4", "carbon=4"],
    "latency-wait": 5,
    "slurm-init-seconds-before-status-checks": 1,
    "slurm-status-command": "squeue",
}
#: The sweep is that of config/sweeps/ci.yml in one of its two worlds, on larger cells with smaller forests.
WORLD = "clustered"
BASE = {"resolution": 1.0, "first_year": 2018, "n_trees": 10, "validation_trees": 4, "n_folds": 3}


@pytest.fixture(scope="module")
def slurm() -> Iterator[OneNode]:
    if reason := missing():
        pytest.skip(reason)
    # Not in pytest's own folder: the name of a socket may have 107 characters.
    with TemporaryDirectory(prefix="slurm-") as folder, one_node(Path(folder) / "one") as running:
        yield running


def in_runs(runs: Path, environment: dict[str, str]) -> dict[str, str]:
    return environment | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"}


def run(command: list[str], runs: Path, environment: dict[str, str]) -> str:
    """Run a module of Python to its end; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=in_runs(runs, environment), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def equal_tables(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=0)


# -- the sweep -------------------------------------------------------------------------------------


@dataclass
class Swept:
    """What became of a sweep whose jobs, node and caller were killed."""

    runs: Path
    command: list[str]
    cancelled: str  #: The job that was cancelled,
    on_the_node: list[str]  #: those that ran when their node died,
    #: and when each world wrote how it ended, before the caller was killed. It had heard of all of them, since it had
    #: sent jobs of maps; of a forest it may not have heard, and such a one is executed again.
    kept: dict[Path, int]


def results(runs: Path) -> pd.DataFrame:
    return pd.read_csv(runs / "sweeps" / "ci" / "results.csv").set_index("cell")


def written(folder: Path) -> tuple[Path, Path]:
    """Write the sweep ``ci`` with a cell that must fail, and the profile of the book for a small node."""
    sweep = yaml.safe_load((ROOT / "config" / "sweeps" / "ci.yml").read_text(encoding="utf-8"))
    sweep["base"] |= BASE
    sweep["axes"]["sampling_design"] = [WORLD]
    sweep["cells"].append({"west": 60.0})
    profile = yaml.safe_load((ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    (folder / "profile").mkdir()
    (folder / "ci.yml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(profile | PROFILE), encoding="utf-8")
    return folder / "ci.yml", folder / "profile"


def ended(runs: Path, notebook: str) -> dict[Path, int]:
    """Return when each stage of a notebook, which begins so, wrote how it ended."""
    return {path: path.stat().st_mtime_ns for path in runs.glob(f"sweeps/ci/stages/{notebook}*/*/status.json")}


def working(runs: Path, notebook: str) -> bool:
    """Return whether a stage of a notebook is being executed."""
    begun = {path.parents[1] for path in runs.glob(f"sweeps/ci/stages/{notebook}*/*/provenance/{notebook}*.json")}
    return bool(begun - {path.parent for path in ended(runs, notebook)})


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return written(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def swept(slurm: OneNode, asked: tuple[Path, Path]) -> Swept:
    """The sweep through the profile. It goes on by itself but where its caller is killed, and is called again."""
    file, profile = asked
    folder, runs = file.parent, file.with_name("runs")
    command = ["helpers.sweeps.stages", "run", str(file), "--jobs", "1", "--profile", str(profile)]
    with (folder / "caller.log").open("w") as log:
        caller = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=in_runs(runs, slurm.environment),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: working(runs, "01"), "a job works on a world")
        cancelled = slurm.jobs("RUNNING")[0]
        slurm.call("scancel", cancelled)
        wait_for(lambda: working(runs, "02") or working(runs, "03"), "a job grows forests")
        on_the_node = slurm.jobs("RUNNING")
        slurm.kill_node()
        slurm.start_node()
        wait_for(lambda: ended(runs, "02") and working(runs, "04"), "a job makes the last maps")
        assert caller.poll() is None, "ended before it was killed"
    except AssertionError as error:
        pytest.fail(f"{error}\n{(folder / 'caller.log').read_text()}", pytrace=False)
    finally:
        kill_group(caller)
    kept = ended(runs, "01")
    run(command, runs, slurm.environment)
    return Swept(runs, command, cancelled, on_the_node, kept)


@pytest.fixture(scope="module")
def on_one_machine(asked: tuple[Path, Path]) -> Path:
    """The runs' folder of the same sweep without a cluster."""
    runs = asked[0].with_name("runs-here")
    run(["helpers.sweeps.stages", "run", str(asked[0]), "--jobs", str(CPUS)], runs, dict(os.environ))
    return runs


def test_the_table_is_that_of_one_machine(swept, on_one_machine):
    equal_tables(*(results(runs).drop(columns=MEASURED) for runs in (swept.runs, on_one_machine)))


def test_all_cells_are_done_but_the_impossible_one_whose_row_says_why(swept):
    table = results(swept.runs)
    assert (table.drop(index=IMPOSSIBLE)["status"] == "done").all() and len(table) == 7
    assert table.loc[IMPOSSIBLE, "status"] == "failed" and "73-136 E" in table.loc[IMPOSSIBLE, "error"]


def test_a_cancelled_job_is_repeated_by_another_job(swept, slurm):
    assert slurm.job(swept.cancelled)["JobState"] == "CANCELLED"


def test_the_jobs_of_a_dead_node_are_begun_again(swept, slurm):
    assert swept.on_the_node and all(int(slurm.job(number)["Restarts"]) > 0 for number in swept.on_the_node)


def test_the_worlds_that_had_ended_before_the_caller_was_killed_are_not_made_again(swept):
    assert swept.kept and swept.kept.items() <= ended(swept.runs, "01").items()


def test_a_job_holds_no_more_stages_than_the_profile_says(slurm, swept):
    """Four of ten minutes, at most for the third time, on one core: all that are connected are more than twenty."""
    jobs = [slurm.job(number) for number in slurm.jobs()]
    assert {job["NumCPUs"] for job in jobs} == {"1"} and max(job["TimeLimit"] for job in jobs) <= "02:00:00"


def test_a_finished_sweep_sends_no_job(swept, slurm):
    before = slurm.jobs()
    assert "finished, nothing to do" in run(swept.command, swept.runs, slurm.environment)
    assert slurm.jobs() == before


# -- notebook 02 on Dask workers -------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(slurm: OneNode, on_one_machine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """The runs of notebook 02 here, in the sweep, and on workers of SLURM, and how many tasks the workers did."""
    from dask_jobqueue import SLURMCluster

    here, runs = on_one_machine / "sweeps" / "ci" / "cells" / "base", tmp_path_factory.mktemp("workers")
    there = runs / "virtual"
    shutil.copytree(here, there)
    for name in ("npp.zarr", "tables", "provenance/02_npp_random_forest.json"):
        path = there / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    base = yaml.safe_load((on_one_machine.with_name("ci.yml")).read_text(encoding="utf-8"))["base"]
    options = [part for key, value in base.items() for part in ("-p", key, str(value))]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in in_runs(runs, slurm.environment).items():
            patch.setenv(name, value)  # dask-jobqueue calls sbatch in this process
        with SLURMCluster(cores=1, memory="2GB", walltime="00:30:00", log_directory=str(runs)) as cluster:
            cluster.scale(jobs=CPUS)
            cluster.wait_for_workers(CPUS)
            command = ["helpers.runs.execute", "notebooks/02_npp_random_forest.ipynb", "--config", "virtual", *options]
            run(command, runs, slurm.environment | {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address})
            with cluster.get_client() as client:
                done = sum(client.run(lambda dask_worker: dask_worker.state.executed_count).values())
    return here, there, done


def test_the_workers_of_slurm_made_the_map(mapped):
    assert mapped[2] > 0


def test_the_map_is_that_of_one_machine(mapped):
    one, other = (xr.open_zarr(folder / "npp.zarr").load() for folder in mapped[:2])
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


def test_the_tables_are_those_of_one_machine(mapped):
    """Those that a sweep makes, too: it leaves out what only a page shows."""
    names = sorted(set.intersection(*({path.name for path in (each / "tables").glob("*.csv")} for each in mapped[:2])))
    assert "validation_npp.csv" in names
    for name in names:
        equal_tables(*(pd.read_csv(folder / "tables" / name) for folder in mapped[:2]))
