"""Executes a notebook by papermill into the folder of its run."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from helpers.config import Settings, load_config, project_root

if TYPE_CHECKING:
    pass
from helpers.errors import ConfigError, RunError
from helpers.runs.files import SOURCES, runs_folder, shown, written_whole
from helpers.runs.steps import EXECUTION_PARAMETERS, STEPS, WORLDS_OF_TAG, deciding_parameters


def execute(
    notebook: str | Path,
    config: str | Path,
    overrides: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> Path:
    """Execute a notebook by papermill into ``runs/<run>/notebooks/``.

    The parameters are checked before the kernel starts. The executed copy appears under the notebook's name
    only when every cell ran. Cells tagged ``truth``, ``yearly`` or ``open-world`` are left out where the world
    has no known truth, no single years, or is simulated; those tagged ``sweep`` where the sweep was not run.

    Parameters
    ----------
    notebook : str or pathlib.Path
        Path of the notebook.
    config : str or pathlib.Path
        Name of a configuration, or path of a YAML file.
    overrides : mapping, optional
        Parameters that replace those of the configuration.
    without : collection of str
        Cells with one of these tags are left out. ``figure`` marks cells that only draw, ``glue`` those that only
        hand numbers to the pages: a sweep goes without both.

    Returns
    -------
    pathlib.Path
        The executed copy.

    Raises
    ------
    helpers.errors.ConfigError
        If a parameter is not valid.
    RunError
        If there is no such notebook, or a cell fails.
    """
    import nbformat

    source = Path(notebook).resolve()
    if not source.is_file():
        raise RunError(f"no notebook {notebook}: expected the path of one in notebooks/")
    settings = load_config(config, overrides)
    folder = runs_folder() / settings.run
    executed = folder / "notebooks" / source.name
    failed = executed.with_suffix(".failed.ipynb")
    for old in (executed, failed):
        old.unlink(missing_ok=True)
    template = nbformat.read(source, as_version=4)
    template.cells = [cell for cell in template.cells if _belongs(cell, settings, without)]
    with written_whole(executed) as partial, _kernel_environment(), _log_file(folder, source.stem) as log:
        try:
            _run_by_papermill(template, partial, _injected(source.stem, config, overrides), source)
        except Exception as error:
            if partial.is_file():
                os.replace(partial, failed)
            raise RunError(_why(source.stem, error, failed, log)) from error
    return executed


def _injected(notebook: str, config: str | Path, overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what papermill injects: the configuration and, of its keys and the overrides, what counts.

    A parameter that decides nothing in a notebook stays out of its executed copy: the copy stays true when
    that parameter changes and the notebook, rightly, is not executed again.
    """
    path = Path(config)
    is_file = path.suffix in {".yml", ".yaml"}
    file = path if is_file else project_root() / "config" / f"{config}.yml"
    values = yaml.safe_load(file.read_text(encoding="utf-8")) | dict(overrides or {})
    if notebook in STEPS:
        counting = {*deciding_parameters(notebook), *EXECUTION_PARAMETERS}
        values = {key: value for key, value in values.items() if key in counting}
    return values | {"config": str(path.resolve()) if is_file else str(config)}


def _belongs(cell: Mapping[str, Any], settings: Settings, without: Collection[str]) -> bool:
    """Tell whether a cell is executed: in this world, with the sweep's results there, and with these tags left out."""
    tags = cell.get("metadata", {}).get("tags", [])
    if "sweep" in tags and not (runs_folder() / "sweeps" / settings.sweep / "results.parquet").is_file():
        return False
    of_this_world = all(settings.world in WORLDS_OF_TAG.get(tag, (settings.world,)) for tag in tags)
    return of_this_world and set(without).isdisjoint(tags)


def _run_by_papermill(template: Any, output: Path, parameters: Mapping[str, Any], source: Path) -> None:
    """Execute a notebook node with this interpreter as its kernel, in the notebook's own folder."""
    import papermill

    look = "{desc}: cell {n} of {total} [{elapsed}]"
    papermill.execute_notebook(
        template,
        output,
        parameters=dict(parameters),
        kernel_name="python3",
        cwd=source.parent,
        progress_bar={"desc": source.stem, "disable": None, "leave": False, "bar_format": look},
        log_output=True,
        start_timeout=180,
        kernel_manager_class=_own_interpreter(),
    )


def _own_interpreter() -> type:
    """Return a kernel manager that starts this interpreter, whatever the machine's kernel ``python3`` is.

    It talks to its kernel by sockets in the file system. Ports of TCP are chosen first and taken later, and kernels
    that start side by side can take each other's.
    """
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class OwnInterpreter(AsyncKernelManager):
        """Starts a notebook's kernel with this interpreter."""

        @property
        def kernel_spec(self) -> KernelSpec:
            """The kernel of this interpreter."""
            return KernelSpec(resource_dir=str(RESOURCES), **get_kernel_dict(["--log-level=CRITICAL"]))

        @default("transport")
        def _sockets(self) -> str:
            """Talk by files, not by ports."""
            return "ipc"

        @default("ip")
        def _place(self) -> str:
            """Begin the sockets' names in the kernel's own folder."""
            return os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], "k")

    return OwnInterpreter


@contextlib.contextmanager
def _kernel_environment() -> Iterator[None]:
    """Keep kernels apart from each other and from the user's settings; let them import these helpers."""
    before = dict(os.environ)
    root = project_root()
    for name in ("QTP_DATA_DIR", "QTP_DATA_MIRROR", "QTP_RUNS_DIR", "QTP_BOOK_ROOT"):
        value = os.environ.get(name)
        if value and "://" not in value:
            os.environ[name] = os.path.abspath(value)
    with tempfile.TemporaryDirectory(prefix="kernel-") as state:
        os.environ |= {
            "IPYTHONDIR": f"{state}/ipython",
            "JUPYTER_RUNTIME_DIR": state,
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm misses widgets, which a book cannot show
            "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR") or str(root / "_build" / "cache" / "matplotlib"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")])),
        }
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _log_file(folder: Path, notebook: str) -> Iterator[Path]:
    """Send what papermill says and what the cells print to ``logs/<notebook>.log`` of the run."""
    path = folder / "logs" / f"{notebook}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield path
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def _why(notebook: str, error: Exception, failed: Path, log: Path) -> str:
    """Return the message of a failed notebook: cell, error, where the executed copy lies."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        cell = "\n".join(f"    {line}" for line in error.source.strip().splitlines()[:8])
        where = f"cell {error.cell_index} (In [{error.exec_count}])"
        what = f"{notebook} failed in {where}:\n{cell}\n{error.ename}: {error.evalue}"
    else:
        what = f"{notebook} failed: {type(error).__name__}: {error}"
        if type(error).__name__ == "DeadKernelError":
            what += " (out of memory? a lower resolution, fewer block_cells or fewer threads need less)"
    copy = f"\nexecuted copy: {shown(failed)}" if failed.is_file() else ""
    return f"{what}{copy}\nlog: {shown(log)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.execute``; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.runs.execute", description="Execute a notebook by papermill into its run's folder."
    )
    parser.add_argument("notebook", help="path of the notebook")
    parser.add_argument("--config", default="virtual", help="name of a configuration, or path of a YAML file")
    pair = ("KEY", "VALUE")
    parser.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=pair)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    name = Path(given.notebook).stem
    print(f"{name}: started", flush=True)
    try:
        overrides = {key: yaml.safe_load(value) for key, value in given.parameters}
        executed = execute(given.notebook, given.config, overrides)
    except (ConfigError, RunError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    print(f"{name}: done in {time.monotonic() - began:.0f} s -> {shown(executed)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
