"""Made-up site records, and made-up files with the columns of the published databases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.data import catalog
from helpers.sites.schema import SCHEMA


def records(n: int = 1, **columns) -> pd.DataFrame:
    """Make n good, distinct observations, with columns replaced."""
    good = {
        "variable": ["npp"] * n,
        "site": [f"site {i}" for i in range(n)],
        "longitude": 90.0 + np.arange(n),
        "latitude": np.full(n, 33.0),
        "year": np.full(n, 2010.0),
        "value": 200.0 + 50 * np.arange(n),
        "unit": "g C m-2 yr-1",
        "treatment": "none",
        "quality": "",
        "vegetation": "Grassland: alpine meadow",
        "source": "made up",
        "reference": "nobody",
        "in_surroundings": True,
        "in_region": True,
        "possible_duplicate": False,
    }
    return SCHEMA.validate(pd.DataFrame(good | columns))


def excluded(flow: pd.DataFrame) -> dict[str, int]:
    """Return the steps that left something out, with how much."""
    counts = flow.groupby("step")["excluded"].sum()
    return counts[counts > 0].to_dict()


def fetched(monkeypatch: pytest.MonkeyPatch, **paths: Path) -> None:
    """Let the catalogue's products of these keys be made-up files."""
    monkeypatch.setattr(catalog, "fetch", lambda key: {paths[key].name: paths[key]})


def srdb_file(folder: Path, rows: list[dict]) -> Path:
    """Write a made-up file with the columns of SRDB V5 that we read."""
    good = {
        "Study_number": 1,
        "Author": "Müller",
        "Country": "China",
        "Study_midyear": 2010.5,
        "Latitude": 33.0,
        "Longitude": 92.0,
        "Elevation": 4500,
        "MAT": -1.5,
        "MAP": 430,
        "Annual_coverage": 1,
        "Ecosystem_type": " Grassland",
        "Rs_annual": 500,
    }
    empty = ("Manipulation", "Quality_flag", "Duplicate_record", "Rh_annual", "NPP", "ANPP", "BNPP")
    frame = pd.DataFrame([dict.fromkeys(empty) | good | {"Record_number": i} | row for i, row in enumerate(rows)])
    path = folder / "srdb-data.csv"
    frame.to_csv(path, index=False, encoding="latin-1")
    return path


def michaletz_file(folder: Path) -> Path:
    path = folder / "Michaletz2014.csv"
    path.write_text(
        "Index,Lat,Long,NPPTotal_gm2y,MAT_C,MAP_mm,BiomeSource,Source\n"
        "1,31.0,101.0,800,5.5,700,spruce forest,Luo (1996); Ni et al. (2001)\n"
        "2,50.0,5.0,1304,8.7,955,beech forest,Cannell (1982)\n"
    )
    return path


def sun_file(folder: Path) -> Path:
    path = folder / "sun.csv"
    path.write_text(
        "entry_id,country,longitude,latitude,elevation_srtm_m,veg_type,npp_gDM_m2_yr,bnpp_fraction,flag\n"
        "1,China,91.7,31.9,4656,Alpine meadow,200,0.6,\n"
        "2,China,91.8,31.9,4656,Alpine meadow,2000,0.95,\n"
        "3,China,91.9,31.9,4656,Alpine meadow,,,\n"
        "4,China,92.0,31.9,4656,Alpine meadow,300,0.6,code _FI: a treated plot\n"
        "5,China,92.1,31.9,4656,Alpine meadow,400,0.6,coordinate may be the middle of a range\n"
        "6,India,79.7,30.2,3125,Alpine meadow,500,0.6,\n"
    )
    return path


def peng_file(folder: Path, rows: list[dict]) -> Path:
    """Write a made-up file with the columns of Peng et al. that we read."""
    good = {"lon": 92.0, "lat": 31.0, "z": 4500, "Begin_year": 2005, "End_year": 2005, "BNPP_1": 120, "TNPP_1": 200}
    texts = {"ID": "ID1", "site": "CN-x-D01", "references": "Wu et al 2011", "pft": "Grassland"}
    pd.DataFrame([good | texts | row for row in rows]).to_csv(folder / "NPP_dataset.csv", index=False)
    return folder / "NPP_dataset.csv"
