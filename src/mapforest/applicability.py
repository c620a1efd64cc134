"""Where a model may be used: dissimilarity index, area of applicability, local point density, error profile.

After Meyer & Pebesma (2021, https://doi.org/10.1111/2041-210X.13650) and Schumacher et al. (2025,
https://doi.org/10.5194/gmd-18-10185-2025), as in R's ``CAST``. Each predictor is centred and divided by its standard
deviation in the training table, then multiplied by its importance, so that distances count in what the model uses. The
dissimilarity index (DI) of a cell is its distance to the nearest training row, divided by the mean distance between
training rows. The area of applicability (AOA) is where the DI stays below what cross-validation has tried.

Thresholds and indices equal those of CAST. We differ in these points:

- A distance equal to the threshold counts as within it, for the AOA and for the local point density, and rounding may
  take it over by 1e-9 of its value. CAST's density counts distances strictly below, so that a cell inside can have a
  density of 0.
- A class that is missing makes the DI missing, like any other predictor. CAST takes it for a class of no training row.
- A missing value of a predictor without importance does no harm. CAST gives no DI there.
- The error profile has wider windows and another curve, see :func:`error_profile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from sklearn.isotonic import IsotonicRegression

from mapforest.cells import map_table
from mapforest.errors import ForestError
from mapforest.folds import checked_folds, nearest_of_other_folds
from mapforest.metrics import checked_vectors, varies


@dataclass(frozen=True)
class TrainingSpace:
    """The weighted predictor space of a training table, from :func:`training_space`."""

    weights: pd.Series  #: Importance by predictor, only those above zero.
    classes: dict[str, NDArray]  #: The classes that the training table has, by categorical predictor.
    centre: NDArray[np.float64]  #: shape (n_columns,): Mean of each encoded column.
    #: shape (n_columns,): Scale of the distance from it: weight over standard deviation (n - 1) over mean distance.
    factor: NDArray[np.float64]
    #: shape (n, n_columns): Training rows, scaled and weighted. Two are 1 apart on average, so that a distance is a DI.
    points: NDArray[np.float64]
    training_di: NDArray[np.float64]  #: shape (n,): DI of each training row against the rows of other folds.
    threshold: float  #: The largest DI inside the AOA: the largest ``training_di`` that is no outlier.

    @property
    def reach(self) -> float:
        """The threshold with the slack for rounding that area and density share."""
        return self.threshold * (1 + 1e-9)


@dataclass(frozen=True)
class ErrorProfile:
    """How the error of held-back predictions grows with dissimilarity, from :func:`error_profile`."""

    di: NDArray[np.float64]  #: shape (n_windows,): Mean DI of each window of neighbouring predictions, ascending.
    rmse: NDArray[np.float64]  #: shape (n_windows,): Root mean square error of each window, unit of the target.
    fitted: NDArray[np.float64]  #: shape (n_windows,): The same, made to grow with DI (isotonic regression).
    largest_di: float  #: The largest DI that was tried: beyond it nothing is known.


def training_space(
    table: pd.DataFrame, importance: Mapping[str, float], fold: ArrayLike, categorical: Sequence[str] = ()
) -> TrainingSpace:
    """Measure the predictor space of a training table, and how far cross-validation has gone in it.

    A categorical predictor becomes one column per class, each with the weight of the predictor, as in CAST. The
    threshold is the upper whisker of the cross-validated DI, ``min(Q75 + 1.5 IQR, maximum)``.

    Parameters
    ----------
    table : pandas.DataFrame, n rows
        Training rows; holds every predictor of ``importance``.
    importance : mapping of str to float
        Importance by predictor, in any unit. A predictor of zero or negative importance is left out: the model does not
        use it, so no distance in it can harm. Ones weigh all predictors alike.
    fold : array_like of int, shape (n,)
        Fold numbers of the cross-validation that vouches for the model, see :func:`mapforest.folds.checked_folds`.
        Strict folds give a wide AOA with a large error, kind folds a narrow one with a small error.
    categorical : sequence of str
        Predictors that are classes; names that are no predictor are ignored.

    Raises
    ------
    ForestError
        For a missing column or value, a predictor that does not vary, folds that do not fit, an importance that is not
        finite, or none above zero.
    """
    weights, fold = _checked_weights(importance), checked_folds(fold, len(table))
    _check_complete(table, weights.index)
    classes = {name: np.unique(table[name]) for name in weights.index if name in categorical}
    encoded, column_weight = _encoded(table, weights, classes)
    centre, factor = encoded.mean(axis=0), column_weight / encoded.std(axis=0, ddof=1)
    factor /= pdist((encoded - centre) * factor).mean()
    points = (encoded - centre) * factor
    training_di = nearest_of_other_folds(points, fold)
    return TrainingSpace(weights, classes, centre, factor, points, training_di, _upper_whisker(training_di))


def positions(space: TrainingSpace, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which rows of a table are complete, and where these lie in the space, where distances are DIs.

    A table that lacks a predictor's column raises ForestError.
    """
    _check_columns(table, space.weights.index)
    complete = np.flatnonzero(np.isfinite(table[list(space.weights.index)].to_numpy(dtype=float)).all(axis=1))
    encoded, _ = _encoded(table.iloc[complete], space.weights, space.classes)
    return complete, (encoded - space.centre) * space.factor


