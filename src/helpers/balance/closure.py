"""What must be true of any carbon balance, and how far an estimate breaks it.

Some laws hold by the way an estimate is made, such as NEP = NPP - Rh: an estimate that breaks one of
:mod:`helpers.balance.identities` stops the run. Others compare it with what does not come from it: light, soil, bare
ground. An estimate that breaks one is wrong somewhere, whatever its error at the sites; :func:`closure_table` says by
how much and where.

An estimate is its maps ``npp``, ``rs``, ``rh`` and ``nep`` [g C m-2 yr-1] on one grid, missing outside the region.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from helpers.balance import identities
from helpers.balance.budgets import budget, mean_map
from helpers.data.land_cover import GRASSLAND
from helpers.errors import DataError
from helpers.tables import number
from mapforest.cells import commonest

Maps = Mapping[str, xr.DataArray]

#: Least and greatest NPP/GPP of a region. Single forests run from 0.23 to 0.83 (DeLucia et al. 2007).
NPP_SHARE = (0.3, 0.7)
#: Years between two inventories that found the topsoil carbon of the plateau's grassland unchanged, and the lower end
#: of that change at 95 % confidence, g C m-2 yr-1 (Yang et al. 2009).
INVENTORY_YEARS, INVENTORY_LOSS = 20.0, -36.5
#: Greatest mean of NPP and Rs on land without plants, g C m-2 yr-1. Bare ground of IGBP has plants on a tenth of it at
#: most (Loveland and Belward 1997); these are a tenth of what a closed alpine meadow has.
BARE_FLUX = {"NPP": 50.0, "Rs": 80.0}
BARE = {"barren ground": (16,), "ice and water": (15, 17)}
_FLUX, _OURS = "g C m-2 yr-1", "by construction"


class Law(NamedTuple):
    """A row of :func:`closure_table`, without the name of the estimate."""

    law: str  #: What must be true.
    bounds: str  #: The quantity that it bounds.
    value: float  #: That quantity.
    low: float  #: Its bounds; NaN where there is none.
    high: float  #: Its bounds; NaN where there is none.
    unit: str
    breach_share: float  #: Share of the area or of the towers, from 0 to 1, that breaks it; NaN where it is one number.
    breach_of: str  #: Area or sites.
    source: str  #: Where the bound comes from.


def closure_table(
    estimates: Mapping[str, Maps],
    cube: xr.Dataset,
    gpp_total: float | None = None,
    towers: Mapping[str, pd.DataFrame] | None = None,
    inventories: bool = True,
) -> pd.DataFrame:
    """Return the laws of a carbon balance for each of some estimates.

    An estimate has a name and its maps; one whose maps contradict each other raises a DataError. The cube has
    ``cell_area`` [km2], ``in_region``, ``land_cover`` (IGBP) and ``soc`` [kg C m-2] on the same grid. ``gpp_total`` is
    a published GPP of the whole region [Tg C yr-1], which no part of it can exceed. The towers are a table of
    :func:`helpers.balance.towers.tower_table` by the name of the estimate. The inventories of the soil are of the
    paper's plateau: for another region there are none.

    The columns are ``estimate``, the fields of :class:`Law`, and ``holds``: whether the value lies within its bounds;
    ``not known`` where there is no value.
    """
    rows = []
    for name, maps in estimates.items():
        flat = {flux: mean_map(field) for flux, field in maps.items()}
        sound = _by_construction(name, maps, flat, cube)
        laws = _of_maps(flat, cube, inventories)
        if gpp_total is not None:
            laws = [*_of_gpp(flat["npp"], cube, gpp_total), *laws]
        if towers is not None:
            laws += _of_towers(towers[name])
        rows += [{"estimate": name} | law._asdict() for law in [*laws, *sound]]
    table = pd.DataFrame(rows)
    broken = (table["value"] < table["low"]) | (table["value"] > table["high"])
    return table.assign(holds=np.select([table["value"].isna(), broken], ["not known", "no"], "yes"))


def _by_construction(name: str, maps: Maps, flat: Maps, cube: xr.Dataset) -> list[Law]:
    """Return the laws that an estimate keeps by the way it is made, or raise DataError where it breaks one."""
    checks = [*identities.of_maps(maps, cube["in_region"], name)]
    checks.append(identities.sums_of_cells(flat, cube["cell_area"], name))
    if problem := identities.broken(checks):
        raise DataError(problem)
    largest = "the largest deviation"
    return [
        Law(check.law, largest, check.deviation, 0.0, check.tolerance, check.unit, 0.0, "area", _OURS)
        for check in checks
    ]


def asked(laws: pd.DataFrame) -> pd.DataFrame:
    """Return the laws of a :func:`closure_table` that an estimate can break: others stop the run."""
    return laws[laws["source"] != _OURS]


def side_by_side(laws: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`closure_table` with a row per law and a column per estimate, in words.

    A field has the value, and where it breaks the law, how: ``2.1, no`` or ``214, no (100 %)`` with the share in
    breach. Laws that hold by construction are left out: a run that breaks one stops.
    """
    shown = asked(laws)
    share = shown["breach_share"].map(lambda value: f" ({value:.0%})".replace("%", " %") if value > 0 else "")
    words = shown["value"].map(lambda value: number(float(f"{value:.3g}"))) + np.where(
        shown["holds"] == "no", ", no" + share, ""
    )
    table = shown.assign(words=words.where(shown["value"].notna(), ""))
    wide = table.pivot_table("words", ["law", "bounds"], "estimate", aggfunc="first", sort=False)
    return wide.rename_axis(columns=None)


