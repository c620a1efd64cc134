"""What a configuration needs: listed without a file, fetched as far as it goes, and told where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.config import Settings, load_config
from helpers.data import catalog
from helpers.data.products import ready
from helpers.data.products.interface import Asset, Plan, Want
from helpers.errors import DataError
from helpers.runs import fetch

FILE = Asset("a.tif", "https://a.example/a.tif?sig=s3cret", 2_000_000, year=2001)


class Archive:
    """A product whose archive has two files of 2001 and lacks 2000, and counts what it is asked."""

    static = False

    def __init__(self, key: str) -> None:
        self.key, self.fetched = key, []
        self.plans: list[Plan | DataError] = [Plan((FILE, Asset("b.tif", "https://a.example/b.tif", None)), (2000,))]
        self.fails = False

    def plan(self, want: Want) -> Plan:
        """Return the plan, or fail."""
        (plan,) = self.plans
        if isinstance(plan, DataError):
            raise plan
        return plan

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Write a file; the second one may be refused."""
        if self.fails and asset.name == "b.tif":
            raise DataError("b.tif: 403; accept the terms, then call again")
        self.fetched.append(asset.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / asset.name).write_text("file")
        return folder / asset.name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The paper's configuration, with two products alone and a folder of its own."""
    given = load_config("paper", {"archives": {"downloads": str(tmp_path)}})
    predictors = {"npp_modis": "mod17a3hgf", "temperature": "cmfd_temp", "soc": "soc_0_30cm"}
    return given.model_copy(update={"predictors": predictors, "products": {}, "observations": ["srdb"]})


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> dict[str, Archive]:
    made = {key: Archive(key) for key in ("mod17a3hgf", "cmfd_temp")}
    monkeypatch.setattr(ready, "connect", lambda key, _: made[key])
    monkeypatch.setattr(catalog, "fetch", lambda key: {})
    return made


def test_a_dry_run_tells_files_bytes_years_account_address_and_licence_and_fetches_nothing(
    settings, archives, tmp_path
):
    text = "\n".join(ready.dry_run(settings))
    entry = catalog.entry_of("mod17a3hgf")
    for told in (entry.title, entry.account, entry.address, entry.licence, entry.unknown):
        assert told in text
    assert "files    2 files, 2.0 MB, 1 of unknown size; 0 are there" in text
    assert "years    2001-2018; lacking 2000 (own_mean)" in text
    assert "srdb: Global soil respiration database" in text and "1 file, 3.2 MB, pinned by their hashes" in text
    pinned = sum(file.bytes for key in ("boundary", "srdb", "soc_0_30cm") for file in catalog.entry_of(key).files)
    assert text.endswith(f"{(4_000_000 + pinned) / 1e6:.1f} MB in all, as far as the archives tell")
    assert "s3cret" not in text
    assert not archives["mod17a3hgf"].fetched and not list(tmp_path.iterdir())


def test_a_dry_run_goes_on_where_one_archive_cannot_be_asked(settings, archives):
    archives["mod17a3hgf"].plans = [DataError("mod17a3hgf: no answer; try again later")]
    text = "\n".join(ready.dry_run(settings))
    assert "to do    mod17a3hgf: no answer; try again later" in text and "cmfd_temp: China" in text


def test_what_can_be_fetched_is_and_what_failed_is_told_with_what_to_do(settings, archives, tmp_path):
    archives["mod17a3hgf"].fails = True
    states = ready.fetch(settings, lambda _: None)
    assert [state.is_ready for state in states] == [False, True]
    table = ready.readiness(states)
    assert "mod17a3hgf  MISSING  1 of 2 files" in table and "cmfd_temp   ready    2 of 2 files" in table
    assert "What to do:\n- mod17a3hgf: b.tif: 403; accept the terms, then call again. Got by hand" in table
    assert table.endswith(f"lie in {tmp_path / 'mod17a3hgf'}; then connectors: {{mod17a3hgf: {{transport: folder}}}}")
    # What came is kept, and the next call gets the rest.
    assert (tmp_path / "mod17a3hgf" / "a.tif").is_file()
    archives["mod17a3hgf"].fails = False
    assert all(state.is_ready for state in ready.fetch(settings, lambda _: None))


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan((), by_hand="unpack a.rar (unar a.rar) into here"), "unpack a.rar"),
        (Plan(()), "its archive has nothing for this box and these years"),
    ],
)
def test_a_product_without_its_files_is_missing(settings, archives, plan, told):
    archives["cmfd_temp"].plans = [plan]
    states = ready.fetch(settings, lambda _: None)
    assert [state.is_ready for state in states] == [True, False] and told in ready.readiness(states)


def test_a_pinned_file_that_cannot_be_had_is_missing_too(settings, archives, monkeypatch):
    def refuse(key: str) -> None:
        raise DataError(f"cannot get {key}")

    monkeypatch.setattr(catalog, "fetch", refuse)
    assert "srdb        MISSING" in ready.readiness(ready.fetch(settings, lambda _: None))


def test_the_command_ends_with_1_where_something_is_missing(archives, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fetch.opened, "keys", lambda *_, **__: ["mod17a3hgf", "cmfd_temp"])
    where = ["--config", "paper", "-p", "archives", f"{{downloads: {tmp_path}}}"]
    archives["cmfd_temp"].fails = True
    assert fetch.main(where) == 1
    assert "What to do:\n- cmfd_temp: b.tif: 403" in capsys.readouterr().out
    archives["cmfd_temp"].fails = False
    assert fetch.main(where) == 0
    assert fetch.main([*where, "--dry-run"]) == 0
    assert "2 are there" in capsys.readouterr().out


def test_a_configuration_of_pinned_files_alone_fetches_the_whole_catalogue(monkeypatch):
    called = []
    monkeypatch.setattr(fetch.catalog, "main", lambda arguments: called.append(arguments) or 0)
    assert fetch.main(["--config", "open"]) == 0 and fetch.main(["--config", "open", "--dry-run"]) == 0
    assert called == [[], ["--list"]]


def test_a_virtual_world_fetches_nothing(monkeypatch, capsys):
    monkeypatch.setattr(catalog, "main", lambda arguments: pytest.fail("the catalogue was asked"))
    assert fetch.main(["--config", "virtual"]) == 0
    assert "virtual makes its own data" in capsys.readouterr().out
