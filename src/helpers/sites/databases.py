"""Readers of the published site databases: Rs (SRDB), woody NPP (Michaletz), grassland NPP (Sun), both (Peng).

Each reader returns every record of the region and of its surroundings, in the columns of
:data:`helpers.sites.schema.SCHEMA`. None is left out here: that is done, and counted, by
:func:`helpers.sites.quality.quality_control`. Columns beyond the schema: ``record`` and ``note``, what the database
itself says; ``inside_boundary`` and ``high_in_box``, two ways to belong to the region; ``belowground_share`` of NPP;
``annual_coverage`` (SRDB), the part of the year that was measured; ``own_elevation`` [m], ``own_temperature`` [degC],
``own_precipitation`` [mm yr-1] and ``country``, what the author says of the place (:mod:`helpers.sites.places`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.data import catalog
from helpers.data.region import Places
from helpers.errors import DataError
from helpers.sites.csv_file import read_database
from helpers.sites.schema import CARBON_UNIT
from helpers.strict_yaml import short

#: Carbon in woody dry matter: the ratio that SRDB's field list names for biomass.
CARBON_SHARE_WOOD = 0.5
#: Carbon in the dry matter of herbs, which hold less lignin than wood.
CARBON_SHARE_HERB = 0.45
#: Least part of the year that a pair of Rs and Rh must have been measured.
PAIR_COVERAGE = 0.5
#: SRDB flags that say how a value was obtained (from a figure, from another study), not that it is in doubt.
_PROVENANCE_FLAGS = frozenset({"Q01", "Q02", "Q03", "Q04"})

_SRDB_NUMBERS = (
    *("Study_midyear", "Latitude", "Longitude", "Elevation", "MAT", "MAP", "Annual_coverage"),
    *("Rs_annual", "Rh_annual", "NPP", "ANPP", "BNPP"),
)
_SRDB_TEXTS = (
    *("Record_number", "Study_number", "Author", "Duplicate_record", "Quality_flag", "Country", "Manipulation"),
    "Ecosystem_type",
)
_MICHALETZ_NUMBERS = ("Lat", "Long", "NPPTotal_gm2y", "MAT_C", "MAP_mm")
_MICHALETZ_TEXTS = ("Index", "BiomeSource", "Source")
_SUN_NUMBERS = ("longitude", "latitude", "elevation_srtm_m", "npp_gDM_m2_yr", "bnpp_fraction")
_SUN_TEXTS = ("entry_id", "country", "veg_type", "flag")

_PENG_NUMBERS = ("lon", "lat", "z", "Begin_year", "End_year", "BNPP_1", "TNPP_1")
_PENG_TEXTS = ("ID", "site", "references", "pft")
#: What records of NPP are where their database says nothing else: yearly dry matter of untreated plots.
_NPP_OF_PLOTS = {
    **{"variable": "npp", "year": np.nan, "unit": "g dry matter m-2 yr-1", "treatment": "none", "quality": ""},
    **{"reference": "", "possible_duplicate": False, "belowground_share": np.nan, "note": ""},
}


def read_srdb(path: str | Path, places: Places) -> pd.DataFrame:
    """Read annual soil respiration, heterotrophic respiration and NPP from SRDB V5.

    The file is ``srdb-data.csv``, V5. There is one row per record and variable. NPP is the column ``NPP`` or, where
    that is empty, ``ANPP + BNPP``; ANPP alone is never taken for NPP. The quality flags speak of respiration: SRDB's
    field list says that Q01 is given where Rs or Q10 was read off a figure. So Q01 to Q04 exclude Rs and Rh; only other
    flags (a problem with the record) exclude NPP.

    In the region is what lies inside its boundary, or is high land of its bounding box by SRDB's own ``Elevation``, as
    the places tell. For the paper's plateau, with high land from 2500 m, the two together give the 62 unmanipulated,
    unflagged annual Rs of Zeng et al. 2023, the boundary alone 58. A record without
    elevation is not filled from a map.

    DataError is raised if the file is missing, cannot be parsed, lacks a column, or holds text in a column of numbers.
    """
    srdb = _srdb_records(path)
    production = srdb["NPP"].fillna(srdb["ANPP"] + srdb["BNPP"])
    share = (srdb["BNPP"] / production).where(production > 0)
    problem = [_problem_flags(flag) for flag in srdb["Quality_flag"]]
    common = _srdb_common(srdb)
    tables = [
        common.assign(variable="rs", value=srdb["Rs_annual"], quality=srdb["Quality_flag"], belowground_share=np.nan),
        common.assign(variable="rh", value=srdb["Rh_annual"], quality=srdb["Quality_flag"], belowground_share=np.nan),
        common.assign(variable="npp", value=production, quality=problem, belowground_share=share),
    ]
    table = pd.concat([_placed(table, srdb["Elevation"], places) for table in tables], ignore_index=True)
    table["in_region"] |= table["high_in_box"]
    return _of_region_or_surroundings(table[table["value"].notna()])


def read_michaletz(path: str | Path, places: Places) -> pd.DataFrame:
    """Read total NPP of the woody plots of Michaletz et al. 2014; dry matter becomes carbon (x 0.5).

    The file is ``Michaletz2014.csv``; what else is needed or refused is as for :func:`read_srdb`. The Chinese plots are
    those of Luo 1996 and Ni et al. 2001, found by the column ``Source``: mostly inventory plots, so the value rests on
    regional allometries and leaf residence times. No year is given, and no elevation: the boundary alone decides about
    the region. The climate was interpolated to the plot, not measured there (every mean temperature is a twelfth of
    tenths of a degree), so it can tell that a coordinate was changed later, and little more.
    """
    plots = _read_columns(path, _MICHALETZ_NUMBERS, _MICHALETZ_TEXTS, "Michaletz et al. 2014")
    table = pd.DataFrame(
        {
            **_NPP_OF_PLOTS,
            "longitude": plots["Long"],
            "latitude": plots["Lat"],
            "value": plots["NPPTotal_gm2y"] * CARBON_SHARE_WOOD,
            "vegetation": "Forest: " + plots["BiomeSource"],
            "source": "Michaletz 2014",
            "reference": plots["Source"],
            "record": "Michaletz " + plots["Index"],
            "own_temperature": plots["MAT_C"],
            "own_precipitation": plots["MAP_mm"],
            "country": np.where(plots["Source"].str.startswith("Luo (1996)"), "China", ""),
        }
    )
    return _of_region_or_surroundings(_placed(table, pd.Series(np.nan, table.index), places))


def read_sun2022(path: str | Path, places: Places) -> pd.DataFrame:
    """Read total NPP of grassland from Sun et al. 2022; dry matter becomes carbon (x 0.45).

    The file is ``sun2022_grassland_npp.csv``, which the project holds in ``data/observations``; what else is needed or
    refused is as for :func:`read_srdb`. Entries without above-ground production have no total: their value is missing.
    By ``belowground_share`` quality control finds root biomass taken for production. Cautions of the table go to
    ``note`` and exclude nothing, except the one that tells of a treated plot. The table has no years, treatments or
    references. The boundary alone decides about the region. Its elevation was read from a map at the coordinates: it
    is not the record's own, since it cannot contradict them.
    """
    entries = _read_columns(path, _SUN_NUMBERS, _SUN_TEXTS, "Sun et al. 2022")
    treated = entries["flag"].str.contains("treated plot", regex=False)
    table = pd.DataFrame(
        {
            **_NPP_OF_PLOTS,
            "longitude": entries["longitude"],
            "latitude": entries["latitude"],
            "value": entries["npp_gDM_m2_yr"] * CARBON_SHARE_HERB,
            "treatment": np.where(treated, "treated plot", "none"),
            "vegetation": "Grassland: " + entries["veg_type"],
            "source": "Sun 2022",
            "belowground_share": entries["bnpp_fraction"],
            "record": "Sun " + entries["entry_id"],
            "note": entries["flag"],
            "country": entries["country"],
        }
    )
    return _of_region_or_surroundings(_placed(table, entries["elevation_srtm_m"], places))


def read_peng(path: str | Path, places: Places) -> pd.DataFrame:
    """Read total NPP of forest and grassland from the compilation of Peng et al. 2023, which is in carbon already.

    The file is ``NPP_dataset.csv``; what else is needed or refused is as for :func:`read_srdb`, also the rule of what
    lies in the region, since elevations are the authors' own. Most of its rows stand in the other tables, too: quality
    control finds those that agree. No country is named, so that of the coordinates counts. A period of several years
    may be a stand-in for one that is not known, so only a single year is taken. As in the table of Sun, a site's name
    that ends in ``_FI`` is that of a treated plot.
    """
    rows = _read_columns(path, _PENG_NUMBERS, _PENG_TEXTS, "Peng et al. 2023, NPP_dataset.csv")
    table = pd.DataFrame(
        {
            **_NPP_OF_PLOTS,
            "longitude": rows["lon"],
            "latitude": rows["lat"],
            "year": rows["Begin_year"].where(rows["Begin_year"] == rows["End_year"]),
            "value": rows["TNPP_1"],
            "unit": CARBON_UNIT,
            "treatment": np.where(rows["site"].str.endswith("_FI"), "treated plot", "none"),
            "vegetation": rows["pft"],
            "source": "Peng 2023",
            "reference": rows["references"],
            "country": "",
            "belowground_share": rows["BNPP_1"] / rows["TNPP_1"],
            "record": "Peng " + rows["ID"],
            "note": "site " + rows["site"],
            "own_elevation": rows["z"],
        }
    )
    table = _placed(table, rows["z"], places)
    table["in_region"] |= table["high_in_box"]
    return _of_region_or_surroundings(table)


def rs_rh_pairs(keys: Sequence[str], places: Places) -> pd.DataFrame:
    """Read the records of the surroundings that report both annual Rs and annual Rh from the databases that have them.

    The keys are those of the catalogue; of the databases SRDB V5 has pairs. None is left out here: that is done, and
    counted, by :func:`helpers.sites.quality.control_pairs`. There is one row per record, with ``rs`` and ``rh``
    [g C m-2 yr-1] and otherwise the columns of :func:`read_srdb`; ``variable`` is ``rs_rh``. Without such a database
    the table is empty.
    """
    readers = {read_srdb: _srdb_pairs}
    with_pairs = [key for key in keys if catalog.reader(key) in readers]
    tables = [readers[catalog.reader(key)](*catalog.fetch(key).values(), places) for key in with_pairs]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _srdb_pairs(path: Path, places: Places) -> pd.DataFrame:
    """Return the pairs of SRDB V5."""
    srdb = _srdb_records(path)
    pairs = _srdb_common(srdb).assign(variable="rs_rh", rs=srdb["Rs_annual"], rh=srdb["Rh_annual"])
    pairs["site"] = _site_names(pairs["longitude"], pairs["latitude"], pairs["record"])
    pairs["quality"] = srdb["Quality_flag"]
    pairs["in_surroundings"] = places.around(pairs["longitude"], pairs["latitude"], pairs["country"])
    return pairs[pairs["in_surroundings"] & pairs["rs"].notna() & pairs["rh"].notna()].reset_index(drop=True)


def pair_site_means(pairs: pd.DataFrame) -> pd.DataFrame:
    """Average pairs by site: ``site``, ``longitude``, ``latitude``, ``rs``, ``rh`` and ``n_records``."""
    means = pairs.groupby("site", sort=True)[["longitude", "latitude", "rs", "rh"]].mean()
    return means.assign(n_records=pairs.groupby("site").size()).reset_index()


def _srdb_records(path: str | Path) -> pd.DataFrame:
    """Read SRDB with its own column names; of unmanipulated plots it says nothing, or ``None``."""
    srdb = _read_columns(path, _SRDB_NUMBERS, _SRDB_TEXTS, "SRDB V5, srdb-data.csv")
    return srdb.assign(Manipulation=srdb["Manipulation"].replace("None", ""))


def _srdb_common(srdb: pd.DataFrame) -> pd.DataFrame:
    """Return what a record says of its place, its plot and its origin, whatever flux it is of."""
    return pd.DataFrame(
        {
            "longitude": srdb["Longitude"],
            "latitude": srdb["Latitude"],
            "year": np.floor(srdb["Study_midyear"]),
            "unit": CARBON_UNIT,
            "treatment": srdb["Manipulation"].where(srdb["Manipulation"] != "", "none"),
            "vegetation": srdb["Ecosystem_type"],
            "source": "SRDB V5",
            "reference": srdb["Author"] + " (SRDB study " + srdb["Study_number"] + ")",
            "possible_duplicate": srdb["Duplicate_record"] != "",
            "record": "SRDB " + srdb["Record_number"],
            "note": "",
            "annual_coverage": srdb["Annual_coverage"],
            "own_elevation": srdb["Elevation"],
            "own_temperature": srdb["MAT"],
            "own_precipitation": srdb["MAP"],
            "country": srdb["Country"],
        }
    )


def _site_names(longitude: Sequence[float], latitude: Sequence[float], record: Sequence[str]) -> list[str]:
    """Name sites by their place to 0.01 degree, so that one place is one site in every database; else by the record."""
    return [
        f"{y:.2f}N {x:.2f}E" if np.isfinite(x) and np.isfinite(y) else name
        for x, y, name in zip(longitude, latitude, record, strict=True)
    ]


def _problem_flags(flags: str) -> str:
    """Return the flags of a record that are not mere provenance, joined by commas."""
    return ",".join(flag for flag in flags.replace(" ", "").split(",") if flag and flag not in _PROVENANCE_FLAGS)


def _placed(table: pd.DataFrame, elevation: pd.Series, places: Places) -> pd.DataFrame:
    """Add the site's name, and whether it lies in the region's boundary, is high land of its box, or lies around it."""
    longitude, latitude = table["longitude"], table["latitude"]
    inside = places.inside(longitude, latitude)
    return table.assign(
        site=_site_names(longitude, latitude, table["record"]),
        inside_boundary=inside,
        high_in_box=places.is_high(longitude, latitude, elevation).to_numpy(bool),
        in_region=inside,
        in_surroundings=places.around(longitude, latitude, table["country"]),
    )


def _of_region_or_surroundings(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out records of the rest of the world."""
    return table[table["in_surroundings"] | table["in_region"]].reset_index(drop=True)


def _read_columns(path: str | Path, numbers: Sequence[str], texts: Sequence[str], what: str) -> pd.DataFrame:
    """Read named columns of a database, numbers as float and text stripped; ``NA`` is empty."""
    table = read_database(Path(path), what).replace("NA", "")
    missing = [name for name in (*numbers, *texts) if name not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; expected {what}. Is it another file or version?")
    out = {name: _as_number(table[name], Path(path)) for name in numbers}
    return pd.DataFrame(out | {name: table[name] for name in texts}).reset_index(drop=True)


def _as_number(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of text as floats; name the first row that is not a number."""
    number = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column[number.isna() & (column != "")]
    if len(wrong):
        raise DataError(
            f"{path}: column {column.name}, row {wrong.index[0]} (the header is row 1): expected a number, "
            f"found {short(wrong.iloc[0])}; {len(wrong)} such rows. Fetch the file again"
        )
    return number
