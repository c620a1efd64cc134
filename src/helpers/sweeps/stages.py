"""Executing a sweep: its stages by Snakemake and papermill, and the commands.

A sweep's folder, ``runs/sweeps/<sweep>/``::

    plan.json                              cells and stages
    stages/<notebook>/<digest>/            a run's folder of one notebook; what it needs is linked from earlier stages
    stages/<notebook>/<digest>/status.json how it ended; it appears last
    cells/<name>                           link to the cell's last stage: the whole run of that cell
    results.csv                            one row per cell

The digest of a stage is made of the parameters that decide it and of the code that it executes. So a changed axis or
an edited helper makes new stages, and everything else stays. ``python -m helpers.sweeps.stages --help`` lists the
commands.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.config import load_config, project_root
from helpers.errors import ConfigError, RunError
from helpers.runs import dependencies, warm
from helpers.runs.execute import execute
from helpers.runs.files import child_environment, remove, runs_folder, shown, written_whole
from helpers.runs.locks import alone, sweeping
from helpers.runs.provenance import read_record
from helpers.runs.steps import foreign_tags
from helpers.sweeps import inside
from helpers.sweeps.collect import Ended, collect, ended_stages, lost_stages, stage_folder, status
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
USUAL_SECONDS = {"01_data_preparation": 16.0, "02_npp_random_forest": 9.0, "03_rs_random_forest": 5.0, FINAL: 2.0}

LOCK = ".lock"  # of a stage's folder


# -- stages ----------------------------------------------------------------------------------------


def prepare() -> None:
    """Read what each stage reads, in the process that is copied for each: to parse our modules takes it a second."""
    root = project_root()
    for notebook in NOTEBOOKS:  # a copy reads the files again, and parses those that were edited
        dependencies.code_digest(root / "notebooks" / f"{notebook}.ipynb", root, NOT_IN_SWEEPS)
    inside.register()


def write_plan(planned: Plan) -> Path:
    """Write ``plan.json`` of a sweep, from which each stage is executed, and return its path."""
    path = sweep_folder(planned.sweep.name) / "plan.json"
    text = _plan_text(planned)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return path


def _plan_text(planned: Plan) -> str:
    """Return a plan as JSON."""
    content = {
        "sweep": planned.sweep.name,
        "config": planned.sweep.config,
        "cells": {cell.name: cell.stages[FINAL] for cell in planned.cells},
        "stages": [vars(stage) for stage in planned.stages.values()],
    }
    return json.dumps(content, indent=1) + "\n"


def execute_stage(plan_file: Path, notebook: str, digest: str) -> dict[str, Any]:
    """Execute one stage of a plan, or find that it need not be; write to ``status.json`` how it ended, and return it.

    A notebook that fails is a result: its error is recorded, and the stages that need it fail with the same error. A
    process that is killed leaves no status, so the stage is executed again. The plan is read from the file that
    :func:`write_plan` wrote; :func:`helpers.sweeps.collect.status` says what a status holds. ConfigError is raised if
    the plan has no such stage, or its code was edited since the plan was made.
    """
    content = json.loads(plan_file.read_text(encoding="utf-8"))
    found = [s for s in content["stages"] if (s["notebook"], s["digest"]) == (notebook, digest)]
    if not found:
        raise ConfigError(f"{plan_file} has no stage {notebook} {digest}: start the sweep again")
    stage = found[0]
    _refuse_edited_code(stage, content["config"])
    root = plan_file.parent
    folder = stage_folder(root, notebook, digest)
    # A process that outlived a killed sweep, or another part of it, may work in the folder.
    with alone(folder / LOCK, f"executes {notebook} of a sweep"):
        if (folder / "status.json").is_file():
            return status(folder)
        ended = _execute(root, folder, stage, content["config"])
        with written_whole(folder / "status.json") as partial:
            partial.write_text(json.dumps(ended, indent=1) + "\n", encoding="utf-8")
    cells = [name for name, final in content["cells"].items() if (FINAL, final) == (notebook, digest)]
    _link_cells(root, cells, folder)
    keys = [(s["notebook"], s["digest"]) for s in content["stages"]]
    print(_progress(ended_stages(root, keys), keys, f"{notebook} {[*cells, digest][0]}", ended), flush=True)
    return ended


def _refuse_edited_code(stage: dict[str, Any], config: str) -> None:
    """Raise if what a stage executes was edited since the sweep was planned: it would be kept under a wrong name."""
    foreign = foreign_tags(load_config(config, stage["parameters"]))
    if code_digest(stage["notebook"], foreign) != stage["code"]:
        raise ConfigError(f"the code of {stage['notebook']} was edited while the sweep ran: start the sweep again")


def _execute(root: Path, folder: Path, stage: dict[str, Any], config: str) -> dict[str, Any]:
    """Execute a stage whose predecessors have ended; return how it ended."""
    began = time.monotonic()
    error = next((e for name, key in stage["needs"] if (e := status(stage_folder(root, name, key))["error"])), "")
    if not error:
        _link_earlier(root, folder, stage["needs"])
        parameters = {"threads": 1, **stage["parameters"], "run": folder.relative_to(runs_folder()).as_posix()}
        source = project_root() / "notebooks" / f"{stage['notebook']}.ipynb"
        if why := inside.in_a_copy(_why_it_fails, source, config, parameters):
            error = f"{stage['notebook']}: {why}"
    record = folder / "provenance" / f"{stage['notebook']}.json"
    memory = read_record(record)["peak_memory_bytes"] if record.is_file() else None
    return {
        "status": "failed" if error else "done",
        "error": error,
        "wall_seconds": round(time.monotonic() - began, 2),
        "peak_memory_bytes": memory,
    }


def _why_it_fails(source: Path, config: str, parameters: dict[str, Any]) -> str:
    """Execute a notebook, and return in one line why it fails; nothing where it does not."""
    try:
        execute(source, config, parameters, without=NOT_IN_SWEEPS, engine=inside.ENGINE)
    except (ConfigError, RunError) as problem:
        return _in_short(problem)
    return ""


def _in_short(problem: Exception) -> str:
    """Return the error of a failed cell in one line."""
    cause = problem.__cause__
    name, value = getattr(cause, "ename", None), getattr(cause, "evalue", None)
    text = f"{name}: {value}" if name else str(cause or problem)
    return " ".join(text.split())


def _link_earlier(root: Path, folder: Path, needs: Sequence[Sequence[str]]) -> None:
    """Empty a stage's folder and link what earlier stages saved, with their provenance."""
    for path in folder.iterdir():
        if not path.name.startswith(LOCK):
            remove(path)
    for name, digest in needs:
        source = stage_folder(root, name, digest)
        record = source / "provenance" / f"{name}.json"
        outputs = read_record(record)["outputs"]
        for artefact in [*outputs, f"provenance/{name}.json", f"notebooks/{name}.ipynb"]:
            link = folder / artefact
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(source / artefact, link.parent))


