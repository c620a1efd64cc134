"""The notebooks in git: without outputs, with explained parameters, and with the science in the package."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.validator import iter_validate

from helpers.config import Settings, load_config
from helpers.runs.steps import EXECUTION_PARAMETERS, STEPS, deciding_parameters, foreign_tags

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> list[str]:
    """Return the sources of the code cells, without lines of notebook commands."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE) for cell in cells]


def parameters_cell(path: Path) -> int:
    """Return the position of the cell that is tagged ``parameters``."""
    cells = nbformat.read(path, as_version=4).cells
    (position,) = [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    return position


def parameters(path: Path) -> list[str]:
    """Return the names that the parameters cell assigns."""
    source = nbformat.read(path, as_version=4).cells[parameters_cell(path)].source
    return [target.id for node in ast.parse(source).body for target in node.targets]


def test_the_workflow_knows_every_notebook():
    assert [path.stem for path in NOTEBOOKS] == sorted(STEPS)


@each_notebook
def test_a_notebook_in_git_holds_no_outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell.source for cell in cells if cell.outputs or cell.execution_count is not None]


@each_notebook
def test_a_notebook_names_its_kernel_and_language(path):
    """Papermill stops without them."""
    metadata = nbformat.read(path, as_version=4).metadata
    assert (metadata.kernelspec.name, metadata.language_info.name) == ("python3", "python")


@each_notebook
def test_a_notebook_is_valid(path):
    assert list(iter_validate(nbformat.read(path, as_version=4))) == []


@each_notebook
def test_the_parameters_follow_the_imports(path):
    cells = nbformat.read(path, as_version=4).cells[: parameters_cell(path)]
    (imports,) = [cell.source for cell in cells if cell.cell_type == "code"]
    assert "import" in imports


@each_notebook
def test_every_parameter_is_explained_just_above(path):
    above = nbformat.read(path, as_version=4).cells[parameters_cell(path) - 1]
    explained = set(re.findall(r"^[-*] .*?`(\w+)`", above.source, flags=re.MULTILINE))
    assert set(parameters(path)) <= explained


@each_notebook
def test_every_parameter_is_one_of_the_run_that_counts_here(path):
    assert set(parameters(path)) <= {*deciding_parameters(path.stem), *EXECUTION_PARAMETERS}


@each_notebook
def test_a_notebook_uses_only_settings_that_its_step_declares(path):
    """Another one could change without this notebook being executed again."""
    nodes = [node for source in code(path) for node in ast.walk(ast.parse(source))]
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_settings(node.value)}
    assert used & set(Settings.model_fields) <= {*deciding_parameters(path.stem), *EXECUTION_PARAMETERS}


@pytest.mark.parametrize("module", ["virtual/world", "world", "sites/places"])
def test_data_preparation_declares_the_settings_that_its_modules_read(module):
    """They are handed all settings; one that is not declared could change without a new cube."""
    nodes = ast.walk(ast.parse((ROOT / "src" / "helpers" / f"{module}.py").read_text(encoding="utf-8")))
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_settings(node.value)}
    assert used and used & set(Settings.model_fields) <= set(deciding_parameters("01_data_preparation"))


def _is_settings(node: ast.expr) -> bool:
    """Tell whether an expression is ``settings`` or ``book_run.settings``."""
    return getattr(node, "id", getattr(node, "attr", None)) == "settings"


@each_notebook
def test_functions_are_defined_in_the_package_not_in_notebooks(path):
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for source in code(path) for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]


@each_notebook
def test_a_notebook_opens_its_own_run_and_closes_it(path):
    text = "\n".join(code(path))
    assert f'start("{path.stem}", globals())' in text and text.rstrip().endswith("book_run.finish()")


def test_notes_and_doubts_are_shown_right_after_the_world_is_opened():
    cells = code(ROOT / "notebooks" / "01_data_preparation.ipynb")
    (opened,) = [i for i, source in enumerate(cells) if "open_world(settings)" in source]
    shown: list[str] = []
    for notes, doubts in (((), []), (("a.csv: a note",), ["lai: a doubt"])):
        plausible = SimpleNamespace(doubts=lambda climatology, products, told=doubts: told)
        here = {"here": SimpleNamespace(notes=notes), "climatology": None, "products": None}
        exec(cells[opened + 1], here | {"plausible": plausible, "print": shown.append})
    assert shown == ["- a.csv: a note", "- lai: a doubt"]


def markdown(path: Path) -> str:
    """Return the text of a notebook as a reader sees it: its Markdown cells, and the findings that code shows."""
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown" or "book_run.findings(" in cell.source]
    return "\n".join(texts)


@each_notebook
def test_no_text_needs_sphinx(path):
    """JupyterLab and VS Code show a role, a directive or a citation as it is written."""
    assert re.findall(r"\{[\w:+-]+\}`|\{glue:|^:::|^```\{|\[\]\(", markdown(path), flags=re.MULTILINE) == []


@each_notebook
def test_every_link_leads_somewhere(path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", markdown(path))
    assert [link for link in links if not (path.parent / link).is_file()] == []


@each_notebook
def test_a_citation_is_that_of_the_bibliography(path):
    """Who reads without the book still sees author and year, and reaches the work."""
    entries = (ROOT / "book" / "references.bib").read_text(encoding="utf-8").split("\n@")
    known = {}
    for entry in entries:
        found = {key: re.search(rf"\b{key}\s*=\s*\{{(.+?)\}},?\n", entry) for key in ("doi", "year", "author")}
        if found["doi"]:
            known[found["doi"][1]] = found["author"][1].split(",")[0].strip("{"), found["year"][1]
    for label, doi in re.findall(r"\[([^\]]+)\]\(https://doi\.org/([^)]+)\)", markdown(path)):
        author, year = known[doi]
        assert label.startswith(author) and label.endswith(year)


@each_notebook
def test_findings_are_shown_below_their_heading_and_from_numbers_that_are_glued_above(path):
    cells = nbformat.read(path, as_version=4).cells
    (shown,) = [i for i, cell in enumerate(cells) if "book_run.findings(" in cell.source]
    heading = max(i for i, cell in enumerate(cells) if cell.source == "## What we found")
    (glued,) = range(heading + 1, shown)
    assert ".glue(" in cells[glued].source
    # A sweep leaves out what hands numbers to the pages: the findings go with it.
    assert cells[shown].metadata.tags == cells[glued].metadata.tags
    assert "remove-input" in cells[shown].metadata.tags and cells[shown].metadata.jupyter.source_hidden


@each_notebook
@pytest.mark.parametrize("region", [{"of_paper": True}, {"of_paper": False}], ids=["paper", "other"])
@pytest.mark.parametrize("world", ["virtual", "open"])
def test_no_cell_uses_a_name_of_cells_that_are_left_out(path, world, region):
    settings = load_config(world)
    settings = settings.model_copy(update={"region": settings.region.model_copy(update=region)})
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    kept, left_out = [], []
    for cell in cells:
        foreign = foreign_tags(settings) & set(cell.metadata.get("tags", []))
        (left_out if foreign else kept).append(re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE))
    names = {
        part: {
            context: {node.id for source in sources for node in ast.walk(ast.parse(source)) if _is_name(node, context)}
            for context in (ast.Load, ast.Store)
        }
        for part, sources in {"kept": kept, "left out": left_out}.items()
    }
    assert names["left out"][ast.Store] & names["kept"][ast.Load] <= names["kept"][ast.Store]


def _is_name(node: ast.AST, context: type) -> bool:
    """Tell whether a node is a name that is read, or one that is set."""
    return isinstance(node, ast.Name) and isinstance(node.ctx, context)
