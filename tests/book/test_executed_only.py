"""A book of notebooks that were not executed is not built: neither of none, nor of some, nor of a half of one."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["01_data_preparation", "02_npp_random_forest"]


@pytest.fixture(scope="module")
def refuse():
    """The function that Sphinx calls before it reads the pages in a folder."""
    spec = importlib.util.spec_from_file_location("executed_only", ROOT / "book" / "_ext" / "executed_only.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda folder: module.refuse_unexecuted(SimpleNamespace(srcdir=str(folder)))


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Pages as the book's build puts them together, with two executed notebooks."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_generated").mkdir()
    for name in NAMES:
        write(tmp_path, name, 1, 2)
    return tmp_path


def write(pages: Path, name: str, *counts: int | None) -> None:
    """Write a notebook whose cells were executed, or not (None); text and an empty cell never are."""
    code = [{"cell_type": "code", "source": ["x = 1"], "execution_count": count, "outputs": []} for count in counts]
    others = [{"cell_type": "markdown", "source": ["# Text"]}, {"cell_type": "code", "source": [], "outputs": []}]
    (pages / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": code + others}))


def test_executed_notebooks_pass(refuse, pages):
    assert refuse(pages) is None  # and no SystemExit, as the tests below


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ((None, None), (None, None), f"2 of 2 notebooks were not executed ({', '.join(NAMES)})"),
        ((1, 2), (None, None), f"1 of 2 notebooks were not executed ({NAMES[1]})"),
        ((1, None), (1, 2), f"1 of 2 notebooks were not executed ({NAMES[0]})"),
    ],
    ids=["none", "some", "a half of one"],
)
def test_what_was_not_executed_is_named_with_the_command_that_does_it(refuse, pages, first, second, named):
    for name, counts in zip(NAMES, (first, second), strict=True):
        write(pages, name, *counts)
    with pytest.raises(SystemExit) as stopped:
        refuse(pages)
    assert named in stopped.value.code and "`make book`" in stopped.value.code


def test_notebooks_that_were_executed_in_place_are_not_a_run(refuse, pages):
    (pages / "_generated").rmdir()
    with pytest.raises(SystemExit, match="provenance and of the data were not made.*`make book`"):
        refuse(pages)


def test_the_usual_command_in_a_fresh_checkout_ends_with_that_message_and_no_page(tmp_path):
    for name in ("book", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)
    call = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", call, "build", "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("10 of 10 notebooks were not executed (01_data_preparation, ")
    assert not list(tmp_path.rglob("*.html"))
