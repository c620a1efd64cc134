"""Measure what each choice of settings changes against R's randomForest, and write ``settings.csv``.

Run as ``python make_settings.py <folder>``, after ``golden.R``; takes some minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from mapforest.forest import RandomForest
from mapforest.metrics import scores

MTRY = {"npp": 6, "rs": 7}
N_TREES = 1500
SEEDS = (1, 2, 3)
BASE = {"min_samples_split": 4, "min_samples_leaf": 1}
CHOICES = {
    "min_samples_split 4 (ours for nodesize 5), integer": ("integer", {}),
    "min_samples_split 4, target_mean": ("target_mean", {}),
    "min_samples_split 4, one_hot": ("one_hot", {}),
    "min_samples_split 2 (library default), integer": ("integer", {"min_samples_split": 2}),
    "min_samples_split 6 (nodesize + 1, literal), integer": ("integer", {"min_samples_split": 6}),
    "min_samples_leaf 5, integer": ("integer", {"min_samples_split": 2, "min_samples_leaf": 5}),
    "mtry a third of the predictors (R's default), integer": ("integer", {"max_features": 1 / 3}),
}


class ResampledForest:
    """R's rule to the letter: a tree is grown on the drawn rows with their repeats, and splits more than nodesize."""

    def __init__(self, mtry: int, seed: int) -> None:
        self.mtry, self.seed = mtry, seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> ResampledForest:
        rng = np.random.default_rng(self.seed)
        self.estimators_samples_ = [rng.integers(len(y), size=len(y)) for _ in range(N_TREES)]
        self.estimators_ = [
            DecisionTreeRegressor(
                max_features=self.mtry, min_samples_split=6, random_state=int(rng.integers(2**31))
            ).fit(x[drawn], y[drawn])
            for drawn in self.estimators_samples_
        ]
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.mean([tree.predict(x) for tree in self.estimators_], axis=0)


def out_of_bag(forest: ResampledForest | RandomForestRegressor, x: np.ndarray) -> np.ndarray:
    """Return the mean of the trees that did not draw each row."""
    total, count = np.zeros(len(x)), np.zeros(len(x))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out = np.setdiff1d(np.arange(len(x)), drawn)
        total[out] += tree.predict(x[out])
        count[out] += 1
    return total / count


def measured(forest: ResampledForest | RandomForestRegressor, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return what R reports of a forest."""
    held_back = out_of_bag(forest, x)
    return {
        "leaves_per_tree": float(np.mean([tree.get_n_leaves() for tree in forest.estimators_])),
        "oob_r2": scores(y, held_back)["r2_explained"],
        "oob_rmse": scores(y, held_back)["rmse"],
        "in_sample_r2": scores(y, forest.predict(x))["r2_explained"],
    }


def main(folder: Path) -> None:
    """Write settings.csv, a row a table and choice; the first rows of a table are R's own."""
    r_scores, r_maps = pd.read_csv(folder / "r_scores.csv"), pd.read_csv(folder / "r_predictions.csv")
    names = ["leaves_per_tree", "oob_r2", "oob_rmse", "in_sample_r2"]
    rows = []
    for name, mtry in MTRY.items():
        training, cells = (pd.read_csv(folder / f"{name}_{part}.csv") for part in ("training", "prediction"))
        y = training.pop("target").to_numpy()
        maps = {
            coding: part["mean_prediction"].to_numpy()
            for coding, part in r_maps[r_maps.table == name].groupby("coding")
        }

        def _row(setting: str, runs: pd.DataFrame, grid: np.ndarray, name: str = name, maps: dict = maps) -> dict:
            spread = {"oob_r2_sd": runs["oob_r2"].std(ddof=1), "mean_prediction": grid.mean()}
            distance = {f"rms_from_r_{coding}": scores(maps[coding], grid)["rmse"] for coding in maps}
            return {"table": name, "setting": setting, **runs[names].mean(), **spread, **distance}

        for coding in maps:
            runs = r_scores[(r_scores.table == name) & (r_scores.coding == coding)]
            rows.append(_row(f"R randomForest, nodesize 5, {coding}", runs, maps[coding]))
        for setting, (encoding, changed) in CHOICES.items():
            encoder = RandomForest(list(training), 1, mtry, categorical=["land_cover"], encoding=encoding).fit(
                training, y
            )
            x, grid = encoder.encode(training), encoder.encode(cells)
            options = {"max_features": mtry, **BASE, **changed}
            fitted = [
                RandomForestRegressor(N_TREES, random_state=seed, n_jobs=2, **options).fit(x, y) for seed in SEEDS
            ]
            runs = pd.DataFrame([measured(forest, x, y) for forest in fitted])
            rows.append(_row(setting, runs, np.mean([forest.predict(grid) for forest in fitted], axis=0)))
        x, grid = training.to_numpy("float32"), cells.to_numpy("float32")
        fitted = [ResampledForest(mtry, seed).fit(x, y) for seed in SEEDS]
        runs = pd.DataFrame([measured(forest, x, y) for forest in fitted])
        map_mean = np.mean([forest.predict(grid) for forest in fitted], axis=0)
        rows.append(_row("rows resampled, min_samples_split 6 (R's rule to the letter), integer", runs, map_mean))
    pd.DataFrame(rows).round(4).to_csv(folder / "settings.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
