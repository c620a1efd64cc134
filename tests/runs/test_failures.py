"""What a failure of the machine is told as."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.errors import RunError
from helpers.runs import execute
from helpers.runs.failures import meaning, of_disk, refuse_no_notebook


@pytest.mark.parametrize(
    ("name", "message", "says"),
    [
        ("OSError", "[Errno 28] No space left on device", "MB are free): make room, or set QTP_RUNS_DIR"),
        ("OSError", "[Errno 28] No space left on device: 'a.zarr'", "is full"),
        ("OSError", "[Errno 30] Read-only file system: 'a'", "set QTP_RUNS_DIR"),
        ("PermissionError", "[Errno 13] Permission denied: 'a'", "set QTP_RUNS_DIR"),
        ("MemoryError", "", "out of memory? a lower resolution"),
        ("_ArrayMemoryError", "Unable to allocate 3 GiB", "out of memory?"),
        ("DeadKernelError", "Kernel died", "out of memory?"),
        ("CellExecutionError", "", "out of memory?"),
    ],
)
def test_an_error_of_the_machine_says_what_to_do(name, message, says, tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    assert says in meaning(name, message, tmp_path / "not" / "yet")


def test_another_error_speaks_for_itself(tmp_path):
    assert meaning("DataError", "mine.csv: no column value", tmp_path) == ""


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EACCES, "Permission denied: set QTP_RUNS_DIR"),
        (errno.EROFS, "Read-only file system: set QTP_RUNS_DIR"),
        (errno.EEXIST, "is a file, and a folder of the run must be there"),
        (errno.ENOTDIR, "is a file, and a folder of the run must be there"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(number, says, tmp_path):
    told = of_disk(OSError(number, os.strerror(number), str(tmp_path / "x")), tmp_path)
    assert f"{tmp_path}/x" in told[:100] and says in told


@pytest.mark.parametrize("fullest", ["runs", "temporary"])
def test_of_the_disks_that_a_notebook_writes_to_the_full_one_is_named(fullest, tmp_path, monkeypatch):
    """What the system says of a file that is being written has no path."""
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    free = {name: 1_000_000 if name == fullest else 9_000_000 for name in ("runs", "temporary")}
    for name in free:
        (tmp_path / name).mkdir()
    usage = lambda folder: SimpleNamespace(free=free[Path(folder).name], total=20_000_000)  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", usage)
    told = meaning("OSError", "[Errno 28] No space left on device", tmp_path / "runs" / "virtual")
    variable = {"runs": "QTP_RUNS_DIR", "temporary": "TMPDIR"}[fullest]
    assert f"{tmp_path}/{fullest}" in told and "1 of 20 MB are free" in told and f"set {variable} to" in told


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", '{"cells": [{"cell_type": "code"', "[]", "{}", '{"cells": 5}', '{"cells": [5]}', '{"cells": [{}]}'),
        *("\0", "[" * 100_000, '{"cells": [{"cell_type": "code", "source": [5], "metadata": {}}]}'),
        '{"cells": [{"cell_type": "code", "source": "x", "metadata": []}]}',
        '{"cells": [{"cell_type": "code", "source": "x", "metadata": {"tags": [{}]}}]}',
        '{"cells": [{"cell_type": "code", "source": "x", "metadata": {}, "outputs": [{"data": 5}]}]}',
    ],
)
def test_what_is_no_whole_notebook_is_named(content, tmp_path):
    path = tmp_path / "01_data_preparation.ipynb"
    path.write_text(content)
    with pytest.raises(RunError, match=r"01_data_preparation\.ipynb is not a whole notebook .*git checkout"):
        refuse_no_notebook(path)


def test_a_runs_folder_that_is_a_file_is_told_without_a_traceback(tmp_path, monkeypatch, capsys):
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "mine.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "runs").write_text("in the way")
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path / "runs"))
    assert execute.main([str(tmp_path / "mine.ipynb")]) == 1
    assert "is a file, and a folder of the run must be there: set QTP_RUNS_DIR" in capsys.readouterr().err
