"""What an optimizer is: the step that all share, and the formula that each adds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule import tree
from chainrule.backprop import ops
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError
from chainrule.schedules.base import Schedule, check_rate, number, rate_at
from chainrule.settings import Settings, check_number

Tree = Any

__all__ = [
    "Optimizer",
    "check_below_one",
    "clip_by_global_norm",
    "global_norm",
    "is_weight",
    "like",
    "zeros_like",
]


@dataclass(frozen=True, repr=False)
class Optimizer(Settings, family="optimizer"):
    """Base of the optimizers. A new one is a frozen dataclass with `init` and `change`.

    Parameters
    ----------
    lr : float or Schedule
        The learning rate η, or one of `cr.schedules`.
    weight_decay : float, optional
        Adds ``weight_decay·w`` to the gradient of every parameter whose key is ``"weight"`` (biases are not
        decayed). This is the L2 term λ/(2n)Σw² of lecture 003 with weight_decay = λ/n. `AdamW` decays
        otherwise.
    clip_norm : float, optional
        Scales all gradients down together when the length of the whole gradient is above this (Pascanu et
        al., 2013). Clipping comes before weight decay.

    Example
    -------
    >>> from dataclasses import dataclass
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class SignDescent(cr.optimizers.Optimizer):
    ...     def change(self, grads, opt_state, params, *, lr, step):
    ...         return cr.tree.map(lambda g: -lr * cr.ops.sign(g), grads), opt_state
    >>> params, _ = SignDescent().update({"weight": -3.0}, {}, {"weight": 1.0}, lr=0.5, step=1)
    >>> float(params["weight"])
    1.5
    >>> _ = cr.optimizers.Optimizer.registry.pop("sign_descent")
    """

    lr: float | Schedule = 0.01
    weight_decay: float | None = dataclasses.field(default=None, kw_only=True)
    clip_norm: float | None = dataclasses.field(default=None, kw_only=True)

    #: Whether weight decay acts on the weights directly instead of on the gradient.
    decoupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_rate(owner, "lr", self.lr)
        if self.weight_decay is not None:
            check_number(owner, "weight_decay", self.weight_decay, 0.0)
        if self.clip_norm is not None:
            check_number(owner, "clip_norm", self.clip_norm, 0.0, open_low=True)

    def learning_rate(self, epoch: Any, epochs: Any) -> Any:
        """η after ``epoch`` epochs (fractions count) of a run of ``epochs``."""
        return rate_at(self.lr, epoch, epochs)

    def init(self, params: Tree) -> dict[str, Tree]:
        """Return the state before the first step: by name, trees like ``params``; ``{}`` if there is none."""
        return {}

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        """Return what is added to each parameter, and the new state: the formula of the optimizer."""
        raise NotImplementedError(f"{type(self).__name__} needs a change(self, grads, opt_state, params, *, lr, step).")

    def update(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        """Return the parameters and the state of the optimizer after one step.

        Parameters
        ----------
        grads, params
            Trees of the same nesting.
        opt_state
            From `init`, or from the step before.
        lr
            The learning rate of this step (see `learning_rate`): a number or a traced value.
        step
            Counts from 1.
        """
        lr = number(lr)
        if self.clip_norm is not None:
            grads = clip_by_global_norm(grads, number(self.clip_norm))
        decay = number(self.weight_decay)
        if decay is not None and not self.decoupled:
            grads = _map_weights(lambda g, w: g + decay * w, grads, params)
        changes, new_opt_state = self.change(grads, opt_state, params, lr=lr, step=step)
        if decay is not None and self.decoupled:
            changes = _map_weights(lambda d, w: d - lr * decay * w, changes, params)
        return tree.map(lambda w, d: like(w + d, w), params, changes), tree.map(like, new_opt_state, opt_state)


def global_norm(tree_: Tree) -> Any:
    """Return the Euclidean length of all leaves together: √Σx².

    >>> import numpy as np
    >>> import chainrule as cr
    >>> float(cr.optimizers.global_norm({"a": np.array([3.0]), "b": np.array([[4.0]])}))
    5.0
    """
    return ops.sqrt(sum((ops.sum(x * x) for x in tree.leaves(tree_)), start=0.0))


def clip_by_global_norm(grads: Tree, limit: Any) -> Tree:
    """Return all leaves scaled by the same factor, so that their global norm is at most ``limit``.

    Source: Pascanu, Mikolov and Bengio (2013), "On the difficulty of training recurrent neural networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.optimizers.clip_by_global_norm({"a": np.array([3.0, 4.0])}, 1.0)
    {'a': array([0.6, 0.8])}
    """
    scale = number(limit / ops.maximum(global_norm(grads), limit))  # exactly 1 where nothing is clipped
    return tree.map(lambda g: like(g * scale, g), grads)


def is_weight(path: tuple[str, ...]) -> bool:
    """Return whether the parameter at a path is regularized: its key is ``"weight"`` (lecture 003).

    >>> import chainrule as cr
    >>> cr.optimizers.is_weight(("dense_1", "weight")), cr.optimizers.is_weight(("dense_1", "bias"))
    (True, False)
    """
    return path[-1:] == ("weight",)


def _map_weights(f: Callable[[Any, Any], Any], first: Tree, params: Tree) -> Tree:
    """Apply f to the leaves of two trees whose key is "weight"; the first tree's leaf everywhere else."""
    return tree.map_with_path(lambda path, a, w: f(a, w) if is_weight(path) else a, first, params)


def zeros_like(w: Any) -> Any:
    """Return zeros in the shape and data type of w."""
    return namespace(w).zeros_like(w)


def like(value: Any, w: Any) -> Any:
    """Return the value in the data type of w."""
    want = getattr(w, "dtype", None)
    return value if want is None or value.dtype == want else value.astype(want)


def check_below_one(owner: str, name: str, value: Any) -> None:
    """Raise `SettingError` unless ``value`` is a number in [0, 1)."""
    check_number(owner, name, value, 0.0)
    if isinstance(value, int | float) and value >= 1.0:
        raise SettingError(f"{owner}: {name} must be at least 0 and below 1, got {value!r}.")
