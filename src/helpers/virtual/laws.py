"""The numbers of the virtual plateau: one table of parameters, each with unit and source.

They were fixed from published laws and ranges before any map or budget of the virtual world was looked at, and are not
fitted to the paper's results. Two corrections followed the first maps, both physical: the clear-sky model was replaced
(the first one gave more light than the sun sends, above 4000 m), and leaf area got a ceiling. "Choice" marks a number
inside a plausible range that no single paper gives.

The hidden fields make worlds of different seeds differ: over nine seeds (every third year) the true sink of the plateau
ran from 20 to 51 Tg C yr-1, mean 35. That some seed comes near the paper's 22.3 is chance, and no evidence.
"""

from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple


def _law(value: float, units: str, source: str) -> float:
    return field(default=value, metadata={"units": units, "source": source})


@dataclass(frozen=True)
class Laws:
    """Every parameter of the virtual world that is one number, each with its unit and its source."""

    # temperature
    sea_level_mean: float = _law(14.97, "degC", "North et al. 1981, zonal mean at sea level, Legendre degree 0")
    sea_level_p2: float = _law(-28.0, "degC", "North et al. 1981, Legendre degree 2")
    lapse_rate: float = _law(4.8, "K km-1", "Wang et al. 2011, 106 stations of the plateau")
    warming: float = _law(0.03, "K yr-1", "0.3 K per decade: Zeng et al. 2023, study area")
    reference_year: float = _law(2009.0, "yr", "choice: the mid-year of 2000-2018")
    temperature_place_sd: float = _law(0.6, "K", "choice: scatter of station means about altitude and latitude")
    temperature_place_range: float = _law(100.0, "km", "choice")
    temperature_year_sd: float = _law(0.5, "K", "choice: interannual deviations at stations are 0.4-0.7 K")
    temperature_year_range: float = _law(600.0, "km", "choice: the size of weather systems")
    # precipitation
    precipitation_corner: float = _law(1200.0, "mm yr-1", "over 1000 mm in the south-east: Zeng et al. 2023")
    precipitation_decay: float = _law(600.0, "km", "Makarieva and Gorshkov 2007, e-folding inland of unforested land")
    precipitation_coast: float = _law(2500.0, "mm yr-1", "choice: ceiling at a sea-level temperature of 25 degC")
    clausius_clapeyron: float = _law(0.065, "K-1", "Held and Soden 2006: 6-7 % more vapour per kelvin")
    precipitation_sharpness: float = _law(3.0, "1", "choice: how sharply ceiling and decay meet")
    orographic_gain: float = _law(0.05, "km m-1", "choice of strength; upslope wind: Roe 2005")
    orographic_limit: float = _law(0.7, "1", "choice: at most a doubling or halving")
    precipitation_place_sd: float = _law(0.15, "1", "choice, lognormal")
    precipitation_place_range: float = _law(150.0, "km", "choice")
    precipitation_year_sd: float = _law(0.12, "1", "choice, lognormal: variation of 10-25 % between years")
    precipitation_year_range: float = _law(400.0, "km", "choice")
    # shortwave radiation
    aerosol_depth: float = _law(0.1, "1", "pvlib's default at 700 nm: clean continental air")
    vapour_at_sea_level: float = _law(2.0, "cm", "choice: precipitable water of the middle latitudes")
    vapour_height: float = _law(2.2, "km", "Reitan 1963: e-folding of water vapour with height")
    cloud_fraction_dry: float = _law(0.35, "1", "choice: annual cloud fraction where it hardly rains")
    cloud_fraction_wet: float = _law(0.85, "1", "choice: annual cloud fraction of the Sichuan basin")
    cloud_precipitation: float = _law(800.0, "mm yr-1", "choice: e-folding from dry to wet")
    cloud_loss: float = _law(0.75, "1", "Kasten and Czeplak 1980, G = G0 (1 - 0.75 N^3.4)")
    cloud_power: float = _law(3.4, "1", "Kasten and Czeplak 1980")
    srad_year_sd: float = _law(0.02, "1", "choice, lognormal")
    srad_year_range: float = _law(400.0, "km", "choice")
    # leaf area index and soil organic carbon
    lai_precipitation: float = _law(500.0, "mm yr-1", "choice: half-dry scale of steppe to meadow")
    lai_temperature: float = _law(-2.0, "degC", "choice: half of the peak as mean of a year")
    lai_temperature_width: float = _law(5.0, "K", "choice")
    lai_place_sd: float = _law(0.2, "1", "choice, lognormal")
    lai_place_range: float = _law(30.0, "km", "choice")
    lai_fertility: float = _law(0.5, "1", "choice: the share of hidden fertility that leaves show")
    lai_ceiling: float = _law(8.0, "1", "choice: denser canopies are rare in Asner et al. 2003")
    soc_scale: float = _law(12.0, "kg C m-2", "Jobbagy and Jackson 2000: 0-1 m, temperate grassland 11.7")
    soc_precipitation: float = _law(400.0, "mm yr-1", "choice; rises with rain: Jobbagy and Jackson 2000")
    soc_temperature: float = _law(-0.03, "K-1", "choice; falls with warmth: Jobbagy and Jackson 2000")
    soc_place_sd: float = _law(0.25, "1", "choice, lognormal")
    soc_place_range: float = _law(50.0, "km", "choice")
    # net primary production
    miami_ceiling: float = _law(3000.0, "g m-2 yr-1", "Lieth 1975, Miami model, dry matter")
    miami_temperature_a: float = _law(1.315, "1", "Lieth 1975")
    miami_temperature_b: float = _law(0.119, "K-1", "Lieth 1975")
    miami_precipitation: float = _law(0.000664, "yr mm-1", "Lieth 1975")
    carbon_share: float = _law(0.45, "g C g-1", "Roy et al. 2001: dry matter to carbon")
    light_half: float = _law(50.0, "W m-2", "choice; production saturates with light")
    light_reference: float = _law(200.0, "W m-2", "choice: light at which the Miami model holds")
    fertility_sd: float = _law(0.25, "1", "choice, lognormal; hidden")
    fertility_range: float = _law(100.0, "km", "choice")
    grazing_loss: float = _law(0.4, "1", "choice: greatest loss; more and less in Milchunas and Lauenroth 1993; hidden")
    grazing_range: float = _law(60.0, "km", "choice")
    fine_sd: float = _law(0.15, "1", "choice, lognormal; slope and soil within a valley; hidden")
    fine_range: float = _law(10.0, "km", "choice")
    legacy_sd: float = _law(0.08, "1", "choice, lognormal; what last year leaves; hidden")
    legacy_range: float = _law(200.0, "km", "choice")
    # soil respiration
    rs_base: float = _law(1.250, "g C m-2 d-1", "Raich et al. 2002")
    rs_temperature: float = _law(0.05452, "K-1", "Raich et al. 2002")
    rs_precipitation: float = _law(4.259, "cm month-1", "Raich et al. 2002")
    seasonal_amplitude: float = _law(12.0, "K", "choice: half the span from January to July")
    rs_soc_power: float = _law(0.25, "1", "choice; sublinear rise with soil carbon")
    rs_soc_reference: float = _law(6.5, "kg C m-2", "Yang et al. 2008, alpine grassland of the plateau, 0-1 m")
    rs_supply_power: float = _law(0.3, "1", "choice; supply by plants: Raich and Schlesinger 1992")
    thaw_sd: float = _law(0.25, "1", "choice, lognormal; wet or thawing frozen ground; hidden")
    thaw_range: float = _law(120.0, "km", "choice")
    # heterotrophic respiration
    rh_slope: float = _law(0.58, "1", "Bond-Lamberty et al. 2018: Rh:Rs from 0.54 to 0.63, middle of the range")
    rh_intercept: float = _law(0.0, "g C m-2 yr-1", "no respiration, no share of it")
    rh_sd: float = _law(0.15, "1", "choice, lognormal scatter about the line; hidden")
    rh_range: float = _law(80.0, "km", "choice")


