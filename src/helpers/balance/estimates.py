"""From the paper's chain to our estimate, one correction at a time: what does each do to the budget?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.balance import carbon
from helpers.config import Settings
from helpers.sites.training import from_settings
from mapforest.forest import RandomForest
from mapforest.retransform import smearing_factor


def step_by_step(
    settings: Settings,
    published: Mapping[str, pd.DataFrame],
    checked: Mapping[str, pd.DataFrame],
    ours: Mapping[str, pd.DataFrame],
    pairs: pd.DataFrame,
    cells: pd.DataFrame,
) -> pd.DataFrame:
    """Return the budget of the region after each correction; all before it stay.

    The settings give the forests; where the chain has choices, these are the paper's first and ours last. The training
    tables of ``npp`` and ``rs`` are of the sites as they were published, of those that pass the site checks, and those
    of :func:`helpers.forests.choices.training_choices`. The pairs are the site means of
    :func:`helpers.sites.databases.pair_site_means`, the cells those of :func:`helpers.balance.cells.budget_cells`.

    A row is a step: ``step``, ``n_npp`` and ``n_rs`` (training rows), ``area_Mkm2``, the means ``npp_gC_m2_yr``,
    ``rs_gC_m2_yr``, ``rh_gC_m2_yr`` and ``nep_gC_m2_yr``, ``nep_total_TgC_yr``, and ``nep_change_TgC_yr`` from the step
    before, missing in the first. The first is the paper's chain on the records as published, the second the chain of
    notebooks 02 to 05, the last our estimate.
    """

    def grown(tables: Mapping[str, pd.DataFrame], name: str, logarithm: bool) -> RandomForest:
        """Return the run's forest of a flux, or of its logarithm."""
        values = tables[name]["value"]
        forest = from_settings(settings, name, settings.n_trees, settings.seed)
        return forest.fit(tables[name], np.log(values) if logarithm else values)

    def smeared(forest: RandomForest, table: pd.DataFrame) -> float:
        """Return Duan's factor of a forest of logarithms, out of bag."""
        return smearing_factor(np.log(table["value"]) - forest.oob_prediction)

    def as_in_the_paper(tables: Mapping[str, pd.DataFrame]) -> tuple:
        """Return tables with the maps of NPP and Rs of the paper's forests."""
        return tables, grown(tables, "npp", False).predict(cells), np.exp(grown(tables, "rs", True).predict(cells))

    ln_rs, ln_npp = grown(ours, "rs", True), grown(ours, "npp", True)
    rs = smeared(ln_rs, ours["rs"]) * np.exp(ln_rs.predict(cells))
    npp = smeared(ln_npp, ours["npp"]) * np.exp(ln_npp.predict(cells))
    all_predicted, land = cells["predicted_area"].to_numpy(), cells["area"].to_numpy()
    line, share = carbon.PAPER_LINE, carbon.fit_share(pairs, "share of Rs")
    plain = as_in_the_paper(ours)
    steps = {
        "the paper's chain, records as published": (*as_in_the_paper(published), line, all_predicted),
        "the paper's chain, after the site checks": (*as_in_the_paper(checked), line, all_predicted),
        "training sites by held-back error": (*plain, line, all_predicted),
        "Duan's factor for ln Rs": (ours, plain[1], rs, line, all_predicted),
        "forest of ln NPP, with Duan's factor": (ours, npp, rs, line, all_predicted),
        "Rh as a share of Rs": (ours, npp, rs, share, all_predicted),
        "no flux from water, snow and ice: our estimate": (ours, npp, rs, share, land),
    }
    rows = [{"step": step} | _budget(*parts) for step, parts in steps.items()]
    table = pd.DataFrame(rows)
    return table.assign(nep_change_TgC_yr=table["nep_total_TgC_yr"].diff())


def _budget(
    tables: Mapping[str, pd.DataFrame], npp: np.ndarray, rs: np.ndarray, line: carbon.Line, area: np.ndarray
) -> dict[str, float]:
    """Return the budget of one step."""
    fluxes = {"npp": npp, "rs": rs, "rh": line.slope * rs + line.intercept}
    means = {name: float(np.average(field, weights=area)) for name, field in fluxes.items()}
    means["nep"], total = means["npp"] - means["rh"], float(area.sum()) / 1e6
    return (
        {"n_npp": len(tables["npp"]), "n_rs": len(tables["rs"]), "area_Mkm2": total}
        | {f"{name}_gC_m2_yr": mean for name, mean in means.items()}
        | {"nep_total_TgC_yr": means["nep"] * total}
    )
