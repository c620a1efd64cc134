"""A run whose numbers break a law stops, and says which law and by how much."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.config import load_config, project_root
from helpers.errors import RunError
from helpers.runs.execute import execute
from helpers.runs.provenance import read_record

SOUND = "nep = carbon.net_ecosystem_production(npp, rh)"


def test_a_run_whose_nep_has_another_sign_stops_and_has_no_executed_copy(virtual_run, tmp_path, monkeypatch):
    shutil.copytree(virtual_run, tmp_path / "virtual")
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    name = "04_rh_and_nep"
    text = Path(project_root(), "notebooks", f"{name}.ipynb").read_text(encoding="utf-8")
    assert text.count(SOUND) == 1
    spoiled = tmp_path / f"{name}.ipynb"
    spoiled.write_text(text.replace(SOUND, SOUND.replace("npp, rh", "rh, npp")), encoding="utf-8")
    used = read_record(virtual_run / "provenance" / f"{name}.json")["settings"]
    usual = load_config("virtual").model_dump()
    changed = {key: value for key, value in used.items() if value != usual[key]}
    with pytest.raises(RunError, match="maps: NEP is NPP - Rh does not hold: off by up to"):
        execute(spoiled, "virtual", changed, without=("figure", "glue"))
    assert not (tmp_path / "virtual" / "notebooks" / f"{name}.ipynb").exists()
    record = read_record(tmp_path / "virtual" / "provenance" / f"{name}.json")
    assert record["finished"] is None
    assert [law["law"] for law in record["laws"] if not law["holds"]] == ["NEP is NPP - Rh"]
