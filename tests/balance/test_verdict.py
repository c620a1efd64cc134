"""From an interval to words: a sign is named only where the interval has it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.balance.verdict import closed, headline, odds_in_words, rounded, verdict


@pytest.mark.parametrize(
    ("low", "high", "chance", "sign"),
    [
        (0.1, 5.0, 0.99, "a sink"),
        (-5.0, -0.1, 0.01, "a source"),
        (-5.0, 0.1, 0.06, "not identified"),
        (-0.1, 5.0, 0.94, "not identified"),
        (0.0, 5.0, 0.97, "not identified"),
        (-5.0, 0.0, 0.03, "not identified"),
    ],
)
def test_a_sign_is_named_only_where_the_whole_interval_has_it(low, high, chance, sign):
    assert verdict(low, high, chance, 0.9, "Japan").sign == sign


@given(low=st.floats(-1e4, 1e4), width=st.floats(0, 1e4), chance=st.floats(0, 1))
def test_no_sentence_names_a_sign_that_the_interval_does_not_support(low, width, chance):
    said = verdict(low, low + width, chance, 0.9, "Japan")
    names_one = "is a carbon sink" in said.sentence or "is a carbon source" in said.sentence
    assert names_one == (low > 0 or low + width < 0)
    assert "90 %" in said.sentence


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.5, "about 1 to 1"),
        (0.46, "about 1 to 1"),
        (0.4, "about 3 to 2 for a source"),
        (0.6, "about 3 to 2 for a sink"),
        (0.8, "about 4 to 1 for a sink"),
        (0.1, "about 9 to 1 for a source"),
        (0.96, "more than 20 to 1 for a sink"),
        (0.0, "more than 20 to 1 for a source"),
    ],
)
def test_odds_are_said_no_finer_than_the_draws_can_tell(chance, words):
    assert odds_in_words(chance) == words


@pytest.mark.parametrize(
    ("low", "high", "chance", "level"),
    [(5.0, 1.0, 0.5, 0.9), (float("nan"), 1.0, 0.5, 0.9), (0.0, 1.0, 1.5, 0.9), (0.0, 1.0, 0.5, 1.0)],
)
def test_what_is_no_interval_or_no_probability_is_refused(low, high, chance, level):
    with pytest.raises(ValueError, match="expected"):
        verdict(low, high, chance, level, "Japan")


def test_numbers_are_rounded_to_a_tenth_of_their_spread():
    assert (rounded(0.1234, 0.5), rounded(0.1234, 1.0)) == (0.12, 0.1)
    assert (rounded(-1074.3, 420.0), rounded(336.2, 99.0), rounded(5.678, 0.0)) == (-1070.0, 336.0, 5.678)


@given(npp=st.floats(0, 3000), rh=st.floats(0, 3000), spread=st.floats(0.5, 900))
def test_npp_less_rh_is_nep_to_the_last_digit_and_none_is_far_from_its_number(npp, rh, spread):
    """A step is the power of ten below a tenth of the spread; NEP is rounded alone, one of the others may go a step."""
    step = 10.0 ** np.floor(np.log10(spread / 10))
    ours, theirs, left = closed(npp, rh, npp - rh, spread)
    assert ours - theirs == pytest.approx(left, abs=1e-9 * step + 1e-9)
    assert left == rounded(npp - rh, spread)
    assert max(abs(ours - npp), abs(theirs - rh)) <= 1.001 * step


def test_fluxes_of_different_areas_do_not_become_one_balance():
    with pytest.raises(ValueError, match="of one area"):
        closed(674.0, 653.0, 5.0, 10.0)


def test_every_page_quotes_the_budget_in_the_digits_that_the_draws_can_tell():
    """A standard deviation of 96 g C m-2 yr-1 on 2.1 million km2 is 202 Tg C yr-1: means in ones, totals in tens."""
    rows = {"NPP": (245.76, 196.5, 373.0), "Rh": (369.07, 135.6, 427.0), "NEP": (-123.31, -200.4, 117.9)}
    budget = pd.DataFrame(
        {"quantity": flux, "mean_gC_m2_yr": mean, "low_gC_m2_yr": low, "high_gC_m2_yr": high}
        | {"total_TgC_yr": 2.1 * mean, "total_low_TgC_yr": 2.1 * low, "total_high_TgC_yr": 2.1 * high}
        for flux, (mean, low, high) in rows.items()
    ).assign(scenario="main", part="region", sd_gC_m2_yr=96.0, valid_area_Mkm2=2.1)
    told = headline(budget)
    assert [told[f"{flux}_mean"] for flux in ("npp", "rh", "nep")] == [246, 369, -123]
    assert [told[f"{flux}_total"] for flux in ("npp", "rh", "nep")] == [520, 780, -260]
    assert (told["nep_total_low"], told["nep_total_high"]) == (-420, 250)
    finer = headline(budget.assign(sd_gC_m2_yr=0.3))
    assert [finer[f"{flux}_mean"] for flux in ("npp", "rh", "nep")] == [246, 369, -123]  # whole numbers at least
