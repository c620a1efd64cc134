"""A made-up archive: files of every product of the paper in their true format, filled from simple analytic fields.

It serves the tests, and the configuration ``paper-mini``, which runs the paper's whole chain on it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from helpers.config import Settings
from helpers.data.grid import target_grid
from helpers.data.products import opened
from helpers.data.products.connect import downloads, folder_of
from helpers.data.products.interface import Box
from helpers.data.products.modis import FIRST_YEAR
from helpers.errors import ConfigError
from helpers.virtual.archive import cmfd, elevation, fields, globmap, modis, rasters, respiration, sites, soilgrids

_DONE = "made_up.json"


def write_archive(settings: Settings) -> Path:
    """Write the files of all products that a made-up configuration reads, and return the folder of their folders.

    They cover its grid and its years, as far as the true product has them. What was written before for the same is not
    written again. ConfigError is raised for a configuration that is not made up, or a product without a writer.
    """
    if not settings.made_up:
        raise ConfigError(f"{settings.config}: made_up is false; nothing is made up for a real archive")
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    want, root = opened.wanted(settings, grid), downloads(settings)
    keys = opened.keys(settings, tables=True)
    absent = [key for key in keys if key not in _WRITERS]
    if absent:
        raise ConfigError(f"{settings.config}: made_up is true, but nobody makes up {', '.join(absent)}")
    modules = (sys.modules[__name__], cmfd, elevation, fields, globmap, modis, rasters, respiration, sites, soilgrids)
    code = [inspect.getsource(module) for module in modules]
    asked = [list(want.box), list(want.years), keys, hashlib.sha256("".join(code).encode()).hexdigest()]
    done = root / _DONE
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == asked:
        return root
    done.unlink(missing_ok=True)
    for key in keys:
        shutil.rmtree(folder_of(key, settings), ignore_errors=True)
        _WRITERS[key](folder_of(key, settings), want.box, want.years)
    done.write_text(json.dumps(asked), encoding="utf-8")
    return root


def _of_modis(
    write: Callable[[Path, Box, Sequence[int]], list[Path]], folder: Path, box: Box, years: Sequence[int]
) -> None:
    """Write the years that collection 061 has."""
    write(folder, box, [year for year in years if year >= FIRST_YEAR])


def _of_globmap(folder: Path, box: Box, years: Sequence[int]) -> None:
    """Write half months by AVHRR, and 8 days by MODIS."""
    for year in years:
        globmap.write_globmap(folder, box, [year], half_months=year < FIRST_YEAR)


def _alone(write: Callable[[Path], list[Path]], name: str, folder: Path) -> None:
    """Write what has several products in one folder, and keep the one whose name begins so."""
    for path in write(folder):
        if not path.name.startswith(name):
            path.unlink()


#: Writes a product's files into its folder, by its key of the catalogue.
_WRITERS: dict[str, Callable[[Path, Box, Sequence[int]], object]] = {
    "mod17a3hgf": partial(_of_modis, modis.write_mod17),
    "mcd12q1": partial(_of_modis, modis.write_land_cover),
    "casa_npp": rasters.write_casa,
    "glo_pem_npp": lambda folder, box, years: rasters.write_glo_pem(folder, box, [y for y in years if y <= 2010]),
    **{
        f"cmfd_{name}": lambda folder, box, years, name=name: _alone(
            lambda path: cmfd.write_cmfd(path, box, years), name, folder
        )
        for name in ("temp", "prec", "srad")
    },
    "globmap_lai": _of_globmap,
    "glo90": lambda folder, box, years: elevation.write_glo90(folder, box),
    "srtm_utm": lambda folder, box, years: elevation.write_srtm(folder, box),
    "soilgrids_30cm": lambda folder, box, years: soilgrids.write_windows(folder, box),
    "soilgrids_100cm": lambda folder, box, years: soilgrids.write_windows(
        folder, box, [*soilgrids.LAYERS, *soilgrids.DEEP]
    ),
    "stell2021_rs": lambda folder, box, years: _alone(
        lambda path: respiration.write_respiration_1928(path, box), "soil_Rs", folder
    ),
    "stell2021_rh": lambda folder, box, years: _alone(
        lambda path: respiration.write_respiration_1928(path, box), "soil_Rh", folder
    ),
    "warner2019_rs": lambda folder, box, years: respiration.write_respiration_1736(folder, box),
    "paper_sites": sites.write_sites,
}
