"""Equations as MathML, which browsers draw without a script and screen readers read.

docutils converts the TeX when a page is written. TeX that it does not know is a warning with file and line: a build of
the book ends with it, and no reader meets a raw command.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)


def mathml(tex: str, block: bool) -> str:
    """Return an equation as MathML that keeps its TeX as ``alttext``.

    ValueError is raised for TeX that docutils does not know.

    Examples
    --------
    >>> mathml("x", block=False)
    '<math alttext="x" xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>'
    """
    tex = " ".join(tex.split())
    try:
        indented = tex2mathml(tex, as_block=block)
    except (AttributeError, IndexError, TypeError) as error:  # no message for a brace, an & or a _ in a wrong place
        raise ValueError("a brace, an environment or an & stands where none can be") from error
    return re.sub(r">\n\s*<", "><", indented).replace("<math ", f'<math alttext="{html.escape(tex)}" ', 1)


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_written(node.astext(), node))
    self.body.append("</span>")
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write an equation on lines of its own, with its number, if it has one, and a link to it."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    # As everywhere in Sphinx, an empty line begins another row.
    rows = [row for row in re.split(r"\n\s*\n", node.astext()) if row.strip()]
    self.body.append(_written(r" \\ ".join(rows), node))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _written(tex: str, node: nodes.Element) -> str:
    """Return the MathML, or nothing after a warning that names the place."""
    try:
        return mathml(tex, block=isinstance(node, nodes.math_block))
    except ValueError as error:
        place = node
        while not (place.source and place.line) and place.parent is not None:
            place = place.parent
        LOGGER.warning("equation %r: %s Write it with what docutils knows of TeX.", tex, error, location=place)
        return ""


def setup(app: Any) -> dict[str, bool]:
    """Be there for ``html_math_renderer: mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
