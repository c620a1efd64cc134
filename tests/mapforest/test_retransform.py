"""From a predicted logarithm back to the quantity, with numbers worked by hand."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mapforest.errors import ForestError
from mapforest.retransform import back_transform, smearing_factor


def test_smearing_multiplies_by_the_mean_exponential_of_the_residuals():
    logs = xr.DataArray(np.log([[100.0, np.nan], [200.0, 400.0]]), dims=("latitude", "longitude"))
    residuals = [np.log(0.8), np.log(1.4), np.nan]  # NaN: a row that every tree has seen
    smeared, plain = (back_transform(logs, residuals, how) for how in ("smearing", "exponential"))
    np.testing.assert_allclose(smeared, [[110, np.nan], [220, 440]])
    np.testing.assert_allclose(plain, [[100, np.nan], [200, 400]])
    assert (smeared.attrs["back_transformation"], plain.attrs["back_transformation"]) == ("smearing", "exponential")


def test_smearing_recovers_the_mean_of_lognormal_data():
    residuals = np.random.default_rng(0).normal(0, 0.6, 200_000)
    assert smearing_factor(residuals) == pytest.approx(np.exp(0.6**2 / 2), rel=0.01)


@given(shift=st.floats(-5, 5), residual=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_smearing_is_multiplicative(shift, residual):
    moved = smearing_factor(np.array(residual) + shift)
    assert moved == pytest.approx(np.exp(shift) * smearing_factor(residual))


@pytest.mark.parametrize(
    ("residuals", "how", "message"),
    [([np.nan], "smearing", "no residual"), ([0.1], "bootstrap", "expected exponential or smearing")],
)
def test_a_back_transformation_that_cannot_be_is_refused(residuals, how, message):
    with pytest.raises(ForestError, match=message):
        back_transform(xr.DataArray([0.0]), residuals, how)
