"""The runs that reports are made of are also those that are evaluated."""

from __future__ import annotations

from report.conftest import finish, made

__all__ = ["finish", "made"]
