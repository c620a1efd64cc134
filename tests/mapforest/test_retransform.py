"""From a predicted logarithm back to the quantity, with numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapforest.errors import ForestError
from mapforest.retransform import smearing_factor


def test_smearing_is_the_mean_exponential_of_the_known_residuals():
    residuals = [np.log(0.8), np.log(1.4), np.nan]  # NaN: a row that every tree has seen
    assert smearing_factor(residuals) == pytest.approx(1.1)


def test_smearing_recovers_the_mean_of_lognormal_data():
    residuals = np.random.default_rng(0).normal(0, 0.6, 200_000)
    assert smearing_factor(residuals) == pytest.approx(np.exp(0.6**2 / 2), rel=0.01)


@given(shift=st.floats(-5, 5), residual=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_smearing_is_multiplicative(shift, residual):
    moved = smearing_factor(np.array(residual) + shift)
    assert moved == pytest.approx(np.exp(shift) * smearing_factor(residual))


def test_no_residual_gives_no_factor():
    with pytest.raises(ForestError, match="no residual"):
        smearing_factor([np.nan])
