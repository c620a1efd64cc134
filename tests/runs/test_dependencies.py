"""What a notebook's results depend on, found from its text."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from helpers.runs import dependencies


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


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy as np", set()),
        ("%matplotlib inline\nfrom helpers import carbon\ncarbon", {"helpers/__init__", "helpers/carbon"}),
        ("from helpers.data import cube\ncube", {"helpers/data/cube", "helpers/data/grid"}),
        ("import helpers.data.cube as c\nc", {"helpers/data/cube", "helpers/data/grid"}),
        ("from helpers.data.cube import sample\nsample()", {"helpers/data/cube", "helpers/data/grid"}),
        ("from mapforest import folds\nfolds.K", {"mapforest/__init__", "mapforest/folds"}),
        ("from helpers.figures.maps import draw\ndraw()", {"helpers/figures/maps", "helpers/figures/style"}),
        ("from helpers.data import cube\nfrom helpers import carbon\ncarbon", {"helpers/carbon"}),
    ],
)
def test_a_notebook_depends_on_what_it_uses_directly_and_through_others(checkout, source, modules):
    found = dependencies.reached_modules(notebook(checkout, source), checkout / "src")
    names = {path.relative_to(checkout / "src").with_suffix("").as_posix() for path in found}
    assert modules <= names
    assert {name for name in names if not name.endswith("__init__")} == {n for n in modules if "__init__" not in n}


def test_what_only_a_left_out_cell_uses_does_not_count(checkout):
    path = notebook(checkout, "from helpers.figures.maps import draw", figure="draw()")
    assert dependencies.reached_modules(path, checkout / "src", without=("figure",)) == []
    assert len(dependencies.reached_modules(path, checkout / "src")) == 4


def test_a_relative_import_is_refused_since_it_would_be_missed():
    with pytest.raises(ValueError, match="relative import in line 1: write the name of the package in front"):
        dependencies.imported("from . import grid")


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("from helpers import carbon; carbon", []),
        ("from helpers.data import cube; cube", ["geography.nc"]),
        ('"catalog.yml and README.md"', ["catalog.yml", "sites.csv"]),
    ],
)
def test_a_notebook_depends_on_the_data_that_its_modules_name(checkout, source, files):
    path = notebook(checkout, source)
    modules = dependencies.reached_modules(path, checkout / "src")
    assert [file.name for file in dependencies.data_files(path, modules, checkout / "data")] == files


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
