"""The walk over a folder: which files in it are a person's own, in an order that is always the same."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from chainrule.errors import FileError

__all__ = ["Identity", "Walk", "is_visible"]

#: What systems and disks put beside a person's files, besides all that begins with a dot.
OF_THE_SYSTEM = frozenset("__macosx @eadir $recycle.bin lost+found thumbs.db ehthumbs.db desktop.ini".split())

#: What the system tells a folder by, whatever link leads to it.
Identity = tuple[int, int]


def is_visible(name: str) -> bool:
    """Tell whether a file or folder is a person's own, by its name: not hidden, and not one of the system's.

    >>> from chainrule.data.walk import is_visible
    >>> [is_visible(name) for name in ("cat.png", ".ipynb_checkpoints", "._cat.png", "__MACOSX", "Thumbs.db")]
    [True, False, False, False, False]
    """
    return not name.startswith(".") and name.lower() not in OF_THE_SYSTEM


class Walk:
    """A walk over folders that follows links, and enters each folder once.

    Attributes
    ----------
    entered
        The folders that were entered, by what the system tells them by.
    repeats
        Folders that were met again, each with where it was met first; one that lies around it makes a loop.
    broken
        Links that lead nowhere, and what is neither a file nor a folder.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chainrule.data.walk import Walk
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = pathlib.Path(folder.name, "pets")
    >>> for name in "cat/b.png", "cat/a.png", "cat/.ipynb_checkpoints/a.png", "dog/1.png":
    ...     (root / name).parent.mkdir(parents=True, exist_ok=True)
    ...     _ = (root / name).write_bytes(b"")
    >>> [path.relative_to(root).as_posix() for path in Walk().files(root)]
    ['cat/a.png', 'cat/b.png', 'dog/1.png']
    >>> folder.cleanup()
    """

    def __init__(self, *around: Path) -> None:
        self.entered: dict[Identity, Path] = {}
        self.repeats: list[tuple[Path, Path]] = []
        self.broken: list[Path] = []
        for folder in around:
            self._enter(folder)

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder, without those that lead back to one around them."""
        inside = []
        for path, mode in self._inside(folder):
            if not stat.S_ISDIR(mode):
                continue
            if (first := self.entered.get(_identity(path))) is not None and first in path.parents:
                self.repeats.append((path, first))
            else:
                inside.append(path)
        return inside

    def files(self, folder: Path, *, deep: bool = True) -> Iterator[Path]:
        """Yield the files in a folder and, if ``deep``, in all folders below it; sorted by name, folder by folder."""
        if deep and not self._enter(folder):
            return
        stack = [iter(self._inside(folder))]
        while stack:
            path, mode = next(stack[-1], (None, 0))
            if path is None:
                stack.pop()
            elif stat.S_ISREG(mode):
                yield path
            elif not stat.S_ISDIR(mode):
                self.broken.append(path)
            elif deep and self._enter(path):
                stack.append(iter(self._inside(path)))

    def _enter(self, folder: Path) -> bool:
        """Note a folder; False if it was entered already, by whatever name."""
        first = self.entered.setdefault(_identity(folder), folder)
        if first != folder:
            self.repeats.append((folder, first))
        return first == folder

    @staticmethod
    def _inside(folder: Path) -> list[tuple[Path, int]]:
        """Return what a folder holds, each with its mode (that of what a link leads to; 0: it leads nowhere)."""
        try:
            with os.scandir(folder) as entries:
                visible = sorted((entry for entry in entries if is_visible(entry.name)), key=lambda entry: entry.name)
        except OSError as error:
            raise FileError(f"{folder} cannot be read: {error.strerror}.") from None
        return [(folder / entry.name, _mode(entry)) for entry in visible]


def _mode(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mode
    except OSError:
        return 0


def _identity(folder: Path) -> Identity:
    try:
        status = folder.stat()
    except OSError as error:
        raise FileError(f"{folder} cannot be read: {error.strerror}.") from None
    return status.st_dev, status.st_ino
