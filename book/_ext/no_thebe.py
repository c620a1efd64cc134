"""Keep thebe out of the pages: Jupyter Book adds its scripts, with an outside address, even if it is off."""

from __future__ import annotations

from typing import Any


def drop_thebe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Remove thebe's scripts and style sheet from a page."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context[key] if not _is_thebe(file)]


def _is_thebe(file: Any) -> bool:
    body = getattr(file, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(file, "filename", file) or "") or "THEBE_JS_URL" in body


def setup(app: Any) -> dict[str, bool]:
    """Run after the extensions that add files to a page."""
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
