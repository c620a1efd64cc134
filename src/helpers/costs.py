"""What the calculation costs: reading measured times and memory, a line through them, and what follows for larger maps.

The tables are measured by the scripts in ``benchmarks/`` and kept in ``data/benchmarks/``, where their columns are
explained. Nothing is measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.config import project_root
from helpers.errors import DataError

FACTORS = ("cells", "years", "trees", "threads", "workers", "chunk")
LINEAR = FACTORS[:3]  #: Factors against which the seconds grow as a line.
#: The tables, by what they measure: file in ``data/benchmarks/``, the script that makes it, its first columns.
TABLES = {
    "engines": ("engines.csv", "benchmarks/engines.py", ("forest", "engine", "rows_per_second", "ratio", "peak_mb")),
    "scaling": ("scaling.csv", "benchmarks/scaling.py", ("factor", *FACTORS, "wall_seconds", "cpu_seconds", "peak_mb")),
    "paper's products": (
        *("paper_tenth.csv", "benchmarks/whole_job.py --config benchmarks/paper_tenth.yml"),
        ("notebook", "cells", "wall_seconds", "peak_mb", "written_mb"),
    ),
    "what people wait for": (
        *("waits.csv", "benchmarks/waits.py"),
        ("label", "commit", "row", "wall_seconds", "cpu_seconds", "peak_mb", "calibration_seconds"),
    ),
    "ten times the cells": (
        *("ten_times.csv", "benchmarks/whole_job.py --config benchmarks/ten_times.yml"),
        ("notebook", "plateau_cells", "years", "trees", "wall_seconds", "cpu_seconds", "peak_mb", "written_mb"),
    ),
    "whole job": ("whole_job.csv", "benchmarks/whole_job.py", ("notebook", "wall_seconds", "cpu_seconds", "peak_mb")),
}
#: Areas in million km2: the plateau as in the paper, China, and the land of the Earth.
REGIONS = {"plateau": 2.56, "China": 9.6, "land of the Earth": 149.0}
FORESTS = 2  # NPP and Rs
YEARLY, STATIC, BYTES = 5, 3, 4  # covariates of Eqs. 1 and 2 with and without years; bytes of a float32
NOT_MEASURED = "(not measured)"
SLOWER = 1.2  #: A ratio above it is no accident of the machine.
#: What ``make bench`` measures, by row of its table.
WAITS = {
    "environment": "environment from the lock",
    "book-virtual": "make book, virtual",
    "book-open": "make book, open",
    "job-1km": "notebooks 01 to 05 at 1 km",
    "sweep-full-open": "sweep full-open",
    "test": "make test",
}


@dataclass(frozen=True)
class Straight:
    """A straight line through the seconds of a factor's values: ``intercept + slope * value``."""

    intercept: float  #: Seconds that a map costs whatever the factor.
    slope: float  #: Seconds for one more cell, year or tree.
    r2: float  #: Share of the variance of the seconds that the line explains.


@dataclass(frozen=True)
class CostLine:
    """Seconds against the number of cells and years: ``intercept + slope * cell_years``."""

    intercept: float  #: Seconds that a map costs whatever its size.
    slope: float  #: Seconds for a million cells in one year.
    threads: int  #: Threads that worked.
    r2: float  #: Share of the variance of the seconds that the line explains.


def _path(name: str) -> Path:
    return project_root() / "data" / "benchmarks" / TABLES[name][0]


def read_measurements(name: str) -> pd.DataFrame:
    """Return a table of :data:`TABLES`; it has no rows where nothing was measured.

    DataError is raised if a column is missing.
    """
    path, columns = _path(name), list(TABLES[name][2])
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    table = pd.read_csv(path, comment="#")
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{path.name} lacks {', '.join(missing)}; it has {', '.join(table)}: run {TABLES[name][1]}")
    return table


def headline(name: str) -> str:
    """Return, as Markdown, how and when a table was measured; or the command that makes it where it is not there."""
    path = _path(name)
    if not path.is_file():
        return f"**Not measured: {name}.** `python {TABLES[name][1]}` makes `{path.name}` in `data/benchmarks/`."
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    if not first.startswith("# "):
        return f"Measured: {name}."
    command, _, date = first.removeprefix("# ").rpartition(", ")
    return f"Measured: {name}, by `{command}` on {date}."


