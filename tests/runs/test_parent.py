"""Processes that end with the one that started them, killed as hard as can be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import gone, running, soon

from helpers.runs.files import child_environment

SLEEPER = """
import os, time
print(os.getpid(), flush=True)
time.sleep(60)
"""
CALLER = """
import subprocess, sys, time
call = [sys.executable, "-m", "helpers.runs.parent", "sleeper", "a", "b"]
child = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
open({told!r}, "w").write(child.stdout.readline())
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A folder with modules, before our packages."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "teller.py").write_text("import sys\nprint(__name__, *sys.argv[1:])\nsys.exit(3)\n")
    return f"{tmp_path}{':' if sys.platform != 'win32' else ';'}{child_environment()['PYTHONPATH']}"


def test_a_child_ends_with_its_parent(tmp_path, path):
    told = tmp_path / "pid"
    with running(CALLER.format(told=str(told)), PYTHONPATH=path) as parent:
        child = int(told.read_text())
        assert not gone(child)
        parent.kill()
        parent.wait()
        assert soon(lambda: gone(child))


def test_a_module_is_run_as_python_runs_it(path):
    call = [sys.executable, "-m", "helpers.runs.parent", "teller", "a", "b"]
    done = subprocess.run(call, env=child_environment(PYTHONPATH=path), capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("__main__ a b\n", 3)
