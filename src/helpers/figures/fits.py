"""Figures of fits: what the forests use and how well they fit, the line from Rs to Rh, a product at the sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from helpers.figures import style, words
from helpers.names import FLUX_UNITS, metric_label, predictor_name, pretty_units, scheme_name, with_units
from mapforest import metrics

_TRAINED = {"color": style.OURS, "marker": "o", "s": 20, "linewidth": 0.3, "edgecolor": "white", "alpha": 0.85}
_VERIFIED = {"color": style.SECOND, "marker": "^", "s": 28, "linewidth": 0.4, "edgecolor": "black", "alpha": 0.95}
_MARKS = {"training": _TRAINED, "verification": _VERIFIED}


@style.styled
def figS1_rs_rh(
    pairs: pd.DataFrame, lines: Mapping[str, tuple[float, float, float]], site_means: pd.DataFrame
) -> style.BookFigure:
    """Figure S1: heterotrophic against soil respiration, with the lines that were fitted to them.

    Records and the means of their sites have ``rs`` and ``rh`` [g C m-2 yr-1]. A line is slope, intercept and R² by its
    label: the paper's, our fit to site means, our fit to records.
    """
    style.require_columns(pairs, ["rs", "rh"], "figure S1")
    style.require_columns(site_means, ["rs", "rh"], "figure S1, site means")
    figure = style.blank(4.6 + style.on_phone() * 0.5)
    axes = figure.add_subplot()
    marker = {"s": 14, "color": "#9a9a9a", "alpha": 0.7, "linewidth": 0}
    axes.scatter(pairs["rs"], pairs["rh"], label=f"records (n = {len(pairs)})", **marker)
    marker = {"s": 34, "facecolor": "#f0c75e", "edgecolor": "black", "linewidth": 0.6}
    axes.scatter(site_means["rs"], site_means["rh"], label=f"site means (n = {len(site_means)})", **marker)
    reach = np.array([0.0, 1.03 * pairs["rs"].max()])
    dashes = ("-", (0, (6, 2)), (0, (2, 1.5)), "-.")
    for i, (name, colour) in enumerate(style.series_colours(lines).items()):
        slope, intercept, r2 = lines[name]
        sign = "+" if intercept >= 0 else "−"
        label = f"{name}: Rh = {slope:.2f} Rs {sign} {abs(intercept):.1f},  R² = {r2:.2f}"
        look = {"color": colour, "linestyle": dashes[i % len(dashes)], "linewidth": 2}
        axes.plot(reach, slope * reach + intercept, label=label, **look)
    axes.set(xlim=(0, reach[1]), xlabel=with_units("Rs", FLUX_UNITS), ylabel=with_units("Rh", FLUX_UNITS))
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=style.columns(2), fontsize=style.SMALL)
    told = "; ".join(
        f"{name}: slope {line[0]:.2f}, intercept {line[1]:.1f}, R² {line[2]:.2f}" for name, line in lines.items()
    )
    alt = (
        f"Rh against Rs, {pretty_units(FLUX_UNITS)}, of {len(pairs)} records and of means of {len(site_means)} sites. "
        f"Of Rs of the records {words.spread(pairs['rs'])}; of Rh {words.spread(pairs['rh'])}. "
        f"Straight lines, {told.replace('-', '−')}."
    )
    data = pd.concat([pairs[["rs", "rh"]].assign(kind="record"), site_means[["rs", "rh"]].assign(kind="site mean")])
    return style.described(figure, alt, data)


@style.styled
def fit_scatter(
    observed: ArrayLike, predicted: ArrayLike, subset: ArrayLike, name: str, units: str
) -> style.BookFigure:
    """Figures S2 and S3: what a forest says against what was observed, training and verification set apart.

    The table beside the points gives, for each set and for both together as in the paper, the number of points, the
    squared correlation, the slope of the least-squares line of predicted on observed, and the RMSE (Eq. 6), all from
    :func:`mapforest.metrics.scores`.

    ``subset`` is ``"training"`` or ``"verification"`` for each of the n values; ``name`` and ``units``, as CF writes
    them, are those of the quantity, such as ``ln Rs``. A ValueError is raised if lengths differ, a value is missing, a
    subset has another name, or a set has fewer than two points.
    """
    x, y, sets = np.asarray(observed, float), np.asarray(predicted, float), np.asarray(subset, dtype=str)
    both = metrics.scores(x, y)
    unknown = sorted(set(sets) - set(_MARKS))
    if sets.shape != x.shape or unknown:
        raise ValueError(
            f"fit_scatter: subset must hold 'training' or 'verification' for each of {x.size} values; "
            f"got {sets.size} values, unknown: {', '.join(unknown) or 'none'}"
        )
    figure = style.blank(6.0 if style.on_phone() else 4.4)
    if style.on_phone():
        axes, side = figure.subplots(2, 1, height_ratios=[1.5, 1])
    else:
        axes, side = figure.subplots(1, 2, width_ratios=[1.5, 1])
    rows = {}
    for label, marker in _MARKS.items():
        chosen = sets == label
        if chosen.sum() < 2:
            raise ValueError(f"fit_scatter: the {label} set has {chosen.sum()} points, a line needs two")
        rows[label] = metrics.scores(x[chosen], y[chosen])
        axes.scatter(x[chosen], y[chosen], label=f"{label} set", zorder=3, **marker)
    _square(axes, x, y)
    reach = np.array([x.min(), x.max()])
    fit = both["slope"] * reach + both["intercept"]
    axes.plot(reach, fit, label="fit to both sets", color=style.OURS, linewidth=1.8, zorder=4)
    axes.set_xlabel(with_units(f"{name}, observed", units))
    axes.set_ylabel(with_units(f"{name}, random forest", units))
    _scores_table(side, {**rows, "both": both}, units)
    side.legend(*axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0, 1.05))
    alt = (
        f"{name} by the random forest against {name} observed, {pretty_units(units)}, with the 1:1 line and the fit to "
        f"both sets. {_of_scores({**rows, 'both': both})}. Of the observed {words.spread(x, units)}."
    )
    return style.described(figure, alt, pd.DataFrame({"observed": x, "predicted": y, "set": sets}))


def _of_scores(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return the words of the scores of each set."""
    forms = {"n": "n {:d}", "r2_correlation": "R² {:.2f}", "slope": "slope {:.2f}", "rmse": "RMSE {:.3g}"}
    told = [f"{name}: {', '.join(form.format(row[key]) for key, form in forms.items())}" for name, row in rows.items()]
    return "; ".join(told).replace("-", "−")


