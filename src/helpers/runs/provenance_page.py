"""The page that says where a book's numbers come from: commit, versions, seeds, and each file with its SHA-256."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.names import pretty_units
from helpers.tables import number


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
        "## Numbers that hold",
        "Laws that the numbers of each run must keep. A run that is further off than the table allows stops.",
        _laws(provenance["notebooks"]),
        "## Notebooks",
        "What each notebook read, and what it saved in the folder of the run. A folder has the SHA-256 of its files.",
        *(_notebook(name, record) for name, record in provenance["notebooks"].items()),
        "## Parameters",
        markdown_table(("parameter", "value in this run"), _coded(settings.items())),
        "## Packages",
        versions or "None is on record.",
    ]
    return "\n\n".join(parts) + "\n"


def _laws(notebooks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what the notebooks checked as a table; a law of many tables of a notebook is one row, with the worst."""
    rows = {}
    for name, record in notebooks.items():
        for check in record.get("laws", []):
            key = (check["law"], name[:2], check["unit"])
            rows.setdefault(key, []).append(check)
    if not rows:
        return "None is on record."
    head = ("law", "notebook", "of", "largest deviation", "at most", "unit", "holds")
    return markdown_table(head, [_law(*key, checks) for key, checks in rows.items()])


def _law(law: str, notebook: str, unit: str, checks: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the row of a law in a notebook."""
    off = [check["deviation"] for check in checks]
    largest = "not known" if None in off else number(max(off))
    words = ", ".join(dict.fromkeys(check["of"] for check in checks))
    limit = number(min(check["tolerance"] for check in checks))
    holds = "yes" if all(check["holds"] for check in checks) else "no"
    return law, notebook, words, largest, limit, pretty_units(unit), holds


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
