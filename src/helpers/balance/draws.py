"""The plateau's budget drawn many times: the chain of two forests, a line and a difference, with parts of it varied.

The spread of the draws is the interval, see :mod:`helpers.balance.uncertainty`. A draw varies (:data:`SOURCES`):

================  ======================================================================================================
source            what a draw varies
================  ======================================================================================================
``sites``         the training tables: spatial blocks of rows are drawn with replacement, for NPP and Rs separately
``forest``        the seed of both forests
``regional``      both maps: each region of the plateau gets a lognormal factor of mean 1, as wide as the held-back
                  errors of whole blocks differ from one another
``line``          slope and intercept of the line from Rs to Rh, fitted again to sites drawn with replacement: the two
                  parameters vary together
``line_scatter``  the share of Rs that is Rh, by region, as far as regions scatter about the line
``smearing``      the factor that brings ln Rs back: its residuals are drawn with the blocks of ``sites``
================  ======================================================================================================

What cannot be drawn stands beside the interval as scenarios (:data:`SCENARIOS`): how ln Rs is brought back, which line
is used, what becomes of cells without a covariate. The interval does not carry a bias that all sites share: sites that
people chose, or land unlike any site. Neither cross-validation nor resampling shows such a bias (Wadoux et al. 2021,
https://doi.org/10.1016/j.ecolmodel.2021.109692).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from helpers.balance import carbon
from helpers.errors import DataError
from helpers.sites.databases import pair_site_means
from helpers.sites.training import resample
from mapforest.errors import FoldError
from mapforest.folds import block_labels, group_folds
from mapforest.forest import RandomForest
from mapforest.retransform import smearing_factor
from mapforest.validation import ModelFactory, cross_predict

SOURCES = ("sites", "forest", "regional", "line", "line_scatter", "smearing")
"""Sources of error that a draw may vary."""

ALL, ESTIMATE = "all", "none"
"""What the column ``varied`` says of a draw with all sources, and of the estimate itself."""

PARTS = ("plateau", "inside", "outside")
"""Parts of the plateau: all predicted cells, and those inside and outside of the area of applicability."""

QUANTITIES = {"npp": "NPP", "rs": "Rs", "rh": "Rh", "nep": "NEP"}
"""Fluxes by the names that columns begin with, and the names that tables show."""


@dataclass(frozen=True)
class Scenario:
    """An assumption that is chosen, not drawn."""

    label: str  #: The assumption in words.
    smeared: bool = True  #: Bring ln Rs back with Duan's factor. False: by the plain exponential, which is too low.
    #: Fit the line from Rs to Rh to this run's pairs. False: the paper's Eq. 3, for which no error is known.
    own_line: bool = True
    #: Let missing cells have the mean of the valid cells of their land-cover class. False: leave them out.
    filled: bool = False


SCENARIOS: dict[str, Scenario] = {
    "main": Scenario("smearing, own line, missing cells left out"),
    "filled": Scenario("missing cells filled by class mean", filled=True),
    "naive": Scenario("plain exponential of ln Rs", smeared=False),
    "paper_line": Scenario("the paper's line", own_line=False),
    "as_paper": Scenario("the paper's line and the plain exponential", smeared=False, own_line=False),
}
"""The main assumptions, and what changes when one of them is changed."""


@dataclass(frozen=True, eq=False)
class Flux:
    """One of the two forests with what its draws need, from :func:`flux`."""

    #: The run's own forest, fitted. None in the copies that are sent to the processes that draw.
    model: RandomForest | None
    make_model: ModelFactory  #: From a seed to a smaller forest that has not been fitted; a draw grows one.
    table: pd.DataFrame  #: n rows: Predictors of the training rows.
    target: NDArray[np.float64]  #: shape (n,): What the forest predicts: NPP, or ln Rs.
    block: NDArray[np.int64]  #: shape (n,): Spatial block of each row.
    log_residual: NDArray[np.float64]  #: shape (n,): ln observed minus ln predicted, out of bag.
    regional_sd: float  #: How much the held-back error of a whole block differs from that of another, in ln units.


@dataclass(frozen=True, eq=False)
class Chain:
    """Everything that a draw repeats."""

    npp: Flux  #: The forests of NPP and of ln Rs.
    rs: Flux  #: The forests of NPP and of ln Rs.
    pairs: pd.DataFrame  #: Sites with ``rs`` and ``rh`` for the line, see :func:`line_pairs`.
    cells: pd.DataFrame  #: Rows of :func:`helpers.balance.cells.budget_cells`.
    block_km: float  #: Edge of the blocks of sites, and of the plateau's regions.


def between_block_sd(residual: ArrayLike, block: ArrayLike) -> float:
    r"""Return the standard deviation between blocks that is left when the scatter within them is taken off.

    The method of moments of one-way random effects, for k blocks of unequal size n_j and n rows in all [1]_:

    .. math:: \sigma_b^2 = \max\left(0, \frac{MS_b - MS_w}{n_0}\right),\quad
        n_0 = \frac{1}{k - 1}\left(n - \frac{\sum_j n_j^2}{n}\right)

    Scatter within a block averages out over a region; what a block has in common does not.

    Parameters
    ----------
    residual, block : array_like, shape (n,)
        Residuals, of which NaN are left out, and the block of each.

    Returns
    -------
    float
        In the unit of the residual. Where each block has a single row, all scatter counts as between blocks.

    Raises
    ------
    DataError
        If fewer than two blocks are left.

    References
    ----------
    .. [1] Searle, S. R., Casella, G., McCulloch, C. E. (1992). Variance components. Wiley, section 3.6.

    Examples
    --------
    >>> between_block_sd([1.0, 1.0, 3.0, 3.0], [0, 0, 1, 1])
    1.4142135623730951
    >>> between_block_sd([1.0, 3.0, 1.0, 3.0], [0, 0, 1, 1])
    0.0
    """
    residual, block = np.asarray(residual, dtype=float), np.asarray(block)
    known = np.isfinite(residual)
    values, (_, label) = residual[known], np.unique(block[known], return_inverse=True)
    size = np.bincount(label)
    n, k = len(values), len(size)
    if k < 2:
        raise DataError(f"{n} residuals in {k} block: the spread between blocks needs two or more, choose smaller")
    mean = np.bincount(label, values) / size
    between = np.sum(size * (mean - values.mean()) ** 2) / (k - 1)
    within = np.sum((values - mean[label]) ** 2) / (n - k) if n > k else 0.0
    typical_size = (n - np.sum(size**2) / n) / (k - 1)
    return float(np.sqrt(max(0.0, between - within) / typical_size))


def flux(
    model: RandomForest,
    make_model: ModelFactory,
    table: pd.DataFrame,
    target: ArrayLike,
    block_km: float,
    seed: int,
    logarithmic: bool,
) -> Flux:
    """Prepare one of the two forests for draws: blocks of its sites, residuals, error between blocks.

    Parameters
    ----------
    model, make_model : RandomForest and callable
        The run's forest, fitted on the table, and what makes a smaller one from a seed, not fitted.
    table, target : pandas.DataFrame and array_like, n rows
        Training table with ``longitude`` and ``latitude``, and what the forest was fitted to.
    block_km : float
        Edge of a block, km.
    seed : int
        Seed of the folds and of the held-back forests.
    logarithmic : bool
        The target is a logarithm already, as ln Rs is.

    Raises
    ------
    DataError
        For a missing target, a flux that is not above zero, or sites in fewer than three blocks.
    """
    observed = np.asarray(target, dtype=float)
    if not np.isfinite(observed).all():
        row = int(np.flatnonzero(~np.isfinite(observed))[0])
        raise DataError(f"the target is not finite, first in row {row}: drop such rows before the forest is grown")
    try:
        block = block_labels(table["longitude"], table["latitude"], block_km)
    except FoldError as error:
        raise DataError(f"no blocks to draw: {error}") from None
    n_blocks = np.unique(block).size
    if n_blocks < 3:
        raise DataError(
            f"{len(table)} rows lie in {n_blocks} blocks of {block_km:g} km: a bootstrap of blocks needs three or "
            "more, choose smaller blocks (block_km) or add sites"
        )
    # The out-of-bag residuals are too small for a map: their trees saw the block's other rows. How far a whole region
    # may be off is seen only with its block held back.
    held_back = cross_predict(make_model, table, observed, group_folds(block, min(5, n_blocks), seed), seed)
    log = np.asarray if logarithmic else _checked_log
    return Flux(
        model=model,
        make_model=make_model,
        table=table[list(model.predictors)],
        target=observed,
        block=block,
        log_residual=log(observed) - log(model.oob_prediction),
        regional_sd=between_block_sd(log(observed) - log(held_back), block),
    )


def line_pairs(pairs: pd.DataFrame, line: str) -> pd.DataFrame:
    """Return the pairs that the line from Rs to Rh is fitted to: one row per site, or per record for ``"records"``.

    The pairs are those of :func:`helpers.sites.databases.rs_rh_pairs`; the line is ``"paper"``, ``"site_means"`` or
    ``"records"``. The paper gives no errors of its line; they are taken from our site means.
    """
    return pairs if line == "records" else pair_site_means(pairs)


def draw_budgets(
    chain: Chain, seed: int, n_draws: int, threads: int = 1, alone: Sequence[str] = SOURCES
) -> pd.DataFrame:
    """Repeat the chain with its sources varied: all together, and each alone.

    Parameters
    ----------
    n_draws : int
        Draws with all sources; each source alone gets half as many.
    threads : int
        Processes that draw side by side. They do not change the result.
    alone : sequence of str
        Sources that are also varied alone; empty for the interval without its sources.

    Returns
    -------
    pandas.DataFrame
        One row per draw, scenario and part of the plateau: ``varied`` (``none``, ``all`` or a source), ``draw``,
        ``scenario``, ``part`` (:data:`PARTS`), ``area_Mkm2``, and the means ``npp_gC_m2_yr``, ``rs_gC_m2_yr``,
        ``rh_gC_m2_yr`` and ``nep_gC_m2_yr``. ``none`` is the estimate itself. A part without a cell has no rows.
        Sources alone are drawn under the main scenario only.

    Raises
    ------
    DataError
        If there are fewer than four draws.
    """
    if n_draws < 4:
        raise DataError(f"{n_draws} draws make no interval: expected four or more, better a hundred")
    zones = _Zones.of(chain.cells)
    base = _sums(chain.cells, zones, chain.npp.model, chain.rs.model)
    line_spread = _line_spread(chain)
    tasks = [(ESTIMATE, (), 0), *((ALL, SOURCES, draw) for draw in range(n_draws))]
    tasks += [(source, (source,), draw) for source in alone for draw in range(n_draws // 2)]
    # Growing forests and predicting every cell is nearly all of the work, and only two of the sources need it. The
    # other draws multiply the sums of the run's own forests.
    refits = [task for task in tasks if {"sites", "forest"} & set(task[1])]
    light = replace(chain, npp=replace(chain.npp, model=None), rs=replace(chain.rs, model=None))
    grown = Parallel(n_jobs=threads)(delayed(_refit)(light, zones, varied, draw, seed) for _, varied, draw in refits)
    sums = {(name, draw): one for (name, _, draw), one in zip(refits, grown, strict=True)}
    rows = []
    for name, varied, draw in tasks:
        fluxes = sums.get((name, draw), base)
        drawn = _drawn(chain, zones, varied, draw, seed, line_spread)
        for scenario, assumption in SCENARIOS.items():
            if name in (ESTIMATE, ALL) or scenario == "main":
                parts = _balance(fluxes, zones, drawn, assumption)
                rows += [{"varied": name, "draw": draw, "scenario": scenario} | part for part in parts]
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class _Zones:
    """Pieces of the plateau within which all cells are treated alike in every draw: a region, inside or outside."""

    label: NDArray[np.int64]  # of each row
    weight: NDArray[np.float64]  # (2, rows): area, filled area [km2]
    area: NDArray[np.float64]  # (2, zones)
    region: NDArray[np.int64]  # of each zone
    inside: NDArray[np.bool_]  # of each zone

    @classmethod
    def of(cls, cells: pd.DataFrame) -> _Zones:
        """Return the zones of the rows of :attr:`Chain.cells`."""
        region = cells["region"].to_numpy()
        pieces, label = np.unique(2 * region + cells["inside"].to_numpy(bool), return_inverse=True)
        weight = cells[["area", "filled_area"]].to_numpy().T
        area = np.array([np.bincount(label, each, len(pieces)) for each in weight])
        return cls(label, weight, area, pieces // 2, pieces % 2 == 1)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area-weighted sums of values, shape (2, zones)."""
        return np.array([np.bincount(self.label, weight * values, len(self.region)) for weight in self.weight])


