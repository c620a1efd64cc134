"""What decides a notebook's results besides its parameters: the code and the data files that it reaches.

A notebook is executed again when its own cells change, or the code of a module that they reach, or a data file that
one of them names. Comments, docstrings and layout decide nothing, and neither does a module that only cells use which
are left out.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path

PACKAGES = ("helpers", "mapforest")
DATA_SUFFIXES = frozenset({".csv", ".nc", ".parquet", ".yaml", ".yml"})


def imported(source: str) -> set[str]:
    """Return the dotted names that a piece of Python imports from our packages, anywhere in it, and uses.

    Parameters
    ----------
    source : str
        Python, or the joined code cells of a notebook (lines with ``%`` or ``!`` commands are passed over).

    Returns
    -------
    set of str
        Modules, and also functions, which no file answers to.

    Raises
    ------
    ValueError
        For a relative import, which the text alone does not resolve.

    Examples
    --------
    >>> sorted(imported("from helpers.data import cube, grid; from mapforest.folds import knndm; grid.step, knndm"))
    ['helpers.data', 'helpers.data.grid', 'mapforest.folds', 'mapforest.folds.knndm']
    """
    tree = ast.parse(_plain(source))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if (alias.asname or alias.name.split(".")[0]) in used}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"relative import in line {node.lineno}: write the name of the package in front")
            names = {f"{node.module}.{alias.name}" for alias in node.names if (alias.asname or alias.name) in used}
            found |= names | ({str(node.module)} if names else set())
    return {name for name in found if name.split(".")[0] in PACKAGES}


def reached_modules(path: Path, sources: Path, without: Collection[str] = ()) -> list[Path]:
    """Return the files of our packages that a notebook or a module uses, directly and through each other.

    Parameters
    ----------
    path : pathlib.Path
        A notebook or a module.
    sources : pathlib.Path
        The folder of the packages.
    without : collection of str
        Cells with one of these tags do not count.

    Returns
    -------
    list of pathlib.Path
        In alphabetical order, the ``__init__.py`` of their packages included.
    """
    found: set[Path] = set()
    texts = [_code(path, without)]
    while texts:
        names = imported(texts.pop())
        new = {file for name in names for file in _files(name, sources)} - found
        found |= new
        texts += [file.read_text(encoding="utf-8") for file in new]
    return sorted(found)


def data_files(path: Path, modules: Iterable[Path], folder: Path, without: Collection[str] = ()) -> list[Path]:
    """Return the files of the repository's data folder that a notebook or one of its modules names.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    modules : iterable of pathlib.Path
        The modules it uses, from :func:`reached_modules`.
    folder : pathlib.Path
        The data folder. A YAML file in it that is named may itself name others.
    without : collection of str
        Cells with one of these tags do not count.

    Returns
    -------
    list of pathlib.Path
        In alphabetical order; without Markdown and scripts, which decide nothing.
    """
    texts = [_code(path, without), *(module.read_text(encoding="utf-8") for module in modules)]
    files = {file for file in folder.rglob("*") if file.suffix in DATA_SUFFIXES and "cache" not in file.parts}
    found: set[Path] = set()
    while True:
        new = {file for file in files - found if any(file.name in text for text in texts)}
        if not new:
            return sorted(found)
        found |= new
        texts = [file.read_text(encoding="utf-8") for file in new if file.suffix in {".yml", ".yaml"}]


def code_digest(path: Path, root: Path, without: Collection[str] = ()) -> str:
    """Return a digest of all that decides a notebook's results besides its parameters.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    root : pathlib.Path
        The checkout, with ``src/`` and ``data/``.
    without : collection of str
        Cells with one of these tags do not count, nor what only they use.

    Returns
    -------
    str
        The same until the code of an executed cell or of a reached module changes, or a data file. A comment,
        a docstring, a blank line change nothing.
    """
    modules = reached_modules(path, root / "src", without)
    total = hashlib.sha256(_meaning(_code(path, without)).encode())
    for module in modules:
        total.update(f"\0{module.relative_to(root).as_posix()}\0".encode())
        total.update(_meaning(module.read_text(encoding="utf-8")).encode())
    for file in data_files(path, modules, root / "data", without):
        total.update(f"\0{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return total.hexdigest()


def _meaning(source: str) -> str:
    """Return what is left of Python without comments, layout, and the strings that only document."""
    tree = ast.parse(_plain(source))
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _files(name: str, sources: Path) -> list[Path]:
    """Return the files that importing a dotted name runs: the module, and the ``__init__.py`` of its packages."""
    parts = name.split(".")
    candidates = [sources.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    files = [file for path in candidates for file in (path.with_suffix(".py"), path / "__init__.py")]
    return [file for file in files if file.is_file()]


def _plain(source: str) -> str:
    """Return a notebook's code without the lines that only IPython understands."""
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))


def _code(path: Path, without: Collection[str] = ()) -> str:
    """Return the Python of a module, or of a notebook's code cells that have none of some tags."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    executed = [cell for cell in cells if set(without).isdisjoint(cell["metadata"].get("tags", []))]
    return "\n".join("".join(cell["source"]) for cell in executed)
