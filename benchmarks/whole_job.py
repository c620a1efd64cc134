"""What the whole calculation costs: notebooks 01 to 05 one after another, each with its time and memory.

Each notebook is executed by papermill through ``python -m helpers.runs.execute``, as ``make run`` does, in a fresh
folder beside the runs, which is removed at the end. Peak memory is that of all its processes, looked at every 0.2 s.

The paper's own products are measured on files that are made up in their formats: their writing, in the table's first
row, stands for their download. Written bytes count the archive's files and the layers that are aligned, too.

Run ``python benchmarks/whole_job.py`` for the configuration ``virtual-1km`` (about a quarter of an hour on 2 cores; try
it first with ``-p resolution 0.25``). It writes ``data/benchmarks/whole_job.csv``, or where ``--output`` says; the
columns are explained beside it. ``--config benchmarks/paper_tenth.yml`` is a tenth of the paper's plateau, from its
products, and goes to ``data/benchmarks/paper_tenth.csv``; ``--config benchmarks/ten_times.yml`` is ten times the cells.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr
from measuring import MEASUREMENTS, watched, write_table

from helpers.config import load_config, project_root
from helpers.runs.files import runs_folder
from helpers.runs.steps import STEPS
from helpers.strict_yaml import parsed

NOTEBOOKS = tuple(STEPS)[:5]
FETCH = "make data"  # stands before the notebooks where an archive is made up


def executed(notebook: str, options: Sequence[str], runs: Path, made_up: bool) -> dict[str, float]:
    """Execute a notebook; return its seconds on the clock and of processors, its peak memory, and what it wrote.

    Raises
    ------
    RuntimeError
        If the notebook fails; its own message is on standard error.
    """
    execute = ["helpers.runs.fetch"] if notebook == FETCH else ["helpers.runs.execute", f"notebooks/{notebook}.ipynb"]
    command = [sys.executable, "-m", *execute, *options]
    held, start = _bytes(runs), time.perf_counter()
    folders = (
        {"QTP_RUNS_DIR": str(runs), "QTP_DATA_DIR": str(runs / "archive")} if made_up else {"QTP_RUNS_DIR": str(runs)}
    )
    process = subprocess.Popen(command, cwd=project_root(), env=os.environ | folders)
    cpu, peak = watched(process.pid, lambda: process.poll() is None, interval=0.2)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{notebook} failed, see above: nothing of it is measured")
    return {
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_mb": round(peak),
        "written_mb": round((_bytes(runs) - held) / 2**20, 1),
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(
    config: str, parameters: Sequence[Sequence[str]], notebooks: Sequence[str], output: Path, given: Sequence[str]
) -> None:
    """Execute the notebooks and write the table, anew after each."""
    settings = load_config(config, {key: parsed(value, key) for key, value in parameters})
    options = ["--config", config, *(part for pair in parameters for part in ("-p", *pair))]
    records: list[dict] = []
    runs_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="whole_job-", dir=runs_folder()) as made:
        if settings.made_up:
            before = {"config": settings.config, "resolution": settings.resolution, "threads": settings.threads}
            records.append({**before, "notebook": FETCH, **executed(FETCH, options, Path(made), True)})
        for notebook in notebooks:
            spent = executed(notebook, options, Path(made), settings.made_up)
            with xr.open_zarr(Path(made) / settings.run / "cube.zarr") as cube:
                size = {"cells": cube["in_region"].size, "plateau_cells": int(cube["in_region"].sum())}
                size["years"] = cube.sizes["time"]
            fixed = {"config": settings.config, "resolution": settings.resolution, "threads": settings.threads, **size}
            records.append({**fixed, "trees": settings.n_trees, "notebook": notebook, **spent})
            write_table(records, output, __file__, given)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the notebooks and write the table."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="virtual-1km", help="name of a configuration, or path of a YAML file")
    parser.add_argument("--notebooks", nargs="+", choices=NOTEBOOKS, default=list(NOTEBOOKS), metavar="NAME")
    pair = ("KEY", "VALUE")
    parser.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=pair)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(given)
    named = Path(options.config).stem if options.config.endswith(".yml") else "whole_job"
    output = options.output or MEASUREMENTS / f"{named}.csv"
    measure(options.config, options.parameters, options.notebooks, output, given)
    print(pd.read_csv(output, comment="#").iloc[:, :12].to_string(index=False))


if __name__ == "__main__":
    main()
