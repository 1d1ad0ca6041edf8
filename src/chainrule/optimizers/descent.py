"""Gradient descent, with momentum or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule import tree
from chainrule.errors import SettingError, did_you_mean
from chainrule.optimizers.base import Optimizer, Tree, check_below_one, zeros_like
from chainrule.schedules.base import number

__all__ = ["SGD", "with_momentum"]


@dataclass(frozen=True)
class SGD(Optimizer, name="sgd"):
    """(Stochastic, mini-batch or batch) gradient descent, with momentum or without.

    =================  ======================================  ===========================================
    plain              w ← w - η g                             lectures 000, 002, 003, 004
    ``"velocity"``     v ← α v - g;  w ← w + η v               000; PyTorch and optax
    ``"step"``         Δ ← β Δ - η g;  w ← w + Δ               003, first form; Keras; Sutskever et al.
    =================  ======================================  ===========================================

    Momentum builds up speed where gradients agree and cancels where they alternate. Both forms make the same
    steps while η is constant (Δ = ηv). They differ when η changes: with ``"velocity"`` the whole next step
    has the new η, with ``"step"`` the steps made before keep the η they were made with.

    Nesterov's momentum looks ahead: w ← w + η (α v - g) with the new v, or w ← w + β Δ - η g with the new Δ.

    Parameters
    ----------
    lr : float or Schedule
        η.
    momentum : float, optional
        α (or β), in [0, 1); 0.9 is common. None keeps no velocity.
    nesterov : bool
        Look ahead; needs a momentum.
    form : str
        ``"velocity"`` or ``"step"``.

    Source: lectures 000, 003; Polyak (1964); Sutskever et al. (2013), "On the importance of initialization
    and momentum in deep learning".

    >>> import chainrule as cr
    >>> sgd = cr.optimizers.SGD(lr=0.125)
    >>> w, opt_state = {"w": 2.0}, {}
    >>> for step in range(1, 4):  # lecture 000: L(w) = w², whose gradient is 2w
    ...     w, opt_state = sgd.update({"w": 2 * w["w"]}, opt_state, w, lr=0.125, step=step)
    >>> w
    {'w': 0.84375}
    """

    momentum: float | None = None
    nesterov: bool = False
    form: str = "velocity"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum is not None:
            check_below_one("SGD", "momentum", self.momentum)
        elif self.nesterov:
            raise SettingError("SGD: nesterov=True needs a momentum; write SGD(lr, momentum=0.9, nesterov=True).")
        if self.form not in ("velocity", "step"):
            raise SettingError(f"SGD: unknown form {self.form!r}{did_you_mean(self.form, ('velocity', 'step'))}")

    def init(self, params: Tree) -> dict[str, Tree]:
        return {} if self.momentum is None else {"velocity": tree.map(zeros_like, params)}

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        if self.momentum is None:
            return tree.map(lambda g: -lr * g, grads), {}
        return with_momentum(grads, opt_state, number(self.momentum), lr, self.nesterov, self.form)


def with_momentum(
    grads: Tree, opt_state: dict[str, Tree], alpha: Any, lr: Any, nesterov: bool = False, form: str = "velocity"
) -> tuple[Tree, dict[str, Tree]]:
    """Return the changes and the new velocity, for `SGD`'s two forms."""
    if form == "step":
        grads, lr = tree.map(lambda g: lr * g, grads), 1.0
    velocity = tree.map(lambda v, g: alpha * v - g, opt_state["velocity"], grads)
    ahead = tree.map(lambda v, g: alpha * v - g, velocity, grads) if nesterov else velocity
    changes = ahead if form == "step" else tree.map(lambda v: lr * v, ahead)
    return changes, {"velocity": velocity}
