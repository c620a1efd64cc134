"""What holds for each test of a figure."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection: no figure may fetch coastlines or borders."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a figure opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
