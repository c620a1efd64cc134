"""The workflow executes what is stale, nothing else, and says so.

The notebooks here are trivial and their package is a stand-in, since only the graph is in question.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.runs.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
NAMES = list(STEPS)
APART = ("07_sensitivity", "08_scaling")  # they read a sweep and measurements, not the run
CHAIN = [name for name in NAMES if name not in APART]
IMPORTS = {"02_npp_random_forest": "forest", "03_rs_random_forest": "forest", "04_rh_and_nep": "carbon"}


def snakemake(checkout: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the workflow's notebooks in a checkout, two at a time where the graph allows."""
    pairs = [f"{key}={value}" for key, value in {"config": "virtual", **settings}.items()]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", "workflow/Snakefile", "--cores", "2", *arguments]
        + ["--runtime-source-cache-path", "_build/cache", "--config", *pairs, "--", "run"],
        cwd=checkout,
        env=os.environ | {"QTP_BOOK_ROOT": str(checkout), "PYTHONPATH": str(ROOT / "src"), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


def make(checkout: Path, *arguments: str) -> str:
    """Call make in a checkout, whose environment is this one; return what it says."""
    environment = os.environ | {"QTP_BOOK_ROOT": str(checkout), "PYTHONPATH": str(ROOT / "src"), "HOME": str(checkout)}
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def stale(checkout: Path, **settings: object) -> list[str]:
    """Return the notebooks that a run would execute."""
    done = snakemake(checkout, "--dry-run", "--quiet", "host", "reason", **settings)
    assert done.returncode == 0, done.stderr
    return [name for name in NAMES if f"rule notebook_{name}:" in done.stdout + done.stderr]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A checkout whose five notebooks were executed once."""
    checkout = tmp_path_factory.mktemp("check out")
    shutil.copytree(ROOT / "workflow", checkout / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "config").mkdir()
    (checkout / "config" / "virtual.yml").write_text("world: virtual\nresolution: 0.25\n")
    for folder in ("book", "notebooks", "data", "src/helpers"):
        (checkout / folder).mkdir(parents=True)
    for module in ("__init__", "forest", "carbon"):
        (checkout / "src" / "helpers" / f"{module}.py").write_text("")
    for name in NAMES:
        source = f"if False:\n    from helpers import {IMPORTS.get(name, 'config')}"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, checkout / "notebooks" / f"{name}.ipynb")
    done = snakemake(checkout)
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture
def checkout(executed: Path, tmp_path: Path) -> Path:
    """The executed checkout, with what a test writes to taken back afterwards."""
    sources = [path for path in executed.rglob("*") if path.suffix in {".py", ".ipynb"} or path.name == "Snakefile"]
    kept = {path: (path.read_bytes(), path.stat()) for path in sources}
    yield executed
    for path, (content, status) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_second_run_does_nothing_and_says_so(checkout):
    assert "Nothing to be done" in snakemake(checkout).stderr


def test_an_edited_helper_is_followed_by_what_imports_it(checkout):
    (checkout / "src" / "helpers" / "carbon.py").write_text("LINE = (0.62, 9.01)")
    assert stale(checkout) == ["04_rh_and_nep", "05_comparison", "06_uncertainty"]


def test_an_edited_notebook_is_followed_by_those_after_it(checkout):
    path = checkout / "notebooks" / "03_rs_random_forest.ipynb"
    path.write_text(path.read_text().replace("if False", "if None"))
    assert stale(checkout) == ["03_rs_random_forest", "04_rh_and_nep", "05_comparison", "06_uncertainty"]


@pytest.mark.parametrize(
    ("settings", "again"),
    [
        ({"resolution": 0.5}, CHAIN),
        ({"rs_mtry": 3}, CHAIN[2:]),
        ({"rs_rh_line": "records"}, CHAIN[3:]),
        ({"threads": 1}, []),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_a_changed_parameter_is_followed_by_what_it_decides(checkout, settings, again):
    assert stale(checkout, **settings) == again


def test_an_edited_workflow_is_read_anew_by_make(checkout, tmp_path):
    """Snakemake by itself reads the copy in its cache, which the first call fills."""
    copy = shutil.copytree(checkout, tmp_path / "copy", symlinks=True)
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


def test_another_run_shares_nothing(checkout):
    assert stale(checkout, run="trial") == NAMES


def test_a_wrong_parameter_is_refused_with_the_nearest_name(checkout):
    assert "did you mean 'n_trees'" in snakemake(checkout, n_tres=5).stderr


def test_a_failing_notebook_stops_those_after_it_and_shows_its_error(checkout):
    path = checkout / "notebooks" / "02_npp_random_forest.ipynb"
    path.write_text(path.read_text().replace("if False", "if 1 / 0"))
    done = snakemake(checkout, run="failing")
    assert done.returncode != 0 and "ZeroDivisionError" in done.stderr
    folder = checkout / "runs" / "failing" / "notebooks"
    assert not (folder / "04_rh_and_nep.ipynb").exists()


def test_nothing_is_written_to_the_home_folder_but_the_cache(checkout):
    """The fixture's home is the checkout."""
    hidden = {path.name for path in checkout.iterdir() if path.name.startswith(".")}
    assert hidden <= {".cache", ".snakemake"}
