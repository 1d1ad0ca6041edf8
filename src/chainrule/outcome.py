"""How the training of a network ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Outcome:
    """How the training of a network ended.

    Attributes
    ----------
    kind : "finished" (after its last epoch), "stopped early" (by early stopping, a callback or a search), "diverged"
        (its cost became NaN or infinite), "dropped" (its weights were not wanted any more), or "unfinished"
    reason : why it ended before its last epoch, in words; None where it did not
    step, epoch : where it diverged, from 1; None where it did not

    >>> from chainrule.outcome import Outcome
    >>> Outcome.at_divergence(7, 2).reason, Outcome.after("enough").kind, Outcome.after(None).kind
    ('diverged at step 7 (epoch 2)', 'stopped early', 'finished')
    """

    kind: Literal["finished", "stopped early", "diverged", "dropped", "unfinished"] = "finished"
    reason: str | None = None
    step: int | None = None
    epoch: int | None = None

    @classmethod
    def after(cls, reason: str | None) -> Outcome:
        """Return the outcome of training that was stopped for a reason; None: of training that was not stopped."""
        return cls() if reason is None else cls("stopped early", reason)

    @classmethod
    def at_divergence(cls, step: int, epoch: int) -> Outcome:
        """Return the outcome of training whose cost was not finite at a step of an epoch."""
        return cls("diverged", f"diverged at step {step} (epoch {epoch})", step, epoch)

    @property
    def diverged(self) -> bool:
        """Whether the cost became NaN or infinite."""
        return self.kind == "diverged"

    def to_dict(self) -> dict[str, Any]:
        """Return what is written to files: ``state`` (the kind) and ``reason``, and where it diverged ``step`` and
        ``epoch``.
        """
        place = {"step": self.step, "epoch": self.epoch} if self.step is not None else {}
        return {"state": self.kind, "reason": self.reason, **place}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """Return the outcome that `to_dict` described, among whatever else there is."""
        return cls(values["state"], *(values.get(name) for name in ("reason", "step", "epoch")))
