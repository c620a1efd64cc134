"""The table of the virtual plateau's parameters."""

from __future__ import annotations

from worlds import fields_of

from helpers.data.land_cover import IGBP_CLASSES, WATER
from helpers.virtual.laws import COVER_LAWS, law_table


def test_every_parameter_has_unit_and_source_and_travels_with_the_truth() -> None:
    table, truth = law_table(), fields_of().truth
    assert (table["units"].str.len() > 0).all()
    assert (table["source"].str.len() > 5).all()
    for row in table.itertuples():
        assert truth.attrs[f"law_{row.parameter}"] == row.value


def test_every_class_but_water_has_a_law() -> None:
    assert set(COVER_LAWS) == set(IGBP_CLASSES) - {WATER}
