"""A sweep: one YAML file that names many runs of the chain, and the plan that shares what they have in common.

A sweep has a base (a configuration with some parameters replaced), axes, explicit cells and exclusions. Every
combination of the axes' values is a cell, and so is every explicit entry. A cell is the chain of notebooks up to
``04_rh_and_nep`` with its own parameters. Cells that agree on the parameters that decide a notebook share that
notebook's results, which is executed once: a stage. :mod:`helpers.sweeps.stages` executes a plan.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from helpers.config import (
    STRICT,
    Settings,
    load_config,
    nearest_name,
    own_files,
    problem,
    project_root,
    refuse_bad_name,
    resolve,
)
from helpers.errors import ConfigError
from helpers.runs import dependencies
from helpers.runs.files import digest, runs_folder
from helpers.runs.steps import EXECUTION_PARAMETERS, chain_of, deciding_parameters, foreign_tags
from helpers.strict_yaml import read_yaml, short

#: The last notebook of a cell.
FINAL = "04_rh_and_nep"
LONGEST_NAME = 100
#: Combinations that a sweep may have, those that a cap leaves out included: each is checked before the first one runs.
MOST_COMBINATIONS = 20_000
NOT_IN_SWEEPS = frozenset({"figure", "glue"})  # tags of cells that only draw, or only hand numbers to pages
#: The notebooks of a cell, in their order.
NOTEBOOKS = tuple(chain_of(FINAL))
_AXES = deciding_parameters(FINAL)


class Sweep(BaseModel):
    """What a file of ``config/sweeps/`` says."""

    model_config = STRICT

    name: str = Field(description="the file's name without .yml")
    config: str = Field(description="configuration that every cell starts from")
    base: dict[str, Any] = Field(default_factory=dict, description="parameters replaced in every cell")
    axes: dict[str, list[Any]] = Field(default_factory=dict, description="values by parameter; all combinations")
    cells: list[dict[str, Any]] = Field(
        default_factory=list, description="further cells: what differs from the base; a list stands for each value"
    )
    exclusions: list[dict[str, Any]] = Field(
        default_factory=list, description="cells left out: those with all of these values; a list stands for any"
    )
    seeds: list[int] = Field(default_factory=list, description="an axis of seeds")
    cap: int | None = Field(None, ge=1, description="at most this many combinations of the axes, drawn by digest")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        refuse_bad_name(value)
        return value

    @field_validator("axes", "cells", "exclusions", "base")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        empty = [key for key, values in value.items() if values == []] if isinstance(value, dict) else []
        if empty:
            raise ValueError(f"{empty[0]} has no value")
        return value


@dataclass(frozen=True)
class Cell:
    """One run of the chain."""

    name: str  #: What differs from the base, readable and stable.
    values: dict[str, Any]  #: The same, as parameters.
    settings: Settings  #: All parameters.
    stages: dict[str, str]  #: The digest of its stage, by notebook.
    crossed: bool  #: Whether it is a combination of the axes, or only an explicit cell.


@dataclass(frozen=True)
class Stage:
    """One notebook with the parameters that decide it, shared by the cells that agree on them."""

    notebook: str  #: Together they name it.
    digest: str  #: Together they name it.
    code: str  #: The digest of the code that it executes, from :func:`code_digest`.
    parameters: dict[str, Any]  #: What papermill is given.
    needs: tuple[tuple[str, str], ...]  #: Notebook and digest of the stages before it, the first ones first.


@dataclass(frozen=True)
class Plan:
    """The cells of a sweep, and the stages that they need."""

    sweep: Sweep
    cells: tuple[Cell, ...]
    stages: dict[tuple[str, str], Stage] = field(repr=False)  #: By notebook and digest; in the order of the notebooks.
    n_capped: int = 0  #: Combinations that the cap left out.

    def counts(self) -> dict[str, int]:
        """Return the number of stages by notebook."""
        return {name: sum(stage.notebook == name for stage in self.stages.values()) for name in NOTEBOOKS}


def sweep_folder(name: str) -> Path:
    """Return the folder of a sweep's results, ``sweeps/<name>`` below :func:`helpers.runs.files.runs_folder`."""
    return runs_folder() / "sweeps" / name


def read_sweep(path: str | Path) -> Sweep:
    """Read a sweep from a YAML file, given by path or by its name in ``config/sweeps/``, and check all that it names.

    ConfigError is raised if there is no such file, it is no mapping, its ``name`` is not the file's, a key, a parameter
    or a value is not valid, or there are more than :data:`MOST_COMBINATIONS`. All problems are named at once.
    """
    path = _located(path)
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected 'config: ...' and 'axes: ...'")
    for key in values:
        if key not in Sweep.model_fields:
            raise ConfigError(f"{path}: unknown key {key!r}{_nearest(key, Sweep.model_fields)}")
    try:
        sweep = Sweep(**{"name": path.stem} | values)
    except ValidationError as error:
        problems = [problem(item) for item in error.errors()]
        raise ConfigError(f"{path}: " + "; ".join(problems)) from None
    if sweep.name != path.stem:  # the results of another sweep would be replaced
        raise ConfigError(
            f"{path}: name is {short(sweep.name)}, but the file is another one: write 'name: {path.stem}', or leave "
            "it out"
        )
    problems = _problems(sweep)
    if problems:
        raise ConfigError("\n".join(f"{path}: {one}" for one in problems))
    return sweep


