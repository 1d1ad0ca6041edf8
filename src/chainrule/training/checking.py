"""``fit(doctor="check")``: the checks before training, and an error for a fault."""

from __future__ import annotations

from typing import Any

from chainrule.run_settings import FitSettings

__all__ = ["check_before"]


def check_before(net: Any, data: Any, settings: FitSettings) -> None:
    """Raise `DoctorError` where a check before training finds a fault."""
    from chainrule.symptoms.preflight import refuse_faults  # when asked for: all checks with what they stand on

    refuse_faults(net, data, settings)
