"""Which plan for new plots brings the budget nearest to the truth? Build each in many virtual worlds, and see.

In a world whose sites its field work chose, each design and habit of :mod:`mapforest.designs` proposes plots that
measure both NPP and Rs. They are built and measured as the world's field work measures: at a point of the cell, with
the deviation of the plot and the errors of measurement. The forests are grown anew on old and new sites, and the budget
and its interval are computed again.

    python benchmarks/where_to_measure.py --worlds 20 --output data/virtual/designs.csv

The budget is that of the book, :func:`helpers.balance.draws.draw_budgets`: forests of both logarithms with Duan's
factor, and the share of Rs that is Rh. Some things are simpler, as some hundred budgets are needed: the interval is
without the form of the model, which would need all kinds of models for each plan; the records of the plateau train, and
no choice among other sites is made; a world has seven years, and a cell is seen in one of them, another one from cell
to cell; and the new plots measure Rs, not Rh, so that the share stays.

A row is a world, a design and a number of plots; that without plots has the design ``none``. Its errors are estimate
less truth; ``width`` is that of the interval and ``sd`` the standard deviation of its draws; ``variance_left`` is what
:func:`mapforest.designs.variance_left` foretells, and ``site_sd`` the part of the spread that new sites can shrink. A
world takes about a minute. Run again, the script makes only the worlds and the designs that the output lacks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import budget_coverage
import numpy as np
import pandas as pd

from helpers.balance import carbon, draws
from helpers.balance.cells import budget_cells
from helpers.balance.plots import SHRINKING
from helpers.balance.uncertainty import budget_intervals
from helpers.config import Settings
from helpers.data.region import contains
from helpers.forests import families, fitting
from helpers.sites import training
from helpers.sites.databases import pair_site_means
from helpers.virtual.fieldwork import plots_at
from helpers.virtual.geography import geography, plateau_outline
from helpers.virtual.noise import generator
from helpers.world import World, open_world
from mapforest.cells import map_table
from mapforest.designs import DESIGNS, HABITS, Ground, propose, variance_left
from mapforest.folds import block_labels

NUMBERS = (10, 20, 50)
#: What stands for a design where there are no new plots.
BEFORE = "none"
#: Trees of the estimate, of a draw, and of a forest in the family whose disagreement is a design.
TREES, DRAW_TREES, FAMILY_TREES = 100, 15, 30
LAST_YEAR = 2006
#: IGBP classes where no plot stands: ice and water. Points that are tried in a cell for one where it can.
NO_PLOT, TRIED = (15, 17), 60
LEFT = [f"{name}_variance_left" for name in fitting.FLUXES]
PLACE = ["latitude", "longitude"]


class Known(NamedTuple):
    """What is known of a world before new plots."""

    tables: dict[str, pd.DataFrame]  #: Training rows by flux.
    pairs: pd.DataFrame  #: Rs and Rh, means by site.
    cells: pd.DataFrame  #: What the budget is summed over, a row for each cell of land.


def one_world(seed: int, designs: Sequence[str], n_draws: int, level: float, block_km: float) -> pd.DataFrame:
    """Return the rows of some designs in one world."""
    settings = world_settings(seed, block_km)
    world = open_world(settings)
    known = known_of(settings, world)
    true = budget_coverage.true_means(world.truth, known.cells, "area")["region"]
    plots = new_plots(known, world, settings)
    allowed = np.logical_and.reduce([np.isin(np.arange(len(known.cells)), table["cell"]) for table in plots.values()])
    chain = chain_of(settings, known, known.tables)
    rows = [without_plots(chain, seed, n_draws, true, level)] if BEFORE in designs else []
    grounds = grounds_of(settings, known, chain, "disagreement" in designs)
    for design in designs:
        if design == BEFORE:
            continue
        chosen = propose(design, list(grounds.values()), max(NUMBERS), seed, allowed=allowed)["cell"].to_numpy()
        left = {f"{name}_variance_left": variance_left(ground, chosen) for name, ground in grounds.items()}
        for n in NUMBERS:
            built = {name: table[table["cell"].isin(chosen[:n])] for name, table in plots.items()}
            tables = {name: pd.concat([known.tables[name], built[name]], ignore_index=True) for name in built}
            drawn = draws.draw_budgets(chain_of(settings, known, tables), seed, n_draws, alone=())
            foretold = {name: values[n] for name, values in left.items()}
            rows.append({"design": design, "plots": n} | measured(drawn, true, level) | foretold)
    table = pd.DataFrame(rows).round(4)
    table.insert(0, "seed", seed)
    return table


def without_plots(chain: draws.Chain, seed: int, n_draws: int, true: pd.Series, level: float) -> dict[str, object]:
    """Return the row of a world without new plots, with the spread that comes from its sites."""
    drawn = draws.draw_budgets(chain, seed, n_draws, alone=SHRINKING)
    alone = drawn[drawn["varied"].isin(SHRINKING) & (drawn["part"] == "region")].groupby("varied")
    site_sd = {
        f"{name}_site_sd_gC_m2_yr": np.sqrt(alone[f"{name}_gC_m2_yr"].var(ddof=1).sum()) for name in ("npp", "rs", "rh")
    }
    return {"design": BEFORE, "plots": 0} | measured(drawn, true, level) | dict.fromkeys(LEFT, 1.0) | site_sd


def world_settings(seed: int, block_km: float) -> Settings:
    """Return the settings of one small virtual world, with forests as small as some hundred budgets allow."""
    settings = budget_coverage.world_settings(seed, "clustered", block_km)
    return settings.model_copy(update={"n_trees": TREES, "draw_trees": DRAW_TREES, "last_year": LAST_YEAR})


def known_of(settings: Settings, world: World) -> Known:
    """Run notebook 01 on a world, and choose the year in which each cell of land is seen."""
    used, pairs = budget_coverage.records_of(settings, world)
    tables = {name: training.training_table(settings, name, world.cube, used)[0] for name in fitting.FLUXES}
    inside = map_table(world.cube, ["cell_area"], world.cube["in_region"])  # all count as inside: no part is told apart
    rows = budget_cells(world.cube, inside, np.ones(len(inside), bool), settings.block_km)
    rows = rows[rows["area"] > 0]
    groups = rows.groupby(PLACE)
    size = groups["area"].transform("size")
    seen = rows[groups.cumcount() == groups.ngroup() % size]
    areas = {name: seen[name] * size[seen.index] for name in draws.AREAS}
    return Known(tables, pair_site_means(pairs), seen.assign(**areas).reset_index(drop=True))


def new_plots(known: Known, world: World, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the training rows of a plot in each cell, by flux, with the position of the ``cell``."""
    longitude, latitude, stands = points_in(known.cells, settings.resolution, settings.seed)
    years, tables = np.arange(settings.first_year, settings.last_year + 1), {}
    position = np.flatnonzero(stands)
    for name in fitting.FLUXES:
        records = plots_at(name, longitude[stands], latitude[stands], years, settings.seed)
        table, _ = training.training_table(settings, name, world.cube, records)
        number = table["site"].str.removeprefix("new ").astype(int)
        tables[name] = table.assign(cell=position[number])
    return tables


