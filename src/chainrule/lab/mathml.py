"""Formulas as MathML, which browsers show without a library (MathML Core, W3C)."""

from __future__ import annotations

from chainrule.display.markup import Html, escape, tag


def formula(*parts: object) -> Html:
    """Return a formula: text becomes names and signs, numbers stay numbers.

    >>> formula("w", "←", "w")[:30]
    '<math display="block"><mrow><m'
    """
    return tag("math", row(*parts), display="block")


def row(*parts: object) -> Html:
    """Return parts side by side."""
    return tag("mrow", *map(_one, parts))


def over(above: object, below: object) -> Html:
    """Return a fraction."""
    return tag("mfrac", _one(above), _one(below))


def low(base: object, index: object) -> Html:
    """Return something with an index below."""
    return tag("msub", _one(base), _one(index))


def high(base: object, power: object) -> Html:
    """Return something with a power."""
    return tag("msup", _one(base), _one(power))


def root(inside: object) -> Html:
    """Return a square root."""
    return tag("msqrt", _one(inside))


def _one(part: object) -> Html:
    if isinstance(part, Html):
        return part
    text = str(part)
    kind = "mn" if text.replace(".", "").isdigit() else "mi" if text.replace("′", "").isalnum() else "mo"
    return tag(kind, escape(text))
