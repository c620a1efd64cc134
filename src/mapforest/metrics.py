"""How far predictions lie from observations: Eqs. 5-8 of Zeng et al. (2023), and both meanings of R2.

The paper quotes "R2" without saying which. For a forest they differ: the squared correlation forgives a bias and a
wrong slope, the explained share of the variance does not. Both have names of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapforest.errors import ForestError

#: Share of their size by which numbers that are equal may differ, since sums and means of them were rounded.
ROUNDING = 1e-12


def varies(values: ArrayLike) -> bool:
    """Return whether values, none of them missing, differ by more than :data:`ROUNDING` of the largest magnitude.

    Only then does a correlation with them or a scale of them exist.

    Examples
    --------
    >>> varies([0.3, 0.1 + 0.2]), varies([0.3, 0.3001])
    (False, True)
    """
    values = np.asarray(values, dtype=float)
    return bool(np.ptp(values) > ROUNDING * np.abs(values).max())


def scores(observed: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    r"""Return every metric of one set of pairs of observed values O and predicted values P, both (n,) and in one unit.

    .. math::

        \mathrm{PBIAS} &= 100 \frac{\sum_i (P_i - O_i)}{\sum_i O_i} \\
        \mathrm{RMSE} &= \sqrt{\frac{1}{n} \sum_i (P_i - O_i)^2} \\
        \mathrm{MAPE} &= \frac{100}{n} \sum_i \left| \frac{O_i - P_i}{O_i} \right| \\
        R^2_\mathrm{explained} &= 1 - \frac{\sum_i (O_i - P_i)^2}{\sum_i (O_i - \bar O)^2}

    The keys are as follows; a caller that writes a table adds the unit to the header.

    - ``n``: number of pairs.
    - ``r2_explained``: explained share of the variance of the observations, at most 1, and negative where their mean
      would predict better. Hydrologists call it Nash-Sutcliffe efficiency; R's ``randomForest`` prints its out-of-bag
      value as "% Var explained".
    - ``r2_correlation``: square of ``r``, the share explained once a straight line has corrected the model; never below
      ``r2_explained``. A model that predicts half of every observation reaches 1.
    - ``r``: correlation coefficient (Eq. 8).
    - ``rmse``: root mean square error (Eq. 6), in the unit of the input.
    - ``pbias``: percent bias (Eq. 5), positive where the model predicts too much; NaN where observations sum to 0.
    - ``mape``: mean absolute percentage error (Eq. 7), percent; NaN where an observation is zero. The paper prints
      Eq. 7 without the factor 100, but its tables 1 and 2 quote percent; so do we.
    - ``slope``, ``intercept`` (unit of the input): least-squares line of predicted on observed, as the paper draws it;
      the slope is below 1 where the model flattens the contrasts.

    What divides by a variance is NaN where the values do not vary (see :func:`varies`). Values that are no pairs
    (empty, unequally long, or not finite) raise ForestError.

    Examples
    --------
    >>> result = scores([100.0, 200.0, 300.0], [120.0, 200.0, 280.0])
    >>> [round(result[name], 3) for name in ("slope", "r2_explained", "r2_correlation")]
    [0.8, 0.96, 1.0]
    """
    observed, predicted = checked_vectors(observed=observed, predicted=predicted)
    error, total = predicted - observed, np.sum(observed)
    x, y = observed - observed.mean(), predicted - predicted.mean()
    x_varies, both_vary = varies(observed), varies(observed) and varies(predicted)
    slope = np.sum(x * y) / np.sum(x**2) if x_varies else np.nan
    r = np.clip(np.sum(x * y) / (np.sqrt(np.sum(x**2)) * np.sqrt(np.sum(y**2))), -1, 1) if both_vary else np.nan
    result = {
        "r2_explained": 1 - np.sum(error**2) / np.sum(x**2) if x_varies else np.nan,
        "r2_correlation": r**2,
        "r": r,
        "rmse": np.sqrt(np.mean(error**2)),
        "pbias": 100 * np.sum(error) / total if abs(total) > ROUNDING * np.sum(np.abs(observed)) else np.nan,
        "mape": np.mean(100 * np.abs(error / observed)) if np.all(observed != 0) else np.nan,
        "slope": slope,
        "intercept": predicted.mean() - slope * observed.mean(),
    }
    return {"n": observed.size} | {name: float(value) for name, value in result.items()}


def interval_score(observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
    r"""Return the interval score of each interval: its width, and a penalty for each unit by which it missed.

    .. math:: S = (u - l) + \frac{2}{\alpha} \max(0, l - x) + \frac{2}{\alpha} \max(0, x - u),\quad
        \alpha = 1 - \mathrm{level}

    Its mean is smallest for the true quantiles: neither wide nor bold intervals win (Gneiting and Raftery 2007, section
    6.2, https://doi.org/10.1198/016214506000001437). All arguments are broadcast; the result has the observed unit.

    Examples
    --------
    >>> interval_score([5.0, 12.0], 0.0, 10.0, 0.9).round(6).tolist()
    [10.0, 50.0]
    """
    observed, lower, upper = (np.asarray(values, dtype=float) for values in (observed, lower, upper))
    alpha = 1 - np.asarray(level, dtype=float)
    missed = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    return (upper - lower) + 2 / alpha * missed


def checked_vectors(**columns: ArrayLike) -> list[NDArray[np.float64]]:
    """Return named columns as vectors of floats, or say in a ForestError why their rows do not belong together."""
    vectors = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    shapes = {vector.shape for vector in vectors.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1 or shapes == {(0,)}:
        found = ", ".join(f"{name} has shape {vector.shape}" for name, vector in vectors.items())
        raise ForestError(f"{found}: expected vectors of one length, with a row or more")
    for name, vector in vectors.items():
        bad = np.flatnonzero(~np.isfinite(vector))
        if bad.size:
            raise ForestError(
                f"{name} is not finite in {bad.size} rows, the first at position {bad[0]}: drop those rows first, and "
                "say how many"
            )
    return list(vectors.values())
