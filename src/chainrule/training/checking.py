"""``fit(doctor="check")``: the checks before training, and an error for a fault."""

from __future__ import annotations

from typing import Any

from chainrule.run_settings import FitSettings
from chainrule.symptoms.preflight import refuse_faults

__all__ = ["check_before"]


def check_before(net: Any, data: Any, settings: FitSettings) -> None:
    """Raise `DoctorError` where a check before training finds a fault."""
    refuse_faults(net, data, settings)
