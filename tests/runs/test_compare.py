"""Two runs side by side: which tables and numbers differ, by how much, and what of all that made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.runs import compare
from helpers.runs.folder import start

NAME = "04_rh_and_nep"
TABLE = pd.DataFrame({"quantity": ["NPP", "NEP"], "mean_gC_m2_yr": [100.0, -4.0]})


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a run of one notebook with a table and a number; return its folder."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))

    def make(run: str, table: pd.DataFrame = TABLE, nep: float = -4.0, **settings: object) -> Path:
        book_run = start(NAME, {"config": "virtual", "run": run, **settings})
        book_run.save_table("budget", table)
        book_run.glue("nep_mean", nep)
        book_run.finish()
        return tmp_path / run

    return make


def spoil(folder: Path, **changes: object) -> None:
    """Change what is on record of a run."""
    path = folder / "provenance" / f"{NAME}.json"
    record = json.loads(path.read_text())
    for key, value in changes.items():
        record[key] = record[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


def test_runs_that_agree_have_no_difference(made, capsys):
    made("one"), made("two")
    assert compare.main(["one", "two"]) == 0
    assert "No table and no quoted number differs by more than 1e-09 of it." in capsys.readouterr().out


def test_the_largest_difference_of_a_table_and_of_a_number_is_told(made):
    other = TABLE.assign(mean_gC_m2_yr=[101.0, -5.0])
    table, number = compare.differences(made("one"), made("two", other, nep=-5.0))
    assert table[:3] == (NAME, "budget", "mean_gC_m2_yr, row 2: -4 and -5") and table.relative == pytest.approx(0.2)
    assert number[:3] == (NAME, "number nep_mean", "-4 and -5") and number.relative == pytest.approx(0.2)


def test_a_tolerance_lets_small_differences_pass(made):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=[100.001, -4.0]))
    assert [found.name for found in compare.differences(one, two)] == ["budget"]
    assert compare.differences(one, two, 1e-4) == []


def test_a_table_of_one_run_only_is_told_of(made):
    one, two = made("one"), made("two")
    start(NAME, {"config": "virtual", "run": "two"}).save_table("more", TABLE)
    (found,) = [found for found in compare.differences(one, two) if found.name == "more"]
    assert (found.words, found.only_in) == ("only in B", "B")
    (found,) = [found for found in compare.differences(two, one) if found.name == "more"]
    assert (found.words, found.only_in) == ("only in A", "A")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inputs": {"npp.zarr": "0" * 64}}, "it differs in inputs: npp.zarr none and 000000000000"),
        ({"inputs": {f"notebooks/{NAME}.ipynb": "0" * 64}}, f"it differs in notebook: notebooks/{NAME}.ipynb"),
        ({"packages": {"numpy": "1.0"}}, "it differs in versions: numpy "),
        ({"packages": {"a-new-one": "1.0"}}, "it differs in versions: packages only in B: 1"),
        ({"python": "2.7"}, "it differs in versions: Python "),
        ({"platform": "a loom"}, "it differs in machine: it "),
        ({"code": {"src/helpers/balance/carbon.py": "0"}}, "it differs in code: src/helpers/balance/carbon.py"),
        ({"code": {"src/a/new.py": "0"}}, "it differs in code: src/a/new.py"),
        ({}, "nothing on record differs"),
    ],
)
def test_what_differs_in_what_made_a_table_is_told(made, changes, told):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0))
    spoil(two, **changes)
    lines = [line.strip() for line in compare.explanation(one, two).splitlines()]
    assert [line for line in lines if line.startswith(told)] and lines[0] == NAME
    assert len([line for line in lines if line.startswith(("it differs", "nothing on"))]) == 1


def test_of_a_run_that_has_neither_numbers_nor_code_on_record_nothing_is_made_up(made):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0), nep=5.0)
    path = two / "provenance" / f"{NAME}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in record.items() if key not in ("numbers", "code")}))
    told = compare.explanation(one, two)
    assert "number nep_mean" not in told and "it differs in code: not on record of B" in told


def test_what_only_one_run_has_stands_in_one_line(made):
    one, two = made("one"), made("two")
    book_run = start(NAME, {"config": "virtual", "run": "two"})
    for name in ("more", "most"):
        book_run.save_table(name, TABLE)
    book_run.finish()
    assert "only in B: more, most" in compare.explanation(one, two)


def test_modules_that_the_notebook_does_not_use_are_named_only_where_no_other_differs(made):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0))
    spoil(two, code={"src/helpers/balance/carbon.py": "0", "src/helpers/sweeps/plan.py": "0"})
    assert "it differs in code: src/helpers/balance/carbon.py\n" in compare.explanation(one, two) + "\n"


def test_seed_and_parameters_are_told_apart(made, capsys):
    made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0), seed=7, n_trees=300)
    assert compare.main(["one", "two"]) == 1
    told = capsys.readouterr().out
    assert (
        "it differs in seed: seed 20230911 and 7\n" in told
        and "it differs in parameters: n_trees 500 and 300\n" in told
    )
    assert "A: " in told and "configuration virtual, seed 20230911, commit " in told


def test_a_parameter_that_decides_nothing_in_the_notebook_is_not_told(made):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0), block_cells=500)
    assert "block_cells" not in compare.explanation(one, two)


@pytest.mark.parametrize("what", ["folder", "record", "table"])
def test_what_is_no_run_is_named(made, what, capsys):
    one, two = made("one"), made("two", TABLE.assign(mean_gC_m2_yr=0.0))
    if what == "record":
        (two / "provenance" / f"{NAME}.json").write_text("{")
    if what == "table":
        (two / "tables" / "budget.csv").unlink()
    assert compare.main([str(one), "nowhere" if what == "folder" else str(two)]) == 2
    expected = {
        "folder": "nowhere is not the folder of a run",
        "record": f"{NAME}.json",
        "table": "budget.csv is missing",
    }
    assert expected[what] in capsys.readouterr().err


def test_the_help_says_what_a_run_is_and_what_the_exit_code_means(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--help"])
    told = capsys.readouterr().out
    assert "the path of its folder" in told and "Exit code: 0 if nothing differs" in told and "--tolerance" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": [1.0, np.nan]}, "b, row 2: 2 and missing"),
        ({"b": [1.0, np.inf]}, "b, row 2: 2 and inf"),
        ({"a": ["x", "z"]}, "a, row 2: y and z"),
        ({"a": ["x", None]}, "a, row 2: y and missing"),
        ({"c": [1, 2]}, "columns: c"),
    ],
)
def test_what_has_no_share_is_told_without_one(change, words):
    table = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    found = compare.largest(table, table.assign(**change))
    assert found[0] == words and np.isnan(found[1])


def test_rows_too_many_are_counted_and_columns_in_another_order_are_told():
    assert compare.largest(TABLE, TABLE[:1])[0] == "2 and 1 rows"
    assert compare.largest(TABLE, TABLE[TABLE.columns[::-1]])[0] == "columns: in another order"


VALUES = st.lists(st.floats(1e-3, 1e6) | st.just(np.nan), min_size=1, max_size=5)


@given(VALUES, st.floats(1e-3, 1e6), st.floats(1e-5, 0.5))
def test_a_difference_beyond_the_tolerance_is_found_and_one_within_it_is_not(values, value, share):
    table, changed = (pd.DataFrame({"x": [*values, last]}) for last in (value, value * (1 - share)))
    assert compare.largest(table, table.copy()) == ("", 0.0)
    words, found = compare.largest(table, changed)
    assert words.startswith(f"x, row {len(values) + 1}: ") and found == pytest.approx(share)
    assert compare.largest(table, changed, 1.001 * share) == ("", 0.0)
    assert compare.largest(changed, table)[1] == pytest.approx(share)
