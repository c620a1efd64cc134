"""Quantiles of the paper's two forests at the cells of a map: leaf weights by groups of rows against quantile-forest.

Forests and rows are those of ``engines.py``. The engines take turns in each round, quantile-forest on a tenth of the
rows, a block in the middle of them. Ratios are medians over rounds; on a machine that others use, that of processor
time is the steadier one. ``hours`` are what one processor needs, at that effort, for so many rows.

Run ``python benchmarks/quantiles.py`` (about a minute on a quiet machine); it prints its table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from engines import FORESTS, SIDE, sites_of, synthetic_grid
from quantile_forest import RandomForestQuantileRegressor

from mapforest.leaf_weights import CompiledQuantileForest

LEVELS = [0.05, 0.5, 0.95]


def spent(predict: Callable, rows: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return quantiles, and microseconds a row on the clock and of processors."""
    clocks = time.perf_counter(), time.process_time()
    predicted = predict(rows)
    wall, cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    return predicted, 1e6 * wall / len(rows), 1e6 * cpu / len(rows)


def measure(name: str, grid: np.ndarray, rounds: int, n_trees: int, threads: int) -> dict:
    """Return medians over rounds for one of the two forests."""
    shape = FORESTS[name]
    sites, target = sites_of(grid, shape["n_sites"], shape["n_features"], seed=1)
    estimator = RandomForestQuantileRegressor(
        n_trees, max_features=shape["mtry"], min_samples_split=4, max_samples_leaf=None, random_state=0, n_jobs=threads
    ).fit(sites, target)
    rows = np.ascontiguousarray(grid[..., : shape["n_features"]].reshape(-1, shape["n_features"]))
    block = slice(len(rows) * 45 // 100, len(rows) * 55 // 100)
    compiled = CompiledQuantileForest.from_forest(estimator)
    compiled.predict(rows[:1000], LEVELS)  # numba compiles, once for a machine
    records = []
    for _ in range(rounds):
        ours, wall, cpu = spent(lambda some: compiled.predict(some, LEVELS, threads), rows)
        theirs, their_wall, their_cpu = spent(
            lambda some: estimator.predict(some, quantiles=LEVELS, weighted_leaves=True), rows[block]
        )
        records.append(
            {
                "rows_per_second": 1e6 / wall,
                "ratio": their_wall / wall,
                "cpu_us_per_row": cpu,
                "quantile_forest_cpu_us_per_row": their_cpu,
                "cpu_ratio": their_cpu / cpu,
                "hours for 2.9 million": 2.9e6 * cpu / 3.6e9,
                "hours for 55 million": 55e6 * cpu / 3.6e9,
                "largest_difference": np.abs(ours[block] - theirs).max(),
            }
        )
    fixed = {"forest": name, "trees": n_trees, "rows": len(rows), "threads": threads}
    return fixed | pd.DataFrame(records).median().to_dict()


def main() -> None:
    """Measure both forests and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="about as many rows are predicted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trees", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    per_year = options.rows // SIDE
    middle = (SIDE - per_year) // 2
    grid = synthetic_grid(0, years=1)[:, middle : middle + per_year]
    table = pd.DataFrame([measure(name, grid, options.rounds, options.trees, options.threads) for name in FORESTS])
    print(table.T.to_string(header=False, float_format="{:.4g}".format))


if __name__ == "__main__":
    main()
