"""Each notebook runs through papermill from top to bottom and leaves what the run's folder promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import xarray as xr

from helpers.runs.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
TABLES = ["table1_npp_products", "table2_rs_products", "rs_rh_fit", "budgets", "validation", "claims"]
DATASETS = ["cube", "npp", "rs", "rh", "nep"]
FIGURES = [
    *("fig1_study_area", "fig2_flow", "fig3_npp", "fig4_rs", "fig5_nep", "fig6_components"),
    *("figS1_rs_rh", "figS2_npp_fit", "figS3_rs_fit"),
]


@pytest.fixture(params=["virtual", pytest.param("open", marks=pytest.mark.real_data)])
def run_folder(request: pytest.FixtureRequest) -> Path:
    """The run of each world."""
    return request.getfixturevalue(f"{request.param}_run")


@pytest.mark.parametrize("name", list(STEPS))
def test_a_notebook_ran_to_its_end_without_a_warning(run_folder, name):
    notebook = nbformat.read(run_folder / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]


@pytest.mark.parametrize("name", list(STEPS))
def test_a_notebook_is_on_record_to_its_end(run_folder, name):
    record = json.loads((run_folder / "provenance" / f"{name}.json").read_text())
    assert record["finished"] and record["outputs"]


@pytest.mark.parametrize("name", TABLES)
def test_a_promised_table_has_rows(run_folder, name):
    assert len(pd.read_csv(run_folder / "tables" / f"{name}.csv"))


@pytest.mark.parametrize("name", DATASETS)
def test_a_promised_dataset_has_values_on_the_plateau(run_folder, name):
    dataset = xr.open_zarr(run_folder / f"{name}.zarr")
    assert all(bool(field.notnull().any()) for field in dataset.data_vars.values())


@pytest.mark.parametrize("name", FIGURES)
def test_a_promised_figure_is_drawn(run_folder, name):
    assert (run_folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_no_half_written_file_is_left(run_folder):
    assert not [path for path in run_folder.rglob("*") if ".partial." in path.name or ".old." in path.name]


def test_the_totals_of_the_budgets_are_mean_times_area(run_folder):
    budgets = pd.read_csv(run_folder / "tables" / "budgets.csv")
    product = budgets["mean_gC_m2_yr"] * budgets["valid_area_Mkm2"]
    pd.testing.assert_series_equal(budgets["total_TgC_yr"], product, check_names=False, rtol=1e-6)


def tags_of(folder: Path) -> set[str]:
    cells = [cell for path in (folder / "notebooks").glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    return {tag for cell in cells for tag in cell.metadata.get("tags", [])}


@pytest.mark.real_data
def test_a_world_without_truth_shows_no_truth_and_no_single_years(open_run):
    assert tags_of(open_run) & {"truth", "yearly", "open-world"} == {"open-world"}


def test_a_simulated_world_shows_its_truth_and_no_check_of_real_products(virtual_run):
    assert tags_of(virtual_run) & {"truth", "yearly", "open-world"} == {"truth", "yearly"}


def test_papermill_alone_runs_a_notebook_as_the_readme_says(virtual_run, tmp_path):
    """With a parameter of its own, on links to what earlier notebooks saved, so that the run itself stays as it is."""
    (tmp_path / "virtual").mkdir()
    for name in ("cube.zarr", "truth.zarr", "npp.zarr", "rs.zarr", "boundary.geojson", "rs_rh_pairs.parquet"):
        (tmp_path / "virtual" / name).symlink_to(virtual_run / name)
    notebook, config = ROOT / "notebooks" / "04_rh_and_nep.ipynb", ROOT / "config" / "virtual.yml"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", notebook, "out.ipynb", "-f", config, "-p", "rs_rh_line", "records"],
        cwd=tmp_path,
        env=os.environ | {"QTP_RUNS_DIR": str(tmp_path), "QTP_BOOK_ROOT": str(ROOT), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "virtual" / "tables" / "rs_rh_fit.csv").is_file()
