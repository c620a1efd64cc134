"""One door to both worlds: the same names come out, whether measured or simulated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from shapely.geometry.base import BaseGeometry

from helpers.config import Settings, project_root
from helpers.data import catalog, cube, grid, readers, region
from helpers.sites import databases, tables
from helpers.virtual import world


@dataclass(frozen=True)
class World:
    """What a run starts from.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates, plateau mask and cell areas on the target grid.
    products : xarray.Dataset
        What others estimated, on the target grid: variables ``npp_…``, ``rs_…`` and ``rh_…``, g C m-2 yr-1.
    observations : pandas.DataFrame
        Site observations before quality control, in the schema of :mod:`helpers.sites.quality`.
    rs_rh_pairs : pandas.DataFrame
        Sites where Rs and Rh were both measured: ``site``, ``longitude``, ``latitude``, ``year``, ``rs``, ``rh``.
    boundary : shapely geometry
        Outline of the plateau, EPSG:4326.
    truth : xarray.Dataset or None
        The fluxes that the observations were drawn from; only a simulated world knows them.
    modis_at_sites : pandas.DataFrame or None
        Yearly MODIS NPP at observation sites, to check ``npp_modis`` with; only of the real world.
    """

    cube: xr.Dataset
    products: xr.Dataset
    observations: pd.DataFrame
    rs_rh_pairs: pd.DataFrame
    boundary: BaseGeometry
    truth: xr.Dataset | None
    modis_at_sites: pd.DataFrame | None


def open_world(settings: Settings) -> World:
    """Open the world that the settings name, with the user's own observations added.

    Parameters
    ----------
    settings : Settings
        ``world`` names it; the grid, the years and the sampling follow from the others.

    Returns
    -------
    World

    Raises
    ------
    DataError
        If a file of the open world cannot be had.
    helpers.errors.DataError
        If a table of ``extra_observations`` is not in the schema.
    """
    opened = _virtual(settings) if settings.world == "virtual" else _open(settings)
    opened = replace(opened, cube=cube.replace_plateau(opened.cube, settings.plateau_mask))
    if not settings.extra_observations:
        return opened

    def contains(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Tell for each pair of coordinates whether it lies on the plateau."""
        return region.contains(opened.boundary, longitude, latitude)

    own = [tables.read_table(_from_root(path), contains) for path in settings.extra_observations]
    return replace(opened, observations=pd.concat([opened.observations, *own], ignore_index=True))


def _virtual(settings: Settings) -> World:
    """Open the simulated world, made from the seed."""
    made = world.world(settings)
    return World(
        cube=made.cube,
        products=xr.Dataset(made.products),
        observations=pd.concat([made.observations["npp"], made.observations["rs"]], ignore_index=True),
        rs_rh_pairs=made.observations["rs_rh"],
        boundary=made.boundary,
        truth=made.truth,
        modis_at_sites=None,
    )


def _open(settings: Settings) -> World:
    """Open the real world, from the files of the catalogue."""
    boundary = region.read_boundary(catalog.fetch("boundary")["DBATP_Polygon.shp"])
    target = grid.target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    layers = cube.open_cube(target, region.mask_from_polygon(boundary, target), settings.soc_depth)
    products = xr.Dataset({"npp_modis": layers["npp_modis"].mean("time"), **cube.open_products(target)})
    srdb = catalog.fetch("srdb")["srdb-data.csv"]
    records = tables.read_open(
        srdb=srdb,
        michaletz=catalog.fetch("michaletz2014")["Michaletz2014.csv"],
        sun=project_root() / "data" / "observations" / "sun2022_grassland_npp.csv",
        contains=lambda longitude, latitude: region.contains(boundary, longitude, latitude),
    )
    return World(
        cube=layers,
        products=products,
        observations=records,
        rs_rh_pairs=databases.rs_rh_pairs(srdb),
        boundary=boundary,
        truth=None,
        modis_at_sites=readers.open_source("modis_npp_sites"),
    )


def _from_root(path: str) -> Path:
    """Return a path as it is, or, if it is relative, below the checkout."""
    return project_root() / Path(path).expanduser()
