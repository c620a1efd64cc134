"""A run's folder: what a notebook saves and loads there, its provenance, its numbers in the book.

Every notebook begins with ``book_run = start("02_npp_random_forest", globals())`` and ends with ``book_run.finish()``.
Between them it reads what earlier notebooks saved and saves what later ones need. A file appears under its name only
when it is whole, so that a stopped notebook leaves nothing half written.
"""

from __future__ import annotations

import contextlib
import json
import numbers
import os
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import isfinite
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml
from threadpoolctl import threadpool_limits

from helpers.config import Settings, from_notebook, project_root
from helpers.errors import RunError
from helpers.runs import locks
from helpers.runs.files import digest, remove, runs_folder, shown, size, written_whole, zipped
from helpers.runs.intact import damage
from helpers.runs.memory import give_back
from helpers.runs.pictures import drawn, pixels
from helpers.runs.provenance import begun, code_digests, now, peak_memory, producer, read_record
from helpers.runs.shown import label_of, short_csv, shown_figure, shown_table
from helpers.runs.steps import WORLDS_WITH_TRUTH, deciding_parameters

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

    from helpers.balance.identities import Check

SIMULATED, MADE_UP = "simulated (virtual plateau)", "made-up input"
GLUE_PREFIX = "application/papermill.record/"
#: Bytes up to which a dataset is loaded when it is opened; larger ones stay on disk and are read chunk by chunk.
IN_MEMORY_BYTES = 256 * 2**20
#: Bytes of a figure's data beyond which a reader takes them away zipped.
MOST_CSV_BYTES = 50_000
#: Bytes of a figure's data that tell of a figure of some hundred thousand cells, which takes hundreds of MB to draw.
_LARGE_CSV_BYTES = 1_000_000


def start(notebook: str, names: Mapping[str, Any]) -> Run:
    """Open the run of a notebook: validate its parameters and write the run's ``config.yml``.

    ``notebook`` is its name without folder and ``.ipynb``. ``names`` are its ``globals()``, which hold its parameters;
    a module is not one. From here on linear algebra uses one thread. ConfigError is raised if a parameter is unknown,
    of the wrong type or out of its range, RunError if another process is at work on the notebook, or on the run with
    other parameters.
    """
    # Its matrices are small. Beside another notebook its threads wait for each other by turning in circles: up to
    # four times the seconds of processors, for the same numbers.
    threadpool_limits(1, user_api="blas")
    plain = {key: value for key, value in names.items() if not isinstance(value, ModuleType)}
    book_run = Run(notebook, from_notebook(plain))
    locks.begin_session(notebook, book_run.settings)
    text = yaml.safe_dump(book_run.settings.model_dump(), sort_keys=False)
    target = book_run.folder / "config.yml"
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        with written_whole(target) as partial:
            partial.write_text(text, encoding="utf-8")
    return book_run


