"""Checks for operations, layers, activations, losses and optimizers of your own: those of chainrule's own tests.

Each raises an `AssertionError` that says what is wrong, so that it can stand in a test as it is:

>>> import chainrule as cr
>>> def test_my_layer():
...     cr.testing.check_layer(cr.Dense(3, "tanh"), shape=(4,))
>>> test_my_layer()

What is checked of each: gradients against central differences in float64 (relative error at most 1e-6), the same
values and gradients with NumPy and inside ``jax.jit``, float32 in and float32 out, and what the kind of object
promises besides.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import activations, losses, optimizers, random, tree
from chainrule.backprop import ops
from chainrule.backprop.backward import is_floating, value_and_grad
from chainrule.backprop.check import GradientCheck, check_gradient
from chainrule.layers import Layer
from chainrule.models.forward import forward
from chainrule.settings import Settings

__all__ = ["check_activation", "check_layer", "check_loss", "check_optimizer", "check_primitive"]

Array = Any

#: An activation that gives what a loss says it takes.
_OUTPUT_FOR = {"any": "linear", "probabilities": "sigmoid", "distribution": "softmax", "signs": "tanh"}

#: How far both engines may be apart in float64, relative to the length of the result.
ENGINES_AGREE = 1e-10


def check_primitive(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] | None = None,
    tolerance: float = 1e-6,
    samples: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> GradientCheck:
    """Check any differentiable function of arrays: an operation of one's own, or a composition.

    The result (an array, or any nesting of them) is added up with random weights to one number, of which the
    gradient is compared with central differences; all weights differ, so no mistakes cancel.

    Parameters
    ----------
    f
        Written with operators, NumPy's functions, `cr.ops` or primitives; gets ``*args`` and ``**settings``.
    args
        Numbers, arrays or nestings of them, where f has a derivative: not at kinks or ties.
    argnums
        The arguments to differentiate, all by default.
    tolerance, samples
        As for `cr.check_gradient`.
    seed
        Of the weights.

    Raises
    ------
    AssertionError
        If a gradient is wrong, the engines differ, or float32 is not kept.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.backprop import primitive
    >>> @primitive
    ... def cube(xp, x):
    ...     return x * x * x
    >>> cube.derivatives(lambda y, x: 3 * x * x)
    >>> cr.testing.check_primitive(cube, np.array([0.5, -2.0])).ok
    True
    """
    name = getattr(f, "__name__", type(f).__name__)
    chosen = tuple(range(len(args))) if argnums is None else argnums
    weights = [_weights(leaf, seed + i) for i, leaf in enumerate(tree.leaves(f(*_cast(args, "float64"), **settings)))]

    @functools.wraps(f)  # so that the check's table shows the names of f's arguments
    def added_up(*arguments: Any) -> tuple[Any, Any]:
        result = f(*arguments, **settings)
        parts = [ops.sum(leaf * w) for leaf, w in zip(tree.leaves(result), weights, strict=True)]
        return sum(parts[1:], parts[0]), result

    check = check_gradient(added_up, *args, argnums=argnums, tolerance=tolerance, samples=samples, has_aux=True)
    _require(check.ok, f"{name}: the gradient is not that of central differences.\n{check}")

    def result_and_gradients(*arguments: Any) -> Any:
        (_, result), gradients = value_and_grad(added_up, chosen, has_aux=True)(*arguments)
        return result, gradients

    _check_engines(name, result_and_gradients, args)
    weights = [w.astype(np.float32) for w in weights]
    _check_float32(name, result_and_gradients, args)
    return check


def check_layer(
    layer: Layer,
    shape: tuple[int, ...],
    *,
    batch: int = 3,
    tolerance: float = 1e-6,
    samples: int | None = 30,
    gradients: bool = True,
    seed: int = 0,
) -> GradientCheck:
    """Check a layer: recipe, declared shape, batches of 0, 1 and more, data type, engines and gradients.

    Parameters
    ----------
    layer
        A layer, or a whole network (`cr.Sequential`).
    shape
        The shape of one sample.
    batch
        How many samples; at least 2.
    tolerance, samples
        As for `cr.check_gradient`; ``samples`` values of each parameter and of the input.
    gradients
        False for a layer with step units: their gradient is a surrogate, not the derivative.
    seed
        Of the parameters, the input, and what the layer draws in training.

    Returns
    -------
    GradientCheck
        One row per parameter and one for the input, in training and in prediction.

    Example
    -------
    >>> import chainrule as cr
    >>> check = cr.testing.check_layer(cr.Conv2D(2, 3, activation="tanh"), shape=(4, 4, 1))
    >>> [row.path for row in check.rows]
    ['params.weight', 'params.bias', 'x', 'params.weight', 'params.bias', 'x']
    """
    name = repr(layer)
    _check_recipe(layer)
    key, draw_key, input_key = random.split(random.key(seed), 3)
    params, state, out = layer.build(key, shape)
    again, _, _ = layer.build(key, shape)
    _require(_equal(params, again), f"{name}: init() gives other parameters when called again with the same key.")
    x = random.normal(input_key, (max(batch, 2), *shape), np.float64)
    rows: list[Any] = []
    for train in (True, False):

        def apply(params: Any, x: Any, state: Any, train: bool = train, key: Any = draw_key if train else None) -> Any:
            return forward(layer, params, state, x, key=key, train=train)

        when = f"{name} with train={train}"
        for n in (1, len(x)) if train else (0, 1, len(x)):  # batch statistics of no samples have no meaning
            result, new_state = apply(params, x[:n], state)
            _require(
                result.shape == (n, *out),
                f"{when}: init() declares outputs of shape {out} for one sample, but apply() gave "
                f"{result.shape} for {n} samples; expected {(n, *out)}.",
            )
            _require(
                _structure(new_state) == _structure(state),
                f"{when}: apply() must return a state like that of init(): {_structure(state)}; it returned "
                f"{_structure(new_state)}.",
            )
        _check_float32(when, apply, (params, x, state))
        _check_engines(when, apply, (params, x, state))
        if gradients:
            f = lambda params, x, state, run=apply: run(params, x, state)[0]  # noqa: E731
            check = check_primitive(
                f, params, x, state, argnums=(0, 1), tolerance=tolerance, samples=samples, seed=seed
            )
            rows += check.rows
    return GradientCheck(tuple(rows), tolerance)


def check_activation(
    activation: Any, *, units: int = 4, batch: int = 5, tolerance: float = 1e-6, gradients: bool = True, seed: int = 0
) -> GradientCheck:
    """Check an activation function: recipe, range, shape, engines, data type, gradients, derivative.

    Parameters
    ----------
    activation
        A name, an object, or a plain function.
    gradients
        False for step units, whose gradient is a surrogate.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.testing.check_activation("gelu").ok
    True
    """
    activation = activations.get(activation)
    name = repr(activation)
    if activation.name in activation.registry:
        _check_recipe(activation)
    params = activation.parameters(units)
    z = 3.0 * random.normal(random.key(seed), (batch, units * activation.pieces), np.float64)
    a = activation(z, params)
    _require(a.shape == (batch, units), f"{name}: {z.shape} must give {(batch, units)}, it gave {a.shape}.")
    low, high = activation.range
    _require(
        bool(np.all((a >= low) & (a <= high))),
        f"{name}: values from {a.min():g} to {a.max():g} leave the declared range {activation.range}.",
    )
    _require(activation(z[:0], params).shape == (0, units), f"{name}: no samples must give no outputs.")
    f = lambda z, params: activation(z, params)  # noqa: E731
    if not gradients:
        _check_engines(name, f, (z, params))
        _check_float32(name, f, (z, params))
        return GradientCheck((), tolerance)
    check = check_primitive(f, z, params, tolerance=tolerance, seed=seed)
    if activation.elementwise:
        by_backprop = value_and_grad(lambda z: ops.sum(activation(z, params)))(z)[1]
        _require(
            _apart(activation.derivative(z, params), by_backprop) <= ENGINES_AGREE,
            f"{name}: derivative(z) is not the gradient of its value.",
        )
    return check


def check_loss(loss: Any, *, outputs: int = 3, batch: int = 4, tolerance: float = 1e-6, seed: int = 0) -> GradientCheck:
    """Check a loss: recipe, one cost per sample, engines, data type, gradients, and its pair's δ = a - y.

    Parameters
    ----------
    loss
        A name, an object, or a plain function of outputs a and targets y.
    outputs, batch
        The shape (batch, outputs) of what it is tried on.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.testing.check_loss("cross_entropy").ok
    True
    """
    loss = losses.get(loss)
    name = repr(loss)
    if loss.name in loss.registry:
        _check_recipe(loss)
    of_z, of_y = random.split(random.key(seed), 2)
    z = random.normal(of_z, (batch, outputs), np.float64)
    y = random.normal(of_y, (batch, outputs), np.float64)
    output = activations.get(_OUTPUT_FOR[loss.outputs])
    a, y = output(z), np.sign(y) if loss.outputs == "signs" else output(y)
    costs = loss(a, y)
    _require(costs.shape == (batch,), f"{name}: must give one cost per sample, {(batch,)}; it gave {costs.shape}.")
    _require(bool(np.all(np.isfinite(costs))), f"{name}: costs are not finite: {costs}.")
    alone = np.concatenate([loss(a[i : i + 1], y[i : i + 1]) for i in range(batch)])
    _require(_apart(costs, alone) <= ENGINES_AGREE, f"{name}: a sample's cost depends on the other samples.")
    _require(loss(a[:0], y[:0]).shape == (0,), f"{name}: no samples must give no costs.")
    check = check_primitive(loss, a, y, argnums=0, tolerance=tolerance, seed=seed)
    if loss.pair is None:
        return check
    pair = activations.get(loss.pair)
    _require(
        _apart(loss.from_logits(z, y), loss(pair(z), y)) <= ENGINES_AGREE,
        f"{name}: from_logits(z, y) must be loss({loss.pair}(z), y).",
    )
    joined = check_primitive(loss.from_logits, z, y, argnums=0, tolerance=tolerance, seed=seed)
    delta = value_and_grad(lambda z: ops.sum(loss.from_logits(z, y)))(z)[1]
    _require(_apart(delta, pair(z) - y) <= ENGINES_AGREE, f"{name}: with {loss.pair}, δ must be a - y.")
    return GradientCheck(check.rows + joined.rows, tolerance)


def check_optimizer(optimizer: Any, *, steps: int = 20, seed: int = 0) -> None:
    """Check an optimizer: recipe, kept shapes and data types, nothing changed in place, both engines, descent.

    It must lower Σ w² from a random start in ``steps`` steps.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.testing.check_optimizer(cr.Adam(lr=0.01))
    """
    optimizer = optimizers.get(optimizer)
    name = repr(optimizer)
    _check_recipe(optimizer)
    of_weight, of_bias = random.split(random.key(seed), 2)
    start = {"weight": random.normal(of_weight, (3, 2), np.float64), "bias": random.normal(of_bias, (2,), np.float64)}
    untouched = tree.map(np.copy, start)

    def run(params: Any) -> Any:
        opt_state = optimizer.init(params)
        for step in range(1, steps + 1):
            lr = optimizer.learning_rate((step - 1) / steps, 1.0)
            params, opt_state = optimizer.update(params, opt_state, params, lr=lr, step=step)  # ∇ Σ w²/2 = w
        return params, opt_state

    end, _ = run(start)
    _require(_equal(start, untouched), f"{name}: update() changed arrays that it was given.")
    _require(_structure(end) == _structure(start), f"{name}: update() must keep the nesting of the parameters.")
    before, after = (float(sum(np.sum(w * w) for w in tree.leaves(p))) for p in (start, end))
    _require(after < before, f"{name}: {steps} steps on Σ w² did not lower it: from {before:g} to {after:g}.")
    _check_engines(name, run, (start,))
    _check_float32(name, run, (start,))


# --- the parts that the checks share --------------------------------------------------------------------------


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_recipe(recipe: Settings) -> None:
    """Check that a recipe is hashable, equals its copy, and survives a file."""
    name = repr(recipe)
    try:
        hash(recipe)
    except TypeError as problem:
        raise AssertionError(
            f"{name} is not hashable ({problem}). Write @dataclass(frozen=True) above the class, and give settings "
            "as numbers, strings, tuples or other recipes: no arrays, no lists."
        ) from None
    family = next(cls for cls in Settings.__subclasses__() if isinstance(recipe, cls))
    back = family.from_dict(json.loads(json.dumps(recipe.to_dict())))
    _require(back == recipe, f"{name} does not survive a file: it came back as {back!r}.")


def _check_engines(name: str, f: Callable[..., Any], args: Sequence[Any]) -> None:
    """Check that f gives the same with NumPy and compiled by JAX, in float64."""
    import jax

    args = _cast(args, "float64")
    with jax.enable_x64(True):
        on_jax = tree.map(np.asarray, jax.jit(f)(*args))

    def compare(path: tuple[str, ...], ours: Any, theirs: Any) -> None:
        apart = _apart(ours, theirs)
        _require(
            apart <= ENGINES_AGREE,
            f"{name}: NumPy and JAX differ by {apart:.1e} (relative) at {'.'.join(path) or 'the result'}.",
        )

    tree.map_with_path(compare, f(*args), on_jax)


def _check_float32(name: str, f: Callable[..., Any], args: Sequence[Any]) -> None:
    """Check that arrays of float32 give float32, on both engines."""
    import jax

    small = _cast(args, "float32")
    if not any(hasattr(leaf, "dtype") for leaf in tree.leaves(small)):
        return  # plain numbers have no data type to keep
    for engine, result in (("NumPy", f(*small)), ("JAX", jax.eval_shape(f, *small))):
        for path, leaf in tree.leaves_with_path(result):
            dtype = getattr(leaf, "dtype", None)
            _require(
                not is_floating(dtype) or dtype == np.float32,
                f"{name} on {engine}: float32 came in, {dtype} came out at {'.'.join(path) or 'the result'}. Mix in "
                "plain numbers (2.0, math.sqrt(2)), not NumPy's float64 scalars or arrays.",
            )


def _cast(values: Any, dtype: str) -> Any:
    """Return all floating-point arrays of a tree in a data type, as NumPy's arrays; anything else as it is."""
    return tree.map(lambda v: np.asarray(v).astype(dtype) if is_floating(getattr(v, "dtype", None)) else v, values)


def _weights(leaf: Any, seed: int) -> Array:
    return random.uniform(random.key(seed), np.shape(leaf), 0.5, 1.5, np.float64)


def _apart(a: Any, b: Any) -> float:
    """‖a - b‖ / max(‖b‖, 1e-3); infinite for different shapes."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return float("inf")
    return float(np.linalg.norm((a - b).ravel()) / max(float(np.linalg.norm(b.ravel())), 1e-3))


def _equal(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))


def _structure(values: Any) -> list[str]:
    """Return the places and shapes of a tree's leaves."""
    return [f"{'.'.join(path)} {np.shape(leaf)}" for path, leaf in tree.leaves_with_path(values)]
