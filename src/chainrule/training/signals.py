"""Ctrl-C and SIGTERM while a network is trained: the first one ends the run after the step it is at, saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has ended a training run, after it was saved if it has a folder. The message says how to go on."""


class Terminated(SystemExit):
    """SIGTERM has ended a training run, after it was saved if it has a folder; the exit code is 128 + 15."""

    def __init__(self, message: str = "Terminated.") -> None:
        super().__init__(128 + signal.SIGTERM)
        self.message = message

    def __str__(self) -> str:
        return self.message


#: Signals, and the handlers of Python in whose place ours stands: a user's own handler is left alone.
_DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Asked:
    """Whether the run was asked to end: ``signal`` is the number of the signal, or 0."""

    def __init__(self) -> None:
        self.signal = 0
        #: Whether the run did what it was asked for.
        self.heeded = False


def ended(number: int, message: str) -> BaseException:
    """What a run that was asked to end raises."""
    return Terminated(message) if number == signal.SIGTERM else Interrupted(message)


@contextlib.contextmanager
def asked_to_end() -> Iterator[Asked]:
    """Inside, the first Ctrl-C or SIGTERM is only noted; the second one raises at once.

    Python gives signals to the main thread; in others nothing changes, and Ctrl-C ends the program as ever. A run
    inside a run (of a callback) shares the note. What was noted and not heeded arrives when the block is done.
    """
    global _outer
    if threading.current_thread() is not threading.main_thread():
        yield Asked()
        return
    if _outer is not None:
        yield _outer
        return
    asked = _outer = Asked()

    def note(number: int, frame: Any) -> None:
        if asked.signal:
            raise ended(number, "Stopped at once.")
        asked.signal = number

    replaced = {number: note for number, default in _DEFAULTS.items() if signal.getsignal(number) == default}
    try:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        yield asked
    finally:
        for number in replaced:
            signal.signal(number, _DEFAULTS[number])
        _outer = None
    if asked.signal and not asked.heeded:
        signal.raise_signal(asked.signal)


_outer: Asked | None = None
