"""Who works on what: notebooks of one run side by side, but none twice, and no run with two sets of parameters.

A process that works on a run holds a lock in ``runs/.locks/<run>/`` while it does. Beside it stand host, process, since
when, and the parameters of the run. A second process with the same parameters may come. One that would spoil the work
of the first is refused, and told of whom. Where waiting is all that is needed, as for the folder of the pages, the
second waits.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from helpers.config import Settings
from helpers.errors import RunError
from helpers.runs.failures import of_disk
from helpers.runs.files import runs_folder
from helpers.runs.steps import EXECUTION_PARAMETERS, deciding_parameters
from mapforest.errors import BlockError
from mapforest.locks import Lock

#: Seconds in which a process that was killed, and those that it had started, are gone.
LINGERING_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_QUIET_SECONDS = 1.0  # of waiting that nobody needs to hear of
_SESSION, _DOOR = ".session.lock", "door.lock"

_held: dict[Path, Lock] = {}  # by this process
_inherited: list[Lock] = []  # held by the process that this one is a copy of


def _hold_nothing() -> None:
    """Let a copy of this process hold nothing, and never give back what the process itself still holds."""
    _inherited.extend(_held.values())
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_hold_nothing)


@contextlib.contextmanager
def alone(path: Path, work: str) -> Iterator[None]:
    """Hold the lock on a file for the block; while another process holds it, wait, and say for whom.

    ``work`` says what is done under the lock. RunError is raised if there can be no lock.
    """
    lock, told, began = Lock(path), "", time.monotonic()
    while not _taken(lock, work):
        time.sleep(_PAUSE_SECONDS)
        if time.monotonic() - began > _QUIET_SECONDS and lock.holder() and lock.told() != told:
            told = lock.told()
            print(f"waiting for {told}", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        lock.free()


@contextlib.contextmanager
def executing(notebook: str, settings: Settings) -> Iterator[None]:
    """Hold a notebook of a run for the block: it is executed, and nobody else may.

    RunError is raised, and names the other process, if one executes the notebook or has it open before its end, or
    works on the run with other parameters.
    """
    name = f"{notebook}.executing.lock"
    lock = _at_work(settings.run, name, f"executes {notebook}", _whole(settings), notebook)
    try:
        yield
    finally:
        _leave(lock)


def begin_session(notebook: str, settings: Settings) -> None:
    """Hold a notebook of a run until :func:`end_session`, or until this process begins another one or ends.

    RunError is raised as by :func:`executing`.
    """
    name = f"{notebook}{_SESSION}"
    for path in [path for path in _held if path.name.endswith(_SESSION) and path != _folder(settings.run) / name]:
        _leave(_held[path])
    values = settings.model_dump(mode="json", include=set(deciding_parameters(notebook)))
    _at_work(settings.run, name, f"has {notebook} open", values, notebook)


def end_session(notebook: str, settings: Settings) -> None:
    """Let others work on a notebook of a run again."""
    if lock := _held.get(_folder(settings.run) / f"{notebook}{_SESSION}"):
        _leave(lock)


def begin_workflow(settings: Settings) -> None:
    """Hold the parameters of a run until this process ends: no other ones may be worked with meanwhile.

    RunError is raised, and names the other process, if one works on the run with other parameters.
    """
    _at_work(settings.run, f"workflow-{uuid.uuid4().hex}.lock", "runs its notebooks", _whole(settings))


@contextlib.contextmanager
def building(settings: Settings) -> Iterator[None]:
    """Hold the parameters of a run for the block, as :func:`begin_workflow` does."""
    lock = _at_work(settings.run, f"book-{uuid.uuid4().hex}.lock", "builds its book", _whole(settings))
    try:
        yield
    finally:
        _leave(lock)


@contextlib.contextmanager
def sweeping(sweep: str, plan: str) -> Iterator[None]:
    """Hold the plan of a sweep for the block: others may execute a part of it, and nobody another plan.

    ``plan`` is a digest of it. RunError is raised, and names the other process, if one has another plan.
    """
    run = f"sweeps/{sweep}"
    lock = _at_work(run, f"sweep-{uuid.uuid4().hex}.lock", f"executes the sweep {sweep}", {"plan": plan})
    try:
        yield
    finally:
        _leave(lock)


def _folder(run: str) -> Path:
    """Return where the locks of a run lie: not in its own folder, which people remove and copy."""
    return runs_folder().absolute() / ".locks" / run


def _whole(settings: Settings) -> dict[str, Any]:
    """Return all parameters but those that change no result."""
    return settings.model_dump(mode="json", exclude=set(EXECUTION_PARAMETERS))


def _at_work(run: str, name: str, work: str, values: Mapping[str, Any], notebook: str = "") -> Lock:
    """Take a lock of a run; RunError is raised if others who are at work do not let us.

    They do if they have the same ``values`` of what both name, and another ``notebook``.
    """
    path = _folder(run) / name
    lock = _held.get(path) or Lock(path)
    deadline = time.monotonic() + LINGERING_SECONDS
    while True:
        with alone(path.with_name(_DOOR), "looks who is at work"):
            problem = _problem(lock, run, values, notebook)
            if not problem and _taken(lock, work, notebook=notebook, values=values):
                _held[path] = lock
                return lock
        if time.monotonic() > deadline:
            raise RunError(problem or _busy(notebook, run, lock))
        time.sleep(_PAUSE_SECONDS)


def _problem(own: Lock, run: str, values: Mapping[str, Any], notebook: str) -> str:
    """Return why the others who are at work on a run do not let us; forget those that are dead."""
    for path in sorted(own.path.parent.glob("[!.]*.lock")):
        if path in _held or path.name == _DOOR or path == own.path:
            continue
        other = Lock(path)
        who = other.holder()
        if _is_free(other):
            other.note.unlink(missing_ok=True)
            path.unlink(missing_ok=True)  # nobody takes it meanwhile: we are in the door
        elif (who.get("host"), who.get("process")) == (platform.node(), os.getppid()):
            continue  # it has started us for this
        elif notebook and who.get("notebook") == notebook:
            return _busy(notebook, run, other)
        elif differing := _differing(values, who.get("values", {})):
            return (
                f"run {run!r} is worked on with other parameters ({differing}) by {other.told()}: wait until that has "
                "ended, end it, or give this one another name"
            )
    return ""


def _busy(notebook: str, run: str, lock: Lock) -> str:
    return (
        f"{notebook} of run {run!r} is at work already, in {lock.told()}: wait until that has ended, or end it. A "
        "notebook that is open in JupyterLab is at work until its last cell has run or its kernel is shut down"
    )


def _differing(own: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return in words which parameters differ, of those that both name."""
    return "; ".join(
        f"{key} is {own[key]!r} here, {theirs[key]!r} there" for key in own if key in theirs and own[key] != theirs[key]
    )


def _taken(lock: Lock, work: str, **facts: Any) -> bool:
    """Take a lock as :meth:`mapforest.locks.Lock.take` does; its error becomes one of runs."""
    try:
        return lock.take(work, **facts)
    except BlockError as error:
        # Said of the folder, not of the lock, where the folder is what cannot be used.
        cause, unusable = error.__cause__, (errno.EEXIST, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT)
        known = isinstance(cause, OSError) and cause.errno in unusable
        raise RunError(of_disk(cause, runs_folder()) if known else str(error)) from error
    except OSError as error:  # the lock is there, and who holds it cannot be written beside it
        raise RunError(of_disk(error, lock.path.parent)) from error


def _is_free(lock: Lock) -> bool:
    """Tell whether nobody holds a lock; one that we may not ask, of another user, is held."""
    try:
        return lock.is_free()
    except BlockError:
        return False


def _leave(lock: Lock) -> None:
    """Give a lock of a run back, and leave no file of it."""
    _held.pop(lock.path, None)
    if not lock.path.exists():  # the runs' folder was removed
        lock.free()
        return
    with alone(lock.path.with_name(_DOOR), "leaves"):
        lock.free()
        lock.path.unlink(missing_ok=True)
