"""Simulated field work: where plots lie, what they record, which faults are planted."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pyproj
import pytest
import xarray as xr
from scipy.spatial import cKDTree
from worlds import FEW, SEED, YEARS, fields_of, make_settings, observed

from helpers.data.land_cover import IGBP_CLASSES, WATER
from helpers.data.region import contains
from helpers.sites import places
from helpers.sites.quality import quality_control
from helpers.sites.schema import SCHEMA
from helpers.virtual.fieldwork import FAULTS, faults_found, field_work, plots_at, rs_rh_pairs
from helpers.virtual.fluxes import fluxes
from helpers.virtual.geography import REGION, geography, plateau_outline
from helpers.virtual.laws import LAWS

DESIGNS = ("clustered", "uniform", "stratified")
every_design = pytest.mark.parametrize("design", DESIGNS)
both_variables = pytest.mark.parametrize("variable", ["npp", "rs"])


PLACES = ("misplaced", "republication")


@functools.cache
def used_of(design: str, variable: str) -> pd.DataFrame:
    """Return the honest records."""
    observations, faults = observed(sampling_design=design)
    return observations[variable].drop(faults.loc[faults["variable"] == variable, "row"])


@every_design
@both_variables
def test_quality_control_finds_exactly_the_planted_faults_but_those_of_places(design: str, variable: str) -> None:
    observations, faults = observed(sampling_design=design)
    used, _ = quality_control(observations[variable], REGION)
    mine = faults[(faults["variable"] == variable) & ~faults["kind"].isin(PLACES)]
    assert set(observations[variable].index) - set(used.index) == set(mine["row"])


@every_design
@both_variables
def test_the_check_of_places_finds_all_planted_faults_and_few_honest_records(design: str, variable: str) -> None:
    """Few are not none: half a degree is coarse for a valley, and in three years equal fluxes meet by chance."""
    observations, faults = observed(sampling_design=design)
    used, _ = quality_control(observations[variable], REGION)
    checked = places.check_records(used, fields_of().cube, make_settings())
    counts = faults_found(faults[faults["variable"] == variable], checked)
    assert counts["kind"].tolist() == list(PLACES)
    assert counts["found"].tolist() == counts["planted"].tolist() == [FAULTS[kind] for kind in PLACES]
    assert counts["wrongly_left_out"].sum() < 0.02 * len(used)


def test_a_fault_that_is_missed_and_an_honest_record_left_out_are_counted() -> None:
    kinds = {3: "misplaced", 4: "misplaced", 5: "flag", 8: "republication"}
    faults = pd.DataFrame({"variable": "rs", "row": kinds.keys(), "kind": kinds.values(), "site": list("cdeh")})
    reasons = {3: "place", 4: "", 5: "place", 6: "place", 7: "first publication", 8: "", 9: "first publication"}
    checked = pd.DataFrame({"variable": "rs", "left_out": reasons, "republication_of": ""})
    checked.loc[[7, 9], "republication_of"] = "x", "h"  # of the pair of 8 and 9 the original is left out
    assert faults_found(faults, checked)[["planted", "found", "wrongly_left_out"]].to_numpy().tolist() == [
        [2, 1, 1],
        [1, 1, 1],
    ]


@both_variables
def test_planted_faults_of_places_are_what_they_say(variable: str) -> None:
    observations, faults = observed(sampling_design="clustered")
    table, faults = observations[variable], faults[faults["variable"] == variable]
    rows = {kind: table.loc[faults.loc[faults["kind"] == kind, "row"]] for kind in PLACES}
    moved, again = rows["misplaced"], rows["republication"]
    assert moved["in_region"].all() and contains(plateau_outline(), moved["longitude"], moved["latitude"]).all()
    first = table.drop_duplicates("site").set_index("site")
    for copies, suffix in ((moved, "M"), (again, "R")):
        donors = first.loc[copies["site"].str.removesuffix(suffix)]
        assert (copies["own_elevation"].to_numpy() == donors["own_elevation"].to_numpy()).all()
        apart = np.abs(copies[["longitude", "latitude"]].to_numpy() - donors[["longitude", "latitude"]].to_numpy())
        assert apart.max() <= 0.51 if suffix == "R" else apart.max(axis=1).min() > 0.1
    assert not donors["in_region"].all() and donors["in_region"].any()


def test_what_an_honest_plot_says_of_its_place_differs_somewhat_from_it() -> None:
    used = used_of("uniform", "npp").drop_duplicates("site")
    off = used["own_elevation"] - geography().elevation_at(used["longitude"], used["latitude"])
    assert off.std() == pytest.approx(100, rel=0.15) and abs(off.mean()) < 15


@every_design
@pytest.mark.parametrize(("variable", "in_region", "elsewhere"), [("npp", 394, 3 * 394), ("rs", 62, 5 * 62)])
def test_the_stated_number_of_records_is_left(design: str, variable: str, in_region: int, elsewhere: int) -> None:
    counts = used_of(design, variable)["in_region"].value_counts()
    assert counts.to_dict() == {True: in_region, False: elsewhere}


@both_variables
def test_every_kind_of_fault_is_planted(variable: str) -> None:
    observations, faults = observed(sampling_design="clustered")
    mine = faults[faults["variable"] == variable]
    assert mine["kind"].value_counts().to_dict() == FAULTS
    assert (observations[variable].loc[mine["row"], "site"].to_numpy() == mine["site"].to_numpy()).all()


@every_design
@both_variables
def test_tables_are_in_the_schema_and_plots_where_they_say(design: str, variable: str) -> None:
    SCHEMA.validate(observed(sampling_design=design)[0][variable])
    used = used_of(design, variable)
    inside = contains(plateau_outline(), used["longitude"], used["latitude"])
    np.testing.assert_array_equal(inside, used["in_region"])
    cover = geography().land_cover_at(used["longitude"], used["latitude"])
    assert WATER not in cover
    assert used["vegetation"].tolist() == [IGBP_CLASSES[number] for number in cover]


@every_design
def test_two_plots_never_share_a_place(design: str) -> None:
    sites = used_of(design, "npp").drop_duplicates("site")[["longitude", "latitude"]].to_numpy()
    assert cKDTree(sites).query(sites, k=2)[0][:, 1].min() > 0.019


def test_few_sites_and_a_single_year_will_do() -> None:
    observations, faults = observed(**FEW)
    honest = observations["rs"].drop(faults.loc[faults["variable"] == "rs", "row"])
    assert honest["in_region"].sum() == 10 and len(quality_control(honest, REGION)[0]) == len(honest)


def sites_of(design: str) -> pd.DataFrame:
    """Return the sites of NPP on the plateau."""
    used = used_of(design, "npp")
    return used[used["in_region"]].drop_duplicates("site")


def nearest_neighbour(sites: pd.DataFrame) -> float:
    """Mean distance to the nearest other site, as a share of that of as many random points (Clark and Evans 1954)."""
    points = np.column_stack([sites["longitude"] * np.cos(np.radians(33)), sites["latitude"]]) * 111.2
    mean = cKDTree(points).query(points, k=2)[0][:, 1].mean()
    area = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(plateau_outline())[0]) / 1e6
    return mean / (0.5 * np.sqrt(area / len(points)))


def test_the_clustered_design_is_clustered_and_the_uniform_one_is_not() -> None:
    assert nearest_neighbour(sites_of("clustered")) < 0.75
    assert 0.9 < nearest_neighbour(sites_of("uniform")) < 1.1


def test_the_clustered_design_has_few_sites_in_the_west() -> None:
    shares = {design: (sites_of(design)["longitude"] < 85).mean() for design in ("clustered", "uniform")}
    assert shares["clustered"] < 0.1 < 0.2 < shares["uniform"]


def test_another_seed_gives_other_sites() -> None:
    tables = [field_work("npp", True, 60, "uniform", YEARS, seed) for seed in (1, 2)]
    sites = [set(zip(table["longitude"], table["latitude"], strict=True)) for table in tables]
    assert len(sites[0] & sites[1]) < 0.1 * len(sites[0])


def test_the_stratified_design_sees_rare_land_cover() -> None:
    common_cover = {
        design: sites_of(design)["vegetation"].isin(["grassland", "barren"]).mean()
        for design in ("stratified", "uniform")
    }
    assert common_cover["stratified"] < common_cover["uniform"] - 0.15


def test_records_scatter_about_the_truth_without_bias() -> None:
    used = used_of("uniform", "npp").drop_duplicates("site")
    true = fluxes(used["longitude"], used["latitude"], YEARS, SEED).npp
    at = true[used["year"].astype(int).to_numpy() - YEARS[0], np.arange(len(used))]
    ratio = used["value"].to_numpy() / at
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert np.log(ratio).std() == pytest.approx(np.hypot(0.20, 0.10), abs=0.03)


@pytest.mark.parametrize(("variable", "error"), [("npp", 0.10), ("rs", 0.12)])
def test_new_plots_are_measured_where_they_are_put_as_any_other(variable, error) -> None:
    longitude, latitude = np.repeat(np.linspace(88, 100, 30), 20), np.tile(np.linspace(31, 34, 20), 30)
    records = plots_at(variable, longitude, latitude, YEARS, SEED)
    place = records["site"].str.removeprefix("new ").astype(int).to_numpy()
    assert np.unique(place).tolist() == list(range(600)) and 1.4 < len(records) / 600 < 1.8
    assert records["longitude"].tolist() == longitude[place].tolist()
    true = getattr(fluxes(longitude, latitude, YEARS, SEED), variable)
    ratio = records["value"].to_numpy() / true[records["year"].astype(int).to_numpy() - YEARS[0], place]
    once = ~records["site"].duplicated().to_numpy() & np.isfinite(ratio)
    assert np.log(ratio[once]).std() == pytest.approx(np.hypot(0.20, error), abs=0.02)
    assert ratio[once].mean() == pytest.approx(1, abs=0.03)


def test_a_plot_is_not_its_cell() -> None:
    """Scale mismatch: the truth at plots scatters about the truth of their cells."""
    used = sites_of("clustered")
    place = {axis: xr.DataArray(used[axis].to_numpy(), dims="site") for axis in ("longitude", "latitude")}
    cell = fields_of().truth["npp"].mean("time").sel(place, method="nearest").to_numpy()
    plot = fluxes(used["longitude"], used["latitude"], YEARS, SEED).npp.mean(axis=0)
    assert np.nanstd(np.log(plot / cell)) > 0.2


@pytest.fixture(scope="module")
def lines() -> np.ndarray:
    """Slope, intercept and ratio of the sums of the pairs of eight worlds."""
    out = []
    for seed in range(8):
        pairs = rs_rh_pairs(field_work("rs", False, 370, "uniform", np.arange(2000, 2005), seed), seed)
        out.append([*np.polyfit(pairs["rs"], pairs["rh"], 1), pairs["rh"].sum() / pairs["rs"].sum()])
    return np.array(out)


def test_pairs_recover_the_line_from_rs_to_rh(lines: np.ndarray) -> None:
    """Least squares is somewhat flat, because the Rs of a pair has an error too; the ratio of the sums is not."""
    slope, intercept, ratio = lines.mean(axis=0)
    assert slope == pytest.approx(LAWS.rh_slope, abs=0.05)
    assert intercept == pytest.approx(LAWS.rh_intercept, abs=15)
    assert ratio == pytest.approx(LAWS.rh_slope, abs=0.02)


def test_pairs_scatter_about_the_line(lines: np.ndarray) -> None:
    assert 0.005 < lines[:, 2].std() < 0.05
