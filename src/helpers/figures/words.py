"""The words of an alternative text: what a figure draws, its ranges and what stands out, from the data themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from helpers.names import pretty_units

#: Rows of a figure whose values are all told; of more, the ends are.
_MOST_ROWS = 12


def number(value: float) -> str:
    """Return a number of three digits with a true minus sign.

    Examples
    --------
    >>> number(-1234.5), number(0.03456), number(0)
    ('−1230', '0.0346', '0')
    """
    if not np.isfinite(value):
        return "no value"
    if value == 0:
        return "0"
    digits = 2 - int(np.floor(np.log10(abs(value))))
    rounded = round(float(value), digits)
    return f"{rounded:.{max(digits, 0)}f}".replace("-", "−") if digits < 5 else f"{value:.2g}".replace("-", "−")


def percent(share: float) -> str:
    """Return a share as a percentage; what is not quite none or all does not become it by rounding.

    Examples
    --------
    >>> percent(0.256), percent(0.9996), percent(0.0004), percent(0)
    ('26 %', 'more than 99 %', 'less than 1 %', '0 %')
    """
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 < share < 1 else f"{100 * share:.0f} %"


def listed(names: Iterable[object]) -> str:
    """Return names as an enumeration.

    Examples
    --------
    >>> listed(["NPP", "Rh", "NEP"]), listed(["NPP"])
    ('NPP, Rh and NEP', 'NPP')
    """
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last


def spread(values: ArrayLike, units: str = "") -> str:
    """Return how values spread: the range of the middle nine tenths, and the median.

    Examples
    --------
    >>> spread(range(101), "g C m-2 yr-1")
    'nine tenths lie between 5.00 and 95.0, half below 50.0 g C m⁻² yr⁻¹'
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not values.size:
        return "without a value"
    low, middle, high = (number(value) for value in np.percentile(values, [5, 50, 95]))
    return f"nine tenths lie between {low} and {high}, half below {middle} {pretty_units(units)}".rstrip()


def where(field: xr.DataArray) -> str:
    """Return which quarter of a map has the highest mean, and which the lowest."""
    known = np.isfinite(field.values)
    rows, columns = np.nonzero(known)
    if not rows.size:
        return "no cell has a value"
    north = field.latitude.values[rows] >= np.median(field.latitude.values[rows])
    east = field.longitude.values[columns] >= np.median(field.longitude.values[columns])
    values, means = field.values[known], {}
    for name, chosen in (
        ("north-west", north & ~east),
        ("north-east", north & east),
        ("south-west", ~north & ~east),
        ("south-east", ~north & east),
    ):
        if chosen.any():
            means[name] = values[chosen].mean()
    high, low = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    return f"highest in the {high} (mean {number(means[high])}), lowest in the {low} (mean {number(means[low])})"


def share_of(marked: xr.DataArray, of: xr.DataArray) -> float:
    """Return the share of the area of a map's cells with a value in which another map is true."""
    weight = np.cos(np.deg2rad(of.latitude)) * np.isfinite(of)
    total = float(weight.sum())
    return float((weight * (marked == 1)).sum()) / total if total else 0.0


def rows(names: Sequence[object], values: ArrayLike, units: str = "") -> str:
    """Return the value of each row; of many rows those of the two greatest and the two least.

    Examples
    --------
    >>> rows(["sites", "seed"], [40.2, 9.1], "g C m-2 yr-1")
    'sites 40.2, seed 9.10 g C m⁻² yr⁻¹'
    """
    pairs = [(str(name).replace("\n", " "), float(value)) for name, value in zip(names, values, strict=True)]
    pairs = [pair for pair in pairs if np.isfinite(pair[1])]
    unit = f" {pretty_units(units)}" if pretty_units(units) else ""
    if len(pairs) <= _MOST_ROWS:
        return ", ".join(f"{name} {number(value)}" for name, value in pairs) + unit
    pairs.sort(key=lambda pair: pair[1])
    ends = [", ".join(f"{name} {number(value)}" for name, value in part) for part in (pairs[:2], pairs[-2:])]
    return f"{len(pairs)} rows, from {ends[0]} up to {ends[1]}{unit}"
