"""Which sites train our estimate, and what one row of them is: the choice with the least error at held-back sites.

The paper trains on the plateau's records alone. The sites of a region's surroundings are others, but they are many,
and what is right for the map is a question that held-back sites of the region can answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from helpers.config import Settings
from helpers.forests import families
from helpers.sites import training
from mapforest.folds import knndm
from mapforest.validation import ModelFactory

Choice = tuple[str, str]  # a training domain and an aggregation
_GAINS = {"r2_explained": "gain", "r2_low": "gain_low", "r2_high": "gain_high"}
DOMAINS, AGGREGATIONS = ("region", "surroundings"), ("rows", "site_mean")


class TrainedOn(RegressorMixin, BaseEstimator):
    """A model that sees other rows of the sites that it is fitted to: those of a training table of its own.

    ``rows`` have a ``site`` and the flux in ``value``; ``estimator`` is fitted in place.
    """

    def __init__(self, estimator: BaseEstimator, rows: pd.DataFrame) -> None:
        self.estimator = estimator
        self.rows = rows

    def fit(self, sites: pd.DataFrame, flux: object) -> TrainedOn:
        """Fit the model to its own rows of these sites; the flux is theirs."""
        own = self.rows[self.rows["site"].isin(sites["site"])].reset_index(drop=True)
        self.estimator.fit(own, own["value"].to_numpy())
        return self

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the flux [g C m-2 yr-1] of each row."""
        return self.estimator.predict(table)


def training_choices(
    settings: Settings, name: str, cube: xr.Dataset, used: pd.DataFrame, cells: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare training domains and aggregations by their error at held-back sites of the region.

    Each choice trains the forest of logarithms. All choices are judged at the same sites, each site once, in the same
    folds, which are as far from the other sites as the cells are. The run's own choice stays unless another is surely
    better. A region without surroundings has one domain. The arguments are those of
    :func:`helpers.sites.training.training_table`, and the cells those of :func:`helpers.balance.cells.budget_cells`.

    A row is a choice: ``training_domain``, ``aggregation``, ``n_rows``, ``n_sites``; ``n`` (sites of the region that
    are held back), ``rmse_gC_m2_yr``, ``bias_gC_m2_yr``; ``gain``, 1 less the ratio of its squared error to that of the
    run's own choice, and its 90 % interval over folds drawn with replacement (``gain_low``, ``gain_high``);
    ``map_mean_gC_m2_yr``; ``of_the_run`` and ``chosen`` (bool). A choice whose rows are nearly all in one fold cannot
    be judged: its scores are missing. The second result is the training table of the choice.
    """
    aggregation = f"{name}_aggregation"
    own = (settings.training_domain, getattr(settings, aggregation))
    domains = DOMAINS if settings.region.surroundings else DOMAINS[:1]
    tables = {}
    for choice in dict.fromkeys([own, *product(domains, AGGREGATIONS)]):
        changed = settings.model_copy(update={"training_domain": choice[0], aggregation: choice[1], "threads": 1})
        tables[choice] = training.training_table(changed, name, cube, used)[0]
    sites = tables[domains[-1], "site_mean"]
    places = (part[axis] for part in (sites, cells) for axis in ("longitude", "latitude"))
    fold = knndm(*places, settings.n_folds, settings.seed).fold

    def maker(rows: pd.DataFrame):
        """Return what makes the model of one choice from a seed."""
        return lambda seed: TrainedOn(
            families.OnLogs(training.from_settings(changed, name, settings.validation_trees, seed), seed=seed), rows
        )

    models = {choice: maker(rows) for choice, rows in tables.items()}
    scores = _judged(models, tables, sites, fold, own, settings)
    maps = families.maps(models, sites, cells, settings.seed, settings.threads)
    better = scores[scores["r2_low"] > 0]
    best = own if better.empty else better.index[better["rmse_gC_m2_yr"].argmin()]
    compared = pd.DataFrame(list(tables), columns=["training_domain", "aggregation"]).assign(
        n_rows=[len(rows) for rows in tables.values()],
        n_sites=[rows["site"].nunique() for rows in tables.values()],
        **scores.rename(columns=lambda name: _GAINS.get(name, name)).reset_index(drop=True),
        map_mean_gC_m2_yr=[np.average(maps[choice], weights=cells["area"]) for choice in tables],
        of_the_run=[choice == own for choice in tables],
        chosen=[choice == best for choice in tables],
    )
    return compared, tables[best]


def _judged(
    models: Mapping[Choice, ModelFactory],
    tables: Mapping[Choice, pd.DataFrame],
    sites: pd.DataFrame,
    fold: NDArray[np.int64],
    own: Choice,
    settings: Settings,
) -> pd.DataFrame:
    """Return the scores of each choice, in their order, missing where a fold holds all rows that would train it."""

    def trained(choice: Choice) -> bool:
        """Tell whether two rows or more of a choice are outside of each fold."""
        outside = (tables[choice]["site"].isin(sites["site"][fold != one]).sum() for one in np.unique(fold))
        return min(outside) > 1

    known = {choice: make for choice, make in models.items() if trained(choice)}
    columns = ["n", "rmse_gC_m2_yr", "bias_gC_m2_yr", "r2_explained", "r2_low", "r2_high"]
    found = {}
    if own in known:  # else there is nothing to compare with, and the run's own choice stays
        here = {"region": sites["in_region"]}
        scores = families.scored(known, sites, fold, here, settings.seed, settings.threads, baseline=own)
        found = dict(zip(scores["member"], scores[columns].to_dict("records"), strict=True))
    rows = [found.get(choice, {}) for choice in models]
    return pd.DataFrame(rows, index=pd.Index(list(models), tupleize_cols=False), columns=columns)
