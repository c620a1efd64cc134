"""Training tables: domain, aggregation, covariates of the cell, and what is left out."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS, load_config
from helpers.errors import DataError
from helpers.sites.training import choose_rs, from_settings, predictors, resample, resample_sites, training_table

PREDICTORS = ("elevation", "temperature")


def joined(cube, used, variable="npp", **settings):
    """Return the training table and its flow with the settings of a run of the virtual plateau, some changed."""
    return training_table(load_config("virtual", settings), variable, cube, used)


@pytest.fixture
def cube():
    coordinates = {
        "time": pd.date_range("2000-01-01", periods=2, freq="YS"),
        "latitude": [36.0, 35.0],
        "longitude": [90.0, 91.0, 92.0],
    }
    made = xr.Dataset(coords=coordinates)
    made["elevation"] = (("latitude", "longitude"), np.arange(6.0).reshape(2, 3) * 100 + 4000)
    made["temperature"] = made["elevation"] * 0 + xr.DataArray([1.0, 3.0], {"time": made["time"]})
    for name in set(RS_PREDICTORS) - set(PREDICTORS):
        made[name] = made["elevation"] * 0 + 1.0
    made["in_region"] = made["longitude"] < made["latitude"] * 0 + 91.5
    made["cell_area"] = made["elevation"] * 0 + 9000.0
    return made


@pytest.fixture
def used():
    def record(site, longitude, latitude, value, in_region, variable="npp"):
        texts = dict.fromkeys(["quality", "vegetation", "source", "reference"], "")
        place = {"site": site, "longitude": longitude, "latitude": latitude, "year": 2000.0, "value": value}
        flags = {"in_surroundings": True, "in_region": in_region, "possible_duplicate": False}
        return {"variable": variable, "unit": "g C m-2 yr-1", "treatment": "none"} | place | texts | flags

    return pd.DataFrame(
        [
            record("a", 90.0, 36.0, 100.0, True),
            record("a", 90.0, 36.0, 300.0, True),
            record("b", 91.1, 35.2, 500.0, True),
            record("c", 92.0, 35.0, 700.0, False),
            record("d", 91.0, 36.0, 900.0, True, variable="rs"),
        ]
    )


def test_a_site_takes_the_covariates_of_its_cell_and_year(cube, used):
    table, _ = joined(cube, used)
    assert table["elevation"].tolist() == [4000, 4000, 4400] and table["temperature"].tolist() == [1, 1, 1]


def test_predictors_keep_their_order(cube, used):
    table, _ = joined(cube, used)
    assert [name for name in table if name in RS_PREDICTORS] == list(NPP_PREDICTORS)


def test_a_predictor_can_be_left_out(cube, used):
    assert "lai" not in joined(cube, used, left_out="lai")[0]


@pytest.mark.parametrize(("domain", "n"), [("region", 3), ("surroundings", 4)])
def test_domain_decides_which_sites_train(cube, used, domain, n):
    assert len(joined(cube, used, training_domain=domain)[0]) == n


def test_site_means_merge_the_records_of_a_site(cube, used):
    table, _ = joined(cube, used, npp_aggregation="site_mean")
    assert table.set_index("site")["value"].to_dict() == {"a": 200.0, "b": 500.0}


def test_a_site_without_its_covariates_is_left_out_and_counted(cube, used):
    cube["elevation"] = cube["elevation"].where(cube["longitude"] < 90.5)
    table, flow = joined(cube, used)
    last = flow.iloc[-1]
    assert len(table) == 2 and last["excluded"] == 1 and last["reason"] == "elevation missing in 1"


def test_flow_adds_up_to_the_table(cube, used):
    table, flow = joined(cube, used, npp_aggregation="site_mean")
    assert flow["n"].iloc[0] - flow["excluded"].sum() == len(table)


def test_nothing_left_to_train_on_shows_where_the_rows_went(cube, used):
    with pytest.raises(DataError, match="rs: 1 rows left(.|\n)*training domain: region"):
        joined(cube, used, "rs")


#: Nothing changes the fixtures, so that they may be the same for all examples.
FIXTURES_STAY = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = ["longitude", "latitude", "year", "value", "n_records", *NPP_PREDICTORS, "ln_npp"]


def sorted_rows(table):
    """Return the rows of a training table by site, numbers alone: texts stand in the order of the records."""
    return table.sort_values(["site", "value"])[["site", *NUMBERS]].reset_index(drop=True)


@pytest.mark.parametrize("aggregation", ["rows", "site_mean", "site_median"])
@FIXTURES_STAY
@given(order=st.permutations(range(5)))
def test_the_order_of_the_records_changes_neither_rows_nor_their_count(cube, used, aggregation, order):
    table, flow = joined(cube, used, npp_aggregation=aggregation)
    turned, counted = joined(cube, used.iloc[order], npp_aggregation=aggregation)
    pd.testing.assert_frame_equal(sorted_rows(turned), sorted_rows(table), rtol=1e-12)
    pd.testing.assert_frame_equal(counted, flow)


@FIXTURES_STAY
@given(site=st.sampled_from(["a", "b", "c"]), times=st.integers(1, 4))
def test_a_site_that_stands_several_times_weighs_no_more_under_site_means(cube, used, site, times):
    """Under rows it does: each record counts there."""
    more = pd.concat([used, *[used[used["site"] == site]] * times], ignore_index=True)
    for how in ("site_mean", "site_median"):
        table, repeated = (
            joined(cube, records, npp_aggregation=how, training_domain="surroundings")[0] for records in (used, more)
        )
        pd.testing.assert_frame_equal(
            sorted_rows(repeated).drop(columns="n_records"), sorted_rows(table).drop(columns="n_records"), rtol=1e-12
        )
    rows = joined(cube, more, training_domain="surroundings")[0]
    assert len(rows) == 4 + times * int(((used["site"] == site) & (used["variable"] == "npp")).sum())


@pytest.mark.parametrize(("left_out", "npp", "rs"), [("none", 7, 8), ("soc", 7, 7), ("lai", 6, 7)])
def test_a_predictor_left_out_is_seen_by_neither_forest(left_out, npp, rs):
    chosen = load_config("virtual", {"left_out": left_out})
    seen = {variable: predictors(chosen, variable) for variable in ("npp", "rs")}
    assert (len(seen["npp"]), len(seen["rs"])) == (npp, rs) and left_out not in seen["npp"] + seen["rs"]


def test_mtry_is_at_most_the_number_of_predictors_that_are_left():
    chosen = load_config("virtual", {"left_out": "lai", "npp_mtry": 7, "rs_mtry": 3})
    assert [from_settings(chosen, variable, 10, 1).mtry for variable in ("npp", "rs")] == [6, 3]


@pytest.mark.parametrize(("left_out", "classes"), [("none", ["land_cover"]), ("land_cover", [])])
def test_land_cover_is_a_class_unless_it_is_left_out(left_out, classes):
    chosen = load_config("virtual", {"left_out": left_out, "land_cover_encoding": "one_hot"})
    forest = from_settings(chosen, "rs", 10, 1)
    assert (forest.categorical, forest.encoding) == (classes, "one_hot")


@pytest.fixture
def rs_records(used):
    """Three records of Rs on the plateau: inside the boundary, outside of it, and of another source."""
    kept = (
        used.iloc[[4, 4, 4]]
        .reset_index(drop=True)
        .assign(value=[1.0, 2.0, 3.0], inside_boundary=[True, False, np.nan], annual_coverage=[0.5, 0.4, np.nan])
    )
    return pd.concat([used.iloc[:4], kept], ignore_index=True)


def test_the_papers_rule_takes_every_record_of_rs(rs_records):
    assert choose_rs(rs_records, "paper") is rs_records


def test_only_records_inside_the_boundary_are_on_the_plateau_if_so_chosen(rs_records):
    chosen = choose_rs(rs_records, "boundary")
    assert chosen.loc[chosen["in_region"] & (chosen["variable"] == "rs"), "value"].tolist() == [1.0, 3.0]


def test_records_of_less_than_half_a_year_or_of_unknown_length_can_be_left_out(rs_records):
    chosen = choose_rs(rs_records, "coverage")
    assert chosen.loc[chosen["variable"] == "rs", "value"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("rule", "domain", "left", "trained"),
    [
        ("paper", "region", 3, 3),
        ("boundary", "region", 2, 2),
        ("boundary", "surroundings", 3, 3),
        ("coverage", "region", 2, 2),
        ("coverage", "surroundings", 2, 2),
    ],
)
def test_the_rule_for_rs_is_followed_and_counted(cube, rs_records, rule, domain, left, trained):
    more = rs_records.assign(annual_coverage=rs_records["annual_coverage"].fillna(0.6))
    chosen = load_config("virtual", {"training_domain": domain}).model_copy(update={"rs_filter": rule})
    table, flow = training_table(chosen, "rs", cube, more)
    counted = flow.set_index("step")
    assert counted.loc[f"rs_filter: {rule}", ["n", "excluded"]].tolist() == [left, 3 - left]
    assert len(table) == trained and counted.iloc[-1]["n"] == trained
    assert (flow["n"].diff().dropna() == -flow["excluded"][1:]).all()


def test_the_flow_of_npp_has_no_rule_for_rs(cube, used):
    assert not joined(cube, used)[1]["step"].str.contains("rs_filter").any()


@pytest.mark.parametrize("rule", ["boundary", "coverage"])
def test_a_rule_for_rs_leaves_npp_alone(rs_records, rule):
    chosen, before = (table[table["variable"] == "npp"] for table in (choose_rs(rs_records, rule), rs_records))
    pd.testing.assert_frame_equal(chosen, before, check_dtype=False)


@pytest.mark.parametrize(
    ("rule", "message"), [("coverage", "'annual_coverage', which these"), ("flags", "expected paper")]
)
def test_a_rule_that_cannot_be_followed_is_refused(used, rule, message):
    with pytest.raises(DataError, match=message):
        choose_rs(used, rule)


@given(groups=st.lists(st.integers(0, 5), min_size=1, max_size=30), seed=st.integers(0, 1000))
def test_as_many_groups_are_drawn_as_there_are_and_each_comes_whole(groups, seed):
    times = np.bincount(resample(groups, np.random.default_rng(seed)), minlength=len(groups))
    by_group = {one: {int(times[i]) for i, label in enumerate(groups) if label == one} for one in set(groups)}
    assert all(len(counts) == 1 for counts in by_group.values())
    assert sum(counts.pop() for counts in by_group.values()) == len(set(groups))


def test_a_bootstrap_draws_whole_sites_as_many_as_there_are():
    table = pd.DataFrame({"site": list("aaabbc"), "value": range(6)})
    drawn = resample_sites(table, seed=1)
    counts = drawn.groupby("site").size() / table.groupby("site").size()
    assert counts.sum() == 3 and (counts.dropna() % 1 == 0).all()


def test_a_bootstrap_follows_its_seed():
    table = pd.DataFrame({"site": [str(i) for i in range(30)], "value": range(30)})
    one, again, other = (resample_sites(table, seed)["value"].tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_a_resampled_table_says_so_in_its_flow(cube, used):
    table, flow = joined(cube, used, site_resample=4)
    assert flow.iloc[-1]["step"] == "sites drawn with seed 4" and flow.iloc[-1]["n"] == len(table)
