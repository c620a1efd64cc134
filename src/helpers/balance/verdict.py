"""From an interval to words: the one rule by which the book calls a region a sink, a source, or neither.

And from a budget to the numbers that every page quotes: :func:`headline`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: A standard deviation whose numbers are rounded to whole ones.
WHOLE = 10.0


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
    return float(np.round(value, digits)) + 0.0  # no negative zero


def headline(budget: pd.DataFrame, scenario: str = "main", part: str = "region") -> dict[str, float]:
    """Return the balance of the region in the digits that the draws can tell, for every page that quotes it.

    The budget is that of :func:`helpers.balance.uncertainty.budget_intervals`. For ``npp``, ``rh`` and ``nep`` the
    result has ``mean``, ``low`` and ``high`` [g C m-2 yr-1] and ``total``, ``total_low`` and ``total_high``
    [Tg C yr-1], such as ``nep_total_low``. All are rounded by the standard deviation of NEP (:func:`rounded`), to
    whole numbers at least, and NPP less Rh is NEP to the last digit (:func:`closed`).
    """
    chosen = budget[(budget["scenario"] == scenario) & (budget["part"] == part)].set_index("quantity")
    sd, area = chosen.loc["NEP", "sd_gC_m2_yr"], chosen.loc["NEP", "valid_area_Mkm2"]
    told = {}
    for names, unit, spread in (
        (("mean", "low", "high"), "gC_m2_yr", max(sd, WHOLE)),
        (("total", "total_low", "total_high"), "TgC_yr", max(sd * area, WHOLE)),
    ):
        exact = {flux: [chosen.loc[flux, f"{name}_{unit}"] for name in names] for flux in ("NPP", "Rh", "NEP")}
        estimates = closed(*(values[0] for values in exact.values()), spread)
        for (flux, (_, *ends)), estimate in zip(exact.items(), estimates, strict=True):
            values = (estimate, *(rounded(end, spread) for end in ends))
            told |= {f"{flux.lower()}_{name}": value for name, value in zip(names, values, strict=True)}
    return told


def closed(npp: float, rh: float, nep: float, spread: float) -> tuple[float, float, float]:
    """Round NPP, Rh and NEP (any one unit) so that the first less the second is the third, as a reader checks it.

    Each is rounded as by :func:`rounded`. Where the three do not fit then, the one of NPP and Rh moves to its other
    neighbour that is nearer to it; NEP stays. A ValueError is raised if NEP is not NPP less Rh.

    Examples
    --------
    >>> closed(516.05, 774.99, -258.94, 200.0), closed(325.2, 338.6, -13.4, 10.0)
    ((520.0, 780.0, -260.0), (325.0, 338.0, -13.0))
    """
    if not np.isclose(npp - rh, nep, rtol=1e-6, atol=1e-6 * max(abs(npp), abs(rh))):
        raise ValueError(f"NPP {npp} less Rh {rh} is not NEP {nep}: expected the three of one area")
    ours, theirs, left = (rounded(value, spread) for value in (npp, rh, nep))
    moved = ((ours, ours - left), (left + theirs, theirs))
    ours, theirs = min(moved, key=lambda pair: max(abs(pair[0] - npp), abs(pair[1] - rh)))
    return rounded(ours, spread), rounded(theirs, spread), left
