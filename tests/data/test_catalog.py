"""The catalogue: what it says, and how it gets files."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from helpers.config import load_config, project_root
from helpers.data import catalog
from helpers.data.products.connect import connect
from helpers.errors import DataError
from helpers.runs.dependencies import reached_files

CONTENT = b"twelve bytes"


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that lists what it was asked for."""

    requests: list[str] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path, list[str]]]:
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = type("Handler", (QuietHandler,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", folder, handler.requests
        running.shutdown()


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one small file, an empty cache (returned), and no mirror."""
    entry = {
        "title": "Small thing",
        "variable": "things, 1",
        "licence": "CC0",
        "citation": ["Nobody2020"],
        "reference": "Nobody 2020",
        "reader": "data.readers.read_small",
        "notes": "For tests.",
        "files": [
            {
                "name": "small.bin",
                "bytes": len(CONTENT),
                "sha256": hashlib.sha256(CONTENT).hexdigest(),
                "url": "https://127.0.0.1:9/small.bin",
            }
        ],
    }
    path = tmp_path / "catalog.yml"
    path.write_text(yaml.safe_dump({"small": entry}), encoding="utf-8")
    monkeypatch.setattr(catalog, "catalogue_path", lambda: path)
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("QTP_DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def test_every_reader_named_in_the_catalogue_exists() -> None:
    for key, entry in catalog.load_catalog().items():
        assert entry.connector or callable(catalog.reader(key)), key


def test_every_connector_named_in_the_catalogue_is_made_with_its_options() -> None:
    settings = load_config("paper")
    for key, entry in catalog.load_catalog().items():
        if entry.connector:
            product = connect(key, settings)
            assert product.key == key
            # The one word that tells a static map from a yearly product, without an import of its class.
            assert product.static == bool(entry.years) or key == "paper_sites"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": "here"}, "expected one of files, inputs .* and a connector"),
        ({"account": ""}, "account: expected with a connector"),
        ({"connector": "modis.mod17"}, "connector: String should match"),
    ],
)
def test_an_entry_with_a_connector_says_how_it_is_had_and_checked(product: Path, change, message) -> None:
    path = catalog.catalogue_path()
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))["small"]
    told = dict.fromkeys(("account", "address", "size", "checked", "stand_in", "unknown"), "something")
    sound = {key: value for key, value in entry.items() if key not in ("files", "reader")} | told
    sound |= {"connector": "modis.Mod17"}
    path.write_text(yaml.safe_dump({"small": sound}), encoding="utf-8")
    assert catalog.entry_of("small").connector == "modis.Mod17"
    path.write_text(yaml.safe_dump({"small": sound | change}), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        catalog.load_catalog()


def test_what_only_connectors_have_is_refused_beside_files(product: Path) -> None:
    path = catalog.catalogue_path()
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))["small"]
    path.write_text(yaml.safe_dump({"small": entry | {"account": "none"}}), encoding="utf-8")
    with pytest.raises(DataError, match="account: expected with a connector, and only with one"):
        catalog.load_catalog()


def test_a_change_of_a_reader_makes_notebook_01_stale() -> None:
    """Readers are imported by name, which the search for reached modules cannot see: world or cube import them too."""
    root = project_root()
    reached = reached_files(root / "notebooks" / "01_data_preparation.ipynb", root)
    for entry in catalog.load_catalog().values():
        named = f"data.products.{entry.connector}" if entry.connector else entry.reader
        module = root / "src" / "helpers" / Path(*named.split(".")[:-1]).with_suffix(".py")
        assert module in reached, f"import the module of {named} in helpers.data.cube or helpers.world"


def test_a_file_of_this_repository_is_where_the_catalogue_says() -> None:
    assert [path.is_file() for path in catalog.fetch("sun2022").values()] == [True]


def test_two_products_with_a_file_of_one_name_are_refused(product: Path) -> None:
    path = catalog.catalogue_path()
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))["small"]
    path.write_text(yaml.safe_dump({"small": entry, "twin": entry}), encoding="utf-8")
    with pytest.raises(DataError, match="small.bin: named by more than one entry"):
        catalog.load_catalog()


def test_the_catalogue_pins_every_address_to_a_commit() -> None:
    for entry in catalog.load_catalog().values():
        for file in entry.files:
            owner_repository_commit = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")
            assert len(owner_repository_commit[2]) == 40, file.url


def test_every_citation_of_the_catalogue_is_in_the_bibliography() -> None:
    bibliography = (project_root() / "book" / "references.bib").read_text(encoding="utf-8")
    for entry in catalog.load_catalog().values():
        for key in entry.citation:
            assert re.search(rf"^@\w+\{{{key},", bibliography, flags=re.MULTILINE), f"{entry.key}: {key}"


def test_the_table_has_a_row_for_each_product_and_says_where_undownloaded_ones_come_from() -> None:
    table = catalog.catalogue_table()
    assert list(table.index) == list(catalog.load_catalog())
    assert "pvlib" in table.loc["elevation", "origin"]


def test_a_mirror_folder_is_copied_into_the_cache(product: Path, tmp_path: Path, monkeypatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", str(mirror))
    paths = catalog.fetch("small")
    assert paths == {"small.bin": product / "small.bin"}
    assert paths["small.bin"].read_bytes() == CONTENT


@pytest.mark.parametrize("by_address", [False, True])
def test_no_path_of_this_machine_is_told_on_a_page(
    product: Path, server, monkeypatch, capsys, caplog, by_address
) -> None:
    """A notebook shows what is logged or printed; only a terminal sees the bar of a download."""
    address, folder, _ = server
    (folder / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", address if by_address else str(folder))
    with caplog.at_level(logging.INFO):
        catalog.fetch("small")
    assert (product / "small.bin").is_file() and not caplog.records and capsys.readouterr() == ("", "")


def test_a_mirror_address_is_downloaded_into_the_cache(product: Path, server, monkeypatch) -> None:
    address, folder, _ = server
    (folder / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", address + "/")
    assert catalog.fetch("small")["small.bin"].read_bytes() == CONTENT


def test_a_good_file_in_the_cache_is_not_fetched_again(product: Path, server, monkeypatch) -> None:
    address, folder, requests = server
    (folder / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", address)
    catalog.fetch("small")
    catalog.fetch("small")
    assert requests == ["/small.bin"]


def test_a_file_damaged_in_the_cache_is_fetched_again(product: Path, server, monkeypatch) -> None:
    address, folder, _ = server
    (folder / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", address)
    catalog.fetch("small")["small.bin"].write_bytes(b"damage")
    assert catalog.fetch("small")["small.bin"].read_bytes() == CONTENT


def test_files_are_at_hand_in_a_mirror_folder(product: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "small.bin").write_bytes(CONTENT)
    assert not catalog.cached_or_mirrored()
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path))
    assert catalog.cached_or_mirrored()


def test_a_wrong_file_in_a_mirror_folder_is_not_at_hand(product: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "small.bin").write_bytes(CONTENT[::-1])
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path))
    assert not catalog.cached_or_mirrored()


def test_the_command_fetches_everything_and_says_where_it_is(
    product: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    (tmp_path / "small.bin").write_bytes(CONTENT)
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path))
    assert catalog.main([]) == 0
    assert str(product / "small.bin") in capsys.readouterr().out


def test_the_command_lists_without_fetching(product: Path, capsys) -> None:
    assert catalog.main(["--list"]) == 0
    assert "Small thing" in capsys.readouterr().out
    assert not product.exists()
