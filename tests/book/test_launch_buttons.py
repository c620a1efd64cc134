"""One setting, the repository's address, and each notebook's page has its true buttons; without it there are none."""

from __future__ import annotations

import json
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from helpers.config import load_config, project_root
from helpers.errors import ConfigError
from helpers.runs import book, rendering

ROOT = project_root()
PROVENANCE = {
    **{"run": "open", "settings": load_config("open").model_dump(), "finished": "2026-01-01", "python": "3.12"},
    **{"git": {"commit": "0123456789abcdef", "dirty": False}, "packages": {}},
}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Rain"},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "1", "execution_count": 1, "outputs": []},
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def config_with(address: str | None) -> dict:
    """Return the book's own configuration with the address of a repository, and of a JupyterHub."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["repository"]["url"] = address
    config["launch_buttons"]["jupyterhub_url"] = "https://hub.example"
    del config["sphinx"]["local_extensions"]["executed_only"]  # it wants all pages of a run
    return book.resolved_config(config, PROVENANCE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    """The page of a notebook of a small book in a repository on GitHub."""
    folder = tmp_path_factory.mktemp("buttons")
    source = folder / "source"
    shutil.copytree(ROOT / "book", source / "book", ignore=shutil.ignore_patterns("*.md", "__pycache__"))
    (source / "notebooks").mkdir()
    (source / "book" / "intro.md").write_text("# Weather\n")
    (source / "notebooks" / "01_rain.ipynb").write_text(json.dumps(NOTEBOOK))
    toc = "format: jb-book\nroot: book/intro\nparts:\n  - chapters:\n      - file: notebooks/01_rain\n"
    (source / "_toc.yml").write_text(toc)
    (source / "_config.yml").write_text(yaml.safe_dump(config_with("https://github.com/some-group/a.book")))
    pages = rendering.render(source, folder)
    return BeautifulSoup((pages / "notebooks" / "01_rain.html").read_text(encoding="utf-8"), "html.parser")


def addresses(page: BeautifulSoup) -> dict[str, str]:
    """Return where the buttons of a page lead, by their words."""
    links = page.select(".header-article-items .dropdown-menu a[href^=http]")
    return {" ".join(link.get_text().split()): link["href"] for link in links}


def test_a_notebook_starts_on_binder_and_on_colab(page):
    found = addresses(page)
    assert found["Binder"] == (
        "https://mybinder.org/v2/gh/some-group/a.book/main?urlpath=lab/tree/notebooks/01_rain.ipynb"
    )
    assert found["Colab"] == (
        "https://colab.research.google.com/github/some-group/a.book/blob/main/notebooks/01_rain.ipynb"
    )


def test_a_hub_fetches_the_repository_and_opens_the_notebook_in_it(page):
    hub = urlsplit(addresses(page)["JupyterHub"])
    assert (hub.netloc, hub.path) == ("hub.example", "/hub/user-redirect/git-pull")
    assert parse_qs(hub.query) == {
        "repo": ["https://github.com/some-group/a.book"],
        "urlpath": ["lab/tree/a.book/notebooks/01_rain.ipynb"],
        "branch": ["main"],
    }


def test_a_page_leads_to_its_repository_and_its_source(page):
    found = addresses(page)
    assert found["Repository"] == "https://github.com/some-group/a.book"
    assert found["Suggest edit"] == "https://github.com/some-group/a.book/edit/main/notebooks/01_rain.ipynb"
    assert found["Open issue"].startswith("https://github.com/some-group/a.book/issues/new?")


@pytest.mark.parametrize("address", ["", None])
def test_without_an_address_there_is_no_button_that_needs_one(address):
    config = config_with(address)
    assert config["launch_buttons"] == {"thebe": False}
    assert not [key for key, used in config["html"].items() if key.endswith("_button") and used]


def test_colab_opens_no_notebook_of_gitlab():
    """The theme would warn of it, and a warning stops the build."""
    services = config_with("https://gitlab.com/some-group/a-book")["launch_buttons"]
    assert "colab_url" not in services and services["binderhub_url"] == "https://mybinder.org"


@pytest.mark.parametrize(
    "address",
    [
        "git@github.com:some-group/a-book.git",
        "https://github.com/some-group/a-book.git",
        "https://github.com/some-group/a-book/",
        "https://github.com/some-group",
        "https://git.example/some-group/a-book",
    ],
)
def test_an_address_that_buttons_cannot_use_is_named(address):
    with pytest.raises(ConfigError, match=r"_config\.yml, repository, url: .*https://github\.com/OWNER/NAME"):
        config_with(address)


def test_commands_on_pages_name_the_repository(tmp_path):
    """Each place of the pages that stands for any copy is one that the build replaces."""
    places = [path for path in (ROOT / "book").glob("*.md") if "OWNER" in path.read_text(encoding="utf-8")]
    assert [path.name for path in places] == ["running.md"]
    shutil.copy(places[0], tmp_path)
    book.tell_address(tmp_path, "https://github.com/some-group/a-book")
    text = (tmp_path / "running.md").read_text(encoding="utf-8")
    assert "git clone --quiet --depth 1 https://github.com/some-group/a-book /content/" in text
    assert "OWNER" not in text
