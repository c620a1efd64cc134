"""The paper's own numbers: its tables and claims, the arithmetic between them, and ours beside them."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from helpers.config import project_root
from helpers.errors import DataError

_PAIRS = {"": "the forests", "_modis": "MODIS - QRFM", "_casa": "CASA - QRFM", "_glopem": "GLOPEM - QRFM"}
#: What the paper's numbers say about each other: the claim that is checked, an ``id`` of ``data/paper/claims.csv``; a
#: formula that gives it, with the ids of claims in braces; what the formula assumes. ``table1_r`` and ``table2_r`` are
#: the forests' r of tables 1 and 2.
ARITHMETIC: tuple[tuple[str, str, str], ...] = (
    ("nep_mean", "{npp_mean} - {rh_mean}", "NEP is NPP less Rh, and 255.3 is Rh, as figure 6c draws it"),
    (
        "nep_mean",
        "{npp_mean} - ({rs_rh_slope} x {rh_mean} + {rs_rh_intercept})",
        "NEP is NPP less Rh, and 255.3 is Rs, as the text calls it",
    ),
    *(  # g C m-2 yr-1 x million km2 = Tg C yr-1
        (
            f"nep_total{end}",
            f"{{nep_mean{end}}} x {{area}}",
            f"the total of {pair} is its mean times the plateau's area",
        )
        for end, pair in _PAIRS.items()
    ),
    *(
        ("area", f"{{nep_total{end}}} / {{nep_mean{end}}}", f"the area that {pair} implies")
        for end, pair in _PAIRS.items()
    ),
    *(  # the paper gives the NPP of a product only by way of its NEP
        (
            "npp_under",
            f"100 x (1 - ((1 - {{qrfm_under}} / 100) x {{rh_mean}} + {{nep_mean_{product}}}) / {{npp_mean}})",
            f"NPP of {product.upper()} is its NEP plus the Rh of QRFM",
        )
        for product in ("modis", "casa", "glopem")
    ),
    ("npp_fit_r2", "{table1_r}^2", "the forest has one r at the sites, in figure S2 and in table 1"),
    ("rs_fit_r2", "{table2_r}^2", "the forest has one r at the sites, in figure S3 and in table 2"),
)
#: Relative differences between a stated and an implied number: what rounding in print explains, and what slightly
#: different cells might.
_ROUNDING, _NEARLY = 0.01, 0.05
#: Which row of a table of budgets a claim speaks of: (flux, suffix of the claim's id) -> (quantity, product).
_BUDGET_CLAIMS = {
    ("npp", ""): ("NPP", "Random forest"),
    ("rh", ""): ("Rh", "Random forest"),
    ("nep", ""): ("NEP", "Random forest"),
    ("nep", "_modis"): ("NEP", "MODIS"),
    ("nep", "_casa"): ("NEP", "CASA"),
    ("nep", "_glopem"): ("NEP", "GLOPEM"),
}


def paper_table(number: int) -> pd.DataFrame:
    """Return table 1 or 2 of the paper: a row per ``metric``, which is the index, and a column per model of that table.

    Another number raises a ``DataError``.
    """
    table = _read("tables.csv")
    chosen = table[table["table"].str.startswith(str(number))]
    if chosen.empty:
        raise DataError(f"the paper has no table {number}; expected 1 or 2")
    return chosen.drop(columns=["table", "unit"]).set_index("metric").dropna(axis="columns", how="all")


def paper_claims() -> pd.DataFrame:
    """Return the numbers that the paper states.

    The columns are ``id``, ``claim``, ``value`` (NaN where the paper gives a range), ``unit``, ``where`` and ``stated``
    (the value as text).
    """
    claims = _read("claims.csv")
    claims["stated"] = claims["value"].astype(str)
    claims["value"] = pd.to_numeric(claims["value"], errors="coerce")
    return claims


def audit_table() -> pd.DataFrame:
    """Return every step of :data:`ARITHMETIC` on the paper's own numbers.

    The columns are ``claim`` (its id), ``unit``, ``meaning``, ``arithmetic`` (with the numbers in it), ``implied`` (its
    result), ``stated`` (what the paper says) and ``agrees``: ``yes`` within rounding (1 %) or a stated range,
    ``nearly`` within 5 %, else ``no``.
    """
    claims = paper_claims().set_index("id")
    stated = claims["stated"].to_dict()
    stated |= {f"table{number}_r": f"{paper_table(number).loc['r', 'random_forest']:g}" for number in (1, 2)}
    rows = []
    for claim, formula, meaning in ARITHMETIC:
        arithmetic = formula.format(**stated)
        # The text that the reader sees is what is computed.
        implied = float(pd.eval(arithmetic.replace(" x ", " * ").replace("^", "**"), engine="python"))
        found = (implied, stated[claim], _verdict(implied, stated[claim]))
        rows.append((claim, claims.loc[claim, "unit"], meaning, arithmetic, *found))
    return pd.DataFrame(rows, columns=["claim", "unit", "meaning", "arithmetic", "implied", "stated", "agrees"])


def claims_table(ours: Mapping[str, float]) -> pd.DataFrame:
    """Return each claim of the paper with our value, and whether the paper's own numbers agree with it.

    ``ours`` has our values by the claims' ids; a claim without one is left open, and an id that is no claim raises a
    DataError. The columns are ``id``, ``claim``, ``unit``, ``where``, ``paper``, ``ours``, ``arithmetic`` (the steps of
    :func:`audit_table`, with their results) and ``agrees`` (their verdicts, empty where there is no step).
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
    found = {"arithmetic": by_claim["step"].agg("; ".join), "agrees": by_claim["agrees"].agg(_distinct)}
    found = {name: column.reindex(table.index, fill_value="") for name, column in found.items()}
    return table.assign(**found).reset_index()


