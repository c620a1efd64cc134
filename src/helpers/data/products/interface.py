"""What every product of an archive does: plan what it needs, fetch it, open it on its own grid.

A product is a transport (:mod:`helpers.data.products.transports`), which knows an archive's protocol, and a reader,
which knows the files. It never reprojects: :mod:`helpers.data.products.align` brings all of them to one grid. It masks
what is no value before anything is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import xarray as xr


class Box(NamedTuple):
    """Edges of a part of the world, degrees east and north."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Want:
    """What a run needs of a product."""

    years: tuple[int, ...]
    box: Box


@dataclass(frozen=True)
class Asset:
    """One file that a product needs."""

    name: str  #: Its name in the product's folder.
    url: str  #: Its address; empty if it must be put there by hand.
    size: int | None = None  #: Bytes, where the archive tells.
    #: ``md5:…``, ``sha256:…`` or ``cksum:…`` (POSIX), where the archive tells; empty: unknown.
    checksum: str = ""
    year: int | None = None  #: None: it serves every year.


@dataclass(frozen=True)
class Plan:
    """The files that a product needs for what is wanted, and the years that it does not have."""

    assets: tuple[Asset, ...]
    lacking: tuple[int, ...] = ()  #: Years of the want that the product does not have.
    #: What to get by hand, from where and into which folder, where no archive can be asked; empty: nothing.
    by_hand: str = ""


class Product(Protocol):
    """A product of the paper. Its settings are those of its catalogue entry, the configuration's own above them."""

    key: str  #: Of its catalogue entry.
    #: Read block by block: it has too many cells to open a whole region at once.
    in_blocks: bool
    #: The same in every year: elevation, soil, a mean map.
    static: bool

    def plan(self, want: Want) -> Plan:
        """Return what is to come. Nobody logs in and no file is fetched; an archive may be asked."""

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file, whole and verified; one that is there already is not fetched again."""

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the part of the product that covers a box, on the product's own grid.

        Dimensions are y and x with the cells' centres, north first, the CRS is written; float32 in our unit, NaN where
        there is no value. The window is wider than the box by two cells where the product has them. `files` are all
        files of the plan; those of other years are left aside. A DataError names the file that is not as it should be.
        """
