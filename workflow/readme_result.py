"""Write the result of the open run into README.md, between its markers: ``make readme`` calls it.

No number of the README is typed: the block is made from the run's tables, and the picture is the run's figure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from PIL import Image

from helpers.config import load_config, project_root
from helpers.runs.files import runs_folder, written_whole

__all__ = ["BEGIN", "END", "PICTURE", "result_block", "with_result"]

BEGIN, END = "<!-- result:begin -->", "<!-- result:end -->"
PICTURE = Path("book/_static/nep_open.png")


def result_block(
    budgets: pd.DataFrame,
    validation: pd.DataFrame,
    claims: pd.DataFrame,
    budget_uncertainty: pd.DataFrame,
    sweep: pd.DataFrame | None = None,
) -> str:
    """Return the result as Markdown: the honest scores first, then the balance with its interval, beside the paper's.

    Parameters
    ----------
    budgets, validation, claims, budget_uncertainty : pandas.DataFrame
        The tables of that name that notebooks 05 and 06 save.
    sweep : pandas.DataFrame, optional
        Results of the sweep ``full-open``, a row a cell.

    Returns
    -------
    str
    """
    score = validation.set_index(["model", "scheme", "part", "metric"])["value"]
    nep = budgets.set_index(["quantity", "product"]).loc[("NEP", "NEP1")]
    paper = claims.set_index("id")["paper"]
    sign = "sink" if nep["total_TgC_yr"] > 0 else "source"
    rows = []
    for model in ("NPP", "ln Rs"):
        seen, out_of_bag, distant = (
            score[model, scheme, "all", "r2_explained"] for scheme in ("in_sample", "out_of_bag", "knndm")
        )
        rows.append(f"| {model} | {seen:.2f} | {out_of_bag:.2f} | {distant:.2f} |")
    implied = float(paper["nep_mean"]) * float(paper["area"])
    drawn = budget_uncertainty.set_index(["scenario", "part", "quantity"]).loc[("main", "plateau", "NEP")]
    return "\n".join(
        [
            "Share of variance explained (R²) by the two forests, fitted to open data as the paper fits its own:",
            "",
            "| forest | sites it has seen | out of bag | sites as far away as the map's cells |",
            "|---|---|---|---|",
            *rows,
            "",
            "With these forests the plateau comes out as a carbon "
            f"**{sign}** of {abs(nep['total_TgC_yr']):.0f} Tg C a year",
            f"({nep['mean_gC_m2_yr']:+.0f} g C m⁻² over {nep['valid_area_Mkm2']:.2f} million km²). With the",
            f"uncertainty of sites, forests and the step to Rh carried along it is {drawn['total_TgC_yr']:+.0f} Tg C "
            f"(90 %: {drawn['total_low_TgC_yr']:+.0f} to {drawn['total_high_TgC_yr']:+.0f}),",
            f"a sink in {drawn['sink_probability']:.0%} of the draws.{_of_the_sweep(sweep)}",
            f"The paper states a sink of {paper['nep_total']} Tg C, and a mean of {paper['nep_mean']} g C m⁻²",
            f"on {paper['area']} million km², which is {implied:.0f} Tg C. The sites are meadow and forest;",
            "most of the plateau is steppe and barren ground, where a forest of trees can only extrapolate.",
        ]
    )


def _of_the_sweep(sweep: pd.DataFrame | None) -> str:
    """Return what the paths through other choices say; nothing without a sweep."""
    if sweep is None:
        return ""
    done = sweep[sweep["status"] == "done"]
    sink = done["nep_total_TgC_yr"] > 0
    kept = done["site_resample"] == 0
    return (
        f"\nOf {len(done)} paths through choices that can be defended, {sink.mean():.0%} end in a sink: "
        f"{(sink & ~kept).sum()} of the {(~kept).sum()} that draw other sites,\n"
        f"and {(sink & kept).sum()} of the {kept.sum()} that keep them."
    )


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


def main() -> int:
    """Renew README.md and its picture from the tables of the open run; return the exit code."""
    root, folder = project_root(), runs_folder() / load_config("open").run
    names = ("budgets", "validation", "claims", "budget_uncertainty")
    tables = {name: folder / "tables" / f"{name}.csv" for name in names}
    missing = [str(path) for path in tables.values() if not path.is_file()]
    if missing:
        print(f"missing: {', '.join(missing)}; run `make run CONFIG=open` first", file=sys.stderr)
        return 1
    swept = runs_folder() / "sweeps" / "full-open" / "results.csv"
    sweep = pd.read_csv(swept) if swept.is_file() else None
    block = result_block(**{name: pd.read_csv(path) for name, path in tables.items()}, sweep=sweep)
    readme = root / "README.md"
    with written_whole(readme) as partial:
        partial.write_text(with_result(readme.read_text(encoding="utf-8"), block), encoding="utf-8")
    with Image.open(folder / "figures" / "fig5_nep.png") as picture:
        picture.thumbnail((900, 1200))
        picture.convert("P", palette=Image.Palette.ADAPTIVE).save(root / PICTURE, optimize=True)
    print("README.md holds the result of the open run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