def dissimilarity(space: TrainingSpace, table: pd.DataFrame, threads: int = 1) -> NDArray[np.float64]:
    """Return the dissimilarity index of each row: 0 for a training row, 1 as far as two training rows lie on average.

    It is NaN where a predictor is missing. A class that no training row has is not one of the training classes (zero in
    all their columns), as in CAST; see :func:`unseen_classes`. A table that lacks a predictor's column raises
    ForestError. The threads of the search do not change the result.
    """
    complete, points = positions(space, table)
    di = np.full(len(table), np.nan)
    di[complete] = KDTree(space.points).query(points, workers=threads)[0]
    return di


def inside(space: TrainingSpace, di: ArrayLike) -> NDArray[np.bool_]:
    """Return where the model may be used: the DI, of any shape, is at most the threshold (False where missing)."""
    return np.asarray(di, dtype=float) <= space.reach


def usable(space: TrainingSpace, table: pd.DataFrame, threads: int = 1) -> NDArray[np.bool_]:
    """Return which rows may be used: inside the area of applicability, and of a class that some training row has.

    The dissimilarity index weighs a class by its importance. Where that is small, a class passes that no training row
    has; here such a class is outside, as no held-back error speaks for it. A row without one of the predictors is
    outside too.
    """
    complete, points = positions(space, table)
    found = np.zeros(len(table), dtype=bool)
    # A search that ends just beyond the threshold leaves out most of the rows; what it does not find is infinitely far.
    nearest = KDTree(space.points).query(points, distance_upper_bound=space.reach + 1e-6, workers=threads)[0]
    found[complete] = inside(space, nearest)
    return found & ~unseen_classes(space, table)


def applicable_cells(
    space: TrainingSpace, cube: xr.Dataset, where: xr.DataArray, threads: int = 1, band_rows: int = 200
) -> xr.DataArray:
    """Return the cells of a cube where the model may be used: like the training rows, and of a class that they have.

    The cube is as for :func:`mapforest.predict.predict`; yearly covariates enter with their means. The cells of
    ``where``, shape (latitude, longitude), are judged, ``band_rows`` rows of the grid at a time, which bounds the
    memory. The result is False also outside of it, and where a covariate is missing.
    """
    found = np.zeros((cube.sizes["latitude"], cube.sizes["longitude"]), dtype=bool)
    columns = cube.get_index("longitude")
    for first in range(0, len(found), band_rows):
        part = {"latitude": slice(first, first + band_rows)}
        band = cube.isel(part)
        cells = map_table(band, list(space.weights.index), where.isel(part))
        rows = band.get_index("latitude").get_indexer(cells["latitude"])
        found[first + rows, columns.get_indexer(cells["longitude"])] = usable(space, cells, threads)
    grid = {name: cube[name] for name in ("latitude", "longitude")}
    return xr.DataArray(found, grid, tuple(grid), "applicable", {"long_name": "inside the area of applicability"})


def local_point_density(space: TrainingSpace, table: pd.DataFrame, threads: int = 1) -> NDArray[np.float64]:
    """Return how many training rows lie within the AOA threshold of each row (Schumacher et al. 2025).

    The DI asks for one similar training row; the density asks how many there are. It is at least 1 inside the AOA, 0
    outside, and NaN where a predictor is missing. A table that lacks a predictor's column raises ForestError.
    """
    complete, points = positions(space, table)
    density = np.full(len(table), np.nan)
    density[complete] = KDTree(space.points).query_ball_point(points, space.reach, workers=threads, return_length=True)
    return density


