"""The notebooks in their order: which needs which, and the parameters that decide their results."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from helpers.config import Settings, project_root, read_yaml

WORLDS_WITH_TRUTH = frozenset({"virtual"})

EXECUTION_PARAMETERS = ("config", "run", "threads", "block_cells")


@dataclass(frozen=True)
class Step:
    """One notebook in the order of the data."""

    needs: tuple[str, ...]  #: The notebooks whose results it reads directly.
    #: The settings that decide its own results. Those of the notebooks it needs come on top.
    parameters: tuple[str, ...]


_FOREST_PARAMETERS = (
    *("training_domain", "site_resample", "n_trees", "nodesize", "land_cover_encoding", "left_out"),
    *("training_fraction", "validation_trees", "validation_seeds", "n_folds", "validation_schemes"),
)

STEPS: dict[str, Step] = {
    "01_data_preparation": Step(
        needs=(),
        parameters=(
            *("world", "region", "predictors", "products", "observations", "npp_modis_at_sites", "seed"),
            *("archives", "connectors", "made_up", "missing_years", "resampling"),
            *("west", "south", "east", "north", "resolution", "first_year", "last_year"),
            *("region_mask", "soc_depth", "extra_observations", "sampling_design", "npp_sites", "rs_sites"),
            *("site_checks", "place_elevation_m", "place_temperature_k", "place_precipitation_ratio"),
            *("republication_share", "republication_degrees"),
        ),
    ),
    "02_npp_random_forest": Step(
        needs=("01_data_preparation",),
        parameters=(
            "npp_predictors",
            "npp_aggregation",
            "npp_mtry",
            "npp_scale",
            "back_transformation",
            *_FOREST_PARAMETERS,
        ),
    ),
    "03_rs_random_forest": Step(
        needs=("01_data_preparation",),
        parameters=(
            "rs_predictors",
            "rs_filter",
            "rs_aggregation",
            "rs_mtry",
            "back_transformation",
            *_FOREST_PARAMETERS,
        ),
    ),
    "04_rh_and_nep": Step(
        needs=("02_npp_random_forest", "03_rs_random_forest"),
        parameters=("rs_rh_line", "water_and_ice", "outside_applicability"),
    ),
    "05_comparison": Step(needs=("04_rh_and_nep",), parameters=()),
    "06_uncertainty": Step(
        needs=("02_npp_random_forest", "03_rs_random_forest"),
        parameters=("validation_trees", "n_folds", "draw_count", "draw_trees", "block_km", "interval_level"),
    ),
    "09_evidence": Step(needs=("04_rh_and_nep", "06_uncertainty"), parameters=()),
    "10_where_to_measure_next": Step(needs=("06_uncertainty",), parameters=("plots",)),
    "07_sensitivity": Step(needs=(), parameters=("sweep", "world")),
    "08_scaling": Step(needs=(), parameters=()),
}


def chain_of(notebook: str) -> list[str]:
    """Return a notebook with all that it needs, directly or not, before it."""
    earlier = [name for need in STEPS[notebook].needs for name in chain_of(need)]
    return list(dict.fromkeys([*earlier, notebook]))


def deciding_parameters(notebook: str) -> tuple[str, ...]:
    """Return the settings that decide a notebook's results, its predecessors' included.

    A notebook that is not in ``STEPS``, such as a reader's own, has none.
    """
    if notebook not in STEPS:
        return ()
    return tuple(dict.fromkeys(key for name in chain_of(notebook) for key in STEPS[name].parameters))


def foreign_tags(settings: Settings) -> frozenset[str]:
    """Return the tags of cells that say nothing about this run's world, and are left out before a notebook is executed.

    ``truth`` is for a simulated world, ``real-world`` for one that is not, ``yearly`` for one with years (a simulated
    one, or one of products with a connector), ``stand-in`` for one with a product to check its ``npp_modis`` with,
    ``paper`` for the paper's plateau alone.
    """
    simulated = settings.world in WORLDS_WITH_TRUTH
    shown = {
        "real-world": not simulated,
        "truth": simulated,
        "yearly": simulated or _has_years(settings),
        "stand-in": bool(settings.npp_modis_at_sites),
        "paper": settings.region.of_paper,
    }
    return frozenset(tag for tag, here in shown.items() if not here)


def _has_years(settings: Settings) -> bool:
    """Tell whether a real world has a yearly product: one with a connector, and no years that it is a mean of."""
    path = project_root() / "data" / "catalog.yml"
    if not path.is_file():  # told where a product is opened; a notebook of one's own may need none
        return False
    yearly = _yearly_products(path, path.stat().st_mtime_ns)
    return any(key in yearly for key in settings.predictors.values() if isinstance(key, str))


@lru_cache(maxsize=1)
def _yearly_products(path: Path, changed: int) -> frozenset[str]:
    """Return the keys of such products; a file of the same date is read once, since a sweep asks for each stage."""
    # As text: the module of the catalogue takes a second to import, and this is asked before each notebook.
    entries = read_yaml(path)
    return frozenset(key for key, entry in entries.items() if "connector" in entry and "years" not in entry)
