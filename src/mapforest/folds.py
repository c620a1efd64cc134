"""Ways to split sites into folds, and the distances that show why they give different errors.

A fold number for each row says in which round the row is held back. The nearer a held-back row lies to the rows that
train the model, the easier it is predicted; a map is predicted at distances of its own. A split is honest about a map
where its distances resemble those from the map's cells to the sites, which :func:`knndm` seeks to achieve
(Linnenbrink et al. 2024, https://doi.org/10.5194/gmd-17-5897-2024).

Distances are great-circle distances in km on a sphere of 6371 km.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import verde
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from scipy.cluster import hierarchy
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.cluster import KMeans

from mapforest.errors import FoldError

EARTH_RADIUS_KM = 6371.0

Scheme = Callable[[int], NDArray[np.int64]]
"""From a seed to the fold number of each row."""


@dataclass(frozen=True)
class MatchedFolds:
    """Folds whose distances match those of the prediction, from :func:`knndm`.

    Attributes
    ----------
    fold : numpy.ndarray of int, shape (n,)
        Fold number of each row, from 0.
    wasserstein_km : float
        Wasserstein distance W between ``fold_to_sample`` and ``target_to_sample``, km; 0 is a perfect match.
    clusters : int
        Number of clusters that were merged into the folds; 0 where sites were dealt at random.
    sample_to_sample : numpy.ndarray, shape (n,)
        From each row to the nearest other row, km (the paper's G_j).
    target_to_sample : numpy.ndarray, shape (m,)
        From each prediction location to the nearest row, km (G_ij).
    fold_to_sample : numpy.ndarray, shape (n,)
        From each row to the nearest row of another fold, km (G_j*).
    """

    fold: NDArray[np.int64]
    wasserstein_km: float
    clusters: int
    sample_to_sample: NDArray[np.float64]
    target_to_sample: NDArray[np.float64]
    fold_to_sample: NDArray[np.float64]


def random_folds(n: int, k: int, seed: int) -> NDArray[np.int64]:
    """Deal rows to folds at random, whatever their site.

    Parameters
    ----------
    n : int
        Number of rows.
    k : int
        Number of folds, 2 to n.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Fold numbers 0 to k - 1; fold sizes differ by at most one.

    Raises
    ------
    FoldError
        If there are fewer rows than folds.

    Examples
    --------
    >>> np.bincount(random_folds(11, 3, seed=0))
    array([4, 4, 3])
    """
    _check_folds(n, k, "rows")
    return np.random.default_rng(seed).permutation(np.arange(n) % k)


def random_split(n: int, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Draw the rows that train the model at random, as for figures S2 and S3 of the paper.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Share of rows that train, between 0 and 1.
    seed : int
        Seed of the draw.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True for the rows that train, False for those that verify.

    Raises
    ------
    FoldError
        If a part would hold fewer than two rows.

    Examples
    --------
    >>> int(random_split(10, 0.7, seed=0).sum())
    7
    """
    n_training = round(fraction * n)
    if not 2 <= n_training <= n - 2:
        raise FoldError(
            f"a share of {fraction} of {n} rows leaves {n_training} to train and {n - n_training} to verify: "
            "each part needs two or more"
        )
    training = np.zeros(n, dtype=bool)
    training[np.random.default_rng(seed).permutation(n)[:n_training]] = True
    return training


def group_folds(labels: ArrayLike, k: int | None, seed: int) -> NDArray[np.int64]:
    """Deal whole groups (sites, blocks, regions) to folds, so that no group is in two folds.

    Groups are shuffled; each goes to the fold that has the fewest rows so far.

    Parameters
    ----------
    labels : array_like, shape (n,)
        The group of each row.
    k : int or None
        Number of folds; None makes a fold of each group.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Fold numbers from 0.

    Raises
    ------
    FoldError
        If there are fewer groups than folds.

    Examples
    --------
    >>> group_folds(["a", "a", "b", "c"], k=None, seed=0)
    array([0, 0, 1, 2])
    """
    _, group = np.unique(np.asarray(labels), return_inverse=True)
    size = np.bincount(group)
    _check_folds(size.size, 2 if k is None else k, "groups")
    if k is None:
        return group
    fold_of_group = np.empty(size.size, dtype=np.int64)
    filled = np.zeros(k, dtype=np.int64)
    for one in np.random.default_rng(seed).permutation(size.size):
        fold_of_group[one] = np.argmin(filled)
        filled[fold_of_group[one]] += size[one]
    return fold_of_group[group]


def site_labels(longitude: ArrayLike, latitude: ArrayLike, decimals: int = 2) -> NDArray[np.int64]:
    """Number the sites: rows whose rounded coordinates agree are records of one site.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Degrees.
    decimals : int
        Decimals that count; 2 is about 1 km, the pixel of the paper.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Site numbers from 0.

    Examples
    --------
    >>> site_labels([91.001, 91.0, 102.5], [31.0, 31.0, 34.0])
    array([0, 0, 1])
    """
    rounded = np.round(_coordinates(longitude, latitude), decimals)
    return np.unique(rounded, axis=0, return_inverse=True)[1].ravel()


def block_labels(longitude: ArrayLike, latitude: ArrayLike, size_km: float) -> NDArray[np.int64]:
    """Number the square blocks that rows fall into, on an equal-area projection centred on the rows.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Degrees.
    size_km : float
        Edge of a block, km. verde stretches it a little so that a whole number of blocks spans the rows.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Block numbers from 0, without gaps.

    Raises
    ------
    FoldError
        If the size is not positive or all rows lie in one block.

    Examples
    --------
    >>> block_labels([80.0, 80.1, 100.0], [30.0, 30.1, 35.0], size_km=500)
    array([0, 0, 1])
    """
    if not size_km > 0:
        raise FoldError(f"block size is {size_km} km: expected a positive length")
    lonlat = _coordinates(longitude, latitude)
    centre = lonlat.mean(axis=0)
    projection = f"+proj=laea +lon_0={centre[0]} +lat_0={centre[1]} +units=km"
    easting, northing = Transformer.from_crs("EPSG:4326", projection, always_xy=True).transform(*lonlat.T)
    if max(np.ptp(easting), np.ptp(northing)) < size_km:
        raise FoldError(
            f"all {len(lonlat)} rows lie in one block of {size_km:g} km (they span {np.ptp(easting):.0f} by "
            f"{np.ptp(northing):.0f} km): choose smaller blocks"
        )
    margin = size_km / 2
    region = (
        easting.min() - margin,
        easting.max() + margin,
        northing.min() - margin,
        northing.max() + margin,
    )
    _, label = verde.block_split((easting, northing), spacing=size_km, region=region)
    return np.unique(label, return_inverse=True)[1]


def region_labels(longitude: ArrayLike, latitude: ArrayLike, n_regions: int, seed: int) -> NDArray[np.int64]:
    """Group rows into compact regions by k-means of their positions on the sphere.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Degrees.
    n_regions : int
        Number of regions.
    seed : int
        Seed of the starting centres.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Region numbers from 0.

    Raises
    ------
    FoldError
        If there are fewer distinct positions than regions.

    Examples
    --------
    >>> labels = region_labels([80.0, 80.1, 100.0], [30.0, 30.1, 35.0], n_regions=2, seed=0)
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    xyz = _unit_vectors(longitude, latitude)
    _check_folds(len(np.unique(xyz, axis=0)), n_regions, "positions", "regions")
    return KMeans(n_regions, n_init=10, random_state=seed).fit_predict(xyz).astype(np.int64)


def sample_distances(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
    """Return the distance from each row to the nearest other row, km; 0 where a site has several rows.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Degrees; two rows or more.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Kilometres.

    Examples
    --------
    >>> sample_distances([90.0, 90.0, 90.0], [30.0, 31.0, 34.0]).round(1)
    array([111.2, 111.2, 333.6])
    """
    xyz = _unit_vectors(longitude, latitude)
    return _kilometres(KDTree(xyz).query(xyz, k=2)[0][:, 1])


def target_distances(
    longitude: ArrayLike, latitude: ArrayLike, target_longitude: ArrayLike, target_latitude: ArrayLike
) -> NDArray[np.float64]:
    """Return the distance from each prediction location to the nearest row, km.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Rows of the training table, degrees.
    target_longitude, target_latitude : array_like, shape (m,)
        Cells of the map, degrees. A few thousand spread evenly over its area do.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Kilometres.
    """
    tree = KDTree(_unit_vectors(longitude, latitude))
    return _kilometres(tree.query(_unit_vectors(target_longitude, target_latitude))[0])


def held_back_distances(longitude: ArrayLike, latitude: ArrayLike, fold: ArrayLike) -> NDArray[np.float64]:
    """Return the distance from each row to the nearest row of another fold, km.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Degrees.
    fold : array_like of int, shape (n,)
        Fold numbers, at least two different ones.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Kilometres.

    Examples
    --------
    >>> held_back_distances([90.0, 90.0, 90.0], [30.0, 31.0, 34.0], [0, 0, 1]).round(1)
    array([444.8, 333.6, 333.6])
    """
    return _nearest_of_other_folds(_unit_vectors(longitude, latitude), np.asarray(fold))


def wasserstein_km(one: ArrayLike, other: ArrayLike) -> float:
    """Return the Wasserstein distance W of two samples of distances: the area between their distribution functions.

    Parameters
    ----------
    one, other : array_like
        Distances, km.

    Returns
    -------
    float
        Kilometres; 0 for equal distributions.

    Examples
    --------
    >>> wasserstein_km([1.0, 2.0], [4.0, 5.0])
    3.0
    """
    return float(wasserstein_distance(np.asarray(one, float), np.asarray(other, float)))


def knndm(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    k: int,
    seed: int,
    largest_share: float = 0.5,
    candidates: int = 100,
) -> MatchedFolds:
    """Make k folds whose distances to the remaining rows match the distances from a map's cells to the rows.

    k-fold nearest-neighbour-distance matching (Linnenbrink et al. 2024), as R's ``CAST::knndm`` for geographical
    coordinates. Where rows are no more clustered than the map demands (one-sided Kolmogorov-Smirnov test of G_j
    against G_ij, p >= 0.05) sites are dealt at random. Else sites are clustered (Ward's linkage of great-circle
    distances) into q clusters for ``candidates`` values of q from k to the number of sites less two, evenly spaced in
    log q. A cluster of n/k rows or more is a fold of its own; the others are dealt in turn, in order of the first
    principal axis. The q with the smallest Wasserstein distance W between G_j* and G_ij wins.

    Unlike CAST, records of one site (see :func:`site_labels`) always share a fold, and the principal axis is that of
    positions on the sphere.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Rows of the training table, degrees.
    target_longitude, target_latitude : array_like, shape (m,)
        Cells of the map, degrees. A few thousand spread evenly over its area do.
    k : int
        Number of folds.
    seed : int
        Seed of the random deal; the clusters need none.
    largest_share : float
        Largest share of rows in a fold, between 1/k and 1.
    candidates : int
        Number of values of q to try.

    Returns
    -------
    MatchedFolds
        Score all held-back predictions together: the folds are of unequal size and matched together.

    Raises
    ------
    FoldError
        If there are fewer sites than folds, or no q keeps every fold below ``largest_share``.
    """
    if not 1 / k < largest_share < 1:
        raise FoldError(f"largest_share is {largest_share}: expected a share between 1/k ({1 / k:.2f}) and 1")
    xyz = _unit_vectors(longitude, latitude)
    site = site_labels(longitude, latitude)
    _check_folds(site.max() + 1, k, "sites")
    to_sample = sample_distances(longitude, latitude)
    to_target = target_distances(longitude, latitude, target_longitude, target_latitude)
    if ks_2samp(to_sample, to_target, alternative="greater", method="asymp").pvalue >= 0.05:
        clusters, fold = 0, group_folds(site, k, seed)
    else:
        clusters, fold = _best_merge(xyz, site, to_target, k, largest_share, candidates)
    to_other = _nearest_of_other_folds(xyz, fold)
    return MatchedFolds(fold, wasserstein_km(to_other, to_target), clusters, to_sample, to_target, to_other)


def schemes(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    k: int = 5,
    block_sizes_km: tuple[float, ...] = (100, 250, 500),
    regions: ArrayLike | None = None,
    which: str = "all",
) -> dict[str, Scheme]:
    """Return the schemes of the validation chapter by name, from the kindest to the strictest.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Rows of the training table, degrees.
    target_longitude, target_latitude : array_like, shape (m,)
        Cells of the map, degrees.
    k : int
        Number of folds.
    block_sizes_km : tuple of float
        Edges of the spatial blocks, km. A size that gives fewer blocks than folds makes a fold of each block.
    regions : array_like, shape (n,), optional
        Region of each row, for leave-region-out; without it k compact regions are made by :func:`region_labels`.
    which : {"all", "fast"}
        ``fast`` gives ``knndm`` alone, for a sweep of many forests.

    Returns
    -------
    dict of str to Scheme
        ``random``, ``site``, ``block_<size>_km`` for each size, ``knndm``, ``region``.

    Raises
    ------
    FoldError
        If rows cannot be split by one of the schemes.
    """
    n = np.size(longitude)
    site = site_labels(longitude, latitude)

    def _blocks(size_km: float) -> Scheme:
        """Return the scheme that leaves out squares of one size."""
        label = block_labels(longitude, latitude, size_km)
        n_folds = k if np.unique(label).size > k else None
        return lambda seed: group_folds(label, n_folds, seed)

    def _regions(seed: int) -> NDArray[np.int64]:
        """Leave out one region at a time."""
        label = region_labels(longitude, latitude, k, seed) if regions is None else regions
        return group_folds(label, None, seed)

    matched = knndm(longitude, latitude, target_longitude, target_latitude, k, seed=0)

    def _matched(seed: int) -> NDArray[np.int64]:
        """Return the distance-matched folds; those by site where matching is not needed."""
        return matched.fold if matched.clusters else group_folds(site, k, seed)

    if which == "fast":
        return {"knndm": _matched}
    return {
        "random": lambda seed: random_folds(n, k, seed),
        "site": lambda seed: group_folds(site, k, seed),
        **{f"block_{size:g}_km": _blocks(size) for size in block_sizes_km},
        "knndm": _matched,
        "region": _regions,
    }


def distance_table(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    folds: Mapping[str, ArrayLike],
) -> pd.DataFrame:
    """Return every distance that the distance plot shows, in long form.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Rows of the training table, degrees.
    target_longitude, target_latitude : array_like, shape (m,)
        Cells of the map, degrees.
    folds : mapping of str to array_like of int, shape (n,)
        Fold numbers by the name of their scheme.

    Returns
    -------
    pandas.DataFrame
        Columns ``kind`` (``sample to sample``, ``prediction to sample``, then each scheme), ``distance_km``, and
        ``wasserstein_km``, the W of that kind against ``prediction to sample``.
    """
    to_target = target_distances(longitude, latitude, target_longitude, target_latitude)
    samples = {"sample to sample": sample_distances(longitude, latitude), "prediction to sample": to_target}
    samples |= {name: held_back_distances(longitude, latitude, fold) for name, fold in folds.items()}
    return pd.concat(
        [
            pd.DataFrame({"kind": kind, "distance_km": distance, "wasserstein_km": wasserstein_km(distance, to_target)})
            for kind, distance in samples.items()
        ],
        ignore_index=True,
    )


def _best_merge(
    xyz: NDArray[np.float64],
    site: NDArray[np.int64],
    to_target: NDArray[np.float64],
    k: int,
    largest_share: float,
    candidates: int,
) -> tuple[int, NDArray[np.int64]]:
    """Return the number of clusters with the smallest W, and the folds that they were merged into."""
    sites = pd.DataFrame(xyz).groupby(site).mean().to_numpy()
    tree = hierarchy.linkage(_kilometres(pdist(sites)), method="ward")
    axis = np.linalg.svd(xyz - xyz.mean(axis=0), full_matrices=False)[2][0]
    largest_q = max(k, len(sites) - 2)
    best: tuple[float, int, NDArray[np.int64]] | None = None
    tried = np.unique(np.geomspace(k, largest_q, candidates).round().astype(int))
    for q, cluster in zip(tried, hierarchy.cut_tree(tree, n_clusters=tried).T, strict=True):
        fold = _merge(cluster[site], xyz @ axis, k)
        if np.bincount(fold, minlength=k).max() > largest_share * len(fold) or np.unique(fold).size < k:
            continue
        w = wasserstein_km(_nearest_of_other_folds(xyz, fold), to_target)
        if best is None or w < best[0]:
            best = w, int(q), fold
    if best is None:
        raise FoldError(
            f"no way to merge clusters into {k} folds keeps each below a share of {largest_share} of the rows: "
            "raise largest_share or lower k"
        )
    return best[1], best[2]


def _merge(cluster: NDArray[np.int64], position: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Merge clusters into k folds: large ones stay alone, the others are dealt in turn along the principal axis."""
    size = np.bincount(cluster)
    order = np.argsort(np.bincount(cluster, weights=position) / size, kind="stable")
    large = size[order] >= len(cluster) / k
    fold_of_cluster = np.empty(size.size, dtype=np.int64)
    fold_of_cluster[order[large]] = np.arange(large.sum())
    free = np.arange(large.sum(), k)
    small = order[~large]
    if small.size:
        fold_of_cluster[small] = np.resize(free, small.size)
    return fold_of_cluster[cluster]


def _nearest_of_other_folds(xyz: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    chord = np.empty(len(xyz))
    numbers = np.unique(fold)
    if numbers.size < 2:
        raise FoldError(f"all {len(xyz)} rows are in one fold: there is none left to train on")
    for number in numbers:
        held_back = fold == number
        chord[held_back] = KDTree(xyz[~held_back]).query(xyz[held_back])[0]
    return _kilometres(chord)


def _kilometres(chord: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return great-circle distances from chords of the unit sphere."""
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0, 1))


def _unit_vectors(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
    """Return positions on the unit sphere, shape (n, 3)."""
    lon, lat = np.deg2rad(_coordinates(longitude, latitude)).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _coordinates(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
    """Return checked coordinates, shape (n, 2)."""
    longitude, latitude = np.asarray(longitude, dtype=float), np.asarray(latitude, dtype=float)
    if longitude.ndim != 1 or longitude.shape != latitude.shape or longitude.size < 2:
        raise FoldError(
            f"longitude has shape {longitude.shape}, latitude {latitude.shape}: "
            "expected two vectors of one length, two rows or more"
        )
    bad = np.flatnonzero(~(np.isfinite(longitude) & (np.abs(latitude) <= 90)))
    if bad.size:
        raise FoldError(
            f"row {bad[0]} lies at longitude {longitude[bad[0]]}, latitude {latitude[bad[0]]}: "
            "expected finite degrees, latitude between -90 and 90; correct or drop the row"
        )
    return np.column_stack([longitude, latitude])


def _check_folds(available: int, k: int, what: str, into: str = "folds") -> None:
    if not 2 <= k <= available:
        raise FoldError(
            f"{available} {what} cannot be split into {k} {into}: expected 2 to {available} {into}; "
            f"lower their number, choose smaller groups or add sites"
        )
