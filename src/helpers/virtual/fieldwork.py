"""Simulated field work on the virtual plateau: where plots lie, what they record, what faults are planted."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from helpers.data.land_cover import IGBP_CLASSES, WATER
from helpers.data.region import contains
from helpers.virtual.climate import mean_precipitation, mean_temperature
from helpers.virtual.fluxes import fluxes
from helpers.virtual.geography import KM_PER_DEGREE, REGION, geography, plateau_outline
from helpers.virtual.noise import generator

Design = Literal["clustered", "uniform", "stratified"]

FAULTS: Final = {
    **{"duplicate": 8, "treatment": 10, "flag": 6, "swapped_coordinates": 4, "unit_error": 4},
    **{"misplaced": 2, "republication": 6},
}
"""How many faults of each kind are planted in the table of each variable. SRDB has as many misplaced and republished Rs
on the plateau."""

_LIMIT = {"npp": 3000.0, "rs": 5000.0}
_PLOT_SD = 0.20
_MEASUREMENT_SD = {"npp": 0.10, "rs": 0.12, "rh": 0.12}
_OWN_SD = {"elevation": 100.0, "temperature": 0.7, "precipitation": 0.10}
_WET, _WARM = 800.0, 10.0
_REPRINT_SHIFT = (0.05, 0.5)
_EXTRA_YEARS = 0.6
_PAIRED_SHARE = 0.4

_LATTICE = 0.02
_POOL = 60_000
_SNOW = 15
_ROADS, _STATIONS = 6, 8
_ROAD_KM, _STATION_KM = 10.0, 15.0
_OFF_ROAD, _STATION_WEIGHT = 0.01, 1.0
_EASTWARD = 4.0


def field_work(
    variable: Literal["npp", "rs"], in_region: bool, n_records: int, design: Design, years: ArrayLike, seed: int
) -> pd.DataFrame:
    """Return the records of good quality of one campaign, on the plateau or on the rest of the land of the box.

    A plot lies at coordinates of two decimals. It records the truth at that very point, not that of a grid cell, times
    the deviation of the plot from its surroundings (lognormal, 20 %, one for all years of a plot) and a measurement
    error (lognormal, 10 % for NPP, 12 % for Rs and Rh). Plots have one or more years.

    By the design, plots lie on land without ice, at least 0.02 degree apart. ``uniform``: each square kilometre is as
    likely as any other. ``stratified``: uniform within strata of land-cover class and third of precipitation; a stratum
    has plots as the square root of its area, so that rare ones have some. ``clustered``: as in reality, plots crowd
    along six invented roads that start in the east and around eight field stations, and thin out by a factor of 50 from
    the eastern to the western edge.

    The table is in the schema of :mod:`helpers.sites.schema`, plus, for Rs, the column ``rh``: Rh measured at the same
    plot and year. ``in_surroundings`` is True for all land of the box: the virtual world has no borders. What a plot
    says of its own place (``own_elevation`` [m], ``own_temperature`` [degC], ``own_precipitation`` [mm yr-1]) is that
    of the point with an error: 100 m, 0.7 K, 10 %. Half of SRDB's records differ less than this from their cells.
    """
    years = np.atleast_1d(years)
    rng = generator(seed, f"records of {variable}", int(in_region))
    visits = _visits(n_records, years.size, rng)
    longitude, latitude = _choose_places(visits.size, in_region, design, rng)
    table = _recorded(variable, longitude, latitude, visits, years, seed, rng)
    rh, where = table.pop("rh"), "P" if in_region else "C"
    own = _own_values(variable, longitude, latitude, where, seed)
    place = np.repeat(np.arange(visits.size), visits)
    table = table.assign(
        site=[f"V{variable[0].upper()}{where}{number + 1:04d}" for number in place],
        reference=[f"virtual study {where}{number // 5 + 1}" for number in place],
        in_region=in_region,
        **{name: values[place] for name, values in own.items()},
    )
    return table.assign(rh=rh) if variable == "rs" else table


def plots_at(
    variable: Literal["npp", "rs"], longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int
) -> pd.DataFrame:
    """Return the records of one flux at new plots in given places of the plateau, measured as by :func:`field_work`.

    Longitude and latitude [degrees] have shape (n,). A plot has one or more years, and the deviation and the error of
    any other. Plot i has the site ``new i``; the other columns are those of the schema of :mod:`helpers.sites.schema`.
    """
    years, longitude, latitude = np.atleast_1d(years), np.asarray(longitude, float), np.asarray(latitude, float)
    rng = generator(seed, f"new plots of {variable}")
    visits = np.minimum(1 + rng.poisson(_EXTRA_YEARS, longitude.size), years.size)
    table = _recorded(variable, longitude, latitude, visits, years, seed, rng)
    sites = [f"new {number}" for number in np.repeat(np.arange(longitude.size), visits)]
    return table.assign(site=sites, reference="new plots", in_region=True).drop(columns="rh")


def _recorded(
    variable: str,
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    visits: NDArray[np.int64],
    years: NDArray[np.int64],
    seed: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return what plots record in as many years as they are visited, by plot: the value of the flux, and Rh."""
    truth = fluxes(longitude, latitude, years, seed)
    place = np.repeat(np.arange(visits.size), visits)
    step = np.concatenate([np.sort(rng.choice(years.size, n, replace=False)) for n in visits])
    plot = _lognormal(_PLOT_SD, visits.size, rng)[place]
    true = {name: getattr(truth, name)[step, place] * plot for name in (variable, "rh")}
    seen = {name: values * _lognormal(_MEASUREMENT_SD[name], len(place), rng) for name, values in true.items()}
    names = np.array(["", *IGBP_CLASSES.values()])
    return pd.DataFrame(
        {
            "variable": variable,
            "site": "",
            "longitude": longitude[place],
            "latitude": latitude[place],
            "year": years[step].astype(float),
            "value": np.minimum(seen[variable], 0.9 * _LIMIT[variable]).round(2),
            "unit": "g C m-2 yr-1",
            "treatment": "none",
            "quality": "",
            "vegetation": names[geography().land_cover_at(longitude, latitude)][place],
            "source": "virtual",
            "reference": "",
            "in_surroundings": True,
            "in_region": True,
            "possible_duplicate": False,
            "rh": seen["rh"].round(2),
        }
    )


