"""Other processes of a test: real ones, which are killed in the end, whatever happens."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import psutil
from distributed import LocalCluster

from helpers.runs.files import child_environment


@contextlib.contextmanager
def running(code: str, **variables: str) -> Iterator[subprocess.Popen]:
    """Run Python code in another process from the line "ready" that it prints to the end of the block."""
    with begun([sys.executable, "-c", code], **variables) as process:
        yield process


@contextlib.contextmanager
def begun(command: Sequence[str], **variables: str) -> Iterator[subprocess.Popen]:
    """Run a command from the line "ready" that it prints to the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment(**variables))
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def dask_cluster(**options: object) -> Iterator[LocalCluster]:
    """Start a Dask cluster on this machine, to the end of the block.

    Dask gives the thread of its messages ten seconds to begin, and a machine that stands still so long is no wrong
    result: it is asked twice more.
    """
    for trials_left in (2, 1, 0):
        try:
            cluster = LocalCluster(**options)
            break
        except AssertionError:
            if not trials_left:
                raise
    with cluster:
        yield cluster


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has asked for its exit code has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def soon(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Tell whether something becomes true within some seconds."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()
