"""A table of sites that no archive hands out to a program: somebody puts it into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Folder
from helpers.errors import DataError


class SiteTable:
    """Spreadsheets and CSV files of sites; :mod:`helpers.sites.tables` reads them."""

    in_blocks, static = False, True

    def __init__(self, key: str, transport: Folder, source: str) -> None:
        """Take the catalogue's key, the folder, and where people find the table."""
        self.key, self.transport, self.source = key, transport, source

    def plan(self, want: Want) -> Plan:
        """Return the tables that lie in the folder."""
        found = [
            asset
            for pattern in ("*.xlsx", "*.csv", "*.docx")
            for asset in self.transport.find(pattern)
            if not Path(asset.name).name.startswith("~$")  # a lock of a spreadsheet that is open
        ]
        by_hand = f"the table of sites from {self.source}, as .xlsx or .csv, into {self.transport.path}"
        return Plan(tuple(found), by_hand="" if found else by_hand)

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a table that is there."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Refuse: a table is no map."""
        raise DataError(f"{self.key} is a table of sites: name it under observations, not as a layer")
