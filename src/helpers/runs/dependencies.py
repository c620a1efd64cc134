"""What decides a notebook's results besides its parameters: the code and the data files that it reaches.

A notebook is executed again when its own cells change, or the code of a module that they use, or a data file that
one of them names. Comments, docstrings and layout decide nothing, and neither does a module that is used only by
cells that are left out. All is read from the text, since to import a module would run it.
"""

import ast
import hashlib
import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

from helpers.errors import RunError
from helpers.runs.failures import refuse_no_notebook

PACKAGES = ("helpers", "mapforest")
DATA_SUFFIXES = frozenset({".csv", ".geojson", ".nc", ".parquet", ".yaml", ".yml"})


def code_digest(notebook: Path, root: Path, without: Collection[str] = ()) -> str:
    """Return a digest of all that decides a notebook's results besides its parameters.

    It stays the same until the code of a cell or of a module changes, or a data file. Another version of Python may
    count as other code. ``root`` is the checkout, with ``src/`` and ``data/``. Cells that have a tag of ``without`` do
    not count, nor does what only they use. It raises what :func:`reached_files` raises.
    """
    total = hashlib.sha256(_read(notebook, without)[0].encode())
    for file in reached_files(notebook, root, without):
        content = _read(file)[0].encode() if file.suffix == ".py" else file.read_bytes()
        total.update(f"\0{file.relative_to(root).as_posix()}\0".encode() + content)
    return total.hexdigest()


def reached_files(notebook: Path, root: Path, without: Collection[str] = ()) -> list[Path]:
    """Return the modules of our packages that a notebook uses, then the data files that they and it name, both sorted.

    A module counts that is imported where the imported name is also used, and with it the ``__init__.py`` of its
    packages. A file below ``data/`` counts when its name stands in the code, or in a YAML file that counts. The
    arguments are those of :func:`code_digest`. RunError is raised if a file is not Python, or imports in a way that
    this cannot follow: ``from . import ...``, ``from ... import *``.
    """
    modules: set[Path] = set()
    unread = [_read(notebook, without)]
    texts = []
    while unread:
        meaning, imports = unread.pop()
        texts.append(meaning)
        new = {file for name in imports for file in _files(name, root / "src")} - modules
        modules |= new
        unread += [_read(file) for file in new]
    return [*sorted(modules), *_data_files(texts, root / "data")]


def _data_files(texts: list[str], folder: Path) -> list[Path]:
    """Return the data files that some texts name, directly or through a YAML file."""
    files = {file for file in folder.rglob("*") if file.suffix in DATA_SUFFIXES}
    found: set[Path] = set()
    while new := {file for file in files - found if any(file.name in text for text in texts)}:
        found |= new
        texts = [_text(file) for file in new if file.suffix in {".yml", ".yaml"}]
    return sorted(found)


def _files(name: str, sources: Path) -> list[Path]:
    """Return the files that importing a dotted name runs: the module, and the ``__init__.py`` of its packages."""
    parts = name.split(".")
    paths = [sources.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    return [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]


def _read(path: Path, without: Collection[str] = ()) -> tuple[str, frozenset[str]]:
    """Return what a notebook or a module means, and the names from our packages that it imports and uses."""
    text = notebook_code(path, without) if path.suffix == ".ipynb" else _text(path)
    try:
        return _parsed(text)
    except SyntaxError as error:
        line = f"line {error.lineno}, {(error.text or '').strip()!r}"
        raise RunError(f"{path}: {error.msg} in {line}: mend it, then run again") from None


def _text(path: Path) -> str:
    """Return the text of a file, or say which one is not in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RunError(f"{path}: not in UTF-8: save the file with that encoding, then run again") from None


def notebook_code(notebook: Path, without: Collection[str] = ()) -> str:
    """Return the Python of a notebook's code cells that have none of some tags, without IPython's commands."""
    text = _text(notebook)
    refuse_no_notebook(notebook)
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    kept = [cell for cell in code if set(without).isdisjoint(cell["metadata"].get("tags", []))]
    lines = "\n".join("".join(cell["source"]) for cell in kept).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


@cache  # by the text: modules are shared by many notebooks, and to parse one takes milliseconds
def _parsed(source: str) -> tuple[str, frozenset[str]]:
    """Return Python without comments, layout and docstrings, and the names that it imports and uses."""
    tree = ast.parse(source)
    imports = _imports(tree)
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree), imports


def _imports(tree: ast.Module) -> frozenset[str]:
    """Return the dotted names that code imports from our packages, anywhere in it, and uses."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if (alias.asname or alias.name.split(".")[0]) in used}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level or (module.split(".")[0] in PACKAGES and node.names[0].name == "*"):
                text = ast.unparse(node)
                raise SyntaxError("an import that names no module or no name", ("", node.lineno, 0, text))
            # A name may be a module or a function; no file answers to the dotted name of a function.
            names = {f"{module}.{alias.name}" for alias in node.names if (alias.asname or alias.name) in used}
            found |= names | ({module} if names else set())
    return frozenset(name for name in found if name.split(".")[0] in PACKAGES)


def _is_text(node: ast.AST) -> bool:
    """Tell whether a statement is a string alone, which only documents."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
