"""How far predictions lie from observations: Eqs. 5-8 of Zeng et al. (2023), and both meanings of R2.

The paper quotes "R2" without saying which. For a forest they differ: the squared correlation forgives
a bias and a wrong slope, the explained share of the variance does not. Both have names of their own.

Every function takes observed and predicted values in pairs. It raises a :class:`ValueError` where they are none: where
they are empty, unequally long or not finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pbias(observed: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the percent bias, Eq. 5: positive where the model predicts too much.

    .. math:: \mathrm{PBIAS} = 100 \frac{\sum_i (P_i - O_i)}{\sum_i O_i}

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    float
        Percent; NaN where the observations sum to zero.

    Examples
    --------
    >>> pbias([100.0, 300.0], [110.0, 310.0])
    5.0
    """
    observed, predicted = _pairs(observed, predicted)
    return _ratio(100 * np.sum(predicted - observed), np.sum(observed))


def rmse(observed: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the root mean square error, Eq. 6.

    .. math:: \mathrm{RMSE} = \sqrt{\tfrac{1}{n} \sum_i (P_i - O_i)^2}

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    float
        In the unit of the input.

    Examples
    --------
    >>> rmse([100.0, 300.0], [97.0, 303.0])
    3.0
    """
    observed, predicted = _pairs(observed, predicted)
    return float(np.sqrt(np.mean((predicted - observed) ** 2)))


def mape(observed: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the mean absolute percentage error, Eq. 7, in percent.

    .. math:: \mathrm{MAPE} = \frac{100}{n} \sum_i \left| \frac{O_i - P_i}{O_i} \right|

    The paper prints Eq. 7 without the factor 100, but its tables 1 and 2 quote percent; so do we.

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    float
        Percent; NaN where an observation is zero.

    Examples
    --------
    >>> mape([100.0, 200.0], [90.0, 240.0])
    15.0
    """
    observed, predicted = _pairs(observed, predicted)
    if np.any(observed == 0):
        return float("nan")
    return float(np.mean(100 * np.abs((observed - predicted) / observed)))


def pearson_r(observed: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the correlation coefficient, Eq. 8.

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values; the units may differ.

    Returns
    -------
    float
        Between -1 and 1; NaN where one of the two does not vary.

    Examples
    --------
    >>> round(pearson_r([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]), 12)
    1.0
    """
    observed, predicted = _pairs(observed, predicted)
    if np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    x, y = observed - observed.mean(), predicted - predicted.mean()
    r = _ratio(np.sum(x * y), np.sqrt(np.sum(x**2)) * np.sqrt(np.sum(y**2)))
    return float(np.clip(r, -1, 1))


def r2_explained(observed: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the explained share of the variance of the observations.

    .. math:: R^2 = 1 - \frac{\sum_i (O_i - P_i)^2}{\sum_i (O_i - \bar O)^2}

    It is negative where the mean of the observations would predict better. Hydrologists call it
    Nash-Sutcliffe efficiency; R's ``randomForest`` prints its out-of-bag value as "% Var explained".

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    float
        At most 1; NaN where the observations do not vary.

    Examples
    --------
    >>> r2_explained([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    0.0
    """
    observed, predicted = _pairs(observed, predicted)
    if np.ptp(observed) == 0:
        return float("nan")
    unexplained = _ratio(np.sum((observed - predicted) ** 2), np.sum((observed - observed.mean()) ** 2))
    return float(1 - unexplained)


def r2_correlation(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Return the squared correlation: the share explained once a straight line has corrected the model.

    Never below :func:`r2_explained`; a model that predicts half of every observation reaches 1.

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values; the units may differ.

    Returns
    -------
    float
        Between 0 and 1; NaN where one of the two does not vary.

    Examples
    --------
    >>> round(r2_correlation([1.0, 2.0, 3.0], [0.5, 1.0, 1.5]), 12)
    1.0
    """
    return pearson_r(observed, predicted) ** 2


def trend_line(observed: ArrayLike, predicted: ArrayLike) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line of predicted on observed, as the paper draws it.

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    slope : float
        Dimensionless; below 1 where the model flattens the contrasts.
    intercept : float
        In the unit of the input. Both are NaN where the observations do not vary.

    Examples
    --------
    >>> trend_line([0.0, 10.0, 20.0], [5.0, 13.0, 21.0])
    (0.8, 5.0)
    """
    observed, predicted = _pairs(observed, predicted)
    if np.ptp(observed) == 0:
        return float("nan"), float("nan")
    x = observed - observed.mean()
    slope = _ratio(np.sum(x * (predicted - predicted.mean())), np.sum(x**2))
    return slope, float(predicted.mean() - slope * observed.mean())


def scores(observed: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Return every metric of one set of pairs.

    Parameters
    ----------
    observed, predicted : array_like of shape (n,)
        Values in one and the same unit.

    Returns
    -------
    dict of str to float
        ``n``, ``r2_explained``, ``r2_correlation``, ``r``, ``rmse`` and ``intercept`` (unit of the input),
        ``pbias`` and ``mape`` (percent), ``slope``. A caller that writes a table adds the unit to the header.

    Examples
    --------
    >>> result = scores([100.0, 200.0, 300.0], [120.0, 200.0, 280.0])
    >>> [round(result[name], 3) for name in ("slope", "r2_explained", "r2_correlation")]
    [0.8, 0.96, 1.0]
    """
    slope, intercept = trend_line(observed, predicted)
    return {
        "n": int(np.size(observed)),
        "r2_explained": r2_explained(observed, predicted),
        "r2_correlation": r2_correlation(observed, predicted),
        "r": pearson_r(observed, predicted),
        "rmse": rmse(observed, predicted),
        "pbias": pbias(observed, predicted),
        "mape": mape(observed, predicted),
        "slope": slope,
        "intercept": intercept,
    }


def _pairs(observed: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float vectors, or say why they are no pairs."""
    observed, predicted = np.asarray(observed, dtype=float), np.asarray(predicted, dtype=float)
    if observed.ndim != 1 or observed.shape != predicted.shape:
        raise ValueError(
            f"observed has shape {observed.shape}, predicted {predicted.shape}: expected two vectors of one length"
        )
    if observed.size == 0:
        raise ValueError("observed and predicted are empty: there is nothing to score")
    for name, values in (("observed", observed), ("predicted", predicted)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise ValueError(
                f"{name} holds {bad.size} values that are not finite, the first at row {bad[0]}: "
                "drop those pairs before scoring, and say how many"
            )
    return observed, predicted


def _ratio(numerator: float, denominator: float) -> float:
    """Return a quotient, NaN where it is undefined."""
    return float(numerator / denominator) if denominator != 0 else float("nan")
