"""A run's folder: what is saved is loaded again, is whole, and is on record."""

from __future__ import annotations

import json
import types
import warnings
from pathlib import Path

import myst_nb
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
import yaml
from made_places import real_values
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from helpers.balance.identities import Check
from helpers.config import Settings, load_config
from helpers.errors import RunError
from helpers.figures.style import BookFigure, blank, described, styled
from helpers.runs import folder as run_folder
from helpers.runs import steps
from helpers.runs.files import written_whole


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Start runs in a folder of their own."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    return lambda notebook="01_data_preparation", **names: run_folder.start(notebook, names)


@pytest.fixture
def cube() -> xr.Dataset:
    years = pd.to_datetime(["2000-01-01", "2001-01-01"])
    return xr.Dataset(
        {
            "temperature": (("time", "latitude"), np.float32([[1, 2], [3, np.nan]]), {"units": "degC"}),
            "in_region": (("latitude",), [True, False]),
            "land_cover": (("latitude",), np.float32([1, 2]), {"flag_values": np.array([1, 2], "i1")}),
        },
        {"time": years, "latitude": [36.5, 35.5]},
        {"climatology": "2000-2001"},
    )


def test_a_dataset_comes_back_as_it_was_saved(begin, cube):
    begin().save_dataset("cube", cube)
    xr.testing.assert_equal(begin("02_npp_random_forest").load_dataset("cube").load(), cube)


def test_a_dataset_is_returned_as_it_was_saved(begin, cube):
    xr.testing.assert_equal(begin().save_dataset("cube", cube.chunk({"latitude": 1})), cube)


def test_a_dataset_comes_back_with_its_attributes(begin, cube):
    begin().save_dataset("cube", cube)
    loaded = begin("02_npp_random_forest").load_dataset("cube")
    assert loaded.attrs == cube.attrs and loaded["temperature"].attrs == {"units": "degC"}


