"""The book of a run: its pages staged in one folder, and built by Jupyter Book with warnings as errors.

``python -m helpers.runs.book --config open`` takes the executed notebooks of the run, never the templates in git,
and puts them beside the prose under the repository's own paths. Numbers reach the prose by glue, so every
number of a book comes from one run.
"""

import html
import json
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import yaml

from helpers.config import Settings, load_config, project_root, read_yaml
from helpers.data import catalog
from helpers.errors import ConfigError, DataError, RunError
from helpers.runs import locks, shown
from helpers.runs.execute import overrides_of, settings_parser
from helpers.runs.failures import of_disk
from helpers.runs.files import runs_folder, stamp_of, written_whole
from helpers.runs.finishing import finish
from helpers.runs.intact import damage, read_executed
from helpers.runs.provenance import read_record
from helpers.runs.provenance_page import markdown_table, plain, provenance_page
from helpers.runs.rendering import LOCK, render, write_reference
from helpers.runs.steps import WORLDS_WITH_TRUTH, deciding_parameters
from helpers.runs.symbols_page import symbols_page

SIMULATED_BANNER = (
    "<strong>Simulated:</strong> this build shows the virtual plateau. Its terrain and land cover are real, "
    "its climate and ecosystem are invented. It tests the method and is no evidence about the plateau."
)
MADE_UP_BANNER = (
    "<strong>Made-up input:</strong> the files that this build was made from are made up, in the true formats of the "
    "paper's products. It tests the way from an archive's files to these pages and says nothing about any place."
)
#: Pages with numbers of a run that hold for any region; the others with such numbers tell of the paper's plateau.
GENERAL_PAGES = frozenset({"methods", "paper_products", "scaling", "where_to_measure"})
#: Files of the repository that are parts of a page, and none themselves.
INCLUDED_FILES = {
    "citation": "CITATION.cff",
    "changelog": "CHANGELOG.md",
    "slurm_profile": "workflow/profiles/slurm/config.yaml",
}
INJECTED = (
    "**Parameters of this run.** The workflow put the next cell in: what it sets replaces what stands above. All "
    "settings of the run are on the [page of its provenance](../_generated/provenance.md)."
)
NAMED_PACKAGES = ("jupyter-book", "numpy", "pandas", "papermill", "scikit-learn", "xarray")
#: Where buttons can lead, and the address in place of which pages have that of the repository.
_REPOSITORY = r"https://(github|gitlab)\.com/[\w.-]+/[\w.-]+"
_ANY_COPY = "https://github.com/OWNER/qtp-carbon-book"
#: What such a page says in the book of another region.
_ELSEWHERE = Template(
    "This page is about the paper's plateau, and quotes numbers of its run: read it in the book of the configuration "
    "`open` (`make book CONFIG=open`). This book is about $called. Its balance is on [the first page](intro.md); what "
    "it was made from is in {doc}`notebook 01 </notebooks/01_data_preparation>`, how far it can be believed in "
    "{doc}`notebook 06 </notebooks/06_uncertainty>`."
)


def build(settings: Settings, folder: Path | None = None) -> Path:
    """Build the book of a run into ``html`` of a folder, by default ``_build`` of the checkout; return its first page.

    The pages appear there only when the book is whole and free of warnings; until then those of the last good book
    stay. One book is built in a folder at a time: a second call waits, and says for whom. RunError is raised if
    executed notebooks are missing, their results do not belong together or were damaged, Jupyter Book warns, the folder
    cannot be written to, or another process works on the run with other parameters, or has executed a notebook
    meanwhile.
    """
    folder = folder or project_root() / "_build"
    with locks.building(settings), locks.alone(folder / LOCK, f"builds the book of run {settings.run!r}"):
        try:
            source = stage(settings, folder)
            pages = render(source, folder)
            finish(pages, project_root())
            _refuse_other_pages(pages, settings)
            (pages / stamp_of(settings.run)).touch()
            with written_whole(folder / "html", lasting=False) as partial:
                pages.rename(partial)
        except OSError as error:
            raise RunError(of_disk(error, folder)) from error
    return folder / "html" / "index.html"


