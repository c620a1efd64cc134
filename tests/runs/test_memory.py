"""Too little memory for a grid is refused before a notebook begins, with the numbers; what is free is given back."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from matplotlib.figure import Figure

from helpers import costs
from helpers.config import load_config, project_root
from helpers.errors import RunError
from helpers.runs import execute, memory
from helpers.runs.files import child_environment

SMALL = {"resolution": 1.0, "first_year": 2018}


def machine_of(gigabytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have so much memory, half of it as swap."""
    half = SimpleNamespace(total=int(gigabytes * 5e8))
    for name in ("virtual_memory", "swap_memory"):
        monkeypatch.setattr(psutil, name, lambda: half)


def test_a_grid_of_1_km_on_a_small_machine_is_refused_with_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    machine_of(1.0, monkeypatch)
    notebook = project_root() / "notebooks" / "01_data_preparation.ipynb"
    with pytest.raises(RunError, match=r"needs about 1\.6 GB of memory, and this machine has 1\.0 GB: ask for"):
        execute.execute(notebook, "virtual-1km")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("notebook", "gigabytes"), [("01_data_preparation", 1.0), ("08_scaling", 0.1)])
def test_what_is_enough_for_a_small_grid_or_for_none_is_not_refused(notebook, gigabytes, monkeypatch):
    machine_of(gigabytes, monkeypatch)
    memory.refuse_too_little(notebook, load_config("virtual", SMALL))
    memory.refuse_too_little("a_notebook_of_ones_own", load_config("virtual-1km"))


def test_what_is_needed_grows_with_the_grid():
    settings = [load_config("virtual", {"resolution": resolution}) for resolution in (0.5, 0.25, 0.1, 0.01, 0.005)]
    needs = [memory.needed(one) for one in settings]
    assert needs == sorted(set(needs))


@pytest.mark.parametrize(
    ("config", "table"), [("virtual-1km", "whole job"), ("benchmarks/ten_times.yml", "ten times the cells")]
)
def test_what_is_needed_is_what_was_measured(config, table):
    """To a tenth, at 1 km and at ten times the cells, by the largest of the notebooks."""
    peak = costs.read_measurements(table)["peak_mb"].max() * 2**20
    settings = load_config(str(project_root() / config) if "/" in config else config)
    assert memory.needed(settings) == pytest.approx(peak, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "line", "folder", "name"),
    [
        ("v2", "0::/job/step\n", "job", "memory.max"),
        ("v1", "4:memory:/job/step\n", "memory/job", "memory.limit_in_bytes"),
    ],
)
def test_the_cgroup_of_a_job_counts_and_so_do_those_above_it(kind, line, folder, name, tmp_path, monkeypatch):
    (tmp_path / folder / "step").mkdir(parents=True)
    (tmp_path / folder / "step" / name).write_text("max\n")
    (tmp_path / folder / name).write_text("500000000\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **how: line if path == Path("/proc/self/cgroup") else read(path, **how)
    )
    assert memory.limit() == (500_000_000, "the cgroup of this job allows")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to such a limit")
def test_a_limit_of_the_shell_is_told(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1_200_000_000, 1_200_000_000))\n"
        "from helpers.runs import execute\n"
        "raise SystemExit(execute.main(['notebooks/02_npp_random_forest.ipynb', '--config', 'virtual-1km']))"
    )
    environment = child_environment(QTP_RUNS_DIR=str(tmp_path), OPENBLAS_NUM_THREADS="1")
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, cwd=project_root(), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "needs about 1.6 GB of memory, and `ulimit -v` allows 1.2 GB" in done.stderr


def test_objects_that_only_refer_to_each_other_are_let_go_of():
    def panels() -> weakref.ref:
        figure = Figure()
        figure.add_subplot()
        return weakref.ref(figure)

    gc.disable()
    try:
        held = panels()
        assert held() is not None
        memory.give_back()
        assert held() is None
    finally:
        gc.enable()
