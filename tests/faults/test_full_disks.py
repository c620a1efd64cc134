"""Disks that are really full: of the run, of temporary files, of downloads, of pages. `make test-faults`, as root."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from trials import BUILD, Trials, options_of, settings_of

from helpers.data import catalog
from helpers.errors import DataError
from helpers.runs.files import child_environment, digest

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
ROOM = 256 << 20


class Disk:
    """A disk of some bytes at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: int, *options: str) -> None:
        """Make it larger or smaller."""
        command = ["mount", "-t", "tmpfs", "-o", ",".join([*options, f"size={size}"]), "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def leave(self, size: int) -> None:
        """Make it as large as what is on it, and so many bytes more."""
        self.resize(shutil.disk_usage(self.folder).used + size, "remount")

    def widen(self) -> None:
        """Make room."""
        self.resize(ROOM, "remount")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that has room."""
    if not shutil.which("mount"):
        pytest.skip("no disk can be mounted here: there is no command mount")
    made = Disk(tmp_path / "disk")
    made.folder.mkdir()
    made.resize(ROOM)
    yield made
    with contextlib.suppress(subprocess.SubprocessError):
        subprocess.run(["umount", "--lazy", str(made.folder)], check=True)


def execute(run: Path, name: str, **variables: str) -> subprocess.CompletedProcess:
    """Execute a notebook of a run again."""
    options = [part for pair in options_of(run) for part in ("-p", *pair.split("=", 1))]
    call = [sys.executable, "-m", "helpers.runs.execute", str(ROOT / "notebooks" / f"{name}.ipynb"), *options]
    environment = child_environment(QTP_RUNS_DIR=str(run.parent), QTP_WARM="", **variables)
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def whole_after(run: Path, unhurt: Path, name: str) -> None:
    """Hold that nothing was lost, and that the notebook makes the same tables once there is room."""
    found = Trials(name)
    done = execute(run, name)
    assert done.returncode == 0, done.stderr
    found.compare(run, unhurt)
    assert not found.lost and not found.unequal


@pytest.mark.parametrize("free", [0, 40_000])
def test_a_full_disk_of_the_run_is_named_with_its_size_and_nothing_is_lost(virtual_run, disk, free):
    name = "04_rh_and_nep"
    run = Path(shutil.copytree(virtual_run, disk.folder / "virtual"))
    disk.leave(free)
    done = execute(run, name)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    told = re.search(
        r"the disk of (\S+) is full \(\d+ of (\d+) MB are free\): make room, or set QTP_RUNS_DIR", done.stderr
    )
    assert told and told[1].startswith(str(disk.folder)), done.stderr
    found = Trials(name)
    found.look(run, virtual_run)
    assert not found.lost
    disk.widen()
    whole_after(run, virtual_run, name)


@pytest.mark.parametrize("free", [0, 4096])
def test_a_full_disk_of_temporary_files_is_named_or_another_one_is_used(virtual_run, disk, tmp_path, free):
    """Python itself passes by a folder in which it can write nothing at all."""
    name = "08_scaling"
    run = Path(shutil.copytree(virtual_run, tmp_path / "runs" / "virtual"))
    (disk.folder / "of_others").write_bytes(bytes(1 << 16))
    disk.leave(free)
    done = execute(run, name, TMPDIR=str(disk.folder))
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        assert re.search(rf"the disk of {disk.folder}\S* is full .* or set TMPDIR to a folder", done.stderr), (
            done.stderr
        )
        disk.widen()
        assert execute(run, name, TMPDIR=str(disk.folder)).returncode == 0
    assert [path.name for path in disk.folder.iterdir()] == ["of_others"]


def test_a_full_disk_of_downloads_is_named_and_left_as_it_was(disk, tmp_path, monkeypatch):
    content = bytes(2_000_000)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "large.bin").write_bytes(content)
    file = {"name": "large.bin", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    entry = {"title": "t", "variable": "v", "licence": "l", "citation": ["A2000"], "reference": "r", "notes": "n"}
    entry |= {"reader": "data.readers.read_large", "files": [file | {"url": "https://127.0.0.1:9/large.bin"}]}
    (tmp_path / "catalog.yml").write_text(yaml.safe_dump({"large": entry}))
    monkeypatch.setattr(catalog, "catalogue_path", lambda: tmp_path / "catalog.yml")
    monkeypatch.setenv("QTP_DATA_DIR", str(disk.folder))
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path / "mirror"))
    disk.leave(1_000_000)
    with pytest.raises(
        DataError, match=rf"large.bin \(2.0 MB\).*\n.*written to {disk.folder} \(No space left"
    ) as caught:
        catalog.fetch("large")
    assert "set QTP_DATA_DIR to another folder" in str(caught.value)
    assert sum(path.stat().st_size for path in disk.folder.iterdir()) == 0
    disk.widen()
    assert catalog.fetch("large")["large.bin"].read_bytes() == content


@pytest.mark.parametrize("free", [0, 300_000, 3_000_000])
def test_a_full_disk_of_the_book_is_named_and_the_last_good_one_stays(virtual_run, virtual_book, disk, free):
    build = Path(shutil.copytree(virtual_book.parent, disk.folder / "_build"))
    html = Path(shutil.move(build / virtual_book.name, build / "html"))
    good = digest(html)
    disk.leave(free)
    call = [sys.executable, "-c", BUILD, json.dumps(settings_of(virtual_run)), str(build)]
    environment = child_environment(QTP_RUNS_DIR=str(virtual_run.parent))
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(rf"the disk of {build}\S* is full \(\d+ of \d+ MB are free\): make room", done.stderr), done.stderr
    assert digest(html) == good
    disk.widen()
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and len(list(html.rglob("*.html"))) > 20, done.stderr


def test_a_checkout_that_can_only_be_read_is_named_by_make(disk):
    """Snakemake keeps its notes in the checkout, and the pages are made there, wherever the run is."""
    shutil.copy(ROOT / "Makefile", disk.folder)
    (disk.folder / "requirements.lock").touch()
    (disk.folder / ".venv").mkdir()
    subprocess.run(["make", "--touch", "environment"], cwd=disk.folder, check=True, capture_output=True)
    disk.resize(ROOM, "remount", "ro")
    for goal in ("book", "run"):
        done = subprocess.run(["make", goal], cwd=disk.folder, capture_output=True, text=True, check=False)
        assert done.returncode and "Traceback" not in done.stderr
        assert f"{disk.folder} cannot be written to, and make keeps" in done.stderr, done.stderr
