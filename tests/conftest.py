"""What several tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# A slow machine is no wrong result: no test fails for the time it takes, nor for that of drawing its examples.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
settings.load_profile("untimed")

# Estimators on two threads must agree with one; a test machine's own setting must not decide.
os.environ.setdefault("MPLBACKEND", "Agg")


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
    ["05_comparison", "07_sensitivity", "08_scaling", "09_evidence"],
)
ONCE = {"08_scaling"}  # of no world: run where a book is built
#: The products of the made-up archive are fine and of three years. Their grid may be coarse: they are read whole.
MADE_UP = {key: value for key, value in SMALL_FORESTS.items() if key not in ("resolution", "last_year")}
MADE_UP |= {"resolution": 0.05}


@pytest.fixture(scope="session")
def virtual_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all notebooks in the virtual world: small forests on a coarse grid."""
    return _once(tmp_path_factory, "virtual", lambda runs: _run_notebooks(runs, "virtual")) / "virtual"


@pytest.fixture(scope="session")
def open_run(real_data: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the real world."""
    return _once(tmp_path_factory, "open", lambda runs: _run_notebooks(runs, "open")) / "open"


@pytest.fixture(scope="session")
def made_up_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the paper's products, from files that are made up in their true formats."""
    run = _once(
        tmp_path_factory, "made-up", lambda runs: _run_notebooks(runs, "paper-mini", MADE_UP, QTP_DATA_DIR=runs)
    )
    return run / "paper-mini"


@pytest.fixture(scope="session")
def made_up_book(made_up_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages of that run."""
    make = partial(_build_book, made_up_run.parent, "paper-mini", MADE_UP)
    return _once(tmp_path_factory, "made-up-book", make) / "html"


@pytest.fixture(scope="session")
def virtual_book(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages built from the virtual run; the build stops at the first warning's report."""
    make = partial(_build_book, virtual_run.parent, "virtual", SMALL_FORESTS)
    return _once(tmp_path_factory, "book", make) / "html"


@pytest.fixture(scope="session")
def open_book(open_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages of the real world's run."""
    make = partial(_build_book, open_run.parent, "open", SMALL_FORESTS)
    return _once(tmp_path_factory, "open-book", make) / "html"


def _build_book(runs: Path, config: str, options: dict[str, object], folder: Path) -> None:
    """Build the book of a run that the notebooks made."""
    from helpers.config import load_config
    from helpers.runs import book

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QTP_RUNS_DIR", str(runs))
        book.build(load_config(config, options), folder)


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


def _run_notebooks(runs: Path, config: str, settings: dict[str, object] = SMALL_FORESTS, **places: Path) -> None:
    """Execute the notebooks in their order, as the workflow does; places are folders by their variables."""
    root = Path(__file__).resolve().parents[1]
    options = ["--config", config, *(part for pair in settings.items() for part in ("-p", *map(str, pair)))]
    _compile()
    for names in PARALLEL_STEPS:
        commands = [
            [sys.executable, "-m", "helpers.runs.execute", f"notebooks/{name}.ipynb", *options]
            for name in names
            if config != "open" or name not in ONCE
        ]
        folders = {name: str(place) for name, place in places.items()}
        environment = os.environ | folders | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": str(root / "src")}
        running = [
            subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
            for command in commands
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
