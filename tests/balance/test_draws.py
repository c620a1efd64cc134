"""The draws behind the budget's interval: a chain worked by hand, each source, laws, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers.balance import draws
from helpers.balance.draws import SOURCES, Chain, Family, Flux, Grown
from helpers.config import RS_PREDICTORS, load_config
from helpers.errors import DataError

SEED = 11


class Column:
    """A forest that predicts a column of the cells, whatever it was fitted to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Column:
        return self

    def predict(self, cells: pd.DataFrame) -> np.ndarray:
        return cells[self.name].to_numpy()


class Mean:
    """A forest that predicts the mean of its target everywhere; with another seed than the run's, 1 to 2 more."""

    predictors = ("lai",)

    def __init__(self, seed: int = SEED) -> None:
        self.shift = 0.0 if seed == SEED else 1.0 + (seed % 97) / 97

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Mean:
        self.mean = float(np.mean(target)) + self.shift
        self.oob_prediction = np.full(len(table), self.mean)
        return self

    def predict(self, cells: pd.DataFrame) -> np.ndarray:
        return np.full(len(cells), self.mean)


def seedless(seed: int) -> Mean:
    """A forest whose seed changes nothing; a function of the module, so that it can be sent to another process."""
    return Mean()


def ln_npp_column(seed: int) -> Column:
    return Column("ln_npp")


def ln_rs_column(seed: int) -> Column:
    return Column("ln_rs")


def paper_npp_column(seed: int) -> Column:
    return Column("paper_npp")


def paper_ln_rs_column(seed: int) -> Column:
    return Column("paper_ln_rs")


def given_flux(model, make, log, log_residual=(0.0, 0.0, 0.0), regional_sd=0.0) -> Flux:
    """Return a flux of three rows, each a block of its own, with the logarithms that the forest is fitted to."""
    table = pd.DataFrame({"lai": [1.0, 1.0, 1.0]})
    grown = (model, make, table, np.asarray(log, float), np.arange(3), np.exp)
    return Flux(*grown, np.asarray(log_residual), regional_sd)


def paper_forests(npp=("paper_npp", paper_npp_column), rs=("paper_ln_rs", paper_ln_rs_column)) -> tuple[Grown, Grown]:
    """Return the paper's forests, of NPP and of ln Rs, that predict columns of the cells."""
    rows = (pd.DataFrame({"lai": [1.0, 1.0, 1.0]}), np.ones(3), np.arange(3))
    return Grown(Column(npp[0]), npp[1], *rows, np.asarray), Grown(Column(rs[0]), rs[1], *rows, np.exp)


def mean_flux(log, make=Mean, **changes) -> Flux:
    """Return a flux of three rows whose forests predict the mean logarithm of the rows that they are grown on."""
    return given_flux(Mean().fit(pd.DataFrame(index=range(3)), np.asarray(log)), make, log, **changes)


def exact_pairs(share_error: float = 0.0) -> pd.DataFrame:
    """Pairs of Rh = 0.5 Rs in two distant blocks, in one of them `share_error` of Rs more, in the other less."""
    rs = np.tile([200.0, 400.0, 600.0], 2)
    sign = np.repeat([1.0, -1.0], 3)
    return pd.DataFrame(
        {
            "site": [f"s{i}" for i in range(6)],
            "longitude": np.where(sign > 0, 80.0, 100.0) + np.tile([0.0, 0.1, 0.2], 2),
            "latitude": 33.0,
            "rs": rs,
            "rh": 0.5 * rs + sign * share_error * rs,
        }
    )


def hand_cells() -> pd.DataFrame:
    """Four rows in two regions: 10 million km2, 12 with ice, 15 with what is missing; one of them outside."""
    return pd.DataFrame(
        {
            "ln_npp": np.log([100.0, 200.0, 300.0, 400.0]),
            "paper_npp": [90.0, 190.0, 290.0, 390.0],
            "ln_rs": np.log([200.0, 400.0, 600.0, 800.0]),
            "paper_ln_rs": np.log([250.0, 450.0, 650.0, 850.0]),
            "area": [1e6, 2e6, 3e6, 4e6],
            "filled_area": [2e6, 2e6, 3e6, 8e6],
            "predicted_area": [1e6, 2e6, 3e6, 6e6],
            "block": [0, 0, 1, 1],
            "inside": [True, False, True, True],
        }
    )


