"""A copy of this process is killed at its first, second, third … call to the disk: each moment of a save is tried."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from trials import Trials

from helpers.runs.files import written_whole
from mapforest.blocks import BlockStore, split

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries elsewhere do not bear a copy of a process")

CALLS = ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink")


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Work in a copy of this process that is killed before its n-th call to the disk; return whether there was one."""
    pid = os.fork()
    if not pid:
        count = itertools.count()
        for name in CALLS:
            setattr(os, name, _fatal(getattr(os, name), count, step))
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or not os.waitstatus_to_exitcode(status)
    return os.WIFSIGNALED(status)


def _fatal(call: Callable, count: Iterator[int], step: int) -> Callable:
    """Return a call that is the last one if it is the n-th."""

    def _call(*given, **options):
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given, **options)

    return _call


def at_each_step(folder: Path, trials: Trials, work: Callable[[Path], None]) -> Iterator[Path]:
    """Yield a folder for each call to the disk, in which the work was killed at that call."""
    for step in itertools.count():
        own = folder / str(step)
        own.mkdir()
        if not killed_at(step, lambda: work(own)):  # noqa: B023
            return
        trials.kills += 1
        yield own


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_save_leaves_the_earlier_one_or_the_new_one(tmp_path, trials, kind):
    """Of a folder there is a moment between its two names, after which the next save gives the earlier one back."""

    def put(path: Path, text: str) -> None:
        with written_whole(path) as partial:
            if kind == "folder":
                (partial / "deep").mkdir(parents=True)
                partial = partial / "deep" / "chunk"
            partial.write_text(text)

    def text(path: Path) -> str:
        return (path / "deep" / "chunk" if kind == "folder" else path).read_text()

    def twice(own: Path) -> None:
        put(own / "saved", "earlier")
        put(own / "saved", "new")

    for own in at_each_step(tmp_path, trials, twice):
        saved, there = own / "saved", (own / "saved").exists()
        assert not there or text(saved) in ("earlier", "new")
        aside = [path for path in own.iterdir() if ".old." in path.name]
        with pytest.raises(ArithmeticError), written_whole(saved):
            raise ArithmeticError
        assert saved.exists() or not (there or aside)
        twice(own)
        assert text(saved) == "new" and [path.name for path in own.iterdir()] == ["saved"]
    assert trials.kills > 8


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore:Object at .* is not recognized:zarr.errors.ZarrUserWarning")
def test_a_store_is_gone_on_with_from_any_step(tmp_path, trials):
    """Three blocks, one without a value."""
    empty = da.full((1, 3), np.nan, dtype="float32", chunks=(1, 1))
    places = {"latitude": [1.0], "longitude": [0.0, 1.0, 2.0]}
    template = xr.DataArray(empty, places, ("latitude", "longitude"), "npp")
    values = np.array([[1, np.nan, 3]], "float32")

    def fill(own: Path) -> xr.Dataset:
        store = BlockStore(own / "npp.zarr", template, {"forest": "A"})
        for block in store.left(split((1, 3), (1, 1))):
            store.write(block, values[:, block.column : block.column + 1])
        return store.finish()

    for own in at_each_step(tmp_path, trials, fill):
        if (own / "npp.zarr").exists():
            np.testing.assert_array_equal(xr.open_zarr(own / "npp.zarr")["npp"], values)
        np.testing.assert_array_equal(fill(own)["npp"], values)
        assert [path.name for path in own.iterdir()] == ["npp.zarr"]
    assert trials.kills > 15
