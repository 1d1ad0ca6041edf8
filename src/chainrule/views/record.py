"""What a run recorded of itself, as arrays: what every view is derived from."""

from __future__ import annotations

from chainrule.training.recorded import FixedRows, Recorded, RowValues, Snapshot, StepValues

__all__ = ["FixedRows", "Recorded", "RowValues", "Snapshot", "StepValues"]
