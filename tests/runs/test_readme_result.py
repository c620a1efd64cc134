"""The README's result is made from a run's tables, not typed."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.balance import paper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow"))

import readme_result  # noqa: E402


def block(low=-110.0, high=50.0, chance=0.25, sweep=None):
    """Return the block in one line per paragraph."""
    schemes = {"in_sample": 0.71, "out_of_bag": 0.32, "knndm": -0.05}
    rows = [
        (model, scheme, "all", "r2_explained", value) for model in ("NPP", "ln Rs") for scheme, value in schemes.items()
    ]
    validation = pd.DataFrame(rows, columns=["model", "scheme", "part", "metric", "value"])
    drawn = {"low_gC_m2_yr": low / 2, "high_gC_m2_yr": high / 2, "total_low_TgC_yr": low, "total_high_TgC_yr": high}
    rest = {"sink_probability": chance, "level": 0.9, "sd_gC_m2_yr": 20.0, "valid_area_Mkm2": 2.0}
    fluxes = {"NEP": -15.2, "NPP": 300.0, "Rh": 315.2}
    uncertainty = pd.DataFrame(
        {"scenario": "main", "part": "region", "quantity": flux, "mean_gC_m2_yr": mean, "total_TgC_yr": 2 * mean}
        | (drawn | rest)
        for flux, mean in fluxes.items()
    )
    sources = pd.DataFrame({"source": ["sites", "form", "line", "all"], "nep_sd_gC_m2_yr": [12.0, 15.0, 3.0, 20.0]})
    steps = pd.DataFrame({"nep_total_TgC_yr": [-241.0, -90.0, -30.4]})
    place = {"n_rows": [1, 4], "latitude": [30.0, 34.76], "longitude": [80.0, 92.94]}
    npp = pd.DataFrame(place | {"change_gC_m2_yr": [-10.0, 125.4]})
    rs = pd.DataFrame(place | {"change_gC_m2_yr": [-130.0, 20.0]})
    made = readme_result.result_block(
        validation, paper.claims_table({}), uncertainty, sources, steps, npp, rs, sweep=sweep
    )
    return "\n\n".join(part if part[0] == "|" else part.replace("\n", " ") for part in made.split("\n\n"))


def test_scores_stand_side_by_side():
    assert "| NPP | 0.71 | 0.32 | -0.05 |" in block()


@pytest.mark.parametrize(
    ("low", "high", "chance", "words"),
    [
        (-110.0, 50.0, 0.25, "the sign is not identified: the 90 % interval holds sinks and sources"),
        (-110.0, -50.0, 0.01, "the plateau is a carbon source: the 90 % interval lies below zero"),
        (10.0, 50.0, 0.99, "the plateau is a carbon sink: the 90 % interval lies above zero"),
    ],
)
def test_the_first_sentence_is_the_verdict_on_the_interval(low, high, chance, words):
    assert block(low, high, chance).startswith(f"**With these data {words}")


def test_the_interval_and_what_decides_it_stand_beside_the_verdict():
    told = block()
    assert "lies between about -110 and +50 Tg C a year (plus is a sink), with an estimate of -30, over 2.00" in told
    assert "deviation, 20 g C m⁻² a year, the largest sources alone are model form (15) and sites (12)" in told
    assert "Without the 4 records at 34.8 N 92.9 E mean NPP of the paper's chain would change by +125 g C m⁻²" in told
    assert "Without the record at 30.0 N 80.0 E mean Rs of the paper's chain would change by -130 g C m⁻²" in told
    assert "on open data gives about -241 Tg C, and -30 once" in told


def test_a_sweep_is_told_by_the_sites_that_its_cells_keep():
    status, nep = ["done"] * 4 + ["failed"], [5.0, -5.0, -5.0, -5.0, None]
    sweep = pd.DataFrame({"status": status, "nep_total_TgC_yr": nep, "nep_mean_gC_m2_yr": nep, "crossed": False})
    told = block(sweep=sweep.assign(site_resample=[3, 4, 0, 0, 0]))
    assert "Of 4 paths" in told and "25% end in a sink: 1 of the 2 that draw other sites, and 0 of the 2" in told
    assert "variance of NEP" not in told


def test_the_crossed_choices_are_named_by_the_variance_that_each_explains():
    """NEP is 10 more with the logs of NPP and 5 more with another line: 100 and 25 of 125."""
    scale, line = ["flux", "flux", "log", "log"] * 2, ["paper", "share"] * 4
    nep = [10.0 * (one == "log") + 5 * (two == "share") for one, two in zip(scale, line, strict=True)]
    sweep = pd.DataFrame({"npp_scale": scale, "rs_rh_line": line, "nep_total_TgC_yr": nep, "nep_mean_gC_m2_yr": nep})
    told = block(sweep=sweep.assign(status="done", crossed=True, site_resample=0))
    assert "the variance of NEP comes mostly from NPP scale 80%, Rs Rh line 20%." in told


def test_block_replaces_what_stood_between_the_markers():
    readme = f"# Title\n{readme_result.BEGIN}\nold\n{readme_result.END}\nend\n"
    renewed = readme_result.with_result(readme, "new")
    assert renewed == f"# Title\n{readme_result.BEGIN}\nnew\n{readme_result.END}\nend\n"


def test_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="lacks the markers"):
        readme_result.with_result("# Title\n", "new")


def test_the_committed_readme_shows_small_pictures():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for picture in (readme_result.PICTURE, readme_result.EXPLORER):
        assert f"]({picture.as_posix()})" in text and (ROOT / picture).stat().st_size < 200_000


def test_a_picture_of_the_readme_is_made_small(tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (700, 1800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    readme_result.save_small(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as small:
        assert small.size == (900, 350) and small.mode == "P"


def test_the_committed_readme_holds_a_generated_block():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    inside = text.partition(readme_result.BEGIN)[2].partition(readme_result.END)[0]
    assert inside.strip().startswith("**With these data the ")
