"""Tables of your own join the records of a world: their units compared, their sites told apart, their pairs found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from helpers.errors import DataError
from helpers.sites.quality import Box, quality_control
from helpers.sites.schema import CARBON_UNIT
from helpers.sites.tables import OwnTable
from helpers.sites.units import HONEST_FACTOR, fitting_units

#: A median of fewer records says nothing about their unit.
_ENOUGH_RECORDS = 3
#: So near to the ratio of a unit a median is worth a question, and no more: an honest table may lie there, too.
_NEAR_A_UNIT = 1.1
#: Records of the same formation are compared from so many on, otherwise all.
_ENOUGH_OF_FORMATION = 10
#: What makes records of Rs and Rh a pair.
_PAIR = ["site", "year", "treatment", "quality"]


class Joined(NamedTuple):
    """The records of a world with those of your own."""

    observations: pd.DataFrame
    pairs: pd.DataFrame  #: Records of both Rs and Rh.
    notes: tuple[str, ...]  #: What was decided about your tables, by their file.


def join(observations: pd.DataFrame, pairs: pd.DataFrame, own: Sequence[OwnTable], grid: Box) -> Joined:
    """Add tables of your own to the observations of a world and to its pairs of Rs and Rh.

    A site is its name and its place, the mean of its coordinates to 0.01 degree. One name at one place is one site in
    all tables, the world's included. One name at two places is two sites: the later one is called after its table, too.
    Two names at one place are two sites; a note tells, since one name would join them.

    Records of Rs and Rh in the surroundings of one site, year, treatment and quality are a pair, of their means. A year
    that is not known is no one's.

    A DataError is raised if a table is named twice, or if the values of a flux can only be in another unit: all lie
    beyond those of the world's records that pass quality control, and their medians differ by more than
    :data:`helpers.sites.units.HONEST_FACTOR`. Where a median only looks like another unit a note asks.
    """
    if not own:
        return Joined(observations, pairs, ())
    paths = [table.path.resolve() for table in own]
    twice = [str(table.path) for table, path in zip(own, paths, strict=True) if paths.count(path) > 1]
    if twice:
        raise DataError(f"{twice[0]}: named twice in extra_observations; name each table once")
    notes = [note for table in own for note in table.notes]
    passed = quality_control(observations, grid)[0]
    notes += [note for table in own for note in _compared(table, passed)]
    named, told = _with_sites(own, observations)
    added, counted = _own_pairs(named)
    if len(added) and len(pairs.columns):
        added = pd.concat([pairs, added.reindex(columns=pairs.columns)], ignore_index=True)
    return Joined(
        pd.concat([observations, named], ignore_index=True) if len(observations) else named,
        added if len(added) else pairs,
        tuple([*notes, *told, *counted]),
    )


def _compared(table: OwnTable, passed: pd.DataFrame) -> list[str]:
    """Compare the median of each flux with that of the world; ask, or refuse what only a unit explains."""
    notes = []
    fine = table.records[(table.records["treatment"] == "none") & (table.records["quality"] == "")]
    for variable, records in fine.groupby("variable"):
        every = passed[passed["variable"] == variable]
        value, usual = records["value"], _alike(records, every)["value"]
        if len(value) < _ENOUGH_RECORDS or usual.empty:
            continue
        ratio = value.median() / usual.median()
        said = (
            f"the median of {variable}, {value.median():.3g} {CARBON_UNIT} ({len(value)} records), is {ratio:.2g} "
            f"times that of this world's {len(usual)} records of its kind"
        )
        low, high = every["value"].min(), every["value"].max()
        beyond = value.max() < low or value.min() > high
        if beyond and max(ratio, 1 / ratio) > HONEST_FACTOR:
            likely = " or ".join(fitting_units(ratio, HONEST_FACTOR)) or "another one"
            raise DataError(
                f"{table.path}: column value: {said}, and every value lies beyond those of all its "
                f"records ({low:.3g} to {high:.3g}). This is no natural difference; likely the unit is {likely}"
            )
        near = fitting_units(ratio, _NEAR_A_UNIT)
        if near or max(ratio, 1 / ratio) > HONEST_FACTOR:
            like = f", as values would be in {' or '.join(near)}" if near else ""
            notes.append(f"{table.path}: check units? {said[0].upper()}{said[1:]}{like}")
    return notes


def _alike(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the others of the same formations as the records, or all where these are few."""
    formation, wanted = (table["vegetation"].str.split(":").str[0] for table in (others, records))
    same = others[formation.isin(set(wanted) - {""})]
    return same if len(same) >= _ENOUGH_OF_FORMATION else others


