"""The real world of several tests, opened once."""

from __future__ import annotations

import functools

from helpers.config import load_config
from helpers.world import World, open_world


@functools.cache
def real_world() -> World:
    """Return the real world at 0.1 degree; ask for the fixture ``real_data`` first."""
    return open_world(load_config("open", {"resolution": 0.1}))
