"""Storages of studies: opened, checked, and told apart. Imports Optuna, as `chainrule.tuning.trial_store` does."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.study import Study

from chainrule.errors import ChainruleError, FileError, SettingError
from chainrule.files import as_path
from chainrule.passwords import mask_passwords, without_passwords
from chainrule.tuning.journal import is_journal, journal_backend

#: The name of a study where none is asked for.
NAME = "chainrule"

#: The attribute of a study that tells experiments apart.
IDENTITY = "experiment"

#: Seconds to wait while another process writes to a database in a file.
BUSY_SECONDS = 60


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Have Optuna log nothing but errors, inside."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def open_study(location: Any, name: str | None, direction: Literal["minimize", "maximize"]) -> Study:
    """Open the study at a location, or make it there; None: in memory. One that is open is returned as it is."""
    if isinstance(location, Study):
        if location.direction.name.lower() != direction:
            raise SettingError(f"The metric of this search is to {direction}; the study was made to do the opposite.")
        return location
    storage = None if location is None else _storage(location)
    try:
        return optuna.create_study(storage=storage, study_name=name or NAME, direction=direction, load_if_exists=True)
    except Exception as error:
        raise _unreachable(location, error) from None


def _storage(location: Any) -> BaseStorage:
    """Open the journal or the database at a location."""
    if not isinstance(location, str | os.PathLike):
        raise SettingError(
            "study is the path of a journal file, the URL of a database such as sqlite:///search.db, or an Optuna "
            f"study; got {location!r}."
        )
    text = os.fspath(location)
    return _database(text) if is_address(text) else _journal(as_path(text), location)


def is_address(text: str) -> bool:
    """Return whether a text is the URL of a database, not the path of a journal."""
    return re.match(r"[A-Za-z][\w+]*://", text) is not None


def _database(address: str) -> BaseStorage:
    """Open a database; another process may be making it at the same time."""
    for attempts_left in (2, 1, 0):
        try:
            if not address.startswith("sqlite"):
                return RDBStorage(address)
            storage = RDBStorage(address, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})
            _lock_transactions(storage)
            return storage
        except Exception as error:
            if not attempts_left or not isinstance(error, optuna.exceptions.StorageInternalError):
                raise _unreachable(address, error) from None
            time.sleep(0.5)  # another process may be making its tables
    raise AssertionError


def _lock_transactions(storage: RDBStorage) -> None:
    """Have SQLite hold its lock from the beginning of each transaction.

    Python's driver begins one only at the first change, so that two processes could both see a trial unfinished, and
    both finish it.
    """
    from sqlalchemy import event

    @event.listens_for(storage.engine, "connect")
    def begin_none_itself(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(storage.engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()


def _journal(path: Path, location: Any) -> BaseStorage:
    """Open a journal, which is made if it is not there."""
    if path.is_dir():
        raise FileError(f"study: {path} is a folder; give the path of a file in it, such as {path / 'search.journal'}.")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        if not is_journal(path):
            raise _not_a_journal(path, "it begins with something else")
        backend = journal_backend(path.absolute())
    except OSError as error:
        raise _unreachable(location, error) from None
    try:
        return JournalStorage(backend)
    except Exception as error:
        raise _not_a_journal(path, str(error) or type(error).__name__) from None


def _not_a_journal(path: Path, reason: str) -> FileError:
    return FileError(
        f"study: {path} is no journal of a search ({reason}). Choose another file; a database is given by its URL, "
        "such as sqlite:///search.db."
    )


def _unreachable(location: Any, error: Exception) -> ChainruleError:
    if isinstance(error, ChainruleError):
        return error
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    if isinstance(location, str | os.PathLike):
        reason = without_passwords(reason, os.fspath(location))
    if isinstance(error, ImportError):
        reason += "; install what this kind of database needs"
    return FileError(f"The study's storage {format_storage(location)} cannot be reached: {reason}.")


def format_storage(location: Any) -> str:
    """Return the location of a study as text, without its password."""
    return "the study" if location is None or isinstance(location, Study) else mask_passwords(str(location))


def check_identity(study: Study, identity: Mapping[str, str], where: str) -> None:
    """Raise `SettingError` if the study is that of another experiment, with what differs."""
    known = study.user_attrs.get(IDENTITY)
    if known is None:
        if study.get_trials(deepcopy=False):
            raise SettingError(f"{where} holds a study {study.study_name!r} that no search of chainrule has made.")
        study.set_user_attr(IDENTITY, dict(identity))
        return
    differ = [name for name in sorted(known.keys() | identity.keys()) if known.get(name) != identity.get(name)]
    if differ:
        lines = [f"  {n}: {known.get(n, 'nothing')} there, {identity.get(n, 'nothing')} now" for n in differ]
        raise SettingError(
            f"{where} holds a study {study.study_name!r} of another experiment:\n" + "\n".join(lines) + "\nChoose "
            "another file, or another name=, or the same settings."
        )
