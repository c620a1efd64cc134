"""Eqs. 5-8 against values worked by hand, and the laws that tie the metrics together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mapforest import metrics
from mapforest.errors import ForestError
from mapforest.metrics import scores

NEED_CONTRAST = {"r", "r2_correlation", "r2_explained", "slope", "intercept"}
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
    assert scores(OBSERVED, PREDICTED)[metric] == pytest.approx(by_hand)


def test_a_model_that_overpredicts_has_positive_pbias():
    assert scores([100.0, 200.0], [150.0, 250.0])["pbias"] > 0


def test_r2_explained_is_negative_for_a_model_worse_than_the_mean():
    assert scores([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])["r2_explained"] == pytest.approx(-3.0)


values = npst.arrays(float, 8, elements=st.floats(1, 1e4).map(lambda value: round(value, 3)))


def test_no_correlation_is_beyond_one_whatever_the_rounding():
    """Threefold, or its negative: the ratio of the sums is one unit in the last place beyond 1."""
    observed = np.array([0.35, 0.82, 0.33, -1.3, 0.91])
    assert scores(observed, 3 * observed)["r"] == 1.0
    assert scores(observed, -3 * observed)["r"] == -1.0


@given(values, values)
def test_explained_variance_never_exceeds_squared_correlation(observed, predicted):
    assume(np.ptp(observed) > 0.1 and np.ptp(predicted) > 0.1)
    found = scores(observed, predicted)
    assert found["r2_explained"] <= found["r2_correlation"] + 1e-9


@given(values, values, st.permutations(range(8)))
def test_the_order_of_pairs_does_not_matter(observed, predicted, order):
    assert scores(observed[order], predicted[order]) == pytest.approx(scores(observed, predicted), nan_ok=True)


@given(values, st.floats(0.1, 10), st.floats(-100, 100))
def test_a_straight_line_is_found_again(observed, slope, intercept):
    assume(np.ptp(observed) > 0.1)
    found = scores(observed, intercept + slope * observed)
    assert (found["slope"], found["intercept"]) == pytest.approx((slope, intercept), rel=1e-6, abs=1e-6)
    assert found["r"] == pytest.approx(1)


@given(values, values, st.floats(0.01, 100))
def test_a_change_of_unit_scales_rmse_and_leaves_percentages(observed, predicted, factor):
    assume(np.ptp(observed) > 0.1)
    before, after = scores(observed, predicted), scores(observed * factor, predicted * factor)
    assert after["rmse"] == pytest.approx(factor * before["rmse"], abs=1e-9)
    assert (after["pbias"], after["mape"]) == pytest.approx((before["pbias"], before["mape"]), abs=1e-9)


@given(values, st.floats(-500, 500))
def test_squared_error_is_squared_bias_where_the_model_is_off_by_a_constant(observed, offset):
    assert scores(observed, observed + offset)["rmse"] == pytest.approx(abs(offset), abs=1e-9)


@pytest.mark.parametrize(
    ("undefined", "observed", "predicted"),
    [
        ({"mape"}, [0.0, 1.0, 3.0], [1.0, 1.5, 1.0]),
        ({"pbias"}, [-1.0, 1.0], [1.0, 1.5]),
        ({"pbias"}, [0.1, 0.2, -0.3], [1.0, 1.5, 2.0]),  # the sum is 2.8e-17
        ({"pbias"}, [1e6, 2e6, -3e6 + 4e-6], [1.0, 1.5, 2.0]),  # the sum is 4e-6, 0.7e-12 of 6e6
        (NEED_CONTRAST | {"pbias", "mape"}, [0.0, 0.0], [1.0, 2.0]),
        ({"r", "r2_correlation"}, [1.0, 2.0], [3.0, 3.0]),
        (NEED_CONTRAST, [2.0, 2.0], [1.0, 3.0]),
        (NEED_CONTRAST, [0.3, 0.1 + 0.2, 0.3], [1.0, 2.0, 3.0]),  # equal but for rounding
        ({"r", "r2_correlation"}, [1.0, 2.0, 3.0], [0.3, 0.1 + 0.2, 0.3]),
        (NEED_CONTRAST, [5.0], [4.0]),
    ],
)
def test_undefined_metrics_are_nan_and_the_others_are_not(undefined, observed, predicted):
    assert {name for name, value in scores(observed, predicted).items() if math.isnan(value)} == undefined


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.0], False),
        ([-1e6, -1e6 - 7e-7], False),
        ([1e6, 1e6 + 15e-7], True),
        ([0.0, 0.0], False),
        ([0, 1e-9], True),
    ],
)
def test_what_differs_by_rounding_does_not_vary(values, expected):
    assert metrics.varies(values) is expected


@given(npst.arrays(float, 5, elements=st.floats(-1e6, 1e6)), st.floats(1e-6, 1e6))
def test_the_unit_does_not_change_what_varies(values, factor):
    size = np.abs(values).max()
    assume(size > 1e-200 and not 1e-13 < np.ptp(values) / size < 1e-11)
    assert metrics.varies(values * factor) is metrics.varies(values)


@pytest.mark.parametrize(
    ("observed", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0], "vectors of one length"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "vectors of one length"),
        ([], [], "with a row or more"),
        ([1.0, np.nan], [1.0, 2.0], "observed is not finite in 1 rows, the first at position 1"),
        ([1.0, 2.0], [np.inf, 2.0], "predicted is not finite in 1 rows, the first at position 0"),
    ],
)
def test_input_that_is_no_pairs_is_refused(observed, predicted, message):
    with pytest.raises(ForestError, match=message):
        scores(observed, predicted)
