"""Files that appear whole or not at all, folders that one process writes to, and the one for what can be made again."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from chainrule.errors import FileError


def cache_folder() -> Path:
    """The user's cache folder for chainrule: ``$XDG_CACHE_HOME/chainrule`` or ``~/.cache/chainrule``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chainrule"


#: What a file is called (after its own name) until it is whole.
PART = ".part"


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write a file so that no reader ever sees half of it."""
    with writing(path, binary=True) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def writing(path: str | Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """A file to write to, beside its place: when all is written it is flushed to the disk and renamed.

    After an error there is no trace of it.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
        text = {} if binary else {"encoding": "utf-8", "newline": ""}
        with os.fdopen(descriptor, "wb" if binary else "w", **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
        _flush_folder(path.parent)
    except OSError as error:
        raise FileError(
            f"Could not write {path}: {error.strerror or error}. Choose another place, or make room."
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def remove_parts(folder: Path) -> None:
    """Remove what `write_atomic` left in a folder when it was killed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f".*{PART}"):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
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


def _flush_folder(folder: Path) -> None:
    """Flush a folder, too: else a power loss may take back a renaming in it."""
    with contextlib.suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
