"""Every operation on files below a folder, one at a time: the process dies there, or the operation fails.

The process does not really die, so that hundreds of points take a minute: from that moment on no operation changes a
file, and `Dead` goes through every handler of errors. What is on the disk is what a process that was killed has left.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Dead(BaseException):
    """The process is no more."""


class Operation(NamedTuple):
    """What is done to a file or folder; numbers in names, which differ from run to run, are left out."""

    kind: str
    file: str


class Faults:
    """Inside, operations below a folder are noted in ``seen``; the one whose number is ``at`` is a ``fault``.

    Parameters
    ----------
    folder : what is watched
    at : the operation that is the fault; None: none is
    fault : "crash" or "error"
    """

    def __init__(self, folder: Path, at: int | None = None, fault: str = "crash") -> None:
        self.folder, self.at, self.fault = folder.absolute(), at, fault
        self.seen: list[Operation] = []
        self.dead = False
        self.paths: dict[int, Path] = {}  # of open files, by their descriptors
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> Faults:
        self._open, self._open_file = os.open, builtins.open
        for kind in ("replace", "rename"):
            self._watch(kind, lambda source, target, **words: target)
        for kind in ("unlink", "remove", "mkdir", "rmdir", "chmod"):
            self._watch(kind, lambda path, *more, **words: path)
        self._watch("fsync", lambda descriptor: self.paths.get(descriptor))
        self.patch.setattr(os, "open", self._opened)
        for module in (builtins, io):
            self.patch.setattr(module, "open", self._opened_file)
        return self

    def __exit__(self, *error: Any) -> None:
        self.patch.undo()

    def at_one(self, kind: str, path: Any, halfway: Callable[[], object] = lambda: None) -> None:
        """Before an operation: the fault, if it is this one."""
        if self.dead:
            raise Dead
        if not isinstance(path, str | os.PathLike) or not self._below(Path(path)):
            return
        name = re.sub(r"^\.(.*)\.[^.]*\.part$", r"\1.part", Path(path).name)
        self.seen.append(Operation(kind, re.sub(r"\d{8}", "N", name)))
        if len(self.seen) - 1 != self.at:
            return
        if self.fault == "error":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        halfway()
        self.dead = True
        raise Dead

    def _below(self, path: Path) -> bool:
        return path.absolute() == self.folder or self.folder in path.absolute().parents

    def _watch(self, kind: str, path_of: Callable[..., Any]) -> None:
        real = getattr(os, kind)

        def watched(*arguments: Any, **words: Any) -> Any:
            self.at_one(kind, path_of(*arguments, **words))
            return real(*arguments, **words)

        self.patch.setattr(os, kind, watched)

    def _opened(self, path: Any, flags: int, *more: Any, **words: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.at_one("create", path)
        descriptor = self._open(path, flags, *more, **words)
        if isinstance(path, str | os.PathLike):
            self.paths[descriptor] = Path(path)
        return descriptor

    def _opened_file(self, file: Any, mode: str = "r", *more: Any, **words: Any) -> Any:
        reads = not set(mode) & set("wax+")
        path = self.paths.get(file) if isinstance(file, int) else file
        if not reads and not isinstance(file, int):
            self.at_one("create", file)
        made = self._open_file(file, mode, *more, **words)
        return made if reads or path is None else _File(made, path, self)


class _File:
    """A file that is written to: of what a process writes when it dies, half arrives."""

    def __init__(self, file: Any, path: Any, faults: Faults) -> None:
        self._file, self._path, self._faults = file, path, faults

    def write(self, content: Any) -> Any:
        self._faults.at_one("write", self._path, lambda: self._file.write(content[: len(content) // 2]))
        return self._file.write(content)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
