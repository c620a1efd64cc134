"""Measurements as read: medians, the line through the cells, what follows for larger regions, numbers as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import costs
from helpers.errors import DataError

BASE = {"cells": 100_000, "years": 10, "trees": 1500, "threads": 2, "workers": 0, "chunk": 100}


def measured() -> pd.DataFrame:
    """Seconds of two rounds, the second slower by 0.2 s: on the clock 1.1 s and 2 s for a million cells in one year."""
    varied = [("base", {}), ("cells", {"cells": 50_000}), ("cells", {"cells": 400_000}), ("threads", {"threads": 1})]
    rows = []
    for factor, change in varied:
        case = BASE | change
        seconds = 1 + 2 * case["cells"] * case["years"] / 1e6
        for late in (0.0, 0.2):
            spent = {"wall_seconds": seconds + late, "cpu_seconds": 2 * seconds, "peak_mb": 500}
            rows.append({"factor": factor, **case, **spent})
    return pd.DataFrame(rows)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without measurements."""
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    (tmp_path / "data" / "benchmarks").mkdir(parents=True)
    return tmp_path / "data" / "benchmarks"


def test_without_measurements_the_headline_names_the_command(checkout):
    assert "`python benchmarks/engines.py` makes `engines.csv`" in costs.headline("engines")


def test_without_measurements_there_are_no_rows(checkout):
    assert costs.read_measurements("scaling").empty


def test_the_headline_says_how_and_when_was_measured(checkout):
    (checkout / "engines.csv").write_text("# python benchmarks/engines.py --quick, 2026-01-02\nforest\n")
    assert costs.headline("engines") == "Measured: engines, by `python benchmarks/engines.py --quick` on 2026-01-02."


def test_a_table_without_a_column_is_refused_with_the_script_that_makes_it(checkout):
    (checkout / "whole_job.csv").write_text("# command, date\nnotebook,peak_mb\n01,5\n")
    with pytest.raises(DataError, match=r"lacks wall_seconds, cpu_seconds; .* benchmarks/whole_job\.py"):
        costs.read_measurements("whole job")


def test_a_case_is_the_median_of_its_rounds():
    case = costs.cases(measured()).iloc[0]
    assert case[["wall_seconds", "fastest", "slowest", "rounds"]].tolist() == pytest.approx([3.1, 3.0, 3.2, 2])


def test_a_factor_is_varied_with_the_base_case_among_its_own():
    varied = costs.of_factor(costs.cases(measured()), "cells")
    assert varied["cells"].tolist() == [50_000, 100_000, 400_000]


def test_the_line_finds_the_seconds_of_a_map_and_of_a_million_cells():
    line = costs.cost_line(costs.cases(measured()))
    assert (line.intercept, line.slope, line.threads, line.r2) == pytest.approx((1.1, 2.0, 2, 1.0))


def test_years_and_trees_have_their_lines():
    table = pd.DataFrame(
        [{"factor": "base", "years": 19, "wall_seconds": 40.0}]
        + [{"factor": "years", "years": years, "wall_seconds": 2.0 + 2 * years} for years in (1, 5)]
    )
    line = costs.straight(table, "years")
    assert (line.intercept, line.slope, line.r2) == pytest.approx((2.0, 2.0, 1.0))
    bent = costs.straight(table.assign(wall_seconds=[40.0, 4.0, 40.0]), "years")
    assert bent.r2 < 0.7


def test_two_numbers_of_cells_make_no_line():
    assert costs.cost_line(costs.cases(measured().query("cells <= 100_000"))) is None


def test_twice_the_cores_take_half_the_minutes():
    line = costs.CostLine(1.0, 2.0, 2, 1.0)
    few, many = (costs.projection(line, cores)["minutes"] for cores in (8, 16))
    assert (few / many).tolist() == pytest.approx([2, 2, 2])


def test_a_region_costs_both_forests_all_years_and_all_threads():
    line = costs.CostLine(1.0, 2.0, 2, 1.0)
    china = costs.projection(line, 8, years=10).set_index("region").loc["China"]
    assert china["core_hours"] == pytest.approx(2 * 2.0 * 9.6 * 10 * 2 / 3600)


def test_the_page_has_the_same_numbers_with_and_without_measurements():
    engines = pd.DataFrame({"forest": ["npp"], "engine": ["pruned groups"], "rows_per_second": [2e5], "ratio": [7.0]})
    job = pd.DataFrame({"notebook": ["01"], "wall_seconds": [60.0], "peak_mb": [1024]})
    full, empty = (
        costs.numbers(engines.iloc[:n], costs.cases(measured().iloc[: 8 * n]), job.iloc[:n], 32) for n in (1, 0)
    )
    assert full.keys() == empty.keys() and set(empty.values()) == {"32", costs.NOT_MEASURED}