@style.styled
def importance(table: pd.DataFrame, label: str) -> style.BookFigure:
    """Draw the importance of each predictor with its spread, the greatest on top.

    The columns are ``predictor``, ``importance`` and ``sd``; the label says what importance means here, with its units.
    """
    style.require_columns(table, ["predictor", "importance", "sd"], "importance")
    ordered = table.sort_values("importance", ascending=False)
    figure = style.blank(0.8 + style.row_height(0.3) * len(ordered), 0.85)
    axes = figure.add_subplot()
    places = np.arange(len(ordered))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.hlines(places, 0, ordered["importance"], color=style.LINK, linewidth=1)
    look = {"fmt": "o", "color": style.OURS, "capsize": 3, "markersize": 6, "elinewidth": 1.3}
    axes.errorbar(ordered["importance"], places, xerr=ordered["sd"], **look)
    style.name_rows(axes, [predictor_name(name) for name in ordered["predictor"]])
    axes.set_xlabel(label.replace(" [", "\n[") if style.on_phone() else label)
    names = [predictor_name(name) for name in ordered["predictor"]]
    alt = (
        f"A dot for each predictor, the most important on top, with a whisker of one standard deviation: {label}. "
        f"From the top: {words.rows(names, ordered['importance'])}. Predictors below zero: "
        f"{(ordered['importance'] < 0).sum()}."
    )
    return style.described(figure, alt, ordered)


@style.styled
def validation_scores(scores: pd.DataFrame, shown: Sequence[str]) -> style.BookFigure:
    """Draw the scores of each validation scheme: a row of panels per model, a panel per metric shown, a dot per scheme.

    The table is that of :func:`mapforest.validation.summarise` with ``model`` (such as ln Rs) and ``unit`` (of what it
    predicts). ``fold_lowest`` and ``fold_highest``, where it has them, are drawn as a bar.
    """
    style.require_columns(scores, ["model", "unit", "scheme", "part", "metric", "value"], "validation_scores")
    names = [scheme_name(scheme, part) for scheme, part in zip(scores["scheme"], scores["part"], strict=True)]
    scores = scores.assign(row=names)[scores["metric"].isin(shown)]
    models, rows = (list(dict.fromkeys(scores[column])) for column in ("model", "row"))
    titles = [model for model in models for _ in shown]
    height = 0.7 + style.row_height(0.25) * len(rows)
    figure, grid = style.panel_grid(height, titles, len(shown), sharey=True)
    for axes, model, metric in zip(grid, titles, [*shown] * len(models), strict=True):
        chosen = scores[(scores["model"] == model) & (scores["metric"] == metric)]
        places = [rows.index(name) for name in chosen["row"]]
        if {"fold_lowest", "fold_highest"} <= set(scores.columns):
            axes.hlines(places, chosen["fold_lowest"], chosen["fold_highest"], color=style.OURS, linewidth=1.6)
        axes.plot(chosen["value"], places, "o", color=style.OURS, markersize=7)
        style.name_rows(axes, rows)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.margins(x=0.15)
        axes.set_xlabel(metric_label(metric, chosen["unit"].iloc[0]))
    told = []
    for model, metric in zip(titles, [*shown] * len(models), strict=True):
        chosen = scores[(scores["model"] == model) & (scores["metric"] == metric)]
        label = metric_label(metric, chosen["unit"].iloc[0])
        told.append(f"{label} of {model}: {words.rows(chosen['row'], chosen['value'])}.")
    alt = f"Scores of {words.listed(models)} by scheme of validation, from the kindest scheme on top to the strictest. "
    return style.described(figure, alt + " ".join(told), scores.drop(columns="row"))


