"""What people wait for: the environment, the books, the whole job at 1 km, the sweep, the tests.

A commit is cloned into a fresh folder, where ``make`` makes its environment, with empty caches. Then each row is
measured from nothing but that environment: runs, pages, compiled code and caches of the row before are removed.
Processor time and peak memory are those of all processes of the row. A fixed loop of Python, NumPy and Numba, run on
every core before and after each row, says how fast the machine is at that time: ratios are corrected by it.

The sweep is ``full_open_sample.yml``, 24 of the 565 cells that ``full-open`` had at first. Its seconds are multiplied
by what all stages would take, divided by what these took; a stage takes the mean of its notebook. Rows that need the
files of the open configuration need ``QTP_DATA_MIRROR``, since no download is to be measured.

``make bench`` calls it (an hour and a half on 2 cores that do nothing else), or ``python benchmarks/waits.py --rows
test --repeat 1``. ``--commit`` measures an older state of the book by the same rules. The measured rows replace those
of the same label in ``data/benchmarks/waits.csv``, whose columns are explained beside it, and are compared with the
label before it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from measuring import MEASUREMENTS, machine, watched

from helpers import costs
from helpers.config import project_root

SAMPLE = Path(__file__).with_name("full_open_sample.yml")
SAMPLE_AT_FIRST = Path(__file__).with_name("full_open_sample_e023e60.yml")  # in words that some settings had before
#: What is called in the clone, by row.
COMMANDS = {
    "environment": ("make", "environment"),
    "book-virtual": ("make", "book", "CONFIG=virtual"),
    "book-open": ("make", "book", "CONFIG=open"),
    "job-1km": (".venv/bin/python", "benchmarks/whole_job.py", "--output", "_build/whole_job.csv"),
    "sweep-full-open": ("make", "sweep", f"SWEEP=_build/{SAMPLE.name}"),
    "test": ("make", "test"),
}
OF_FILES = ("book-open", "sweep-full-open")  # rows that read the files of the open configuration
#: Stages of the 565 cells, by notebook.
STAGES = {"01_data_preparation": 9, "02_npp_random_forest": 103, "03_rs_random_forest": 129, "04_rh_and_nep": 565}


# -- the machine -----------------------------------------------------------------------------------


def calibration() -> float:
    """Return the seconds of a fixed loop of Python, NumPy and Numba, the mean over all cores, all at once."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return float(np.mean(pool.map(_loop, range(cores), chunksize=1)))


def _loop(_: int) -> float:
    """Return the seconds of the loop on one core; compiling is not in them."""
    _walk(np.zeros(2), 1)
    values = np.random.default_rng(0).random(400_000)
    began = time.perf_counter()
    _walk(values, 200)
    for _ in range(30):
        np.sort(values)
    words = {number: str(number) for number in range(2_000_000)}
    assert len(words) == 2_000_000
    return time.perf_counter() - began


@numba.njit
def _walk(values: np.ndarray, times: int) -> float:
    total = 0.0
    for _ in range(times):
        for value in values:
            total += value if value > 0.5 else -1.0 / (1.0 + value)
    return total


# -- a clone ---------------------------------------------------------------------------------------


class Clone:
    """A commit in a folder of its own, with its own environment."""

    def __init__(self, commit: str, folder: Path) -> None:
        self.folder = folder
        _git("clone", "--quiet", str(project_root()), str(folder))
        _git("-C", str(folder), "checkout", "--quiet", commit)
        self.commit = _git("-C", str(folder), "rev-parse", "--short", "HEAD")
        hidden = (
            "VIRTUAL_ENV",
            "PYTHONPATH",
            "MAKEFLAGS",
            "MAKELEVEL",
            "QTP_RUNS_DIR",
            "QTP_BOOK_ROOT",
            "UV_CACHE_DIR",
        )
        own = {"XDG_CACHE_HOME": str(folder / ".cache"), "QTP_DATA_DIR": str(folder / ".cache" / "data")}
        python = {"PYTHON": sys._base_executable}
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden} | own | python
        self._made_ahead: list[str] = []

    def run(self, row: str) -> dict[str, float]:
        """Run the command of a row from nothing; return its seconds and its memory.

        RuntimeError is raised if it fails; its own words are in ``_build/bench.log`` below the checkout.
        """
        self._clear(environment_too=row == "environment")
        if row == "sweep-full-open":
            (self.folder / "_build").mkdir(exist_ok=True)
            today = (self.folder / "src" / "helpers" / "sweeps").is_dir()
            shutil.copy(SAMPLE if today else SAMPLE_AT_FIRST, self.folder / "_build" / SAMPLE.name)
        spent = self._measured(COMMANDS[row])
        if row == "environment":  # what it compiled ahead of the first run stays
            self._made_ahead = self._untracked()
        if row == "job-1km":  # the memory of its notebooks, without the script that calls them
            spent["peak_mb"] = pd.read_csv(self.folder / "_build/whole_job.csv", comment="#")["peak_mb"].max()
        if row == "sweep-full-open":
            scale = scale_of(self.folder / "runs" / "sweeps" / SAMPLE.stem)
            spent |= {name: scale * spent[name] for name in ("wall_seconds", "cpu_seconds")}
        return {name: round(float(value), 1) for name, value in spent.items()}

    def _measured(self, command: Sequence[str]) -> dict[str, float]:
        """Return what a command in this folder uses."""
        log = project_root() / "_build" / "bench.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("w") as words:
            began = time.perf_counter()
            process = subprocess.Popen(command, cwd=self.folder, env=self._environment, stdout=words, stderr=words)
            cpu, peak = watched(process.pid, lambda: process.poll() is None, interval=0.2)
            wall = time.perf_counter() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed, see {log}: nothing of it is measured")
        return {"wall_seconds": wall, "cpu_seconds": cpu, "peak_mb": peak}

    def _clear(self, environment_too: bool) -> None:
        """Remove what the rows before have left."""
        kept = [] if environment_too else [".venv", *self._made_ahead]
        _git("-C", str(self.folder), "clean", "-ffdxq", *(f"--exclude=/{name}" for name in kept))

    def _untracked(self) -> list[str]:
        """Return what lies here beside the commit's files, the environment and caches."""
        listed = _git("-C", str(self.folder), "ls-files", "--others", "--exclude=/.venv", "--exclude=/.cache")
        return listed.splitlines()


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), check=True, capture_output=True, text=True).stdout.strip()