def stage(settings: Settings, folder: Path) -> Path:
    """Put prose, executed notebooks, generated pages and configuration into ``<folder>/source``, and return that.

    RunError is raised if executed notebooks are missing, or their results do not belong together or were damaged.
    """
    root, run_folder = project_root(), runs_folder() / settings.run
    config, names = read_yaml(root / "_config.yml"), _notebooks_of(read_yaml(root / "_toc.yml"))
    executed = {name: run_folder / "notebooks" / f"{name}.ipynb" for name in names}
    _refuse_missing(executed, settings)
    provenance = merge_provenance(run_folder, names, settings)
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    if not settings.region.of_paper:
        tell_of_region(source / "book", settings)
    tell_address(source / "book", repository_of(config))
    (source / "notebooks").mkdir()
    for path in [*(root / "book" / "_static").glob("*.css"), *(root / "book" / "_static").glob("*.js")]:
        (source / "_static").mkdir(exist_ok=True)
        shutil.copy2(path, source / "_static")
    for path in executed.values():
        notebook = folded(shown.stage(read_executed(path), run_folder, source))
        (source / "notebooks" / path.name).write_text(json.dumps(notebook), encoding="utf-8")
    shutil.copy2(root / "_toc.yml", source)
    text = yaml.safe_dump(resolved_config(config, provenance), sort_keys=False, allow_unicode=True)
    (source / "_config.yml").write_text(text, encoding="utf-8")
    generated = source / "_generated"
    generated.mkdir()
    (generated / "catalogue.md").write_text(_catalogue_page(), encoding="utf-8")
    (generated / "paper_products.md").write_text(_paper_products(), encoding="utf-8")
    (generated / "symbols.md").write_text(symbols_page(), encoding="utf-8")
    (generated / "provenance.md").write_text(provenance_page(provenance), encoding="utf-8")
    for name, path in INCLUDED_FILES.items():
        shutil.copyfile(root / path, generated / f"{name}.txt")
    if (source / "book" / "explorer.md").is_file():
        from helpers.runs.explorer import explorer_page  # Bokeh serves this page alone

        told = banner(settings.model_dump()) + footer(provenance).replace("_generated/", "../_generated/")
        page = explorer_page(run_folder, settings, told)
        (generated / "explorer.html").write_text(page, encoding="utf-8")
    write_reference(source)
    return source


