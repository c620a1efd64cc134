"""What the tests of products share: no pauses, no account and no proxy of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.data.products import session


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Try again at once, and see nothing of this machine's accounts and proxies."""
    for name in (
        "EARTHDATA_TOKEN",
        "EARTHDATA_USERNAME",
        "EARTHDATA_PASSWORD",
        "PC_SDK_SUBSCRIPTION_KEY",
        "PC_SDK_SAS_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session.session.cache_clear()
    yield
    session.session.cache_clear()
