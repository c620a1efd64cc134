"""What a power failure cannot take: the disk is asked for a file before the file gets the name that makes it count."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.runs import folder as run_folder
from helpers.runs.files import written_whole
from mapforest.blocks import BlockStore, split

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the path of an open file is asked of /proc")


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, Path]]:
    """What the disk is asked for, in its order: what is synced, what has got its name, what is removed."""
    told: list[tuple[str, Path]] = []

    def telling(word: str, call, path_of):
        """Return a call that is told before it is made."""

        def _telling(*given, **options):
            told.append((word, Path(path_of(*given))))
            return call(*given, **options)

        return _telling

    monkeypatch.setattr(os, "fsync", telling("synced", os.fsync, lambda number: os.readlink(f"/proc/self/fd/{number}")))
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, telling("named", getattr(os, name), lambda _, target: target))
    monkeypatch.setattr(shutil, "rmtree", telling("removed", shutil.rmtree, lambda path, *rest: path))
    return told


def places(told: list[tuple[str, Path]], word: str, path: Path) -> list[int]:
    """Return when something was asked for."""
    return [place for place, one in enumerate(told) if one == (word, path)]


def test_a_file_is_on_disk_before_it_gets_its_name_and_then_the_name_is(asked, tmp_path):
    with written_whole(tmp_path / "table.csv") as partial:
        partial.write_text("a\n1\n")
    assert asked == [("synced", partial), ("named", tmp_path / "table.csv"), ("synced", tmp_path)]


def test_all_that_a_folder_holds_is_on_disk_before_it_gets_its_name(asked, tmp_path):
    own = tmp_path / "cube.zarr"
    with written_whole(own) as partial:
        (partial / "npp").mkdir(parents=True)
        (partial / "npp" / "0.0").write_text("chunk")
    (named,) = places(asked, "named", own)
    assert {path for _, path in asked[:named]} == {partial, partial / "npp", partial / "npp" / "0.0"}
    assert asked[named + 1 :] == [("synced", tmp_path)]


def test_a_block_is_on_disk_before_the_journal_lists_it_and_a_store_before_its_journal_goes(asked, tmp_path):
    empty = da.full((2, 2), np.nan, dtype="float32", chunks=(1, 1))
    template = xr.DataArray(empty, {"latitude": [1.0, 0.0], "longitude": [0.0, 1.0]}, ("latitude", "longitude"), "npp")
    store = BlockStore(tmp_path / "npp.zarr", template, {"forest": "A"})
    partial, journal = (tmp_path / "npp.zarr.partial" / name for name in ("store", "journal"))
    for block in store.left(split((2, 2), (1, 1))):
        asked.clear()
        store.write(block, np.ones((1, 1), "float32"))
        chunk = partial / "npp" / f"{block.row}.{block.column}"
        assert places(asked, "synced", chunk)[-1] < places(asked, "synced", journal)[0]
    asked.clear()
    store.finish()
    (named,) = places(asked, "named", store.path)
    assert {path.name for word, path in asked[:named] if word == "synced"} >= {".zmetadata", ".journal", "0.0", "1.1"}
    assert named < places(asked, "synced", tmp_path)[0] < places(asked, "removed", journal.parent)[0]


def test_what_a_notebook_saved_is_on_disk_before_it_is_on_record_as_finished(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    run = run_folder.start("02_npp_random_forest", {"config": "virtual"})
    unfinished = run.unfinished("npp")
    unfinished.mkdir()
    run.save_dataset("npp", xr.Dataset({"npp": ("latitude", [1.0, 2.0])}, {"latitude": [36.5, 35.5]}))
    run.save_frame("rows", pd.DataFrame({"a": [1]}))
    run.save_table("budget", pd.DataFrame({"a": [1]}))
    record = run.folder / "provenance" / "02_npp_random_forest.json"
    run.finish()
    last = places(asked, "named", record)[-1]
    for name in ("npp.zarr", "rows.parquet", "tables/budget.csv"):
        (named,) = places(asked, "named", run.folder / name)
        assert any(named < place < last for place in places(asked, "synced", (run.folder / name).parent))
    assert "02_npp_random_forest.json" in asked[last - 1][1].name and asked[last - 1][0] == "synced"
    assert asked[last + 1 :] == [("synced", record.parent), ("removed", unfinished)]


def test_a_folder_that_was_being_replaced_when_its_writer_was_killed_has_its_name_back(tmp_path):
    """It is killed between the two names: the earlier one is out of the way, the new one not yet there."""
    own = tmp_path / "html"
    own.mkdir()
    (own / "index.html").write_text("the last good book")
    pid = os.fork()
    if not pid:
        Path.replace = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
        try:
            with written_whole(own) as partial:
                partial.mkdir()
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    assert not own.exists()
    with pytest.raises(ArithmeticError), written_whole(own) as partial:
        partial.mkdir()
        raise ArithmeticError
    assert (own / "index.html").read_text() == "the last good book"
    assert [path.name for path in tmp_path.iterdir()] == ["html"]
