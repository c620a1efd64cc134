"""The plateau's budget with an interval: which sources of doubt it carries, and how much each contributes.

A draw repeats the chain of two forests, a line and a difference with some of its parts varied at random; the spread of
many draws is the interval. The sources (:data:`SOURCES`):

================  ======================================================================================================
source            what a draw varies
================  ======================================================================================================
``sites``         the training tables: spatial blocks of rows are drawn with replacement, NPP and Rs each for itself
``forest``        the seed of both forests
``regional``      both maps: each region of the plateau gets a lognormal factor of mean 1, as wide as the held-back
                  errors of whole blocks differ from one another
``line``          slope and intercept of the line from Rs to Rh, fitted again to sites drawn with replacement: the two
                  parameters vary together
``line_scatter``  the share of Rs that Rh is, by region, as far as regions scatter about the line
``smearing``      the factor that brings ln Rs back: its residuals are drawn with the blocks of ``sites``
================  ======================================================================================================

What no draw can vary stands beside the interval as scenarios (:data:`SCENARIOS`): how ln Rs is brought back, which
line, what becomes of cells without a covariate. The interval does not carry a bias that all sites share: sites that
people chose, or land unlike any site. Neither cross-validation nor resampling shows that (Wadoux et al. 2021,
https://doi.org/10.1016/j.ecolmodel.2021.109692).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from helpers.balance import carbon
from helpers.config import project_root
from helpers.errors import DataError
from helpers.sites import databases
from mapforest.errors import FoldError
from mapforest.folds import block_labels, group_folds
from mapforest.forest import RandomForest
from mapforest.retransform import smearing_factor
from mapforest.validation import ModelFactory, cross_predict

SOURCES = ("sites", "forest", "regional", "line", "line_scatter", "smearing")
"""Sources of doubt that a draw may vary."""

SOURCE_LABELS = {
    "sites": "sites",
    "forest": "forest seed",
    "regional": "regional error of the maps",
    "line": "line from Rs to Rh",
    "line_scatter": "regional scatter of the line",
    "smearing": "back-transformation factor",
    "all": "all together",
}
"""What the sources are called in figures and in the text."""

ALL = "all"
PARTS = ("plateau", "inside", "outside")
QUANTITIES = ("npp", "rs", "rh", "nep")
WATER = (0, 17)


@dataclass(frozen=True)
class Scenario:
    """An assumption that is chosen, not drawn.

    Attributes
    ----------
    label : str
        The assumption in words.
    smeared : bool
        Bring ln Rs back with Duan's factor; False: by the plain exponential, which is low.
    own_line : bool
        Line from Rs to Rh fitted to this run's pairs; False: the article's Eq. 3, for which no error is known.
    filled : bool
        Let missing cells have the mean of the valid cells of their land-cover class; False: leave them out.
    """

    label: str
    smeared: bool = True
    own_line: bool = True
    filled: bool = False


SCENARIOS: dict[str, Scenario] = {
    "main": Scenario("smearing, own line, missing cells left out"),
    "filled": Scenario("missing cells filled by class mean", filled=True),
    "naive": Scenario("plain exponential of ln Rs", smeared=False),
    "paper_line": Scenario("the article's line", own_line=False),
    "as_paper": Scenario("the article's line and the plain exponential", smeared=False, own_line=False),
}
"""The main assumptions, and what changes when one of them is changed."""


@dataclass(frozen=True, eq=False)
class Flux:
    """One of the two forests with what its draws need, from :func:`flux`.

    Attributes
    ----------
    model : RandomForest or None
        The run's own forest, fitted; None in the copies that are sent to the processes that draw.
    make_model : callable
        From a seed to a smaller forest that has not been fitted; a draw grows one.
    table : pandas.DataFrame, n rows
        Predictors of the training rows.
    target : numpy.ndarray, shape (n,)
        What the forest predicts: NPP, or ln Rs.
    block : numpy.ndarray of int, shape (n,)
        Spatial block of each row.
    log_residual : numpy.ndarray, shape (n,)
        ln observed minus ln predicted, out of bag.
    regional_sd : float
        How much the held-back error of a whole block differs from that of another, in ln units.
    """

    model: RandomForest | None
    make_model: ModelFactory
    table: pd.DataFrame
    target: NDArray[np.float64]
    block: NDArray[np.int64]
    log_residual: NDArray[np.float64]
    regional_sd: float


@dataclass(frozen=True, eq=False)
class Chain:
    """Everything that a draw repeats.

    Attributes
    ----------
    npp, rs : Flux
        The forests of NPP and of ln Rs.
    pairs : pandas.DataFrame
        Sites with ``rs`` and ``rh`` for the line, see :func:`line_pairs`.
    cells : pandas.DataFrame
        Rows of :func:`budget_cells` with a further column ``inside`` (bool): the area of applicability.
    block_km : float
        Edge of the blocks of sites, which is that of the plateau's regions too.
    """

    npp: Flux
    rs: Flux
    pairs: pd.DataFrame
    cells: pd.DataFrame
    block_km: float


def between_block_sd(residual: ArrayLike, block: ArrayLike) -> float:
    r"""Return the standard deviation between blocks that is left when the scatter within them is taken off.

    The method of moments of one-way random effects, for blocks of unequal size [1]_:

    .. math:: \sigma_b^2 = \max\left(0, \frac{MS_b - MS_w}{n_0}\right),\quad
        n_0 = \frac{1}{k - 1}\left(n - \frac{\sum_j n_j^2}{n}\right)

    Scatter within a block averages out over a region; what a block has in common does not.

    Parameters
    ----------
    residual : array_like, shape (n,)
        Residuals; NaN are left out.
    block : array_like, shape (n,)
        Block of each.

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


