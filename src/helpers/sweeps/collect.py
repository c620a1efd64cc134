"""What a sweep has left on disk: how its stages ended, and the table of its results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import RunError
from helpers.runs.files import written_whole
from helpers.runs.intact import loss
from helpers.runs.provenance import read_record
from helpers.runs.steps import deciding_parameters
from helpers.sweeps.plan import FINAL, Cell, Plan, sweep_folder

if TYPE_CHECKING:
    import pandas as pd

#: How a stage ended, by notebook and digest.
Ended = dict[tuple[str, str], dict[str, Any]]

METRICS = {"r2_explained": "r2", "r": "r", "rmse": "rmse", "pbias": "pbias"}


def stage_folder(root: Path, notebook: str, digest: str) -> Path:
    """Return the folder of a stage below that of its sweep."""
    return root / "stages" / notebook / digest


def status(folder: Path) -> dict[str, Any]:
    """Return how a stage ended: ``status`` (``done`` or ``failed``), ``error``, seconds, bytes of memory.

    RunError is raised if its file is damaged.
    """
    path = folder / "status.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} cannot be read ({error}): remove it, and the sweep executes the stage again") from None


def lost_stages(root: Path, ended: Ended) -> dict[tuple[str, str], str]:
    """Return what is wrong with stages that are done, of those that have lost their record or some of their results."""
    lost = {}
    for (notebook, digest), how in ended.items():
        folder = stage_folder(root, notebook, digest)
        try:
            outputs = read_record(folder / "provenance" / f"{notebook}.json")["outputs"] if not how["error"] else {}
        except RunError as error:
            lost[notebook, digest] = str(error)
            continue
        problems = [f"{name} {problem}" for name, output in outputs.items() if (problem := loss(folder / name, output))]
        if problems:
            lost[notebook, digest] = "; ".join(problems)
    return lost


def ended_stages(root: Path, keys: Iterable[tuple[str, str]]) -> Ended:
    """Return the status of those stages, named by notebook and digest, that have ended."""
    folders = {key: stage_folder(root, *key) for key in keys}
    return {key: status(folder) for key, folder in folders.items() if (folder / "status.json").is_file()}


def collect(planned: Plan) -> pd.DataFrame:
    """Write the table of a sweep's results, a CSV file, and return it.

    There is a row per cell, in the order of the plan: ``cell``, ``crossed`` (a combination of the axes), ``status``
    (``done``, ``failed``, ``not run``) and ``error``; all parameters that decide a cell; ``npp_mean_gC_m2_yr``,
    ``npp_total_TgC_yr``, ``npp_valid_area_Mkm2`` and so on for Rh and NEP; in a world with a known truth
    ``true_nep_mean_gC_m2_yr`` and the like; the scores ``<npp|rs>_<r2|r|rmse|pbias>_<scheme>``, those of Rs in log
    space, and the training rows ``npp_n`` and ``rs_n``; ``wall_seconds`` of its whole chain and ``peak_memory_bytes``.
    """
    import pandas as pd

    root = sweep_folder(planned.sweep.name)
    ended = ended_stages(root, planned.stages)
    table = pd.DataFrame([_row(root, cell, ended) for cell in planned.cells])
    text = table.to_csv(index=False)
    csv = root / "results.csv"
    # The same table is not written again: notebook 07 is executed again when its file changes.
    if not csv.is_file() or csv.read_text(encoding="utf-8") != text:
        with written_whole(csv) as partial:
            partial.write_text(text, encoding="utf-8")
    return table


def _row(root: Path, cell: Cell, ended: Ended) -> dict[str, Any]:
    """Return the row of one cell."""
    statuses = [ended[key] for key in cell.stages.items() if key in ended]
    final = ended.get((FINAL, cell.stages[FINAL]), {"status": "not run", "error": ""})
    row = {"cell": cell.name, "crossed": cell.crossed, "status": final["status"], "error": final["error"]}
    decisive = cell.settings.model_dump(mode="json", include=set(deciding_parameters(FINAL)))
    row |= {key: _in_a_cell(decisive[key]) for key in deciding_parameters(FINAL)}
    if final["status"] == "done":
        row |= _numbers(stage_folder(root, FINAL, cell.stages[FINAL]) / "tables")
    memory = [s["peak_memory_bytes"] for s in statuses if s["peak_memory_bytes"]]
    row["wall_seconds"] = round(sum(s["wall_seconds"] for s in statuses), 2)
    return row | {"peak_memory_bytes": max(memory, default=None)}


def _in_a_cell(value: Any) -> Any:
    """Return a parameter as it stands in a table: several names parted by semicolons, tables of names as JSON."""
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def _numbers(tables: Path) -> dict[str, float]:
    """Return budgets and scores of a cell, from the tables that its notebooks saved."""
    import pandas as pd

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
