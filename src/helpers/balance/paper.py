"""The paper's own numbers: its tables and claims, the arithmetic between them, and ours beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from helpers.config import project_root
from helpers.errors import DataError


@dataclass(frozen=True)
class Check:
    """One step of arithmetic on the paper's own numbers.

    Parameters
    ----------
    claim : str
        The claim that is checked, an ``id`` of ``data/paper/claims.csv``.
    formula : str
        The step, as a reader would write it, with the ids of claims in braces.
    value : callable
        Takes the values by id and returns what the claim should be.
    meaning : str
        What the step assumes, in words.
    """

    claim: str
    formula: str
    value: Callable[[Mapping[str, float]], float]
    meaning: str


def _underestimate(product: str) -> Check:
    """Return the check of a product's NPP, which the paper gives only by way of its NEP."""
    return Check(
        "npp_under",
        f"100 x (1 - ((1 - {{qrfm_under}} / 100) x {{rh_mean}} + {{nep_mean_{product}}}) / {{npp_mean}})",
        lambda c: 100 * (1 - ((1 - c["qrfm_under"] / 100) * c["rh_mean"] + c[f"nep_mean_{product}"]) / c["npp_mean"]),
        f"NPP of {product.upper()} is its NEP plus the Rh of QRFM",
    )


def _total(suffix: str, pair: str) -> Check:
    """Return the check of a total against its mean and the plateau's area: g C m-2 x million km2 = Tg C."""
    mean = f"nep_mean{suffix}"
    return Check(
        f"nep_total{suffix}",
        f"{{{mean}}} x {{area}}",
        lambda c: c[mean] * c["area"],
        f"the total of {pair} is its mean times the plateau's area",
    )


def _area(suffix: str, pair: str) -> Check:
    """Return the check of the area that a total and a mean imply."""
    total, mean = f"nep_total{suffix}", f"nep_mean{suffix}"
    return Check("area", f"{{{total}}} / {{{mean}}}", lambda c: c[total] / c[mean], f"the area that {pair} implies")


def _fit(forest: str, table: int, figure: str) -> Check:
    """Return the check of a forest's R2 in the supplement against its r in a table."""
    return Check(
        f"{forest}_fit_r2",
        f"{{table{table}_r}}^2",
        lambda c: c[f"table{table}_r"] ** 2,
        f"the forest has one r at the sites, in figure {figure} and in table {table}",
    )


_PAIRS = {"": "the forests", "_modis": "MODIS - QRFM", "_casa": "CASA - QRFM", "_glopem": "GLOPEM - QRFM"}


#: What the paper's numbers say about each other. ``table1_r`` and ``table2_r`` are the forests' r of tables 1 and 2.
ARITHMETIC: tuple[Check, ...] = (
    Check(
        "nep_mean",
        "{npp_mean} - {rh_mean}",
        lambda c: c["npp_mean"] - c["rh_mean"],
        "NEP is NPP less Rh, and 255.3 is Rh, as figure 6c draws it",
    ),
    Check(
        "nep_mean",
        "{npp_mean} - ({rs_rh_slope} x {rh_mean} + {rs_rh_intercept})",
        lambda c: c["npp_mean"] - (c["rs_rh_slope"] * c["rh_mean"] + c["rs_rh_intercept"]),
        "NEP is NPP less Rh, and 255.3 is Rs, as the text calls it",
    ),
    *(_total(suffix, pair) for suffix, pair in _PAIRS.items()),
    *(_area(suffix, pair) for suffix, pair in _PAIRS.items()),
    *(_underestimate(product) for product in ("modis", "casa", "glopem")),
    _fit("npp", 1, "S2"),
    _fit("rs", 2, "S3"),
)


#: Relative differences between a stated and an implied number: what rounding in print explains, and what slightly
#: different cells might.
ROUNDING, NEARLY = 0.01, 0.05


def paper_table(number: int) -> pd.DataFrame:
    """Return table 1 or 2 of the paper.

    Parameters
    ----------
    number : {1, 2}
        The table's number.

    Returns
    -------
    pandas.DataFrame
        Index ``metric``; a column a model, without those that this table does not have.
    """
    table = pd.read_csv(_paper_file("tables.csv"))
    chosen = table[table["table"].str.startswith(str(number))]
    if chosen.empty:
        raise DataError(f"the paper has no table {number}; expected 1 or 2")
    return chosen.drop(columns=["table", "unit"]).set_index("metric").dropna(axis="columns", how="all")


