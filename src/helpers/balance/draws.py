"""The region's budget drawn many times: two forests, a share and a difference, with parts of the chain varied.

The spread of the draws is the interval, see :mod:`helpers.balance.uncertainty`. A draw varies (:data:`SOURCES`):

================  ======================================================================================================
source            what a draw varies
================  ======================================================================================================
``sites``         the training tables: spatial blocks of rows are drawn with replacement, for NPP and Rs separately
``forest``        the seed of both forests
``form``          the kind of model: one of a family stands in for each forest, its map over that of ours, with a
                  probability that its held-back error decides
``regional``      both maps: each block of the region gets a lognormal factor of mean 1, as wide as the held-back
                  errors of whole blocks differ from one another
``line``          the share of Rs that is Rh, fitted again to sites drawn with replacement
``line_scatter``  the share of Rs that is Rh, by block, as far as blocks scatter about it
``smearing``      the factors that bring both logarithms back: their residuals are drawn with the blocks of ``sites``
================  ======================================================================================================

What cannot be drawn stands beside the interval as scenarios (:data:`SCENARIOS`). The interval does not carry a bias
that all sites share: sites that people chose, or land unlike any site. Neither cross-validation nor resampling shows
such a bias (Wadoux et al. 2021, https://doi.org/10.1016/j.ecolmodel.2021.109692).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from helpers.balance import carbon
from helpers.config import Settings
from helpers.errors import DataError
from helpers.sites.training import from_settings, resample
from mapforest.errors import FoldError
from mapforest.folds import block_labels, group_folds
from mapforest.forest import RandomForest
from mapforest.retransform import smearing_factor
from mapforest.validation import ModelFactory, cross_predict

#: Sources of error that a draw may vary.
SOURCES = ("sites", "forest", "form", "regional", "line", "line_scatter", "smearing")
#: What the column ``varied`` says of a draw with all sources, and of the estimate itself.
ALL, ESTIMATE = "all", "none"
#: Parts of the region: all predicted cells, and those inside and outside of the area of applicability.
PARTS = ("region", "inside", "outside")
#: Fluxes by the names that columns begin with, and the names that tables show.
QUANTITIES = {"npp": "NPP", "rs": "Rs", "rh": "Rh", "nep": "NEP"}
#: Columns of :func:`helpers.balance.cells.budget_cells` that a scenario may sum over.
AREAS = ("area", "filled_area", "predicted_area")


@dataclass(frozen=True)
class Scenario:
    """An assumption that is chosen, not drawn."""

    label: str  #: The assumption in words.
    #: Take the paper's forests, of NPP and ln Rs, on the run's own training tables.
    paper_forests: bool = False
    #: Bring logarithms back with Duan's factor. False: by the plain exponential, which is too low.
    smeared: bool = True
    #: Let Rh be the share of Rs that this run's pairs give. False: the paper's Eq. 3, for which no error is known.
    own_share: bool = True
    area: str = "area"  #: The area that counts, one of :data:`AREAS`.


#: Our estimate, and what changes when one of its assumptions is changed, or all of them back to the paper's.
SCENARIOS: dict[str, Scenario] = {
    "main": Scenario("our estimate"),
    "filled": Scenario("missing cells filled by class mean", area="filled_area"),
    "naive": Scenario("plain exponential of both logarithms", smeared=False),
    "paper_line": Scenario("the paper's line from Rs to Rh", own_share=False),
    "as_paper": Scenario(
        "the paper's chain, this run's sites", paper_forests=True, smeared=False, own_share=False, area="predicted_area"
    ),
}


@dataclass(frozen=True, eq=False)
class Grown:
    """A forest of the run with what it takes to grow it again."""

    model: RandomForest  #: The forest, fitted.
    make_model: ModelFactory  #: From a seed to a smaller forest that has not been fitted; a draw grows one.
    table: pd.DataFrame  #: n rows: Predictors of the training rows.
    target: NDArray[np.float64]  #: shape (n,): What the forest is fitted to.
    block: NDArray[np.int64]  #: shape (n,): Spatial block of each row.
    back: Callable[[NDArray[np.float64]], NDArray[np.float64]]  #: From predictions to fluxes, such as ``numpy.exp``.


@dataclass(frozen=True, eq=False)
class Flux(Grown):
    """The forest of the logarithm of a flux, with what its draws need, from :func:`flux`."""

    log_residual: NDArray[np.float64]  #: shape (n,): ln observed minus ln predicted, out of bag.
    regional_sd: float  #: How much the held-back error of a whole block differs from that of another, in ln units.


@dataclass(frozen=True, eq=False)
class Family:
    """The maps of a family of models for one flux."""

    maps: NDArray[np.float64]  #: shape (members, cells): g C m-2 yr-1.
    weights: NDArray[np.float64]  #: shape (members,): The probability that a draw takes a member.
    names: tuple[str, ...]  #: The members.


@dataclass(frozen=True, eq=False)
class Chain:
    """Everything that a draw repeats."""

    npp: Flux  #: The forest of ln NPP.
    rs: Flux  #: The forest of ln Rs.
    paper: tuple[Grown, ...]  #: The paper's forests, of NPP and of ln Rs; none, and no scenario has them.
    pairs: pd.DataFrame  #: Sites with ``rs`` and ``rh``, their ``site`` and place.
    cells: pd.DataFrame  #: Rows of :func:`helpers.balance.cells.budget_cells`.
    block_km: float  #: Edge of the blocks of sites, and of those of the map.
    families: tuple[Family, Family]  #: Of NPP and of Rs, at the cells.

    @property
    def forests(self) -> tuple[Grown, ...]:
        """The four forests: ours, then the paper's, NPP before Rs."""
        return (self.npp, self.rs, *self.paper)


