"""A small land with sites in its west, and a run's settings for small forests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.config import RS_PREDICTORS, Settings, load_config
from helpers.forests import fitting


@pytest.fixture(scope="package")
def settings() -> Settings:
    small = {"n_trees": 30, "validation_trees": 6, "validation_seeds": 1, "n_folds": 3, "threads": 1}
    return load_config("virtual", small | {"interval_level": 0.8})


@pytest.fixture(scope="package")
def cube() -> xr.Dataset:
    """Ten by fourteen cells; class 16 is found in the two eastern columns alone, cells in the south are larger."""
    grid = {"latitude": 37.5 - np.arange(10), "longitude": 80.5 + np.arange(14)}
    rng = np.random.default_rng(3)
    space = ("latitude", "longitude")
    layers = {name: (space, rng.uniform(1, 9, (10, 14)), {"units": "1"}) for name in RS_PREDICTORS}
    made = xr.Dataset(layers, grid)
    made["land_cover"] = xr.where(made["longitude"] > 92, 16, xr.where(made["latitude"] > 32, 10, 12))
    made["land_cover"] = made["land_cover"].transpose(*space).astype(float)
    made["in_region"] = (made["latitude"] + made["longitude"]) < 128.5
    made["cell_area"] = (38 - made["latitude"]) * xr.ones_like(made["longitude"])
    return made


@pytest.fixture(scope="package")
def table(cube: xr.Dataset) -> pd.DataFrame:
    """Sixty records in the western ten columns, three at each site, with a target that follows leaf area."""
    rng = np.random.default_rng(4)
    rows, columns = np.divmod(rng.choice(100, 20, replace=False).repeat(3), 10)
    place = {"latitude": cube["latitude"].to_numpy()[rows], "longitude": cube["longitude"].to_numpy()[columns]}
    made = pd.DataFrame(place).assign(year=np.nan)
    for name in RS_PREDICTORS:
        made[name] = cube[name].to_numpy()[rows, columns]
    made["value"] = 100 * made["lai"] + rng.normal(0, 60, len(made)).clip(-90)
    return made.assign(ln_rs=np.log(made["value"]))


@pytest.fixture(scope="package")
def scored(settings: Settings, table: pd.DataFrame, cube: xr.Dataset) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Predictions and scores of both forests under every scheme."""
    return {name: fitting.validate(settings, name, table, cube) for name in fitting.FLUXES}
