"""The same run gives the same tables, whatever the threads and the blocks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from helpers.config import load_config

ROOT = Path(__file__).resolve().parents[2]
OTHER_WAY = {"threads": 1, "block_cells": 500}
TABLES = ["validation_npp", "truth_npp", "validation_rs", "truth_rs"]


@pytest.fixture(scope="module")
def again(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The forests of the virtual run once more: one thread, small blocks."""
    runs = tmp_path_factory.mktemp("again")
    shutil.copytree(virtual_run, runs / "virtual")
    used = yaml.safe_load((virtual_run / "config.yml").read_text(encoding="utf-8"))
    usual = load_config("virtual").model_dump()
    changed = {key: value for key, value in used.items() if value != usual[key]} | OTHER_WAY
    options = [part for pair in changed.items() for part in ("-p", *map(str, pair))]
    for name in ("02_npp_random_forest", "03_rs_random_forest"):
        command = [sys.executable, "-m", "helpers.runs.execute", f"notebooks/{name}.ipynb", "--config", "virtual"]
        environment = os.environ | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return runs / "virtual"


@pytest.mark.parametrize("table", TABLES)
def test_threads_and_blocks_do_not_change_a_table(virtual_run, again, table):
    one, other = (pd.read_csv(folder / "tables" / f"{table}.csv") for folder in (virtual_run, again))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-12)
