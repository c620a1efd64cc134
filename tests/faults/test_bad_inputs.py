"""Each bad input of :mod:`bad_inputs` gets the project's own error, with its file and what is wrong; any other, too."""

from __future__ import annotations

import argparse
import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_inputs as bad
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_places import EVERYWHERE, places_of
from shapely import box

from helpers import config
from helpers.config import Settings, load_config
from helpers.data import catalog
from helpers.errors import ConfigError, DataError
from helpers.runs.execute import overrides_of
from helpers.sites import databases, tables
from helpers.sweeps.plan import plan, read_sweep

#: Characters of the longest message: it must fit into a terminal, however long the input is.
LONGEST_MESSAGE = 1500
HERE = places_of(box(90, 30, 95, 35))


def written(path: Path, content: str | bytes) -> Path:
    """Write a file as it is given."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(call: Callable[[], Any], says: str, names: object = "") -> None:
    """Hold that a call is refused by an error of ours that says so, and names the file."""
    with pytest.raises((ConfigError, DataError)) as caught:
        call()
    message = str(caught.value)
    assert re.search(says, message, re.DOTALL), message
    assert str(names) in message and len(message) < LONGEST_MESSAGE


@pytest.mark.parametrize(("content", "says"), bad.CONFIGURATIONS)
def test_a_bad_configuration_is_refused(content, says, tmp_path):
    path = written(tmp_path / "mine.yml", content)
    refused(lambda: load_config(path), says, path)


@pytest.mark.parametrize(("parameter", "says"), bad.PARAMETERS)
def test_a_bad_parameter_of_a_command_is_refused(parameter, says):
    def _open() -> None:
        load_config("virtual", overrides_of(argparse.Namespace(parameters=[parameter])))

    refused(_open, says)


@pytest.mark.parametrize(("cell", "says"), bad.CELLS)
def test_a_parameters_cell_with_a_name_that_is_none_is_refused(cell, says):
    names = {"In": ["", "%matplotlib inline\nimport numpy", cell, "book_run = start('x', globals())"]}
    refused(lambda: config.from_notebook(names), says)


@pytest.mark.parametrize(("content", "says"), bad.SWEEPS)
def test_a_bad_sweep_is_refused(content, says, tmp_path):
    path = written(tmp_path / "mine.yml", content)
    refused(lambda: plan(read_sweep(path)), says)


@pytest.mark.parametrize(("content", "says"), bad.CATALOGUES)
def test_a_bad_catalogue_is_refused(content, says, tmp_path, monkeypatch):
    path = written(tmp_path / "catalog.yml", content)
    monkeypatch.setattr(catalog, "catalogue_path", lambda: path)
    refused(catalog.load_catalog, says, path)


@pytest.mark.parametrize(("content", "says"), bad.TABLES)
def test_a_bad_table_is_refused(content, says, tmp_path):
    path = written(tmp_path / "mine.csv", content)
    refused(lambda: tables.read_table(path, HERE), says, path)


@pytest.mark.parametrize(("content", "says", "column", "values"), bad.READ)
def test_what_can_be_meant_in_one_way_is_read_so_and_said(content, says, column, values, tmp_path):
    read = tables.read_table(written(tmp_path / "mine.csv", content), HERE)
    assert read.records[column].tolist() == values
    assert not says or any(re.search(says, note) for note in read.notes), read.notes


@pytest.mark.parametrize(("content", "says"), bad.DATABASES)
def test_a_damaged_database_is_refused(content, says, tmp_path):
    path = written(tmp_path / "Michaletz2014.csv", content)
    refused(lambda: databases.read_michaletz(path, EVERYWHERE), says, path)


def test_the_database_that_the_faults_are_planted_in_is_good(tmp_path):
    path = written(tmp_path / "Michaletz2014.csv", f"{bad.MICHALETZ}\n{bad.PLOT}\n\n{bad.PLOT}\n")
    read = databases.read_michaletz(path, EVERYWHERE)
    assert read[["longitude", "latitude", "value"]].to_numpy().tolist() == [[101.5, 31.5, 400.0]] * 2


@pytest.mark.parametrize(("variable", "says"), bad.MAKE)
def test_make_executes_nothing_that_it_is_given(variable, says, tmp_path):
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    evil = tmp_path / "evil"
    variable = variable.replace("EVIL", str(evil))
    command = [make, "--dry-run", "-f", str(config.project_root() / "Makefile"), "run", variable]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode != 0 and says in done.stderr and not evil.exists()


# --- whatever is given ------------------------------------------------------------------------------------------------

KEYS = st.sampled_from([*Settings.model_fields, "n_tres", "<<", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["017", "1:30", "on"])
)
VALUES = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=4), one, max_size=3)
)
#: Once is enough for a folder: each example writes the same file again.
AGAIN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)


@AGAIN
@given(values=st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_configuration_is_read_as_it_stands_or_refused(values, tmp_path):
    """A value that is accepted is the one that was written, in its type; nothing else than our error comes."""
    path = written(tmp_path / "mine.yml", yaml.safe_dump({"world": "virtual", "resolution": 0.5} | values))
    try:
        read = load_config(path).model_dump()
    except ConfigError as error:
        assert len(str(error)) < 10 * LONGEST_MESSAGE
        return
    for key, value in values.items():
        if not isinstance(value, dict) and value != "":  # an empty run is named as its configuration
            assert read[key] == value and isinstance(read[key], bool) == isinstance(value, bool)


@AGAIN
@given(content=st.text(max_size=200) | st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_refused(content, tmp_path):
    try:
        content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        load_config(written(tmp_path / "mine.yml", content))
    except ConfigError:
        return


@AGAIN
@given(
    cells=st.dictionaries(
        st.tuples(st.integers(0, 3), st.sampled_from(bad.COLUMNS.split(","))),
        st.text(max_size=6) | st.sampled_from(["", "NA", "0", "-1", "1e9", "2010.5", "npp", "none", "inf"]),
        max_size=3,
    )
)
def test_a_table_is_read_row_by_row_or_refused(cells, tmp_path):
    """Numbers that are read are those that were written, in their rows; nothing else than our error comes."""
    rows = [bad.GOOD | {name: text for (at, name), text in cells.items() if at == number} for number in range(4)]
    text = io.StringIO()
    csv.writer(text).writerows([bad.COLUMNS.split(","), *(row.values() for row in rows)])
    path = written(tmp_path / "mine.csv", text.getvalue().encode("utf-8", "replace"))
    try:
        read = tables.read_table(path, HERE).records
    except DataError:
        return
    assert len(read) == len(rows)
    for name in ("longitude", "latitude", "value"):
        assert read[name].tolist() == [float(row[name]) for row in rows]


@AGAIN
@given(start=st.integers(0, 200), put=st.text(st.characters(codec="ascii"), max_size=4), cut=st.integers(0, 3))
def test_a_table_with_a_slip_keeps_its_rows_or_is_refused(start, put, cut, tmp_path):
    """Some characters typed or lost anywhere: no row vanishes, and none borrows the cells of another."""
    good = bad.table(*(bad.row(site=f"s{number}", value=str(200 + number)) for number in range(4)))
    path = written(tmp_path / "mine.csv", good[:start] + put + good[start + cut :])
    try:
        read = tables.read_table(path, HERE).records
    except DataError:
        return
    # The head may follow an empty line.
    lines = [line for line in path.read_text().splitlines() if line.strip(", \t")][1:]
    assert len(read) == len(lines)
    assert read["source"].isin(["mine"]).sum() >= len(read) - 1
