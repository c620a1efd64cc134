"""Figures that read a sweep: what the region's carbon balance depends on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.figures import style, words
from helpers.names import FLUX_UNITS, choice_name, pretty_units, with_units

_NEP = with_units("NEP", FLUX_UNITS)
_TERMS = 12
#: Units of the choices that have one.
_UNITS = {"resolution": "°", "soc_depth": " cm"}
_DASHED = {"color": style.INK, "linestyle": (0, (4, 3)), "linewidth": 1}


@style.styled
def specification_curve(
    nep: pd.Series, chosen: pd.DataFrame, base: object, reference: tuple[str, float]
) -> style.BookFigure:
    """Draw every cell's NEP in order, and below it the choices that each cell makes.

    Each row of the lower part is one value of a choice; a mark stands below each cell that has it. To its right stands
    the share of these cells that call the region a sink. ``chosen`` has the index of ``nep`` and the columns
    (parameter, value), see :func:`helpers.sweeps.results.choice_table`; ``base`` is the cell of the paper's path, which
    is marked; the reference is a name and a value to compare with. Without a cell a ValueError is raised.
    """
    if nep.empty:
        raise ValueError("specification_curve: there is no cell; run the sweep first")
    order = nep.sort_values(kind="stable").index
    place = pd.Series(np.arange(len(order)), order)
    rows = style.row_height(0.19) * max(chosen.shape[1], 1) + 0.3
    figure = style.blank(3.0 + rows)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.8, rows])
    size = float(np.clip(1500 / len(order), 4, 36))
    top.scatter(place, nep[order], s=size, c=style.sign_colours(nep[order]), linewidth=0)
    _sides(top, "y")
    top.plot(place[base], nep[base], zorder=4, **style.DIAMOND)
    beside = {"xytext": (8, -14), "textcoords": "offset points", "fontsize": style.SMALL}
    top.annotate("the paper's path", (place[base], nep[base]), **beside)
    name, compared = reference
    top.axhline(compared, **_DASHED)
    top.text(
        0.01,
        compared,
        f"{name}: {compared:+.0f}",
        transform=top.get_yaxis_transform(),
        va="bottom",
        fontsize=style.SMALL,
    )
    top.set_ylabel(_NEP)
    top.tick_params(axis="x", bottom=False)
    _choice_rows(below, place, nep, chosen)
    alt = _of_curve(nep, chosen, base, reference)
    columns = [f"{parameter}: {value}" for parameter, value in chosen.columns]
    return style.described(
        figure, alt, chosen.set_axis(columns, axis=1).assign(nep_gC_m2_yr=nep).loc[order].reset_index()
    )


def _of_curve(nep: pd.Series, chosen: pd.DataFrame, base: object, reference: tuple[str, float]) -> str:
    """Return the words of the specification curve."""
    sinks = {f"{choice_name(key)} {choice_name(value)}": (nep[chosen[key, value]] > 0).mean() for key, value in chosen}
    return (
        f"NEP of {len(nep)} paths of calculation in ascending order, from {words.number(nep.min())} to "
        f"{words.number(nep.max())} {pretty_units(FLUX_UNITS)}; {words.percent((nep > 0).mean())} are sinks. The "
        "paper's "
        f"path gives {words.number(nep[base])}, {reference[0]} {words.number(reference[1])}. Below, the choices of "
        f"each path. Share of sinks by choice: {words.rows(list(sinks), list(sinks.values()))}."
    )


@style.styled
def choice_effects(table: pd.DataFrame, base: float) -> style.BookFigure:
    """Draw where one changed parameter leads, all else on the paper's path, whose NEP is ``base``.

    The table is that of :func:`helpers.sweeps.results.one_change`.
    """
    style.require_columns(table, ["parameter", "value", "nep"], "choice_effects")
    rows = []
    for parameter, part in table.groupby("parameter", sort=False):
        if len(part) > 8:  # such as seeds: one row for all
            rows.append((f"{choice_name(parameter)}: {len(part)} values", part["nep"]))
        else:
            values = part.groupby("value", sort=False)["nep"]
            unit = _UNITS.get(parameter, "")
            rows += [(f"{choice_name(parameter)}: {choice_name(value)}{unit}", nep) for value, nep in values]
    figure = style.blank(0.9 + style.row_height(0.21) * len(rows))
    axes = figure.add_subplot()
    axes.axvline(base, **_DASHED)
    axes.text(base, 1.04, "the paper's path", transform=axes.get_xaxis_transform(), ha="center", fontsize=style.SMALL)
    for row, (_, nep) in enumerate(rows):
        axes.plot([base, *nep], [row] * (len(nep) + 1), color=style.LINK, linewidth=1, zorder=1)
        axes.scatter(nep, [row] * len(nep), s=22, c=style.sign_colours(nep), linewidth=0, zorder=2)
    style.name_rows(axes, [name for name, _ in rows])
    axes.set_xlabel(f"{_NEP} with this one change")
    axes.margins(x=0.08)
    _sides(axes, "x")
    middles = pd.Series({name: float(np.median(nep)) for name, nep in rows})
    alt = (
        f"NEP after one change of the paper's path, whose NEP is {words.number(base)}, one row for each of {len(rows)} "
        f"changes in {table['parameter'].nunique()} choices, {pretty_units(FLUX_UNITS)}. The largest changes, up and "
        "down: "
        f"{words.rows(middles.index, middles)}. {words.percent((table['nep'] > 0).mean())} of the cells are sinks."
    )
    return style.described(figure, alt, table)


@style.styled
def variance_by_choice(shares: pd.DataFrame) -> style.BookFigure:
    """Draw the share of the variance of NEP that each choice, and each pair of choices, explains.

    At most twelve terms of :func:`helpers.sweeps.results.variance_shares` have a bar, those of a thousandth or more;
    the last bar is the sum of the rest.
    """
    style.require_columns(shares, ["term", "parameters", "share"], "variance_by_choice")
    ordered = shares[shares["parameters"] > 0].sort_values("share", ascending=False)
    shown = ordered[ordered["share"] >= 0.001].head(_TERMS)
    names = [" and ".join(choice_name(part) for part in term.split(" x ")) for term in shown["term"]]
    percent = [*(100 * shown["share"]), 100 * (shares["share"].sum() - shown["share"].sum())]
    tone = {1: style.OURS, 2: style.SECOND, 0: style.NO_DATA}
    figure = style.blank(0.8 + style.row_height(0.26) * len(percent))
    axes = figure.add_subplot()
    breadth = 0.36 if style.on_phone() else 0.8
    drawn = axes.barh(
        range(len(percent)), percent, breadth, color=[tone[number] for number in (*shown["parameters"], 0)]
    )
    axes.bar_label(drawn, fmt="%.1f %%", padding=3, fontsize=style.SMALL)
    style.name_rows(axes, [*names, "all else"])
    axes.margins(x=0.12)
    axes.set_xlabel("share of the variance of NEP among the crossed cells [%]")
    for height, text, number in ((0.1, "one choice", 1), (0.17, "two choices together", 2)):
        axes.text(0.99, height, text, color=tone[number], transform=axes.transAxes, ha="right", weight="bold")
    alt = (
        "Bars: the share of the variance of NEP among the crossed cells that a choice explains alone, or two choices "
        f"only together, in percent. {words.rows([*names, 'all else'], percent)}."
    )
    return style.described(figure, alt, ordered)


@style.styled
def score_against_budget(done: pd.DataFrame, scores: Mapping[str, str], outcome: str) -> style.BookFigure:
    """Draw each cell's NEP against how well its forests predict: do the better ones agree on the sign?

    A row of ``done`` is a cell; ``scores`` gives the label of a panel by the column of a score, ``outcome`` the column
    of NEP.
    """
    style.require_columns(done, [*scores, outcome], "score_against_budget")
    figure, panels = style.panel_grid(3.0, [""] * len(scores), len(scores), sharey=True)
    for axes, (column, label) in zip(panels, scores.items(), strict=True):
        axes.scatter(done[column], done[outcome], s=14, c=style.sign_colours(done[outcome]), alpha=0.6, linewidth=0)
        axes.set_xlabel(label)
        axes.margins(0.06)
        axes.axhline(0, color=style.INK, linewidth=0.9, zorder=1)
        axes.set_ylabel(_NEP if axes is panels[0] or style.on_phone() else "")
    _sides(panels[-1], "y")
    told = []
    for column, label in scores.items():
        best = done.nlargest(max(1, len(done) // 10), column, keep="all")
        told.append(
            f"{label}: from {words.number(done[column].min())} to {words.number(done[column].max())}; of the best "
            f"tenth of the cells {words.percent((best[outcome] > 0).mean())} are sinks"
        )
    alt = (
        f"NEP of each of {len(done)} cells against the score of its forests. {'; '.join(told)}; of all cells "
        f"{words.percent((done[outcome] > 0).mean())}."
    )
    return style.described(
        figure, alt, done[["cell", *scores, outcome]] if "cell" in done else done[[*scores, outcome]]
    )


@style.styled
def tree_convergence(table: pd.DataFrame) -> style.BookFigure:
    """Draw ``nep`` against ``n_trees``, the number of trees, a dot per ``seed``."""
    style.require_columns(table, ["n_trees", "seed", "nep"], "tree_convergence")
    figure = style.blank(3.2, 0.85)
    axes = figure.add_subplot()
    axes.scatter(table["n_trees"], table["nep"], s=26, c=style.sign_colours(table["nep"]), linewidth=0, zorder=3)
    spread = table.groupby("n_trees")["nep"].agg(["min", "max"])
    axes.vlines(spread.index, spread["min"], spread["max"], color=style.LINK, linewidth=1.4, zorder=1)
    axes.set_xscale("log")
    axes.set_xticks(spread.index, labels=[str(number) for number in spread.index], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("trees of each forest; a dot per seed")
    axes.set_ylabel(_NEP)
    axes.margins(0.12)
    told = [f"{n} trees: {words.number(row['min'])} to {words.number(row['max'])}" for n, row in spread.iterrows()]
    alt = (
        f"NEP of the paper's path by the number of trees of each forest, a dot for each of {table['seed'].nunique()} "
        f"seeds, {pretty_units(FLUX_UNITS)}. Range over the seeds: {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


@style.styled
def truth_by_design(errors: pd.DataFrame) -> style.BookFigure:
    """Draw the error of each cell's NEP against the known truth, by how the sites were placed.

    The table is that of :func:`helpers.sweeps.results.truth_errors`.
    """
    design = ["sampling_design", "npp_sites", "rs_sites"]
    style.require_columns(errors, [*design, "error"], "truth_by_design")
    groups = {f"{name}: {npp} NPP, {rs} Rs sites": group for (name, npp, rs), group in errors.groupby(design)["error"]}
    figure = style.blank(1.0 + style.row_height(0.4) * len(groups))
    axes = figure.add_subplot()
    axes.axvline(0, color=style.INK, linewidth=0.9)
    axes.text(
        0, 1.01, "the truth", transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=style.SMALL
    )
    for row, group in enumerate(groups.values()):
        spread = np.linspace(-0.2, 0.2, len(group)) if len(group) > 1 else np.zeros(1)
        axes.scatter(group, row + spread, s=18, color=style.OURS, alpha=0.7, linewidth=0)
        axes.vlines(group.median(), row - 0.32, row + 0.32, color=style.INK, linewidth=2)
    style.name_rows(axes, list(groups))
    axes.set_xlabel(f"error of {_NEP}; the bar is the median")
    axes.margins(x=0.1)
    medians = [group.median() for group in groups.values()]
    alt = (
        f"Error of each cell's NEP against the truth of the simulated world, a dot per cell of {len(errors)}, a row "
        "for each "
        f"way of placing the sites; the bar is the median. Medians: {words.rows(list(groups), medians, FLUX_UNITS)}."
    )
    return style.described(figure, alt, errors)


def _sides(axes: Axes, along: str) -> None:
    """Draw the line between source and sink, and name its sides at its end."""
    if along == "y":
        axes.axhline(0, color=style.INK, linewidth=0.9, zorder=1)
        place = {"x": 1.005, "y": 0, "ha": "left", "transform": axes.get_yaxis_transform()}
        sides = {"sink": {"va": "bottom"}, "source": {"va": "top"}}
    else:
        axes.axvline(0, color=style.INK, linewidth=0.9, zorder=1)
        place = {"x": 0, "y": 1.005, "va": "bottom", "transform": axes.get_xaxis_transform()}
        sides = {"  sink": {"ha": "left"}, "source  ": {"ha": "right"}}
    for (side, aligned), colour in zip(sides.items(), (style.SINK, style.SOURCE), strict=True):
        axes.text(s=side, color=colour, fontweight="bold", **place, **aligned)


def _choice_rows(axes: Axes, place: pd.Series, nep: pd.Series, chosen: pd.DataFrame) -> None:
    """Draw a row of marks for each value of each choice, and the share of sinks at its end."""
    width = float(np.clip(240 / len(place), 0.5, 4))
    half = 0.2 if style.on_phone() else 0.36
    parameters = list(dict.fromkeys(parameter for parameter, _ in chosen.columns))
    for row, (parameter, value) in enumerate(chosen.columns):
        # One colour after the other: in an SVG, marks of one look that follow each other are one path.
        having = nep[chosen.index[chosen[parameter, value]]].gt(0).sort_values(kind="stable").index
        if parameters.index(parameter) % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="#f1f1f1", linewidth=0, zorder=0)
        axes.vlines(place[having], row - half, row + half, colors=style.sign_colours(nep[having]), linewidth=width)
        share = f"{100 * (nep[having] > 0).mean():.0f} %" if len(having) else "none"
        axes.text(1.01, row, share, transform=axes.get_yaxis_transform(), va="center", fontsize=style.SMALL)
    style.name_rows(axes, [f"{choice_name(parameter)}: {choice_name(value)}" for parameter, value in chosen.columns])
    axes.text(1.01, 1.0, "sinks", transform=axes.transAxes, va="bottom", fontsize=style.SMALL, fontweight="bold")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.set_xlabel(f"{len(place)} cells, in the order of their NEP")
