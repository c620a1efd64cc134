"""What a configuration needs of its products: what would come, what is there, what is missing and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from helpers.config import Settings
from helpers.data import catalog
from helpers.data.grid import target_grid
from helpers.data.products import opened, years
from helpers.data.products.connect import connect, folder_of
from helpers.data.products.interface import Plan
from helpers.errors import ConfigError, DataError


@dataclass(frozen=True)
class State:
    """What is known of one product."""

    key: str
    plan: Plan | None  #: None: its archive could not be asked.
    there: int = 0  #: Files that lie in its folder.
    problem: str = ""  #: What is wrong or missing, and what to do; empty: nothing.

    @property
    def is_ready(self) -> bool:
        """Tell whether all files are there."""
        return self.plan is not None and not self.problem and self.there == len(self.plan.assets)


def dry_run(settings: Settings) -> Iterator[str]:
    """Yield lines on each product: what would come and how large it is. Nobody logs in, and no file comes."""
    total = 0
    for state in _states(settings, _lying, keep=False):
        yield from _told(state, settings)
        total += sum(asset.size or 0 for asset in state.plan.assets) if state.plan else 0
    for key in _pinned(settings):
        files = catalog.entry_of(key).files
        yield f"{key}: {catalog.entry_of(key).title}"
        yield f"  files    {_counted(len(files), sum(file.bytes for file in files))}, pinned by their hashes"
        yield f"  licence  {catalog.entry_of(key).licence}"
        total += sum(file.bytes for file in files)
    yield f"{_size(total)} in all, as far as the archives tell"


def fetch(settings: Settings, say: Callable[[str], None]) -> list[State]:
    """Fetch what is missing of each product, and return how each stands; one that fails does not stop the others."""
    states = []
    for state in _states(settings, _fetched, keep=True):
        say(f"{state.key}: {'ready' if state.is_ready else 'not all is there'}")
        states.append(state)
    for key in _pinned(settings):
        try:
            catalog.fetch(key)
        except DataError as error:
            states.append(State(key, None, problem=str(error)))
    return states


def readiness(states: list[State]) -> str:
    """Return a table of what is ready and what is missing, then what to do about each that is not."""
    width = max((len(state.key) for state in states), default=0)
    rows = [f"{state.key:<{width}}  {'ready  ' if state.is_ready else 'MISSING'}  {_share(state)}" for state in states]
    todo = [f"- {state.key}: {state.problem}" for state in states if not state.is_ready]
    return "\n".join([*rows, *(["", "What to do:", *todo] if todo else [])])


def _states(settings: Settings, count: Callable[[str, Plan, Settings], int], keep: bool) -> Iterator[State]:
    """Yield the state of each product with a connector; ``count`` says how many files of a plan are there."""
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    want = opened.wanted(settings, grid)
    for key in opened.keys(settings, tables=True):
        plan = None
        try:
            plan = opened.planned(connect(key, settings), key, want, settings, keep)
            nothing = "" if plan.assets else "its archive has nothing for this box and these years"
            yield State(key, plan, count(key, plan, settings), plan.by_hand or nothing)
        except (DataError, ConfigError) as error:
            yield State(key, plan, _lying(key, plan, settings) if plan else 0, f"{error}{_by_hand(key, settings)}")


def _by_hand(key: str, settings: Settings) -> str:
    """Say how files that are got by hand count, where an archive would be asked for them."""
    if opened.options_of(key, settings).get("transport", "folder") == "folder":
        return ""
    return f". Got by hand they lie in {folder_of(key, settings)}; then connectors: {{{key}: {{transport: folder}}}}"


def _lying(key: str, plan: Plan, settings: Settings) -> int:
    """Return how many files of a plan are there: in the product's folder, or where it found them."""
    folder = folder_of(key, settings)
    return sum(not asset.url or (folder / asset.name).is_file() for asset in plan.assets)


def _fetched(key: str, plan: Plan, settings: Settings) -> int:
    """Fetch the files of a plan that are not there; return how many there are."""
    product, folder = connect(key, settings), folder_of(key, settings)
    return len([product.fetch(asset, folder) for asset in plan.assets])


def _told(state: State, settings: Settings) -> Iterator[str]:
    """Yield what is known of a product."""
    entry = catalog.entry_of(state.key)
    yield f"{state.key}: {entry.title}"
    if state.plan is not None:
        sizes = [asset.size for asset in state.plan.assets]
        unknown = f", {sizes.count(None)} of unknown size" if None in sizes else ""
        yield f"  files    {_counted(len(sizes), sum(size or 0 for size in sizes))}{unknown}; {state.there} are there"
        yield f"  years    {_years(state, settings)}"
    yield from (
        f"  {word:<8} {text}"
        for word, text in (
            *(("size", entry.size), ("account", entry.account), ("address", entry.address)),
            *(("licence", entry.licence), ("unknown", entry.unknown), ("to do", state.problem)),
        )
        if text
    )


def _years(state: State, settings: Settings) -> str:
    """Say which years come, and what stands for those that are lacking."""
    entry, lacking = catalog.entry_of(state.key), state.plan.lacking if state.plan else ()
    if entry.years or not any(asset.year or state.plan.lacking for asset in state.plan.assets):
        return entry.years or "all in each file"
    have = years.spans(set(range(settings.first_year, settings.last_year + 1)) - set(lacking))
    return f"{have}; lacking {years.spans(lacking)} ({settings.missing_years})" if lacking else have


def _pinned(settings: Settings) -> list[str]:
    """Return the products of a configuration whose files the catalogue pins."""
    regions = [one.boundary for one in (settings.region, settings.region.surroundings) if one is not None]
    layers = [source.partition(".")[0] for source in settings.predictors.values() if isinstance(source, str)]
    named = [*regions, *settings.observations, *layers, settings.npp_modis_at_sites]
    known = catalog.load_catalog()
    return [key for key in dict.fromkeys(named) if key in known and known[key].files]


def _share(state: State) -> str:
    return f"{state.there} of {len(state.plan.assets)} files" if state.plan else "its archive could not be asked"


def _counted(number: int, size: int) -> str:
    return f"{number} {'file' if number == 1 else 'files'}, {_size(size)}"


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
