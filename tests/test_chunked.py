"""A cube that stays on disk gives what the same cube in memory gives."""

from __future__ import annotations

import pandas as pd
import pytest
import xarray as xr

from helpers.balance import budgets
from helpers.config import resolve
from helpers.data import cube, land_cover, scan
from helpers.data.grid import target_grid
from helpers.figures.panels import every_kth_cell
from helpers.runs import folder
from helpers.runs.folder import Run
from helpers.virtual.world import virtual_cube, virtual_truth
from mapforest import applicability, intervals
from mapforest.cells import cell_map, map_table
from mapforest.forest import RandomForest

PREDICTORS = ("temperature", "precipitation", "land_cover")


@pytest.fixture(scope="module")
def world() -> tuple[xr.Dataset, xr.Dataset]:
    grid = target_grid(78, 29, 102, 39, 0.5)
    years = range(2000, 2005)
    return virtual_cube(grid, years, seed=1), virtual_truth(grid, years, seed=1)


@pytest.fixture(scope="module")
def chunked(world) -> tuple[xr.Dataset, xr.Dataset]:
    return tuple(part.chunk({"latitude": 7, "longitude": 13}) for part in world)


def _fields(cube_and_truth):
    layers, truth = cube_and_truth
    return {name: field.where(layers["in_region"]) for name, field in truth.items()}, layers["cell_area"]


def _space(layers: xr.Dataset) -> applicability.TrainingSpace:
    rows = map_table(layers, PREDICTORS, layers["in_region"]).iloc[::40].reset_index(drop=True)
    return applicability.training_space(
        rows, dict.fromkeys(PREDICTORS, 1.0), fold=rows.index % 3, categorical=["land_cover"]
    )