def rs_rh_pairs(records: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the plots where both Rs and Rh were measured [g C m-2 yr-1]: 40 % of the Rs records of :func:`field_work`.

    Both have measurement errors, so that a least-squares line through them is somewhat flatter than the true one
    (regression dilution, about 4 % of the slope). The columns are those of the records, with ``rs`` for ``value``.
    """
    chosen = generator(seed, "pairs").choice(len(records), max(3, round(_PAIRED_SHARE * len(records))), replace=False)
    pairs = records.iloc[np.sort(chosen)].rename(columns={"value": "rs"})
    return pairs.assign(variable="rs_rh", annual_coverage=1.0).reset_index(drop=True)


def plant_faults(good: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add rows with known faults, as compiled tables have them, after the good rows of one variable.

    Half of the donors lie on the plateau. A duplicate repeats a record under another reference, its value rounded a
    little differently (0.2 %); a treatment is a manipulated plot beside a control; a flag is a record that its author
    doubts; then latitude and longitude exchanged, and a value 100 times too large under the unit g C m-2 yr-1. Two
    kinds are for the check of places to find: a misplaced record is of warm, wet ground off the plateau, and its
    coordinates lie on the plateau; a republication is a record under another reference, its value the same to 0.1 %,
    its coordinates off by up to half a degree. The second table lists the faults: variable, row (label in the first
    table), site, kind.
    """
    variable = good["variable"].iloc[0]
    rng = generator(seed, f"faults of {variable}")
    parts, kinds = [good], []
    for kind, number in FAULTS.items():
        parts.append(_spoil(kind, good.loc[_donors(kind, good, number, rng)], rng))
        kinds += [kind] * len(parts[-1])
    table = pd.concat(parts, ignore_index=True)
    rows = np.arange(len(good), len(table))
    sites = table["site"].to_numpy()[rows]
    return table, pd.DataFrame({"variable": variable, "row": rows, "site": sites, "kind": kinds})


def faults_found(faults: pd.DataFrame, checked: pd.DataFrame) -> pd.DataFrame:
    """Count how many misplaced and republished records the check of places finds.

    The faults are those of :func:`plant_faults`, where ``row`` is the record's label in the index of `checked`, the
    table of :func:`helpers.sites.places.check_records`. The columns are ``variable``, ``kind``, ``planted``, ``found``
    (it is left out, or the record that it repeats), and ``wrongly_left_out``: other records without any fault that the
    check leaves out for this reason.
    """
    rows = []
    for variable in faults["variable"].unique():
        mine = faults[faults["variable"] == variable]
        left_out = checked[(checked["variable"] == variable) & (checked["left_out"] != "")]
        for kind, reason in (("misplaced", "place"), ("republication", "first publication")):
            planted = mine[mine["kind"] == kind]
            out = left_out[left_out["left_out"] == reason]
            found = planted["row"].isin(left_out.index) | planted["site"].isin(left_out["republication_of"])
            honest = ~out.index.isin(mine["row"]) & ~out["republication_of"].isin(planted["site"])
            rows.append((variable, kind, len(planted), found.sum(), honest.sum()))
    return pd.DataFrame(rows, columns=["variable", "kind", "planted", "found", "wrongly_left_out"])


def _own_values(
    variable: str, longitude: NDArray[np.float64], latitude: NDArray[np.float64], where: str, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return what plots say of their own places, with errors."""
    rng = generator(seed, f"own values of {variable}", int(where == "P"))
    higher, warmer = rng.standard_normal((2, longitude.size))
    elevation = geography().elevation_at(longitude, latitude) + _OWN_SD["elevation"] * higher
    temperature = mean_temperature(longitude, latitude) + _OWN_SD["temperature"] * warmer
    rain = mean_precipitation(longitude, latitude) * _lognormal(_OWN_SD["precipitation"], longitude.size, rng)
    own = {"elevation": elevation.round(), "temperature": temperature.round(1), "precipitation": rain.round()}
    return {f"own_{name}": values for name, values in own.items()}


def _choose_places(
    number: int, in_region: bool, design: Design, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude [degrees] of plots, by a design of :func:`field_work`."""
    longitude, latitude = _pool(max(_POOL, 4 * number), in_region, rng)
    if design == "stratified":
        chosen = _stratified(longitude, latitude, number, rng)
    else:
        weights = _crowding(longitude, latitude, rng) if design == "clustered" else np.ones(longitude.size)
        chosen = _draw(weights, number, rng)
    return longitude[chosen], latitude[chosen]


def _visits(n_records: int, n_years: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the number of years of each plot, so that they add up to the number of records."""
    visits = np.minimum(1 + rng.poisson(_EXTRA_YEARS, n_records), n_years)
    visits = visits[: np.searchsorted(visits.cumsum(), n_records) + 1]
    visits[-1] -= visits.sum() - n_records
    return visits


def _lognormal(sd: float, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return independent lognormal factors of mean 1."""
    return np.exp(sd * rng.standard_normal(size) - sd**2 / 2)


def _pool(size: int, in_region: bool, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct lattice points, uniform by area, on land without ice, inside or outside the plateau."""
    outline = plateau_outline()
    west, south, east, north = outline.bounds if in_region else REGION
    points = np.empty((0, 2), int)
    while len(points) < size:
        longitude = rng.uniform(west + _LATTICE, east - _LATTICE, 2 * size)
        sine = rng.uniform(*np.sin(np.radians([south + _LATTICE, north - _LATTICE])), 2 * size)
        steps = np.column_stack([longitude, np.degrees(np.arcsin(sine))]) / _LATTICE
        points = np.concatenate([points, np.round(steps).astype(int)])
        longitude, latitude = _coordinates(points)
        ground = ~np.isin(geography().land_cover_at(longitude, latitude), (WATER, _SNOW))
        points = points[ground & (contains(outline, longitude, latitude) == in_region)]
        first = np.unique(points[:, 0] * 100_000 + points[:, 1], return_index=True)[1]
        points = points[np.sort(first)]
    longitude, latitude = _coordinates(points[:size])
    return longitude, latitude


def _draw(weights: NDArray[np.float64], number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return positions drawn without replacement, each as likely as its weight says."""
    return rng.choice(weights.size, number, replace=False, p=weights / weights.sum())


def _coordinates(points: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return longitudes and latitudes [degrees, two decimals] of lattice points."""
    return np.round(points.T * _LATTICE, 2)


def _crowding(longitude: ArrayLike, latitude: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the weight of each point: near invented roads and stations, and in the east."""
    eastern = (longitude - longitude.min()) / np.ptp(longitude)
    starts = _draw(np.exp(2 * _EASTWARD * eastern), _ROADS, rng)
    lines = []
    for start in starts:
        stops = rng.choice(longitude.size, 3, replace=False)
        stops = np.append(start, stops[np.argsort(-longitude[stops])])
        lines.append(shapely.LineString(np.column_stack([longitude[stops], latitude[stops]])))
    points = shapely.points(longitude, latitude)
    road = shapely.distance(points, shapely.MultiLineString(lines)) * KM_PER_DEGREE
    weights = np.exp(_EASTWARD * eastern) * (np.exp(-road / _ROAD_KM) + _OFF_ROAD)
    stations = points[_draw(weights, _STATIONS, rng)]
    away = shapely.distance(points, shapely.union_all(stations)) * KM_PER_DEGREE
    return weights + _STATION_WEIGHT * np.exp(_EASTWARD * eastern) * np.exp(-((away / _STATION_KM) ** 2) / 2)


def _stratified(longitude: ArrayLike, latitude: ArrayLike, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return positions of a sample by land cover and third of precipitation, as the square root of their size."""
    rain = mean_precipitation(longitude, latitude)
    third = np.digitize(rain, np.quantile(rain, [1 / 3, 2 / 3]))
    strata = geography().land_cover_at(longitude, latitude) * 3 + third
    _, members, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    wish = np.sqrt(sizes)
    order = rng.permutation(members.size)
    rank = np.empty(members.size)
    for stratum in range(sizes.size):
        mine = order[members[order] == stratum]
        rank[mine] = (np.arange(mine.size) + rng.random()) / wish[stratum]
    return rng.permutation(np.argsort(rank, kind="stable")[:number])


def _donors(kind: str, good: pd.DataFrame, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return labels of rows that a fault of this kind can be made from, half of them on the plateau."""
    suitable = good["value"] > (1.1 * _LIMIT[good["variable"].iloc[0]] / 100 if kind == "unit_error" else 0)
    if kind == "misplaced":
        warm_and_wet = (good["own_temperature"] > _WARM) & (good["own_precipitation"] > _WET)
        return rng.choice(good.index[warm_and_wet & ~good["in_region"]], number, replace=False)
    groups = [good.index[suitable & (good["in_region"] == side)] for side in (True, False)]
    picked = [rng.choice(group, min(number // 2, len(group)), replace=False) for group in groups]
    return np.concatenate(picked)


def _spoil(kind: str, rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return copies of rows with one kind of fault."""
    value = rows["value"]
    if kind == "duplicate":
        return rows.assign(value=value * 1.002, reference="virtual compilation")
    if kind == "treatment":
        treatment = rng.choice(["warming", "nitrogen addition", "grazing exclusion", "irrigation"], len(rows))
        return rows.assign(value=(1.3 * value).round(2), treatment=treatment)
    if kind == "flag":
        return rows.assign(value=(0.5 * value).round(2), quality="doubted by its author")
    if kind == "swapped_coordinates":
        return rows.assign(longitude=rows["latitude"], latitude=rows["longitude"])
    if kind == "misplaced":
        longitude, latitude = _pool(len(rows), True, rng)
        measured = (value * _lognormal(_MEASUREMENT_SD["rs"], len(rows), rng)).round(2)
        moved = rows.assign(longitude=longitude[: len(rows)], latitude=latitude[: len(rows)], value=measured)
        return moved.assign(site=rows["site"] + "M", reference="virtual study with a slip", in_region=True)
    if kind == "republication":
        return _reprinted(rows, rng)
    return rows.assign(value=100 * value)


def _reprinted(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return copies of rows as another study prints them: rounded a little differently, and somewhere nearby."""
    west, south, east, north = REGION
    shift = rng.uniform(*_REPRINT_SHIFT, (2, len(rows))) * rng.choice([-1, 1], (2, len(rows)))
    longitude = (rows["longitude"] + shift[0]).clip(west, east).round(2)
    latitude = (rows["latitude"] + shift[1]).clip(south, north).round(2)
    value = rows["value"] * rng.uniform(0.9991, 1.0009, len(rows))
    moved = rows.assign(longitude=longitude, latitude=latitude, value=value, site=rows["site"] + "R")
    return moved.assign(reference="virtual reprint", in_region=contains(plateau_outline(), longitude, latitude))