def folded(notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an executed notebook's JSON with its code folded, and a word before the parameters that the run gave "
    "it."""
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and not {"remove-input", "remove-cell", "hide-input"} & set(tags):
            cell = cell | {"metadata": cell["metadata"] | {"tags": [*tags, "hide-input"]}}
        if "injected-parameters" in tags:
            cells.append({"cell_type": "markdown", "id": "injected", "metadata": {}, "source": INJECTED})
        cells.append(cell)
    return dict(notebook) | {"cells": cells}


def tell_of_region(pages: Path, settings: Settings) -> None:
    """Give a folder of pages a first page on the region of a run, and take from the others what is not true of it.

    The first page is ``workflow/region_intro.md``. A page with numbers of a run, other than :data:`GENERAL_PAGES`,
    tells of the paper's plateau: it keeps its title and the files that it includes, and says where the region's numbers
    are.
    """
    region = settings.region
    words = {"name": region.name, "called": region.called, "config": settings.config}
    for path in sorted(pages.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if not re.search(r"\{(glue:|shown\}|numref\})", text) or path.stem in GENERAL_PAGES:
            continue
        title, included = text.partition("\n")[0], re.findall(r"^```\{include\}.*?^```$", text, re.M | re.S)
        path.write_text("\n\n".join([title, _ELSEWHERE.substitute(words), *included]) + "\n", encoding="utf-8")
    template = (project_root() / "workflow" / "region_intro.md").read_text(encoding="utf-8")
    (pages / "intro.md").write_text(Template(template).substitute(words), encoding="utf-8")


def merge_provenance(run_folder: Path, names: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Merge the records of the notebooks into ``provenance.json``, after checking that they belong together.

    Returned, too, are ``run``, ``settings``, ``started``, ``finished``, ``wall_seconds`` (summed),
    ``peak_memory_bytes`` (largest), ``git``, ``python``, ``packages``, ``catalogue`` (SHA-256 of the pinned files that
    the open world reads) and ``notebooks`` (the record of each, in the order of ``names``). RunError is raised if a
    notebook has no provenance, did not reach its end, was run with other parameters, or read a file that has been
    replaced since, or if a file that it saved is missing or was changed: here all are compared whole.
    """
    records = {name: _read_record(run_folder, name) for name in names}
    for name, record in records.items():
        _refuse_other_run(name, record, settings)
    _refuse_replaced_inputs(records)
    _refuse_damaged(run_folder, records)
    last = max(records.values(), key=lambda record: record["finished"])
    merged = {
        "run": settings.run,
        "settings": settings.model_dump(),
        "started": min(record["started"] for record in records.values()),
        "finished": last["finished"],
        "wall_seconds": round(sum(record["wall_seconds"] for record in records.values()), 1),
        "peak_memory_bytes": max((record["peak_memory_bytes"] or 0 for record in records.values()), default=0),
        "git": last["git"],
        "python": last["python"],
        "packages": last["packages"],
        "catalogue": _pinned_files() if settings.world not in WORLDS_WITH_TRUTH else {},
        "notebooks": {name: _without_long_parts(record) for name, record in records.items()},
    }
    with written_whole(run_folder / "provenance.json") as partial:
        partial.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    return merged


def resolved_config(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``_config.yml`` with the footer of a run, and a banner if its world or input is made up.

    Both stand on printed pages, too. The title asks about the region of the run. Without the repository's address there
    is no button that needs one, and none of Colab if it is not on GitHub. ConfigError is raised if the address is not
    one of a repository on GitHub or GitLab.
    """
    page = dict(config.get("html", {})) | {"extra_footer": footer(provenance)}
    if banner(provenance["settings"]):
        page["announcement"] = banner(provenance["settings"])
    address = repository_of(config)
    page |= {f"use_{button}_button": bool(address) for button in ("repository", "issues", "edit_page")}
    services = {"thebe": False} | (config.get("launch_buttons", {}) if address else {})
    if "//github.com/" not in address:
        services.pop("colab_url", None)  # the theme warns of it, and a warning stops the build
    region = provenance["settings"]["region"]
    title = {} if region["of_paper"] else {"title": f"Is {region['called']} a carbon sink?"}
    sphinx = dict(config.get("sphinx", {}))
    printed = {"print_above": page.get("announcement", ""), "print_below": footer(provenance), "default_mode": "auto"}
    sphinx["config"] = dict(sphinx.get("config", {})) | {"html_context": printed}
    return dict(config) | title | {"launch_buttons": services, "html": page, "sphinx": sphinx}


def repository_of(config: Mapping[str, Any]) -> str:
    """Return the repository's address in the content of ``_config.yml``; empty where none is set."""
    address = (config.get("repository") or {}).get("url") or ""
    if address and (address.endswith(".git") or not re.fullmatch(_REPOSITORY, address)):
        raise ConfigError(
            f"_config.yml, repository, url: {address!r} is not an address as https://github.com/OWNER/NAME or "
            "https://gitlab.com/OWNER/NAME, with nothing after the name"
        )
    return address


def tell_address(pages: Path, address: str) -> None:
    """Let the commands of a folder of pages name the repository, if it has an address."""
    for path in pages.glob("*.md") if address else ():
        path.write_text(path.read_text(encoding="utf-8").replace(_ANY_COPY, address), encoding="utf-8")


def banner(settings: Mapping[str, Any]) -> str:
    """Return what each page of a run says if its world is simulated, or its input made up; else nothing."""
    if settings["made_up"]:
        return MADE_UP_BANNER
    return SIMULATED_BANNER if settings["world"] in WORLDS_WITH_TRUTH else ""


def footer(provenance: Mapping[str, Any]) -> str:
    """Return the line at the foot of every page: run, configuration, commit, date and versions, as HTML.

    Its link leads to the page of :func:`provenance_page`; ``traceable`` of ``book/_ext`` lets it start from each page.
    """
    git, packages = provenance["git"], provenance["packages"]
    commit = (git["commit"] or "none")[:12] + (" with uncommitted changes" if git["dirty"] else "")
    versions = ", ".join(f"{name} {packages[name]}" for name in NAMED_PACKAGES if name in packages)
    facts = {
        "run": provenance["run"],
        "configuration": provenance["settings"]["config"],
        "commit": commit,
        "run on": provenance["finished"][:10],
        "with": f"Python {provenance['python']}, {versions}".rstrip(", "),
    }
    words = [f"{name} {html.escape(str(value))}" for name, value in facts.items()]
    words.append('<a href="_generated/provenance.html">provenance: inputs, versions, seeds</a>')
    return "<p>" + " · ".join(words) + "</p>"


def _notebooks_of(toc: Mapping[str, Any]) -> list[str]:
    """Return the names of the notebooks in a table of contents, in its order."""
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [Path(file).name for file in files if Path(file).parent.name == "notebooks"]


def _refuse_missing(executed: Mapping[str, Path], settings: Settings) -> None:
    missing = [name for name, path in executed.items() if not path.is_file()]
    if missing:
        raise RunError(
            f"run {settings.run!r} holds no executed copy of {', '.join(missing)}: "
            f"`make run CONFIG={settings.config}` executes what is missing"
        )


def _read_record(run_folder: Path, name: str) -> dict[str, Any]:
    path = run_folder / "provenance" / f"{name}.json"
    if not path.is_file():
        raise RunError(f"no provenance of {name} in {path.parent}: its first step must be start(), its last finish()")
    return read_record(path)


def _without_long_parts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's record without what is alike in all, and long: packages, and modules with their digests."""
    return {key: value for key, value in record.items() if key not in ("packages", "code")}


def _refuse_other_run(name: str, record: Mapping[str, Any], settings: Settings) -> None:
    """Raise if a notebook did not reach its end, or ran with other parameters than the book's."""
    again = f"delete its executed copy and `make run CONFIG={settings.config}` executes it again"
    if record["finished"] is None:
        raise RunError(f"{name} did not reach book_run.finish() in its last session: {again}")
    asked = settings.model_dump()
    for key in deciding_parameters(name):
        if record["settings"][key] != asked[key]:
            raise RunError(f"{name} ran with {key} = {record['settings'][key]!r}, not {asked[key]!r}: {again}")


def _refuse_replaced_inputs(records: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise if a notebook read a file that another notebook has replaced since."""
    current = {
        artefact: (name, output["sha256"])
        for name, record in records.items()
        for artefact, output in record["outputs"].items()
    }
    for name, record in records.items():
        for artefact, digest in record["inputs"].items():
            maker, now = current.get(artefact, (name, digest))
            if now != digest:
                raise RunError(f"{name} read a {artefact} that {maker} has replaced since: execute {name} again")


def _refuse_damaged(run_folder: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise if a file that a notebook saved is not as it was saved."""
    for name, record in records.items():
        for artefact, output in record["outputs"].items():
            if problem := damage(run_folder / artefact, output, whole=True):
                raise RunError(f"{run_folder / artefact} {problem}: execute {name} again, which saved it")


def _refuse_other_pages(pages: Path, settings: Settings) -> None:
    """Raise if pages are not those of a run, or a notebook of it was executed after they were staged."""
    run_folder = runs_folder() / settings.run
    staged = json.loads((run_folder / "provenance.json").read_text(encoding="utf-8"))
    for name, record in staged["notebooks"].items():
        now = _read_record(run_folder, name)
        if _without_long_parts(now) != record:
            raise RunError(
                f"{name} was executed again while the book of run {settings.run!r} was built: build it again"
            )
    first = pages / f"{read_yaml(project_root() / '_toc.yml')['root']}.html"
    told = footer(staged).partition("<a ")[0].removeprefix("<p>").rstrip(" ·")
    if told not in first.read_text(encoding="utf-8"):
        raise RunError(f"{first} is not of run {settings.run!r} (its foot does not say: {told}): build the book again")


def _pinned_files() -> dict[str, str]:
    return {file.name: file.sha256 for entry in catalog.load_catalog().values() for file in entry.files}


def _catalogue_page() -> str:
    """Return the table of products, with licences, as Markdown; those with a connector have a page of their own."""
    rows = [
        (
            f"**{plain(row['title'])}**<br>`{row['key']}`",
            *(plain(row[name]) for name in ("variable", "licence")),
            _citations(row["citation"]),
        )
        for row in catalog.catalogue_table().reset_index().to_dict("records")
        if not row["connector"]
    ]
    return markdown_table(("product", "what is taken from it", "licence", "reference"), rows)


def _paper_products() -> str:
    """Return what the catalogue says of each product with a connector, as Markdown: a heading and a table each."""
    facts = {
        **{"variable": "gives", "notes": "read as", "size": "size", "account": "account", "address": "address"},
        **{"licence": "licence", "checked": "checked by", "stand_in": "only against a stand-in", "unknown": "unknown"},
    }
    parts = []
    for entry in catalog.load_catalog().values():
        if entry.connector:
            rows = [(word, _linked(str(getattr(entry, name)))) for name, word in facts.items()]
            rows += [("cite", f"{_citations(', '.join(entry.citation))}: {_linked(entry.reference)}")]
            parts.append(f"### {plain(entry.title)}\n\n" + markdown_table((f"`{entry.key}`", ""), rows))
    return "\n".join(parts) or "There is none.\n"


def _linked(text: str) -> str:
    """Return text of the catalogue as Markdown, in which addresses and DOIs are links and nothing else is."""
    parts = re.split(r"(https://[\w./:?=&%#~+@()-]+|doi:10\.[\w./:()-]+)", text)
    links = (f"<{one}>" if one.startswith("https") else f"[{one}](https://doi.org/{one[4:]})" for one in parts[1::2])
    return "".join(word for pair in zip(map(plain, parts[::2]), [*links, ""], strict=True) for word in pair)


def _citations(keys: str) -> str:
    return "{cite}`" + ",".join(key.strip() for key in keys.split(",")) + "`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.book``; return the exit code."""
    given = settings_parser("helpers.runs.book", "Build the book of a run.").parse_args(arguments)
    began = time.monotonic()
    try:
        index = build(load_config(given.config, overrides_of(given)))
    except (RunError, ConfigError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"book: built in {time.monotonic() - began:.0f} s -> {index}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
