"""Engines that evaluate the paper's forests, side by side on the same rows.

Two forests of 1500 trees (Eq. 1: 7 covariates; Eq. 2: 8) are grown on sites of a synthetic grid of 0.01 degree: climate
in cells of 0.1 degree and leaf area in cells of 0.08 degree, both resampled to the nearest cell as in the paper;
elevation, soil carbon, land cover and MODIS NPP on the grid itself. Rows are its cells in raster order, year by year.

The engines: scikit-learn on the stacked array and by blocks; sklearn-raster, which hands blocks of a Dask array to
scikit-learn; the pruned groups of :mod:`mapforest.traversal`; R's randomForest and ranger. One that is not installed is
skipped, and a line says so.

Engines take turns in each round, so that whatever else the machine does meets all of them; the ratio is the median over
rounds of an engine's speed by that of scikit-learn on the stacked array in the same round. The ratio of processor time
is given too: on a machine that others use, it is the steadier one. What is done once for a forest, before its first
row, is timed apart. Peak memory is that of a process of its own and its children, sampled
every 20 ms, with libraries, forest and rows. R grows its own forests on the same sites and predicts a tenth of the
rows, being slower.

Run ``python benchmarks/engines.py`` (about 10 minutes on 2 cores), or with ``--quick`` (about one). It writes
``data/benchmarks/engines.csv``, or where ``--output`` says; the columns are explained beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from measuring import MEASUREMENTS, in_child, write_table
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor

from mapforest.traversal import CompiledForest

COLUMNS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis", "soc")
FORESTS = {"npp": {"n_sites": 394, "n_features": 7, "mtry": 6}, "rs": {"n_sites": 300, "n_features": 8, "mtry": 7}}
REFERENCE = "scikit-learn, stacked array"
BLOCK_ROWS = 100_000  # at which scikit-learn by blocks is fastest
SIDE = 1000  # cells along each side of the grid; a multiple of 40

R_SCRIPT = """
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]; mtry <- as.integer(arguments[3]); n_trees <- as.integer(arguments[4])
sites <- read.csv(file.path(arguments[2], "sites.csv")); rows <- read.csv(file.path(arguments[2], "rows.csv"))
if (package == "ranger") {
  forest <- ranger::ranger(target ~ ., sites, num.trees = n_trees, mtry = mtry, min.node.size = 5,
                           num.threads = as.integer(arguments[5]))
} else {
  suppressMessages(library(randomForest))
  forest <- randomForest(target ~ ., sites, ntree = n_trees, mtry = mtry, nodesize = 5)
}
spent <- system.time(predicted <- predict(forest, rows))
cat(sprintf('{"wall": %f, "cpu": %f}', spent[["elapsed"]], spent[["user.self"]] + spent[["sys.self"]]))
"""


def field(rng: np.random.Generator, side: int, length: float) -> np.ndarray:
    """Return a random field of mean 0 and standard deviation 1, smooth over ``length`` cells."""
    smooth = gaussian_filter(rng.standard_normal((side, side)), length, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def coarse(values: np.ndarray, cells: int) -> np.ndarray:
    """Return values of which each is repeated over cells x cells cells of the grid."""
    return np.kron(values, np.ones((cells, cells)))


def synthetic_grid(seed: int, years: int, side: int = SIDE) -> np.ndarray:
    """Return covariates of a grid, float32 of shape (year, latitude, longitude, covariate), in the order of COLUMNS."""
    rng = np.random.default_rng(seed)
    elevation = 4500 + 500 * field(rng, side, 60) + 150 * field(rng, side, 8) + 40 * field(rng, side, 1.5)
    carbon = np.maximum(8 + 3 * field(rng, side, 40) + 1.5 * field(rng, side, 3), 0.1)
    green = field(rng, side, 80) + 0.4 * field(rng, side, 8)
    edges = [-1.2, -0.5, 0.9, 1.4]
    land_cover = np.array([16, 7, 10, 8, 5])[np.digitize(green + 0.4 * field(rng, side, 3), edges)]
    climate = side // 10
    lowland = elevation.reshape(climate, 10, climate, 10).mean(axis=(1, 3))
    rain, sun = field(rng, climate, 10), field(rng, climate, 12)
    grid = np.empty((years, side, side, len(COLUMNS)), dtype="float32")
    for year in grid:
        precipitation = coarse(400 + 180 * rain + 40 * field(rng, climate, 8) + 10 * field(rng, climate, 1), 10)
        temperature = 25 - 0.006 * lowland + 0.6 * field(rng, climate, 15) + 0.2 * field(rng, climate, 1)
        leaves = np.maximum(1 + 0.8 * green + 0.1 * field(rng, side, 5), 0)[::8, ::8]
        modis = 200 + 120 * green + 0.3 * (precipitation - 400) + 15 * field(rng, side, 2)
        year[..., 0] = precipitation
        year[..., 1] = coarse(temperature, 10)
        year[..., 2] = coarse(200 + 15 * sun + 5 * field(rng, climate, 8), 10)
        year[..., 3], year[..., 4] = land_cover, elevation
        year[..., 5], year[..., 6], year[..., 7] = coarse(leaves, 8), np.maximum(modis, 0), carbon
    return grid


def sites_of(grid: np.ndarray, n_sites: int, n_features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return covariates and a noisy target at random cells and years; out of bag, R2 is about 0.87."""
    rng = np.random.default_rng(seed)
    cells = grid.reshape(-1, len(COLUMNS))
    sites = cells[rng.integers(0, len(cells), n_sites), :n_features]
    slopes = np.array([0.25, 6, 0, 0, 0, 40, 0.5, 5])[:n_features]
    return sites, 100 + sites @ slopes + 10 * (sites[:, 3] == 10) + rng.normal(0, 45, n_sites)