@dataclass(frozen=True)
class _Drawn:
    """What a draw takes for the parts of the chain after the forests."""

    npp_factor: NDArray[np.float64]  # by region
    rs_factor: NDArray[np.float64]  # by region
    share_error: NDArray[np.float64]  # by region, Rh per Rs
    slope: float
    intercept: float
    smearing: float


def _sums(cells: pd.DataFrame, zones: _Zones, npp: RandomForest, rs: RandomForest) -> NDArray[np.float64]:
    """Return the sums of NPP and of the plain exponential of ln Rs by zone, shape (2 fluxes, 2 weights, zones)."""
    return np.array([zones.sums(npp.predict(cells)), zones.sums(np.exp(rs.predict(cells)))])


def _refit(chain: Chain, zones: _Zones, varied: Sequence[str], draw: int, seed: int) -> NDArray[np.float64]:
    """Return the sums of forests grown anew, on the rows or with the seeds of a draw."""
    models = []
    for number, one in enumerate((chain.npp, chain.rs)):
        rows = _rows(one, draw, seed, number) if "sites" in varied else np.arange(len(one.table))
        # What is not varied stays that of the run, its seed too: a source alone shows its own part and no other.
        forest_seed = int(_rng(seed, draw, "forest", number).integers(2**31)) if "forest" in varied else seed
        models.append(one.make_model(forest_seed).fit(one.table.iloc[rows].reset_index(drop=True), one.target[rows]))
    return _sums(chain.cells, zones, *models)


