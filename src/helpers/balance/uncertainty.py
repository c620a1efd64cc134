"""What the draws of the region's budget say: its interval, the probability of a sink, where the spread comes from.

``drawn`` is a table of :func:`helpers.balance.draws.draw_budgets`; :mod:`helpers.balance.draws` explains its sources
and scenarios.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.balance.draws import ALL, ESTIMATE, QUANTITIES, SOURCES
from helpers.balance.verdict import WHOLE, rounded
from helpers.config import project_root
from helpers.errors import DataError
from mapforest.metrics import interval_score


def budget_intervals(drawn: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return the interval of each flux, scenario and part of the region, and the probability of a sink.

    The interval of draws should hold the true value with the probability ``level``, if its assumptions are right; a
    level that is no probability raises a DataError.

    Returns
    -------
    pandas.DataFrame
        ``scenario``, ``part``, ``quantity`` (NPP, Rs, Rh, NEP), ``level``, ``valid_area_Mkm2``; the estimate and the
        ends of the interval (quantiles of the draws) as means (``mean_gC_m2_yr``, ``low_gC_m2_yr``, ``high_gC_m2_yr``)
        and totals (``total_TgC_yr``, ``total_low_TgC_yr``, ``total_high_TgC_yr``); ``sd_gC_m2_yr``;
        ``sink_probability``, the share p of draws with NEP above zero (NEP only), with the standard error of a share
        of n draws, sqrt(p (1 - p) / n), in ``sink_probability_se``; ``n_draws``.
    """
    if not 0 < level < 1:
        raise DataError(f"level is {level}: expected a probability between 0 and 1, such as 0.9")
    known = drawn[drawn["varied"].isin([ESTIMATE, ALL])]
    rows = []
    for (scenario, part), group in known.groupby(["scenario", "part"], sort=False):
        estimate, varied = group[group["varied"] == ESTIMATE].iloc[0], group[group["varied"] == ALL]
        area = float(estimate["area_Mkm2"])
        for quantity, name in QUANTITIES.items():
            values = varied[f"{quantity}_gC_m2_yr"]
            mean, (low, high) = estimate[f"{quantity}_gC_m2_yr"], values.quantile([(1 - level) / 2, (1 + level) / 2])
            sink = float((values > 0).mean()) if quantity == "nep" else np.nan
            row = {"scenario": scenario, "part": part, "quantity": name, "level": level, "valid_area_Mkm2": area}
            row |= {"mean_gC_m2_yr": mean, "low_gC_m2_yr": low, "high_gC_m2_yr": high}
            row |= {"sd_gC_m2_yr": values.std(ddof=1)}
            row |= {"total_TgC_yr": mean * area, "total_low_TgC_yr": low * area, "total_high_TgC_yr": high * area}
            row |= {"sink_probability": sink, "sink_probability_se": np.sqrt(sink * (1 - sink) / len(values))}
            rows.append(row | {"n_draws": len(values)})
    return pd.DataFrame(rows)


