"""The paper's own products, from their true formats to the book: the chain of paper-mini, whose files are made up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.config import load_config

KEYS = {"cmfd_prec", "cmfd_temp", "cmfd_srad", "mcd12q1", "glo90", "globmap_lai", "mod17a3hgf", "soilgrids_30cm"}


def table(run: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(run / "tables" / f"{name}.csv")


def test_every_predictor_is_a_product_of_the_paper_on_the_grid(made_up_run):
    cube = xr.open_zarr(made_up_run / "cube.zarr")
    predictors = load_config("paper-mini").predictors
    assert {cube[name].attrs["source"] for name in predictors} == KEYS
    yearly = {name for name in predictors if cube[name].sizes.get("time", 1) == 3}
    assert yearly == {"precipitation", "temperature", "srad", "land_cover", "lai", "npp_modis"}


def test_products_are_compared_with_the_years_that_they_have(made_up_run):
    budgets = table(made_up_run, "budgets").set_index(["quantity", "product"])
    years = budgets["years"].fillna("")
    assert years["NPP", "MODIS"] == "2001-2002; their mean for 2000"
    assert {"CASA", "GLO-PEM"} <= set(budgets.loc["NPP"].index)
    assert len([name for name in budgets.loc["Rs"].index if re.search("(?i)stell|warner", name)]) == 2


def test_the_made_up_products_keep_the_ratios_that_they_were_made_with(made_up_run):
    """CASA is 1.1 and GLO_PEM 0.9 of the field that MODIS shows; Warner is 0.85 of Stell."""
    shared = table(made_up_run, "budgets").set_index(["quantity", "product"])["common_mean_gC_m2_yr"]
    # Each is of its own grid: cells at an edge differ by a step of the field.
    assert shared["NPP", "CASA"] / shared["NPP", "GLO-PEM"] == pytest.approx(1.1 / 0.9, rel=0.01)


def test_the_balance_closes_and_the_whole_region_has_an_area(made_up_run):
    nep = xr.open_zarr(made_up_run / "nep.zarr")["nep"]
    npp, rh = (xr.open_zarr(made_up_run / f"{name}.zarr")[name] for name in ("npp", "rh"))
    assert nep.sizes["time"] == 3 and np.isfinite(nep).any()
    np.testing.assert_allclose(nep, npp - rh, rtol=0, atol=1e-3)


def test_the_files_are_recorded_with_hash_and_without_an_address(made_up_run):
    records = sorted(made_up_run.parent.rglob("files.lock.json"))
    assert {path.parent.name for path in records} >= KEYS
    assert "http" not in "".join(path.read_text() for path in records)
    assert all(re.search(r'"sha256": "[0-9a-f]{64}"', path.read_text()) for path in records)


def test_each_page_says_that_the_input_is_made_up(made_up_book):
    pages = [*made_up_book.glob("book/*.html"), *made_up_book.glob("notebooks/*.html")]
    assert len(pages) > 20 and not [
        path.name for path in pages if "<strong>Made-up input:</strong>" not in path.read_text()
    ]
    assert not [path.name for path in pages if "<strong>Simulated:</strong>" in path.read_text()]


def test_figures_of_made_up_input_are_stamped(made_up_run):
    recorded = json.loads((made_up_run / "provenance" / "04_rh_and_nep.json").read_text())
    assert recorded["settings"]["made_up"] is True and any(name.startswith("figures/") for name in recorded["outputs"])
