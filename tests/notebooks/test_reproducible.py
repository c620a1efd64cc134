"""The same run gives the same tables, whatever the threads and the blocks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from helpers.config import load_config, project_root
from helpers.runs.execute import execute
from helpers.runs.provenance import read_record

OTHER_WAY = {"threads": 2, "block_cells": 500}


@pytest.fixture(scope="module")
def again(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The forest of Rs of the virtual run once more, without its figures: two threads, small blocks."""
    runs = tmp_path_factory.mktemp("again")
    shutil.copytree(virtual_run, runs / "virtual")
    # The record and not config.yml, which the notebook that began last has written: 08 knows no resolution.
    used = read_record(virtual_run / "provenance" / "03_rs_random_forest.json")["settings"]
    usual = load_config("virtual").model_dump()
    changed = {key: value for key, value in used.items() if value != usual[key]} | OTHER_WAY
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QTP_RUNS_DIR", str(runs))
        notebook = project_root() / "notebooks" / "03_rs_random_forest.ipynb"
        execute(notebook, "virtual", changed, without=("figure", "glue"))
    return runs / "virtual"


@pytest.mark.parametrize("table", ["validation_rs", "truth_rs"])
def test_threads_and_blocks_do_not_change_a_table(virtual_run, again, table):
    one, other = (pd.read_csv(folder / "tables" / f"{table}.csv") for folder in (virtual_run, again))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-12)