def machine(*tables: pd.DataFrame) -> str:
    """Return the machine that tables were measured on, as words; every one, if they differ.

    Examples
    --------
    >>> machine(pd.DataFrame({"processor": ["EPYC"], "cores": [2], "memory_gb": [24], "system": ["Linux"]}))
    'EPYC, 2 cores, 24 GB, Linux'
    """
    keys = ["processor", "cores", "memory_gb", "system"]
    rows = [row for table in tables if set(keys) <= set(table) for row in table[keys].itertuples(index=False)]
    words = [f"{row.processor}, {row.cores} cores, {row.memory_gb} GB, {row.system}" for row in rows]
    return "; ".join(dict.fromkeys(words)) or NOT_MEASURED


def cases(measured: pd.DataFrame) -> pd.DataFrame:
    """Return one row per case: medians over the rounds of the table ``scaling``, and the fastest and slowest.

    Columns are ``factor``, the factors, ``wall_seconds``, ``fastest``, ``slowest``, ``cpu_seconds``, ``peak_mb``,
    ``rounds``, and ``cube_mb``: the covariates of both forests, were they held in memory.
    """
    keys = ["factor", *FACTORS]
    table = (
        measured.groupby(keys, sort=False)
        .agg(
            wall_seconds=("wall_seconds", "median"),
            fastest=("wall_seconds", "min"),
            slowest=("wall_seconds", "max"),
            cpu_seconds=("cpu_seconds", "median"),
            peak_mb=("peak_mb", "median"),
            rounds=("wall_seconds", "size"),
        )
        .reset_index()
    )
    return table.assign(cube_mb=BYTES * (YEARLY * table["years"] + STATIC) * table["cells"] / 2**20)


