"""Gaussian random fields that are defined at every coordinate, so that any grid and any block sees the same field."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import ArrayLike, NDArray

from helpers.virtual.geography import KM_PER_DEGREE

_N_MODES = 256
_MIDDLE_LATITUDE = 36.0


def generator(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Return the random generator of one named purpose, independent of all others of the same seed.

    The name says what the numbers are for; further numbers are keys too, for example a year.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *numbers])


def gaussian_field(
    longitude: ArrayLike, latitude: ArrayLike, range_km: float, seed: int, name: str, years: ArrayLike = (0,)
) -> NDArray[np.float64]:
    r"""Return a Gaussian random field with mean 0, variance 1 and Matérn-3/2 correlation.

    A sum of N = 256 waves, the randomization method (Heße et al. 2014, Environmental Modelling & Software 55, 32-48),

    .. math:: u(x) = N^{-1/2} \sum_j a_j \cos(k_j \cdot x) + b_j \sin(k_j \cdot x),

    with a, b standard normal and wave vectors k from the spectrum of the correlation :math:`(1 + \sqrt 3 d / \ell)
    \exp(-\sqrt 3 d / \ell)`: a bivariate t distribution with 3 degrees of freedom and scale :math:`1/\ell` (Rahimi and
    Recht 2007, NIPS 20). The years of a field share their wave vectors and have their own a and b. Distances are those
    of an equirectangular map, true to scale at 36 degrees north.

    Longitude and latitude [degrees] broadcast together: a row (1, nx) and a column (ny, 1) make a grid, which costs two
    matrix products instead of a cosine for each cell and wave. At ``range_km``, the correlation length :math:`\ell`,
    the correlation is 0.48. Another name is another field. The years are the first axis of the result; one does not
    depend on which others are asked for.
    """
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    waves_x, waves_y = _waves(seed, name, range_km)
    amplitudes = np.array([_amplitudes(seed, name, int(year)) for year in np.atleast_1d(years)])
    x = longitude * KM_PER_DEGREE * np.cos(np.radians(_MIDDLE_LATITUDE))
    y = latitude * KM_PER_DEGREE
    if x.ndim == y.ndim == 2 and x.shape[0] == 1 and y.shape[1] == 1:
        return _on_grid(x[0], y[:, 0], waves_x, waves_y, amplitudes)
    x, y = np.broadcast_arrays(x, y)
    waves = np.exp(1j * (np.multiply.outer(x, waves_x) + np.multiply.outer(y, waves_y)))
    return np.moveaxis((waves @ amplitudes.T).real, -1, 0)


def _on_grid(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    waves_x: NDArray[np.float64],
    waves_y: NDArray[np.float64],
    amplitudes: NDArray[np.complex128],
) -> NDArray[np.float64]:
    """Return the sum of waves on a grid by its axes [km], a year for each row of amplitudes."""
    (x, to_columns), (y, to_rows) = _nodes(x, waves_x), _nodes(y, waves_y)
    columns, rows = np.exp(1j * np.outer(waves_x, x)), np.exp(1j * np.outer(y, waves_y))
    # Of the product only the real part counts: half of the complex one's multiplications.
    parts = np.concatenate([columns.real, columns.imag])
    found = np.empty((len(amplitudes), y.size, x.size))
    for year, weights in enumerate(amplitudes):
        weighted = rows * weights
        np.matmul(np.concatenate([weighted.real, -weighted.imag], axis=1), parts, out=found[year])
    found = found if to_columns is None else found @ to_columns.T
    return found if to_rows is None else to_rows @ found


def _nodes(
    axis: NDArray[np.float64], waves: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return places that the waves along an axis are known from, and the matrix from there to the axis, if not itself.

    On a fine grid a field bends little from cell to cell. A polynomial through Chebyshev's nodes is then exact to the
    last digits: of a wave, its error falls faster than any power once there are more nodes than radians on half of the
    axis.
    """
    half = np.ptp(axis) / 2
    n = int(1.2 * np.abs(waves).max() * half) + 30  # beyond the radians by so much that the error is below 1e-13
    if 2 * n > axis.size:
        return axis, None
    middle = (axis.max() + axis.min()) / 2
    unit = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    at_nodes, at_axis = (chebvander(place, n - 1) for place in (unit, (axis - middle) / half))
    at_nodes[:, 0] /= 2
    return middle + half * unit, at_axis @ at_nodes.T * (2 / n)


# A world that is made tile by tile asks for the same waves in each tile.
@lru_cache(maxsize=128)
def _waves(seed: int, name: str, range_km: float) -> NDArray[np.float64]:
    """Return the wave vectors of a field, shape (2, waves)."""
    rng = generator(seed, name)
    spread = np.sqrt(3.0 / rng.chisquare(3.0, _N_MODES)) / range_km
    return rng.standard_normal((2, _N_MODES)) * spread


@lru_cache(maxsize=1024)
def _amplitudes(seed: int, name: str, year: int) -> NDArray[np.complex128]:
    """Return a - ib, scaled so that the real part of its product with exp(ikx) is one term of the sum."""
    a, b = generator(seed, name, 1, year).standard_normal((2, _N_MODES))
    return (a - 1j * b) / np.sqrt(_N_MODES)
