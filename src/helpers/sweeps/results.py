"""What the sink depends on: reading the table of a sweep.

The table has a row per cell, see :func:`helpers.sweeps.collect.collect`. Some cells are combinations of the sweep's
axes; in those every choice meets every other, so that the variance of NEP can be shared out among the choices. The
other cells change one thing, or few, against the base. ``done`` is always the table that :func:`complete` returns.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.regression.linear_model import RegressionResultsWrapper
from statsmodels.stats.anova import anova_lm

from helpers.config import Settings
from helpers.errors import RunError
from helpers.runs.files import sweep_results

#: The outcome that the choices are judged by.
NEP = "nep_mean_gC_m2_yr"


def read_results(sweep: str, world: str) -> pd.DataFrame:
    """Return the table of a sweep of ``config/sweeps/``, of one run here or that which comes with the book.

    It has no rows where there is neither. Its attribute ``made`` says how that of the book was made. RunError is raised
    if its cells are not of this ``world``: a book of a simulated one must not show results of the real one as its own.
    """
    path = sweep_results(sweep)
    if path is None:
        return pd.DataFrame({"cell": [], "status": []})
    head = [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines()[:5] if line.startswith("#")]
    table = pd.read_csv(path, skiprows=len(head), keep_default_na=False, na_values=[""])
    texts = table.select_dtypes(exclude="number").columns
    table[texts] = table[texts].fillna("")
    table.attrs["made"] = "; ".join(head)
    if set(table["world"]) != {world}:
        found = ", ".join(sorted(set(table["world"])))
        raise RunError(
            f"sweep {sweep!r} is of the world {found}, this run of the world {world}: "
            f"name a sweep of its own world by the parameter `sweep` ({path})"
        )
    return table


def headline(results: pd.DataFrame, sweep: str) -> str:
    """Return how many cells of how many there are, as Markdown, where they come from, or the command that runs them."""
    command = f"`make sweep SWEEP=config/sweeps/{sweep or 'ci'}.yml`"
    if results.empty:
        return f"**This sweep was not run.** {command} runs it; then `make book` shows its results here."
    counts = results["status"].value_counts()
    text = f"Sweep `{sweep}`: **{counts.get('done', 0)} of {len(results)} cells** are done."
    failed = results[results["status"] == "failed"]
    if len(failed):
        named = "; ".join(f"`{row.cell}` ({row.error})" for row in failed.head(3).itertuples())
        text += f" {len(failed)} failed: {named}{' and others' if len(failed) > 3 else ''}."
    if counts.get("not run", 0):
        text += f" {counts['not run']} were not run yet: {command} goes on."
    if results.attrs.get("made"):
        text += (
            f" The table comes with the book ({results.attrs['made']}). It is the work of the code at that commit, not "
            f"of the code that made the other pages; {command} makes it anew."
        )
    if set(results["world"]) == {"virtual"}:
        text += " Its world is simulated: it says what the method depends on there, and nothing about the plateau."
    return text


def count_cells(results: pd.DataFrame) -> pd.DataFrame:
    """Return the number of cells by status: columns ``status`` and ``cells``; zeros where nothing was run."""
    counts = results["status"].value_counts()
    return pd.DataFrame([{"status": name, "cells": int(counts.get(name, 0))} for name in ("done", "failed", "not run")])


def complete(results: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that are done and have an NEP; a RunError is raised if no cell is done."""
    if NEP not in results:
        raise RunError("no cell of the sweep is done: run it first, `make sweep SWEEP=config/sweeps/ci.yml`")
    return results[(results["status"] == "done") & results[NEP].notna()].reset_index(drop=True)


def choices(done: pd.DataFrame) -> list[str]:
    """Return the parameters that differ among cells, in the order of the settings; ``world`` is not one of them."""
    known = [key for key in Settings.model_fields if key in done and key != "world"]
    return [key for key in known if len(done[key].unique()) > 1]


def base_cell(done: pd.DataFrame) -> pd.Series:
    """Return the cell that others are compared with: ``base``, else the first that has most of the commonest values."""
    named = done[done["cell"] == "base"]
    if len(named):
        return named.iloc[0]
    common = done[choices(done)].mode().iloc[0]
    return done.loc[(done[common.index] == common).sum(axis=1).idxmax()]


def share_of_sinks(done: pd.DataFrame) -> float:
    """Return the share of cells that call the region a sink: NEP above zero."""
    return float((done[NEP] > 0).mean())


