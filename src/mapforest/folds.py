"""Ways to split sites into folds, and the distances that show why they give different errors.

A fold number per row says in which round the row is held back. The nearer a held-back row lies to the rows that train
the model, the easier it is predicted; a map is predicted at distances of its own. A split is honest about a map where
its distances resemble those from the map's cells to the sites, which :func:`knndm` seeks to achieve
(Linnenbrink et al. 2024, https://doi.org/10.5194/gmd-17-5897-2024).

Distances are great-circle distances in km on a sphere of 6371 km.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from scipy.cluster import hierarchy
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.cluster import KMeans

from mapforest.errors import FoldError

with warnings.catch_warnings():  # its progress bar misses widgets, which a page cannot show; no bar of it is used here
    warnings.filterwarnings("ignore", message="IProgress not found")
    import verde

EARTH_RADIUS_KM = 6371.0
#: Decimals of a degree that tell two sites apart: 0.01 degrees is about 1 km.
SITE_DECIMALS = 2
#: Product of the two sample sizes below which the Kolmogorov-Smirnov test is exact, as in R's ``ks.test``.
EXACT_KS_BELOW = 10_000
#: Most numbers of clusters that :func:`knndm` tries; beyond, as many in log steps, of which every third is CAST's.
SEARCHED_Q = 298

#: From a seed to the fold number of each row.
Scheme = Callable[[int], NDArray[np.int64]]


@dataclass(frozen=True)
class MatchedFolds:
    """Folds whose distances match those of the prediction, from :func:`knndm`."""

    fold: NDArray[np.int64]  #: shape (n,): Fold number of each row, from 0.
    #: Wasserstein distance W between the distances from each row to the nearest row of another fold (the paper's G_j*)
    #: and those from each prediction location to the nearest row (G_ij), km; 0 is a perfect match.
    wasserstein_km: float
    clusters: int  #: Number q of clusters that were merged into the folds; 0 where sites were dealt at random.


def checked_folds(fold: ArrayLike, n_rows: int) -> NDArray[np.int64]:
    """Return fold numbers as whole numbers, one per row, or say what is wrong with them.

    Every function that takes folds calls this first: a row without a fold would never be held back, and its result
    would be left undefined. Numbers may start anywhere and have gaps. Another shape, a number that is missing or not
    whole, and a single fold raise FoldError.

    Examples
    --------
    >>> checked_folds([1.0, 2.0, 2.0], n_rows=3)
    array([1, 2, 2])
    """
    given = np.asarray(fold)
    if given.shape != (n_rows,):
        raise FoldError(f"{n_rows} rows have folds of shape {given.shape}: expected one fold number per row")
    numbers = pd.to_numeric(pd.Series(given), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.round(numbers)))
    if bad.size:
        raise FoldError(
            f"the fold is not a whole number in {bad.size} of {n_rows} rows, the first at position {bad[0]} "
            f"({given[bad[0]]}): give these rows a fold or drop them"
        )
    if np.unique(numbers).size < 2:
        raise FoldError(f"all {n_rows} rows are in one fold, none is left to train on: expected at least two folds")
    return numbers.astype(np.int64)


def nearest_of_other_folds(points: NDArray[np.float64], fold: ArrayLike) -> NDArray[np.float64]:
    """Return the Euclidean distance from each point to the nearest point of another fold, in the unit of the points.

    ``points`` are positions in any space, shape (n, n_dimensions); ``fold`` is as for :func:`checked_folds`.
    """
    fold = checked_folds(fold, len(points))
    distance = np.empty(len(points))
    for number in np.unique(fold):
        held_back = fold == number
        distance[held_back] = KDTree(points[~held_back]).query(points[held_back])[0]
    return distance


def random_folds(n: int, k: int, seed: int) -> NDArray[np.int64]:
    """Deal n rows to the folds 0 to k - 1 at random, whatever their site; fold sizes differ by at most one.

    Fewer rows than folds raise FoldError.

    Examples
    --------
    >>> np.bincount(random_folds(11, 3, seed=0))
    array([4, 4, 3])
    """
    _check_number(n, k, "rows")
    return np.random.default_rng(seed).permutation(np.arange(n) % k)


def group_folds(labels: ArrayLike, k: int | None, seed: int) -> NDArray[np.int64]:
    """Deal whole groups (sites, blocks, regions) to k folds, numbered from 0, so that no group is in two folds.

    ``labels`` gives the group of each row. Groups are shuffled; each goes to the fold that has the fewest rows so far.
    Where ``k`` is None each group is a fold. Fewer groups than folds raise FoldError.

    Examples
    --------
    >>> group_folds(["a", "a", "b", "c"], k=None, seed=0)
    array([0, 0, 1, 2])
    """
    _, group = np.unique(np.asarray(labels), return_inverse=True)
    size = np.bincount(group)
    _check_number(size.size, 2 if k is None else k, "groups")
    if k is None:
        return group
    fold_of_group = np.empty(size.size, dtype=np.int64)
    filled = np.zeros(k, dtype=np.int64)
    for one in np.random.default_rng(seed).permutation(size.size):
        fold_of_group[one] = np.argmin(filled)
        filled[fold_of_group[one]] += size[one]
    return fold_of_group[group]


def site_labels(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.int64]:
    """Number the sites from 0: rows whose degrees agree to :data:`SITE_DECIMALS` are records of one site.

    Examples
    --------
    >>> site_labels([91.001, 91.0, 102.5], [31.0, 31.0, 34.0])
    array([0, 0, 1])
    """
    rounded = np.round(_coordinates(longitude, latitude), SITE_DECIMALS)
    return np.unique(rounded, axis=0, return_inverse=True)[1].ravel()


def block_labels(longitude: ArrayLike, latitude: ArrayLike, size_km: float) -> NDArray[np.int64]:
    """Number the square blocks that rows fall into, on an equal-area projection centred on the rows.

    Coordinates are in degrees; numbers go from 0, without gaps. ``size_km`` is the edge of a block, which verde
    stretches a little so that a whole number of blocks spans the rows. A size that is not positive, and one that puts
    all rows into a single block, raise FoldError.

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
    # Half a block of margin on each side: verde's blocks are centred, and no row lies on the outer edge.
    margin = size_km / 2
    region = (easting.min() - margin, easting.max() + margin, northing.min() - margin, northing.max() + margin)
    _, label = verde.block_split((easting, northing), spacing=size_km, region=region)
    return np.unique(label, return_inverse=True)[1]


