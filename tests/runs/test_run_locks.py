"""Who may work on a run beside others: real processes, one of which holds what the test asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

from helpers.config import load_config
from helpers.errors import RunError
from helpers.runs import execute, locks
from helpers.runs import folder as run_folder
from helpers.runs.files import child_environment

SESSION = """
import time
from helpers.runs import folder
book_run = folder.start({notebook!r}, {names!r})
print("ready", flush=True)
time.sleep(60)
"""
NPP, RS = "02_npp_random_forest", "03_rs_random_forest"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs in a folder of their own, where nobody waits for processes that may be dying."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(locks, "LINGERING_SECONDS", 0.0)
    return tmp_path


def session(notebook: str, **names: object):
    """Another process that has a notebook open."""
    return running(SESSION.format(notebook=notebook, names=names))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A process that has notebook 02 of a run with 7 trees open; its runs' folder and its number."""
    runs = tmp_path_factory.mktemp("runs")
    with running(SESSION.format(notebook=NPP, names={"n_trees": 7}), QTP_RUNS_DIR=str(runs)) as process:
        yield runs, process.pid


@pytest.fixture
def beside(other, monkeypatch) -> int:
    """Work beside that process; return its number."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(other[0]))
    return other[1]


def told(pid: int) -> str:
    return rf"process {pid} on \S+ since [-\d]+ [:\d]+ UTC \(has {NPP} open\)"


def test_a_notebook_is_not_begun_twice_at_once(beside):
    with pytest.raises(RunError, match=rf"{NPP} of run 'virtual' is at work already, in {told(beside)}.*JupyterLab"):
        run_folder.start(NPP, {"n_trees": 7})


def test_another_notebook_of_the_run_may_work_beside_it(beside):
    run_folder.start(RS, {"n_trees": 7}).finish()


@pytest.mark.parametrize("names", [{"threads": 1}, {"block_cells": 20_000}, {"npp_mtry": 3}, {"rs_mtry": 1}])
def test_what_does_not_decide_both_may_differ(beside, names):
    run_folder.start(RS, {"n_trees": 7} | names).finish()


def test_a_run_is_not_begun_with_other_parameters_beside_it(beside):
    words = rf"run 'virtual' is worked on with other parameters \(n_trees is 8 here, 7 there\) by {told(beside)}"
    for notebook in (RS, "04_rh_and_nep"):
        with pytest.raises(RunError, match=words + ".*another name"):
            run_folder.start(notebook, {"n_trees": 8})


def test_another_run_may_work_beside_it(beside):
    run_folder.start(NPP, {"n_trees": 8, "run": "another"}).finish()


def test_an_execution_is_refused_before_it_touches_anything(beside, other):
    executed = other[0] / "virtual" / "notebooks" / f"{NPP}.ipynb"
    executed.parent.mkdir(exist_ok=True)
    executed.write_text("{}")
    notebook = Path(__file__).resolve().parents[2] / "notebooks" / f"{NPP}.ipynb"
    for n_trees, words in ((7, "is at work already"), (8, "is at work already")):
        with pytest.raises(RunError, match=words):
            execute.execute(notebook, "virtual", {"n_trees": n_trees})
    with pytest.raises(RunError, match="n_trees is 8 here, 7 there"):
        execute.execute(notebook.with_name(f"{RS}.ipynb"), "virtual", {"n_trees": 8})
    assert executed.read_text() == "{}"


def test_a_workflow_and_a_book_of_other_parameters_are_refused(beside):
    with pytest.raises(RunError, match="n_trees is 8 here"):
        locks.begin_workflow(load_config("virtual", {"n_trees": 8}))
    with pytest.raises(RunError, match="n_trees is 8 here"), locks.building(load_config("virtual", {"n_trees": 8})):
        pass
    with locks.building(load_config("virtual", {"n_trees": 7})):
        pass


def test_a_run_of_a_workflow_keeps_its_parameters_between_its_notebooks(runs):
    code = (
        "import time; from helpers.config import load_config; from helpers.runs import locks; "
        "locks.begin_workflow(load_config('virtual', {'n_trees': 7})); print('ready', flush=True); time.sleep(60)"
    )
    with running(code) as process:
        with pytest.raises(RunError, match=rf"n_trees is 8 here, 7 there\) by process {process.pid}"):
            run_folder.start(NPP, {"n_trees": 8})
        run_folder.start(NPP, {"n_trees": 7}).finish()
        process.kill()
        process.wait()
        run_folder.start(NPP, {"n_trees": 8}).finish()


def test_a_killed_notebook_is_begun_again(runs):
    with session(NPP) as process:
        process.kill()
        process.wait()
        run_folder.start(NPP, {"n_trees": 8}).finish()


def test_a_finished_notebook_is_free_for_others_and_leaves_no_lock(runs):
    first = run_folder.start(NPP, {})
    first.finish()
    with session(NPP, n_trees=8):
        pass
    run_folder.start(RS, {}).finish()  # forgets the killed one
    assert {path.name for path in (runs / ".locks" / "virtual").iterdir()} == {"door.lock"}


def test_a_process_may_begin_again_with_other_parameters(runs):
    """As one does in JupyterLab: the first cell is run again."""
    run_folder.start(NPP, {"n_trees": 7})
    run_folder.start(NPP, {"n_trees": 8})
    run_folder.start(RS, {"n_trees": 9}).finish()
    with session(NPP, n_trees=10):
        pass


def test_who_waits_is_told_for_whom(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import sys; from pathlib import Path; from helpers.runs import locks\n"
        f"with locks.alone(Path({str(path)!r}), 'builds'): print('built')"
    )
    with locks.alone(path, "builds the book of run 'a'"):
        call = [sys.executable, "-c", code]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        waiting = subprocess.Popen(call, env=child_environment(), **pipes)
        line = waiting.stderr.readline()
        assert waiting.poll() is None
    said, _ = waiting.communicate()
    assert re.fullmatch(r"waiting for process \d+ on \S+ since .* \(builds the book of run 'a'\)\n", line)
    assert said == "built\n"


def test_locks_outlive_the_folder_of_their_run(runs):
    """A folder that is removed by hand while a notebook works makes no second one possible."""
    with session(NPP) as process:
        shutil.rmtree(runs / "virtual")
        with pytest.raises(RunError, match=told(process.pid)):
            run_folder.start(NPP, {})


def test_parts_of_a_sweep_work_side_by_side_and_another_plan_is_refused(runs):
    code = (
        "import time; from helpers.runs import locks\n"
        "with locks.sweeping('ci', 'abc'): print('ready', flush=True); time.sleep(60)"
    )
    with running(code) as process:
        with locks.sweeping("ci", "abc"), locks.sweeping("other", "def"):
            pass
        words = (
            rf"run 'sweeps/ci' .*\(plan is 'def' here, 'abc' there\) by process {process.pid} .*executes the sweep ci"
        )
        with pytest.raises(RunError, match=words), locks.sweeping("ci", "def"):
            pass