class Run:
    """What one notebook reads from and writes to the folder of its run.

    ``notebook`` is its name without folder and ``.ipynb``. The ``folder`` is that of ``settings.run`` below
    :func:`runs_folder`.
    """

    def __init__(self, notebook: str, settings: Settings) -> None:
        self.notebook = notebook
        self.settings = settings
        self.folder = runs_folder() / settings.run
        self._clock = time.monotonic()
        self._saved_something = False
        self._unfinished: list[Path] = []
        self._glued: dict[str, float | int | str] = {}
        self._record = begun(notebook, settings)

    # -- datasets, tables, frames, boundaries, figures ---------------------------------------------

    def save_dataset(self, name: str, dataset: xr.Dataset) -> xr.Dataset:
        """Save a dataset as ``<name>.zarr``, in place of an earlier one, and return it as :meth:`load_dataset` does.

        What was lazy is not computed a second time.
        """
        import dask

        # When one chunk fails, Dask's own pool goes on to write the others, into a folder that is being removed. This
        # pool ends with the block, and waits for what it began.
        with (
            self._saving(f"{name}.zarr") as partial,
            ThreadPoolExecutor(os.cpu_count()) as pool,
            dask.config.set(pool=pool),
        ):
            dataset.drop_encoding().to_zarr(partial, mode="w", zarr_format=2, consolidated=True)
        if dataset.nbytes > IN_MEMORY_BYTES:
            give_back()
        return _opened(self.folder / f"{name}.zarr")

    def load_dataset(self, name: str) -> xr.Dataset:
        """Open ``<name>.zarr`` of this run.

        Up to :data:`IN_MEMORY_BYTES` it is in memory; a larger one is Dask-backed, in the chunks in which it was saved.
        RunError is raised if no notebook has saved it, or one did with other parameters than this notebook's, or if it
        is not as it was saved: a file is missing or was changed.
        """
        return _opened(self._found(f"{name}.zarr", "save_dataset", name))

    def unfinished(self, name: str) -> Path:
        """Return where a long computation keeps its blocks until :meth:`finish`, so that a stopped one goes on."""
        path = self.folder / "unfinished" / f"{name}.zarr"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._unfinished.append(path)
        return path

    def save_table(self, name: str, table: pd.DataFrame) -> None:
        """Save a result as ``tables/<name>.csv``; a named index becomes the first columns.

        Column names carry their units, for example ``rmse_gC_m2_yr``. A total in it must be its mean times its area.
        """
        if any(str(column).endswith("total_TgC_yr") for column in table.columns):
            from helpers.balance.identities import totals

            self.hold(*totals(name, table))
        with self._saving(f"tables/{name}.csv") as partial:
            _flat(table).to_csv(partial, index=False, encoding="utf-8")

    def load_table(self, name: str) -> pd.DataFrame:
        """Read ``tables/<name>.csv``; an empty field is a missing value. It raises what :meth:`load_dataset` raises."""
        import pandas as pd

        path = self._found(f"tables/{name}.csv", "save_table", name)
        return pd.read_csv(path, keep_default_na=False, na_values=[""])

    def save_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Save rows that later notebooks read as ``<name>.parquet``: types and index stay."""
        with self._saving(f"{name}.parquet") as partial:
            frame.to_parquet(partial)

    def load_frame(self, name: str) -> pd.DataFrame:
        """Read ``<name>.parquet``. It raises what :meth:`load_dataset` raises."""
        import pandas as pd

        return pd.read_parquet(self._found(f"{name}.parquet", "save_frame", name))

    def save_boundary(self, name: str, geometry: BaseGeometry) -> None:
        """Save a boundary polygon (degrees, EPSG:4326) as ``<name>.geojson``."""
        import shapely

        with self._saving(f"{name}.geojson") as partial:
            partial.write_text(shapely.to_geojson(geometry), encoding="utf-8")

    def load_boundary(self, name: str) -> BaseGeometry:
        """Read ``<name>.geojson``, degrees in EPSG:4326. It raises what :meth:`load_dataset` raises."""
        import shapely

        path = self._found(f"{name}.geojson", "save_boundary", name)
        return shapely.from_geojson(path.read_text(encoding="utf-8"))

    def save_figure(
        self, name: str, figure: Figure, caption: str, of_world: bool = True, also: Mapping[str, bytes] | None = None
    ) -> None:
        """Save a figure as ``figures/<name>.png`` and ``.svg``, its data as ``.csv``, and show it with its caption.

        Data of more than :data:`MOST_CSV_BYTES` are zipped: a fifth of the bytes, and pandas reads them as they are.
        A figure of some hundred thousand cells is empty afterwards: it would hold hundreds of MB.

        The caption, plain text, says what to see. The figure brings its alternative text, its data and its variant for
        phones along, see :mod:`helpers.figures.style`. Prose of the book refers to it by the label ``fig-<name>``,
        with hyphens. A figure of a world that is simulated, or of input that is made up, says so: this is the one place
        that stamps it. One that shows times or memory of a machine is not ``of_world`` and gets no stamp. ``also`` are
        further files that a reader takes away with it, their content by the ending, such as ``gpx``.
        """
        from IPython.display import display

        if not getattr(figure, "alt", ""):
            raise RunError(
                f"figure {name!r} has no words for readers who cannot see it: draw it by a function of helpers.figures "
                "that ends with style.described"
            )
        data = short_csv(_flat(figure.data)).encode("utf-8")
        files, pictures = self._pictures(name, figure, of_world, "png", "svg")
        large = len(data) > _LARGE_CSV_BYTES
        if large:  # not to be held beside the one for phones
            figure.clear()
            give_back()
        narrow, _ = self._pictures(f"{name}_narrow", figure.narrow(), of_world, "webp")
        if large:
            give_back()
        sizes = dict(zip(("width", "height"), pixels(pictures["png"]), strict=True))
        files["csv"] = f"figures/{name}.csv" + ".zip" * (len(data) > MOST_CSV_BYTES)
        with self._saving(files["csv"]) as partial:
            partial.write_bytes(zipped(f"{name}.csv", data) if files["csv"].endswith(".zip") else data)
        for ending, content in (also or {}).items():
            files[ending] = f"figures/{name}.{ending}"
            with self._saving(files[ending]) as partial:
                partial.write_bytes(content)
        record = self._record_of("figure", name, caption, files) | {"alt": figure.alt, "narrow": narrow, **sizes}
        display(shown_figure(record, pictures["png"]))

    def _pictures(
        self, name: str, figure: Figure, of_world: bool, *formats: str
    ) -> tuple[dict[str, str], dict[str, bytes]]:
        """Stamp and save a figure; return its files below the run's folder, and its pictures, by format."""
        stamped = of_world and (self.settings.world in WORLDS_WITH_TRUTH or self.settings.made_up)
        stamp = (MADE_UP if self.settings.made_up else SIMULATED) if stamped else ""
        pictures = drawn(figure, *formats, stamp=stamp)
        files = {kind: f"figures/{name}.{kind}" for kind in pictures}
        for kind, picture in pictures.items():
            with self._saving(files[kind]) as partial:
                partial.write_bytes(picture)
        return files, pictures

    def show_table(self, name: str, table: pd.DataFrame, caption: str, shown: pd.DataFrame | None = None) -> None:
        """Save a table as :meth:`save_table` does, and show it with its caption, in words and digits for people.

        ``shown`` is what the page shows where that is less than the table: some of its rows or columns. The reader
        takes away the whole. Prose of the book refers to it by the label ``tab-<name>``, with hyphens.
        """
        from IPython.display import display

        from helpers.tables import lettered

        self.save_table(name, table)
        record = self._record_of("table", name, caption, {"csv": f"tables/{name}.csv"})
        display(shown_table(record, lettered(_flat(table if shown is None else shown))))

    def _record_of(self, kind: str, name: str, caption: str, files: dict[str, str]) -> dict[str, Any]:
        """Return what the book must know of a figure or a table."""
        label = label_of(kind, name)
        return {"kind": kind, "label": label, "caption": caption, "notebook": self.notebook, "files": files}

    def hold(self, *checks: Check) -> None:
        """Keep in the provenance how far this notebook's numbers are from laws that they must keep.

        The checks are those of :mod:`helpers.balance.identities`. RunError is raised if one does not hold.
        """
        from helpers.balance.identities import broken, on_record

        self._record["laws"] += on_record(checks)
        if problem := broken(checks):
            self._write_provenance()
            raise RunError(problem)

    # -- numbers in the prose, truth, the end ------------------------------------------------------

    def glue(self, name: str, value: float | int | str) -> None:
        """Give a number or a text a name that :meth:`findings` and any page of the book can show.

        A page shows the number glued as ``nep_mean`` in notebook 05 with one digit by::

            {glue:text}`/notebooks/05_comparison.ipynb::nep_mean:.1f`

        Another type raises a TypeError. A number that is not finite raises a ValueError: a page would show ``nan``.
        """
        from IPython.display import display

        # A NumPy scalar becomes a plain Python number: glued as it is, it would read np.float64(68.1).
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
        # What myst_nb.glue(name, plain, display=False) does; to import it takes every notebook three seconds.
        metadata = {"scrapbook": {"name": name, "mime_prefix": GLUE_PREFIX}}
        display({f"{GLUE_PREFIX}text/plain": repr(plain)}, raw=True, metadata=metadata)
        self._glued[name] = plain

    def findings(self, text: str) -> None:
        """Show Markdown with numbers that this notebook has glued: the same sentence in JupyterLab and in the book.

        ``{nep_mean:+.0f}`` stands for the number glued under that name, ``{nep_sign}`` for a text; what is filled in is
        bold, with a true minus sign. ``{region}`` is the name of the region within a sentence, and plain. A brace of
        its own is written twice. RunError is raised if a name was not glued, or a format does not fit its value.
        """
        from IPython.display import Markdown, display

        parts = []
        for before, name, form, _ in Formatter().parse(text):
            parts.append(before)
            if name == "region":
                parts.append(self.settings.region.called)
            elif name is not None:
                parts.append(f"**{self._filled(name, form or '')}**")
        display(Markdown("".join(parts).strip()))

    @cached_property
    def truth(self) -> xr.Dataset | None:
        """The known truth of a simulated world (``truth.zarr``); ``None`` in a world without one."""
        return self.load_dataset("truth") if self.settings.world in WORLDS_WITH_TRUTH else None

    def finish(self) -> None:
        """Close the notebook's provenance: end, time, peak memory, numbers, code. A notebook's last cell calls it."""
        self._record |= {"finished": now(), "numbers": self._glued, "code": code_digests()}
        self._write_provenance(lasting=True)
        for path in self._unfinished:  # what they could be made again from, up to here
            remove(path)
        locks.end_session(self.notebook, self.settings)

    def _filled(self, name: str, form: str) -> str:
        """Return a glued value as the text of a finding."""
        if name not in self._glued:
            known = ", ".join(self._glued) or "nothing"
            raise RunError(f"findings: {{{name}}} was not glued; this notebook glued {known}: glue it in a cell above")
        value = self._glued[name]
        try:
            words = format(value, form)
        except ValueError as error:
            raise RunError(f"findings: {{{name}:{form}}} does not fit the value {value!r}: {error}") from None
        return re.sub(r"(?<![\w)])-(?=[\d.])", "\N{MINUS SIGN}", words)

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
            "sha256": digest(target),
            "bytes": size(target),
            "parameters": {key: self._record["settings"][key] for key in deciding_parameters(self.notebook)},
        }
        self._write_provenance()

    def _put_aside_executed_copy(self) -> None:
        """Remove the executed copy of an earlier execution: what it shows is about to be replaced."""
        executed = self.folder / "notebooks" / f"{self.notebook}.ipynb"
        if executed.is_file():
            executed.unlink()
            print(f"{shown(executed)} was of an earlier execution and is removed: `make book` makes it anew.")

    def _found(self, artefact: str, saver: str, name: str) -> Path:
        """Return an artefact's path, after checking that it is there, whole, and made with these parameters."""
        path = self.folder / artefact
        if not path.exists():
            first = _notebook_that_calls(saver, name) or "the notebooks before this one, in their order,"
            raise RunError(
                f"{self.notebook} needs {artefact}, which is not in {shown(self.folder)}: "
                f"run {first} first, with the same parameters"
            )
        maker, output = producer(self.folder, artefact)
        if output is None:
            again = _notebook_that_calls(saver, name) or "the notebook that saves it"
            raise RunError(f"{shown(path)} is in no notebook's provenance: run {again} again, which records it")
        if maker != self.notebook:
            self._refuse_other_parameters(artefact, maker, output["parameters"])
        if problem := damage(path, output):
            raise RunError(f"{shown(path)} {problem}: run notebooks/{maker}.ipynb again, which saved it")
        if maker != self.notebook:
            self._record["inputs"][artefact] = output["sha256"]
        return path

    def _refuse_other_parameters(self, artefact: str, maker: str, made_with: Mapping[str, Any]) -> None:
        """Raise if one of the parameters that decided an artefact differs from this notebook's."""
        own = self._record["settings"]
        differing = [key for key, value in made_with.items() if key in own and own[key] != value]
        if differing:
            pairs = "; ".join(f"{key} is {own[key]!r} here, {made_with[key]!r} there" for key in differing)
            raise RunError(
                f"{shown(self.folder / artefact)} was made by {maker} with other parameters ({pairs}): "
                f"run {maker} again with the parameters of this notebook, or give this one another `run` name"
            )

    def _write_provenance(self, lasting: bool = False) -> None:
        """Write ``provenance/<notebook>.json``; an earlier session's outputs stay listed while they exist."""
        path = self.folder / "provenance" / f"{self.notebook}.json"
        earlier: dict[str, Any] = {}
        with contextlib.suppress(RunError):  # a damaged record is replaced: what it listed is to be made again
            earlier = read_record(path)["outputs"]
        kept = {artefact: output for artefact, output in earlier.items() if (self.folder / artefact).exists()}
        record = self._record | {
            "outputs": kept | self._record["outputs"],
            "wall_seconds": round(time.monotonic() - self._clock, 1),
            "peak_memory_bytes": peak_memory(),
        }
        with written_whole(path, lasting) as partial:
            partial.write_text(_in_lines(record), encoding="utf-8")


def _in_lines(record: Mapping[str, Any]) -> str:
    """Return a record as JSON with a line for each key and each output: what ``indent`` does takes 20 times as long."""
    outputs = ",\n".join(f"  {json.dumps(name)}: {json.dumps(output)}" for name, output in record["outputs"].items())
    rest = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items() if key != "outputs")
    return f'{{\n{rest},\n "outputs": {{\n{outputs}\n }}\n}}\n'


def _opened(path: Path) -> xr.Dataset:
    """Open a dataset; load it if it is not too large."""
    import xarray as xr

    dataset = xr.open_zarr(path, consolidated=True)
    return dataset.load() if dataset.nbytes <= IN_MEMORY_BYTES else dataset


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose named index has become its first columns."""
    return table.reset_index() if any(level is not None for level in table.index.names) else table


def _notebook_that_calls(saver: str, name: str) -> str | None:
    """Return the notebook whose source saves an artefact under a literal name, or ``None``."""
    call = re.compile(rf"{saver}\(\s*\\?[\"']{re.escape(name)}\\?[\"']")
    for path in sorted((project_root() / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(call.search("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"):
            return f"notebooks/{path.name}"
    return None
