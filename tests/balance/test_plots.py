"""What plans for new plots did in worlds with a known truth, by hand: errors, the rule, the interval to expect."""

import numpy as np
import pandas as pd
import pytest

from helpers.balance import plots
from helpers.balance.draws import SOURCES
from helpers.errors import DataError
from mapforest.designs import DESIGNS, HABITS

SITE_SD = {"npp_site_sd_gC_m2_yr": 6.0, "rs_site_sd_gC_m2_yr": 10.0, "rh_site_sd_gC_m2_yr": 4.0}


def plan(design: str, n: int, errors: list[float], width: float = 20.0, left: float = 0.5) -> pd.DataFrame:
    """Return the worlds of one plan; NPP errs twice and Rs three times as much as NEP, to the other side."""
    table = pd.DataFrame({"seed": range(1, len(errors) + 1), "design": design, "plots": n})
    for name, factor in (("npp", -2.0), ("rs", -3.0), ("nep", 1.0)):
        table[f"{name}_error_gC_m2_yr"] = factor * np.array(errors)
        table[f"{name}_width_gC_m2_yr"] = width * abs(factor)
        table[f"{name}_sd_gC_m2_yr"] = 10.0
    return table.assign(npp_variance_left=left, rs_variance_left=left**2)


def made(**difference: float) -> pd.DataFrame:
    """Return twelve worlds; a design's error of NEP is that of strata, 4 to 6, and its difference."""
    base = np.linspace(4, 6, 12)
    before = plan("none", 0, (base + 1).tolist(), 25.0, 1.0).assign(**SITE_SD)
    plans = [plan("strata", n, base.tolist()) for n in (10, 20)]
    plans += [
        plan(name, n, (base + add * n / 20).tolist(), 15.0, 0.2) for name, add in difference.items() for n in (10, 20)
    ]
    return pd.concat([before, *plans], ignore_index=True)


def row(table: pd.DataFrame, design: str, n: int = 20, quantity: str = "NEP") -> pd.Series:
    chosen = (table["design"] == design) & (table["plots"] == n) & (table["quantity"] == quantity)
    return table[chosen].iloc[0]


def test_errors_and_differences_are_those_counted_by_hand():
    found = plots.compared(made(variance=-2.0))
    strata, best, before = row(found, "strata"), row(found, "variance"), row(found, "none", 0)
    base = np.linspace(4, 6, 12)
    assert (strata["mae_gC_m2_yr"], best["mae_gC_m2_yr"], before["mae_gC_m2_yr"]) == pytest.approx((5, 3, 6))
    assert strata["rmse_gC_m2_yr"] == pytest.approx(np.sqrt((base**2).mean()))
    ends = ["difference_gC_m2_yr", "difference_low_gC_m2_yr", "difference_high_gC_m2_yr"]
    assert best[ends].tolist() == pytest.approx([-2, -2, -2]) and strata[ends].tolist() == [0, 0, 0]
    assert row(found, "variance", quantity="NPP")[ends[0]] == pytest.approx(-4)
    assert row(found, "variance", quantity="Rs")["mae_gC_m2_yr"] == pytest.approx(9)
    assert set(found["n_worlds"]) == {12}


def test_an_error_of_the_other_sign_is_no_gain():
    table = made(variance=0.0)
    own = table["design"] == "variance"
    table.loc[own, "nep_error_gC_m2_yr"] *= -1
    assert row(plots.compared(table), "variance")["difference_gC_m2_yr"] == pytest.approx(0)


def test_the_interval_of_a_difference_is_that_of_its_mean_over_worlds():
    table = made(variance=0.0)
    own = (table["design"] == "variance") & (table["plots"] == 20)
    table.loc[own, "nep_error_gC_m2_yr"] += np.tile([1.0, -1.0], 6)
    best = row(plots.compared(table), "variance")
    half = 1.645 / np.sqrt(12)  # of the mean of 12 numbers of standard deviation 1, level 0.9
    assert best["difference_high_gC_m2_yr"] == pytest.approx(half, abs=0.06)
    assert best["difference_low_gC_m2_yr"] == pytest.approx(-half, abs=0.06)


def test_worlds_are_compared_with_themselves_whatever_their_order():
    table = made(variance=-2.0)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        plots.compared(table).sort_values(["design", "plots", "quantity"], ignore_index=True),
        plots.compared(shuffled).sort_values(["design", "plots", "quantity"], ignore_index=True),
    )