def held_back_distances(longitude: ArrayLike, latitude: ArrayLike, fold: ArrayLike) -> NDArray[np.float64]:
    """Return the distance from each row (degrees) to the nearest row of another fold, km (the G_j* of kNNDM).

    Examples
    --------
    >>> held_back_distances([90.0, 90.0, 90.0], [30.0, 31.0, 34.0], [0, 0, 1]).round(1)
    array([444.8, 333.6, 333.6])
    """
    return _kilometres(nearest_of_other_folds(_unit_vectors(longitude, latitude), fold))


def knndm(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    k: int,
    seed: int,
    largest_share: float | None = None,
) -> MatchedFolds:
    """Make k folds whose distances to the remaining rows match the distances from a map's cells to the rows.

    k-fold nearest-neighbour-distance matching (Linnenbrink et al. 2024), as R's ``CAST::knndm`` for geographical
    coordinates. Where rows are no more clustered than the map demands (one-sided Kolmogorov-Smirnov test of the
    distances between rows, G_j, against those from cells to rows, G_ij: p >= 0.05) sites are dealt at random. Else
    sites are clustered (Ward's linkage of great-circle distances) into q clusters, for each q from k to the number of
    sites less two. A cluster of n/k rows or more is a fold of its own; the others are dealt in turn, in order of the
    first principal axis. The q with the smallest Wasserstein distance W between G_j* and G_ij wins.

    Parameters
    ----------
    longitude, latitude : array_like, shape (n,)
        Rows of the training table, degrees.
    target_longitude, target_latitude : array_like, shape (m,)
        Cells of the map, degrees. A few thousand spread evenly over its area do.
    k, seed : int
        Number of folds, and seed of the random deal; the clusters need none.
    largest_share : float, optional
        Largest share of rows in a fold, between 1/k and 1 (CAST's ``maxp``). By default a half, as in CAST, but 3/4 for
        two folds, of which one always holds a half.

    Returns
    -------
    MatchedFolds
        Score all held-back predictions together: the folds are of unequal size and matched together.

    Raises
    ------
    FoldError
        If there are fewer sites than folds, or no q keeps every fold below ``largest_share``.

    Notes
    -----
    Where we differ from CAST:

    - Records of one site (see :func:`site_labels`) always share a fold, and Ward's linkage counts each site once. CAST
      counts each row, so that a station with many records draws the clusters to itself.
    - Every q is tried where there are at most :data:`SEARCHED_Q`, and three times as many as in CAST else. CAST tries
      100 values, evenly spaced in log q, and so can miss the smallest W.
    - The Earth's radius is 6371 km, not 6371.01: distances and W are smaller by 1.6e-6 of their value.
    - The principal axis is that of positions on the sphere, not of degrees.
    - The test is exact for few distances (:data:`EXACT_KS_BELOW`), as in R, but takes tied distances as if they were
      not tied.
    """
    if largest_share is None:
        largest_share = max(0.5, 1.5 / k)
    if not 1 / k < largest_share < 1:
        raise FoldError(f"largest_share is {largest_share}: expected a share between 1/k ({1 / k:.2f}) and 1")
    xyz, site = _unit_vectors(longitude, latitude), site_labels(longitude, latitude)
    _check_number(site.max() + 1, k, "sites")
    to_sample, to_target = _to_sample(xyz), _to_target(xyz, _unit_vectors(target_longitude, target_latitude))
    method = "exact" if to_sample.size * to_target.size < EXACT_KS_BELOW else "asymp"
    if ks_2samp(to_sample, to_target, alternative="greater", method=method).pvalue >= 0.05:
        clusters, fold = 0, group_folds(site, k, seed)
    else:
        clusters, fold = _best_merge(xyz, site, to_target, k, largest_share)
    return MatchedFolds(fold, _w(_kilometres(nearest_of_other_folds(xyz, fold)), to_target), clusters)


