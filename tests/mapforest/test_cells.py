"""Cells as a table and back as a map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mapforest.cells import cell_map


def test_values_of_cells_come_back_to_their_place() -> None:
    like = xr.DataArray(np.ones((2, 2), bool), {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0]})
    cells = pd.DataFrame({"latitude": [30.0, 31.0], "longitude": [90.0, 91.0]})
    found = cell_map(cells, [5.0, 7.0], like)
    np.testing.assert_array_equal(found, [[np.nan, 7.0], [5.0, np.nan]])
