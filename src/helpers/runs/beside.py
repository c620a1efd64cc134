"""Work that a copy of this process does while this one goes on: pictures that no later cell waits for.

Two forests and their maps keep both cores of a small machine busy, but most notebooks have but one thing to do at a
time. Then a core is free for the pictures of a figure that a page needs and JupyterLab does not show.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from typing import BinaryIO

import psutil

from helpers.runs.parent import end_with_parent
from helpers.runs.warm import is_copy

#: Seconds after which a copy is taken to hang.
PATIENCE = 60.0
#: Bytes of a process that is copied, at most: what it changes meanwhile, memory has twice.
MOST_BYTES = 2**30


def begin(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin work in a copy of this process; return a function that waits for it and returns what it gave.

    Only a server's copy is copied again, and only while it is small: see :func:`helpers.runs.warm.is_copy`. Elsewhere,
    and where the copy failed, hangs or had something to say, the returned function does the work itself: the result,
    the error and the warnings are the same.
    """
    if not is_copy() or psutil.Process().memory_info().rss > MOST_BYTES:
        return work
    result = tempfile.TemporaryFile()  # noqa: SIM115  (the function that is returned closes it)
    copy = multiprocessing.get_context("fork").Process(target=_do, args=(work, result, os.getpid()), daemon=True)
    copy.start()
    return partial(_of_copy, copy, result, work)


def _do(work: Callable[[], bytes], result: BinaryIO, caller: int) -> None:
    """Be the copy: write what the work gives, without a word."""
    import dask

    end_with_parent(caller)
    sys.stdout = sys.stderr = said = io.StringIO()
    with dask.config.set(scheduler="synchronous"):  # the threads of Dask's pool are not in this copy
        result.write(work())
    result.flush()
    if said.getvalue():
        sys.exit(1)


def _of_copy(copy: BaseProcess, result: BinaryIO, work: Callable[[], bytes]) -> bytes:
    """Return what a copy wrote, or what the work gives here if the copy did not end well."""
    with result:
        copy.join(PATIENCE)
        if copy.exitcode == 0:
            result.seek(0)
            return result.read()
    copy.kill()
    copy.join()
    return work()
