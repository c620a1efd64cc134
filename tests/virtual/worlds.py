"""The virtual worlds of these tests, each made once."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from helpers.config import Settings, resolve
from helpers.virtual import world

SEED = 20230911
YEARS = range(2000, 2003)
BARREN = 16
FEW = {"npp_sites": 10, "rs_sites": 10, "last_year": 2000}


def make_settings(**changes: object) -> Settings:
    """A small world: the plateau's surroundings at half a degree, three years."""
    small = {"resolution": 0.5, "west": 73, "east": 105, "south": 25, "north": 41, "seed": SEED}
    years = {"first_year": YEARS[0], "last_year": YEARS[-1]}
    return resolve({"config": "virtual", "world": "virtual"} | small | years | changes)


@functools.cache
def fields_of(**changes: object) -> world.Fields:
    """Return the fields of the small world, or of one with other settings."""
    with threadpool_limits(1, user_api="blas"):  # the products are small: threads would only wait for each other
        return world.virtual_fields(make_settings(**changes))


@functools.cache
def observed(**changes: object) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the observations of the small world, or of one with other settings, and the planted faults."""
    return world.observe(make_settings(**changes))


def plateau_mean(field: np.ndarray, fields: world.Fields, where: np.ndarray | None = None) -> float:
    """Return the area-weighted mean over the cells of the plateau that have a value."""
    keep = fields.cube["in_region"].to_numpy() & np.isfinite(field)
    keep = keep if where is None else keep & where
    return float(np.average(field[keep], weights=fields.cube["cell_area"].to_numpy()[keep]))


def mean_of_years(field: xr.DataArray) -> np.ndarray:
    """Return the mean over the years, missing where a year is."""
    return field.mean("time", skipna=False).to_numpy()
