"""Trials: work that is killed at a moment drawn from a seed, and what must hold then and after it was gone on with."""

from __future__ import annotations

import json
import random
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import xarray as xr
from processes import gone, soon

from helpers.config import load_config
from helpers.runs.files import digest
from helpers.runs.provenance import read_record
from helpers.runs.steps import deciding_parameters

Begin = Callable[[], subprocess.Popen]
Victim = str | Callable[[], list[psutil.Process]]
_ATTEMPTS = 6
#: What may differ in a table between two runs of the same parameters: what a run takes, and when.
MEASURED = ("wall_seconds", "peak_memory_bytes", "cpu_seconds", "peak_mb")
#: How a whole file of each kind ends.
ENDS = {".png": b"IEND\xaeB`\x82", ".svg": b"</svg>", ".html": b"</html>"}
READERS: dict[str, Callable[[Path], object]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    **dict.fromkeys((".json", ".geojson", ".ipynb"), lambda path: json.loads(path.read_text(encoding="utf-8"))),
    ".zip": lambda path: zipfile.ZipFile(path).testzip(),
}


class Trials:
    """The trials of one test: how many there were, and all that was wrong after them."""

    def __init__(self, name: str) -> None:
        self.draws = random.Random(name)
        self.kills = 0
        self.lost: list[str] = []
        self.unequal: list[str] = []
        self.alive: list[str] = []
        self.said, self.code = "", None  #: What the work said last on standard error, if that was asked for; its end.

    def within(self, seconds: float) -> Callable[[], bool]:
        """Return a question that is first answered by yes at a moment drawn from these seconds from now."""
        end = time.monotonic() + self.draws.uniform(0.02, 0.98) * seconds
        return lambda: time.monotonic() > end

    def kill(self, begin: Begin, victim: Victim, seconds: float, moment: Callable[[], bool] | None = None) -> None:
        """Begin work and kill a part of it at a moment drawn from so many seconds, or when ``moment`` says so.

        The victim is that of :func:`chosen`, or processes that were there before, which a function returns. What ended
        before it could be killed is begun again, and killed earlier. All processes of the work must end soon after.
        """
        for attempt in range(_ATTEMPTS):
            if self._killed(begin, victim, moment or self.within(seconds / 2**attempt)):
                self.kills += 1
                return
        raise AssertionError(f"it ended before it could be killed, {_ATTEMPTS} times: {self.said}")

    def _killed(self, begin: Begin, victim: Victim, moment: Callable[[], bool]) -> bool:
        before = offspring()
        process = begin()
        while process.poll() is None:
            if moment() and (victims := self._victims(victim, process.pid, before)):
                break
            time.sleep(0.01)
        if process.poll() is not None:
            self.said = process.communicate()[1]
            return False
        for one in victims:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        self.said = process.communicate(timeout=120)[1]
        self.code = process.returncode
        if isinstance(victim, str) and not soon(lambda: not living(before), 10):
            self.alive += [f"{one.pid} {_command(one)[:80]}" for one in living(before)]
        return True

    def _victims(self, victim: Victim, begun: int, before: set[psutil.Process]) -> list[psutil.Process]:
        """Return who is to be killed; nobody if there is no such process yet."""
        if not isinstance(victim, str):
            return victim()
        return chosen(victim, begun, offspring() - before, self.draws)

    def look(self, folder: Path, unhurt: Path) -> None:
        """Find what stands under a final name in a folder and is neither whole nor as in the unhurt one."""
        self.lost += [str(path) for path in final(folder) if not is_whole(path, unhurt / path.relative_to(folder))]

    def compare(self, folder: Path, unhurt: Path) -> None:
        """Compare all tables and datasets of two folders, and find what was left half written or locked."""
        for other in final(unhurt):
            if other.suffix in (".csv", ".parquet", ".zarr"):
                own = folder / other.relative_to(unhurt)
                if not own.exists():
                    self.lost.append(f"{own} is missing")
                elif problem := difference(own, other):
                    self.unequal.append(f"{own}: {problem}")
        self.lost += [f"{path} is left" for path in folder.rglob(".*") if is_begun(path)]

    def verdict(self) -> None:
        """Hold that nothing was lost, no table differs and nobody works on."""
        assert self.kills and not (self.lost or self.unequal or self.alive), vars(self)


def offspring() -> set[psutil.Process]:
    """Return all processes below this one."""
    return set(psutil.Process().children(recursive=True))