def beside_published(budget: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return this run's intervals for the plateau and what others published, in one table.

    The budget is that of :func:`budget_intervals`: its main scenario is ours, ``as_paper`` is the paper's chain on this
    run's maps. ``published`` is a table of :func:`helpers.balance.paper.published_estimates`. The columns are ``flux``
    (NEP [Tg C yr-1], NPP or GPP [g C m-2 yr-1]), ``label``, ``kind`` (``this run`` or ``published``), ``value``,
    ``low`` and ``high``. A published range has no value of its own; its middle stands there.
    """
    rows = []
    plateau = budget[budget["part"] == "region"].set_index(["scenario", "quantity"])
    for scenario, name in (("main", "this run"), ("as_paper", "the paper's chain, this run")):
        for flux, columns in (
            ("NEP", ["total_TgC_yr", "total_low_TgC_yr", "total_high_TgC_yr"]),
            ("NPP", ["mean_gC_m2_yr", "low_gC_m2_yr", "high_gC_m2_yr"]),
        ):
            found = plateau.loc[(scenario, flux)]
            if flux == "NEP" or scenario == "main":  # both scenarios have one NPP
                rows.append((flux, name, "this run", *found[columns]))
    ours = pd.DataFrame(rows, columns=["flux", "label", "kind", "value", "low", "high"])
    theirs = published.assign(kind="published", value=(published["low"] + published["high"]) / 2)
    return pd.concat([ours, theirs[ours.columns]], ignore_index=True)


def variance_sources(drawn: pd.DataFrame) -> pd.DataFrame:
    """Return how much each source alone moves the region's budget, beside all together.

    The columns are ``source`` (:data:`helpers.balance.draws.SOURCES`, then ``sum of sources`` and ``all``),
    ``n_draws``, the standard deviations ``npp_sd_gC_m2_yr``, ``rh_sd_gC_m2_yr`` and ``nep_sd_gC_m2_yr``, and
    ``nep_variance_share``, the variance of NEP divided by that with all sources. The shares need not add up to one:
    sources act together, and variances from few draws are rough (50 draws: a standard deviation within about a tenth).
    """
    chosen = drawn[(drawn["scenario"] == "main") & (drawn["part"] == "region") & (drawn["varied"] != ESTIMATE)]
    columns = [f"{name}_gC_m2_yr" for name in ("npp", "rh", "nep")]
    groups = chosen.groupby("varied")
    variance = groups[columns].var(ddof=1).reindex([*SOURCES, ALL])
    variance.loc["sum of sources"] = variance.loc[list(SOURCES)].sum()
    variance = variance.reindex([*SOURCES, "sum of sources", ALL])
    table = np.sqrt(variance).rename(columns={name: name.replace("_gC", "_sd_gC") for name in columns})
    table.insert(0, "n_draws", groups.size().reindex(table.index).astype("Int64"))
    total = variance.loc[ALL, "nep_gC_m2_yr"]
    table["nep_variance_share"] = variance["nep_gC_m2_yr"] / total if total > 0 else np.nan
    return table.rename_axis("source").reset_index()


def sink_by_form(drawn: pd.DataFrame, families: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return how the draws with each model of NPP, and with each of Rs, answer whether the region is a sink.

    The families are the table of :func:`helpers.forests.families.scored` with ``flux`` (NPP or Rs). The columns are
    ``flux``, ``member``, ``weight`` and ``r2_explained`` (of the region's held-back sites), ``n_draws``,
    ``sink_share`` (of these draws, NaN without one), ``nep_mean_gC_m2_yr``, and of all draws but these, which is what
    the answer would be if the model were not believed: ``sink_share_without``, and the ends of the interval that should
    hold the total with the probability ``level``, ``low_without_TgC_yr`` and ``high_without_TgC_yr``. The last column,
    ``moved_TgC_yr``, is how far the end that moves more is from that of all draws.
    """
    chosen = drawn[(drawn["varied"] == ALL) & (drawn["scenario"] == "main") & (drawn["part"] == "region")]
    judged = families[(families["where"] == "region") & (families["weight"] > 0)]
    total, levels = chosen["nep_gC_m2_yr"] * chosen["area_Mkm2"], [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for row in judged.itertuples():
        own = chosen[f"{row.flux.lower()}_form"] == row.member
        nep, rest = chosen.loc[own, "nep_gC_m2_yr"], chosen.loc[~own, "nep_gC_m2_yr"]
        found = (len(nep), (nep > 0).mean(), nep.mean(), (rest > 0).mean())
        ends = total[~own].quantile(levels)
        moved = np.abs(ends - total.quantile(levels)).max()
        rows.append((row.flux, row.member, row.weight, row.r2_explained, *found, *ends, moved))
    columns = ["flux", "member", "weight", "r2_explained", "n_draws", "sink_share", "nep_mean_gC_m2_yr"]
    columns += ["sink_share_without", "low_without_TgC_yr", "high_without_TgC_yr", "moved_TgC_yr"]
    return pd.DataFrame(rows, columns=columns)


def total_draws(drawn: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the drawn totals of NEP by part of the region [Tg C yr-1], all sources varied, main scenario."""
    chosen = drawn[(drawn["varied"] == ALL) & (drawn["scenario"] == "main")]
    total = (chosen["nep_gC_m2_yr"] * chosen["area_Mkm2"]).groupby(chosen["part"], sort=False)
    return {part: values.to_numpy() for part, values in total}


def total_over(cells: pd.DataFrame, field: xr.DataArray) -> float:
    """Return the total of a map [g C m-2 yr-1] over the cells of a budget, Tg C yr-1."""
    place = {axis: xr.DataArray(cells[axis].to_numpy(), dims="row") for axis in ("latitude", "longitude")}
    return float((field.sel(place).compute().to_numpy() * cells["area"]).sum()) / 1e6


def stated_total(budget: pd.DataFrame, part: str) -> str:
    """Return NEP of a part of the region in words: total and interval [Tg C yr-1], ``none`` without a cell.

    The digits are those that the part that is known worst can have, so that numbers beside each other agree.
    """
    nep = budget[(budget["scenario"] == "main") & (budget["quantity"] == "NEP")].set_index("part")
    if part not in nep.index:
        return "none"
    spread = max((nep["sd_gC_m2_yr"] * nep["valid_area_Mkm2"]).max(), WHOLE)
    total = nep.loc[part, ["total_TgC_yr", "total_low_TgC_yr", "total_high_TgC_yr"]]
    return "{:+.0f} ({:+.0f} to {:+.0f})".format(*(rounded(value, spread) for value in total))


def worlds_with_truth() -> pd.DataFrame:
    """Return whether the interval held the truth in many virtual worlds: ``data/virtual/coverage.csv``."""
    return pd.read_csv(project_root() / "data" / "virtual" / "coverage.csv", comment="#")


def coverage_of_worlds(worlds: pd.DataFrame) -> pd.DataFrame:
    """Return how well the intervals of many virtual worlds held their truths.

    The rows are those of :func:`worlds_with_truth`. The result has a row per ``scenario``, ``part`` and ``quantity``:
    ``worlds``, ``coverage`` (share of worlds whose interval held the truth) with its standard error ``coverage_se``,
    ``mean_width_gC_m2_yr``, ``bias_gC_m2_yr`` (mean of estimate less truth) and
    ``interval_score_gC_m2_yr`` (mean over the worlds, see :func:`mapforest.metrics.interval_score`; smaller is better).
    """
    low, high, truth = (worlds[f"{name}_gC_m2_yr"] for name in ("low", "high", "true"))
    judged = worlds.assign(
        held=truth.between(low, high),
        width=high - low,
        bias=worlds["mean_gC_m2_yr"] - truth,
        score=interval_score(truth, low, high, worlds["level"]),
    )
    keys = ["scenario", "part", "quantity"]
    table = judged.groupby(keys, sort=False).agg(
        worlds=("held", "size"),
        coverage=("held", "mean"),
        mean_width_gC_m2_yr=("width", "mean"),
        bias_gC_m2_yr=("bias", "mean"),
        interval_score_gC_m2_yr=("score", "mean"),
    )
    share = table["coverage"]
    table.insert(table.columns.get_loc("coverage") + 1, "coverage_se", np.sqrt(share * (1 - share) / table["worlds"]))
    return table.reset_index()
