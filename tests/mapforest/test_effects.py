"""Accumulated local effects of models whose effects are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mapforest.effects import accumulated_local_effects
from mapforest.errors import ForestError


def table() -> pd.DataFrame:
    """Two predictors that go together almost exactly."""
    rng = np.random.default_rng(0)
    lai = rng.uniform(0, 4, 500)
    return pd.DataFrame({"lai": lai, "temperature": 2 * lai + 0.01 * rng.standard_normal(500)})


def test_a_straight_line_keeps_its_slope() -> None:
    model = SimpleNamespace(predict=lambda rows: (3 * rows["lai"] + 7 * rows["temperature"]).to_numpy())
    effect = accumulated_local_effects(model, table(), ["lai"])
    slopes = np.diff(effect["effect"]) / np.diff(effect["value"])
    assert slopes == pytest.approx(3.0)


def test_a_predictor_that_the_model_ignores_has_no_effect() -> None:
    model = SimpleNamespace(predict=lambda rows: rows["lai"].to_numpy())
    assert accumulated_local_effects(model, table(), ["temperature"])["effect"].to_numpy() == pytest.approx(0)


def test_rows_are_not_moved_where_no_row_is() -> None:
    """A warm place without leaves does not exist in the table; partial dependence would ask the model about it."""
    asked = []

    def predict(rows: pd.DataFrame) -> np.ndarray:
        asked.append(np.abs(rows["temperature"] - 2 * rows["lai"]).max())
        return rows["lai"].to_numpy()

    accumulated_local_effects(SimpleNamespace(predict=predict), table(), ["lai"], bins=20)
    assert max(asked) < 1.0


def test_effects_are_centred_on_the_rows() -> None:
    model = SimpleNamespace(predict=lambda rows: rows["lai"].to_numpy() ** 2)
    rows = table()
    effect = accumulated_local_effects(model, rows, ["lai"], bins=50)
    assert np.interp(rows["lai"], effect["value"], effect["effect"]).mean() == pytest.approx(0, abs=0.02)


def test_a_constant_predictor_is_refused_by_name() -> None:
    with pytest.raises(ForestError, match="'srad'"):
        accumulated_local_effects(SimpleNamespace(predict=len), table().assign(srad=1.0), ["srad"])


def test_no_bins_are_refused() -> None:
    with pytest.raises(ForestError, match="bins is 0; expected 1 or more"):
        accumulated_local_effects(SimpleNamespace(predict=len), table(), ["lai"], bins=0)
