"""Which files a notebook depends on, found from its text."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))

import dependencies


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in which cube needs grid, and grid reads the geography."""
    folder = tmp_path / "helpers"
    (folder / "figures").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "grid.py": 'FILE = "geography.nc"',
        "cube.py": "def sample():\n    from helpers.grid import cells",
        "carbon.py": "",
        "figures/__init__.py": "from helpers.figures.maps import draw",
        "figures/maps.py": "import helpers.carbon",
        "figures/style.py": "",
    }
    for name, source in sources.items():
        (folder / name).write_text(source)
    return folder


def notebook(folder: Path, source: str) -> Path:
    path = folder / "02_npp_random_forest.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy as np", set()),
        ("%matplotlib inline\nfrom helpers import grid", {"grid.py"}),
        ("from helpers import cube", {"cube.py", "grid.py"}),
        ("import helpers.cube as c", {"cube.py", "grid.py"}),
        ("from helpers.cube import sample", {"cube.py", "grid.py"}),
        ("from helpers import figures", {"figures/__init__.py", "figures/maps.py", "carbon.py"}),
        (
            "from helpers.figures.style import letters",
            {"figures/__init__.py", "figures/maps.py", "figures/style.py", "carbon.py"},
        ),
    ],
)
def test_a_notebook_depends_on_what_it_imports_directly_and_through_others(package, source, modules):
    found = dependencies.helper_modules(notebook(package.parent, source), package)
    assert {path.relative_to(package).as_posix() for path in found} == {"__init__.py"} | modules


def test_a_relative_import_is_refused_since_it_would_be_missed():
    with pytest.raises(ValueError, match=r"relative import in line 1: write the name with helpers\. in front"):
        dependencies.imported_helpers("from . import grid")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder: a catalogue that names a table, a geography, and notes."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "catalog.yml").write_text("files: [sites.csv]")
    for name in ("geography.nc", "sites.csv", "README.md"):
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("from helpers import carbon", []),
        ("from helpers import cube", ["geography.nc"]),
        ('"catalog.yml and README.md"', ["catalog.yml", "sites.csv"]),
    ],
)
def test_a_notebook_depends_on_the_data_that_its_modules_name(package, data, source, files):
    path = notebook(package.parent, source)
    found = dependencies.data_files(path, dependencies.helper_modules(path, package), data)
    assert [file.name for file in found] == files
