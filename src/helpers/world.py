"""Load a run's inputs, real or simulated, under the same names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import xarray as xr
from shapely.geometry.base import BaseGeometry

from helpers.config import Settings, from_root
from helpers.data import cube, grid, region
from helpers.data.products import opened
from helpers.data.readers import open_source
from helpers.errors import DataError
from helpers.sites import databases, joining, tables
from helpers.virtual import archive, world
from helpers.virtual.geography import plateau_outline


@dataclass(frozen=True)
class World:
    """What a run starts from."""

    cube: xr.Dataset  #: Covariates, mask of the region and cell areas on the target grid.
    #: What others estimated, on the target grid: variables ``npp_…``, ``rs_…`` and ``rh_…``, g C m-2 yr-1.
    products: xr.Dataset
    #: Site observations before quality control, in the schema of :mod:`helpers.sites.schema`.
    observations: pd.DataFrame
    #: Records of both Rs and Rh, ``rs`` and ``rh``, before quality control; their other columns are those of a record.
    rs_rh_pairs: pd.DataFrame
    boundary: BaseGeometry  #: Outline of the region, EPSG:4326.
    #: The fluxes that the observations were drawn from; only a simulated world has them.
    truth: xr.Dataset | None = None
    #: The faults that were planted in the observations, by their row; only a simulated world knows them.
    faults: pd.DataFrame | None = None
    #: Yearly MODIS NPP at observation sites, to check ``npp_modis`` with; only of the real world.
    modis_at_sites: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()  #: What was decided about the user's own files; the user must see it.


def open_world(settings: Settings) -> World:
    """Open the world that the settings describe, simulated or real, with the user's own observations added.

    A DataError is raised if a file cannot be had, the grid cuts the region, a table of ``extra_observations`` is not
    in the schema, or no record has both Rs and Rh.
    """
    simulated = settings.world == "virtual"
    drawn = region.Boundary(plateau_outline(), ()) if simulated else region.outline(settings.region)
    places = region.Places.of(settings, drawn.geometry)
    if settings.made_up:
        archive.write_archive(settings)
    # The user's tables come first: what is wrong with them is told before a world is made.
    own = [tables.read_table(path, places) for path in _tables(settings)]
    found = (_virtual if simulated else _real)(settings, places)
    joined = joining.join(found.observations, found.rs_rh_pairs, own, places.grid)
    if joined.pairs.empty:
        raise DataError(
            "no record of both Rs and Rh, which the line from one to the other needs: add srdb to observations, or rs "
            "and rh of the same site and year to a table of extra_observations"
        )
    return replace(
        found,
        cube=cube.replace_region(found.cube, settings.region_mask, drawn.geometry.bounds),
        observations=joined.observations,
        rs_rh_pairs=joined.pairs,
        notes=(*drawn.notes, *joined.notes),
    )


def _tables(settings: Settings) -> list[Path]:
    """Return the tables of sites that are read as one's own: those, and of the catalogue those with a connector."""
    own = [from_root(path) for path in settings.extra_observations]
    return [*opened.tables(settings, _grid(settings)), *own]


def _grid(settings: Settings) -> xr.Dataset:
    """Return the target grid."""
    return grid.target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)


def _virtual(settings: Settings, places: region.Places) -> World:
    """Open the simulated world, made from the seed."""
    region.refuse_cut(places.geometry, _grid(settings), settings.region.name)
    fields = world.virtual_fields(settings)
    observations, faults = world.observe(settings)
    # Where the two tables become one, the rows of the second move.
    faults["row"] += len(observations["npp"]) * (faults["variable"] == "rs")
    return World(
        cube=fields.cube,
        products=fields.products,
        observations=pd.concat([observations["npp"], observations["rs"]], ignore_index=True),
        rs_rh_pairs=observations["rs_rh"],
        boundary=places.geometry,
        truth=fields.truth,
        faults=faults,
    )


def _real(settings: Settings, places: region.Places) -> World:
    """Open the real world: the layers, products and databases that the settings name."""
    target, keys = _grid(settings), [key for key in settings.observations if not opened.has_connector(key)]
    region.refuse_cut(places.geometry, target, settings.region.name)
    layers = cube.open_cube(settings, target, region.mask_from_polygon(places.geometry, target))
    check = settings.npp_modis_at_sites
    return World(
        cube=layers,
        products=cube.open_products(settings, layers),
        observations=tables.read_databases(keys, places),
        rs_rh_pairs=databases.rs_rh_pairs(keys, places),
        boundary=places.geometry,
        modis_at_sites=open_source(check) if check else None,
    )