NONE = Family(np.empty((0, 0)), np.empty(0), ())


def hand_chain(**changes) -> Chain:
    """Forests that predict 300 (plain NPP) and 600 (plain Rs) on average; Duan's factors are 1.2 and 1.1."""
    npp = given_flux(Column("ln_npp"), ln_npp_column, [1.0, 2.0, 3.0], np.log([1.0, 1.2, 1.4]))
    rs = given_flux(Column("ln_rs"), ln_rs_column, [1.0, 2.0, 3.0], np.log([0.8, 1.4, 1.1]))
    chain = Chain(npp, rs, paper_forests(), exact_pairs(), hand_cells(), 300.0, (NONE, NONE))
    return replace(chain, **changes)


def one_region(**columns) -> pd.DataFrame:
    """A single cell of 1 million km2 with the predictions ln 300 and ln 600, and 250 of the paper's forest."""
    cell = {
        "ln_npp": np.log(300.0),
        "paper_npp": 250.0,
        "ln_rs": np.log(600.0),
        "paper_ln_rs": np.log(650.0),
        "lai": 1.0,
        "area": 1e6,
        "filled_area": 1e6,
        "predicted_area": 1e6,
        "block": 0,
        "inside": True,
    }
    return pd.DataFrame([cell | columns])


def alone(chain: Chain, source: str, n: int = 60) -> pd.DataFrame:
    """Return n draws of one source, on the whole plateau."""
    table = draws.draw_budgets(chain, SEED, 2 * n, alone=(source,))
    return table[(table["varied"] == source) & (table["part"] == "region")].reset_index(drop=True)


# --- the estimate, by hand -------------------------------------------------------------------------------------------


def test_the_estimate_of_every_scenario_and_part_is_that_worked_by_hand():
    """Plateau: NPP 1.2 x (1 x 100 + 2 x 200 + 3 x 300 + 4 x 400) / 10 = 360, Rs 1.1 x 600 = 660, Rh 0.5 x 660.

    Filled: NPP 1.2 x (2 x 100 + 2 x 200 + 3 x 300 + 8 x 400) / 15. The paper's line: 0.62 Rs + 9.01; its chain: its own
    two forests, the plain exponential of ln Rs, and ice counts: NPP (1 x 90 + 2 x 190 + 3 x 290 + 6 x 390) / 12, Rs
    (1 x 250 + 2 x 450 + 3 x 650 + 6 x 850) / 12 = 8200 / 12.
    """
    found = draws.draw_budgets(hand_chain(), SEED, 4, alone=())
    estimate = found[found["varied"] == "none"].drop(columns=["varied", "draw", "npp_form", "rs_form"])
    estimate = estimate.reset_index(drop=True)
    expected = pd.DataFrame(
        [
            ("main", "region", 10.0, 360.0, 660.0, 330.0, 30.0),
            ("main", "inside", 8.0, 390.0, 715.0, 357.5, 32.5),
            ("main", "outside", 2.0, 240.0, 440.0, 220.0, 20.0),
            ("filled", "region", 15.0, 376.0, 2068 / 3, 1034 / 3, 94 / 3),
            ("filled", "inside", 13.0, 5160 / 13, 9460 / 13, 4730 / 13, 430 / 13),
            ("filled", "outside", 2.0, 240.0, 440.0, 220.0, 20.0),
            ("naive", "region", 10.0, 300.0, 600.0, 300.0, 0.0),
            ("naive", "inside", 8.0, 325.0, 650.0, 325.0, 0.0),
            ("naive", "outside", 2.0, 200.0, 400.0, 200.0, 0.0),
            ("paper_line", "region", 10.0, 360.0, 660.0, 418.21, -58.21),
            ("paper_line", "inside", 8.0, 390.0, 715.0, 452.31, -62.31),
            ("paper_line", "outside", 2.0, 240.0, 440.0, 281.81, -41.81),
            ("as_paper", "region", 12.0, 920 / 3, 2050 / 3, 1271 / 3 + 9.01, -351 / 3 - 9.01),
            ("as_paper", "inside", 10.0, 330.0, 730.0, 461.61, -131.61),
            ("as_paper", "outside", 2.0, 190.0, 450.0, 288.01, -98.01),
        ],
        columns=["scenario", "part", "area_Mkm2", *(f"{name}_gC_m2_yr" for name in ("npp", "rs", "rh", "nep"))],
    )
    pd.testing.assert_frame_equal(estimate, expected, rtol=1e-12, atol=1e-9)


