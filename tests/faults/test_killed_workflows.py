"""Workflows, sweeps and books of which parts are killed again and again until they are whole: `make test-faults`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from trials import BUILD, ends_well, options_of, settings_of

from helpers.runs.files import child_environment, digest

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process looks for its parent, see test_parent"),
]

ROOT = Path(__file__).resolve().parents[2]
SWEEP = {
    "config": "virtual",
    "base": {
        **{"resolution": 1.0, "first_year": 2018, "n_trees": 4, "validation_trees": 4, "validation_schemes": "fast"},
        **{"n_folds": 3, "npp_sites": 40, "rs_sites": 20, "rs_rh_line": "site_means"},
    },
    "axes": {"rs_rh_line": ["site_means", "paper"], "seed": [1, 2]},
}
#: Who is killed, in turn: one process, all at once, the one that was begun, the server that the others are copies of.
WORKFLOW_VICTIMS = ["any", "snakemake -s", "all", "begun", "any", "warm serve"]
SWEEP_VICTIMS = ["any", "all", "snakemake -s", "warm serve", "any"]
BOOK_VICTIMS = ["begun", "any", "all", "any"]


def begun(command: list[str], folder: Path, runs: Path) -> subprocess.Popen:
    """Begin a command of the package in a folder; what it says goes to a file there."""
    environment = child_environment(QTP_RUNS_DIR=str(runs), QTP_WARM="")
    with (folder / "said.txt").open("a", encoding="utf-8") as said:
        return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=said, stderr=said)


def finished(begin: Callable[[], subprocess.Popen], folder: Path) -> None:
    """Let the work be done to its end."""
    assert begin().wait() == 0, (folder / "said.txt").read_text(encoding="utf-8")[-3000:]


def test_a_workflow_that_is_killed_again_and_again_makes_the_same_run(virtual_run, tmp_path, trials):
    command = ["-m", "helpers.runs.warm", sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow/Snakefile")]
    command += ["--cores", "2", "--rerun-incomplete", "--nolock", "--directory", str(tmp_path)]
    command += ["--runtime-source-cache-path", str(tmp_path / "cache"), "--config", "config=virtual"]
    command += [*options_of(virtual_run), "--"]
    runs = tmp_path / "runs"

    def begin() -> subprocess.Popen:
        return begun([*command, "run"], tmp_path, runs)

    for victim in WORKFLOW_VICTIMS:
        trials.kill(begin, victim, 30.0)
        trials.look(runs / "virtual", virtual_run)
    finished(begin, tmp_path)
    trials.compare(runs / "virtual", virtual_run)
    trials.verdict()


def test_a_sweep_that_is_killed_again_and_again_makes_the_same_table(tmp_path, trials):
    file = tmp_path / "tiny.yml"
    file.write_text(yaml.safe_dump(SWEEP))
    unhurt, runs = tmp_path / "unhurt", tmp_path / "runs"
    command = ["-m", "helpers.sweeps.stages", "run", str(file), "--jobs", "2", "--retry-failed"]
    finished(lambda: begun(command, tmp_path, unhurt), tmp_path)
    for victim in SWEEP_VICTIMS:
        trials.kill(lambda: begun(command, tmp_path, runs), victim, 20.0)
        trials.look(runs / "sweeps", unhurt / "sweeps")
    finished(lambda: begun(command, tmp_path, runs), tmp_path)
    trials.compare(runs / "sweeps", unhurt / "sweeps")
    assert (pd.read_csv(runs / "sweeps" / "tiny" / "results.csv")["status"] == "done").all()
    trials.verdict()


def test_a_book_that_is_killed_leaves_the_last_good_one_or_a_new_one(virtual_run, virtual_book, tmp_path, trials):
    build = Path(shutil.copytree(virtual_book.parent, tmp_path / "_build"))
    html = Path(shutil.move(build / virtual_book.name, build / "html"))
    good, pages = digest(html), {path.name for path in html.rglob("*.html") if "_static" not in path.parts}
    command = ["-c", BUILD, json.dumps(settings_of(virtual_run)), str(build)]

    def begin() -> subprocess.Popen:
        return begun(command, tmp_path, virtual_run.parent)

    for victim in BOOK_VICTIMS:
        trials.kill(begin, victim, 30.0)
        trials.lost += missing(html, good, pages)
    finished(begin, tmp_path)
    trials.lost += missing(html, good, pages)
    trials.lost += [f"{path} is left" for path in build.glob(".*.html")]
    trials.verdict()


def missing(html: Path, good: str, pages: set[str]) -> list[str]:
    """Return what is missing of a book that is not the last good one."""
    if html.is_dir() and digest(html) == good:
        return []
    there = [path for path in html.rglob("*.html") if "_static" not in path.parts]  # templates of the theme lie there
    cut = [str(path) for path in there if not ends_well(path)]
    return cut + sorted(pages - {path.name for path in there})
