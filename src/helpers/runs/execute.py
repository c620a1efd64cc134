"""Executes a notebook by papermill into the folder of its run.

``python -m helpers.runs.execute notebooks/02_npp_random_forest.ipynb --config open -p n_trees 100``
"""

import argparse
import contextlib
import logging
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.config import Settings, load_config
from helpers.errors import ConfigError, RunError
from helpers.runs import locks
from helpers.runs.failures import meaning, of_disk, refuse_no_notebook
from helpers.runs.files import child_environment, runs_folder, shown, socket_folder, sweep_results, written_whole
from helpers.runs.intact import read_executed
from helpers.runs.memory import refuse_too_little
from helpers.runs.steps import EXECUTION_PARAMETERS, STEPS, deciding_parameters, foreign_tags
from helpers.runs.warm import spare_kernel
from helpers.strict_yaml import parsed


def execute(
    notebook: str | Path,
    config: str | Path,
    overrides: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
    engine: str | None = None,
) -> Path:
    """Execute a notebook by papermill into ``runs/<run>/notebooks/``, and return the path of the executed copy.

    The parameters, those of the configuration or its ``overrides``, are validated before the kernel starts. The
    executed copy appears under the notebook's name only when every cell ran. Cells with a tag of
    :func:`helpers.runs.steps.foreign_tags` are left out, those tagged ``sweep`` where the sweep was not run, and those
    with a tag of ``without``. An ``engine`` of papermill that has a kernel of its own takes the place of the usual one.

    ConfigError is raised if a parameter is not valid, RunError if there is no such notebook, too little memory for the
    grid, a cell fails, or another process is at work on the notebook, or on the run with other parameters.
    """
    source = Path(notebook).resolve()
    if not source.is_file():
        raise RunError(f"no notebook {notebook}: expected the path of one in notebooks/")
    refuse_no_notebook(source)
    settings = load_config(config, overrides)
    refuse_too_little(source.stem, settings)
    template = _template(source, {*without, *foreign_tags(settings)}, settings)
    folder = runs_folder() / settings.run
    executed = folder / "notebooks" / source.name
    failed = executed.with_suffix(".failed.ipynb")
    log = folder / "logs" / f"{source.stem}.log"
    with locks.executing(source.stem, settings):
        for old in (executed, failed, executed.with_suffix(".stale.ipynb")):
            old.unlink(missing_ok=True)
        with written_whole(executed) as partial, _logged(log):
            try:
                _run_by_papermill(template, partial, _injected(source.stem, config, settings), source, engine)
            except Exception as error:
                with contextlib.suppress(OSError, RunError):  # on a full disk it may be cut off, or not be there
                    read_executed(partial)
                    os.replace(partial, failed)
                raise RunError(_why(source.stem, error, failed, log)) from error
    return executed


def _template(source: Path, left_out: set[str], settings: Settings) -> Any:
    """Return a notebook as nbformat reads it, without the cells that have one of some tags."""
    # Two seconds less: jsonschema would compile a grammar for addresses, which no notebook's schema asks for.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat

    template = nbformat.read(source, as_version=4)
    if sweep_results(settings.sweep) is None:
        left_out.add("sweep")
    template.cells = [cell for cell in template.cells if left_out.isdisjoint(cell.metadata.get("tags", []))]
    return template


def _injected(notebook: str, config: str | Path, settings: Settings) -> dict[str, Any]:
    """Return what papermill injects: of the parameters that the configuration or a caller gave, what counts."""
    # A parameter that decides nothing in a notebook stays out of its executed copy: the copy stays true when that
    # parameter changes and the notebook, rightly, is not executed again.
    values = settings.model_dump(exclude_unset=True)
    if notebook in STEPS:
        counting = {*deciding_parameters(notebook), *EXECUTION_PARAMETERS}
        values = {key: value for key, value in values.items() if key in counting}
    is_file = Path(config).suffix in {".yml", ".yaml"}
    return values | {"config": str(Path(config).expanduser().resolve() if is_file else config)}


def _run_by_papermill(
    template: Any, output: Path, parameters: Mapping[str, Any], source: Path, engine: str | None
) -> None:
    """Execute a notebook node with this interpreter as its kernel, in the notebook's own folder."""
    import papermill

    look = "{desc}: cell {n} of {total} [{elapsed}]"
    with contextlib.ExitStack() as stack:
        if engine:  # it is for notebooks of seconds: to save them after each cell takes longer than the cells
            how = {"engine_name": engine, "request_save_on_cell_execute": False}
        else:
            state = stack.enter_context(socket_folder("kernel-", "kernel-ipc-5"))  # a kernel has five sockets
            how = {"kernel_manager_class": _own_interpreter(state)}
        papermill.execute_notebook(
            template,
            output,
            parameters=dict(parameters),
            kernel_name="python3",
            cwd=source.parent,
            progress_bar={"desc": source.stem, "disable": None, "leave": False, "bar_format": look},
            log_output=True,
            start_timeout=180,
            **how,
        )