def between_block_sd(residual: ArrayLike, block: ArrayLike) -> float:
    r"""Return the standard deviation between blocks that is left when the scatter within them is taken off.

    The method of moments of one-way random effects, for k blocks of unequal size n_j and n rows in all (Searle et
    al. 1992, Variance components, Wiley, section 3.6):

    .. math:: \sigma_b^2 = \max\left(0, \frac{MS_b - MS_w}{n_0}\right),\quad
        n_0 = \frac{1}{k - 1}\left(n - \frac{\sum_j n_j^2}{n}\right)

    Scatter within a block averages out over a region; what a block has in common does not. Residuals that are NaN are
    left out; fewer than two blocks raise DataError. Where each block has a single row, all scatter counts as between.

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


def chain_of(
    settings: Settings,
    ours: Mapping[str, pd.DataFrame],
    papers: Mapping[str, pd.DataFrame],
    pairs: pd.DataFrame,
    cells: pd.DataFrame,
    families: Mapping[str, Family],
) -> Chain:
    """Grow the forests of a chain and prepare its draws.

    The settings give the forests, ``draw_trees``, ``block_km`` and the seed. The training tables of ``npp`` and ``rs``,
    with the flux [g C m-2 yr-1] in ``value``, are those of our estimate, from
    :func:`helpers.forests.choices.training_choices`, and those of the run, which follow the paper. The pairs are the
    site means of :func:`helpers.sites.databases.pair_site_means`, the cells those of
    :func:`helpers.balance.cells.budget_cells`. DataError is raised for a flux without a logarithm, and for sites in
    fewer than three blocks.
    """
    single = settings.model_copy(update={"threads": 1})  # the draws themselves run side by side

    def grown(name: str, table: pd.DataFrame, back: Callable) -> Grown:
        """Grow a forest of the run, of the logarithm of a flux or of the flux itself."""
        target = np.log(_positive(table["value"])) if back is np.exp else table["value"].to_numpy(float)
        model = from_settings(settings, name, settings.n_trees, settings.seed).fit(table, target)
        make_model = partial(from_settings, single, name, settings.draw_trees)
        seen = table[list(model.predictors)]
        return Grown(model, make_model, seen, target, _blocks(table, settings.block_km), back)

    npp, rs = (flux(grown(name, ours[name], np.exp), settings.seed) for name in ("npp", "rs"))
    paper = grown("npp", papers["npp"], np.asarray), grown("rs", papers["rs"], np.exp)
    return Chain(npp, rs, paper, pairs, cells, settings.block_km, (families["npp"], families["rs"]))


def flux(grown: Grown, seed: int) -> Flux:
    """Prepare a forest of the logarithm of a flux for draws: its residuals, and the error of regions.

    ``seed`` is that of the folds and of the held-back forests. DataError is raised for sites in fewer than three
    blocks.
    """
    n_blocks = np.unique(grown.block).size
    # The out-of-bag residuals are too small for a map: their trees saw the block's other rows. How far a whole region
    # may be off is seen only with its block held back.
    fold = group_folds(grown.block, min(5, n_blocks), seed)
    held_back = cross_predict(grown.make_model, grown.table, grown.target, fold, seed)
    return Flux(
        **vars(grown),
        log_residual=grown.target - grown.model.oob_prediction,
        regional_sd=between_block_sd(grown.target - held_back, grown.block),
    )


def _positive(values: pd.Series) -> NDArray[np.float64]:
    """Return fluxes that have logarithms; DataError names the first that has none."""
    flux = values.to_numpy(float)
    bad = np.flatnonzero(~(np.isfinite(flux) & (flux > 0)))
    if bad.size:
        raise DataError(
            f"a flux of {flux[bad[0]]:g} in row {bad[0]} has no logarithm: drop such rows before the forest is grown"
        )
    return flux


def _blocks(table: pd.DataFrame, block_km: float) -> NDArray[np.int64]:
    """Return the block of each row; DataError is raised where a bootstrap of blocks would say nothing."""
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
    return block


def draw_budgets(
    chain: Chain, seed: int, n_draws: int, threads: int = 1, alone: Sequence[str] = SOURCES
) -> pd.DataFrame:
    """Repeat the chain with its sources varied: all together, and each alone.

    There are ``n_draws`` draws with all sources, and half as many of each source that is varied ``alone``. ``threads``
    draw side by side; they do not change the result. Fewer than four draws raise
    DataError.

    A row is a draw, scenario and part of the region: ``varied`` (``none``, ``all`` or a source), ``draw``,
    ``scenario``, ``part`` (:data:`PARTS`), ``area_Mkm2``, and the means ``npp_gC_m2_yr``, ``rs_gC_m2_yr``,
    ``rh_gC_m2_yr`` and ``nep_gC_m2_yr``; ``npp_form`` and ``rs_form``, the members of the families that stand in, empty
    where the form is not varied. ``none`` is the estimate itself. A part without a cell has no rows. Sources
    alone are drawn under the main scenario only.
    """
    if n_draws < 4:
        raise DataError(f"{n_draws} draws make no interval: expected four or more, better a hundred")
    zones = _Zones.of(chain.cells)
    base = _sums(chain, zones, [one.model for one in chain.forests])
    after = _AfterForests.of(chain, zones, base)
    tasks = [(ESTIMATE, (), 0), *((ALL, SOURCES, draw) for draw in range(n_draws))]
    tasks += [(source, (source,), draw) for source in alone for draw in range(n_draws // 2)]
    # Growing forests and predicting every cell is nearly all of the work, and only two of the sources need it. The
    # other draws multiply the sums of the run's own forests.
    refits = [task for task in tasks if {"sites", "forest"} & set(task[1])]
    with ThreadPoolExecutor(threads) as pool:  # trees that grow, and cells that are predicted, let other threads work
        grown = list(pool.map(lambda task: _refit(chain, zones, *task[1:], seed), refits))
    sums = {(name, draw): one for (name, _, draw), one in zip(refits, grown, strict=True)}
    known = {name: one for name, one in SCENARIOS.items() if chain.paper or not one.paper_forests}
    rows = []
    for name, varied, draw in tasks:
        fluxes = sums.get((name, draw), base)
        drawn = _drawn(chain, zones, after, varied, draw, seed)
        for scenario, assumption in known.items():
            if name in (ESTIMATE, ALL) or scenario == "main":
                parts = _balance(fluxes, zones, drawn, assumption)
                said = {"varied": name, "draw": draw, "scenario": scenario}
                rows += [said | part | {"npp_form": drawn.forms[0], "rs_form": drawn.forms[1]} for part in parts]
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class _Zones:
    """Pieces of the region within which all cells are treated alike in every draw: a block, inside or outside."""

    label: NDArray[np.int64]  # of each row
    weight: NDArray[np.float64]  # (3, rows): AREAS [km2]
    area: NDArray[np.float64]  # (3, zones)
    block: NDArray[np.int64]  # of each zone
    inside: NDArray[np.bool_]  # of each zone

    @classmethod
    def of(cls, cells: pd.DataFrame) -> _Zones:
        """Return the zones of the rows of :attr:`Chain.cells`."""
        block = cells["block"].to_numpy()
        pieces, label = np.unique(2 * block + cells["inside"].to_numpy(bool), return_inverse=True)
        weight = cells[list(AREAS)].to_numpy().T
        area = np.array([np.bincount(label, each, len(pieces)) for each in weight])
        return cls(label, weight, area, pieces // 2, pieces % 2 == 1)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area-weighted sums of values, shape (3 areas, zones)."""
        return np.array([np.bincount(self.label, weight * values, len(self.block)) for weight in self.weight])


