"""The journal of a study: a file that processes append to, one at a time, and that survives their being killed.

Imports Optuna: it is itself imported when a search starts.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

log = logging.getLogger(__name__)

#: Seconds after which a lock that stays the same was left by a killed process; writing takes milliseconds.
LOCK_GRACE = 5.0

#: Seconds of waiting for a lock until that is logged.
SAY_AFTER = 1.0

#: The first bytes of a journal.
HEAD = b'{"op_code"'

Identity = tuple[int, int, int, int]


def journal_backend(path: Path) -> JournalFileBackend:
    """Open a journal, which is made if it is not there. ``path`` is absolute: a search may change its folder."""
    lock = JournalLock(path)
    backend = JournalFileBackend(str(path), lock_obj=lock)
    if _is_cut_short(path):
        lock.acquire()
        lock.release()
    return backend


class JournalLock(JournalFileSymlinkLock):
    """Locks a journal for one process, by a link beside it that only one process can make.

    A link that stays the same for `LOCK_GRACE` seconds was left by a killed process, and is removed by one of those
    that wait. Whoever gets the lock first removes the half line that a killed process may have left in the journal.
    Works on file systems that several machines share, and beside processes that use Optuna's own lock.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self.journal, self.path = journal, f"{journal}.lock"
        self._lock_identity: Identity | None = None

    def acquire(self) -> bool:
        """Wait for the lock, and take it."""
        start = changed = time.monotonic()
        seen, pause, silent = None, 0.001, True
        while not self._create():
            now, current = time.monotonic(), _identity(self.path)
            if current != seen:
                seen, changed = current, now
            elif current is not None and now - changed >= LOCK_GRACE:
                self._remove(current)
                continue
            if silent and now - start >= SAY_AFTER:
                silent = False
                log.warning(
                    "Waiting for the lock of %s: %s. One that a killed process has left is removed after %g seconds.",
                    self.journal,
                    self.path,
                    LOCK_GRACE,
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        try:
            self._lock_identity = _identity(self.path)
            _mend(self.journal)
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Give the lock back, unless it was taken for that of a killed process."""
        if self._lock_identity is not None and self._lock_identity == _identity(self.path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        self._lock_identity = None

    def _create(self) -> bool:
        try:
            # The target is relative to the link: it leads to the journal from every machine and every folder.
            os.symlink(self.journal.name, self.path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            try:  # a file system without links
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                return False
        return True

    def _remove(self, stale: Identity) -> None:
        """Remove a lock that was left, if it is still that one: several processes may have waited for it."""
        with _exclusive(self.journal):
            if _identity(self.path) == stale:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process of this machine in at a time; the system lets go when it ends."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _identity(path: str) -> Identity | None:
    """Return what tells one link at a path from the next; None if there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def is_journal(path: Path) -> bool:
    """Return whether a file is a journal, or may become one: is empty, or not there."""
    try:
        with path.open("rb") as file:
            return HEAD.startswith(file.read(len(HEAD)))
    except FileNotFoundError:
        return True


def _is_cut_short(path: Path) -> bool:
    """Return whether a journal ends within a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _mend(path: Path) -> None:
    """Remove half a line that a killed process has left at the end of a journal."""
    if _is_cut_short(path):
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
