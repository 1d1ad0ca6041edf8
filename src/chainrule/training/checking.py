"""``fit(doctor="check")``: the checks before training, and an error for a fault."""

from __future__ import annotations

from typing import Any

from chainrule.errors import SettingError
from chainrule.run_settings import FitSettings

__all__ = ["check_before"]


def check_before(net: Any, data: Any, settings: FitSettings) -> None:
    """Raise `DoctorError` where a check before training finds a fault."""
    raise SettingError('doctor="check" is not there yet: use "watch", or "off".')
