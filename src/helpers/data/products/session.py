"""Downloads: retried, resumed, bounded, verified, written whole, and without a secret in any message."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import requests


def needed(module: str) -> ModuleType:
    """Import a library of the extra ``paper``; a DataError says how to install what is not there."""
    raise NotImplementedError


def session() -> requests.Session:
    """Return the one session of this process; it asks again when an archive is busy."""
    raise NotImplementedError


def redacted(url: str) -> str:
    """Return an address without what may be secret: name, password, query and fragment."""
    raise NotImplementedError


def download(
    http: requests.Session,
    url: str,
    target: Path,
    *,
    size: int | None = None,
    checksum: str = "",
    headers: Mapping[str, str] | None = None,
    hint: str = "",
) -> Path:
    """Fetch a file, resuming what an earlier call began; ``hint``: what to do where the archive refuses."""
    raise NotImplementedError
