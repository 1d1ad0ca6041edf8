"""Numbers as people read them, and HTML in which every text is escaped."""

from __future__ import annotations

import html
import math
from typing import Any


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def clean(text: object) -> str:
    """Text without control characters, and without those that change the direction of writing."""
    return "".join(c if c.isprintable() or c in "\n\t\u00a0" else "�" for c in str(text))


def escape(text: object) -> Html:
    """Text for HTML, in elements and in attributes."""
    return text if isinstance(text, Html) else Html(html.escape(clean(text)))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """An element. Children are escaped unless they are `Html`; ``class_`` and ``data_key`` are class and data-key.

    >>> tag("td", "a < b", class_="number")
    '<td class="number">a &lt; b</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children if child is not None)
    return Html(f"<{name}{written}>{inside}</{name}>" if name not in ("img", "br") else f"<{name}{written}>")


def join(parts: Any) -> Html:
    """Elements one after the other."""
    return Html("".join(escape(part) for part in parts))


def percent(value: Any, digits: int = 2) -> str:
    """A share, with a space at which no line breaks.

    >>> [percent(v, 1).replace("\\u00a0", " ") for v in (0.98765, 0.5, None)]
    ['98.8 %', '50.0 %', 'not a number']
    """
    return f"{100 * value:.{digits}f}\u00a0%" if is_number(value) else "not a number"


def number(value: Any, digits: int = 4) -> str:
    """A number with some digits that count, without an exponent where it can be read so.

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
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def value_of(name: str, value: Any) -> str:
    """A metric: accuracies in percent."""
    return percent(value) if name.endswith("accuracy") else number(value)


def seconds(value: Any) -> str:
    """A length of time.

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