def test_the_width_seen_stands_beside_what_was_foretold():
    """Of a variance of 100, NPP has 36 that can shrink and Rh 16; left of them are 0.5 and 0.25."""
    found = plots.compared(made())
    assert row(found, "strata")["width_ratio"] == pytest.approx(0.8)
    assert row(found, "strata")["foretold_ratio"] == pytest.approx(np.sqrt(1 - 0.36 * 0.5 - 0.16 * 0.75))
    assert row(found, "strata", quantity="NPP")["foretold_ratio"] == pytest.approx(np.sqrt(1 - 0.36 * 0.5))
    assert row(found, "strata", quantity="Rs")["foretold_ratio"] == pytest.approx(np.sqrt(1 - 1.0 * 0.75))
    assert row(found, "none", 0)["foretold_ratio"] == row(found, "none", 0)["width_ratio"] == 1


def test_parts_that_exceed_the_whole_are_scaled_to_it():
    assert plots.shrunk(10.0, {"npp": 30.0, "rh": 10.0}, {"npp": 0.5, "rh": 0.5}) == pytest.approx(np.sqrt(0.5))


def test_a_world_without_a_plan_is_refused():
    table = made(variance=-1.0)
    lacking = table.drop(table.index[(table["design"] == "variance") & (table["seed"] == 3)])
    with pytest.raises(DataError, match=r"variance with 10 plots in the worlds \[1, 2, 4"):
        plots.compared(lacking)
    with pytest.raises(DataError, match="once"):
        plots.compared(pd.concat([table, table.tail(1)]))


def test_the_best_of_those_surely_better_than_strata_is_proposed():
    design, said = plots.proposed_design(plots.compared(made(coverage=-1.0, variance=-2.0, disagreement=1.0)))
    assert design == "variance"
    assert said == (
        "In 12 virtual worlds with 20 new plots, the mean absolute error of NEP was 3.0 by variance of the mean, 5.0 "
        "by random strata and 6.0 without new plots; the first differs from the second by −2.0 (−2.0 to −2.0) "
        "g C m⁻² yr⁻¹. So variance of the mean is proposed."
    )


def test_a_design_that_is_not_surely_better_is_not_proposed():
    table = made(variance=-0.1)
    own = (table["design"] == "variance") & (table["plots"] == 20)
    table.loc[own, "nep_error_gC_m2_yr"] += np.tile([1.0, -1.0], 6)
    design, said = plots.proposed_design(plots.compared(table))
    assert design == "strata" and "by variance of the mean, 5.0 by random strata" in said
    assert said.endswith("No design is surely better than random strata, so these, the simplest, are proposed.")


def test_a_design_with_the_least_error_that_is_not_surely_better_gives_way():
    table = made(coverage=-0.5, variance=-0.6)
    own = (table["design"] == "variance") & (table["plots"] == 20)
    table.loc[own, "nep_error_gC_m2_yr"] += np.tile([3.0, -3.0], 6)
    assert plots.proposed_design(plots.compared(table))[0] == "coverage"


def test_habits_other_numbers_and_other_fluxes_do_not_decide():
    found = plots.compared(made(near_sites=-3.0, low_ground=-3.0, variance=1.0))
    assert plots.proposed_design(found)[0] == "strata"
    better = (found["design"] == "variance") & ((found["plots"] != 20) | (found["quantity"] != "NEP"))
    found.loc[better, "difference_high_gC_m2_yr"] = -1.0
    assert plots.proposed_design(found)[0] == "strata"


def test_a_design_is_told_from_plots_at_random_only_where_the_worlds_tell():
    def told(worlds: pd.DataFrame) -> str:
        return plots.beside_random(plots.compared(worlds, plots.RANDOM), "variance")

    better, worse = (told(made(variance=add, at_random=-1.0)) for add in (-2.0, 0.0))
    assert "whose error was 4.0?" in better and "\N{MINUS SIGN}1.0 (\N{MINUS SIGN}1.0 to" in better
    assert better.endswith("variance of the mean is surely better.") and worse.endswith("is surely worse.")
    uneven = made(variance=-1.0, at_random=-1.0)
    uneven.loc[uneven["design"] == "variance", "nep_error_gC_m2_yr"] += np.tile([3.0, -3.0], 12)
    assert told(uneven).endswith("that is open.")


def test_without_a_rival_nothing_is_said():
    with pytest.raises(DataError, match="no design but strata has 20 plots"):
        plots.proposed_design(plots.compared(made(near_sites=-1.0)))


