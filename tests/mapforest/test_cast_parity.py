"""The area of applicability and kNNDM agree with R's CAST: golden numbers of ``tests/golden/cast``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mapforest import applicability as aoa
from mapforest import folds

GOLDEN = Path(__file__).parents[1] / "golden" / "cast"
AOA = json.loads((GOLDEN / "aoa.json").read_text())
KNNDM = json.loads((GOLDEN / "knndm.json").read_text())
METRES = 1000 * 6371.01 / 6371  # of CAST's Earth, which is larger than ours, in a kilometre of ours


class Case:
    """One table with CAST's results: ours are computed from the same input."""

    def __init__(self, name):
        self.cast = AOA["cases"][name]
        self.cells = pd.DataFrame(AOA["cells"][self.cast["cells"]], dtype=float)
        training = pd.DataFrame(AOA["training"][self.cast["training"]], dtype=float)
        given = (self.cast[key] for key in ("weight", "fold", "categorical"))
        self.space = aoa.training_space(training, *given)
        self.di = aoa.dissimilarity(self.space, self.cells)

    def returned(self, key):
        return np.array(self.cast[key], dtype=float)

    @property
    def comparable(self):
        """Cells without gaps: what CAST does where a class or an unused predictor is missing, we do not."""
        return self.cells[list(self.cast["weight"])].notna().all(axis=1).to_numpy()


@pytest.fixture(scope="module", params=AOA["cases"])
def case(request):
    return Case(request.param)


def test_threshold(case):
    assert case.space.threshold == pytest.approx(case.cast["threshold"], rel=1e-13, abs=1e-13)


def test_dissimilarity_of_training_rows(case):
    assert case.space.training_di == pytest.approx(case.returned("training_di"), rel=1e-13, abs=1e-13)


def test_dissimilarity_of_cells(case):
    chosen = case.comparable
    assert case.di[chosen] == pytest.approx(case.returned("di")[chosen], rel=1e-13, abs=1e-13)


def test_area_of_applicability(case):
    """Equal, but for a cell as far off as the threshold, which CAST leaves to rounding: ours is inside."""
    at_threshold = np.isclose(case.returned("di"), case.cast["threshold"], rtol=1e-12)
    expected = np.where(at_threshold, 1.0, case.returned("inside"))
    chosen = case.comparable
    assert np.array_equal(aoa.inside(case.space, case.di)[chosen], expected[chosen])


def test_local_point_density(case):
    """CAST counts distances below the threshold, we count those at it as well; rounding decides which are which."""
    smaller = replace(case.space, threshold=case.space.threshold * (1 - 1e-8))
    below, ours = (aoa.local_point_density(space, case.cells)[case.comparable] for space in (smaller, case.space))
    cast = case.returned("density")[case.comparable]
    assert (below <= cast).all() and (cast <= ours).all()
    assert np.array_equal(cast, ours) or case.cast["training"] in {"grid", "line"}  # those with ties


def test_ties_are_where_the_densities_differ():
    """On the line, a cell at 1, ..., 6 has a row at 0 and two at the threshold: rounding hides some from CAST."""
    case = Case("one predictor")
    rows = case.cells["a"].isin(range(1, 7)).to_numpy()
    assert (aoa.local_point_density(case.space, case.cells)[rows] == 3).all()
    assert set(case.returned("density")[rows]) == {1.0, 2.0}


def test_a_missing_class_is_missing_and_a_missing_predictor_without_weight_does_no_harm():
    """Where we differ from CAST on purpose."""
    full, without = Case("missing values"), Case("negative weight")
    assert np.isnan(full.di[full.cells["land_cover"].isna()]).all()
    assert np.isfinite(full.returned("di")[full.cells["land_cover"].isna()]).all()
    only_b = (without.cells["b"].isna() & without.cells[["a", "land_cover"]].notna().all(axis=1)).to_numpy()
    assert np.isfinite(without.di[only_b]).all() and np.isnan(without.returned("di")[only_b]).all()


def _partition(fold):
    """Return which rows share a fold, whatever its number."""
    return {frozenset(np.flatnonzero(np.asarray(fold) == number)) for number in np.unique(fold)}


def _places(of):
    return [KNNDM[of][key] for key in ("longitude", "latitude", "target_longitude", "target_latitude")]


@pytest.fixture(scope="module")
def matched():
    return folds.knndm(*_places("sphere"), KNNDM["sphere"]["k"], 0, KNNDM["sphere"]["maxp"])


def test_folds_on_the_sphere(matched):
    cast = KNNDM["sphere"]
    assert (_partition(matched.fold), matched.clusters) == (_partition(cast["folds"]), cast["q"])
    assert METRES * matched.wasserstein_km == pytest.approx(cast["W_m"], rel=1e-13)


def test_distances_on_the_sphere(matched):
    table = folds.distance_table(*_places("sphere"), {"matched": matched.fold}).groupby("kind")["distance_km"]
    for kind, key in {"sample to sample": "Gj_m", "prediction to sample": "Gij_m", "matched": "Gjstar_m"}.items():
        assert METRES * table.get_group(kind).to_numpy() == pytest.approx(np.array(KNNDM["sphere"][key]), rel=1e-13)


DEGREES = 0.2  # of a unit of the plane: the sphere is flat there to 2e-5, and no two sites are one at 0.01 degrees
KILOMETRES = DEGREES * 6371 * np.pi / 180


@pytest.mark.parametrize("k", KNNDM["plane"]["runs"])
def test_folds_in_a_plane(k):
    """The plane of CAST's run is laid on the equator."""
    plane, cast = KNNDM["plane"], KNNDM["plane"]["runs"][k]
    places = [DEGREES * (np.array(plane[key]) - 5) for key in ("x", "y", "target_x", "target_y")]
    matched = folds.knndm(*places, int(k), 0, cast["maxp"])
    assert (_partition(matched.fold), matched.clusters) == (_partition(cast["folds"]), cast["q"])
    assert matched.wasserstein_km / KILOMETRES == pytest.approx(cast["W"], rel=3e-5)


def test_few_distances_get_an_exact_test():
    """Four sites, four targets: p is 0.114 exactly and 0.0498 asymptotically. CAST deals at random, with W 53.8 km."""
    dealt = [folds.knndm(*_places("few"), 2, seed) for seed in range(20)]
    assert {matched.clusters for matched in dealt} == {0}
    assert 53.8 in {round(matched.wasserstein_km, 1) for matched in dealt}


@pytest.mark.parametrize(
    ("k", "w_km", "q"),
    [(2, 467.99153506519434, 2), (3, 487.07418912988294, 3), (5, 515.2381169091018, 5), (10, 540.7792231391423, 10)],
)
def test_folds_of_a_lattice(k, w_km, q):
    """Sites a degree apart, beside the middle of a wide map: their clusters tie, and W has ties as well."""
    longitude, latitude = (axis.ravel() for axis in np.meshgrid(np.arange(90.0, 96.0), np.arange(30.0, 35.0)))
    target = [axis.ravel() for axis in np.meshgrid(np.linspace(75, 105, 40), np.linspace(26, 40, 20))]
    matched = folds.knndm(longitude, latitude, *target, k, seed=0)
    assert (matched.wasserstein_km, matched.clusters) == (pytest.approx(w_km, rel=1e-12), q)