def schemes(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    k: int = 5,
    which: str = "all",
    block_sizes_km: tuple[float, ...] = (100, 250, 500),
) -> dict[str, Scheme]:
    """Return the schemes of a validation by name, from the kindest to the strictest.

    They are ``random``, ``site``, ``block_<size>_km`` for each edge of the spatial blocks, ``knndm``, and ``region``,
    which leaves out one of k compact regions (k-means of the positions) at a time. Where ``which`` is ``fast`` and not
    ``all`` there is ``knndm`` alone, for a sweep of many forests. A size that gives fewer blocks than folds makes a
    fold of each block, and one whose single block holds all rows is left out: it holds back nothing. The other
    arguments are those of :func:`knndm`. Where no fold of it can be kept below its usual share of the rows, as with a
    station that has most of them, shares up to :data:`LARGEST_SHARES` are allowed: the forest is then judged by fewer
    rows, and harder, but it is judged. FoldError is raised if rows cannot be split by one of the schemes.
    """
    site, xyz = site_labels(longitude, latitude), _unit_vectors(longitude, latitude)
    matched = _matched((longitude, latitude, target_longitude, target_latitude), k)

    def _blocks(label: NDArray[np.int64]) -> Scheme:
        """Return the scheme that leaves out squares of one size."""
        n_folds = k if np.unique(label).size > k else None
        return lambda seed: group_folds(label, n_folds, seed)

    def _by_site(seed: int) -> NDArray[np.int64]:
        """Leave out whole sites, dealt at random."""
        return group_folds(site, k, seed)

    # Matched folds are those of any seed, unless sites crowd no more than the map demands: then each seed deals anew.
    distance_matched = {"knndm": (lambda seed: matched.fold) if matched.clusters else _by_site}
    if which == "fast":
        return distance_matched
    labels = {size: _labels_or_one(longitude, latitude, size) for size in block_sizes_km}
    return {
        "random": lambda seed: random_folds(len(site), k, seed),
        "site": _by_site,
        **{f"block_{size:g}_km": _blocks(label) for size, label in labels.items() if np.unique(label).size > 1},
        **distance_matched,
        "region": lambda seed: KMeans(k, n_init=10, random_state=seed).fit_predict(xyz).astype(np.int64),
    }


#: Largest shares of rows in a distance-matched fold that :func:`schemes` allows, one after another.
LARGEST_SHARES = (None, 0.75, 0.9)


def _matched(places: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], k: int) -> MatchedFolds:
    """Return distance-matched folds, with the smallest of :data:`LARGEST_SHARES` that leaves any."""
    for share in LARGEST_SHARES:
        try:
            return knndm(*places, k, seed=0, largest_share=share)
        except FoldError as error:
            problem = error
    raise problem


def _labels_or_one(longitude: ArrayLike, latitude: ArrayLike, size_km: float) -> NDArray[np.int64]:
    """Return the block of each row, the same one where the rows are all within the size of one."""
    try:
        return block_labels(longitude, latitude, size_km)
    except FoldError:
        if not size_km > 0:
            raise
        return np.zeros(np.size(longitude), dtype=np.int64)


def distance_table(
    longitude: ArrayLike,
    latitude: ArrayLike,
    target_longitude: ArrayLike,
    target_latitude: ArrayLike,
    folds: Mapping[str, ArrayLike],
) -> pd.DataFrame:
    """Return the distances that each scheme tries beside those that the map needs, in long form.

    ``folds`` has the fold numbers, shape (n,), by the name of their scheme; the other arguments are those of
    :func:`knndm`. The columns are ``kind``, ``distance_km``, and ``wasserstein_km``, the W of that kind against
    ``prediction to sample``. The kinds are ``sample to sample`` (from each row to the nearest other row, G_j),
    ``prediction to sample`` (from each cell to the nearest row, G_ij), then each scheme (:func:`held_back_distances`,
    G_j*).
    """
    xyz = _unit_vectors(longitude, latitude)
    to_target = _to_target(xyz, _unit_vectors(target_longitude, target_latitude))
    samples = {"sample to sample": _to_sample(xyz), "prediction to sample": to_target}
    samples |= {name: held_back_distances(longitude, latitude, fold) for name, fold in folds.items()}
    return pd.concat(
        [
            pd.DataFrame({"kind": kind, "distance_km": distance, "wasserstein_km": _w(distance, to_target)})
            for kind, distance in samples.items()
        ],
        ignore_index=True,
    )


