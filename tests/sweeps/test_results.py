"""Reading a sweep's table: what depends on what, by numbers that were put in."""

from __future__ import annotations

import itertools
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.errors import RunError
from helpers.figures.sweeps import (
    choice_effects,
    score_against_budget,
    specification_curve,
    tree_convergence,
    truth_by_design,
    variance_by_choice,
)
from helpers.sweeps import results as sweep_results
from helpers.sweeps.results import NEP


def swept(effect=lambda domain, line, trees: 0.0, further=()) -> pd.DataFrame:
    """A cross of three choices with an NEP of ``effect``, and further rows that the axes do not cross."""
    rows = []
    for domain, line, trees in itertools.product(["region", "surroundings"], ["paper", "records"], [500, 50]):
        base = (domain, line, trees) == ("region", "paper", 500)
        name = "base" if base else f"{domain}-{line}-{trees}"
        values = {
            "world": "real",
            "training_domain": domain,
            "rs_rh_line": line,
            "n_trees": trees,
            "seed": 1,
            "left_out": "none",
        }
        rows.append(
            {"cell": name, "crossed": True, "status": "done", "error": "", "world": "real"}
            | {**values, NEP: effect(domain, line, trees)}
        )
    return pd.DataFrame([*rows, *({**rows[0], "crossed": False, **row} for row in further)])


def additive(domain, line, trees):
    return 10.0 + 30 * (domain == "surroundings") - 40 * (line == "records")


def test_a_sweep_that_was_not_run_has_no_rows_and_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    results = sweep_results.read_results("unheard-of", "real")
    assert results.empty and "make sweep SWEEP=config/sweeps/ci.yml" in sweep_results.headline(results, "ci")
    assert sweep_results.count_cells(results)["cells"].sum() == 0
    with pytest.raises(RunError, match="make sweep"):
        sweep_results.complete(results)


def test_results_are_found_by_the_name_of_their_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    swept().to_csv(tmp_path / "sweeps" / "mine" / "results.csv", index=False)
    assert len(sweep_results.read_results("mine", "real")) == 8


