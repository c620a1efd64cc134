"""The README's result is made from a run's tables, not typed."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from helpers.balance import paper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow"))

import readme_result  # noqa: E402


def block(nep_total, sweep=None):
    mean = {"mean_gC_m2_yr": nep_total / 2.0, "total_TgC_yr": nep_total, "valid_area_Mkm2": 2.0}
    budgets = pd.DataFrame([{"quantity": "NEP", "product": "NEP1"} | mean])
    schemes = {"in_sample": 0.71, "out_of_bag": 0.32, "knndm": -0.05}
    rows = [
        (model, scheme, "all", "r2_explained", value) for model in ("NPP", "ln Rs") for scheme, value in schemes.items()
    ]
    validation = pd.DataFrame(rows, columns=["model", "scheme", "part", "metric", "value"])
    drawn = {"total_TgC_yr": -30.0, "total_low_TgC_yr": -110.0, "total_high_TgC_yr": 50.0, "sink_probability": 0.25}
    uncertainty = pd.DataFrame([{"scenario": "main", "part": "plateau", "quantity": "NEP"} | drawn])
    return readme_result.result_block(budgets, validation, paper.claims_table({}), uncertainty, sweep)


def test_scores_stand_side_by_side():
    assert "| NPP | 0.71 | 0.32 | -0.05 |" in block(-150.0)


@pytest.mark.parametrize(("total", "word"), [(-150.0, "**source** of 150 Tg"), (40.0, "**sink** of 40 Tg")])
def test_the_sign_follows_the_budget(total, word):
    assert word in block(total)


def test_the_interval_stands_beside_the_balance():
    assert "it is -30 Tg C (90 %: -110 to +50),\na sink in 25% of the draws." in block(-150.0)


def test_a_sweep_is_told_by_the_sites_that_its_cells_keep():
    status, nep = ["done"] * 4 + ["failed"], [5.0, -5.0, -5.0, -5.0, None]
    sweep = pd.DataFrame({"status": status, "nep_total_TgC_yr": nep, "site_resample": [3, 4, 0, 0, 0]})
    told = block(-150.0, sweep)
    assert "Of 4 paths" in told and "25% end in a sink: 1 of the 2 that draw other sites,\nand 0 of the 2" in told


def test_block_replaces_what_stood_between_the_markers():
    readme = f"# Title\n{readme_result.BEGIN}\nold\n{readme_result.END}\nend\n"
    renewed = readme_result.with_result(readme, "new")
    assert renewed == f"# Title\n{readme_result.BEGIN}\nnew\n{readme_result.END}\nend\n"


def test_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="lacks the markers"):
        readme_result.with_result("# Title\n", "new")


def test_the_committed_readme_holds_a_generated_block_with_its_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    inside = text.partition(readme_result.BEGIN)[2].partition(readme_result.END)[0]
    assert re.search(r"carbon \*\*(sink|source)\*\* of \d+ Tg", inside) and (ROOT / readme_result.PICTURE).is_file()
