"""One pass over fields: each block is read once, and what is summed depends on no block."""

from __future__ import annotations

import threading
from collections import Counter

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.data import scan as scanning
from helpers.data.scan import mean_maps, mean_over_years, scan

VALUES = np.random.default_rng(3).normal(size=(4, 9, 14))
VALUES[:, 2, 5], VALUES[1, 3, 3], VALUES[2:, 8, 13] = np.nan, np.nan, np.nan
YEARLY = xr.DataArray(
    VALUES,
    {
        "time": np.arange("2000", "2004", dtype="datetime64[Y]").astype("datetime64[ns]"),
        "latitude": np.arange(36.0, 27.0, -1),
        "longitude": np.arange(80.0, 94.0),
    },
    name="npp",
    attrs={"units": "g C m-2 yr-1"},
)
MAP = YEARLY.isel(time=0, drop=True)
CHUNKS = {"latitude": 4, "longitude": 5}


def total(blocks: np.ndarray) -> float:
    return float(sum(blocks.flat))


@pytest.mark.parametrize("rows", [1, 3, 1000])
@pytest.mark.parametrize("chunks", [None, CHUNKS, {"time": 1, "latitude": 2}])
def test_every_block_of_all_fields_is_seen_once(monkeypatch, rows, chunks):
    monkeypatch.setattr(scanning, "BLOCK_VALUES", rows * 14 * 4)
    yearly = YEARLY if chunks is None else YEARLY.chunk(chunks)
    blocks = scan(lambda a, b: np.nansum(a * b), [yearly, MAP])
    assert total(blocks) == pytest.approx(np.nansum(VALUES * MAP.values), rel=1e-12)
    expected = {None: (-(-9 // rows), 1), 4: (3, 3), 2: (5, 1)}[chunks and chunks["latitude"]]
    assert blocks.shape == expected


def test_the_order_of_dimensions_does_not_matter():
    turned = YEARLY.transpose("longitude", "time", "latitude")
    for field in (turned, turned.chunk(CHUNKS)):
        assert scan(lambda values: values.shape[0], [field]).flat[0] == 4


def test_fields_of_different_years_keep_their_own():
    shapes = scan(lambda *blocks: [block.shape[:-2] for block in blocks], [YEARLY.chunk(CHUNKS), YEARLY[:1], MAP])
    assert all(found == [(4,), (1,), ()] for found in shapes.flat)


def test_a_chunk_is_read_once_however_many_fields_are_made_of_it():
    read, lock = Counter(), threading.Lock()

    def load(block_info=None):
        place = tuple(block_info[None]["chunk-location"])
        with lock:
            read[place] += 1
        first = block_info[None]["array-location"]
        return VALUES[tuple(slice(*ends) for ends in first)]

    lazy = da.map_blocks(load, chunks=((4,), (4, 4, 1), (5, 5, 4)), dtype=float, meta=np.empty((0, 0, 0)))
    npp = YEARLY.copy(data=lazy)
    mean_maps({"npp": npp, "twice": 2 * npp, "where": npp.where(npp > 0)})
    assert len(read) == 9 and set(read.values()) == {1}


@pytest.mark.parametrize("others", [[], [MAP.chunk(CHUNKS)]])
def test_fields_in_memory_are_not_copied(monkeypatch, others):
    monkeypatch.setattr(scanning, "BLOCK_VALUES", 3 * 14 * 4)
    blocks = scan(lambda values, *_: np.shares_memory(values, VALUES), [YEARLY, *others])
    assert blocks.size > 1 and all(blocks.flat)


@given(arrays("float32", (5, 2, 3), elements=st.floats(-1000, 3000, width=32) | st.just(np.nan)))
def test_a_mean_counts_the_valid_years(values):
    expected = xr.DataArray(values, dims=("time", "y", "x")).astype("float64").mean("time").values
    np.testing.assert_allclose(mean_over_years(values), expected, rtol=1e-12, atol=1e-12)


def test_a_mean_in_the_type_of_the_values_is_that_of_xarray_to_the_bit():
    single = YEARLY.astype("float32")
    found = mean_over_years(single.values, dtype=None)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, single.mean("time").values)


@pytest.mark.parametrize("chunks", [None, CHUNKS])
def test_maps_of_means_keep_names_places_and_attributes(chunks):
    yearly = YEARLY if chunks is None else YEARLY.chunk(chunks)
    found = mean_maps({"map": MAP, "yearly": yearly})
    assert list(found) == ["map", "yearly"] and found["yearly"].chunks is None
    xr.testing.assert_identical(found["map"], MAP)
    xr.testing.assert_allclose(found["yearly"], YEARLY.mean("time", keep_attrs=True), rtol=1e-12)
    assert found["yearly"].attrs == YEARLY.attrs and found["yearly"].name == "npp"


def test_an_error_in_a_block_is_told():
    def fails(block):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        scan(fails, [YEARLY.chunk(CHUNKS)])