def _drawn(chain: Chain, zones: _Zones, varied: Sequence[str], draw: int, seed: int, line_spread: float) -> _Drawn:
    """Draw what follows the forests: factors of both maps, the line and its error, the smearing factor."""
    n_regions = int(zones.region.max()) + 1
    # A source that is not varied has a spread of zero: its factors are exactly 1, its errors exactly 0.
    spreads = (chain.npp.regional_sd, chain.rs.regional_sd) if "regional" in varied else (0.0, 0.0)
    # exp(s z) has the mean exp(s^2 / 2) for a standard normal z. Without the second term every draw of both maps would
    # be too high on average, and a wide error would look like a sink or a source.
    factors = [
        np.exp(spread * _rng(seed, draw, "regional", number).standard_normal(n_regions) - spread**2 / 2)
        for number, spread in enumerate(spreads)
    ]
    scatter = line_spread if "line_scatter" in varied else 0.0
    # Number 1 is the forest of Rs in _refit: the residuals are those of the rows that this draw's forest is grown on.
    rows = _rows(chain.rs, draw, seed, 1) if "smearing" in varied else slice(None)
    line = _line(chain.pairs, _rng(seed, draw, "line") if "line" in varied else None)
    return _Drawn(
        *factors,
        share_error=scatter * _rng(seed, draw, "line_scatter").standard_normal(n_regions),
        slope=line.slope,
        intercept=line.intercept,
        smearing=smearing_factor(chain.rs.log_residual[rows]),
    )


