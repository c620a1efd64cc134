"""Processes that begin with everything imported, since a sweep starts hundreds and the imports of each take seconds.

``python -m helpers.runs.warm COMMAND ...`` runs a command beside a server, which imports what the notebooks import. For
each ``python -m helpers.runs.warm call MODULE ...`` of the command a copy of the server calls ``main`` of the module;
for :data:`KERNEL_FOR` another one waits to be a notebook's kernel. Calls of :data:`OF_PAGES` are those of a second
server, a copy that the first of them lets import what makes the pages of a book. The results are those of
``python -m MODULE ...``, which is what happens on systems other than Linux, and when the server is gone. A copy ends
with its server and with its call, a call with the process that made it, and the command with this one.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from helpers.runs.parent import end_with_caller, end_with_parent

if sys.platform == "linux":
    from multiprocessing.context import ForkProcess
else:  # where there is none, no server is started either
    from multiprocessing import Process as ForkProcess

ADDRESS, ADDRESS_OF_PAGES = "QTP_WARM", "QTP_WARM_PAGES"  #: The variables that name the servers' sockets.
_BEGUN = b"+"
KERNEL_FOR = "helpers.runs.execute"  #: The module whose calls need a kernel.
COMMANDS = (KERNEL_FOR, "helpers.sweeps.stages")  #: Modules that are called.
OF_PAGES = ("helpers.runs.rendering", "helpers.runs.book")  #: Modules that are called to make a book's pages.
#: What these import beside, themselves or within Jupyter Book.
TOOLS_OF_PAGES = (
    *("helpers.runs.explorer", "jupyter_book.cli.main", "jupyter_book.sphinx", "myst_nb.sphinx_ext"),
    *("sphinx.builders.html", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex", "sphinx_book_theme"),
)


class SpareKernel(ForkProcess):
    """A copy of this process that waits to become a kernel; until then it holds no lock and no connection.

    Once it has begun it is to a kernel's provisioner what ``subprocess.Popen`` returns.
    """

    stdin = stdout = stderr = None

    def __init__(self) -> None:
        there, self._here = Pipe()
        super().__init__(target=_become_kernel, args=(there, self._here, os.getpid()))
        self.start()
        there.close()

    def begin(self, command: list[str], environment: dict[str, str], folder: str) -> None:
        """Let it become the kernel that a command line would start."""
        arguments = command[command.index("ipykernel_launcher") + 1 :]
        # A kernel ends by itself when this process does. It read the variable that says so when it was imported.
        self._here.send(([*arguments, f"--IPKernelApp.parent_handle={os.getpid()}"], environment, folder))

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self.exitcode

    def wait(self) -> int | None:
        """Wait for its end and return the exit code."""
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


_spare: list[SpareKernel] = []  # of this process, at most one
_copied = False  # whether this process is a server's copy


def spare_kernel() -> SpareKernel | None:
    """Return the kernel that waits in this process, if there is one; it is given once."""
    return _spare.pop() if _spare else None


def is_copy() -> bool:
    """Return whether this process is a server's copy: it has imported all, and can be copied again."""
    return _copied


def _become_kernel(here: Connection, other_end: Connection, caller: int) -> None:
    """Wait for the call that makes this process a kernel, then be one; end if the caller ends."""
    end_with_parent(caller)
    other_end.close()
    try:
        arguments, environment, folder = here.recv()
    except EOFError:
        return
    os.setsid()  # a Ctrl-C is for the process that executes the notebook, as with any kernel
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["ipykernel_launcher", *arguments]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


def import_for_notebooks() -> None:
    """Import what papermill, its kernels and the notebooks import."""
    import ast
    import importlib

    from helpers.config import project_root
    from helpers.runs.dependencies import notebook_code
    from helpers.runs.provenance import package_versions
    from helpers.runs.steps import STEPS

    kernel = ("ipykernel.kernelapp", "ipykernel.ipkernel", "matplotlib_inline.backend_inline")
    for module in ("papermill", *kernel, "distributed", *COMMANDS):  # Dask asks for distributed where it is installed
        importlib.import_module(module)
    package_versions()
    for name in STEPS:
        code = ast.parse(notebook_code(project_root() / "notebooks" / f"{name}.ipynb"))
        code.body = [line for line in code.body if isinstance(line, (ast.Import, ast.ImportFrom))]
        exec(compile(code, name, "exec"), {})


def import_for_pages() -> None:
    """Import what makes the pages of a book."""
    import importlib

    for module in (*OF_PAGES, *TOOLS_OF_PAGES):
        importlib.import_module(module)


def serve(number: str, number_of_pages: str, *modules: str) -> int:
    """Answer calls until the process that started this one ends; each module is prepared before.

    The numbers are those of open files: sockets that listen, for notebooks and for pages.
    """
    import gc
    import importlib

    end_with_parent()
    gc.disable()  # what is imported stays: to look for garbage in it takes a fifth of the time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calls hear it; the server ends with its caller
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the copies
    with socket.socket(fileno=int(number)) as listener, socket.socket(fileno=int(number_of_pages)) as for_pages:
        import_for_notebooks()  # calls that come meanwhile wait
        for module in modules:
            importlib.import_module(module).prepare()
        return _answer_calls(listener, for_pages)


