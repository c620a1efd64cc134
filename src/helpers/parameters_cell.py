"""The names that a notebook's parameters cells assign, found in the cells that its kernel has executed."""

import ast
from collections.abc import Sequence


def injected_names(cells: Sequence[str]) -> dict[str, None]:
    """Return the names that papermill's injected cell (it begins with ``# Parameters``) assigns."""
    injected: dict[str, None] = {}
    for cell in cells:
        if cell.startswith("# Parameters"):
            injected |= dict.fromkeys(_assigned(ast.parse(cell).body))
    return injected


def typed_names(cells: Sequence[str]) -> list[str]:
    """Return the names that a parameters cell assigns: a cell of nothing but ``name = constant``, one named config."""
    for cell in cells:
        try:
            body = ast.parse(cell).body
        except SyntaxError:  # a magic of IPython, which no parameters cell has
            continue
        if all(isinstance(node, ast.Assign) for node in body) and "config" in _assigned(body):
            return _assigned(body)
    return []


def _assigned(body: Sequence[ast.stmt]) -> list[str]:
    """Return the plain names that statements assign."""
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]
