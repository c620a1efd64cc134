"""The readers that ``make fuzz`` feeds: each takes the good files that it begins with, and refuses what is damaged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helpers.data import catalog
from helpers.errors import ConfigError, DataError, RunError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))

import fuzz


def damaged(seed: bytes) -> list[bytes]:
    """Return a good file that was emptied, cut twice, overwritten in part, and overwritten whole."""
    middle = len(seed) // 2
    return [b"", seed[:middle], seed[: len(seed) - 2], seed[:middle] + b"\0\xff[{" + seed[middle + 4 :], b"\0" * 64]


@pytest.mark.parametrize("name", fuzz.DOORS)
def test_a_reader_takes_its_seeds_and_refuses_what_is_damaged(name, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "catalogue_path", catalog.catalogue_path)  # the door puts another one there
    door = fuzz.door_of(name, tmp_path)
    path = tmp_path / "run" / door.name
    path.parent.mkdir(parents=True)
    refused = 0
    for seed in door.seeds:
        path.write_bytes(seed)
        door.read(path)
        for content in damaged(seed):
            path.write_bytes(content)
            try:
                door.read(path)
            except (ConfigError, DataError, RunError):
                refused += 1
    assert door.seeds and refused >= 2 * len(door.seeds)
