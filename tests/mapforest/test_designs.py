"""Plans for new plots: what holds for any ground, and the choices that are known by hand or by brute force."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import haversine_distances

from mapforest import criteria
from mapforest.criteria import NUGGET
from mapforest.designs import DESIGNS, HABITS, MOST_CELLS, Ground, allowed_cells, propose, variance_left
from mapforest.errors import ForestError
from mapforest.folds import EARTH_RADIUS_KM
from mapforest.forest import RandomForest

EVERY = (*DESIGNS, *HABITS)
few = settings(max_examples=8)


def made(seed: int = 0, side: int = 8, n_sites: int = 12, trees: int = 10) -> Ground:
    """Return a ground of side x side cells over four degrees; its sites stand in the south-west, some twice."""
    rng = np.random.default_rng(seed)
    lat, lon = (axis.ravel() for axis in np.meshgrid(np.linspace(30, 34, side), np.linspace(90, 94, side)))
    cells = pd.DataFrame({"latitude": lat, "longitude": lon}).assign(
        elevation=3000 + 400 * (lat - 30) + 100 * rng.standard_normal(lat.size),
        temperature=5 - 2 * (lat - 30) + rng.standard_normal(lat.size),
        cover=rng.choice([7, 10, 16], lat.size),
    )
    sites = cells[(cells["latitude"] < 32.5) & (cells["longitude"] < 92.5)].sample(n_sites, random_state=seed)
    sites = pd.concat([sites, sites.iloc[:2]], ignore_index=True)
    seen = ["elevation", "temperature", "cover"]
    target = sites["temperature"] + 0.1 * rng.standard_normal(len(sites))
    forest = RandomForest(seen, trees, 2, categorical=["cover"], seed=seed).fit(sites, target)
    return Ground(forest, sites, cells, rng.uniform(1, 3, lat.size), 150.0, rng.uniform(0.5, 2, lat.size))


def plan(design: str, ground: Ground, n: int, seed: int = 0, **options: object) -> list[int]:
    options = {"allowed": np.ones(len(ground.cells), bool)} | options
    return propose(design, [ground], n, seed, **options)["cell"].tolist()


def shuffled(ground: Ground, order: np.ndarray) -> Ground:
    return replace(
        ground, cells=ground.cells.iloc[order], area=ground.area[order], disagreement=ground.disagreement[order]
    )


def kilometres(one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    return EARTH_RADIUS_KM * haversine_distances(*(np.radians(t[["latitude", "longitude"]]) for t in (one, other)))


def kernel(ground: Ground, one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """Return the covariance by its formula: share of trees with a common leaf, times the exponential of distance."""
    leaf = [ground.forest.estimator_.apply(ground.forest.encode(table)) for table in (one, other)]
    share = (leaf[0][:, None] == leaf[1][None]).mean(axis=2)
    return share * np.exp(-kilometres(one, other) / ground.range_km)


class ByFormula:
    """The variance w' (K - K_m (K_mm + tau)^-1 K_m') w of the mean when some cells are measured beside the sites."""

    def __init__(self, ground: Ground, weights: np.ndarray) -> None:
        places = pd.concat([ground.sites.drop_duplicates(["longitude", "latitude"]), ground.cells])
        self.all, self.w = kernel(ground, places, places), weights / weights.sum()
        self.n_sites = len(places) - len(ground.cells)

    def __call__(self, *chosen: int) -> float:
        measured = [*range(self.n_sites), *(self.n_sites + cell for cell in chosen)]
        inner = self.all[np.ix_(measured, measured)] + NUGGET * np.eye(len(measured))
        with_mean = self.all[measured, self.n_sites :] @ self.w
        before = self.w @ self.all[self.n_sites :, self.n_sites :] @ self.w
        return float(before - with_mean @ np.linalg.solve(inner, with_mean))


@few
@given(st.sampled_from(EVERY), st.integers(0, 5), st.integers(0, 1000))
def test_constraints_hold(design, seed, at_random):
    ground, rng = made(seed), np.random.default_rng(at_random)
    within, left_out = shapely.box(90.4, 30.4, 94, 34), shapely.box(92, 32, 93, 33)
    mask = rng.random(len(ground.cells)) < 0.8
    allowed = mask & allowed_cells(ground.cells, within=within, left_out=left_out, max_elevation=4500)
    chosen = plan(design, ground, 4, allowed=allowed, min_distance_km=60)
    plots = ground.cells.iloc[chosen]
    assert mask[chosen].all() and (plots["elevation"] <= 4500).all()
    for plot in shapely.points(plots["longitude"], plots["latitude"]):
        assert within.intersects(plot) and not left_out.intersects(plot)
    apart = kilometres(plots, plots)[np.triu_indices(4, 1)]
    assert apart.min() >= 60 and kilometres(plots, ground.sites).min() >= 60


@few
@given(st.sampled_from(EVERY), st.integers(0, 5), st.integers(0, 1000))
def test_the_order_of_the_cells_does_not_matter(design, seed, at_random):
    ground = made(seed)
    order = np.random.default_rng(at_random).permutation(len(ground.cells))
    moved = plan(design, shuffled(ground, order), 6, seed)
    assert order[moved].tolist() == plan(design, ground, 6, seed)


@few
@given(st.sampled_from(EVERY), st.integers(0, 5), st.integers(0, 7))
def test_a_plan_extends_the_shorter_one_whether_it_is_given_or_not(design, seed, n):
    ground = made(seed)
    whole = plan(design, ground, 8, seed, min_distance_km=30)
    assert plan(design, ground, n, seed, min_distance_km=30) == whole[:n]
    assert plan(design, ground, 8, seed, min_distance_km=30, first=whole[:n]) == whole


@pytest.mark.parametrize("design", EVERY)
def test_the_same_seed_gives_the_same_plan_and_another_seed_another_random_one(design):
    ground, random = made(), design in ("strata", *HABITS)
    first = plan(design, ground, 10, 1)
    assert plan(design, ground, 10, 1) == first and len(set(first)) == 10
    assert (plan(design, ground, 10, 2) != first) == random


@pytest.mark.parametrize("design", DESIGNS)
def test_what_is_decided_comes_first_whatever_the_constraints(design):
    ground = made()
    nowhere = np.zeros(len(ground.cells), bool)
    found = propose(design, [ground], 2, 0, allowed=nowhere, min_distance_km=500, first=[40, 3])
    assert found["cell"].tolist() == [40, 3] and (found["gain"] != 0).all()


def two_grounds() -> Ground:
    """Return cells of two kinds of land, even and odd ones, and six sites on the even kind alone."""
    lon = np.linspace(80, 99, 40)
    kind = np.arange(40) % 2
    cells = pd.DataFrame({"latitude": 32.0, "longitude": lon, "kind": kind + lon / 1e4})
    sites = pd.concat([cells.iloc[[0, 2, 4, 6, 8, 10]], cells.iloc[[1]].assign(longitude=79.0)])
    forest = RandomForest(["kind"], 20, 1, nodesize=1).fit(sites, 10.0 * (sites["kind"] > 0.5))
    return Ground(forest, sites, cells, np.ones(40), 100.0, np.ones(40))


def test_a_kind_of_land_with_many_sites_gets_no_plot_first(monkeypatch):
    """Of 7 sites 6 are even, of as much land: five odd plots come before the next even one, then one for one."""
    monkeypatch.setattr(criteria, "STRATA", 2)
    chosen = np.array(plan("strata", two_grounds(), 14))
    assert (chosen[:5] % 2 == 1).all() and (chosen % 2).sum() in (9, 10)
    wide = replace(two_grounds(), area=np.where(np.arange(40) % 2, 9.0, 1.0))  # nine tenths of the area are odd
    assert (np.array(plan("strata", wide, 14)) % 2 == 1).all()


def test_the_gain_of_strata_is_the_lack_of_plots(monkeypatch):
    """Half of 8 is 4, and there is one site; then half of 9, and there are two."""
    monkeypatch.setattr(criteria, "STRATA", 2)
    found = propose("strata", [two_grounds()], 3, 0, allowed=np.ones(40, bool))
    assert found["gain"].tolist() == pytest.approx([3, 2.5, 2])


def test_a_cell_within_a_stratum_is_drawn_by_area(monkeypatch):
    monkeypatch.setattr(criteria, "STRATA", 1)
    wide = replace(two_grounds(), area=np.where(np.arange(40) % 2, 4.0, 1.0))
    odd_ones = [plan("strata", wide, 1, seed)[0] % 2 for seed in range(20)]
    assert 0.6 < np.mean(odd_ones) < 1


def test_coverage_goes_first_to_a_kind_of_land_without_a_site():
    ground = two_grounds()
    even = ground.sites.assign(kind=ground.sites["kind"].where(ground.sites["kind"] < 0.5, 0.4))
    assert plan("coverage", replace(ground, sites=even), 1)[0] % 2 == 1


@few
@given(st.integers(0, 20), st.lists(st.integers(0, 35), max_size=4, unique=True))
def test_the_variance_left_is_that_of_the_formula(seed, chosen):
    ground = made(seed, side=6, n_sites=8)
    variance = ByFormula(ground, ground.area)
    expected = [variance(*chosen[:k]) for k in range(len(chosen) + 1)]
    left = variance_left(ground, chosen)
    np.testing.assert_allclose(left, np.array(expected) / expected[0], rtol=1e-9)
    assert left[0] == 1 and (np.diff(left) <= 0).all() and left[-1] > 0


@few
@given(st.sampled_from(["variance", "disagreement"]), st.integers(0, 20))
def test_the_first_pick_is_the_best_of_all_and_its_gain_what_it_takes(design, seed):
    ground = made(seed, side=6, n_sites=8)
    variance = ByFormula(ground, ground.area * (ground.disagreement if design == "disagreement" else 1))
    now, after = variance(), [variance(cell) for cell in range(36)]
    (row,) = propose(design, [ground], 1, 0, allowed=np.ones(36, bool)).itertuples()
    assert after[row.cell] == pytest.approx(min(after), rel=1e-9)
    assert row.gain == pytest.approx(1 - min(after) / now, rel=1e-6)


def test_gains_of_variance_are_the_falls_of_what_is_left():
    ground = made(3)
    found = propose("variance", [ground], 6, 0, allowed=np.ones(64, bool))
    np.testing.assert_allclose(-np.diff(variance_left(ground, found["cell"])), found["gain"], rtol=1e-9)


@few
@given(st.integers(0, 20))
def test_coverage_takes_the_cell_that_brings_the_mean_distance_down_most(seed):
    """By brute force, in one predictor, whose space is a line: distance times one number, whatever it is."""
    ground = made(seed, side=6, n_sites=8)
    forest = RandomForest(["temperature"], 5, 1, seed=seed).fit(ground.sites, ground.sites["temperature"])
    ground = replace(ground, forest=forest)
    value, sites = (table["temperature"].to_numpy() for table in (ground.cells, ground.sites))
    near = np.abs(value[:, None] - sites).min(axis=1)
    for chosen in plan("coverage", ground, 3):
        after = [np.average(np.minimum(near, np.abs(value - one)), weights=ground.area) for one in value]
        assert after[chosen] == pytest.approx(min(after), rel=1e-9)
        near = np.minimum(near, np.abs(value - value[chosen]))


def test_a_ground_that_weighs_nothing_to_speak_of_does_not_decide():
    one = made(1)
    other = replace(one, forest=made(2).forest, range_km=900.0)
    for design in ("coverage", "variance", "disagreement"):
        for first, second in ((one, other), (other, one)):
            both = propose(design, [first, replace(second, weight=1e-9)], 4, 0, allowed=np.ones(64, bool))
            assert both["cell"].tolist() == plan(design, first, 4)


def test_two_fluxes_planned_together_take_the_sum_of_both_variances():
    one = made(1)
    other = replace(one, forest=made(2).forest, weight=0.5)
    (first,) = propose("variance", [one, other], 1, 0, allowed=np.ones(64, bool)).itertuples()
    parts = [(ground.weight, ByFormula(ground, one.area)) for ground in (one, other)]
    now, *after = (sum(weight * variance(*chosen) for weight, variance in parts) for chosen in [(), *zip(range(64))])
    assert after[first.cell] == pytest.approx(min(after), rel=1e-9)
    assert first.gain == pytest.approx(1 - min(after) / now, rel=1e-6)


def test_a_place_measured_twice_is_one_site():
    ground = made(4)
    once = replace(ground, sites=ground.sites.drop_duplicates(["longitude", "latitude"]))
    assert len(once.sites) < len(ground.sites)
    np.testing.assert_array_equal(variance_left(ground, [5, 9]), variance_left(once, [5, 9]))


def test_the_habits_stay_near_sites_and_on_low_ground():
    ground = made()
    near = ground.cells.iloc[plan("near_sites", ground, 6)]
    low = ground.cells.iloc[plan("low_ground", ground, 6)]
    assert kilometres(near, ground.sites).min(axis=1).max() <= 50
    assert kilometres(low, ground.sites).min(axis=1).max() <= 150
    assert low["elevation"].mean() < ground.cells["elevation"].quantile(0.4)
    assert low["temperature"].mean() > ground.cells["temperature"].quantile(0.6)


def test_a_habit_goes_on_where_its_ground_is_used_up():
    ground = made()
    for habit in HABITS:
        assert sorted(plan(habit, ground, 64)) == list(range(64))


def test_outlines_count_their_edges():
    cells = pd.DataFrame({"longitude": [0.0, 1.0, 2.0, 3.0], "latitude": 0.0, "elevation": [1.0, 2.0, np.nan, 4.0]})
    assert allowed_cells(cells).tolist() == [True] * 4
    assert allowed_cells(cells, within=shapely.box(1, -1, 2, 1)).tolist() == [False, True, True, False]
    assert allowed_cells(cells, left_out=shapely.box(1, -1, 2, 1)).tolist() == [True, False, False, True]
    assert allowed_cells(cells, max_elevation=2.0).tolist() == [True, True, False, False]


def test_too_many_plots_say_how_many_places_there_are():
    ground = made()
    allowed = np.arange(64) < 9
    with pytest.raises(ForestError, match=r"10 plots: the constraints allow 9 of 64 cells.*after 9 plots none is left"):
        plan("coverage", ground, 10, allowed=allowed)
    with pytest.raises(ForestError, match=r"allow 64 of 64 cells, \d+ of them at least 150 km from all sites"):
        plan("strata", ground, 60, min_distance_km=150)


def odd(**changes: object) -> Ground:
    return replace(made(), **changes)


@pytest.mark.parametrize(
    ("ground", "message"),
    [
        (odd(area=np.ones(3)), r"area of ground 0 has shape \(3,\): expected 64"),
        (odd(area=np.zeros(64)), "area of ground 0 is 0 at position 0: expected numbers above zero"),
        (odd(disagreement=np.zeros(64)), "disagreement of ground 0 is zero everywhere"),
        (odd(disagreement=None), "needs the disagreement of each ground"),
        (odd(range_km=0.0), "range_km of ground 0 is 0.0: expected a number above zero"),
        (odd(weight=-1.0), "weight of ground 0 is -1.0"),
        (odd(cells=made().cells.drop(columns="latitude")), "'latitude'"),
        (odd(cells=made().cells.assign(latitude=np.nan)), "row 0 lies at"),
        (odd(cells=made().cells.assign(latitude=30.0, longitude=90.0)), "two cells lie at one place"),
        (odd(cells=made().cells.drop(columns="cover")), "cover"),
    ],
)
def test_a_ground_that_does_not_fit_is_refused(ground, message):
    with pytest.raises(ForestError, match=message):
        plan("disagreement", ground, 1, allowed=np.ones(64, bool))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"design": "best"}, "design is 'best': expected one of strata, coverage"),
        ({"grounds": []}, "no ground"),
        ({"grounds": [made(), made(side=7)]}, "ground 1 has other cells than the first"),
        ({"allowed": np.ones(64)}, "type float64: expected 64 of bool"),
        ({"min_distance_km": -1.0}, "min_distance_km is -1.0"),
        ({"first": [1, 1]}, "first is .*each once"),
        ({"first": [64]}, "positions from 0 to 63"),
        ({"first": [1, 2, 3]}, "n is 2, and first has 3 plots"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options, message):
    given = {"design": "variance", "grounds": [made()], "n": 2, "seed": 0, "allowed": np.ones(64, bool)} | options
    with pytest.raises(ForestError, match=message):
        propose(given.pop("design"), given.pop("grounds"), given.pop("n"), given.pop("seed"), **given)


def test_a_map_of_too_many_cells_is_refused_with_what_to_do():
    small = made()
    cells = pd.DataFrame({"latitude": np.linspace(0, 1, MOST_CELLS + 1), "longitude": 0.0})
    with pytest.raises(ForestError, match="expected 2 to 4000; of more take every k-th"):
        variance_left(replace(small, cells=cells, area=np.ones(len(cells))), [])


def test_low_ground_needs_its_columns():
    ground = made()
    forest = RandomForest(["elevation"], 5, 1).fit(ground.sites, ground.sites["temperature"])
    with pytest.raises(ForestError, match="low_ground needs the column 'temperature'"):
        plan("low_ground", replace(ground, forest=forest, cells=ground.cells.drop(columns="temperature")), 1)
