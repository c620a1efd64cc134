"""Pictures that a copy of a process draws beside it: the same as it draws itself, whatever happens to the copy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs.beside import begin
from helpers.runs.files import child_environment

#: What a call does in a server's copy: each line tells who did a work, and what it gave.
OWN = """
import os, sys, time
import numpy as np
from helpers.figures.style import blank
from helpers.runs import beside
from helpers.runs.pictures import drawing

beside.PATIENCE = 10.0
own = os.getpid()

def quiet():
    return b"quiet"

def speaking():
    print("a warning")
    return b"speaking"

def failing():
    if os.getpid() != own:
        raise ValueError("in the copy alone")
    return b"failing"

def killed():
    if os.getpid() != own:
        os.kill(os.getpid(), 9)
    return b"killed"

def hanging():
    if os.getpid() != own:
        beside.PATIENCE = 0
        time.sleep(60)
    return b"hanging"

def wrong():
    raise ValueError("the true error")

def with_dask():
    import dask.array
    return str(dask.array.ones(10, chunks=3).sum().compute()).encode()

def figure():
    figure = blank(2.0)
    axes = figure.add_subplot(xlabel="longitude [$10^{3}$ km]")
    axes.pcolormesh(np.arange(4900.0).reshape(70, 70))
    axes.plot(np.arange(70), "o", label="a site")
    axes.legend()
    return drawing(figure, "simulated")

def whose(work):
    return str(os.getpid() != own).encode() + b" " + work()

def main(arguments):
    with_dask()  # its pool has threads now, as in a notebook
    for work in (quiet, speaking, failing, killed, with_dask):
        print(beside.begin(lambda: whose(work))().decode())
    for kind in ("png", "svg", "webp"):
        there = beside.begin(lambda: figure()(kind))
        print("same", there() == figure()(kind))
    beside.PATIENCE = 1.0
    print(beside.begin(lambda: whose(hanging))().decode())
    beside.MOST_BYTES = 2**20
    print(beside.begin(quiet) is quiet)
    beside.MOST_BYTES = 2**40
    beside.begin(wrong)()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess:
    """Return how the call ended that a server's copy executed."""
    folder = tmp_path_factory.mktemp("beside")
    (folder / "own_module.py").write_text(OWN)
    environment = child_environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), environment["PYTHONPATH"]])
    warm = [sys.executable, "-m", "helpers.runs.warm"]
    return subprocess.run([*warm, *warm, "call", "own_module"], env=environment, capture_output=True, text=True)


linux = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux only")


@linux
def test_a_copy_does_the_work_and_where_it_cannot_the_caller_does(told):
    assert told.stdout.splitlines() == [
        "True quiet",
        "a warning",  # in the caller, where it is seen
        "False speaking",
        "False failing",
        "False killed",
        "True 10.0",
        *["same True"] * 3,
        "False hanging",
        "True",
    ]


@linux
def test_the_error_of_the_work_itself_is_raised(told):
    assert told.returncode == 1
    assert told.stderr.count("Traceback") == 1 and "ValueError: the true error" in told.stderr


def test_a_process_that_is_no_copy_is_not_copied(tmp_path: Path):
    def work() -> bytes:
        return b""

    assert begin(work) is work
