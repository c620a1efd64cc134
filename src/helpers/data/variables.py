"""The unit, the names and the plausible range of every variable, once for readers, cube and virtual world."""

from collections.abc import Mapping
from typing import NamedTuple

import xarray as xr


class Variable(NamedTuple):
    """Unit and names of a variable, and what its maps are like; what is beyond is taken for a mistake in units."""

    units: str
    long_name: str
    standard_name: str = ""
    low: float = float("-inf")  #: No value is less.
    high: float = float("inf")  #: No value is more.
    reaches: float = float("-inf")  #: Somewhere on any map of land a value is as high as this.
    usual: tuple[float, float] = (float("-inf"), float("inf"))  #: Of any region's median, but for the strangest lands.


_NPP = "net_primary_productivity_of_biomass_expressed_as_carbon"
_RH = "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_heterotrophic_respiration"
#: By the name in a dataset. The ranges are physical, and those of fluxes wide: they catch units, and judge no model.
VARIABLES: Mapping[str, Variable] = {
    # the predictors, in a cube
    "precipitation": Variable("mm yr-1", "annual precipitation", "lwe_precipitation_rate", 0, 13_000, 5, (50, 3500)),
    "temperature": Variable("degC", "mean annual air temperature", "air_temperature", -60, 40, usual=(-22, 32)),
    "srad": Variable(
        *("W m-2", "mean downward shortwave radiation", "surface_downwelling_shortwave_flux_in_air", 20, 400),
        usual=(70, 320),
    ),
    "land_cover": Variable("1", "land cover, IGBP class", "area_type", 1, 17),
    "elevation": Variable("m", "elevation above sea level", "surface_altitude", -500, 9000, usual=(-50, 6000)),
    "lai": Variable("1", "leaf area index", "leaf_area_index", 0, 12, 0.05, (0.1, 7)),
    "npp_modis": Variable("g m-2 yr-1", "net primary productivity as carbon", _NPP, -3000, 4000, 5, (25, 2500)),
    "soc": Variable("kg m-2", "soil organic carbon stock", "soil_mass_content_of_carbon", 0, 300, 0.05, (0.5, 35)),
    # fluxes
    "npp": Variable("g m-2 yr-1", "net primary productivity as carbon", _NPP, -500, 4000, 5, (10, 2500)),
    "rs": Variable("g m-2 yr-1", "soil respiration as carbon", "", 0, 6000, 5, (30, 3000)),
    "rh": Variable("g m-2 yr-1", "heterotrophic respiration as carbon", _RH, 0, 6000, 5, (10, 2000)),
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


def known_of(name: str) -> Variable:
    """Return what is known of a variable by its name; a product, such as ``rh_mimics``, is its flux.

    Examples
    --------
    >>> known_of("rh_mimics").long_name, known_of("ndvi").low
    ('heterotrophic respiration as carbon', -inf)
    """
    flux = name.split("_")[0]
    unknown = Variable("", name)
    return VARIABLES.get(name) or (VARIABLES.get(flux, unknown) if flux in ("npp", "rs", "rh") else unknown)


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
