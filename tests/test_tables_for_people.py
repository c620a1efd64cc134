"""Tables for people: heads, digits, signs, intervals, and how the wide ones are turned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tables import MINUS, THIN, lettered, number, own_and_common, products_as_rows, schemes_by_model


def column(**values: list) -> list[str]:
    """Return the texts of the first column of a table."""
    return [row[0] for row in lettered(pd.DataFrame(values)).rows]


@given(value=st.floats(-1e7, 1e7), digits=st.integers(0, 4))
def test_a_number_is_read_back_to_the_digits_that_it_shows(value, digits):
    text = number(value, digits)
    assert (
        "-" not in text and abs(float(text.replace(MINUS, "-").replace(THIN, "")) - value) <= 0.500001 * 10.0**-digits
    )


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [
        (-0.04, 1, False, "0.0"),
        (-0.04, 1, True, "0.0"),
        (12345.6, 1, False, f"12{THIN}345.6"),
        (2003, None, False, "2003"),
        (68.06, None, False, "68.06"),
        (255.3, None, False, "255.3"),
        (0.012345, None, False, "0.01235"),
        (-2.13e-13, None, False, f"{MINUS}2.1 × 10⁻¹³"),
        (float("nan"), 1, True, ""),
        (5.0, 0, True, "+5"),
        (-5.0, 0, True, f"{MINUS}5"),
    ],
)
def test_a_number_as_text(value, digits, signed, text):
    assert number(value, digits, signed) == text


def test_an_interval_is_one_column_in_the_digits_of_its_estimate():
    table = lettered(
        pd.DataFrame({"total_TgC_yr": [-258.9], "total_low_TgC_yr": [-420.93], "total_high_TgC_yr": [247.6]})
    )
    assert table.rows == [[f"{MINUS}259", f"{MINUS}421 to 248"]]
    assert [head.split(" [")[0] for head in table.head] == ["total", "total, interval"] and table.numeric == [
        True,
        True,
    ]


def test_a_bound_alone_is_at_least_or_at_most():
    assert column(low=[np.nan, -36.5, 0.3], high=[321.5, np.nan, 0.3], unit=["1", "1", "1"]) == [
        "at most 321.5",
        f"at least {MINUS}36.5",
        "0.3",
    ]


def test_ends_that_others_gave_have_the_digits_that_they_gave():
    assert column(low=[22.3, -0.5, 178.0], high=[22.3, -0.5, 318.0]) == ["22.3", f"{MINUS}0.5", "178 to 318"]


def test_a_seed_is_a_name_and_not_an_amount():
    assert column(seed=[20230911, 7]) == ["20230911", "7"]


def test_a_standard_error_stands_behind_its_value():
    assert column(share=[0.6447, 0.75], share_se=[0.0276, np.nan]) == ["64 ± 3\u202f%", "75\u202f%"]
    assert column(change_gC_m2_yr=[312.96], change_se_gC_m2_yr=[6.35]) == ["+313.0 ± 6.3"]


def test_what_only_looks_like_an_interval_stays_apart():
    assert lettered(pd.DataFrame({"lowest": [1.0], "highest": [2.0]})).head == ["lowest", "highest"]


def test_keys_become_words_and_gaps_are_empty():
    table = pd.DataFrame({"land_cover": [10, 16], "flux": ["npp", None], "chosen": [True, False], "n": [1, pd.NA]})
    assert lettered(table).rows == [["grassland", "NPP", "yes", "1"], ["barren", "", "no", ""]]


def test_scheme_and_part_are_one_column():
    table = pd.DataFrame({"scheme": ["random_split", "knndm"], "part": ["pooled", "all"], "r": [0.5, 0.25]})
    assert lettered(table).rows == [["random split: pooled", "0.50"], ["distance-matched (kNNDM)", "0.25"]]


def test_a_head_has_its_unit_in_print_and_no_break_divides_it():
    (head,) = lettered(pd.DataFrame({"mean_gC_m2_yr": [1.0]})).head
    assert head == "mean [g\N{NO-BREAK SPACE}C\N{NO-BREAK SPACE}m⁻²\N{NO-BREAK SPACE}yr⁻¹]"


def test_rows_with_units_of_their_own_have_digits_of_their_own():
    assert column(value=[709.7338, 0.63689], unit=["Tg C yr-1", "1"]) == ["709.7", "0.6369"]


def test_words_stand_left_and_numbers_right():
    table = lettered(pd.DataFrame({"product": ["MODIS"], "r": [-0.1]}))
    assert table.numeric == [False, True]
    page = table.to_html("A <caption>")
    assert 'text-align: left; padding: 0.2em 0.8em">MODIS' in page and "A &lt;caption&gt;" in page
    assert f'text-align: right; padding: 0.2em 0.8em">{MINUS}0.10' in page


def test_a_budget_has_a_head_over_each_kind_of_area():
    values = {"mean_gC_m2_yr": 3.0, "total_TgC_yr": 6.0, "valid_area_Mkm2": 2.0}
    common = {"common_mean_gC_m2_yr": 4.0, "common_total_TgC_yr": 4.0, "common_area_Mkm2": 1.0}
    rows = [{"quantity": name, "product": "ours", "years": None} | values | common for name in ("NPP", "Rh")]
    table = lettered(own_and_common(pd.DataFrame(rows)))
    assert table.groups == [("", 1), ("over its own valid cells", 3), ("over the 1.000 million km² that all have", 2)]
    assert table.rows[0] == ["NPP", "3.0", "6.0", "2.000", "4.0", "4.0"]
    others = own_and_common(pd.DataFrame([*rows, rows[0] | {"product": "MODIS", "years": "2015"}]))
    assert [row[1] for row in lettered(others).rows] == ["ours", "ours", "MODIS (2015)"]


def test_schemes_stand_below_each_other_and_models_side_by_side():
    rows = [
        (model, unit, scheme, "all", metric, value)
        for model, unit, plus in (("NPP", "gC_m2_yr", 0.0), ("ln Rs", "ln_gC_m2_yr", 0.5))
        for scheme, value in (("in_sample", 0.25 + plus), ("knndm", -0.25 + plus))
        for metric in ("r2_explained", "rmse", "slope")
    ]
    scores = pd.DataFrame(rows, columns=["model", "unit", "scheme", "part", "metric", "value"])
    table = lettered(schemes_by_model(scores))
    assert table.groups == [("", 1), ("NPP", 2), ("ln Rs", 2)]
    assert [row[0] for row in table.rows] == ["in sample", "distance-matched (kNNDM)"]
    assert [row[1] for row in table.rows] == ["0.25", f"{MINUS}0.25"] and [row[3] for row in table.rows] == [
        "0.75",
        "0.25",
    ]
    assert table.head[2].startswith("RMSE [g") and table.head[4].startswith("RMSE [ln(g")


def test_products_are_rows_and_the_papers_stand_below_ours():
    table = pd.DataFrame(
        {"metric": ["r", "RMSE"], "unit": ["1", "gC_m2_yr"], "modis": [0.1, 288.9], "paper_casa": [0.23, 264.4]}
    )
    shown = lettered(products_as_rows(table))
    assert shown.rows == [["this run's", "MODIS", "0.10", "288.9"], ["the paper's", "CASA", "0.23", "264.4"]]
    alone = lettered(products_as_rows(table.drop(columns="paper_casa")))
    assert alone.head[0] == "product" and alone.rows == [["MODIS", "0.10", "288.9"]]


def test_an_empty_table_has_its_heads():
    assert lettered(pd.DataFrame({"flux": [], "r": []})).rows == []
