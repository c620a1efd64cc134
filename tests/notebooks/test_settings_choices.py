"""Each choice of each setting runs all notebooks to their end, and leaves the numbers that the pages show.

Several settings change in one run: a run takes minutes. The nine runs are those of Taguchi's array L9, so that settings
of three choices meet in many pairs. A new setting with a choice is tried by itself: the list comes from ``Settings``.
"""

from __future__ import annotations

import ast
import json
import re
import typing
from pathlib import Path

import nbformat
import pytest

from helpers.config import Settings, load_config
from helpers.errors import ConfigError
from helpers.runs.execute import execute

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [
    *("01_data_preparation", "02_npp_random_forest", "03_rs_random_forest", "04_rh_and_nep", "05_comparison"),
    *("06_uncertainty", "09_evidence", "10_where_to_measure_next"),
]
SMALL = {
    **{"threads": 1, "n_trees": 20, "validation_trees": 8, "draw_count": 4, "draw_trees": 4},
    **{"resolution": 0.5, "first_year": 2015, "npp_sites": 120, "rs_sites": 62},
}
#: Settings that are numbers, with values that have ended runs.
NUMBERS = {"site_resample": [0, 7], "interval_level": [0.9, 0.5, 0.95], "first_year": [2015, 2017, 2018]}
RUNS = range(9)
COLUMNS = ((0, 1), (1, 1), (1, 2), (1, 0))  # of L9, as sums of the digits of a run's number to base 3


def choices(world: str) -> dict[str, list]:
    """Return the choices of each setting in a world, the numbers that are tried included."""
    literal = {
        name: list(typing.get_args(field.annotation))
        for name, field in Settings.model_fields.items()
        if typing.get_origin(field.annotation) is typing.Literal and name != "world"
    } | {"left_out": ["none", *load_config(world).rs_predictors]}
    return {key: [value for value in values if _is_valid(world, key, value)] for key, values in literal.items()} | {
        key: values for key, values in NUMBERS.items() if key != "first_year" or world == "virtual"
    }


def _is_valid(world: str, key: str, value: object) -> bool:
    try:
        load_config(world, {key: value})
    except ConfigError:
        return False
    return True


def parameters_of(run: int, world: str) -> dict[str, object]:
    """Return what one of :data:`RUNS` changes."""
    high, low = divmod(run, 3)
    chosen = {}
    for place, (key, values) in enumerate(choices(world).items()):
        by_high, by_low = COLUMNS[place % len(COLUMNS)]
        of_three = (by_high * high + by_low * low + place // len(COLUMNS)) % 3
        chosen[key] = values[(run if len(values) > 3 else of_three) % len(values)]
    return chosen


@pytest.mark.parametrize("world", ["virtual", "open"])
def test_the_runs_hold_each_choice_of_each_setting(world):
    tried = [parameters_of(run, world) for run in RUNS]
    assert {
        key: [value for value in values if value not in [one[key] for one in tried]]
        for key, values in choices(world).items()
    } == dict.fromkeys(choices(world), [])


WORLDS = ["virtual", pytest.param("open", marks=pytest.mark.real_data)]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("world", WORLDS)
def test_a_run_ends_and_has_the_numbers_of_the_pages(world, run, tmp_path, monkeypatch, request):
    if world == "open":
        request.getfixturevalue("real_data")
    monkeypatch.setenv("QTP_RUNS_DIR", str(tmp_path))
    chosen = parameters_of(run, world)
    copies = [execute(ROOT / "notebooks" / f"{name}.ipynb", world, SMALL | chosen) for name in NOTEBOOKS]
    record = json.loads((tmp_path / world / "provenance" / "09_evidence.json").read_text())
    assert record["finished"] and {key: record["settings"][key] for key in chosen} == chosen
    assert _without_its_number(copies) == []


def _without_its_number(copies: list[Path]) -> list[tuple[str, str, str]]:
    """Return what pages show of some executed notebooks, and these have not glued in that format."""
    glued = {}
    for path in copies:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name")
                if name:
                    (text,) = output["data"].values()
                    glued[path.name, name] = ast.literal_eval(text)
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md"))
    shown = re.findall(r"\{glue:text\}`/notebooks/(\w+\.ipynb)::(\w+):([^`]+)`", pages)
    return [one for one in shown if one[0] in {path.name for path in copies} and not _fits(glued.get(one[:2]), one[2])]


def _fits(value: object, form: str) -> bool:
    try:
        format(value, form)
    except (TypeError, ValueError):
        return False
    return True