def best_tenth(done: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return the best tenth of the cells by a score, and all that equal its last: those of one forest have one."""
    return done.nlargest(max(1, len(done) // 10), score, keep="all")


def choice_table(done: pd.DataFrame) -> pd.DataFrame:
    """Return which choices each cell makes, true or false, for the lower part of a specification curve.

    A row is a cell, a column a pair of parameter and value. A parameter of the axes has a column for each of its
    values; any other has one, ``changed``, which is true where the value is not the base's.
    """
    base, crossed = base_cell(done), done[done["crossed"]]
    columns: dict[tuple[str, str], pd.Series] = {}
    for key in choices(done):
        values = list(dict.fromkeys([base[key], *crossed[key]]))
        if len(values) > 1:
            columns |= {(key, str(value)): done[key] == value for value in values}
    for key in choices(done):
        if len(crossed[key].unique()) < 2:
            columns[key, "changed"] = done[key] != base[key]
    return pd.DataFrame(columns, index=done.index)


def one_change(done: pd.DataFrame) -> pd.DataFrame:
    """Return what one changed parameter does to the base's NEP.

    There is a row per cell that differs from the base in one parameter alone; parameters are sorted by their largest
    difference. Columns are ``parameter``, ``value``, and ``nep`` and ``difference`` [g C m-2 yr-1].
    """
    base, keys = base_cell(done), choices(done)
    changed = done[keys].ne(base[keys])
    single = done[changed.sum(axis=1) == 1]
    rows = [
        {"parameter": key, "value": str(row[key]), "nep": row[NEP], "difference": row[NEP] - base[NEP]}
        for (_, row), key in zip(single.iterrows(), changed.loc[single.index].idxmax(axis=1), strict=True)
    ]
    table = pd.DataFrame(rows, columns=["parameter", "value", "nep", "difference"])
    largest = table["difference"].abs().groupby(table["parameter"]).transform("max")
    return table.loc[largest.sort_values(ascending=False, kind="stable").index]


def when_left_out(results: pd.DataFrame, predictor: str) -> str:
    """Return in words what NEP of the base becomes when both forests do not see a predictor.

    The results are those of :func:`read_results`: a sweep may not have been run, or not have asked.
    """
    single = one_change(complete(results)) if NEP in results else pd.DataFrame({"parameter": [], "value": []})
    row = single[(single["parameter"] == "left_out") & (single["value"] == predictor)]
    if row.empty:
        return "not asked in this run's sweep"
    nep, difference = row.iloc[0][["nep", "difference"]]
    return f"{nep:+.0f} in place of {nep - difference:+.0f} g C m⁻² yr⁻¹".replace("-", "\N{MINUS SIGN}")


def variance_shares(done: pd.DataFrame) -> pd.DataFrame:
    """Share out the variance of NEP among the choices: main effects, pairs, and what is left to larger groups.

    An analysis of variance of the cells that combine the axes, with sums of squares of type II: in a full cross they
    are the first- and second-order indices of Sobol. They tell what matters among the values that the sweep tried, each
    value weighing alike, and not how likely a value is.

    The columns are ``term`` (a parameter, ``a x b``, or ``three or more together``; where the cells that are done tell
    no pairs apart, ``two or more together``), ``parameters`` (their number, 0 for the rest) and ``share`` of the sum of
    squares; greatest first. There is no row where fewer than two choices are crossed, NEP does not vary, or the cells
    that are done cannot tell the choices apart.
    """
    crossed = done[done["crossed"]]
    keys = choices(crossed)
    if len(keys) < 2 or len(crossed[NEP].unique()) < 2:
        return pd.DataFrame({"term": [], "parameters": [], "share": []})
    coded = {f"choice_{i}": pd.factorize(crossed[key])[0] for i, key in enumerate(keys)}
    frame = pd.DataFrame({"outcome": crossed[NEP].to_numpy(), **coded})
    fit = _effects(frame)
    if fit is None:
        return pd.DataFrame({"term": [], "parameters": [], "share": []})
    squares = anova_lm(fit, typ=2)["sum_sq"]
    total = float(((frame["outcome"] - frame["outcome"].mean()) ** 2).sum())
    rows = []
    for term, value in squares.drop("Residual").items():
        # statsmodels calls a pair C(choice_0, Sum):C(choice_1, Sum).
        names = [keys[int(part.split("_")[1].split(",")[0])] for part in term.split(":")]
        rows.append({"term": " x ".join(names), "parameters": len(names), "share": float(value) / total})
    rest = "three" if any(row["parameters"] == 2 for row in rows) else "two"
    rows.append({"term": f"{rest} or more together", "parameters": 0, "share": float(squares["Residual"]) / total})
    return pd.DataFrame(rows).sort_values("share", ascending=False, ignore_index=True)


def _effects(frame: pd.DataFrame) -> RegressionResultsWrapper | None:
    """Fit main effects and pairs, else main effects alone; None where the cells do not tell the choices apart."""
    main = " + ".join(f"C({name}, Sum)" for name in frame.columns.drop("outcome"))
    for formula in (f"({main}) ** 2", main):
        model = smf.ols(f"outcome ~ {formula}", frame)
        # Every effect must be estimable by itself, and cells must be left over to estimate the rest.
        if np.linalg.matrix_rank(model.exog) == model.exog.shape[1] < len(frame):
            return model.fit()
    return None


def convergence(done: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that differ from the base in the number of trees, and in the seed, alone.

    Columns are ``n_trees``, ``seed`` and ``nep`` [g C m-2 yr-1]; rows are sorted by the number of trees.
    """
    base, keys = base_cell(done), [key for key in choices(done) if key not in ("n_trees", "seed")]
    same = done[(done[keys] == base[keys]).all(axis=1)]
    table = same[["n_trees", "seed", NEP]].rename(columns={NEP: "nep"})
    return table.sort_values(["n_trees", "seed"], ignore_index=True)


def truth_errors(done: pd.DataFrame) -> pd.DataFrame:
    """Return the error of each cell's NEP against the truth of a simulated world; no rows where no truth is known.

    Columns are ``cell``, ``sampling_design``, ``npp_sites``, ``rs_sites`` and ``error`` [g C m-2 yr-1], above zero
    where NEP is too high.
    """
    known = f"true_{NEP}"
    if known not in done:
        return pd.DataFrame({"cell": [], "sampling_design": [], "npp_sites": [], "rs_sites": [], "error": []})
    columns = ["cell", "sampling_design", "npp_sites", "rs_sites"]
    return done[columns].assign(error=done[NEP] - done[known]).dropna(subset="error")


def top_choices(shares: pd.DataFrame, number: int = 3) -> Sequence[str]:
    """Return the choices with the greatest main effects, greatest first."""
    return shares[shares["parameters"] == 1].nlargest(number, "share")["term"].tolist()
