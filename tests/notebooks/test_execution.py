"""Each notebook runs through papermill from top to bottom and leaves what the run's folder promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pandas as pd
import pytest
import xarray as xr

from helpers.runs.shown import MIME
from helpers.runs.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
TABLES = ["table1_npp_products", "table2_rs_products", "rs_rh_fit", "budgets", "validation", "audit"]
DATASETS = ["cube", "npp", "rs", "rh", "nep"]


@pytest.fixture(params=["virtual", pytest.param("open", marks=pytest.mark.real_data)])
def run_folder(request: pytest.FixtureRequest) -> Path:
    """The run of each world."""
    return request.getfixturevalue(f"{request.param}_run")


OF_NO_WORLD = "08_scaling"  # run once, with the virtual world
RAN = [
    *(pytest.param("virtual", name, id=f"virtual-{name}") for name in STEPS),
    *(
        pytest.param("open", name, id=f"open-{name}", marks=pytest.mark.real_data)
        for name in STEPS
        if name != OF_NO_WORLD
    ),
]


@pytest.mark.parametrize(("run_folder", "name"), RAN, indirect=["run_folder"])
def test_a_notebook_ran_to_its_end_without_a_warning(run_folder, name):
    notebook = nbformat.read(run_folder / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]


@pytest.mark.parametrize(("run_folder", "name"), RAN, indirect=["run_folder"])
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


def test_every_figure_that_a_cell_saves_is_drawn_and_no_other(run_folder):
    """A cell may put a name together, as ``f"effects_{name}"``: any word stands in its place."""
    calls = re.compile(r'save_figure\(\s*f?"([^"]+)"')
    saved = {re.sub(r"{.*?}", "*", name) for cell in cells_of(run_folder) for name in calls.findall(cell.source)}
    wide = set((run_folder / "figures").glob("*.png"))
    drawn = {name: [path for path in wide if path.match(f"{name}.png")] for name in saved}
    assert len(wide) > 20 and [name for name, found in drawn.items() if not found] == []
    assert wide == {path for found in drawn.values() for path in found}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in wide)
    assert all(path.with_suffix(".svg").is_file() for path in wide)
    assert all(path.with_name(f"{path.stem}_narrow.webp").is_file() for path in wide)


def test_no_cell_shows_a_bare_picture_or_a_bare_table(run_folder):
    """Each goes through the run, which gives it a caption, a label and files to take away."""
    outputs = [output for cell in cells_of(run_folder) for output in cell.get("outputs", []) if "data" in output]
    bare = [output.data for output in outputs if MIME not in output.data]
    assert not [data for data in bare if "image/png" in data or "dataframe" in data.get("text/html", "")]
    labels = [output.data[MIME]["label"] for output in outputs if MIME in output.data]
    assert len(labels) > 60 and len(labels) == len(set(labels))


def test_no_half_written_file_is_left(run_folder):
    assert not [path for path in run_folder.rglob("*") if ".partial." in path.name or ".old." in path.name]


def test_the_totals_of_the_budgets_are_mean_times_area(run_folder):
    budgets = pd.read_csv(run_folder / "tables" / "budgets.csv")
    product = budgets["mean_gC_m2_yr"] * budgets["valid_area_Mkm2"]
    pd.testing.assert_series_equal(budgets["total_TgC_yr"], product, check_names=False, rtol=1e-6)


LAWS = {
    "NEP is NPP - Rh",
    "NEP is known where NPP and Rh are",
    "Rh is known only where Rs is",
    "a map is known where all predictors are",
    "a total is mean times area",
    "a total is the sum over the cells",
    "nothing is known outside of the region",
    "the area of a cell is that of its edges",
    "the parts add up to the whole",
}
PARTS = {"virtual": {"land cover", "years", "inside and outside"}, "open": {"land cover", "inside and outside"}}


def test_the_numbers_of_a_run_keep_all_laws_and_say_so(run_folder):
    records = [json.loads(path.read_text()) for path in (run_folder / "provenance").glob("*.json")]
    laws = [law for record in records for law in record["laws"]]
    assert {law["law"] for law in laws} == LAWS and all(law["holds"] for law in laws)
    assert all(0 <= law["deviation"] <= law["tolerance"] for law in laws)
    parts = {law["of"] for law in laws if law["law"] == "the parts add up to the whole"}
    assert parts == PARTS[run_folder.name]


def test_the_files_of_the_next_plots_have_the_places_of_their_table_and_say_what_is_simulated(run_folder):
    plots = pd.read_csv(run_folder / "tables" / "plots.csv")
    expected = pd.read_csv(run_folder / "tables" / "plots_interval.csv")
    cube = xr.open_zarr(run_folder / "cube.zarr")
    for name, plan in plots.groupby("plan"):
        assert plan["plot"].tolist() == list(range(1, 51))
        offered = ElementTree.parse(run_folder / "figures" / f"plots_{name}.gpx").getroot().findall("{*}wpt")
        places = [(float(point.get("lon")), float(point.get("lat"))) for point in offered]
        first = plan.head(20)
        assert places == list(first[["longitude", "latitude"]].itertuples(index=False, name=None))
        told = {point.findtext("{*}desc").endswith("no place to go to") for point in offered}
        assert told == {run_folder.name == "virtual"}
        at = {axis: xr.DataArray(first[axis].to_numpy(), dims="plot") for axis in ("longitude", "latitude")}
        here = cube[["in_region", "elevation"]].sel(at, method="nearest")
        assert here["in_region"].all() and here["elevation"].values == pytest.approx(first["elevation [m]"], abs=1)
        widths = expected.loc[expected["plan"] == name, "width_share"]
        assert widths.iloc[0] == 1 and widths.is_monotonic_decreasing and 0 < widths.iloc[-1] < 1


def cells_of(folder: Path) -> list[nbformat.NotebookNode]:
    """Return the cells of the executed notebooks of a run."""
    return [cell for path in (folder / "notebooks").glob("*.ipynb") for cell in nbformat.read(path, 4).cells]


def tags_of(folder: Path) -> set[str]:
    return {tag for cell in cells_of(folder) for tag in cell.metadata.get("tags", [])}


@pytest.mark.real_data
def test_a_world_without_truth_shows_no_truth_and_no_single_years(open_run):
    assert tags_of(open_run) & {"truth", "yearly", "real-world"} == {"real-world"}


def test_a_simulated_world_shows_its_truth_and_no_check_of_real_products(virtual_run):
    assert tags_of(virtual_run) & {"truth", "yearly", "real-world"} == {"truth", "yearly"}


def test_papermill_alone_runs_a_notebook_as_the_readme_says(tmp_path):
    """The notebook that needs no other one, with a whole configuration and a parameter of its own."""
    notebook, config = ROOT / "notebooks" / "08_scaling.ipynb", ROOT / "config" / "open.yml"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", notebook, "out.ipynb", "-f", config, "-p", "run", "trial"],
        cwd=tmp_path,
        env=os.environ | {"QTP_RUNS_DIR": str(tmp_path), "QTP_BOOK_ROOT": str(ROOT), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "trial" / "provenance" / "08_scaling.json").read_text())
    settings = record["settings"]
    assert record["finished"] and (settings["config"], settings["world"]) == ("open", "real")