def _own_interpreter(state: str) -> type:
    """Return a kernel manager that starts this interpreter, whatever the machine's kernel ``python3`` is."""
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning import LocalProvisioner
    from traitlets import default

    # Now, since a relative path means another folder once papermill is in that of the notebook. The kernel keeps its
    # state in a folder of its own, apart from other kernels and from the user's settings.
    environment = child_environment(
        IPYTHONDIR=os.path.join(state, "ipython"),
        JUPYTER_RUNTIME_DIR=state,
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        PYTHONWARNINGS="ignore:IProgress not found",  # tqdm misses widgets, which a book cannot show
    )

    spare = spare_kernel()

    class Spare(LocalProvisioner):
        """Takes the kernel that waits in this process."""

        async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
            """Let the waiting kernel begin."""
            folder = options.get("cwd") or os.getcwd()
            spare.begin(cmd, options["env"], folder)
            self.process, self.pid, self.cwd = spare, spare.pid, folder
            return self.connection_info

    class OwnInterpreter(AsyncKernelManager):
        """Starts a notebook's kernel with this interpreter."""

        @property
        def kernel_spec(self) -> KernelSpec:
            """The kernel of this interpreter, which ends with this process."""
            found = get_kernel_dict(["--log-level=CRITICAL"])
            found["argv"].insert(found["argv"].index("ipykernel_launcher"), "helpers.runs.parent")
            return KernelSpec(resource_dir=str(RESOURCES), **found)

        # Ports of TCP are chosen first and taken later: kernels that start side by side can take each other's. So this
        # one is talked to by sockets in its folder, which Windows does not have.
        @default("transport")
        def _sockets(self) -> str:
            return "tcp" if os.name == "nt" else "ipc"

        @default("connection_file")
        def _in_own_folder(self) -> str:
            return os.path.join(state, "kernel.json")

        async def start_kernel(self, **options: Any) -> None:
            """Start the kernel where it finds our packages and data."""
            if spare is not None:
                self.provisioner = Spare(kernel_id="", kernel_spec=self.kernel_spec, parent=self)
            await super().start_kernel(**options, env=environment)

    return OwnInterpreter


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Send what papermill says and what the cells print to a file, and nothing of it to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("papermill")
    handler.handleError = lambda record: None  # a full disk is told of where a result is lost, not a line of the log
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


def _why(notebook: str, error: Exception, failed: Path, log: Path) -> str:
    """Return the message of a failed notebook: cell, error, where the executed copy lies."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        cell = "\n".join(f"    {line}" for line in error.source.strip().splitlines()[:8])
        where = f"cell {error.cell_index} (In [{error.exec_count}])"
        name, message = error.ename, error.evalue
        what = f"{notebook} failed in {where}:\n{cell}\n{name}: {message}"
    else:
        name, message = type(error).__name__, str(error)
        what = f"{notebook} failed: {name}: {message}"
    if meant := meaning(name, message, failed.parent):
        what += f" ({meant})"
    copy = f"\nexecuted copy: {shown(failed)}" if failed.is_file() else ""
    return f"{what}{copy}\nlog: {shown(log)}"


def settings_parser(module: str, does: str) -> argparse.ArgumentParser:
    """Return a parser of ``--config`` and ``-p``, to which a command adds its own arguments."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=does)
    parser.add_argument("--config", default="virtual", help="name of a configuration, or path of a YAML file")
    parser.add_argument(
        *("-p", "--parameter"),
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="a parameter that replaces the configuration's; may be given again",
    )
    return parser


def overrides_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that a command line replaces, as YAML reads their values."""
    return {key: parsed(value, f"-p {key}") for key, value in given.parameters}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.execute``; return the exit code."""
    parser = settings_parser("helpers.runs.execute", "Execute a notebook by papermill into its run's folder.")
    parser.add_argument("notebook", help="path of the notebook")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    name = Path(given.notebook).stem
    print(f"{name}: started", flush=True)
    try:
        executed = execute(given.notebook, given.config, overrides_of(given))
    except (ConfigError, RunError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"\n{of_disk(error, runs_folder())}", file=sys.stderr, flush=True)
        return 1
    print(f"{name}: done in {time.monotonic() - began:.0f} s -> {shown(executed)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
