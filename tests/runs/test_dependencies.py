"""What a notebook's results depend on, found from its text."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import nbformat
import pytest

from helpers.config import config_names, load_config, own_files, project_root
from helpers.errors import RunError
from helpers.runs import dependencies
from helpers.runs.steps import STEPS


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which cube needs grid, grid reads the geography, and two notebooks' figures have a colour."""
    texts = {
        "src/helpers/__init__.py": "",
        "src/helpers/carbon.py": "def nep(npp, rh):\n    return npp - rh",
        "src/helpers/data/__init__.py": "",
        "src/helpers/data/grid.py": 'FILE = "geography.nc"',
        "src/helpers/data/cube.py": "def sample():\n    from helpers.data.grid import cells\n    return cells",
        "src/helpers/figures/__init__.py": "",
        "src/helpers/figures/maps.py": "from helpers.figures import style\n\ndef draw():\n    return style.INK",
        "src/helpers/figures/style.py": 'INK = "black"',
        "src/mapforest/__init__.py": "",
        "src/mapforest/folds.py": "K = 5",
        "data/catalog.yml": "files: [sites.csv]",
        "data/geography.nc": "",
        "data/sites.csv": "",
        "data/README.md": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def notebook(checkout: Path, *cells: str, figure: str = "") -> Path:
    path = checkout / "02_npp_random_forest.ipynb"
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made += [nbformat.v4.new_code_cell(figure, metadata={"tags": ["figure"]})] if figure else []
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def reached(path: Path, checkout: Path, without=()) -> set[str]:
    """Return the files that a notebook reaches, without those that hold a package's docstring."""
    files = dependencies.reached_files(path, checkout, without)
    return {file.relative_to(checkout).as_posix().removeprefix("src/") for file in files if file.stem != "__init__"}


CUBE = {"helpers/data/cube.py", "helpers/data/grid.py", "data/geography.nc"}


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("import numpy as np", set()),
        ("%matplotlib inline\nfrom helpers import carbon\ncarbon", {"helpers/carbon.py"}),
        ("from helpers.data import cube\ncube", CUBE),
        ("import helpers.data.cube as c\nc", CUBE),
        ("from helpers.data.cube import sample\nsample()", CUBE),
        ("from mapforest import folds\nfolds.K", {"mapforest/folds.py"}),
        ("from helpers.figures.maps import draw\ndraw()", {"helpers/figures/maps.py", "helpers/figures/style.py"}),
        ("from helpers.data import cube\nfrom helpers import carbon\ncarbon", {"helpers/carbon.py"}),
        ('FILES = "catalog.yml and README.md"', {"data/catalog.yml", "data/sites.csv"}),
        ("# geography.nc", set()),
    ],
)
def test_a_notebook_depends_on_what_it_uses_and_names_directly_and_through_others(checkout, source, files):
    assert reached(notebook(checkout, source), checkout) == files


def test_the_docstring_of_a_package_counts_with_its_modules(checkout):
    path = notebook(checkout, "from helpers.data import grid\ngrid")
    packages = [file.parent.name for file in dependencies.reached_files(path, checkout) if file.stem == "__init__"]
    assert packages == ["helpers", "data"]


def test_what_only_a_left_out_cell_uses_does_not_count(checkout):
    path = notebook(checkout, "from helpers.figures.maps import draw", figure="draw()")
    assert reached(path, checkout, without=("figure",)) == set() and len(reached(path, checkout)) == 2


@pytest.mark.parametrize("statement", ["from . import grid", "from helpers.data import *"])
def test_an_import_that_would_be_missed_is_refused(checkout, statement):
    (checkout / "src" / "helpers" / "carbon.py").write_text(f"\n{statement}\n")
    path = notebook(checkout, "from helpers import carbon\ncarbon")
    with pytest.raises(RunError, match=r"carbon\.py: an import that names no module or no name in line 2"):
        dependencies.reached_files(path, checkout)


