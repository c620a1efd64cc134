"""The dissimilarity index and the area of applicability against examples worked by hand.

The worked example, three training rows::

    a       1   2   3     mean  2, standard deviation  1, scaled -1 0 1, importance 4: -4 0 4
    b      10  20  30     mean 20, standard deviation 10, scaled -1 0 1, importance 3: -3 0 3

Points (-4, -3), (0, 0), (4, 3): distances 5, 5 and 10, mean 20/3. Folds: the first two rows, and the third.
Nearest row of the other fold: 10, 5, 5. Cross-validated DI: 10, 5 and 5 over 20/3: 1.5, 0.75, 0.75.
Quartiles of (0.75, 0.75, 1.5): 0.75 and 1.125; 1.125 + 1.5 * 0.375 = 1.6875 lies above the largest, so the
threshold is 1.5: in distances, 1.5 * 20/3 = 10.

The cell a = 3, b = 20 lies at (4, 0): distances sqrt(73) = 8.5, 4 and 3. DI = 3 / (20/3) = 0.45; three within 10.
The cell a = 7, b = 20 lies at (20, 0): the nearest row is at sqrt(16**2 + 3**2) = sqrt(265). DI = 2.44; none within 10.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mapforest import applicability as aoa
from mapforest.errors import ForestError

TRAINING = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [10.0, 20.0, 30.0]})
CELLS = pd.DataFrame({"b": [20.0, 20.0, np.nan], "a": [3.0, 7.0, 1.0]})


@pytest.fixture
def worked():
    return aoa.training_space(TRAINING, {"a": 4, "b": 3}, fold=[0, 0, 1])


def test_dissimilarity_of_the_worked_example(worked):
    expected = [0.45, np.sqrt(265) / (20 / 3), np.nan]
    assert aoa.dissimilarity(worked, CELLS) == pytest.approx(expected, nan_ok=True)


def test_cross_validated_dissimilarity_of_the_worked_example(worked):
    assert worked.training_di == pytest.approx([1.5, 0.75, 0.75])


def test_threshold_of_the_worked_example(worked):
    assert worked.threshold == pytest.approx(1.5)


def test_area_of_applicability_of_the_worked_example(worked):
    assert aoa.inside(worked, aoa.dissimilarity(worked, CELLS)).tolist() == [True, False, False]


def test_local_point_density_of_the_worked_example(worked):
    assert aoa.local_point_density(worked, CELLS) == pytest.approx([3, 0, np.nan], nan_ok=True)


def test_a_point_of_the_space_is_as_far_from_another_as_they_are_dissimilar(worked):
    assert worked.points * (20 / 3) == pytest.approx(np.array([[-4, -3], [0, 0], [4, 3]]))
    assert worked.weights.to_dict() == {"a": 4, "b": 3}


@pytest.mark.parametrize(("above", "within"), [(-1e-6, True), (0, True), (1e-15, True), (5e-10, True), (1e-8, False)])
def test_a_cell_that_rounding_takes_over_the_threshold_is_inside_and_has_a_row_nearby(worked, above, within):
    """Cells on the ray from the last row, at the threshold but for a share of it: 10 in direction (4, 3) / 5."""
    step = 10 * (1 + above) / 5
    cell = pd.DataFrame({"a": [3 + step], "b": [30 + 10 * step]})
    assert aoa.inside(worked, aoa.dissimilarity(worked, cell)).tolist() == [within]
    assert (aoa.local_point_density(worked, cell) == 1).tolist() == [within]
    assert aoa.usable(worked, cell).tolist() == [within]


def test_a_training_row_may_be_used_where_the_rows_stand_twice():
    table = pd.DataFrame({"a": [1.0, 1.0, 2.0, 2.0]})
    space = aoa.training_space(table, {"a": 1.0}, [0, 1, 0, 1])
    assert space.threshold == 0
    assert aoa.usable(space, pd.DataFrame({"a": [1.0, 1.1]})).tolist() == [True, False]


def test_outliers_do_not_set_the_threshold():
    """Rows at 0, 1, ..., 7 and 17, a fold each: nearest 1 for eight, 10 for the last; quartiles 1 and 1, threshold 1.

    Pairs among the first eight add up to 84, pairs with the last to 108: mean distance 192 / 36 = 16/3.
    """
    table = pd.DataFrame({"a": [*range(8), 17]}, dtype=float)
    assert aoa.training_space(table, {"a": 1}, fold=range(9)).threshold == pytest.approx(1 / (16 / 3))


def test_outliers_lie_one_and_a_half_quartile_distances_above_the_quarter():
    """Rows at 0, 1, 2, 4, 7 and 17, a fold each: nearest 1, 1, 1, 2, 3 and 10; quartiles 1 and 2.75, whisker 5.375.

    Sum of the 15 distances: the gaps 1, 1, 2, 3 and 10 lie between 5, 8, 9, 8 and 5 pairs, which makes 105, mean 7.
    """
    table = pd.DataFrame({"a": [0.0, 1.0, 2.0, 4.0, 7.0, 17.0]})
    assert aoa.training_space(table, {"a": 1}, fold=range(6)).threshold == pytest.approx(5.375 / 7)


CLASSES = pd.DataFrame({"land_cover": [10.0, 10.0, 16.0, 16.0]})


@pytest.mark.parametrize(
    ("land_cover", "expected"),
    [
        # a column a class, mean 1/2, standard deviation 1/sqrt(3): the two classes lie sqrt(6) apart, mean of the six
        # pairs 4/6 sqrt(6); a class of no training row is zero in both columns, sqrt(3) from either class
        (10.0, 0.0),
        (12.0, np.sqrt(3) / (4 / 6 * np.sqrt(6))),
    ],
)
def test_classes_are_told_apart_and_not_ordered(land_cover, expected):
    space = aoa.training_space(CLASSES, {"land_cover": 1}, [0, 1, 0, 1], ["land_cover"])
    assert aoa.dissimilarity(space, pd.DataFrame({"land_cover": [land_cover]})) == pytest.approx([expected])


def test_rows_of_a_class_without_training_rows_are_named():
    space = aoa.training_space(CLASSES, {"land_cover": 1}, [0, 1, 0, 1], ["land_cover"])
    table = pd.DataFrame({"land_cover": [10.0, 12.0, np.nan]})
    assert aoa.unseen_classes(space, table).tolist() == [False, True, False]


def test_classes_that_are_not_called_so_are_numbers():
    space = aoa.training_space(CLASSES, {"land_cover": 1}, [0, 1, 0, 1])
    # 10 and 16 lie 6 apart, the mean over six pairs is 4: 12 is 2 from 10
    assert aoa.dissimilarity(space, pd.DataFrame({"land_cover": [12.0]})) == pytest.approx([0.5])
    assert not aoa.unseen_classes(space, pd.DataFrame({"land_cover": [12.0]})).any()


@pytest.fixture
def sites():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "temperature": rng.normal(0, 5, 80),
            "precipitation": rng.gamma(3, 150, 80),
            "land_cover": rng.choice([10.0, 8.0, 16.0], 80),
        }
    )
    cells = table.sample(300, replace=True, random_state=1, ignore_index=True)
    cells["temperature"] += rng.normal(0, 8, 300)
    return table, cells, np.arange(80) % 5


IMPORTANCE = {"temperature": 2.0, "precipitation": 5.0, "land_cover": 1.0}


def test_a_training_row_is_not_dissimilar_to_itself(sites):
    table, _, fold = sites
    space = aoa.training_space(table, IMPORTANCE, fold, ["land_cover"])
    assert aoa.dissimilarity(space, table) == pytest.approx(0, abs=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_order_of_the_training_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"a": rng.normal(size=20), "b": rng.gamma(2, size=20)})
    cells, fold, order = table.sample(5, random_state=1) + 0.1, np.arange(20) % 3, rng.permutation(20)
    one = aoa.training_space(table, {"a": 1, "b": 2}, fold)
    other = aoa.training_space(table.iloc[order], {"a": 1, "b": 2}, fold[order])
    assert other.training_di == pytest.approx(one.training_di[order])
    assert other.threshold == pytest.approx(one.threshold)
    assert aoa.dissimilarity(other, cells) == pytest.approx(aoa.dissimilarity(one, cells))


@settings(max_examples=30)
@given(st.floats(0.01, 1000), st.floats(-300, 300))
def test_units_of_a_predictor_do_not_matter(factor, offset):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=30), "b": rng.normal(size=30)})
    cells, fold = table + 0.3, np.arange(30) % 3
    in_other_units = [part.assign(a=part["a"] * factor + offset) for part in (table, cells)]
    one = aoa.dissimilarity(aoa.training_space(table, {"a": 1, "b": 2}, fold), cells)
    other = aoa.dissimilarity(aoa.training_space(in_other_units[0], {"a": 1, "b": 2}, fold), in_other_units[1])
    assert other == pytest.approx(one, rel=1e-6)


@settings(max_examples=30)
@given(st.floats(0.001, 1000))
def test_units_of_the_importance_do_not_matter(factor):
    one = aoa.training_space(TRAINING, {"a": 4, "b": 3}, fold=[0, 0, 1])
    other = aoa.training_space(TRAINING, {"a": 4 * factor, "b": 3 * factor}, fold=[0, 0, 1])
    assert aoa.dissimilarity(other, CELLS[:2]) == pytest.approx(aoa.dissimilarity(one, CELLS[:2]))


def test_a_cell_inside_has_a_training_row_nearby_and_a_cell_outside_has_none(sites):
    table, cells, fold = sites
    space = aoa.training_space(table, IMPORTANCE, fold, ["land_cover"])
    within = aoa.inside(space, aoa.dissimilarity(space, cells))
    assert 0 < within.mean() < 1
    assert np.array_equal(aoa.local_point_density(space, cells) >= 1, within)
    assert np.array_equal(aoa.usable(space, cells), within & ~aoa.unseen_classes(space, cells))


def test_kind_folds_vouch_for_less_than_strict_ones(sites):
    table, _, _ = sites
    warm = (table["temperature"].rank() > 40).astype(int)
    kind = aoa.training_space(table, {"temperature": 1.0}, np.arange(80))
    assert kind.threshold < aoa.training_space(table, {"temperature": 1.0}, warm).threshold


@pytest.mark.parametrize("measure", [aoa.dissimilarity, aoa.local_point_density, aoa.usable])
def test_threads_do_not_change_the_result(sites, measure):
    table, cells, fold = sites
    space = aoa.training_space(table, IMPORTANCE, fold, ["land_cover"])
    assert np.array_equal(measure(space, cells, threads=2), measure(space, cells))


def test_a_predictor_that_the_model_does_not_use_does_not_count(sites):
    table, cells, fold = sites
    without = aoa.training_space(table, {"temperature": 1.0}, fold)
    unused = aoa.training_space(table.assign(noise=1.0), {"temperature": 1.0, "noise": -0.5}, fold)
    assert np.array_equal(aoa.dissimilarity(without, cells), aoa.dissimilarity(unused, cells))


@pytest.mark.parametrize(
    ("table", "importance", "fold", "message"),
    [
        (TRAINING.assign(b=20.0), {"a": 1, "b": 1}, [0, 0, 1], r"'b' is constant in the training table \(20.0\)"),
        (TRAINING.assign(b=[1, np.nan, 3]), {"a": 1, "b": 1}, [0, 0, 1], "'b' is missing in 1 training rows"),
        (TRAINING, {"a": 1, "soc": 1}, [0, 0, 1], r"lacks the predictors \['soc'\]"),
        (TRAINING, {"a": 0, "b": -1}, [0, 0, 1], "no predictor has an importance above zero"),
        (TRAINING, {"a": 1}, [0, 0, 0], "at least two folds"),
        (TRAINING, {"a": 1}, [0, 1], "one fold number per row"),
        (TRAINING, {"a": 1}, [0, np.nan, 1], "not a whole number in 1 of 3 rows, the first at position 1"),
        (TRAINING, {"a": 1, "b": np.nan}, [0, 0, 1], "importance {'b': nan} is not finite"),
        (TRAINING, {"a": np.inf, "b": 1}, [0, 0, 1], "importance {'a': inf} is not finite"),
        (TRAINING.assign(b=[0.3, 0.1 + 0.2, 0.3]), {"b": 1}, [0, 0, 1], "'b' is constant"),
    ],
)
def test_a_training_table_without_a_measure_is_refused(table, importance, fold, message):
    with pytest.raises(ForestError, match=message):
        aoa.training_space(table, importance, fold)


def test_cells_without_a_predictor_are_refused(worked):
    with pytest.raises(ForestError, match=r"lacks the predictors \['b'\]"):
        aoa.dissimilarity(worked, CELLS[["a"]])


def test_error_profile_of_a_worked_example():
    """Errors 3, 1, 1, 5, 7 in order of DI, windows of two: mean squares 5, 1, 13, 37.

    The first two must not fall: root mean squares sqrt(5) and 1 become their mean.
    """
    di, error = [0.4, 0.1, 0.3, 0.2, 0.6], [5.0, 3.0, 1.0, 1.0, 7.0]
    profile = aoa.error_profile(di, np.zeros(5), error, window=2)
    assert profile.di == pytest.approx([0.15, 0.25, 0.35, 0.5])
    assert profile.rmse == pytest.approx(np.sqrt([5, 1, 13, 37]))
    assert profile.largest_di == 0.6
    level = (np.sqrt(5) + 1) / 2
    assert profile.fitted == pytest.approx([level, level, np.sqrt(13), np.sqrt(37)])
    at = aoa.expected_rmse(profile, [[0.0, 0.2], [0.425, 0.6]])
    assert at == pytest.approx(np.array([[level, level], [(np.sqrt(13) + np.sqrt(37)) / 2, np.sqrt(37)]]))


def test_pairs_of_one_window_are_enough():
    profile = aoa.error_profile([0.1, 0.3], [0.0, 0.0], [3.0, 1.0], window=2)
    assert (profile.di, profile.fitted) == (pytest.approx([0.2]), pytest.approx([np.sqrt(5)]))


@pytest.fixture
def errors():
    """Errors whose standard deviation is 100 times the DI."""
    rng = np.random.default_rng(0)
    di = rng.uniform(0.1, 1, 4000)
    return di, np.zeros(4000), rng.normal(0, 100 * di)


@pytest.mark.parametrize("di", [0.2, 0.5, 0.9])
def test_error_profile_finds_the_error_at_a_dissimilarity(errors, di):
    assert aoa.expected_rmse(aoa.error_profile(*errors, window=200), di) == pytest.approx(100 * di, rel=0.15)


def test_expected_error_never_falls_with_dissimilarity(errors):
    profile = aoa.error_profile(*(values[:100] for values in errors), window=10)
    assert (np.diff(aoa.expected_rmse(profile, np.linspace(0, profile.largest_di, 50))) >= 0).all()


def test_no_error_is_promised_beyond_what_was_tried(errors):
    profile = aoa.error_profile(*errors)
    assert np.isnan(aoa.expected_rmse(profile, [profile.largest_di + 0.01, np.nan])).all()


@pytest.mark.parametrize(
    ("di", "observed", "message"),
    [
        ([0.1] * 5, [1.0] * 5, "at least one window of 20"),
        ([0.1] * 30, [1.0] * 29, "vectors of one length"),
        ([0.1] * 30, [np.nan] * 30, "is not finite"),
    ],
)
def test_pairs_without_a_profile_are_refused(di, observed, message):
    with pytest.raises(ForestError, match=message):
        aoa.error_profile(di, observed, observed)


def _map(latitude, longitude, **layers):
    grid = {"latitude": latitude, "longitude": longitude}
    shape = (len(latitude), len(longitude))
    layers = {"in_region": np.ones(shape, bool), "cell_area": np.ones(shape), **layers}
    return xr.Dataset({name: (tuple(grid), np.array(values)) for name, values in layers.items()}, grid)


@pytest.mark.parametrize("band_rows", [1, 2, 100])
def test_applicable_cells_come_back_to_their_place_on_the_map(worked, band_rows):
    columns = {name: CELLS[name].to_numpy() for name in worked.weights.index}
    layers = {name: [[a, b], [np.nan, c]] for name, (c, a, b) in columns.items()}
    cube = _map([36.0, 35.0], [90.0, 91.0], **layers)
    judged = aoa.inside(worked, aoa.dissimilarity(worked, CELLS))
    expected = [[judged[1], judged[2]], [False, judged[0]]]
    assert set(judged) == {True, False}
    assert aoa.applicable_cells(worked, cube, cube["in_region"], band_rows=band_rows).values.tolist() == expected


def test_a_cell_of_a_class_that_no_site_has_is_not_applicable():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "land_cover": [10, 10, 16, 16]})
    space = aoa.training_space(table, {"a": 1, "land_cover": 0.01}, [0, 1, 0, 1], ["land_cover"])
    cells = pd.DataFrame({"a": [2.0, 2.0, np.nan], "land_cover": [10, 5, 10]})
    assert aoa.inside(space, aoa.dissimilarity(space, cells)).tolist() == [True, True, False]
    assert aoa.usable(space, cells).tolist() == [True, False, False]
    cube = _map([30.0], [90.0, 91.0], a=[[2.0, 2.0]], land_cover=[[10, 5]])
    assert aoa.applicable_cells(space, cube, cube["in_region"]).values.tolist() == [[True, False]]


def test_a_cell_off_the_plateau_is_not_applicable(worked):
    layers = {name: [[CELLS[name].iloc[0]] * 2] for name in worked.weights.index}
    cube = _map([30.0], [90.0, 91.0], **layers | {"in_region": [[True, False]]})
    assert not aoa.applicable_cells(worked, cube, cube["in_region"]).values[0, 1]
