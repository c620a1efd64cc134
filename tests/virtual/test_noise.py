"""Random fields: alike at every coordinate, with the stated variance and correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.virtual.noise import gaussian_field


@given(st.floats(73.1, 135.9), st.floats(18.1, 53.9), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_a_field_at_a_point_is_its_field_on_a_grid(longitude: float, latitude: float, seed: int) -> None:
    grid = gaussian_field([[80.0, longitude]], [[latitude], [30.0]], 50.0, seed, "any", [2000, 2007])
    point = gaussian_field([longitude], [latitude], 50.0, seed, "any", [2000, 2007])
    np.testing.assert_allclose(grid[:, 0, 1], point[:, 0], atol=1e-9)


@pytest.mark.parametrize("range_km", [10.0, 100.0, 600.0])
def test_a_field_on_a_fine_grid_is_that_at_its_points(range_km: float) -> None:
    """Whether the field is wave by wave or, where it is smooth, by a polynomial through some of the cells."""
    longitude, latitude = np.linspace(88, 89.3, 131), np.linspace(36, 34.8, 121)
    grid = gaussian_field(longitude[None, :], latitude[:, None], range_km, 7, "any", [2000, 2007])
    rows, columns = np.array([0, 13, 60, 119, 120]), np.array([0, 7, 64, 129, 130])
    points = gaussian_field(longitude[columns], latitude[rows], range_km, 7, "any", [2000, 2007])
    np.testing.assert_allclose(grid[:, rows, columns], points, atol=1e-12)


def test_a_random_field_has_unit_variance_and_the_stated_correlation() -> None:
    west = np.arange(75.0, 135.0, 6.0)  # so far from each other that ten pairs of one seed are as good as ten seeds
    east = west + 100.0 / (111.2 * np.cos(np.radians(36.0)))
    fields = [gaussian_field([west, east], np.full((2, west.size), 33.0), 100.0, seed, "any")[0] for seed in range(300)]
    pairs = np.concatenate(fields, axis=1).T
    assert pairs.mean() == pytest.approx(0, abs=0.06)
    assert pairs.var(axis=0) == pytest.approx([1, 1], abs=0.12)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx((1 + np.sqrt(3)) * np.exp(-np.sqrt(3)), abs=0.06)
