"""Compiles once, ahead, what otherwise every process of a first book compiles for itself.

``python -m helpers.runs.ahead`` imports what notebooks and pages import, so that Python keeps their bytecode, and calls
the compiled functions of :mod:`mapforest`, so that Numba keeps their machine code. Without it the two forests, which
begin side by side, would both compile the same functions for ten seconds.
"""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ProcessPoolExecutor


def compile_forests() -> None:
    """Grow two forests of a few rows; ask for predictions, quantiles and likeness: that compiles all that maps need."""
    import numpy as np
    import pandas as pd

    from mapforest import intervals, kernel
    from mapforest.forest import RandomForest

    table = pd.DataFrame(dict.fromkeys(("x", "longitude", "latitude"), np.linspace(0.0, 1.0, 20)))
    forest = RandomForest(["x"], n_trees=3).fit(table, table["x"])
    forest.predict(table)
    intervals.quantiles(intervals.grow(forest), table, [0.1, 0.9])
    kernel.MeanVariance(forest, table, table, np.ones(20), 1.0, 1.0)


def import_notebooks() -> None:
    """Import what the server of warm processes imports."""
    _keep_bytecode()
    from helpers.runs.warm import import_for_notebooks

    import_for_notebooks()


def import_tools() -> None:
    """Compile the forests, then import what orders the notebooks and what makes pages."""
    _keep_bytecode()
    compile_forests()
    from helpers.runs.warm import import_for_pages

    importlib.import_module("snakemake.cli")
    import_for_pages()


def _keep_bytecode() -> None:
    # Where the environment forbids it, each process would compile thousands of modules anew: that is what this is for.
    sys.dont_write_bytecode = False


def main() -> int:
    """Run ``python -m helpers.runs.ahead``; return the exit code."""
    # Each begins with what the other comes to late, and finds what the other has compiled.
    with ProcessPoolExecutor(2) as pool:
        for done in [pool.submit(import_notebooks), pool.submit(import_tools)]:
            done.result()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