def _link_cells(root: Path, names: Iterable[str], folder: Path) -> None:
    """Link the folder of a last stage under the names of its cells."""
    for name in names:
        link = root / "cells" / name
        with written_whole(link) as partial:
            partial.symlink_to(os.path.relpath(folder, link.parent))


# -- progress --------------------------------------------------------------------------------------


def expected_minutes(keys: Iterable[tuple[str, str]], ended: Ended, jobs: int) -> float:
    """Return how many minutes the stages that have not ended are likely to take, ``jobs`` of them side by side.

    ``keys`` are all stages, by notebook and digest. A notebook's mean time is taken from those that have ``ended``.
    """
    seconds = 0.0
    for notebook in NOTEBOOKS:
        measured = [s["wall_seconds"] for (name, _), s in ended.items() if name == notebook and s["status"] == "done"]
        each = sum(measured) / len(measured) if measured else USUAL_SECONDS[notebook]
        seconds += each * sum(key[0] == notebook and key not in ended for key in keys)
    return round(seconds / jobs / 60, 2)


def _progress(ended: Ended, keys: Sequence[tuple[str, str]], what: str, last: dict[str, Any]) -> str:
    """Return a line on the stage that has just ended, and on what is left."""
    failed = sum(s["status"] == "failed" for s in ended.values())
    left = expected_minutes(keys, ended, int(os.environ.get("QTP_SWEEP_JOBS", "1")))
    how = f"failed: {last['error']}" if last["error"] else f"{last['wall_seconds']:.0f} s"
    return f"[{len(ended)}/{len(keys)}, {failed} failed, about {left:.0f} min left] {what}: {how}"


def _headline(planned: Plan, ended: Ended, jobs: int) -> str:
    """Return what a sweep consists of, and how much of it is left."""
    shared = ", ".join(f"{count} x {name[:2]}" for name, count in planned.counts().items())
    capped = f" ({planned.n_capped} combinations beyond the cap left out)" if planned.n_capped else ""
    head = f"{planned.sweep.name}: {len(planned.cells)} cells{capped}, {len(planned.stages)} stages ({shared})"
    left = len(planned.stages) - len(ended)
    if not left:
        return f"{head}; finished, nothing to do"
    return f"{head}; {left} to execute, about {expected_minutes(planned.stages, ended, jobs):.0f} min with {jobs} jobs"


def _outcome(planned: Plan, table: pd.DataFrame) -> str:
    """Return how many cells are done, and where the table is."""
    counts = table["status"].value_counts().to_dict()
    words = ", ".join(f"{counts[name]} {name}" for name in ("done", "failed", "not run") if name in counts)
    return f"{planned.sweep.name}: {words} -> {shown(sweep_folder(planned.sweep.name) / 'results.csv')}"


