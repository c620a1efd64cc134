"""Memory that a notebook may use, what its grid needs, and what it gives back: too little is refused at its start."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from pathlib import Path

import psutil

from helpers.config import Settings
from helpers.errors import RunError
from helpers.runs.steps import deciding_parameters

#: Bytes of a kernel with all that the notebooks import and draw, on a grid of some thousand cells.
KERNEL_BYTES = 700 * 10**6
#: Bytes up to which memory grows with cells and years, ten layers of ten million values: what is larger is worked on in
#: tiles.
MOST_OF_STACKS = 400 * 10**6
_LAYERS = 10  # of a yearly cube and what is made of it
#: Bytes for each cell of single layers that are held whole, such as the maps that notebook 05 compares.
BYTES_PER_CELL = 108
_CGROUPS = Path("/sys/fs/cgroup")


def needed(settings: Settings) -> int:
    """Return about how many bytes of memory the notebook that needs most takes on the grid of a run.

    It was measured from 36,000 to 45,900,000 cells (``data/benchmarks``). Python and its libraries take most of it on
    small grids. It grows with cells and years up to the size from which a cube is worked on tile by tile, and with the
    cells of single layers beyond.
    """
    cells = (settings.east - settings.west) * (settings.north - settings.south) / settings.resolution**2
    years = settings.last_year - settings.first_year + 1
    return KERNEL_BYTES + min(int(4 * _LAYERS * cells * years), MOST_OF_STACKS) + int(BYTES_PER_CELL * cells)


def limit() -> tuple[int, str]:
    """Return how many bytes this process may use at most, and who says so: the machine, its cgroup, or ``ulimit``."""
    machine = psutil.virtual_memory().total + psutil.swap_memory().total
    found = [(machine, "this machine has")]
    found += [(size, "the cgroup of this job allows") for size in _of_cgroups()]
    try:
        import resource
    except ImportError:  # not on Windows
        return min(found)
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft != resource.RLIM_INFINITY:
        found.append((soft, "`ulimit -v` allows"))
    return min(found)


def refuse_too_little(notebook: str, settings: Settings) -> None:
    """Raise a RunError with the numbers if this process may not use what the grid of a run needs."""
    if "resolution" not in deciding_parameters(notebook):
        return
    need, (most, who) = needed(settings), limit()
    if most < need:
        raise RunError(
            f"{notebook}: the grid of run {settings.run!r} needs about {need / 1e9:.1f} GB of memory, and {who} "
            f"{most / 1e9:.1f} GB: ask for more, or give a larger resolution or a smaller box"
        )


def give_back() -> None:
    """Let go of objects that only refer to each other, and give the memory that is free back to the system.

    The panels of a figure refer to each other, so that 200 MB of a map of 1 km would stay until Python looks for such
    objects; and what a thread has freed, glibc keeps for it. Another C library decides for itself.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_cgroups() -> list[int]:
    """Return the limits of the cgroups that this process is in; those above one limit it, too."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        folder = _CGROUPS / ("memory" if kinds == "memory" else "") / path.lstrip("/")
        name = "memory.limit_in_bytes" if kinds == "memory" else "memory.max"
        if kinds in ("", "memory"):
            for one in (folder, *folder.parents):
                if (one / name).is_file() and re.fullmatch(r"\d+", text := (one / name).read_text().strip()):
                    found.append(int(text))
    return found
