"""Work on a grid block by block: on threads or a cluster, into memory or into a store that a killed call resumes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from mapforest.errors import BlockError

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CONNECT_SECONDS = 30  # after which a scheduler that does not answer is given up
FEW_BLOCKS = 20  # up to which no progress is shown
REPORT_SECONDS = 30  # between two lines of progress, where no bar can be drawn
FINGERPRINT = "made_from"  # attribute of a store: what it was made from


class Block(NamedTuple):
    """A rectangle of cells: its place in the grid of blocks, and its cells."""

    row: int
    column: int
    latitude: slice
    longitude: slice


def split(shape: tuple[int, int], block_shape: tuple[int, int]) -> list[Block]:
    """Return the blocks of a grid, row by row; those at its end may be smaller.

    Both shapes are rows and columns of cells.

    Examples
    --------
    >>> [tuple(block) for block in split((3, 2), (2, 2))]
    [(0, 0, slice(0, 2, None), slice(0, 2, None)), (1, 0, slice(2, 3, None), slice(0, 2, None))]
    """
    rows, columns = (
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, block_shape, strict=True)
    )
    return [Block(i, j, row, column) for i, row in enumerate(rows) for j, column in enumerate(columns)]


# -- doing the work --------------------------------------------------------------------------------


def on_threads(
    work: Callable[[Block], np.ndarray], blocks: Iterable[Block], threads: int
) -> Iterator[tuple[Block, np.ndarray]]:
    """Yield each block and its result, as they are done; ``work`` reads what it needs.

    At most two blocks a thread are under way or wait to be taken: memory does not grow with the number of blocks.
    """
    waiting: dict[Future, Block] = {}
    pool = ThreadPoolExecutor(threads)
    try:
        for block in blocks:
            waiting[pool.submit(work, block)] = block
            if len(waiting) == 2 * threads:
                yield from _taken(waiting)
        while waiting:
            yield from _taken(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _taken(waiting: dict[Future, Block]) -> Iterator[tuple[Block, np.ndarray]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


def on_cluster(
    client: Client,
    work: Callable[[Any, Any], np.ndarray],
    shared: Any,
    part: Callable[[Block], Any],
    blocks: Iterable[Block],
) -> Iterator[tuple[Block, np.ndarray]]:
    """Yield each block and its result, as the workers of a cluster are done.

    The client is connected, and its workers can import what ``work`` needs, which makes the result of a block from
    ``shared``, sent to each worker once, and from what ``part`` returns for the block. At most two blocks a thread of
    the workers are under way. A block of a worker that dies is done by another, and what is shared comes from another
    worker or, if all are gone, once more from the scheduler. BlockError is raised if the cluster has no worker.
    """
    from distributed import as_completed

    in_flight = 2 * _worker_threads(client)
    run, blocks = uuid.uuid4().hex, iter(blocks)
    sent: dict[Any, Block] = {}
    # Sent as the result of a task, not scattered: scattered data is lost with the last worker that holds it.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        held = client.submit(_unchanged, shared, key=f"shared-{run}")

    def send(block: Block) -> Any:
        """Send a block to the cluster; return its future."""
        future = client.submit(work, held, part(block), key=f"block-{run}-{block.row}-{block.column}")
        sent[future] = block
        return future

    try:
        completed = as_completed([send(block) for block in islice(blocks, in_flight)], loop=client.loop)
        for future in completed:
            values = future.result()
            block = sent.pop(future)
            future.release()
            for following in islice(blocks, 1):
                completed.add(send(following))
            yield block, values
    finally:
        client.cancel([*sent, held])


def _unchanged(shared: Any) -> Any:
    return shared


def _worker_threads(client: Client) -> int:
    """Return how many threads the workers have together; wait for the first worker."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        address = client.scheduler.address
        raise BlockError(
            f"the Dask scheduler at {address} has no worker after {CONNECT_SECONDS} s: "
            f"start some with `dask worker {address}`"
        ) from error
    return sum(client.nthreads().values())


@contextmanager
def cluster(client: Client | None = None) -> Iterator[Client | None]:
    """Yield the client to work with: the one given, one connected to ``DASK_SCHEDULER_ADDRESS``, or none.

    A given client is left open. A scheduler at that address that does not answer raises BlockError.
    """
    address = os.environ.get(ADDRESS)
    if client is not None or not address:
        yield client
        return
    from distributed import Client

    try:
        connected = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BlockError(
            f"no Dask scheduler answers at {address}, the value of {ADDRESS}, within {CONNECT_SECONDS} s: "
            f"start it with `dask scheduler`, correct the address, or unset {ADDRESS} to work on threads"
        ) from error
    with connected:
        yield connected


def with_progress(results: Iterable[Any], name: str, total: int) -> Iterator[Any]:
    """Yield results, and say on standard error how many of ``total`` there are and how long the others will take.

    It draws a bar in a terminal and writes a line every 30 s elsewhere (for a notebook, into its executed copy and its
    log), each headed by ``name``. It says nothing about 20 results or fewer.
    """
    if sys.stderr.isatty():
        yield from tqdm(
            results, name, total, False, sys.stderr, mininterval=2, unit="block", disable=total <= FEW_BLOCKS
        )
        return
    began = told = time.monotonic()
    for done, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if total > FEW_BLOCKS and now - told > REPORT_SECONDS:
            told, left = now, (now - began) / done * (total - done) / 60
            print(f"{name}: {done} of {total} blocks, about {left:.0f} min left", file=sys.stderr, flush=True)


