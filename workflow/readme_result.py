"""Write the result of the open run into README.md, between its markers: ``make readme`` calls it.

No number of the README is typed: the block is made from the run's tables. The pictures are the run's figure, and its
explorer in a Chromium.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from pathlib import Path

import pandas as pd
from PIL import Image

from helpers.balance.draws import SOURCES
from helpers.balance.verdict import headline, rounded, verdict
from helpers.config import load_config, project_root
from helpers.errors import RunError
from helpers.names import choice_name, source_name
from helpers.runs.explorer import explorer_page
from helpers.runs.files import runs_folder, written_whole
from helpers.runs.printed import take_picture
from helpers.sweeps.results import complete, read_results, variance_shares

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Maps</title>
<style>body {{ margin: 16px; font-family: sans-serif }} #explorer-run {{ display: none }}</style>{}</html>"""
BEGIN, END = "<!-- result:begin -->", "<!-- result:end -->"
PICTURE, EXPLORER = Path("book/_static/nep_open.png"), Path("book/_static/explorer_open.png")


def result_block(
    validation: pd.DataFrame,
    claims: pd.DataFrame,
    budget_uncertainty: pd.DataFrame,
    variance_sources: pd.DataFrame,
    estimates: pd.DataFrame,
    influence_npp: pd.DataFrame,
    influence_rs: pd.DataFrame,
    sweep: pd.DataFrame | None = None,
) -> str:
    """Return the result as Markdown: what the interval says, what decides it, the honest scores, the paper's number.

    Parameters
    ----------
    validation, claims, budget_uncertainty, variance_sources, estimates, influence_npp, influence_rs : pandas.DataFrame
        The tables of that name that notebooks 02, 03, 05, 06 and 09 save.
    sweep : pandas.DataFrame, optional
        Results of the sweep ``full-open``, a row per cell.
    """
    score = validation.set_index(["model", "scheme", "part", "metric"])["value"]
    paper = claims.set_index("id")["paper"]
    rows = []
    for model in ("NPP", "ln Rs"):
        seen, out_of_bag, distant = (
            score[model, scheme, "all", "r2_explained"] for scheme in ("in_sample", "out_of_bag", "knndm")
        )
        rows.append(f"| {model} | {seen:.2f} | {out_of_bag:.2f} | {distant:.2f} |")
    implied = float(paper["nep_mean"]) * float(paper["area"])
    nep = budget_uncertainty.set_index(["scenario", "part", "quantity"]).loc[("main", "region", "NEP")]
    said = verdict(nep["low_gC_m2_yr"], nep["high_gC_m2_yr"], nep["sink_probability"], nep["level"], "the plateau")
    told = headline(budget_uncertainty)
    low, high, ours = (told[f"nep_total{end}"] for end in ("_low", "_high", ""))
    alone = variance_sources[variance_sources["source"].isin(SOURCES)].nlargest(2, "nep_sd_gC_m2_yr")
    first, second = (f"{source_name(row.source)} ({row.nep_sd_gC_m2_yr:.0f})" for row in alone.itertuples())
    chain = rounded(estimates["nep_total_TgC_yr"].iloc[0], nep["sd_gC_m2_yr"] * nep["valid_area_Mkm2"])
    area, sd = nep["valid_area_Mkm2"], nep["sd_gC_m2_yr"]
    result = [
        f"**With these data {said.sentence}.**",
        f"The balance of the plateau lies between about {low:+.0f} and {high:+.0f} Tg C a year (plus is a sink),",
        f"with an estimate of {ours:+.0f}, over {area:.2f} million km².",
        f"Of its standard deviation, {sd:.0f} g C m⁻² a year, the largest sources alone",
        f"are {first} and {second}.",
        _of_one_place("NPP", influence_npp),
        _of_one_place("Rs", influence_rs),
        f"The paper's chain on open data gives about {chain:+.0f} Tg C, and {ours:+.0f} once records that contradict",
        "their coordinates or repeat others are left out, the forests train on the sites that predict held-back ones",
        "best, and the chain's biases are corrected.",
        *_of_the_sweep(sweep),
        f"The paper states a sink of {paper['nep_total']} Tg C, and a mean of {paper['nep_mean']} g C m⁻²",
        f"on {paper['area']} million km², which is {implied:.0f} Tg C.",
    ]
    meaning = [
        "Below zero is worse than the mean of the records. The sites are meadow and forest; most of the plateau is",
        "steppe and barren ground. Which model is right there, only plots of Rs and NPP at random places can tell.",
    ]
    table = [
        "| forest | sites it has seen | out of bag | sites as far away as the map's cells |",
        "|---|---|---|---|",
        *rows,
    ]
    parts = [
        textwrap.fill(" ".join(result), 120),
        "Share of variance explained (R²) by the two forests, fitted to open data as the paper fits its own:",
        "\n".join(table),
        textwrap.fill(" ".join(meaning), 120),
    ]
    return "\n\n".join(parts)


