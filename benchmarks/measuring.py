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

__all__ = ["MEASUREMENTS", "cpu_seconds", "in_child", "machine", "resident_memory", "watched", "write_table"]

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
        Resident memory in MB, see :func:`watched`.

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
    _, peak = watched(process.pid, process.is_alive)
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the process that is measured ended with code {process.exitcode}, see above")
    return receiver.recv(), peak


def _return(sender: Connection, task: Callable[..., Any], arguments: tuple) -> None:
    sender.send(task(*arguments))


def watched(pid: int, runs: Callable[[], bool], interval: float = 0.02) -> tuple[float, float]:
    """Return what a process and all that it starts use until it has ended.

    Parameters
    ----------
    pid : int
        The process, a child of this one.
    runs : callable
        Tells whether it still runs, and waits for it when it has ended.
    interval : float
        Seconds between two looks.

    Returns
    -------
    seconds : float
        Processor time, user and system. Of a process that nobody waits for, as the copies of a warm server, what it
        used after the last look is not in it.
    peak : float
        The largest sum of the resident memory of all of them, in MB; what they share counts once for each.
    """
    tree = _Tree(pid)
    while runs():
        tree.look()
        time.sleep(interval)
    tree.look()
    return tree.seconds, tree.peak


class _Tree:
    """The processes that come from one, those that lost their parent too, and what they have used."""

    def __init__(self, pid: int) -> None:
        self._top = psutil.Process()
        self._roots = [psutil.Process(pid)]
        self._parents, self._own = {}, {}  # as last seen, by process
        self._waited = {self._top: sum(self._top.cpu_times()[2:4])}  # the time of those that it waited for
        self._unseen = 0.0  # the time of those that ended since the last look, and was not seen
        self.peak = 0.0

    @property
    def seconds(self) -> float:
        """Their processor time up to the last look."""
        return sum(self._own.values()) + self._unseen

    def look(self) -> None:
        """Add what was used since the last look."""
        waited, parents, memory = {self._top: sum(self._top.cpu_times()[2:4])}, {}, 0
        for process in self._alive():
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():  # it ended meanwhile
                times, resident, parent = process.cpu_times(), process.memory_info().rss, process.ppid()
                self._own[process], waited[process] = sum(times[:2]), sum(times[2:4])
                parents[process] = parent
                memory += resident
        self._count_ended(waited)
        self._waited, self._parents = waited, parents
        self.peak = max(self.peak, memory / 2**20)

    def _alive(self) -> set[psutil.Process]:
        """Return those that run; a process that lost its parent is looked for by itself."""
        found: set[psutil.Process] = set()
        for process in [*self._roots, *self._waited]:
            if process not in found and process != self._top:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found |= {process, *process.children(recursive=True)}
        return found

    def _count_ended(self, waited: dict[psutil.Process, float]) -> None:
        """Add what processes used between the last look at them and their end, if somebody waited for them.

        What a process that runs on has waited for grew by the whole time of those that ended below it. What was seen of
        them, and of those that they waited for, is counted already.
        """
        by_pid = {process.pid: process for process in self._waited}
        counted = dict.fromkeys(waited, 0.0)
        for process in self._waited.keys() - waited.keys():
            heir = by_pid.get(self._parents[process])
            while heir is not None and heir not in waited:
                heir = by_pid.get(self._parents[heir])
            if heir is not None:
                counted[heir] += self._own[process] + self._waited[process]
        self._unseen += sum(
            max(0.0, seconds - self._waited.get(process, 0.0) - counted[process]) for process, seconds in waited.items()
        )


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