def plan(sweep: Sweep) -> Plan:
    """Return the cells of a sweep and the stages that they share.

    Cells whose parameters are the same count once. The combinations beyond ``cap`` are left out by the digest of their
    parameters, so that the rest stays when an axis grows; the base and explicit cells always stay. ConfigError is
    raised if no cell is left, or an exclusion excludes no cell.
    """
    base = load_config(sweep.config, sweep.base)
    own = base.model_dump()
    combined = _named(own, _combinations(_all_axes(sweep)))
    explicit = _named(own, itertools.chain.from_iterable(_expanded(entry) for entry in sweep.cells))
    _refuse_one_name_for_two(combined, explicit)
    for rule in sweep.exclusions:
        if not any(_matches(rule, own | values) for values in {**combined, **explicit}.values()):
            raise ConfigError(f"{sweep.name}: the exclusion {short(rule)} excludes no cell; is a value misspelt?")
    combined, explicit = (
        {name: values for name, values in cells.items() if not any(_matches(r, own | values) for r in sweep.exclusions)}
        for cells in (combined, explicit)
    )
    capped = _capped(combined, sweep.cap)
    if not (capped or explicit):
        raise ConfigError(f"{sweep.name}: no cell is left; the exclusions leave out all of them")
    cells, stages = [], {}
    for name, values in (capped | explicit).items():
        settings = resolve(own | values, name)
        made = _stages(settings, {**sweep.base, **values})
        stages |= {(stage.notebook, stage.digest): stage for stage in made}
        digests = {stage.notebook: stage.digest for stage in made}
        cells.append(Cell(name, values, settings, digests, crossed=name in capped))
    ordered = dict(sorted(stages.items(), key=lambda item: NOTEBOOKS.index(item[0][0])))
    return Plan(sweep, tuple(cells), ordered, n_capped=len(combined) - len(capped))


def cell_name(values: Mapping[str, Any]) -> str:
    """Return the name of a cell, which is a file name: what differs from the base, in the order of the settings.

    A long one is cut, and ends with a digest of the whole.

    Examples
    --------
    >>> cell_name({"rs_rh_line": "records", "n_trees": 50}), cell_name({})
    ('n_trees=50__rs_rh_line=records', 'base')
    """
    ordered = [key for key in Settings.model_fields if key in values]
    parts = (f"{key}={re.sub(r'[^A-Za-z0-9._+-]+', '-', _plain(values[key]))}" for key in ordered)
    name = "__".join(parts) or "base"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 10]}__{_digest(name)[:8]}"