def test_numbers_count_from_the_least_to_the_greatest_value_of_a_factor():
    engines, job = costs.read_measurements("engines").iloc[:0], costs.read_measurements("whole job").iloc[:0]
    named = costs.numbers(engines, costs.cases(measured()), job, 32)
    assert (named["cells_from"], named["cells_to"], named["cells_seconds"]) == ("50,000", "400,000", "4.3")


def test_the_whole_of_the_paper_costs_its_cells_more_than_a_part():
    """A part of a tenth: its time and disk times ten, its memory as it is; the files of the archive are on the disk."""
    cells = costs.PAPER_CELLS / 10
    rows = [
        ("make data", np.nan, 600.0, 9000.0, 1024.0),
        ("01", cells, 240.0, 1024.0, 512.0),
        ("02", cells, 360.0, 2048.0, 512.0),
    ]
    tenth = pd.DataFrame(rows, columns=["notebook", "cells", "wall_seconds", "peak_mb", "written_mb"])
    expected = {"tenth_minutes": "10", "tenth_memory": "2", "tenth_disk": "2", "paper_hours": "1.7", "paper_disk": "20"}
    assert costs.of_paper(tenth) == expected
    assert set(costs.of_paper(tenth.iloc[:0]).values()) == {costs.NOT_MEASURED}


def runs() -> pd.DataFrame:
    """Two rows before and after: after, the machine is half as fast, and the tests take twice the seconds on it."""
    one = {"commit": "a", "cpu_seconds": 30.0, "peak_mb": 100.0}
    before = one | {"label": "before", "calibration_seconds": 1.0}
    after = one | {"label": "after", "calibration_seconds": 2.0}
    rows = [before | {"row": "test", "wall_seconds": seconds} for seconds in (20.0, 90.0, 10.0)]
    rows += [after | {"row": "test", "wall_seconds": 40.0}, after | {"row": "environment", "wall_seconds": 7.0}]
    return pd.DataFrame(rows)


def test_what_people_wait_for_is_compared_by_medians_on_a_machine_as_fast():
    table = costs.compared(runs()).set_index(["row", "label"])
    assert table.loc[("test", "before"), "wall_seconds"] == 20 and table.loc[("test", "before"), "repeats"] == 3
    assert table.loc[("test", "after"), ["ratio", "cpu_ratio"]].tolist() == [1.0, 0.5]


def test_a_row_that_was_not_measured_before_has_no_ratio():
    table = costs.compared(runs()).set_index("row")
    assert np.isnan(table.loc["environment", "ratio"]) and table.index[0] == "environment"


def test_ratios_are_to_the_label_that_is_named():
    table = costs.compared(runs(), against="after").set_index(["row", "label"])
    assert table.loc[("test", "before"), "ratio"] == 1.0 and table.loc[("environment", "after"), "ratio"] == 1.0


def test_waits_have_the_same_names_with_and_without_measurements():
    full, empty = (costs.of_waits(costs.compared(table)) for table in (runs(), runs().iloc[:0]))
    assert full.keys() == empty.keys() and set(empty.values()) == {costs.NOT_MEASURED}
    assert (full["test_first"], full["test_last"], full["test_ratio"]) == ("20", "40", "1.00")
    assert full["test_processors"] == "30"
    assert full["environment_first"] == costs.NOT_MEASURED and full["environment_last"] == "7"


def test_ten_times_the_cells_are_told_with_their_memory():
    row = {"cells": 42 * 2**20, "plateau_cells": 28e6, "years": 2, "trees": 100}
    row |= {"wall_seconds": 120.0, "peak_mb": 3072.0}
    job = pd.DataFrame({"cells": 2 * [2 * 2**20], "peak_mb": [1024.0, 512.0]})
    told = costs.of_ten_times(pd.DataFrame([row, row | {"peak_mb": 1024.0}]), job)
    assert told["ten_times"].endswith(
        "once, with 2 years and 100 trees: 28.0 million cells took 4.0 minutes and at most 3.0 GB, "
        "3.0 times the memory of the whole calculation at 1 km, or 51 bytes for each further cell of the grid."
    )
    alone = costs.of_ten_times(pd.DataFrame([row]), job.iloc[:0])
    assert alone["ten_times"].endswith("took 2.0 minutes and at most 3.0 GB.")


def test_what_was_not_tried_is_said_in_one_sentence():
    told = costs.of_ten_times(costs.read_measurements("ten times the cells").iloc[:0], pd.DataFrame({"peak_mb": [1.0]}))
    assert told == {"ten_times": "Ten times the cells of the plateau were not tried on this machine."}
