"""Load a run's inputs, real or simulated, under the same names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
import xarray as xr
from shapely.geometry.base import BaseGeometry

from helpers.config import Settings, project_root
from helpers.data import catalog, cube, grid, region
from helpers.data.readers import open_source
from helpers.sites import databases, joining, tables
from helpers.virtual import world
from helpers.virtual.geography import plateau_outline


@dataclass(frozen=True)
class World:
    """What a run starts from."""

    cube: xr.Dataset  #: Covariates, plateau mask and cell areas on the target grid.
    #: What others estimated, on the target grid: variables ``npp_…``, ``rs_…`` and ``rh_…``, g C m-2 yr-1.
    products: xr.Dataset
    #: Site observations before quality control, in the schema of :mod:`helpers.sites.schema`.
    observations: pd.DataFrame
    #: Records of both Rs and Rh, ``rs`` and ``rh``, before quality control; their other columns are those of a record.
    rs_rh_pairs: pd.DataFrame
    boundary: BaseGeometry  #: Outline of the plateau, EPSG:4326.
    #: The fluxes that the observations were drawn from; only a simulated world has them.
    truth: xr.Dataset | None = None
    #: The faults that were planted in the observations, by their row; only a simulated world knows them.
    faults: pd.DataFrame | None = None
    #: Yearly MODIS NPP at observation sites, to check ``npp_modis`` with; only of the real world.
    modis_at_sites: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()  #: What was decided about the user's own files; the user must see it.


def open_world(settings: Settings) -> World:
    """Open the world that ``settings.world`` names, with the user's own observations added.

    A file of the open world that cannot be obtained, a grid that reaches beyond the virtual world, or a table of
    ``extra_observations`` that is not in the schema raises a ``DataError``.
    """
    simulated = settings.world == "virtual"
    boundary = plateau_outline() if simulated else open_source("boundary")
    inside = partial(region.contains, boundary)
    # The user's tables come first: what is wrong with them is told before a world is made.
    own = [tables.read_table(_from_root(path), inside) for path in settings.extra_observations]
    opened = (_virtual if simulated else _open)(settings, boundary)
    joined = joining.join(opened.observations, opened.rs_rh_pairs, own)
    return replace(
        opened,
        cube=cube.replace_plateau(opened.cube, settings.plateau_mask),
        observations=joined.observations,
        rs_rh_pairs=joined.pairs,
        notes=joined.notes,
    )


def _virtual(settings: Settings, boundary: BaseGeometry) -> World:
    """Open the simulated world, made from the seed."""
    fields = world.virtual_fields(settings)
    observations, faults = world.observe(settings)
    # Where the two tables become one, the rows of the second move.
    faults["row"] += len(observations["npp"]) * (faults["variable"] == "rs")
    return World(
        cube=fields.cube,
        products=fields.products,
        observations=pd.concat([observations["npp"], observations["rs"]], ignore_index=True),
        rs_rh_pairs=observations["rs_rh"],
        boundary=boundary,
        truth=fields.truth,
        faults=faults,
    )


def _open(settings: Settings, boundary: BaseGeometry) -> World:
    """Open the real world, from the files of the catalogue."""
    target = grid.target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    layers = cube.open_cube(target, region.mask_from_polygon(boundary, target), settings.soc_depth)
    srdb, michaletz, sun, peng = (_only_file(key) for key in ("srdb", "michaletz2014", "sun2022", "peng2023"))
    inside = partial(region.contains, boundary)
    return World(
        cube=layers,
        products=xr.Dataset({"npp_modis": layers["npp_modis"].mean("time"), **cube.open_products(target)}),
        observations=tables.read_open(srdb=srdb, michaletz=michaletz, sun=sun, peng=peng, contains=inside),
        rs_rh_pairs=databases.rs_rh_pairs(srdb),
        boundary=boundary,
        modis_at_sites=open_source("modis_npp_sites"),
    )


def _only_file(key: str) -> Path:
    """Return the file of a product that has one."""
    (path,) = catalog.fetch(key).values()
    return path


def _from_root(path: str) -> Path:
    """Return a path as it is, or, if it is relative, below the checkout."""
    return project_root() / Path(path).expanduser()
