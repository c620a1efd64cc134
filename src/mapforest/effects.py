"""What a model does with a predictor, seen on the rows that it was trained on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mapforest.errors import ForestError
from mapforest.validation import Regressor


def accumulated_local_effects(
    model: Regressor, table: pd.DataFrame, predictors: Sequence[str], bins: int = 20
) -> pd.DataFrame:
    """Return how the prediction changes along each predictor, others as they go with it (Apley & Zhu 2020).

    The rows are sorted into bins of equal number; ties make them fewer. In each bin the predictor is set to both of the
    bin's edges; the mean difference of the predictions is the local effect. They are summed up from bin to bin and
    centred on a mean of zero over the rows. Partial dependence would set every row to every value and so ask the model
    about places that do not exist, a warm glacier say; here each row moves only to the edges of its own bin. It tells
    what the model does, not what causes the target.

    The table has the training rows, and the predictors are continuous. The columns of the result are ``predictor``,
    ``value`` (an edge) and ``effect`` (unit of the target). ForestError is raised if a predictor is no column or does
    not vary, or there are no bins.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> doubled = SimpleNamespace(predict=lambda table: 2 * table["lai"].to_numpy())
    >>> effects = accumulated_local_effects(doubled, pd.DataFrame({"lai": [0.0, 0.5, 1.5, 2.0]}), ["lai"], bins=2)
    >>> effects["effect"].tolist()
    [-2.0, 0.0, 2.0]
    """
    if bins < 1:
        raise ForestError(f"bins is {bins}; expected 1 or more")
    found = []
    for name in predictors:
        if name not in table or table[name].nunique() < 2:
            raise ForestError(f"predictor {name!r} is no column of the table or does not vary: leave it out")
        values = table[name].to_numpy(float)
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        number = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, edges.size - 2)
        upper = model.predict(table.assign(**{name: edges[number + 1]}))
        lower = model.predict(table.assign(**{name: edges[number]}))
        size = np.bincount(number, minlength=edges.size - 1)
        local = np.bincount(number, upper - lower, edges.size - 1) / np.maximum(size, 1)
        effect = np.concatenate([[0.0], np.cumsum(local)])
        effect -= np.average((effect[1:] + effect[:-1]) / 2, weights=size)
        found.append(pd.DataFrame({"predictor": name, "value": edges, "effect": effect}))
    return pd.concat(found, ignore_index=True)
