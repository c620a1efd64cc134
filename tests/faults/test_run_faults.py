"""Faults of a run: each stops with a message that says what to do, and leaves nothing half written."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr
import yaml
from made_places import real_values

from helpers.errors import ConfigError, RunError
from helpers.runs import execute, files
from helpers.runs import folder as run_folder

CUBE = xr.Dataset({"temperature": ("latitude", [1.0, 2.0])}, {"latitude": [36.5, 35.5]})


def write_notebook(path: Path, *cells: str | tuple[str, str]) -> Path:
    """Write a notebook of code cells; a pair is a cell and its tag."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    for cell in cells:
        source, tags = (cell, []) if isinstance(cell, str) else (cell[0], [cell[1]])
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout: two configurations and one notebook that saves the cube."""
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "virtual.yml").write_text("world: virtual\nresolution: 0.25\n")
    (tmp_path / "config" / "open.yml").write_text(yaml.safe_dump(real_values(resolution=0.1)))
    write_notebook(tmp_path / "notebooks" / "01_data_preparation.ipynb", 'book_run.save_dataset("cube", cube)')
    return tmp_path


def test_a_notebook_before_its_predecessor_is_told_which_to_run(checkout):
    with pytest.raises(RunError, match=r"run notebooks/01_data_preparation\.ipynb first"):
        run_folder.start("02_npp_random_forest", {}).load_dataset("cube")


def test_what_no_notebook_saves_is_told_to_come_from_the_earlier_ones(checkout):
    with pytest.raises(RunError, match="run the notebooks before this one"):
        run_folder.start("02_npp_random_forest", {}).load_table("flow")


def test_results_of_other_parameters_are_refused(checkout):
    run_folder.start("01_data_preparation", {"resolution": 0.5}).save_dataset("cube", CUBE)
    with pytest.raises(RunError, match=r"resolution is 0\.25 here, 0\.5 there.*01_data_preparation"):
        run_folder.start("02_npp_random_forest", {}).load_dataset("cube")


def test_parameters_that_do_not_decide_a_result_may_differ(checkout):
    run_folder.start("01_data_preparation", {"n_trees": 7}).save_dataset("cube", CUBE)
    xr.testing.assert_equal(run_folder.start("02_npp_random_forest", {}).load_dataset("cube").load(), CUBE)


def test_a_failed_save_leaves_the_earlier_file(checkout):
    book_run = run_folder.start("01_data_preparation", {})
    book_run.save_dataset("cube", CUBE)
    failing = CUBE.chunk({"latitude": 1}).map(lambda field: field.copy(data=field.data.map_blocks(_fails)))
    with pytest.raises(ArithmeticError):
        book_run.save_dataset("cube", failing)
    xr.testing.assert_equal(book_run.load_dataset("cube").load(), CUBE)


def test_a_failed_save_leaves_no_other_files(checkout):
    book_run = run_folder.start("01_data_preparation", {})
    with pytest.raises(ArithmeticError), files.written_whole(book_run.folder / "cube.zarr") as partial:
        partial.mkdir()
        raise ArithmeticError
    assert [path.name for path in book_run.folder.iterdir()] == ["config.yml"]


def test_a_failed_save_ends_only_when_its_writers_have(checkout):
    written = []

    def late(block: np.ndarray, block_id: tuple[int, ...] | None = None) -> np.ndarray:
        if block_id == (1,):
            raise ArithmeticError
        time.sleep(0.5)
        written.append(block_id)
        return block

    book_run = run_folder.start("01_data_preparation", {})
    failing = CUBE.chunk({"latitude": 1}).map(lambda field: field.copy(data=field.data.map_blocks(late)))
    with pytest.raises(ArithmeticError):
        book_run.save_dataset("cube", failing)
    at_return = list(written)
    time.sleep(1)
    assert written == at_return
    assert [path.name for path in book_run.folder.iterdir()] == ["config.yml"]


def _fails(block: np.ndarray, block_id: tuple[int, ...] | None = None) -> np.ndarray:
    """Fail for the second block, when the first may be on disk."""
    if block_id == (1,):
        raise ArithmeticError
    return block


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ([1.0], TypeError), (True, TypeError)])
def test_what_a_page_cannot_show_is_not_glued(checkout, value, error):
    with pytest.raises(error, match="glue 'nep_mean'"):
        run_folder.start("05_comparison", {}).glue("nep_mean", value)


def test_a_wrong_parameter_is_refused_before_the_notebook_starts(checkout):
    notebook = write_notebook(checkout / "notebooks" / "02.ipynb", "1 / 0")
    with pytest.raises(ConfigError, match="did you mean 'n_trees'"):
        execute.execute(notebook, "virtual", {"n_tres": 5})


def test_a_missing_notebook_is_named(checkout):
    with pytest.raises(RunError, match=r"no notebook .*09_other\.ipynb"):
        execute.execute(checkout / "notebooks" / "09_other.ipynb", "virtual")


def test_a_failing_cell_stops_with_its_error_and_the_executed_copy(checkout, capsys):
    notebook = write_notebook(checkout / "notebooks" / "02_fails.ipynb", "config = None", "ratio = 1 / 0", "after = 1")
    assert execute.main([str(notebook)]) == 1
    message = capsys.readouterr().err
    assert "ratio = 1 / 0" in message and "ZeroDivisionError" in message
    assert "executed copy: runs/virtual/notebooks/02_fails.failed.ipynb" in message
    folder = checkout / "runs" / "virtual" / "notebooks"
    assert [path.name for path in folder.iterdir()] == ["02_fails.failed.ipynb"]


@pytest.fixture
def executed(checkout, monkeypatch) -> list[str]:
    """The output of each cell of a notebook, executed where another kernel is called python3, and TMPDIR is long."""
    temporary = checkout / ("d" * 100)
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    spec = checkout / "kernels" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["false"], "display_name": "other", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(checkout / "kernels"))
    monkeypatch.setenv("QTP_DATA_MIRROR", "mirror")
    monkeypatch.chdir(checkout)
    notebook = write_notebook(
        checkout / "notebooks" / "02_cells.ipynb",
        ("config = None", "parameters"),
        "import os, sys; print(sys.executable)",
        "print(os.environ['QTP_DATA_MIRROR'])",
        ("print('the truth')", "truth"),
        "print(config, run)",
    )
    copy = nbformat.read(execute.execute(notebook, "open", {"run": "trial"}), as_version=4)
    return [cell.outputs[0]["text"].strip() if cell.outputs else "" for cell in copy.cells]


def test_an_executed_notebook(executed, checkout):
    """One kernel for four promises: it takes seconds to start."""
    import sys

    assert sys.executable in executed, "the kernel is the interpreter that executes, whatever kernels there are"
    assert str(checkout / "mirror") in executed, "a folder is seen from where the command was given"
    assert "the truth" not in executed, "cells tagged truth are left out where the world has none"
    assert "open trial" in executed, "configuration and overrides reach the notebook"


def test_cells_are_left_out_by_their_tags_and_without_a_sweep(checkout, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(checkout / "runs"))
    cells = [("kept = 1", "other"), ("raise ValueError('drawn')", "figure"), ("raise ValueError('swept')", "sweep")]
    path = write_notebook(checkout / "notebooks" / "09_tags.ipynb", *cells)
    executed = nbformat.read(execute.execute(path, "virtual", without=("figure",)), as_version=4)
    assert [cell.source for cell in executed.cells][-1] == "kept = 1"


def test_cells_of_a_sweep_are_executed_where_its_results_are(checkout, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(checkout / "runs"))
    results = checkout / "runs" / "sweeps" / "mine" / "results.csv"
    results.parent.mkdir(parents=True)
    results.touch()
    path = write_notebook(checkout / "notebooks" / "09_tags.ipynb", ("raise ValueError('swept')", "sweep"))
    with pytest.raises(RunError, match="swept"):
        execute.execute(path, "virtual", {"sweep": "mine"})


def test_a_copy_that_lies_in_another_repository_is_not_at_its_commit(checkout, tmp_path, monkeypatch):
    """As an unpacked archive does; with a repository of its own it has one."""

    def git(folder: Path, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)

    def recorded() -> dict[str, object]:
        book_run = run_folder.start("01_data_preparation", {})
        book_run.finish()
        return json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())["git"]

    inner = tmp_path / "inner"
    inner.mkdir()
    for name in ("config", "notebooks"):
        (checkout / name).rename(inner / name)
    monkeypatch.setenv("QTP_BOOK_ROOT", str(inner))
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "another work")
    assert recorded() == {"commit": None, "dirty": None}
    git(inner, "init")
    git(inner, "commit", "--allow-empty", "-m", "this one")
    own = recorded()
    assert len(own["commit"]) == 40 and own["dirty"] is True
