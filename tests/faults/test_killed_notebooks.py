"""Notebooks that are killed, by their kernel, papermill or call, and executed again: `make test-faults`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trials import Trials, options_of

from helpers.runs.files import child_environment
from helpers.runs.provenance import read_record
from helpers.runs.steps import STEPS

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process looks for its parent, see test_parent"),
]

ROOT = Path(__file__).resolve().parents[2]
WARM = ["-m", "helpers.runs.warm", "call", "helpers.runs.execute"]
COLD = ["-m", "helpers.runs.execute"]


def execution(name: str, runs: Path, module: list[str], variables: dict[str, str], options: list[str]):
    """Begin to execute a notebook."""
    return subprocess.Popen(
        [sys.executable, *module, str(ROOT / "notebooks" / f"{name}.ipynb"), "--config", "virtual", *options],
        cwd=ROOT,
        env=child_environment(**variables, QTP_RUNS_DIR=str(runs)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


#: Of each notebook the kernel is killed, and one of those that wait for it.
KILLED = [(name, victim) for n, name in enumerate(STEPS) for victim in ("kernel", ("papermill", "begun")[n % 2])]


@pytest.mark.parametrize(("name", "victim"), KILLED)
def test_a_killed_notebook_leaves_whole_files_alone_and_is_gone_on_with(
    virtual_run, warm_calls, tmp_path, trials, name, victim
):
    """As the workflow executes it, over the results of an earlier execution."""
    seconds = 1 + read_record(virtual_run / "provenance" / f"{name}.json")["wall_seconds"]
    hurt(virtual_run, tmp_path, trials, name, victim, seconds, WARM, warm_calls)


@pytest.mark.parametrize("victim", ["kernel", "papermill"])
def test_a_killed_notebook_that_was_executed_by_itself_is_gone_on_with(virtual_run, tmp_path, trials, victim):
    hurt(virtual_run, tmp_path, trials, "04_rh_and_nep", victim, 12.0, COLD, {"QTP_WARM": ""})


def hurt(
    unhurt: Path,
    folder: Path,
    trials: Trials,
    name: str,
    victim: str,
    seconds: float,
    module: list[str],
    variables: dict[str, str],
) -> None:
    """Kill an execution, look at what is there, execute the notebook again and compare."""
    runs = folder / "runs"
    own = Path(shutil.copytree(unhurt, runs / "virtual"))
    options = [part for pair in options_of(unhurt) for part in ("-p", *pair.split("=", 1))]
    trials.kill(lambda: execution(name, runs, module, variables, options), victim, seconds)
    trials.look(own, unhurt)
    again = execution(name, runs, module, variables, options)
    assert again.wait() == 0, again.stderr.read()
    trials.compare(own, unhurt)
    assert (own / "notebooks" / f"{name}.ipynb").is_file()
    assert [path.name for path in (runs / ".locks" / "virtual").iterdir()] == ["door.lock"]
    trials.verdict()
