"""Which other unit the values of a table may be in."""

import math

#: Ratio of a value in another unit to the same flux in g C m-2 yr-1, and the way back; the most usual first.
UNITS = (
    (1 / 100, "t C ha-1 yr-1 (multiply by 100)"),
    (1 / 1000, "kg C m-2 yr-1 (multiply by 1000)"),
    (1 / 365, "g C m-2 d-1 (multiply by 365)"),
    (1 / 45, "t dry matter ha-1 yr-1 (multiply by 45 for herbs, 50 for wood)"),
    (1 / 10, "a tenth of the unit (multiply by 10)"),
    (1 / 0.5, "g dry matter m-2 yr-1 (multiply by 0.5 for wood)"),
    (1 / 0.45, "g dry matter m-2 yr-1 (multiply by 0.45 for herbs)"),
    (44 / 12, "g CO2 m-2 yr-1 (multiply by 12/44)"),
    (10, "kg C ha-1 yr-1 (divide by 10)"),
    (100, "100 times the unit (divide by 100)"),
    (1000, "mg C m-2 yr-1 (divide by 1000)"),
)
#: Medians of the records of the open databases that pass quality control, g C m-2 yr-1, rounded.
TYPICAL = {"npp": 430.0, "rs": 690.0, "rh": 430.0}
#: Medians of two honest sets of records, of a desert and of a forest say, seldom differ by more than this factor.
HONEST_FACTOR = 5.0


def fitting_units(ratio: float, tolerance: float) -> list[str]:
    """Return the units whose ratio is that of a table's median to the usual one, within a factor.

    Examples
    --------
    >>> fitting_units(0.0101, 1.1)
    ['t C ha-1 yr-1 (multiply by 100)']
    >>> fitting_units(1.0, 1.5)
    []
    """
    return [unit for of_unit, unit in UNITS if abs(math.log(ratio / of_unit)) <= math.log(tolerance)]