def test_a_part_without_a_cell_has_no_rows():
    cells = hand_cells().assign(inside=True)
    found = draws.draw_budgets(hand_chain(cells=cells), SEED, 4, alone=())
    assert set(found["part"]) == {"region", "inside"}


def test_without_any_spread_every_draw_is_the_estimate():
    rs = given_flux(Column("ln_rs"), ln_rs_column, [1.0, 2.0, 3.0], np.log([1.1, 1.1, 1.1]))
    npp = given_flux(Column("ln_npp"), ln_npp_column, [1.0, 2.0, 3.0], np.log([1.2, 1.2, 1.2]))
    found = draws.draw_budgets(hand_chain(npp=npp, rs=rs), SEED, 4)
    main = found[(found["scenario"] == "main") & (found["part"] == "region")]
    assert len(main) == 1 + 4 + 2 * len(SOURCES)
    assert main["nep_gC_m2_yr"].to_numpy() == pytest.approx(30.0)


def test_there_are_as_many_draws_as_asked_and_half_as_many_of_each_source():
    found = draws.draw_budgets(hand_chain(), SEED, 7)
    main = found[(found["scenario"] == "main") & (found["part"] == "region")]
    assert main["varied"].value_counts().to_dict() == {"none": 1, "all": 7} | dict.fromkeys(SOURCES, 3)
    assert set(found.loc[~found["varied"].isin(["none", "all"]), "scenario"]) == {"main"}
    assert set(found.loc[found["varied"] == "all", "scenario"]) == set(draws.SCENARIOS)


# --- each source -----------------------------------------------------------------------------------------------------


def test_the_regional_factor_has_the_mean_one():
    """Without the term -s^2 / 2 the mean of 20,000 regions is 38 % too high; its standard error is 0.7 %."""
    n = 20_000
    cells = pd.concat([one_region()] * n, ignore_index=True).assign(block=np.arange(n))
    fluxes = {
        "npp": given_flux(Column("ln_npp"), ln_npp_column, [1, 2, 3], regional_sd=0.8),
        "rs": given_flux(Column("ln_rs"), ln_rs_column, [1, 2, 3], regional_sd=0.8),
    }
    found = alone(hand_chain(cells=cells, **fluxes), "regional", 2)
    assert found["npp_gC_m2_yr"].to_numpy() == pytest.approx(300.0, rel=0.03)
    assert found["rs_gC_m2_yr"].to_numpy() == pytest.approx(600.0, rel=0.03)


def test_the_regional_factor_is_as_wide_as_the_error_between_blocks_for_each_flux_its_own():
    fluxes = {
        "npp": given_flux(Column("ln_npp"), ln_npp_column, [1, 2, 3], regional_sd=0.3),
        "rs": given_flux(Column("ln_rs"), ln_rs_column, [1, 2, 3], regional_sd=0.6),
    }
    found = alone(hand_chain(cells=one_region(), **fluxes), "regional")
    npp, rs = np.log(found["npp_gC_m2_yr"] / 300), np.log(found["rs_gC_m2_yr"] / 600)
    assert (npp.std(), rs.std()) == pytest.approx((0.3, 0.6), rel=0.2)
    assert abs(np.corrcoef(npp, rs)[0, 1]) < 0.4


def test_the_two_sides_of_a_region_share_its_factor_and_two_regions_do_not():
    cells = hand_cells().assign(inside=[True, False, True, False])
    npp = given_flux(Column("ln_npp"), ln_npp_column, [1, 2, 3], regional_sd=0.5)
    found = draws.draw_budgets(hand_chain(cells=cells.iloc[:2], npp=npp), SEED, 10, alone=("regional",))
    by_part = found[found["varied"] == "regional"].pivot_table("npp_gC_m2_yr", "draw", "part")
    assert (by_part["outside"] / by_part["inside"]).to_numpy() == pytest.approx(2.0)
    cells["block"] = [0, 1, 0, 1]
    found = draws.draw_budgets(hand_chain(cells=cells, npp=npp), SEED, 10, alone=("regional",))
    by_part = found[found["varied"] == "regional"].pivot_table("npp_gC_m2_yr", "draw", "part")
    assert (by_part["outside"] / by_part["inside"]).std() > 0.1


