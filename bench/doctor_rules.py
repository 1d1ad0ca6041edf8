"""The files in which the rules of the doctor are, with fingerprints: what was measured is true of these only."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import chainrule as cr

PACKAGE = Path(cr.__file__).parent

#: Files of the two rooms in which no rule is: they write down or show what was found.
NO_RULES = (
    *("answer.py", "catalogue.py", "clock.py", "command_line.py", "guide.py", "html.py", "plain.py"),
    *("plain_settings.py", "python_code.py", "rates.py", "text.py", "words.py"),
)


def rule_files() -> dict[str, str]:
    """Return the files by their path in the package, with the fingerprint of their code.

    Comments and docstrings are left out: they change no alarm.
    """
    files = sorted(path for room in ("symptoms", "doctor") for path in (PACKAGE / room).rglob("*.py"))
    return {
        path.relative_to(PACKAGE).as_posix(): code_fingerprint(path.read_text(encoding="utf-8"))
        for path in files
        if path.name not in NO_RULES
    }


def fingerprint() -> str:
    """Return one fingerprint of all rules."""
    return hashlib.sha256(repr(rule_files()).encode()).hexdigest()[:12]


def code_fingerprint(text: str) -> str:
    """Return a fingerprint of Python code without its comments and docstrings.

    >>> code_fingerprint("x = 1  # one") == code_fingerprint("x = 1")
    True
    """
    code = ast.parse(text)
    for node in ast.walk(code):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(code).encode()).hexdigest()[:12]