def _answer_calls(listener: socket.socket, for_pages: socket.socket | None = None) -> int:
    """Answer calls in copies until the standard input ends, those for pages in copies of a copy that serves them."""
    import gc
    import select

    gc.freeze()  # a copy's collector would touch, and so copy, every page
    gc.enable()
    own, heard = os.getpid(), [listener, 0, *([for_pages] if for_pages else [])]
    while True:
        ready, _, _ = select.select(heard, [], [])
        if 0 in ready:
            return 0
        if for_pages in ready:  # it answers this call, and those that come
            if os.fork() == 0:
                with _last_words():
                    end_with_parent(own)
                    listener.close()
                    gc.disable()  # as in serve
                    import_for_pages()
                    _answer_calls(for_pages)
            heard.remove(for_pages)
            for_pages.close()
        elif listener in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                end_with_parent(own)
                listener.close()
                os._exit(_answer(connection))
            connection.close()


@contextlib.contextmanager
def _last_words() -> Iterator[None]:
    """End this process after the block, whatever happens in it; an error is shown before."""
    import traceback

    try:
        yield
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def _answer(connection: socket.socket) -> int:
    """Execute a call in this copy of the server, its words going to the caller's terminal, and tell how it ended."""
    import importlib
    import traceback

    global _copied
    _copied = True
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, 2**20, 2)
    connection.sendall(_BEGUN)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    code = 1
    try:
        call = json.loads(message)
        if call["module"] == KERNEL_FOR:
            _spare.append(SpareKernel())
        end_with_caller(connection)
        os.environ.clear()
        os.environ.update(call["environment"])
        code = importlib.import_module(call["module"]).main(call["arguments"])
    except SystemExit as end:  # as argparse ends for words that it does not know
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code]))
    return code


def call(module: str, arguments: list[str]) -> int:
    """Let the server execute ``main(arguments)`` of a module; without a server replace this process by one that does.

    The exit code is returned. Either ends with the process that started this one.
    """
    if sys.platform == "linux":
        end_with_parent()
    message = json.dumps({"module": module, "arguments": arguments, "environment": dict(os.environ)}).encode()
    if address := os.environ.get(ADDRESS_OF_PAGES if module in OF_PAGES else ADDRESS):
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.connect(address)
            socket.send_fds(connection, [message], [1, 2])
            if connection.recv(1) == _BEGUN:
                # A Ctrl-C is for the copy, which would be killed if this process ended before it has tidied up.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                return next(iter(connection.recv(1)), 1)  # nothing: it was killed
    os.execv(sys.executable, [sys.executable, "-m", "helpers.runs.parent", module, *arguments])


@contextlib.contextmanager
def server(environment: Mapping[str, str] = os.environ, prepare: str = "") -> Iterator[dict[str, str]]:
    """Run a server for as long as the block, or this process, lasts; yield the variables that name its sockets.

    The server calls ``prepare()`` of the module of that name, so that calls begin with what it has read.
    """
    from helpers.runs.files import socket_folder  # here: a call has no use for what it imports

    if sys.platform != "linux":  # libraries do not bear a copy of their process
        yield {}
        return
    with socket_folder("warm-", "notebooks") as folder, contextlib.ExitStack() as listening:
        named = {ADDRESS: os.path.join(folder, "notebooks"), ADDRESS_OF_PAGES: os.path.join(folder, "pages")}
        numbers = []
        for address in named.values():
            # It listens here already, so that a call that is faster than the server's start waits for it.
            listener = listening.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen(64)
            numbers.append(listener.fileno())
        command = [sys.executable, "-m", "helpers.runs.warm", "serve", *map(str, numbers), *filter(None, [prepare])]
        surroundings = {**environment, **named}
        begun = subprocess.Popen(command, stdin=subprocess.PIPE, env=surroundings, pass_fds=numbers)
        listening.close()  # only the server is to hear
        with begun as serving:
            try:
                yield named
            finally:
                serving.terminate()  # it may still be importing


def beside(command: list[str], prepare: str = "", **options: Any) -> int:
    """Run a command with a :func:`server` beside it; return its exit code.

    ``options`` are those of ``subprocess.run``.
    """
    environment = {**os.environ, **options.pop("env", {})}
    if sys.platform == "linux":
        options["preexec_fn"] = partial(end_with_parent, os.getpid())
    with server(environment, prepare) as named:
        return subprocess.run(command, check=False, env=environment | named, **options).returncode


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers.runs.warm``; return the exit code."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 0
    from helpers.errors import RunError

    word, *rest = arguments
    if word == "serve":
        return serve(*rest)
    if word == "call":
        return call(rest[0], rest[1:])
    try:
        return beside(arguments)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    from helpers.runs import warm  # the module that the others import: __main__ is another one

    raise SystemExit(warm.main(sys.argv[1:]))