@style.styled
def accumulated_effects(
    effects: pd.DataFrame, sites: pd.DataFrame, predictors: Sequence[str], label: str
) -> style.BookFigure:
    """Draw the accumulated local effect of each predictor with a rug of the sites below it.

    The effects are those of :func:`mapforest.effects.accumulated_local_effects`, with the ``units`` of the predictor.
    The sites are those that train, with their predictors; the label says what the effect is, with units.
    """
    style.require_columns(effects, ["predictor", "value", "effect", "units"], "accumulated_effects")
    style.require_columns(sites, list(predictors), "accumulated_effects, sites")
    figure, grid = style.panel_grid(1.75, [""] * len(predictors), min(3, len(predictors)), sharey=True)
    mark = {"linestyle": "", "marker": "|", "color": style.SITES, "markersize": 7}
    for axes, name in zip(grid, predictors, strict=True):
        chosen = effects[effects["predictor"] == name]
        axes.axhline(0, color="#999999", linewidth=0.7)
        axes.plot(chosen["value"], chosen["effect"], color=style.OURS)
        below = {"transform": axes.get_xaxis_transform(), "clip_on": False, "alpha": 0.5}
        axes.plot(sites[name], np.zeros(len(sites)), **mark, **below)
        axes.set_xlabel(with_units(predictor_name(name), chosen["units"].iloc[0]))
    figure.supylabel(label, fontsize=8.7)
    figure.legend(handles=[Line2D([], [], label="a site", **mark)], loc="outside upper right")
    told = [_of_effect(name, effects[effects["predictor"] == name]) for name in predictors]
    alt = f"A curve for each continuous predictor: {label}, with a mark for each of {len(sites)} rows of sites. "
    alt += f"{'; '.join(told)}."
    return style.described(figure, alt, effects)


def _of_effect(name: str, curve: pd.DataFrame) -> str:
    """Return the words of the curve of one predictor."""
    curve = curve.sort_values("value")
    start, end = (words.number(value) for value in curve["value"].iloc[[0, -1]])
    least, most = (words.number(value) for value in curve["effect"].agg(["min", "max"]))
    change = words.number(curve["effect"].iloc[-1] - curve["effect"].iloc[0])
    units = pretty_units(curve["units"].iloc[0])
    reach = f"{predictor_name(name)} from {start} to {end} {units}".rstrip()
    return f"{reach}: between {least} and {most}, end less start {change}"