def test_saving_and_loading_a_dataset_warns_of_nothing(begin, cube):
    """A warning would stand in the executed notebook, and so in the book."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin().save_dataset("cube", cube)
        begin().load_dataset("cube").load()


def test_a_loaded_dataset_can_be_changed_and_saved_in_other_chunks(begin, cube):
    begin().save_dataset("cube", cube.chunk({"latitude": 1}))
    again = begin().load_dataset("cube").chunk({"latitude": 2})
    begin().save_dataset("cube", again + 1)
    assert float(begin().load_dataset("cube")["temperature"][0, 0]) == 2


def test_a_table_has_its_named_index_as_first_column(begin):
    table = pd.DataFrame({"rmse_gC_m2_yr": [1.5]}, index=pd.Index(["MODIS"], name="product"))
    book_run = begin()
    book_run.save_table("budgets", table)
    assert (book_run.folder / "tables" / "budgets.csv").read_text() == "product,rmse_gC_m2_yr\nMODIS,1.5\n"


def test_a_shown_table_is_saved_whole_and_shown_in_words(begin, monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.display.display", cells.append)
    table = pd.DataFrame({"flux": ["npp"], "mean_gC_m2_yr": [132.28712], "seed": [7]}, index=[9])
    book_run = begin()
    book_run.show_table("budget_npp", table, "The mean of NPP.", shown=table[["flux", "mean_gC_m2_yr"]])
    assert book_run.load_table("budget_npp")["mean_gC_m2_yr"].tolist() == [132.28712]
    (record,) = (cell.record for cell in cells)
    assert (record["label"], record["files"]) == ("tab-budget-npp", {"csv": "tables/budget_npp.csv"})
    assert record["rows"] == [["NPP", "132.3"]] and record["caption"] == "The mean of NPP."


BUDGET = pd.DataFrame({"mean_gC_m2_yr": [68.06], "total_TgC_yr": [174.2336], "valid_area_Mkm2": [2.56]})


def test_a_table_whose_totals_are_not_mean_times_area_is_not_saved_and_stops_the_run(begin):
    book_run = begin()
    book_run.save_table("budget", BUDGET)
    with pytest.raises(RunError, match="printed: a total is mean times area does not hold: off by up to 151.93"):
        book_run.save_table("printed", BUDGET.assign(total_TgC_yr=22.3))
    assert not (book_run.folder / "tables" / "printed.csv").exists()
    laws = json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())["laws"]
    assert [(law["of"], law["holds"]) for law in laws] == [("budget", True), ("printed", False)]


def test_laws_that_hold_are_kept_and_those_of_an_earlier_session_are_not(begin):
    check = Check("a law", "maps", 0.5, 1.0, "cells", "do this")
    for _ in range(2):
        book_run = begin()
        book_run.hold(check, check._replace(of="tables"))
        book_run.finish()
    laws = json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())["laws"]
    kept = {"law": "a law", "of": "maps", "deviation": 0.5, "tolerance": 1.0, "unit": "cells", "holds": True}
    assert laws == [kept, kept | {"of": "tables"}]


def test_a_broken_law_says_what_is_off_and_what_to_do(begin):
    check = Check("a law", "maps", 1.5, 1.0, "cells", "do this")
    with pytest.raises(RunError, match="maps: a law does not hold: off by up to 1.5 cells, expected at most 1: do"):
        begin().hold(check._replace(deviation=0.0), check)


def test_a_table_keeps_words_that_pandas_takes_for_missing_values(begin):
    begin().save_table("claims", pd.DataFrame({"verdict": ["None", "NA", None]}))
    assert begin().load_table("claims")["verdict"].tolist()[:2] == ["None", "NA"]


def test_a_frame_keeps_types_and_index(begin):
    frame = pd.DataFrame({"year": [2001.0, np.nan], "in_region": [True, False]}, index=[7, 3])
    begin().save_frame("training_npp", frame)
    pd.testing.assert_frame_equal(begin("02_npp_random_forest").load_frame("training_npp"), frame)


def test_a_boundary_comes_back_exactly(begin):
    boundary = shapely.Polygon([(80.1234567890123, 30), (90, 30), (85, 35)])
    begin().save_boundary("boundary", boundary)
    assert begin("02_npp_random_forest").load_boundary("boundary").equals_exact(boundary, 0)


@styled
def curve() -> BookFigure:
    """Draw a small figure with all that the book asks for."""
    figure = blank(2.0)
    figure.add_subplot(xlabel="longitude")
    return described(figure, "A curve of NEP", pd.DataFrame({"nep": [1.23456789]}))


@pytest.mark.parametrize(
    ("config", "stamps"),
    [("virtual", ["simulated (virtual plateau)"]), ("open", []), ("paper-mini", ["made-up input"])],
)
def test_a_figure_of_a_simulated_world_says_so(begin, config, stamps):
    figure = curve()
    begin(config=config).save_figure("fig1_study_area", figure, "A curve.")
    assert [text.get_text() for text in figure.texts] == stamps


def test_what_a_simulated_figure_says_stands_below_its_panels(begin):
    figure = curve()
    begin(config="virtual").save_figure("fig1_study_area", figure, "A curve.")
    (text,), (panel,) = figure.texts, figure.axes
    assert text.get_window_extent().y1 <= panel.get_tightbbox().y0


def test_a_saved_figure_is_shown_with_its_texts_its_data_and_a_variant_for_phones(begin, monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.display.display", cells.append)
    book_run = begin(config="virtual")
    book_run.save_figure("nep_map", curve(), "Look west.")
    record = cells[0].record
    assert (record["caption"], record["alt"], record["label"]) == ("Look west.", "A curve of NEP", "fig-nep-map")
    assert set(record["files"]) == {"png", "svg", "csv"} and set(record["narrow"]) == {"webp"}
    files = [*record["files"].values(), *record["narrow"].values()]
    assert all((book_run.folder / name).stat().st_size for name in files)
    assert (book_run.folder / "figures" / "nep_map.csv").read_text() == "nep\n1.235\n"
    with Image.open(book_run.folder / "figures" / "nep_map.png") as picture:
        assert record["width"] == pytest.approx(picture.width * 96 / 160, abs=1)
        assert record["height"] == pytest.approx(picture.height * 96 / 160, abs=1)
    with Image.open(book_run.folder / "figures" / "nep_map_narrow.webp") as picture:
        assert picture.width * 96 / 160 < 380


def test_linear_algebra_uses_one_thread_from_the_start(begin):
    with threadpool_limits(2, user_api="blas"):
        begin()
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        assert pools and {pool["num_threads"] for pool in pools} == {1}


def test_further_files_of_a_figure_are_saved_on_record_and_offered(begin, monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.display.display", cells.append)
    book_run = begin()
    book_run.save_figure("plots", curve(), "Go there.", also={"gpx": b"<gpx/>"})
    book_run.finish()
    assert list(cells[0].record["files"].items())[-1] == ("gpx", "figures/plots.gpx")
    assert (book_run.folder / "figures" / "plots.gpx").read_bytes() == b"<gpx/>"
    record = json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())
    assert record["outputs"]["figures/plots.gpx"]["bytes"] == 6


def test_large_data_of_a_figure_are_zipped_and_read_back(begin, monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.display.display", cells.append)
    figure = curve()
    figure.data = pd.DataFrame({"cell": range(9000), "nep": np.linspace(-200, 150, 9000)})
    book_run = begin(config="virtual")
    book_run.save_figure("nep_map", figure, "Look west.")
    file = cells[0].record["files"]["csv"]
    assert file == "figures/nep_map.csv.zip" and (book_run.folder / file).stat().st_size < 60_000
    pd.testing.assert_frame_equal(pd.read_csv(book_run.folder / file), figure.data, rtol=6e-4)
    first = (book_run.folder / file).read_bytes()
    book_run.save_figure("nep_map", figure, "Look west.")
    assert (book_run.folder / file).read_bytes() == first


def test_a_figure_of_very_many_cells_is_saved_as_any_other_and_lets_go_of_them(begin, monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda _: None)
    book_run, saved, drawn = begin(config="virtual"), {}, {}
    for most in (10**9, 0):
        monkeypatch.setattr(run_folder, "_LARGE_CSV_BYTES", most)
        drawn[most] = curve()
        book_run.save_figure("nep_map", drawn[most], "Look west.")
        saved[most] = {path.name: path.read_bytes() for path in (book_run.folder / "figures").iterdir()}
        for name in saved[most]:
            (book_run.folder / "figures" / name).unlink()
    assert len(saved[0]) == 4 and saved[0] == saved[10**9]
    assert drawn[10**9].axes and not drawn[0].axes


def test_a_figure_without_words_for_blind_readers_is_refused(begin):
    with pytest.raises(RunError, match="figure 'nep_map' has no words.*style.described"):
        begin().save_figure("nep_map", blank(2.0), "Look west.")


@pytest.mark.parametrize(
    ("value", "plain"), [(np.float32(0.5), 0.5), (np.int64(62), 62), (0.25, 0.25), ("sink", "sink")]
)
def test_a_value_is_glued_as_myst_nb_glues_plain_python(begin, monkeypatch, value, plain):
    glued = []

    def keep(data: dict, raw: bool, metadata: dict) -> None:
        glued.append((data, raw, metadata))

    monkeypatch.setattr("IPython.display.display", keep)
    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", keep)
    begin().glue("n", value)
    myst_nb.glue("n", plain, display=False)
    ours, theirs = glued
    assert ours == theirs


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Markdown that a notebook displays; what it glues is displayed as a mapping."""
    texts: list[str] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda part, **_: None if isinstance(part, dict) else texts.append(part.data)
    )
    return texts


