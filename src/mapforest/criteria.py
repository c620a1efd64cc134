"""What each design of :mod:`mapforest.designs` seeks: the best cell for the next plot, and what it adds.

A criterion is made of the grounds and a seed; ``best`` names the best of the free cells, ``gain`` says what a plot in a
cell adds, and ``take`` counts it as built. Here the cells are in order of latitude and longitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.neighbors import BallTree
from threadpoolctl import threadpool_limits

from mapforest import applicability
from mapforest.errors import ForestError
from mapforest.folds import EARTH_RADIUS_KM
from mapforest.forest import RandomForest
from mapforest.kernel import MeanVariance

#: Variance of a plot about its cell, as a share of that of a cell: noise, and variety within the cell.
NUGGET: Final = 0.5
STRATA: Final = 20
#: How far from a site the habits go [km]: near it, and on easy ground; and the share of that ground which is easy.
NEAR_KM, EASY_KM, EASY_SHARE = 50.0, 150.0, 1 / 3


@dataclass(frozen=True, eq=False)
class Ground:
    """What one flux knows of the cells of a map; m cells."""

    forest: RandomForest  #: Grown on the sites.
    sites: pd.DataFrame  #: Its training rows: ``longitude``, ``latitude`` [degrees] and the forest's predictors.
    cells: pd.DataFrame  #: Cells of the map, or a thinned sample of them, with the same columns.
    area: NDArray[np.float64]  #: shape (m,): What each cell stands for, in any unit.
    range_km: float  #: Distance over which the covariance of what the forest leaves falls to 1/e.
    disagreement: NDArray[np.float64] | None = None  #: shape (m,): Standard deviation between kinds of models.
    #: What this flux counts where several are planned together: the variance that a kernel variance of 1 stands for.
    weight: float = 1.0

    @cached_property
    def in_order(self) -> tuple[NDArray[np.int64], Ground]:
        """The order of the cells by latitude and longitude, and the ground with its cells in it and each site once."""
        order = np.lexsort(radians(self.cells).T[::-1])
        return order, replace(
            self,
            # A place that was measured in several years is one site.
            sites=self.sites.drop_duplicates(["longitude", "latitude"]),
            cells=self.cells.iloc[order],
            area=np.asarray(self.area, float)[order],
            disagreement=None if self.disagreement is None else np.asarray(self.disagreement, float)[order],
        )

    @cached_property
    def by_area(self) -> MeanVariance:
        """The variance of the mean of the cells by area, given the sites: a copy of it takes measurements."""
        return mean_variance(self, self.area)


class Criterion(Protocol):
    """What a design seeks."""

    def best(self, free: NDArray[np.bool_]) -> int:
        """Return the best of the free cells, of which there is one or more."""

    def gain(self, cell: int) -> float:
        """Return what a plot in a cell adds."""

    def take(self, cell: int) -> None:
        """Count a plot in a cell as built."""


class Strata:
    """The next plot goes to the stratum that lacks plots most, to a cell of it drawn by area."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        spaces = [_spaces(ground) for ground in grounds]
        widths = np.cumsum([0] + [cells.shape[1] for _, cells in spaces])
        scales = np.sqrt([ground.weight for ground in grounds])
        cells = np.hstack([scale * cells for scale, (_, cells) in zip(scales, spaces, strict=True)])
        area = grounds[0].area
        k = min(STRATA, len(np.unique(cells, axis=0)))
        with threadpool_limits(1):  # threads add up in any order
            means = KMeans(k, n_init=5, random_state=seed).fit(cells, sample_weight=area)
            self.stratum = means.predict(cells)
        self.share = np.bincount(self.stratum, area, k) / area.sum()
        self.count = np.zeros(k)
        for (sites, _), scale, start, end in zip(spaces, scales, widths[:-1], widths[1:], strict=True):
            # A site of one flux need not know the predictors of the other.
            nearest = KDTree(means.cluster_centers_[:, start:end]).query(scale * sites)[1]
            self.count += np.bincount(nearest, minlength=k)
        self.turn = _turns(area, seed)

    def _lack(self) -> NDArray[np.float64]:
        return self.share * (self.count.sum() + 1) - self.count

    def best(self, free: NDArray[np.bool_]) -> int:
        open_ones = np.bincount(self.stratum, free, len(self.share)) > 0
        chosen = free & (self.stratum == np.argmax(np.where(open_ones, self._lack(), -np.inf)))
        return int(np.argmin(np.where(chosen, self.turn, np.inf)))

    def gain(self, cell: int) -> float:
        return self._lack()[self.stratum[cell]]

    def take(self, cell: int) -> None:
        self.count[self.stratum[cell]] += 1


