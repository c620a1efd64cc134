"""Feed the readers of untrusted files with damaged ones for some minutes: ``make fuzz`` calls it.

Atheris changes small good files, byte by byte, towards code that was not reached before. A reader may accept what it is
given or refuse it by an error of the project. Anything else is a find: another error, more than some seconds, memory
that grows. Its input is kept in ``_build/fuzz/finds``, to become a line of ``tests/faults/bad_inputs.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "_build" / "fuzz"
#: Seconds that one input may take, MB of memory that a reader may have, and by which it may grow once it is warm.
SLOWEST, MOST_MB, GROWTH_MB = 20, 3000, 150
#: Part of the time after which a reader is warm.
_WARM = 0.3
_LONGEST = 8192  # bytes of an input
DOORS = (
    *("configuration", "sweep", "catalogue", "table", "spreadsheet", "database"),
    *("outline", "raster", "record", "executed"),
)


class Door(NamedTuple):
    """A reader of untrusted files."""

    name: str  #: Of the file that it is given.
    read: Callable[[Path], object]
    seeds: list[bytes]  #: Small good files.


def door_of(name: str, folder: Path) -> Door:
    """Return a reader by its name; what it imports is watched by Atheris, if that is at work."""
    return _of_yaml(name) or _of_tables(name) or _of_maps(name) or _of_runs(name, folder)


def _of_yaml(name: str) -> Door | None:
    """Return a reader of YAML."""
    if name == "configuration":
        from helpers.config import load_config

        seeds = [re.sub(rb"(?m)^config: .*$", b"config: mine", content) for content in _files("config/*.yml")]
        return Door("mine.yml", load_config, seeds)
    if name == "sweep":
        from helpers.sweeps.plan import plan, read_sweep

        return Door("mine.yml", lambda path: plan(read_sweep(path)), _files("config/sweeps/ci.yml"))
    if name == "catalogue":
        from helpers.data import catalog

        def read(path: Path) -> object:
            """Read a catalogue that lies elsewhere."""
            catalog.catalogue_path = lambda: path
            return catalog.load_catalog()

        entries = re.split(r"\n(?=\w+:\n)", (ROOT / "data" / "catalog.yml").read_text(encoding="utf-8"))
        return Door(
            "catalog.yml", read, [one.encode() for one in entries if re.match(r"\w+:\n", one) and "*" not in one]
        )
    return None


def _of_tables(name: str) -> Door | None:
    """Return a reader of tables."""
    if name not in ("table", "spreadsheet", "database"):
        return None
    from shapely import box

    from helpers.config import load_config
    from helpers.data.region import Places

    places = Places.of(load_config("open"), box(-180, -90, 180, 90))
    if name == "database":
        from helpers.sites.databases import read_michaletz

        head = b"Index,Lat,Long,NPPTotal_gm2y,MAT_C,MAP_mm,BiomeSource,Source\n"
        rows = b"1,31.5,101.5,800,5,700,forest,Luo (1996)\n2,35.5,90.5,200,-5,300,shrub,Luo (1996)\n"
        return Door("plots.csv", lambda path: read_michaletz(path, places), [head + rows])
    from helpers.sites.tables import read_table

    if name == "table":
        return Door("mine.csv", lambda path: read_table(path, places), _files("data/observations/example*.csv"))
    good = _workbook()

    def read_sheet(path: Path) -> object:
        """Read bytes as a spreadsheet, or as the cells of a good one."""
        content = path.read_bytes()
        if not content.startswith(b"PK"):
            path.write_bytes(_with_cells(good, content))
        return read_table(path, places)

    return Door("mine.xlsx", read_sheet, [good, _cells(good)])


def _of_maps(name: str) -> Door | None:
    """Return a reader of outlines or rasters."""
    if name == "outline":
        from helpers.data.region import open_boundary

        ring = [[80, 30], [90, 30], [90, 35], [80, 35], [80, 30]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        one = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": shape}]}
        return Door("mine.geojson", open_boundary, [json.dumps(one).encode(), json.dumps(shape).encode()])
    if name == "raster":
        import numpy as np
        import xarray as xr

        from helpers.config import Layer
        from helpers.data.grid import target_grid
        from helpers.data.layers import open_layer

        grid = target_grid(80, 30, 82, 32, 0.5)
        axes = {"y": grid["latitude"].values, "x": grid["longitude"].values}
        field = xr.DataArray(np.arange(16, dtype="float32").reshape(4, 4), axes, ("y", "x")).rio.write_crs("EPSG:4326")
        with tempfile.TemporaryDirectory() as folder:
            field.rio.to_raster(Path(folder) / "good.tif")
            seed = (Path(folder) / "good.tif").read_bytes()
        return Door("mine.tif", lambda path: open_layer("mine", Layer(file=str(path), unit="1"), grid), [seed])
    return None


def _of_runs(name: str, folder: Path) -> Door:
    """Return a reader of what a run has left."""
    if name == "record":
        from helpers.runs.compare import explanation
        from helpers.runs.provenance import read_record

        good = {"settings": {"seed": 1}, "finished": None, "inputs": {}, "numbers": {"nep": 1.5}}
        good |= {"outputs": {"npp.zarr": {"sha256": "0", "bytes": 1, "parameters": {}}}, "packages": {"numpy": "2"}}
        other = folder / "other"
        (other / "provenance").mkdir(parents=True)
        (other / "provenance" / "04_rh_and_nep.json").write_text(json.dumps(good | {"numbers": {"nep": 2.5}}))

        def compared(path: Path) -> object:
            """Read a record, and compare it with a good one."""
            read_record(path)
            return explanation(path.parent.parent, other)

        return Door("provenance/04_rh_and_nep.json", compared, [json.dumps(good).encode()])
    if name == "executed":
        from helpers.runs.book import folded
        from helpers.runs.dependencies import notebook_code
        from helpers.runs.intact import read_executed

        def staged(path: Path) -> object:
            """Read an executed notebook as the book and the workflow do."""
            notebook_code(path)
            return folded(read_executed(path))

        output = {"output_type": "display_data", "data": {"text/plain": "1"}, "metadata": {}}
        cell = {"cell_type": "code", "metadata": {"tags": ["glue"]}, "source": ["x = 1"], "outputs": [output]}
        return Door("04_rh_and_nep.ipynb", staged, [json.dumps({"cells": [cell], "metadata": {}}).encode()])
    raise SystemExit(f"no door {name!r}; expected one of {', '.join(DOORS)}")


def _files(pattern: str) -> list[bytes]:
    """Return the contents of files of the checkout that are short enough."""
    return [path.read_bytes() for path in sorted(ROOT.glob(pattern)) if path.stat().st_size < _LONGEST]


def _workbook() -> bytes:
    """Return a small spreadsheet of sites."""
    import openpyxl

    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Site", "Longitude", "Latitude", "Year", "NPP (g C m-2 yr-1)", "Reference"])
    book.active.append(["A", 91.5, "31°30′N", "2001-2003", 250.0, "Luo 1996"])
    book.save(stream)
    return stream.getvalue()


def _cells(workbook: bytes) -> bytes:
    """Return the cells of the first sheet of a workbook, as XML."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return archive.read("xl/worksheets/sheet1.xml")


