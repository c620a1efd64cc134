"""From an interval to words: a sign is named only where the interval has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.balance.verdict import odds_in_words, rounded, verdict


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
