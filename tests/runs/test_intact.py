"""What is lost or damaged of a run is found before a notebook, the workflow or the book uses it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import shapely
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.errors import RunError
from helpers.runs import folder as run_folder
from helpers.runs import intact

NAME, LATER = "01_data_preparation", "02_npp_random_forest"
CUBE = xr.Dataset({"lai": (("latitude", "longitude"), [[1.0, 2.0], [3.0, 4.0]])}).chunk({"latitude": 1})
SAVED = ("cube.zarr", "sites.parquet", "tables/flow.csv", "boundary.geojson")


def begin(notebook: str) -> run_folder.Run:
    return run_folder.start(notebook, {"resolution": 0.5})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The runs' folder after notebook 01, which has saved one of each kind, with an executed copy."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QTP_RUNS_DIR", str(runs))
        book_run = begin(NAME)
        book_run.save_dataset("cube", CUBE)
        book_run.save_frame("sites", pd.DataFrame({"npp": [100.0, 200.0]}))
        book_run.save_table("flow", pd.DataFrame({"sites": [2]}))
        book_run.save_boundary("boundary", shapely.box(80, 30, 90, 35))
        book_run.finish()
        executed = book_run.folder / "notebooks" / f"{NAME}.ipynb"
        executed.parent.mkdir()
        executed.write_text('{"cells": []}')
    return runs


@pytest.fixture
def run(made, tmp_path, monkeypatch) -> Path:
    """The folder of a copy of that run."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    return Path(shutil.copytree(made / "virtual", tmp_path / "virtual"))


def load(artefact: str) -> object:
    """Load what notebook 01 has saved, in notebook 02."""
    how = {".zarr": "load_dataset", ".parquet": "load_frame", ".csv": "load_table", ".geojson": "load_boundary"}
    path = Path(artefact)
    return getattr(begin(LATER), how[path.suffix])(path.stem)


def flip(path: Path, place: int = 0) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1
    path.write_bytes(bytes(content))


def chunk(run: Path) -> Path:
    return run / "cube.zarr" / "lai" / "1.0"


@pytest.mark.parametrize("artefact", SAVED)
def test_what_was_not_touched_is_loaded(run, artefact):
    assert load(artefact) is not None


@pytest.mark.parametrize("artefact", SAVED)
def test_what_was_changed_is_refused_with_the_notebook_to_run(run, artefact):
    path = run / artefact
    flip(chunk(run) if path.is_dir() else path, 30)
    words = rf"{artefact} was changed after it was saved: .*run notebooks/{NAME}\.ipynb again, which saved it"
    with pytest.raises(RunError, match=words):
        load(artefact)


def test_a_table_with_other_numbers_is_refused(run):
    """It is a table that can be read, and three times too much."""
    path = run / "sites.parquet"
    (pd.read_parquet(path) * 3).to_parquet(path)
    with pytest.raises(RunError, match=r"sites\.parquet (was changed|has [\d,]+ bytes)"):
        load("sites.parquet")


def test_a_dataset_without_one_of_its_chunks_is_refused(run):
    """Zarr itself would give missing values there."""
    chunk(run).unlink()
    with pytest.raises(RunError, match=r"cube\.zarr has [\d,]+ bytes, and [\d,]+ were saved: run notebooks/01"):
        load("cube.zarr")


def test_a_dataset_with_a_file_too_much_is_refused(run):
    shutil.copy(chunk(run), chunk(run).with_name("2.0"))
    with pytest.raises(RunError, match=r"cube\.zarr has"):
        load("cube.zarr")


def test_of_a_large_dataset_the_bytes_are_counted_and_the_book_reads_them(run, monkeypatch):
    monkeypatch.setattr(intact, "WHOLE_BYTES", 0)
    output = json.loads((run / "provenance" / f"{NAME}.json").read_text())["outputs"]["cube.zarr"]
    first, second = chunk(run).with_name("0.0"), chunk(run)
    exchanged = second.read_bytes(), first.read_bytes()
    first.write_bytes(exchanged[0])
    second.write_bytes(exchanged[1])
    assert load("cube.zarr")["lai"].values.tolist() == [[3, 4], [1, 2]]
    assert "was changed" in intact.damage(run / "cube.zarr", output, whole=True)
    chunk(run).unlink()
    with pytest.raises(RunError, match=r"cube\.zarr has"):
        load("cube.zarr")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(artefact=st.sampled_from(SAVED), place=st.integers(0, 10**6))
