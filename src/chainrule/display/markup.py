"""HTML in which every text is escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Any


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def clean(text: object) -> str:
    """Return text without control characters, and without those that change the direction of writing."""
    return "".join(c if c.isprintable() or c in "\n\t\u00a0" else "�" for c in str(text))


def escape(text: object) -> Html:
    """Return text for HTML, in elements and in attributes; between a number and its % no line breaks."""
    return text if isinstance(text, Html) else Html(html.escape(re.sub(r"(?<=\d) %", "\u00a0%", clean(text))))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Return an element. Children are escaped unless they are `Html`; ``class_`` and ``data_key`` are class and
    data-key.

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
    """Join elements, one after the other."""
    return Html("".join(escape(part) for part in parts))


def script_hash(script: str) -> str:
    """Return a script by its content, as a content security policy names it: no other may run.

    >>> script_hash("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def document(title: str, style: str, *body: object, scripts: tuple[str, ...] = (), fetches: bool = False) -> str:
    """Return a page: its style and its scripts stand in it, it loads nothing, and no other script may run.

    Parameters
    ----------
    title, style
        The title as text, and the style sheet.
    body
        What it shows.
    scripts
        The text of each.
    fetches
        Whether it may fetch from its own server.

    Example
    -------
    >>> document("A page", "", tag("p", "shown"))[:32]
    '<!DOCTYPE html>\\n<html lang="en">'
    """
    head = [
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{content_policy(*scripts, fetches=fetches)}">'),
        tag("title", title),
        tag("style", Html(style)),
    ]
    inside = tag("body", *body, *(tag("script", Html(script)) for script in scripts))
    return f"<!DOCTYPE html>\n{tag('html', tag('head', *head), inside, lang='en')}\n"


def content_policy(*scripts: str, fetches: bool = False) -> str:
    """Return the content security policy of a page that runs these scripts alone, and loads nothing.

    Parameters
    ----------
    scripts
        The text of each.
    fetches
        Whether it may fetch from its own server: a page in a file has none.

    Example
    -------
    >>> content_policy()
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    """
    parts = [
        "default-src 'none'",
        *([f"script-src {' '.join(map(script_hash, scripts))}"] if scripts else []),
        *(["connect-src 'self'"] if fetches else []),
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)
