"""Our forests mean what R's randomForest means: golden numbers of ten seeds, made by ``tests/golden/regenerate.sh``.

The rule: the mean over our seeds lies within three standard deviations of R's seeds from R's mean. Where that
is less than what scikit-learn's counting of distinct rows changes (see ``mapforest.forest``), a floor stands beside the
check that uses it, with what was measured. Importances, slow to compute, are those of our first seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mapforest.forest import RandomForest
from mapforest.metrics import scores

GOLDEN = Path(__file__).parents[1] / "golden"
MTRY = {"npp": 6, "rs": 7}
SEEDS = (1, 2, 3)


class Fitted:
    """Forests of several seeds over one of the golden tables, and what they predict: a line per seed."""

    def __init__(self, name: str) -> None:
        training = pd.read_csv(GOLDEN / f"{name}_training.csv")
        self.name, self.cells = name, pd.read_csv(GOLDEN / f"{name}_prediction.csv")
        self.table, self.target = training.drop(columns="target"), training["target"].to_numpy()
        self.forests = [
            RandomForest(list(self.table), 1500, MTRY[name], seed=seed, threads=2).fit(self.table, self.target)
            for seed in SEEDS
        ]
        self.out_of_bag = np.array([forest.oob_prediction for forest in self.forests])
        self.in_sample, self.map = self.predict(self.table), self.predict(self.cells)
        self.trees = [tree for forest in self.forests for tree in forest.estimator_.estimators_]

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        return np.array([forest.predict(table) for forest in self.forests])

    def score(self, predicted: np.ndarray, metric: str) -> float:
        return float(np.mean([scores(self.target, line)[metric] for line in predicted]))


@pytest.fixture(scope="module", params=["npp", "rs"])
def fitted(request) -> Fitted:
    return Fitted(request.param)


def _golden(file: str, table: str) -> pd.DataFrame:
    golden = pd.read_csv(GOLDEN / file)
    golden = golden[golden["table"] == table]
    return golden[golden["coding"] == "integer"] if "coding" in golden else golden


MEASURES = {
    "oob_r2": (lambda fit: fit.score(fit.out_of_bag, "r2_explained"), 0.0),
    "oob_rmse": (lambda fit: fit.score(fit.out_of_bag, "rmse"), 0.0),
    "mean_prediction": (lambda fit: fit.map.mean(), 0.0),
    # floor: distinct rows fill a node sooner than repeated ones; +0.002 (NPP) and +0.006 (Rs) were measured
    "in_sample_r2": (lambda fit: fit.score(fit.in_sample, "r2_explained"), 0.01),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_forest_agrees_within_the_spread_of_seeds(fitted, measure):
    ours, floor = MEASURES[measure]
    golden = _golden("r_scores.csv", fitted.name)[measure]
    tolerance = max(3 * golden.std(ddof=1), floor)
    assert ours(fitted) == pytest.approx(golden.mean(), abs=tolerance)


def test_trees_are_about_as_deep(fitted):
    """Floor of 7 %: 5 % fewer leaves were measured; nodesize taken literally (split 6) gives a third fewer."""
    leaves = np.mean([tree.get_n_leaves() for tree in fitted.trees])
    assert leaves == pytest.approx(_golden("r_scores.csv", fitted.name)["leaves_per_tree"].mean(), rel=0.07)


def test_map_agrees_cell_by_cell(fitted):
    """Root mean square difference over 300 cells: 1.4 % (NPP) and 3.2 % (Rs) of the map's contrast were measured."""
    golden = _golden("r_predictions.csv", fitted.name)["mean_prediction"]
    assert scores(golden, fitted.map.mean(axis=0))["rmse"] < 0.05 * golden.std()


