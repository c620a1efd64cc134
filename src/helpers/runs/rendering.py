"""Jupyter Book on a staged folder of pages. The code reference, half of the work, needs no run: it is read ahead.

``python -m helpers.runs.rendering`` reads it into ``_build/read``, beside the notebooks that are being executed. The
book takes it from there as long as no source, setting or extension of the pages has changed since.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import multiprocessing
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from joblib import cpu_count

from helpers.config import project_root
from helpers.errors import RunError
from helpers.runs.failures import full
from helpers.runs.files import child_environment, digest
from helpers.runs.locks import alone
from helpers.runs.parent import end_with_parent
from helpers.runs.warm import is_copy

LOCK = ".lock"  #: In a folder of pages: who reads or builds there does it alone.
INCLUDED = ("catalogue", "paper_products", "symbols")  #: Generated pages that others include.
#: What pages of the reference are older than: a page that was not read before is read, others are as they were.
_LONG_AGO = 946_684_800


def write_reference(source: Path) -> None:
    """Write the pages of the code reference into ``_generated/api`` of a staged folder."""
    folder = source / "_generated" / "api"
    folder.mkdir(parents=True)
    for package, text in reference_pages(project_root() / "src").items():
        page = folder / f"{package}.md"
        page.write_text(text, encoding="utf-8")
        os.utime(page, (_LONG_AGO, _LONG_AGO))


def reference_pages(code: Path) -> dict[str, str]:
    """Return the code reference as Markdown: by the name of each package below a folder, a page of its modules."""
    pages = {}
    for init in sorted(code.rglob("__init__.py")):
        package = ".".join(init.parent.relative_to(code).parts)
        modules = sorted(path.stem for path in init.parent.glob("*.py") if path != init)
        blocks = [f"# {package}", _automodule(package)]
        blocks += [f"## {package}.{name}\n\n{_automodule(f'{package}.{name}')}" for name in modules]
        pages[package] = "\n\n".join(blocks) + "\n"
    return pages


def _automodule(name: str) -> str:
    """Return what Sphinx's autodoc fills with a module's docstrings."""
    return f"```{{eval-rst}}\n.. automodule:: {name}\n```"


def read_ahead(folder: Path) -> None:
    """Read the code reference into ``read`` of a folder; a problem is left to the build of the book, which names it."""
    root, source = project_root(), folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns(".*", "__pycache__", "*.md"))
    # Where the settings, the place, the first page or the pages outside of the contents differ from those of the book,
    # Sphinx reads all pages again.
    (source / "book" / "intro.md").write_text("# Code reference\n", encoding="utf-8")
    toc = "format: jb-book\nroot: book/intro\nchapters:\n  - glob: _generated/api/*\n"
    (source / "_toc.yml").write_text(toc, encoding="utf-8")
    shutil.copy2(root / "_config.yml", source)
    write_reference(source)
    for page in INCLUDED:
        (source / "_generated" / f"{page}.md").touch()
    # One process: notebooks run beside it.
    options = ("--builder", "custom", "--custom-builder", "dummy", "--warningiserror", "--keep-going")
    with_problem = _jupyter_book(source, folder, 1, *options)
    shutil.rmtree(source)
    if with_problem:
        shutil.rmtree(_read(folder), ignore_errors=True)


def render(source: Path, folder: Path) -> Path:
    """Return the folder of HTML that Jupyter Book makes of staged pages, below ``read`` of a folder.

    A warning is an error. Where there is one, a RunError names it, and nothing that was read is kept.
    """
    shutil.rmtree(_read(folder) / "_build" / "html", ignore_errors=True)
    _forget_pages(_read(folder) / "_build" / ".doctrees")
    problem = _jupyter_book(source, folder, min(cpu_count(), 4), "--warningiserror", "--keep-going")
    if problem:
        shutil.rmtree(_read(folder), ignore_errors=True)
        raise RunError(problem)
    return _read(folder) / "_build" / "html"


def _forget_pages(read: Path) -> None:
    """Forget what was read of all pages but the reference: by its date, one of this run may be older than another's."""
    for page in read.rglob("*.doctree"):
        if page.parent != read / "_generated" / "api":
            page.unlink()


def _read(folder: Path) -> Path:
    """Return where Jupyter Book keeps what it has read, another place for other code, settings or packages."""
    root, sums = project_root(), hashlib.sha256()
    for part in ("src", "_config.yml", "book/_ext", "requirements.lock"):
        if (root / part).exists():
            files = sorted((root / part).rglob("*.py")) if (root / part).is_dir() else [root / part]
            sums.update("".join(f"{path.relative_to(root)}{digest(path)}" for path in files).encode())
    return folder / "read" / sums.hexdigest()[:12]


def _jupyter_book(source: Path, folder: Path, processes: int, *options: str) -> str:
    """Run Jupyter Book in processes of its own; return what went wrong. Its report goes to ``book.log``."""
    read, log = _read(folder), folder / "book.log"
    for other in folder.glob("read/*"):
        if other != read:
            shutil.rmtree(other)
    arguments = ["build", str(source.resolve()), "--path-output", str(read.resolve()), *options]
    # A copy of this process, if it is one already, begins with everything imported.
    making = multiprocessing.get_context("fork" if is_copy() else "spawn").Process
    process = making(target=_be_jupyter_book, args=(arguments, processes, log.resolve()))
    process.start()
    process.join()
    if not process.exitcode:
        return ""
    report = log.read_text(encoding="utf-8", errors="replace").splitlines()
    report = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in report]
    telling = [line for line in report if "WARNING" in line or "ERROR" in line] or report[-15:]
    how = f"was ended by signal {-process.exitcode}" if process.exitcode < 0 else "did not build the book"
    if lack := full(folder):  # the report itself may be cut off, and empty
        how += f", {lack}"
    return "\n".join([f"Jupyter Book {how}:", *telling, f"full report: {log}"])


def _be_jupyter_book(arguments: list[str], processes: int, log: Path) -> None:
    """Run Jupyter Book's command in this process, all words going to a file; it ends with the one that began it."""
    end_with_parent()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=end_with_parent)  # so do its copies
    os.environ.update(child_environment())
    os.chdir(project_root())  # the settings name a file for the search that Sphinx looks for where it was begun
    with log.open("wb") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    import jupyter_book.sphinx as builder
    from jupyter_book.cli.main import main as jupyter_book

    # Sphinx keeps the pages that it reads: to look for garbage in them again and again takes a quarter of its time.
    gc.set_threshold(50_000)
    # The command has no option for pages that are read and written side by side, nor for pages that were read before
    # and are written again. Its builder has both.
    builder.build_sphinx = functools.partial(builder.build_sphinx, jobs=processes, force_all=True)
    jupyter_book(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.rendering``; return the exit code."""
    folder = project_root() / "_build"
    if hasattr(os, "nice"):  # many wait for the notebooks beside it, and nobody for this
        os.nice(10)
    with alone(folder / LOCK, "reads the code reference"):
        read_ahead(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