def _places(records: pd.DataFrame) -> pd.Series:
    """Return the place of each site, by its name: its longitude and latitude to 0.01 degree."""
    means = records.groupby("site", sort=False)[["longitude", "latitude"]].mean().round(2)
    return pd.Series(list(means.itertuples(index=False, name=None)), means.index, dtype=object)


def _with_sites(own: Sequence[OwnTable], observations: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the records of all tables with names that tell their sites apart, and notes on them."""
    places = _places(observations)
    called = {(name, place): name for name, place in places.items()}
    holder = {place: f"{name!r} of this world's records" for name, place in places.items()}
    frames, notes = [], []
    for table in own:
        mine, renamed, shared = _places(table.records), {}, []
        for name, place in mine.items():
            known = (name, place) in called
            if not known:
                called[name, place] = _unused(name, table, set(called.values()))
                if place in holder:
                    shared.append(f"{name!r} at that of {holder[place]}")
            renamed[name] = called[name, place]
        holder |= {place: f"{name!r} of {table.path.name}" for name, place in mine.items() if place not in holder}
        frames.append(table.records.assign(site=table.records["site"].map(renamed)))
        other = [f"{name!r} is {new!r} here" for name, new in renamed.items() if name != new]
        if other:
            notes.append(f"{table.path}: a site of the same name lies elsewhere: {_first(other)}")
        if shared:
            notes.append(
                f"{table.path}: two names at one place (to 0.01 degree) are two sites: {_first(shared)}. Are they one? "
                "Then give them one name"
            )
    return pd.concat(frames, ignore_index=True), notes


def _unused(name: str, table: OwnTable, used: set[str]) -> str:
    """Return the name of a site that no other site has: its own, or with its table."""
    return next(one for one in (name, f"{name} ({table.path.stem})", f"{name} ({table.path})") if one not in used)


def _first(texts: Sequence[str]) -> str:
    """Join the first texts, and count the rest."""
    return "; ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _own_pairs(records: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the pairs of Rs and Rh among the records, and a note that counts the Rh with and without one."""
    every_rh = records[records["variable"] == "rh"]
    if every_rh.empty:
        return every_rh, []
    usable = records[records["year"].notna() & records["in_surroundings"]]
    rs, rh = (usable[usable["variable"] == variable] for variable in ("rs", "rh"))
    means = {name: table.groupby(_PAIR)["value"].mean() for name, table in (("rs", rs), ("rh", rh))}
    pairs = pd.DataFrame(means).dropna().reset_index()
    # The shorter of the two decides whether a pair was measured long enough; unknown is unknown.
    coverage = pd.concat([rs, rh]).groupby(_PAIR)["annual_coverage"].agg(lambda part: part.min(skipna=False))
    about = rs.drop_duplicates(_PAIR).drop(columns=["value", "annual_coverage"]).assign(variable="rs_rh")
    pairs = pairs.merge(about, on=_PAIR).merge(coverage.reset_index(), on=_PAIR)
    used = len(rh.merge(pairs[_PAIR], on=_PAIR))
    note = f"rh of your tables: {used} of {len(every_rh)} records join the pairs of Rs and Rh ({len(pairs)} pairs)"
    others = "; the others have no rs there of the same site, year, treatment and quality, and are only counted"
    return pairs, [note + (others if used < len(every_rh) else "")]