#: Builds the book of given settings into a folder.
BUILD = """
import json, sys
from pathlib import Path
from helpers.config import Settings
from helpers.runs import book
print(book.build(Settings(**json.loads(sys.argv[1])), Path(sys.argv[2])))
"""


def settings_of(run: Path) -> dict[str, object]:
    """Return the settings of a run from what its notebooks have on record, each of which knows those that decide it."""
    records = {path.stem: read_record(path)["settings"] for path in sorted((run / "provenance").glob("*.json"))}
    known = {key: settings[key] for name, settings in records.items() for key in deciding_parameters(name)}
    return next(iter(records.values())) | known


def options_of(run: Path) -> list[str]:
    """Return the parameters of a run that its configuration does not have, each as ``key=value``."""
    used = settings_of(run)
    usual = load_config(used["config"]).model_dump(mode="json")
    return [f"{key}={value}" for key, value in used.items() if value != usual[key]]


def living(before: set[psutil.Process]) -> set[psutil.Process]:
    """Return the processes below this one that were not there before, and have not ended."""
    return {one for one in offspring() - before if not gone(one.pid)}


def chosen(victim: str, begun: int, processes: set[psutil.Process], draws: random.Random) -> list[psutil.Process]:
    """Return those of the processes of a work that are to be killed; none if there is no such victim yet.

    ``begun`` is the process that was begun, ``all`` are all at once, ``any`` is one of them. ``papermill`` and
    ``kernel`` are those of a notebook: a copy of the server of warm processes, or the one that was begun, and its
    child. Another word stands in the command line.
    """
    there = sorted((one for one in processes if not gone(one.pid)), key=lambda one: one.pid)
    first = [one for one in there if one.pid == begun]
    numbers = {one.pid for one in there}
    copies = [one for one in there if _parent(one) not in numbers and one.pid != begun]
    papermill = copies or first
    if victim in ("begun", "all"):
        return first if victim == "begun" else there
    if victim == "papermill":
        return papermill
    if victim == "kernel":
        return [one for one in there if _parent(one) in {two.pid for two in papermill}][:1]
    if victim == "any":
        return [draws.choice(there)] if there else []
    named = [one for one in there if victim in _command(one)]
    return [draws.choice(named)] if named else []


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def final(folder: Path) -> Iterator[Path]:
    """Yield the files and Zarr stores below a folder under their final names; links and logs do not count."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        aside = path.name.startswith(".") or path.name in ("logs", "unfinished") or path.suffix == ".partial"
        if aside or path.is_symlink():
            continue
        if path.is_dir() and path.suffix != ".zarr":
            yield from final(path)
        else:
            yield path


def is_begun(path: Path) -> bool:
    """Tell whether a hidden path is what this host had begun to write, or to replace."""
    return ".partial." in path.name or ".old." in path.name


def is_whole(path: Path, unhurt: Path) -> bool:
    """Tell whether a file is as in the unhurt folder, or a whole one of its kind; a store must have all its chunks."""
    if unhurt.exists() and digest(path) == digest(unhurt):
        return True
    if path.suffix == ".zarr":
        return not difference(path, unhurt) if unhurt.exists() else False
    return ends_well(path)


def ends_well(path: Path) -> bool:
    """Tell whether a file can be read to its end."""
    try:
        READERS.get(path.suffix, Path.read_bytes)(path)
    except (ValueError, OSError, zipfile.BadZipFile):
        return False
    return path.stat().st_size > 0 and path.read_bytes().rstrip().endswith(ENDS.get(path.suffix, b""))


def difference(own: Path, other: Path) -> str:
    """Return in words how two tables or two stores differ by more than 1e-9; nothing if they do not."""
    if digest(own) == digest(other):
        return ""
    try:
        if own.suffix == ".zarr":
            xr.testing.assert_allclose(xr.open_zarr(own).load(), xr.open_zarr(other).load(), rtol=1e-9, atol=1e-12)
            sizes = [sum(path.is_file() for path in one.rglob("*")) for one in (own, other)]
            return "" if sizes[0] == sizes[1] else f"{sizes[0]} files in place of {sizes[1]}"
        read = pd.read_csv if own.suffix == ".csv" else pd.read_parquet
        one, two = (read(path).drop(columns=list(MEASURED), errors="ignore") for path in (own, other))
        pd.testing.assert_frame_equal(one, two, rtol=1e-9, atol=1e-12)
    except (AssertionError, ValueError, OSError) as error:
        return " ".join(str(error).split())[:300]
    return ""
