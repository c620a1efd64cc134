r"""What new plots would add: how plans fared in virtual worlds, which is proposed, and the interval to expect.

``data/virtual/designs.csv`` has many virtual worlds in which the plots of each design of :mod:`mapforest.designs` were
built, measured and used (``benchmarks/where_to_measure.py``). New plots shrink the part of the spread that comes from
which sites are there, and no other. With the variance V of all draws, the part :math:`V_s` of the sources
:data:`SHRINKING` for each flux, and the share :math:`\lambda_k` of the mean's variance that k plots leave
(:func:`mapforest.designs.variance_left`), the spread of NEP shrinks by

.. math:: \rho_k = \sqrt{1 - c\, g_k / V}

.. math:: g_k = V_{s,\mathrm{NPP}} (1 - \lambda_{k,\mathrm{NPP}}) + V_{s,R_h} (1 - \lambda_{k,R_s})

.. math:: c = \min\left(1, \frac{V}{V_{s,\mathrm{NPP}} + V_{s,R_h}}\right)

where c keeps variances of few draws, which are rough, from adding up to more than all. NPP and Rh alone have one of the
two terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from helpers.config import project_root
from helpers.errors import DataError
from helpers.names import FLUX_UNITS, design_name, pretty_units
from mapforest.designs import DESIGNS

#: Sources of :data:`helpers.balance.draws.SOURCES` that new plots shrink: which sites there are, and their residuals.
SHRINKING: Final = ("sites", "smearing")
#: What a design is measured by: this one, with this number of plots.
BASELINE, JUDGED_PLOTS = "strata", 20
#: The simplest that one can do: plots drawn at random by area, whatever is measured there already.
RANDOM: Final = "at_random"
#: Level of the intervals over worlds, and resamples of the worlds.
LEVEL, RESAMPLES = 0.9, 5000

_TERMS = {"NPP": ("npp",), "Rs": ("rs",), "NEP": ("npp", "rh")}  # of the variance that can shrink
_PLANNED = {"npp": "npp", "rs": "rs", "rh": "rs"}  # by what a plot must measure to shrink it


def worlds() -> pd.DataFrame:
    """Return how plans fared in virtual worlds: ``data/virtual/designs.csv``, a row per world, design and number."""
    return pd.read_csv(project_root() / "data" / "virtual" / "designs.csv", comment="#")


def compared(found: pd.DataFrame, against: str = BASELINE) -> pd.DataFrame:
    """Compare the designs over the worlds of :func:`worlds`, each with one of them, ``against``, in the same world.

    A world that lacks a design that another has, or has it twice, raises DataError.

    Returns
    -------
    pandas.DataFrame
        A row per ``design`` (``none`` without plots), ``plots`` and ``quantity`` (NPP, Rs, NEP): ``n_worlds``;
        ``mae_gC_m2_yr`` and ``rmse_gC_m2_yr``, the mean absolute and the root mean square error of the region's mean;
        ``difference_gC_m2_yr``, its mean absolute error less that of ``against`` with as many plots, and the ends of
        its 90 % interval over worlds drawn with replacement (``difference_low_gC_m2_yr``,
        ``difference_high_gC_m2_yr``): below zero is better than that; ``width_ratio``, the mean width of the interval
        as a share of that without new plots, and ``foretold_ratio``, what was to be expected of it, see the module's
        text.
    """
    keys = ["design", "plots"]
    table = found.sort_values("seed", kind="stable")
    seeds = np.unique(table["seed"])
    for key, group in table.groupby(keys):
        if group["seed"].tolist() != seeds.tolist():
            raise DataError(
                f"designs.csv has {key[0]} with {key[1]} plots in the worlds {group['seed'].tolist()}: expected each "
                f"of {seeds.tolist()} once; make it again with benchmarks/where_to_measure.py"
            )
    drawn = np.random.default_rng(0).integers(len(seeds), size=(RESAMPLES, len(seeds)))
    before = _row(table, "none", 0)
    rows = []
    for design, plots in table[keys].drop_duplicates().itertuples(index=False):
        own = _row(table, design, plots)
        base = before if design == "none" else _row(table, against, plots)
        for quantity in _TERMS:
            name = quantity.lower()
            error, width, first = (
                own[f"{name}_error_gC_m2_yr"],
                own[f"{name}_width_gC_m2_yr"],
                before[f"{name}_width_gC_m2_yr"],
            )
            difference = (error.abs() - base[f"{name}_error_gC_m2_yr"].abs()).to_numpy()
            low, high = np.quantile(difference[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            rows.append(
                {
                    "design": design,
                    "plots": plots,
                    "quantity": quantity,
                    "n_worlds": len(seeds),
                    "mae_gC_m2_yr": error.abs().mean(),
                    "rmse_gC_m2_yr": np.sqrt((error**2).mean()),
                    "difference_gC_m2_yr": difference.mean(),
                    "difference_low_gC_m2_yr": low,
                    "difference_high_gC_m2_yr": high,
                    "width_ratio": width.mean() / first.mean(),
                    "foretold_ratio": (_foretold(before, own, quantity) * first).sum() / first.sum(),
                }
            )
    return pd.DataFrame(rows)


def _row(table: pd.DataFrame, design: str, plots: int) -> pd.DataFrame:
    """Return the worlds of one plan, by their seed."""
    return table[(table["design"] == design) & (table["plots"] == plots)].set_index("seed")


def _foretold(before: pd.DataFrame, own: pd.DataFrame, quantity: str) -> NDArray[np.float64]:
    """Return the ratio of each world's spread with new plots to that without, as it was to be expected."""
    parts = {term: before[f"{term}_site_sd_gC_m2_yr"].to_numpy() ** 2 for term in _TERMS[quantity]}
    left = {term: own[f"{_PLANNED[term]}_variance_left"].to_numpy() for term in parts}
    return shrunk(before[f"{quantity.lower()}_sd_gC_m2_yr"].to_numpy() ** 2, parts, left)


