"""What single words mean in a table of your own: missing, unmanipulated, without a flag, or unclear."""

import pandas as pd

#: Not given, in any column and any case.
MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "--", "."})
#: The plot was left as it is: words of the column ``treatment``, beside the missing ones.
UNMANIPULATED = ("none", "control", "ck", "unmanipulated", "untreated", "natural")
#: The record is not in doubt: words of the column ``quality``, beside the missing ones.
WITHOUT_FLAG = ("good", "ok", "okay", "fine", "valid")
#: Answers to a question that the column does not ask; N may also be nitrogen.
_ANSWERS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n"})


def without_missing(text: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with every word of :data:`MISSING` empty."""
    return text.apply(lambda column: column.mask(column.str.lower().isin(MISSING), ""))


def is_unclear(column: pd.Series) -> pd.Series:
    """Tell which cells are numbers or answers, such as 0, 1, TRUE or no: of a treatment they do not say which."""
    return pd.to_numeric(column, errors="coerce").notna() | column.str.lower().isin(_ANSWERS)


def in_our_words(column: pd.Series, accepted: tuple[str, ...], ours: str) -> pd.Series:
    """Return a column with its accepted words, and its empty cells, as the one word that the schema has for them."""
    return column.mask(column.str.lower().isin(["", *accepted]), ours)