def _of_one_place(flux: str, influence: pd.DataFrame) -> str:
    """Return what the plateau's mean flux would be without the place that moves it most."""
    most = influence.loc[influence["change_gC_m2_yr"].abs().idxmax()]
    records = "record" if most["n_rows"] == 1 else f"{most['n_rows']:.0f} records"
    return (
        f"Without the {records} at {most['latitude']:.1f} N {most['longitude']:.1f} E mean {flux} "
        f"of the paper's chain would change by {most['change_gC_m2_yr']:+.0f} g C m⁻²."
    )


def _of_the_sweep(sweep: pd.DataFrame | None) -> list[str]:
    """Return what the paths through other choices say; nothing without a sweep."""
    if sweep is None or sweep.empty:
        return []
    done = complete(sweep)
    alone = variance_shares(done).query("parameters == 1").head(3)
    explained = ", ".join(f"{choice_name(row.term)} {row.share:.0%}" for row in alone.itertuples())
    sink = done["nep_total_TgC_yr"] > 0
    kept = done["site_resample"] == 0
    return [
        f"Of {len(done)} paths through choices that can be defended, {sink.mean():.0%} end in a sink:",
        f"{(sink & ~kept).sum()} of the {(~kept).sum()} that draw other sites,",
        f"and {(sink & kept).sum()} of the {kept.sum()} that keep them.",
        *([f"Where all choices are crossed, the variance of NEP comes mostly from {explained}."] if explained else []),
    ]


def with_result(readme: str, block: str) -> str:
    """Return the README with the block between its markers.

    Raises
    ------
    ValueError
        If a marker is missing.
    """
    head, found, rest = readme.partition(BEGIN)
    _, also_found, tail = rest.partition(END)
    if not (found and also_found):
        raise ValueError(f"README.md lacks the markers {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{block}\n{END}{tail}"


def save_small(picture: Path, target: Path) -> None:
    """Save a picture at most 900 pixels wide, with a palette."""
    with Image.open(picture) as whole:
        small = whole.convert("RGB")
        small.thumbnail((900, 1200))
        small.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> int:
    """Renew README.md and its pictures from the tables of the open run; return the exit code."""
    root, folder = project_root(), runs_folder() / load_config("open").run
    names = (
        *("validation", "claims", "budget_uncertainty", "variance_sources"),
        *("estimates", "influence_npp", "influence_rs"),
    )
    tables = {name: folder / "tables" / f"{name}.csv" for name in names}
    missing = [str(path) for path in tables.values() if not path.is_file()]
    if missing:
        print(f"missing: {', '.join(missing)}; run `make run CONFIG=open` first", file=sys.stderr)
        return 1
    sweep = read_results("full-open", "real")
    block = result_block(**{name: pd.read_csv(path) for name, path in tables.items()}, sweep=sweep)
    readme = root / "README.md"
    with written_whole(readme) as partial:
        partial.write_text(with_result(readme.read_text(encoding="utf-8"), block), encoding="utf-8")
    save_small(folder / "figures" / "nep_map.png", root / PICTURE)
    try:
        with tempfile.TemporaryDirectory() as work:
            page = Path(work) / "explorer.html"
            page.write_text(PAGE.format(explorer_page(folder, load_config("open"), "")), encoding="utf-8")
            save_small(take_picture(page, page.with_suffix(".png"), 1080, 620), root / EXPLORER)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    print("README.md holds the result of the open run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
