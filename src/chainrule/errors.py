"""Errors that teach: what was given, what was expected, what to write instead.

Every error a user can cause is a `ChainruleError`, which is a `ValueError`. On the command line they
become one readable message and exit code 2 (wrong usage or bad input), or 1 for a run that failed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ChainruleError(ValueError):
    """Base of all errors that chainrule raises on purpose.

    >>> import chainrule as cr
    >>> try:
    ...     cr.Dense(10, "rleu")
    ... except cr.ChainruleError as error:
    ...     print(str(error).split(" Known")[0])
    Unknown activation 'rleu'; did you mean 'relu'?
    """


class ChainruleWarning(UserWarning):
    """What is no error and yet should be known: the run goes on. On the command line it is a line of its own."""


class ShapeError(ChainruleError):
    """An array has a shape that a layer, loss or operation cannot take."""


class UnknownNameError(ChainruleError):
    """A name that is not registered; the message offers the nearest valid one."""


class SettingError(ChainruleError):
    """A setting has a value outside its range, or settings contradict each other."""


class KeywordError(SettingError, TypeError):
    """A call was given an argument by a name that it does not have; the message says what to write instead."""


class DataError(ChainruleError):
    """The data cannot be used: empty, not finite, labels of the wrong kind, lengths that differ."""


class FileError(ChainruleError):
    """A file is missing, damaged, truncated or of another kind than expected."""


class InputWarning(ChainruleWarning):
    """Inputs that a model takes, but that look unlike those it was trained on: in another unit, or not scaled."""


class GradientError(ChainruleError):
    """Something was asked of a traced value that would lose or falsify its gradient."""


class PeerError(ChainruleError):
    """Another process of a run on several hosts has ended, or has not arrived in time."""


class NothingLeftError(ChainruleError):
    """The other processes of a study train all trials that are left, and none is finished: there is no result yet."""


class UnsavedError(FileError):
    """A run has ended well and could not be saved: the disk is full, or its folder cannot be written to.

    Attributes
    ----------
    run : object
        The run, which is not lost: ``run.model.save(path)`` writes its model elsewhere.
    message, to_go_on : str
        What happened, and how to go on; the error says both.
    """

    def __init__(self, message: str, to_go_on: str = "", *, run: object = None) -> None:
        super().__init__(f"{message} {to_go_on}".strip())
        self.message, self.to_go_on = message, to_go_on
        self.run = run


class DivergedError(ChainruleError):
    """The cost became NaN or infinite while training.

    Attributes
    ----------
    step : int
        The training step (counted from 1) at which the cost was first not finite.
    layer : str
        The layer whose output (or gradient) was not finite first.
    run : object
        The run up to there. ``run.model`` has the last good weights, ``run.history`` the epochs done.
    """

    def __init__(self, message: str, *, step: int, layer: str, run: object = None) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        self.run = run


class DoctorError(ChainruleError):
    """``fit(doctor="check")`` has found a fault before the first step.

    Attributes
    ----------
    diagnosis : object
        The `Diagnosis`: what is at fault, why, and what to change.
    """

    def __init__(self, message: str, *, diagnosis: object = None) -> None:
        super().__init__(message)
        self.diagnosis = diagnosis


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` plus the list of valid names, to end an error message with."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{hint} Known: {', '.join(names)}."


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> UnknownNameError:
    """Return an `UnknownNameError` for ``name``, with the nearest valid name."""
    return UnknownNameError(f"Unknown {kind} {name!r}{did_you_mean(str(name), valid)}")
