"""How far to trust the two forests: distances to sites, importance elsewhere, applicability, intervals of single cells.

Notebook 06 asks these questions of both forests; the interval of the budget is in :mod:`helpers.balance.uncertainty`.
The table ``cells`` has the map's m cells with ``longitude``, ``latitude`` and their predictors; ``in_region`` is a map
on the grid that they come from; ``dissimilarity`` is the index of each cell, shape (m,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.config import Settings
from helpers.data.variables import units_in_print
from helpers.errors import DataError
from helpers.forests.fitting import Target, fold_numbers, target, validation_forests
from helpers.names import scheme_name
from helpers.sites import training
from mapforest import applicability, effects, folds, intervals, validation
from mapforest.applicability import TrainingSpace
from mapforest.cells import cell_map
from mapforest.forest import RandomForest
from mapforest.intervals import QuantileForest

#: Schemes that distances and applicability are shown for, from the kindest to the strictest. The last draws the maps.
SCHEMES = ("random", "site", "block_250_km", "knndm")
MATCHED = "distance-matched folds"
#: Records that an expected error is taken from.
WINDOW = 20


@dataclass(frozen=True, eq=False)
class Grown:
    """One of the two forests as the run grew it, with the folds that scored it."""

    name: str  #: {"npp", "rs"}: The forest.
    predicts: Target  #: What it predicts.
    table: pd.DataFrame  #: n rows: Its training table.
    model: RandomForest  #: Fitted.
    #: n rows: Observed and predicted under the distance-matched folds, in the order of the table.
    matched: pd.DataFrame
    folds: Mapping[str, NDArray[np.int64]]  #: Fold of each row by scheme: those of :data:`SCHEMES` that the run tried.

    @property
    def label(self) -> str:
        """What the forest predicts, as figures and tables call it."""
        return self.predicts.label

    @property
    def target(self) -> pd.Series:
        """What the forest was fitted to."""
        return self.table[self.predicts.column]


def grown_again(settings: Settings, name: str, table: pd.DataFrame, predictions: pd.DataFrame) -> Grown:
    """Grow a forest as its notebook did, and take up the folds that the notebook scored it with.

    The training table comes from :func:`helpers.forests.fitting.grow`, the predictions come from
    :func:`helpers.forests.fitting.validate`. Where too few rows are outside of a fold to vouch for ``interval_level``,
    a DataError is raised, before anything is grown.
    """
    _refuse_high_level(settings, name, fold_numbers(predictions, "knndm", settings.seed))
    model = training.from_settings(settings, name, settings.n_trees, settings.seed)
    what = target(settings, name)
    model.fit(table, table[what.column])
    matched = predictions[(predictions["scheme"] == "knndm") & (predictions["seed"] == settings.seed)]
    scored = set(predictions["scheme"])  # with validation_schemes fast, of these the distance-matched folds alone
    by_scheme = {scheme: fold_numbers(predictions, scheme, settings.seed) for scheme in SCHEMES if scheme in scored}
    return Grown(name, what, table, model, matched.sort_values("row"), by_scheme)


def _refuse_high_level(settings: Settings, name: str, fold: NDArray[np.int64]) -> None:
    """Raise if the intervals of a fold could not be recalibrated by the rows of the others."""
    rows = len(fold) - int(np.bincount(fold).max())
    if np.ceil((rows + 1) * settings.interval_level) > rows:
        most = np.floor(1000 * rows / (rows + 1)) / 1000
        raise DataError(
            f"interval_level is {settings.interval_level}, and with one fold held back {rows} of {len(fold)} rows of "
            f"{target(settings, name).label} are left to vouch for it: choose at most {most:g}, or add sites"
        )


def distances(forest: Grown, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the distances that each scheme tries and that the map needs: :func:`mapforest.folds.distance_table`."""
    sites = forest.table
    labelled = {scheme_name(scheme): fold for scheme, fold in forest.folds.items()}
    return folds.distance_table(sites["longitude"], sites["latitude"], cells["longitude"], cells["latitude"], labelled)


