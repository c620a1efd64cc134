"""Eqs. 5-8 against values worked by hand, and the laws that tie the metrics together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mapforest import metrics

OBSERVED = [100.0, 200.0, 300.0, 400.0]
PREDICTED = [130.0, 190.0, 290.0, 370.0]
# differences 30, -10, -10, -30: sum -20, squares 900 + 100 + 100 + 900 = 2000
# deviations of observed -150, -50, 50, 150: squares 50000; of predicted -115, -55, 45, 125: squares 33900
# products 17250 + 2750 + 2250 + 18750 = 41000


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("n", 4),
        ("pbias", -2.0),  # 100 * -20 / 1000
        ("rmse", math.sqrt(500)),  # 2000 / 4
        ("mape", (30 + 5 + 10 / 3 + 7.5) / 4),
        ("r", 41000 / math.sqrt(50000 * 33900)),
        ("r2_explained", 1 - 2000 / 50000),
        ("r2_correlation", 41000**2 / (50000 * 33900)),
        ("slope", 41000 / 50000),
        ("intercept", 245 - 0.82 * 250),
    ],
)
def test_metric_equals_its_value_by_hand(metric, by_hand):
    assert metrics.scores(OBSERVED, PREDICTED)[metric] == pytest.approx(by_hand)


def test_a_model_that_overpredicts_has_positive_pbias():
    assert metrics.pbias([100.0, 200.0], [150.0, 250.0]) > 0


def test_r2_explained_is_negative_for_a_model_worse_than_the_mean():
    assert metrics.r2_explained([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-3.0)


values = npst.arrays(float, 8, elements=st.floats(1, 1e4).map(lambda value: round(value, 3)))


@given(values, values)
def test_explained_variance_never_exceeds_squared_correlation(observed, predicted):
    assume(np.ptp(observed) > 0.1 and np.ptp(predicted) > 0.1)
    assert metrics.r2_explained(observed, predicted) <= metrics.r2_correlation(observed, predicted) + 1e-9


@given(values, values, st.floats(0.01, 100))
def test_a_change_of_unit_scales_rmse_and_leaves_percentages(observed, predicted, factor):
    assume(np.ptp(observed) > 0.1)
    before, after = metrics.scores(observed, predicted), metrics.scores(observed * factor, predicted * factor)
    assert after["rmse"] == pytest.approx(factor * before["rmse"], abs=1e-9)
    assert (after["pbias"], after["mape"]) == pytest.approx((before["pbias"], before["mape"]), abs=1e-9)


@given(values, st.floats(-500, 500))
def test_squared_error_is_squared_bias_where_the_model_is_off_by_a_constant(observed, offset):
    assert metrics.rmse(observed, observed + offset) == pytest.approx(abs(offset), abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "observed", "predicted"),
    [
        (metrics.mape, [0.0, 1.0], [1.0, 1.0]),
        (metrics.pbias, [-1.0, 1.0], [1.0, 1.0]),
        (metrics.pearson_r, [1.0, 2.0], [3.0, 3.0]),
        (metrics.r2_explained, [0.1, 0.1, 0.1], [1.0, 2.0, 3.0]),
    ],
)
def test_undefined_metric_is_nan(metric, observed, predicted):
    assert math.isnan(metric(observed, predicted))


def test_constant_observations_have_no_trend_line():
    assert all(math.isnan(value) for value in metrics.trend_line([2.0, 2.0], [1.0, 3.0]))


@pytest.mark.parametrize(
    ("observed", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0], "two vectors of one length"),
        ([], [], "nothing to score"),
        ([1.0, np.nan], [1.0, 2.0], "observed holds 1 values that are not finite, the first at row 1"),
        ([1.0, 2.0], [np.inf, 2.0], "predicted holds 1 values that are not finite, the first at row 0"),
    ],
)
def test_input_that_is_no_pairs_is_refused(observed, predicted, message):
    with pytest.raises(ValueError, match=message):
        metrics.scores(observed, predicted)
