"""From a predicted logarithm back to the quantity itself, without the bias of the exponential."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mapforest.errors import ForestError


def smearing_factor(log_residual: ArrayLike) -> float:
    r"""Return the factor that turns the exponential of a predicted logarithm into a mean (Duan 1983).

    .. math:: \hat E[y] = e^{\hat\mu} \cdot \frac{1}{n} \sum_i e^{r_i}

    with residuals r, ln observed minus ln predicted, of trees that did not see their rows; NaN where every tree has
    seen one. It needs no normal errors; for normal ones it tends to :math:`e^{\sigma^2 / 2}`. It takes one scatter for
    all rows (https://doi.org/10.1080/01621459.1983.10478017). ForestError is raised if a residual is infinite, or all
    are NaN.

    Examples
    --------
    >>> smearing_factor([0.0, 0.0])
    1.0
    >>> round(smearing_factor([-0.5, 0.5]), 3)
    1.128
    """
    residual = np.asarray(log_residual, dtype=float)
    infinite = np.flatnonzero(np.isinf(residual))
    if infinite.size:
        raise ForestError(
            f"{infinite.size} residuals are infinite, as ln 0 is, the first at position {infinite[0]}: leave out rows "
            "whose observation is not above zero"
        )
    residual = residual[~np.isnan(residual)]
    if not residual.size:
        raise ForestError("no residual to smear with: grow more trees, so that each row is out of bag in some")
    return float(np.mean(np.exp(residual)))