def resample_blocks(block: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many blocks as there are, with replacement, and return the positions of their rows.

    Parameters
    ----------
    block : array_like, shape (n,)
        Block of each row.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    numpy.ndarray of int
        Positions; a block drawn twice has its rows twice. Blocks differ in size, so their number varies.

    Examples
    --------
    >>> resample_blocks([7, 7, 9], np.random.default_rng(1))
    array([0, 1, 2])
    """
    _, label = np.unique(np.asarray(block), return_inverse=True)
    members = [np.flatnonzero(label == one) for one in range(label.max() + 1)]
    return np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])


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
    model : RandomForest
        The run's forest, fitted on the table.
    make_model : callable
        From a seed to a smaller forest that has not been fitted.
    table : pandas.DataFrame, n rows
        Training table with ``longitude`` and ``latitude``.
    target : array_like, shape (n,)
        What the forest was fitted to.
    block_km : float
        Edge of a block, km.
    seed : int
        Seed of the folds and of the held-back forests.
    logarithmic : bool
        The target is a logarithm already, as ln Rs is.

    Returns
    -------
    Flux

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
    held_back = cross_predict(make_model, table, observed, group_folds(block, min(5, n_blocks), seed), seed)
    log = (lambda values: np.asarray(values, dtype=float)) if logarithmic else _checked_log
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
    """Return the pairs that the line from Rs to Rh is fitted to.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Records as :func:`helpers.sites.databases.rs_rh_pairs` returns them.
    line : {"paper", "site_means", "records"}
        The run's line. The article's line comes without errors; its doubt is taken from our site means.

    Returns
    -------
    pandas.DataFrame
        A row a site, or for ``records`` a row a record.
    """
    return pairs if line == "records" else databases.pair_site_means(pairs)


def budget_cells(cube: xr.Dataset, predictors: Sequence[str], block_km: float, n_years: int = 20) -> pd.DataFrame:
    """Return the cells that the budget is summed over, in their years, with what each row stands for.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates with ``plateau``, ``cell_area`` [km2] and ``land_cover``.
    predictors : sequence of str
        Covariates that a cell must have to be predicted, of both forests together: NPP, Rh and NEP then refer to one
        area.
    block_km : float
        Edge of a region, km.
    n_years : int
        Years of a yearly cube that are taken, evenly spread from the first to the last; all if it has no more. Few
        years are quick and miss: with 4 of 19 years the virtual plateau's mean NPP is off by 3 g C m-2 yr-1.

    Returns
    -------
    pandas.DataFrame
        ``latitude``, ``longitude``, the predictors, and ``area`` [km2], the cell's area divided by its years;
        ``filled_area`` [km2], the same with the land area of the class that lacks a covariate shared out over the valid
        cells of the class; ``region``, the block of the plateau.

    Raises
    ------
    DataError
        If no cell is complete.
    """
    years = cube
    if "time" in cube.dims:
        steps = np.unique(np.linspace(0, cube.sizes["time"] - 1, min(n_years, cube.sizes["time"])).round().astype(int))
        years = cube.isel(time=steps)
    table = years[[*predictors, "cell_area"]].where(cube["plateau"]).to_dataframe().reset_index()
    table = table[["latitude", "longitude", *predictors, "cell_area"]].dropna(ignore_index=True)
    if table.empty:
        raise DataError("no cell of the plateau has all predictors: check the covariates and the mask")
    n_valid = table.groupby(["latitude", "longitude"])["latitude"].transform("size")
    area = table["cell_area"] / n_valid
    land = _land_area(cube)
    share = land / area.groupby(table["land_cover"]).sum()
    return table.drop(columns="cell_area").assign(
        area=area,
        filled_area=area * table["land_cover"].map(share).fillna(1.0),
        region=block_labels(table["longitude"], table["latitude"], block_km),
    )


def with_applicability(cells: pd.DataFrame, places: pd.DataFrame, usable: ArrayLike) -> pd.DataFrame:
    """Return budget cells with the column ``inside``, looked up by their place.

    Parameters
    ----------
    cells : pandas.DataFrame
        From :func:`budget_cells`.
    places : pandas.DataFrame, n rows
        Cells that were judged: ``latitude`` and ``longitude``.
    usable : array_like of bool, shape (n,)
        The judgement. A cell that was not judged is outside.

    Returns
    -------
    pandas.DataFrame
    """
    keys = ["latitude", "longitude"]
    judged = pd.Series(np.asarray(usable, dtype=bool), index=pd.MultiIndex.from_frame(places[keys]))
    return cells.assign(inside=judged.reindex(pd.MultiIndex.from_frame(cells[keys]), fill_value=False).to_numpy())


def missing_cells(cube: xr.Dataset, cells: pd.DataFrame) -> pd.DataFrame:
    """Return what is missing by land-cover class, and whether the scenario ``filled`` can fill it.

    Parameters
    ----------
    cube : xarray.Dataset
        Of the run.
    cells : pandas.DataFrame
        From :func:`budget_cells`.

    Returns
    -------
    pandas.DataFrame
        Columns ``land_cover``, ``land_Mkm2`` (plateau), ``valid_Mkm2``, ``missing_Mkm2`` and ``filled_Mkm2``. Water is
        no land: it is left out.
    """
    table = pd.DataFrame({"land_Mkm2": _land_area(cube)}) / 1e6
    table["valid_Mkm2"] = cells.groupby("land_cover")["area"].sum() / 1e6
    table["filled_Mkm2"] = (cells["filled_area"] - cells["area"]).groupby(cells["land_cover"]).sum() / 1e6
    table = table.fillna(0.0).assign(missing_Mkm2=lambda known: known["land_Mkm2"] - known["valid_Mkm2"])
    table.index = table.index.astype(int)
    columns = ["land_Mkm2", "valid_Mkm2", "missing_Mkm2", "filled_Mkm2"]
    return table.rename_axis("land_cover").sort_values("land_Mkm2", ascending=False)[columns].reset_index()


def draws(chain: Chain, seed: int, n_draws: int, threads: int = 1, alone: Sequence[str] = SOURCES) -> pd.DataFrame:
    """Repeat the chain with its sources varied: all together, and each alone.

    Parameters
    ----------
    chain : Chain
        Both forests, the pairs and the cells.
    seed : int
        Seed of the draws.
    n_draws : int
        Draws with all sources; each source alone gets half as many.
    threads : int
        Processes that draw side by side. They do not change the result.
    alone : sequence of str
        Sources that are also varied alone; empty for the interval without its sources.

    Returns
    -------
    pandas.DataFrame
        A row a draw, scenario and part of the plateau: ``varied`` (``none``, ``all`` or a source), ``draw``,
        ``scenario``, ``part`` (plateau, inside or outside the area of applicability), ``area_Mkm2``, and the means
        ``npp_gC_m2_yr``, ``rs_gC_m2_yr``, ``rh_gC_m2_yr`` and ``nep_gC_m2_yr``. ``none`` is the estimate itself. A
        part without a cell has no rows. Sources alone are drawn under the main scenario only.

    Raises
    ------
    DataError
        If there are fewer than four draws, or the cells lack the column ``inside``.
    """
    if n_draws < 4:
        raise DataError(f"{n_draws} draws make no interval: expected four or more, better a hundred")
    if "inside" not in chain.cells:
        raise DataError("the cells have no column 'inside': assign the area of applicability, or True everywhere")
    zones = _Zones.of(chain.cells)
    base = _sums(chain, zones, chain.npp.model, chain.rs.model)
    spread = _line_spread(chain)
    tasks = [("none", (), 0), *((ALL, SOURCES, draw) for draw in range(n_draws))]
    tasks += [(source, (source,), draw) for source in alone for draw in range(n_draws // 2)]
    refits = [task for task in tasks if {"sites", "forest"} & set(task[1])]
    light = replace(chain, npp=replace(chain.npp, model=None), rs=replace(chain.rs, model=None))
    grown = Parallel(n_jobs=threads)(delayed(_refit)(light, zones, varied, draw, seed) for _, varied, draw in refits)
    sums = {(task[0], task[2]): one for task, one in zip(refits, grown, strict=True)}
    rows = []
    for name, varied, draw in tasks:
        fluxes = sums.get((name, draw), base)
        drawn = _drawn(chain, zones, varied, draw, seed, spread)
        scenarios = SCENARIOS if name in ("none", ALL) else {"main": SCENARIOS["main"]}
        for scenario, assumption in scenarios.items():
            for part in _balance(fluxes, zones, drawn, assumption):
                rows.append({"varied": name, "draw": draw, "scenario": scenario} | part)
    return pd.DataFrame(rows)


def budget_intervals(drawn: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
    """Return the interval of each flux, scenario and part, and the probability of a sink.

    Parameters
    ----------
    drawn : pandas.DataFrame
        From :func:`draws`.
    level : float
        Probability that the interval is to hold under its assumptions.

    Returns
    -------
    pandas.DataFrame
        ``scenario``, ``part``, ``quantity`` (NPP, Rs, Rh, NEP), ``level``, ``valid_area_Mkm2``; the estimate and the
        ends of the interval (quantiles of the draws) as means (``mean_gC_m2_yr``, ``low_gC_m2_yr``, ``high_gC_m2_yr``)
        and totals (``total_TgC_yr``, ``total_low_TgC_yr``, ``total_high_TgC_yr``); ``sd_gC_m2_yr``;
        ``sink_probability``, the share of draws with NEP above zero (NEP only), and its standard error
        ``sink_probability_se`` for this number of draws.

    Raises
    ------
    DataError
        If the level is no probability.
    """
    if not 0 < level < 1:
        raise DataError(f"level is {level}: expected a probability between 0 and 1, such as 0.9")
    known = drawn[drawn["varied"].isin(["none", ALL])]
    rows = []
    for (scenario, part), group in known.groupby(["scenario", "part"], sort=False):
        estimate, varied = group[group["varied"] == "none"].iloc[0], group[group["varied"] == ALL]
        area = float(estimate["area_Mkm2"])
        for quantity in QUANTITIES:
            values = varied[f"{quantity}_gC_m2_yr"]
            mean, (low, high) = estimate[f"{quantity}_gC_m2_yr"], values.quantile([(1 - level) / 2, (1 + level) / 2])
            sink = float((values > 0).mean()) if quantity == "nep" else np.nan
            rows.append(
                {
                    "scenario": scenario,
                    "part": part,
                    "quantity": _label(quantity),
                    "level": level,
                    "valid_area_Mkm2": area,
                    **{"mean_gC_m2_yr": mean, "low_gC_m2_yr": low, "high_gC_m2_yr": high},
                    "sd_gC_m2_yr": values.std(ddof=1),
                    **{"total_TgC_yr": mean * area, "total_low_TgC_yr": low * area, "total_high_TgC_yr": high * area},
                    "sink_probability": sink,
                    "sink_probability_se": np.sqrt(sink * (1 - sink) / len(values)),
                    "n_draws": len(values),
                }
            )
    return pd.DataFrame(rows)


def variance_sources(drawn: pd.DataFrame, part: str = "plateau") -> pd.DataFrame:
    """Return how much each source alone moves the budget, beside all together.

    Parameters
    ----------
    drawn : pandas.DataFrame
        From :func:`draws`.
    part : {"plateau", "inside", "outside"}
        Part of the plateau.

    Returns
    -------
    pandas.DataFrame
        ``source`` (those of :data:`SOURCES`, then ``sum of sources`` and ``all``), ``n_draws``, the standard deviations
        ``npp_sd_gC_m2_yr``, ``rh_sd_gC_m2_yr`` and ``nep_sd_gC_m2_yr``, and ``nep_variance_share``, the variance of NEP
        in units of that with all sources. The shares need not add up to one: sources act together, and variances from
        few draws are rough (50 draws: a standard deviation within about a tenth).
    """
    chosen = drawn[(drawn["scenario"] == "main") & (drawn["part"] == part)]
    columns = [f"{name}_gC_m2_yr" for name in ("npp", "rh", "nep")]
    groups = chosen[chosen["varied"] != "none"].groupby("varied")
    variance = groups[columns].var(ddof=1).reindex([*SOURCES, ALL])
    variance.loc["sum of sources"] = variance.loc[list(SOURCES)].sum()
    variance = variance.reindex([*SOURCES, "sum of sources", ALL])
    table = np.sqrt(variance).rename(columns={name: name.replace("_gC", "_sd_gC") for name in columns})
    table.insert(0, "n_draws", groups.size().reindex(table.index).astype("Int64"))
    total = variance.loc[ALL, "nep_gC_m2_yr"]
    table["nep_variance_share"] = variance["nep_gC_m2_yr"] / total if total > 0 else np.nan
    return table.rename_axis("source").reset_index()


def total_draws(drawn: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the drawn totals of NEP by part of the plateau [Tg C yr-1], all sources varied, main scenario."""
    chosen = drawn[(drawn["varied"] == ALL) & (drawn["scenario"] == "main")]
    total = (chosen["nep_gC_m2_yr"] * chosen["area_Mkm2"]).groupby(chosen["part"], sort=False)
    return {part: values.to_numpy() for part, values in total}


def total_over(cells: pd.DataFrame, field: xr.DataArray) -> float:
    """Return the total of a map over the cells of a budget [Tg C yr-1].

    Parameters
    ----------
    cells : pandas.DataFrame
        From :func:`budget_cells`.
    field : xarray.DataArray, shape (latitude, longitude)
        A flux, g C m-2 yr-1.

    Returns
    -------
    float
    """
    place = {axis: xr.DataArray(cells[axis].to_numpy(), dims="row") for axis in ("latitude", "longitude")}
    return float((field.sel(place).compute().to_numpy() * cells["area"]).sum()) / 1e6


def sign(sink_probability: float, level: float) -> str:
    """Return what an interval says of the balance: a sign where the draws of one side are fewer than its tail.

    Examples
    --------
    >>> sign(0.97, 0.9), sign(0.5, 0.9), sign(0.02, 0.9)
    ('a sink', 'of uncertain sign', 'a source')
    """
    tail = (1 - level) / 2
    return "a source" if sink_probability < tail else "a sink" if sink_probability > 1 - tail else "of uncertain sign"


def stated_total(budget: pd.DataFrame, part: str) -> str:
    """Return NEP of a part of the plateau as words: its total and, in brackets, its interval [Tg C yr-1].

    Parameters
    ----------
    budget : pandas.DataFrame
        From :func:`budget_intervals`.
    part : {"plateau", "inside", "outside"}
        Part of the plateau.

    Returns
    -------
    str
        ``none`` where the part has no cell.
    """
    chosen = (budget["scenario"] == "main") & (budget["part"] == part) & (budget["quantity"] == "NEP")
    totals = budget.loc[chosen, ["total_TgC_yr", "total_low_TgC_yr", "total_high_TgC_yr"]]
    return "{:+.0f} ({:+.0f} to {:+.0f})".format(*totals.iloc[0]) if len(totals) else "none"


def worlds_with_truth() -> pd.DataFrame:
    """Return whether the interval held the truth in many virtual worlds: ``data/virtual/coverage.csv``."""
    return pd.read_csv(project_root() / "data" / "virtual" / "coverage.csv", comment="#")


def coverage_of_worlds(worlds: pd.DataFrame) -> pd.DataFrame:
    """Return the share of worlds whose interval held the truth.

    Parameters
    ----------
    worlds : pandas.DataFrame
        From :func:`worlds_with_truth`.

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario``, ``part``, ``quantity``, ``coverage``, ``worlds`` (their number).
    """
    held = worlds.groupby(["scenario", "part", "quantity"], sort=False)["held"]
    return held.agg(coverage="mean", worlds="size").reset_index()


@dataclass(frozen=True, eq=False)
class _Zones:
    """Pieces of the plateau within which nothing differs between draws but the sums: a region, inside or outside."""

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
        zones = cls(label, weight, np.empty(0), pieces // 2, pieces % 2 == 1)
        return replace(zones, area=zones.sums(np.ones(len(cells))))

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


def _sums(chain: Chain, zones: _Zones, npp: RandomForest, rs: RandomForest) -> NDArray[np.float64]:
    """Return the sums of NPP and of the plain exponential of ln Rs by zone, shape (2 fluxes, 2 weights, zones)."""
    fields = (npp.predict(chain.cells), np.exp(rs.predict(chain.cells)))
    return np.array([zones.sums(field) for field in fields])


def _refit(chain: Chain, zones: _Zones, varied: Sequence[str], draw: int, seed: int) -> NDArray[np.float64]:
    """Return the sums of forests grown anew, on rows or with seeds of a draw."""
    models = []
    for number, one in enumerate((chain.npp, chain.rs)):
        rows = _rows(one, draw, seed, number) if "sites" in varied else np.arange(len(one.table))
        forest_seed = int(_rng(seed, draw, "forest", number).integers(2**31)) if "forest" in varied else seed
        models.append(one.make_model(forest_seed).fit(one.table.iloc[rows].reset_index(drop=True), one.target[rows]))
    return _sums(chain, zones, *models)


def _drawn(chain: Chain, zones: _Zones, varied: Sequence[str], draw: int, seed: int, line_spread: float) -> _Drawn:
    n_regions = int(zones.region.max()) + 1
    sd = (chain.npp.regional_sd, chain.rs.regional_sd) if "regional" in varied else (0.0, 0.0)
    factors = [
        np.exp(one * _rng(seed, draw, "regional", number).standard_normal(n_regions) - one**2 / 2)
        for number, one in enumerate(sd)
    ]
    scatter = line_spread if "line_scatter" in varied else 0.0
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
    npp = fluxes[0, weight] * drawn.npp_factor[zones.region]
    rs = fluxes[1, weight] * drawn.rs_factor[zones.region] * (drawn.smearing if assumption.smeared else 1.0)
    own = (drawn.slope, drawn.intercept)
    slope, intercept = own if assumption.own_line else (carbon.PAPER_LINE.slope, carbon.PAPER_LINE.intercept)
    rh = (slope + drawn.share_error[zones.region]) * rs + intercept * area
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
    chosen = pairs.iloc[resample_blocks(pairs["site"], rng)]
    # A draw of one and the same Rs has no slope: it says as little as none, and the fit to all stands.
    return carbon.fit_line(chosen if np.ptp(chosen["rs"]) > 0 else pairs, "resampled pairs")


def _line_spread(chain: Chain) -> float:
    """Return how much the share Rh / Rs of a region differs from the line's, standard deviation."""
    line = _line(chain.pairs, None)
    share_error = (chain.pairs["rh"] - line.slope * chain.pairs["rs"] - line.intercept) / chain.pairs["rs"]
    block = block_labels(chain.pairs["longitude"], chain.pairs["latitude"], chain.block_km)
    return between_block_sd(share_error - share_error.mean(), block)


def _rows(one: Flux, draw: int, seed: int, number: int) -> NDArray[np.int64]:
    return resample_blocks(one.block, _rng(seed, draw, "sites", number))


def _rng(seed: int, draw: int, source: str, number: int = 0) -> np.random.Generator:
    """Return a generator of its own for each draw and source: what else is varied does not change what it draws."""
    return np.random.default_rng([seed, draw, SOURCES.index(source), number])


def _checked_log(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=float)
    bad = np.flatnonzero(values <= 0)
    if bad.size:
        raise DataError(
            f"a flux of {values[bad[0]]:g} in row {bad[0]} has no logarithm: relative errors need fluxes above zero"
        )
    return np.log(values)


def _land_area(cube: xr.Dataset) -> pd.Series:
    """Return the plateau's area by land-cover class, km2, without water."""
    cover = cube["land_cover"].where(cube["plateau"]).to_numpy().ravel()
    area = pd.Series(cube["cell_area"].to_numpy().ravel()).groupby(cover).sum()
    return area.drop(labels=[name for name in WATER if name in area.index])


def _label(quantity: str) -> str:
    return {"npp": "NPP", "rs": "Rs", "rh": "Rh", "nep": "NEP"}[quantity]
