"""Files that appear whole or not at all, folders that one process writes to, and the one for what can be made again."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from chainrule.errors import FileError, SettingError


def cache_folder() -> Path:
    """Return the user's cache folder for chainrule: ``$XDG_CACHE_HOME/chainrule`` or ``~/.cache/chainrule``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chainrule"


def private_file(path: Path, text: str) -> None:
    """Write a small file that only its user can read, in place of one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def as_path(name: str | os.PathLike[str]) -> Path:
    r"""Return a path that the system can take, ``~`` resolved; whether something is there is not looked at.

    Raises
    ------
    FileError
        A path that leads nowhere whatever is written to it: links in a circle, a NUL, a name that is too long, a
        folder that may not be entered.

    Examples
    --------
    >>> from chainrule.files import as_path
    >>> as_path("new.csv").name
    'new.csv'
    >>> as_path("a\0b")
    Traceback (most recent call last):
        ...
    chainrule.errors.FileError: The path 'a\x00b' has a NUL in it, which no file's name can have.
    """
    path = Path(name)
    if "\0" in str(path):
        raise FileError(f"The path {str(path)!r} has a NUL in it, which no file's name can have.")
    try:
        path = path.expanduser()
        path.stat()
    except RuntimeError:
        raise FileError(f"{path}: there is no user {path.parts[0]!r}, whose folder it would be.") from None
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        reason = "it is a link that leads in a circle" if error.errno == errno.ELOOP else error.strerror
        raise FileError(f"{path} cannot be used: {reason}.") from None
    return path


def as_text(name: str | Path) -> str:
    r"""Return a file's name as text that every file and terminal can hold: bytes that are not UTF-8 become \xNN.

    >>> from chainrule.files import as_text
    >>> as_text("caf\udce9.png")
    'caf\\xe9.png'
    """
    return _HALVES.sub(lambda match: _escaped(ord(match[0])), str(name))


#: Halves of characters: what Python makes of bytes that are not UTF-8.
_HALVES = re.compile("[\ud800-\udfff]")


def _escaped(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def check_text(settings: Mapping[str, Any]) -> None:
    r"""Raise a `SettingError` for a setting with text that is not UTF-8: no file of settings can hold it.

    >>> from chainrule.files import check_text
    >>> check_text({"data": "caf\udce9.csv"})
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: data: caf\xe9.csv is not UTF-8, and ... has another name.
    """
    for name, value in settings.items():
        for text in _texts(value):
            if _HALVES.search(text):
                raise SettingError(
                    f"{as_text(name)}: {as_text(text)} is not UTF-8, and the settings of a run are kept as UTF-8. "
                    "Rename it, or give a link to it that has another name."
                )


def _texts(value: Any) -> Iterator[str]:
    """Give all text in a setting."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name in value:
            yield from (*_texts(name), *_texts(value[name]))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


#: What a file is called (after its own name) until it is whole.
TEMP_SUFFIX = ".part"


def write_atomic(path: str | Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a file so that no reader ever sees half of it; what it is to be ``durable`` for: see `atomic_open`."""
    with atomic_open(path, binary=True, durable=durable) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def atomic_open(path: str | Path, *, binary: bool = False, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a file to write to, beside its place: when all is written it is flushed to the disk and renamed.

    One that is not ``durable`` is not flushed: it survives the end of the process, and may be lost with the power.

    After an error there is no trace of it. A new file has the rights that the process gives to new files (its umask),
    one that takes the place of another has the rights of that one.
    """
    path = as_path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = _create_beside(path)
        text = {} if binary else {"encoding": "utf-8", "newline": ""}
        with os.fdopen(descriptor, "wb" if binary else "w", **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
        temporary = None
        if durable:
            _flush_folder(path.parent)
    except UnicodeEncodeError as error:
        raise FileError(f"Could not write {path}: {as_text(error.object)[:200]} is no text that UTF-8 has.") from None
    except OSError as error:
        raise FileError(
            f"Could not write {path}: {error.strerror or error}. Choose another place, or make room."
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _create_beside(path: Path) -> tuple[int, Path]:
    """Return a new file in the folder of a path: open, and its name. (`tempfile` gives it rights without asking the
    umask.)
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{TEMP_SUFFIX}"
        with contextlib.suppress(FileExistsError):
            return os.open(temporary, flags, 0o666), temporary


def check_not_read(out: str | Path, *sources: str | Path | None) -> None:
    """Refuse to write a file over one that is read, or over one in a folder that is read, by whatever name or link.

    A source that is None, or the name of no file or folder, has nothing that could be overwritten.

    >>> from pathlib import Path
    >>> _ = Path("people.csv").write_text("age,income")
    >>> check_not_read("predictions.csv", "people.csv", "digits")
    >>> check_not_read("people.csv", "people.csv")
    Traceback (most recent call last):
        ...
    chainrule.errors.FileError: people.csv is read here, and would be overwritten: write to another place.
    """
    out = as_path(out)
    if not _exists(out):
        return
    for source in sources:
        if source is None or not _exists(path := as_path(source)):
            continue
        inside = path.is_dir() and path.resolve() in out.resolve().parents
        if inside or path.samefile(out):
            raise FileError(
                f"{out if inside else source} is read here, and would be overwritten: write to another place."
            )


def check_apart(folder: str | Path, *sources: str | Path | None) -> None:
    """Refuse a folder for a run that is, lies in, or holds the data itself: the run's files would mix with the data."""
    place = as_path(folder).absolute()
    for source in sources:
        if source is None or not _exists(path := as_path(source)):
            continue
        around = [place.resolve(), *(place.resolve().parents if path.is_dir() else ())]
        if path.resolve() in around or place.resolve() in (path.resolve().parent, path.absolute().parent.resolve()):
            raise FileError(f"{folder} is where the data {source} is: choose a folder of its own for the run.")


def _exists(path: Path) -> bool:
    """Return whether there is something of this name; a name that can be none, or a circle of links, is nothing."""
    try:
        return path.exists()
    except (OSError, RuntimeError, ValueError):
        return False


def remove_parts(folder: Path) -> None:
    """Remove what `write_atomic` left in a folder when it was killed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f".*{TEMP_SUFFIX}"):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder that only one process may write to; if another holds it, a `FileError`.

    The system lets go of it when the process ends, however it ends. Where it offers no such locks, nothing is held.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise FileError(
                    f"{folder} is being written to by another run. Wait for it, or choose another folder."
                ) from None
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool | None:
    """Return whether a process holds a folder, as `locked` does; None where the system does not say.

    To try and see would take the folder for a moment from a process that is about to hold it.
    """
    try:
        number, text = os.stat(folder).st_ino, Path("/proc/locks").read_text("ascii")
    except OSError:
        return None if not Path("/proc/locks").exists() else False
    return any(f":{number} " in line and " FLOCK " in line for line in text.splitlines())


def _flush_folder(folder: Path) -> None:
    """Flush a folder, too: else a power loss may take back a renaming in it."""
    with contextlib.suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
