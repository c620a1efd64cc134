"""The budget's interval: known answers, laws, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from helpers.balance import carbon, uncertainty
from helpers.balance.uncertainty import Chain
from helpers.data.cube import RS_PREDICTORS
from helpers.errors import DataError
from mapforest import retransform
from mapforest.errors import ForestError

BLOCK_KM = 150.0


class Mean:
    """A model that predicts the mean of its target, plus what its seed adds."""

    predictors = ("lai",)

    def __init__(self, seed: int = 0, noise: float = 0.0) -> None:
        self.shift = noise * np.random.default_rng(seed).standard_normal()

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Mean:
        self.mean = float(np.mean(target))
        self.oob_prediction = np.full(len(table), self.mean)
        return self

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        return np.full(len(table), self.mean + self.shift)


def noisy(seed: int) -> Mean:
    """A model whose seed matters; a function of the module, so that it can be sent to another process."""
    return Mean(seed, noise=0.1)


def sites(values: np.ndarray, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = len(values)
    return pd.DataFrame(
        {"longitude": rng.uniform(80, 100, n), "latitude": rng.uniform(29, 37, n), "lai": 1.0, "value": values}
    )


def square_cells() -> pd.DataFrame:
    longitude, latitude = (axis.ravel() for axis in np.meshgrid(np.arange(80.0, 100, 2), np.arange(29.0, 37, 2)))
    return pd.DataFrame(
        {
            "longitude": longitude,
            "latitude": latitude,
            "lai": 1.0,
            "area": 1e4,
            "filled_area": 2e4,
            "region": np.arange(longitude.size),
            "inside": longitude < 90,
        }
    )


def exact_pairs() -> pd.DataFrame:
    rs = np.linspace(100, 900, 12)
    table = sites(rs, seed=3).drop(columns="value")
    return table.assign(site=[f"s{i}" for i in range(12)], rs=rs, rh=0.5 * rs + 20)


def chain(npp: np.ndarray, rs: np.ndarray, pairs: pd.DataFrame | None = None, make=Mean) -> Chain:
    parts = []
    for values, logarithmic in ((npp, False), (rs, True)):
        table = sites(values)
        target = np.log(values) if logarithmic else values
        model = Mean().fit(table, target)
        parts.append(uncertainty.flux(model, make, table, target, BLOCK_KM, seed=0, logarithmic=logarithmic))
    return Chain(*parts, exact_pairs() if pairs is None else pairs, square_cells(), BLOCK_KM)


@pytest.fixture(scope="module")
def uneven() -> Chain:
    rng = np.random.default_rng(5)
    pairs = exact_pairs()
    pairs["rh"] *= rng.lognormal(0, 0.2, len(pairs))
    return chain(rng.lognormal(5, 0.4, 40), rng.lognormal(5.5, 0.4, 40), pairs, noisy)


@pytest.fixture(scope="module")
def drawn(uneven: Chain) -> pd.DataFrame:
    return uncertainty.draws(uneven, seed=7, n_draws=40)


def nep(table: pd.DataFrame, varied: str) -> np.ndarray:
    chosen = (table["varied"] == varied) & (table["scenario"] == "main") & (table["part"] == "plateau")
    return table.loc[chosen, "nep_gC_m2_yr"].to_numpy()


# -- known answers ---------------------------------------------------------------------------------


def test_without_any_scatter_the_interval_has_no_width() -> None:
    found = uncertainty.draws(chain(np.full(30, 300.0), np.full(30, 400.0)), seed=1, n_draws=6)
    budget = uncertainty.budget_intervals(found).set_index(["scenario", "part", "quantity"])
    row = budget.loc["main", "plateau", "NEP"]
    assert row[["low_gC_m2_yr", "mean_gC_m2_yr", "high_gC_m2_yr"]].to_numpy() == pytest.approx(300 - 0.5 * 400 - 20)


def test_the_total_is_the_mean_times_the_area(drawn: pd.DataFrame) -> None:
    budget = uncertainty.budget_intervals(drawn)
    assert budget["total_low_TgC_yr"].to_numpy() == pytest.approx(budget["low_gC_m2_yr"] * budget["valid_area_Mkm2"])


def test_the_parts_add_up_to_the_plateau(drawn: pd.DataFrame) -> None:
    total = drawn.assign(total=drawn["nep_gC_m2_yr"] * drawn["area_Mkm2"])
    keys = ["varied", "draw", "scenario"]
    parts = total.pivot_table("total", keys, "part")
    assert (parts["inside"] + parts["outside"]).to_numpy() == pytest.approx(parts["plateau"].to_numpy())


def test_smearing_recovers_the_mean_of_lognormal_data_that_the_plain_exponential_misses() -> None:
    residual = np.random.default_rng(0).normal(0, 0.6, 200_000)
    assert retransform.smearing_factor(residual) == pytest.approx(np.exp(0.6**2 / 2), rel=0.01)


def test_the_smeared_scenario_gives_the_mean_of_lognormal_rs() -> None:
    values = np.random.default_rng(2).lognormal(6, 0.8, 4000)
    found = uncertainty.draws(chain(np.full(4000, 300.0), values), seed=1, n_draws=4, alone=())
    estimate = found[(found["varied"] == "none") & (found["part"] == "plateau")].set_index("scenario")["rs_gC_m2_yr"]
    assert estimate["main"] == pytest.approx(values.mean())
    assert estimate["naive"] < 0.8 * values.mean()


def test_the_articles_line_is_used_where_the_scenario_says_so(drawn: pd.DataFrame) -> None:
    row = drawn[(drawn["varied"] == "none") & (drawn["scenario"] == "paper_line") & (drawn["part"] == "plateau")].iloc[
        0
    ]
    line = carbon.PAPER_LINE
    assert row["rh_gC_m2_yr"] == pytest.approx(line.slope * row["rs_gC_m2_yr"] + line.intercept)


def test_the_sink_probability_is_the_share_of_draws_above_zero() -> None:
    rows = [
        {"varied": name, "draw": i, "scenario": "main", "part": "plateau", "area_Mkm2": 1.0}
        | {f"{flux}_gC_m2_yr": value for flux in ("npp", "rs", "rh", "nep")}
        for i, (name, value) in enumerate([("none", 1.0), ("all", -1.0), ("all", 2.0), ("all", 3.0), ("all", 4.0)])
    ]
    budget = uncertainty.budget_intervals(pd.DataFrame(rows)).set_index("quantity")
    assert budget.loc["NEP", "sink_probability"] == 0.75
    assert np.isnan(budget.loc["NPP", "sink_probability"])


def test_between_blocks_finds_the_planted_spread() -> None:
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(400), 5)
    residual = 0.3 * rng.standard_normal(400)[block] + 0.5 * rng.standard_normal(2000)
    assert uncertainty.between_block_sd(residual, block) == pytest.approx(0.3, abs=0.04)


def test_blocks_that_hold_one_row_each_count_as_spread_between_blocks() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert uncertainty.between_block_sd(values, [0, 1, 2]) == pytest.approx(values.std(ddof=1))


# -- sources ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", uncertainty.SOURCES)
def test_each_source_alone_moves_the_budget(drawn: pd.DataFrame, source: str) -> None:
    assert nep(drawn, source).std() > 0


def test_the_line_does_not_move_npp(drawn: pd.DataFrame) -> None:
    chosen = drawn[(drawn["varied"] == "line") & (drawn["part"] == "plateau")]
    assert np.ptp(chosen["npp_gC_m2_yr"]) == 0


def test_a_resampled_line_moves_slope_and_intercept_together(uneven: Chain, drawn: pd.DataFrame) -> None:
    """Were the two drawn apart, Rh would scatter far more: through the mean Rs a line is well known."""
    chosen = drawn[(drawn["varied"] == "line") & (drawn["part"] == "plateau")]
    line = carbon.fit_line(uneven.pairs, "all")
    apart = np.hypot(line.slope_se * chosen["rs_gC_m2_yr"].iloc[0], line.intercept_se)
    assert chosen["rh_gC_m2_yr"].std() < apart


def test_variance_shares_compare_with_all_together(drawn: pd.DataFrame) -> None:
    table = uncertainty.variance_sources(drawn).set_index("source")
    expected = nep(drawn, "sites").var(ddof=1) / nep(drawn, "all").var(ddof=1)
    assert table.loc["sites", "nep_variance_share"] == pytest.approx(expected)
    assert table.loc["all", "nep_variance_share"] == 1


# -- laws ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_draws_with_any_number_of_processes(uneven: Chain) -> None:
    one, two = (uncertainty.draws(uneven, seed=3, n_draws=4, threads=threads) for threads in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_another_seed_gives_other_draws(uneven: Chain) -> None:
    one, two = (nep(uncertainty.draws(uneven, seed=seed, n_draws=4, alone=()), "all") for seed in (3, 4))
    assert not np.allclose(one, two)


def test_the_estimate_does_not_depend_on_the_seed_of_the_draws(uneven: Chain) -> None:
    one, two = (nep(uncertainty.draws(uneven, seed=seed, n_draws=4, alone=()), "none") for seed in (3, 4))
    assert one == pytest.approx(two)


@given(block=st.lists(st.integers(0, 5), min_size=1, max_size=30), seed=st.integers(0, 1000))
def test_a_resampled_block_comes_whole(block: list[int], seed: int) -> None:
    rows = uncertainty.resample_blocks(block, np.random.default_rng(seed))
    times = np.bincount(rows, minlength=len(block))
    for one in set(block):
        assert len({int(times[i]) for i, label in enumerate(block) if label == one}) == 1


@given(shift=st.floats(-5, 5), residual=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_smearing_is_multiplicative(shift: float, residual: list[float]) -> None:
    moved = retransform.smearing_factor(np.array(residual) + shift)
    assert moved == pytest.approx(np.exp(shift) * retransform.smearing_factor(residual))


# -- cells -----------------------------------------------------------------------------------------


@pytest.fixture
def cube() -> xr.Dataset:
    """Two years of 2 x 3 cells; one barren cell lacks NPP of MODIS in both years, one in the first; one is water."""
    coords = {
        "time": pd.to_datetime(["2000-01-01", "2001-01-01"]),
        "latitude": [36.0, 30.0],
        "longitude": [80.0, 90.0, 100.0],
    }
    dims = ("time", "latitude", "longitude")
    layers = {name: xr.DataArray(np.ones((2, 2, 3)), coords, dims) for name in RS_PREDICTORS}
    layers["npp_modis"] = layers["npp_modis"].copy()
    layers["npp_modis"][:, 0, 0] = np.nan
    layers["npp_modis"][0, 0, 1] = np.nan
    flat = {name: coords[name] for name in dims[1:]}
    layers["land_cover"] = xr.DataArray([[16.0, 16, 10], [10, 10, 17]], flat, dims[1:])
    layers["soc"] = layers["soc"].copy()
    layers["soc"][:, 1, 2] = np.nan
    layers["plateau"] = xr.DataArray(np.ones((2, 3), bool), flat, dims[1:])
    layers["cell_area"] = xr.DataArray([[1.0, 1, 1], [2, 2, 2]], flat, dims[1:])
    return xr.Dataset(layers)


def test_a_cell_counts_once_whatever_its_valid_years(cube: xr.Dataset) -> None:
    cells = uncertainty.budget_cells(cube, RS_PREDICTORS, 300)
    assert cells.groupby(["latitude", "longitude"])["area"].sum().sort_values().tolist() == pytest.approx([1, 1, 2, 2])


def test_filling_gives_the_missing_cell_to_the_valid_ones_of_its_class(cube: xr.Dataset) -> None:
    cells = uncertainty.budget_cells(cube, RS_PREDICTORS, 300)
    by_class = cells.groupby("land_cover")[["area", "filled_area"]].sum()
    assert by_class.loc[16].tolist() == pytest.approx([1, 2])
    assert by_class.loc[10].tolist() == pytest.approx([5, 5])


def test_water_is_not_missing(cube: xr.Dataset) -> None:
    cells = uncertainty.budget_cells(cube, RS_PREDICTORS, 300)
    assert uncertainty.missing_cells(cube, cells)["land_cover"].tolist() == [10, 16]


def test_cells_that_were_not_judged_are_outside(cube: xr.Dataset) -> None:
    cells = uncertainty.budget_cells(cube, RS_PREDICTORS, 300)
    places = pd.DataFrame({"latitude": [30.0, 30.0], "longitude": [80.0, 90.0]})
    marked = uncertainty.with_applicability(cells, places, [True, False])
    assert marked.loc[marked["inside"], ["latitude", "longitude"]].drop_duplicates().to_numpy().tolist() == [[30, 80]]


def test_no_complete_cell_is_refused(cube: xr.Dataset) -> None:
    with pytest.raises(DataError, match="no cell of the plateau has all predictors"):
        uncertainty.budget_cells(cube.assign(lai=cube["lai"] * np.nan), RS_PREDICTORS, 300)


# -- bad input -------------------------------------------------------------------------------------


def made(table: pd.DataFrame, target: np.ndarray, block_km: float = BLOCK_KM) -> uncertainty.Flux:
    model = Mean().fit(table, np.nan_to_num(target))
    return uncertainty.flux(model, Mean, table, target, block_km, seed=0, logarithmic=False)


def test_all_sites_in_one_block_are_refused() -> None:
    table = sites(np.full(9, 100.0)).assign(longitude=90.0, latitude=30.0)
    with pytest.raises(DataError, match="one block of 150 km"):
        made(table, table["value"].to_numpy())


def test_sites_in_two_blocks_are_refused_with_what_to_change() -> None:
    table = sites(np.full(4, 100.0)).assign(longitude=[80.0, 80, 100, 100], latitude=[30.0, 30, 30, 30])
    with pytest.raises(DataError, match="2 blocks of 150 km.*block_km"):
        made(table, table["value"].to_numpy())


def test_a_missing_target_is_named_by_its_row() -> None:
    table = sites(np.full(9, 100.0))
    target = table["value"].to_numpy().copy()
    target[4] = np.nan
    with pytest.raises(DataError, match="row 4"):
        made(table, target)


def test_a_flux_of_zero_has_no_relative_error() -> None:
    table = sites(np.append(np.full(8, 100.0), 0.0))
    with pytest.raises(DataError, match="row 8"):
        made(table, table["value"].to_numpy())


def test_too_few_draws_are_refused(uneven: Chain) -> None:
    with pytest.raises(DataError, match="2 draws"):
        uncertainty.draws(uneven, seed=1, n_draws=2)


def test_cells_without_applicability_are_refused(uneven: Chain) -> None:
    with pytest.raises(DataError, match="inside"):
        uncertainty.draws(replace(uneven, cells=uneven.cells.drop(columns="inside")), seed=1, n_draws=4)


def test_a_level_that_is_no_probability_is_refused(drawn: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="level is 90"):
        uncertainty.budget_intervals(drawn, 90)


def test_no_residual_to_smear_with_is_refused() -> None:
    with pytest.raises(ForestError, match="no residual"):
        retransform.smearing_factor([np.nan])


def test_one_block_has_no_spread_between_blocks() -> None:
    with pytest.raises(DataError, match="1 block"):
        uncertainty.between_block_sd([1.0, 2.0], [0, 0])