def test_importance_agrees_predictor_by_predictor(fitted):
    """%IncMSE, not divided by its standard error: what a tree errs more at the rows that it did not draw, shuffled."""
    golden = _golden("r_importance.csv", fitted.name).set_index("predictor").loc[list(fitted.table)]
    (rows, target), estimator = fitted.forests[0].training_rows_, fitted.forests[0].estimator_
    rng = np.random.default_rng(0)
    increase = []
    for tree, drawn in zip(estimator.estimators_, estimator.estimators_samples_, strict=True):
        out = np.setdiff1d(np.arange(len(rows)), drawn)
        shuffled = np.tile(rows[out], (1 + rows.shape[1], 1, 1))  # as they are, then each column in another order
        for column in range(rows.shape[1]):
            shuffled[1 + column, :, column] = rng.permutation(rows[out, column])
        predicted = tree.tree_.predict(shuffled.reshape(-1, rows.shape[1])).reshape(-1, len(out))
        error = ((predicted - target[out]) ** 2).mean(axis=1)
        increase.append(error[1:] - error[0])
    assert (np.abs(np.mean(increase, axis=0) - golden["mse_increase_mean"]) < 3 * golden["mse_increase_sd"]).all()


def test_node_purity_agrees_predictor_by_predictor(fitted):
    """IncNodePurity, the decrease of the sum of squares; floor of 2 % of the greatest (0.9 % was needed)."""
    golden = _golden("r_importance.csv", fitted.name).set_index("predictor").loc[list(fitted.table)]
    decrease = [tree.tree_.compute_feature_importances(normalize=False) * len(fitted.target) for tree in fitted.trees]
    tolerance = np.maximum(3 * golden["node_purity_sd"], 0.02 * golden["node_purity_mean"].max())
    assert ((np.mean(decrease, axis=0) - golden["node_purity_mean"]).abs() < tolerance).all()


def test_partial_dependence_agrees_along_the_curve(fitted):
    """Floor of 5 % of the range of the curve (3 % was measured where few sites hold its end)."""
    for predictor, curve in _golden("r_dependence.csv", fitted.name).groupby("predictor"):
        curve = curve.iloc[::7]
        at = pd.concat([fitted.table.assign(**{predictor: x}) for x in curve["x"]], ignore_index=True)
        ours = fitted.predict(at).reshape(len(SEEDS), len(curve), -1).mean(axis=(0, 2))
        tolerance = np.maximum(3 * curve["mean_prediction_sd"], 0.05 * np.ptp(curve["mean_prediction_mean"]))
        assert (np.abs(ours - curve["mean_prediction_mean"]) < tolerance).all()


def test_no_other_split_size_comes_closer_to_the_depth_of_r(fitted):
    golden = _golden("r_scores.csv", fitted.name)["leaves_per_tree"].mean()

    def _off(nodesize: int) -> float:
        forest = RandomForest(list(fitted.table), 100, MTRY[fitted.name], nodesize)
        trees = forest.fit(fitted.table, fitted.target).estimator_.estimators_
        return abs(np.mean([tree.get_n_leaves() for tree in trees]) - golden)

    # nodesize 3, 5 and 7 are min_samples_split 3, 4 and 5
    assert _off(5) < min(_off(3), _off(7))


def test_on_these_tables_target_means_come_closer_to_a_factor_of_r_than_class_numbers(fitted):
    """7.7 (NPP) and 13.8 (Rs) against 10.9 and 18.0; on one real map it was the other way round."""
    golden = pd.read_csv(GOLDEN / "r_predictions.csv").query("table == @fitted.name and coding == 'factor'")
    options = {"categorical": ["land_cover"], "encoding": "target_mean", "seed": 1}
    means = RandomForest(list(fitted.table), 300, MTRY[fitted.name], **options).fit(fitted.table, fitted.target)
    far, farther = (
        scores(golden["mean_prediction"], one)["rmse"] for one in (means.predict(fitted.cells), fitted.map[0])
    )
    assert far < 0.9 * farther


def test_the_notes_on_classes_give_the_distances_that_were_measured():
    measured = pd.read_csv(GOLDEN / "settings.csv").set_index(["setting", "table"])["rms_from_r_factor"]
    means, numbers = (
        [f"{measured[setting, name]:.1f}" for name in ("npp", "rs")]
        for setting in ("min_samples_split 4, target_mean", "min_samples_split 4 (ours for nodesize 5), integer")
    )
    notes = " ".join(RandomForest.__doc__.split())
    assert f"distance of {' and '.join(means)} from R's predictions with a factor" in notes
    assert f"against {' and '.join(numbers)} for class numbers" in notes