def budget() -> pd.DataFrame:
    table = pd.DataFrame({"quantity": ["NPP", "Rs", "Rh", "NEP"], "scenario": "main", "part": "region"})
    means = {
        "mean_gC_m2_yr": [300.0, 500, 290, 10],
        "low_gC_m2_yr": [290.0, 480, 280, -10],
        "high_gC_m2_yr": [320.0, 530, 310, 40],
    }
    totals = {"total_TgC_yr": "mean", "total_low_TgC_yr": "low", "total_high_TgC_yr": "high"}
    table = table.assign(**means)
    table = table.assign(**{name: 2 * table[f"{kind}_gC_m2_yr"] for name, kind in totals.items()})
    return pd.concat([table, table.assign(scenario="filled", low_gC_m2_yr=np.nan), table.assign(part="inside")])


def sources() -> pd.DataFrame:
    """Return sources that vary NPP by 1 and Rh by 2, sites by 6 and 4; in all 10 of each and of NEP."""
    table = pd.DataFrame({"source": [*SOURCES, "all"], "npp_sd_gC_m2_yr": 1.0, "rh_sd_gC_m2_yr": 2.0}).set_index(
        "source"
    )
    table.loc["sites"] = [6.0, 4.0]
    table.loc["all"] = [10.0, 10.0]
    return table.assign(nep_sd_gC_m2_yr=10.0).reset_index()


def test_only_what_sites_can_shrink_does():
    """NPP: 36 + 1 of 100 can shrink (sites, smearing), Rh: 16 + 4; the rest stays even where no variance is left."""
    left = {"npp": np.array([1.0, 0.5, 0.0]), "rs": np.array([1.0, 0.75, 0.0])}
    found = plots.expected_interval(budget(), sources(), left).set_index(["quantity", "plots"])
    assert found["ratio"].xs("NPP").tolist() == pytest.approx(np.sqrt([1, 1 - 0.37 / 2, 1 - 0.37]))
    assert found["ratio"].xs("Rh").tolist() == pytest.approx(np.sqrt([1, 1 - 0.2 / 4, 1 - 0.2]))
    assert found["ratio"].xs("NEP").tolist() == pytest.approx(np.sqrt([1, 1 - 0.185 - 0.05, 1 - 0.57]))


def test_the_ends_come_nearer_to_the_estimate_in_proportion():
    found = plots.expected_interval(budget(), sources(), {"npp": [1.0, 0.5], "rs": [1.0, 0.5]})
    first, then = (found[(found["quantity"] == "NEP") & (found["plots"] == k)].iloc[0] for k in (0, 1))
    assert first[["low_gC_m2_yr", "mean_gC_m2_yr", "high_gC_m2_yr"]].tolist() == [-10, 10, 40]
    assert then["low_gC_m2_yr"] == pytest.approx(10 - 20 * then["ratio"]) and then["mean_gC_m2_yr"] == 10
    assert then["total_high_TgC_yr"] == pytest.approx(20 + 60 * then["ratio"]) and then["total_TgC_yr"] == 20


def test_plots_of_one_flux_leave_the_other_as_it_is():
    found = plots.expected_interval(budget(), sources(), {"rs": [1.0, 0.0]}).set_index(["quantity", "plots"])["ratio"]
    assert found["NPP", 1] == 1 and found["NEP", 1] == found["Rh", 1] == pytest.approx(np.sqrt(0.8))


@pytest.mark.parametrize("left", [{}, {"rh": [1.0]}, {"npp": [1.0], "rs": [1.0, 0.9]}])
def test_shares_of_no_flux_or_of_other_lengths_are_refused(left):
    with pytest.raises(DataError, match="expected npp, rs or both"):
        plots.expected_interval(budget(), sources(), left)


def test_the_committed_worlds_have_every_plan():
    found = plots.worlds()
    assert found["seed"].nunique() >= 12
    plans = set(found[["design", "plots"]].itertuples(index=False, name=None))
    assert plans == {("none", 0)} | {(design, n) for design in (*DESIGNS, *HABITS) for n in (10, 20, 50)}
    table = plots.compared(found)
    assert table.notna().all(axis=None)
    assert plots.proposed_design(table)[0] in DESIGNS
    left = found[found["plots"] > 0]
    assert left["npp_variance_left"].between(0, 1, inclusive="neither").all()