def grown(sites: np.ndarray, target: np.ndarray, n_trees: int, mtry: int, threads: int) -> RandomForestRegressor:
    """Return a forest with the parameters that stand for R's nodesize 5."""
    return RandomForestRegressor(n_trees, max_features=mtry, min_samples_split=4, random_state=0, n_jobs=threads).fit(
        sites, target
    )


def stacked(forest: RandomForestRegressor, rows: np.ndarray, threads: int) -> np.ndarray:
    """Predict all rows in one call of scikit-learn."""
    return forest.set_params(n_jobs=threads).predict(rows)


def by_blocks(forest: RandomForestRegressor, rows: np.ndarray, threads: int) -> np.ndarray:
    """Predict blocks of rows, each on one thread of scikit-learn."""
    forest.set_params(n_jobs=1)
    blocks = np.array_split(rows, max(threads, len(rows) // BLOCK_ROWS))
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(forest.predict, blocks)))


def as_it_is(forest: RandomForestRegressor) -> RandomForestRegressor:
    """Return the forest: scikit-learn prepares nothing."""
    return forest


def wrapped(forest: RandomForestRegressor) -> Any:
    """Return the forest in sklearn-raster's wrapper, which takes one that is not grown: ours replaces a single tree."""
    from sklearn_raster import FeatureArrayEstimator

    few = pd.DataFrame(0.0, index=range(2), columns=list(COLUMNS[: forest.n_features_in_]))
    raster = FeatureArrayEstimator(clone(forest).set_params(n_estimators=1, max_features=1.0)).fit(few, np.arange(2.0))
    raster.wrapped_estimator = forest.set_params(n_jobs=1)
    return raster


