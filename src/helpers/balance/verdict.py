"""From an interval to words: the one rule by which the book calls a region a sink, a source, or neither."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What an interval of NEP allows to say."""

    sign: str  #: "a sink", "a source" or "not identified".
    sentence: str  #: The same as a clause: "the sign is not identified: …".
    odds: str  #: What the draws bet: "about 4 to 1 for a source".


def verdict(low: float, high: float, sink_probability: float, level: float, region: str) -> Verdict:
    """Turn an interval of NEP into words: a sign is named only where the whole interval has it.

    The ends are in any unit of NEP, ``level`` is the probability of the interval, and ``sink_probability`` the share of
    the draws with NEP above zero; ``region`` is its name within a sentence. A ValueError is raised if the ends are
    exchanged or not finite, or a probability is not one.

    Examples
    --------
    >>> verdict(-900.0, 350.0, 0.2, 0.9, "the plateau").sentence
    'the sign is not identified: the 90 % interval holds sinks and sources, with odds of about 4 to 1 for a source'
    >>> verdict(10.0, 80.0, 0.99, 0.9, "Japan").sign
    'a sink'
    """
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"the interval runs from {low} to {high}: expected two finite numbers in ascending order")
    if not (0 <= sink_probability <= 1 and 0 < level < 1):
        raise ValueError(f"sink_probability is {sink_probability} and level {level}: expected probabilities")
    odds, interval = odds_in_words(sink_probability), f"the {100 * level:.0f} % interval"
    if low > 0:
        return Verdict("a sink", f"{region} is a carbon sink: {interval} lies above zero", odds)
    if high < 0:
        return Verdict("a source", f"{region} is a carbon source: {interval} lies below zero", odds)
    sentence = f"the sign is not identified: {interval} holds sinks and sources, with odds of {odds}"
    return Verdict("not identified", sentence, odds)


def odds_in_words(sink_probability: float) -> str:
    """Return the odds of a sink as a person would say them, no finer than a hundred draws can tell.

    Examples
    --------
    >>> odds_in_words(0.5), odds_in_words(0.02), odds_in_words(0.75), odds_in_words(0.38)
    ('about 1 to 1', 'more than 20 to 1 for a source', 'about 3 to 1 for a sink', 'about 3 to 2 for a source')
    """
    side = "a sink" if sink_probability > 0.5 else "a source"
    likely = max(sink_probability, 1 - sink_probability)
    if likely < 0.55:
        return "about 1 to 1"
    if likely > 20 / 21:
        return f"more than 20 to 1 for {side}"
    ratio = likely / (1 - likely)
    return f"about {ratio:.0f} to 1 for {side}" if ratio >= 1.75 else f"about 3 to 2 for {side}"


def rounded(value: float, spread: float) -> float:
    """Round a number to what its standard deviation leaves meaningful: a tenth of it, as a power of ten.

    Examples
    --------
    >>> rounded(-1074.3, 420.0), rounded(336.2, 420.0), rounded(12.34, 2.0)
    (-1070.0, 340.0, 12.3)
    """
    if not spread > 0:
        return float(value)
    digits = -int(np.floor(np.log10(spread / 10)))
    return float(np.round(value, digits))
