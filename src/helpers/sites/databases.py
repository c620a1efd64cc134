"""Readers of the published site databases: soil respiration (SRDB), woody NPP (Michaletz), grassland NPP
(Sun).

Each reader returns every record of China, and of its neighbours on the plateau, in the columns of
``helpers.sites.schema.SCHEMA``, and drops none: what to leave out is the business of
:func:`helpers.sites.quality.quality_control`, which counts it. Columns beyond the schema keep what the rules
need: ``inside_boundary``, ``high_in_box``, ``belowground_share``, ``record`` and ``note``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.data.region import PAPER_BOX
from helpers.errors import DataError
from helpers.sites.schema import CARBON_UNIT, Contains

DRY_MATTER_UNIT = "g dry matter m-2 yr-1"

#: Carbon in woody dry matter: the ratio that SRDB's field list names for biomass.
CARBON_SHARE_WOOD = 0.5
#: Carbon in the dry matter of herbs, which hold less lignin than wood.
CARBON_SHARE_HERB = 0.45

#: A record of the paper's box counts as plateau from this elevation, m.
PLATEAU_ELEVATION = 2500.0
#: Least part of the year that a pair of Rs and Rh must have been measured.
PAIR_COVERAGE = 0.5

#: SRDB flags that tell how a respiration value was had (from a figure, from another study), not that it is in
#: doubt.
_SRDB_PROVENANCE_FLAGS = frozenset({"Q01", "Q02", "Q03", "Q04"})

_SRDB_NUMBERS = (
    "Study_midyear",
    "Latitude",
    "Longitude",
    "Elevation",
    "Annual_coverage",
    "Rs_annual",
    "Rh_annual",
    "NPP",
    "ANPP",
    "BNPP",
)
_SRDB_TEXTS = (
    "Record_number",
    "Study_number",
    "Author",
    "Duplicate_record",
    "Quality_flag",
    "Country",
    "Manipulation",
    "Ecosystem_type",
)
_MICHALETZ_NUMBERS = ("Lat", "Long", "NPPTotal_gm2y")
_MICHALETZ_TEXTS = ("Index", "BiomeSource", "Source")
_SUN_NUMBERS = ("longitude", "latitude", "elevation_srtm_m", "npp_gDM_m2_yr", "bnpp_fraction")
_SUN_TEXTS = ("entry_id", "country", "veg_type", "flag")


def site_name(longitude: np.ndarray, latitude: np.ndarray, record: Sequence[str]) -> list[str]:
    """Name sites by their location to 0.01 degree, so that the same place is one site in every database.

    Parameters
    ----------
    longitude, latitude : array of float, shape (n,)
        Degrees east and north.
    record : sequence of str, length n
        Names the site where the location is missing.

    Returns
    -------
    list of str

    Examples
    --------
    >>> site_name([101.291, float("nan")], [37.62, 37.6], ["a 1", "a 2"])
    ['37.62N 101.29E', 'a 2']
    """
    return [
        f"{y:.2f}N {x:.2f}E" if np.isfinite(x) and np.isfinite(y) else name
        for x, y, name in zip(longitude, latitude, record, strict=True)
    ]


def srdb_records(path: str | Path) -> pd.DataFrame:
    """Read SRDB V5 (``srdb-data.csv``) with its own column names; text is stripped, absent text is empty.

    ``Manipulation`` is empty for unmanipulated plots, of which SRDB also says ``None``.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    pandas.DataFrame
        One row a record, the columns that the readers use.

    Raises
    ------
    DataError
        If the file is missing, cannot be parsed, lacks a column, or holds text in a column of numbers.
    """
    srdb = _read_columns(path, _SRDB_NUMBERS, _SRDB_TEXTS, "SRDB V5, srdb-data.csv")
    return srdb.assign(Manipulation=srdb["Manipulation"].replace("None", ""))


def read_srdb(path: str | Path, contains: Contains, elevation_rule: bool = True) -> pd.DataFrame:
    """Read annual soil respiration, heterotrophic respiration and NPP of China and the plateau from SRDB V5.

    NPP is the column ``NPP`` or, where that is empty, ``ANPP + BNPP``; ANPP alone is never taken for NPP.
    SRDB's quality flags speak of respiration: its field list says that Q01 is given where Rs or Q10 was read
    off a figure. So Q01 to Q04 exclude Rs and Rh, and only other flags (a problem with the record) exclude
    NPP.

    Parameters
    ----------
    path : str or pathlib.Path
        ``srdb-data.csv``, V5.
    contains : callable
        ``contains(longitude, latitude)`` gives, for arrays in degrees, whether points lie inside the plateau
        boundary.
    elevation_rule : bool
        Also count as plateau what lies in the paper's box (:data:`PAPER_BOX`) at :data:`PLATEAU_ELEVATION` or
        higher by SRDB's own ``Elevation``. With the rule 62 unmanipulated, unflagged annual Rs are on the
        plateau, the number in Zeng et al. 2023; without it 58. A record without elevation is not filled from
        a map.

    Returns
    -------
    pandas.DataFrame
        In the schema of ``helpers.sites.quality``; one row a record and variable.

    Raises
    ------
    DataError
        As :func:`srdb_records`.
    """
    srdb = srdb_records(path)
    production = srdb["NPP"].fillna(srdb["ANPP"] + srdb["BNPP"])
    share = (srdb["BNPP"] / production).where(production > 0)
    problem = [_problem_flags(flag) for flag in srdb["Quality_flag"]]
    common = pd.DataFrame(
        {
            "longitude": srdb["Longitude"],
            "latitude": srdb["Latitude"],
            "year": np.floor(srdb["Study_midyear"]),
            "unit": CARBON_UNIT,
            "treatment": srdb["Manipulation"].where(srdb["Manipulation"] != "", "none"),
            "vegetation": srdb["Ecosystem_type"],
            "source": "SRDB V5",
            "reference": srdb["Author"] + " (SRDB study " + srdb["Study_number"] + ")",
            "in_china": srdb["Country"] == "China",
            "possible_duplicate": srdb["Duplicate_record"] != "",
            "record": "SRDB " + srdb["Record_number"],
            "note": "",
            "annual_coverage": srdb["Annual_coverage"],
        }
    )
    tables = [
        common.assign(variable="rs", value=srdb["Rs_annual"], quality=srdb["Quality_flag"], belowground_share=np.nan),
        common.assign(variable="rh", value=srdb["Rh_annual"], quality=srdb["Quality_flag"], belowground_share=np.nan),
        common.assign(variable="npp", value=production, quality=problem, belowground_share=share),
    ]
    tables = [_with_domain(table, srdb["Elevation"], contains, elevation_rule) for table in tables]
    table = pd.concat(tables, ignore_index=True)
    return _of_china_or_plateau(table[table["value"].notna()])


def read_michaletz(path: str | Path, contains: Contains) -> pd.DataFrame:
    """Read total NPP of the woody plots of Michaletz et al. 2014; dry matter becomes carbon (x 0.5).

    The Chinese plots are those of Luo 1996 and Ni et al. 2001, told by the column ``Source``: mostly
    inventory plots, so the value rests on regional allometries and leaf residence times. No year is given.

    Parameters
    ----------
    path : str or pathlib.Path
        ``Michaletz2014.csv``.
    contains : callable
        As for :func:`read_srdb`. The table has no elevation: only the boundary decides about the plateau.

    Returns
    -------
    pandas.DataFrame
        In the schema of ``helpers.sites.quality``.

    Raises
    ------
    DataError
        If the file is missing, cannot be parsed, lacks a column, or holds text in a column of numbers.
    """
    plots = _read_columns(path, _MICHALETZ_NUMBERS, _MICHALETZ_TEXTS, "Michaletz et al. 2014")
    table = pd.DataFrame(
        {
            "variable": "npp",
            "longitude": plots["Long"],
            "latitude": plots["Lat"],
            "year": np.nan,
            "value": plots["NPPTotal_gm2y"] * CARBON_SHARE_WOOD,
            "unit": DRY_MATTER_UNIT,
            "treatment": "none",
            "quality": "",
            "vegetation": "Forest: " + plots["BiomeSource"],
            "source": "Michaletz 2014",
            "reference": plots["Source"],
            "in_china": plots["Source"].str.startswith("Luo (1996)"),
            "possible_duplicate": False,
            "belowground_share": np.nan,
            "record": "Michaletz " + plots["Index"],
            "note": "",
        }
    )
    return _of_china_or_plateau(_with_domain(table, pd.Series(np.nan, table.index), contains, elevation_rule=False))


def read_sun2022(path: str | Path, contains: Contains) -> pd.DataFrame:
    """Read total NPP of grassland from Sun et al. 2022; dry matter becomes carbon (x 0.45).

    Entries without above-ground production have no total: their value is missing. ``belowground_share``
    carries the below-ground part of NPP, by which quality control finds root biomass taken for production.
    Cautions of the table go to ``note`` and exclude nothing, but for the one that tells a treated plot. No
    years, treatments or references.

    Parameters
    ----------
    path : str or pathlib.Path
        ``sun2022_grassland_npp.csv``, which the project holds in ``data/observations``.
    contains : callable
        As for :func:`read_srdb`; only the boundary decides about the plateau.

    Returns
    -------
    pandas.DataFrame
        In the schema of ``helpers.sites.quality``.

    Raises
    ------
    DataError
        If the file is missing, cannot be parsed, lacks a column, or holds text in a column of numbers.
    """
    entries = _read_columns(path, _SUN_NUMBERS, _SUN_TEXTS, "Sun et al. 2022")
    treated = entries["flag"].str.contains("treated plot", regex=False)
    table = pd.DataFrame(
        {
            "variable": "npp",
            "longitude": entries["longitude"],
            "latitude": entries["latitude"],
            "year": np.nan,
            "value": entries["npp_gDM_m2_yr"] * CARBON_SHARE_HERB,
            "unit": DRY_MATTER_UNIT,
            "treatment": np.where(treated, "treated plot", "none"),
            "quality": "",
            "vegetation": "Grassland: " + entries["veg_type"],
            "source": "Sun 2022",
            "reference": "",
            "in_china": entries["country"] == "China",
            "possible_duplicate": False,
            "belowground_share": entries["bnpp_fraction"],
            "record": "Sun " + entries["entry_id"],
            "note": entries["flag"],
        }
    )
    return _of_china_or_plateau(_with_domain(table, entries["elevation_srtm_m"], contains, elevation_rule=False))


def rs_rh_pairs(srdb: pd.DataFrame) -> pd.DataFrame:
    """Return the records of China that report both annual Rs and annual Rh and can be compared.

    Unmanipulated, without quality flag, measured over at least half of the year, Rh at most Rs, and located.
    Their means by site give the paper's line from Rs to Rh (Eq. 3); the records alone give a flatter one.

    Parameters
    ----------
    srdb : pandas.DataFrame
        As :func:`srdb_records` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``site``, ``longitude``, ``latitude`` [degrees], ``year``, ``rs``, ``rh`` [g C m-2 yr-1]; one
        row a record.
    """
    pairs, _ = _select_pairs(srdb)
    return pd.DataFrame(
        {
            "site": site_name(pairs["Longitude"], pairs["Latitude"], pairs["Record_number"]),
            "longitude": pairs["Longitude"].to_numpy(),
            "latitude": pairs["Latitude"].to_numpy(),
            "year": np.floor(pairs["Study_midyear"]).to_numpy(),
            "rs": pairs["Rs_annual"].to_numpy(),
            "rh": pairs["Rh_annual"].to_numpy(),
        }
    )


def rs_rh_flow(srdb: pd.DataFrame) -> pd.DataFrame:
    """Return how many records each rule of :func:`rs_rh_pairs` leaves.

    Parameters
    ----------
    srdb : pandas.DataFrame
        As :func:`srdb_records` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``variable`` (``rs_rh``), ``source``, ``step``, ``n`` (records left), ``excluded``,
        ``reason``: a flow table as of :func:`helpers.sites.quality.quality_control`.
    """
    _, flow = _select_pairs(srdb)
    return flow


def pair_site_means(pairs: pd.DataFrame) -> pd.DataFrame:
    """Average pairs of Rs and Rh by site.

    Parameters
    ----------
    pairs : pandas.DataFrame
        As :func:`rs_rh_pairs` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``site``, ``longitude``, ``latitude``, ``rs``, ``rh`` [g C m-2 yr-1] and ``n_records``; one
        row a site.
    """
    means = pairs.groupby("site", sort=True)[["longitude", "latitude", "rs", "rh"]].mean()
    return means.assign(n_records=pairs.groupby("site").size()).reset_index()


def _select_pairs(srdb: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    pairs = srdb[(srdb["Country"] == "China") & srdb["Rs_annual"].notna() & srdb["Rh_annual"].notna()]
    steps = (
        ("unmanipulated", lambda t: t["Manipulation"] == "", "the plot was manipulated"),
        ("no quality flag", lambda t: t["Quality_flag"] == "", "SRDB flags the record"),
        (
            "half a year",
            lambda t: t["Annual_coverage"] >= PAIR_COVERAGE,
            "measured in less than half of the year, or unknown",
        ),
        (
            "Rh within Rs",
            lambda t: t["Rh_annual"] <= t["Rs_annual"],
            "heterotrophic exceeds total soil respiration",
        ),
        ("located", lambda t: t["Longitude"].notna() & t["Latitude"].notna(), "no coordinates"),
    )
    rows = [("records", len(pairs), 0, "annual Rs and Rh of one plot in China")]
    for step, keeps, reason in steps:
        before = len(pairs)
        pairs = pairs[keeps(pairs)]
        rows.append((step, len(pairs), before - len(pairs), reason))
    flow = pd.DataFrame(rows, columns=["step", "n", "excluded", "reason"])
    flow.insert(0, "variable", "rs_rh")
    flow.insert(1, "source", "SRDB V5")
    return pairs, flow


def _problem_flags(flags: str) -> str:
    """Return the flags of a record that are not mere provenance, joined by commas."""
    return ",".join(flag for flag in flags.replace(" ", "").split(",") if flag and flag not in _SRDB_PROVENANCE_FLAGS)


def _with_domain(table: pd.DataFrame, elevation: pd.Series, contains: Contains, elevation_rule: bool) -> pd.DataFrame:
    """Add the site's name and whether it is on the plateau, by boundary and by box and elevation."""
    longitude, latitude = table["longitude"].to_numpy(float), table["latitude"].to_numpy(float)
    located = np.isfinite(longitude) & np.isfinite(latitude)
    inside = np.zeros(len(table), dtype=bool)
    inside[located] = contains(longitude[located], latitude[located])
    west, south, east, north = PAPER_BOX
    in_box = (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    high = in_box & (elevation.to_numpy(float) >= PLATEAU_ELEVATION)
    return table.assign(
        site=site_name(longitude, latitude, table["record"]),
        inside_boundary=inside,
        high_in_box=high,
        on_plateau=inside | high if elevation_rule else inside,
    )


def _of_china_or_plateau(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["in_china"] | table["on_plateau"]].reset_index(drop=True)


def _read_columns(path: str | Path, numbers: Sequence[str], texts: Sequence[str], what: str) -> pd.DataFrame:
    """Read named columns of a CSV file in latin-1, numbers as float and text stripped."""
    path = Path(path)
    try:
        table = pd.read_csv(path, encoding="latin-1", dtype=str, keep_default_na=False, na_values=["", "NA"])
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {what}. Fetch it first, or set the mirror folder") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not readable as CSV ({error}); expected {what}. Fetch it again") from None
    missing = [name for name in (*numbers, *texts) if name not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; expected {what}. Is it another file or version?")
    out = {name: _as_number(table[name], path) for name in numbers}
    return pd.DataFrame(out | {name: table[name].fillna("").str.strip() for name in texts})


def _as_number(column: pd.Series, path: Path) -> pd.Series:
    number = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column[number.isna() & column.notna()]
    if len(wrong):
        raise DataError(
            f"{path}: column {column.name}, row {wrong.index[0] + 2} (the header is row 1): expected a number, "
            f"found {wrong.iloc[0]!r}; {len(wrong)} such rows. Fetch the file again"
        )
    return number
