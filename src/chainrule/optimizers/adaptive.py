"""Optimizers with a learning rate of its own for each parameter."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import tree
from chainrule.backprop import ops
from chainrule.engine.namespace import namespace
from chainrule.optimizers.base import Optimizer, Tree, check_below_one, like, zeros_like
from chainrule.optimizers.descent import with_momentum
from chainrule.schedules.base import Schedule, number
from chainrule.settings import check_number

__all__ = ["AdaGrad", "Adam", "AdamW", "RMSProp"]


@dataclass(frozen=True)
class AdaGrad(Optimizer, name="adagrad"):
    """Each parameter gets its own learning rate, smaller the more its gradients add up to.

    s ← s + g²;  w ← w - η g / (√s + ε)

    For sparse features; on long runs the steps become very small, since s only grows.

    Parameters
    ----------
    lr : float or Schedule
        η.
    eps : float
        ε, which lecture 003 leaves out; outside of the root, as in PyTorch (optax has it inside).
    initial : float
        s before the first step: 0 as in the paper (optax and Keras start with 0.1).

    Source: Duchi, Hazan and Singer (2011), "Adaptive subgradient methods"; lecture 003.

    >>> import chainrule as cr
    >>> adagrad = cr.optimizers.AdaGrad()
    >>> w = {"w": 1.0}
    >>> w, _ = adagrad.update({"w": 5.0}, adagrad.init(w), w, lr=0.1, step=1)
    >>> round(float(w["w"]), 6)  # the first step is η long, whatever the gradient
    0.9
    """

    eps: float = 1e-10
    initial: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("AdaGrad", "eps", self.eps, 0.0, open_low=True)
        check_number("AdaGrad", "initial", self.initial, 0.0)

    def init(self, params: Tree) -> dict[str, Tree]:
        return {"square": tree.map(lambda w: like(zeros_like(w) + number(self.initial), w), params)}

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        eps = number(self.eps)
        square = tree.map(lambda s, g: s + g * g, opt_state["square"], grads)
        return tree.map(lambda g, s: -lr * g / (ops.sqrt(s) + eps), grads, square), {"square": square}


@dataclass(frozen=True)
class RMSProp(Optimizer, name="rmsprop"):
    """As `AdaGrad`, but old gradients are forgotten: each step is divided by the recent size of its gradient.

    s ← γ s + (1 - γ) g²;  u = g / (√s + ε);  w ← w - η u

    With momentum, u takes the place of g in `SGD`'s first form: v ← α v - u;  w ← w + η v.

    Parameters
    ----------
    lr : float or Schedule
        η.
    decay : float
        γ (003's β), in [0, 1): how much of s is kept per step.
    eps : float
        ε, which the lectures leave out; outside of the root, as in PyTorch and Keras.
    momentum : float, optional
        α, in [0, 1). None keeps no velocity.

    Source: Tieleman and Hinton (2012), lecture 6.5 of "Neural networks for machine learning"; lectures 000,
    003.

    >>> import chainrule as cr
    >>> rmsprop = cr.optimizers.RMSProp()
    >>> w = {"w": 1.0}
    >>> w, _ = rmsprop.update({"w": 5.0}, rmsprop.init(w), w, lr=0.1, step=1)
    >>> round(float(w["w"]), 4)  # 1 - η/√(1 - γ): s starts at 0 and is not corrected (`Adam` does)
    0.6838
    """

    lr: float | Schedule = 0.001
    decay: float = 0.9
    eps: float = 1e-8
    momentum: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_below_one("RMSProp", "decay", self.decay)
        check_number("RMSProp", "eps", self.eps, 0.0, open_low=True)
        if self.momentum is not None:
            check_below_one("RMSProp", "momentum", self.momentum)

    def init(self, params: Tree) -> dict[str, Tree]:
        square = {"square": tree.map(zeros_like, params)}
        return square if self.momentum is None else square | {"velocity": tree.map(zeros_like, params)}

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        decay, eps = number(self.decay), number(self.eps)
        square = tree.map(lambda s, g: average(s, g * g, decay), opt_state["square"], grads)
        scaled = tree.map(lambda g, s: g / (ops.sqrt(s) + eps), grads, square)
        if self.momentum is None:
            return tree.map(lambda u: -lr * u, scaled), {"square": square}
        changes, velocity = with_momentum(scaled, opt_state, number(self.momentum), lr)
        return changes, {"square": square} | velocity


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and a learning rate for each parameter: the usual first choice (lecture 003).

    m ← β₁ m + (1 - β₁) g;  s ← β₂ s + (1 - β₂) g²
    w ← w - η m̂ / (√ŝ + ε),  with m̂ = m / (1 - β₁ᵗ) and ŝ = s / (1 - β₂ᵗ)

    m and s start at 0, and the division corrects for it. t counts from 1, as in the paper. (Lecture 000
    prints 1 - βᵗ⁻¹, which is 0 in the first step; lecture 003 shows no correction.)

    Parameters
    ----------
    lr : float or Schedule
        η.
    beta1, beta2 : float
        How much of m and s is kept per step, in [0, 1).
    eps : float
        ε; outside of the root, as in the paper.

    Source: Kingma and Ba (2014), "Adam: a method for stochastic optimization"; lectures 000, 003.

    >>> import chainrule as cr
    >>> adam = cr.optimizers.Adam()
    >>> w = {"w": 1.0}
    >>> w, _ = adam.update({"w": 5.0}, adam.init(w), w, lr=0.1, step=1)
    >>> round(float(w["w"]), 6)  # the first step is η long, whatever the gradient
    0.9
    """

    lr: float | Schedule = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_below_one(owner, "beta1", self.beta1)
        check_below_one(owner, "beta2", self.beta2)
        check_number(owner, "eps", self.eps, 0.0, open_low=True)

    def init(self, params: Tree) -> dict[str, Tree]:
        return {"mean": tree.map(zeros_like, params), "square": tree.map(zeros_like, params)}

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        beta1, beta2, eps = number(self.beta1), number(self.beta2), number(self.eps)
        mean = tree.map(lambda m, g: average(m, g, beta1), opt_state["mean"], grads)
        square = tree.map(lambda s, g: average(s, g * g, beta2), opt_state["square"], grads)
        # η m̂ / (√ŝ + ε) with both corrections joined to the numbers η and ε: one division for each weight, not three.
        root = number(_weight_so_far(beta2, step) ** 0.5)
        size = -lr * root / _weight_so_far(beta1, step)
        least = eps * root

        def step_of(m: Any, s: Any) -> Any:
            divisor = ops.sqrt(s)
            divisor += least
            return size * m / divisor

        return tree.map(step_of, mean, square), {"mean": mean, "square": square}


@dataclass(frozen=True)
class AdamW(Adam, name="adamw"):
    """`Adam` whose weight decay acts on the weights directly: w ← w - η (m̂ / (√ŝ + ε) + weight_decay·w).

    In `Adam`, a decay that is part of the gradient is divided by √ŝ as well, so weights with large
    gradients are decayed less. Here all are decayed alike. Only parameters whose key is ``"weight"`` are.

    Parameters
    ----------
    lr, beta1, beta2, eps
        As in `Adam`.
    weight_decay : float
        0.01 by default.

    Source: Loshchilov and Hutter (2017), "Decoupled weight decay regularization".

    >>> import chainrule as cr
    >>> adamw = cr.optimizers.AdamW(weight_decay=0.5)
    >>> params = {"weight": 1.0, "bias": 1.0}
    >>> zero = {"weight": 0.0, "bias": 0.0}
    >>> params, _ = adamw.update(zero, adamw.init(params), params, lr=0.1, step=1)
    >>> {name: float(value) for name, value in params.items()}
    {'weight': 0.95, 'bias': 1.0}
    """

    weight_decay: float | None = dataclasses.field(default=0.01, kw_only=True)

    decoupled: ClassVar[bool] = True


def average(old: Any, new: Any, keep: Any) -> Any:
    """keep·old + (1 - keep)·new: a running average."""
    mixed = keep * old
    mixed += (1.0 - keep) * new
    return mixed


def _weight_so_far(beta: Any, step: Any) -> Any:
    """1 - βᵗ, the sum of the weights of the t values in a running average that started at 0.

    On JAX, where β and t may be traced in float32, the difference itself would lose half of its digits for β near
    1: hence expm1.
    """
    xp = namespace(beta, step)
    if xp is np:
        return 1.0 - beta ** number(step)
    if isinstance(beta, float):
        return -xp.expm1(step * (math.log(beta) if beta else -math.inf))
    return -xp.expm1(step * xp.log(beta))
