"""The words that figures and tables show for the keys of the code."""

from __future__ import annotations

import pytest

from helpers import names


@pytest.mark.parametrize(
    ("word", "key", "expected"),
    [
        (names.predictor_name, "srad", "shortwave radiation"),
        (names.predictor_name, "land_cover", "land cover"),
        (names.product_name, "casa_cnp", "CASA-CNP"),
        (names.product_name, "random_forest", "Random forest"),
        (names.product_name, "brand_new", "BRAND-NEW"),
        (names.source_name, "line_scatter", "regional scatter of that share"),
        (names.source_name, "brand_new", "brand new"),
        (names.choice_name, "npp_mtry", "NPP mtry"),
        (names.choice_name, "above_2500m", "above 2500 m"),
        (names.choice_name, "lai", "leaf area index"),
        (names.class_name, 10.0, "grassland"),
        (names.heading, "wall_ratio", "time, as a share of the first"),
        (names.heading, "cpu_ratio", "processor time, as a share of the first"),
        (names.heading, "ratio", "times as fast"),
        (names.heading, "sink_share", "draws that are sinks"),
        (names.heading, "sink_share_without", "draws that are sinks, without it"),
        (names.heading, "bounds", "of what"),
        (names.distance_name, "sample to sample", "between records"),
        (names.distance_name, "leave site out", "leave site out"),
    ],
)
def test_a_key_becomes_words(word, key, expected):
    assert word(key) == expected


def test_a_class_that_igbp_lacks_is_refused():
    with pytest.raises(ValueError, match="expected an IGBP class from 1 to 17, found 18"):
        names.class_name(18)
