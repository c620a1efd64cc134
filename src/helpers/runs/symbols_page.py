"""The page of symbols and units: what stands in equations, figures and tables, and what the code calls it.

Maps have their words and units from :mod:`helpers.data.variables`, their names in figures and the units of tables from
:mod:`helpers.names`. What stands in equations alone is listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from helpers.data.variables import VARIABLES, units_in_print
from helpers.names import FLUX_UNITS, NO_BREAK, TOTAL_UNITS, UNITS, choice_name, flux_name, pretty_units
from helpers.runs.provenance_page import markdown_table


class Symbol(NamedTuple):
    """A row of the page; ``units`` as :func:`helpers.names.pretty_units` reads them, the rest Markdown."""

    symbol: str
    named: str  #: in figures and tables
    meaning: str
    units: str
    code: tuple[str, ...]
    where: str


_DATA, _METHODS, _SURE = "[](data.md)", "[](methods.md)", "[](uncertainty.md)"
#: Symbol of each map, and where it is defined.
_MAPS = {
    "precipitation": ("$P$", "{eq}`eq-npp-forest`"),
    "temperature": ("$T$", "{eq}`eq-npp-forest`"),
    "srad": ("SRAD", "{eq}`eq-npp-forest`"),
    "land_cover": ("LULC", "{eq}`eq-npp-forest`"),
    "elevation": ("DEM", "{eq}`eq-npp-forest`"),
    "lai": ("LAI", "{eq}`eq-npp-forest`"),
    "npp_modis": (r"$\mathrm{NPP}_\mathrm{modis}$", "{eq}`eq-npp-forest`"),
    "soc": ("SOC", "{eq}`eq-rs-forest`"),
    "npp": ("NPP", "{eq}`eq-npp-forest`"),
    "rs": ("Rs, $R_s$", "{eq}`eq-rs-forest`"),
    "rh": ("Rh, $R_h$", "{eq}`eq-rs-rh`"),
    "nep": ("NEP", "{eq}`eq-nep`"),
    "fapar": ("fAPAR, $f$", _DATA),
    "psnnet": ("PsnNet", _DATA),
}
_FLUXES, _UNSEEN = ("npp", "rs", "rh", "nep"), ("fapar", "psnnet")
_BALANCE = (
    Symbol("$F_i$", "", "a flux in cell $i$", FLUX_UNITS, _FLUXES, _METHODS),
    Symbol("$A_i$", "", "area of cell $i$, if it is valid: if all predictors are there", UNITS["Mkm2"], (), _METHODS),
    Symbol(r"$\sum_i A_i$", "area", "valid area", UNITS["Mkm2"], ("valid_area_Mkm2",), _METHODS),
    Symbol(r"$\bar F$", "mean", "mean of a flux over the valid area", FLUX_UNITS, ("mean_gC_m2_yr",), _METHODS),
    Symbol(r"$F_\text{total}$", "total", "its sum over the valid area", TOTAL_UNITS, ("total_TgC_yr",), _METHODS),
    Symbol("$q$", "", "share of Rs that is Rh, where a run takes one", "1", ("rs_rh_line",), _METHODS),
)
_SCORES = (
    Symbol("$O_i$", "", "observation $i$", "of the target", (), _METHODS),
    Symbol("$P_i$", "", "prediction for it; not precipitation", "of the target", (), _METHODS),
    Symbol("$n$", "records", "number of pairs of the two", "1", ("n",), _METHODS),
    Symbol("PBIAS", "PBIAS", "percent bias, negative where predictions are too low", "%", ("pbias",), "{eq}`eq-pbias`"),
    Symbol("RMSE", "RMSE", "root mean square error", "of the target", ("rmse",), "{eq}`eq-rmse`"),
    Symbol("MAPE", "MAPE", "mean absolute percentage error", "%", ("mape",), "{eq}`eq-mape`"),
    Symbol("$r$", "r", "correlation", "1", ("r",), "{eq}`eq-r`"),
    Symbol("*R*²", "R²", "share of the variance that is explained", "1", ("r2_explained",), _METHODS),
    Symbol("$r^2$", "r2 correlation", "square of the correlation", "1", ("r2_correlation",), "{eq}`eq-r`"),
)
_SURENESS = (
    Symbol("", "interval level", "probability that an interval is to hold", "1", ("interval_level",), _SURE),
    Symbol("", "low, high", "ends of an interval", FLUX_UNITS, ("low_gC_m2_yr", "high_gC_m2_yr"), _SURE),
    Symbol("", "sd", "standard deviation of the draws", FLUX_UNITS, ("sd_gC_m2_yr",), _SURE),
    Symbol("", "draws that are sinks", "share of the draws with NEP above zero", "1", ("sink_probability",), _SURE),
    Symbol("$W$", "W", "distance between two distributions of distances", "km", ("wasserstein_km",), _SURE),
)
_FORESTS = (
    Symbol("ntree", "trees", "number of trees of a forest", "1", ("n_trees",), _METHODS),
    Symbol("mtry", "NPP mtry", "predictors tried at each split", "1", ("npp_mtry", "rs_mtry"), _METHODS),
    Symbol("nodesize", "nodesize", "a node of so many records is not split", "1", ("nodesize",), _METHODS),
)
#: What the units of tables mean, by their codes.
UNITS_IN_WORDS = {
    "gC_m2_yr": "grams of carbon per square metre and year",
    "ln_gC_m2_yr": "natural logarithm of that number",
    "TgC_yr": "teragrams of carbon per year; 1 Tg is a million tonnes",
    "TgC_yr2": "the change of that from one year to the next",
    "Mkm2": "million square kilometres; 1 g m⁻² on each of them is 1 Tg",
    "km": "kilometres",
    "percent": "parts of a hundred",
    "seconds": "seconds",
    "mb": "megabytes",
    "GB": "gigabytes",
}


def symbols() -> dict[str, list[Symbol]]:
    """Return the rows of the page, by the title of their part."""
    return {
        "Maps and fluxes": list(_of_maps()),
        "The balance": list(_BALANCE),
        "Scores": list(_SCORES),
        "Uncertainty": list(_SURENESS),
        "Forests": list(_FORESTS),
    }


def _of_maps() -> Iterator[Symbol]:
    """Yield the row of each variable."""
    for key, variable in VARIABLES.items():
        symbol, where = _MAPS[key]
        meaning = flux_name(key) if key in _FLUXES else variable.long_name.replace(" as carbon", "")
        units = units_in_print(key, variable.units)
        units = f"class {variable.low} to {variable.high}" if key == "land_cover" else units
        yield Symbol(symbol, "" if key in _UNSEEN else choice_name(key), meaning, units, (key,), where)


def symbols_page() -> str:
    """Return the tables of the page as Markdown."""
    head = ("symbol", "in figures and tables", "meaning", "unit", "in the code", "where")
    parts = []
    for title, rows in symbols().items():
        told = [
            (row.symbol, row.named, row.meaning, _unbroken(row.units) or "1", _coded(row.code), row.where)
            for row in rows
        ]
        parts += [f"## {title}", markdown_table(head, told)]
    units = [(_unbroken(UNITS[key]), _coded((f"_{key}",)), words) for key, words in UNITS_IN_WORDS.items()]
    told = "A column of a table has its unit at the end of its name."
    parts += ["## Units in names of columns", told, markdown_table(("unit", "ends with", "meaning"), units)]
    return "\n\n".join(parts)


def _unbroken(units: str) -> str:
    return pretty_units(units).replace(" ", NO_BREAK)


def _coded(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
