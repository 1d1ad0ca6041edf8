"""Optimizers: how a gradient becomes a change of the weights (lectures 000, 003).

An optimizer is a recipe. What it remembers from step to step (its *moments*) is a plain tree that is passed
in and
returned: ``new_params, new_moments = optimizer.update(grads, moments, params, lr=0.1, step=1)``. The same lines run
on NumPy and JAX arrays, traced or not, and keep the parameters' data type.

Symbols: w the parameters, g their gradient, η the learning rate, t the step, counted from 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import tree
from chainrule.backprop import ops
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError, did_you_mean
from chainrule.schedules import Schedule, check_rate, number, rate_at
from chainrule.settings import Settings, check_number, find

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Optax",
    "Optimizer",
    "RMSProp",
    "clip_by_global_norm",
    "get",
    "global_norm",
]

Tree = Any


@dataclass(frozen=True)
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
    ...     def change(self, grads, moments, params, *, lr, step):
    ...         return cr.tree.map(lambda g: -lr * cr.ops.sign(g), grads), moments
    >>> SignDescent(0.5).update({"weight": -3.0}, {}, {"weight": 1.0}, lr=0.5, step=1)
    ({'weight': 1.5}, {})
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
        """The moments before the first step: by name, trees like ``params``; ``{}`` if there are none."""
        return {}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        """What is added to each parameter, and the new moments: the formula of the optimizer."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a change(self, grads, moments, params, *, lr, step)."
        )

    def update(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        """The parameters and moments after one step.

        Parameters
        ----------
        grads, params
            Trees of the same nesting.
        moments
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
        changes, new_moments = self.change(grads, moments, params, lr=lr, step=step)
        if decay is not None and self.decoupled:
            changes = _map_weights(lambda d, w: d - lr * decay * w, changes, params)
        return tree.map(lambda w, d: _like(w + d, w), params, changes), tree.map(_like, new_moments, moments)


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
    >>> w, moments = {"w": 2.0}, {}
    >>> for step in range(1, 4):  # lecture 000: L(w) = w², whose gradient is 2w
    ...     w, moments = sgd.update({"w": 2 * w["w"]}, moments, w, lr=0.125, step=step)
    >>> w
    {'w': 0.84375}
    """

    momentum: float | None = None
    nesterov: bool = False
    form: str = "velocity"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum is not None:
            _check_below_one("SGD", "momentum", self.momentum)
        elif self.nesterov:
            raise SettingError(
                "SGD: nesterov=True needs a momentum; write SGD(lr, momentum=0.9, nesterov=True)."
            )
        if self.form not in ("velocity", "step"):
            raise SettingError(
                f"SGD: unknown form {self.form!r}{did_you_mean(self.form, ('velocity', 'step'))}"
            )

    def init(self, params: Tree) -> dict[str, Tree]:
        return {} if self.momentum is None else {"velocity": tree.map(_zeros_like, params)}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        if self.momentum is None:
            return tree.map(lambda g: -lr * g, grads), {}
        return _with_momentum(grads, moments, number(self.momentum), lr, self.nesterov, self.form)


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
        return {"square": tree.map(lambda w: _like(_zeros_like(w) + number(self.initial), w), params)}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        eps = number(self.eps)
        square = tree.map(lambda s, g: s + g * g, moments["square"], grads)
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
        _check_below_one("RMSProp", "decay", self.decay)
        check_number("RMSProp", "eps", self.eps, 0.0, open_low=True)
        if self.momentum is not None:
            _check_below_one("RMSProp", "momentum", self.momentum)

    def init(self, params: Tree) -> dict[str, Tree]:
        square = {"square": tree.map(_zeros_like, params)}
        return square if self.momentum is None else square | {"velocity": tree.map(_zeros_like, params)}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        decay, eps = number(self.decay), number(self.eps)
        square = tree.map(lambda s, g: _average(s, g * g, decay), moments["square"], grads)
        scaled = tree.map(lambda g, s: g / (ops.sqrt(s) + eps), grads, square)
        if self.momentum is None:
            return tree.map(lambda u: -lr * u, scaled), {"square": square}
        changes, velocity = _with_momentum(scaled, moments, number(self.momentum), lr)
        return changes, {"square": square} | velocity


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and a learning rate for each parameter: the usual first choice (lecture 003).

    m ← β₁ m + (1 - β₁) g;  s ← β₂ s + (1 - β₂) g²
    w ← w - η m̂ / (√ŝ + ε),  with m̂ = m / (1 - β₁ᵗ) and ŝ = s / (1 - β₂ᵗ)

    m and s start at 0, and the division corrects for it. t counts from 1, as in the paper; lecture 000 writes
    t - 1 for it with k counted from the weights before the step, and lecture 003 shows no correction.

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
        _check_below_one(owner, "beta1", self.beta1)
        _check_below_one(owner, "beta2", self.beta2)
        check_number(owner, "eps", self.eps, 0.0, open_low=True)

    def init(self, params: Tree) -> dict[str, Tree]:
        return {"mean": tree.map(_zeros_like, params), "square": tree.map(_zeros_like, params)}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        beta1, beta2, eps = number(self.beta1), number(self.beta2), number(self.eps)
        mean = tree.map(lambda m, g: _average(m, g, beta1), moments["mean"], grads)
        square = tree.map(lambda s, g: _average(s, g * g, beta2), moments["square"], grads)
        # Both corrections are numbers, so they are joined with numbers before they meet the arrays.
        size = -lr / _weight_so_far(beta1, step)
        root = number(_weight_so_far(beta2, step) ** 0.5)

        def step_of(m: Any, s: Any) -> Any:
            divisor = ops.sqrt(s)
            divisor /= root
            divisor += eps
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


@dataclass(frozen=True)
class Optax(Optimizer):
    """An optax transformation as an optimizer; `get` makes it, so the transformation itself can be given.

    Works on JAX arrays only (``engine="jax"``), and cannot be written to a file or checkpoint as settings:
    optax's transformations are functions. ``lr`` is a factor on the steps they make, 1 by default.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        Anything with optax's ``init(params)`` and ``update(grads, state, params)``.

    >>> import optax
    >>> import chainrule as cr
    >>> type(cr.optimizers.get(optax.lion(1e-3))).__name__
    'Optax'
    """

    transformation: Any
    lr: float | Schedule = dataclasses.field(default=1.0, kw_only=True)

    def init(self, params: Tree) -> dict[str, Tree]:
        return {"optax": self.transformation.init(params)}

    def change(
        self, grads: Tree, moments: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        if namespace(*tree.leaves(params)) is np:
            raise SettingError(
                "An optax transformation works on JAX arrays: train with engine='jax', or use one of "
                f"chainrule's own optimizers ({', '.join(sorted(Optimizer.registry))})."
            )
        steps, state = self.transformation.update(grads, moments["optax"], params)
        return tree.map(lambda d: lr * d, steps), {"optax": state}

    def to_dict(self) -> dict[str, Any]:
        """Always an error: a file holds names and numbers, and a transformation is made of functions."""
        raise SettingError(
            "An optax transformation cannot be written to a file. Use one of chainrule's own optimizers "
            f"({', '.join(sorted(Optimizer.registry))}) where settings are saved."
        )


del Optimizer.registry[Optax.name]  # it has no settings that a file could hold


def get(given: Any) -> Optimizer:
    """The optimizer that was given: a name, a recipe, or an optax transformation.

    >>> import chainrule as cr
    >>> cr.optimizers.get("adam").beta2
    0.999
    """
    if not isinstance(given, type | Optimizer) and hasattr(given, "init") and hasattr(given, "update"):
        return Optax(given)
    return find(Optimizer, given)


def global_norm(tree_: Tree) -> Any:
    """The Euclidean length of all leaves together: √Σx².

    >>> import numpy as np
    >>> import chainrule as cr
    >>> float(cr.optimizers.global_norm({"a": np.array([3.0]), "b": np.array([[4.0]])}))
    5.0
    """
    return ops.sqrt(sum((ops.sum(x * x) for x in tree.leaves(tree_)), start=0.0))


def clip_by_global_norm(grads: Tree, limit: Any) -> Tree:
    """All leaves scaled by the same factor, so that their global norm is at most ``limit``.

    Source: Pascanu, Mikolov and Bengio (2013), "On the difficulty of training recurrent neural networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.optimizers.clip_by_global_norm({"a": np.array([3.0, 4.0])}, 1.0)
    {'a': array([0.6, 0.8])}
    """
    scale = number(limit / ops.maximum(global_norm(grads), limit))  # exactly 1 where nothing is clipped
    return tree.map(lambda g: _like(g * scale, g), grads)


def _average(old: Any, new: Any, keep: Any) -> Any:
    """keep·old + (1 - keep)·new: a running average."""
    mixed = keep * old
    mixed += (1.0 - keep) * new
    return mixed


def _weight_so_far(beta: Any, step: Any) -> Any:
    """1 - βᵗ, the sum of the weights of the t values in a running average that started at 0.

    In float32, and with β near 1, the difference would lose half of its digits: hence expm1 on JAX.
    """
    xp = namespace(beta, step)
    return 1.0 - beta ** number(step) if xp is np else -xp.expm1(step * xp.log(beta))


def _with_momentum(
    grads: Tree, moments: dict[str, Tree], alpha: Any, lr: Any, nesterov: bool = False, form: str = "velocity"
) -> tuple[Tree, dict[str, Tree]]:
    """The changes and the new velocity, for `SGD`'s two forms."""
    if form == "step":
        grads, lr = tree.map(lambda g: lr * g, grads), 1.0
    velocity = tree.map(lambda v, g: alpha * v - g, moments["velocity"], grads)
    ahead = tree.map(lambda v, g: alpha * v - g, velocity, grads) if nesterov else velocity
    changes = ahead if form == "step" else tree.map(lambda v: lr * v, ahead)
    return changes, {"velocity": velocity}


def _zeros_like(w: Any) -> Any:
    return namespace(w).zeros_like(w)


def _like(value: Any, w: Any) -> Any:
    """The value in the data type of w."""
    want = getattr(w, "dtype", None)
    return value if want is None or value.dtype == want else value.astype(want)


def _map_weights(f: Callable[[Any, Any], Any], first: Tree, params: Tree) -> Tree:
    """f on the leaves of two trees whose key is "weight"; the first tree's leaf everywhere else."""
    is_weight = iter([path[-1:] == ("weight",) for path, _ in tree.leaves_with_path(params)])
    return tree.map(lambda a, w: f(a, w) if next(is_weight) else a, first, params)


def _check_below_one(owner: str, name: str, value: Any) -> None:
    check_number(owner, name, value, 0.0)
    if isinstance(value, int | float) and value >= 1.0:
        raise SettingError(f"{owner}: {name} must be at least 0 and below 1, got {value!r}.")