def test_sites_alone_move_both_forests_as_far_as_the_mean_of_three_drawn_blocks():
    """The mean of three blocks drawn with replacement from (0, 3, 6) has the standard deviation sqrt(6 / 3)."""
    npp, rs = mean_flux(np.log([1.0, 8.0, 64.0])), mean_flux(np.log([2.0, 2.0, 16.0]), seedless)
    found = alone(hand_chain(npp=npp, rs=rs, cells=one_region()), "sites")
    steps = np.log2(found["npp_gC_m2_yr"])
    assert steps.to_numpy() == pytest.approx(steps.round().to_numpy())  # whole rows, and the run's own forest seed
    assert steps.round().min() == 0 and steps.round().max() == 6
    assert steps.std() == pytest.approx(np.sqrt(2), rel=0.2)
    assert set(np.log2(found["rs_gC_m2_yr"]).round(9)) == {1.0, 2.0, 3.0, 4.0}
    assert abs(np.corrcoef(steps, np.log(found["rs_gC_m2_yr"]))[0, 1]) < 0.4


def test_the_forest_alone_varies_its_seed_and_not_its_rows():
    found = alone(hand_chain(npp=mean_flux(np.log([1.0, 8.0, 64.0])), cells=one_region()), "forest", 20)
    shift = np.log(found["npp_gC_m2_yr"] / 8)
    assert shift.between(1 - 1e-9, 2).all() and shift.nunique() > 10
    assert np.ptp(found["rs_gC_m2_yr"]) == 0


def test_a_chain_without_the_papers_forests_has_no_scenario_of_theirs_and_the_same_others():
    found = draws.draw_budgets(hand_chain(), SEED, 4)
    expected = found[found["scenario"] != "as_paper"].reset_index(drop=True)
    pd.testing.assert_frame_equal(draws.draw_budgets(hand_chain(paper=()), SEED, 4), expected)


def test_the_papers_forests_of_a_draw_are_grown_on_their_own_tables_and_scales():
    """Where both NPP forests have one table, the logarithms tell which of 1, 8 and 64 were drawn, thus their mean."""
    values = np.array([1.0, 8.0, 64.0])
    npp, rs = mean_flux(np.log(values), seedless), mean_flux(np.log([5.0, 5.0, 5.0]), seedless)
    of_rs = mean_flux(np.log([7.0, 7.0, 7.0]), seedless)
    plain = Grown(Mean().fit(npp.table, values), seedless, npp.table, values, npp.block, np.asarray)
    chain = hand_chain(npp=npp, rs=rs, paper=(plain, of_rs), cells=one_region())
    found = draws.draw_budgets(chain, SEED, 40, alone=())
    found = found[(found["varied"] == "all") & (found["part"] == "region")]
    npp = found.pivot_table("npp_gC_m2_yr", "draw", "scenario")
    rows = [(a, b, c) for a in values for b in values for c in values]
    mean_of = {round(np.log2(a * b * c) / 3): set() for a, b, c in rows}
    for a, b, c in rows:
        mean_of[round(np.log2(a * b * c) / 3)].add(round((a + b + c) / 3, 6))
    for naive, paper in zip(npp["naive"], npp["as_paper"], strict=True):
        assert round(paper, 6) in mean_of[round(np.log2(naive))]
    assert npp["as_paper"].nunique() > 5
    rs = found.groupby("scenario")["rs_gC_m2_yr"].first()
    assert (rs["naive"], rs["as_paper"]) == pytest.approx((5.0, 7.0))


