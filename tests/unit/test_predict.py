"""A forest over a cube: blocks, threads, masks and names."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.forest import ForestError, RandomForest
from helpers.predict import predict

PREDICTORS = ("elevation", "temperature")


@pytest.fixture(scope="module")
def cube():
    rng = np.random.default_rng(3)
    coordinates = {
        "time": pd.date_range("2000-01-01", periods=3, freq="YS"),
        "latitude": np.linspace(38, 30, 9),
        "longitude": np.linspace(80, 100, 11),
    }
    made = xr.Dataset(coords=coordinates)
    made["elevation"] = (("latitude", "longitude"), rng.uniform(3000, 6000, (9, 11)).astype("float32"))
    made["temperature"] = (("time", "latitude", "longitude"), rng.uniform(-8, 8, (3, 9, 11)).astype("float32"))
    made["plateau"] = made["elevation"] > 3500
    return made


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"elevation": rng.uniform(3000, 6000, 150), "temperature": rng.uniform(-8, 8, 150)})
    return RandomForest(PREDICTORS, n_trees=30, mtry=2, seed=5).fit(table, 50 * table["temperature"])


def test_a_cell_gets_what_its_row_gets(cube, forest):
    predicted = predict(forest, cube, cube["plateau"])
    cell = cube.isel(time=1, latitude=4, longitude=5)
    row = pd.DataFrame({name: [float(cell[name])] for name in PREDICTORS})
    assert float(predicted.isel(time=1, latitude=4, longitude=5)) == pytest.approx(forest.predict(row)[0], rel=1e-9)


def test_both_engines_give_the_same(cube, forest):
    predicted = predict(forest, cube, cube["plateau"], engine="pruned")
    xr.testing.assert_allclose(predict(forest, cube, cube["plateau"], engine="scikit-learn"), predicted, rtol=1e-9)


def test_dimensions_are_in_the_books_order(cube, forest):
    assert predict(forest, cube, cube["plateau"]).dims == ("time", "latitude", "longitude")


@pytest.mark.parametrize(("block_cells", "threads"), [(100, 1), (25, 2), (10_000, 2)])
def test_blocks_and_threads_do_not_change_the_prediction(cube, forest, block_cells, threads):
    reference = predict(forest, cube, cube["plateau"], threads=1)
    xr.testing.assert_identical(predict(forest, cube, cube["plateau"], block_cells, threads), reference)


def test_only_the_chosen_cells_are_predicted(cube, forest):
    predicted = predict(forest, cube, cube["plateau"])
    assert (predicted.notnull() == cube["plateau"]).all()


def test_a_cell_with_a_missing_covariate_is_not_predicted(cube, forest):
    holed = cube.copy(deep=True)
    holed["temperature"][2, 0, 0] = np.nan
    predicted = predict(forest, holed, xr.ones_like(cube["plateau"]))
    assert int(predicted.isnull().sum()) == 1 and bool(predicted[2, 0, 0].isnull())


def test_static_covariates_alone_give_a_map_without_time(cube, forest):
    still = cube.assign(temperature=cube["temperature"].isel(time=0, drop=True))
    assert predict(forest, still, cube["plateau"]).dims == ("latitude", "longitude")


def test_missing_predictor_is_named(cube, forest):
    with pytest.raises(ForestError, match="lacks the predictors .'temperature'."):
        predict(forest, cube.drop_vars("temperature"), cube["plateau"])


def test_mask_of_another_grid_is_refused(cube, forest):
    with pytest.raises(ForestError, match="use the cube's own mask"):
        predict(forest, cube, cube["plateau"].isel(latitude=slice(3)))
