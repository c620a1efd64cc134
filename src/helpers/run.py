"""A run's folder: what a notebook saves and loads there, its provenance, its numbers in the book, execution.

Every notebook begins with ``book_run = run.start("02_npp_random_forest", globals())`` and ends with
``book_run.finish()``. Between them it reads what earlier notebooks saved and saves what later ones need. A
file appears under its name only when it is whole, so that a stopped notebook leaves nothing half written.

``python -m helpers.run execute notebooks/02_npp_random_forest.ipynb --config open -p n_trees 100`` executes a
notebook by papermill into the run's folder, with the interpreter and the helpers that run the command.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import logging
import numbers
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psutil
import yaml

from helpers.config import ConfigError, Settings, from_notebook, load_config, project_root

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "EXECUTION_PARAMETERS",
    "STEPS",
    "ExecutionError",
    "MissingStepError",
    "OtherParametersError",
    "Run",
    "Step",
    "deciding_parameters",
    "execute",
    "runs_folder",
    "start",
    "written_whole",
]

SIMULATED = "simulated (virtual plateau)"
WORLDS_WITH_TRUTH = frozenset({"virtual"})
#: Cells with these tags belong to some worlds only; elsewhere they are left out before a notebook is executed.
WORLDS_OF_TAG = {"truth": WORLDS_WITH_TRUTH, "yearly": frozenset({"virtual"}), "open-world": frozenset({"open"})}
EXECUTION_PARAMETERS = ("config", "run", "threads", "block_cells")
FIGURE_DPI = 160
#: Bytes up to which a dataset is loaded when it is opened; larger ones stay on disk and are read chunk by chunk.
IN_MEMORY_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Step:
    """One notebook in the order of the data.

    Parameters
    ----------
    needs : tuple of str
        The notebooks whose results it reads directly.
    parameters : tuple of str
        The settings that decide its own results. Those of the notebooks it needs come on top.
    """

    needs: tuple[str, ...]
    parameters: tuple[str, ...]


_FOREST_PARAMETERS = (
    *("training_domain", "site_resample", "n_trees", "nodesize", "land_cover_encoding", "left_out"),
    *("training_fraction", "validation_trees", "validation_seeds", "n_folds", "validation_schemes"),
)

STEPS: dict[str, Step] = {
    "01_data_preparation": Step(
        needs=(),
        parameters=(
            *("world", "seed", "west", "south", "east", "north", "resolution", "first_year", "last_year"),
            *("plateau_mask", "soc_depth", "extra_observations", "sampling_design", "npp_sites", "rs_sites"),
        ),
    ),
    "02_npp_random_forest": Step(
        needs=("01_data_preparation",), parameters=("npp_aggregation", "npp_mtry", *_FOREST_PARAMETERS)
    ),
    "03_rs_random_forest": Step(
        needs=("01_data_preparation",),
        parameters=("rs_filter", "rs_aggregation", "rs_mtry", "back_transformation", *_FOREST_PARAMETERS),
    ),
    "04_rh_and_nep": Step(
        needs=("02_npp_random_forest", "03_rs_random_forest"), parameters=("rs_rh_line", "outside_applicability")
    ),
    "05_comparison": Step(needs=("04_rh_and_nep",), parameters=()),
    "06_uncertainty": Step(
        needs=("05_comparison",),
        parameters=("validation_trees", "n_folds", "draw_count", "draw_trees", "block_km", "interval_level"),
    ),
    "07_sensitivity": Step(needs=(), parameters=("sweep",)),
    "08_scaling": Step(needs=(), parameters=()),
}


class MissingStepError(RuntimeError):
    """A notebook reads what an earlier one has not saved; the message names the notebook to run first."""


class OtherParametersError(RuntimeError):
    """What an earlier notebook saved was made with other parameters than those of this notebook."""


class ExecutionError(RuntimeError):
    """A notebook failed; the message names the cell, its error and the executed copy."""


def runs_folder() -> Path:
    """Return the folder of all runs: ``QTP_RUNS_DIR`` if that is set, else ``runs/`` of the checkout."""
    named = os.environ.get("QTP_RUNS_DIR")
    return Path(named).resolve() if named else project_root() / "runs"


def deciding_parameters(notebook: str) -> tuple[str, ...]:
    """Return the settings that decide a notebook's results, its predecessors' included.

    Parameters
    ----------
    notebook : str
        A notebook's name without folder and ``.ipynb``. One that is not in ``STEPS``, such as a reader's own,
        has none.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> "resolution" in deciding_parameters("04_rh_and_nep")
    True
    >>> "rs_mtry" in deciding_parameters("02_npp_random_forest")
    False
    """
    step = STEPS.get(notebook)
    if step is None:
        return ()
    upstream = [name for earlier in step.needs for name in deciding_parameters(earlier)]
    return tuple(dict.fromkeys([*upstream, *step.parameters]))


def start(notebook: str, names: Mapping[str, Any]) -> Run:
    """Open the run of a notebook: check its parameters and write the run's ``config.yml``.

    Parameters
    ----------
    notebook : str
        The notebook's name without folder and ``.ipynb``: ``"02_npp_random_forest"``.
    names : mapping
        The notebook's ``globals()``, which hold its parameters. Modules among them are none.

    Returns
    -------
    Run

    Raises
    ------
    helpers.config.ConfigError
        If a parameter is unknown, of the wrong type or out of its range.
    """
    plain = {key: value for key, value in names.items() if not isinstance(value, ModuleType)}
    book_run = Run(notebook, from_notebook(plain))
    text = yaml.safe_dump(book_run.settings.model_dump(), sort_keys=False)
    target = book_run.folder / "config.yml"
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        with written_whole(target) as partial:
            partial.write_text(text, encoding="utf-8")
    return book_run


class Run:
    """What one notebook reads from and writes to the folder of its run.

    Parameters
    ----------
    notebook : str
        The notebook's name without folder and ``.ipynb``.
    settings : helpers.config.Settings
        The run's parameters; ``settings.run`` names the folder below :func:`runs_folder`.

    Attributes
    ----------
    notebook : str
    settings : helpers.config.Settings
    folder : pathlib.Path
    """

    def __init__(self, notebook: str, settings: Settings) -> None:
        self.notebook = notebook
        self.settings = settings
        self.folder = runs_folder() / settings.run
        self._clock = time.monotonic()
        self._saved_something = False
        self._unfinished: list[Path] = []
        self._record: dict[str, Any] = {
            "notebook": notebook,
            "run": settings.run,
            "settings": settings.model_dump(),
            "started": _now(),
            "finished": None,
            "inputs": _file_digests(notebook, settings),
            "outputs": {},
            "git": _git_state(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": _package_versions(),
        }

    def __repr__(self) -> str:
        return f"<Run {self.settings.run!r} of {self.notebook}: {_shown(self.folder)}>"

    # -- datasets, tables, frames, boundaries, figures ---------------------------------------------

    def save_dataset(self, name: str, dataset: xr.Dataset) -> None:
        """Save a dataset as ``<name>.zarr``, in place of an earlier one.

        Parameters
        ----------
        name : str
        dataset : xarray.Dataset
        """
        with self._saving(f"{name}.zarr") as partial:
            dataset.drop_encoding().to_zarr(partial, mode="w", zarr_format=2, consolidated=True)

    def load_dataset(self, name: str) -> xr.Dataset:
        """Open ``<name>.zarr`` of this run.

        Parameters
        ----------
        name : str

        Returns
        -------
        xarray.Dataset
            In memory up to :data:`IN_MEMORY_BYTES`; a larger one is Dask-backed, in the chunks in which it was saved.

        Raises
        ------
        MissingStepError
            If no notebook has saved it.
        OtherParametersError
            If it was made with other parameters than this notebook's.
        """
        import xarray as xr

        dataset = xr.open_zarr(self._found(f"{name}.zarr", "save_dataset", name), consolidated=True)
        return dataset.load() if dataset.nbytes <= IN_MEMORY_BYTES else dataset

    def unfinished(self, name: str) -> Path:
        """Return where a long computation keeps what it has, so that a stopped one goes on: until :meth:`finish`.

        Parameters
        ----------
        name : str

        Returns
        -------
        pathlib.Path
            ``unfinished/<name>.zarr`` of the run's folder.
        """
        path = self.folder / "unfinished" / f"{name}.zarr"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._unfinished.append(path)
        return path

    def save_table(self, name: str, table: pd.DataFrame) -> None:
        """Save a result as ``tables/<name>.csv``; a named index becomes the first columns.

        Parameters
        ----------
        name : str
        table : pandas.DataFrame
            Column names carry their units, for example ``rmse_gC_m2_yr``.
        """
        flat = table.reset_index() if any(level is not None for level in table.index.names) else table
        with self._saving(f"tables/{name}.csv") as partial:
            flat.to_csv(partial, index=False, encoding="utf-8")

    def load_table(self, name: str) -> pd.DataFrame:
        """Read ``tables/<name>.csv`` of this run; an empty field is a missing value.

        Parameters
        ----------
        name : str

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingStepError, OtherParametersError
            As :meth:`load_dataset`.
        """
        import pandas as pd

        path = self._found(f"tables/{name}.csv", "save_table", name)
        return pd.read_csv(path, keep_default_na=False, na_values=[""])

    def save_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Save rows that later notebooks read as ``<name>.parquet``: types and index stay.

        Parameters
        ----------
        name : str
        frame : pandas.DataFrame
        """
        with self._saving(f"{name}.parquet") as partial:
            frame.to_parquet(partial)

    def load_frame(self, name: str) -> pd.DataFrame:
        """Read ``<name>.parquet`` of this run.

        Parameters
        ----------
        name : str

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingStepError, OtherParametersError
            As :meth:`load_dataset`.
        """
        import pandas as pd

        return pd.read_parquet(self._found(f"{name}.parquet", "save_frame", name))

    def save_boundary(self, name: str, geometry: BaseGeometry) -> None:
        """Save a boundary polygon (degrees, EPSG:4326) as ``<name>.geojson``.

        Parameters
        ----------
        name : str
        geometry : shapely.geometry.base.BaseGeometry
        """
        import shapely

        with self._saving(f"{name}.geojson") as partial:
            partial.write_text(shapely.to_geojson(geometry), encoding="utf-8")

    def load_boundary(self, name: str) -> BaseGeometry:
        """Read ``<name>.geojson`` of this run.

        Parameters
        ----------
        name : str

        Returns
        -------
        shapely.geometry.base.BaseGeometry

        Raises
        ------
        MissingStepError, OtherParametersError
            As :meth:`load_dataset`.
        """
        import shapely

        path = self._found(f"{name}.geojson", "save_boundary", name)
        return shapely.from_geojson(path.read_text(encoding="utf-8"))

    def save_figure(self, name: str, figure: Figure, alt: str = "", of_world: bool = True) -> None:
        """Save a figure as ``figures/<name>.png``, show that file in the notebook, and close the figure.

        In a world that is simulated the figure says so: this is the one place that stamps it.

        Parameters
        ----------
        name : str
        figure : matplotlib.figure.Figure
        alt : str
            What the figure shows, for readers who cannot see it.
        of_world : bool
            It shows something of the run's world. Times and memory of this machine are none of it.
        """
        from IPython.display import Image, display
        from matplotlib import pyplot

        if of_world and self.settings.world in WORLDS_WITH_TRUTH:
            figure.text(1.0, 0.0, SIMULATED, ha="right", va="top", fontsize=8, color="0.35")
        with self._saving(f"figures/{name}.png") as partial:
            figure.savefig(partial, format="png", dpi=FIGURE_DPI, bbox_inches="tight", facecolor="white")
        pyplot.close(figure)
        path = self.folder / "figures" / f"{name}.png"
        image = Image(filename=str(path), alt=alt or name.replace("_", " "))
        image.width = round(_png_width(path) * 96 / FIGURE_DPI)
        display(image)

    def show(self, table: pd.DataFrame) -> None:
        """Show a table in the notebook: a named index becomes columns, numbers have four digits, gaps stay empty.

        The saved table keeps all digits; see :meth:`save_table`.

        Parameters
        ----------
        table : pandas.DataFrame
        """
        from IPython.display import HTML, display

        flat = table.reset_index() if any(level is not None for level in table.index.names) else table
        words = flat.astype(object).where(flat.notna(), "")
        display(HTML(words.to_html(index=False, border=0, float_format="{:.4g}".format)))

    # -- numbers in the prose, truth, the end ------------------------------------------------------

    def glue(self, name: str, value: float | int | str) -> None:
        """Give a number or a text a name that any page of the book can show.

        A page shows the number glued as ``nep_mean`` in notebook 05 with one digit by::

            {glue:text}`/notebooks/05_comparison.ipynb::nep_mean:.1f`

        Parameters
        ----------
        name : str
        value : float, int or str
            A NumPy scalar becomes a plain Python number: glued as it is, it would read ``np.float64(68.1)``.

        Raises
        ------
        TypeError
            If the value is neither a number nor a text.
        ValueError
            If the number is not finite: a page would show ``nan``.
        """
        from myst_nb import glue

        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            plain: float | int | str = int(value)
        elif isinstance(value, numbers.Real) and not isinstance(value, bool):
            plain = float(value)
        elif isinstance(value, str):
            plain = value
        else:
            given = type(value).__name__
            raise TypeError(f"glue {name!r}: expected a number or a text, got {given}: glue float(x) or str(x)")
        if not isinstance(plain, str) and not isfinite(plain):
            raise ValueError(f"glue {name!r}: the value is {plain}: glue a text that says why instead")
        glue(name, plain, display=False)

    @cached_property
    def truth(self) -> xr.Dataset | None:
        """The known truth of a simulated world (``truth.zarr``); ``None`` in a world without one."""
        return self.load_dataset("truth") if self.settings.world in WORLDS_WITH_TRUTH else None

    def finish(self) -> None:
        """Close the notebook's provenance: end, duration, peak memory. A notebook's last cell calls it."""
        for path in self._unfinished:
            _remove(path)
        self._record["finished"] = _now()
        self._write_provenance()

    # -- provenance --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _saving(self, artefact: str) -> Iterator[Path]:
        """Yield the path to write to; put it under its name when whole, and into the provenance."""
        if not self._saved_something:
            self._put_aside_executed_copy()
            self._saved_something = True
        target = self.folder / artefact
        with written_whole(target) as partial:
            yield partial
        self._record["outputs"][artefact] = {
            "sha256": _digest(target),
            "bytes": _size(target),
            "parameters": {key: self._record["settings"][key] for key in deciding_parameters(self.notebook)},
        }
        self._write_provenance()

    def _put_aside_executed_copy(self) -> None:
        """Remove the executed copy of an earlier execution: what it shows is about to be replaced."""
        executed = self.folder / "notebooks" / f"{self.notebook}.ipynb"
        if executed.is_file():
            executed.unlink()
            print(f"{_shown(executed)} was of an earlier execution and is removed: `make book` makes it anew.")

    def _found(self, artefact: str, saver: str, name: str) -> Path:
        """Return an artefact's path, after checking that it is there and was made with these parameters."""
        path = self.folder / artefact
        if not path.exists():
            first = _notebook_that_calls(saver, name) or "the notebooks before this one, in their order,"
            raise MissingStepError(
                f"{self.notebook} needs {artefact}, which is not in {_shown(self.folder)}: "
                f"run {first} first, with the same parameters"
            )
        maker, output = _producer(self.folder, artefact)
        if output is not None and maker != self.notebook:
            self._refuse_other_parameters(artefact, maker, output["parameters"])
            self._record["inputs"][artefact] = output["sha256"]
        return path

    def _refuse_other_parameters(self, artefact: str, maker: str, made_with: Mapping[str, Any]) -> None:
        """Raise if one of the parameters that decided an artefact differs from this notebook's."""
        own = self._record["settings"]
        differing = [key for key, value in made_with.items() if key in own and own[key] != value]
        if differing:
            pairs = "; ".join(f"{key} is {own[key]!r} here, {made_with[key]!r} there" for key in differing)
            raise OtherParametersError(
                f"{_shown(self.folder / artefact)} was made by {maker} with other parameters ({pairs}): "
                f"run {maker} again with the parameters of this notebook, or give this one another `run` name"
            )

    def _write_provenance(self) -> None:
        """Write ``provenance/<notebook>.json``; an earlier session's outputs stay listed while they exist."""
        path = self.folder / "provenance" / f"{self.notebook}.json"
        earlier = json.loads(path.read_text(encoding="utf-8"))["outputs"] if path.is_file() else {}
        kept = {artefact: output for artefact, output in earlier.items() if (self.folder / artefact).exists()}
        record = self._record | {
            "outputs": kept | self._record["outputs"],
            "wall_seconds": round(time.monotonic() - self._clock, 1),
            "peak_memory_bytes": _peak_memory(),
        }
        with written_whole(path) as partial:
            partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


