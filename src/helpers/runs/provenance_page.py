"""The page that says where a book's numbers come from: commit, versions, seeds, and each file with its SHA-256."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def provenance_page(provenance: Mapping[str, Any]) -> str:
    """Return the merged record of a run, from :func:`helpers.runs.book.merge_provenance`, as a page in Markdown."""
    settings, git = provenance["settings"], provenance["git"]
    facts = {
        "run": provenance["run"],
        "configuration": settings["config"],
        "world": settings["world"],
        "seed": settings["seed"],
        "commit": (git["commit"] or "none") + (" with uncommitted changes" if git["dirty"] else ""),
        "began": provenance["started"],
        "ended": provenance["finished"],
        "Python": provenance["python"],
        "notebooks, seconds": provenance["wall_seconds"],
    }
    pinned = "This world reads no file from outside: it is simulated from the seed.\n"
    if provenance["catalogue"]:
        pinned = markdown_table(("file", "SHA-256"), _coded(provenance["catalogue"].items()))
    versions = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items())
    parts = [
        "# Provenance of this book",
        "All numbers, tables and figures of this book are of one run. The same commit, files and seed give them again.",
        markdown_table(("", ""), _coded(facts.items())),
        "## Files from outside",
        pinned,
        "## Notebooks",
        "What each notebook read, and what it saved in the folder of the run. A folder has the SHA-256 of its files.",
        *(_notebook(name, record) for name, record in provenance["notebooks"].items()),
        "## Parameters",
        markdown_table(("parameter", "value in this run"), _coded(settings.items())),
        "## Packages",
        versions or "None is on record.",
    ]
    return "\n\n".join(parts) + "\n"


def _notebook(name: str, record: Mapping[str, Any]) -> str:
    """Return what a notebook took, read and saved: a heading that leads to it, and what can be unfolded."""
    took = f"{record['wall_seconds']:.0f} s and {(record['peak_memory_bytes'] or 0) / 1e9:.2f} GB of memory"
    files = [("read", path, digest, "") for path, digest in record["inputs"].items()]
    files += [("saved", path, made["sha256"], f"{made['bytes']:,}") for path, made in record["outputs"].items()]
    rows = [(way, f"`{path}`", size, f"`{digest}`") for way, path, digest, size in files]
    return "\n\n".join(
        [
            f"### {name.replace('_', ' ')}",
            f"{{doc}}`The notebook </notebooks/{name}>` took {took}.",
            f":::{{dropdown}} {len(record['inputs'])} files read, {len(record['outputs'])} saved",
            markdown_table(("", "file", "bytes", "SHA-256"), rows) + ":::",
        ]
    )


def _coded(pairs: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    return [(f"`{name}`", "`" + str(value).replace("`", "'") + "`") for name, value in pairs]


def plain(text: str) -> str:
    """Return text that Markdown and HTML show as it is: it comes from a file, and nothing in it may be executed.

    Examples
    --------
    >>> plain("<b> & {{ x }}")
    '&lt;b&gt; &amp; &#123;&#123; x &#125;&#125;'
    """
    return re.sub(r"[`{}\[\]$*\\]", lambda found: f"&#{ord(found[0])};", html.escape(text, quote=False))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
