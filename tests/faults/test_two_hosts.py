"""Two hosts at one folder, as far as one machine can be two: another namespace of processes, with its own host name.

Where a user may not make one, the tests are skipped, and say so.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import begun

from helpers.runs.files import written_whole
from mapforest.locks import Lock

UNSHARE = ["unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
READY = "print('ready', flush=True); time.sleep(60)"


@pytest.fixture(scope="module", autouse=True)
def _two() -> None:
    may_be_two()


def may_be_two() -> None:
    """Skip where no other host can be made."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here: unshare is missing, or only root may call it")


@contextlib.contextmanager
def far(code: str, host: str) -> Iterator[subprocess.Popen]:
    """Run code on another host of that name, empty for the name of this one, where it is the first process."""
    named = f"import socket; socket.sethostname({host!r})\n" if host else ""
    with begun([*UNSHARE, sys.executable, "-c", f"import time\n{named}{code}"]) as process:
        yield process


@pytest.mark.parametrize("host", ["far.away", ""])
def test_what_another_host_is_writing_is_no_leftover(tmp_path, host):
    """Its process is number 1 there. Here that is another one, or one that has ended."""
    own = tmp_path / "results.parquet"
    code = (
        "from pathlib import Path\nfrom helpers.runs.files import written_whole\n"
        f"with written_whole(Path({str(own)!r})) as partial: partial.write_text('theirs'); {READY}"
    )
    with far(code, host):
        (theirs,) = tmp_path.iterdir()
        assert theirs.name.split(".")[2] == "1" and (theirs.name.startswith(".far-away") == bool(host))
        for _ in range(2):
            with written_whole(own) as partial:
                partial.write_text("ours")
        assert theirs.read_text() == "theirs" and own.read_text() == "ours"


@pytest.mark.parametrize("host", ["far.away", ""])
def test_a_lock_holds_between_hosts_until_its_holder_is_dead(tmp_path, host):
    path = Path(tmp_path / "lock")
    code = f"from mapforest.locks import Lock\nlock = Lock({str(path)!r}); assert lock.take('draws'); {READY}"
    lock = Lock(path)
    with far(code, host):
        assert not lock.take("draws, too") and lock.told().startswith(f"process 1 on {host}")
    assert lock.take("goes on")
    lock.free()
