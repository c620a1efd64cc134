"""From a cell that shows a figure or a table to the numbered one on the pages of the book."""

from __future__ import annotations

import io
import json
import re
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from helpers.errors import RunError
from helpers.figures.style import blank
from helpers.runs import shown
from helpers.runs.pictures import drawn, pixels
from helpers.tables import lettered

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + struct.pack(">II", 1280, 800) + b"\x00" * 40
TABLE = pd.DataFrame({"flux": ["npp", "rh"] * 8, "mean_gC_m2_yr": [325.2, -338.6] * 8})


def record(kind: str, name: str, notebook: str, files: list[str]) -> dict:
    label = shown.label_of(kind, name)
    places = {ending: f"{kind}s/{name}.{ending}" for ending in files}
    return {"kind": kind, "label": label, "caption": f"See {name}.", "notebook": notebook, "files": places}


def a_figure(name: str, notebook: str, *also: str, **more: object) -> shown.Shown:
    told = record("figure", name, notebook, ["png", "svg", "csv", *also]) | {"alt": 'A "map"', "width": 768}
    return shown.shown_figure(told | {"height": 480} | more, PNG)


def executed(*cells: shown.Shown) -> dict:
    """Return the JSON of a notebook whose cells show these."""
    outputs = [{"output_type": "display_data", "data": cell._repr_mimebundle_(), "metadata": {}} for cell in cells]
    return json.loads(json.dumps({"cells": [{"cell_type": "code", "outputs": [output]} for output in outputs]}))


def run_of(folder: Path, *cells: shown.Shown) -> Path:
    """Write the files of what is shown into the folder of a run, the SVG smaller than the PNG."""
    for cell in cells:
        for name in [*cell.record["files"].values(), *cell.record.get("narrow", {}).values()]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            small = {".svg": b"<svg/>", ".gpx": b"<"}
            (folder / name).write_bytes(small.get(Path(name).suffix, PNG))
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, BeautifulSoup]:
    """Build pages of two notebooks and one of prose, read by two processes."""
    folder = tmp_path_factory.mktemp("book")
    narrow = {"narrow": {"webp": "figures/nep_narrow.webp"}}
    more = {**narrow, "files": record("figure", "nep", "", ["png", "svg"])["files"] | {"csv": "figures/nep.csv.zip"}}
    two = [
        a_figure("npp_map", "02_npp", "geojson", "gpx"),
        shown.shown_table(record("table", "scores", "02_npp", ["csv"]), lettered(TABLE)),
    ]
    six = [a_figure("a", "06_sure"), a_figure("nep", "06_sure", **more)]
    source = folder / "source"
    (source / "notebooks").mkdir(parents=True)
    for name, cells in {"02_npp": two, "06_sure": six}.items():
        notebook = shown.stage(executed(*cells), run_of(folder / "run", *cells), source)
        texts = ["".join(cell["outputs"][0]["data"]["text/markdown"]) for cell in notebook["cells"]]
        (source / "notebooks" / f"{name}.md").write_text("\n\n".join([f"# {name}", *texts]))
    references = "{numref}`fig-nep`, {numref}`tab-scores`, {numref}`prose-fig-nep`"
    (source / "prose.md").write_text(f"# Prose\n\n{references}\n\n```{{shown}} fig-nep\nOther words.\n```\n")
    (source / "index.md").write_text("# Index\n\n```{toctree}\nprose\nnotebooks/06_sure\nnotebooks/02_npp\n```\n")
    (source / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(EXTENSIONS)!r})\nextensions = ['myst_parser', 'shown']\nnumfig = True\n"
        "html_static_path = ['_static']\nnumfig_format = {'figure': 'Figure %s', 'table': 'Table %s'}\n"
    )
    with patch_docutils(), docutils_namespace():
        arguments = (str(source), str(source), str(folder / "html"), str(folder / "trees"), "html")
        Sphinx(*arguments, status=None, warningiserror=True, parallel=2).build()
    names = ("prose", "notebooks/06_sure", "notebooks/02_npp")
    return {name: BeautifulSoup((folder / "html" / f"{name}.html").read_text(), "html.parser") for name in names}


def test_numbers_say_the_notebook_and_those_of_prose_are_counted_through(pages):
    numbers = {name: [found.text.strip() for found in page.select(".caption-number")] for name, page in pages.items()}
    assert numbers["notebooks/06_sure"] == ["Figure 6.1", "Figure 6.2"]
    assert numbers["notebooks/02_npp"] == ["Figure 2.1", "Table 2.1"]
    assert numbers["prose"] == ["Figure 1"]


def test_prose_refers_by_number_and_leads_to_the_place(pages):
    links = {
        link.text: link["href"] for link in pages["prose"].select("p a.reference.internal") if link.text[0] in "FT"
    }
    assert links == {
        "Figure 6.2": "notebooks/06_sure.html#fig-nep",
        "Table 2.1": "notebooks/02_npp.html#tab-scores",
        "Figure 1": "#prose-fig-nep",
    }