def of_factor(table: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Return the cases of :func:`cases` in which one factor varies, with the base case, in its order."""
    return table[table["factor"].isin(["base", factor])].sort_values(factor, ignore_index=True)


def straight(table: pd.DataFrame, factor: str) -> Straight | None:
    """Fit a line through the seconds of :func:`cases` against the values of a factor, by least squares.

    None comes back where fewer than three values were measured.
    """
    varied = of_factor(table, factor)
    if varied[factor].nunique() < 3:
        return None
    amount, seconds = varied[factor].to_numpy(float), varied["wall_seconds"].to_numpy()
    slope, intercept = np.polyfit(amount, seconds, 1)
    rest = seconds - intercept - slope * amount
    r2 = 1 - rest @ rest / np.sum((seconds - seconds.mean()) ** 2)
    return Straight(float(intercept), float(slope), float(r2))


def cost_line(table: pd.DataFrame) -> CostLine | None:
    """Return the line through the cells, :func:`straight`, for a million cells in one year.

    Examples
    --------
    >>> case = {"factor": "cells", "years": 10, "threads": 2}
    >>> rows = [case | {"cells": n, "wall_seconds": 1 + 2e-5 * n} for n in (100_000, 200_000, 400_000)]
    >>> line = cost_line(pd.DataFrame(rows))
    >>> round(line.intercept, 6), round(line.slope, 6), round(line.r2, 6)
    (1.0, 2.0, 1.0)
    """
    line, varied = straight(table, "cells"), of_factor(table, "cells")
    if line is None:
        return None
    years, threads = (int(varied[name].iloc[0]) for name in ("years", "threads"))
    return CostLine(line.intercept, 1e6 * line.slope / years, threads, line.r2)


def projection(line: CostLine, cores: int, years: int = 19) -> pd.DataFrame:
    """Return what both forests cost at 1 km for larger regions, were all cores as fast as those that were measured.

    ``core_hours = forests * slope * million_cells * years * threads / 3600``, with cells of 1 km2. Blocks do not depend
    on each other, so cores add up as long as files are read and written fast enough. The intercept is left out. The
    columns are ``region``, ``million_cells``, ``core_hours``, ``minutes`` on all cores, and ``covariates_GB`` and
    ``maps_GB``: what is read and written, before compression.

    Examples
    --------
    >>> projection(CostLine(0.0, 2.0, 2, 1.0), 100).set_index("region").loc["China", ["million_cells", "core_hours"]]
    million_cells    9.600000
    core_hours       0.405333
    Name: China, dtype: float64
    """
    cells = pd.Series(REGIONS)
    core_hours = FORESTS * line.slope * cells * years * line.threads / 3600
    return pd.DataFrame(
        {
            "million_cells": cells,
            "core_hours": core_hours,
            "minutes": 60 * core_hours / cores,
            "covariates_GB": BYTES * (YEARLY * years + STATIC) * cells / 1e3,
            "maps_GB": BYTES * FORESTS * years * cells / 1e3,
        }
    ).reset_index(names="region")


def compared(runs: pd.DataFrame, against: str | None = None) -> pd.DataFrame:
    """Return medians by row and label of the table ``what people wait for``, and their ratios to another label.

    ``against`` is the label that the others are divided by; the first in the table if it is None. ``ratio`` is of the
    seconds on the clock and ``cpu_ratio`` of those of processors, each divided by the seconds of the calibration loop
    first, since a machine is not equally fast at all times. Both are missing where the row was not measured under that
    label.

    Examples
    --------
    >>> one = {"row": "test", "commit": "a", "cpu_seconds": 9.0, "peak_mb": 1.0}
    >>> before = one | {"label": "before", "wall_seconds": 10.0, "calibration_seconds": 1.0}
    >>> after = one | {"label": "after", "wall_seconds": 12.0, "calibration_seconds": 1.5}
    >>> compared(pd.DataFrame([before, after]))["ratio"].tolist()
    [1.0, 0.8]
    """
    seconds = ["wall_seconds", "cpu_seconds", "peak_mb", "calibration_seconds"]
    groups = runs.groupby(["row", "label"], sort=False)
    table = groups[seconds].median().assign(repeats=groups.size(), commit=groups["commit"].last()).reset_index()
    labels = list(dict.fromkeys(runs["label"]))
    table["label"] = pd.Categorical(table["label"], labels)
    rank = {row: place for place, row in enumerate(WAITS)}
    table = table.sort_values("row", key=lambda rows: rows.map(rank), kind="stable", ignore_index=True)
    reference = table[table["label"] == (against or next(iter(labels), ""))].set_index("row")
    for ratio, name in (("ratio", "wall_seconds"), ("cpu_ratio", "cpu_seconds")):
        own = table[name] / table["calibration_seconds"]
        other = table["row"].map(reference[name] / reference["calibration_seconds"]).astype(float)
        table[ratio] = (own / other).round(3)
    return table[["row", "label", "commit", "repeats", *seconds, "ratio", "cpu_ratio"]]


def of_waits(table: pd.DataFrame) -> dict[str, str]:
    """Return, as text by glued name, what the first and the last label of :func:`compared` took, and their ratio.

    ``_first`` and ``_last`` are seconds on the clock, ``_processors`` those of all processors of the last label.
    """
    labels = list(table["label"].cat.categories)
    named = {}
    for row in WAITS:
        own = table[table["row"] == row].set_index("label")
        first, last = (own["wall_seconds"].get(labels[place]) if labels else None for place in (0, -1))
        ratio = own["ratio"].get(labels[-1]) if len(labels) > 1 else None
        processors = own["cpu_seconds"].get(labels[-1]) if labels else None
        name = row.replace("-", "_")
        named |= {
            f"{name}_first": _text(first, ",.0f"),
            f"{name}_last": _text(last, ",.0f"),
            f"{name}_processors": _text(processors, ",.0f"),
            f"{name}_ratio": _text(ratio, ".2f"),
        }
    return named


#: Cells of the paper's box, 73-105 E, 25.99-40 N, at 0.01 degree.
PAPER_CELLS = 3200 * 1401


def of_paper(tenth: pd.DataFrame) -> dict[str, str]:
    """Return what the configuration ``paper`` costs, as text by glued name; words where it was not measured.

    The table is that of the ``paper's products``: notebooks on a part of the cells, from files in the products'
    formats. Time and disk grow with the cells (:func:`cost_line`), memory does not. What an archive takes to give out
    its files is not in the time; the files are in the bytes.
    """
    notebooks = tenth.dropna(subset=["cells"])
    factor = PAPER_CELLS / notebooks["cells"].iloc[0] if len(notebooks) else np.nan
    minutes, disk = notebooks["wall_seconds"].sum() / 60, tenth["written_mb"].sum() / 1024
    known = {
        "tenth_minutes": minutes,
        "tenth_memory": notebooks["peak_mb"].max() / 1024,
        "tenth_disk": disk,
        "paper_hours": factor * minutes / 60,
        "paper_disk": factor * disk,
    }
    return {name: _text(value if len(notebooks) else None, ".2g") for name, value in known.items()}


def of_ten_times(tried: pd.DataFrame, job: pd.DataFrame) -> dict[str, str]:
    """Return what ten times the cells took, as one sentence by its glued name, also where they were not tried.

    The tables are ``ten times the cells`` and the ``whole job``, whose peak memory the other is divided by.
    """
    if tried.empty:
        return {"ten_times": "Ten times the cells of the plateau were not tried on this machine."}
    beside = ""
    if len(job):
        largest, usual = tried["peak_mb"].max(), job["peak_mb"].max()
        per_cell = (largest - usual) * 2**20 / (tried["cells"].max() - job["cells"].max())
        beside = (
            f", {largest / usual:.1f} times the memory of the whole calculation at 1 km, or {per_cell:.0f} bytes for "
            "each further cell of the grid"
        )
    sentence = (
        f"Ten times the cells of the plateau were tried once, with {tried['years'].max():.0f} years and "
        f"{tried['trees'].max():.0f} trees: {tried['plateau_cells'].max() / 1e6:.1f} million cells took "
        f"{tried['wall_seconds'].sum() / 60:.1f} minutes and at most {tried['peak_mb'].max() / 1024:.1f} GB{beside}."
    )
    return {"ten_times": sentence}


def numbers(engines: pd.DataFrame, table: pd.DataFrame, job: pd.DataFrame, cores: int) -> dict[str, str]:
    """Return the numbers that the page on scaling shows, as text by glued name; words where one was not measured.

    ``engines`` and ``job`` are tables of :func:`read_measurements`, and ``table`` is that of :func:`cases`. The
    projection is for ``cores`` that work side by side.
    """
    pruned = engines[engines["engine"] == "pruned groups"].set_index("forest")
    named = {
        "cores": str(cores),
        "ratio_npp": _text(pruned["ratio"].get("npp"), ".1f"),
        "ratio_rs": _text(pruned["ratio"].get("rs"), ".1f"),
        "million_rows_per_second": _text(pruned["rows_per_second"].min() / 1e6, ".2f"),
        "job_minutes": _text(job["wall_seconds"].sum() / 60 if len(job) else None, ".1f"),
        "job_gigabytes": _text(job["peak_mb"].max() / 1024, ".1f"),
    }
    line = cost_line(table)
    known = line or CostLine(np.nan, np.nan, 1, np.nan)
    named |= {
        "intercept": _text(known.intercept, ".1f"),
        "slope": _text(known.slope, ".2g"),
        "core_seconds": _text(known.slope * known.threads, ".2g"),
    }
    for row in projection(known, cores).to_dict("records"):
        region = row.pop("region").split()[-1].lower()
        named |= {f"{region}_{key}": _rounded(value) if line else NOT_MEASURED for key, value in row.items()}
    for factor in FACTORS:
        varied = of_factor(table, factor)
        several = len(varied) > 1
        growth = {
            key: varied[key].iloc[-1] / varied[key].iloc[0] if several else None for key in ("wall_seconds", "peak_mb")
        }
        named |= {
            f"{factor}_from": _text(varied[factor].min(), ",.0f"),
            f"{factor}_to": _text(varied[factor].max(), ",.0f"),
            f"{factor}_seconds": _text(growth["wall_seconds"], ".2g"),
            f"{factor}_memory": _text(growth["peak_mb"], ".2f"),
        }
    for factor in LINEAR:
        fitted = straight(table, factor)
        named[f"{factor}_r2"] = _text(fitted.r2 if fitted else None, ".3f")
    return named


def _text(value: float | None, form: str) -> str:
    return NOT_MEASURED if value is None or not np.isfinite(value) else format(value, form)


def _rounded(value: float) -> str:
    """Return a number with two significant digits.

    Examples
    --------
    >>> _rounded(1234.5), _rounded(0.01234), _rounded(56.4)
    ('1,200', '0.012', '56')
    """
    return f"{float(f'{value:.2g}'):,.15g}"
