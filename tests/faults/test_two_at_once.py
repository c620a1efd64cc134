"""Two processes at one thing: real books, real notebooks. Some minutes: `make test-faults`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import soon
from trials import BUILD, settings_of

from helpers.runs.files import child_environment
from mapforest.locks import Lock

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("late", [1, 4])
def test_two_books_at_once_are_built_one_after_the_other(virtual_run, virtual_book, tmp_path, late):
    """The first is whole when its process says so; the second says for whom it waits, and is there in the end."""
    runs = tmp_path / "runs"
    shutil.copytree(virtual_book.parent / "read", tmp_path / "_build" / "read")  # the code reference, half of the work
    for name in ("one", "two"):
        shutil.copytree(virtual_run, runs / name)
    processes = []
    for name in ("one", "two"):
        given = json.dumps(settings_of(virtual_run) | {"run": name})
        call = [sys.executable, "-c", BUILD, given, str(tmp_path / "_build")]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(call, env=child_environment(QTP_RUNS_DIR=str(runs)), **pipes))
        time.sleep(late)
    told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert "waiting for process" in told[0][1] + told[1][1]
    (stamp,) = (tmp_path / "_build" / "html").glob("of-run-*")
    run = stamp.name.removeprefix("of-run-")
    pages = sorted((tmp_path / "_build" / "html" / "book").glob("*.html"))
    found = {re.search(r"<p>run (\w+) ", page.read_text(encoding="utf-8"))[1] for page in pages}
    assert len(pages) > 10 and found == {run}


def execution(notebook: str, runs: Path, *parameters: object) -> subprocess.Popen:
    """Begin to execute a notebook in a process of its own."""
    call = [sys.executable, "-m", "helpers.runs.execute", f"notebooks/{notebook}.ipynb", "--config", "virtual"]
    options = ["-p", "resolution", 1.0, "-p", "first_year", 2018, "-p", "n_folds", 3, *parameters]
    return subprocess.Popen(
        [*call, *map(str, options)],
        cwd=ROOT,
        env=child_environment(QTP_RUNS_DIR=str(runs)),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """The runs' folder after notebook 01 of a small world."""
    runs = tmp_path_factory.mktemp("runs")
    process = execution("01_data_preparation", runs)
    assert process.wait() == 0, process.stderr.read()
    return runs


def held_still(process: subprocess.Popen, lock: Lock) -> list[psutil.Process]:
    """Stop a process with its children once it holds a lock, and while it is not asking who else is at work."""
    assert soon(lambda: bool(lock.holder()), 60)
    door, first = Lock(lock.path.with_name("door.lock")), psutil.Process(process.pid)
    while True:
        still = [first, *first.children(recursive=True)]
        for one in still:
            one.suspend()
        if door.is_free():
            return still
        for one in still:
            one.resume()


@pytest.mark.parametrize("begun", ["", "executing", "session"])
def test_of_two_executions_with_other_parameters_one_is_refused(prepared, begun):
    """The second begins beside the first; or when papermill, or the kernel, of the first holds its lock, and the first
    stands still until the second has ended.
    """
    name = "02_npp_random_forest"
    processes, still = [], []
    for n_trees in (600, 900):
        processes.append(execution(name, prepared, "-p", "n_trees", n_trees, "-p", "validation_trees", 20))
        if begun and not still:
            still = held_still(processes[0], Lock(prepared / ".locks" / "virtual" / f"{name}.{begun}.lock"))
    told = [processes[1].communicate()[1]]
    for process in still:
        process.resume()
    told.append(processes[0].communicate()[1])
    done = [n_trees for n_trees, process in zip((600, 900), processes, strict=True) if process.returncode == 0]
    assert len(done) == 1 and (done == [600] or not begun), told
    assert re.search(rf"{name} of run 'virtual' is at work already, in process \d+ on", "".join(told))
    record = json.loads((prepared / "virtual" / "provenance" / f"{name}.json").read_text())
    assert record["finished"] and [record["settings"]["n_trees"]] == done
    assert {output["parameters"]["n_trees"] for output in record["outputs"].values()} == set(done)
    assert f"n_trees: {done[0]}\n" in (prepared / "virtual" / "config.yml").read_text()
