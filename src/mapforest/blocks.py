"""Work on a grid block by block: on threads or a cluster, into memory or into a store that a killed call resumes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import xarray as xr
import zarr
from tqdm import tqdm

from mapforest.disk import names_synced, synced
from mapforest.errors import BlockError
from mapforest.locks import Lock

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CONNECT_SECONDS = 30  # after which a scheduler that does not answer is given up
FEW_BLOCKS = 20  # up to which no progress is shown
REPORT_SECONDS = 30  # between two lines of progress, where no bar can be drawn
FINGERPRINT = "made_from"  # attribute of a store: what it was made from
JOURNAL = ".journal"  # file of a finished store: the blocks that it has
_LINE = re.compile(rb"(\d+) (\d+) (\d+)\n")


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
    worker or, if all are gone, once more from the scheduler. BlockError is raised if the cluster has no worker, or its
    scheduler is gone.
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
            values = _result(future, client)
            block = sent.pop(future)
            future.release()
            for following in islice(blocks, 1):
                completed.add(send(following))
            yield block, values
    finally:
        client.cancel([*sent, held])


def _unchanged(shared: Any) -> Any:
    return shared


def _result(future: Any, client: Client) -> np.ndarray:
    """Return the result of a block; an error of its work is raised as it is."""
    try:
        return future.result()
    except (CancelledError, OSError) as error:
        if future.status == "error":
            raise
        raise BlockError(
            f"the Dask scheduler at {client.scheduler.address} is gone: start one with workers, and call again. What "
            "is in a store by now stays there"
        ) from error


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

    def close(self) -> None:
        """Do nothing: nobody else can write here."""


class BlockStore:
    """A Zarr store that is written block by block, and appears under its name when it is whole.

    Until then it lies beside it, in ``<name>.partial``, with a journal of the blocks that are on disk. A call that was
    killed goes on where the journal ends; a block counts if it is of this grid, and its chunk is there with all its
    bytes. A store made from something else is discarded, and a line says so: the ``fingerprint`` is a digest of each
    part that it is made from, by the part's name. The template is that of :class:`BlockArrays`, chunked in blocks.
    ``finished`` tells that the store is whole, and made from just that: see :meth:`open`. BlockError is raised if there
    is something else under the name.

    One process writes at a time, from :meth:`left` to :meth:`finish` or :meth:`close`; another one is refused.
    """

    def __init__(self, path: str | os.PathLike, template: xr.DataArray, fingerprint: dict[str, str]) -> None:
        self.path = Path(path).absolute()
        self._template, self._fingerprint = template, fingerprint
        self._folder = self.path.with_name(f"{self.path.name}.partial")
        self._partial, self._journal = self._folder / "store", self._folder / "journal"
        self._lock = Lock(self._folder / "lock")
        self.finished = self._is_whole()

    def left(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks that are still to be written; discard what was made from something else.

        BlockError is raised, and names the other process, if one is writing here.
        """
        if not self._lock.take(f"predicts {self.path.name}"):
            raise BlockError(
                f"{self.path} is being written by {self._lock.told()}: wait until that has ended, end it, or give "
                "this call another store"
            )
        self.finished = self._is_whole()  # another process may have made it meanwhile
        if self.finished:
            return []
        if self.path.exists():
            self._take_back()
        begun = _begun_from(self._partial) if self._journal.is_file() else None
        if begun != self._fingerprint:
            if begun is not None:
                self._say_discarded(begun)
            self._begin()
        done = self._trusted({(block.row, block.column) for block in blocks})
        if done:
            print(f"{self.path.name}: {len(done)} of {len(blocks)} blocks are on disk already")
        self._field = zarr.open_group(self._partial, mode="r+")[self._template.name]
        return [block for block in blocks if (block.row, block.column) not in done]

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block's values, shape (..., latitude, longitude); once they are on disk, add it to the journal."""
        chunk = self._chunk(self._partial, block.row, block.column)
        chunk.unlink(missing_ok=True)  # of a smaller block at the edge Zarr would read what a killed call left
        self._field[..., block.latitude, block.longitude] = values
        synced(chunk)  # a chunk without any value has no file
        with self._journal.open("a", encoding="ascii", newline="\n") as journal:
            journal.write(_line(block.row, block.column, _bytes(chunk)))
        synced(self._journal)

    def finish(self) -> xr.Dataset:
        """Put the store under its name with its journal, and open it."""
        if not self.finished:
            zarr.consolidate_metadata(self._partial, zarr_format=2)
            shutil.copyfile(self._journal, self._partial / JOURNAL)
            synced(self._partial)
            self._partial.rename(self.path)
            names_synced(self.path.parent)  # before what it could be made again from is removed
        shutil.rmtree(self._folder, ignore_errors=True)  # with the lock: who comes now makes a new one
        self.close()
        return self.open()

    def close(self) -> None:
        """Let another process write here."""
        self._lock.free()

    def open(self) -> xr.Dataset:
        """Return the finished store, lazily, in chunks of one block."""
        return xr.open_zarr(self.path, consolidated=True, chunks={})

    def _is_whole(self) -> bool:
        """Tell whether the store is under its name, made from just this, with the chunks that its journal lists."""
        if not self.path.exists() or _made_from(self.path) != self._fingerprint:
            return False
        journal = self.path / JOURNAL
        return not journal.is_file() or len(self._on_disk(journal, self.path)) == len(journal.read_bytes().splitlines())

    def _take_back(self) -> None:
        """Discard a store that was made from something else; go on with one that has lost some of its chunks."""
        made_from = _made_from(self.path)
        if made_from != self._fingerprint:
            self._say_discarded(made_from)
            shutil.rmtree(self.path)
            return
        print(f"{self.path.name} has lost some of its blocks: they are computed anew")
        shutil.rmtree(self._partial, ignore_errors=True)
        shutil.copyfile(self.path / JOURNAL, self._journal)
        self.path.rename(self._partial)
        (self._partial / JOURNAL).unlink()

    def _trusted(self, grid: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Return the blocks of a grid that are on disk; the journal keeps these alone, without a line that was cut."""
        done = self._on_disk(self._journal, self._partial)
        text = "".join(_line(*place, size) for place, size in done.items() if place in grid)
        if self._journal.read_bytes() != text.encode("ascii"):
            mended = self._journal.with_name("journal.mended")
            mended.write_text(text, encoding="ascii", newline="\n")
            synced(mended)
            mended.replace(self._journal)
        return set(done) & grid

    def _on_disk(self, journal: Path, store: Path) -> dict[tuple[int, int], int]:
        """Return the blocks that a journal lists before any cut line and whose chunks are there, with their bytes."""
        found = {}
        for line in journal.read_bytes().splitlines(keepends=True):
            whole = _LINE.fullmatch(line)
            if whole is None:
                break
            row, column, size = map(int, whole.groups())
            if _bytes(self._chunk(store, row, column)) == size:
                found[row, column] = size
        return found

    def _chunk(self, store: Path, row: int, column: int) -> Path:
        """Return the file of a block."""
        return store / self._template.name / ".".join(["0"] * (self._template.ndim - 2) + [str(row), str(column)])

    def _say_discarded(self, made_from: dict[str, str]) -> None:
        other = [part for part, digest in self._fingerprint.items() if made_from.get(part) != digest]
        print(f"{self.path.name} was made from another {', '.join(other)}: it is discarded and computed anew")

    def _begin(self) -> None:
        self._journal.unlink(missing_ok=True)
        shutil.rmtree(self._partial, ignore_errors=True)
        chunks = [sizes[0] for sizes in self._template.chunks]
        encoding = {self._template.name: {"chunks": chunks, "_FillValue": np.float32(np.nan)}}
        empty = self._template.drop_encoding().to_dataset().assign_attrs({FINGERPRINT: json.dumps(self._fingerprint)})
        empty.to_zarr(self._partial, compute=False, zarr_format=2, consolidated=False, encoding=encoding)
        synced(self._partial)
        self._journal.touch()  # last: a store without a journal is not whole enough to go on with


def _line(row: int, column: int, size: int) -> str:
    """Return a line of the journal: a block, and the bytes of its chunk."""
    return f"{row} {column} {size}\n"


def _made_from(path: Path) -> dict[str, str]:
    """Return what a store was made from."""
    made_from = _begun_from(path)
    if made_from is None:
        raise BlockError(f"{path} was not written by predict, and is left as it is: give another path, or remove it")
    return made_from


def _begun_from(path: Path) -> dict[str, str] | None:
    """Return what a store that may be damaged was made from, None if it does not tell."""
    try:
        return json.loads(json.loads((path / ".zattrs").read_text(encoding="utf-8"))[FINGERPRINT])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _bytes(path: Path) -> int:
    """Return the bytes of a file; a chunk without any value has no file, and none."""
    return path.stat().st_size if path.is_file() else 0
