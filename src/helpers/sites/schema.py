"""What every site table looks like: its columns, its unit, and the bounds of what is plausible."""

from collections.abc import Callable

import numpy as np
import pandera.pandas as pa

#: ``contains(longitude, latitude)`` tells, for arrays in degrees, which points lie inside the region's boundary.
Contains = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: The unit of every value.
CARBON_UNIT = "g C m-2 yr-1"
#: Plausible annual values, g C m-2 yr-1: above zero and at most this. They are wide, to catch wrong units and not to
#: judge ecology: of SRDB V5's annual values worldwide 99.7 % (Rs), 98.8 % (NPP) and 99.6 % (Rh) lie within them.
BOUNDS = {"npp": 3000.0, "rs": 5000.0, "rh": 3000.0}
#: Least annual values of a table of your own, g C m-2 yr-1. Below them another unit is likely, such as t C ha-1 yr-1:
#: in that the fluxes of the databases are 0.3 to 30. Of their records that pass quality control the least are 40 (NPP),
#: 33 (Rs) and 53 (Rh); of SRDB V5's worldwide 99.1 % (NPP) and 99.7 % (Rs, Rh) are at least these values. The databases
#: themselves are not held to them: their readers know the units.
LOWEST = {"npp": 10.0, "rs": 20.0, "rh": 10.0}
#: A table of observations. Further columns are allowed.
SCHEMA = pa.DataFrameSchema(
    {
        "variable": pa.Column(str, pa.Check.isin(["npp", "rs", "rh"]), description="npp, rs or rh"),
        "site": pa.Column(str, pa.Check.str_length(min_value=1), description="name of the site"),
        "longitude": pa.Column(float, nullable=True, description="degrees east"),
        "latitude": pa.Column(float, nullable=True, description="degrees north"),
        "year": pa.Column(float, nullable=True, description="year of measurement; missing = unknown"),
        "value": pa.Column(float, nullable=True, description="g C m-2 yr-1"),
        "unit": pa.Column(str, description="the unit as published; value is in g C m-2 yr-1 always"),
        "treatment": pa.Column(str, description="'none' = unmanipulated"),
        "quality": pa.Column(str, description="quality flag; empty = none"),
        "vegetation": pa.Column(str, description="formation, or 'formation: detail'"),
        "source": pa.Column(str, description="the database"),
        "reference": pa.Column(str, description="who published it"),
        "in_surroundings": pa.Column(bool),
        "in_region": pa.Column(bool),
        "possible_duplicate": pa.Column(bool),
    },
    strict=False,
    coerce=True,
    name="observations",
)
