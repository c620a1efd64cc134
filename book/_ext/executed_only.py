"""Build no book of notebooks that were not executed: its numbers would be blank, without a warning.

The notebooks in git have no outputs. ``make book`` executes them, and builds the book of a copy of the pages in which
the executed ones stand (:mod:`helpers.runs.book`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def refuse_unexecuted(app: Any) -> None:
    """End the build if a notebook below the pages has a cell that was not executed, or pages are missing."""
    source = Path(app.srcdir)
    notebooks = sorted((source / "notebooks").glob("*.ipynb"))
    bare = [path.stem for path in notebooks if not _is_executed(path)]
    if bare:
        problem = f"{len(bare)} of {len(notebooks)} notebooks were not executed ({', '.join(bare)})"
    elif not (source / "_generated").is_dir():
        problem = "the pages of the run's provenance and of the data were not made"
    else:
        return
    # Not an error of Sphinx: Jupyter Book would bury its message under a traceback.
    raise SystemExit(
        f"{problem}: the numbers in the text would be blank. Build the book by `make book`, or "
        "`make book CONFIG=open`, in the checkout: that executes the notebooks and writes _build/html/index.html"
    )


def _is_executed(path: Path) -> bool:
    """Tell whether each cell of code was executed; an empty one never is."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    return all(cell.get("execution_count") is not None for cell in code)


def setup(app: Any) -> dict[str, bool]:
    """Run before any page is read."""
    app.connect("builder-inited", refuse_unexecuted)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
