"""Files that appear whole or not at all, files that appear together, and the folder for what can be made again."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.errors import FileError


def cache_folder() -> Path:
    """The user's cache folder for chainrule: ``$XDG_CACHE_HOME/chainrule`` or ``~/.cache/chainrule``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chainrule"


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write a file beside its place, flush it to the disk, then rename it: no reader ever sees half of it."""
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise FileError(
            f"Could not write {path}: {error.strerror or error}. Choose another place, or make room."
        ) from None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is done. (Only the main thread gets it, and only there it can be held back.)"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[Any] = []
    handler = signal.signal(signal.SIGINT, lambda *what: arrived.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler if handler is not None else signal.SIG_DFL)
    if arrived and callable(handler):
        handler(*arrived[-1])
