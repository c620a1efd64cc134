"""What several tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from helpers.config import load_config, project_root
from helpers.runs import warm
from helpers.runs.files import child_environment

# A slow machine is no wrong result: no test fails for the time it takes, nor for that of drawing its examples.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
settings.load_profile("untimed")

# Estimators on two threads must agree with one; a test machine's own setting must not decide.
os.environ.setdefault("MPLBACKEND", "Agg")
# Threads of OpenMP wait by spinning: where workers share the cores, a boosted tree took minutes in place of a second.
os.environ.setdefault("OMP_NUM_THREADS", "1")


#: Files that take longest, in the order in which they begin: what begins last keeps one worker waiting for another.
#: The first two need nothing of each other.
LONGEST = (
    "book/test_built_book.py",
    "notebooks/test_sweep_run.py",
    "notebooks/test_made_up.py",
    "notebooks/test_execution.py",
    "notebooks/test_workflow.py",
    "notebooks/test_reproducible.py",
    "book/test_executed_only.py",
    "balance/test_draws.py",
    "mapforest/test_predict.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    here = Path(__file__).parent
    rank = {here / name: place for place, name in enumerate(LONGEST)}
    if gone := [str(path) for path in rank if not path.is_file()]:
        raise pytest.UsageError(f"LONGEST of {__file__} names files that are not there: {', '.join(gone)}")
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the trials of the tests that kill processes: see faults/trials.py."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    ended = [report for report in reports if getattr(report, "when", "") == "teardown"]
    found = [trials for report in ended if (trials := dict(report.user_properties).get("trials"))]
    counts = {key: sum(trials[key] for trials in found) for key in ("kills", "lost", "unequal", "alive")}
    if found:
        words = "{kills} kills: {lost} files lost or half written, {unequal} tables unequal, {alive} processes left"
        terminalreporter.write_line(words.format(**counts))


@pytest.fixture(scope="session")
def real_data() -> None:
    """Skip, and say so, where the files of the configuration ``open`` are neither mirrored nor cached."""
    from helpers.data import catalog

    if not catalog.cached_or_mirrored():
        pytest.skip(
            "files of the open configuration not at hand: "
            "set QTP_DATA_MIRROR to a folder that holds them, or run make data CONFIG=open"
        )


SMALL_FORESTS = {
    "threads": 1,  # workers of their own would import everything again
    "n_trees": 50,
    "validation_trees": 20,
    "validation_seeds": 1,
    "resolution": 0.5,
    "last_year": 2007,
    "draw_count": 8,
    "draw_trees": 5,
}
PARALLEL_STEPS = (
    ["01_data_preparation"],
    ["02_npp_random_forest", "03_rs_random_forest"],
    ["04_rh_and_nep", "06_uncertainty"],
    ["05_comparison", "07_sensitivity", "08_scaling", "09_evidence", "10_where_to_measure_next"],
)
CALL = (sys.executable, "-m", "helpers.runs.warm", "call")
#: The products of the made-up archive are fine and of three years. Their grid may be coarse: they are read whole.
MADE_UP = {key: value for key, value in SMALL_FORESTS.items() if key not in ("resolution", "last_year")}
MADE_UP |= {"resolution": 0.05}


@pytest.fixture(scope="session")
def warm_calls() -> Iterator[dict[str, str]]:
    """The variable by which ``helpers.runs.warm call`` finds a server with everything imported, where there is one."""
    with warm.server(child_environment()) as named:
        yield named


@pytest.fixture(scope="session")
def virtual_run(warm_calls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all notebooks in the virtual world: small forests on a coarse grid."""
    make = partial(_run_notebooks, warm_calls, "virtual", SMALL_FORESTS)
    return _once(tmp_path_factory, "virtual", make) / "virtual"


@pytest.fixture(scope="session")
def open_run(real_data: None, warm_calls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the real world."""
    return _once(tmp_path_factory, "open", partial(_run_notebooks, warm_calls, "open", SMALL_FORESTS)) / "open"


@pytest.fixture(scope="session")
def made_up_run(warm_calls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the paper's products, from files that are made up in their true formats."""
    make = partial(_run_notebooks, warm_calls, "paper-mini", MADE_UP)
    return _once(tmp_path_factory, "made-up", make) / "paper-mini"


@pytest.fixture(scope="session")
def virtual_book(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages built from the virtual run; the build stops at the first warning's report."""
    make = partial(_build_book, virtual_run.parent, "virtual", SMALL_FORESTS)
    return _once(tmp_path_factory, "book", make) / "virtual"


@pytest.fixture(scope="session")
def made_up_book(made_up_run: Path, virtual_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages of the made-up run, where that of the virtual one has read the code reference."""
    make = partial(_build_book, made_up_run.parent, "paper-mini", MADE_UP, virtual_book.parent)
    _once(tmp_path_factory, "made-up-book", lambda _: make())
    return virtual_book.parent / "paper-mini"


@pytest.fixture(scope="session")
def open_book(open_run: Path, virtual_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages of the real world's run, beside those of the virtual one, as above."""
    make = partial(_build_book, open_run.parent, "open", SMALL_FORESTS, virtual_book.parent)
    _once(tmp_path_factory, "open-book", lambda _: make())
    return virtual_book.parent / "open"


def _build_book(runs: Path, config: str, options: dict[str, object], folder: Path) -> None:
    """Build the book of a run that the notebooks made, into a folder named as its configuration."""
    from helpers.runs import book

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QTP_RUNS_DIR", str(runs))
        first = book.build(load_config(config, options), folder)
    first.parent.rename(folder / config)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that is filled once, by the first worker that asks for it; the others wait."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(folder.with_suffix(".lock")):
        if not folder.with_suffix(".whole").is_file():
            folder.mkdir(exist_ok=True)
            make(folder)
            folder.with_suffix(".whole").touch()
    return folder


def _run_notebooks(calls: dict[str, str], config: str, settings: dict[str, object], runs: Path) -> None:
    """Execute the notebooks in their order, as the workflow does."""
    options = ["--config", config, *(part for pair in settings.items() for part in ("-p", *map(str, pair)))]
    environment = child_environment(**calls, QTP_RUNS_DIR=str(runs))
    if load_config(config).made_up:
        environment |= {"QTP_DATA_DIR": str(runs)}
    _compile()
    for names in PARALLEL_STEPS:
        running = [
            subprocess.Popen(
                [*CALL, "helpers.runs.execute", f"notebooks/{name}.ipynb", *options],
                cwd=project_root(),
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in names
        ]
        reports = [process.communicate()[1] for process in running]
        failed = [report for process, report in zip(running, reports, strict=True) if process.returncode]
        if failed:
            pytest.fail("\n".join(failed), pytrace=False)


def _compile() -> None:
    """Let Numba compile, and keep, what the kernels need: those that start side by side would each do it again."""
    from mapforest import intervals
    from mapforest.forest import RandomForest
    from mapforest.traversal import CompiledForest

    table = pd.DataFrame({"x": np.linspace(0, 1, 40)})
    forest = RandomForest(["x"], n_trees=5).fit(table, table["x"])
    CompiledForest.from_estimator(forest.estimator_).predict(forest.encode(table))
    intervals.quantiles(intervals.grow(forest), table, [0.5])
