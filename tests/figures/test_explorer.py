"""The explorer's HTML: what it carries, for readers with scripts and without."""

from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest
import shapely
import xarray as xr

from helpers.figures.explorer import Layer, Panel, explorer

BOUNDARY = shapely.box(80.0, 30.0, 84.0, 33.0)
UNITS = "g C m-2 yr-1"


def field(values) -> xr.DataArray:
    """A map, north first, its first cell centred at 32.5 N, 80.5 E."""
    values = np.asarray(values, dtype=float)
    rows, columns = values.shape[-2:]
    sides = {"latitude": 32.5 - np.arange(rows), "longitude": 80.5 + np.arange(columns)}
    dims = ("time", "latitude", "longitude")[-values.ndim :]
    return xr.DataArray(values, coords=sides, dims=dims)


NPP = field([[100.0, 200.0, 300.4, np.nan], [110.0, 210.0, 310.0, 410.0], [120.0, 220.0, 320.0, 50_000.0]])
SHARE = field(np.arange(12).reshape(3, 4) / 40)


def panels() -> list[Panel]:
    return [
        Panel("NPP", "what plants gain", "flux", [Layer("NPP", NPP, UNITS)]),
        Panel(
            "Difference", "", "difference", [Layer("a − b", SHARE - 0.1, UNITS, "A & b"), Layer("c", NPP, UNITS, "C")]
        ),
        Panel("Where", "", "classes", [Layer("where", field(np.arange(12).reshape(3, 4) % 4))]),
    ]


def told(page: str) -> dict:
    """Return what the script is told."""
    return json.loads(re.search(r"const TOLD = (\{.*\});\n", page)[1])


def values_of(page: str, layer: dict, count: int) -> np.ndarray:
    """Return a layer's values as the script reads them."""
    numbers = np.frombuffer(gzip.decompress(base64.b64decode(told(page)["data"])), "<i2")
    found = numbers[layer["begin"] : layer["begin"] + count]
    return np.where(found == -32768, np.nan, found * layer["unit"])


@pytest.fixture(scope="module")
def page() -> str:
    yearly = {"NPP": field(np.arange(24).reshape(2, 3, 4) * 100.0)}
    return explorer(panels(), BOUNDARY, [2001, 2002], yearly, 1, "simulated")


def test_values_reach_the_page_in_order_and_a_gap_stays_a_gap(page):
    npp, first, second, where = (layer for panel in told(page)["panels"] for layer in panel["layers"])
    # Whole numbers cannot hold 50,000 in 16 bits: the unit is a little larger than one.
    np.testing.assert_allclose(values_of(page, npp, 12), NPP.values.ravel(), atol=npp["unit"] / 2)
    assert 1 < npp["unit"] < 2
    np.testing.assert_allclose(values_of(page, first, 12), (SHARE - 0.1).values.ravel(), atol=0.0051)
    np.testing.assert_array_equal(values_of(page, where, 12), np.arange(12) % 4)
    assert second["units"] == "g C m⁻² yr⁻¹"


def test_yearly_values_follow_the_maps(page):
    (series,) = told(page)["series"]
    np.testing.assert_array_equal(values_of(page, series, 24), np.arange(24) * 100.0)
    assert told(page)["years"] == [2001, 2002] and series["name"] == "NPP"


def test_the_grid_is_told_from_its_first_cell(page):
    grid = told(page)
    assert [grid[key] for key in ("rows", "columns", "north", "west", "step")] == [3, 4, 32.5, 80.5, [1.0, 1.0]]


def test_a_panel_of_several_maps_has_a_picker_whose_names_are_text(page):
    assert '<option>A &amp; b</option><option>C</option></select> <span class="units">[g C m⁻² yr⁻¹]</span>' in page
    assert page.count("<select") == 1


def test_without_scripts_there_is_a_picture_with_a_text(page):
    picture = re.search(r'<noscript><img alt="([^"]+)" src="data:image/png;base64,([^"]+)"></noscript>', page)
    assert "NPP what plants gain" in picture[1] and base64.b64decode(picture[2]).startswith(b"\x89PNG")


def test_a_run_without_single_years_says_so():
    page = explorer(panels(), BOUNDARY)
    assert "This run has no single years" in page and told(page)["series"] == told(page)["years"] == []
    assert "Enter tells" not in page and "Plus,\nminus and 0 zoom" in page


def test_the_page_asks_nothing_of_other_files(page):
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"'](?!data:)", page)


def test_a_map_without_a_value_is_refused():
    with pytest.raises(ValueError, match="no map holds a single value"):
        explorer([Panel("NPP", "", "flux", [Layer("NPP", NPP * np.nan, UNITS)])], BOUNDARY)
