"""The virtual run of the tests gives the tables, and the numbers that pages quote, that it gave when they were kept."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from helpers.runs.compare import differences, explanation
from helpers.runs.files import child_environment

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "virtual"
TOLERANCE = 1e-6
AGAIN = "If this is meant, keep the new ones: python tests/golden/make_virtual.py {}"


def unlike() -> str:
    """Return in words what of this machine may change the numbers, by the provenance of the golden ones."""
    made = json.loads((GOLDEN / "provenance" / "06_uncertainty.json").read_text(encoding="utf-8"))
    here = {name: version(name) for name in made["packages"]}
    found = [f"{name} {here[name]}, golden {one}" for name, one in made["packages"].items() if here[name] != one]
    system = platform.system() in made["platform"] and platform.machine() in made["platform"]
    return "; ".join([*found, *([] if system else [f"{platform.platform()}, golden {made['platform']}"])])


def test_the_virtual_run_gives_its_golden_tables_and_numbers(virtual_run):
    found = [one for one in differences(GOLDEN, virtual_run, TOLERANCE) if one.only_in != "B"]
    if found and (why := unlike()):
        pytest.skip(f"{len(found)} golden numbers differ where other numbers are to be expected: {why}")
    assert not found, f"{explanation(GOLDEN, virtual_run, TOLERANCE)}\n{AGAIN.format(virtual_run)}"


def test_the_golden_tables_are_small_and_say_what_made_them():
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (GOLDEN / "provenance").glob("*.json")]
    assert len(records) == 7 and sum(len(record["numbers"]) for record in records) > 100
    code = {(module, digest) for record in records for module, digest in record["code"].items()}
    assert len({module for module, _ in code}) == len(code) > 50  # all notebooks ran with one state of each module
    assert all(record["git"]["commit"] and record["settings"]["seed"] and record["packages"] for record in records)
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()) < 300_000


def test_a_golden_run_can_be_compared_by_the_command(virtual_run):
    """A golden table is one of a run: the command reads both alike."""
    command = [sys.executable, "-m", "helpers.runs.compare", str(virtual_run), str(virtual_run)]
    done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and "No table and no quoted number differs" in done.stdout
