"""A fast, exact evaluation of a random forest at many similar rows.

A library walks every tree from its root to a leaf for every row: 1500 trees times ten tests a row, most of them
unforeseeable for the processor. Cells of a map have little reason for that. Neighbouring cells, and one cell in 19
years, have nearly the same covariates, so nearly every test of a forest has the same outcome for all of them. This
module asks each such test once for a whole group of rows:

1. *Ranks.* A test ``x <= threshold`` only depends on how many of the model's own thresholds of that feature lie below
   ``x``. Rows become these counts, a test becomes ``rank <= cut``. Nothing is rounded: features are float32,
   thresholds float64, as scikit-learn compares them.
2. *Groups.* Rows are sorted into groups of at most 8192, those into groups of 512, and those into groups of 64. Each
   step cuts a group in two on the feature whose tests separate its rows most (the tests between the group's smallest
   and largest rank, each weighted with the share of the training rows that come to it). Space and time play no part: a
   group may span all the years, and covariates that never change are simply never cut on again.
3. *Pruning.* The rows of a group span a box in the space of the features. Tests that the box does not straddle are
   decided for all of its rows and dropped; a tree without a test left is a constant. Groups of 8192 prune the forest,
   groups of 512 prune what is left of it (about 1 test in 40 remains).
4. *Sets of rows as bits.* The 64 rows of a small group go down a tree together, as one 64-bit word. Where the rows
   with rank <= cut are a word too, looked up by feature and cut, a test is an ``and``; branches that no row takes are
   left out. At a leaf, its value is added to the rows of the word.

Leaf values are summed as integers (fixed point, 2**-50 of their range): a sum of integers does not depend on its
order. So the result is the same to the last bit whatever the blocks, the groups and the threads, and agrees with
scikit-learn's to about 1e-15 of the range of the leaf values.

Memory for a block of rows: four bytes a feature and 24 bytes a row, and two pruned copies of the forest, 8 bytes a node
each.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from sklearn.ensemble import RandomForestRegressor

from mapforest.errors import ForestError

WIDE, NARROW, SMALL = 8192, 512, 64  # rows in the groups; SMALL is the number of bits of a word
BLOCK_ROWS = 250_000  # a thread takes at a time: more make better groups, and cost memory

# A node is one 64-bit integer. A leaf: twice its value, plus 1. A test, from the lowest bit: 0 (1 bit), feature (7),
# cut (24), position of its right child (32); its left child is the next node.
_FEATURES, _CUTS, _NODES = 2**7, 2**24, 2**31


@dataclass(frozen=True)
class CompiledForest:
    """A grown forest as flat arrays, evaluated by groups of rows.

    Made by :meth:`from_estimator`; it holds no reference to the estimator and pickles to about 3 MB for 1500 trees.
    """

    nodes: np.ndarray  #: shape (n_nodes,): All trees one after the other, each in depth-first order, left before right.
    roots: np.ndarray  #: shape (n_trees,): Positions of the roots in ``nodes``.
    #: shape (n_thresholds,): The different thresholds of feature 0, ascending, then those of feature 1, and so on.
    thresholds: np.ndarray
    first: np.ndarray  #: shape (n_features + 1,): Where each feature starts in ``thresholds``.
    #: shape (n_thresholds + n_features,): For each feature and rank: summed weights of all tests below the rank.
    crossings: np.ndarray
    depth: int  #: Of the deepest tree.
    centre: float  #: A leaf of integer ``k`` predicts ``centre + k * unit``.
    unit: float  #: A leaf of integer ``k`` predicts ``centre + k * unit``.

    @classmethod
    def from_estimator(cls, estimator: RandomForestRegressor) -> CompiledForest:
        """Compile a forest that is fitted to one target.

        ForestError is raised for several targets, trees grown best-first (``max_leaf_nodes``), more than 128 features.

        Examples
        --------
        >>> rows = np.linspace(0, 1, 40, dtype="float32").reshape(20, 2)
        >>> estimator = RandomForestRegressor(5, random_state=0).fit(rows, rows.sum(axis=1))
        >>> predicted = CompiledForest.from_estimator(estimator).predict(rows)
        >>> bool(np.allclose(predicted, estimator.predict(rows), rtol=1e-12))
        True
        """
        _check_estimator(estimator)
        trees = [tree.tree_ for tree in estimator.estimators_]
        roots = np.cumsum([0] + [tree.node_count for tree in trees])
        feature = np.concatenate([tree.feature for tree in trees])
        threshold = np.concatenate([tree.threshold for tree in trees])
        right = np.concatenate([tree.children_right + root for tree, root in zip(trees, roots, strict=False)])
        share = np.concatenate([tree.n_node_samples / tree.n_node_samples[0] for tree in trees])
        leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        value = np.concatenate([tree.value[:, 0, 0] for tree in trees])

        centre, unit = _fixed_point(value[leaf], len(trees))
        nodes = np.empty(len(feature), dtype="int64")
        nodes[leaf] = 2 * np.round((value[leaf] - centre) / unit).astype("int64") + 1
        thresholds, crossings = [], []
        for column in range(estimator.n_features_in_):
            own = ~leaf & (feature == column)
            distinct, cut = np.unique(threshold[own], return_inverse=True)
            nodes[own] = (right[own] << 32) | (cut << 8) | (column << 1)
            thresholds.append(distinct)
            crossings.append(np.append(0.0, np.cumsum(np.bincount(cut, share[own], len(distinct)))))
        _check_size(len(nodes), max(map(len, thresholds)))
        return cls(
            nodes=nodes,
            roots=roots[:-1].astype("int64"),
            thresholds=np.concatenate(thresholds),
            first=np.cumsum([0] + [len(own) for own in thresholds]),
            crossings=np.concatenate(crossings),
            depth=max(tree.max_depth for tree in trees),
            centre=centre,
            unit=unit,
        )

    def predict(self, rows: np.ndarray, threads: int = 1) -> np.ndarray:
        """Return the mean of the trees at each row: float64, shape (n_rows,), in the unit of the target.

        ``rows`` are float32, shape (n_rows, n_features), in the order of the features that the forest was grown on.
        Another type or width, and a missing or infinite value, raise ForestError. Threads work side by side, each on
        blocks of rows; they do not change the result.
        """
        _check_rows(rows, len(self.first) - 1)
        rows = np.ascontiguousarray(rows)
        sums = np.zeros(len(rows), dtype="int64")

        def add_up(block: slice, ranks: np.ndarray) -> None:
            """Add up the leaves of one block of rows."""
            _traverse(self.nodes, self.roots, self.crossings, self.first, self.depth, ranks, sums[block])

        self._over_blocks(rows, threads, add_up)
        return self.centre + self.unit * (sums / len(self.roots))

    def _over_blocks(self, rows: np.ndarray, threads: int, walk: Callable[[slice, np.ndarray], None]) -> None:
        """Hand each block of rows and their ranks to ``walk``, on threads that work side by side."""

        def ranked(block: slice) -> None:
            """Rank one block of rows, and walk it."""
            ranks = np.empty((block.stop - block.start, rows.shape[1]), dtype="int32")
            _rank(rows[block], self.thresholds, self.first, ranks)
            walk(block, ranks)

        blocks = _blocks(len(rows), threads)
        if len(blocks) < 2:  # to start a thread takes longer than to walk some hundred rows
            for block in blocks:
                ranked(block)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(ranked, blocks))


def _check_estimator(estimator: RandomForestRegressor) -> None:
    if not hasattr(estimator, "estimators_"):
        raise ForestError("the forest is not grown yet: fit it first")
    if estimator.n_outputs_ != 1:
        raise ForestError(f"the forest has {estimator.n_outputs_} targets; expected one: grow a forest for each")
    if estimator.max_leaf_nodes is not None:
        raise ForestError("max_leaf_nodes grows trees best-first; expected max_leaf_nodes=None")
    if estimator.n_features_in_ > _FEATURES:
        raise ForestError(f"the forest has {estimator.n_features_in_} features; expected {_FEATURES} at most")


def _check_size(n_nodes: int, n_cuts: int) -> None:
    if n_nodes >= _NODES or n_cuts >= _CUTS:
        raise ForestError(
            f"the forest has {n_nodes} nodes and {n_cuts} thresholds of one feature; expected fewer than {_NODES} and "
            f"{_CUTS}: grow fewer trees, or predict with scikit-learn"
        )


def _check_rows(rows: np.ndarray, n_features: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != n_features:
        raise ForestError(f"the rows are of shape {rows.shape}; expected (n_rows, {n_features})")
    if rows.dtype != np.float32:
        raise ForestError(
            f"the rows are of type {rows.dtype}; expected float32, in which scikit-learn grows and compares: "
            "use rows.astype('float32')"
        )
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise ForestError(
            f"{int(bad.sum())} rows hold a missing or infinite value, first {np.flatnonzero(bad)[:5].tolist()}: "
            "leave them out"
        )


def _bits(n_trees: int) -> int:
    """Return the size of the largest leaf, in bits, of which the sum over trees fits into 62 bits."""
    return 61 - int(np.ceil(np.log2(n_trees)))


def _fixed_point(leaves: np.ndarray, n_trees: int) -> tuple[float, float]:
    """Return centre and unit, with which leaf values become integers of at most ``_bits`` bits and sign."""
    low, high = float(leaves.min()), float(leaves.max())
    centre = low + (high - low) / 2
    half = max(high - centre, centre - low)
    return centre, float(np.ldexp(half, -_bits(n_trees))) if half > 0 else 1.0


def _blocks(n_rows: int, threads: int) -> list[slice]:
    """Return slices of about equal length: as many for each thread, and none beyond BLOCK_ROWS rows."""
    count = threads * max(1, -(-n_rows // (threads * BLOCK_ROWS))) if n_rows > WIDE else 1
    ends = np.linspace(0, n_rows, count + 1).astype(int).tolist()
    return [slice(*bounds) for bounds in zip(ends[:-1], ends[1:], strict=True) if bounds[1] > bounds[0]]


@njit(nogil=True, cache=True)
def _rank(rows, thresholds, first, ranks):
    """Write for each row and feature how many thresholds lie below the value."""
    for feature in range(rows.shape[1]):
        start, stop = first[feature], first[feature + 1]
        for row in range(len(rows)):
            value = rows[row, feature]
            if row > 0 and value == rows[row - 1, feature]:  # neighbours share a cell of the coarser products
                ranks[row, feature] = ranks[row - 1, feature]
                continue
            low, high = start, stop
            while low < high:
                middle = (low + high) // 2
                if thresholds[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            ranks[row, feature] = low - start


@njit(nogil=True, cache=True)
def _traverse(nodes, roots, crossings, first, depth, ranks, sums):
    """Write for each row of ranks the sum of the leaves of all trees; ``ranks`` is reordered."""
    n_rows = len(ranks)
    order = np.arange(n_rows)
    wide_nodes, narrow_nodes, wide_roots, narrow_roots = _copies(nodes, roots)
    low, high, pending, words, sets = _scratch(first, depth)
    begin = 0
    # Each size of group prunes what the larger one left: to prune the whole forest for 512 rows, or for 64, would cost
    # about as much as to send the rows down it.
    for wide_end in _groups(ranks, order, 0, n_rows, WIDE, crossings, first):
        _box(ranks, begin, wide_end, low, high)
        n_wide, wide_sum = _prune(nodes, roots, low, high, wide_nodes, wide_roots, pending)
        for narrow_end in _groups(ranks, order, begin, wide_end, NARROW, crossings, first):
            _box(ranks, begin, narrow_end, low, high)
            left = wide_roots[:n_wide]
            n_narrow, narrow_sum = _prune(wide_nodes, left, low, high, narrow_nodes, narrow_roots, pending)
            for end in _groups(ranks, order, begin, narrow_end, SMALL, crossings, first):
                _box(ranks, begin, end, low, high)
                rows, left = ranks[begin:end], narrow_roots[:n_narrow]
                leaves = _descend(narrow_nodes, left, rows, low, high, sets, words)
                for row in range(begin, end):  # more than 64 only if all are alike: then any lane will do
                    sums[order[row]] = wide_sum + narrow_sum + leaves[(row - begin) % SMALL]
                begin = end


@njit(nogil=True, cache=True)
def _copies(nodes, roots):
    """Return room for two pruned copies of the forest."""
    return np.empty_like(nodes), np.empty_like(nodes), np.empty_like(roots), np.empty_like(roots)


@njit(nogil=True, cache=True)
def _scratch(first, depth):
    """Return room for a box, for the nodes and words that wait in a tree, and for the words of all cuts."""
    # Taken once for a block, not for each of its thousands of groups.
    n_features, n_cuts = len(first) - 1, 0
    for feature in range(n_features):  # np.diff(first).max() takes the compiler five seconds
        n_cuts = max(n_cuts, first[feature + 1] - first[feature])
    low, high = np.empty(n_features, np.int64), np.empty(n_features, np.int64)
    pending, words = np.empty((depth + 1, 2), np.int64), np.empty((depth + 1, 2), np.uint64)
    return low, high, pending, words, np.empty((n_features, n_cuts + 2), np.uint64)


@njit(nogil=True, cache=True)
def _groups(ranks, order, begin, end, size, crossings, first):
    """Reorder rows into groups of at most ``size``, or of more that are alike in every test; return their ends."""
    n_features = ranks.shape[1]
    low, high = np.empty(n_features, np.int64), np.empty(n_features, np.int64)
    ends = np.empty(end - begin, np.int64)
    pending = np.empty(end - begin, np.int64)
    pending[0] = end
    n_groups, n_pending = 0, 1
    while n_pending > 0:
        end = pending[n_pending - 1]
        feature = -1  # stays so where no test lies between the rows: then they are alike for every tree
        if end - begin > size:
            _box(ranks, begin, end, low, high)
            most = 0.0
            for other in range(n_features):
                start = first[other] + other
                crossed = crossings[start + high[other]] - crossings[start + low[other]]
                if crossed > most:
                    most, feature = crossed, other
        if feature >= 0:
            start = first[feature] + feature
            pending[n_pending] = _cut(ranks, order, begin, end, feature, crossings[start:])
            n_pending += 1
        else:
            ends[n_groups] = end
            begin = end
            n_groups += 1
            n_pending -= 1
    return ends[:n_groups]


@njit(nogil=True, cache=True)
def _cut(ranks, order, begin, end, feature, crossings):
    """Move rows below the mean crossing to the front; return where the others start, within begin and end."""
    mean = 0.0
    for row in range(begin, end):
        mean += crossings[ranks[row, feature]]
    mean /= end - begin
    front, back = begin, end - 1
    while front <= back:
        if crossings[ranks[front, feature]] <= mean:
            front += 1
        elif crossings[ranks[back, feature]] > mean:
            back -= 1
        else:
            for other in range(ranks.shape[1]):
                ranks[front, other], ranks[back, other] = ranks[back, other], ranks[front, other]
            order[front], order[back] = order[back], order[front]
    return front


@njit(nogil=True, cache=True)
def _box(ranks, begin, end, low, high):
    """Write the smallest and the largest rank of each feature."""
    for feature in range(ranks.shape[1]):
        low[feature] = high[feature] = ranks[begin, feature]
    for row in range(begin + 1, end):
        for feature in range(ranks.shape[1]):
            rank = np.int64(ranks[row, feature])
            low[feature] = min(low[feature], rank)
            high[feature] = max(high[feature], rank)


@njit(nogil=True, cache=True)
def _prune(nodes, roots, low, high, out_nodes, out_roots, pending):
    """Copy the trees without the tests that the box decides; return how many are left and the sum over the others."""
    n_out, position, leaves = 0, 0, np.int64(0)
    for root in roots:
        end = _prune_tree(nodes, root, low, high, out_nodes, position, pending)
        if end == position + 1:  # one node is a leaf: all rows of the group come to it, and the next tree overwrites it
            leaves += out_nodes[position] >> 1
        else:
            out_roots[n_out] = position
            n_out += 1
            position = end
    return n_out, leaves


@njit(nogil=True, cache=True)
def _prune_tree(nodes, root, low, high, out_nodes, position, pending):
    """Copy a tree, from a position on, without the tests that the box decides; return where the copy ends."""
    place, n_pending = root, 0
    while True:
        node = nodes[place]
        while node & 1 == 0:
            feature, cut = (node >> 1) & 127, (node >> 8) & 0xFFFFFF
            if cut >= high[feature]:  # every row of the group passes: go on as if the test were not there
                place += 1
            elif cut < low[feature]:  # no row passes
                place = node >> 32
            else:
                # The rows part here. The left child comes next, as in the original; where the right one will lie is
                # known only when the left subtree is copied, so the test waits with an empty upper half.
                out_nodes[position] = node & 0xFFFFFFFF
                pending[n_pending, 0], pending[n_pending, 1] = node >> 32, position
                n_pending += 1
                position += 1
                place += 1
            node = nodes[place]
        out_nodes[position] = node
        position += 1
        if n_pending == 0:
            return position
        n_pending -= 1
        place = pending[n_pending, 0]
        out_nodes[pending[n_pending, 1]] |= position << 32


@njit(nogil=True, cache=True)
def _descend(nodes, roots, ranks, low, high, sets, pending):
    """Return sums of leaves for up to 64 rows, which go down each tree as the bits of a word."""
    # More than 64 rows are alike in every test: the first stands for all of them, in every place.
    everyone = _sets(ranks, low, high, sets)
    sums, shared = np.zeros(SMALL, np.int64), np.int64(0)
    for root in roots:
        # Every row gets the value of the leftmost leaf, in one addition, and a row that comes to another leaf gets the
        # difference: so one leaf per tree costs nothing per row.
        first, word, n_pending = _next_leaf(nodes, root, everyone, low, high, sets, pending, 0)
        shared += first
        while n_pending > 0:
            n_pending -= 1
            place, word = np.int64(pending[n_pending, 0]), pending[n_pending, 1]
            leaf, word, n_pending = _next_leaf(nodes, place, word, low, high, sets, pending, n_pending)
            _add(sums, word, leaf - first)
    return sums + shared


@njit(nogil=True, cache=True)
def _next_leaf(nodes, place, word, low, high, sets, pending, n_pending):
    """Follow the rows of a word, as far left as any of them goes, to a leaf; the others of the word become pending.

    Returns what the leaf carries, the word of the rows that come to it, and how many nodes with words are pending.
    """
    node = nodes[place]
    while node & 1 == 0:
        feature, cut = (node >> 1) & 127, (node >> 8) & 0xFFFFFF
        if cut >= high[feature]:
            place += 1
        elif cut < low[feature]:
            place = node >> 32
        else:
            left = word & sets[feature, cut - low[feature]]
            if left == 0:  # the box of the group straddles the test, but the rows that came this far do not
                place = node >> 32
            else:
                if left != word:
                    pending[n_pending, 0], pending[n_pending, 1] = np.uint64(node >> 32), word & ~left
                    n_pending += 1
                word = left
                place += 1
        node = nodes[place]
    return node >> 1, word, n_pending


@njit(nogil=True, cache=True)
def _sets(ranks, low, high, sets):
    """Write for each feature and cut the word of the rows with rank <= cut; return the word of all rows."""
    for feature in range(ranks.shape[1]):
        sets[feature, : high[feature] - low[feature] + 1] = 0
        for row in range(min(len(ranks), SMALL)):
            sets[feature, ranks[row, feature] - low[feature]] |= np.uint64(1) << np.uint64(row)
        for cut in range(1, high[feature] - low[feature] + 1):
            sets[feature, cut] |= sets[feature, cut - 1]
    return sets[0, high[0] - low[0]]


@njit(nogil=True, cache=True)
def _add(sums, word, value):
    """Add a value to the sums of the rows of a word."""
    # Without a branch, so that the compiler adds several rows at once: value & -1 is the value, value & 0 is none.
    for row in range(SMALL):
        sums[row] += value & -np.int64((word >> np.uint64(row)) & np.uint64(1))