def test_a_cell_that_is_not_python_is_named(checkout):
    with pytest.raises(RunError, match=r"02_npp_random_forest\.ipynb: .* in line 1, 'dfe f"):
        dependencies.reached_files(notebook(checkout, "dfe f(): pass"), checkout)


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        (
            "src/helpers/carbon.py",
            'def nep(npp, rh):\n    """A text."""\n    # a comment\n\n    return npp - rh',
            False,
        ),
        ("src/helpers/carbon.py", "def nep(npp, rh):\n    return npp + rh", True),
        ("src/helpers/figures/style.py", 'INK = "grey"', False),
        ("src/helpers/data/grid.py", 'FILE = "geography.nc"; STEP = 2', True),
        ("src/mapforest/folds.py", "K = 6", False),
        ("data/geography.nc", "moved", True),
        ("data/sites.csv", "another site", False),
    ],
)
def test_the_digest_changes_with_what_decides_a_result_and_nothing_else(checkout, file, text, changes):
    imports = "from helpers import carbon\nfrom helpers.data import cube\nfrom helpers.figures.maps import draw"
    path = notebook(checkout, imports, "carbon.nep(cube.sample(), 1)", figure="draw()")
    before = dependencies.code_digest(path, checkout, without=("figure",))
    (checkout / file).write_text(text)
    assert (dependencies.code_digest(path, checkout, without=("figure",)) != before) == changes


def test_a_continuation_line_that_begins_as_an_ipython_command_does_counts_in_a_module(checkout):
    path = notebook(checkout, "from helpers import carbon\ncarbon")
    (checkout / "src" / "helpers" / "carbon.py").write_text("X = (7\n % 4)")
    before = dependencies.code_digest(path, checkout)
    (checkout / "src" / "helpers" / "carbon.py").write_text("X = (7\n % 5)")
    assert dependencies.code_digest(path, checkout) != before


# -- this checkout ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users() -> dict[str, list[str]]:
    """The notebooks of this checkout that reach a file, by its name."""
    root, found = project_root(), defaultdict(list)
    for name in STEPS:
        for file in dependencies.reached_files(root / "notebooks" / f"{name}.ipynb", root):
            found[file.relative_to(root).as_posix()].append(name[:2])
    return found


@pytest.mark.parametrize(
    ("file", "notebooks"),
    [
        ("src/helpers/balance/carbon.py", ["04", "05", "06", "09", "10"]),
        ("src/helpers/virtual/laws.py", ["01"]),
        ("src/helpers/costs.py", ["08"]),
        ("src/helpers/figures/costs.py", ["08"]),
        ("src/helpers/sweeps/results.py", ["07"]),
        ("src/helpers/sweeps/stages.py", []),
        ("data/paper/claims.csv", ["05", "06", "09", "07"]),
        ("data/virtual/coverage.csv", ["06", "09"]),
    ],
)
def test_an_edit_reaches_the_notebooks_that_use_the_file_and_no_other(users, file, notebooks):
    assert users[file] == notebooks


def test_every_data_file_decides_some_notebook(users):
    """One whose name is put together when it is read would not be found in the text.

    What a configuration names, and the table of a sweep, are inputs of the workflow by themselves.
    """
    root = project_root()
    data = [path for path in (root / "data").rglob("*") if path.suffix in dependencies.DATA_SUFFIXES]
    given = [path for name in config_names() for path in own_files(load_config(name))]
    given += [root / "data" / "sweeps" / f"{load_config(name).sweep}.csv" for name in config_names()]
    unused = [path for path in data if not users[path.relative_to(root).as_posix()] and path not in given]
    assert data and unused == []


@pytest.mark.parametrize("name", ["data/catalog.yml", "src/helpers/carbon.py", "notebook"])
def test_a_file_that_is_not_in_utf8_is_named(checkout, name):
    path = notebook(checkout, "from helpers import carbon\ncarbon.nep('catalog.yml', 1)")
    broken = path if name == "notebook" else checkout / name
    broken.write_bytes("# près\n".encode("latin-1"))
    with pytest.raises(RunError, match=f"{broken.name}: not in UTF-8"):
        dependencies.code_digest(path, checkout)
