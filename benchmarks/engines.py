"""Engines that evaluate the paper's forests, side by side on the same rows.

Two forests of 1500 trees (Eq. 1: 7 covariates; Eq. 2: 8) are grown on sites of a synthetic grid of 0.01 degree: climate
in cells of 0.1 degree and leaf area in cells of 0.08 degree, both resampled to the nearest cell as in the paper;
elevation, soil carbon, land cover and MODIS NPP on the grid itself. Rows are its cells in raster order, year by year.

Engines take turns in each round, so that whatever else the machine does meets all of them; the ratio is the median over
rounds of an engine's speed by that of scikit-learn on the stacked array in the same round. Peak memory is that of a
process of its own, or of its child if that needs more. R grows its own forests on the same sites and predicts a tenth
of the rows, being slower.

Run ``python benchmarks/engines.py`` (about 10 minutes on 2 cores), or with ``--quick`` (under 3 minutes). It writes
``engines.csv`` next to this file, or where ``--output`` says.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import RandomForestRegressor

from helpers.traversal import CompiledForest

COLUMNS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis", "soc")
FORESTS = {"npp": {"n_sites": 394, "n_features": 7, "mtry": 6}, "rs": {"n_sites": 300, "n_features": 8, "mtry": 7}}
REFERENCE = "scikit-learn, stacked array"
BLOCK_ROWS = 100_000  # at which scikit-learn by blocks is fastest
SIDE = 1000  # cells along each side of the grid

R_SCRIPT = """
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]; mtry <- as.integer(arguments[3]); n_trees <- as.integer(arguments[4])
if (!requireNamespace(package, quietly = TRUE)) { cat('{"skipped": true}'); quit() }
sites <- read.csv(file.path(arguments[2], "sites.csv")); rows <- read.csv(file.path(arguments[2], "rows.csv"))
if (package == "ranger") {
  forest <- ranger::ranger(target ~ ., sites, num.trees = n_trees, mtry = mtry, min.node.size = 5,
                           num.threads = as.integer(arguments[5]))
} else {
  suppressMessages(library(randomForest))
  forest <- randomForest(target ~ ., sites, ntree = n_trees, mtry = mtry, nodesize = 5)
}
start <- Sys.time()
predicted <- predict(forest, rows)
cat(sprintf('{"seconds": %f}', as.numeric(Sys.time() - start, units = "secs")))
"""


def field(rng: np.random.Generator, side: int, length: float) -> np.ndarray:
    """Return a random field of mean 0 and standard deviation 1, smooth over ``length`` cells."""
    smooth = gaussian_filter(rng.standard_normal((side, side)), length, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def coarse(values: np.ndarray, cells: int) -> np.ndarray:
    """Return values of which each is repeated over cells x cells cells of the grid."""
    return np.kron(values, np.ones((cells, cells)))


def synthetic_grid(seed: int, years: int) -> np.ndarray:
    """Return covariates of a grid, float32 of shape (year, latitude, longitude, covariate), in the order of COLUMNS."""
    rng = np.random.default_rng(seed)
    side = SIDE // 10
    elevation = 4500 + 500 * field(rng, SIDE, 60) + 150 * field(rng, SIDE, 8) + 40 * field(rng, SIDE, 1.5)
    carbon = np.maximum(8 + 3 * field(rng, SIDE, 40) + 1.5 * field(rng, SIDE, 3), 0.1)
    green = field(rng, SIDE, 80) + 0.4 * field(rng, SIDE, 8)
    edges = [-1.2, -0.5, 0.9, 1.4]
    land_cover = np.array([16, 7, 10, 8, 5])[np.digitize(green + 0.4 * field(rng, SIDE, 3), edges)]
    lowland = elevation.reshape(side, 10, side, 10).mean(axis=(1, 3))
    rain, sun = field(rng, side, 10), field(rng, side, 12)
    grid = np.empty((years, SIDE, SIDE, len(COLUMNS)), dtype="float32")
    for year in grid:
        precipitation = coarse(400 + 180 * rain + 40 * field(rng, side, 8) + 10 * field(rng, side, 1), 10)
        temperature = 25 - 0.006 * lowland + 0.6 * field(rng, side, 15) + 0.2 * field(rng, side, 1)
        leaves = np.maximum(1 + 0.8 * green + 0.1 * field(rng, SIDE, 5), 0)[::8, ::8]
        modis = 200 + 120 * green + 0.3 * (precipitation - 400) + 15 * field(rng, SIDE, 2)
        year[..., 0] = precipitation
        year[..., 1] = coarse(temperature, 10)
        year[..., 2] = coarse(200 + 15 * sun + 5 * field(rng, side, 8), 10)
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
    """Predict all rows in one call."""
    return forest.set_params(n_jobs=threads).predict(rows)


def by_blocks(forest: RandomForestRegressor, rows: np.ndarray, threads: int) -> np.ndarray:
    """Predict blocks of rows, each on one thread."""
    forest.set_params(n_jobs=1)
    blocks = np.array_split(rows, max(threads, len(rows) // BLOCK_ROWS))
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(forest.predict, blocks)))


def pruned(forest: RandomForestRegressor, rows: np.ndarray, threads: int) -> np.ndarray:
    """Compile the forest and predict all rows by groups."""
    return CompiledForest.from_estimator(forest).predict(rows, threads)


ENGINES: dict[str, Callable] = {REFERENCE: stacked, "scikit-learn, blocks": by_blocks, "pruned groups": pruned}
R_ENGINES = {"R randomForest": "randomForest", "R ranger": "ranger"}


def r_seconds(package: str, folder: Path, mtry: int, n_trees: int, threads: int) -> float | None:
    """Return the seconds that R's predict takes for the rows in the folder; None where the package is missing."""
    command = ["Rscript", "-e", R_SCRIPT, package, str(folder), str(mtry), str(n_trees), str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout[run.stdout.rindex("{") :]).get("seconds")


