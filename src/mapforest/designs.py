r"""Where to measure next: places for new plots among the cells of a map, in the order in which to build them.

Sites that exist count in all designs (:data:`DESIGNS`), which go one plot after another, so that a plan that stops
early is still a plan. For m cells of the area a_i and the shares w_i = a_i / sum(a):

- ``strata``: k-means of the cells, weighted by area, makes strata h of the area share W_h. With n sites and plots, n_h
  of them in the stratum, the next plot goes to that of the greatest lack :math:`W_h (n + 1) - n_h`, to a cell of it
  drawn by area (stratified sampling with proportional allocation: Cochran 1977, Sampling techniques, chapter 5).
- ``coverage``: the cell c that brings down most the mean distance from a cell to what is measured,
  :math:`\sum_i w_i \min(d_i, d_{ic})`, where d_i is the distance to the nearest site or plot (greedy facility location:
  Brus et al. 2007, https://doi.org/10.1007/978-3-540-71910-3_16, for coverage; Nemhauser et al. 1978,
  https://doi.org/10.1007/BF01588971, for the greedy choice).
- ``variance``: the cell that takes most from the variance of the mean, :math:`w' K_s w`, given sites and plots:

  .. math:: \Delta_c = \frac{\left((K_s w)_c\right)^2}{(K_s)_{cc} + \tau}

  K_s is the covariance that the forest sees, of places that share leaves and lie near, given what is measured with the
  nugget tau (:mod:`mapforest.kernel`; the greedy choice: Krause et al. 2008, JMLR 9, 235-284). Only positions count:
  the plan needs no measured value.
- ``disagreement``: the same with :math:`w_i s_i` for w_i, where s is the standard deviation between models: K with the
  variance of each cell times its s squared.

Distances between predictors are those of :mod:`mapforest.applicability`: standardised, times importance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sklearn.metrics.pairwise import haversine_distances

from mapforest import criteria
from mapforest.criteria import Criterion, Ground, column, from_sites, radians
from mapforest.errors import ForestError
from mapforest.folds import EARTH_RADIUS_KM

#: Designs by name, each in a sentence.
DESIGNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "strata": "at random within groups of similar land, most where plots are lacking for the area",
        "coverage": "where land is least like what is measured, by the predictors that the forest uses",
        "variance": "where a plot takes most from the variance of the mean, by the forest's own likeness and distance",
        "disagreement": "as by variance, but land counts more where kinds of models disagree",
    }
)
#: What designs are compared with, each in a sentence: chance, and how plots are often placed in practice.
HABITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "at_random": "at random by area, wherever a plot may stand",
        "near_sites": "at random near sites that exist",
        "low_ground": "at random on low, gentle and warm ground not far from sites that exist",
    }
)
#: Most cells that a plan is chosen from: the work grows with their square.
MOST_CELLS: Final = 4000

_CRITERIA: Final[Mapping[str, Callable[[Sequence[Ground], int], Criterion]]] = {
    "strata": criteria.Strata,
    "coverage": criteria.Coverage,
    "variance": criteria.Variance,
    "disagreement": criteria.Disagreement,
    "at_random": criteria.AtRandom,
    "near_sites": criteria.NearSites,
    "low_ground": criteria.LowGround,
}


def allowed_cells(
    cells: pd.DataFrame,
    *,
    within: BaseGeometry | None = None,
    left_out: BaseGeometry | None = None,
    max_elevation: float | None = None,
) -> NDArray[np.bool_]:
    """Return which cells may have a plot: centre inside of one outline, outside of another, and not too high.

    The outlines are in degrees; a centre on the line counts as inside of both. ``max_elevation`` is in the unit of the
    column ``elevation``, whose lack raises ForestError; a cell without an elevation may have no plot then.
    """
    allowed = np.ones(len(cells), dtype=bool)
    place = cells["longitude"].to_numpy(float), cells["latitude"].to_numpy(float)
    if within is not None:
        allowed &= shapely.intersects_xy(within, *place)
    if left_out is not None:
        allowed &= ~shapely.intersects_xy(left_out, *place)
    if max_elevation is not None:
        allowed &= column(cells, "elevation", "max_elevation") <= max_elevation
    return allowed


def propose(
    design: str,
    grounds: Sequence[Ground],
    n: int,
    seed: int,
    *,
    allowed: NDArray[np.bool_],
    min_distance_km: float = 0.0,
    first: Sequence[int] = (),
) -> pd.DataFrame:
    """Return n places for plots, in the order in which to build them.

    Parameters
    ----------
    design : str
        A key of :data:`DESIGNS` or :data:`HABITS`.
    grounds : sequence of Ground
        One for each flux that the plots measure, all over the same m cells.
    n : int
        Number of plots. A larger one goes on from the plan of a smaller one.
    seed : int
        Seed of what is random: the strata, and the cell within one.
    allowed : numpy.ndarray of bool, shape (m,)
        Cells that may have a plot, such as those of :func:`allowed_cells`. All cells count in what a plan is good for.
    min_distance_km : float
        Least great-circle distance between two plots, and from a plot to a site [km].
    first : sequence of int
        Positions of plots that are decided; the result begins with them, whatever the constraints.

    Returns
    -------
    pandas.DataFrame
        A row per plot: ``cell``, its position among the cells, and ``gain``, what it adds by the design's criterion:
        the lack of its stratum, in plots; the fall of the mean distance, where 1 is that between two sites; the share
        of the first variance that it takes. A habit has no gain. The order of the cells does not matter.

    Raises
    ------
    ForestError
        For a design of another name, grounds that do not fit, or more plots than the constraints leave places for.
    """
    if design not in _CRITERIA:
        raise ForestError(f"design is {design!r}: expected one of {', '.join(_CRITERIA)}")
    order, grounds = _in_order(grounds)
    free, decided = _checked_plan(order, n, allowed, first, min_distance_km)
    place = radians(grounds[0].cells)
    far = from_sites(grounds) >= min_distance_km
    room = f"the constraints allow {free.sum()} of {len(free)} cells, {(free & far).sum()} of them at least "
    free &= far
    criterion, rows = _CRITERIA[design](grounds, seed), []
    for number in range(n):
        if number >= len(decided) and not free.any():
            raise ForestError(
                f"{n} plots: {room}{min_distance_km:g} km from all sites, and after {number} plots none is left as far "
                "from those too: ask for fewer plots, a smaller min_distance_km, or allow more cells"
            )
        cell = decided[number] if number < len(decided) else criterion.best(free)
        rows.append((order[cell], criterion.gain(cell)))
        criterion.take(cell)
        free &= _apart(place, cell) >= min_distance_km
        free[cell] = False
    return pd.DataFrame(rows, columns=["cell", "gain"]).astype({"cell": "int64", "gain": float})


def variance_left(ground: Ground, chosen: Sequence[int]) -> NDArray[np.float64]:
    """Return the share of the mean's variance that is left after the first k plots, shape (n + 1,), 1 for none.

    ``chosen`` are n positions among the cells in the order in which they are built; the mean is that over all cells,
    weighted by area, and its variance that of ``variance`` in the module's text, given the sites.
    """
    order, (ground,) = _in_order([ground])
    place = np.argsort(order)
    left = copy(ground.by_area)
    variance = [left.variance]
    for cell in _positions(chosen, len(order), "chosen"):
        left.measure(place[cell])
        variance.append(left.variance)
    return np.array(variance) / variance[0]


def _apart(place: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
    """Return the distance from each cell to one of them, km."""
    return EARTH_RADIUS_KM * haversine_distances(place, place[cell : cell + 1])[:, 0]


def _in_order(grounds: Sequence[Ground]) -> tuple[NDArray[np.int64], list[Ground]]:
    """Return the order of the cells by latitude and longitude, and the grounds with theirs in it."""
    if not grounds:
        raise ForestError("no ground: expected one for each flux that the plots measure")
    places = [radians(ground.cells) for ground in grounds]
    m = len(places[0])
    if not 1 < m <= MOST_CELLS:
        raise ForestError(f"{m} cells: expected 2 to {MOST_CELLS}; of more take every k-th, with k times the area")
    for number, (ground, place) in enumerate(zip(grounds, places, strict=True)):
        if place.shape != places[0].shape or (place != places[0]).any():
            raise ForestError(f"ground {number} has other cells than the first: all fluxes need the same")
        _check_numbers(ground.area, m, f"area of ground {number}")
        if ground.disagreement is not None:
            _check_numbers(ground.disagreement, m, f"disagreement of ground {number}", above_zero=False)
        for name in ("range_km", "weight"):
            if not getattr(ground, name) > 0:
                raise ForestError(f"{name} of ground {number} is {getattr(ground, name)}: expected a number above zero")
    if len(np.unique(places[0], axis=0)) < m:
        raise ForestError("two cells lie at one place: expected one row for each cell")
    return grounds[0].in_order[0], [ground.in_order[1] for ground in grounds]


def _check_numbers(values: NDArray[np.float64], m: int, what: str, above_zero: bool = True) -> None:
    """Refuse numbers that are not one per cell, are below zero, or are zero where a number must be above it."""
    values = np.asarray(values, float)
    if values.shape != (m,):
        raise ForestError(f"the {what} has shape {values.shape}: expected {m} numbers, one per cell")
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0 if above_zero else values >= 0)))
    if bad.size or not values.any():
        wrong = f"{values[bad[0]]:g} at position {bad[0]}" if bad.size else "zero everywhere"
        expected = "above zero; leave other cells out" if above_zero else "of zero or more, some of them above zero"
        raise ForestError(f"the {what} is {wrong}: expected numbers {expected}")


def _positions(chosen: Sequence[int], m: int, name: str) -> list[int]:
    """Return positions among m cells as whole numbers, each once."""
    positions = np.asarray(chosen)
    whole = positions.size == 0 or (positions.ndim == 1 and np.issubdtype(positions.dtype, np.integer))
    if not whole or len(set(positions.tolist())) < positions.size or not ((positions >= 0) & (positions < m)).all():
        raise ForestError(f"{name} is {positions.tolist()}: expected positions from 0 to {m - 1}, each once")
    return positions.tolist()


def _checked_plan(
    order: NDArray[np.int64], n: int, allowed: NDArray[np.bool_], first: Sequence[int], min_distance_km: float
) -> tuple[NDArray[np.bool_], list[int]]:
    """Return the cells that are allowed and those that are decided, in order of place."""
    m, allowed = len(order), np.asarray(allowed)
    if allowed.shape != (m,) or allowed.dtype != bool:
        raise ForestError(
            f"allowed has shape {allowed.shape} and type {allowed.dtype}: expected {m} of bool, one per cell"
        )
    if not min_distance_km >= 0:
        raise ForestError(f"min_distance_km is {min_distance_km}: expected zero or more")
    decided = _positions(first, m, "first")
    if not len(decided) <= n:
        raise ForestError(f"n is {n}, and first has {len(decided)} plots: expected as many or more")
    return allowed[order], np.argsort(order)[decided].tolist() if decided else []
