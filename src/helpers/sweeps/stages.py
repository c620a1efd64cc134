"""Executing a sweep: its stages by Snakemake and papermill, its state on disk, and the table of its results.

A sweep's folder, ``runs/sweeps/<sweep>/``::

    plan.json                              cells and stages
    stages/<notebook>/<digest>/            a run's folder of one notebook; what it needs is linked from earlier stages
    stages/<notebook>/<digest>/status.json how it ended; it appears last
    cells/<name>                           link to the cell's last stage: the whole run of that cell
    results.parquet, results.csv           a row a cell

The digest of a stage is made of the parameters that decide it and of the code that it executes. So a changed axis or
an edited helper makes new stages, and everything else stays. ``python -m helpers.sweeps.stages --help`` lists the
commands.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from helpers.config import project_root
from helpers.errors import ConfigError, RunError
from helpers.runs.execute import execute
from helpers.runs.files import SOURCES, runs_folder, written_whole
from helpers.runs.steps import deciding_parameters
from helpers.sweeps.plan import (
    FINAL,
    NOT_IN_SWEEPS,
    NOTEBOOKS,
    Plan,
    code_digest,
    part_of,
    plan,
    read_sweep,
    sweep_folder,
)

if TYPE_CHECKING:
    import pandas as pd

#: Seconds of a stage before any was measured: two light stages side by side on two cores.
USUAL_SECONDS = {"01_data_preparation": 20.0, "02_npp_random_forest": 15.0, "03_rs_random_forest": 15.0, FINAL: 9.0}

METRICS = {"r2_explained": "r2", "r": "r", "rmse": "rmse", "pbias": "pbias"}


# -- stages ----------------------------------------------------------------------------------------


def write_plan(planned: Plan) -> Path:
    """Write ``plan.json`` of a sweep, from which each stage is executed.

    Parameters
    ----------
    planned : Plan

    Returns
    -------
    pathlib.Path
    """
    content = {
        "sweep": planned.sweep.name,
        "config": planned.sweep.config,
        "code": {name: code_digest(name) for name in NOTEBOOKS},
        "cells": {cell.name: cell.stages[FINAL] for cell in planned.cells},
        "stages": [
            {"notebook": stage.notebook, "digest": stage.digest, "parameters": stage.parameters, "needs": stage.needs}
            for stage in planned.stages.values()
        ],
    }
    path = sweep_folder(planned.sweep.name) / "plan.json"
    text = json.dumps(content, indent=1) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return path


def execute_stage(plan_file: Path, notebook: str, digest: str) -> dict[str, Any]:
    """Execute one stage of a plan, or find that it need not be, and write how it ended.

    A notebook that fails is a result: its error is recorded, and the stages that need it fail with the same error. A
    process that is killed leaves no status, so the stage is executed again.

    Parameters
    ----------
    plan_file : pathlib.Path
        From :func:`write_plan`.
    notebook, digest : str
        The stage.

    Returns
    -------
    dict
        What ``status.json`` holds: ``status`` (``done`` or ``failed``), ``error``, ``wall_seconds``,
        ``peak_memory_bytes``.

    Raises
    ------
    ConfigError
        If the plan has no such stage, or the code was edited since the plan was made.
    """
    content = json.loads(plan_file.read_text(encoding="utf-8"))
    found = [s for s in content["stages"] if (s["notebook"], s["digest"]) == (notebook, digest)]
    if not found:
        raise ConfigError(f"{plan_file} has no stage {notebook} {digest}: start the sweep again")
    _refuse_edited_code(notebook, content["code"][notebook])
    root = plan_file.parent
    folder = _stage_folder(root, notebook, digest)
    with _alone(folder):
        if (folder / "status.json").is_file():
            return _status(folder)
        ended = _execute(root, folder, found[0], content["config"])
        with written_whole(folder / "status.json") as partial:
            partial.write_text(json.dumps(ended, indent=1) + "\n", encoding="utf-8")
    if notebook == FINAL:
        _link_cells(root, content["cells"], digest)
    _say_progress(root, content, found[0], ended)
    return ended


def _refuse_edited_code(notebook: str, planned: str) -> None:
    """Raise if what a stage executes was edited since the sweep was planned: its name would lie."""
    if code_digest(notebook) != planned:
        raise ConfigError(f"the code of {notebook} was edited while the sweep ran: start the sweep again")


def _execute(root: Path, folder: Path, stage: dict[str, Any], config: str) -> dict[str, Any]:
    began = time.monotonic()
    error = ""
    for name, digest in stage["needs"]:
        earlier = _status(_stage_folder(root, name, digest))
        error = error or earlier["error"]
    if not error:
        _link_earlier(root, folder, stage["needs"])
        parameters = {"threads": 1, **stage["parameters"]}
        parameters["run"] = folder.relative_to(runs_folder()).as_posix()
        source = project_root() / "notebooks" / f"{stage['notebook']}.ipynb"
        try:
            execute(source, config, parameters, without=NOT_IN_SWEEPS)
        except (ConfigError, RunError) as problem:
            error = f"{stage['notebook']}: {_in_short(problem)}"
    record = folder / "provenance" / f"{stage['notebook']}.json"
    memory = json.loads(record.read_text(encoding="utf-8"))["peak_memory_bytes"] if record.is_file() else None
    return {
        "status": "failed" if error else "done",
        "error": error,
        "wall_seconds": round(time.monotonic() - began, 2),
        "peak_memory_bytes": memory,
    }


def _in_short(problem: Exception) -> str:
    """Return the error of a failed cell in one line."""
    cause = problem.__cause__
    name, value = getattr(cause, "ename", None), getattr(cause, "evalue", None)
    text = f"{name}: {value}" if name else str(cause or problem)
    return " ".join(text.split())


def _link_earlier(root: Path, folder: Path, needs: Sequence[Sequence[str]]) -> None:
    """Empty a stage's folder and link what earlier stages saved, with their provenance."""
    for path in folder.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, digest in needs:
        source = _stage_folder(root, name, digest)
        record = source / "provenance" / f"{name}.json"
        outputs = json.loads(record.read_text(encoding="utf-8"))["outputs"]
        for artefact in [*outputs, f"provenance/{name}.json", f"notebooks/{name}.ipynb"]:
            link = folder / artefact
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(source / artefact, link.parent))