def unseen_classes(space: TrainingSpace, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return the rows of a class that no training row has: no importance weight can vouch for them.

    A row whose class is missing is not one of them.
    """
    unseen = np.zeros(len(table), dtype=bool)
    for name, known in space.classes.items():
        unseen |= (table[name].notna() & ~table[name].isin(known)).to_numpy()
    return unseen


def error_profile(di: ArrayLike, observed: ArrayLike, predicted: ArrayLike, window: int = 20) -> ErrorProfile:
    """Learn the error to expect at a dissimilarity from held-back predictions.

    The predictions are put in order of their DI; in each window of ``window`` neighbours the root mean square error is
    taken; isotonic regression makes it grow with DI. Predictions of several fold schemes, put one after another, reach
    further: strict folds try larger dissimilarities.

    R's ``CAST::errorProfiles`` takes windows of 5 pairs, of those inside the AOA alone, puts each at its middle pair
    and draws a monotone spline through them. The error of 20 pairs is less noisy; pairs outside the AOA show the error
    at dissimilarities that the map has; and isotonic regression needs no choice of knots.

    All vectors have shape (n,): the DI is that of each held-back row against the rows that trained its model
    (``TrainingSpace.training_di``). ForestError is raised if there are fewer pairs than a window holds, lengths differ,
    or values are missing.
    """
    di, observed, predicted = checked_vectors(DI=di, observed=observed, predicted=predicted)
    if len(di) < window:
        raise ForestError(f"{len(di)} pairs: expected at least one window of {window}")
    order = np.argsort(di, kind="stable")
    ordered_di = _window_mean(di[order], window)
    windows = np.sqrt(_window_mean((observed - predicted)[order] ** 2, window))
    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(ordered_di, windows)
    return ErrorProfile(ordered_di, windows, fitted, float(di.max()))


def expected_rmse(profile: ErrorProfile, di: ArrayLike) -> NDArray[np.float64]:
    """Return the error to expect at each dissimilarity (of any shape), in the unit of the target.

    It is NaN where no held-back prediction was as dissimilar.
    """
    di = np.asarray(di, dtype=float)
    return np.where(di <= profile.largest_di, np.interp(di, profile.di, profile.fitted), np.nan)


def _encoded(
    table: pd.DataFrame, weights: pd.Series, classes: Mapping[str, NDArray]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the predictors as columns of numbers, a column per class, and the weight of each column."""
    columns, column_weight = [], []
    for name, weight in weights.items():
        values = table[name].to_numpy(dtype=float)[:, None]
        block = (values == classes[name]).astype(float) if name in classes else values
        columns.append(block)
        column_weight += [weight] * block.shape[1]
    return np.hstack(columns), np.asarray(column_weight)


def _upper_whisker(values: NDArray[np.float64]) -> float:
    """Return the largest value that is no outlier: Q75 + 1.5 IQR, at most the maximum."""
    lower, upper = np.quantile(values, [0.25, 0.75])
    return float(min(upper + 1.5 * (upper - lower), values.max()))


def _window_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the mean of each window of neighbouring values."""
    return np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)


def _checked_weights(importance: Mapping[str, float]) -> pd.Series:
    """Return the importance of the predictors that the model uses."""
    weights = pd.Series(importance, dtype=float)
    bad = weights[~np.isfinite(weights)]
    if len(bad):
        raise ForestError(f"importance {bad.to_dict()} is not finite: expected a number per predictor; 0 leaves it out")
    weights = weights[weights > 0]
    if weights.empty:
        raise ForestError("no predictor has an importance above zero: the model uses none, so nothing tells rows apart")
    return weights


def _check_columns(table: pd.DataFrame, predictors: pd.Index) -> None:
    """Refuse a table that lacks a predictor."""
    missing = [name for name in predictors if name not in table.columns]
    if missing:
        raise ForestError(f"the table lacks the predictors {missing}; it has {list(table.columns)}")


def _check_complete(table: pd.DataFrame, predictors: pd.Index) -> None:
    """Refuse a training table in which a predictor has gaps or does not vary."""
    _check_columns(table, predictors)
    for name in predictors:
        values = table[name].to_numpy(dtype=float)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise ForestError(
                f"predictor {name!r} is missing in {bad.size} training rows, the first at position {bad[0]}: drop "
                "those rows, and their folds; the model has not learned from them either"
            )
        if not varies(values):
            raise ForestError(
                f"predictor {name!r} is constant in the training table ({values[0]}): no scale says how far "
                "another value is. Leave it out of the importance (a model cannot have learned from it), and say that "
                "other values of it are not judged"
            )
