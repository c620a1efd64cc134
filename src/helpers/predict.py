"""A forest over a cube, block by block."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Literal

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from helpers.forest import ForestError, RandomForest
from helpers.traversal import CompiledForest

__all__ = ["predict"]


def predict(
    forest: RandomForest,
    cube: xr.Dataset,
    where: xr.DataArray,
    block_cells: int = 250_000,
    threads: int = 2,
    engine: Literal["pruned", "scikit-learn"] = "pruned",
) -> xr.DataArray:
    """Evaluate a grown forest at the cells of a cube.

    Rows of cells, with all their years, are handed to the threads in blocks: the more alike the cells of a block, the
    faster is either engine, and both are slow in blocks below ten thousand. A cell with a missing covariate is not
    predicted.

    Parameters
    ----------
    forest : RandomForest
        Grown; its predictors are found in the cube by name.
    cube : xarray.Dataset
        Covariates, each (latitude, longitude) or (time, latitude, longitude).
    where : xarray.DataArray of bool, shape (latitude, longitude)
        Cells to predict.
    block_cells : int
        Cells, counted in each year, that a thread takes at a time, about: blocks are whole rows of all years.
    threads : int
        Threads that work side by side. They do not change the result, nor do the blocks.
    engine : {"pruned", "scikit-learn"}
        ``pruned`` is :class:`helpers.traversal.CompiledForest`; it agrees with scikit-learn to 1e-9 and is several
        times faster.

    Returns
    -------
    xarray.DataArray, dimensions (time, latitude, longitude)
        In the units of the target; missing outside ``where`` and where a covariate is missing. Without ``time`` if no
        covariate has it.

    Raises
    ------
    ForestError
        If the cube lacks a predictor, or ``where`` is on another grid.
    """
    missing = [name for name in forest.predictors if name not in cube]
    if missing:
        raise ForestError(f"the cube lacks the predictors {missing}; it has {list(cube.data_vars)}")
    if where.sizes != {name: cube.sizes[name] for name in ("latitude", "longitude")}:
        raise ForestError(
            f"'where' is of size {dict(where.sizes)}, the cube of {dict(cube.sizes)}: use the cube's own mask"
        )
    covariates = [
        layer.transpose("time", "latitude", "longitude", missing_dims="ignore")
        for layer in xr.broadcast(*(cube[name].where(where) for name in forest.predictors))
    ]
    years = covariates[0].sizes.get("time", 1)
    rows = max(1, block_cells // (cube.sizes["longitude"] * years))
    chunks = {name: rows if name == "latitude" else -1 for name in covariates[0].dims}
    engines = {
        "pruned": lambda: CompiledForest.from_estimator(forest.estimator),
        "scikit-learn": lambda: forest.estimator,
    }
    stacked = [layer.chunk(chunks) for layer in covariates]
    template = stacked[0]
    values = da.map_blocks(
        _predict_block,
        *(layer.data for layer in stacked),
        forest=forest,
        evaluate=engines[engine]().predict,
        name=f"predict-{uuid.uuid4().hex}",  # else Dask hashes the forest to name its result
        dtype="float64",
        meta=np.empty((0,) * template.ndim),
    )
    values = values.compute(scheduler="threads", num_workers=threads)
    return xr.DataArray(values, coords=template.coords, dims=template.dims)


def _predict_block(*layers: np.ndarray, forest: RandomForest, evaluate: Callable) -> np.ndarray:
    table = pd.DataFrame({name: layer.ravel() for name, layer in zip(forest.predictors, layers, strict=True)}).astype(
        "float64"
    )
    valid = table.notna().all(axis=1).to_numpy()
    values = np.full(layers[0].size, np.nan)
    if valid.any():
        values[valid] = evaluate(forest.encode(table[valid]))
    return values.reshape(layers[0].shape)