def paper_claims() -> pd.DataFrame:
    """Return the numbers that the paper states: columns ``id``, ``claim``, ``value``, ``unit`` and ``where``.

    ``value`` is a float, NaN where the paper gives a range.
    """
    claims = pd.read_csv(_paper_file("claims.csv"))
    claims["stated"] = claims["value"].astype(str)
    claims["value"] = pd.to_numeric(claims["value"], errors="coerce")
    return claims


def audit_table() -> pd.DataFrame:
    """Return every step of :data:`ARITHMETIC` on the paper's own numbers.

    Returns
    -------
    pandas.DataFrame
        A row a step: ``claim`` (its id), ``unit``, ``meaning``, ``arithmetic`` (with the numbers in it), ``implied``
        (its result), ``stated`` (what the paper says) and ``agrees``: ``yes`` within rounding (1 %) or a stated range,
        ``nearly`` within 5 %, else ``no``.
    """
    claims = paper_claims().set_index("id")
    stated = claims["stated"].to_dict() | {
        f"table{number}_r": f"{paper_table(number).loc['r', 'random_forest']:g}" for number in (1, 2)
    }
    values = {name: float(text) for name, text in stated.items() if _is_number(text)}
    rows = []
    for check in ARITHMETIC:
        implied = check.value(values)
        rows.append(
            {
                "claim": check.claim,
                "unit": claims.loc[check.claim, "unit"],
                "meaning": check.meaning,
                "arithmetic": check.formula.format(**stated),
                "implied": implied,
                "stated": stated[check.claim],
                "agrees": _verdict(implied, stated[check.claim]),
            }
        )
    return pd.DataFrame(rows)


def claims_table(ours: Mapping[str, float]) -> pd.DataFrame:
    """Return each claim of the paper with our value, and whether the paper's own numbers agree with it.

    Parameters
    ----------
    ours : mapping of str to float
        Our values by the claims' ids; a claim without one is left open.

    Returns
    -------
    pandas.DataFrame
        Columns ``id``, ``claim``, ``unit``, ``where``, ``paper``, ``ours``, ``arithmetic`` (the steps of
        :func:`audit_table`, with their results) and ``agrees`` (their verdicts, empty where there is no step).

    Raises
    ------
    DataError
        If a value is given for a claim that the paper does not make.
    """
    claims = paper_claims().set_index("id")
    unknown = sorted(set(ours) - set(claims.index))
    if unknown:
        raise DataError(f"the paper makes no claim {unknown}; its claims: {list(claims.index)}")
    table = claims[["claim", "unit", "where"]].assign(paper=claims["stated"])
    table["ours"] = pd.Series(dict(ours), dtype="float64").reindex(table.index)
    steps = audit_table()
    steps["step"] = [f"{text} = {value:.4g}" for text, value in zip(steps["arithmetic"], steps["implied"], strict=True)]
    by_claim = steps.groupby("claim")
    table["arithmetic"] = by_claim["step"].agg("; ".join).reindex(table.index, fill_value="")
    table["agrees"] = (
        by_claim["agrees"].agg(lambda verdicts: ", ".join(verdicts.unique())).reindex(table.index, fill_value="")
    )
    return table.reset_index()


