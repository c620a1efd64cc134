r"""The covariance that a forest sees between places, and what measured places leave of the variance of a mean.

Two places are alike as far as the trees put them into one leaf, the forest's own kernel (Scornet 2016,
https://doi.org/10.1109/TIT.2016.2514489), and as far as they are near:

.. math:: K_{ij} = p_{ij}\, e^{-D_{ij} / r}

p is the share of trees in whose leaf places i and j meet, D their great-circle distance, and r the range. The
exponential is a covariance on the sphere (Gneiting 2013, https://doi.org/10.3150/12-BEJSP06), a share of trees is one
too, and so is their product. A place has the variance 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from joblib import cpu_count
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from mapforest.folds import EARTH_RADIUS_KM
from mapforest.forest import RandomForest

_ROWS = 256  # of the covariance between cells that are held at once


class MeanVariance:
    r"""The variance of a weighted mean over m cells, given measured places, which may become more.

    With K conditioned on all places measured so far, :math:`K_s`, and weights w with the sum 1, the variance is
    :math:`w' K_s w`, and a measurement in cell c with the nugget tau takes :math:`((K_s w)_c)^2 / ((K_s)_{cc} + \tau)`
    from it (Cressie 1993, Statistics for spatial data, chapter 3). Each costs a pass over the cells.

    Parameters
    ----------
    forest : RandomForest
        Grown; its trees say who is alike.
    sites, cells : pandas.DataFrame
        Places that are measured, and the m cells: ``longitude``, ``latitude`` [degrees] and the forest's predictors.
    weights : numpy.ndarray, shape (m,)
        What each cell counts, in any unit.
    range_km : float
        Distance over which the covariance falls to 1/e [km].
    nugget : float
        Variance of a measurement about its cell, above zero; that of a cell is 1.
    """

    def __init__(
        self,
        forest: RandomForest,
        sites: pd.DataFrame,
        cells: pd.DataFrame,
        weights: NDArray[np.float64],
        range_km: float,
        nugget: float,
    ) -> None:
        self._range_km, self._nugget = range_km, nugget
        self._weights = weights / weights.sum()
        self._cells, at_sites = _located(forest, cells), _located(forest, sites)
        among = _covariance(*at_sites, *at_sites, range_km) + nugget * np.eye(len(sites))
        across = _covariance(*at_sites, *self._cells, range_km)
        # K_s = K - V'V; a row of V for each measured place.
        self._v = [solve_triangular(cholesky(among, lower=True), across, lower=True)]
        self._of_cell = 1.0 - (self._v[0] ** 2).sum(axis=0)
        parts = range(0, len(cells), _ROWS)
        with ThreadPoolExecutor(cpu_count()) as pool:  # what takes the time holds no lock
            prior = list(pool.map(lambda start: self._to_cells(slice(start, start + _ROWS)) @ self._weights, parts))
        self._with_mean = np.concatenate(prior) - self._v[0].T @ (self._v[0] @ self._weights)

    @property
    def variance(self) -> float:
        """The variance of the mean, given all that is measured."""
        return float(self._weights @ self._with_mean)

    def falls(self) -> NDArray[np.float64]:
        """Return what one more measurement in each cell takes from the variance, shape (m,)."""
        return self._with_mean**2 / (self._of_cell + self._nugget)

    def measure(self, cell: int) -> None:
        """Take a measurement in a cell as made."""
        known = sum(part.T @ part[:, cell] for part in self._v)
        row = (self._to_cells(slice(cell, cell + 1))[0] - known) / np.sqrt(self._of_cell[cell] + self._nugget)
        self._with_mean = self._with_mean - row * (row @ self._weights)
        self._of_cell = self._of_cell - row**2
        self._v = [*self._v, row[np.newaxis]]  # another list: a copy of this object keeps its own

    def _to_cells(self, some: slice) -> NDArray[np.float64]:
        """Return the covariance of some cells with all, before anything is measured."""
        return _covariance(*(part[some] for part in self._cells), *self._cells, self._range_km)


def _located(forest: RandomForest, table: pd.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the leaf of each row in each tree, shape (n, trees), and its place on the unit sphere, shape (n, 3)."""
    lon, lat = np.radians(table[["longitude", "latitude"]].to_numpy(float)).T
    leaves = np.ascontiguousarray(forest.estimator_.apply(forest.encode(table)), dtype="int32")
    return leaves, np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


@njit(nogil=True, cache=True)
def _covariance(leaves, places, other_leaves, other_places, range_km):
    """Return K between some places and others."""
    n_trees = leaves.shape[1]
    found = np.empty((len(leaves), len(other_leaves)))
    for row in range(len(leaves)):
        for column in range(len(other_leaves)):
            met = np.int32(0)
            for tree in range(n_trees):
                met += np.int32(leaves[row, tree] == other_leaves[column, tree])
            squared = 0.0
            for axis in range(3):
                squared += (places[row, axis] - other_places[column, axis]) ** 2
            distance = 2 * EARTH_RADIUS_KM * np.arcsin(min(1.0, np.sqrt(squared) / 2))
            found[row, column] = met / n_trees * np.exp(-distance / range_km)
    return found
