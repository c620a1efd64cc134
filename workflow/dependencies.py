"""The helper modules and data files that a notebook uses, so that an edit re-runs only what depends on it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path

__all__ = ["data_files", "helper_modules", "imported_helpers"]

PACKAGE = "helpers"
DATA_SUFFIXES = frozenset({".csv", ".nc", ".parquet", ".yaml", ".yml"})


def imported_helpers(source: str) -> set[str]:
    """Return the names that a piece of Python imports from the package, anywhere in it.

    Parameters
    ----------
    source : str
        Python, or the joined code cells of a notebook (lines with ``%`` or ``!`` commands are passed over).

    Returns
    -------
    set of str
        Dotted names below the package: modules, and also functions, which no file answers to.

    Raises
    ------
    ValueError
        For a relative import, which the text alone does not resolve.

    Examples
    --------
    >>> sorted(imported_helpers("import helpers.run; from helpers import grid; from helpers.cube import sample"))
    ['cube', 'cube.sample', 'grid', 'run']
    """
    plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    dotted: set[str] = set()
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Import):
            dotted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"relative import in line {node.lineno}: write the name with {PACKAGE}. in front")
            dotted |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix(f"{PACKAGE}.") for name in dotted if name.startswith(f"{PACKAGE}.")}


def helper_modules(notebook: Path, package: Path) -> list[Path]:
    """Return the files of the package that a notebook imports, directly and through each other.

    Parameters
    ----------
    notebook : pathlib.Path
        A notebook, or a module of the package.
    package : pathlib.Path
        The package's folder.

    Returns
    -------
    list of pathlib.Path
        In alphabetical order, ``__init__.py`` included.
    """
    found = {package / "__init__.py"}
    waiting = [notebook]
    while waiting:
        names = imported_helpers(_code(waiting.pop()))
        new = {path for name in names for path in _files(name, package)} - found
        found |= new
        waiting += new
    return sorted(found)


def _files(name: str, package: Path) -> list[Path]:
    """Return the files that importing a dotted name runs: the module, and the folders' ``__init__.py`` above it."""
    parts = name.split(".")
    candidates = [package.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    files = [file for path in candidates for file in (path.with_suffix(".py"), path / "__init__.py")]
    return [file for file in files if file.is_file()]


def data_files(notebook: Path, modules: Iterable[Path], folder: Path) -> list[Path]:
    """Return the files of the repository's data folder that a notebook or one of its modules names.

    Parameters
    ----------
    notebook : pathlib.Path
        The notebook.
    modules : iterable of pathlib.Path
        The modules it imports, from :func:`helper_modules`.
    folder : pathlib.Path
        The data folder. A YAML file in it that is named may itself name others.

    Returns
    -------
    list of pathlib.Path
        In alphabetical order; without Markdown and scripts, which decide nothing.
    """
    texts = [_code(notebook), *(path.read_text(encoding="utf-8") for path in modules)]
    files = {path for path in folder.rglob("*") if path.suffix in DATA_SUFFIXES and "cache" not in path.parts}
    found: set[Path] = set()
    while True:
        new = {path for path in files - found if any(path.name in text for text in texts)}
        if not new:
            return sorted(found)
        found |= new
        texts = [path.read_text(encoding="utf-8") for path in new if path.suffix in {".yml", ".yaml"}]


def _code(path: Path) -> str:
    """Return the Python of a module, or of a notebook's code cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
