"""What the explorer of a book shows of a run: its maps of the region, in blocks of cells where the grid is finer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr

from helpers.config import Settings
from helpers.errors import RunError
from helpers.figures.explorer import Layer, Panel, explorer
from helpers.names import FLUX_UNITS, choice_name, flux_name, product_name
from helpers.runs.folder import IN_MEMORY_BYTES, MADE_UP, SIMULATED
from helpers.runs.steps import WORLDS_WITH_TRUTH

#: Columns, and yearly values, that a page of less than 4 MB holds.
MOST_COLUMNS, MOST_YEARLY_VALUES = 400, 700_000
FLUXES = {"npp": "flux", "rs": "flux", "rh": "flux", "nep": "sign"}


class _Window(NamedTuple):
    """The cells of a grid that the maps show, and how many of them in a row become one."""

    rows: slice
    columns: slice
    block: int
    inside: xr.DataArray


def explorer_page(folder: Path, settings: Settings, told: str) -> str:
    """Return the explorer of a run, from the stores of its folder, as the HTML of :func:`helpers.figures.explorer`.

    What a run does not have (yearly maps, other products, a truth) is not there to be picked. A grid of more than
    :data:`MOST_COLUMNS` columns within the region is shown in means of square blocks, and the page says so. What is
    ``told`` of the run, in HTML, stands above: with the maps, it is printed too. RunError is raised if one is missing.
    """
    window = _window(_opened(folder, "cube")["in_region"])
    fluxes = {name: _shown(_opened(folder, name)[name], window) for name in FLUXES}
    maps = {name: _mean(field) for name, field in fluxes.items()}
    panels = [
        Panel(choice_name(name), flux_name(name), kind, [Layer(choice_name(name), maps[name], FLUX_UNITS)])
        for name, kind in FLUXES.items()
    ]
    level = f"{100 * settings.interval_level:.0f} % interval"
    panels += [
        Panel("Width", f"of the {level} of a single record", "width", list(_widths(folder, settings, window))),
        Panel("Applicability:", "a cell is like the sites of", "classes", [_applicable(folder, window)]),
    ]
    differences = list(_differences(folder, settings, maps, window))
    if differences:
        panels.append(Panel("Difference", "", "difference", differences))
    boundary = shapely.from_geojson((folder / "boundary.geojson").read_text(encoding="utf-8"))
    yearly = {name: field for name, field in fluxes.items() if field.sizes.get("time", 1) > 1}
    years = next(iter(yearly.values()))["time"].dt.year.values if yearly else []
    further = _further_block(yearly)
    series = {choice_name(name): _blocks(field, further) for name, field in yearly.items()}
    stamp = MADE_UP if settings.made_up else SIMULATED if settings.world in WORLDS_WITH_TRUTH else ""
    note = f"<p>A cell of these maps is the mean of {window.block} × {window.block} cells of the run.</p>"
    page = explorer(panels, boundary, years, series, further, stamp)
    return f'<div id="explorer-run">{told}</div>' + (note if window.block > 1 else "") + page


def _opened(folder: Path, name: str) -> xr.Dataset:
    """Open a store of a run."""
    path = folder / f"{name}.zarr"
    if not path.exists():
        raise RunError(f"the explorer needs {path}, which is missing: `make run` makes it again")
    store = xr.open_dataset(path, engine="zarr", chunks=None)
    return store if store.nbytes <= IN_MEMORY_BYTES else store.chunk()


def _window(in_region: xr.DataArray) -> _Window:
    """Return the box of cells around the region, with a margin of one, and the block that makes it narrow enough."""
    inside = in_region.transpose("latitude", "longitude").compute()
    spans = []
    for across in ("longitude", "latitude"):
        places = np.flatnonzero(inside.any(across))
        spans.append(slice(max(int(places[0]) - 1, 0), min(int(places[-1]) + 2, inside.any(across).size)))
    block = -(-(spans[1].stop - spans[1].start) // MOST_COLUMNS)
    return _Window(*spans, block, inside)


def _shown(field: xr.DataArray, window: _Window) -> xr.DataArray:
    """Return the part of a field that the maps show, in memory: NaN outside of the region, means of blocks."""
    cut = {"latitude": window.rows, "longitude": window.columns}
    inside = field.isel(cut).where(window.inside.isel(cut)).astype("float32")
    ordered = inside.transpose("time", "latitude", "longitude", missing_dims="ignore")
    return _blocks(ordered, window.block).compute()


def _blocks(field: xr.DataArray, block: int) -> xr.DataArray:
    """Return the means of square blocks of cells; those at the south and the east may be of fewer cells."""
    if block == 1:
        return field
    coarse = field.coarsen(latitude=block, longitude=block, boundary="pad").mean()
    # Padded coordinates would have other steps.
    for dim in ("latitude", "longitude"):
        centres = field[dim].values
        step = centres[1] - centres[0]
        middle = centres[0] + (block - 1) / 2 * step
        coarse = coarse.assign_coords({dim: middle + block * step * np.arange(coarse.sizes[dim])})
    return coarse


def _mean(field: xr.DataArray) -> xr.DataArray:
    """Return the mean over the years that a field has."""
    return field.mean("time") if "time" in field.dims else field


def _further_block(yearly: Mapping[str, xr.DataArray]) -> int:
    """Return the block of the maps' cells whose yearly values a page can hold."""
    values = sum(field.size for field in yearly.values())
    return max(1, int(np.ceil(np.sqrt(values / MOST_YEARLY_VALUES))))


def _widths(folder: Path, settings: Settings, window: _Window) -> Iterable[Layer]:
    """Yield how far apart the ends of an interval of a cell are; those of a logarithm are brought back first."""
    limits = _opened(folder, "intervals")
    for name in ("npp", "rs"):
        lower, upper = (limits[f"{name}_{end}"] for end in ("lower", "upper"))
        if name == "rs" or settings.npp_scale == "log":
            lower, upper = np.exp(lower), np.exp(upper)
        flux = choice_name(name)
        yield Layer(f"{flux} interval", _shown(upper - lower, window), FLUX_UNITS, flux)


def _applicable(folder: Path, window: _Window) -> Layer:
    """Return the map of 1 where NPP's forest may be used, plus 2 where that of Rs may: in half of a block or more."""
    npp, rs = (_shown(_opened(folder, f"applicability_{name}")["applicable"], window) for name in ("npp", "rs"))
    return Layer("like the sites of", ((npp >= 0.5) + 2.0 * (rs >= 0.5)).where(npp.notnull() & rs.notnull()))


def _differences(
    folder: Path, settings: Settings, maps: Mapping[str, xr.DataArray], window: _Window
) -> Iterable[Layer]:
    """Yield our maps minus the truth, where it is known, and minus each other product with which they share cells."""
    others: list[tuple[str, str, xr.DataArray]] = []
    if settings.world in WORLDS_WITH_TRUTH:
        truth = _opened(folder, "truth")
        others += [(name, "truth", truth[name]) for name in FLUXES]
    products = _opened(folder, "products")
    for name in products.data_vars:
        flux, _, product = str(name).partition("_")
        others.append((flux, product, products[name]))
    for flux, product, field in sorted(others, key=lambda other: list(FLUXES).index(other[0])):
        difference = maps[flux] - _mean(_shown(field, window))
        if difference.notnull().any():
            flux, other = choice_name(flux), product_name(product)
            full = f"{flux}: {product_name('random_forest')} − {other}"
            yield Layer(f"{flux} − {other}", difference, FLUX_UNITS, full)
