"""A real world of made-up files: an outline, a map for each layer, a product and a site table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr

#: West, south, east and north of the region and of the grid around it.
REGION, GRID = (91.0, 31.0, 95.0, 34.0), (90.0, 30.0, 96.0, 35.0)
UNITS = {"precipitation": "mm yr-1", "temperature": "degC", "land_cover": "1", "elevation": "m", "soc": "kg m-2"}


def fields() -> dict[str, xr.DataArray]:
    """Return the layers, the own predictors ``ndvi`` and ``soil_type`` and the own product ``npp``, on 0.25 degree."""
    axes = {"y": np.arange(35.875, 29, -0.25), "x": np.arange(89.125, 97, 0.25)}
    rng = np.random.default_rng(1)
    shape = len(axes["y"]), len(axes["x"])
    ndvi = rng.uniform(0.1, 0.8, shape)
    values = {
        "precipitation": rng.uniform(300, 500, shape),
        "temperature": rng.uniform(-3, 3, shape),
        "land_cover": np.full(shape, 10.0),
        "elevation": rng.uniform(4000, 5000, shape),
        "soc": rng.uniform(5, 9, shape),
        "ndvi": ndvi,
        "soil_type": rng.integers(1, 4, shape).astype(float),
        "npp": 500 * ndvi,
    }
    return {name: xr.DataArray(one, axes, tuple(axes)).rio.write_crs("EPSG:4326") for name, one in values.items()}


def sites() -> pd.DataFrame:
    """Return a table of NPP at sites in the region, 500 times ``ndvi`` of their cell, and of both Rs and Rh at some."""
    x, y = (one.ravel() for one in np.meshgrid(np.arange(91.25, 95, 0.5), np.arange(31.25, 34, 0.5)))
    place = pd.DataFrame({"site": [f"s{i}" for i in range(x.size)], "longitude": x, "latitude": y, "year": 2010})
    ndvi = fields()["ndvi"].sel(x=xr.DataArray(x + 1e-6), y=xr.DataArray(y - 1e-6), method="nearest").to_numpy()
    npp = place.assign(variable="npp", value=500 * ndvi)
    rs = place.assign(variable="rs", value=400 + 200 * ndvi).iloc[:20]
    rh = rs.assign(variable="rh", value=0.6 * rs["value"])
    table = pd.concat([npp, rs, rh], ignore_index=True)
    return table.assign(unit="g C m-2 yr-1", source="mine", vegetation="Grassland")


def made_files(folder: Path) -> dict[str, Any]:
    """Write the files, and return the parameters of the world that they make."""
    outline = geopandas.GeoDataFrame(geometry=[shapely.box(*REGION)], crs=4326)
    outline.to_file(folder / "valley.geojson")
    for name, field in fields().items():
        field.rio.to_raster(folder / f"{name}.tif")
    sites().to_csv(folder / "sites.csv", index=False)
    layers = {name: {"file": str(folder / f"{name}.tif"), "unit": unit} for name, unit in UNITS.items()}
    layers["ndvi"] = {"file": str(folder / "ndvi.tif"), "unit": "1", "low": 0, "high": 1}
    layers["soil_type"] = {"file": str(folder / "soil_type.tif"), "unit": "1", "kind": "classes"}
    seen = ["precipitation", "temperature", "ndvi", "soil_type"]
    return {
        "config": "valley",
        "world": "real",
        **dict(zip(("west", "south", "east", "north"), GRID, strict=True)),
        "resolution": 0.5,
        "region": {"name": "Green Valley", "called": "the valley", "boundary": str(folder / "valley.geojson")},
        "predictors": layers,
        "npp_predictors": seen,
        "rs_predictors": [*seen, "soc"],
        "products": {"npp": {"mine": {"file": str(folder / "npp.tif"), "unit": "g m-2 yr-1", "low": 0, "high": 4000}}},
        "extra_observations": [str(folder / "sites.csv")],
        "n_trees": 30,
        "validation_trees": 10,
    }