def part_of(planned: Plan, part: str) -> Plan:
    """Return one of several parts of a plan, each with about as many cells: ``1/4`` is the first of four.

    Cells that share stages stay together where that is possible, so that parts on different machines repeat little.
    ConfigError is raised if there is no such part.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", part)
    number, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= parts:
        raise ConfigError(f"part {part!r}: expected the number of a part and how many there are, for example 1/4")
    # In the order of their digests, those of the first notebook first, cells that share a stage are neighbours.
    ordered = sorted(planned.cells, key=lambda cell: tuple(cell.stages[name] for name in NOTEBOOKS))
    first, end = (len(ordered) * end // parts for end in (number - 1, number))
    cells = tuple(ordered[first:end])
    wanted = {(name, key) for cell in cells for name, key in cell.stages.items()}
    return Plan(planned.sweep, cells, {key: stage for key, stage in planned.stages.items() if key in wanted})


# -- reading ---------------------------------------------------------------------------------------


def _located(path: str | Path) -> Path:
    path = Path(path).expanduser()
    folder = project_root() / "config" / "sweeps"
    if path.suffix not in {".yml", ".yaml"}:
        path = folder / f"{path}.yml"
    elif not path.is_file() and not path.is_absolute():
        path = project_root() / path
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yml")))
        raise ConfigError(f"no sweep {path}; in config/sweeps there are: {known}")
    return path


def _problems(sweep: Sweep) -> list[str]:
    """Return all that is wrong with the parameters that a sweep names."""
    problems = []
    crosses = [_all_axes(sweep), *({key: _listed(value) for key, value in entry.items()} for entry in sweep.cells)]
    number = sum(math.prod(map(len, cross.values())) for cross in crosses if cross)
    if number > MOST_COMBINATIONS:
        return [f"{number:,} combinations; expected at most {MOST_COMBINATIONS:,}: fewer axes, or fewer values"]
    for key, values in (item for cross in crosses for item in cross.items()):
        twice = _twice(values)
        if twice:
            problems.append(f"{key} has {short(twice[0])} twice: keep one of them")
    if "seed" in sweep.axes and sweep.seeds:
        problems.append("seeds and an axis 'seed' say the same: keep one of them")
    entries = [("base", sweep.base, {*_AXES, *EXECUTION_PARAMETERS} - {"config", "run"})]
    entries += [("axes", _all_axes(sweep), set(_AXES))]
    entries += [(kind, entry, set(_AXES)) for kind in ("cells", "exclusions") for entry in getattr(sweep, kind)]
    try:
        load_config(sweep.config)
    except ConfigError as error:
        return [*problems, str(error)]
    for where, entry, allowed in entries:
        problems += [
            f"{where}: {key!r} is not a parameter that a cell can have{_nearest(key, allowed)}"
            for key in entry
            if key not in allowed
        ]
    if problems:
        return problems
    try:
        base = load_config(sweep.config, sweep.base).model_dump()
    except ConfigError as error:
        return [f"base: {error}"]
    for where, entry, _ in entries[1:]:
        for key, values in entry.items():
            for value in _listed(values):
                problems += _value_problems(f"{where}: {key}", base, {key: value})
    combined = itertools.chain(_combinations(_all_axes(sweep)), *(_expanded(entry) for entry in sweep.cells))
    if not problems:
        problems = next(filter(None, (_value_problems("cell", base, values) for values in combined)), [])
    return problems


def _value_problems(where: str, base: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    try:
        resolve({**base, **values}, where)
    except ConfigError as error:
        return [f"{error} in {short(dict(values))}"]
    return []


def _nearest(key: str, known: Collection[str]) -> str:
    return nearest_name(key, known) or f"; known: {', '.join(sorted(known))}"


# -- cells and stages ------------------------------------------------------------------------------


def _all_axes(sweep: Sweep) -> dict[str, list[Any]]:
    return {**sweep.axes, **({"seed": list(sweep.seeds)} if sweep.seeds else {})}


def _combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    if axes:
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


def _expanded(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return _combinations({key: _listed(value) for key, value in entry.items()})


def _listed(value: Any) -> list[Any]:
    """Return a value as a list: a list stands for each of its values."""
    return value if isinstance(value, list) else [value]


def _twice(values: list[Any]) -> list[Any]:
    """Return the values that stand in a list before, 5 and 5.0 being one."""
    seen: set[Any] = set()
    keys = [json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else value for value in values]
    return [value for key, value in zip(keys, values, strict=True) if key in seen or seen.add(key)]


def _named(base: Mapping[str, Any], cells: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what differs from the base by the cell's name; the same parameters count once."""
    named: dict[str, dict[str, Any]] = {}
    for values in cells:
        differing = {key: value for key, value in values.items() if base[key] != value}
        _refuse_one_name_for_two(named, {cell_name(differing): differing})
        named[cell_name(differing)] = differing
    return named


def _refuse_one_name_for_two(cells: Mapping[str, Mapping[str, Any]], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse cells with other values and one name: a name leaves out some characters, and one cell would be lost."""
    for name, values in others.items():
        if name in cells and cells[name] != values:
            raise ConfigError(
                f"two cells would be called {name}: {short(dict(cells[name]))} and {short(dict(values))}; "
                "give their files names that differ in letters or digits"
            )


def _matches(rule: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return all(settings[key] in (value if isinstance(value, list) else [value]) for key, value in rule.items())


def _capped(cells: dict[str, dict[str, Any]], cap: int | None) -> dict[str, dict[str, Any]]:
    if cap is None or len(cells) <= cap:
        return cells
    drawn = set(sorted(cells, key=lambda name: (name != "base", _digest(name)))[:cap])
    return {name: values for name, values in cells.items() if name in drawn}


def _stages(settings: Settings, given: Mapping[str, Any]) -> list[Stage]:
    """Return the stages of a cell, in the order of the notebooks."""
    observations = [digest(path) for path in own_files(settings)]
    stages: list[Stage] = []
    for notebook in NOTEBOOKS:
        earlier = [stage for stage in stages if stage.notebook in chain_of(notebook)]
        decisive = settings.model_dump(include=set(deciding_parameters(notebook)))
        code = code_digest(notebook, foreign_tags(settings))
        named = [notebook, decisive, observations, [*(stage.code for stage in earlier), code]]
        counting = {*deciding_parameters(notebook), *EXECUTION_PARAMETERS}
        parameters = {key: value for key, value in given.items() if key in counting}
        needs = tuple((stage.notebook, stage.digest) for stage in earlier)
        name = _digest(json.dumps(named, sort_keys=True))[:12]
        stages.append(Stage(notebook, name, code, parameters, needs))
    return stages


@cache
def code_digest(notebook: str, foreign: frozenset[str]) -> str:
    """Return the digest of what a stage of a notebook executes, less its cells with foreign tags.

    An edit of it makes new stages.
    """
    root = project_root()
    return dependencies.code_digest(root / "notebooks" / f"{notebook}.ipynb", root, NOT_IN_SWEEPS | foreign)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else str(value)
