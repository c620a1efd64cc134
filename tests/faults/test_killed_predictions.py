"""Predictions into a store that are killed, on threads, on a Dask cluster and on another host: `make test-faults`."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import xarray as xr
from processes import soon
from test_two_hosts import UNSHARE, may_be_two
from trials import Trials

from helpers.runs.files import child_environment
from mapforest.forest import RandomForest
from mapforest.predict import predict

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="clusters and namespaces")]

SIDE, BLOCK = 120, 10
BLOCKS = (SIDE // BLOCK) ** 2
PREDICT = """
import pickle, socket, sys
from pathlib import Path
import xarray as xr
from mapforest.predict import predict
if sys.argv[3:]:
    socket.sethostname(sys.argv[3])
given, folder = map(Path, sys.argv[1:3])
cube = xr.open_zarr(given / "cube.zarr")
forest = pickle.loads((given / "forest.pickle").read_bytes())
predict(forest, cube, cube["inside"], store=folder / "npp.zarr")
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A folder with a cube, a forest, and in ``unhurt`` the map of both."""
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(3)
    places = {"latitude": np.linspace(38, 30, SIDE), "longitude": np.linspace(80, 100, SIDE)}
    fields = {name: (("latitude", "longitude"), rng.normal(size=(SIDE, SIDE)).astype("float32")) for name in "abc"}
    cube = xr.Dataset(fields, places)
    cube["inside"] = cube["a"] > -5
    cube.chunk(latitude=BLOCK, longitude=BLOCK).to_zarr(folder / "cube.zarr", zarr_format=2, consolidated=True)
    table = pd.DataFrame({name: rng.normal(size=300) for name in "abc"})
    forest = RandomForest(list("abc"), n_trees=200, mtry=2, seed=5).fit(table, table["a"] * table["b"] + table["c"])
    (folder / "forest.pickle").write_bytes(pickle.dumps(forest))
    lazy = xr.open_zarr(folder / "cube.zarr")
    predict(forest, lazy, lazy["inside"], store=folder / "unhurt" / "npp.zarr")
    return folder


def prediction(given: Path, folder: Path, host: str = "", **variables: str) -> subprocess.Popen:
    """Begin to predict in another process, on another host if it is named."""
    shutil.rmtree(folder / "npp.zarr", ignore_errors=True)  # of a call that ended before it could be killed
    command = [sys.executable, "-c", PREDICT, str(given), str(folder), *([host] if host else [])]
    environment = child_environment(**variables)
    return subprocess.Popen([*(UNSHARE if host else []), *command], env=environment, stderr=subprocess.PIPE, text=True)


def blocks_done(folder: Path) -> int:
    """Return how many blocks are on disk."""
    journal = folder / "npp.zarr.partial" / "journal"
    return len(journal.read_bytes().splitlines()) if journal.is_file() else 0


def after_some(trials: Trials, folder: Path) -> Callable[[], bool]:
    """Return a question that is answered by yes once a number of blocks, which is drawn, is on disk."""
    number = trials.draws.randrange(1, BLOCKS - 10)
    return lambda: blocks_done(folder) >= number


def hold(trials: Trials, given: Path, folder: Path) -> None:
    """Go on with what was killed, here, and hold that the map is that of an unhurt call."""
    trials.look(folder, given / "unhurt")
    done = prediction(given, folder)
    said = done.communicate()[1]
    assert done.returncode == 0, said
    trials.compare(folder, given / "unhurt")
    assert [path.name for path in folder.iterdir()] == ["npp.zarr"]
    trials.verdict()


@pytest.mark.parametrize("number", range(4))
def test_a_prediction_that_is_killed_is_gone_on_with(given, tmp_path, trials, number):
    trials.kill(lambda: prediction(given, tmp_path), "begun", 0, after_some(trials, tmp_path))
    hold(trials, given, tmp_path)


@pytest.mark.parametrize("number", range(2))
def test_a_prediction_that_is_killed_at_its_beginning_or_its_end_is_gone_on_with(given, tmp_path, trials, number):
    watched = tmp_path / ("npp.zarr" if number % 2 else "npp.zarr.partial")
    trials.kill(lambda: prediction(given, tmp_path), "begun", 0, watched.exists)
    hold(trials, given, tmp_path)


@pytest.mark.parametrize("number", range(2))
def test_a_prediction_that_is_killed_on_another_host_is_gone_on_with_here(given, tmp_path, trials, number):
    may_be_two()
    trials.kill(lambda: prediction(given, tmp_path, "far.away"), "begun", 0, after_some(trials, tmp_path))
    hold(trials, given, tmp_path)


@pytest.fixture
def dask(tmp_path_factory) -> Iterator[tuple[str, psutil.Process, psutil.Process]]:
    """Address of a scheduler, its process, and the process of two workers' nannies."""
    folder = tmp_path_factory.mktemp("dask")
    told = ["--scheduler-file", str(folder / "scheduler.json"), "--no-dashboard"]
    commands = (
        ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *told],
        ["distributed.cli.dask_worker", *told, "--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)],
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": child_environment()}
    processes = [subprocess.Popen([sys.executable, "-m", *command], **quiet) for command in commands]
    try:
        assert soon((folder / "scheduler.json").is_file, 60)
        address = pd.read_json(folder / "scheduler.json", typ="series")["address"]
        yield (address, *(psutil.Process(process.pid) for process in processes))
    finally:
        for process in reversed(processes):
            for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                child.kill()
            process.wait()


def workers_of(nannies: psutil.Process) -> list[psutil.Process]:
    """Return the processes of the workers."""
    return [one for one in nannies.children() if "spawn_main" in " ".join(one.cmdline())]


@pytest.mark.parametrize("number", [1, 2])
def test_a_prediction_bears_it_that_workers_are_killed(given, tmp_path, trials, dask, number):
    address, _, nannies = dask

    def begin() -> subprocess.Popen:
        return prediction(given, tmp_path, DASK_SCHEDULER_ADDRESS=address)

    trials.kill(begin, lambda: workers_of(nannies)[:number], 0, after_some(trials, tmp_path))
    assert trials.code == 0, trials.said
    hold(trials, given, tmp_path)


@pytest.mark.parametrize("number", range(2))
def test_a_prediction_whose_scheduler_is_killed_says_so_and_is_gone_on_with(given, tmp_path, trials, dask, number):
    address, scheduler, _ = dask

    def begin() -> subprocess.Popen:
        return prediction(given, tmp_path, DASK_SCHEDULER_ADDRESS=address)

    trials.kill(begin, lambda: [scheduler], 0, after_some(trials, tmp_path))
    assert trials.code == 1 and f"BlockError: the Dask scheduler at {address} is gone" in trials.said, trials.said
    hold(trials, given, tmp_path)
