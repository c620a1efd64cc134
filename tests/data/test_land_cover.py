"""Land cover of sites and of the map."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data.land_cover import land_cover_balance


def cover(values) -> xr.DataArray:
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("latitude", "longitude"))


def test_land_cover_of_the_map_is_weighted_by_area():
    area = xr.DataArray([3.0, 1.0], dims="latitude")
    balance = land_cover_balance([10, 10, 1, np.nan], cover([[10, 16], [16, np.nan]]), area)
    assert balance.set_index("land_cover")["map_share"].to_dict() == pytest.approx({10: 3 / 7, 16: 4 / 7, 1: 0.0})
    assert balance.set_index("land_cover")["site_share"].to_dict() == pytest.approx({10: 2 / 3, 16: 0.0, 1: 1 / 3})


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 17), min_size=1, max_size=30),
    st.lists(st.integers(1, 17), min_size=4, max_size=4),
    st.lists(st.floats(0.1, 100), min_size=4, max_size=4),
)
def test_shares_of_land_cover_sum_to_one(sites, classes, area):
    balance = land_cover_balance(sites, cover(np.reshape(classes, (2, 2))), cover(np.reshape(area, (2, 2))))
    assert balance[["site_share", "map_share"]].sum().to_list() == pytest.approx([1.0, 1.0])
    assert set(balance["land_cover"]) == set(sites) | set(classes)


def test_land_cover_of_no_site_is_refused():
    with pytest.raises(ValueError, match="at least one site"):
        land_cover_balance([np.nan], cover([[1.0]]), cover([[1.0]]))