@style.styled
def influential_records(table: pd.DataFrame, name: str) -> style.BookFigure:
    """Draw how the region's mean of a flux changes without some training rows, the twelve greatest changes on top.

    A whisker is a standard error: the change is found from a part of the trees. The table is that of
    :func:`helpers.forests.fitting.influential_records`, greatest change first.
    """
    columns = ["longitude", "latitude", "records", "n_rows", "n_sites", "change_gC_m2_yr", "change_se_gC_m2_yr"]
    style.require_columns(table, columns, "influential_records")
    shown = table.head(12)
    alone = (shown["n_sites"] == 1).to_numpy()
    figure = style.blank(1.1 + style.row_height(0.36) * len(shown))
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=0.8)
    several = (~alone, "all sites within 50 km of each other", {"color": style.SECOND, "hatch": "///"})
    for chosen, label, look in ((alone, "one site", {"color": style.OURS}), several):
        rows = shown[chosen]
        whiskers = {"xerr": rows["change_se_gC_m2_yr"], "error_kw": {"elinewidth": 1, "capsize": 2}}
        bars = {
            "height": 0.36 if style.on_phone() else 0.6,
            "label": label,
            "edgecolor": style.INK,
            "linewidth": 0.5,
        } | look
        axes.barh(np.flatnonzero(chosen), rows["change_gC_m2_yr"], **bars, **whiskers)
    names = [_of_records(row) for row in shown.itertuples()]
    style.name_rows(axes, names)
    ends = shown["change_gC_m2_yr"] + np.sign(shown["change_gC_m2_yr"]) * shown["change_se_gC_m2_yr"]
    for place, (end, change) in enumerate(zip(ends, shown["change_gC_m2_yr"], strict=True)):
        side = {"ha": "left", "xytext": (4, 0)} if change >= 0 else {"ha": "right", "xytext": (-4, 0)}
        side |= {"textcoords": "offset points", "va": "center", "fontsize": style.SMALL}
        axes.annotate(f"{change:+.0f}".replace("-", "−"), (end, place), **side)
    axes.margins(x=0.12)
    axes.set_xlabel(with_units(f"change of mean {name} without these records", FLUX_UNITS))
    figure.legend(loc="outside lower center", ncols=style.columns(2))
    told = words.rows(names, shown["change_gC_m2_yr"], FLUX_UNITS)
    alt = (
        f"Bars: how the region's mean {name} would change without a site, or without all sites within 50 km of each "
        f"other; the {len(shown)} greatest changes of {len(table)}, with whiskers of one standard error. "
        f"From the top: {told}."
    )
    return style.described(figure, alt, shown)


def _of_records(row: tuple) -> str:
    """Return the name of a group of records: where they stand, and what they are called."""
    first, *others = row.records.split("; ")
    counted = f"{first} and {len(others)} more" if others else first
    return f"{row.latitude:.2f}° N {row.longitude:.2f}° E\n{counted}"


@style.styled
def modis_check(stand_in: ArrayLike, site_values: ArrayLike) -> style.BookFigure:
    """Draw the NPP_modis stand-in against the yearly MOD17A3 values of the same n sites [g C m-2 yr-1].

    A ValueError is raised if lengths differ, or a value is missing.
    """
    x, y = np.asarray(site_values, float), np.asarray(stand_in, float)
    r = metrics.scores(x, y)["r"]
    figure = style.blank(4.4, 0.75)
    axes = figure.add_subplot()
    axes.scatter(x, y, s=16, color=style.OURS, alpha=0.6, linewidth=0)
    _square(axes, x, y)
    axes.set_xlabel(with_units("MOD17A3 at the sites", FLUX_UNITS))
    axes.set_ylabel(with_units("stand-in for NPP of MODIS", FLUX_UNITS))
    text = f"n = {x.size}\nr = {r:.2f}\nratio of means = {y.mean() / x.mean():.2f}"
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top")
    axes.legend(loc="lower right")
    alt = (
        f"The stand-in for NPP of MODIS against yearly MOD17A3 NPP at {x.size} sites, with the 1:1 line. The "
        "correlation "
        f"is {r:.2f}, the ratio of means {y.mean() / x.mean():.2f}. Of MOD17A3 {words.spread(x, FLUX_UNITS)}; of the "
        f"stand-in {words.spread(y, FLUX_UNITS)}."
    )
    return style.described(figure, alt, pd.DataFrame({"mod17a3_gC_m2_yr": x, "stand_in_gC_m2_yr": y}))


def _square(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Give both axes one range and draw the 1:1 line."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    room = 0.04 * (high - low)
    ends = (low - room, high + room)
    axes.plot(ends, ends, label="1:1 line", zorder=2, color="black", linestyle="--", linewidth=1.1)
    axes.set(xlim=ends, ylim=ends, box_aspect=1)


def _scores_table(axes: Axes, rows: Mapping[str, Mapping[str, float]], units: str) -> None:
    """Write the scores of each set as a table."""
    axes.set_axis_off()
    columns = {"n": "n", "R²": "r2_correlation", "slope": "slope", "RMSE": "rmse"}
    forms = {"n": "d", "R²": ".2f", "slope": ".2f", "RMSE": "#.3g"}
    cells = [[format(row[key], forms[head]).rstrip(".") for head, key in columns.items()] for row in rows.values()]
    low = 0.0 if style.on_phone() else 0.2
    place = {"bbox": (0.3, low + 0.05, 0.7, 0.35), "edges": "horizontal"}
    table = axes.table(cells, rowLabels=list(rows), colLabels=list(columns), **place)
    table.auto_set_font_size(False)
    table.set_fontsize(style.SMALL)
    axes.text(1.0, low, with_units("RMSE", units), ha="right", va="top", fontsize=style.SMALL, color="#555555")
