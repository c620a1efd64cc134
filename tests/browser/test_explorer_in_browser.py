"""The explorer as a reader uses it: by pointer, keyboard, touch, without scripts, on a phone, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr

from helpers.figures.explorer import Layer, Panel, explorer

pytestmark = pytest.mark.browser
ROWS, COLUMNS = 20, 40
UNITS = "g C m-2 yr-1"


def field(values) -> xr.DataArray:
    """A map of half degrees, its first cell centred at 40 N, 80 E."""
    sides = {"latitude": 40 - 0.5 * np.arange(ROWS), "longitude": 80 + 0.5 * np.arange(COLUMNS)}
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, coords=sides, dims=("time", "latitude", "longitude")[-values.ndim :])


#: 100 times the row, plus the column: a value tells its cell.
PLACES = field(100.0 * np.arange(ROWS)[:, None] + np.arange(COLUMNS))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two maps, one of them to be picked, and three years."""
    panels = [
        Panel("NPP", "", "flux", [Layer("NPP", PLACES.where(PLACES.longitude < 99), UNITS)]),
        Panel("Difference", "", "difference", [Layer("A", PLACES - 900, UNITS, "A"), Layer("B", -PLACES, UNITS, "B")]),
    ]
    yearly = {"NPP": field(np.stack([PLACES.values + 10_000 * year for year in range(3)]))}
    html = explorer(panels, shapely.box(80, 31, 99, 40), [2001, 2002, 2003], yearly, 1, "simulated")
    target = tmp_path_factory.mktemp("explorer") / "explorer.html"
    target.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Maps</title><main>{html}</main>')
    return target


@pytest.fixture
def page(path: Path, open_page: Any) -> Any:
    return ready(open_page(path))


def ready(page: Any) -> Any:
    page.wait_for_selector("#explorer[data-ready]")
    return page


def values(page: Any) -> list[str]:
    """Return the values that stand in the box, with plain spaces."""
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator("#explorer-values dd").all_inner_texts()]


def spoken(page: Any) -> str:
    """Return what was announced last, with plain spaces."""
    return page.locator("#explorer-spoken").text_content().replace("\N{NO-BREAK SPACE}", " ")


def map_place(page: Any, number: int = 0) -> tuple[float, float]:
    """Return a point of a map on the screen."""
    figure = page.locator("#explorer-maps figure").nth(number)
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    return box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.6


def cell_of(text: str) -> tuple[int, int]:
    """Return row and column that a value of the first map tells."""
    return divmod(int(text.split()[0]), 100)


def place_of(row: int, column: int) -> str:
    return f"{40 - row / 2:.2f}° N, {80 + column / 2:.2f}° E"


def test_it_begins_near_the_middle_with_values_and_units(page):
    assert page.inner_text("#explorer-place") == place_of(10, 20)
    assert values(page) == ["1020 g C m⁻² yr⁻¹", "+120 g C m⁻² yr⁻¹"]


@pytest.mark.parametrize("number", [0, 1])
def test_the_pointer_shows_the_cell_below_it_in_all_maps(page, number):
    page.mouse.move(*map_place(page, number))
    page.wait_for_function("document.querySelector('#explorer-place').textContent != '35.00° N, 90.00° E'")
    row, column = cell_of(values(page)[0])
    assert page.inner_text("#explorer-place") == place_of(row, column)
    shown = 100 * row + column - 900
    assert values(page)[1].startswith(f"{shown:+d}".replace("-", "\N{MINUS SIGN}"))
    page.mouse.move(5, 5)  # the chosen cell comes back
    page.wait_for_function("document.querySelector('#explorer-place').textContent == '35.00° N, 90.00° E'")