def points_in(cells: pd.DataFrame, resolution: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a point of each cell where a plot can stand, drawn at random, and whether there is one."""
    shift = generator(seed, "points of new plots").uniform(-0.48, 0.48, (2, len(cells), TRIED)) * resolution
    longitude, latitude = (
        np.round(cells[axis].to_numpy()[:, None] + part, 2)
        for axis, part in zip(("longitude", "latitude"), shift, strict=True)
    )
    good = ~np.isin(geography().land_cover_at(longitude, latitude), NO_PLOT)
    good &= contains(plateau_outline(), longitude, latitude)
    rows, first = np.arange(len(cells)), good.argmax(axis=1)
    return longitude[rows, first], latitude[rows, first], good.any(axis=1)


def chain_of(settings: Settings, known: Known, tables: Mapping[str, pd.DataFrame]) -> draws.Chain:
    """Grow the forests of our estimate on these sites, and prepare their draws: the book's, without other models."""
    grown = []
    for name in fitting.FLUXES:
        table, target = tables[name], np.log(tables[name]["value"].to_numpy())
        model = training.from_settings(settings, name, settings.n_trees, settings.seed).fit(table, target)
        make = partial(training.from_settings, settings, name, settings.draw_trees)
        block = block_labels(table["longitude"], table["latitude"], settings.block_km)
        own = draws.Grown(model, make, table[list(model.predictors)], target, block, np.exp)
        grown.append(draws.flux(own, settings.seed))
    alone = draws.Family(np.empty((0, len(known.cells))), np.empty(0), ())
    return draws.Chain(*grown, (), known.pairs, known.cells, settings.block_km, (alone, alone))


def grounds_of(settings: Settings, known: Known, chain: draws.Chain, disagree: bool) -> dict[str, Ground]:
    """Return what each flux knows of the cells; both count as far as their errors are in NEP."""
    share = carbon.fit_share(known.pairs, "pairs of Rs and Rh").slope
    cells, area, found = known.cells, known.cells["area"].to_numpy(), {}
    for name, own, part in zip(fitting.FLUXES, (chain.npp, chain.rs), (1.0, share), strict=True):
        spread = None
        if disagree:
            family = families.members(settings, name, FAMILY_TREES)
            maps = families.maps(family, known.tables[name], cells, settings.seed)
            spread = np.std(list(maps.values()), axis=0, ddof=1)
        mean = np.average(np.exp(own.model.predict(cells)), weights=area)
        weight = (part * mean) ** 2 * np.nanvar(own.log_residual)
        found[name] = Ground(own.model, known.tables[name], cells, area, settings.block_km, spread, weight)
    return found


def measured(drawn: pd.DataFrame, true: pd.Series, level: float) -> dict[str, float]:
    """Return the error of each flux, and the width of its interval."""
    found = budget_intervals(drawn, level)
    found = found[(found["scenario"] == "main") & (found["part"] == "region")].set_index("quantity")
    row = {}
    for name in ("NPP", "Rs", "NEP"):
        one, key = found.loc[name], name.lower()
        row[f"{key}_error_gC_m2_yr"] = one["mean_gC_m2_yr"] - true[name]
        row[f"{key}_width_gC_m2_yr"] = one["high_gC_m2_yr"] - one["low_gC_m2_yr"]
        row[f"{key}_sd_gC_m2_yr"] = one["sd_gC_m2_yr"]
    return row


def header(command: str) -> str:
    """Return the lines that say how the table was made, but for the trees, which are others here."""
    command, versions, _ = budget_coverage.header(command).splitlines()
    return f"{command}\n{versions}\n# virtual worlds at 0.5 degree; fluxes in g C m-2 yr-1\n"


def finished(output: Path, made: str) -> pd.DataFrame:
    """Return the worlds that a table has already; stop where it was made in another way."""
    if not output.exists():
        return pd.DataFrame({"seed": pd.Series(dtype=int), "design": ""})
    if made not in output.read_text(encoding="utf-8"):
        sys.exit(f"{output} was made in another way than this: {made}\ndelete it, or name another --output")
    return pd.read_csv(output, comment="#")


def main(arguments: list[str] | None = None) -> None:
    """Build the plots of each plan in every world, and write the table after each world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20, help="number of seeds, from --first-seed on")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--block-km", type=float, default=Settings.model_fields["block_km"].default)
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--output", type=Path, default=Path("data/virtual/designs.csv"))
    options = parser.parse_args(arguments)
    trees = f"{TREES} for the estimate, {DRAW_TREES} in a draw, {FAMILY_TREES} in a family"
    made = f"trees of a forest: {trees}; years to {LAST_YEAR}"
    made += f"; {options.draws} draws; blocks of {options.block_km:g} km; level {options.level:g}"
    table = finished(options.output, made)
    command = "python benchmarks/where_to_measure.py " + " ".join(sys.argv[1:] if arguments is None else arguments)
    for seed in range(options.first_seed, options.first_seed + options.worlds):
        there = set(table.loc[table["seed"] == seed, "design"])
        designs = [design for design in (BEFORE, *DESIGNS, *HABITS) if design not in there]
        if not designs:
            continue
        begun = time.process_time()
        own = one_world(seed, designs, options.draws, options.level, options.block_km)
        table = pd.concat([table, own], ignore_index=True) if len(table) else own
        table = table.sort_values("seed", kind="stable")
        lines = table.to_csv(index=False, lineterminator="\n")
        text = f"{header(command.strip())}# {made}\n{lines}"
        options.output.write_text(text, encoding="utf-8")
        print(f"world {seed}: {time.process_time() - begun:.0f} s of a core", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