def our_claims(
    budgets: pd.DataFrame, validation: pd.DataFrame, fits: pd.DataFrame, cube: xr.Dataset
) -> dict[str, float]:
    """Return this run's values for the paper's claims, by their ids.

    Claims about what this run does not have, a product or a forest of NPP itself, are left out. The fit pools training
    and verification sites, as the paper's does. The budgets are those of :func:`helpers.balance.budgets.budget_table`,
    the validation that of :func:`mapforest.validation.summarise` with ``model`` ``NPP`` and ``ln Rs``, the fits those
    of :func:`helpers.balance.carbon.line_table` with the line ``site_means``; the cube has ``in_region`` and
    ``cell_area`` [km2].
    """
    score = validation.set_index(["model", "scheme", "part", "metric"]).sort_index()
    found = budgets.set_index(["quantity", "product"])
    line = fits.set_index("line").loc["site_means"]
    ours = {
        "area": cube["cell_area"].where(cube["in_region"]).sum() / 1e6,
        "rs_rh_slope": line["slope"],
        "rs_rh_intercept": line["intercept_gC_m2_yr"],
        "rs_rh_r2": line["r2"],
    }
    for name, model in {"npp": "NPP", "rs": "ln Rs"}.items():
        if model not in score.index.unique("model"):
            continue
        pooled = score.loc[(model, "random_split", "pooled")]
        ours[f"{name}_n"] = pooled.loc["r", "n"]
        ours[f"{name}_fit_r2"] = pooled.loc["r2_correlation", "value"]
        ours[f"{name}_fit_slope"] = pooled.loc["slope", "value"]
    if ("Rs", "QRFM") in found.index:
        rs = found["common_mean_gC_m2_yr"]["Rs"]
        ours["qrfm_under"] = 100 * (1 - rs["QRFM"] / rs["Random forest"])
    for (flux, suffix), row in _BUDGET_CLAIMS.items():
        if row in found.index:
            ours[f"{flux}_mean{suffix}"] = found.loc[row, "mean_gC_m2_yr"]
            if flux == "nep":
                ours[f"nep_total{suffix}"] = found.loc[row, "total_TgC_yr"]
    return {name: float(value) for name, value in ours.items()}


def paper_means(budgets: pd.DataFrame) -> pd.DataFrame:
    """Return the means that the paper states for the ``quantity`` and ``product`` pairs of a table of budgets.

    The columns are ``quantity``, ``product`` and ``mean_gC_m2_yr``; there is one row per mean that the paper states.
    """
    stated = paper_claims().set_index("id")["value"]
    present = set(zip(budgets["quantity"], budgets["product"], strict=True))
    rows = [(*row, stated[f"{flux}_mean{suffix}"]) for (flux, suffix), row in _BUDGET_CLAIMS.items() if row in present]
    return pd.DataFrame(rows, columns=["quantity", "product", "mean_gC_m2_yr"])


def published_estimates(plateau_Mkm2: float) -> pd.DataFrame:
    """Return every number that others published of the plateau, from ``data/paper/published_estimates.csv``.

    NPP and GPP are given per area; a total is spread over the plateau, of ``plateau_Mkm2`` million km2. The columns are
    ``flux`` (NEP, NPP or GPP; net uptake counts as NEP), ``label``, ``low`` and ``high`` (equal where a work gives one
    number; NEP in Tg C yr-1, the others in g C m-2 yr-1), ``source``, ``period`` and ``read`` (how much of the work was
    read).
    """
    table = _read("published_estimates.csv", dtype=str)
    found = table[table["value"].notna()].reset_index(drop=True)
    ends = found["value"].str.extract(r"^(-?[\d.]+)(?:-([\d.]+))?$").astype(float)
    flux = found["quantity"].str.split().str[0].replace("net", "NEP")
    # Tg C yr-1 / million km2 = g C m-2 yr-1
    per_area = (flux != "NEP") & (found["unit"] == "Tg C yr-1")
    ends = ends.div(per_area.map({True: plateau_Mkm2, False: 1.0}), axis=0)
    label = found["source"] + (", " + found["period"]).fillna("")
    found = found.assign(flux=flux, label=label, low=ends[0], high=ends[1].fillna(ends[0]))
    return found[["flux", "label", "low", "high", "source", "period", "read"]]


def published_sinks() -> pd.DataFrame:
    """Return the rows of :func:`published_estimates` that are of NEP, Tg C yr-1, without ``flux``."""
    found = published_estimates(plateau_Mkm2=1.0)
    return found[found["flux"] == "NEP"].drop(columns="flux").reset_index(drop=True)


def published_gpp() -> float:
    """Return the published GPP of the plateau, Tg C yr-1."""
    return float(published_estimates(plateau_Mkm2=1.0).set_index("flux").loc["GPP", "low"])


def _verdict(implied: float, stated: str) -> str:
    """Compare a number with a stated one, or with a stated range such as ``30-70``."""
    low, dash, high = stated.rpartition("-")
    if dash and low:  # not the minus of a number
        return "yes" if float(low) <= implied <= float(high) else "no"
    difference = abs(implied / float(stated) - 1)
    return "yes" if difference <= _ROUNDING else "nearly" if difference <= _NEARLY else "no"


def _distinct(texts: pd.Series) -> str:
    """Return each text once, in the order of the table."""
    return ", ".join(texts.unique())


def _read(name: str, **how: object) -> pd.DataFrame:
    """Read a table of ``data/paper``."""
    return pd.read_csv(project_root() / "data" / "paper" / name, **how)