def test_arrow_keys_move_by_a_cell_or_ten_and_what_is_there_is_announced(page):
    page.focus("#explorer-cursor")
    for key in ("ArrowUp", "ArrowRight", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    assert page.inner_text("#explorer-place") == place_of(9, 11)
    assert page.locator("#explorer-spoken").get_attribute("aria-live") == "polite"
    assert spoken(page) == f"{place_of(9, 11)}: NPP 911 g C m⁻² yr⁻¹; A +11 g C m⁻² yr⁻¹."


def test_the_cursor_stays_on_the_map_and_a_gap_is_called_one(page):
    page.focus("#explorer-cursor")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    assert page.inner_text("#explorer-place") == place_of(10, COLUMNS - 1)
    assert values(page)[0] == "no value"


def test_a_click_keeps_a_cell_shows_its_years_and_the_keys_go_on_from_there(page):
    page.mouse.click(*map_place(page))
    page.wait_for_function("document.querySelector('#explorer-place').textContent != '35.00° N, 90.00° E'")
    row, column = cell_of(values(page)[0])
    assert page.inner_text("#explorer-years").startswith(f"Yearly values at {place_of(row, column)}")
    years = "Bokeh.documents[0].get_model_by_name('series').data"
    assert page.evaluate(f"[...{years}.NPP]") == [100 * row + column + 10_000 * year for year in range(3)]
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#explorer-place") == place_of(row + 1, column)


def test_enter_tells_the_years(page):
    page.focus("#explorer-cursor")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert spoken(page) == f"{place_of(11, 20)}, 2001 to 2003: NPP from 1120 to 21120 g C m⁻² yr⁻¹."


def test_another_map_is_picked_by_its_name(page):
    page.select_option("select", "B")
    assert values(page)[1] == "\N{MINUS SIGN}1020 g C m⁻² yr⁻¹"
    assert page.locator("#explorer-values dt").nth(1).inner_text() == "B"
    drawn = "Bokeh.documents[0].roots()[1].renderers.find(r => r.data_source.name == 'image')"
    assert page.evaluate(f"{drawn}.data_source.data.image[0][{COLUMNS + 5}]") == -105.0
    assert page.evaluate(f"{drawn}.glyph.color_mapper.high") > 1500  # of B, whose values are twice as large as A's


def test_zoom_keeps_the_cell_in_sight_and_comes_back(page):
    span = "['x', 'y'].map(n => Bokeh.documents[0].get_model_by_name(n)).map(r => r.end - r.start)"
    whole = page.evaluate(span)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(span) == pytest.approx([side / 2 for side in whole])
    page.focus("#explorer-cursor")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowLeft")
    range_x = page.evaluate("(r => [r.start, r.end])(Bokeh.documents[0].get_model_by_name('x'))")
    assert range_x[0] <= 80 <= range_x[1]
    page.keyboard.press("0")
    assert page.evaluate(span) == pytest.approx(whole)


def test_the_maps_are_painted(page):
    """Each map has many colours: its values reached the canvas."""
    count = """(number) => {
      const found = [];
      const look = (node) => { if (node.tagName === 'CANVAS') found.push(node);
        [...(node.shadowRoot?.children ?? []), ...node.children].forEach(look); };
      look(document.querySelectorAll('#explorer-maps figure')[number]);
      return Math.max(...found.filter((c) => c.width && c.height).map((c) =>
        new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size));
    }"""
    assert min(page.evaluate(count, 0), page.evaluate(count, 1)) > 30


def test_a_phone_has_one_map_in_a_row_and_no_sideways_scroll(path, open_page):
    page = ready(open_page(path, width=390, has_touch=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tops = [box["y"] for box in (place.bounding_box() for place in page.locator("#explorer-maps figure").all())]
    assert tops == sorted(set(tops))
    page.touchscreen.tap(*map_place(page))
    page.wait_for_function("document.querySelector('#explorer-place').textContent != '35.00° N, 90.00° E'")


def test_without_scripts_there_is_the_picture_alone(path, open_page):
    page = open_page(path, java_script_enabled=False)
    assert page.get_by_role("img", name="The maps without scripts").is_visible()
    assert not page.locator("#explorer").is_visible()


def test_paper_gets_maps_and_values_without_buttons(page):
    page.emulate_media(media="print")
    assert page.locator("#explorer-values").is_visible() and page.locator("#explorer-maps").is_visible()
    assert not page.locator("#explorer-tools").is_visible()
