"""Does the interval of the budget hold the truth? Count it over many virtual worlds.

For each seed a virtual world is made, the chain of two forests, a line and a difference is run on it as the notebooks
do, and the interval of :mod:`helpers.balance.draws` is drawn. A row of the table tells whether it held the true
mean.

    python benchmarks/budget_coverage.py --worlds 30 --output data/virtual/coverage.csv

The worlds are small (0.5 degree, small forests): about half a minute each. The table is committed because notebook 06
shows it and cannot make it in its time; the lines above its header say how and when it was made.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from helpers.balance import draws
from helpers.balance.cells import budget_cells
from helpers.balance.uncertainty import budget_intervals
from helpers.config import RS_PREDICTORS, Settings, load_config
from helpers.data.grid import bounds
from helpers.forests import choices, families, fitting
from helpers.sites import places, quality, training
from helpers.sites.databases import pair_site_means
from helpers.world import World, open_world
from mapforest import applicability, folds
from mapforest.cells import map_table

TREES, DRAW_TREES, FAMILY_TREES = 200, 30, 60


def world_settings(seed: int, design: str, block_km: float) -> Settings:
    """Return the settings of one small virtual world."""
    changes = {
        "block_km": block_km,
        "seed": seed,
        "resolution": 0.5,
        "n_trees": TREES,
        "validation_trees": FAMILY_TREES,
        "draw_trees": DRAW_TREES,
        "sampling_design": design,
        "threads": 1,
    }
    return load_config("virtual", changes)


def records_of(settings: Settings, world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the records of a world that notebook 01 takes, and its pairs of Rs and Rh."""
    used, pairs = (
        places.leave_out(*controlled, places.check_records(controlled[0], world.cube, settings), settings)[0]
        for controlled in (
            quality.quality_control(world.observations, bounds(world.cube)),
            quality.control_pairs(world.rs_rh_pairs),
        )
    )
    return used, pairs


def chain_of(settings: Settings, world: World) -> draws.Chain:
    """Run notebooks 01 to 04 on a world, and the choices of 06, as far as the interval needs them."""
    used, pairs = records_of(settings, world)
    cells = map_table(world.cube, ["cell_area", *RS_PREDICTORS], world.cube["in_region"])
    tables, usable = {}, np.ones(len(cells), dtype=bool)
    for name in fitting.FLUXES:
        tables[name], _ = training.training_table(settings, name, world.cube, used)
        model, table = fitting.grow(settings, name, tables[name])
        where = (table["longitude"], table["latitude"], cells["longitude"], cells["latitude"])
        importance = model.importance.set_index("predictor")["importance"]
        fold = folds.knndm(*where, settings.n_folds, settings.seed).fold
        usable &= applicability.usable(applicability.training_space(table, importance, fold, model.categorical), cells)
    summed = budget_cells(world.cube, cells, usable, settings.block_km)
    ours, of_draws = {}, {}
    for name in fitting.FLUXES:
        _, ours[name] = choices.training_choices(settings, name, world.cube, used, summed)
        table, family = ours[name], families.members(settings, name, settings.validation_trees)
        where = (table["longitude"], table["latitude"], cells["longitude"], cells["latitude"])
        fold = folds.knndm(*where, settings.n_folds, settings.seed).fold
        scores = families.scored(family, table, fold, {"region": table["in_region"]}, settings.seed)
        maps = families.maps(family, table, summed, settings.seed)
        weights = scores.set_index("member")["weight"].reindex(maps)
        of_draws[name] = draws.Family(np.array(list(maps.values())), weights.to_numpy(), tuple(maps))
    return draws.chain_of(settings, ours, tables, pair_site_means(pairs), summed, of_draws)


def true_means(truth: xr.Dataset, cells: pd.DataFrame, area_column: str) -> pd.DataFrame:
    """Return the true means over all years of the cells that a budget is summed over, by quantity (rows) and part.

    The area that counts is a column of the cells.
    """
    place = {axis: xr.DataArray(cells[axis].to_numpy(), dims="cell") for axis in ("latitude", "longitude")}
    fields = truth[["npp", "rs", "rh", "nep"]].mean("time").sel(place).to_dataframe()
    parts = {"region": np.ones(len(cells), bool), "inside": cells["inside"], "outside": ~cells["inside"]}
    rows = {
        part: {
            name.upper() if name[0] == "n" else name.capitalize(): np.average(fields[name][mask], weights=area)
            for name in ("npp", "rs", "rh", "nep")
        }
        for part, mask in parts.items()
        if (area := cells[area_column].to_numpy()[np.asarray(mask)]).size
    }
    return pd.DataFrame(rows).rename_axis("quantity")


def one_world(seed: int, design: str, n_draws: int, level: float, block_km: float) -> pd.DataFrame:
    """Return the rows of one world: interval, truth, and whether the one holds the other."""
    settings = world_settings(seed, design, block_km)
    world = open_world(settings)
    chain = chain_of(settings, world)
    drawn = draws.draw_budgets(chain, settings.seed, n_draws, alone=())
    found = budget_intervals(drawn, level)
    found = found[found["scenario"].isin(["main", "as_paper"])]
    truth = {name: true_means(world.truth, chain.cells, draws.SCENARIOS[name].area) for name in set(found["scenario"])}
    true = [truth[row.scenario].loc[row.quantity, row.part] for row in found.itertuples()]
    kept = [
        "scenario",
        "part",
        "quantity",
        "level",
        "valid_area_Mkm2",
        "mean_gC_m2_yr",
        "low_gC_m2_yr",
        "high_gC_m2_yr",
    ]
    table = found[kept].assign(true_gC_m2_yr=true)
    held = table["true_gC_m2_yr"].between(table["low_gC_m2_yr"], table["high_gC_m2_yr"])
    table = table.assign(held=held.astype(int)).round(3)
    table.insert(0, "seed", seed)
    table.insert(0, "sampling_design", design)
    return table


def header(command: str) -> str:
    """Return the lines that say how the table was made."""
    packages = ("numpy", "scikit-learn", "xarray", "verde")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    trees = f"{TREES} for the estimate, {DRAW_TREES} in a draw, {FAMILY_TREES} in a family"
    return (
        f"# {command}\n# made {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {versions}\n"
        f"# virtual worlds at 0.5 degree; fluxes in g C m-2 yr-1; trees of a forest: {trees}\n"
    )


def main(arguments: list[str] | None = None) -> None:
    """Draw the interval of every world and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=30, help="number of seeds, from --first-seed on")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--design", default="clustered", choices=["clustered", "uniform", "stratified"])
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--block-km", type=float, default=Settings.model_fields["block_km"].default)
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--output", type=Path, default=Path("data/virtual/coverage.csv"))
    options = parser.parse_args(arguments)
    tables = []
    for seed in range(options.first_seed, options.first_seed + options.worlds):
        begun = time.monotonic()
        tables.append(one_world(seed, options.design, options.draws, options.level, options.block_km))
        print(f"world {seed}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        command = "python benchmarks/budget_coverage.py " + " ".join(sys.argv[1:] if arguments is None else arguments)
        text = header(command.strip()) + pd.concat(tables).to_csv(index=False, lineterminator="\n")
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
