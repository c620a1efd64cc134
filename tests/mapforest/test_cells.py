"""Cells as a table and back as a map; published sinks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from helpers.balance import paper
from mapforest.cells import cell_map


def test_values_of_cells_come_back_to_their_place() -> None:
    like = xr.DataArray(np.ones((2, 2), bool), {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0]})
    cells = pd.DataFrame({"latitude": [30.0, 31.0], "longitude": [90.0, 91.0]})
    found = cell_map(cells, [5.0, 7.0], like)
    np.testing.assert_array_equal(found, [[np.nan, 7.0], [5.0, np.nan]])


def test_published_sinks_read_ranges_and_negative_numbers() -> None:
    table = paper.published_sinks().set_index("label")
    assert table.loc["Wei et al. 2021, to the 2090s", ["low", "high"]].tolist() == [178.0, 318.0]
    assert table.loc["Piao et al. 2012, 1960s", ["low", "high"]].tolist() == [-0.5, -0.5]


def test_published_sinks_leave_out_what_is_no_sink() -> None:
    assert not paper.published_sinks()["source"].str.contains("Zhao").any()
