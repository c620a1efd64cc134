"""How a stage's notebook is executed: by papermill, in a copy of this process that is its kernel, too.

A kernel of its own takes as long to start and to talk to as the cells of the last notebook take. So the notebook has
papermill's engine ``inside``, whose kernel is IPython's in-process one, and the process that waits for the copy lives
on when the copy is killed. On systems other than Linux, whose libraries do not bear a copy of their process, a stage
has a kernel like any other notebook.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from helpers.errors import RunError
from helpers.runs.parent import end_with_parent

if sys.platform == "linux":
    from multiprocessing.context import ForkProcess

#: The engine's name for papermill, None where a notebook needs a kernel of its own.
ENGINE = "inside" if sys.platform == "linux" else None
#: What a kernel, and what loads and saves a run's tables, import only when they are used.
_LATE = (
    *("ipykernel.inprocess.ipkernel", "ipykernel.inprocess.blocking", "ipykernel.debugger", "tornado.platform.asyncio"),
    *("IPython.core.magics.execution", "IPython.core.magics.pylab", "IPython.core.completerlib"),
    *("pyarrow.parquet", "pandas.io.formats.html", "pandas.io.formats.csvs", "xarray.computation.nanops"),
)
_OUTPUTS = frozenset({"stream", "display_data", "execute_result", "error"})
DIED = "the process of the notebook was killed (out of memory? a lower resolution or fewer block_cells need less)"


def in_a_copy(function: Callable[..., str], *arguments: Any) -> str:
    """Return what a function returns in a copy of this process, or :data:`DIED` if the copy is killed.

    The copy ends with this process. RunError is raised if the function raises an error, which is shown. On systems
    other than Linux the function is called in this process.
    """
    if ENGINE is None:
        return function(*arguments)
    here, there = Pipe(duplex=False)
    copy = ForkProcess(target=_answer, args=(there, os.getpid(), function, arguments))
    copy.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        copy.join()
        if copy.exitcode == -signal.SIGKILL:
            return DIED
        raise RunError(f"a notebook's process ended with code {copy.exitcode}: see above, then run again") from None
    finally:
        copy.kill()  # what it had to say is said; to take it down by the book takes longer
        copy.join()


def _answer(there: Connection, parent: int, function: Callable[..., str], arguments: tuple[Any, ...]) -> None:
    """Send what a function returns, in the copy."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that waits: no cell fails by it
    register()
    there.send(function(*arguments))


def register() -> None:
    """Make papermill know the engine, and import what the kernel would import when it starts."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # or the debugger warns of what nobody debugs
    for module in _LATE:
        importlib.import_module(module)
    from ipykernel.inprocess.manager import InProcessKernelManager
    from IPython.core.interactiveshell import InteractiveShell
    from nbformat.v4 import output_from_msg
    from papermill.engines import Engine, papermill_engines
    from papermill.log import logger
    from traitlets.config import Config

    class Inside(Engine):
        """Executes the cells in this process."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            """Execute the cells up to the first that fails; outputs and counts are kept in the notebook."""
            with tempfile.TemporaryDirectory(prefix="ipython-") as folder:  # apart from the user's settings
                os.environ["IPYTHONDIR"] = folder
                InteractiveShell.clear_instance()  # of a session that this process is a copy of
                manager = InProcessKernelManager(config=Config({"HistoryManager": {"enabled": False}}))
                manager.start_kernel()
                client = manager.client()
                client.start_channels()
                for index, cell in enumerate(nb_man.nb.cells):
                    nb_man.cell_start(cell, index)
                    failed = cell.cell_type == "code" and cls._fails(client, cell)
                    if failed:
                        nb_man.cell_exception(cell, index)
                    nb_man.cell_complete(cell, index)
                    if failed:
                        break
                nb_man.nb.metadata["language_info"] = manager.kernel.language_info
                manager.shutdown_kernel()

        @staticmethod
        def _fails(client: Any, cell: Any) -> bool:
            """Execute a cell, keep what it shows, and tell whether it failed."""
            asked = client.execute(cell.source)
            state = "busy"
            while state != "idle":  # all has been said by then
                message = client.get_iopub_msg(timeout=60)
                kind, content = message["header"]["msg_type"], message["content"]
                if kind == "status" and message["parent_header"].get("msg_id") == asked:
                    state = content["execution_state"]
                elif kind == "execute_input":
                    cell.execution_count = content["execution_count"]
                elif kind in _OUTPUTS:
                    cell.outputs.append(output_from_msg(message))
                    if kind == "stream":
                        logger.info(content["text"])
            return any(output.output_type == "error" for output in cell.outputs)

    papermill_engines.register(ENGINE, Inside)
