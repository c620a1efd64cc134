"""pyproject.toml, requirements.lock and environment.yml say the same; the lock and the workflows can be trusted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


@cache
def asked() -> dict[str, Requirement]:
    """Return the requirements of pyproject.toml, all extras included, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


@cache
def locked() -> dict[str, list[tuple[str, list[str]]]]:
    """Return version and hashes of each locked package; one has several versions where platforms differ."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "requirements.lock").read_text())
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, version = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", line).groups()
            found.setdefault(canonicalize_name(name), []).append((version, re.findall(r"--hash=(\S+)", line)))
    return found


@cache
def conda() -> dict[str, Requirement]:
    """Return the requirements of environment.yml, those for pip included, without the checkout itself."""
    lines = [line for line in [*conda_lines(), *pip_lines()] if not line.startswith("--editable")]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def conda_lines() -> list[str]:
    """Return what conda itself installs."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return [line for line in listed if isinstance(line, str)]


def pip_lines() -> list[str]:
    """Return what pip installs after it."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return [line for section in listed if isinstance(section, dict) for line in section["pip"]]


@pytest.mark.parametrize("name", sorted(asked()))
def test_a_dependency_is_locked_within_its_range(name):
    assert [version for version, _ in locked().get(name, []) if version in asked()[name].specifier]


@pytest.mark.parametrize("name", sorted(asked()))
def test_conda_users_get_the_same_range(name):
    assert conda()[name].specifier == asked()[name].specifier


def test_conda_users_get_nothing_else():
    assert set(conda()) - set(asked()) == {"python", "pip"}


def test_conda_users_get_pip_and_this_checkout_itself():
    """An option that pip takes on its command line only, such as --no-deps, would end the installation."""
    assert "pip" in conda_lines()
    assert [line for line in pip_lines() if line.startswith("-")] == ["--editable ."]


def test_conda_users_get_the_same_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(conda()["python"].specifier) == project["requires-python"]


def test_every_locked_file_has_a_hash():
    assert not [name for name, versions in locked().items() for _, hashes in versions if not hashes]


def test_no_process_makes_parsers_that_nothing_asks_for():
    """With rfc3987-syntax each import of nbformat makes 35 of them, for a second or more, to check addresses."""
    asking = "import sys, nbformat, jsonschema; print(*{'lark', 'rfc3987_syntax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_lock_names_no_package_index():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line or re.match(r"\s*(-i|--(extra-)?index-url|--find-links)", line)]


@pytest.mark.parametrize("name", ["audit", "fuzz"])
def test_the_lock_of_a_tool_outside_of_the_environment_can_be_trusted_as_well(name):
    text = (ROOT / "workflow" / f"{name}.lock").read_text(encoding="utf-8")
    packages = re.split(r"\n(?=\w)", text)
    assert all(re.match(r"[\w.-]+==[\w.]+ ", one) and "--hash=sha256:" in one for one in packages)
    assert "://" not in text and "--index" not in text


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_names_its_actions_by_commit_and_version(path):
    uses = re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))
    assert uses and not [line for line in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_hands_no_expression_to_the_shell(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert not [step for job in workflow["jobs"].values() for step in job["steps"] if "${{" in step.get("run", "")]


def test_one_action_has_one_version():
    uses = {line for path in WORKFLOWS for line in re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))}
    assert len({line.split("@")[0] for line in uses}) == len(uses)


BINDER = ROOT / ".binder"


def test_binder_installs_the_lock_and_then_this_checkout():
    (line,) = (BINDER / "requirements.txt").read_text().split("\n", 1)[:1]
    option, path = line.split()
    assert option == "-r" and (BINDER / path).resolve() == ROOT / "requirements.lock"
    script = (BINDER / "postBuild").read_text()
    assert script.startswith("#!/usr/bin/env bash\n") and "--no-deps --no-build-isolation --editable .\n" in script


def test_binder_has_a_python_that_the_book_takes():
    version = re.fullmatch(r"python-(3\.\d+)\n", (BINDER / "runtime.txt").read_text())[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SpecifierSet(project["requires-python"]).contains(version)


def cell_of_colab() -> list[str]:
    """Return the lines of the cell that running.md gives for Colab."""
    page = (ROOT / "book" / "running.md").read_text(encoding="utf-8")
    (cell,) = re.findall(r"```text\n(!git clone .+?)```", page, flags=re.DOTALL)
    return cell.splitlines()


def test_colab_installs_the_clone_itself_and_works_in_its_notebooks():
    """Not with --editable: a kernel that runs does not see a package that is installed as a link."""
    clone, install, change = cell_of_colab()
    folder = clone.split()[-1]
    assert install == f"%pip install --quiet {folder}" and change == f"%cd {folder}/notebooks"


def test_colab_opens_a_notebook_that_is_there_and_its_commands_name_others():
    page = (ROOT / "book" / "running.md").read_text(encoding="utf-8")
    part = page[page.index("**Colab.**") : page.index("**A package")]
    named = re.findall(r"notebooks/\w+\.ipynb", part)
    assert len(named) == 2 and [name for name in named if not (ROOT / name).is_file()] == []


def test_the_wheel_has_both_packages_and_what_they_read_of_their_own():
    """All else is read from a checkout, by :func:`helpers.config.project_root`."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["src/helpers", "src/mapforest"] and (ROOT / "src/mapforest/README.md").is_file()
    own = {path.name for path in (ROOT / "src").rglob("*.py") if "__file__" in path.read_text(encoding="utf-8")}
    # The checkout, the packages' folder, a file of pvlib; the explorer's parts lie beside it, within the package.
    assert own == {"config.py", "files.py", "readers.py", "explorer.py"}


def test_without_a_checkout_what_needs_one_says_so(tmp_path):
    """Both packages as they are installed: beside nothing."""
    for name in ("helpers", "mapforest"):
        shutil.copytree(ROOT / "src" / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import helpers, mapforest.forest; from helpers.config import load_config; load_config('open')"
    variables = {key: value for key, value in os.environ.items() if key != "QTP_BOOK_ROOT"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=variables | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConfigError: no folder with config/ and notebooks/ above the working directory" in done.stderr