def test_model_form_puts_a_members_map_in_place_of_ours():
    """Two members: one twice our map, one that gives 150 everywhere; NPP and Rs choose each for itself."""
    ours = np.array([120.0, 240.0, 360.0, 480.0])
    npp, rs = np.array([2 * ours, np.full(4, 150.0)]), np.array([[220.0, 440.0, 660.0, 880.0], [330.0] * 4])
    even = np.array([0.5, 0.5])
    found = alone(hand_chain(families=(Family(npp, even, ("a", "b")), Family(rs, even, ("a", "b")))), "form", 30)
    assert set(found["npp_gC_m2_yr"].round(6)) == {720.0, 150.0}
    assert set(found["rs_gC_m2_yr"].round(6)) == {660.0, 330.0}
    assert len(found[["npp_gC_m2_yr", "rs_gC_m2_yr"]].round(6).drop_duplicates()) == 4
    assert (found["npp_form"] == np.where(found["npp_gC_m2_yr"] > 700, "a", "b")).all()
    assert (found["rs_form"] == np.where(found["rs_gC_m2_yr"] > 600, "a", "b")).all()


def test_a_member_is_drawn_as_often_as_its_weight_says():
    """Of 400 draws with probability 0.8 the share is within 0.06 with a probability of 0.997."""
    maps = np.array([[100.0] * 4, [200.0] * 4])
    families = (Family(maps, np.array([0.2, 0.8]), ("a", "b")), Family(maps, np.array([0.0, 1.0]), ("a", "b")))
    found = alone(hand_chain(families=families), "form", 400)
    assert (found["npp_gC_m2_yr"].round(6) == 200.0).mean() == pytest.approx(0.8, abs=0.06)
    assert (found["rs_gC_m2_yr"].round(6) == 200.0).all()


def test_without_a_family_the_model_form_moves_nothing():
    found = alone(hand_chain(), "form", 10)
    assert found["nep_gC_m2_yr"].to_numpy() == pytest.approx(30.0)
    assert set(found["npp_form"]) == set(found["rs_form"]) == {""}


def test_smearing_alone_draws_its_residuals_by_block_for_each_flux_its_own():
    """Residuals ln 1, ln 2 and ln 6: three of them drawn have a mean exponential of (a + b + c) / 3 between 1 and 6."""
    rs = given_flux(Column("ln_rs"), ln_rs_column, [1, 2, 3], np.log([1.0, 2.0, 6.0]))
    found = alone(hand_chain(rs=rs, cells=one_region()), "smearing")
    thirds = (3 * found["rs_gC_m2_yr"] / 600).round(9)
    assert set(thirds) <= {3.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 13.0, 14.0, 18.0} and len(set(thirds)) > 6
    assert set((3 * found["npp_gC_m2_yr"] / 300).round(9)) <= {3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2}
    assert abs(np.corrcoef(found["npp_gC_m2_yr"], found["rs_gC_m2_yr"])[0, 1]) < 0.4


def test_all_together_smear_with_the_residuals_of_the_rows_that_the_forest_was_grown_on():
    """Target and residual are equal: the plain exponential tells which three blocks were drawn, thus the factor."""
    values = np.log([1.0, 2.0, 6.0])
    rs = mean_flux(values, seedless, log_residual=values)
    found = draws.draw_budgets(hand_chain(rs=rs, cells=one_region()), SEED, 60, alone=())
    found = found[(found["varied"] == "all") & (found["part"] == "region")]
    found = found.pivot_table("rs_gC_m2_yr", "draw", "scenario")
    factor_of = {round(a * b * c): (a + b + c) / 3 for a in (1, 2, 6) for b in (1, 2, 6) for c in (1, 2, 6)}
    expected = [factor_of[round(product)] for product in found["naive"] ** 3]
    assert (found["main"] / found["naive"]).to_numpy() == pytest.approx(expected)
    assert len(set(expected)) > 5


def test_the_share_alone_moves_rh_as_far_as_a_bootstrap_of_its_sites():
    """Without error of the pairs every draw has the same share; with it Rh moves, and NPP and Rs do not."""
    assert alone(hand_chain(), "line", 30)["rh_gC_m2_yr"].to_numpy() == pytest.approx(330.0)
    pairs = exact_pairs().assign(rh=[110.0, 190, 320, 95, 215, 290])
    found = alone(hand_chain(pairs=pairs), "line")
    assert found[["npp_gC_m2_yr", "rs_gC_m2_yr"]].nunique().tolist() == [1, 1]
    # The ratio estimator's standard error, with the residuals about the share of all pairs.
    share = pairs["rh"].sum() / pairs["rs"].sum()
    se = np.sqrt(((pairs["rh"] - share * pairs["rs"]) ** 2).sum()) / 6 / pairs["rs"].mean()
    assert found["rh_gC_m2_yr"].std() == pytest.approx(660 * se, rel=0.3)


