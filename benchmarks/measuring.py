"""What all measurements share: a process of its own, its seconds and its memory, the machine, the table's header."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

__all__ = ["MEASUREMENTS", "cpu_seconds", "in_child", "machine", "peak_memory", "resident_memory", "write_table"]

#: Where the tables lie that the book reads.
MEASUREMENTS = Path(__file__).resolve().parents[1] / "data" / "benchmarks"
LIBRARIES = ("numpy", "numba", "scikit-learn", "dask", "zarr")


def in_child(task: Callable[..., Any], *arguments: object) -> tuple[Any, float]:
    """Return what a task returns in a new process, and the peak memory of that process and its children.

    Parameters
    ----------
    task : callable
        A function of a module; it returns something small.
    *arguments : object
        For the task; they can be pickled.

    Returns
    -------
    result : object
    peak : float
        Resident memory in MB, see :func:`peak_memory`.

    Raises
    ------
    RuntimeError
        If the process fails; its own error is on standard error.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_return, args=(sender, task, arguments))
    process.start()
    sender.close()
    peak = peak_memory(process.pid, process.is_alive)
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the process that is measured ended with code {process.exitcode}, see above")
    return receiver.recv(), peak


def _return(sender: Connection, task: Callable[..., Any], arguments: tuple) -> None:
    sender.send(task(*arguments))


def peak_memory(pid: int, runs: Callable[[], bool], interval: float = 0.02) -> float:
    """Return the peak memory of a process and its children, in MB, when it has ended.

    Parameters
    ----------
    pid : int
        The process.
    runs : callable
        Tells whether it still runs.
    interval : float
        Seconds between two looks.

    Returns
    -------
    float
        The largest sum of the resident memory of all of them; what they share counts once for each.
    """
    peak = 0.0
    while runs():
        peak = max(peak, resident_memory(pid))
        time.sleep(interval)
    return peak


def resident_memory(pid: int) -> float:
    """Return the resident memory of a process and its children, in MB."""
    return _over_tree(pid, lambda process: process.memory_info().rss / 2**20)


def cpu_seconds() -> float:
    """Return the processor time of this process and its living children."""
    return _over_tree(os.getpid(), lambda process: sum(process.cpu_times()[:2]))


def _over_tree(pid: int, quantity: Callable[[psutil.Process], float]) -> float:
    """Return the sum of a quantity over a process and its children, of those that still run."""
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            total += quantity(process)
    return total


def machine() -> dict[str, str | int]:
    """Return what times depend on: processor, cores, memory, versions."""
    listing = Path("/proc/cpuinfo")
    models = [line for line in listing.read_text().splitlines() if "model name" in line] if listing.exists() else []
    return {
        "processor": models[0].split(":")[1].strip() if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


def write_table(records: Sequence[Mapping[str, object]], path: Path, script: str, arguments: Sequence[str]) -> None:
    """Write a table as CSV: a line with the command and the date, then a row a record, with the machine.

    Parameters
    ----------
    records : sequence of mapping
        What was measured.
    path : pathlib.Path
        The file; its folder is made.
    script : str
        Path of the script, for the command.
    arguments : sequence of str
        What it was called with. ``--output`` does not count.
    """
    command = " ".join(["python", f"benchmarks/{Path(script).name}", *_without_output(arguments)])
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(records).assign(**machine()).to_csv(index=False, lineterminator="\n")
    path.write_text(f"# {command}, {datetime.now(UTC):%Y-%m-%d}\n{table}", encoding="utf-8")


def _without_output(arguments: Sequence[str]) -> list[str]:
    place = arguments.index("--output") if "--output" in arguments else len(arguments)
    return [*arguments[:place], *arguments[place + 2 :]]
