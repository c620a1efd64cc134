"""What predicting a map costs: against cells, years, trees, threads, worker processes and the size of the blocks.

The forest of Eq. 1 is grown on sites of the synthetic grid of :mod:`engines` and evaluated by ``mapforest.predict``
from a Zarr cube into a Zarr store. There is one base case; each other case differs from it in one factor. Rounds go
through all cases, so that whatever else the machine does meets all of them. A case runs in a process of its own, so
that its memory is its own; numba's code is compiled, and the workers of a cluster are started, before the clock.

Run ``python benchmarks/scaling.py`` (about 10 minutes on 2 cores), or with ``--quick`` (about one). It writes
``data/benchmarks/scaling.csv``, or where ``--output`` says; the columns are explained beside it.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from engines import COLUMNS, FORESTS, sites_of, synthetic_grid
from measuring import MEASUREMENTS, cpu_seconds, in_child, resident_memory, write_table

from helpers.config import NPP_PREDICTORS
from mapforest.forest import RandomForest
from mapforest.predict import predict

STATIC = ("land_cover", "elevation", "soc")
SPACE = ("latitude", "longitude")


@dataclass(frozen=True)
class Case:
    """One prediction that is measured.

    Parameters
    ----------
    side : int
        Cells along each side of the cube; a multiple of 40.
    years : int
    trees : int
    threads : int
        That predict: of this process or, one each, of the workers.
    workers : int
        Processes of a local Dask cluster; 0: none.
    chunk : int
        Cells along each side of the cube's chunks, which are the blocks.
    """

    side: int
    years: int
    trees: int
    threads: int
    workers: int
    chunk: int


def cases(quick: bool) -> dict[str, list[Case]]:
    """Return the base case, and for each factor the cases that differ from it in this factor."""
    if quick:
        base = Case(side=80, years=5, trees=100, threads=2, workers=0, chunk=40)
        values = {"cells": (40, 160), "years": (1,), "trees": (500,), "threads": (1,), "workers": (1,), "chunk": (20,)}
    else:
        base = Case(side=400, years=19, trees=1500, threads=2, workers=0, chunk=100)
        values = {
            "cells": (200, 600, 800),
            "years": (1, 5, 10),
            "trees": (100, 500, 1000),
            "threads": (1,),
            "workers": (1, 2),
            "chunk": (50, 200),
        }
    changed = {"cells": ("side",), "workers": ("workers", "threads")}
    return {"base": [base]} | {
        factor: [replace(base, **dict.fromkeys(changed.get(factor, (factor,)), value)) for value in own]
        for factor, own in values.items()
    }


def write_cube(grid: np.ndarray, side: int, years: int, chunk: int, path: Path) -> None:
    """Write the first cells and years of a grid as the book's notebooks write a cube: all years in a chunk."""
    part = grid[:years, :side, :side]
    place = {
        "time": pd.date_range("2000", periods=years, freq="YS"),
        "latitude": 40.0 - 0.01 * np.arange(side),
        "longitude": 75.0 + 0.01 * np.arange(side),
    }
    fields = {
        name: (SPACE, part[0, ..., i]) if name in STATIC else (("time", *SPACE), part[..., i])
        for i, name in enumerate(COLUMNS)
    }
    cube = xr.Dataset(fields, place).chunk(time=-1, latitude=chunk, longitude=chunk)
    cube.to_zarr(path, mode="w", zarr_format=2, consolidated=True)


def grow(grid: np.ndarray, trees: int) -> RandomForest:
    """Return the forest of Eq. 1, grown on sites of the grid."""
    shape = FORESTS["npp"]
    sites, target = sites_of(grid, shape["n_sites"], shape["n_features"], seed=1)
    forest = RandomForest(
        NPP_PREDICTORS, trees, shape["mtry"], categorical=("land_cover",), threads=os.cpu_count() or 1
    )
    return forest.fit(pd.DataFrame(sites, columns=list(NPP_PREDICTORS)), target)


def spent(case: Case, cube: Path, forest: Path) -> dict[str, float]:
    """Return seconds on the clock, of processors, and the memory before, of predicting a cube into a store.

    Parameters
    ----------
    case : Case
    cube, forest : pathlib.Path
        A Zarr store, and a pickled forest.

    Returns
    -------
    dict of str to float
        ``wall_seconds``, ``cpu_seconds`` and ``before_mb``: resident memory of this process and its children before.
    """
    opened, grown = xr.open_zarr(cube), pickle.loads(forest.read_bytes())
    where = xr.ones_like(opened["elevation"], dtype=bool).compute()
    few = {axis: slice(8) for axis in SPACE}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=cube.parent)))
        client = stack.enter_context(_cluster(case.workers)) if case.workers else None
        warm = opened.isel(few).chunk(time=-1, latitude=4, longitude=4)
        predict(grown, warm, where.isel(few), threads=case.threads, client=client)
        before, start, cpu = resident_memory(os.getpid()), time.perf_counter(), cpu_seconds()
        predict(grown, opened, where, threads=case.threads, store=folder / "npp.zarr", client=client)
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return {"wall_seconds": round(wall, 3), "cpu_seconds": round(cpu, 3), "before_mb": round(before)}


def _cluster(workers: int):
    """Return a client of a new cluster on this machine; both are closed together."""
    from distributed import Client

    return Client(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, set_as_default=False)


def measure(chosen: dict[str, list[Case]], rounds: int) -> list[dict]:
    """Return a record for each case and round."""
    everything = [(factor, case) for factor, own in chosen.items() for case in own]
    grid = synthetic_grid(0, max(c.years for _, c in everything), max(c.side for _, c in everything))
    records = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        forests = {trees: folder / f"{trees}.pickle" for trees in {case.trees for _, case in everything}}
        for trees, path in forests.items():
            path.write_bytes(pickle.dumps(grow(grid, trees)))
        cubes = {(c.side, c.years, c.chunk): folder / f"{c.side}-{c.years}-{c.chunk}.zarr" for _, c in everything}
        for shape, path in cubes.items():
            write_cube(grid, *shape, path)
        del grid
        for number in range(rounds):
            for factor, case in everything:
                cube = cubes[case.side, case.years, case.chunk]
                seconds, peak = in_child(spent, case, cube, forests[case.trees])
                shown = {"cells": case.side**2} | {
                    name: value for name, value in asdict(case).items() if name != "side"
                }
                records.append({"factor": factor, **shown, "round": number + 1, **seconds, "peak_mb": round(peak)})
                print(factor, shown, seconds, file=sys.stderr, flush=True)
    return records


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all cases and write the table."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small cubes and forests, one round")
    parser.add_argument("--output", type=Path, default=MEASUREMENTS / "scaling.csv")
    options = parser.parse_args(given)
    records = measure(cases(options.quick), 1 if options.quick else options.rounds)
    write_table(records, options.output, __file__, given)
    print(pd.DataFrame(records).to_string(index=False))


if __name__ == "__main__":
    main()
