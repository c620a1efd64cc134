"""A product with a connector as a layer on the target grid: planned, fetched if need be, aligned, its years filled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import xarray as xr

from helpers.config import Settings
from helpers.data import catalog
from helpers.data.land_cover import IGBP_FLAGS
from helpers.data.products import years
from helpers.data.products.align import aligned, box_of
from helpers.data.products.connect import connect, folder_of, has_connector, options_of
from helpers.data.products.interface import Asset, Plan, Product, Want
from helpers.data.products.lockfile import write_whole
from helpers.data.products.session import redacted
from helpers.data.variables import VARIABLES, described
from helpers.errors import DataError

#: How :mod:`helpers.data.products.align` averages what has no mean.
_CLASSES_BY = {"nearest": "nearest", "average": "mode"}


def wanted(settings: Settings, grid: xr.Dataset) -> Want:
    """Return what a run needs of any product: the years of the settings, and the box of the grid."""
    return Want(tuple(range(settings.first_year, settings.last_year + 1)), box_of(grid))


def layer(name: str, key: str, grid: xr.Dataset, settings: Settings, run: Sequence[int]) -> xr.DataArray:
    """Return a product as the variable ``name`` on a grid, Dask-backed: for the years of a run, or static.

    Files that are not there are fetched. The attribute ``years`` says which years the product has and what stands for
    the others, by ``missing_years`` of the settings. A DataError is raised as by the product.
    """
    if name not in VARIABLES:
        raise DataError(f"{name}: {key} is no layer of that name; expected one of {', '.join(VARIABLES)}")
    product, plan, files = _ready(key, grid, settings)
    own = [year for year in wanted(settings, grid).years if year not in plan.lacking]
    is_classes = name == "land_cover"
    how = _CLASSES_BY[settings.resampling] if is_classes else settings.resampling
    folder, options = folder_of(key, settings), options_of(key, settings)
    field = aligned(product, files, grid, own, how, name, folder, options, settings.threads).drop_attrs()
    if product.static:
        field = field.assign_attrs(years=catalog.entry_of(key).years)
    elif not own:
        raise DataError(f"{key}: has none of the years {settings.first_year} to {settings.last_year}")
    else:
        field = years.filled(field, run, settings.missing_years, is_classes)
    told = {"made_up": "made-up input"} if settings.made_up else {}
    told |= IGBP_FLAGS if is_classes else {}
    return described(field, name, source=key, resampled=how, years=field.attrs["years"], **told)


def run_years(settings: Settings, grid: xr.Dataset) -> tuple[int, ...]:
    """Return the years of a run: all of the settings, or by ``common_years`` those that all its products have."""
    want = wanted(settings, grid)
    if settings.missing_years != "common_years":
        return want.years
    available = {}
    for key in keys(settings):
        product = connect(key, settings)
        if not product.static:
            available[key] = set(want.years) - set(planned(product, key, want, settings).lacking)
    return years.common(want.years, available)


def keys(settings: Settings, tables: bool = False) -> list[str]:
    """Return the products with a connector that a run reads, by their keys; ``tables``: those of sites, too."""
    sources = [*settings.predictors.values()]
    # A product may be a predictor, by its name.
    maps = [one for named in settings.products.values() for one in named.values()]
    sources += [one for one in maps if one not in settings.predictors]
    filled = [one.replace("{soc_depth}", str(settings.soc_depth)) for one in sources if isinstance(one, str)]
    filled += settings.observations if tables else []
    return list(dict.fromkeys(one for one in filled if has_connector(one)))


def tables(settings: Settings, grid: xr.Dataset) -> list[Path]:
    """Return the files of the tables of sites that have a connector."""
    found = [key for key in settings.observations if has_connector(key)]
    return [path for key in found for path in _ready(key, grid, settings)[2]]


def _ready(key: str, grid: xr.Dataset, settings: Settings) -> tuple[Product, Plan, list[Path]]:
    """Return a product, its plan and its files, fetched if they are not there."""
    product, folder = connect(key, settings), folder_of(key, settings)
    plan = planned(product, key, wanted(settings, grid), settings)
    if plan.by_hand or not plan.assets:
        raise DataError(
            f"{key}: not all files are there: {plan.by_hand or 'the archive has none'}; "
            f"make data CONFIG={settings.config} tells what is missing of all products"
        )
    return product, plan, [product.fetch(asset, folder) for asset in plan.assets]


def planned(product: Product, key: str, want: Want, settings: Settings, keep: bool = True) -> Plan:
    """Return the plan that was made last time for the same; else ask the archive, and ``keep`` its answer.

    So a machine without network can go on, and a newer production does not replace the one that was taken: to ask anew,
    delete ``plan.json`` in the product's folder.
    """
    options = options_of(key, settings)
    asked = json.loads(json.dumps({"want": asdict(want), "options": options}))
    if options.get("transport", "folder") == "folder":
        return product.plan(want)  # what lies in a folder may have changed, and costs nothing to ask
    path = folder_of(key, settings) / "plan.json"
    known = _known(path, asked)
    if known is not None:
        return known
    plan = product.plan(want)
    return _kept(plan, path, asked) if keep else plan


def _kept(plan: Plan, path: Path, asked: dict) -> Plan:
    """Write a plan beside the files, without anything secret in an address; return it."""
    if plan.by_hand:
        return plan
    assets = [asdict(asset) | {"url": redacted(asset.url)} for asset in plan.assets]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"asked": asked, "assets": assets, "lacking": plan.lacking}, indent=1))
    return plan


def _known(path: Path, asked: dict) -> Plan | None:
    """Return the plan that was kept for the same; None: there is none, or its file is damaged and made anew."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["asked"] == asked:
            return Plan(tuple(Asset(**asset) for asset in known["assets"]), tuple(known["lacking"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