def _link_cells(root: Path, cells: dict[str, str], digest: str) -> None:
    for name in [name for name, final in cells.items() if final == digest]:
        link = root / "cells" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(link) as partial:
            partial.symlink_to(Path("..") / "stages" / FINAL / digest)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a stage's lock: a process that outlived a killed sweep may still work in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


def _stage_folder(root: Path, notebook: str, digest: str) -> Path:
    return root / "stages" / notebook / digest


def _status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text(encoding="utf-8"))


# -- state and progress ----------------------------------------------------------------------------


def state(planned: Plan) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the status of the stages of a plan that have ended, by notebook and digest."""
    root = sweep_folder(planned.sweep.name)
    return _ended(root, list(planned.stages))


def _ended(root: Path, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    folders = {key: _stage_folder(root, *key) for key in keys}
    return {key: _status(folder) for key, folder in folders.items() if (folder / "status.json").is_file()}


def expected_minutes(keys: Sequence[tuple[str, str]], ended: dict[tuple[str, str], dict[str, Any]], jobs: int) -> float:
    """Return how long the stages that have not ended are likely to take.

    Parameters
    ----------
    keys : sequence of (str, str)
        All stages, by notebook and digest.
    ended : dict
        Those that have ended, from :func:`state`; the mean time of a notebook is taken from them.
    jobs : int
        Stages executed side by side.

    Returns
    -------
    float
        Minutes.

    Examples
    --------
    >>> expected_minutes([("04_rh_and_nep", "a"), ("04_rh_and_nep", "b")], {}, jobs=2)
    0.15
    """
    seconds = 0.0
    for notebook in NOTEBOOKS:
        measured = [s["wall_seconds"] for (name, _), s in ended.items() if name == notebook and s["status"] == "done"]
        each = sum(measured) / len(measured) if measured else USUAL_SECONDS[notebook]
        seconds += each * sum(key[0] == notebook and key not in ended for key in keys)
    return round(seconds / jobs / 60, 2)


def _say_progress(root: Path, content: dict[str, Any], stage: dict[str, Any], status: dict[str, Any]) -> None:
    keys = [(s["notebook"], s["digest"]) for s in content["stages"]]
    ended = _ended(root, keys)
    failed = sum(s["status"] == "failed" for s in ended.values())
    left = expected_minutes(keys, ended, int(os.environ.get("QTP_SWEEP_JOBS", "1")))
    names = [name for name, final in content["cells"].items() if (FINAL, final) == (stage["notebook"], stage["digest"])]
    what = f"{stage['notebook']} {names[0] if names else stage['digest']}"
    how = f"failed: {status['error']}" if status["error"] else f"{status['wall_seconds']:.0f} s"
    print(f"[{len(ended)}/{len(keys)}, {failed} failed, about {left:.0f} min left] {what}: {how}", flush=True)


def forget_failures(planned: Plan) -> int:
    """Forget the stages that failed, so that they are executed again; return their number."""
    failed = [key for key, status in state(planned).items() if status["status"] == "failed"]
    for key in failed:
        (_stage_folder(sweep_folder(planned.sweep.name), *key) / "status.json").unlink()
    return len(failed)


# -- results ---------------------------------------------------------------------------------------


def collect(planned: Plan) -> pd.DataFrame:
    """Write the table of a sweep's results, as Parquet and as CSV.

    Parameters
    ----------
    planned : Plan

    Returns
    -------
    pandas.DataFrame
        A row a cell, in the order of the plan: ``cell``, ``crossed`` (a combination of the axes), ``status`` (``done``,
        ``failed``, ``not run``) and ``error``; all parameters that decide a cell; ``npp_mean_gC_m2_yr``,
        ``npp_total_TgC_yr``, ``npp_valid_area_Mkm2`` and so on for Rh and NEP; on a world with a truth
        ``true_nep_mean_gC_m2_yr`` and the like; the scores ``<npp|rs>_<r2|r|rmse|pbias>_<scheme>``, those of Rs in log
        space, and the training rows ``npp_n`` and ``rs_n``; ``wall_seconds`` of its whole chain and
        ``peak_memory_bytes``.
    """
    import pandas as pd

    root = sweep_folder(planned.sweep.name)
    ended = state(planned)
    table = pd.DataFrame([_row(root, planned, cell, ended) for cell in planned.cells])
    table["extra_observations"] = table["extra_observations"].map("; ".join)
    text = table.to_csv(index=False)
    csv = root / "results.csv"
    if not csv.is_file() or csv.read_text(encoding="utf-8") != text:
        with written_whole(root / "results.parquet") as partial:
            table.to_parquet(partial, index=False)
        with written_whole(csv) as partial:
            partial.write_text(text, encoding="utf-8")
    return table


def _row(root: Path, planned: Plan, cell: Any, ended: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    statuses = [ended[key] for key in cell.stages.items() if key in ended]
    final = ended.get((FINAL, cell.stages[FINAL]), {"status": "not run", "error": ""})
    row = {"cell": cell.name, "crossed": cell.crossed, "status": final["status"], "error": final["error"]}
    row |= {key: getattr(cell.settings, key) for key in deciding_parameters(FINAL)}
    if final["status"] == "done":
        row |= _numbers(_stage_folder(root, FINAL, cell.stages[FINAL]))
    memory = [s["peak_memory_bytes"] for s in statuses if s["peak_memory_bytes"]]
    row["wall_seconds"] = round(sum(s["wall_seconds"] for s in statuses), 2)
    return row | {"peak_memory_bytes": max(memory, default=None)}


def _numbers(folder: Path) -> dict[str, float]:
    """Return budgets and scores of a cell, from the tables that its notebooks saved."""
    import pandas as pd

    tables = folder / "tables"
    numbers: dict[str, float] = {}
    for row in pd.read_csv(tables / "budget_forests.csv").to_dict("records"):
        for name in ("mean_gC_m2_yr", "total_TgC_yr", "valid_area_Mkm2"):
            numbers[f"{row['quantity'].lower()}_{name}"] = row[name]
    truth = tables / "truth_recovered.csv"
    if truth.is_file():
        for row in pd.read_csv(truth).to_dict("records"):
            unit = {"mean": "mean_gC_m2_yr", "total": "total_TgC_yr"}.get(row["statistic"])
            if unit:
                numbers[f"true_{row['quantity'].lower()}_{unit}"] = row["true"]
    for forest in ("npp", "rs"):
        scores = pd.read_csv(tables / f"validation_{forest}.csv")
        numbers[f"{forest}_n"] = int(scores.loc[scores["scheme"] == "in_sample", "n"].iloc[0])
        for row in scores[scores["metric"].isin(METRICS)].to_dict("records"):
            part = "" if row["part"] == "all" else f"_{row['part']}"
            numbers[f"{forest}_{METRICS[row['metric']]}_{row['scheme']}{part}"] = row["value"]
    return numbers


# -- commands --------------------------------------------------------------------------------------


def _snakemake(sweep_file: str, planned: Plan, jobs: int, profile: str, part: str) -> None:
    """Let Snakemake execute the stages that have not ended."""
    root, folder = project_root(), sweep_folder(planned.sweep.name)
    options = ["--cores", str(jobs), "--keep-going", "--ignore-incomplete", "--rerun-triggers", "mtime"]
    options += ["--nolock", "--directory", str(folder), "--quiet", "all"]
    options += ["--config", f"sweep={Path(sweep_file).resolve() if Path(sweep_file).is_file() else sweep_file}"]
    options += [f"part={part}"] if part else []
    options += ["--profile", str(Path(profile).resolve())] if profile else []
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "workflow" / "sweep.smk")]
    with tempfile.TemporaryDirectory(prefix="snakemake-") as sources:  # one that stays would keep an old sweep.smk
        command += [*options, "--runtime-source-cache-path", sources]
        subprocess.run(command, check=False, env=_environment(jobs))


def _environment(jobs: int) -> dict[str, str]:
    """Return the environment of Snakemake, which works in the sweep's folder: paths are absolute there."""
    own = {"QTP_SWEEP_JOBS": str(jobs), "QTP_BOOK_ROOT": str(project_root()), "QTP_RUNS_DIR": str(runs_folder())}
    for name in ("QTP_DATA_DIR", "QTP_DATA_MIRROR"):
        value = os.environ.get(name)
        if value:
            own[name] = value if "://" in value else os.path.abspath(value)
    paths = [str(SOURCES), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    own["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths if path)
    return os.environ | own


def _run(given: argparse.Namespace) -> int:
    whole = plan(read_sweep(given.sweep))
    planned = _chosen_part(whole, given.part)
    if given.retry_failed:
        print(f"{planned.sweep.name}: {forget_failures(planned)} failed stages are executed again")
    ended = state(planned)
    if ended and len(ended) < len(planned.stages) and not given.dry_run:
        collect(whole)
    minutes = expected_minutes(list(planned.stages), ended, given.jobs)
    print(_headline(planned, ended, minutes, given.jobs), flush=True)
    if given.dry_run:
        for cell in planned.cells:
            done = ended.get((FINAL, cell.stages[FINAL]), {"status": "to run"})["status"]
            print(f"  {done:8}{cell.name}")
        return 0
    if len(ended) < len(planned.stages):
        _snakemake(given.sweep, planned, given.jobs, given.profile, given.part)
    print(_outcome(whole, collect(whole)))
    missing = len(planned.stages) - len(state(planned))
    if missing:
        print(f"{missing} stages were not executed, see above; the same command goes on", file=sys.stderr)
    return 1 if missing else 0


def _headline(planned: Plan, ended: dict, minutes: float, jobs: int) -> str:
    shared = ", ".join(f"{count} x {name[:2]}" for name, count in planned.counts().items())
    capped = f" ({planned.n_capped} combinations beyond the cap left out)" if planned.n_capped else ""
    head = f"{planned.sweep.name}: {len(planned.cells)} cells{capped}, {len(planned.stages)} stages ({shared})"
    left = len(planned.stages) - len(ended)
    if not left:
        return f"{head}; finished, nothing to do"
    return f"{head}; {left} to execute, about {minutes:.0f} min with {jobs} jobs"


def _outcome(planned: Plan, table: pd.DataFrame) -> str:
    counts = table["status"].value_counts().to_dict()
    told = ", ".join(f"{counts[name]} {name}" for name in ("done", "failed", "not run") if name in counts)
    return f"{planned.sweep.name}: {told} -> {_shown(sweep_folder(planned.sweep.name) / 'results.csv')}"


def _shown(path: Path) -> str:
    root = project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _chosen_part(planned: Plan, part: str) -> Plan:
    if not part:
        return planned
    number, _, parts = part.partition("/")
    if not (number.isdigit() and parts.isdigit()):
        raise ConfigError(f"part {part!r}: expected, for example, 1/4")
    return part_of(planned, int(number), int(parts))


def _show(given: argparse.Namespace) -> int:
    """Print the calls of papermill that make one cell, without the machinery of sweeps."""
    planned = plan(read_sweep(given.sweep))
    cells = {cell.name: cell for cell in planned.cells}
    if given.cell not in cells:
        raise ConfigError(f"{planned.sweep.name} has no cell {given.cell!r}; --dry-run lists them")
    values = {"config": planned.sweep.config, "run": f"cell-{given.cell}", **planned.sweep.base}
    values |= cells[given.cell].values
    options = " ".join(f"-p {key} {shlex.quote(str(value))}" for key, value in values.items())
    for notebook in NOTEBOOKS:
        print(f"papermill notebooks/{notebook}.ipynb {notebook}.out.ipynb --cwd notebooks {options}")
    return 0


def _stage(given: argparse.Namespace) -> int:
    execute_stage(Path(given.plan), given.notebook, given.digest)
    return 0


def _collect(given: argparse.Namespace) -> int:
    planned = plan(read_sweep(given.sweep))
    told = _outcome(planned, collect(planned))
    if not given.silent:
        print(told)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.sweeps.stages``; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m helpers.sweeps.stages", description="Run sweeps of the chain.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="execute what is missing, then collect")
    run.add_argument("sweep", help="a file, or the name of one in config/sweeps/")
    run.add_argument("--jobs", type=int, default=2, help="stages side by side")
    run.add_argument("--dry-run", action="store_true", help="list the cells and the expected minutes")
    run.add_argument("--retry-failed", action="store_true", help="execute failed stages again")
    run.add_argument("--part", default="", help="a part of the cells, for several machines: 1/4")
    run.add_argument("--profile", default="", help="folder of a Snakemake profile, for a cluster")
    run.set_defaults(call=_run)
    collecting = commands.add_parser("collect", help="write the table of results of what has ended")
    collecting.add_argument("sweep")
    collecting.add_argument("--silent", action="store_true", help="say nothing")
    collecting.set_defaults(call=_collect)
    show = commands.add_parser("show", help="print the papermill calls of one cell")
    show.add_argument("sweep")
    show.add_argument("cell")
    show.set_defaults(call=_show)
    stage = commands.add_parser("stage", help="execute one stage; Snakemake calls this")
    for name in ("plan", "notebook", "digest"):
        stage.add_argument(name)
    stage.set_defaults(call=_stage)
    given = parser.parse_args(arguments)
    try:
        return given.call(given)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