# -- commands --------------------------------------------------------------------------------------


def _run(given: argparse.Namespace) -> int:
    """Execute what is missing of a sweep, or of a part of it, and collect."""
    whole = plan(read_sweep(given.sweep))
    planned = part_of(whole, given.part) if given.part else whole
    root = sweep_folder(planned.sweep.name)
    ended = ended_stages(root, planned.stages)
    for key, problem in lost_stages(root, ended).items():
        print(f"{key[0]} {key[1]} is executed again: {problem}")
        del ended[key]
        if not given.dry_run:
            (stage_folder(root, *key) / "status.json").unlink()
    if given.retry_failed:
        failed = [key for key in ended if ended[key]["status"] == "failed"]
        for key in failed:
            del ended[key]
            if not given.dry_run:
                (stage_folder(root, *key) / "status.json").unlink()
        print(f"{planned.sweep.name}: {len(failed)} failed stages are executed again")
    print(_headline(planned, ended, given.jobs), flush=True)
    if given.dry_run:
        for cell in planned.cells:
            print(f"  {ended.get((FINAL, cell.stages[FINAL]), {'status': 'to run'})['status']:8}{cell.name}")
        return 0
    if len(ended) < len(planned.stages):
        if ended:
            collect(whole)  # the table of what there is can be looked at while the rest runs
        with sweeping(planned.sweep.name, hashlib.sha256(_plan_text(whole).encode()).hexdigest()[:12]):
            _snakemake(given, root)
    print(_outcome(whole, collect(whole)))
    missing = len(planned.stages) - len(ended_stages(root, planned.stages))
    if missing:
        print(f"{missing} stages were not executed, see above; the same command goes on", file=sys.stderr)
    return 1 if missing else 0


def _snakemake(given: argparse.Namespace, folder: Path) -> None:
    """Let Snakemake execute the stages that have not ended."""
    sweep = Path(given.sweep).resolve() if Path(given.sweep).is_file() else given.sweep
    options = ["--cores", str(given.jobs), "--keep-going", "--ignore-incomplete", "--rerun-triggers", "mtime"]
    options += ["--nolock", "--directory", str(folder), "--scheduler", "greedy"]
    # On a cluster the stages' own lines go into the logs of its jobs.
    options += ["--quiet", *(["host", "reason", "rules", "progress"] if given.profile else ["all"])]
    options += ["--config", f"sweep={sweep}", *([f"part={given.part}"] if given.part else [])]
    options += ["--profile", str(Path(given.profile).resolve())] if given.profile else []
    command = [sys.executable, "-m", "snakemake", "-s", str(project_root() / "workflow" / "sweep.smk"), *options]
    with tempfile.TemporaryDirectory(prefix="snakemake-") as sources:  # one that stays would keep an old sweep.smk
        command += ["--runtime-source-cache-path", sources]
        environment = child_environment(QTP_SWEEP_JOBS=str(given.jobs))
        if given.profile:  # a cluster's job works where the cluster put it, not in a server of this machine
            subprocess.run(command, env=environment, check=False)
        else:
            warm.beside(command, prepare=__spec__.name, env=environment)


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
    words = _outcome(planned, collect(planned))
    if not given.silent:
        print(words)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.sweeps.stages``; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.sweeps.stages", description="Run a sweep: many runs of notebooks 01 to 04."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sweep = argparse.ArgumentParser(add_help=False)
    sweep.add_argument("sweep", help="a file, or the name of one in config/sweeps/")
    run = commands.add_parser("run", parents=[sweep], help="execute what is missing, then collect")
    run.add_argument("--jobs", type=int, default=2, help="stages side by side")
    run.add_argument("--dry-run", action="store_true", help="list the cells and the expected minutes")
    run.add_argument("--retry-failed", action="store_true", help="execute failed stages again")
    run.add_argument("--part", default="", help="a part of the cells, for several machines: 1/4")
    run.add_argument("--profile", default="", help="folder of a Snakemake profile, for a cluster")
    run.set_defaults(call=_run)
    collecting = commands.add_parser("collect", parents=[sweep], help="write the table of what has ended")
    collecting.add_argument("--silent", action="store_true", help="print nothing")
    collecting.set_defaults(call=_collect)
    show = commands.add_parser("show", parents=[sweep], help="print the papermill calls of one cell")
    show.add_argument("cell", help="its name, as `run --dry-run` lists it")
    show.set_defaults(call=_show)
    stage = commands.add_parser("stage", help="execute one stage; Snakemake calls this")
    stage.add_argument("plan", help="plan.json of the sweep")
    stage.add_argument("notebook", help="name without .ipynb")
    stage.add_argument("digest", help="name of the stage")
    stage.set_defaults(call=_stage)
    given = parser.parse_args(arguments)
    try:
        return given.call(given)
    except (ConfigError, RunError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
