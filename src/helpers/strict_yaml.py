"""YAML that means one thing: the one reader of configurations, sweeps, the catalogue and parameters on a command line.

YAML has several versions, and PyYAML reads one in which ``1:30`` is 90, ``017`` is 15, ``on`` is true and the last of
two equal keys counts. Here a value is a number, true, false or nothing only where every version and every reader says
so; all else is text, which a parameter that is a number then refuses. A subclass of PyYAML's own loader does it, in C:
ruamel.yaml knows YAML 1.2 and equal keys, too, but ``017`` is 17 there, it does not bound aliases, and it would come
beside PyYAML, which others bring.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from helpers.errors import ConfigError

#: More levels of lists and mappings than any file of ours has, and more values than any reader of one wants.
DEEPEST, MOST_VALUES = 20, 100_000
MOST_BYTES = 2_000_000
#: Plain words and what they are: the core schema of YAML 1.2, without numbers that begin with 0 or have another base.
_PLAIN = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", "~nN\0"),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?((0|[1-9][0-9]*)?\.[0-9]+|(0|[1-9][0-9]*)\.)([eE][-+]?[0-9]+)?|[-+]?(0|[1-9][0-9]*)[eE][-+]?[0-9]+",
        "-+.0123456789",
    ),
}


# In C, where it is there: ten times as fast on the catalogue, which is asked before each notebook.
class _Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads plain words as :data:`_PLAIN` says, and refuses a key that stands twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern]]] = {}  # PyYAML has more

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping whose keys stand once."""
        seen: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in seen:
                raise ConfigError(f"{short(key)} stands twice, at lines {seen[key]} and {line}: keep one of them")
            if isinstance(key, Hashable):
                seen[key] = line
        return super().construct_mapping(node, deep)


for _tag, (_form, _first) in _PLAIN.items():
    _Strict.add_implicit_resolver(_tag, re.compile(rf"^(?:{_form})$"), ["" if c == "\0" else c for c in _first])


def read_yaml(path: Path) -> Any:
    """Return what a YAML file in UTF-8 holds; ConfigError names the file, and the line where that can be told.

    Refused are a file that cannot be read, is in another encoding, has more than :data:`MOST_BYTES`, or holds what
    :func:`parsed` refuses.
    """
    return parsed(yaml_text(path), str(path))


def yaml_text(path: Path) -> str:
    """Return the text of a YAML file, to be given to :func:`parsed`; what goes wrong is a ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: not in UTF-8, at line {line}: save the file with the encoding UTF-8") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: more than {MOST_BYTES / 1e6:g} MB; expected a file that people write")
    return text


def parsed(text: str, where: str) -> Any:
    """Return what a text in YAML holds; messages of a ConfigError begin with ``where`` it comes from.

    A key that stands twice in a mapping is refused, and so are tags (``!…``), several documents, more than
    :data:`DEEPEST` levels, and more than :data:`MOST_VALUES` values where each alias counts as what it stands for.

    Examples
    --------
    >>> parsed("{a: 017, b: 1:30, c: on, d: 1e3, e: 2020-01-01, f: true}", "here")
    {'a': '017', 'b': '1:30', 'c': 'on', 'd': 1000.0, 'e': '2020-01-01', 'f': True}
    """
    try:
        _refuse_excess(text)
        return yaml.load(text, Loader=_Strict)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # of int() where a number has thousands of digits
        raise ConfigError(f"{where}: not readable as YAML: {error}") from None


def _refuse_excess(text: str) -> None:
    """Count levels and values without making them: an alias of an alias … multiplies, and the parser recurses."""
    sizes: dict[str, int] = {}  # of what an alias may stand for
    open_ones: list[list[Any]] = [[None, 0]]
    for event in yaml.parse(text, Loader=_Strict):
        if getattr(event, "tag", None):
            raise ConfigError(f"line {event.start_mark.line + 1}: a tag, {short(event.tag)}; expected a plain value")
        if isinstance(event, yaml.CollectionStartEvent):
            open_ones.append([event.anchor, 1])
            if len(open_ones) > DEEPEST:
                raise ConfigError(f"line {event.start_mark.line + 1}: more than {DEEPEST} levels of lists and mappings")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_ones.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in [name for name, _ in open_ones]:
                raise ConfigError(f"line {event.start_mark.line + 1}: *{event.anchor} stands for what it is a part of")
            anchor, size = None, sizes.get(event.anchor, 1)  # the parser tells of one that stands for nothing
        else:
            continue
        if anchor:
            sizes[anchor] = size
        open_ones[-1][1] += size
        if open_ones[-1][1] > MOST_VALUES:
            raise ConfigError(f"line {event.start_mark.line + 1}: more than {MOST_VALUES:,} values, aliases counted")


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


def short(value: object) -> str:
    """Return a value as text that fits into a message.

    Examples
    --------
    >>> short("none"), short(["a long value"] * 1000)
    ("'none'", "['a long value', 'a long value', 'a long value', 'a long v …")
    """
    text = _SHORT.repr(value)
    return text if len(text) <= 60 else f"{text[:58]} …"