class Coverage:
    """The cell that brings down most the mean distance to what is measured, in the space of the predictors."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        total = sum(ground.weight for ground in grounds)
        self.grounds = []
        for ground in grounds:
            sites, cells = _spaces(ground)
            share = ground.weight / total * ground.area / ground.area.sum()
            self.grounds.append((cells, share, KDTree(sites).query(cells)[0]))
        self.most = np.array([self.gain(cell) for cell in range(len(grounds[0].cells))])

    def best(self, free: NDArray[np.bool_]) -> int:
        # Gains only fall, so that an old one is a bound: few have to be computed again.
        fresh = np.zeros(len(free), dtype=bool)
        while True:
            cell = int(np.argmax(np.where(free, self.most, -np.inf)))
            if fresh[cell]:
                return cell
            self.most[cell], fresh[cell] = self.gain(cell), True

    def gain(self, cell: int) -> float:
        return float(sum(share @ (near - self._with(cells, near, cell)) for cells, share, near in self.grounds))

    def take(self, cell: int) -> None:
        self.grounds = [(cells, share, self._with(cells, near, cell)) for cells, share, near in self.grounds]

    @staticmethod
    def _with(cells: NDArray[np.float64], near: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
        return np.minimum(near, np.linalg.norm(cells - cells[cell], axis=1))


class Variance:
    """The cell that takes most from the variance of the mean, summed over the fluxes by their weights."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        self.parts = [(ground.weight, self._of_mean(ground)) for ground in grounds]
        self.first = sum(weight * part.variance for weight, part in self.parts)

    def _of_mean(self, ground: Ground) -> MeanVariance:
        return copy(ground.by_area)

    def _gains(self) -> NDArray[np.float64]:
        return sum(weight * part.falls() for weight, part in self.parts) / self.first

    def best(self, free: NDArray[np.bool_]) -> int:
        return int(np.argmax(np.where(free, self._gains(), -np.inf)))

    def gain(self, cell: int) -> float:
        return float(self._gains()[cell])

    def take(self, cell: int) -> None:
        for _, part in self.parts:
            part.measure(cell)


class Disagreement(Variance):
    """The same, each cell counting by the disagreement of models too."""

    def _of_mean(self, ground: Ground) -> MeanVariance:
        if ground.disagreement is None:
            raise ForestError("the design disagreement needs the disagreement of each ground: a number per cell")
        return mean_variance(ground, ground.area * ground.disagreement)


class AtRandom:
    """A cell drawn by area."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        self.turn = self.late = _turns(grounds[0].area, seed)

    def best(self, free: NDArray[np.bool_]) -> int:
        wish = self.turn if np.isfinite(self.turn[free]).any() else self.late
        return int(np.argmin(np.where(free, wish, np.inf)))

    def gain(self, cell: int) -> float:
        return np.nan

    def take(self, cell: int) -> None:
        """A habit learns nothing."""


class NearSites(AtRandom):
    """A cell near sites drawn by area; where these are used up, the next nearest."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        self.late = from_sites(grounds)
        self.turn = np.where(self.late <= NEAR_KM, _turns(grounds[0].area, seed), np.inf)


class LowGround(AtRandom):
    """A cell on easy ground not far from sites: low, warm, and like its neighbours in elevation."""

    def __init__(self, grounds: Sequence[Ground], seed: int) -> None:
        cells = grounds[0].cells
        elevation, warmth = (column(cells, name, "low_ground") for name in ("elevation", "temperature"))
        near = BallTree(radians(cells), metric="haversine").query(radians(cells), min(5, len(cells)))[1]
        hard = rankdata(elevation) + rankdata(np.std(elevation[near], axis=1)) + rankdata(-warmth)
        reached = from_sites(grounds) <= EASY_KM
        easy = reached & (hard <= np.quantile(hard[reached] if reached.any() else hard, EASY_SHARE))
        self.turn = np.where(easy, _turns(grounds[0].area, seed), np.inf)
        self.late = hard


def mean_variance(ground: Ground, weights: NDArray[np.float64]) -> MeanVariance:
    """Return the variance of the mean of a ground's cells, with these weights, given its sites."""
    return MeanVariance(ground.forest, ground.sites, ground.cells, weights, ground.range_km, NUGGET)


def _spaces(ground: Ground) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sites and the cells in the space of the predictors."""
    importance = ground.forest.importance.set_index("predictor")["importance"]
    every = np.arange(len(ground.sites))  # its folds give a threshold, of which there is no use here
    space = applicability.training_space(ground.sites, importance, every, ground.forest.categorical)
    return space.points, applicability.positions(space, ground.cells)[1]


def _turns(area: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return numbers whose order is that of a draw without replacement by area (Efraimidis & Spirakis 2006)."""
    return np.random.default_rng(seed).exponential(size=len(area)) / area


def radians(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return latitude and longitude of each row in radians, shape (n, 2)."""
    places = np.column_stack([column(table, name, "a design") for name in ("latitude", "longitude")])
    bad = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if bad.size:
        raise ForestError(f"row {bad[0]} lies at latitude, longitude {places[bad[0]]}: expected finite degrees")
    return np.radians(places)


def from_sites(grounds: Sequence[Ground]) -> NDArray[np.float64]:
    """Return the distance from each cell to the nearest site of any flux, km."""
    sites = np.concatenate([radians(ground.sites) for ground in grounds])
    tree = BallTree(sites, metric="haversine")
    return EARTH_RADIUS_KM * tree.query(radians(grounds[0].cells), 1)[0][:, 0]


def column(table: pd.DataFrame, name: str, needed_by: str) -> NDArray[np.float64]:
    """Return a column of a table as numbers, or say what needs it."""
    if name not in table:
        raise ForestError(f"{needed_by} needs the column {name!r}; the table has {list(table.columns)}")
    return table[name].to_numpy(float)