@dataclass(frozen=True, eq=False)
class _AfterForests:
    """What draws take from the chain after its forests are grown, the same for all draws."""

    forms: tuple[NDArray[np.float64], NDArray[np.float64]]  # (members, areas, zones): a member's sums over our own
    line_spread: float  # of the share Rh / Rs between blocks

    @classmethod
    def of(cls, chain: Chain, zones: _Zones, base: NDArray[np.float64]) -> _AfterForests:
        """Return it for a chain whose own forests have the sums ``base`` by zone, see :func:`_sums`."""
        forms = []
        for number, (one, family) in enumerate(zip((chain.npp, chain.rs), chain.families, strict=True)):
            own = smearing_factor(one.log_residual) * base[number]
            sums = np.array([zones.sums(member) for member in family.maps]).reshape(-1, *own.shape)
            # A zone of water alone has no flux, and no model changes that.
            forms.append(np.divide(sums, own, out=np.ones_like(sums), where=own > 0))
        return cls(tuple(forms), _line_spread(chain))


@dataclass(frozen=True)
class _Drawn:
    """What a draw takes for the parts of the chain after the forests."""

    npp_factor: NDArray[np.float64]  # by area and zone
    rs_factor: NDArray[np.float64]  # by area and zone
    share_error: NDArray[np.float64]  # by block, Rh per Rs
    share: carbon.Line
    npp_smearing: float
    rs_smearing: float
    forms: tuple[str, str]  # the members that stand in for the forests of NPP and Rs


