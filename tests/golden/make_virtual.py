"""Keep the tables and quoted numbers of a run of the tests' virtual world as golden ones.

``python tests/golden/make_virtual.py RUN`` takes them from the folder of a run that ``tests/conftest.py`` made
(``virtual_run``), with the provenance of each notebook: settings with the seed, commit, versions, platform, code. The
result is laid out as a run, so that ``python -m helpers.runs.compare`` reads it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "virtual"
#: Notebooks 07 and 08 show tables that come with the book.
NOTEBOOKS = (
    *("01_data_preparation", "02_npp_random_forest", "03_rs_random_forest", "04_rh_and_nep"),
    *("05_comparison", "06_uncertainty", "09_evidence"),
)
TABLES = (
    *("budgets", "budget_by_land_cover", "yearly_budgets", "trends", "rs_rh_fit", "table1_npp_products"),
    *("budget_uncertainty", "variance_sources", "truth_recovered", "estimates", "validation"),
)
_KEPT = ("notebook", "run", "settings", "started", "finished", "inputs", "git", "python", "platform", "numbers", "code")


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """Return of a notebook's provenance what says how its golden tables and numbers were made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    versions = {name: version for name, version in record["packages"].items() if canonicalize_name(name) in direct}
    files = {f"tables/{name}.csv" for name in TABLES}
    outputs = {name: made for name, made in record["outputs"].items() if name in files}
    slim = {name: {key: made[key] for key in ("sha256", "bytes")} for name, made in outputs.items()}
    return {key: record[key] for key in _KEPT} | {"packages": versions, "outputs": slim}


def main(run: Path) -> None:
    """Replace the golden files by those of a run."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for folder in ("provenance", "tables"):
        (GOLDEN / folder).mkdir(parents=True)
    for name in NOTEBOOKS:
        record = kept(json.loads((run / "provenance" / f"{name}.json").read_text(encoding="utf-8")))
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / "provenance" / f"{name}.json").write_text(text, encoding="utf-8")
    for name in TABLES:
        shutil.copyfile(run / "tables" / f"{name}.csv", GOLDEN / "tables" / f"{name}.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