def our_claims(
    budgets: pd.DataFrame, validation: pd.DataFrame, fits: pd.DataFrame, cube: xr.Dataset
) -> dict[str, float]:
    """Return this run's values for the paper's claims, by their ids.

    Parameters
    ----------
    budgets : pandas.DataFrame
        As :func:`helpers.balance.budgets.budget_table` returns it.
    validation : pandas.DataFrame
        As :func:`mapforest.validation.summarise` returns it, with ``model`` ``NPP`` and ``ln Rs``.
    fits : pandas.DataFrame
        As :func:`helpers.balance.carbon.line_table` returns it, with the line ``site_means``.
    cube : xarray.Dataset
        With ``plateau`` and ``cell_area`` [km2].

    Returns
    -------
    dict of str to float
        A claim about a product that this run has not is left out. The fit pools training and verification sites, as
        the paper's does.
    """
    score = validation.set_index(["model", "scheme", "part", "metric"]).sort_index()
    found = budgets.set_index(["quantity", "product"])
    line = fits.set_index("line").loc["site_means"]
    ours = {
        "area": float(cube["cell_area"].where(cube["plateau"]).sum()) / 1e6,
        "rs_rh_slope": line["slope"],
        "rs_rh_intercept": line["intercept_gC_m2_yr"],
        "rs_rh_r2": line["r2"],
    }
    for name, model in {"npp": "NPP", "rs": "ln Rs"}.items():
        pooled = score.loc[(model, "random_split", "pooled")]
        ours[f"{name}_n"] = pooled.loc["r", "n"]
        ours[f"{name}_fit_r2"] = pooled.loc["r2_correlation", "value"]
        ours[f"{name}_fit_slope"] = pooled.loc["slope", "value"]
    if ("Rs", "QRFM") in found.index:
        rs = found["common_mean_gC_m2_yr"]["Rs"]
        ours["qrfm_under"] = 100 * (1 - rs["QRFM"] / rs["Random forest"])
    for claim, key in _BUDGET_CLAIMS.items():
        if key in found.index:
            ours[f"{claim[0]}_mean{claim[1]}"] = found.loc[key, "mean_gC_m2_yr"]
            if claim[0] == "nep":
                ours[f"nep_total{claim[1]}"] = found.loc[key, "total_TgC_yr"]
    return {name: float(value) for name, value in ours.items()}


def paper_means(budgets: pd.DataFrame) -> pd.DataFrame:
    """Return the means that the paper states for the quantities and products of a table of budgets.

    Parameters
    ----------
    budgets : pandas.DataFrame
        Columns ``quantity`` and ``product``.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``product`` and ``mean_gC_m2_yr``; a row a mean that the paper states.
    """
    stated = paper_claims().set_index("id")["value"]
    present = set(zip(budgets["quantity"], budgets["product"], strict=True))
    rows = [(*key, stated[f"{flux}_mean{suffix}"]) for (flux, suffix), key in _BUDGET_CLAIMS.items() if key in present]
    return pd.DataFrame(rows, columns=["quantity", "product", "mean_gC_m2_yr"])


#: Which row of a table of budgets a claim speaks of: (flux, suffix of the claim's id) -> (quantity, product).
_BUDGET_CLAIMS = {
    ("npp", ""): ("NPP", "Random forest"),
    ("rh", ""): ("Rh", "Random forest"),
    ("nep", ""): ("NEP", "NEP1"),
    ("nep", "_modis"): ("NEP", "NEP2 (MODIS)"),
    ("nep", "_casa"): ("NEP", "NEP3 (CASA)"),
    ("nep", "_glopem"): ("NEP", "NEP4 (GLOPEM)"),
}


def _is_number(text: str) -> bool:
    return pd.notna(pd.to_numeric(text, errors="coerce"))


def _verdict(implied: float, stated: str) -> str:
    """Compare a number with a stated one, or with a stated range such as ``30-70``."""
    if not _is_number(stated):
        low, high = (float(part) for part in stated.split("-"))
        return "yes" if low <= implied <= high else "no"
    difference = abs(implied / float(stated) - 1)
    return "yes" if difference <= ROUNDING else "nearly" if difference <= NEARLY else "no"


def _paper_file(name: str) -> Path:
    return project_root() / "data" / "paper" / name


def published_sinks() -> pd.DataFrame:
    """Return what others published as the plateau's sink, from ``data/paper/published_estimates.csv``.

    Returns
    -------
    pandas.DataFrame
        Columns ``label``, ``low`` and ``high`` [Tg C yr-1] (equal where a work gives one number), ``source``,
        ``period`` and ``read`` (how much of the work was read). Only rows with a number in Tg C yr-1 of NEP or net
        uptake.
    """
    table = pd.read_csv(project_root() / "data" / "paper" / "published_estimates.csv", dtype=str)
    net = table["quantity"].str.startswith(("NEP", "net uptake")) & (table["unit"] == "Tg C yr-1")
    found = table[net & table["value"].notna()].reset_index(drop=True)
    ends = found["value"].str.extract(r"^(-?[\d.]+)(?:-([\d.]+))?$").astype(float)
    period = found["period"].map(lambda years: f", {years}" if isinstance(years, str) else "")
    return found[["source", "period", "read"]].assign(
        label=found["source"] + period, low=ends[0], high=ends[1].fillna(ends[0])
    )[["label", "low", "high", "source", "period", "read"]]