def distance_summary(distances: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the median distance of each kind, and its Wasserstein distance from those that the map needs.

    The tables are those of :func:`distances`, by forest. The columns are ``model``, ``kind``, ``median_km`` and
    ``wasserstein_km``.
    """
    tables = pd.concat(distances, names=["model"])
    kinds = tables.groupby(["model", "kind"], sort=False)
    measures = {"median_km": ("distance_km", "median"), "wasserstein_km": ("wasserstein_km", "first")}
    return kinds.agg(**measures).reset_index()


def random_folds_in_words(forest: Grown, scores: pd.DataFrame, summary: pd.DataFrame) -> dict[str, str]:
    """Return what random folds say of a forest, for the text: R² (``r2``), their median distance (``km``), its W.

    Each is "not tried" where the run did not try them (``validation_schemes`` fast). The scores are those of
    :func:`helpers.forests.fitting.validate`, the summary is that of :func:`distance_summary`; W is ``w_km``.
    """
    if "random" not in forest.folds:
        return dict.fromkeys(("r2", "km", "w_km"), "not tried")
    r2 = scores.set_index(["model", "scheme", "part", "metric"])["value"][forest.label, "random", "all", "r2_explained"]
    reach = summary.set_index(["model", "kind"]).loc[(forest.label, scheme_name("random"))]
    return {"r2": f"{r2:.2f}", "km": f"{reach['median_km']:.0f} km", "w_km": f"{reach['wasserstein_km']:.0f}"}


def importance_elsewhere(settings: Settings, forest: Grown) -> pd.DataFrame:
    """Return what shuffling a predictor does to the error under distance-matched folds.

    The columns are ``model``, then those of :func:`mapforest.validation.fold_importance`.
    """
    table = validation.fold_importance(
        validation_forests(settings, forest.name),
        forest.table,
        forest.target,
        forest.folds["knndm"],
        forest.model.predictors,
        settings.seed,
        repeats=3,
    )
    table.insert(0, "model", forest.label)
    return table


def local_effects(forest: Grown, cube: xr.Dataset) -> pd.DataFrame:
    """Return the accumulated local effects of the continuous predictors of a forest, with their units from the cube.

    The columns are those of :func:`mapforest.effects.accumulated_local_effects`, then ``units``.
    """
    continuous = [name for name in forest.model.predictors if name not in forest.model.categorical]
    found = effects.accumulated_local_effects(forest.model, forest.table, continuous)
    return found.assign(units=[units_in_print(name, cube[name].attrs["units"]) for name in found["predictor"]])


def applicability_by_scheme(
    forests: Mapping[str, Grown], cells: pd.DataFrame, scores: pd.DataFrame, threads: int
) -> tuple[pd.DataFrame, dict[str, TrainingSpace]]:
    """Return how much of the map each scheme of folds vouches for, and with which error; and the spaces of the forests.

    The cells have the predictors and ``cell_area``; the scores of both forests are those of
    :func:`helpers.forests.fitting.validate`. The columns are ``model``, ``scheme``, ``threshold`` of the dissimilarity
    index, ``rmse`` and its ``unit``, ``median_density`` (training records within the threshold, over the cells inside),
    and shares of the cells' area: ``inside_share``, ``class_without_site_share`` and ``usable_share``. The last row is
    where both may be used. The spaces, by forest, have the threshold of the distance-matched folds.
    """
    error = scores[scores["metric"] == "rmse"].set_index(["model", "scheme"])["value"]
    share = partial(np.average, weights=cells["cell_area"])
    spaces, rows = {}, []
    for name, forest in forests.items():
        weights = forest.model.importance.set_index("predictor")["importance"]
        for scheme, fold in forest.folds.items():
            space = applicability.training_space(forest.table, weights, fold, forest.model.categorical)
            inside = applicability.inside(space, applicability.dissimilarity(space, cells, threads=threads))
            density = pd.Series(applicability.local_point_density(space, cells, threads=threads))
            unseen = applicability.unseen_classes(space, cells)
            rows.append(
                {
                    "model": forest.label,
                    "scheme": scheme,
                    "threshold": space.threshold,
                    "rmse": error[forest.label, scheme],
                    "unit": forest.predicts.unit,
                    "inside_share": share(inside),
                    "median_density": density[inside].median(),
                    "class_without_site_share": share(unseen),
                    "usable_share": share(inside & ~unseen),
                }
            )
        spaces[name] = space  # of the last scheme, the distance-matched folds: it draws the maps
    rows.append({"model": "both", "scheme": SCHEMES[-1], "usable_share": share(usable(spaces, cells))})
    return pd.DataFrame(rows), spaces


def usable(spaces: Mapping[str, TrainingSpace], cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Return where both maps may be used, shape (m,); the spaces are those of :func:`applicability_by_scheme`."""
    return np.logical_and.reduce([applicability.usable(space, cells) for space in spaces.values()])


def use_map(
    spaces: Mapping[str, TrainingSpace],
    dissimilarity: Mapping[str, NDArray[np.float64]],
    cells: pd.DataFrame,
    in_region: xr.DataArray,
) -> xr.DataArray:
    """Return a map of why cells may not be used: 0 they may, 1 unlike any site, 2 a land cover without a site.

    The spaces are those of :func:`applicability_by_scheme`; they and the dissimilarity go by forest.
    """
    beyond = np.logical_or.reduce([~applicability.inside(spaces[name], di) for name, di in dissimilarity.items()])
    unseen = np.logical_or.reduce([applicability.unseen_classes(space, cells) for space in spaces.values()])
    return cell_map(cells, np.select([unseen, beyond], [2, 1], 0), in_region)


def check_intervals(settings: Settings, forest: Grown) -> tuple[pd.DataFrame, QuantileForest]:
    """Grow a quantile forest and count how often its intervals hold a held-back record.

    The intervals promise ``interval_level``; the forest has ``validation_trees`` trees. The table has ``model``, the
    columns of :func:`mapforest.intervals.coverage_row`, and the ``unit`` of the widths: out of bag, and under
    distance-matched folds. The forest is that of the whole table.
    """
    table, target, level, ends = forest.table, forest.target, settings.interval_level, interval_ends(settings)
    whole = training.from_settings(settings, forest.name, settings.validation_trees, settings.seed)
    grown = intervals.grow(whole.fit(table, target))
    fold = forest.folds["knndm"]
    crossed = intervals.cross_quantiles(
        validation_forests(settings, forest.name), table, target, fold, ends, settings.seed
    )
    out_of_bag = intervals.out_of_bag_quantiles(grown, ends)
    known = np.isfinite(out_of_bag).all(axis=1)  # a row that every tree saw has no out-of-bag interval
    observed, site = target.to_numpy(), folds.site_labels(table["longitude"], table["latitude"])
    checks = [
        intervals.coverage_row("out of bag", observed[known], *out_of_bag[known].T, site[known], level),
        intervals.coverage_row(MATCHED, observed, *crossed.T, fold, level),
    ]
    return pd.DataFrame([{"model": forest.label, **row, "unit": forest.predicts.unit} for row in checks]), grown


def interval_ends(settings: Settings) -> tuple[float, float]:
    """Return the quantiles that an interval of the run's level ends at."""
    return (1 - settings.interval_level) / 2, (1 + settings.interval_level) / 2


def interval_limits(
    settings: Settings, grown: Mapping[str, QuantileForest], coverage: pd.DataFrame, cube: xr.Dataset
) -> xr.Dataset:
    """Return the interval of every cell of a cube, recalibrated under distance-matched folds.

    The quantile forests, by name, and the coverage, with the checks of both, come from :func:`check_intervals`. The
    variables are ``npp_lower``, ``npp_upper``, ``rs_lower`` and ``rs_upper``, in the unit of the forest's target.
    """
    margin = coverage.set_index(["model", "check"])["margin"]
    limits = xr.Dataset()
    for name, forest in grown.items():
        interval = intervals.interval_map(
            forest, cube, cube["in_region"], interval_ends(settings), margin[target(settings, name).label, MATCHED]
        )
        limits = limits.merge(interval.rename(lower=f"{name}_lower", upper=f"{name}_upper"))
    return limits


def expected_error(
    forest: Grown,
    space: TrainingSpace,
    dissimilarity: NDArray[np.float64],
    cells: pd.DataFrame,
    in_region: xr.DataArray,
) -> xr.DataArray:
    """Return a map of the RMSE to expect at each cell's dissimilarity; missing beyond the largest that was tried.

    It is in the unit of the forest's target; the space is the forest's own, from :func:`applicability_by_scheme`.
    """
    pairs = forest.matched
    window = min(WINDOW, len(pairs))  # fewer records say nothing of how the error grows: all cells have their RMSE
    profile = applicability.error_profile(space.training_di, pairs["observed"], pairs["predicted"], window)
    return cell_map(cells, applicability.expected_rmse(profile, dissimilarity), in_region)