def peak_of(task: Callable, *arguments: object) -> float:
    """Return the peak memory, in MB, of a new process that does the task, or of its child if that needs more."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (task, arguments))


def _peak(task: Callable, arguments: tuple) -> float:
    task(*arguments)
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def _from_files(engine: str, folder: Path, threads: int) -> None:
    forest = pickle.loads((folder / "forest.pickle").read_bytes())
    ENGINES[engine](forest, np.load(folder / "rows.npy"), threads)


def measure(name: str, grid: np.ndarray, n_rows: int, rounds: int, n_trees: int, threads: int) -> list[dict]:
    """Return a record for each engine that ran: rows a second, ratio, peak memory, difference from the reference."""
    shape = FORESTS[name]
    sites, target = sites_of(grid, shape["n_sites"], shape["n_features"], seed=1)
    forest = grown(sites, target, n_trees, shape["mtry"], threads)
    per_year = n_rows // len(grid) // SIDE
    middle = (SIDE - per_year) // 2
    rows = grid[:, middle : middle + per_year, :, : shape["n_features"]].reshape(-1, shape["n_features"])
    few = rows[: len(rows) // 10]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "forest.pickle").write_bytes(pickle.dumps(forest))
        np.save(folder / "rows.npy", rows)
        names = list(COLUMNS[: shape["n_features"]])
        pd.DataFrame(sites, columns=names).assign(target=target).to_csv(folder / "sites.csv", index=False)
        pd.DataFrame(few, columns=names).to_csv(folder / "rows.csv", index=False)
        speeds, differences = _rounds(forest, rows, len(few), folder, shape["mtry"], rounds, threads)
        peaks = {engine: peak_of(_from_files, engine, folder, threads) for engine in ENGINES}
        for engine in set(speeds) & set(R_ENGINES):
            peaks[engine] = peak_of(r_seconds, R_ENGINES[engine], folder, shape["mtry"], n_trees, threads)
    return [
        {
            "forest": name,
            "engine": engine,
            "trees": n_trees,
            "threads": 1 if engine == "R randomForest" else threads,
            "rows": len(few) if engine in R_ENGINES else len(rows),
            "rounds": rounds,
            "rows_per_second": round(float(np.median(speeds[engine]))),
            "ratio": round(float(np.median(np.divide(speeds[engine], speeds[REFERENCE]))), 2),
            "peak_mb": round(peaks[engine]),
            "largest_difference": differences.get(engine, np.nan),
        }
        for engine in speeds
    ]


def _rounds(
    forest: RandomForestRegressor, rows: np.ndarray, n_few: int, folder: Path, mtry: int, rounds: int, threads: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    speeds: dict[str, list[float]] = {}
    differences: dict[str, float] = {}
    pruned(forest, rows[:1000], threads)  # numba compiles, once for a machine
    for _ in range(rounds):
        for engine, predict in ENGINES.items():
            start = time.perf_counter()
            predicted = predict(forest, rows, threads)
            speeds.setdefault(engine, []).append(len(rows) / (time.perf_counter() - start))
            if engine == REFERENCE:
                reference = predicted
            differences[engine] = float(np.abs(predicted - reference).max())
        for engine, package in R_ENGINES.items() if shutil.which("Rscript") else ():
            seconds = r_seconds(package, folder, mtry, len(forest.estimators_), threads)
            if seconds is not None:
                speeds.setdefault(engine, []).append(n_few / seconds)
    for engine in R_ENGINES:
        if engine not in speeds:
            print(f"{engine} is not installed here: skipped", file=sys.stderr)
    return speeds, differences


def machine() -> dict[str, str | int]:
    """Return what the speeds depend on: processor, cores, memory, versions."""
    listing = Path("/proc/cpuinfo")
    models = [line for line in listing.read_text().splitlines() if "model name" in line] if listing.exists() else []
    return {
        "processor": models[0].split(":")[1].strip() if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        **{library: version(library) for library in ("numpy", "numba", "scikit-learn")},
    }


def main() -> None:
    """Measure all engines and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=600_000, help="about as many rows are predicted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trees", type=int, default=1500)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="90,000 rows and 3 rounds: under 3 minutes")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    n_rows, rounds = (90_000, 3) if options.quick else (options.rows, options.rounds)
    grid = synthetic_grid(0, options.years)
    records = [
        record for name in FORESTS for record in measure(name, grid, n_rows, rounds, options.trees, options.threads)
    ]
    table = pd.DataFrame(records).assign(**machine())
    table.to_csv(options.output, index=False)
    print(table.iloc[:, :10].to_string(index=False))


if __name__ == "__main__":
    main()
