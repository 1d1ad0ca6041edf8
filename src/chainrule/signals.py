"""Ctrl-C and SIGTERM: training ends after the step it is at, saved; all else ends at once; neither is ever lost."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has ended a training run, after it was saved if it has a folder: what is kept, and how to go on."""

    def __init__(self, message: str = "", to_go_on: str = "") -> None:
        super().__init__(f"{message} {to_go_on}".strip())
        self.message, self.to_go_on = message, to_go_on


class Terminated(SystemExit):
    """SIGTERM has ended a training run, after it was saved if it has a folder; the exit code is 128 + 15."""

    def __init__(self, message: str = "", to_go_on: str = "") -> None:
        super().__init__(TERMINATED)
        self.message, self.to_go_on = message, to_go_on

    def __str__(self) -> str:
        return f"{self.message} {self.to_go_on}".strip()


def with_message(error: BaseException, message: str, to_go_on: str) -> BaseException:
    """Return what ended a run, Ctrl-C or SIGTERM, with another message."""
    return (Terminated if isinstance(error, Terminated) else Interrupted)(message, to_go_on)


#: Signals, and the handlers of Python in whose place ours stands: a user's own handler is left alone.
_DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}

#: The exit codes of commands that they have ended.
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM

#: Seconds until a signal comes again whose exception was dropped.
AGAIN = 0.005


class StopRequest:
    """Whether the run was asked to end: ``signal`` is the number of the signal, or 0."""

    def __init__(self) -> None:
        self.signal = 0
        #: Whether the run did what it was asked for.
        self.heeded = False


def ended(number: int, message: str) -> BaseException:
    """Return what a run that was asked to end raises."""
    return Terminated(message) if number == signal.SIGTERM else Interrupted(message)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Raise, for Ctrl-C and SIGTERM inside, `Interrupted` and `Terminated`, wherever they come.

    Where Python drops an exception (a callback of the garbage collector, such as JAX has one; a ``__del__``; a
    function called from C), it would print "Exception ignored in", and go on as if nobody had asked: there the signal
    comes again a moment later. Nothing changes in a thread that is not the main one: Python gives it no signals.
    """
    global _handled
    if _handled or threading.current_thread() is not threading.main_thread():
        yield
        return
    replaced = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) == default]
    hook = sys.unraisablehook

    def dropped(what: Any) -> None:
        if isinstance(what.exc_value, Interrupted | Terminated):
            _repeat(signal.SIGTERM if isinstance(what.exc_value, Terminated) else signal.SIGINT)
        else:
            hook(what)

    _handled, sys.unraisablehook = True, dropped
    try:
        for number in replaced:
            signal.signal(number, _handle)
        yield
    finally:
        for number in replaced:
            if signal.getsignal(number) is _handle:
                signal.signal(number, _DEFAULTS[number])
        _handled, sys.unraisablehook = False, hook


@contextlib.contextmanager
def asked_to_end() -> Iterator[StopRequest]:
    """Note the first Ctrl-C or SIGTERM inside only; the second one raises at once.

    In a thread that is not the main one nothing changes. A run inside a run (of a callback) shares the note. What was
    noted and not heeded arrives when the block is done.
    """
    global _request
    if threading.current_thread() is not threading.main_thread():
        yield StopRequest()
        return
    if _request is not None:
        yield _request
        return
    with handled():
        request = _request = StopRequest()
        try:
            yield request
        finally:
            _request = None
        if request.signal and not request.heeded:
            raise ended(request.signal, "")


def ignore() -> None:
    """Ignore them from here on: the command has done what it was for, and Python is about to end.

    One of several processes waits for the others at its end, and must be heard.
    """
    if (
        "chainrule.engine.distributed" in sys.modules
        and sys.modules["chainrule.engine.distributed"].rank_and_size()[1] > 1
    ):
        return
    for number in _DEFAULTS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, frame: Any) -> None:
    global _dropped
    if _hooked:  # an exception would be dropped here as well
        return
    _dropped = 0
    if _request is None:
        raise ended(number, "")
    if _request.signal:
        raise ended(number, "Stopped at once.")
    _request.signal = number


def _repeat(number: signal.Signals) -> None:
    """Let a signal whose exception was dropped come again, as often as it takes."""
    global _dropped, _hooked

    def again() -> None:
        time.sleep(AGAIN)
        while _dropped == number and _handled:
            _thread.interrupt_main(number)
            time.sleep(AGAIN)

    _hooked = True
    try:
        _dropped = number
        _thread.start_new_thread(again, ())  # a `threading.Thread` would wait for it
    finally:
        _hooked = False


_handled = False
_request: StopRequest | None = None
_dropped, _hooked = 0, False
