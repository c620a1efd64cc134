"""Change the code in one small place at a time and count the changes that the tests find: ``make mutants`` calls it.

Cosmic Ray makes the changes (mutants) and runs the tests on each, in copies of the checkout. This script draws a random
sample, chooses the tests that must fail, and prints a table of modules and the survivors.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkerOutcome, WorkResult

ROOT = Path(__file__).resolve().parents[1]
COPIED = {"benchmarks", "book", "config", "data", "notebooks", "src", "tests", "workflow", "pyproject.toml"}

#: What is mutated, and the tests that must notice: those of what is right, and of what is refused.
AREAS = {
    "src/mapforest": ["tests/mapforest"],
    "src/helpers/balance": ["tests/balance"],
    "src/helpers/sites": ["tests/sites", "tests/faults/test_observation_faults.py"],
    "src/helpers/data/grid.py": ["tests/data/test_grid.py", "tests/faults/test_data_faults.py"],
}

# A float has no shift and no bits: such a mutant dies of a TypeError in any test and says nothing about the tests.
FAMILIES = ({"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}, {"BitOr", "BitAnd", "BitXor"})


def area_of(module: Path) -> str:
    """Return the area of a module, a key of ``AREAS``."""
    return next(area for area in AREAS if module.as_posix() == area or module.is_relative_to(area))


def command(module: Path | None, area: str) -> str:
    """Return the call of the tests of an area, those of the module's own file first, up to the first failure."""
    own = [] if module is None else [Path(AREAS[area][0]) / f"test_{module.stem}.py"]
    files = [path.as_posix() for path in own if path.is_file()]
    return shlex.join([sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", *files, *AREAS[area]])


def sample(number: int, seed: int) -> list[MutationSpec]:
    """Draw places of the code at random, without replacement, and one mutant of each.

    Places and not mutants are drawn, since an arithmetic operator has six mutants and a number has two.
    """
    modules = [path for area in AREAS for path in ([Path(area)] if area.endswith(".py") else Path(area).glob("*.py"))]
    with tempfile.TemporaryDirectory() as folder, use_db(f"{folder}/session.sqlite", WorkDB.Mode.create) as session:
        init(sorted(modules), session, {})
        mutants = [mutation for item in session.work_items for mutation in item.mutations]
    silent = {module: _silent(module) for module in modules}
    places = defaultdict(list)
    for mutant in mutants:
        inside = any(start <= mutant.start_pos < end for start, end in silent[mutant.module_path])
        if not inside and _telling(mutant.operator_name):
            places[mutant.module_path.as_posix(), mutant.start_pos, mutant.end_pos].append(mutant)
    generator = random.Random(seed)
    print(f"{len(places)} places, {sum(map(len, places.values()))} mutants in {len(modules)} modules", file=sys.stderr)
    return [generator.choice(places[place]) for place in generator.sample(sorted(places), min(number, len(places)))]


def _silent(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return start and end of what no test can tell: annotations are not evaluated, decorators decide the speed."""
    found = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        parts = [
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
            *getattr(node, "decorator_list", []),
        ]
        found += [((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)) for part in parts if part]
    return found


def _telling(operator: str) -> bool:
    """Return whether mutants of an operator say something about the tests."""
    name, *pair = operator.removeprefix("core/").split("_")
    if name == "ReplaceBinaryOperator":
        return any(set(pair) <= family for family in FAMILIES)
    return name != "RemoveDecorator"


def measure(area: str) -> float:
    """Run the tests of an area on the code as it is and return their seconds; they must pass."""
    began = time.monotonic()
    done = subprocess.run(shlex.split(command(None, area)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(AREAS[area])} fails without any mutant:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.monotonic() - began


def _not_needed(folder: str, names: list[str]) -> set[str]:
    """Return what the tests do without: results, caches and fetched files of the checkout."""
    return set(names) - COPIED if Path(folder) == ROOT else set(names) & {"__pycache__", "cache"}


def _move(original: Path) -> None:
    """Give a worker a copy of its own: a mutant is a changed file."""
    copy = original.with_name(f"copy-{os.getpid()}")
    shutil.copytree(original, copy)
    _enter(copy)


def _enter(copy: Path) -> None:
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy / "src")  # processes that tests start import the mutant too


def run(mutant: MutationSpec, limit: float) -> WorkResult:
    """Run the tests of a mutant for at most ``limit`` seconds."""
    area = area_of(mutant.module_path)
    with tempfile.TemporaryDirectory() as cache:
        os.environ.pop("NUMBA_CACHE_DIR", None)
        if "njit" in mutant.module_path.read_text(encoding="utf-8"):
            # Numba would load what it compiled in another module from this kernel before its mutation.
            os.environ["NUMBA_CACHE_DIR"] = cache
        return mutate_and_test([mutant], command(mutant.module_path, area), limit)


def table(results: list[tuple[MutationSpec, WorkResult]]) -> str:
    """Return how many mutants of each module were killed and survived, as Markdown."""
    rows = pd.DataFrame(
        {
            "module": mutant.module_path.as_posix().removeprefix("src/"),
            "mutants": 1,
            "killed": int(result.is_killed),
            "by the time limit": int(result.output == "timeout"),
            "survived": int(not result.is_killed),
        }
        for mutant, result in results
    )
    counts = rows.groupby("module").sum()
    counts.loc["all"] = counts.sum()
    lines = [["module", *counts.columns], ["---"] * 5, *counts.itertuples()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _place(mutant: MutationSpec) -> str:
    return f"{mutant.module_path.as_posix()}:{mutant.start_pos[0]} ({mutant.definition_name or 'module'})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=200, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried side by side")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    mutants = sample(given.number, given.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        original = Path(folder) / "original"
        shutil.copytree(ROOT, original, ignore=_not_needed)
        _enter(original)
        limits = {area: 60 + 3 * measure(area) for area in {area_of(mutant.module_path) for mutant in mutants}}
        results = []
        with ProcessPoolExecutor(given.jobs, get_context("spawn"), _move, (original,)) as pool:
            waiting = {pool.submit(run, mutant, limits[area_of(mutant.module_path)]): mutant for mutant in mutants}
            try:
                for done in as_completed(waiting):
                    mutant, result = waiting[done], done.result()
                    if result.worker_outcome != WorkerOutcome.NORMAL:
                        pool.shutdown(wait=False, cancel_futures=True)
                        sys.exit(f"{_place(mutant)} could not be tried:\n{result.output}")
                    results.append((mutant, result))
                    state = "killed  " if result.is_killed else "SURVIVED"
                    print(f"{len(results):4d} {state} {_place(mutant)}", file=sys.stderr, flush=True)
            except KeyboardInterrupt:  # what was tried until then is worth its table
                print(f"stopped after {len(results)} of {len(mutants)} mutants", file=sys.stderr)
                pool.shutdown(wait=False, cancel_futures=True)
        os.chdir(ROOT)  # the copies are removed now
    print(table(results))
    for mutant, result in sorted(results, key=lambda pair: (pair[0].module_path, pair[0].start_pos)):
        if not result.is_killed:
            lines = [line for line in result.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
            print("\n".join(["", _place(mutant), *lines]))


if __name__ == "__main__":
    main()
