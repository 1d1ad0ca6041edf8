"""The schedule that watches the validation cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.schedules.base import Schedule
from chainrule.settings import check_number

__all__ = ["ReduceOnPlateau"]


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """η is multiplied by a factor when the validation cost has not improved for some epochs.

    The rate stays ``lr`` while the schedule is called; after each epoch the training loop asks
    `after_epoch` with the costs so far, and goes on with the schedule it returns. What happens depends on
    the costs alone, so a resumed run makes the same decisions.

    Parameters
    ----------
    lr : float
        The rate now.
    factor : float
        What it is multiplied by, in (0, 1).
    patience : int
        After how many epochs without an improvement.
    min_lr : float
        The rate never goes below.
    cooldown : int
        For how many epochs after a reduction nothing is counted.
    threshold : float
        A cost has improved if it is below the best one by more than this fraction of it.
    judged : float
        How many epochs were judged before; set when the rate is reduced.

    Source: Keras' and PyTorch's callbacks of that name.

    >>> import chainrule as cr
    >>> plateau = cr.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=2)
    >>> plateau.after_epoch([1.0, 0.9, 0.95]) is None
    True
    >>> plateau.after_epoch([1.0, 0.9, 0.95, 0.91]).lr
    0.05
    """

    lr: float
    factor: float = 0.5
    patience: int = 5
    min_lr: float = 0.0
    cooldown: int = 0
    threshold: float = 1e-4
    judged: float = 0.0

    def __post_init__(self) -> None:
        check_number("ReduceOnPlateau", "lr", self.lr, 0.0)
        check_number("ReduceOnPlateau", "factor", self.factor, 0.0, 1.0, open_low=True)
        check_number("ReduceOnPlateau", "patience", self.patience, 1)
        check_number("ReduceOnPlateau", "min_lr", self.min_lr, 0.0)
        check_number("ReduceOnPlateau", "cooldown", self.cooldown, 0)
        check_number("ReduceOnPlateau", "threshold", self.threshold, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return self.lr

    def after_epoch(self, costs: Sequence[float]) -> ReduceOnPlateau | None:
        """Return the schedule with a smaller rate, if the costs of all epochs so far ask for it now, else None."""
        counted_from = int(self.judged) + (self.cooldown if self.judged else 0)
        best, waited = math.inf, 0
        for at, cost in enumerate(costs):
            if not math.isfinite(best) or cost < best - self.threshold * abs(best):
                best, waited = cost, 0
            elif at >= counted_from:
                waited += 1
        if waited < self.patience or self.lr <= self.min_lr:
            return None
        lr = float(max(self.lr * self.factor, self.min_lr))
        return dataclasses.replace(self, lr=lr, judged=float(len(costs)))
