"""One process at a time where two would spoil each other's files: a lock that says who holds it."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mapforest.errors import BlockError


class Lock:
    """A lock of the operating system on a file. Its holder is written beside it, in a file that ends in ``.json``.

    It is free as soon as its holder is dead, however that died, in this container or in another one. On a file system
    that several hosts share it holds between them where that file system has such locks (NFS, Lustre with ``flock``).
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).absolute()
        self.note = self.path.with_name(f"{self.path.name}.json")
        # Not of one thread: what is freed when it is no longer used is freed by any thread.
        self._lock = FileLock(self.path, thread_local=False)

    def take(self, work: str, **facts: Any) -> bool:
        """Take the lock and write who holds it, with further facts for JSON; return False if another one holds it.

        BlockError is raised if a lock cannot be made there, OSError if that cannot be written.
        """
        if not self._acquired():
            return False
        who = {"host": platform.node(), "process": os.getpid(), "since": _now(), "work": work}
        try:
            self.note.write_text(json.dumps(who | facts), encoding="utf-8")
        except OSError:
            self.free()
            raise
        return True

    def free(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._lock.is_locked:
            self.note.unlink(missing_ok=True)
            self._lock.release(force=True)  # it may have been taken several times

    def is_free(self) -> bool:
        """Tell whether nobody holds the lock. Who asks holds it for a moment."""
        if free := self._acquired():
            self._lock.release()
        return free

    def holder(self) -> dict[str, Any]:
        """Return what the last holder wrote: host, process, since, work and its facts; nothing where nothing is."""
        try:
            return json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it has just been taken, or freed
            return {}

    def told(self) -> str:
        """Return in words who holds the lock."""
        who = self.holder()
        return "process {process} on {host} since {since} ({work})".format(**who) if who else "another process"

    def _acquired(self) -> bool:
        """Take the lock if it is free; its folder is made, and made again if its holder is just removing it."""
        for last in (False, True):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(timeout=0)
                return True
            except Timeout:
                return False
            except FileNotFoundError:
                if last:
                    return False
            except (OSError, NotImplementedError) as error:
                raise BlockError(
                    f"{self.path} cannot be locked ({error}): two processes could spoil each other's files there. "
                    "Name a folder that can be written to, on a file system with locks"
                ) from error
        return False


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
