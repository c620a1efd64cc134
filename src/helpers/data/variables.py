"""The unit, the names and the plausible range of every variable, once for readers, cube and virtual world."""

from collections.abc import Mapping
from typing import NamedTuple

import xarray as xr


class Variable(NamedTuple):
    """Unit and names of a variable; values outside `low` to `high` are taken for a mistake in units."""

    units: str
    long_name: str
    standard_name: str = ""
    low: float = float("-inf")
    high: float = float("inf")


_NPP = "net_primary_productivity_of_biomass_expressed_as_carbon"
_RH = "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_heterotrophic_respiration"
#: By the name in a dataset. The ranges of the predictors are physical; fluxes have none here.
VARIABLES: Mapping[str, Variable] = {
    # the predictors, in a cube
    "precipitation": Variable("mm yr-1", "annual precipitation", "lwe_precipitation_rate", 0, 13_000),
    "temperature": Variable("degC", "mean annual air temperature", "air_temperature", -60, 40),
    "srad": Variable(
        "W m-2", "mean downward shortwave radiation", "surface_downwelling_shortwave_flux_in_air", 20, 400
    ),
    "land_cover": Variable("1", "land cover, IGBP class", "area_type", 1, 17),
    "elevation": Variable("m", "elevation above sea level", "surface_altitude", -500, 9000),
    "lai": Variable("1", "leaf area index", "leaf_area_index", 0, 12),
    "npp_modis": Variable("g m-2 yr-1", "net primary productivity as carbon", _NPP, -3000, 4000),
    "soc": Variable("kg m-2", "soil organic carbon stock", "soil_mass_content_of_carbon", 0, 300),
    # fluxes
    "npp": Variable("g m-2 yr-1", "net primary productivity as carbon", _NPP),
    "rs": Variable("g m-2 yr-1", "soil respiration as carbon"),
    "rh": Variable("g m-2 yr-1", "heterotrophic respiration as carbon", _RH),
    "nep": Variable("g m-2 yr-1", "net ecosystem productivity as carbon"),
    # what predictors are derived from
    "fapar": Variable("1", "mean yearly maximum fraction of absorbed photosynthetically active radiation"),
    "psnnet": Variable("g m-2 d-1", "net photosynthesis as carbon, monthly mean"),
}


def units_in_print(name: str, units: str) -> str:
    """Return the units of a map as people read them: a mass of carbon says so, which CF leaves to the map's name.

    Examples
    --------
    >>> units_in_print("soc", "kg m-2"), units_in_print("snow", "kg m-2")
    ('kg C m-2', 'kg m-2')
    """
    of_carbon = name in VARIABLES and "carbon" in VARIABLES[name].long_name
    return units.replace("g m-2", "g C m-2") if of_carbon else units


def described(field: xr.DataArray, name: str, **attributes: object) -> xr.DataArray:
    """Return a field under the name of a variable of :data:`VARIABLES`, with that variable's attributes and no others.

    The values are in the variable's unit. Further attributes stand beside the variable's own, or in their place; empty
    ones are left out.

    Examples
    --------
    >>> described(xr.DataArray(1.5, attrs={"scale": 10}), "lai", source="fapar_max").attrs
    {'units': '1', 'long_name': 'leaf area index', 'standard_name': 'leaf_area_index', 'source': 'fapar_max'}
    """
    own = dict(zip(("units", "long_name", "standard_name"), VARIABLES[name], strict=False))
    field = field.rename(name)
    field.attrs = {key: value for key, value in (own | attributes).items() if value != ""}
    return field
