"""The helper modules and data files that a notebook uses, so that an edit re-runs only what depends on it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path

__all__ = ["data_files", "helper_modules", "imported_helpers"]

PACKAGE = "helpers"


def imported_helpers(source: str) -> set[str]:
    """Return the modules of the package that a piece of Python imports, anywhere in it.

    Parameters
    ----------
    source : str
        Python, or the joined code cells of a notebook (lines with ``%`` or ``!`` commands are passed over).

    Returns
    -------
    set of str
        Module names without the package's; names imported from the package that are no module are among them.

    Examples
    --------
    >>> sorted(imported_helpers("import helpers.run; from helpers import grid, cube"))
    ['cube', 'grid', 'run']
    """
    plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    found: set[str] = set()
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == PACKAGE and len(parts) > 1}
        elif isinstance(node, ast.ImportFrom):
            parts = ([PACKAGE] if node.level else []) + (node.module.split(".") if node.module else [])
            if parts == [PACKAGE]:
                found |= {alias.name for alias in node.names}
            elif parts[0] == PACKAGE:
                found.add(parts[1])
    return found


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
        In alphabetical order, ``__init__.py`` included; of a subpackage, all its modules.
    """
    found = {package / "__init__.py"}
    waiting = [notebook]
    while waiting:
        names = imported_helpers(_code(waiting.pop()))
        modules = {path for name in names for path in (package / f"{name}.py", *(package / name).glob("*.py"))}
        new = {path for path in modules if path.is_file()} - found
        found |= new
        waiting += new
    return sorted(found)


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
        In alphabetical order; without Markdown, which decides nothing.
    """
    texts = [_code(notebook), *(path.read_text(encoding="utf-8") for path in modules)]
    present = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    files = {path for path in present if "cache" not in path.parts}
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
