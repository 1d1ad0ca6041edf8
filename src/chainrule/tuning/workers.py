"""The processes that share a study: each writes that it is alive, and is known to have ended when it has.

A process is told from others by a random token for each search, not by its number and machine alone: in a container
every process has number 1, and a restarted container the name of the one before.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.study import Study

#: A process writes so often that it is alive. One of another machine counts as ended when it was silent for the lease
#: while it was watched; or for so long by the clocks of the two machines that their difference does not matter.
BEAT, LEASE, LONG_SILENCE = 10.0, 60.0, 900.0

#: The searches that go on in this process: its number, since a fork copies them, and their tokens.
_searches_here: set[tuple[int, str]] = set()


@dataclass(frozen=True)
class Process:
    """A process, told from every other one.

    Attributes
    ----------
    machine : where its number means this process: the host, its start, and the container (Linux)
    pid : its number
    started : when it began, as the system counts; "" where that is not known
    """

    machine: str
    pid: int
    started: str = ""

    def is_running(self) -> bool | None:
        """Return whether it runs; None where that cannot be known, as on another machine or in another container."""
        if self.machine != this_process().machine or os.name != "posix":
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        started = _start_time(self.pid)
        return started == self.started if started and self.started else None


def this_process() -> Process:
    """Return this process."""
    return Process(_machine(), os.getpid(), _start_time(os.getpid()) or "")


@functools.cache
def _machine() -> str:
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts if len(parts) > 1 else [*parts, f"{uuid.getnode():x}"])


def _start_time(pid: int) -> str | None:
    """Return when a process began, in clock ticks since the machine did; None where that is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "it has ended" if fields[0] in "ZX" else fields[19]


class Workers:
    """Who works on a study: this search, and those of other processes.

    Parameters
    ----------
    study : that they share
    """

    def __init__(self, study: Study) -> None:
        self.study, self.token, self.process = study, uuid.uuid4().hex, this_process()
        self._heard: dict[str, tuple[float, float, bool]] = {}  # the last beat, when it was seen, and one before it

    @contextlib.contextmanager
    def present(self) -> Iterator[None]:
        """Write into the study now and then, inside, that this search goes on."""
        ending = threading.Event()

        def beat() -> None:
            while not ending.wait(BEAT):
                with contextlib.suppress(Exception):  # the storage may be away for a while; training goes on
                    self._write_beat()

        _searches_here.add((os.getpid(), self.token))
        thread = threading.Thread(target=beat, daemon=True)
        try:
            self._write_beat()
            thread.start()
            yield
        finally:
            _searches_here.discard((os.getpid(), self.token))
            ending.set()
            if thread.ident is not None:
                thread.join()
            with contextlib.suppress(Exception):
                self._write_beat(ended=True)

    def _write_beat(self, ended: bool = False) -> None:
        record = asdict(self.process) | {"beat": time.time(), "ended": ended}
        self.study.set_user_attr(f"worker {self.token}", record)

    def is_alive(self, token: str) -> bool | None:
        """Return whether a worker goes on; None while that is not known yet (`LEASE`)."""
        return self._is_alive(token, self.study.user_attrs.get(f"worker {token}"))

    def others(self) -> dict[str, bool | None]:
        """Return the other workers that have not ended as far as known: whether they go on."""
        records = {name[7:]: record for name, record in self.study.user_attrs.items() if name.startswith("worker ")}
        states = {token: self._is_alive(token, record) for token, record in records.items() if token != self.token}
        return {token: state for token, state in states.items() if state is not False}

    def silence(self, token: str) -> float:
        """Return the seconds for which a worker of another machine was silent while it was watched."""
        return time.monotonic() - self._heard[token][1] if token in self._heard else 0.0

    def _is_alive(self, token: str, record: Any) -> bool | None:
        if (os.getpid(), token) in _searches_here:
            return True
        if record is None or record["ended"]:
            return False
        process = Process(record["machine"], record["pid"], record["started"])
        if process == this_process():
            return False  # a search of this process whose end could not be written
        running, beat, now = process.is_running(), float(record["beat"]), time.monotonic()
        if running is not None:
            return running
        last, seen, changed = self._heard.get(token, (beat, now, False))
        if beat != last:
            seen, changed = now, True
        self._heard[token] = beat, seen, changed
        if now - seen >= LEASE or time.time() - beat >= LONG_SILENCE:
            return False
        return True if changed else None
