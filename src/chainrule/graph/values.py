"""Values in few characters: numbers, arrays, settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.backprop.tensor import unwrap


def number(x: Any, digits: int = 6) -> str:
    """Return a number in few characters."""
    if isinstance(x, bool | np.bool_ | int | np.integer):
        return str(x)
    return f"{float(x) + 0.0:.{digits}g}"  # + 0.0 turns -0.0 into 0.0


def count(n: int, noun: str) -> str:
    """Return so many of something: ``count(1, "node")`` is 1 node, and more are nodes."""
    return f"{n:,} {noun}{'s' if n != 1 else ''}"


def summary(x: Any, digits: int = 6, entries: int = 4) -> str:
    """Return a number or a short array as it is; a longer array as its mean and range.

    >>> import numpy as np
    >>> summary(0.5), summary(np.array([[1.0, 2.0]])), summary(np.arange(9.0))
    ('0.5', '[[1, 2]]', 'mean 4, 0 to 8')
    """
    x = unwrap(x)
    if not (isinstance(x, bool | int | float) or hasattr(x, "dtype")):
        return shorten(repr(x))
    a = np.asarray(x)
    if a.dtype.kind not in "biuf" and str(a.dtype) != "bfloat16":
        return shorten(repr(a.tolist()))
    if a.ndim == 0:
        return number(a[()], digits)
    if a.size == 0:
        return "empty"
    if a.size <= entries:
        return _nested(a, min(digits, 4))
    a = a.astype(np.float64)
    finite = a[np.isfinite(a)]
    bad = "" if finite.size == a.size else f"{a.size - finite.size} of {a.size} not finite"
    if finite.size == 0:
        return bad
    low, mean, high = (number(v, min(digits, 4)) for v in (finite.min(), finite.mean(), finite.max()))
    text = f"all {low}" if low == high else f"mean {mean}, {low} to {high}"
    return f"{text}, {bad}" if bad else text


def _nested(a: Any, digits: int) -> str:
    if a.ndim == 0:
        return number(a[()], digits)
    return f"[{', '.join(_nested(row, digits) for row in a)}]"


def shorten(text: str, length: int = 40) -> str:
    """Return the text, cut at a length."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def setting(value: Any) -> str:
    """Return a setting of an operation: an axis, a shape, an index."""
    if isinstance(value, slice):
        ends = ":".join("" if v is None else str(v) for v in (value.start, value.stop))
        return ends if value.step is None else f"{ends}:{value.step}"
    if value is Ellipsis:
        return "..."
    if isinstance(value, tuple | list):
        inside = ", ".join(setting(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if hasattr(value, "dtype"):
        return summary(value, 4)
    return shorten(str(np.dtype(value)) if isinstance(value, type) else repr(value))
