"""A forest over a cube of any size, block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from sklearn.ensemble import RandomForestRegressor

from mapforest.blocks import Block, BlockArrays, BlockStore, cluster, on_cluster, on_threads, split, with_progress
from mapforest.cells import SPACE, chosen_cells
from mapforest.errors import ForestError
from mapforest.forest import Encoder, RandomForest, refuse_ungrown
from mapforest.traversal import CompiledForest

if TYPE_CHECKING:
    from distributed import Client

ENGINES = ("pruned", "scikit-learn")
SAMPLED_CELLS, SAMPLED_BLOCKS = 10_000, 8  # that the ranges of the covariates are taken from


def predict(
    forest: RandomForest,
    cube: xr.Dataset,
    where: xr.DataArray,
    block_cells: int = 250_000,
    threads: int = 2,
    engine: Literal["pruned", "scikit-learn"] = "pruned",
    store: str | os.PathLike | None = None,
    client: Client | None = None,
) -> xr.Dataset:
    """Evaluate a grown forest at the cells of a cube.

    The cube is read, evaluated and written in blocks of cells, with all their years, and never held whole. Blocks
    without a cell of ``where`` are left out. The blocks are worked on by threads of this process; or by a Dask cluster,
    if a client is given or the environment variable ``DASK_SCHEDULER_ADDRESS`` names a scheduler. Neither the blocks
    nor who works on them change the result of the pruned engine by a bit.

    Parameters
    ----------
    forest : RandomForest
        Grown; its predictors are found in the cube by name.
    cube : xarray.Dataset
        Covariates, each (latitude, longitude) or (time, latitude, longitude); in memory, or Dask-backed as from
        :func:`xarray.open_zarr`. A cluster reads Dask-backed covariates itself: its workers must reach the files.
    where : xarray.DataArray of bool, shape (latitude, longitude)
        Cells to predict.
    block_cells : int
        Cells, counted in each year, of a block, about: whole rows of all years. A covariate with Dask chunks along
        latitude or longitude decides instead: a block is as large as a chunk of the largest such covariate. The more
        alike the cells of a block, the faster is either engine; both are slow in blocks below ten thousand.
    threads : int
        Threads that work side by side, each on a block; a cluster has its own.
    engine : {"pruned", "scikit-learn"}
        ``pruned`` is :class:`mapforest.traversal.CompiledForest`; it agrees with scikit-learn to 1e-9 before both are
        rounded to float32, and is several times faster.
    store : path-like, optional
        Zarr store (format 2, chunks of one block) that the result is written to. It appears when it is whole. Until
        then a folder beside it, ``<name>.partial``, holds the blocks that are done: a call that was killed, made
        again, computes only the others. A finished store is returned at once; one that was made from another forest,
        cube, ``where`` or layout of blocks is discarded, and a line says so. One process writes a store at a time. A
        Dask-backed cube is known by its name in Dask, which stands for path and time of writing, not by its values:
        open it by the same path.
    client : distributed.Client, optional
        Of the cluster to work on.

    Returns
    -------
    xarray.Dataset
        ``prediction``, float32, dimensions (time, latitude, longitude), in the units of the target; missing outside
        ``where`` and where a covariate is missing. Without ``time`` if no covariate has it. Lazy if ``store`` is given.

    Raises
    ------
    ForestError
        Before any block is computed: if the forest is not grown, or not one that the pruned engine takes; there is no
        such ``engine``, or ``block_cells`` or ``threads`` is below 1; the cube lacks a predictor, or has it with other
        dimensions or not as numbers; ``where`` is not boolean, on other coordinates, or chooses no cell; a covariate,
        or a combination of all, is missing at all cells; or a covariate lies wholly outside the range of the training
        rows, as in other units. Later: if a covariate is infinite at a cell to predict.
    BlockError
        If there is something else under the name ``store``, another process is writing there, or there is no answer
        from the scheduler.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"lai": np.linspace(0, 4, 50)})
    >>> forest = RandomForest(["lai"], n_trees=20, mtry=1).fit(table, 100 * table["lai"])
    >>> grid = {"latitude": [34.5, 33.5], "longitude": [90.5, 91.5]}
    >>> cube = xr.Dataset({"lai": (("latitude", "longitude"), [[1.0, 2.0], [3.0, np.nan]])}, grid)
    >>> predict(forest, cube, cube["lai"] > 1.5)["prediction"].round(-2).values.tolist()
    [[nan, 200.0], [300.0, nan]]
    """
    _check_call(forest, engine, block_cells, threads)
    layers, mask = _layers(forest, cube), chosen_cells(where, cube)
    if not mask.any():
        raise ForestError("'where' chooses no cell: use the cube's own mask")
    block_shape = _block_shape(layers, block_cells)
    template = _template(cube, layers, block_shape)
    if store is None:
        target = BlockArrays(template)
    else:
        target = BlockStore(store, template, _fingerprint(forest, layers, mask, template, engine))
    if target.finished:
        return target.finish()  # a call that was killed at its very end may have left something beside it
    source = _Source(tuple(_in_memory(layer) for layer in layers), mask)
    blocks = [block for block in split(mask.shape, block_shape) if mask[block.latitude, block.longitude].any()]
    _refuse_missing(forest, source, blocks)
    _refuse_other_ranges(forest, source, blocks)
    pruned = engine == "pruned"
    trees = forest.compiled if pruned else forest.estimator_
    model = _Model(forest.encoder_, trees)
    with cluster(client) as connected, closing(target):
        left = target.left(blocks)
        with closing(_results(model, source, left, threads, connected)) as results:
            for block, values in with_progress(results, "predict", len(left)):
                target.write(block, values)
        return target.finish()


# -- one block ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """What is needed to predict a block: its covariates, read or still to be read, and its cells to predict."""

    layers: tuple[np.ndarray | da.Array, ...]
    mask: np.ndarray

    def columns(self) -> list[np.ndarray]:
        """Return each covariate at the cells to predict, of all years, shape (n_years, n_cells)."""
        # In this thread: blocks are worked on side by side, and threads of Dask's own would come on top of them.
        layers = dask.compute(*self.layers, scheduler="synchronous")
        shape = (max(layer.shape[0] if layer.ndim == 3 else 1 for layer in layers), int(self.mask.sum()))
        return [np.broadcast_to(layer[..., self.mask], shape) for layer in layers]


@dataclass(frozen=True)
class _Source:
    """The covariates on the whole grid, as arrays, and the cells to predict."""

    layers: tuple[np.ndarray | da.Array, ...]
    mask: np.ndarray

    def part(self, block: Block) -> _Part:
        """Return a block, not read yet."""
        cells = (..., block.latitude, block.longitude)
        return _Part(tuple(layer[cells] for layer in self.layers), self.mask[cells])

    def small_part(self, block: Block) -> _Part:
        """Return a block, not read yet, without the graph of the others: small to send."""
        part = self.part(block)
        return _Part(dask.optimize(*part.layers), part.mask)


@dataclass(frozen=True)
class _Model:
    """What of a forest is needed to predict: small to send."""

    encoder: Encoder
    trees: CompiledForest | RandomForestRegressor

    def evaluate(self, part: _Part) -> np.ndarray:
        """Return the prediction of a block: float32, shape ([time,] latitude, longitude)."""
        columns = part.columns()
        valid = np.logical_and.reduce([~np.isnan(column) for column in columns])
        at_cells = np.full(valid.shape, np.nan, dtype="float32")
        rows = self.encoder.encode([column[valid] for column in columns])
        if len(rows):
            _refuse_infinite(rows, self.encoder.sources)
            at_cells[valid] = self.trees.predict(rows)
        block = np.full((len(valid), *part.mask.shape), np.nan, dtype="float32")
        block[:, part.mask] = at_cells
        return block if any(layer.ndim == 3 for layer in part.layers) else block[0]


def _refuse_infinite(rows: np.ndarray, sources: tuple[str, ...]) -> None:
    infinite = ~np.isfinite(rows).all(axis=0)
    if infinite.any():
        names = [name for name, bad in zip(sources, infinite, strict=True) if bad]
        raise ForestError(f"the cube's {', '.join(names)} is infinite at cells to predict: make them missing instead")


# -- all blocks --------------------------------------------------------------------------------------


def _results(
    model: _Model, source: _Source, blocks: list[Block], threads: int, client: Client | None
) -> Iterator[tuple[Block, np.ndarray]]:
    if client is not None:
        return on_cluster(client, _Model.evaluate, model, source.small_part, blocks)
    return on_threads(lambda block: model.evaluate(source.part(block)), blocks, threads)


def _in_memory(layer: xr.DataArray) -> np.ndarray | da.Array:
    """Return a layer's array; read, if it is one piece anyway."""
    array = layer.data
    return array.compute(scheduler="synchronous") if isinstance(array, da.Array) and array.npartitions == 1 else array


