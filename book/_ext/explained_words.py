"""Explain a word of the glossary where it stands: its meaning shows under the pointer, and the link leads to the rest.

Citations have the same from sphinxcontrib-bibtex.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from docutils import nodes

GLOSSARY = "book/glossary"


def explain(app: Any, doctree: nodes.document, page: str) -> None:
    """Give each link to a word of the glossary that word's meaning as its title."""
    if GLOSSARY not in app.env.found_docs:
        return
    for link in doctree.findall(nodes.reference):
        target = link.get("refid" if page == GLOSSARY else "refuri", "").rpartition("#")[2]
        if target.startswith("term-"):
            meaning = _meanings(app.env).get(target)
            if meaning:
                link["reftitle"] = meaning
                link["classes"].append("explained")


@cache
def _meanings(env: Any) -> dict[str, str]:
    """Return the meaning of each word, by the anchor of its entry."""
    glossary = env.get_doctree(GLOSSARY)
    return {
        anchor: " ".join(item.next_node(nodes.definition).astext().split())
        for item in glossary.findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for anchor in term["ids"]
    }


def setup(app: Any) -> dict[str, bool]:
    """Run when the links of a page are known."""
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
