"""Where studies are kept: opened, checked, and told apart. Imports Optuna, as `chainrule.tuning.study` does."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import Study

from chainrule.errors import ChainruleError, FileError, SettingError

#: What a study is called that was given no name.
NAME = "chainrule"

#: The attribute of a study that tells experiments apart.
IDENTITY = "experiment"

#: Seconds after which a lock that a killed process left on a journal is broken; writing takes milliseconds.
LOCK_SECONDS = 5


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, Optuna logs nothing but errors."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def opened(given: Any, name: str | None, direction: Literal["minimize", "maximize"]) -> Study:
    """The study in a storage, made if it is not there."""
    if isinstance(given, Study):
        if given.direction.name.lower() != direction:
            raise SettingError(f"The metric of this search is to {direction}; the study was made to do the opposite.")
        return given
    storage = None if given is None else _storage(given)
    try:
        return optuna.create_study(storage=storage, study_name=name or NAME, direction=direction, load_if_exists=True)
    except Exception as error:
        raise _unreachable(given, error) from None


def _storage(given: Any) -> BaseStorage:
    if not isinstance(given, str | os.PathLike):
        raise SettingError(
            "study is the path of a journal file, the URL of a database such as sqlite:///search.db, or an Optuna "
            f"study; got {given!r}."
        )
    text = os.fspath(given)
    if re.match(r"[A-Za-z][\w+]*://", text):
        for left in (2, 1, 0):
            try:
                return optuna.storages.get_storage(text)
            except Exception as error:
                if not left or not isinstance(error, optuna.exceptions.StorageInternalError):
                    raise _unreachable(given, error) from None
                time.sleep(0.5)  # another process may be making its tables
    path = Path(text).expanduser()
    if path.is_dir():
        raise FileError(f"study: {path} is a folder; give the path of a file in it, such as {path / 'search.journal'}.")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        lock = JournalFileSymlinkLock(str(path), grace_period=LOCK_SECONDS)
        backend = JournalFileBackend(str(path), lock_obj=lock)
        _mend(path, lock)
    except OSError as error:
        raise _unreachable(given, error) from None
    try:
        return JournalStorage(backend)
    except Exception as error:
        raise FileError(
            f"study: {path} is no journal of a search ({error or type(error).__name__}). Choose another file; a "
            "database is given by its URL, such as sqlite:///search.db."
        ) from None


def _mend(path: Path, lock: JournalFileSymlinkLock) -> None:
    """Take away half a line that a killed process left at the end of a journal; any other file stays as it is."""
    content = path.read_bytes()
    if not content.startswith(b'{"') or content.endswith(b"\n") or b"\n" not in content:
        return
    lock.acquire()
    try:
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _unreachable(given: Any, error: Exception) -> ChainruleError:
    if isinstance(error, ChainruleError):
        return error
    found = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    if isinstance(given, str | os.PathLike) and (secret := re.search(r"://[^/@:]*:([^/@]*)@", os.fspath(given))):
        found = found.replace(secret[1], "***") if secret[1] else found
    if isinstance(error, ImportError):
        found += "; install what this kind of database needs"
    return FileError(f"The study's storage {shown(given)} cannot be reached: {found}.")


def shown(given: Any) -> str:
    """A storage by name, without its password."""
    if given is None or isinstance(given, Study):
        return "the study"
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", str(given))


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
