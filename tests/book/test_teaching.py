"""The solutions of the exercises run, as a student pastes them, and print what the text says of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.config import project_root


@pytest.fixture(scope="module")
def printed(virtual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the solutions in Python print; the last needs a second run, for which the first stands in."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "runs").mkdir()
    for name in ("virtual", "without_modis"):
        (folder / "runs" / name).symlink_to(virtual_run)
    page = (project_root() / "book" / "teaching.md").read_text(encoding="utf-8")
    solutions = re.findall(r"~~~python\n(.*?)~~~", page, re.S)
    done = [
        subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True) for code in solutions
    ]
    assert [process.stderr for process in done if process.returncode] == []
    return [process.stdout for process in done]


def test_the_kindest_score_promises_the_smallest_error(printed):
    ratios = {name: float(ratio) for name, ratio in re.findall(r"(\w+) +([\d.]+)$", printed[0], re.M)}
    assert ratios["in_sample"] == min(ratios.values()) and set(ratios) == {"in_sample", "out_of_bag", "knndm"}


def test_the_error_of_a_difference_is_told_beside_the_difference(printed):
    npp, rh, nep, error = map(
        float, re.search(r"NPP (\d+), Rh (\d+), NEP ([+-]\d+).*?NEP is known to (\d+)", printed[1], re.S).groups()
    )
    assert nep == pytest.approx(npp - rh, abs=1.5)
    assert error == pytest.approx(0.1 * (npp**2 + rh**2) ** 0.5, abs=1)


def test_two_runs_stand_beside_each_other(printed):
    assert [line.partition(":")[0] for line in printed[2].splitlines()] == ["virtual", "without_modis"]
