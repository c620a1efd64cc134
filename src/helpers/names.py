"""The names that figures and tables show, and their units: the one place where a key of the code becomes words.

A column of a table has its unit at the end of its key, such as ``mean_gC_m2_yr``: :func:`split_unit`. Land-cover
classes have their words in :data:`helpers.data.land_cover.IGBP_CLASSES`; a map has its units in its attributes.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from helpers.data.land_cover import IGBP_CLASSES

T = TypeVar("T")

FLUX_UNITS = "g C m-2 yr-1"
TOTAL_UNITS = "Tg C yr-1"
#: Units, by the codes that tables have in their headers and in their column ``unit``.
UNITS = {
    **{"gC_m2_yr": FLUX_UNITS, "ln_gC_m2_yr": "ln(g C m-2 yr-1)", "TgC_yr": TOTAL_UNITS, "TgC_yr2": "Tg C yr-2"},
    **{"Mkm2": "million km2", "km": "km", "percent": "%", "seconds": "s", "mb": "MB", "GB": "GB"},
}
NO_BREAK = "\N{NO-BREAK SPACE}"

_PREDICTORS = {
    "srad": "shortwave radiation",
    "lai": "leaf area index",
    "npp_modis": "NPP of MODIS",
    "soc": "soil organic carbon",
}
_PRODUCTS = {
    **{"random_forest": "Random forest", "miami": "Miami", "raich": "Raich 2002", "truth": "truth"},
    **{"random_forest_out_of_bag": "Random forest, out of bag", "mean_of_products": "mean of the products"},
    **{"mean_of_three": "mean of the three", "difference_percent": "forest better than the mean by [%]"},
}
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
#: What is not known where a source of uncertainty is large.
_SOURCE_QUESTIONS = {
    "sites": "which sites happen to be there",
    "forest": "which trees a seed grows",
    "form": "which kind of model is fitted",
    "regional": "by how much whole regions of a map are off",
    "line": "which part of Rs is Rh",
    "line_scatter": "how that part differs from place to place",
    "smearing": "how a mean of logarithms becomes a mean",
}
_METRICS = {"r": "correlation r", "r2_explained": "R², share explained", "rmse": "RMSE", "pbias": "PBIAS"}
_METRIC_UNITS = {"r": "1", "r2_explained": "1", "pbias": "percent"}  # RMSE has the unit of its target
_QUANTITIES = {"npp": "NPP", "rs": "Rs", "rh": "Rh", "nep": "NEP", "gpp": "GPP", "reco": "Reco", "rs_rh": "Rs and Rh"}
_SITE_CHOICES = {
    **{"region": "the region", "surroundings": "its surroundings"},
    **{"rows": "each record", "site_mean": "mean of a site", "site_median": "median of a site"},
}
#: Plans for new plots, see :mod:`mapforest.designs`.
_DESIGNS = {
    **{"strata": "random strata", "coverage": "coverage of the predictors", "variance": "variance of the mean"},
    **{"disagreement": "disagreement of models", "near_sites": "habit: near sites", "low_ground": "habit: low ground"},
    **{"none": "no new plots", "at_random": "at random by area"},
}
#: Kinds of distances beside those of schemes, see :func:`mapforest.folds.distance_table`.
_DISTANCES = {"sample to sample": "between records", "prediction to sample": "from the map's cells"}
_PARTS = {"region": "all predicted land", "inside": "map may be used", "outside": "elsewhere"}
#: Heads of columns whose key, with spaces, says too little; without units.
_HEADINGS = {
    **{"n": "records", "n_rows": "rows", "n_sites": "sites", "n_records": "records", "n_draws": "draws"},
    **{"n_years": "years", "n_left_out": "years left out", "n_npp": "rows of NPP", "n_rs": "rows of Rs"},
    **{"n_trees": "trees", "n_region": "in the region", "n_surroundings": "in its surroundings"},
    **{"sites_region": "sites in the region", "mean_region": "mean in the region", "variable": "flux"},
    **{"meaning": "what it is", "excluded": "left out", "republication_of": "repeats"},
    **{"wrongly_left_out": "left out wrongly", "training_domain": "sites of", "aggregation": "a row is"},
    **{"valid_area": "area", "common_area": "area", "common_mean": "mean", "common_total": "total"},
    **{"r2": "R²", "r2_explained": "R²", "r": "r", "rmse": "RMSE", "pbias": "PBIAS", "mape": "MAPE"},
    **{"recalibrated_coverage": "coverage, recalibrated", "recalibrated_mean_width": "width, recalibrated"},
    **{"mean_width": "width", "wasserstein": "W", "median": "median distance", "kind": "distances"},
    **{"inside_share": "area inside", "usable_share": "usable area", "median_density": "density inside"},
    **{"class_without_site_share": "area of classes without a site", "chosen": "ours", "of_the_run": "the run's"},
    **{"map_mean": "mean of the map", "mean_without": "mean without", "change": "change of the mean"},
    **{"npp_sd": "sd of NPP", "rh_sd": "sd of Rh", "nep_sd": "sd of NEP", "residual_sd": "sd of residuals"},
    **{"nep_variance_share": "share of the variance", "sink_probability": "draws that are sinks"},
    **{"low_without": "low end without it", "high_without": "high end without it", "moved": "an end moves by"},
    **{"sink_share": "draws that are sinks", "sink_share_without": "draws that are sinks, without it"},
    **{"nep_inside": "NEP in the interval", "bounds": "of what"},
    **{"breach_share": "in breach", "breach_of": "of the", "holds": "holds?", "agrees": "agree?"},
    **{"nep_total": "total NEP", "nep_change": "change of the total", "where": "judged in"},
    **{"missing": "without a predictor", "filled": "can be filled", "sen_slope": "slope", "p_value": "p"},
    **{"partition_ratio": "ratio of the two ways", "nep_tower": "NEP of the tower", "read": "what was read"},
    **{"wall": "time", "cpu": "processor time", "peak": "peak memory"},
    **{"n_worlds": "worlds", "mae": "mean absolute error", "difference": "less that of random strata"},
    **{"width_ratio": "width, as a share of before", "foretold_ratio": "width foretold"},
    "width_share": "width, as a share of before",
    **{"ratio": "times as fast", "wall_ratio": "time, as a share of the first"},
    **{"cpu_ratio": "processor time, as a share of the first", "calibration": "time of a fixed loop"},
}
_SHORT = {
    **{key: word for key, word in _QUANTITIES.items() if "_" not in key},
    **{"soc": "SOC", "2500m": "2500 m", "3000m": "3000 m"},
}
_FLUXES = {
    "npp": "net primary production",
    "rs": "soil respiration",
    "rh": "heterotrophic respiration",
    "nep": "net ecosystem production, + is a sink",
}


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


def split_unit(column: str) -> tuple[str, str]:
    """Return a column's key without its unit, and the unit's own key of :data:`UNITS`; that is empty without one.

    Examples
    --------
    >>> split_unit("total_low_TgC_yr"), split_unit("sink_share"), split_unit("TgC_yr")
    (('total_low', 'TgC_yr'), ('sink_share', ''), ('', 'TgC_yr'))
    """
    for unit in sorted(UNITS, key=len, reverse=True):
        if column == unit or column.endswith(f"_{unit}"):
            return column.removesuffix(unit).removesuffix("_"), unit
    return column, ""


def heading(column: str) -> str:
    """Return the head of a table's column: words, and units that no line break divides.

    Examples
    --------
    >>> heading("common_mean_gC_m2_yr").replace(NO_BREAK, "_"), heading("npp_mtry"), heading("conflict")
    ('mean [g_C_m⁻²_yr⁻¹]', 'NPP mtry', 'conflict')
    """
    key, unit = split_unit(column)
    words = _HEADINGS.get(key) or choice_name(key)
    return with_units(words, UNITS[unit].replace(" ", NO_BREAK)) if unit else words


def value_in_words(column: str, value: str) -> str:
    """Return a text of a table as words, where it is a key of the code; any other text stays as it is.

    Examples
    --------
    >>> value_in_words("covariate", "srad"), value_in_words("flux", "npp"), value_in_words("scheme", "knndm")
    ('shortwave radiation', 'NPP', 'distance-matched (kNNDM)')
    >>> value_in_words("unit", "gC_m2_yr").replace(NO_BREAK, "_"), value_in_words("reason", "as read")
    ('g_C_m⁻²_yr⁻¹', 'as read')
    """
    words = {
        **dict.fromkeys(("covariate", "predictor"), predictor_name),
        **dict.fromkeys(("variable", "flux", "quantity", "forest"), lambda key: _QUANTITIES.get(key.lower(), key)),
        **dict.fromkeys(("training_domain", "aggregation"), lambda key: _SITE_CHOICES.get(key, key)),
        **dict.fromkeys(("parameter", "term"), lambda key: " × ".join(map(choice_name, key.split(" x ")))),
        "unit": lambda key: pretty_units(UNITS.get(key, key)).replace(" ", NO_BREAK),
        "part": lambda key: _PARTS.get(key, key),
        "kind": distance_name,
        "design": design_name,
        "scheme": scheme_name,
        "source": source_name,
        "arithmetic": _as_printed,
    }
    return words[column](value) if column in words else value


def _as_printed(arithmetic: str) -> str:
    """Return a line of arithmetic with the signs of print."""
    for sign, printed in {" - ": " \N{MINUS SIGN} ", " x ": " × ", "^2": "²"}.items():
        arithmetic = arithmetic.replace(sign, printed)
    return arithmetic


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


def distance_name(kind: str) -> str:
    """Return the name of a kind of distances of :func:`mapforest.folds.distance_table`; that of a scheme as it is.

    Examples
    --------
    >>> distance_name("prediction to sample"), distance_name("random folds")
    ("from the map's cells", 'random folds')
    """
    return _DISTANCES.get(kind, kind)


def design_name(design: str) -> str:
    """Return the name of a design or habit of :mod:`mapforest.designs`, such as ``random strata``."""
    return _DESIGNS.get(design, design.replace("_", " "))


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


def source_question(source: str) -> str:
    """Return in words what is not known where a source of uncertainty is large; nothing for one that is not known.

    Examples
    --------
    >>> source_question("form"), source_question("weather")
    ('which kind of model is fitted', '')
    """
    return _SOURCE_QUESTIONS.get(source, "")


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
