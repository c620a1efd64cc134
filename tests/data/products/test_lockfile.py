"""The list of a folder's files: what is recorded, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.data.products import lockfile
from helpers.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "npp_casa" / "npp.tif"
    path.parent.mkdir()
    path.write_bytes(b"content")
    return path


def test_a_file_is_recorded_without_what_is_secret_in_its_address(file: Path) -> None:
    assert not lockfile.verified(file.parent, file)
    lockfile.record(file.parent, file, "https://me:word@store.org/npp.tif?sig=SECRET", "md5:1")
    entry = lockfile.entries(file.parent)["npp.tif"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.pop("date"))
    assert entry == {
        "size": 7,
        "sha256": hashlib.sha256(b"content").hexdigest(),
        "address": "https://store.org/npp.tif",
        "checksum": "md5:1",
    }
    assert lockfile.verified(file.parent, file)


@pytest.mark.parametrize("content", [b"Content", b"content and more", b""])
def test_a_file_that_is_another_one_now_is_refused(file: Path, content: bytes) -> None:
    lockfile.record(file.parent, file, "")
    file.write_bytes(content)
    with pytest.raises(
        DataError, match=r"npp_casa, npp.tif: .*is not the file that .*files.lock.json records.*delete the"
    ):
        lockfile.verified(file.parent, file)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"npp.tif": {}}}', '{"files": []}', "\xff"])
def test_a_list_that_cannot_be_read_says_what_to_do(file: Path, text: str) -> None:
    (file.parent / lockfile.NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="files.lock.json is not readable as a lock file. What to do: delete it"):
        lockfile.verified(file.parent, file)


def test_entries_of_several_writers_are_all_kept(file: Path) -> None:
    paths = [file.with_name(f"{number}.tif") for number in range(12)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: lockfile.record(file.parent, path, ""), paths))
    assert set(lockfile.entries(file.parent)) == {path.name for path in paths}
    assert json.loads((file.parent / lockfile.NAME).read_text())["files"]["3.tif"]["size"] == 5


def test_a_folder_without_a_list_has_nothing_recorded(tmp_path: Path) -> None:
    assert lockfile.entries(tmp_path / "none") == {}