# -- execution by papermill ------------------------------------------------------------------------


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
    helpers.config.ConfigError
        If a parameter is not valid.
    ExecutionError
        If there is no such notebook, or a cell fails.
    """
    import nbformat

    source = Path(notebook).resolve()
    if not source.is_file():
        raise ExecutionError(f"no notebook {notebook}: expected the path of one in notebooks/")
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
            raise ExecutionError(_why(source.stem, error, failed, log)) from error
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
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")])
            ),
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
    copy = f"\nexecuted copy: {_shown(failed)}" if failed.is_file() else ""
    return f"{what}{copy}\nlog: {_shown(log)}"


# -- small parts -----------------------------------------------------------------------------------


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a neighbouring path to write a file or folder to; put it under its name only when that succeeded.

    Parameters
    ----------
    path : pathlib.Path
        The final name. What was there before is replaced; after an error it is still there, unchanged.

    Yields
    ------
    pathlib.Path
        Where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    old = path.with_name(f".{os.getpid()}.old.{path.name}")
    try:
        yield partial
        if path.is_dir() and not path.is_symlink():
            path.rename(old)
        partial.replace(path)
    finally:
        for leftover in (partial, old):
            _remove(leftover)


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed had begun to write for a path."""
    for leftover in path.parent.glob(f".*.partial.{path.name}"):
        writer = leftover.name.split(".")[1]
        if writer.isdigit() and not psutil.pid_exists(int(writer)):
            _remove(leftover)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _notebook_that_calls(saver: str, name: str) -> str | None:
    """Return the notebook whose source saves an artefact under a literal name, or ``None``."""
    call = re.compile(rf"{saver}\(\s*\\?[\"']{re.escape(name)}\\?[\"']")
    for path in sorted((project_root() / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(call.search("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"):
            return f"notebooks/{path.name}"
    return None


def _producer(folder: Path, artefact: str) -> tuple[str, dict[str, Any] | None]:
    """Return the notebook that saved an artefact of a run, and what its provenance says of it."""
    for path in sorted((folder / "provenance").glob("*.json")):
        output = json.loads(path.read_text(encoding="utf-8"))["outputs"].get(artefact)
        if output is not None:
            return path.stem, output
    return "", None


def _file_digests(notebook: str, settings: Settings) -> dict[str, str]:
    """Return the SHA-256 of the notebook and of its configuration, where they are files of the checkout."""
    root = project_root()
    files = [root / "notebooks" / f"{notebook}.ipynb", root / "config" / f"{settings.config}.yml"]
    return {path.relative_to(root).as_posix(): _digest(path) for path in files if path.is_file()}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and contents in alphabetical order."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    total = hashlib.sha256()
    for part in sorted(part for part in path.rglob("*") if part.is_file()):
        total.update(f"{part.relative_to(path).as_posix()}\0{_digest(part)}\n".encode())
    return total.hexdigest()


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    parts = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return sum(part.stat().st_size for part in parts)


def _png_width(path: Path) -> int:
    """Return the width of a PNG image in pixels, from its header."""
    with path.open("rb") as stream:
        return int.from_bytes(stream.read(20)[16:20], "big")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _peak_memory() -> int | None:
    """Return this process's peak resident memory in bytes, or ``None`` where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _git_state() -> dict[str, Any]:
    """Return the commit of the checkout and whether it holds uncommitted changes; ``None`` without git."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """Return what git says of the checkout; ``None`` where it says nothing or is not there."""
    try:
        command = ["git", "-C", str(project_root()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _package_versions() -> dict[str, str]:
    """Return the version of every installed distribution."""
    found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _shown(path: Path) -> str:
    """Return a path as a reader finds it: from the checkout where it lies in it."""
    root = project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.run``; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.run", description="Work with the folder of a run.")
    command = parser.add_subparsers(required=True).add_parser("execute", help="execute a notebook by papermill")
    command.add_argument("notebook", help="path of the notebook")
    command.add_argument("--config", default="virtual", help="name of a configuration, or path of a YAML file")
    pair = ("KEY", "VALUE")
    command.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=pair)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    name = Path(given.notebook).stem
    print(f"{name}: started", flush=True)
    try:
        overrides = {key: yaml.safe_load(value) for key, value in given.parameters}
        executed = execute(given.notebook, given.config, overrides)
    except (ConfigError, ExecutionError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    print(f"{name}: done in {time.monotonic() - began:.0f} s -> {_shown(executed)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