def test_findings_show_the_numbers_that_were_glued(begin, shown):
    book_run = begin()
    for name, value in {"nep": np.float32(-113.6), "n": 62, "sign": "source", "range": "+5 (-3 to +8)"}.items():
        book_run.glue(name, value)
    book_run.findings("\n- NEP {nep:+.1f} of {n:d} sites, a {sign}: {range}; {{2000-2018}}.\n")
    assert shown == ["- NEP **−113.6** of **62** sites, a **source**: **+5 (−3 to +8)**; {2000-2018}."]


def test_findings_name_the_region_of_the_run_in_plain_type(begin, shown):
    japan = {"name": "Japan", "boundary": "japan"}
    for region, called in ((japan, "Japan"), (japan | {"called": "the islands"}, "the islands")):
        book_run = begin("02_npp_random_forest", config="open", region=region)
        book_run.glue("n", 3)
        book_run.findings("Of {region} {n:d} sites.")
        assert shown.pop() == f"Of {called} **3** sites."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nep_maen:.0f}", r"\{nep_maen\} was not glued; this notebook glued nep_mean, sign"),
        ("{sign:.0f}", r"\{sign:\.0f\} does not fit the value 'sink'"),
    ],
)
def test_a_finding_that_cannot_be_filled_is_refused(begin, shown, text, message):
    book_run = begin()
    book_run.glue("nep_mean", 68.1)
    book_run.glue("sign", "sink")
    with pytest.raises(RunError, match=message):
        book_run.findings(text)
    assert shown == []


def test_a_world_without_truth_has_none(begin):
    assert begin("02_npp_random_forest", config="open").truth is None


