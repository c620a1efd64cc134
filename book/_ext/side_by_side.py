"""Let the pages be read and written by several processes, and let a citation cost nothing: half of the time of a build.

sphinx_multitoc_numbering is safe beside others and does not declare it: it numbers the sections when all pages are
read. pybtex looks through all packages for its plugins, again for each citation.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import pybtex.plugin


def declare_safe(app: Any) -> None:
    """Declare for the extension what it does not say itself."""
    extension = app.extensions.get("sphinx_multitoc_numbering")
    if extension is not None and extension.parallel_read_safe is None:
        extension.parallel_read_safe = True


def prepare(app: Any, env: Any, pages: list[str]) -> None:
    """Deal the pages of the code reference out among the processes, which begin with its packages imported."""
    reference = [page for page in pages if page.startswith("_generated/api/")]
    for page in reference:
        importlib.import_module(Path(page).name)
    others = [page for page in pages if page not in reference]
    # Sphinx gives each process a run of neighbours in this list.
    share = -(-len(others) // max(len(reference), 1))
    pages[:] = [
        page
        for number in range(max(len(reference), 1))
        for page in (*reference[number : number + 1], *others[number * share : (number + 1) * share])
    ]


def setup(app: Any) -> dict[str, bool]:
    """Run before any page is read."""
    pybtex.plugin._load_entry_point = cache(pybtex.plugin._load_entry_point)
    app.connect("builder-inited", declare_safe)
    app.connect("env-before-read-docs", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
