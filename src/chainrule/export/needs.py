"""Packages that only some people need."""

from __future__ import annotations

import importlib
from typing import Any

from chainrule.errors import FileError


def package(name: str) -> Any:
    """Return an optional package; `FileError` says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise FileError(f"ONNX files need the package {name}: pip install 'chainrule[all]'.") from None
