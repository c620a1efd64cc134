"""What the tests that hurt real processes share."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

import pytest
from trials import Trials

_PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)


@pytest.fixture
def trials(request: pytest.FixtureRequest, record_property) -> Iterator[Trials]:
    """Trials whose moments are drawn from the test's name; their counts come into the last lines of the report."""
    _adopt(True)
    found = Trials(request.node.name)
    yield found
    _adopt(False)
    counts = {"kills": found.kills, "lost": len(found.lost), "unequal": len(found.unequal), "alive": len(found.alive)}
    record_property("trials", counts)


def _adopt(orphans: bool) -> None:
    """Let processes whose parent was killed become children of this one: if they live on they are seen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(orphans))
