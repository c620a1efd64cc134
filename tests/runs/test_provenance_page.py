"""The page that says where a book's numbers come from."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.runs.provenance_page import provenance_page


def merged(**changes: Any) -> dict[str, Any]:
    """A run of one notebook."""
    record = {
        "wall_seconds": 12.3,
        "peak_memory_bytes": 1_500_000_000,
        "inputs": {"config/open.yml": "a" * 64},
        "outputs": {"npp.zarr": {"sha256": "b" * 64, "bytes": 1234567, "parameters": {}}},
    }
    return {
        "run": "open",
        "settings": {"config": "open", "world": "real", "seed": 42, "region": {"name": "a | b"}},
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "wall_seconds": 60.0,
        "git": {"commit": "0123456789abcdef", "dirty": True},
        "python": "3.12.1",
        "packages": {"numpy": "2.4.6"},
        "catalogue": {"temp.rda": "c" * 64},
        "notebooks": {"02_npp_random_forest": record},
    } | changes


@pytest.mark.parametrize(
    "line",
    [
        "| `seed` | `42` |",
        "| `commit` | `0123456789abcdef with uncommitted changes` |",
        f"| `temp.rda` | `{'c' * 64}` |",
        f"| read | `config/open.yml` |  | `{'a' * 64}` |",
        f"| saved | `npp.zarr` | 1,234,567 | `{'b' * 64}` |",
        "{doc}`The notebook </notebooks/02_npp_random_forest>` took 12 s and 1.50 GB of memory.",
        "numpy 2.4.6",
        r"| `region` | `{'name': 'a \| b'}` |",
    ],
)
def test_it_tells_commit_seed_versions_and_each_file_with_its_sum(line):
    assert line in provenance_page(merged()).splitlines()


def test_a_simulated_world_reads_nothing_from_outside_and_an_unknown_commit_is_no_commit():
    page = provenance_page(merged(catalogue={}, git={"commit": None, "dirty": False}))
    assert "simulated from the seed" in page and "| `commit` | `none` |" in page
