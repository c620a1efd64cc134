"""Training tables: observations of one flux with the covariates of their cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from helpers.config import Layer, Settings
from helpers.data import cube as covariates
from helpers.errors import DataError
from helpers.sites import quality
from helpers.sites.databases import PAIR_COVERAGE
from mapforest.forest import RandomForest

#: What the rules of :func:`choose_rs` leave out, for the flow table.
_RS_RULES = {
    "paper": "every record counts",
    "boundary": "in the region only by its elevation, not inside the boundary",
    "coverage": f"measured over less than {PAIR_COVERAGE} of the year, or over an unknown part of it",
}


def choose_rs(used: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the observations with those records of Rs that a rule takes; the other fluxes stay.

    ``paper`` takes all of them. ``boundary``: in the region is what lies inside its boundary, not also high land of
    its box outside of it, by the column ``inside_boundary``. ``coverage``: what was measured over half of the
    year or more, by the column ``annual_coverage``; where that is unknown the record is left out. Another rule, or a
    table without the column that the rule needs, raises a DataError.
    """
    if rule == "paper":
        return used
    needed = {"boundary": "inside_boundary", "coverage": "annual_coverage"}.get(rule)
    if needed is None:
        raise DataError(f"rs_filter is {rule!r}; expected paper, boundary or coverage")
    if needed not in used:
        raise DataError(f"rs_filter {rule!r} needs the column {needed!r}, which these observations lack")
    is_rs = used["variable"] == "rs"
    if rule == "coverage":
        return used[~is_rs | (used[needed] >= PAIR_COVERAGE)]
    known = is_rs & used[needed].notna()
    return used.assign(in_region=used["in_region"].where(~known, used[needed].eq(True)))


def resample(groups: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many groups as there are, with replacement, and return the positions of their rows.

    Groups are the site or the spatial block of each row, shape (n,). Rows of one group are not independent evidence, so
    groups are drawn and not rows. A group drawn twice has its rows twice. Groups differ in size, so the number of rows
    varies.

    Examples
    --------
    >>> resample([7, 7, 9], np.random.default_rng(1))
    array([0, 1, 2])
    """
    _, label = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(label == one) for one in range(label.max() + 1)]
    return np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])


def resample_sites(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a bootstrap of a table's sites, see :func:`resample`, drawn with a seed."""
    return table.iloc[resample(table["site"], np.random.default_rng(seed))].reset_index(drop=True)


def training_table(
    settings: Settings, variable: str, cube: xr.Dataset, used: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the observations of one flux, ``npp`` or ``rs``, to the covariates of their cells.

    The settings give the records of Rs that count (``rs_filter``, see :func:`choose_rs`), the sites that count
    (``training_domain``), what a row is (``npp_aggregation`` or ``rs_aggregation``, see
    :func:`helpers.sites.quality.aggregate`), the predictor left out, and the seed of :func:`resample_sites`
    (``site_resample``; 0 leaves the sites as they are). The observations have passed
    :func:`helpers.sites.quality.quality_control`; where fewer than two rows are left a DataError is raised.

    Returns
    -------
    table : pandas.DataFrame
        A row per record or site: the observation's columns, ``value`` in g C m-2 yr-1, the forest's predictors, in
        their order and without missing values, and the logarithm of the value, ``ln_npp`` or ``ln_rs``.
    flow : pandas.DataFrame
        Columns ``variable``, ``step``, ``n``, ``excluded`` and ``reason``, as the flow of quality control.
    """
    aggregation = getattr(settings, f"{variable}_aggregation")
    inside, steps = _of_domain(settings, variable, used[used["variable"] == variable])
    rows = quality.aggregate(inside, aggregation)
    sampled = covariates.sample(cube, rows)[list(predictors(settings, variable))]
    complete = sampled.notna().all(axis=1)
    lacking = sampled.isna().sum()
    reason = ", ".join(f"{name} missing in {n}" for name, n in lacking[lacking > 0].items()) or "none missing"
    flow = pd.DataFrame(
        [
            *steps,
            (variable, f"aggregation: {aggregation}", len(rows), len(inside) - len(rows), "merged into their site"),
            (variable, "covariates at the site", int(complete.sum()), int((~complete).sum()), reason),
        ],
        columns=["variable", "step", "n", "excluded", "reason"],
    )
    table = rows.join(sampled)[complete].reset_index(drop=True)
    table[f"ln_{variable}"] = np.log(table["value"])
    if len(table) < 2:
        raise DataError(
            f"{variable}: {len(table)} rows left to train on:\n{flow.to_string(index=False)}\n"
            "choose training_domain: surroundings, or add observations with extra_observations"
        )
    if settings.site_resample:
        drawn = resample_sites(table, settings.site_resample)
        step = f"sites drawn with seed {settings.site_resample}"
        row = (variable, step, len(drawn), len(table) - len(drawn), "bootstrap")
        return drawn, pd.concat([flow, pd.DataFrame([row], columns=flow.columns)], ignore_index=True)
    return table, flow


def _of_domain(settings: Settings, variable: str, passed: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple]]:
    """Return the records of one flux that the rule for Rs and the domain take, with their rows of the flow table."""
    domain, rule = settings.training_domain, settings.rs_filter
    flag = "in_surroundings" if domain == "surroundings" else "in_region"
    steps = [(variable, "after quality control", len(passed), 0, "")]
    chosen, left = passed, len(passed)
    if variable == "rs":
        chosen = choose_rs(passed, rule)
        # The rule of the boundary keeps every record, and takes some from the region: there it leaves these out.
        left = len(chosen) - int((passed.loc[chosen.index, flag] & ~chosen[flag]).sum())
        steps.append((variable, f"rs_filter: {rule}", left, len(passed) - left, _RS_RULES[rule]))
    inside = chosen[chosen[flag]]
    steps.append((variable, f"training domain: {domain}", len(inside), left - len(inside), f"outside {domain}"))
    return inside, steps


def predictors(settings: Settings, variable: str) -> tuple[str, ...]:
    """Return what the forest of ``npp`` or ``rs`` sees: the predictors that the settings name, less the one left out.

    By default they are those of Eq. 1 and 2. Soil carbon is not one of NPP's: leaving it out changes Rs only.
    """
    every = {"npp": settings.npp_predictors, "rs": settings.rs_predictors}[variable]
    return tuple(name for name in every if name != settings.left_out)


def class_predictors(settings: Settings, variable: str) -> list[str]:
    """Return those predictors of a forest whose values are classes: land cover, and maps of your own of that kind."""
    kinds = {name: layer.kind for name, layer in settings.predictors.items() if isinstance(layer, Layer)}
    return [name for name in predictors(settings, variable) if kinds.get(name) == "classes" or name == "land_cover"]


def from_settings(settings: Settings, variable: str, n_trees: int, seed: int) -> RandomForest:
    """Return one of the paper's two forests, not grown yet: ``npp`` is that of Eq. 1, ``rs`` that of Eq. 2 for ln Rs.

    ``settings.n_trees`` is the number of trees for a map; fewer do for validation. With a predictor left out, mtry is
    at most the number of those that remain.
    """
    seen = predictors(settings, variable)
    mtry = min({"npp": settings.npp_mtry, "rs": settings.rs_mtry}[variable], len(seen))
    return RandomForest(
        seen,
        n_trees,
        mtry,
        settings.nodesize,
        categorical=class_predictors(settings, variable),
        encoding=settings.land_cover_encoding,
        seed=seed,
        threads=settings.threads,
    )