def test_a_figure_has_its_picture_its_texts_and_files_that_are_there(pages):
    figure = pages["notebooks/06_sure"].select_one("figure#fig-a")
    picture = figure.select_one("img")
    assert (picture["src"], picture["alt"], picture["width"]) == ("../_static/figures/a.svg", 'A "map"', "768")
    assert "dark-light" in picture["class"], "the theme would tint it in dark mode"
    assert figure.select_one("figcaption .caption-text").text == "See a."
    links = {link.text: link["href"] for link in figure.select(".shown-links a")}
    assert list(links) == ["SVG", "PNG", "data (CSV)"] and links["data (CSV)"] == "../_static/figures/a.csv"


def test_places_to_go_to_are_offered_and_are_no_picture(pages):
    figure = pages["notebooks/02_npp"].select_one("figure#fig-npp-map")
    links = {link.text: link["href"] for link in figure.select(".shown-links a")}
    assert list(links) == ["SVG", "PNG", "data (CSV)", "GeoJSON", "GPX"]
    assert links["GPX"] == "../_static/figures/npp_map.gpx"
    assert figure.select_one("img")["src"] == "../_static/figures/npp_map.svg"


def test_zipped_data_are_called_so(pages):
    links = [link.text for link in pages["notebooks/06_sure"].select("#fig-nep .shown-links a")]
    assert links == ["SVG", "PNG", "data (CSV, zipped)"]


def test_a_phone_is_given_the_narrow_picture(pages):
    source = pages["notebooks/06_sure"].select_one("#fig-nep picture source")
    assert source["srcset"] == "../_static/figures/nep_narrow.webp" and "max-width" in source["media"]


def test_a_page_of_prose_shows_a_figure_in_words_of_its_own_and_names_the_notebook(pages):
    figure = pages["prose"].select_one("figure#prose-fig-nep")
    assert figure.select_one(".caption-text").text == "Other words."
    assert figure.select_one("img")["src"] == "_static/figures/nep.svg"
    home = figure.select(".shown-links a")[-1]
    assert (home.text, home["href"]) == ("from notebook 06", "notebooks/06_sure.html#fig-nep")


def test_a_table_is_one_with_caption_heads_sides_and_data(pages):
    block = pages["notebooks/02_npp"].select_one(".shown-table")
    table = block.select_one("table#tab-scores")
    assert table.select_one("caption .caption-text").text == "See scores."
    assert [head.text.strip()[:4] for head in table.select("thead th")] == ["flux", "mean"]
    first = table.select("tbody tr")[1].select("td")
    assert [cell.text.strip() for cell in first] == ["Rh", "−338.6"]
    assert ["words" in first[0]["class"], "number" in first[1]["class"], "sortable" in table["class"]] == [True] * 3
    assert block.select_one(".shown-links a")["href"] == "../_static/tables/scores.csv"


def test_jupyter_shows_picture_and_caption_without_the_book():
    page = a_figure("a", "06_sure")._repr_mimebundle_()["text/html"]
    assert re.search(r'<img src="data:image/png;base64,\w', page) and "<figcaption>See a.</figcaption>" in page


def test_a_notebook_keeps_its_other_outputs(tmp_path):
    cells = executed(a_figure("a", "06_sure"))
    cells["cells"][0]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "a word"})
    staged = shown.stage(cells, run_of(tmp_path, a_figure("a", "06_sure")), tmp_path)
    assert staged["cells"][0]["outputs"][1]["text"] == "a word"


@given(
    st.lists(
        st.one_of(
            st.floats(1e-9, 1e6),
            st.floats(-1e6, 0.0).filter(lambda value: value < -1e-200),
            st.just(0.0),
            st.just(float("nan")),
            st.just(float("inf")),
        ),
        min_size=1,
        max_size=20,
    ),
    st.floats(-180, 180),
)
def test_data_of_a_figure_keep_four_digits_and_their_places(values, place):
    data = pd.DataFrame({"longitude": round(place, 6), "value": values, "key": "a"})
    read = pd.read_csv(io.StringIO(shown.short_csv(data)))
    assert list(read) == list(data) and (read["longitude"] - round(place, 6)).abs().max() < 1e-7
    np.testing.assert_allclose(read["value"], values, rtol=5.01e-4, atol=1e-300)


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(RunError, match=r"a\.png is missing, .* execute that notebook again"):
        shown.stage(executed(a_figure("a", "06_sure")), tmp_path, tmp_path)


def test_one_label_is_not_given_twice(tmp_path):
    figure = a_figure("a", "06_sure")
    with pytest.raises(RunError, match="06_sure shows 'fig-a' a second time"):
        shown.stage(executed(figure, figure), run_of(tmp_path, figure), tmp_path)


def test_a_map_of_many_cells_is_a_picture_within_its_svg_and_words_stay_lines():
    figure = blank(2.0)
    axes = figure.add_subplot(xlabel="longitude")
    axes.pcolormesh([[float(i * j) for i in range(60)] for j in range(60)])
    pictures = drawn(figure, "png", "svg")
    assert pictures["svg"].count(b"<image") == 1 and len(pictures["svg"]) < 100_000
    assert pictures == drawn(figure, "png", "svg"), "the same figure is other bytes the second time"
    width, height = pixels(pictures["png"])
    assert 650 < width < 850 and 150 < height < 250