def _block_shape(layers: list[xr.DataArray], block_cells: int) -> tuple[int, int]:
    """Return rows and columns of cells of a block."""
    n_rows, n_columns = (layers[0].sizes[axis] for axis in SPACE)
    chunked = [layer for layer in layers if layer.chunks and any(len(sizes) > 1 for sizes in layer.chunks[-2:])]
    if chunked:
        rows, columns = max(chunked, key=lambda layer: layer.size).chunks[-2:]
        return max(rows), max(columns)
    years = max(layer.sizes.get("time", 1) for layer in layers)
    return min(n_rows, max(1, block_cells // (n_columns * years))), n_columns


def _template(cube: xr.Dataset, layers: list[xr.DataArray], block_shape: tuple[int, int]) -> xr.DataArray:
    """Return the result without values: its coordinates, and one Dask chunk per block."""
    # A map without time if no covariate has it: the predictions of its years would all be the same.
    dims = max((layer.dims for layer in layers), key=len)
    # Coordinates of two dimensions, as longitudes on a rotated grid, would be as large as the result itself; others, as
    # the reference system that rioxarray keeps in a scalar, go along.
    coordinates = {
        name: values for name, values in cube.coords.items() if set(values.dims) <= set(dims) and values.ndim < 2
    }
    # The values are lazy and never computed: a store takes its layout from them, and so does the fingerprint. All years
    # of a block are one chunk, for they are written together, and no chunk is ever touched by two writers.
    shape = [cube.sizes[name] for name in dims]
    empty = da.full(shape, np.nan, dtype="float32", chunks=(*shape[:-2], *block_shape))
    return xr.DataArray(empty, coordinates, dims, "prediction")


def _fingerprint(
    forest: RandomForest, layers: list[xr.DataArray], mask: np.ndarray, template: xr.DataArray, engine: str
) -> dict[str, str]:
    """Return a digest for each thing that a stored result depends on; the same in every process."""
    trees = [tree.tree_ for tree in forest.estimator_.estimators_]
    arrays = ("feature", "threshold", "children_right", "value")
    grown = [np.concatenate([getattr(tree, name).ravel() for tree in trees]) for name in arrays]
    encoder = [getattr(forest.encoder_, field.name) for field in fields(forest.encoder_)]
    places = [(name, values.values) for name, values in template.coords.items()]
    return {
        "forest": tokenize(grown, encoder, engine),
        "cube": tokenize([(layer.dims, layer.data) for layer in layers], places),
        "where": tokenize(mask),
        "layout of blocks": tokenize(template.chunks),
    }


# -- what is refused -----------------------------------------------------------------------------------


def _check_call(forest: RandomForest, engine: str, block_cells: int, threads: int) -> None:
    refuse_ungrown(forest)
    if engine not in ENGINES:
        raise ForestError(f"engine is {engine!r}; expected one of {', '.join(ENGINES)}")
    for name, value in {"block_cells": block_cells, "threads": threads}.items():
        if value < 1:
            raise ForestError(f"{name} is {value}; expected 1 or more")


def _layers(forest: RandomForest, cube: xr.Dataset) -> list[xr.DataArray]:
    """Return the covariates in the forest's order, each ([time,] latitude, longitude)."""
    missing = [name for name in forest.predictors if name not in cube]
    if missing:
        raise ForestError(f"the cube lacks the predictors {missing}; it has {list(cube.data_vars)}")
    for name in forest.predictors:
        layer = cube[name]
        if not set(SPACE) <= set(layer.dims) <= {"time", *SPACE}:
            raise ForestError(
                f"predictor {name!r} of the cube has the dimensions {layer.dims}; "
                "expected latitude, longitude and, if it changes from year to year, time"
            )
        if layer.dtype.kind not in "iuf":
            raise ForestError(
                f"predictor {name!r} of the cube is of type {layer.dtype}; expected numbers: use .astype('float32')"
            )
    return [cube[name].transpose("time", *SPACE, missing_dims="ignore") for name in forest.predictors]


def _refuse_missing(forest: RandomForest, source: _Source, blocks: list[Block]) -> None:
    """Raise if no cell has all covariates; the first block that has one ends the search."""
    seen = np.zeros(len(forest.predictors), dtype=bool)
    for block in blocks:
        present = [~np.isnan(column) for column in source.part(block).columns()]
        if np.logical_and.reduce(present).any():
            return
        seen |= [each.any() for each in present]
    nowhere = [name for name, found in zip(forest.predictors, seen, strict=True) if not found]
    if nowhere:
        raise ForestError(f"{', '.join(nowhere)} is missing at every cell of 'where': look at how the cube was made")
    raise ForestError("no cell of 'where' has all covariates, each is missing somewhere: look at how the cube was made")


def _refuse_other_ranges(forest: RandomForest, source: _Source, blocks: list[Block]) -> None:
    """Raise if all sampled cells of a covariate lie outside the range of the training rows."""
    numbers = np.unique(np.linspace(0, len(blocks) - 1, SAMPLED_BLOCKS).astype(int))
    parts = [_sampled(source.part(blocks[number]), SAMPLED_CELLS // len(numbers)) for number in numbers]
    for name, *samples in zip(forest.predictors, *parts, strict=True):
        sample = np.concatenate(samples)
        if name not in forest.training_range_ or not np.isfinite(sample).any():
            continue
        low, high = np.nanmin(sample), np.nanmax(sample)
        lowest, highest = forest.training_range_[name]
        if low > np.float32(highest) or high < np.float32(lowest):
            raise ForestError(
                f"{name} in the cube is {low:g} to {high:g}, the forest was trained on {lowest:g} to {highest:g}: "
                "other units?"
            )


def _sampled(part: _Part, n_cells: int) -> list[np.ndarray]:
    """Return each covariate at cells in equal steps, each in another year."""
    columns = part.columns()
    years, cells = columns[0].shape
    chosen = np.arange(0, cells, -(-cells // n_cells))
    return [column[np.arange(len(chosen)) % years, chosen] for column in columns]