def _sums(chain: Chain, zones: _Zones, models: Sequence[RandomForest]) -> NDArray[np.float64]:
    """Return the sums of the fluxes of the first of a chain's forests, shape (models, areas, zones)."""
    maps = (one.back(model.predict(chain.cells)) for one, model in zip(chain.forests, models, strict=False))
    return np.array([zones.sums(values) for values in maps])


def _refit(chain: Chain, zones: _Zones, varied: Sequence[str], draw: int, seed: int) -> NDArray[np.float64]:
    """Return the sums of forests grown anew, on the rows or with the seeds of a draw."""
    models = []
    # A source alone is drawn under the main scenario, which has no use for the paper's forests.
    for number, one in enumerate(chain.forests if tuple(varied) == SOURCES else chain.forests[:2]):
        flux = number % 2  # our forest and the paper's of a flux draw alike
        rows = _rows(one, draw, seed, flux) if "sites" in varied else np.arange(len(one.table))
        # What is not varied stays that of the run, its seed too: a source alone shows its own part and no other.
        forest_seed = int(_rng(seed, draw, "forest", flux).integers(2**31)) if "forest" in varied else seed
        table = one.table.iloc[rows].reset_index(drop=True)
        models.append(one.make_model(forest_seed).fit(table, one.target[rows]))
    return _sums(chain, zones, models)


