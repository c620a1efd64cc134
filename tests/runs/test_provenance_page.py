"""The page that says where a book's numbers come from."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.runs.provenance_page import provenance_page


def law(of: str, deviation: float | None, **changes: Any) -> dict[str, Any]:
    kept = {"law": "a total is mean times area", "unit": "Tg C yr-1", "tolerance": 0.001, "holds": True}
    return kept | {"of": of, "deviation": deviation} | changes


def merged(**changes: Any) -> dict[str, Any]:
    """A run of one notebook."""
    record = {
        "wall_seconds": 12.3,
        "peak_memory_bytes": 1_500_000_000,
        "inputs": {"config/open.yml": "a" * 64},
        "outputs": {"npp.zarr": {"sha256": "b" * 64, "bytes": 1234567, "parameters": {}}},
        "laws": [law("budget_npp", 2.5e-14), law("budget_rs", 1e-15), law("npp", 0.0, law="known", unit="cells")],
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
        "| a total is mean times area | 02 | budget_npp, budget_rs | 2.5 × 10⁻¹⁴ | 0.001 | Tg C yr⁻¹ | yes |",
        "| known | 02 | npp | 0 | 0.001 | cells | yes |",
        r"| `region` | `{'name': 'a \| b'}` |",
    ],
)
def test_it_tells_commit_seed_versions_and_each_file_with_its_sum(line):
    assert line in provenance_page(merged()).splitlines()


def test_a_simulated_world_reads_nothing_from_outside_and_an_unknown_commit_is_no_commit():
    page = provenance_page(merged(catalogue={}, git={"commit": None, "dirty": False}))
    assert "simulated from the seed" in page and "| `commit` | `none` |" in page


def test_a_law_that_is_broken_somewhere_does_not_hold():
    run = merged()
    run["notebooks"]["02_npp_random_forest"]["laws"] += [law("budget", 3.0, holds=False)]
    assert "| budget_npp, budget_rs, budget | 3 | 0.001 | Tg C yr⁻¹ | no |" in provenance_page(run)
    run["notebooks"]["02_npp_random_forest"]["laws"] += [law("nothing", None, holds=False)]
    assert "| budget_npp, budget_rs, budget, nothing | not known | 0.001 |" in provenance_page(run)


def test_a_run_of_an_older_book_has_no_laws_on_record():
    run = merged()
    del run["notebooks"]["02_npp_random_forest"]["laws"]
    assert "## Numbers that hold" in provenance_page(run) and "None is on record." in provenance_page(run)
