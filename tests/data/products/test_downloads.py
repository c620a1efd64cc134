"""Downloads from a server that fails: each fault has its message, and the next call goes on."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standin import HTML, Answer, StandIn, standing

from helpers.data.products.session import checksum_of, download, needed, redacted, session
from helpers.errors import DataError

CONTENT = bytes(range(256)) * 20_000  # 5.1 MB
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
PATH = "/store/npp.tif"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing() as made:
        made.files[PATH] = CONTENT
        yield made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "npp_casa" / "npp.tif"


def get(server: StandIn, target: Path, **told: object) -> Path:
    return download(session(), server.url + PATH, target, **told)


def left(target: Path) -> set[str]:
    """The names in the folder."""
    return {path.name for path in target.parent.iterdir()}


def test_a_file_comes_whole_and_nothing_else_is_left(server: StandIn, target: Path) -> None:
    assert get(server, target, size=len(CONTENT), checksum=MD5) == target
    assert target.read_bytes() == CONTENT
    assert left(target) == {"npp.tif"}


def test_a_cut_line_is_taken_up_in_the_same_call(server: StandIn, target: Path) -> None:
    server.cut_after = [1 << 21, 1 << 20]
    get(server, target, checksum=MD5)
    assert target.read_bytes() == CONTENT
    ranges = [asked.headers.get("Range") for asked in server.asked]
    assert ranges == [None, f"bytes={1 << 21}-", f"bytes={3 << 20}-"]


def test_the_next_call_goes_on_where_the_last_one_stopped(server: StandIn, target: Path) -> None:
    server.cut_after = [1 << 16] + [0] * 20
    with pytest.raises(
        DataError, match=r"npp_casa, npp.tif: .*cut 5 times, 65536 of 5120000 bytes are kept.*call again"
    ):
        get(server, target)
    assert not target.exists()
    server.mend()
    server.asked.clear()
    get(server, target)
    assert target.read_bytes() == CONTENT
    (asked,) = server.asked
    assert asked.headers["Range"] == "bytes=65536-" and asked.headers["If-Range"].startswith('"')


def test_a_line_that_brings_something_between_cuts_is_not_given_up(server: StandIn, target: Path) -> None:
    server.files[PATH] = CONTENT * 3
    server.cut_after = [1_200_000] * 12
    get(server, target)
    assert target.read_bytes() == CONTENT * 3


@pytest.mark.parametrize("tagged", [True, False])
def test_an_archive_that_begins_anew_after_each_cut_has_an_end(server: StandIn, target: Path, tagged: bool) -> None:
    server.tagged = tagged
    sizes = iter([3_000_000, 1_000_000] * 20)

    def anew(*_: object) -> Answer:
        return Answer(200, {"ETag": '"1"'} if tagged else {}, CONTENT, next(sizes))

    server.routes["GET", PATH] = anew
    with pytest.raises(DataError, match="the connection was cut 5 times, " + ("" if tagged else "0 of .* are kept")):
        get(server, target)
    assert len(server.asked) < 8


@pytest.mark.parametrize("tagged", [True, False])
def test_a_beginning_of_another_version_is_thrown_away(server: StandIn, target: Path, tagged: bool) -> None:
    server.tagged = tagged
    server.cut_after = [1 << 16] + [0] * 20
    with pytest.raises(DataError):
        get(server, target)
    server.mend()
    server.files[PATH] = CONTENT[::-1]
    get(server, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_ignores_if_range_is_found_out_by_its_tag(server: StandIn, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / ".npp.tif.part").write_bytes(b"x" * 500)
    (target.parent / ".npp.tif.part.tag").write_text('"of another version"')
    rest = {"Content-Range": f"bytes 500-{len(CONTENT) - 1}/{len(CONTENT)}", "ETag": '"new"'}
    server.fail(PATH, Answer(206, rest, CONTENT[500:]))
    get(server, target)
    assert target.read_bytes() == CONTENT


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 60_000), max_size=4))
def test_wherever_the_line_is_cut_the_file_is_the_same(server: StandIn, tmp_path: Path, cuts: list[int]) -> None:
    server.files[PATH] = CONTENT[:200_000]
    server.cut_after = list(cuts)
    path = get(server, tmp_path / "cut" / "npp.tif")
    assert path.read_bytes() == CONTENT[:200_000]
    server.cut_after.clear()
    path.unlink()


def test_a_wrong_hash_leaves_nothing_and_the_next_call_is_clean(server: StandIn, target: Path) -> None:
    server.files[PATH] = b"x" + CONTENT[1:]
    with pytest.raises(DataError, match=r"npp.tif: .*its md5 is \w{32}, the archive told \w{32}: .*call again"):
        get(server, target, size=len(CONTENT), checksum=MD5)
    assert left(target) == set()
    server.files[PATH] = CONTENT
    assert get(server, target, size=len(CONTENT), checksum=MD5).read_bytes() == CONTENT


def test_a_wrong_beginning_costs_one_more_download_and_no_error(server: StandIn, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / ".npp.tif.part").write_bytes(b"x" * 500)
    get(server, target, checksum=MD5)
    assert target.read_bytes() == CONTENT
    assert [asked.headers.get("Range") for asked in server.asked] == ["bytes=500-", None]


def test_a_truncated_file_at_the_archive_is_refused(server: StandIn, target: Path) -> None:
    server.files[PATH] = CONTENT[:1000]
    with pytest.raises(DataError, match="sends 1000 bytes, it told 5120000: the file there is cut off"):
        get(server, target, size=len(CONTENT))
    assert left(target) == set()


def test_a_truncated_file_without_a_length_is_refused(server: StandIn, target: Path) -> None:
    server.fail(PATH, Answer(body=CONTENT[:1000], length=False), always=True)
    with pytest.raises(DataError, match="it has 1000 bytes, the archive told 5120000"):
        get(server, target, size=len(CONTENT))
    assert left(target) == set()


def test_no_more_is_taken_than_was_told(server: StandIn, target: Path) -> None:
    server.fail(PATH, Answer(body=CONTENT, length=False))
    with pytest.raises(DataError, match="more than the 1000 bytes that it told"):
        get(server, target, size=1000)
    assert left(target) == set()


REFUSALS = {
    "401": (Answer(401), r"wants a login.*\(401\).*make an account; or get it by hand"),
    "403": (Answer(403), r"refuses \(403\).*make an account; or get it by hand"),
    "eula": (Answer(403, {}, b"EULA Acceptance Failure"), r"licence was not accepted.*\(403\).*accept it"),
    "404": (Answer(404), r"no such file \(404\).*plan again"),
    "429": (Answer(429, {"Retry-After": "0"}), r"busy or out of order \(429, asked 6 times\).*call again later"),
    "500": (Answer(500), r"busy or out of order \(500, asked 6 times\).*call again later"),
    "login page": (Answer(200, {"Content-Type": "text/html; charset=utf-8"}, HTML), "web page came .*make an account"),
    "page in disguise": (Answer(200, {"Content-Type": "application/x-hdf"}, b"\n " + HTML), "web page came in place"),
    "challenge": (
        Answer(202, {"x-amzn-waf-action": "challenge"}),
        r"wants a browser \(202.*open its page in a browser",
    ),
    "empty": (Answer(200), "the answer is empty.*get it by hand and put it as npp.tif into"),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_says_what_to_do_and_the_next_call_is_clean(server: StandIn, target: Path, fault: str) -> None:
    answer, message = REFUSALS[fault]
    server.fail(PATH, answer, always=True)
    with pytest.raises(DataError, match=rf"^npp_casa, npp.tif: http://\S+{PATH}: .*{message}"):
        get(server, target, hint="make an account")
    assert left(target) == set()
    server.mend()
    assert get(server, target, checksum=MD5).read_bytes() == CONTENT


def test_what_came_is_kept_when_the_archive_then_refuses(server: StandIn, target: Path) -> None:
    server.cut_after = [1 << 21]
    server.fail("nothing", Answer())
    original = server.file

    def once(content: bytes, asked: object) -> Answer:
        server.fail(PATH, Answer(500), always=True)
        return original(content, asked)

    server.file = once
    with pytest.raises(DataError, match="500"):
        get(server, target)
    server.mend()
    server.file = original
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1].headers["Range"] == f"bytes={1 << 21}-"


def test_a_busy_archive_is_asked_again(server: StandIn, target: Path) -> None:
    server.fail(PATH, Answer(429, {"Retry-After": "0"}), Answer(500), Answer(503))
    assert get(server, target).read_bytes() == CONTENT
    assert len(server.asked) == 4


def test_no_archive_waits_us_out(monkeypatch: pytest.MonkeyPatch, server: StandIn, target: Path) -> None:
    pauses = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    server.fail(PATH, Answer(429, {"Retry-After": "86400"}))
    get(server, target)
    assert pauses == [60]


def test_no_connection_is_told(server: StandIn, target: Path) -> None:
    server.close()
    with pytest.raises(DataError, match=r"no answer from 127.0.0.1 \(ConnectionError\).*call again later"):
        get(server, target)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_disk_that_fills_up_is_told_and_room_is_all_it_needs(server: StandIn, target: Path) -> None:
    target.parent.mkdir()
    part = target.parent / ".npp.tif.part"
    part.symlink_to("/dev/full")
    with pytest.raises(DataError, match="npp_casa cannot be written to .No space left on device.*make room"):
        get(server, target)
    assert not target.exists()
    part.unlink()
    assert get(server, target, checksum=MD5).read_bytes() == CONTENT


@pytest.mark.skipif(os.name == "nt", reason="no limit of a file's size")
def test_what_came_before_the_disk_was_full_is_kept(server: StandIn, target: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(DataError, match="npp_casa cannot be written to .*make room"):
            get(server, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not target.exists()
    assert get(server, target, checksum=MD5).read_bytes() == CONTENT
    assert server.asked[-1].headers["Range"] == "bytes=1000000-"


def test_what_the_disk_has_no_room_for_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, server: StandIn, target: Path
) -> None:
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1_000_000))
        with pytest.raises(DataError, match=r"5.1 MB are to come, the disk has 1.0 MB.*make room"):
            get(server, target)
    assert left(target) == set()
    assert get(server, target).read_bytes() == CONTENT


def test_a_token_is_not_given_to_another_host(server: StandIn, target: Path) -> None:
    port = server.host.split(":")[1]
    server.routes[("GET", "/protected")] = lambda *_: Answer(303, {"Location": f"http://localhost:{port}{PATH}"})
    headers = {"Authorization": "Bearer SECRET"}
    download(session(), f"{server.url}/protected", target, headers=headers)
    assert [asked.headers.get("Authorization") for asked in server.asked] == ["Bearer SECRET", None]


def test_a_netrc_neither_replaces_a_token_nor_follows_a_redirect(server: StandIn, target: Path) -> None:
    Path(os.environ["NETRC"]).write_text(
        "machine 127.0.0.1 login somebody password SECRET\nmachine localhost login somebody password SECRET\n"
    )
    port = server.host.split(":")[1]
    server.routes[("GET", "/protected")] = lambda *_: Answer(303, {"Location": f"http://localhost:{port}{PATH}"})
    download(session(), f"{server.url}/protected", target, headers={"Authorization": "Bearer token"})
    assert [asked.headers.get("Authorization") for asked in server.asked] == ["Bearer token", None]


def test_a_hash_in_the_head_of_the_answer_is_compared(server: StandIn, target: Path) -> None:
    server.headers = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}  # that of nothing
    with pytest.raises(DataError, match="its md5 is"):
        get(server, target)
    server.headers = {"x-ms-blob-content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    server.cut_after = [100_000]
    with pytest.raises(DataError, match="its md5 is"):
        get(server, target)


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", "4294967295"), (b"123456789", "930766865"), (b"a" * 70_000, None)]
)
def test_the_posix_checksum_is_that_of_cksum(tmp_path: Path, content: bytes, expected: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert checksum_of(path, "cksum") == (expected or by_the_book(content))


def by_the_book(content: bytes) -> str:
    """POSIX's definition, bit by bit."""
    total, length = 0, len(content)
    while length:
        content, length = content + bytes([length & 0xFF]), length >> 8
    for byte in content:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ (0x04C11DB7 if total & 0x80000000 else 0)) & 0xFFFFFFFF
    return str(total ^ 0xFFFFFFFF)


def test_an_address_is_shown_without_secrets() -> None:
    assert redacted("https://me:pass@host.org:8080/a/b.tif?sig=x&se=y#part") == "https://host.org:8080/a/b.tif"


def test_a_library_that_is_missing_says_how_to_get_it() -> None:
    with pytest.raises(DataError, match=r"no_such_library is not installed.*pip install '\.\[paper\]'"):
        needed("no_such_library.part")
    assert needed("json").loads("1") == 1
