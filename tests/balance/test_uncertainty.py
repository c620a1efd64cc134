"""What the draws say, by hand: ends of the interval, probability of a sink, share of each source."""

import numpy as np
import pandas as pd
import pytest

from helpers.balance.draws import SOURCES
from helpers.balance.uncertainty import beside_published, budget_intervals, sink_by_form, variance_sources
from helpers.errors import DataError


def drawn(values, varied="all", scenario="main", part="region", area=2.5) -> pd.DataFrame:
    """Return draws whose NEP is given; NPP is 1000 more, Rs 300 more, Rh a tenth of it."""
    nep = np.asarray(values, dtype=float)
    fluxes = {"npp": nep + 1000, "rs": nep + 300, "rh": nep / 10, "nep": nep}
    table = pd.DataFrame({f"{name}_gC_m2_yr": flux for name, flux in fluxes.items()})
    return table.assign(varied=varied, draw=range(len(nep)), scenario=scenario, part=part, area_Mkm2=area)


def intervals(*tables: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
    return budget_intervals(pd.concat(tables, ignore_index=True), level)


def test_the_interval_of_101_draws_from_minus_20_to_80_is_that_counted_by_hand():
    """The 5 % and 95 % quantiles of -20, -19, ... 80 are -15 and 75; 80 of the 101 are above zero."""
    row = intervals(drawn([40.0], "none"), drawn(range(-20, 81))).set_index("quantity").loc["NEP"]
    share = 80 / 101
    expected = {
        "scenario": "main",
        "part": "region",
        "level": 0.9,
        "valid_area_Mkm2": 2.5,
        "mean_gC_m2_yr": 40.0,
        "low_gC_m2_yr": -15.0,
        "high_gC_m2_yr": 75.0,
        "sd_gC_m2_yr": np.sqrt(101 * 102 / 12),
        "total_TgC_yr": 100.0,
        "total_low_TgC_yr": -37.5,
        "total_high_TgC_yr": 187.5,
        "sink_probability": share,
        "sink_probability_se": np.sqrt(share * (1 - share) / 101),
        "n_draws": 101,
    }
    assert row.to_dict() == {
        name: value if isinstance(value, str) else pytest.approx(value) for name, value in expected.items()
    }


def test_each_flux_has_its_own_interval_and_only_nep_can_be_a_sink():
    table = intervals(drawn([40.0], "none"), drawn(range(101))).set_index("quantity")
    assert table.index.tolist() == ["NPP", "Rs", "Rh", "NEP"]
    assert table["mean_gC_m2_yr"].tolist() == [1040, 340, 4, 40]
    assert table["low_gC_m2_yr"].tolist() == pytest.approx([1005, 305, 0.5, 5])
    assert table["high_gC_m2_yr"].tolist() == pytest.approx([1095, 395, 9.5, 95])
    assert table["sink_probability"].isna().tolist() == [True, True, True, False]


def test_the_level_moves_both_ends():
    row = intervals(drawn([40.0], "none"), drawn(range(101)), level=0.5).set_index("quantity").loc["NEP"]
    assert (row["low_gC_m2_yr"], row["high_gC_m2_yr"], row["level"]) == pytest.approx((25, 75, 0.5))


def test_zero_is_not_a_sink():
    row = intervals(drawn([1.0], "none"), drawn([-1.0, 0.0, 0.0, 3.0])).set_index("quantity").loc["NEP"]
    assert row["sink_probability"] == 0.25


def test_scenarios_and_parts_have_their_own_rows_and_draws_of_one_source_have_none():
    table = intervals(
        drawn([1.0], "none"),
        drawn([0.0, 2.0]),
        drawn([5.0], "none", "filled", area=3.0),
        drawn([4.0, 6.0], scenario="filled", area=3.0),
        drawn([9.0], "none", part="inside", area=1.0),
        drawn([9.0, 9.0], part="inside", area=1.0),
        drawn([99.0, -99.0], "sites"),
    )
    nep = table[table["quantity"] == "NEP"].drop(columns="quantity").set_index(["scenario", "part"])
    assert nep["total_TgC_yr"].to_dict() == {
        ("main", "region"): 2.5,
        ("filled", "region"): 15.0,
        ("main", "inside"): 9.0,
    }
    assert nep["sd_gC_m2_yr"].tolist() == pytest.approx([np.sqrt(2), np.sqrt(2), 0])
    assert nep["n_draws"].tolist() == [2, 2, 2]


@pytest.mark.parametrize("level", [0, 1, 90])
def test_a_level_that_is_not_a_probability_is_refused(level):
    with pytest.raises(DataError, match=f"level is {level}: expected a probability"):
        intervals(drawn([1.0], "none"), drawn([0.0, 2.0]), level=level)


def test_variances_of_the_sources_by_hand():
    """Draws of -k and k have the variance 2 k^2: 2, 8, ... 98 for seven sources, 40 for all."""
    tables = [drawn([-k, k], source) for k, source in enumerate(SOURCES, start=1)]
    elsewhere = [drawn([-50, 50], "sites", part="inside"), drawn([-50, 50], scenario="naive"), drawn([77.0], "none")]
    table = variance_sources(pd.concat([*tables, drawn([-10, 0, 0, 0, 0, 10]), *elsewhere])).set_index("source")
    assert table.index.tolist() == [*SOURCES, "sum of sources", "all"]
    assert table["n_draws"].tolist() == [2, 2, 2, 2, 2, 2, 2, pd.NA, 6]
    assert table["nep_sd_gC_m2_yr"].tolist() == pytest.approx(np.sqrt([2, 8, 18, 32, 50, 72, 98, 280, 40]))
    assert table["npp_sd_gC_m2_yr"].tolist() == pytest.approx(table["nep_sd_gC_m2_yr"].tolist())
    assert table["rh_sd_gC_m2_yr"].tolist() == pytest.approx((table["nep_sd_gC_m2_yr"] / 10).tolist())
    assert table["nep_variance_share"].tolist() == pytest.approx([0.05, 0.2, 0.45, 0.8, 1.25, 1.8, 2.45, 7, 1])


def test_without_any_variance_there_are_no_shares():
    tables = [drawn([1, 1], source) for source in (*SOURCES, "all")]
    assert variance_sources(pd.concat(tables))["nep_variance_share"].isna().all()


def test_published_estimates_stand_below_ours_each_in_the_unit_of_its_flux():
    """NEP is a total (mean 40 x 2.5 million km2), NPP a mean; the paper's chain has the same NPP, and no row of it."""
    scenarios = ("main", "as_paper", "naive")
    parts = ("region", "inside")
    tables = [
        drawn(values, varied, scenario, part)
        for scenario in scenarios
        for part in parts
        for varied, values in (("none", [40.0 + 10 * scenarios.index(scenario)]), ("all", range(101)))
    ]
    published = pd.DataFrame({"flux": ["GPP", "NEP"], "label": ["A", "B"], "low": [147.0, 10.0], "high": [147.0, 30.0]})
    table = beside_published(intervals(*tables), published)
    assert table[["flux", "label", "kind"]].agg(tuple, axis=1).tolist() == [
        ("NEP", "this run", "this run"),
        ("NPP", "this run", "this run"),
        ("NEP", "the paper's chain, this run", "this run"),
        ("GPP", "A", "published"),
        ("NEP", "B", "published"),
    ]
    assert table["value"].tolist() == [100.0, 1040.0, 125.0, 147.0, 20.0]
    assert table["low"].tolist() == pytest.approx([12.5, 1005.0, 12.5, 147.0, 10.0])
    assert table["high"].tolist() == pytest.approx([237.5, 1095.0, 237.5, 147.0, 30.0])


def test_the_answer_of_each_model_and_without_it_is_counted_by_hand():
    """Five draws, two sinks: both have the Rs of the climate model, and one of them the NPP of the ridge."""
    five = drawn([10.0, 20.0, -30.0, -40.0, -50.0]).assign(
        npp_form=["ridge", "forest", "forest", "forest", "ridge"],
        rs_form=["climate", "climate", "forest", "forest", "forest"],
    )
    others = [five.assign(scenario="naive"), five.assign(part="inside"), five.assign(varied="form")]
    members = [
        ("NPP", "forest", 0.7),
        ("NPP", "ridge", 0.3),
        ("Rs", "climate", 0.1),
        ("Rs", "forest", 0.8),
        ("Rs", "tree", 0.1),
    ]
    families = pd.DataFrame(members, columns=["flux", "member", "weight"]).assign(where="region", r2_explained=0.2)
    elsewhere = families.assign(where="cold steppe", weight=1.0)
    baseline = pd.DataFrame([("Rs", "mean", 0.0, "region", 0.0)], columns=families.columns)
    found = sink_by_form(pd.concat([five, *others]), pd.concat([families, elsewhere, baseline]), 0.5)
    counted = found.set_index(["flux", "member"])[["n_draws", "sink_share", "nep_mean_gC_m2_yr", "sink_share_without"]]
    assert counted.loc["NPP", "forest"].tolist() == pytest.approx([3, 1 / 3, -50 / 3, 0.5])
    assert counted.loc["Rs", "climate"].tolist() == pytest.approx([2, 1, 15, 0])
    assert counted.loc["Rs", "tree"].tolist() == pytest.approx([0, np.nan, np.nan, 0.4], nan_ok=True)
    assert found["weight"].tolist() == [0.7, 0.3, 0.1, 0.8, 0.1]
    # Quartiles: of all -40 and 10, without the climate model -45 and -35.
    area = five["area_Mkm2"].iloc[0]
    ends = found.set_index("member").loc["climate", ["low_without_TgC_yr", "high_without_TgC_yr", "moved_TgC_yr"]]
    assert ends.tolist() == pytest.approx([-45 * area, -35 * area, 45 * area])
