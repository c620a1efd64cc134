"""Writes the plan of the next plots of a run to files that a field group takes along: CSV, GeoJSON and GPX.

``python -m helpers.runs.plan --config open --number 30`` takes the plots that notebook 10 of the run has put in order;
``make plan`` runs that first, where it is stale.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.balance.plan import PLANS, files, in_words
from helpers.config import Settings, load_config
from helpers.errors import ConfigError, RunError
from helpers.runs.execute import overrides_of, settings_parser
from helpers.runs.files import shown, written_whole
from helpers.runs.folder import Run
from helpers.runs.shown import short_csv

NOTEBOOK = "10_where_to_measure_next"


def write_plan(settings: Settings, number: int | None = None) -> dict[str, list[Path]]:
    """Write the first plots of each plan of a run to ``plots/`` of its folder, and return the files by the plan.

    ``number`` is ``plots.number`` if it is not given. Each of :data:`helpers.balance.plan.PLANS` has a CSV, a GeoJSON
    and a GPX file, ``both_20.gpx`` for example. RunError is raised if notebook 10 of the run has not put the plots in
    order with these parameters, or so many of them.
    """
    run = Run("plan", settings)
    ordered = run.load_table("plots")
    most = int(ordered.groupby("plan")["plot"].max().min())
    number = min(settings.plots.number, most) if number is None else number
    if not 1 <= number <= most:
        raise RunError(
            f"N is {number}, and the plan of {settings.run!r} has {most} plots in their order: expected 1 to {most}"
        )
    written = {}
    for name, label in PLANS.items():
        plots = ordered[(ordered["plan"] == name) & (ordered["plot"] <= number)].drop(columns="plan")
        plots = plots.dropna(axis="columns", how="all")  # what only other plans measure
        content = {"csv": short_csv(plots).encode()} | files(plots, f"{settings.region.name}, next plots of {label}")
        written[name] = [run.folder / "plots" / f"{name}_{number}.{ending}" for ending in content]
        for path, text in zip(written[name], content.values(), strict=True):
            with written_whole(path) as partial:
                partial.write_bytes(text)
        if name == "both":
            print(f"The first of {number} plots, {label}: {in_words(plots)}")
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.plan``; return the exit code."""
    parser = settings_parser("helpers.runs.plan", "Write the next plots of a run as CSV, GeoJSON and GPX.")
    parser.add_argument("--number", type=int, default=None, help="how many of them; plots.number if it is not given")
    given = parser.parse_args(arguments)
    try:
        written = write_plan(load_config(given.config, overrides_of(given)), given.number)
    except (ConfigError, RunError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    for name, paths in written.items():
        print(f"{PLANS[name]}: {' '.join(map(shown, paths))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