def _with_cells(workbook: bytes, cells: bytes) -> bytes:
    """Return a workbook with other cells in its first sheet."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, cells if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return stream.getvalue()


class Watch:
    """Counts what a reader did, and writes it down from time to time: the fuzzer ends without a word to Python."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.process, self.begun = path, psutil.Process(), time.monotonic()
        self.seconds = seconds
        self.told = {"executions": 0, "refused": 0, "warm_mb": 0.0, "mb": 0.0}

    def count(self, refused: bool) -> None:
        """Count one input."""
        self.told["executions"] += 1
        self.told["refused"] += refused
        if self.told["executions"] % 100 == 0:
            self.told["mb"] = self.process.memory_info().rss / 1e6
            if time.monotonic() - self.begun < _WARM * self.seconds:
                self.told["warm_mb"] = self.told["mb"]
            self.path.write_text(json.dumps(self.told))


def fuzz_one(name: str, seconds: int) -> None:
    """Feed one reader until the time is over or something is found; it does not return."""
    import atheris

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        with atheris.instrument_imports(include=["helpers"]):
            door = door_of(name, Path(folder))
            from helpers.errors import ConfigError, DataError, RunError
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(door.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        words = sorted({word for seed in door.seeds for word in re.findall(rb"[A-Za-z_]\w{2,20}", seed)})[:500]
        dictionary = Path(folder) / "words"
        dictionary.write_text("".join(f'"{word.decode()}"\n' for word in words))
        path = Path(folder) / "run" / door.name
        path.parent.mkdir(parents=True)
        watch = Watch(FOLDER / f"{name}.json", seconds)

        def feed(content: bytes) -> None:
            """Give one input to the reader."""
            path.write_bytes(content)
            try:
                door.read(path)
            except (ConfigError, DataError, RunError):
                watch.count(refused=True)
            except BaseException:  # atheris ends with it, and may not keep the input
                digest = hashlib.sha256(content).hexdigest()[:16]
                (FOLDER / "finds" / f"{name}-error-{digest}").write_bytes(content)
                raise
            else:
                watch.count(refused=False)

        for seed in door.seeds:  # what is made once, as the digests of our code, is no slowness of a reader
            feed(seed)
        watch.begun = time.monotonic()
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MOST_MB}"]
        limits += [f"-max_len={_LONGEST}", f"-dict={dictionary}", f"-artifact_prefix={FOLDER / 'finds' / name}-"]
        atheris.Setup([sys.argv[0], str(corpus), *limits], feed)
        atheris.Fuzz()