TABLES = {
    "budget": lambda both: pd.DataFrame([budgets.budget(_fields(both)[0]["nep"], _fields(both)[1])]),
    "yearly budget": lambda both: budgets.yearly_budget(_fields(both)[0]["nep"], _fields(both)[1]),
    "budget table": lambda both: budgets.budget_table(
        {(name, "truth"): field for name, field in _fields(both)[0].items()}, _fields(both)[1]
    ),
    "budget by class": lambda both: budgets.budget_by_class(
        _fields(both)[0], both[0]["land_cover"].where(both[0]["in_region"]), _fields(both)[1]
    ),
    "recovery": lambda both: budgets.recovery("NPP", both[0]["npp_modis"], both[1]["npp"], both[0]["cell_area"]),
    "yearly budgets": lambda both: budgets.yearly_budgets(_fields(both)[0], _fields(both)[1]),
    "recoveries": lambda both: budgets.recoveries(
        _fields(both)[0], {name: 1.1 * field for name, field in both[1].items()}, both[0]["cell_area"]
    ),
    "summary": lambda both: cube.summary(both[0]),
    "summary of means": lambda both: cube.summary(cube.climatology(both[0])),
    "climatology": lambda both: cube.climatology(both[0]).to_dataframe(),
    "class shares": lambda both: land_cover.class_shares(both[0]),
    "cells": lambda both: map_table(both[0], PREDICTORS, both[0]["in_region"]),
    "samples": lambda both: cube.sample(
        both[0], pd.DataFrame({"longitude": [90.1, 98.3], "latitude": [33.0, 31.2], "year": [2003, float("nan")]})
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_do_not_depend_on_chunks(world, chunked, table):
    pd.testing.assert_frame_equal(TABLES[table](chunked), TABLES[table](world), rtol=1e-9)


@pytest.mark.parametrize("blocks", [7, 1000])
def test_tables_do_not_depend_on_blocks_in_memory(world, monkeypatch, blocks):
    expected = {name: table(world) for name, table in TABLES.items()}
    monkeypatch.setattr(scan, "BLOCK_VALUES", world[0]["lai"].size // blocks)
    for name, table in TABLES.items():
        pd.testing.assert_frame_equal(table(world), expected[name], rtol=1e-9)


@pytest.mark.parametrize("summary", [cube.summary, land_cover.class_shares])
def test_what_is_told_of_means_over_the_years_can_be_told_from_them(world, summary):
    pd.testing.assert_frame_equal(summary(cube.climatology(world[0])), summary(world[0]), rtol=1e-9)


def test_a_climatology_is_the_mean_of_each_covariate(world):
    found, expected = cube.climatology(world[0]), world[0].mean("time", keep_attrs=True)
    assert list(found.data_vars) == list(world[0].data_vars) and found.attrs == world[0].attrs
    for name in expected:
        assert found[name].attrs == world[0][name].attrs
        xr.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_the_area_of_applicability_does_not_depend_on_chunks(world, chunked):
    expected = applicability.applicable_cells(_space(world[0]), world[0], world[0]["in_region"])
    assert 0 < expected.mean() < 1
    found = applicability.applicable_cells(_space(world[0]), chunked[0], chunked[0]["in_region"], band_rows=6)
    xr.testing.assert_equal(found, expected)


@pytest.mark.parametrize("band_cells", [100, 300_000])
def test_the_map_of_intervals_holds_the_quantiles_of_each_cell(world, chunked, band_cells):
    cells = map_table(world[0], PREDICTORS, world[0]["in_region"])
    table, target = cells.iloc[::20].reset_index(drop=True), cells["temperature"].iloc[::20].to_numpy()
    grown = intervals.grow(RandomForest(PREDICTORS, 30, mtry=2, categorical=["land_cover"]).fit(table, target))
    found = intervals.interval_map(grown, chunked[0], chunked[0]["in_region"], (0.05, 0.95), 0.5, band_cells)
    lower, upper = intervals.quantiles(grown, cells, (0.05, 0.95)).T
    for name, expected in (("lower", lower - 0.5), ("upper", upper + 0.5)):
        like = cell_map(cells, expected, world[0]["in_region"])
        xr.testing.assert_allclose(
            found[name].drop_vars("spatial_ref"),
            like.drop_vars("spatial_ref", errors="ignore").astype("float32"),
            rtol=1e-6,
        )


def test_a_large_map_is_drawn_from_every_kth_cell():
    large = xr.Dataset({"npp": (("latitude", "longitude"), [[float(i + j) for j in range(1700)] for i in range(30)])})
    drawn = every_kth_cell(large.chunk({"longitude": 100}))
    assert dict(drawn.sizes) == {"latitude": 10, "longitude": 567}
    assert set(drawn["npp"].values[0]) < set(large["npp"].values[1])


def test_a_thinned_cube_keeps_the_area(world):
    layers = world[0]
    sample = cube.thinned(layers, most=int(layers["in_region"].sum()) // 4)
    area = [float(part["cell_area"].where(part["in_region"]).sum()) for part in (sample, layers)]
    assert sample.attrs["thinned"] == 2
    assert area[0] == pytest.approx(area[1], rel=0.05)


@pytest.mark.parametrize(("limit", "lazy"), [(2**30, False), (1, True)])
def test_a_dataset_beyond_the_limit_stays_on_disk(tmp_path, monkeypatch, world, limit, lazy):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(folder, "IN_MEMORY_BYTES", limit)
    book_run = Run("01_data_preparation", resolve({"config": "virtual", "world": "virtual", "resolution": 0.5}))
    book_run.save_dataset("cube", world[0])
    opened = book_run.load_dataset("cube")
    assert (opened["lai"].chunks is not None) == lazy
    xr.testing.assert_equal(opened.drop_vars("spatial_ref"), world[0].drop_vars("spatial_ref"))


def test_unfinished_work_is_removed_when_a_notebook_finishes(tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    book_run = Run("02_npp_random_forest", resolve({"config": "virtual", "world": "virtual", "resolution": 0.5}))
    store = book_run.unfinished("npp")
    store.mkdir()
    (store / "block").write_text("0")
    book_run.finish()
    assert not store.exists()
