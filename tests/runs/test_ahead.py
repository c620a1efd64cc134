"""What the environment compiles ahead is what a book needs."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from helpers.runs.ahead import compile_forests
from helpers.runs.warm import OF_PAGES, TOOLS_OF_PAGES
from mapforest import intervals, kernel, leaf_weights, traversal
from mapforest.forest import RandomForest


@pytest.mark.parametrize("module", (*OF_PAGES, *TOOLS_OF_PAGES, "snakemake.cli"))
def test_the_tools_are_there(module):
    assert find_spec(module)


def test_a_map_needs_nothing_that_was_not_compiled_ahead():
    """Numba compiles a function anew for arguments of other types: ten seconds, in each of two notebooks at once."""
    compile_forests()
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"lai": rng.random(9_000), "soil": rng.integers(0, 4, 9_000)})
    forest = RandomForest(["lai", "soil"], n_trees=3, categorical=["soil"], threads=2).fit(
        table[:50], table["lai"][:50]
    )
    forest.compiled.predict(forest.encode(table), threads=2)
    intervals.quantiles(intervals.grow(forest), table, [0.05, 0.5, 0.95])
    places = table[:300].assign(longitude=rng.uniform(80, 100, 300), latitude=rng.uniform(30, 38, 300))
    kernel.MeanVariance(forest, places[:50], places[50:], np.ones(250), 150.0, 0.5).measure(7)
    called = [traversal._rank, traversal._traverse, leaf_weights._traverse, kernel._covariance]
    assert [len(function.signatures) for function in called] == [1] * len(called)
