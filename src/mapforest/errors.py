"""What can go wrong: three kinds, each with a message that says what was given, what was expected and what to do."""


class ForestError(ValueError):
    """A table, a cube or a forest that does not fit; the message names the column, the rows or the variable."""


class FoldError(ForestError):
    """Rows that cannot be split as asked; the message says what there is, what was expected, and what to do."""


class BlockError(RuntimeError):
    """A cluster that does not answer, or a store that is not ours; the message names the address or the path."""
