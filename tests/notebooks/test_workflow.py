"""The workflow executes what is stale, nothing else, and says so.

The checkout is a copy of this one, in which Snakemake takes every notebook as executed: only the graph is in question.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from processes import gone, running, soon

from helpers.runs.steps import STEPS, chain_of

ROOT = Path(__file__).resolve().parents[2]
NAMES = list(STEPS)
APART = ("07_sensitivity", "08_scaling")  # they read a sweep and measurements, not the run
CHAIN = [name for name in NAMES if name not in APART]


def environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"QTP_BOOK_ROOT": str(checkout), "PYTHONPATH": str(ROOT / "src"), "HOME": str(checkout)}


def snakemake(checkout: Path, *arguments: str, goal: str = "run", **settings: object) -> subprocess.CompletedProcess:
    """Call the workflow in a checkout."""
    pairs = [f"{key}={value}" for key, value in {"config": "virtual", **settings}.items()]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", "workflow/Snakefile", "--cores", "2", *arguments]
        + ["--runtime-source-cache-path", "_build/cache", "--config", *pairs, "--", goal],
        cwd=checkout,
        env=environment(checkout),
        capture_output=True,
        text=True,
        check=False,
    )


def make(checkout: Path, *arguments: str) -> str:
    """Call make in a checkout, whose environment is this one; return what it says."""
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment(checkout), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def stale(checkout: Path, **settings: object) -> list[str]:
    """Return the notebooks that a run would execute."""
    done = snakemake(checkout, "--dry-run", "--quiet", "host", "reason", **settings)
    assert done.returncode == 0, done.stderr
    return [name for name in NAMES if f"rule notebook_{name}:" in done.stdout + done.stderr]


@pytest.fixture(scope="module", autouse=True)
def _warm(warm_calls: dict[str, str]) -> Iterator[None]:
    """Let the notebooks of a workflow begin with everything imported, as make does."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in warm_calls.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A checkout, in a path with a space, whose notebooks count as executed."""
    checkout = tmp_path_factory.mktemp("check out")
    for name in ("workflow", "config", "notebooks", "data", "src", "book"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "notebooks", checkout / "runs" / "virtual" / "notebooks")
    (checkout / "runs" / "virtual" / "provenance").mkdir()
    for name in NAMES:
        put_on_record(checkout, name)
    done = snakemake(checkout, "--touch", "--forceall")
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture
def checkout(executed: Path):
    """The executed checkout, with what a test writes to taken back afterwards."""
    files = [path for name in ("src", "notebooks", "data", "workflow") for path in (executed / name).rglob("*.*")]
    kept = {path: (path.read_bytes(), path.stat()) for path in files if path.is_file()}
    yield executed
    for path, (content, status) in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def put_on_record(checkout: Path, name: str, **outputs: dict[str, object]) -> None:
    """Write the provenance of a notebook that has ended."""
    record = {"settings": {}, "finished": "2026-01-01T00:00:00+00:00", "inputs": {}, "outputs": outputs}
    (checkout / "runs" / "virtual" / "provenance" / f"{name}.json").write_text(json.dumps(record))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_second_run_does_nothing_and_says_so_even_after_edits_of_comments_and_docstrings(checkout):
    for path in (checkout / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"""', '"""Again: ', 1) + "\n# the end\n", encoding="utf-8")
    assert "Nothing to be done" in snakemake(checkout).stderr


def test_an_edited_module_is_followed_by_the_notebooks_that_use_it_and_those_after_them(checkout):
    edit(checkout / "src" / "helpers" / "balance" / "carbon.py", "return ", "return 1.0 * ")
    assert stale(checkout) == CHAIN[3:]


def test_an_edited_notebook_is_followed_by_those_after_it(checkout):
    edit(checkout / "notebooks" / "03_rs_random_forest.ipynb", "book_run.finish()", "book_run.finish()  # end")
    assert stale(checkout) == CHAIN[2:]


def test_a_changed_parameter_is_followed_by_what_it_decides_and_threads_decide_nothing(checkout):
    assert stale(checkout, rs_mtry=3, threads=1) == CHAIN[2:]


def test_the_plan_of_plots_asks_for_what_it_needs_and_its_table_for_the_plan_alone(checkout, tmp_path):
    """An outline counts by its content, and for notebook 10 only."""
    outline = tmp_path / "here.geojson"
    outline.write_text("{}")
    assert stale(checkout, plots=f"{{within: {outline}}}") == ["10_where_to_measure_next"]
    done = snakemake(checkout, "--dry-run", "--quiet", "host", "reason", goal="plan", seed=7)
    said = done.stdout + done.stderr
    assert [name for name in NAMES if f"rule notebook_{name}:" in said] == chain_of("10_where_to_measure_next")


def test_a_notebook_whose_results_are_lost_is_executed_again_and_the_reason_said(checkout):
    folder, hurt = checkout / "runs" / "virtual", ["05_comparison", "07_sensitivity", "08_scaling"]
    copies = [folder / "notebooks" / f"{name}.ipynb" for name in hurt]
    kept = {path: (path.read_bytes(), path.stat()) for path in copies}
    saved = {"sha256": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5", "bytes": 5}  # of 12345
    for name in ("04_rh_and_nep", *hurt[:2]):
        put_on_record(checkout, name, **{f"{name}.csv": saved})
        (folder / f"{name}.csv").write_text("12345")
    (folder / "05_comparison.csv").unlink()
    (folder / "07_sensitivity.csv").write_text("1234")
    copies[2].write_bytes(b"")
    done = snakemake(checkout, "--dry-run", "--quiet", "host", "reason")
    said = done.stdout + done.stderr
    assert [name for name in NAMES if f"rule notebook_{name}:" in said] == hurt, said
    why = ["is missing", "has 4 bytes, and 5 were saved", "cannot be read"]
    for name, words in zip(hurt, why, strict=True):
        assert re.search(rf"{name} is executed again: .*{words}", done.stderr)
    for path, (content, status) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        put_on_record(checkout, path.stem)


@pytest.mark.faults
def test_a_run_that_others_work_on_with_other_parameters_is_not_touched(checkout):
    code = (
        "import time; from helpers.runs import folder; "
        "folder.start('02_npp_random_forest', {'n_trees': 7}); print('ready', flush=True); time.sleep(60)"
    )
    with running(code, QTP_RUNS_DIR=str(checkout / "runs"), QTP_BOOK_ROOT=str(checkout)) as other:
        done = snakemake(checkout)
        words = rf"n_trees is \d+ here, 7 there\) by process {other.pid} on"
        assert done.returncode != 0 and re.search(words, done.stderr)
        assert stale(checkout, n_trees=7) == CHAIN[1:]


WORKING = """
import os, time
open("{told}/kernel", "w").write(str(os.getpid()))
open("{told}/papermill", "w").write(str(os.getppid()))
time.sleep(60)
"""
ENDING = "from helpers.runs.folder import start\nstart('01_data_preparation', globals()).finish()"


def write_cell(path: Path, source: str) -> None:
    """Put a notebook of one cell in place of another one."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata = nbformat.read(path, as_version=4).metadata
    nbformat.write(notebook, path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process looks for its parent, see test_parent")
@pytest.mark.parametrize(
    "served", [pytest.param(True, id="from the server"), pytest.param(False, id="by itself", marks=pytest.mark.faults)]
)
def test_a_killed_workflow_leaves_nobody_at_work(checkout, tmp_path, monkeypatch, served):
    """Papermill and kernel of the notebook that it was executing are gone, and the run is free."""
    if not served:
        monkeypatch.delenv("QTP_WARM", raising=False)
    path = checkout / "notebooks" / "01_data_preparation.ipynb"
    write_cell(path, WORKING.format(told=tmp_path))
    goal = checkout / "runs" / "killed" / "notebooks" / "01_data_preparation.ipynb"
    call = [sys.executable, "-m", "snakemake", "-s", "workflow/Snakefile", "--cores", "1", "--nolock", "--config"]
    call += ["config=virtual", "run=killed", "--", str(goal)]
    killed = subprocess.Popen(call, cwd=checkout, env=environment(checkout), stderr=subprocess.DEVNULL)
    told = tmp_path / "kernel", tmp_path / "papermill"
    assert soon(lambda: all(path.is_file() and path.read_text() for path in told), 60)
    killed.kill()
    killed.wait()
    assert soon(lambda: all(gone(int(path.read_text())) for path in told), 3)
    write_cell(path, ENDING)
    done = snakemake(checkout, "--rerun-incomplete", run="killed", goal=str(goal))
    assert done.returncode == 0 and goal.is_file(), done.stderr
    assert not list(goal.parent.glob(".*"))
    shutil.rmtree(checkout / "runs" / "killed")


def test_an_edited_workflow_is_read_anew_by_make(checkout, tmp_path):
    """Snakemake by itself reads the copy in its cache, which the first call fills."""
    copy = shutil.copytree(checkout, tmp_path / "co py", symlinks=True)
    shutil.copy(ROOT / "Makefile", copy)
    (copy / "requirements.lock").touch()
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    make(copy, "--touch", "environment")
    assert "the edited one" not in make(copy, "run")
    with (copy / "workflow" / "Snakefile").open("a") as stream:
        stream.write('\nprint("the edited one", file=sys.stderr)\n')
    assert "the edited one" in make(copy, "run")


def test_a_wrong_parameter_is_refused_with_the_nearest_name(checkout):
    assert "did you mean 'n_trees'" in snakemake(checkout, n_tres=5).stderr


def test_a_failing_notebook_stops_those_after_it_and_shows_its_error(checkout):
    path = checkout / "notebooks" / "01_data_preparation.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(notebook, path)
    folder = checkout / "runs" / "failing" / "notebooks"
    done = snakemake(checkout, run="failing", goal=str(folder / "02_npp_random_forest.ipynb"))
    assert done.returncode != 0 and "ZeroDivisionError" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["01_data_preparation.failed.ipynb"]


NEVER_YET = 4_000_000_000  # seconds: in the year 2096


@pytest.mark.parametrize("late", ["own.csv", "notebooks/01_data_preparation.ipynb"])
def test_a_file_of_ones_own_may_lie_at_home_and_be_dated_in_the_future(checkout, late):
    """The fixture's home is the checkout. Snakemake takes a result that is older than its input for a fault."""
    write_cell(checkout / "notebooks" / "01_data_preparation.ipynb", ENDING)
    (checkout / "own.csv").write_text("variable\n")
    (checkout / "config" / "mine.yml").write_text(
        "world: virtual\nresolution: 0.5\nextra_observations: ['~/own.csv']\n"
    )
    os.utime(checkout / late, (NEVER_YET, NEVER_YET))
    goal = str(checkout / "runs" / "mine" / "notebooks" / "01_data_preparation.ipynb")
    made = snakemake(checkout, goal=goal, config="mine")
    assert made.returncode == 0 and Path(goal).is_file(), made.stderr
    assert "Nothing to be done" in snakemake(checkout, goal=goal, config="mine").stderr
    (checkout / "own.csv").write_text("variable,site\n")
    assert "rule notebook_01_data_preparation:" in snakemake(checkout, "--dry-run", goal=goal, config="mine").stdout
    shutil.rmtree(checkout / "runs" / "mine")


def test_an_own_table_that_is_not_there_is_named_as_it_was_given(checkout):
    done = snakemake(checkout, extra_observations="['~/gone.csv']")
    assert done.returncode != 0 and f"'~/gone.csv': no file {checkout / 'gone.csv'}" in done.stderr


def test_nothing_is_written_to_the_home_folder_but_the_cache(checkout):
    """The fixture's home is the checkout."""
    hidden = {path.name for path in checkout.iterdir() if path.name.startswith(".")}
    assert hidden <= {".cache", ".snakemake"}