def _of_gpp(npp: xr.DataArray, cube: xr.Dataset, gpp_total: float) -> list[Law]:
    """Compare the NPP of the cells of an estimate with a published GPP of the whole region.

    Cells without an estimate are mostly bare; how much of the GPP is theirs is not known. So nothing is taken off it,
    and a small share breaks no law.
    """
    total = budget(npp, cube["cell_area"])["total_TgC_yr"]
    published, most = "Zhao et al. 2025, 19 towers and maps, the whole plateau", NPP_SHARE[1]
    share = total / gpp_total
    return [
        Law("plants keep no more than they fix", "NPP", total, np.nan, gpp_total, "Tg C yr-1", np.nan, "", published),
        Law("plants keep a part of what they fix", "NPP / GPP", share, np.nan, most, "1", np.nan, "", published),
    ]


def _of_maps(flat: Maps, cube: xr.Dataset, inventories: bool) -> list[Law]:
    """Compare the maps with each other, with the soil below and with the cover above."""
    area, cover = cube["cell_area"].compute(), commonest(cube["land_cover"]).compute()
    npp, rs, rh = (flat[flux] for flux in ("npp", "rs", "rh"))
    respired = rh.notnull()
    ratio = float((rh * area).sum() / (rs.where(respired) * area).sum())
    microbes = ("microbes are a part of the soil", "Rh / Rs", ratio, 0.0, 1.0, "1")
    laws = [Law(*microbes, _share(rh > rs, respired, area), "area", "by definition")]
    if inventories:
        laws += _of_inventories(flat["nep"], cube, area, cover)
    for name, flux in (("NPP", npp), ("Rs", rs)):
        for kind, classes in BARE.items():
            there = flux.notnull() & cover.isin(classes)
            if bool(there.any()):
                mean, share = (
                    budget(flux.where(there), area)["mean_gC_m2_yr"],
                    _share(flux > BARE_FLUX[name], there, area),
                )
                law = f"little lives on {kind}"
                source_of = "IGBP: plants on a tenth at most"
                laws.append(Law(law, name, mean, 0.0, BARE_FLUX[name], _FLUX, share, "area", source_of))
    return laws


def _of_inventories(nep: xr.DataArray, cube: xr.Dataset, area: xr.DataArray, cover: xr.DataArray) -> list[Law]:
    """Compare NEP with what two inventories of the plateau's soil found, and with the carbon that the soil has."""
    within = nep.notnull()
    grass = within & (cover == GRASSLAND)
    source = within & (nep < 0) & cube["soc"].notnull().compute()
    years = (1000 * cube["soc"].compute() / -nep).where(source)
    lost = budget(nep.where(grass), area)["mean_gC_m2_yr"]
    shows = ("a source of carbon shows in the soil", "NEP of grassland", lost, INVENTORY_LOSS, np.nan, _FLUX)
    outlasts = ("soil carbon outlasts the inventories", "years until a source has used it up, median")
    outlasts += (_median(years, area), INVENTORY_YEARS, np.nan, "yr")
    found = "Yang et al. 2009, inventories of the 1980s and 2004"
    return [
        Law(*shows, _share(nep < INVENTORY_LOSS, grass, area), "area", found),
        Law(*outlasts, _share(years < INVENTORY_YEARS, within, area), "area", found),
    ]


def _share(cells: xr.DataArray, among: xr.DataArray, area: xr.DataArray) -> float:
    """Return the share of some cells in the area of others, NaN where there are none."""
    return float(area.where(cells & among).sum()) / whole if (whole := float(area.where(among).sum())) else np.nan


def _of_towers(towers: pd.DataFrame) -> list[Law]:
    """Compare the cells of towers with what the towers measured."""
    rows = []
    for law, bounds, (flux, measured), (low, high) in (
        ("plants keep no more than they fix", "NPP / GPP at towers", ("npp", "gpp"), (np.nan, 1.0)),
        ("plants keep a part of what they fix", "NPP / GPP at towers", ("npp", "gpp"), NPP_SHARE),
        ("the soil is a part of the ecosystem", "Rs / Reco at towers", ("rs", "reco"), (0.0, 1.0)),
    ):
        ratio = (towers[f"cell_{flux}_gC_m2_yr"] / towers[f"{measured}_gC_m2_yr"]).dropna()
        breach, median = float(((ratio < low) | (ratio > high)).mean()), float(ratio.median())
        rows.append(Law(law, f"{bounds}, median", median, low, high, "1", breach, "sites", "FLUXNET2015"))
    return rows


def _median(values: xr.DataArray, weight: xr.DataArray) -> float:
    """Return the median of a map weighted by area, NaN where it has no value."""
    return float(values.weighted(weight).quantile(0.5))
