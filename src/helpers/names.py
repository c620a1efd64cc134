"""The names that figures and tables show, and their units: the one place where a key of the code becomes words.

Land-cover classes have their words in :data:`helpers.data.land_cover.IGBP_CLASSES`; a map has its units in its
attributes.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from helpers.data.land_cover import IGBP_CLASSES

T = TypeVar("T")

FLUX_UNITS = "g C m-2 yr-1"
TOTAL_UNITS = "Tg C yr-1"
#: Units, by the codes that tables have in their headers and in their column ``unit``.
UNITS = {"gC_m2_yr": FLUX_UNITS, "ln_gC_m2_yr": "ln(g C m-2 yr-1)", "percent": "%"}

_PREDICTORS = {
    "srad": "shortwave radiation",
    "lai": "leaf area index",
    "npp_modis": "NPP of MODIS",
    "soc": "soil organic carbon",
}
_PRODUCTS = {"random_forest": "Random forest", "miami": "Miami", "raich": "Raich 2002", "truth": "truth"}
_SCHEMES = {
    "random": "random folds",
    "site": "leave site out",
    "knndm": "distance-matched (kNNDM)",
    "region": "leave region out",
}
_SOURCES = {
    "sites": "sites",
    "forest": "forest seed",
    "form": "model form",
    "regional": "regional error of the maps",
    "line": "share of Rs that is Rh",
    "line_scatter": "regional scatter of that share",
    "smearing": "back-transformation factors",
    "all": "all together",
}
_METRICS = {"r": "correlation r", "r2_explained": "R², share explained", "rmse": "RMSE", "pbias": "PBIAS"}
_METRIC_UNITS = {"r": "1", "r2_explained": "1", "pbias": "percent"}  # RMSE has the unit of its target
_FLUXES = {
    "npp": "net primary production",
    "rs": "soil respiration",
    "rh": "heterotrophic respiration",
    "nep": "net ecosystem production, + is a sink",
}
_SHORT = {"npp": "NPP", "rs": "Rs", "rh": "Rh", "nep": "NEP", "soc": "SOC", "2500m": "2500 m", "3000m": "3000 m"}


def pretty_units(units: str) -> str:
    """Return CF units with raised exponents, as a reader expects them.

    Examples
    --------
    >>> pretty_units("g C m-2 yr-1")
    'g C m⁻² yr⁻¹'
    >>> pretty_units("degC"), pretty_units("1")
    ('°C', '')
    """
    if units in {"1", ""}:
        return ""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(r"(?<=[A-Za-z])-?\d+", lambda found: found[0].translate(raised), units.replace("degC", "°C"))


def with_units(name: str, units: str) -> str:
    """Return a label with its units in brackets; without brackets for a quantity of dimension one.

    Examples
    --------
    >>> with_units("NPP", "g C m-2 yr-1"), with_units("leaf area index", "1")
    ('NPP [g C m⁻² yr⁻¹]', 'leaf area index')
    """
    shown = pretty_units(units)
    return f"{name} [{shown}]" if shown else name


def source_to_sink(units: str) -> str:
    """Return the label of an axis of NEP, which says on which side the source is and on which the sink."""
    return f"← source     {with_units('NEP', units)}     sink →"


def predictor_name(name: str) -> str:
    """Return a predictor's name in words, such as ``shortwave radiation``; an unknown one as it is, with spaces."""
    return _PREDICTORS.get(name, name.replace("_", " "))


def product_name(product: str) -> str:
    """Return the name of a product, such as ``Random forest``; that of an unknown one in capitals."""
    return _PRODUCTS.get(product, product.upper().replace("_", "-"))


def by_product_name(products: Mapping[str, T]) -> dict[str, T]:
    """Return maps, or whatever there is per product, by :func:`product_name` in place of the key."""
    return {product_name(product): value for product, value in products.items()}


def scheme_name(scheme: str, part: str = "all") -> str:
    """Return the name of a scheme of :func:`mapforest.validation.validate`, and of its part where it has several.

    Examples
    --------
    >>> scheme_name("random_split", "verification"), scheme_name("block_250_km"), scheme_name("knndm")
    ('random split: verification', 'blocks of 250 km', 'distance-matched (kNNDM)')
    """
    if scheme.startswith("block_"):
        return f"blocks of {scheme.split('_')[1]} km"
    name = _SCHEMES.get(scheme, scheme.replace("_", " "))
    return name if part == "all" else f"{name}: {part}"


def metric_label(metric: str, unit: str) -> str:
    """Return the label of a metric of :func:`mapforest.metrics.scores`, with units; an unknown metric stays as it is.

    ``unit`` is that of the target, which RMSE has too: a key of :data:`UNITS`.

    Examples
    --------
    >>> metric_label("rmse", "gC_m2_yr"), metric_label("pbias", "gC_m2_yr"), metric_label("r", "gC_m2_yr")
    ('RMSE [g C m⁻² yr⁻¹]', 'PBIAS [%]', 'correlation r')
    """
    own = _METRIC_UNITS.get(metric, unit)
    return with_units(_METRICS.get(metric, metric), UNITS.get(own, own))


def source_name(source: str) -> str:
    """Return the name of a source of uncertainty, see :data:`helpers.balance.draws.SOURCES`."""
    return _SOURCES.get(source, source.replace("_", " "))


def choice_name(name: str) -> str:
    """Return a parameter of a sweep, or one of its values, in words, such as ``NPP mtry``."""
    return _PREDICTORS.get(name) or " ".join(_SHORT.get(part, part) for part in name.split("_"))


def class_name(number: float) -> str:
    """Return the name of a land-cover class of IGBP; ValueError is raised if there is no such class."""
    if number not in IGBP_CLASSES:
        raise ValueError(
            f"land_cover: expected an IGBP class from {min(IGBP_CLASSES)} to {max(IGBP_CLASSES)}, found {number:g}; "
            "check the legend of the source"
        )
    return IGBP_CLASSES[int(number)]


#: In whose area of applicability a cell lies; a map holds the places in this list: 1 for NPP's forest, plus 2 for Rs.
APPLICABILITY = ("neither forest", "the NPP forest only", "the Rs forest only", "both forests")


def flux_name(flux: str) -> str:
    """Return what the letters of a flux stand for, and for NEP what its sign means.

    Examples
    --------
    >>> flux_name("rs"), flux_name("nep")
    ('soil respiration', 'net ecosystem production, + is a sink')
    """
    return _FLUXES[flux]
