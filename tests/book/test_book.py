"""What the book's build refuses, and what it writes on every page."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from helpers import costs
from helpers.config import Region, Settings, load_config, project_root
from helpers.errors import RunError
from helpers.runs import book, rendering

ROOT = project_root()

NAMES = ["01_data_preparation", "02_npp_random_forest"]


@pytest.fixture
def settings() -> Settings:
    return load_config("open")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """A checkout with a finished run of two notebooks."""
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    toc = {"root": "book/intro", "parts": [{"chapters": [{"file": f"notebooks/{name}"} for name in NAMES]}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "_config.yml").write_text("title: Plateau\nhtml: {home_page_in_navbar: true}\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.md").write_text("# Plateau\n")
    (tmp_path / "data").mkdir()
    entry = {"title": "A | B", "variable": "temperature, degC", "licence": "CC0", "citation": ["Fick2017"]}
    entry |= {
        "reference": "Fick",
        "reader": "data.readers.read_temperature",
        "notes": "",
        "files": [],
        "origin": "here",
    }
    (tmp_path / "data" / "catalog.yml").write_text(yaml.safe_dump({"climate": entry}))
    for path in book.INCLUDED_FILES.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("text\n")
    for name in NAMES:
        put(tmp_path / "runs/open/notebooks" / f"{name}.ipynb", {"cells": []})
        put(tmp_path / "runs/open/provenance" / f"{name}.json", record(settings))
    return tmp_path


def put(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def record(settings: Settings, **changes: object) -> dict:
    """Return the provenance of a notebook."""
    return {
        "settings": settings.model_dump(),
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00",
        "wall_seconds": 60.0,
        "peak_memory_bytes": 1_500_000_000,
        "inputs": {},
        "outputs": {},
        "git": {"commit": "0123456789abcdef", "dirty": True},
        "python": "3.12.1",
        "packages": {"xarray": "2025.1"},
    } | changes


def test_missing_notebooks_are_named_with_the_command_that_makes_them(checkout, settings):
    (checkout / "runs/open/notebooks/02_npp_random_forest.ipynb").unlink()
    with pytest.raises(RunError, match=r"no executed copy of 02_npp_random_forest: `make run CONFIG=open`"):
        book.stage(settings, checkout / "_build")


def test_a_notebook_that_did_not_finish_is_refused(checkout, settings):
    put(checkout / "runs/open/provenance/02_npp_random_forest.json", record(settings, finished=None))
    with pytest.raises(RunError, match=r"02_npp_random_forest did not reach book_run\.finish\(\)"):
        book.stage(settings, checkout / "_build")


def test_a_notebook_without_provenance_is_refused(checkout, settings):
    (checkout / "runs/open/provenance/01_data_preparation.json").unlink()
    with pytest.raises(RunError, match="no provenance of 01_data_preparation"):
        book.stage(settings, checkout / "_build")


def test_a_notebook_of_other_parameters_is_refused(checkout, settings):
    with pytest.raises(RunError, match=r"01_data_preparation ran with resolution = 0\.1, not 0\.5"):
        book.stage(settings.model_copy(update={"resolution": 0.5}), checkout / "_build")


def test_a_parameter_that_decides_nothing_may_differ(checkout, settings):
    source = book.stage(settings.model_copy(update={"threads": 1}), checkout / "_build")
    assert [path.stem for path in sorted((source / "notebooks").iterdir())] == NAMES


def test_results_that_were_replaced_after_they_were_read_are_refused(checkout, settings):
    made = record(settings, outputs={"cube.zarr": {"sha256": "new", "bytes": 3}})
    put(checkout / "runs/open/provenance/01_data_preparation.json", made)
    put(checkout / "runs/open/provenance/02_npp_random_forest.json", record(settings, inputs={"cube.zarr": "old"}))
    with pytest.raises(RunError, match=r"02_npp_random_forest read a cube\.zarr that 01_data_preparation has replaced"):
        book.stage(settings, checkout / "_build")


@pytest.mark.parametrize("now", [None, "12", "124"], ids=["lost", "cut", "changed"])
def test_results_that_are_not_as_they_were_saved_are_refused(checkout, settings, now):
    path = checkout / "runs/open/tables/budgets.csv"
    path.parent.mkdir()
    path.write_text("123")
    output = {"sha256": hashlib.sha256(b"123").hexdigest(), "bytes": 3}
    made = record(settings, outputs={"tables/budgets.csv": output})
    put(checkout / "runs/open/provenance/01_data_preparation.json", made)
    book.stage(settings, checkout / "_build")
    path.unlink()
    if now:
        path.write_text(now)
    with pytest.raises(
        RunError, match=r"tables/budgets\.csv (is missing|has 2|was changed).*execute 01_data_preparation"
    ):
        book.stage(settings, checkout / "_build")


@pytest.mark.parametrize("text", ["", '{"cells": [', "[]", "{}"])
@pytest.mark.parametrize("name", ["notebooks/02_npp_random_forest.ipynb", "provenance/02_npp_random_forest.json"])
def test_a_file_that_is_cut_is_named_with_the_notebook_to_run(checkout, settings, name, text):
    (checkout / "runs/open" / name).write_text(text)
    words = rf"runs/open/{re.escape(name)} .*run notebooks/02_npp_random_forest\.ipynb again"
    with pytest.raises(RunError, match=words):
        book.stage(settings, checkout / "_build")


@pytest.fixture
def rendering_calls(monkeypatch) -> Callable[[Callable[[], None]], None]:
    """Let Jupyter Book make one page, the first, of the footer that was staged; something may happen meanwhile."""

    def with_meanwhile(meanwhile: Callable[[], None]) -> None:
        def render(source: Path, folder: Path) -> Path:
            meanwhile()
            page = folder / "read" / "book" / "intro.html"
            page.parent.mkdir(parents=True)
            page.write_text(yaml.safe_load((source / "_config.yml").read_text())["html"]["extra_footer"])
            return folder / "read"

        monkeypatch.setattr(book, "render", render)
        monkeypatch.setattr(book, "finish", lambda pages, root: None)

    with_meanwhile(lambda: None)
    return with_meanwhile


def stamps(folder: Path) -> list[str]:
    """Return which runs a folder of pages is the book of."""
    return [path.name for path in (folder / "html").glob("of-run-*")]


def test_a_second_book_waits_for_the_first_and_says_so(checkout, settings, rendering_calls, capsys):
    shutil.copytree(checkout / "runs/open", checkout / "runs/other")
    other, folder = settings.model_copy(update={"run": "other"}), checkout / "_build"
    begun, on = threading.Event(), threading.Event()
    rendering_calls(lambda: (begun.set(), on.wait(20)))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(book.build, settings, folder)
        assert begun.wait(20)
        second = pool.submit(book.build, other, folder)
        time.sleep(1.5)
        assert not second.done() and "run other" not in (folder / "source" / "_config.yml").read_text()
        on.set()
        assert first.result() == second.result() == folder / "html" / "index.html"
    assert re.search(r"waiting for process \d+ .*\(builds the book of run 'open'\)", capsys.readouterr().err)
    assert stamps(folder) == ["of-run-other"] and "run other" in (folder / "html/book/intro.html").read_text()


def test_a_book_whose_run_is_executed_again_meanwhile_does_not_appear(checkout, settings, rendering_calls):
    folder = checkout / "_build"
    book.build(settings, folder)
    before = (folder / "html/book/intro.html").read_bytes()
    again = record(settings, finished="2027-02-02T00:00:00+00:00")
    rendering_calls(lambda: put(checkout / "runs/open/provenance/02_npp_random_forest.json", again))
    with pytest.raises(
        RunError, match="02_npp_random_forest was executed again while the book of run 'open' was built"
    ):
        book.build(settings, folder)
    assert (folder / "html/book/intro.html").read_bytes() == before and stamps(folder) == ["of-run-open"]


def test_pages_of_another_run_do_not_appear(checkout, settings, rendering_calls):
    folder = checkout / "_build"

    def exchange() -> None:
        path = folder / "source" / "_config.yml"
        path.write_text(path.read_text().replace("run open", "run other"))

    rendering_calls(exchange)
    with pytest.raises(RunError, match="is not of run 'open'.*build the book again"):
        book.build(settings, folder)
    assert not (folder / "html").exists()


def test_pages_keep_their_paths_of_the_repository(checkout, settings):
    source = book.stage(settings, checkout / "_build")
    assert (source / "book/intro.md").is_file() and (source / "notebooks/02_npp_random_forest.ipynb").is_file()


def test_the_products_stand_in_a_table_with_licence_and_citation(checkout, settings):
    source = book.stage(settings, checkout / "_build")
    row = (source / "_generated/catalogue.md").read_text().splitlines()[-1]
    assert row == r"| **A \| B**<br>`climate` | temperature, degC | CC0 | {cite}`Fick2017` |"


def test_the_provenance_of_the_notebooks_is_merged(checkout, settings):
    merged = book.merge_provenance(checkout / "runs/open", NAMES, settings)
    assert (merged["wall_seconds"], merged["peak_memory_bytes"], list(merged["notebooks"])) == (
        120,
        1_500_000_000,
        NAMES,
    )


def test_the_merged_provenance_lies_in_the_run_folder(checkout, settings):
    merged = book.merge_provenance(checkout / "runs/open", NAMES, settings)
    assert json.loads((checkout / "runs/open/provenance.json").read_text()) == merged


@pytest.mark.parametrize(("world", "simulated"), [("virtual", True), ("real", False)])
def test_only_a_simulated_world_has_the_banner(settings, world, simulated):
    provenance = record(settings.model_copy(update={"world": world})) | {"run": "open"}
    assert ("Simulated" in book.resolved_config({}, provenance)["html"].get("announcement", "")) == simulated


@pytest.mark.parametrize("made_up", [True, False])
def test_only_a_made_up_archive_has_its_banner_and_no_theme_hides_it_in_print(settings, made_up):
    provenance = record(settings.model_copy(update={"made_up": made_up})) | {"run": "open"}
    banner = book.resolved_config({}, provenance)["html"].get("announcement", "")
    # An address there would be fetched by a script, and its banner left out in print.
    assert ("Made-up input" in banner) == made_up and not banner.startswith("http")


def test_each_product_with_a_connector_stands_on_a_page_of_its_own_with_what_is_known_and_unknown(checkout, settings):
    path = checkout / "data" / "catalog.yml"
    told = {name: f"its {name}" for name in ("account", "size", "checked", "stand_in", "unknown")}
    entry = {"title": "NPP of X", "variable": "npp", "licence": "CC0", "citation": ["Zeng2023"], "notes": "masked"}
    entry |= {"reference": "Zeng, doi:10.1/x", "connector": "modis.Mod17", "address": "https://x.example/y", **told}
    path.write_text(path.read_text() + yaml.safe_dump({"far": entry}))
    source = book.stage(settings, checkout / "_build")
    page = (source / "_generated/paper_products.md").read_text()
    assert page.startswith("### NPP of X\n\n| `far` |  |")
    for line in [*told.values(), "masked", "CC0", "<https://x.example/y>", "[doi:10.1/x](https://doi.org/10.1/x)"]:
        assert line in page
    assert "{cite}`Zeng2023`" in page
    assert "far" not in (source / "_generated/catalogue.md").read_text()


@pytest.fixture
def japan(checkout, settings) -> Settings:
    """The settings of a run of another region, with pages of either kind and a template for the first one."""
    settings = settings.model_copy(update={"region": Region(name="Japan", called="the islands", boundary="japan")})
    for name in NAMES:
        put(checkout / "runs/open/provenance" / f"{name}.json", record(settings))
    number = "{glue:text}`/notebooks/01_data_preparation.ipynb::n:d`"
    pages = {"intro": "# Plateau\n", "paper": "# The paper\n", "methods": f"# Methods\n\n{number}\n"}
    pages["data"] = f"# Data\n\nOf {number}.\n\n```{{include}} ../_generated/catalogue.md\n```\n\nMore.\n"
    for name, text in pages.items():
        (checkout / "book" / f"{name}.md").write_text(text)
    (checkout / "workflow").mkdir(exist_ok=True)
    (checkout / "workflow/region_intro.md").write_text("# Is $called a sink?\n\n$name, `$config`.\n")
    return settings


def test_a_book_of_another_region_has_its_own_first_page_and_title(checkout, japan):
    source = book.stage(japan, checkout / "_build")
    assert (source / "book/intro.md").read_text() == "# Is the islands a sink?\n\nJapan, `open`.\n"
    assert yaml.safe_load((source / "_config.yml").read_text())["title"] == "Is the islands a carbon sink?"


def test_a_page_with_numbers_of_the_plateau_says_where_those_of_the_region_are(checkout, japan):
    source = book.stage(japan, checkout / "_build")
    text = (source / "book/data.md").read_text()
    assert text.startswith("# Data\n\nThis page is about the paper's plateau") and "the islands" in text
    assert "{glue:" not in text and "More." not in text and "../_generated/catalogue.md" in text
    for name in ("paper", "methods"):
        assert (source / f"book/{name}.md").read_text() == (checkout / f"book/{name}.md").read_text()


def test_the_book_of_the_papers_plateau_has_its_pages_as_they_are(checkout, japan, settings):
    for name in NAMES:
        put(checkout / "runs/open/provenance" / f"{name}.json", record(settings))
    source = book.stage(settings, checkout / "_build")
    for page in (checkout / "book").iterdir():
        assert (source / "book" / page.name).read_bytes() == page.read_bytes()
    assert yaml.safe_load((source / "_config.yml").read_text())["title"] == "Plateau"


@pytest.mark.parametrize("fact", ["run open", "configuration open", "0123456789ab with uncommitted", "xarray 2025.1"])
def test_the_footer_says_where_the_numbers_come_from(settings, fact):
    assert fact in book.footer(record(settings) | {"run": "open"})


def test_the_command_ends_with_the_message_not_a_traceback(checkout, capsys):
    (checkout / "config").mkdir()
    given = (ROOT / "config" / "open.yml").read_text(encoding="utf-8")
    (checkout / "config" / "open.yml").write_text(given.replace("resolution: 0.1", "resolution: 0.5"))
    assert book.main(["--config", "open"]) == 1
    assert "ran with resolution" in capsys.readouterr().err


def test_only_what_was_read_of_the_reference_is_taken_from_an_earlier_book(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "_jupyter_book", lambda *_: "")
    trees = rendering._read(tmp_path) / "_build" / ".doctrees"
    for name in ("book/intro", "notebooks/06_uncertainty", "_generated/api/helpers"):
        put(trees / f"{name}.doctree", "of another region")
    rendering.render(tmp_path / "source", tmp_path)
    assert [path.stem for path in trees.rglob("*.doctree")] == ["helpers"]


def test_the_code_reference_holds_every_module_once():
    text = "".join(rendering.reference_pages(ROOT / "src").values())
    listed = re.findall(r"automodule:: ([\w.]+)", text)
    files = [path.relative_to(ROOT / "src").with_suffix("") for path in (ROOT / "src").rglob("*.py")]
    assert sorted(listed) == sorted(".".join(file.parts).removesuffix(".__init__") for file in files)


def glued_by(notebook: Path) -> re.Pattern[str]:
    """Return a pattern of the names that a notebook glues; a part in braces stands for any word.

    Notebook 08 glues what :func:`helpers.costs.numbers` makes of the measurements.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "".join(line for cell in cells if cell["cell_type"] == "code" for line in [*cell["source"], "\n"])
    names = re.findall(r"\.glue\(\s*f?\"([^\"]+)\"", text)
    if "costs.numbers(" in text:
        engines, measured, job = map(costs.read_measurements, ("engines", "scaling", "whole job"))
        names += costs.numbers(engines, costs.cases(measured), job, cores=32)
        names += costs.of_paper(costs.read_measurements("paper's products"))
        names += costs.of_ten_times(costs.read_measurements("ten times the cells"), job)
        names += costs.of_waits(costs.compared(costs.read_measurements("what people wait for")))
    return re.compile("|".join(re.sub(r"\{.+?\}", r"\\w+", name) for name in names))


PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "workflow" / "region_intro.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_only_numbers_that_a_notebook_glues(page):
    shown = re.findall(r"\{glue:text\}`/(notebooks/\w+\.ipynb)::(\w+):", page.read_text(encoding="utf-8"))
    assert not [(notebook, name) for notebook, name in shown if not glued_by(ROOT / notebook).fullmatch(name)]


@pytest.mark.parametrize("name", ["intro", "claims_audit"])
@pytest.mark.parametrize("kind", ["in_?sample_r2:", r"0\.88"])
def test_a_page_gives_the_score_at_the_maps_distances_before_the_kinder_ones(name, kind):
    page = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    assert page.index("npp_knndm_r2:") < re.search(kind, page).start()


@pytest.mark.parametrize("name", ["intro", "claims_audit"])
@pytest.mark.parametrize("first", ["verdict:", "nep_total_low:", "outside_percent:"])
def test_a_page_gives_the_interval_of_the_sink_before_any_other_number_of_it(name, first):
    page = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    numbers = [page.find(number) for number in ("::nep_total:", "::nep_mean:", "68.06")]
    assert page.index(f"06_uncertainty.ipynb::{first}") < min(number for number in numbers if number >= 0)
