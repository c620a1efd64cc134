"""The plan of the next plots of a run becomes files, as many plots as are asked for."""

from __future__ import annotations

from xml.etree import ElementTree

import geopandas
import pandas as pd
import pytest

from helpers.errors import RunError
from helpers.runs import folder, plan

PLANS = ("both", "npp", "rs")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose notebook 10 has put four plots in their order, for each plan in another row of places."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    rows = [
        {"plan": name, "plot": plot, "longitude": 80.0 + plot, "latitude": 31.0 + place, "elevation [m]": 4000.5}
        for place, name in enumerate(PLANS)
        for plot in range(1, 5)
    ]
    book_run = folder.start(plan.NOTEBOOK, {"plots": {"number": 3}})
    book_run.save_table("plots", pd.DataFrame(rows).assign(**{"land cover": "grassland", "note": "simulated"}))
    book_run.finish()
    return book_run


def test_each_plan_is_written_in_three_formats_with_the_plots_of_the_configuration(run, capsys):
    written = plan.write_plan(run.settings)
    names = {name: [path.relative_to(run.folder).as_posix() for path in paths] for name, paths in written.items()}
    assert names == {name: [f"plots/{name}_3.{end}" for end in ("csv", "geojson", "gpx")] for name in PLANS}
    for place, (table, features, waypoints) in enumerate(written.values()):
        read = pd.read_csv(table)
        assert read["plot"].tolist() == [1, 2, 3] and (read["latitude"] == 31 + place).all()
        assert geopandas.read_file(features)["plot"].tolist() == [1, 2, 3]
        assert len(ElementTree.parse(waypoints).getroot().findall("{*}wpt")) == 3
    assert "31.00 N 81.00 E (grassland, 4000 m); 31.00 N 82.00 E" in capsys.readouterr().out


def test_more_or_fewer_plots_are_written_beside_them_and_change_nothing_of_the_run(run):
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert [len(pd.read_csv(plan.write_plan(run.settings, number)["rs"][0])) for number in (1, 4)] == [1, 4]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("number", [0, 5])
def test_a_number_beyond_the_plan_is_refused(run, number):
    with pytest.raises(RunError, match=f"N is {number}, and the plan of 'virtual' has 4 plots .*expected 1 to 4"):
        plan.write_plan(run.settings, number)


def test_a_plan_of_other_parameters_is_not_taken_for_that_of_these(run):
    other = run.settings.model_copy(update={"seed": 7})
    with pytest.raises(RunError, match="made by 10_where_to_measure_next with other parameters"):
        plan.write_plan(other)


def test_the_command_says_where_the_files_are_and_what_is_wrong(run, capsys):
    assert plan.main(["--config", "virtual", "-p", "plots", "{number: 3}", "--number", "2"]) == 0
    told = capsys.readouterr().out
    assert "both_2.gpx" in told and "rs_2.geojson" in told and told.startswith("The first of 2 plots")
    assert plan.main(["--config", "virtual", "-p", "plots", "{number: 3}", "--number", "9"]) == 1
    assert "expected 1 to 4" in capsys.readouterr().err