def scale_of(sample: Path) -> float:
    """Return how many times the seconds of a sample the whole sweep takes, by the stages in the sample's folder."""
    spent = {name: [] for name in STAGES}
    for path in sample.glob("stages/*/*/status.json"):
        spent[path.parts[-3]].append(json.loads(path.read_text(encoding="utf-8"))["wall_seconds"])
    means = {name: sum(own) / len(own) for name, own in spent.items()}
    return sum(means[name] * count for name, count in STAGES.items()) / sum(map(sum, spent.values()))


# -- rows ------------------------------------------------------------------------------------------


def measure(commit: str, label: str, rows: Sequence[str], repeats: int) -> Iterable[dict[str, object]]:
    """Yield a record of each repetition, in which the rows take turns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        clone = Clone(commit, Path(made, "book"))
        if "environment" not in rows:
            clone.run("environment")
        before = calibration()
        for repeat in range(repeats):
            for row in rows:
                try:
                    spent = clone.run(row)
                except RuntimeError as problem:
                    print(problem, file=sys.stderr, flush=True)
                    continue
                after = calibration()
                print(label, clone.commit, row, spent, file=sys.stderr, flush=True)
                yield {
                    "label": label,
                    "commit": clone.commit,
                    "row": row,
                    "repeat": repeat + 1,
                    **spent,
                    "calibration_seconds": round((before + after) / 2, 3),
                    "date": f"{datetime.now(UTC):%Y-%m-%d}",
                    **machine(),
                }
                before = after


def kept(output: Path, label: str, rows: Iterable[str]) -> pd.DataFrame:
    """Return the table that is there, less the rows of a label that are measured anew."""
    if not output.is_file():
        return pd.DataFrame()
    table = pd.read_csv(output, comment="#", dtype={"commit": str})
    return table[(table["label"] != label) | ~table["row"].isin(list(rows))]


def chosen_rows(named: str) -> list[str]:
    """Return the rows that a text names, all for an empty one, less those whose files are not at hand.

    SystemExit is raised for a row that is not known.
    """
    rows = named.replace(",", " ").split() or list(COMMANDS)
    if unknown := [row for row in rows if row not in COMMANDS]:
        raise SystemExit(f"no row {', '.join(unknown)}; there are: {', '.join(COMMANDS)}")
    if not os.environ.get("QTP_DATA_MIRROR"):
        for row in set(rows) & set(OF_FILES):
            print(f"{row}: not measured, it needs QTP_DATA_MIRROR", file=sys.stderr)
        rows = [row for row in rows if row not in OF_FILES]
    return rows


def report(table: pd.DataFrame, label: str) -> str:
    """Return, as text, the rows of a label beside those of the label before it, with a mark where one is slower."""
    compared = costs.compared(table)
    others = [name for name in compared["label"].cat.categories if name != label]
    if not others:
        return compared.to_string(index=False)
    compared = costs.compared(table, against=others[-1]).query("label == @label")
    mark = compared["ratio"].gt(costs.SLOWER).map({True: "<-- SLOWER", False: ""})
    return f"ratio: {label} by {others[-1]}\n" + compared.assign(mark=mark).to_string(index=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rows, write them into the table, anew after each, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help=f"of {', '.join(COMMANDS)}; all if none is named")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--commit", default="HEAD", help="what is measured; changes that are not committed are not")
    parser.add_argument("--label", default="now", help="what the measurement is called in the table")
    parser.add_argument("--output", type=Path, default=MEASUREMENTS / "waits.csv")
    options = parser.parse_args(arguments)
    rows = chosen_rows(options.rows)
    table = kept(options.output, options.label, rows)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for record in measure(options.commit, options.label, rows, options.repeat):
        table = pd.concat([table, pd.DataFrame([record])], ignore_index=True)
        first = f"# make bench, {datetime.now(UTC):%Y-%m-%d}\n"
        options.output.write_text(first + table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    print(report(table, options.label))
    if len(table.query("label == @options.label and row in @rows")) < len(rows) * options.repeat:
        raise SystemExit("a row failed, see above: nothing of it is in the table")


if __name__ == "__main__":
    main()