def as_raster(raster: Any, rows: np.ndarray, threads: int) -> np.ndarray:
    """Predict rows as a Dask array of blocks, as sklearn-raster does for an image."""
    names = {"covariate": list(COLUMNS[: rows.shape[1]])}
    image = xr.DataArray(rows.T[:, np.newaxis], names, ("covariate", "latitude", "longitude"))
    image = image.chunk(longitude=min(BLOCK_ROWS, -(-len(rows) // threads)))
    return raster.predict(image).compute(scheduler="threads", num_workers=threads).to_numpy().ravel()


# engine: what is done once for a forest, and what is done for rows
ENGINES: dict[str, tuple[Callable, Callable]] = {
    REFERENCE: (as_it_is, stacked),
    "scikit-learn, blocks": (as_it_is, by_blocks),
    "sklearn-raster": (wrapped, as_raster),
    "pruned groups": (CompiledForest.from_estimator, CompiledForest.predict),
}
R_ENGINES = {"R randomForest": "randomForest", "R ranger": "ranger"}


def installed() -> list[str]:
    """Return the engines that are installed here, and say which are not."""
    missing = [] if find_spec("sklearn_raster") else ["sklearn-raster"]
    missing += [engine for engine, package in R_ENGINES.items() if not in_r(package)]
    for engine in missing:
        print(f"{engine}: skipped, not installed", file=sys.stderr)
    return [engine for engine in [*ENGINES, *R_ENGINES] if engine not in missing]


def in_r(package: str) -> bool:
    """Tell whether R and one of its packages are installed."""
    if shutil.which("Rscript") is None:
        return False
    question = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", question], capture_output=True, check=False).returncode == 0


def r_spent(engine: str, folder: Path, mtry: int, n_trees: int, threads: int) -> tuple[float, float]:
    """Return the seconds on the clock and of processors that R's predict takes."""
    command = ["Rscript", "-e", R_SCRIPT, R_ENGINES[engine], str(folder), str(mtry), str(n_trees), str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{engine} failed: {run.stderr.strip()}")
    spent = json.loads(run.stdout[run.stdout.rindex("{") :])
    return spent["wall"], spent["cpu"]


def from_files(engine: str, folder: Path, threads: int) -> None:
    """Predict the rows of a folder with its forest."""
    prepare, predict = ENGINES[engine]
    forest = pickle.loads((folder / "forest.pickle").read_bytes())
    predict(prepare(forest), np.load(folder / "rows.npy"), threads)


def measure(
    name: str, grid: np.ndarray, engines: Sequence[str], n_rows: int, rounds: int, n_trees: int, threads: int
) -> list[dict]:
    """Return a record for each engine: rows a second, ratio, peak memory, difference from the reference."""
    shape = FORESTS[name]
    years, side, width = grid.shape[0], grid.shape[1], shape["n_features"]
    sites, target = sites_of(grid, shape["n_sites"], width, seed=1)
    forest = grown(sites, target, n_trees, shape["mtry"], threads)
    per_year = max(1, min(side, n_rows // years // side))
    middle = (side - per_year) // 2
    rows = grid[:, middle : middle + per_year, :, :width].reshape(-1, width)
    few = rows[: max(1, len(rows) // 10)]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "forest.pickle").write_bytes(pickle.dumps(forest))
        np.save(folder / "rows.npy", rows)
        names = list(COLUMNS[:width])
        pd.DataFrame(sites, columns=names).assign(target=target).to_csv(folder / "sites.csv", index=False)
        pd.DataFrame(few, columns=names).to_csv(folder / "rows.csv", index=False)
        r_task = (folder, shape["mtry"], n_trees, threads)
        spent = _rounds(forest, rows, engines, r_task, rounds, threads)
        peaks = {
            engine: in_child(r_spent, engine, *r_task)[1]
            if engine in R_ENGINES
            else in_child(from_files, engine, folder, threads)[1]
            for engine in engines
        }
    fixed = {"forest": name, "trees": n_trees, "rounds": rounds}
    return [fixed | record for record in _summary(spent, len(rows), len(few), peaks, threads)]


def _rounds(
    forest: RandomForestRegressor, rows: np.ndarray, engines: Sequence[str], r_task: tuple, rounds: int, threads: int
) -> pd.DataFrame:
    """Return one row a round and engine: seconds before the first row, on the clock, of processors; difference."""
    spent = []
    CompiledForest.from_estimator(forest).predict(rows[:1000])  # numba compiles, once for a machine
    for _ in range(rounds):
        for engine in engines:
            if engine in R_ENGINES:
                spent.append((engine, np.nan, *r_spent(engine, *r_task), np.nan))
                continue
            prepare, predict = ENGINES[engine]
            start = time.perf_counter()
            model = prepare(forest)
            clocks = time.perf_counter(), time.process_time()
            predicted = predict(model, rows, threads)
            wall, cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
            if engine == REFERENCE:
                reference = predicted
            spent.append((engine, clocks[0] - start, wall, cpu, float(np.abs(predicted - reference).max())))
    return pd.DataFrame(spent, columns=["engine", "preparation", "wall", "cpu", "difference"])


def _summary(spent: pd.DataFrame, n_rows: int, n_few: int, peaks: dict[str, float], threads: int) -> list[dict]:
    reference = spent[spent["engine"] == REFERENCE]
    records = []
    for engine, own in spent.groupby("engine", sort=False):
        rows = n_few if engine in R_ENGINES else n_rows
        speed = rows / own["wall"].to_numpy()
        effort = own["cpu"].to_numpy() / rows
        records.append(
            {
                "engine": engine,
                "threads": 1 if engine == "R randomForest" else threads,
                "rows": rows,
                "rows_per_second": round(float(np.median(speed))),
                "ratio": round(float(np.median(speed * reference["wall"] / n_rows)), 2),
                "cpu_us_per_row": round(float(np.median(1e6 * effort)), 2),
                "cpu_ratio": round(float(np.median(reference["cpu"] / n_rows / effort)), 2),
                "seconds_before_first_row": round(float(own["preparation"].median()), 2),
                "peak_mb": round(peaks[str(engine)]),
                "largest_difference": own["difference"].max(),
            }
        )
    return records


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all engines and write the table."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000, help="about as many rows are predicted")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--trees", type=int, default=1500)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--side", type=int, default=SIDE, help="cells along each side of the grid, a multiple of 40")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--forests", nargs="+", choices=list(FORESTS), default=list(FORESTS))
    parser.add_argument("--quick", action="store_true", help="the NPP forest alone, 30,000 rows, 2 rounds")
    parser.add_argument("--output", type=Path, default=MEASUREMENTS / "engines.csv")
    options = parser.parse_args(given)
    if options.side % 40:
        parser.error(f"--side is {options.side}; expected a multiple of 40")
    if options.quick:
        options.rows, options.rounds, options.forests = 30_000, 2, ["npp"]
    engines = installed()
    grid = synthetic_grid(0, options.years, options.side)
    records = [
        record
        for name in options.forests
        for record in measure(name, grid, engines, options.rows, options.rounds, options.trees, options.threads)
    ]
    write_table(records, options.output, __file__, given)
    print(pd.DataFrame(records).to_string(index=False))


if __name__ == "__main__":
    main()
