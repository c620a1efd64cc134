"""Writes a table of sites as a paper's supplement may be: titles above the header, and cells as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from helpers.data.products.interface import Box
from helpers.data.products.session import needed
from helpers.virtual.archive import fields

#: Sites of each table, the groups that they stand in, and the scatter of a measurement, in logarithms.
NPP_SITES, RS_SITES, GROUPS, SCATTER, SEED = 120, 70, 24, 0.12, 13
_VEGETATION: Final = {5: "Forest", 7: "Shrubland", 11: "Wetland", 15: "Grassland: near ice"}


def write_sites(folder: Path, box: Box, years: Sequence[int]) -> list[Path]:
    """Write ``sites.xlsx``: sheets of NPP, and of Rs with Rh, at places in a box, drawn from the fields with scatter.

    Some years are spans, some numbers text, some places in degrees and minutes, and one has longitude and latitude in
    each other's column, with their letters.
    """
    openpyxl = needed("openpyxl")
    random = np.random.default_rng(SEED)
    book = openpyxl.Workbook()
    book.active.title = "About"
    book.active.append(["Made-up sites: no such place was ever measured"])
    for sheet, number, fluxes in (
        ("NPP", NPP_SITES, {"NPP (g C m-2 yr-1)": fields.npp}),
        ("Rs", RS_SITES, {"Rs (gC/m2/yr)": fields.rs, "Rh (gC/m2/yr)": fields.rh}),
    ):
        page = book.create_sheet(sheet)
        page.append([f"Table S1. {sheet} of made-up sites"])
        page.append([None])
        page.append(["No.", "Site", "Longitude (°E)", "Latitude (°N)", "Year", *fluxes, "Vegetation", "own_elevation"])
        for row, (longitude, latitude) in enumerate(_places(random, box, number)):
            year = int(random.choice(years))
            values = [
                round(float(flux(longitude, latitude, year) * np.exp(SCATTER * random.standard_normal())), 1)
                for flux in fluxes.values()
            ]
            cover = int(fields.land_cover(longitude, latitude, year))
            about = [_VEGETATION.get(cover, "Grassland"), round(float(fields.elevation(longitude, latitude)))]
            page.append([row + 1, f"{sheet} {row + 1}", *_written(row, longitude, latitude, year), *values, *about])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sites.xlsx"
    book.save(path)
    return [path]


def _places(random: np.random.Generator, box: Box, number: int) -> list[tuple[float, float]]:
    """Return places on land, in groups, away from the edges of a box."""
    inner = 0.15 * np.array([box.east - box.west, box.north - box.south])
    low, high = np.array([box.west, box.south]) + inner, np.array([box.east, box.north]) - inner
    centres = random.uniform(low, high, (GROUPS, 2))
    places: list[tuple[float, float]] = []
    while len(places) < number:
        longitude, latitude = np.clip(centres[len(places) % GROUPS] + 0.08 * random.standard_normal(2), low, high)
        if not fields.data_gap(longitude, latitude):
            places.append((round(float(longitude), 4), round(float(latitude), 4)))
    return places


def _written(row: int, longitude: float, latitude: float, year: int) -> list[object]:
    """Return longitude, latitude and year as people write them: most as numbers."""
    if row == 3:
        return [_minutes(latitude, "N"), _minutes(longitude, "E"), year]
    if row % 10 == 5:
        return [_minutes(longitude, "E"), _minutes(latitude, "N"), year]
    if row % 10 == 7:
        return [str(longitude), str(latitude), f"{year - 1}-{year + 1}"]
    return [longitude, latitude, year]


def _minutes(degrees: float, letter: str) -> str:
    """Return degrees and minutes."""
    return f"{int(degrees)}°{60 * (degrees - int(degrees)):.2f}′{letter}"
