"""Show the numbered references of numpydoc docstrings on one page of the book.

``[1]_`` and ``.. [1] Author (year)`` are reStructuredText footnotes. Many docstrings on one page would define
the same footnote, so the page shows them as plain ``[1]`` below their own docstring.
"""

from __future__ import annotations

import re
from typing import Any


def plain_references(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace footnotes of a docstring by plain text, in place."""
    lines[:] = [re.sub(r"^(\s*)\.\. \[(\d+)\] ", r"\1| [\2] ", line) for line in lines]
    lines[:] = [re.sub(r"\[(\d+)\]_(?!\w)", r"[\1]", line) for line in lines]


def setup(app: Any) -> dict[str, bool]:
    """Run before napoleon, which connects with the default priority of 500."""
    app.connect("autodoc-process-docstring", plain_references, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
