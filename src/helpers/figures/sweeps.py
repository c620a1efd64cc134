"""Figures that read a sweep: what the plateau's carbon balance depends on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.figures.style import FLUX_UNITS, INK, blank, letters, panel_letter, require_columns, styled, with_units

_SINK, _SOURCE = "#01665e", "#8c510a"
_NEP = with_units("NEP", FLUX_UNITS)


def _words(name: str) -> str:
    """Return a parameter or a value as words."""
    known = {"npp": "NPP", "rs": "Rs", "rh": "Rh", "soc": "SOC", "lai": "LAI", "2500m": "2500 m", "3000m": "3000 m"}
    return " ".join(known.get(part, part) for part in name.split("_"))


def _colours(nep: pd.Series) -> np.ndarray:
    return np.where(nep > 0, _SINK, _SOURCE)


def _sides(axes: Axes, along: str) -> None:
    """Draw the line between source and sink, and name its sides at its end."""
    if along == "y":
        axes.axhline(0, color=INK, linewidth=0.9, zorder=1)
        place = {"x": 1.005, "y": 0, "ha": "left", "transform": axes.get_yaxis_transform()}
        sides = {"sink": {"va": "bottom"}, "source": {"va": "top"}}
    else:
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        place = {"x": 0, "y": 1.005, "va": "bottom", "transform": axes.get_xaxis_transform()}
        sides = {"  sink": {"ha": "left"}, "source  ": {"ha": "right"}}
    for (side, aligned), colour in zip(sides.items(), (_SINK, _SOURCE), strict=True):
        axes.text(s=side, color=colour, fontweight="bold", **place, **aligned)


@styled
def specification_curve(
    nep: pd.Series, chosen: pd.DataFrame, base: object, reference: tuple[str, float] | None = None
) -> Figure:
    """Draw every cell's NEP in order, and below it the choices that each cell makes.

    Each row of the lower part is one value of a choice; a mark stands below each cell that has it. To its right stands
    the share of these cells that call the plateau a sink.

    Parameters
    ----------
    nep : pandas.Series
        Mean NEP of each cell, g C m-2 yr-1.
    chosen : pandas.DataFrame of bool
        Same index; columns (parameter, value), see :func:`helpers.sweeps.results.choice_table`.
    base : label
        Index of the cell of the paper's path, which is marked.
    reference : tuple of str and float, optional
        A value to compare with and its name, such as the paper's own, g C m-2 yr-1.

    Raises
    ------
    ValueError
        If there is no cell.
    """
    if nep.empty:
        raise ValueError("specification_curve: there is no cell; run the sweep first")
    order = nep.sort_values(kind="stable").index
    place = pd.Series(np.arange(len(order)), order)
    rows = 0.17 * max(chosen.shape[1], 1) + 0.3
    figure = blank(3.0 + rows)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.8, rows])
    top.scatter(place, nep[order], s=float(np.clip(1500 / len(order), 4, 36)), c=_colours(nep[order]), linewidth=0)
    _sides(top, "y")
    top.plot(place[base], nep[base], "D", color="white", markeredgecolor=INK, markersize=7, zorder=4)
    top.annotate(
        "the paper's path",
        (place[base], nep[base]),
        xytext=(8, -14),
        textcoords="offset points",
        fontsize=8.5,
    )
    if reference is not None:
        name, value = reference
        top.axhline(value, color=INK, linestyle=(0, (4, 3)), linewidth=1)
        top.text(0.01, value, f"{name}: {value:+.0f}", transform=top.get_yaxis_transform(), va="bottom", fontsize=8.5)
    top.set_ylabel(_NEP)
    top.tick_params(axis="x", bottom=False)
    _choice_rows(below, place, nep, chosen)
    return figure


def _choice_rows(axes: Axes, place: pd.Series, nep: pd.Series, chosen: pd.DataFrame) -> None:
    """Draw a row of marks for each value of each choice, and the share of sinks at its end."""
    width = float(np.clip(240 / len(place), 0.5, 4))
    parameters = [parameter for parameter, _ in chosen.columns]
    for row, (parameter, value) in enumerate(chosen.columns):
        having = chosen.index[chosen[parameter, value]]
        if list(dict.fromkeys(parameters)).index(parameter) % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="#f1f1f1", linewidth=0, zorder=0)
        axes.vlines(place[having], row - 0.36, row + 0.36, colors=_colours(nep[having]), linewidth=width)
        share = f"{100 * (nep[having] > 0).mean():.0f} %" if len(having) else "none"
        axes.text(1.01, row, share, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    names = [f"{_words(parameter)}: {_words(value)}" for parameter, value in chosen.columns]
    axes.set_yticks(range(len(names)), labels=names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.text(1.01, 1.0, "sinks", transform=axes.transAxes, va="bottom", fontsize=7.5, fontweight="bold")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.set_xlabel(f"{len(place)} cells, in the order of their NEP")


@styled
def choice_effects(table: pd.DataFrame, base: float) -> Figure:
    """Draw where one changed parameter leads, all else on the paper's path.

    Parameters
    ----------
    table : pandas.DataFrame
        ``parameter``, ``value`` and ``nep`` [g C m-2 yr-1], see :func:`helpers.sweeps.results.one_change`.
    base : float
        NEP of the paper's path, g C m-2 yr-1.
    """
    require_columns(table, ["parameter", "value", "nep"], "choice_effects")
    parameters = list(dict.fromkeys(table["parameter"]))
    rows = []
    for parameter in parameters:
        part = table[table["parameter"] == parameter]
        many = len(part) > 8
        rows += (
            [(f"{_words(parameter)}: {len(part)} values", part)]
            if many
            else [(f"{_words(parameter)}: {_words(value)}", part[part["value"] == value]) for value in part["value"]]
        )
    figure = blank(0.9 + 0.19 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(base, color=INK, linestyle=(0, (4, 3)), linewidth=1)
    axes.text(base, 1.04, "the paper's path", transform=axes.get_xaxis_transform(), ha="center", fontsize=8.5)
    for row, (_, part) in enumerate(rows):
        axes.plot([base, *part["nep"]], [row] * (len(part) + 1), color="#c9c9c9", linewidth=1, zorder=1)
        axes.scatter(part["nep"], [row] * len(part), s=22, c=_colours(part["nep"]), linewidth=0, zorder=2)
    axes.set_yticks(range(len(rows)), labels=[name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{_NEP} with this one change")
    axes.margins(x=0.08)
    _sides(axes, "x")
    return figure


@styled
def variance_by_choice(shares: pd.DataFrame, shown: int = 12) -> Figure:
    """Draw the share of the variance of NEP that each choice, and each pair of choices, explains.

    Parameters
    ----------
    shares : pandas.DataFrame
        ``term``, ``parameters`` and ``share``, see :func:`helpers.sweeps.results.variance_shares`.
    shown : int
        Terms to draw at most, those of a thousandth or more; the rest is added up in the last bar.
    """
    require_columns(shares, ["term", "parameters", "share"], "variance_by_choice")
    ordered = shares[shares["parameters"] > 0].sort_values("share", ascending=False)
    shown = min(shown, int((ordered["share"] >= 0.001).sum()))
    bars = [
        (" and ".join(_words(part) for part in t.term.split(" x ")), t.share, t.parameters)
        for t in ordered.head(shown).itertuples()
    ]
    rest = float(ordered["share"].iloc[shown:].sum() + shares.loc[shares["parameters"] == 0, "share"].sum())
    bars.append(("all else", rest, 0))
    figure = blank(0.8 + 0.24 * len(bars), 7.0)
    axes = figure.add_subplot()
    tone = {1: "#0072b2", 2: "#e69f00", 0: "#b8b8b8"}
    drawn = axes.barh(range(len(bars)), [100 * share for _, share, _ in bars], color=[tone[n] for *_, n in bars])
    axes.bar_label(drawn, fmt="%.1f %%", padding=3, fontsize=8)
    axes.set_yticks(range(len(bars)), labels=[name for name, *_ in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    axes.set_xlabel("share of the variance of NEP among the crossed cells [%]")
    for place, (text, number) in enumerate({"one choice": 1, "two choices together": 2}.items()):
        axes.text(
            0.99, 0.1 + 0.07 * place, text, color=tone[number], transform=axes.transAxes, ha="right", weight="bold"
        )
    return figure


@styled
def score_against_budget(done: pd.DataFrame, scores: Mapping[str, str], outcome: str) -> Figure:
    """Draw each cell's NEP against how well its forests predict: do the better ones agree on the sign?

    Parameters
    ----------
    done : pandas.DataFrame
        A row a cell.
    scores : mapping of str to str
        Label of a panel, by the column of a score.
    outcome : str
        Column of NEP, g C m-2 yr-1.
    """
    require_columns(done, [*scores, outcome], "score_against_budget")
    figure = blank(3.4)
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False).ravel()
    for axes, letter, (column, label) in zip(panels, letters(len(scores)), scores.items(), strict=True):
        axes.scatter(done[column], done[outcome], s=14, c=_colours(done[outcome]), alpha=0.6, linewidth=0)
        axes.set_xlabel(label)
        axes.margins(0.06)
        panel_letter(axes, letter)
        axes.axhline(0, color=INK, linewidth=0.9, zorder=1)
    panels[0].set_ylabel(_NEP)
    _sides(panels[-1], "y")
    return figure


@styled
def tree_convergence(table: pd.DataFrame) -> Figure:
    """Draw NEP against the number of trees, a dot a seed.

    Parameters
    ----------
    table : pandas.DataFrame
        ``n_trees``, ``seed`` and ``nep`` [g C m-2 yr-1].
    """
    require_columns(table, ["n_trees", "seed", "nep"], "tree_convergence")
    figure = blank(3.2, 6.0)
    axes = figure.add_subplot()
    axes.scatter(table["n_trees"], table["nep"], s=26, c=_colours(table["nep"]), linewidth=0, zorder=3)
    spread = table.groupby("n_trees")["nep"].agg(["min", "max"])
    axes.vlines(spread.index, spread["min"], spread["max"], color="#c9c9c9", linewidth=1.4, zorder=1)
    axes.set_xscale("log")
    numbers = sorted(set(table["n_trees"]))
    axes.set_xticks(numbers, labels=[str(number) for number in numbers], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("trees of each forest; a dot a seed")
    axes.set_ylabel(_NEP)
    axes.margins(0.12)
    return figure


@styled
def truth_by_design(errors: pd.DataFrame) -> Figure:
    """Draw the error of each cell's NEP against the known truth, by how the sites were placed.

    Parameters
    ----------
    errors : pandas.DataFrame
        ``sampling_design``, ``npp_sites``, ``rs_sites`` and ``error`` [g C m-2 yr-1].
    """
    require_columns(errors, ["sampling_design", "npp_sites", "rs_sites", "error"], "truth_by_design")
    groups = list(errors.groupby(["sampling_design", "npp_sites", "rs_sites"], sort=True))
    figure = blank(1.0 + 0.4 * len(groups), 7.0)
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.text(0, 1.01, "the truth", transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8.5)
    for row, (_, group) in enumerate(groups):
        spread = np.linspace(-0.2, 0.2, len(group)) if len(group) > 1 else [0.0]
        axes.scatter(group["error"], row + np.asarray(spread), s=18, color="#0072b2", alpha=0.7, linewidth=0)
        axes.vlines(group["error"].median(), row - 0.32, row + 0.32, color=INK, linewidth=2)
    axes.set_yticks(range(len(groups)), labels=[f"{key[0]}: {key[1]} NPP, {key[2]} Rs sites" for key, _ in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"error of {_NEP}; the bar is the median")
    axes.margins(x=0.1)
    return figure
