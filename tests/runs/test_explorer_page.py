"""What the explorer takes from a run's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr

from helpers.config import Settings, load_config
from helpers.errors import RunError
from helpers.figures.explorer import Panel
from helpers.runs import explorer as page_of


def on_grid(values, years: int = 0) -> xr.DataArray:
    values = np.broadcast_to(np.asarray(values, dtype="float32"), (12, 30)).copy()
    field = xr.DataArray(
        values,
        coords={"latitude": 35.0 - np.arange(12) / 10, "longitude": 80.0 + np.arange(30) / 10},
        dims=("latitude", "longitude"),
    )
    if not years:
        return field
    time = np.array([f"{2001 + year}-01-01" for year in range(years)], dtype="datetime64[ns]")
    return xr.concat([field + year for year in range(years)], xr.IndexVariable("time", time))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three years on 30 columns, its region a box of ten rows and twenty columns."""
    inside = on_grid(0.0) > 0
    inside[1:11, 5:25] = True
    columns, ends = np.arange(30.0), {"lower": 1, "upper": 3}
    stores = {
        "cube": {"in_region": inside},
        **{name: {name: on_grid(add + 10 * columns, 3)} for name, add in {"npp": 500, "rs": 300, "rh": 200}.items()},
        "nep": {"nep": on_grid(300.0, 3)},
        "intervals": {f"{name}_{end}": on_grid(ends[end]) for name in ("npp", "rs") for end in ends},
        "applicability_npp": {"applicable": on_grid(columns) > 9},
        "applicability_rs": {"applicable": on_grid(columns) < 20},
        "products": {"npp_modis": on_grid(400 + 10 * columns), "rs_empty": on_grid(np.nan)},
        "truth": {name: on_grid(100.0) for name in ("npp", "rs", "rh", "nep")},
    }
    for name, fields in stores.items():
        xr.Dataset(fields).to_zarr(tmp_path / f"{name}.zarr", zarr_format=2, consolidated=True)
    (tmp_path / "boundary.geojson").write_text(shapely.to_geojson(shapely.box(80.5, 33.9, 82.5, 34.9)))
    return tmp_path


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch):
    """Call the page of a run, and return what it would draw."""
    given = {}

    def keep(panels, boundary, years, series, block, stamp):
        given.update(panels=panels, years=list(years), series=series, block=block, stamp=stamp)
        return "<p>maps</p>"

    def call(folder: Path, settings: Settings) -> dict:
        monkeypatch.setattr(page_of, "explorer", keep)
        return given | {"page": page_of.explorer_page(folder, settings, "told"), **given}

    return call


def layers(panels: list[Panel]) -> dict[str, xr.DataArray]:
    """Return the maps by the names that stand beside their values."""
    return {layer.short: layer.values for panel in panels for layer in panel.layers}


def test_maps_are_means_of_the_years_within_the_region_alone(run, shown):
    found = shown(run, load_config("open"))
    npp = layers(found["panels"])["NPP"]
    assert npp.sizes == {"latitude": 12, "longitude": 22}  # the region and a margin of one cell
    assert float(npp.sel(latitude=34.5, longitude=82.0, method="nearest")) == 500 + 10 * 20 + 1
    assert int(npp.notnull().sum()) == 200
    assert found["years"] == [2001, 2002, 2003] and list(found["series"]) == ["NPP", "Rs", "Rh", "NEP"]


@pytest.fixture
def widths(run, shown):
    def call(**changes) -> list[float]:
        found = shown(run, load_config("open", changes))
        (panel,) = (panel for panel in found["panels"] if panel.kind == "width")
        return [float(layer.values.max()) for layer in panel.layers]

    return call


def test_the_interval_of_a_logarithm_is_brought_back_before_it_is_measured(widths):
    assert widths() == pytest.approx([2.0, np.exp(3) - np.exp(1)])
    assert widths(npp_scale="log") == pytest.approx([np.exp(3) - np.exp(1)] * 2)


def test_a_cell_belongs_to_the_forests_that_may_be_used_there(run, shown):
    where = layers(shown(run, load_config("open"))["panels"])["like the sites of"].sel(latitude=34.5, method="nearest")
    assert [float(where.sel(longitude=x, method="nearest")) for x in (80.6, 81.5, 82.4)] == [2.0, 3.0, 1.0]


def test_only_a_simulated_world_is_compared_with_its_truth_and_a_product_without_cells_is_not_there(run, shown):
    real = layers(shown(run, load_config("open"))["panels"])
    assert [name for name in real if " − " in name] == ["NPP − MODIS"]
    assert float(real["NPP − MODIS"].max()) == 101.0
    virtual = shown(run, load_config("virtual"))
    assert [name for name in layers(virtual["panels"]) if "truth" in name] == [
        f"{flux} − truth" for flux in ("NPP", "Rs", "Rh", "NEP")
    ]
    assert "simulated" in virtual["stamp"] and virtual["page"].startswith('<div id="explorer-run">told</div>')


def test_a_fine_grid_is_shown_in_means_of_blocks_and_the_page_says_so(run, shown, monkeypatch):
    monkeypatch.setattr(page_of, "MOST_COLUMNS", 11)
    found = shown(run, load_config("open"))
    npp = layers(found["panels"])["NPP"]
    assert npp.sizes == {"latitude": 6, "longitude": 11} and "mean of 2 × 2 cells" in found["page"]
    np.testing.assert_allclose(npp["longitude"].values[:2], [80.45, 80.65])
    # Columns 4 and 5 of the run, of which only the second lies in the region; then 6 and 7.
    np.testing.assert_allclose(npp.values[2, :2], [501 + 50, 501 + 65])


def test_more_years_than_a_page_holds_are_those_of_larger_blocks(run, shown, monkeypatch):
    monkeypatch.setattr(page_of, "MOST_YEARLY_VALUES", 1000)
    found = shown(run, load_config("open"))
    assert found["block"] == 2 and found["series"]["NPP"].sizes == {"time": 3, "latitude": 6, "longitude": 11}


def test_a_missing_map_is_named_with_the_command_that_makes_it(run, shown):
    (run / "intervals.zarr").rename(run / "away")
    with pytest.raises(RunError, match=r"needs .*intervals\.zarr, which is missing: `make run`"):
        shown(run, load_config("open"))
