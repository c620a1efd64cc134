"""Years that a product lacks: what stands for them, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from helpers.data.products import years
from helpers.errors import DataError

RUN = range(2000, 2006)


def yearly(own: list[int], chunked: bool = False) -> xr.DataArray:
    """Return two cells whose value is the year, and twice the year; the second cell misses its first year."""
    values = np.array([[[year, 2.0 * year]] for year in own], "float32")
    values[0, 0, 1] = np.nan
    axes = {"time": years.steps(own), "latitude": [30.5], "longitude": [90.5, 91.5]}
    field = xr.DataArray(values, axes, tuple(axes), "lai", {"units": "1"})
    return field.chunk({"time": 1, "longitude": 1}) if chunked else field


@pytest.mark.parametrize("chunked", [False, True])
def test_a_lacking_year_is_the_mean_of_its_own_years_cell_by_cell(chunked):
    found = years.filled(yearly([2001, 2002, 2004], chunked), RUN, "own_mean")
    mean = (2001 + 2002 + 2004) / 3
    np.testing.assert_allclose(found[:, 0, 0], [mean, 2001, 2002, mean, 2004, mean])
    # The mean of a cell is that of its values alone; a year that the product has stays as it is, missing or not.
    mean = 2002.0 + 2004
    np.testing.assert_allclose(found[:, 0, 1], [mean, np.nan, 4004, mean, 4008, mean])
    assert found.attrs["years"] == "2001-2002, 2004; their mean for 2000, 2003, 2005"
    assert found["time"].dt.year.values.tolist() == list(RUN) and (found.chunks is not None) == chunked
    assert found.dtype == np.float32


@pytest.mark.parametrize(("policy", "classes"), [("nearest_year", False), ("nearest_year", True), ("own_mean", True)])
def test_the_nearest_year_stands_for_a_lacking_one_and_of_two_the_earlier(policy, classes):
    found = years.filled(yearly([2001, 2002, 2004]), RUN, policy, classes)
    assert found[:, 0, 0].values.tolist() == [2001, 2001, 2002, 2002, 2004, 2004]
    assert found.attrs["years"] == "2001-2002, 2004; the nearest for 2000, 2003, 2005"


def test_only_the_years_of_the_run_are_given_and_nothing_is_said_where_nothing_lacks():
    found = years.filled(yearly([2001, 2002, 2004]), [2002, 2004], "common_years")
    assert found[:, 0, 0].values.tolist() == [2002, 2004]
    # 2001 is not in the run, nor in any mean of it.
    assert found.attrs == {"units": "1", "years": "2002, 2004"}


def test_a_run_of_common_years_has_those_of_all():
    assert years.common(RUN, {"npp": range(2001, 2010), "casa": [1999, 2002, 2003]}) == (2002, 2003)
    with pytest.raises(DataError, match="no year of 2000-2005 is in all products .npp 2001; casa none"):
        years.common(RUN, {"npp": [2001], "casa": []})
    with pytest.raises(DataError, match="lai: lacks 2000, 2003, 2005, and missing_years is common_years"):
        years.filled(yearly([2001, 2002, 2004]), RUN, "common_years")


def test_a_cell_without_any_value_stays_missing():
    field = yearly([2001]).where(False)
    assert years.filled(field, [2000, 2001], "own_mean").isnull().all()


@given(st.sets(st.integers(1990, 2030), min_size=1))
def test_spans_name_each_year_once(some):
    told = [part.split("-") for part in years.spans(some).split(", ")]
    assert {year for span in told for year in range(int(span[0]), int(span[-1]) + 1)} == some
    starts, ends = [int(span[0]) for span in told], [int(span[-1]) for span in told]
    assert all(start > end + 1 for start, end in zip(starts[1:], ends[:-1], strict=True))
