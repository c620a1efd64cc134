"""Files of runs: folders for sockets, and paths that mean the same in every folder."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