def _drawn(chain: Chain, zones: _Zones, after: _AfterForests, varied: Sequence[str], draw: int, seed: int) -> _Drawn:
    """Draw what follows the forests: factors of both maps, the share of Rh and its error, the smearing factors."""
    n_blocks = int(zones.block.max()) + 1
    factors, smearing, forms = [], [], []
    for number, one in enumerate((chain.npp, chain.rs)):
        # A source that is not varied has a spread of zero: its factors are exactly 1, its errors exactly 0.
        spread = one.regional_sd if "regional" in varied else 0.0
        # exp(s z) has the mean exp(s^2 / 2) for a standard normal z. Without the second term every draw of both maps
        # would be too high on average, and a wide error would look like a sink or a source.
        normal = _rng(seed, draw, "regional", number).standard_normal(n_blocks)
        factor = np.exp(spread * normal - spread**2 / 2)[zones.block]
        if "form" in varied and len(after.forms[number]):
            weights = chain.families[number].weights
            form = _rng(seed, draw, "form", number).choice(len(weights), p=weights)
            factors.append(factor * after.forms[number][form])
            forms.append(chain.families[number].names[form])
        else:
            forms.append("")
            factors.append(np.broadcast_to(factor, zones.area.shape))
        # These residuals are those of the rows that this draw's forest is grown on, in _refit.
        rows = _rows(one, draw, seed, number) if "smearing" in varied else slice(None)
        smearing.append(smearing_factor(one.log_residual[rows]))
    scatter = after.line_spread if "line_scatter" in varied else 0.0
    return _Drawn(
        *factors,
        share_error=scatter * _rng(seed, draw, "line_scatter").standard_normal(n_blocks),
        share=_share(chain.pairs, _rng(seed, draw, "line") if "line" in varied else None),
        npp_smearing=smearing[0],
        rs_smearing=smearing[1],
        forms=(forms[0], forms[1]),
    )


def _balance(
    fluxes: NDArray[np.float64], zones: _Zones, drawn: _Drawn, assumption: Scenario
) -> list[dict[str, str | float]]:
    """Return the means of each part of the region under one draw and scenario."""
    weight = AREAS.index(assumption.area)
    area = zones.area[weight]
    # All factors are the same within a zone, so they may multiply its sums: no draw goes back to the cells.
    npp_smearing, rs_smearing = (drawn.npp_smearing, drawn.rs_smearing) if assumption.smeared else (1.0, 1.0)
    npp_sums, rs_sums = fluxes[2:4, weight] if assumption.paper_forests else fluxes[:2, weight]
    npp = drawn.npp_factor[weight] * npp_smearing * npp_sums
    rs = drawn.rs_factor[weight] * rs_smearing * rs_sums
    line = drawn.share if assumption.own_share else carbon.PAPER_LINE
    # The values are sums over a zone, flux x area: the intercept, a flux, counts once for each km2.
    rh = (line.slope + drawn.share_error[zones.block]) * rs + line.intercept * area
    rows = []
    for part, chosen in zip(PARTS, (np.ones_like(zones.inside), zones.inside, ~zones.inside), strict=True):
        total = area[chosen].sum()
        if total > 0:
            fields = zip(QUANTITIES, (npp, rs, rh, npp - rh), strict=True)
            means = {f"{name}_gC_m2_yr": float(field[chosen].sum() / total) for name, field in fields}
            rows.append({"part": part, "area_Mkm2": float(total) / 1e6} | means)
    return rows


def _share(pairs: pd.DataFrame, rng: np.random.Generator | None) -> carbon.Line:
    """Return the share of Rs that is Rh of the pairs, or of those of sites drawn with replacement."""
    chosen = pairs if rng is None else pairs.iloc[resample(pairs["site"], rng)]
    return carbon.fit_share(chosen, "pairs of Rs and Rh")


def _line_spread(chain: Chain) -> float:
    """Return how much the share Rh / Rs of a block differs from that of all, standard deviation."""
    share = chain.pairs["rh"] / chain.pairs["rs"]
    block = block_labels(chain.pairs["longitude"], chain.pairs["latitude"], chain.block_km)
    return between_block_sd(share - share.mean(), block)


def _rows(one: Flux, draw: int, seed: int, number: int) -> NDArray[np.int64]:
    """Return the positions of a draw's rows: whole blocks of them, drawn with replacement."""
    return resample(one.block, _rng(seed, draw, "sites", number))


def _rng(seed: int, draw: int, source: str, number: int = 0) -> np.random.Generator:
    """Return a generator of its own for each draw and source: what else is varied does not change what it draws."""
    return np.random.default_rng([seed, draw, SOURCES.index(source), number])
