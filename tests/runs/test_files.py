"""Files of runs: whole or not there, folders for sockets, and paths that mean the same in every folder."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import running

from helpers.errors import RunError
from helpers.runs import files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets that are files, and homes by HOME")


@pytest.mark.parametrize("name", ["socket", "kernel-ipc-5"])
@given(length=st.integers(1, 140))
def test_a_socket_can_be_bound_however_long_the_folder_of_temporary_files_is(name, length):
    with tempfile.TemporaryDirectory(dir="/tmp") as base, pytest.MonkeyPatch.context() as patch:
        named = Path(base) / ("d" * length)
        named.mkdir()
        patch.setattr(tempfile, "tempdir", str(named))
        with files.socket_folder("warm-", name) as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(folder, name))
            fits = len(os.path.join(named, "warm-12345678", name)) <= files.SOCKET_BYTES
            assert Path(folder).parent == (named if fits else Path("/tmp"))
        assert not Path(folder).exists()


def test_a_folder_of_sockets_goes_when_its_process_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "_YOUNG_SECONDS", -1.0)
    code = (
        "import time; from helpers.runs import files\n"
        "with files.socket_folder('warm-', 'socket'): print('ready', flush=True); time.sleep(60)"
    )
    (tmp_path / "warm-12345678").mkdir()
    with running(code, TMPDIR=str(tmp_path)) as process:
        with files.socket_folder("warm-", "socket"):
            assert len(list(tmp_path.iterdir())) == 3
        process.kill()
        process.wait()
        with files.socket_folder("warm-", "socket") as folder:
            assert {path.name for path in tmp_path.iterdir()} == {"warm-12345678", Path(folder).name}


def test_a_folder_of_wide_letters_is_measured_in_bytes(tmp_path, monkeypatch):
    named = Path(tempfile.mkdtemp(dir="/tmp")) / ("é" * 45)  # 90 bytes
    named.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(named))
    with files.socket_folder("warm-", "socket") as folder:
        assert Path(folder).parent == Path("/tmp")
    named.rmdir()
    named.parent.rmdir()


def test_a_long_folder_without_another_is_told_with_the_length_that_will_do(monkeypatch):
    named = "/tmp/" + "d" * 95
    monkeypatch.setattr(tempfile, "tempdir", named)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with (
        pytest.raises(RunError, match="TMPDIR is too long for a socket: .* has 100 bytes, expected at most 82"),
        files.socket_folder("warm-", "socket"),
    ):
        pass
    assert len(f"/{'d' * 81}/warm-12345678/socket") == files.SOCKET_BYTES


@pytest.mark.parametrize("name", ["QTP_DATA_DIR", "QTP_DATA_MIRROR", "QTP_RUNS_DIR"])
@pytest.mark.parametrize("given", ["~/a folder", "a folder"])
def test_a_folder_of_a_variable_is_the_same_for_a_child_in_another_folder(name, given, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, given)
    expected = tmp_path / "home" / "a folder" if given.startswith("~") else tmp_path / "a folder"
    assert files.child_environment()[name] == str(expected)


WRITER = """
import time
from pathlib import Path
from helpers.runs.files import written_whole
with written_whole(Path({path!r})) as partial:
    partial.{begin}
    print("ready", flush=True)
    time.sleep(60)
"""


def begun(path: Path, begin: str = "mkdir()"):
    """Another process that is writing a path."""
    return running(WRITER.format(path=str(path), begin=begin))


@pytest.mark.parametrize("begin", ["mkdir()", "touch()"])
def test_what_a_killed_process_left_is_removed(tmp_path, begin):
    own = tmp_path / "cube [1].zarr"
    with begun(own, begin) as process:
        process.kill()
        process.wait()
        (left,) = tmp_path.iterdir()
        assert left.name.startswith(".") and left.name.endswith(f".{process.pid}.partial.cube [1].zarr")
        left.with_name(left.name.replace(".partial.", ".old.")).mkdir()  # it may be killed a moment later
        with files.written_whole(own) as partial:
            partial.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["cube [1].zarr"]


def test_what_a_living_process_writes_is_left(tmp_path):
    own = tmp_path / "cube.zarr"
    with begun(own):
        with files.written_whole(own) as partial:
            partial.write_text("whole")
        assert len(list(tmp_path.iterdir())) == 2


def test_what_another_host_or_container_writes_is_left_whatever_its_process_is_called(tmp_path, monkeypatch):
    """Its number says nothing here: there may be no such process, or another one."""
    own = tmp_path / "cube.zarr"
    with begun(own) as process:
        (left,) = tmp_path.iterdir()
        place = left.name.split(".")[1]
        process.kill()
        process.wait()
        far = [left.rename(tmp_path / left.name.replace(place, other)) for other in (f"far-{place}",)]
        far += [tmp_path / ".999999999.partial.cube.zarr", tmp_path / f".far.{os.getpid()}.partial.cube.zarr"]
        for path in far[1:]:
            path.mkdir()
        with files.written_whole(own) as partial:
            partial.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"cube.zarr", *(path.name for path in far)}


@pytest.mark.skipif(sys.platform != "linux", reason="containers number their processes by themselves on Linux")
def test_a_container_of_the_same_host_name_is_another_place(tmp_path):
    """What tells is the namespace of processes, which stands in the name."""
    with begun(tmp_path / "cube.zarr"):
        (left,) = tmp_path.iterdir()
    assert left.name.split(".")[1].endswith(f"-{os.stat('/proc/self/ns/pid').st_ino}")


def test_a_writer_that_writes_nothing_leaves_the_earlier_folder(tmp_path):
    own = tmp_path / "cube.zarr"
    own.mkdir()
    (own / "0.0").write_text("earlier")
    with pytest.raises(FileNotFoundError), files.written_whole(own):
        pass
    assert (own / "0.0").read_text() == "earlier" and [path.name for path in tmp_path.iterdir()] == ["cube.zarr"]