def test_any_byte_that_was_changed_is_found(run, artefact, place):
    output = json.loads((run / "provenance" / f"{NAME}.json").read_text())["outputs"][artefact]
    files = [path for path in (run / artefact, *(run / artefact).rglob("*")) if path.is_file()]
    chosen = sorted(files)[place % len(files)]
    flip(chosen, place)
    assert "was changed" in intact.damage(run / artefact, output)
    flip(chosen, place)
    assert intact.damage(run / artefact, output) == ""


def test_what_no_notebook_has_on_record_is_refused(run):
    (run / "tables" / "other.csv").write_text("sites\n3\n")
    with pytest.raises(RunError, match=r"tables/other\.csv is in no notebook's provenance"):
        begin(LATER).load_table("other")


RECORD = {"settings": {}, "finished": None, "inputs": {}, "outputs": {}}
NO_RECORDS = [
    RECORD | {"outputs": [5]},
    RECORD | {"outputs": {"cube.zarr": {"bytes": 5}}},
    RECORD | {"outputs": {"cube.zarr": {"bytes": "5", "sha256": "0"}}},
    RECORD | {"inputs": {"cube.zarr": 5}},
    RECORD | {"finished": 5},
    RECORD | {"laws": [5]},
    RECORD | {"numbers": {"nep": []}},
]


@pytest.mark.parametrize(
    "text", ["", '{"outputs": {', "[]", '{"outputs": {}}', "\0\0\0", "[" * 100_000, *map(json.dumps, NO_RECORDS)]
)
def test_a_record_that_is_damaged_is_named_with_the_notebook_to_run(run, text):
    (run / "provenance" / f"{NAME}.json").write_text(text)
    words = rf"provenance/{NAME}\.json .*remove it and run notebooks/{NAME}\.ipynb again"
    with pytest.raises(RunError, match=words):
        load("cube.zarr")
    begin(NAME).save_dataset("cube", CUBE)
    load("cube.zarr")


# -- up to date ----------------------------------------------------------------------------------------


def executed(run: Path) -> Path:
    return run / "notebooks" / f"{NAME}.ipynb"


def record(run: Path) -> Path:
    return run / "provenance" / f"{NAME}.json"


def unfinished(run: Path) -> None:
    record(run).write_text(json.dumps(json.loads(record(run).read_text()) | {"finished": None}))


HURTS = {
    "an executed copy of no bytes": (lambda run: executed(run).write_text(""), r"01_data_preparation\.ipynb cannot be"),
    "a cut executed copy": (lambda run: executed(run).write_text('{"cells": ['), "cannot be read"),
    "another file as executed copy": (lambda run: executed(run).write_text("{}"), "has no cells"),
    "no dataset": (lambda run: shutil.rmtree(run / "cube.zarr"), r"cube\.zarr is missing"),
    "a lost chunk": (lambda run: chunk(run).unlink(), r"cube\.zarr has"),
    "a changed chunk": (lambda run: flip(chunk(run)), r"cube\.zarr was changed"),
    "no table": (lambda run: (run / "tables" / "flow.csv").unlink(), r"tables/flow\.csv is missing"),
    "no record": (lambda run: record(run).unlink(), rf"{NAME}\.json is missing: run"),
    "a cut record": (lambda run: record(run).write_text("{"), rf"{NAME}\.json cannot be read"),
    "a record without an end": (unfinished, "did not reach book_run.finish"),
}


@pytest.mark.parametrize("hurt", HURTS)
def test_an_executed_copy_whose_run_is_not_whole_is_put_aside_and_the_reason_said(run, hurt):
    hurts, words = HURTS[hurt]
    hurts(run)
    said = intact.put_aside_stale(run, NAME)
    assert re.search(words, said)
    assert not executed(run).exists() and executed(run).with_suffix(".stale.ipynb").exists()


def test_an_executed_copy_of_a_whole_run_stays(run):
    assert intact.put_aside_stale(run, NAME) == "" and executed(run).exists()


def test_without_an_executed_copy_there_is_nothing_to_say(run):
    shutil.rmtree(run / "cube.zarr")
    executed(run).unlink()
    assert intact.put_aside_stale(run, NAME) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_what_a_sweep_links_from_an_earlier_stage_is_compared_as_well(run, tmp_path, monkeypatch):
    stage = tmp_path / "stage"
    for name in ("cube.zarr", f"provenance/{NAME}.json"):
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).symlink_to(run / name)
    opened = run_folder.start(LATER, {"resolution": 0.5, "run": "stage"})
    assert opened.load_dataset("cube")["lai"].sum() == 10
    chunk(run).unlink()
    with pytest.raises(RunError, match=r"cube\.zarr has"):
        opened.load_dataset("cube")