def test_the_truth_of_a_simulated_world_is_what_data_preparation_saved(begin, cube):
    begin().save_dataset("truth", cube)
    xr.testing.assert_equal(begin("02_npp_random_forest").truth.load(), cube)


def test_the_folder_is_named_by_the_parameter_run(begin, tmp_path):
    assert begin(run="trial").folder == tmp_path / "trial"


def test_an_imported_module_is_no_parameter(begin):
    assert begin(run=types.ModuleType("run")).settings.run == "virtual"


def test_the_resolved_parameters_lie_in_the_folder(begin):
    folder = begin(n_trees=7).folder
    assert Settings(**yaml.safe_load((folder / "config.yml").read_text())).n_trees == 7


def test_provenance_names_what_was_read_with_its_checksum(begin, cube):
    first = begin()
    first.save_dataset("cube", cube)
    second = begin("02_npp_random_forest")
    second.load_dataset("cube")
    second.finish()
    saved = json.loads((first.folder / "provenance" / "01_data_preparation.json").read_text())
    read = json.loads((first.folder / "provenance" / "02_npp_random_forest.json").read_text())
    assert read["inputs"]["cube.zarr"] == saved["outputs"]["cube.zarr"]["sha256"]


def test_a_notebook_reads_while_another_one_writes_its_provenance(begin, cube):
    first = begin()
    first.save_dataset("cube", cube)
    with written_whole(first.folder / "provenance" / "05_comparison.json") as partial:
        partial.touch()
        assert begin("02_npp_random_forest").load_dataset("cube")["temperature"].equals(cube["temperature"])
        partial.write_text('{"outputs": {}}')


def test_the_checksum_of_a_dataset_follows_its_content(begin, cube):
    def digest(dataset: xr.Dataset) -> str:
        book_run = begin()
        book_run.save_dataset("cube", dataset)
        record = json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())
        return record["outputs"]["cube.zarr"]["sha256"]

    assert digest(cube) == digest(cube) != digest(cube.assign(in_region=~cube["in_region"]))


def test_provenance_of_an_unfinished_notebook_has_no_end(begin, cube):
    book_run = begin()
    book_run.save_dataset("cube", cube)
    assert json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())["finished"] is None


def test_provenance_holds_versions_seed_and_memory(begin):
    book_run = begin()
    book_run.finish()
    record = json.loads((book_run.folder / "provenance" / "01_data_preparation.json").read_text())
    assert record["packages"]["xarray"] == xr.__version__
    assert record["settings"]["seed"] == book_run.settings.seed
    assert record["peak_memory_bytes"] > 10_000_000


def test_new_results_put_an_older_executed_copy_aside(begin, cube):
    """The copy shows other results than the folder then holds; the workflow makes it anew."""
    book_run = begin()
    executed = book_run.folder / "notebooks" / "01_data_preparation.ipynb"
    executed.parent.mkdir()
    executed.write_text("{}")
    book_run.save_dataset("cube", cube)
    assert not executed.exists()


def test_every_parameter_decides_some_notebook_or_none_by_design():
    """A parameter missing here would change without anything being executed again."""
    deciding = {key for step in steps.STEPS.values() for key in step.parameters}
    assert deciding | set(steps.EXECUTION_PARAMETERS) == set(Settings.model_fields)


def test_a_notebook_is_decided_by_the_parameters_of_those_it_needs():
    assert set(steps.deciding_parameters("02_npp_random_forest")) < set(steps.deciding_parameters("05_comparison"))


def test_cells_of_other_worlds_have_foreign_tags():
    assert steps.foreign_tags(load_config("virtual")) == {"real-world", "stand-in"}
    assert steps.foreign_tags(load_config("open")) == {"truth", "yearly"}


def test_products_with_years_show_them_and_have_no_stand_in_to_check():
    assert steps.foreign_tags(load_config("paper")) == {"truth", "stand-in"}
    assert steps.foreign_tags(load_config("paper-mini")) == {"truth", "stand-in", "paper"}
    # A static product of an archive gives no years.
    layers = load_config("open").predictors | {"elevation": "glo90"}
    assert steps.foreign_tags(load_config("open", {"predictors": layers})) == {"truth", "yearly"}


def test_cells_of_the_paper_are_foreign_to_another_region():
    elsewhere = load_config("open", {"region": real_values()["region"] | {"of_paper": False}})
    assert steps.foreign_tags(elsewhere) == {"truth", "yearly", "paper"}