def test_pairs_that_differ_little_in_rs_are_drawn_like_any_others():
    rs, rh = exact_pairs()["rs"] / 1000, np.array([120.0, 220, 320, 122, 218, 322]) / 1000
    pairs = exact_pairs().assign(rs=rs, rh=rh)
    assert alone(hand_chain(pairs=pairs), "line", 20)["rh_gC_m2_yr"].nunique() > 10


def test_the_scatter_of_the_share_is_that_between_its_blocks():
    """Two blocks whose share Rh / Rs is 0.1 above and below that of all: a standard deviation of 0.1 sqrt 2."""
    found = alone(hand_chain(pairs=exact_pairs(0.1), cells=one_region()), "line_scatter")
    assert found["rh_gC_m2_yr"].std() == pytest.approx(660 * 0.1 * np.sqrt(2), rel=0.2)
    assert found["rh_gC_m2_yr"].mean() == pytest.approx(330, abs=30)
    assert found["nep_gC_m2_yr"].to_numpy() == pytest.approx((360 - found["rh_gC_m2_yr"]).to_numpy())


def test_the_scatter_of_the_line_is_drawn_for_each_region():
    n = 400
    cells = pd.concat([one_region()] * n, ignore_index=True).assign(block=np.arange(n))
    found = alone(hand_chain(pairs=exact_pairs(0.1), cells=cells), "line_scatter", 40)
    assert found["rh_gC_m2_yr"].std() == pytest.approx(660 * 0.1 * np.sqrt(2 / n), rel=0.35)


# --- between blocks --------------------------------------------------------------------------------------------------


def test_between_blocks_of_unequal_size_by_hand():
    """Means 1 and 4 of 1 and 3 rows: MSb = (2.25^2 + 3 x 0.75^2) / 1, MSw = 2 / 2, n0 = 4 - 10 / 4 = 1.5."""
    assert draws.between_block_sd([1.0, 3.0, 4.0, 5.0], [7, 2, 2, 2]) == pytest.approx(np.sqrt((6.75 - 1) / 1.5))


def test_between_blocks_finds_the_planted_spread():
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(400), 5)
    residual = 0.3 * rng.standard_normal(400)[block] + 0.5 * rng.standard_normal(2000)
    assert draws.between_block_sd(residual, block) == pytest.approx(0.3, abs=0.04)


def test_between_blocks_leaves_unknown_residuals_out():
    assert draws.between_block_sd([1.0, 1, np.nan, 3, 3], [0, 0, 1, 1, 1]) == pytest.approx(np.sqrt(2))


def test_blocks_that_hold_one_row_each_count_as_spread_between_blocks():
    values = np.array([1.0, 2.0, 4.0])
    assert draws.between_block_sd(values, [0, 1, 2]) == pytest.approx(values.std(ddof=1))


def test_one_block_has_no_spread_between_blocks():
    with pytest.raises(DataError, match="1 block"):
        draws.between_block_sd([1.0, 2.0], [0, 0])


# --- the fluxes of a chain -------------------------------------------------------------------------------------------


def places(values, longitude=(80.0, 90.0, 100.0)) -> pd.DataFrame:
    return pd.DataFrame({"longitude": longitude, "latitude": 33.0, "lai": 1.0, "value": values})


