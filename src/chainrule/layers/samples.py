"""Which samples of a batch count: a last batch that is too short is filled up with samples that do not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

Array = Any


class _Context(threading.local):
    counted: Array | None = None


_context = _Context()


@contextlib.contextmanager
def counting(samples: Array | None) -> Iterator[None]:
    """Let `counted` give these inside: for each sample of the batch 1 if it counts and 0 if it only fills up."""
    outer = _context.counted
    _context.counted = samples
    try:
        yield
    finally:
        _context.counted = outer


def counted() -> Array | None:
    """Return which samples count, for a layer that looks across them in training: shape (batch,); None if all do.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.layers.samples import counted, counting
    >>> with counting(np.array([1.0, 0.0])):
    ...     counted()
    array([1., 0.])
    """
    return _context.counted
