"""A lock between processes: one holds it, the others are told who, and the dead hold nothing."""

from __future__ import annotations

import os
import sys

import pytest
from processes import running

from mapforest.errors import BlockError
from mapforest.locks import Lock

HOLD = """
import sys, time
from mapforest.locks import Lock
lock = Lock({path!r})
assert lock.take("draws a map", n_trees=40)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_another_process_holds_is_not_given_and_its_holder_is_told(tmp_path):
    path = tmp_path / "a" / "lock"
    with running(HOLD.format(path=str(path))) as other:
        lock = Lock(path)
        assert not lock.take("draws another map") and not lock.is_free()
        assert f"process {other.pid} on " in lock.told() and lock.told().endswith(" UTC (draws a map)")
        assert lock.holder()["n_trees"] == 40


def test_what_a_killed_process_held_is_free(tmp_path):
    path = tmp_path / "lock"
    with running(HOLD.format(path=str(path))) as other:
        other.kill()
        other.wait()
        lock = Lock(path)
        assert lock.is_free() and lock.take("goes on")
        assert lock.holder()["process"] == os.getpid()
        lock.free()


def test_a_lock_is_given_back_and_leaves_no_note(tmp_path):
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.take("one") and first.take("the same once more") and not second.take("two")
    first.free()
    assert not first.note.exists() and second.told() == "another process"
    assert second.take("two")
    second.free()
    second.free()


def test_a_note_that_was_cut_off_is_no_fault(tmp_path):
    lock = Lock(tmp_path / "lock")
    assert lock.take("one")
    lock.note.write_text('{"host": "a')
    assert Lock(tmp_path / "lock").told() == "another process"
    lock.free()


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid"), reason="a file in place of a folder")
def test_where_no_lock_can_be_made_the_path_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BlockError, match="file/lock cannot be locked.*Name a folder that can be written to"):
        Lock(tmp_path / "file" / "lock").take("one")