def _best_merge(
    xyz: NDArray[np.float64], site: NDArray[np.int64], to_target: NDArray[np.float64], k: int, largest_share: float
) -> tuple[int, NDArray[np.int64]]:
    """Return the number of clusters with the smallest W, and the folds that they were merged into."""
    # A site is clustered once, however many records it has: they are one place, and say nothing of where others are.
    sites = pd.DataFrame(xyz).groupby(site).mean().to_numpy()
    tree = hierarchy.linkage(_kilometres(pdist(sites)), method="ward")
    # Small clusters are dealt in turn along the axis on which the rows differ most, so that the clusters of a fold lie
    # apart, with others between. The sign of the axis is arbitrary; it does not change which rows share a fold.
    axis = np.linalg.svd(xyz - xyz.mean(axis=0), full_matrices=False)[2][0]
    # Few clusters make folds that lie far apart, many make folds that mix as random ones do: the best q is between. W
    # is no smooth function of q, since one merge can move many rows, so every q is tried while that is cheap.
    largest_q = max(k, len(sites) - 2)
    tried = np.arange(k, largest_q + 1)
    if tried.size > SEARCHED_Q:
        tried = np.unique(np.geomspace(k, largest_q, SEARCHED_Q).round().astype(int))
    w_of = _w_from(to_target)
    best: tuple[float, int, NDArray[np.int64]] | None = None
    for q, cluster in zip(tried, hierarchy.cut_tree(tree, n_clusters=tried).T, strict=True):
        fold = _merge(cluster[site], xyz @ axis, k)
        if np.bincount(fold).max() > largest_share * len(fold):
            continue  # a fold of most rows would be predicted by a model of few
        w = w_of(_kilometres(nearest_of_other_folds(xyz, fold)))
        if best is None or w < best[0]:  # of equal ones the fewest clusters
            best = w, int(q), fold
    if best is None:
        raise FoldError(
            f"no way to merge clusters into {k} folds keeps each below a share of {largest_share} of the rows: "
            "raise largest_share or lower k"
        )
    return best[1:]


def _merge(cluster: NDArray[np.int64], position: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Merge clusters into k folds: large ones stay alone, the others are dealt in turn along the principal axis."""
    size = np.bincount(cluster)
    order = np.argsort(np.bincount(cluster, weights=position) / size, kind="stable")
    large = size[order] >= len(cluster) / k
    fold_of_cluster = np.empty(size.size, dtype=np.int64)
    fold_of_cluster[order[large]] = np.arange(large.sum())
    # Where k clusters are large they hold all rows: then no fold is free, and no cluster is small.
    free, small = np.arange(large.sum(), k), order[~large]
    fold_of_cluster[small] = np.resize(free, small.size)
    return fold_of_cluster[cluster]


def _to_sample(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from each row to the nearest other row, km; 0 where a site has several rows."""
    return _kilometres(KDTree(xyz).query(xyz, k=2)[0][:, 1])


def _to_target(xyz: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from each prediction location to the nearest row, km."""
    return _kilometres(KDTree(xyz).query(target)[0])


def _w(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the Wasserstein distance of two samples, km: the area between their distribution functions."""
    return float(wasserstein_distance(one, other))


def _w_from(many: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return what gives W of another sample from this one, which is sorted and summed up once, as SciPy's is not."""
    in_order = np.sort(many)
    summed = np.append(0.0, np.cumsum(in_order)) / in_order.size

    def below(share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral of the quantiles of the many, from 0 to a share."""
        return np.interp(share * in_order.size, np.arange(in_order.size + 1), summed)

    def distance(few: NDArray[np.float64]) -> float:
        """Return the area between the quantiles of both: those of the few are steps, each crossed at most once."""
        step = np.sort(few)
        start, end = np.arange(step.size) / step.size, np.arange(1, step.size + 1) / step.size
        crossed = np.clip(np.searchsorted(in_order, step) / in_order.size, start, end)
        under = step * (crossed - start) - (below(crossed) - below(start))
        over = below(end) - below(crossed) - step * (end - crossed)
        return float((under + over).sum())

    return distance


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


def _check_number(available: int, k: int, what: str) -> None:
    """Refuse a number of folds that the rows, groups or sites cannot fill."""
    if not 2 <= k <= available:
        raise FoldError(
            f"{available} {what} cannot be split into {k} folds: expected 2 to {available} folds; "
            f"lower their number, choose smaller groups or add sites"
        )
