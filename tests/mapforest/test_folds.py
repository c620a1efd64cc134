"""Folds that never share a site or block, and distances that match those of the map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapforest import folds
from mapforest.errors import FoldError

PLATEAU = (75.0, 103.0, 27.0, 39.0)


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


def _groups_share_no_fold(labels, fold):
    return all(np.unique(fold[labels == label]).size == 1 for label in np.unique(labels))


@given(st.integers(2, 200), st.integers(2, 10), st.integers(0, 1000))
def test_random_folds_are_balanced(n, k, seed):
    k = min(k, n)
    sizes = np.bincount(folds.random_folds(n, k, seed), minlength=k)
    assert sizes.sum() == n and np.ptp(sizes) <= 1


def test_random_folds_change_with_the_seed():
    assert not np.array_equal(folds.random_folds(100, 5, 1), folds.random_folds(100, 5, 2))


def test_random_split_trains_on_the_share_asked_for():
    assert folds.random_split(394, 0.7, seed=1).sum() == 276


@given(st.lists(st.integers(0, 20), min_size=10, max_size=80), st.integers(2, 4), st.integers(0, 100))
def test_groups_never_share_a_fold(labels, k, seed):
    labels = np.array([*range(k), *labels])
    fold = folds.group_folds(labels, k, seed)
    assert _groups_share_no_fold(labels, fold)
    assert set(fold) == set(range(k))


def test_no_k_makes_a_fold_of_each_group():
    fold = folds.group_folds(["tibet", "qinghai", "tibet", "sichuan"], None, seed=0)
    assert np.unique(fold).size == 3 and fold[0] == fold[2]


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


def test_regions_given_by_the_caller_are_the_folds():
    longitude, latitude = _uniform(30, seed=1)
    region = np.arange(30) % 3
    scheme = folds.schemes(longitude, latitude, *_uniform(100, seed=2), regions=region)["region"]
    assert np.array_equal(scheme(0), region)


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
    assert folds.sample_distances(longitude, latitude) == pytest.approx(kilometres)


def test_held_back_distance_ignores_rows_of_the_same_fold():
    # at 0, 1 and 3 degrees north: the first two are held back together
    distance = folds.held_back_distances([90.0, 90.0, 90.0], [0.0, 1.0, 3.0], [0, 0, 1])
    assert distance / (6371 * np.pi / 180) == pytest.approx([3, 2, 2])


@pytest.mark.parametrize("seed", range(3))
def test_knndm_matches_better_than_random_where_sites_are_clustered(seed):
    longitude, latitude = _clustered(150, seed)
    target = _uniform(1000, seed + 100)
    matched = folds.knndm(longitude, latitude, *target, k=5, seed=seed)
    random = folds.held_back_distances(longitude, latitude, folds.random_folds(150, 5, seed))
    assert matched.wasserstein_km < 0.9 * folds.wasserstein_km(random, matched.target_to_sample)


@pytest.mark.parametrize("seed", range(3))
def test_knndm_is_near_random_where_sites_are_uniform(seed):
    longitude, latitude = _uniform(150, seed)
    matched = folds.knndm(longitude, latitude, *_uniform(1000, seed + 100), k=5, seed=seed)
    random = folds.held_back_distances(longitude, latitude, folds.random_folds(150, 5, seed))
    typical_km = matched.target_to_sample.mean()
    assert abs(matched.wasserstein_km - folds.wasserstein_km(random, matched.target_to_sample)) < 0.1 * typical_km


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
    longitude, latitude = _clustered(80, 2)
    target = _uniform(500, 3)
    matched = folds.knndm(longitude, latitude, *target, k=4, seed=0)
    own = folds.held_back_distances(longitude, latitude, matched.fold)
    assert matched.wasserstein_km == folds.wasserstein_km(own, folds.target_distances(longitude, latitude, *target))


@pytest.mark.parametrize("largest_share", [0.3, 0.5])
def test_knndm_keeps_folds_below_the_largest_share(largest_share):
    longitude, latitude = _clustered(100, 5, n_clusters=3)
    matched = folds.knndm(longitude, latitude, *_uniform(500, 3), k=5, seed=0, largest_share=largest_share)
    assert np.bincount(matched.fold).max() <= largest_share * 100


def test_distance_table_has_no_w_for_the_prediction_itself():
    longitude, latitude = _clustered(50, 1)
    table = folds.distance_table(longitude, latitude, *_uniform(200, 2), {"random": folds.random_folds(50, 5, 0)})
    w = table.groupby("kind")["wasserstein_km"].first()
    assert w["prediction to sample"] == 0 and w["random"] > 0 and w["sample to sample"] > 0


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: folds.random_folds(4, 5, 0), "4 rows cannot be split into 5 folds"),
        (lambda: folds.group_folds([1, 1, 2], 3, 0), "2 groups cannot be split into 3 folds"),
        (lambda: folds.group_folds([1, 1, 1], None, 0), "1 groups cannot be split"),
        (lambda: folds.random_folds(10, 1, 0), "cannot be split into 1 folds"),
        (lambda: folds.random_split(5, 0.9, 0), "each part needs two or more"),
        (lambda: folds.knndm([90, 90, 91, 91], [30, 30, 31, 31], [92], [32], 3, 0), "2 sites cannot be split into 3"),
        (lambda: folds.knndm(*_uniform(9, 0), *_uniform(9, 1), 4, 0, largest_share=0.2), "expected a share between"),
        (lambda: folds.block_labels([90.0, 90.1], [30.0, 30.1], 500), "lie in one block of 500 km"),
        (lambda: folds.block_labels([90.0, 90.1], [30.0, 30.1], 0), "expected a positive length"),
        (lambda: folds.region_labels([90, 90, 91], [30, 30, 31], 3, 0), "2 positions cannot be split into 3 regions"),
        (lambda: folds.site_labels([90.0, np.nan], [30.0, 31.0]), "row 1 lies at longitude nan"),
        (lambda: folds.site_labels([90.0, 91.0], [30.0, 95.0]), "row 1 lies at longitude 91.0, latitude 95.0"),
        (lambda: folds.site_labels([90.0], [30.0, 31.0]), "two vectors of one length"),
        (lambda: folds.held_back_distances([90.0, 91.0], [30.0, 31.0], [0, 0]), "in one fold"),
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
