"""What several tests share."""

from __future__ import annotations

import os

import pytest

# Estimators on two threads must agree with one; a test machine's own setting must not decide.
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def real_data() -> None:
    """Skip, and say so, where the files of the open configuration are neither mirrored nor cached."""
    from helpers import catalog

    if not catalog.cached_or_mirrored():
        pytest.skip(
            "files of the open configuration not at hand: "
            "set QTP_DATA_MIRROR to a folder that holds them, or run make data CONFIG=open"
        )