# -- keeping the results ---------------------------------------------------------------------------


class BlockArrays:
    """Results kept in memory.

    ``template`` gives name, coordinates and attributes of the result, which ends in (latitude, longitude). Its values
    do not count: cells of blocks that are never written are missing. ``finished`` is always false: there is nothing
    from an earlier call.
    """

    finished = False

    def __init__(self, template: xr.DataArray) -> None:
        self._template = template
        self._values = np.full(template.shape, np.nan, dtype="float32")

    def left(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks that are still to be written: all of them."""
        return blocks

    def write(self, block: Block, values: np.ndarray) -> None:
        """Keep a block's values, as :meth:`BlockStore.write`."""
        self._values[..., block.latitude, block.longitude] = values

    def finish(self) -> xr.Dataset:
        """Return the result."""
        return self._template.copy(data=self._values).to_dataset()


class BlockStore:
    """A Zarr store that is written block by block, and appears under its name when it is whole.

    Until then it lies beside it, in ``<name>.partial``, with a journal of the blocks that are on disk. A call that was
    killed goes on where the journal ends. A store made from something else is discarded, and a line says so: the
    ``fingerprint`` is a digest of each part that it is made from, by the part's name. The template is that of
    :class:`BlockArrays`, chunked in blocks. ``finished`` tells that the store is whole, and made from just that: see
    :meth:`open`. BlockError is raised if there is something else under the name.
    """

    def __init__(self, path: str | os.PathLike, template: xr.DataArray, fingerprint: dict[str, str]) -> None:
        self.path = Path(path).absolute()
        self._template, self._fingerprint = template, fingerprint
        self._folder = self.path.with_name(f"{self.path.name}.partial")
        self._partial, self._journal = self._folder / "store", self._folder / "journal"
        self.finished = self.path.exists() and _made_from(self.path) == fingerprint

    def left(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks that are still to be written; discard what was made from something else."""
        if self.path.exists():
            self._say_discarded(_made_from(self.path))
            shutil.rmtree(self.path)
        begun = _made_from(self._partial) if self._journal.is_file() and self._partial.is_dir() else None
        if begun != self._fingerprint:
            if begun is not None:
                self._say_discarded(begun)
            self._begin()
        lines = self._journal.read_text(encoding="ascii").splitlines(keepends=True)
        done = {tuple(map(int, line.split())) for line in lines if line.endswith("\n")}
        if done:
            print(f"{self.path.name}: {len(done)} of {len(blocks)} blocks are on disk already")
        self._field = zarr.open_group(self._partial, mode="r+")[self._template.name]
        return [block for block in blocks if (block.row, block.column) not in done]

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block's values, shape (..., latitude, longitude); once they are on disk, add it to the journal."""
        self._field[..., block.latitude, block.longitude] = values
        chunk = ".".join(["0"] * (values.ndim - 2) + [str(block.row), str(block.column)])
        _flush(self._partial / self._template.name / chunk)
        with self._journal.open("a", encoding="ascii") as journal:
            journal.write(f"{block.row} {block.column}\n")
        _flush(self._journal)

    def finish(self) -> xr.Dataset:
        """Put the store under its name, and open it."""
        zarr.consolidate_metadata(self._partial, zarr_format=2)
        self._partial.rename(self.path)
        shutil.rmtree(self._folder)
        return self.open()

    def open(self) -> xr.Dataset:
        """Return the finished store, lazily, in chunks of one block."""
        return xr.open_zarr(self.path, consolidated=True, chunks={})

    def _say_discarded(self, made_from: dict[str, str]) -> None:
        other = [part for part, digest in self._fingerprint.items() if made_from.get(part) != digest]
        print(f"{self.path.name} was made from another {', '.join(other)}: it is discarded and computed anew")

    def _begin(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        chunks = [sizes[0] for sizes in self._template.chunks]
        encoding = {self._template.name: {"chunks": chunks, "_FillValue": np.float32(np.nan)}}
        empty = self._template.drop_encoding().to_dataset().assign_attrs({FINGERPRINT: json.dumps(self._fingerprint)})
        empty.to_zarr(self._partial, compute=False, zarr_format=2, consolidated=False, encoding=encoding)
        self._journal.touch()  # last: a store without a journal is not whole enough to go on with


def _made_from(path: Path) -> dict[str, str]:
    """Return what a store was made from."""
    attributes = path / ".zattrs"
    text = json.loads(attributes.read_text(encoding="utf-8")).get(FINGERPRINT) if attributes.is_file() else None
    if text is None:
        raise BlockError(f"{path} was not written by predict, and is left as it is: give another path, or remove it")
    return json.loads(text)


def _flush(path: Path) -> None:
    """Wait until a file is on disk; a chunk without any value has none."""
    if path.is_file():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
