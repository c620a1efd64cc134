"""The scripts that measure run, on the smallest of inputs, and write the tables that the book reads."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import engines  # noqa: E402
import measuring  # noqa: E402
import scaling  # noqa: E402

TINY = [
    *("--rows", "80", "--rounds", "1", "--trees", "2", "--years", "1", "--side", "40"),
    *("--threads", "1", "--forests", "npp"),
]


def committed(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "benchmarks" / name, comment="#")


@pytest.fixture(scope="module")
def tiny_engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of engines on a grid of 40 x 40 cells; R is hidden, and so is sklearn-raster."""
    output = tmp_path_factory.mktemp("benchmarks") / "engines.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        patch.setitem(sys.modules, "sklearn_raster", None)
        engines.main([*TINY, "--output", str(output)])
    return output


def test_the_table_of_engines_has_the_columns_of_the_committed_one(tiny_engines):
    assert list(pd.read_csv(tiny_engines, comment="#")) == list(committed("engines.csv"))


def test_engines_that_are_not_installed_are_left_out(tiny_engines):
    left = ["scikit-learn, stacked array", "scikit-learn, blocks", "pruned groups"]
    assert pd.read_csv(tiny_engines, comment="#")["engine"].tolist() == left


def test_engines_agree(tiny_engines):
    assert pd.read_csv(tiny_engines, comment="#")["largest_difference"].max() < 1e-9


def test_the_first_line_is_the_command_without_the_place_of_its_output(tiny_engines):
    first = tiny_engines.read_text().partition("\n")[0]
    assert first.startswith(f"# python benchmarks/engines.py {' '.join(TINY)}, 20")


def test_an_engine_that_is_not_installed_is_named(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    engines.installed()
    assert "R ranger: skipped, not installed" in capsys.readouterr().err


def test_a_side_that_the_coarse_covariates_do_not_divide_is_refused(capsys):
    with pytest.raises(SystemExit):
        engines.main(["--side", "50"])
    assert "expected a multiple of 40" in capsys.readouterr().err


@pytest.mark.parametrize("script", ["scaling", "whole_job"])
def test_a_script_says_what_it_takes(script):
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), "--help"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "--output" in done.stdout


def test_a_process_of_its_own_returns_its_result_and_its_memory():
    result, peak = measuring.in_child(len, "abc")
    assert result == 3 and peak > 1


def test_a_process_that_fails_is_no_measurement(capfd):
    with pytest.raises(RuntimeError, match="ended with code 1"):
        measuring.in_child(len, 3)


@pytest.mark.parametrize("quick", [True, False])
def test_a_case_differs_from_the_base_in_its_factor_alone(quick):
    chosen = scaling.cases(quick)
    (base,) = chosen.pop("base")
    changed = {"cells": {"side"}, "workers": {"workers", "threads"}}
    for factor, own in chosen.items():
        for case in own:
            differing = {name for name, value in asdict(case).items() if value != getattr(base, name)}
            assert factor in changed or differing == {factor}
            assert differing <= changed.get(factor, {factor}) and differing


def test_a_map_is_timed_from_a_store(tmp_path):
    grid = engines.synthetic_grid(0, years=2, side=40)
    scaling.write_cube(grid, 40, 2, 20, tmp_path / "cube.zarr")
    (tmp_path / "forest.pickle").write_bytes(pickle.dumps(scaling.grow(grid, trees=2)))
    case = scaling.Case(side=40, years=2, trees=2, threads=1, workers=0, chunk=20)
    spent = scaling.spent(case, tmp_path / "cube.zarr", tmp_path / "forest.pickle")
    assert spent.keys() == {"wall_seconds", "cpu_seconds", "before_mb"} and spent["wall_seconds"] > 0
