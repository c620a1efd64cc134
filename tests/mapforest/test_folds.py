"""Folds that never share a site or block, and distances that match those of the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapforest import folds
from mapforest.errors import FoldError

PLATEAU = (75.0, 103.0, 27.0, 39.0)
DEGREE_KM = 6371 * np.pi / 180


def _uniform(n, seed):
    rng = np.random.default_rng(seed)
    west, east, south, north = PLATEAU
    return rng.uniform(west, east, n), rng.uniform(south, north, n)


def _clustered(n, seed, n_clusters=8, spread=0.3):
    """Sites as expeditions leave them: a few tight groups in a wide land."""
    rng = np.random.default_rng(seed)
    west, east, south, north = PLATEAU
    centre = rng.integers(n_clusters, size=n)
    longitude, latitude = rng.uniform(west, east, n_clusters), rng.uniform(south, north, n_clusters)
    return longitude[centre] + rng.normal(0, spread, n), latitude[centre] + rng.normal(0, spread, n)


def _partition(fold):
    """Return which rows share a fold, whatever its number."""
    return {frozenset(np.flatnonzero(fold == number)) for number in np.unique(fold)}


def _groups_share_no_fold(labels, fold):
    return all(np.unique(fold[labels == label]).size == 1 for label in np.unique(labels))


@given(st.integers(2, 200), st.integers(2, 10), st.integers(0, 1000))
def test_random_folds_are_balanced(n, k, seed):
    k = min(k, n)
    sizes = np.bincount(folds.random_folds(n, k, seed), minlength=k)
    assert sizes.sum() == n and np.ptp(sizes) <= 1


def test_random_folds_change_with_the_seed():
    assert not np.array_equal(folds.random_folds(100, 5, 1), folds.random_folds(100, 5, 2))


@given(st.lists(st.integers(0, 20), min_size=10, max_size=80), st.integers(2, 4), st.integers(0, 100))
def test_groups_never_share_a_fold(labels, k, seed):
    labels = np.array([*range(k), *labels])
    fold = folds.group_folds(labels, k, seed)
    assert _groups_share_no_fold(labels, fold)
    assert set(fold) == set(range(k))


def test_no_k_makes_a_fold_of_each_group():
    assert folds.group_folds(["tibet", "qinghai", "tibet", "sichuan"], None, seed=0).tolist() == [2, 0, 2, 1]
    assert folds.group_folds(["tibet", "qinghai"], None, seed=0).tolist() == [1, 0]


def test_a_group_goes_to_the_fold_with_the_fewest_rows():
    """Whatever the order of the groups, the largest, if it comes last, unbalances the folds by its own size at most."""
    label = np.repeat([0, 1, 2, 3, 4], [6, 2, 2, 1, 1])
    for seed in range(10):
        size = np.bincount(folds.group_folds(label, 2, seed))
        assert np.ptp(size) <= 6 and np.ptp(folds.group_folds(np.arange(12), 2, seed)) == 1


def test_the_poles_are_places_too():
    assert folds.site_labels([0.0, 0.0, 0.0], [90.0, -90.0, 90.0]).tolist() in ([0, 1, 0], [1, 0, 1])


def test_sites_are_told_apart_at_a_hundredth_of_a_degree():
    assert folds.site_labels([91.0, 91.004, 91.006, 91.02], [30.0] * 4).tolist() == [0, 0, 1, 2]
    assert folds.site_labels([91.0] * 4, [30.0, 30.004, 30.006, 30.02]).tolist() == [0, 0, 1, 2]


def test_blocks_of_a_worked_example():
    """On the equator at 0, 90, 110 and 200 km: blocks of 100 km begin half a block before the first row."""
    longitude = np.array([0.0, 90.0, 110.0, 200.0]) / DEGREE_KM
    assert folds.block_labels(longitude, np.zeros(4), 100).tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("name", ["site", "block_100_km", "block_250_km", "block_500_km", "knndm"])
def test_rows_of_one_site_never_share_two_folds(name):
    longitude, latitude = (np.repeat(values, 3) for values in _clustered(60, seed=3))
    scheme = folds.schemes(longitude, latitude, *_uniform(500, seed=4))[name]
    assert _groups_share_no_fold(folds.site_labels(longitude, latitude), scheme(7))


def test_random_scheme_does_split_sites():
    longitude, latitude = (np.repeat(values, 3) for values in _clustered(60, seed=3))
    scheme = folds.schemes(longitude, latitude, *_uniform(500, seed=4))["random"]
    assert not _groups_share_no_fold(folds.site_labels(longitude, latitude), scheme(7))


@pytest.mark.parametrize("size_km", [100, 250, 500])
def test_blocks_never_share_a_fold(size_km):
    longitude, latitude = _uniform(200, seed=5)
    fold = folds.schemes(longitude, latitude, *_uniform(500, seed=4))[f"block_{size_km}_km"](11)
    assert _groups_share_no_fold(folds.block_labels(longitude, latitude, size_km), fold)


@pytest.mark.parametrize("size_km", [100, 400])
def test_no_block_is_wider_than_asked_for_by_more_than_a_half(size_km):
    longitude, latitude = _uniform(3000, seed=5)
    label = folds.block_labels(longitude, latitude, size_km)
    northing = latitude * 111.2
    assert max(np.ptp(northing[label == one]) for one in np.unique(label)) < 1.5 * size_km


def test_a_region_is_a_compact_group():
    """Three groups far from each other: k-means of three regions finds them, from any seed."""
    group = np.repeat([0, 1, 2], 10)
    longitude, latitude = np.array([78.0, 90.0, 102.0])[group], 30 + np.tile(np.linspace(0, 1, 10), 3)
    scheme = folds.schemes(longitude, latitude, *_uniform(100, seed=2), k=3, block_sizes_km=())["region"]
    assert all(_partition(scheme(seed)) == _partition(group) for seed in range(3))


def test_schemes_come_from_the_kindest_to_the_strictest():
    schemes = folds.schemes(*_clustered(60, 3), *_uniform(100, 4))
    assert list(schemes) == ["random", "site", "block_100_km", "block_250_km", "block_500_km", "knndm", "region"]
    assert all(set(scheme(1)) == set(range(5)) for scheme in schemes.values())


def test_a_station_with_most_of_the_rows_is_judged_all_the_same():
    """Forty rows at one place: no fold holds less than 40 of 46, which kNNDM refuses and the schemes allow."""
    longitude, latitude = np.r_[np.full(40, 90.0), 100 + np.arange(6) / 100], np.r_[np.full(40, 33.0), np.full(6, 36.0)]
    places = (longitude, latitude, *_uniform(300, 1))
    with pytest.raises(FoldError, match="below a share of 0.75"):
        folds.knndm(*places, 3, seed=0, largest_share=0.75)
    fold = folds.schemes(*places, k=3, which="fast")["knndm"](0)
    assert sorted(np.bincount(fold))[-1] == 40 and np.unique(fold).size == 3


def test_a_block_that_holds_all_rows_is_no_scheme():
    longitude, latitude = _clustered(60, 3)
    narrow = 90 + (longitude - longitude.min()) / np.ptp(longitude), 33 + (latitude - latitude.min()) / np.ptp(latitude)
    schemes = folds.schemes(*narrow, *_uniform(100, 4), block_sizes_km=(50, 250))
    assert list(schemes) == ["random", "site", "block_50_km", "knndm", "region"]
    with pytest.raises(FoldError, match="expected a positive length"):
        folds.schemes(*narrow, *_uniform(100, 4), block_sizes_km=(-1,))


def test_too_few_blocks_for_the_folds_are_a_fold_each():
    longitude, latitude = _uniform(80, seed=1)
    blocks = folds.schemes(longitude, latitude, *_uniform(100, 2), k=30, block_sizes_km=(900,))["block_900_km"]
    label = folds.block_labels(longitude, latitude, 900)
    assert 2 < np.unique(label).size < 30 and _partition(blocks(5)) == _partition(label)


@pytest.mark.parametrize(
    ("one", "other", "kilometres"),
    [
        ((90.0, 30.0), (90.0, 31.0), 6371 * np.pi / 180),
        ((179.9, 0.0), (-179.9, 0.0), 0.2 * 6371 * np.pi / 180),
        ((0.0, 60.0), (180.0, 60.0), 60 * 6371 * np.pi / 180),
    ],
)
def test_distances_are_great_circles(one, other, kilometres):
    longitude, latitude = np.transpose([one, other])
    assert folds.held_back_distances(longitude, latitude, [0, 1]) == pytest.approx(kilometres)


def test_held_back_distance_ignores_rows_of_the_same_fold():
    # at 0, 1 and 3 degrees north: the first two are held back together
    distance = folds.held_back_distances([90.0, 90.0, 90.0], [0.0, 1.0, 3.0], [0, 0, 1])
    assert distance / DEGREE_KM == pytest.approx([3, 2, 2])


def _kinds(place, target, k, seed):
    """Return the matched folds, and W and the mean distance of each kind, random folds among them."""
    matched = folds.knndm(*place, *target, k=k, seed=seed)
    compared = {"matched": matched.fold, "random": folds.random_folds(len(place[0]), k, seed)}
    return matched, folds.distance_table(*place, *target, compared).groupby("kind").mean()


@pytest.mark.parametrize("seed", range(3))
def test_knndm_matches_better_than_random_where_sites_are_clustered(seed):
    _, kind = _kinds(_clustered(150, seed), _uniform(1000, seed + 100), 5, seed)
    assert kind.loc["matched", "wasserstein_km"] < 0.9 * kind.loc["random", "wasserstein_km"]


@pytest.mark.parametrize("seed", range(3))
def test_knndm_is_near_random_where_sites_are_uniform(seed):
    _, kind = _kinds(_uniform(150, seed), _uniform(1000, seed + 100), 5, seed)
    difference = kind.loc["matched", "wasserstein_km"] - kind.loc["random", "wasserstein_km"]
    assert abs(difference) < 0.1 * kind.loc["prediction to sample", "distance_km"]


def test_knndm_deals_at_random_where_sites_are_no_more_clustered_than_the_map_demands():
    matched = folds.knndm(*_uniform(150, 0), *_uniform(1000, 1), k=5, seed=0)
    assert matched.clusters == 0


def test_knndm_finds_the_clusters_that_the_map_demands():
    """Four tight groups 5 degrees apart; the map lies 5 degrees from the nearest group: a group is a fold."""
    centre = np.repeat([0.0, 5.0, 10.0, 15.0], 10)
    latitude = centre + np.tile(np.linspace(-0.05, 0.05, 10), 4)
    matched = folds.knndm(np.full(40, 90.0), latitude, [85.0] * 50, np.linspace(0, 15, 50), k=4, seed=0)
    assert _groups_share_no_fold(centre, matched.fold) and np.unique(matched.fold).size == 4


def test_knndm_reports_the_w_of_its_own_folds():
    matched, kind = _kinds(_clustered(80, 2), _uniform(500, 3), 4, seed=0)
    assert matched.wasserstein_km == pytest.approx(kind.loc["matched", "wasserstein_km"], rel=1e-12)


def test_w_of_a_worked_example():
    """Sites at 0, 1 and 3 degrees north, the map at 5 and 7: the map needs 2 and 4, the sites have 1, 1 and 2.

    W is the area between the distribution functions: 2/3 against 0 from 1 to 2, then 1 against 1/2 from 2 to 4.
    """
    place, target = ([90.0] * 3, [0.0, 1.0, 3.0]), ([90.0] * 2, [5.0, 7.0])
    table = folds.distance_table(*place, *target, {"last held back": [0, 0, 1]})
    degrees = table.assign(distance_km=table["distance_km"] / DEGREE_KM, w=table["wasserstein_km"] / DEGREE_KM)
    by_kind = {kind: group for kind, group in degrees.groupby("kind", sort=False)}
    assert list(by_kind) == ["sample to sample", "prediction to sample", "last held back"]
    assert by_kind["sample to sample"]["distance_km"].to_numpy() == pytest.approx([1, 1, 2])
    assert by_kind["prediction to sample"]["distance_km"].to_numpy() == pytest.approx([2, 4])
    assert by_kind["last held back"]["distance_km"].to_numpy() == pytest.approx([3, 2, 2])
    assert by_kind["sample to sample"]["w"].iloc[0] == pytest.approx(2 / 3 + 2 * 1 / 2)
    # 3, 2, 2 against 2, 4: from 2 to 3 at 2/3 against 1/2, from 3 to 4 at 1 against 1/2
    assert by_kind["last held back"]["w"].iloc[0] == pytest.approx(1 / 6 + 1 / 2)


def test_every_number_of_clusters_is_tried_where_sites_are_few(monkeypatch):
    """CAST looks at 100 values; here it misses the best."""
    place, target = _clustered(150, 10, n_clusters=60), _uniform(150, 5)
    every = folds.knndm(*place, *target, k=5, seed=0)
    monkeypatch.setattr(folds, "SEARCHED_Q", 100)
    assert every.wasserstein_km < 0.95 * folds.knndm(*place, *target, k=5, seed=0).wasserstein_km


def test_where_sites_are_many_the_numbers_of_clusters_that_cast_tries_are_among_ours():
    cast, ours = (np.geomspace(5, 2000, n).round() for n in (100, folds.SEARCHED_Q))
    assert set(cast) <= set(ours)


@pytest.mark.parametrize("scheme", ["random", "site", "block_250_km", "knndm", "region"])
def test_two_folds_are_enough(scheme):
    fold = folds.schemes(*_clustered(80, 2), *_uniform(300, 3), k=2)[scheme](1)
    assert set(fold) == {0, 1} and np.bincount(fold).max() <= 0.75 * 80


def test_two_sites_and_four_cells_prove_no_clustering():
    """All cells are farther than the sites are apart: one order of the six distances in 15, p = 0.067."""
    matched = folds.knndm([90.0, 91.0], [30.0, 30.0], [80.0, 82.0, 100.0, 102.0], [30.0] * 4, k=2, seed=0)
    assert matched.clusters == 0


def test_a_fold_may_hold_nearly_half_of_the_rows():
    crowd, others = _clustered(45, 1, n_clusters=1, spread=0.01), _clustered(55, 7, n_clusters=6)
    place = [np.r_[one, other] for one, other in zip(crowd, others, strict=True)]
    assert np.bincount(folds.knndm(*place, *_uniform(300, 3), k=5, seed=0).fold).max() == 45


def test_of_three_folds_none_holds_more_than_a_half():
    """Half the sites in one place: with a share of 3/4, as for two folds, they would be a fold."""
    crowd, others = _clustered(60, 1, n_clusters=1, spread=0.1), _clustered(50, 7, n_clusters=3)
    place = [np.r_[one, other] for one, other in zip(crowd, others, strict=True)]
    assert np.bincount(folds.knndm(*place, *_uniform(300, 3), k=3, seed=0).fold).max() <= 55


def test_more_records_of_every_site_change_neither_folds_nor_w():
    place, target = _clustered(40, 6), _uniform(100, 3)
    once = folds.knndm(*place, *target, k=4, seed=0)
    thrice = folds.knndm(*(np.repeat(values, 3) for values in place), *target, k=4, seed=0)
    assert _partition(thrice.fold[::3]) == _partition(once.fold)
    assert (thrice.clusters, thrice.wasserstein_km) == (once.clusters, pytest.approx(once.wasserstein_km, rel=1e-12))


def test_as_many_folds_as_sites_are_a_fold_each():
    site = np.repeat([0, 1, 2], 4)
    matched = folds.knndm(90.0 + 3 * site, np.full(12, 30.0), *_uniform(100, 3), k=3, seed=0)
    assert (_partition(matched.fold), matched.clusters) == (_partition(site), 3)


def _permuted(place, seed):
    order = np.random.default_rng(seed).permutation(len(place[0]))
    return order, [np.asarray(values)[order] for values in place]


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_change_who_shares_a_fold(seed):
    place, target = _clustered(40, 6), _uniform(100, 3)
    order, permuted = _permuted(place, seed)
    one, other = (folds.knndm(*rows, *target, k=4, seed=0) for rows in (place, permuted))
    assert one.clusters and other.wasserstein_km == pytest.approx(one.wasserstein_km, rel=1e-12)
    assert _partition(other.fold) == _partition(one.fold[order])


@given(st.lists(st.integers(0, 9), min_size=5, max_size=40), st.integers(0, 20))
def test_the_order_of_rows_does_not_change_the_fold_of_a_group(labels, seed):
    labels = np.array([0, 1, 2, *labels])
    order, (permuted,) = _permuted([labels], seed)
    assert np.array_equal(folds.group_folds(permuted, 3, 1), folds.group_folds(labels, 3, 1)[order])


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=20).filter(lambda fold: len(set(fold)) > 1))
def test_folds_of_whole_numbers_are_kept(fold):
    for given_as in (fold, np.array(fold, float), pd.Series(fold, dtype="Int64"), np.array(fold, object)):
        checked = folds.checked_folds(given_as, len(fold))
        assert checked.dtype == np.int64 and checked.tolist() == fold


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        ([0.0, np.nan, 1.0], r"not a whole number in 1 of 3 rows, the first at position 1 \(nan\)"),
        ([0, np.inf, 1], "the first at position 1"),
        ([0, 1, 1.5], r"the first at position 2 \(1.5\)"),
        ([None, 1, 0], "the first at position 0"),
        (pd.Series([1, 0, None], dtype="Int64"), "the first at position 2"),
        (["north", "south", "north"], r"in 3 of 3 rows, the first at position 0 \(north\)"),
        ([0, 1], r"3 rows have folds of shape \(2,\)"),
        ([[0], [1], [0]], r"shape \(3, 1\)"),
        ([2, 2, 2], "all 3 rows are in one fold"),
    ],
)
def test_folds_that_are_none_are_refused(fold, message):
    with pytest.raises(FoldError, match=message):
        folds.checked_folds(fold, 3)
    with pytest.raises(FoldError, match=message):
        folds.held_back_distances([90.0, 91.0, 92.0], [30.0, 31.0, 32.0], fold)


@pytest.mark.parametrize("largest_share", [0.3, 0.5])
def test_knndm_keeps_folds_below_the_largest_share(largest_share):
    longitude, latitude = _clustered(100, 5, n_clusters=3)
    matched = folds.knndm(longitude, latitude, *_uniform(500, 3), k=5, seed=0, largest_share=largest_share)
    assert np.bincount(matched.fold).max() <= largest_share * 100


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: folds.random_folds(4, 5, 0), "4 rows cannot be split into 5 folds"),
        (lambda: folds.group_folds([1, 1, 2], 3, 0), "2 groups cannot be split into 3 folds"),
        (lambda: folds.group_folds([1, 1, 1], None, 0), "1 groups cannot be split"),
        (lambda: folds.random_folds(10, 1, 0), "cannot be split into 1 folds"),
        (lambda: folds.knndm([90, 90, 91, 91], [30, 30, 31, 31], [92], [32], 3, 0), "2 sites cannot be split into 3"),
        (lambda: folds.knndm(*_uniform(9, 0), *_uniform(9, 1), 4, 0, largest_share=0.25), "expected a share between"),
        (lambda: folds.knndm(*_uniform(9, 0), *_uniform(9, 1), 4, 0, largest_share=1.0), "expected a share between"),
        (lambda: folds.site_labels([90.0], [30.0]), "two rows or more"),
        (lambda: folds.block_labels([90.0, 90.1], [30.0, 30.1], 500), "lie in one block of 500 km"),
        (lambda: folds.block_labels([90.0, 90.1], [30.0, 30.1], 0), "expected a positive length"),
        (lambda: folds.site_labels([90.0, np.nan], [30.0, 31.0]), "row 1 lies at longitude nan"),
        (lambda: folds.site_labels([90.0, 91.0], [30.0, 95.0]), "row 1 lies at longitude 91.0, latitude 95.0"),
        (lambda: folds.site_labels([90.0], [30.0, 31.0]), "two vectors of one length"),
    ],
)
def test_rows_that_cannot_be_split_are_refused(split, message):
    with pytest.raises(FoldError, match=message):
        split()


def test_knndm_says_so_where_one_site_holds_most_rows():
    longitude = np.r_[np.full(80, 90.0), np.linspace(91, 100, 20)]
    with pytest.raises(FoldError, match="raise largest_share or lower k"):
        folds.knndm(longitude, np.full(100, 30.0), *_uniform(200, 0), k=5, seed=0)


def test_the_fast_schemes_are_the_distance_matched_folds_of_all():
    place, cells = _clustered(80, 1), _uniform(300, 2)
    every, fast = (folds.schemes(*place, *cells, k=4, which=which) for which in ("all", "fast"))
    assert list(fast) == ["knndm"] and np.array_equal(fast["knndm"](3), every["knndm"](3))
