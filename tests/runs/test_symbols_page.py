"""The page of symbols has the words and the units that the code has, and names nothing that the code does not know."""

from __future__ import annotations

import re

import pytest

from helpers import names
from helpers.config import Settings, project_root
from helpers.data.variables import VARIABLES
from helpers.runs.symbols_page import UNITS_IN_WORDS, symbols, symbols_page
from mapforest.metrics import scores

ROWS = [row for rows in symbols().values() for row in rows]


def test_each_map_has_a_row_with_its_unit():
    rows = {row.code[0]: row for row in symbols()["Maps and fluxes"]}
    assert list(rows) == list(VARIABLES)
    assert {key: row.units for key, row in rows.items() if key in ("temperature", "npp", "soc")} == {
        "temperature": "degC",
        "npp": names.FLUX_UNITS,
        "soc": "kg C m-2",
    }
    assert rows["rs"].meaning == names.flux_name("rs") and rows["srad"].named == names.predictor_name("srad")


def test_each_unit_of_a_table_is_explained_once():
    assert set(UNITS_IN_WORDS) == set(names.UNITS)
    page = symbols_page()
    for code, units in names.UNITS.items():
        assert page.replace(names.NO_BREAK, " ").count(f"| {names.pretty_units(units)} | `_{code}` |") == 1


@pytest.mark.parametrize("row", [row for row in ROWS if row.code], ids=lambda row: row.code[0])
def test_what_a_row_names_is_in_the_code_with_this_unit_and_these_words(row):
    known = {*VARIABLES, *Settings.model_fields, *scores([1.0, 2.0], [1.0, 2.5]), "sink_probability"}
    for code in row.code:
        unit = names.split_unit(code)[1]
        assert unit or code in known
        assert names.UNITS.get(unit, row.units) == row.units
    if row.named and len(row.code) == 1:
        assert row.named in {names.heading(row.code[0]).partition(" [")[0], names.choice_name(row.code[0])}


def test_each_equation_that_the_page_names_has_its_label_in_the_methods():
    methods = (project_root() / "book" / "methods.md").read_text(encoding="utf-8")
    labels = set(re.findall(r":label: (\S+)", methods))
    assert set(re.findall(r"\{eq\}`([^`]+)`", symbols_page())) == labels


def test_each_quantity_of_an_equation_of_the_methods_is_on_the_page():
    methods = (project_root() / "book" / "methods.md").read_text(encoding="utf-8")
    equations = "".join("".join(found) for found in re.findall(r"\$\$(.+?)\$\$|```\{math\}(.+?)```", methods, re.S))
    quantities = {found[1] or found[0] for found in re.finditer(r"\b[A-Z]_i|\\mathrm\{(\w+)\}", equations)}
    assert len(quantities) > 12
    assert not [quantity for quantity in quantities if quantity not in " ".join(row.symbol for row in ROWS)]
