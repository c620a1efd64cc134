"""Two processes at one thing: real books, real notebooks. Some minutes: `make test-faults`."""

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

import psutil
import pytest
from processes import gone, soon

from helpers.runs.files import child_environment

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
BUILD = """
import sys
from pathlib import Path
from helpers.config import Settings
from helpers.runs import book
import json
print(book.build(Settings(**json.loads(sys.argv[1])), Path(sys.argv[2])))
"""


def settings_of(run: Path) -> dict[str, object]:
    """Return the settings of a run from what its notebooks have on record, each of which knows its own."""
    records = [json.loads(path.read_text())["settings"] for path in sorted((run / "provenance").glob("*.json"))]
    default = records[0]
    return {key: next((r[key] for r in records if r[key] != default[key]), default[key]) for key in default}


@pytest.mark.parametrize("late", [1, 4])
def test_two_books_at_once_are_built_one_after_the_other(virtual_run, tmp_path, late):
    """The first is whole when its process says so; the second says for whom it waits, and is there in the end."""
    runs = tmp_path / "runs"
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


@pytest.mark.parametrize("late", [0, 1.5, 4])
def test_of_two_executions_with_other_parameters_one_is_refused(prepared, late):
    name = "02_npp_random_forest"
    processes = []
    for n_trees in (40, 900):
        processes.append(execution(name, prepared, "-p", "n_trees", n_trees, "-p", "validation_trees", 20))
        time.sleep(late)
    told = [process.communicate()[1] for process in processes]
    done = [n_trees for n_trees, process in zip((40, 900), processes, strict=True) if process.returncode == 0]
    assert len(done) == 1, told
    assert re.search(rf"{name} of run 'virtual' is at work already, in process \d+ on", "".join(told))
    record = json.loads((prepared / "virtual" / "provenance" / f"{name}.json").read_text())
    assert record["finished"] and [record["settings"]["n_trees"]] == done
    assert {output["parameters"]["n_trees"] for output in record["outputs"].values()} == set(done)
    assert f"n_trees: {done[0]}\n" in (prepared / "virtual" / "config.yml").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process looks for its parent, see test_parent")
@pytest.mark.parametrize("after", [0.5, 2.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize("victim", ["papermill", "kernel"])
def test_a_killed_execution_leaves_nobody_and_is_gone_on_with(prepared, tmp_path, victim, after):
    runs = Path(shutil.copytree(prepared, tmp_path / "runs"))
    process = execution("03_rs_random_forest", runs, "-p", "validation_trees", 20)
    papermill = psutil.Process(process.pid)
    assert soon(papermill.children, 60)
    time.sleep(after)
    children = papermill.children(recursive=True)
    os.kill((children[0].pid if children else process.pid) if victim == "kernel" else process.pid, signal.SIGKILL)
    process.communicate()
    assert soon(lambda: all(gone(child.pid) for child in children), 3)
    again = execution("03_rs_random_forest", runs, "-p", "validation_trees", 20)
    assert again.wait() == 0, again.stderr.read()
    assert not [path for path in (runs / "virtual").rglob(".*") if ".partial." in path.name or ".old." in path.name]