def _balance(
    fluxes: NDArray[np.float64], zones: _Zones, drawn: _Drawn, assumption: Scenario
) -> list[dict[str, str | float]]:
    """Return the means of each part of the plateau under one draw and scenario."""
    weight = int(assumption.filled)
    area = zones.area[weight]
    # All factors are the same within a zone, so they may multiply its sums: no draw goes back to the cells.
    npp = fluxes[0, weight] * drawn.npp_factor[zones.region]
    rs = fluxes[1, weight] * drawn.rs_factor[zones.region] * (drawn.smearing if assumption.smeared else 1.0)
    line = drawn if assumption.own_line else carbon.PAPER_LINE
    # The values are sums over a zone, flux x area: the intercept, a flux, counts once for each km2.
    rh = (line.slope + drawn.share_error[zones.region]) * rs + line.intercept * area
    rows = []
    for part, chosen in zip(PARTS, (np.ones_like(zones.inside), zones.inside, ~zones.inside), strict=True):
        total = area[chosen].sum()
        if total > 0:
            fields = zip(QUANTITIES, (npp, rs, rh, npp - rh), strict=True)
            means = {f"{name}_gC_m2_yr": float(field[chosen].sum() / total) for name, field in fields}
            rows.append({"part": part, "area_Mkm2": float(total) / 1e6} | means)
    return rows


def _line(pairs: pd.DataFrame, rng: np.random.Generator | None) -> carbon.Line:
    """Return the line through the pairs, or through those of sites drawn with replacement."""
    if rng is None:
        return carbon.fit_line(pairs, "all pairs")
    chosen = pairs.iloc[resample(pairs["site"], rng)]
    # Pairs that all have one Rs give no slope. Such a draw tells nothing about the line: the fit to all pairs stands.
    return carbon.fit_line(chosen if np.ptp(chosen["rs"]) > 0 else pairs, "resampled pairs")


def _line_spread(chain: Chain) -> float:
    """Return how much the share Rh / Rs of a region differs from the line's, standard deviation."""
    line = _line(chain.pairs, None)
    share_error = (chain.pairs["rh"] - line.slope * chain.pairs["rs"] - line.intercept) / chain.pairs["rs"]
    block = block_labels(chain.pairs["longitude"], chain.pairs["latitude"], chain.block_km)
    return between_block_sd(share_error - share_error.mean(), block)


def _rows(one: Flux, draw: int, seed: int, number: int) -> NDArray[np.int64]:
    """Return the positions of a draw's rows: whole blocks of them, drawn with replacement."""
    return resample(one.block, _rng(seed, draw, "sites", number))


def _rng(seed: int, draw: int, source: str, number: int = 0) -> np.random.Generator:
    """Return a generator of its own for each draw and source: what else is varied does not change what it draws."""
    return np.random.default_rng([seed, draw, SOURCES.index(source), number])


def _checked_log(values: ArrayLike) -> NDArray[np.float64]:
    """Return the natural logarithm; refuse fluxes that have none."""
    values = np.asarray(values, dtype=float)
    bad = np.flatnonzero(values <= 0)
    if bad.size:
        raise DataError(
            f"a flux of {values[bad[0]]:g} in row {bad[0]} has no logarithm: relative errors need fluxes above zero"
        )
    return np.log(values)
