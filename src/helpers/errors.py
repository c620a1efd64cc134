"""What can go wrong: three kinds, each with a message that says what was given, what was expected and what to do."""


class ConfigError(ValueError):
    """A configuration or a sweep that cannot be used; the message names the key and the nearest valid one."""


class DataError(ValueError):
    """A file, a table or a field that cannot be used; the message names the file, the rows, the column or the range."""


class RunError(RuntimeError):
    """A notebook, a run or a book that is missing something or failed; the message names the next step."""
