"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chainrule import checks


def percent(value: Any, digits: int = 2) -> str:
    """Return a fraction in percent.

    >>> [percent(v, 1) for v in (0.98765, 0.5, None)]
    ['98.8 %', '50.0 %', 'not a number']
    """
    return f"{100 * value:.{digits}f} %" if is_number(value) else "not a number"


def number(value: Any, digits: int = 4) -> str:
    """Return a number with some digits that count, without an exponent where it can be read so.

    >>> [number(v) for v in (0.123456, 44.70001, 1234567.0, 3, 1e-9, None)]
    ['0.1235', '44.7', '1,234,567', '3', '1e-09', 'not a number']
    """
    if not is_number(value):
        return "not a number"
    if isinstance(value, int) or (abs(value) >= 1000 and abs(value) < 1e12):
        return f"{round(value):,}"
    text = f"{value:.{digits}g}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def is_number(value: Any) -> bool:
    """Return whether it is a finite number."""
    return checks.is_number(value) and math.isfinite(value)


def finite(value: Any) -> Any:
    """Return plain values, also of arrays, with None for numbers that are not finite: JSON has none of these.

    >>> finite({"loss": [0.5, float("inf")]})
    {'loss': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if hasattr(value, "tolist"):  # of NumPy
        return finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def seconds(value: Any) -> str:
    """Return a length of time.

    >>> seconds(0.0123), seconds(75), seconds(7260)
    ('12 ms', '1 min 15 s', '2 h 1 min')
    """
    if not is_number(value):
        return "not known"
    if value < 1:
        return f"{1000 * value:.0f} ms" if value >= 0.001 else "less than 1 ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