def report(name: str, seconds: int) -> tuple[str, bool]:
    """Fuzz a reader in a process of its own; return its row of the report, and whether nothing was found."""
    told, log = FOLDER / f"{name}.json", FOLDER / f"{name}.log"
    told.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--door", name, "--seconds", str(seconds)]
    # Libraries in C that write a line for each damaged file, and threads that wait, would take the time of the readers.
    quiet = os.environ | {"CPL_LOG": os.devnull, "OMP_NUM_THREADS": "1", "GDAL_PAM_ENABLED": "NO"}
    with log.open("w") as stream:
        code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, env=quiet, check=False).returncode
    found = json.loads(told.read_text()) if told.is_file() else {"executions": 0, "refused": 0, "warm_mb": 0, "mb": 0}
    growth = max(found["mb"] - found["warm_mb"], 0.0) if found["warm_mb"] else 0.0
    problems = [f"ended with {code}, see {log.relative_to(ROOT)}"] * bool(code)
    problems += [f"grew by {growth:.0f} MB"] * (growth > GROWTH_MB) + ["read nothing"] * (not found["executions"])
    words = "; ".join(problems) or "nothing found"
    return f"{name:14} {found['executions']:10,} {found['refused']:10,} {growth:8.0f} MB  {words}", not problems


def main() -> int:
    """Fuzz all readers in turn, or one of them; return the exit code."""
    parser = argparse.ArgumentParser(prog="workflow/fuzz.py", description="Feed readers with damaged files.")
    parser.add_argument("--minutes", type=float, default=10, help="of all readers together (%(default)s)")
    parser.add_argument("--door", choices=DOORS, help="this reader alone, in this process")
    parser.add_argument("--seconds", type=int, default=60, help="of that reader (%(default)s)")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("Atheris is not installed: `make fuzz` does it, on Linux with Python 3.11 to 3.13", file=sys.stderr)
        return 2
    (FOLDER / "finds").mkdir(parents=True, exist_ok=True)
    if given.door:
        fuzz_one(given.door, given.seconds)
    seconds = max(1, round(60 * given.minutes / len(DOORS)))
    print(
        f"{len(DOORS)} readers, {seconds} s each\n{'reader':14} {'inputs':>10} {'refused':>10} {'growth':>11}",
        flush=True,
    )
    clean = True
    for name in DOORS:
        row, good = report(name, seconds)
        print(row, flush=True)
        clean &= good
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