def test_a_sweep_that_was_not_run_here_may_come_with_the_book(tmp_path, monkeypatch):
    """Its head says how it was made; the same sweep, run here, goes before it."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    shipped = tmp_path / "data" / "sweeps" / "mine.csv"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("# made 2026-11-27\n# at commit 1234567\n" + swept().to_csv(index=False))
    results = sweep_results.read_results("mine", "real")
    assert len(results) == 8 and results.attrs["made"] == "made 2026-11-27; at commit 1234567"
    assert "comes with the book (made 2026-11-27; at commit 1234567)" in sweep_results.headline(results, "mine")
    own = tmp_path / "runs" / "sweeps" / "mine" / "results.csv"
    own.parent.mkdir(parents=True)
    swept().head(3).to_csv(own, index=False)
    results = sweep_results.read_results("mine", "real")
    assert len(results) == 3 and "comes with the book" not in sweep_results.headline(results, "mine")


def test_a_sweep_of_another_world_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    with pytest.raises(RunError, match="'full-open' is of the world real, this run of the world virtual"):
        sweep_results.read_results("full-open", "virtual")


@pytest.mark.parametrize(("sweep", "world", "least"), [("ci", "virtual", 10), ("full-open", "real", 700)])
def test_tables_of_either_world_come_with_the_book_and_say_of_which_code(tmp_path, monkeypatch, sweep, world, least):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    results = sweep_results.read_results(sweep, world)
    text = sweep_results.headline(results, sweep)
    assert len(sweep_results.complete(results)) >= least
    assert re.search(r"at commit [0-9a-f]{7}, finished \d{4}-", text) and "not of the code that made the other" in text
    assert ("Its world is simulated" in text) == (world == "virtual")


def test_the_headline_counts_what_is_done_failed_and_missing():
    results = swept().assign(status=["done"] * 5 + ["failed", "not run", "not run"], error="too few sites")
    text = sweep_results.headline(results, "ci")
    assert "5 of 8 cells" in text and "1 failed" in text and "too few sites" in text and "2 were not run yet" in text


def test_cells_without_an_nep_do_not_count():
    results = swept(additive).assign(status=["failed", *["done"] * 7])
    assert len(sweep_results.complete(results)) == 7


def test_choices_are_the_parameters_that_differ():
    assert sweep_results.choices(swept()) == ["training_domain", "n_trees", "rs_rh_line"]


def test_the_base_is_found_by_its_name_or_else_by_what_is_most_common():
    table = swept(additive, further=[{"cell": "a", "left_out": "lai"}, {"cell": "b", "seed": 2}, {"cell": "same"}])
    assert sweep_results.base_cell(table)["cell"] == "base"
    assert sweep_results.base_cell(table[table["cell"] != "base"])["cell"] == "same"


def test_the_share_of_sinks_counts_what_is_above_zero():
    assert sweep_results.share_of_sinks(swept(lambda domain, line, trees: 5.0 if line == "paper" else 0.0)) == 0.5


def test_the_best_tenth_is_by_the_score_and_takes_all_that_are_equal():
    """Of 20 cells the two best are 19 and 18; where four share the second place, five count."""
    table = pd.DataFrame({NEP: [-1.0] * 18 + [1.0, 1.0], "score": range(20)})
    assert sweep_results.best_tenth(table, "score").index.tolist() == [19, 18]
    table.loc[15:18, "score"] = 18
    best = sweep_results.best_tenth(table, "score")
    assert sorted(best.index) == [15, 16, 17, 18, 19] and sweep_results.share_of_sinks(best) == 2 / 5


def test_crossed_choices_have_a_row_a_value_and_others_one_for_all_changes():
    table = swept(additive, further=[{"cell": "a", "left_out": "lai"}, {"cell": "b", "left_out": "soc"}])
    chosen = sweep_results.choice_table(table)
    assert ("training_domain", "surroundings") in chosen and ("left_out", "changed") in chosen
    assert chosen["left_out", "changed"].sum() == 2 and chosen["training_domain", "surroundings"].sum() == 4
    assert (chosen["rs_rh_line"].sum(axis=1) == 1).all()


def test_what_a_map_that_is_left_out_does_is_told_in_words():
    table = swept(additive, further=[{"cell": "a", "left_out": "lai", NEP: -11.4}])
    assert sweep_results.when_left_out(table, "lai") == "−11 in place of +10 g C m⁻² yr⁻¹"
    for asked in (table, pd.DataFrame({"cell": [], "status": []})):
        assert sweep_results.when_left_out(asked, "soc") == "not asked in this run's sweep"


def test_one_change_takes_cells_that_differ_in_one_parameter_alone():
    table = sweep_results.one_change(swept(additive, further=[{"cell": "a", "left_out": "lai", NEP: 11.0}]))
    found = table.set_index("parameter")["difference"].to_dict()
    assert found == pytest.approx({"rs_rh_line": -40.0, "training_domain": 30.0, "left_out": 1.0, "n_trees": 0.0})
    assert table["parameter"].tolist()[:2] == ["rs_rh_line", "training_domain"]


def test_effects_that_add_up_leave_nothing_to_pairs():
    shares = sweep_results.variance_shares(swept(additive)).set_index("term")["share"]
    assert shares["rs_rh_line"] == pytest.approx(1600 / 2500) and shares["training_domain"] == pytest.approx(900 / 2500)
    assert shares.filter(like=" x ").abs().max() < 1e-9


def test_the_rest_of_the_variance_says_how_many_choices_it_is_of():
    """Eight cells tell pairs apart; with one of them missing the rest holds pairs, too."""
    whole, failed = (
        sweep_results.variance_shares(swept(additive).query(query)).set_index("parameters")["term"]
        for query in ("crossed", "cell != 'surroundings-records-50'")
    )
    assert whole[0] == "three or more together" and failed[0] == "two or more together"


def test_what_two_choices_do_only_together_is_their_pairs():
    def together(domain, line, trees):
        return 1.0 if (domain == "surroundings") == (line == "records") else -1.0

    shares = sweep_results.variance_shares(swept(together)).set_index("term")["share"]
    assert shares["training_domain x rs_rh_line"] == pytest.approx(1.0)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-100, 100), min_size=8, max_size=8).filter(lambda values: max(values) - min(values) > 1))
def test_the_shares_of_a_full_cross_add_up_to_one_and_none_is_negative(values):
    table = swept().assign(**{NEP: values})
    shares = sweep_results.variance_shares(table)["share"]
    assert shares.sum() == pytest.approx(1.0) and shares.min() > -1e-9


def test_cells_that_the_axes_do_not_cross_do_not_enter_the_variance():
    further = [{"cell": "a", "left_out": "lai", NEP: 1e6}]
    plain, more = (sweep_results.variance_shares(swept(additive, further=rows)) for rows in ((), further))
    pd.testing.assert_frame_equal(plain, more)


def test_variance_of_one_choice_is_not_shared_out():
    assert sweep_results.variance_shares(swept(additive).query("rs_rh_line == 'paper' and n_trees == 500")).empty


def test_the_first_cells_of_a_sweep_that_still_runs_share_out_no_variance():
    assert sweep_results.variance_shares(swept(additive).query("cell in ['base', 'surroundings-records-500']")).empty


@pytest.mark.parametrize("missing", ["base", "surroundings-records-50"])
def test_a_failed_cell_leaves_the_main_effects(missing):
    shares = sweep_results.variance_shares(swept(additive).query("cell != @missing"))
    assert sweep_results.top_choices(shares, 2) == ["rs_rh_line", "training_domain"]


def test_the_top_choices_are_single_ones_in_order():
    assert sweep_results.top_choices(sweep_results.variance_shares(swept(additive)), 2) == [
        "rs_rh_line",
        "training_domain",
    ]


def test_convergence_keeps_the_base_with_other_trees_and_seeds():
    further = [{"cell": "a", "n_trees": 10, "seed": 2, NEP: 7.0}, {"cell": "b", "left_out": "lai"}]
    table = sweep_results.convergence(swept(additive, further=further))
    assert table["n_trees"].tolist() == [10, 50, 500]


def test_errors_against_the_truth_need_a_truth():
    assert sweep_results.truth_errors(swept(additive)).empty
    known = swept(additive).assign(**{f"true_{NEP}": 8.0}, sampling_design="uniform", npp_sites=394, rs_sites=62)
    assert sweep_results.truth_errors(known).set_index("cell")["error"]["base"] == 2.0


def texts(figure) -> str:
    figure.draw_without_rendering()
    parts = [text.get_text() for axes in figure.axes for text in axes.texts]
    ticks = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    return "\n".join([*parts, *ticks, *(axes.get_xlabel() for axes in figure.axes)])


def test_the_curve_names_sides_choices_reference_and_number_of_cells():
    table = swept(additive).set_index("cell")
    chosen = sweep_results.choice_table(swept(additive)).set_axis(table.index)
    shown = texts(specification_curve(table[NEP], chosen, "base", ("the paper", 68.06)))
    for expected in (
        "sink",
        "source",
        "the paper: +68",
        "the paper's path",
        "training domain: surroundings",
        "8 cells",
    ):
        assert expected in shown


def test_the_curve_writes_the_share_of_sinks_of_each_choice():
    table = swept(lambda domain, line, trees: 5.0 if line == "paper" else -5.0).set_index("cell")
    chosen = sweep_results.choice_table(table.reset_index()).set_axis(table.index)
    shown = texts(specification_curve(table[NEP], chosen, "base", ("the paper", 68.06))).splitlines()
    assert shown.count("100 %") == 1 and shown.count("0 %") == 1 and shown.count("50 %") == 4


def test_a_curve_without_cells_is_refused():
    with pytest.raises(ValueError, match="run the sweep first"):
        specification_curve(pd.Series(dtype=float), pd.DataFrame(), "base", ("the paper", 68.06))


def test_many_values_of_one_choice_share_a_row():
    further = [{"cell": str(seed), "site_resample": seed, NEP: float(seed)} for seed in range(1, 13)]
    table = sweep_results.one_change(swept(additive, further=further).fillna({"site_resample": 0}))
    assert "site resample: 12 values" in texts(choice_effects(table, 10.0))


def test_bars_of_the_variance_add_up_to_all_of_it():
    figure = variance_by_choice(sweep_results.variance_shares(swept(additive)))
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(100)


def test_scores_trees_and_truth_are_drawn_with_units():
    table = swept(additive).assign(npp_r2_knndm=0.1, sampling_design="uniform", npp_sites=394, rs_sites=62)
    assert "held-back" in texts(score_against_budget(table, {"npp_r2_knndm": "R2, held-back sites"}, NEP))
    assert "a dot per seed" in texts(tree_convergence(sweep_results.convergence(table)))
    errors = sweep_results.truth_errors(table.assign(**{f"true_{NEP}": 8.0}))
    assert "uniform: 394 NPP, 62 Rs sites" in texts(truth_by_design(errors))