LAWS: Final = Laws()


class CoverLaw(NamedTuple):
    """Greatest leaf area index [m2 m-2] of a land-cover class, and its share of the NPP of the Miami model [1]."""

    leaf_area: float
    npp_share: float


COVER_LAWS: Final = MappingProxyType(
    {
        1: CoverLaw(5.5, 1.00),
        2: CoverLaw(4.8, 1.00),
        3: CoverLaw(4.6, 1.00),
        4: CoverLaw(5.1, 1.00),
        5: CoverLaw(5.1, 1.00),
        6: CoverLaw(2.1, 0.85),
        7: CoverLaw(1.3, 0.60),
        8: CoverLaw(3.9, 0.95),
        9: CoverLaw(2.5, 0.90),
        10: CoverLaw(1.7, 0.85),
        11: CoverLaw(4.0, 0.90),
        12: CoverLaw(3.6, 0.80),
        13: CoverLaw(1.0, 0.40),
        14: CoverLaw(3.6, 0.85),
        15: CoverLaw(0.0, 0.02),
        16: CoverLaw(0.3, 0.35),
    }
)
"""By IGBP class (:data:`helpers.data.land_cover.IGBP_CLASSES`), without water. LAI is rounded from Asner et al. 2003
(means of biomes; barren, urban and ice are a choice). The shares follow the IGBP definitions by canopy or ground cover
(Loveland and Belward 1997)."""


def law_attributes() -> dict[str, float]:
    """Return the parameters as attributes of a dataset, each name with the prefix ``law_``."""
    return {f"law_{name}": value for name, value in asdict(LAWS).items()}
