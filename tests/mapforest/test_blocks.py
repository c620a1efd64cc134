"""A store that is written block by block: cut journals, lost chunks, two writers."""

from __future__ import annotations

import re
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from processes import running

from mapforest.blocks import BlockStore, split
from mapforest.errors import BlockError

SIZE = 4
BLOCKS = split((SIZE, SIZE), (1, 1))
MADE_FROM = {"forest": "A"}


def template() -> xr.DataArray:
    """A map of 16 cells, each a block."""
    empty = da.full((SIZE, SIZE), np.nan, dtype="float32", chunks=(1, 1))
    places = {"latitude": np.arange(SIZE)[::-1] * 1.0, "longitude": np.arange(SIZE) * 1.0}
    return xr.DataArray(empty, places, ("latitude", "longitude"), "prediction")


def value(block) -> np.ndarray:
    """The value of a block, different in each; one block has none."""
    number = 4 * block.row + block.column
    return np.full((1, 1), np.nan if number == 5 else number, "float32")


def store(path: Path, made_from: dict[str, str] = MADE_FROM) -> BlockStore:
    return BlockStore(path / "npp.zarr", template(), made_from)


def begin(path: Path, count: int) -> Path:
    """Write some blocks, as a call that is stopped; return the folder of what is not whole."""
    begun = store(path)
    for block in begun.left(BLOCKS)[:count]:
        begun.write(block, value(block))
    begun.close()
    return path / "npp.zarr.partial"


def go_on(path: Path) -> tuple[int, xr.Dataset]:
    """Write what is left; return how many blocks that were, and the map."""
    begun = store(path)
    left = begun.left(BLOCKS)
    for block in left:
        begun.write(block, value(block))
    return len(left), begun.finish().load()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> xr.Dataset:
    """The map that was written at once."""
    return go_on(tmp_path_factory.mktemp("whole"))[1]


# "1" of "1 9" made "11 9" of the next line; a power failure leaves bytes of zero.
TAILS = [b"1", b"1 ", b"1 1", b"3 3 4", b"\0" * 9 + b"\n", b"9 9 20\n", b"1 x 5\n", b"-1 0 5\n", b"3 3\n"]


@pytest.mark.parametrize("tail", TAILS)
def test_a_journal_with_a_wrong_end_loses_no_block_and_makes_up_none(tmp_path, whole, tail):
    journal = begin(tmp_path, 6) / "journal"
    journal.write_bytes(journal.read_bytes() + tail)
    begin(tmp_path, 2)  # stopped again: its lines must not be glued to the wrong end
    left, found = go_on(tmp_path)
    assert left == 8
    xr.testing.assert_identical(found, whole)


@pytest.mark.parametrize("hurt", [Path.unlink, lambda chunk: chunk.write_bytes(chunk.read_bytes()[:-1])])
def test_a_block_whose_chunk_is_lost_or_cut_is_computed_again(tmp_path, whole, hurt):
    hurt(begin(tmp_path, 10) / "store" / "prediction" / "1.2")
    left, found = go_on(tmp_path)
    assert left == 7
    xr.testing.assert_identical(found, whole)


@pytest.mark.parametrize("hurt", [Path.unlink, lambda chunk: chunk.write_bytes(chunk.read_bytes()[:-1])])
def test_a_finished_store_that_has_lost_a_chunk_is_mended(tmp_path, whole, capsys, hurt):
    go_on(tmp_path)
    assert store(tmp_path).finished
    hurt(tmp_path / "npp.zarr" / "prediction" / "1.2")
    assert not store(tmp_path).finished
    left, found = go_on(tmp_path)
    assert left == 1 and "npp.zarr has lost some of its blocks" in capsys.readouterr().out
    xr.testing.assert_identical(found, whole)


def test_a_begun_store_whose_description_is_cut_is_begun_anew(tmp_path, whole):
    (begin(tmp_path, 6) / "store" / ".zattrs").write_text('{"ma')
    left, found = go_on(tmp_path)
    assert left == len(BLOCKS)
    xr.testing.assert_identical(found, whole)


HOLD = """
import sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
import test_blocks
begun = test_blocks.store(Path({path!r}))
block = begun.left(test_blocks.BLOCKS)[0]
begun.write(block, test_blocks.value(block))
print("ready", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_and_told_of_the_first_until_that_is_dead(tmp_path, whole):
    here = str(Path(__file__).parent)
    code = HOLD.format(here=here, path=str(tmp_path))
    tests = str(Path(here).parent)
    with running(f"import sys; sys.path.insert(0, {tests!r})\n{code}") as other:
        for made_from in (MADE_FROM, {"forest": "B"}):
            words = re.escape(f"npp.zarr is being written by process {other.pid} on")
            with pytest.raises(BlockError, match=words):
                store(tmp_path, made_from).left(BLOCKS)
        other.kill()
        other.wait()
        left, found = go_on(tmp_path)
    assert left == len(BLOCKS) - 1
    xr.testing.assert_identical(found, whole)


def test_a_second_writer_in_one_process_is_refused_too(tmp_path):
    first, second = store(tmp_path), store(tmp_path, {"forest": "B"})
    first.left(BLOCKS)
    with pytest.raises(BlockError, match="give this call another store"):
        second.left(BLOCKS)
    first.close()
    assert len(second.left(BLOCKS)) == len(BLOCKS)
    second.close()


def test_what_another_process_has_finished_meanwhile_is_not_computed_again(tmp_path, whole):
    late = store(tmp_path)
    go_on(tmp_path)
    assert late.left(BLOCKS) == []
    xr.testing.assert_identical(late.finish().load(), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["npp.zarr"]
