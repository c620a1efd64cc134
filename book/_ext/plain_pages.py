"""Keep out of the pages what the book does not use: thebe, and a second search field."""

from __future__ import annotations

from typing import Any


def simplify(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Remove thebe's scripts, which name an outside address even if thebe is off, and the header's search field."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context[key] if not _is_thebe(file)]
    context["theme_navbar_persistent"] = []


def _is_thebe(file: Any) -> bool:
    body = getattr(file, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(file, "filename", file) or "") or "THEBE_JS_URL" in body


def setup(app: Any) -> dict[str, bool]:
    """Run after the extensions that add to a page."""
    app.connect("html-page-context", simplify, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
