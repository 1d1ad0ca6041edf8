"""Passwords in the addresses of databases: never written into a file, never printed."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: What stands in the place of a password.
MASK = "***"

#: ``scheme://user:password@host``; a password may have any sign but a space, an ``@`` among them.
_LOGIN = re.compile(r"(://[^:/@\s]*):([^\s]*)@")

#: ``?password=…`` and the like behind an address.
_OPTION = re.compile(r"([?&;][^=&;\s]*(?:pass|pwd|secret|token|odbc_connect)[^=&;\s]*=)([^&;\s]+)", re.IGNORECASE)


def mask_passwords(text: str) -> str:
    """Replace the passwords of all addresses in a text by ``***``.

    >>> from chainrule.passwords import mask_passwords
    >>> mask_passwords("--study postgresql://me:s3cret@host/db --trials 3")
    '--study postgresql://me:***@host/db --trials 3'
    >>> mask_passwords("mysql://host/db?user=me&password=s3cret")
    'mysql://host/db?user=me&password=***'
    """
    return _OPTION.sub(rf"\1{MASK}", _LOGIN.sub(rf"\1:{MASK}@", text))


def without_passwords(text: str, address: str) -> str:
    """Replace the passwords of an address by ``***`` wherever a text repeats them, as messages of drivers do."""
    secrets = [login[1] for login in _LOGIN.findall(address)] + [option[1] for option in _OPTION.findall(address)]
    for secret in sorted({form for s in secrets for form in (s, unquote(s)) if form}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return mask_passwords(text)