def test_a_flux_has_the_residuals_and_the_error_between_blocks_worked_by_hand():
    """Each of three blocks is predicted by the mean logarithm of the other two."""
    log = np.log([100.0, 200.0, 400.0])
    table = places(np.exp(log))
    grown = Grown(Mean().fit(table, log), Mean, table[["lai"]], log, np.arange(3), np.exp)
    found = draws.flux(grown, SEED)
    assert found.log_residual == pytest.approx(log - log.mean())
    assert found.regional_sd == pytest.approx(np.std(1.5 * (log - log.mean()), ddof=1))
    assert found.target is log and found.model is grown.model


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"longitude": 90.0, "latitude": 33.0}, "no blocks to draw: .*one block of 150 km"),
        ({"longitude": [80.0] * 20 + [100.0] * 20, "latitude": 33.0}, "40 rows lie in 2 blocks of 150 km.*block_km"),
        ({"value": [100.0, np.nan] + [100.0] * 38}, "a flux of nan in row 1 .*drop such rows"),
        ({"value": [100.0, 200.0, 0.0] + [100.0] * 37}, "a flux of 0 in row 2 has no logarithm"),
        ({"value": [-100.0] + [100.0] * 39}, "a flux of -100 in row 0 has no logarithm"),
    ],
)
def test_sites_that_no_bootstrap_can_use_are_refused(changes, message):
    table = many_sites().assign(**changes)
    with pytest.raises(DataError, match=message):
        grown_chain({"npp": table, "rs": table}, block_km=150.0)


def many_sites() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.uniform(1, 5, (40, len(RS_PREDICTORS))), columns=RS_PREDICTORS).assign(
        land_cover=10.0,
        longitude=rng.uniform(75, 100, 40),
        latitude=rng.uniform(28, 38, 40),
        value=np.exp(rng.normal(5, 1, 40)),
    )


def grown_chain(ours: dict[str, pd.DataFrame], block_km: float) -> Chain:
    settings = load_config("virtual", {"n_trees": 20, "draw_trees": 3, "block_km": block_km, "threads": 1})
    papers = {name: table.assign(value=3 * table["value"]) for name, table in ours.items()}
    return draws.chain_of(settings, ours, papers, exact_pairs(), hand_cells(), {"npp": NONE, "rs": NONE})


def test_a_chain_grows_ours_on_logarithms_and_the_papers_npp_on_fluxes():
    table = many_sites()
    chain = grown_chain({"npp": table, "rs": 2 * table}, block_km=100.0)
    assert chain.npp.model.predict(table).mean() == pytest.approx(np.log(table["value"]).mean(), abs=0.3)
    assert chain.rs.target == pytest.approx(np.log(2 * table["value"]))
    npp, rs = chain.paper
    assert npp.back(npp.model.predict(table)).mean() == pytest.approx(3 * table["value"].mean(), rel=0.3)
    assert rs.target == pytest.approx(np.log(6 * table["value"]))
    assert (chain.npp.model.n_trees, chain.npp.make_model(1).n_trees, chain.block_km) == (20, 3, 100.0)
    assert list(chain.npp.table) == list(chain.npp.model.predictors)


# --- laws ------------------------------------------------------------------------------------------------------------


def lively_chain() -> Chain:
    """A chain in which every source moves the budget."""
    ln_npp, ln_rs = np.log([100.0, 200.0, 400.0]), np.log([300.0, 500.0, 900.0])
    fluxes = {
        "npp": mean_flux(ln_npp, seedless, regional_sd=0.2),
        "rs": mean_flux(ln_rs, seedless, log_residual=[-0.2, 0.1, 0.3], regional_sd=0.2),
    }
    return hand_chain(pairs=exact_pairs(0.05), **fluxes)


def test_the_same_seed_gives_the_same_draws_with_any_number_of_processes():
    one, two = (draws.draw_budgets(lively_chain(), 3, 4, threads) for threads in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_another_seed_gives_other_draws_and_the_same_estimate():
    one, two = (draws.draw_budgets(lively_chain(), seed, 4, alone=()) for seed in (3, 4))
    estimate = one["varied"] == "none"
    pd.testing.assert_frame_equal(one[estimate], two[estimate])
    assert not np.isclose(one.loc[~estimate, "nep_gC_m2_yr"], two.loc[~estimate, "nep_gC_m2_yr"]).any()


def test_the_parts_add_up_to_the_plateau():
    found = draws.draw_budgets(lively_chain(), SEED, 4)
    found["total"] = found["nep_gC_m2_yr"] * found["area_Mkm2"]
    parts = found.pivot_table("total", ["varied", "draw", "scenario"], "part")
    assert (parts["inside"] + parts["outside"]).to_numpy() == pytest.approx(parts["region"].to_numpy())


def test_too_few_draws_are_refused():
    with pytest.raises(DataError, match="3 draws make no interval: expected four or more"):
        draws.draw_budgets(hand_chain(), SEED, 3)
