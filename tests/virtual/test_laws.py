"""The table of the virtual plateau's parameters."""

from __future__ import annotations

from dataclasses import fields

from worlds import fields_of

from helpers.data.land_cover import IGBP_CLASSES, WATER
from helpers.virtual.laws import COVER_LAWS, Laws


def test_every_parameter_has_unit_and_source_and_travels_with_the_truth() -> None:
    truth = fields_of().truth
    for law in fields(Laws):
        assert law.metadata["units"] and len(law.metadata["source"]) > 5
        assert truth.attrs[f"law_{law.name}"] == law.default


def test_every_class_but_water_has_a_law() -> None:
    assert set(COVER_LAWS) == set(IGBP_CLASSES) - {WATER}
