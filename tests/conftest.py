"""What several tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Estimators on two threads must agree with one; a test machine's own setting must not decide.
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def real_data() -> None:
    """Skip, and say so, where the files of the open configuration are neither mirrored nor cached."""
    from helpers import catalog

    if not catalog.cached_or_mirrored():
        pytest.skip(
            "files of the open configuration not at hand: "
            "set QTP_DATA_MIRROR to a folder that holds them, or run make data CONFIG=open"
        )


SMALL_FORESTS = {"n_trees": 50, "validation_trees": 20, "validation_seeds": 1, "resolution": 0.5}
PARALLEL_STEPS = (
    ["01_data_preparation"],
    ["02_npp_random_forest", "03_rs_random_forest"],
    ["04_rh_and_nep"],
    ["05_comparison"],
)


@pytest.fixture(scope="session")
def virtual_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all notebooks in the virtual world: small forests on a coarse grid."""
    return _run_notebooks(tmp_path_factory.mktemp("virtual"), "virtual")


@pytest.fixture(scope="session")
def open_run(real_data: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the open world, on the real files."""
    return _run_notebooks(tmp_path_factory.mktemp("open"), "open")


@pytest.fixture(scope="session")
def virtual_book(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages built from the virtual run; the build stops at the first warning's report."""
    from helpers import book
    from helpers.config import load_config

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QTP_RUNS_DIR", str(virtual_run.parent))
        return book.build(load_config("virtual", SMALL_FORESTS), tmp_path_factory.mktemp("book")).parent


def _run_notebooks(runs: Path, config: str) -> Path:
    """Execute the notebooks in their order, as the workflow does; return the run's folder."""
    root = Path(__file__).resolve().parents[1]
    options = ["--config", config, *(part for pair in SMALL_FORESTS.items() for part in ("-p", *map(str, pair)))]
    for names in PARALLEL_STEPS:
        commands = [
            [sys.executable, "-m", "helpers.run", "execute", f"notebooks/{name}.ipynb", *options] for name in names
        ]
        environment = os.environ | {"QTP_RUNS_DIR": str(runs), "PYTHONPATH": str(root / "src")}
        running = [
            subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
            for command in commands
        ]
        reports = [process.communicate()[1] for process in running]
        failed = [report for process, report in zip(running, reports, strict=True) if process.returncode]
        if failed:
            pytest.fail("\n".join(failed), pytrace=False)
    return runs / config
