"""Processes that end when the one that started them does, however it ends: none works on beside the next run.

``python -m helpers.runs.parent MODULE ARGUMENTS...`` runs a module as ``python -m`` does, in a process of that kind.
"""

import os
import runpy
import signal
import socket
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # of prctl(2)
_PAUSE_SECONDS = 0.5


def end_with_parent(parent: int = 0) -> None:
    """Let the system kill this process when its parent ends; at once if that has ended already.

    ``parent`` is the number of the process that started this one, 0 for the one that is there now. On Linux the parent
    is the thread that started this process. Elsewhere a thread of this process looks for the parent twice a second.
    """
    parent = parent or os.getppid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """End this process when its parent has ended."""
    import psutil

    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(_PAUSE_SECONDS)
    os._exit(1)


def end_with_caller(connection: socket.socket) -> None:
    """Let the system kill this process when the other end of a connection, which sends no more, is closed. Linux only.

    There is no thread for it, so that this process can be copied.
    """
    import fcntl

    # Asked for, the system signals what happens at the connection, by the signal of one's choice.
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, int(signal.SIGKILL))
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
    try:
        closed = connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        closed = False
    if closed:  # it was before we asked
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