def shrunk(variance: ArrayLike, parts: Mapping[str, ArrayLike], left: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Return by what a spread shrinks when of some parts of its variance only shares are left, see the module's text.

    The parts and the shares that are ``left`` of them have the same keys; all broadcast together.

    Examples
    --------
    >>> float(shrunk(100.0, {"npp": 36.0, "rh": 28.0}, {"npp": 0.0, "rh": 1.0}))
    0.8
    """
    variance, whole = np.asarray(variance, float), sum(np.asarray(part, float) for part in parts.values())
    gone = sum(np.asarray(part, float) * (1 - np.asarray(left[name], float)) for name, part in parts.items())
    return np.sqrt(1 - gone / np.maximum(variance, whole))


def proposed_design(table: pd.DataFrame) -> tuple[str, str]:
    """Return the design that the virtual worlds speak for, and the sentence that says so.

    The table is that of :func:`compared`. A design is better than random strata if the whole interval of its difference
    in the absolute error of NEP is below zero at :data:`JUDGED_PLOTS` plots; of several that with the least mean
    absolute error is proposed, and if there is none, strata, the simplest. Habits are not judged.
    """
    nep = table[table["quantity"] == "NEP"]
    judged = nep[nep["plots"] == JUDGED_PLOTS].sort_values("mae_gC_m2_yr", kind="stable")
    rivals = judged[judged["design"].isin(set(DESIGNS) - {BASELINE})]
    if rivals.empty:
        raise DataError(f"no design but {BASELINE} has {JUDGED_PLOTS} plots: the worlds cannot say which is better")
    better = rivals[rivals["difference_high_gC_m2_yr"] < 0]
    first = (rivals if better.empty else better).iloc[0]
    without, strata = (
        rows["mae_gC_m2_yr"].iloc[0] for rows in (nep[nep["plots"] == 0], judged[judged["design"] == BASELINE])
    )
    errors = (
        f"the mean absolute error of NEP was {first['mae_gC_m2_yr']:.1f} by {design_name(first['design'])}, "
        f"{strata:.1f} by random strata and {without:.1f} without new plots; the first differs from the second by "
        f"{_difference(first)}"
    )
    said = f"In {first['n_worlds']} virtual worlds with {JUDGED_PLOTS} new plots, {errors}."
    if better.empty:
        return BASELINE, f"{said} No design is surely better than random strata, so these, the simplest, are proposed."
    return str(first["design"]), f"{said} So {design_name(first['design'])} is proposed."


def beside_random(table: pd.DataFrame, design: str) -> str:
    """Return in a sentence whether the virtual worlds tell a design from plots drawn at random by area.

    The table is that of :func:`compared` against :data:`RANDOM`. The rule of :func:`proposed_design` does not ask this:
    where sites lie close together, random strata fill few strata, and can be worse than no strata at all.
    """
    own = table[(table["quantity"] == "NEP") & (table["plots"] == JUDGED_PLOTS)].set_index("design")
    row, called = own.loc[design], design_name(design)
    low, high = row["difference_low_gC_m2_yr"], row["difference_high_gC_m2_yr"]
    answer = f"{called} is surely better" if high < 0 else f"{called} is surely worse" if low > 0 else "that is open"
    return (
        f"Is it better than plots drawn at random by area, whose error was {own.loc[RANDOM, 'mae_gC_m2_yr']:.1f}? "
        f"The difference is {_difference(row)}: {answer}."
    )


def _difference(row: pd.Series) -> str:
    """Return the difference of a row of :func:`compared`, with its interval."""
    numbers = [row[f"difference{end}_gC_m2_yr"] for end in ("", "_low", "_high")]
    mean, low, high = (f"{number:+.1f}".replace("-", "\N{MINUS SIGN}") for number in numbers)
    return f"{mean} ({low} to {high}) {pretty_units(FLUX_UNITS)}"


def expected_interval(budget: pd.DataFrame, sources: pd.DataFrame, left: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Return the interval to expect of NPP, Rh and NEP after the first k plots of a plan, for each k.

    Only what more sites can shrink does (:data:`SHRINKING`); the ends keep their distance from the estimate in
    proportion. Where the estimate itself will be, nobody knows.

    Parameters
    ----------
    budget : pandas.DataFrame
        The intervals of :func:`helpers.balance.uncertainty.budget_intervals`, with their scenario ``main``.
    sources : pandas.DataFrame
        The table of :func:`helpers.balance.uncertainty.variance_sources`.
    left : mapping
        For each flux that the plots measure, ``npp``, ``rs`` or both: the share of its mean's variance that is left
        after the first k plots, shape (n + 1,), from :func:`mapforest.designs.variance_left`.

    Returns
    -------
    pandas.DataFrame
        Columns ``plots`` (0 to n), ``quantity``, ``ratio`` (width as a share of that without plots), the estimate and
        the ends as means (``mean_gC_m2_yr``, ``low_gC_m2_yr``, ``high_gC_m2_yr``) and totals (``total_TgC_yr``,
        ``total_low_TgC_yr``, ``total_high_TgC_yr``).
    """
    if not left or set(left) - {"npp", "rs"} or len({len(np.asarray(share)) for share in left.values()}) != 1:
        raise DataError(f"left has {sorted(left)}: expected npp, rs or both, as many shares of each")
    shares = {name: np.asarray(share, float) for name, share in left.items()}
    n = len(next(iter(shares.values())))
    own = budget[(budget["scenario"] == "main") & (budget["part"] == "region")].set_index("quantity")
    variance = sources.set_index("source")[[f"{name}_sd_gC_m2_yr" for name in ("npp", "rh", "nep")]] ** 2
    tables = []
    for quantity, terms in {"NPP": ("npp",), "Rh": ("rh",), "NEP": ("npp", "rh")}.items():
        parts = {term: variance.loc[list(SHRINKING), f"{term}_sd_gC_m2_yr"].sum() for term in terms}
        rest = {term: shares.get(_PLANNED[term], np.ones(n)) for term in terms}
        ratio = shrunk(variance.loc["all", f"{quantity.lower()}_sd_gC_m2_yr"], parts, rest)
        table = pd.DataFrame({"plots": range(n), "quantity": quantity, "ratio": ratio})
        row = own.loc[quantity]
        for kind, unit in (("", "gC_m2_yr"), ("total_", "TgC_yr")):
            middle = row[f"{kind or 'mean_'}{unit}"]
            table[f"{kind or 'mean_'}{unit}"] = middle
            for end in ("low", "high"):
                table[f"{kind}{end}_{unit}"] = middle + ratio * (row[f"{kind}{end}_{unit}"] - middle)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
