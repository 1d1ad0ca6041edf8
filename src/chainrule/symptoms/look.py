"""A look at a run at one moment: what its layers and parameters do on some rows, and what its next step would do."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import tree
from chainrule.backprop import value_and_grad
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.backprop.tensor import unwrap
from chainrule.optimizers import Optax, Optimizer, is_weight
from chainrule.recipe.state import Recipe, State, filled
from chainrule.recipe.step import Batch, add_penalty, advance, evaluate, step_key
from chainrule.schedules import rate_at
from chainrule.symptoms.plain import Plain

__all__ = ["LayerLook", "Look", "ParameterLook", "look"]

#: Of more units, positions in a picture, or pairs of sample and position than these some are taken.
UNITS, POSITIONS, PLACES = 64, 64, 2048

#: An activation is flat where it lets less than this share of the gradient through.
FLAT = 0.01


@dataclass(frozen=True)
class LayerLook(Plain):
    """The values of a layer on the rows: before its activation (``dense_1/z``), after it (``…/a``), or its output.

    Attributes
    ----------
    name : of the layer, and of its values
    rms : root of the mean square
    between : the share of the mean square that differs between samples: 0 where every sample gives the same values
    likeness : the mean absolute correlation of two units; None where fewer than two change
    gradient : root of the mean square of ∂C/∂value; None where none is passed back
    dead : the share of units that are 0, or let no gradient through, for every sample; None before an activation
    flat : the share of values where the activation lets less than a hundredth of the gradient through (of ReLU about
        half of them); None before an activation
    """

    name: str
    rms: float
    between: float
    likeness: float | None
    gradient: float | None
    dead: float | None = None
    flat: float | None = None


@dataclass(frozen=True)
class ParameterLook(Plain):
    """A parameter, as roots of mean squares.

    Attributes
    ----------
    name : such as ``dense_1/weight``
    size : of its values
    gradient : of the gradient of the data's cost on the rows
    penalty : of the gradient of the L1 and L2 terms, and of weight decay
    update : of what the next step adds to it; None where that is not known
    """

    name: str
    size: float
    gradient: float
    penalty: float
    update: float | None


@dataclass(frozen=True)
class Look(Plain):
    """A run at one moment.

    Attributes
    ----------
    step : steps done
    lr : the learning rate of the next step
    cost, prediction_cost : the mean cost of the rows, without penalties, in training mode (without dropout and
        augmentation) and in prediction mode
    score, prediction_score : likewise the accuracy or the mean absolute error
    cost_error : the standard error of ``cost - prediction_cost``, of rows in pairs
    kappa : (C(w + Δ) − C(w) − g·Δ) / |g·Δ| of the next step Δ, on its own batch: 0 where the cost is as good as linear,
        ½ where the step leads to the minimum along its line, above 1 where it leads uphill
    alignment : the cosine of the gradients before and after that step
    layers, parameters : see there, in the order of the forward pass
    nonfinite : where a value, a gradient or the step is first not finite, "" where all are
    skipped : what could not be looked at and why, "" where all could
    """

    step: int
    lr: float
    cost: float
    prediction_cost: float
    score: float
    prediction_score: float
    cost_error: float
    kappa: float | None
    alignment: float | None
    layers: tuple[LayerLook, ...]
    parameters: tuple[ParameterLook, ...]
    nonfinite: str = ""
    skipped: str = ""

    parts: ClassVar[Mapping[str, type]] = {"layers": LayerLook, "parameters": ParameterLook}


def look(recipe: Recipe, state: State, batch: Batch, *, batch_size: int | None = None) -> Look:
    """Look at a run at one moment, by a few passes over some rows on NumPy. Nothing is changed, and nothing is random.

    Parameters
    ----------
    recipe : what is trained
    state : at the moment, as NumPy arrays, with the optimizer's moments and settings
    batch : some training rows as the network gets them
    batch_size : rows of a step; None: all of the batch

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.symptoms.look import look
    >>> net = cr.Sequential(cr.Dense(8, "sigmoid"), cr.Dense(3, "softmax"))
    >>> run = cr.fit(net, cr.data.load("iris"), epochs=1, progress=False)
    >>> seen = look(run.recipe, run.recordings.first, run.recordings.rows, batch_size=32)
    >>> [layer.name for layer in seen.layers], seen.layers[1].dead, seen.parameters[0].name
    (['dense_1/z', 'dense_1/a', 'dense_2/z', 'dense_2/a'], 0.0, 'dense_1/weight')
    """
    state = state._replace(step=int(np.asarray(state.step)))
    with np.errstate(all="ignore"):
        size = min(batch_size or len(batch.x), len(batch.x))
        try:
            return _look(recipe, state, batch, size)
        except Exception:  # a layer or loss of the user's own may need arrays of JAX
            return _look(recipe, _in_jax(state), _in_jax(batch), size)


def _in_jax(values: Any) -> Any:
    """Return arrays as JAX has them."""
    from jax import numpy as jnp

    return tree.map(lambda v: v if isinstance(v, int | float) else jnp.asarray(v), values)


def _look(recipe: Recipe, state: State, batch: Batch, batch_size: int) -> Look:
    recipe = dataclasses.replace(filled(recipe, state.settings), compute=None)
    quiet = dataclasses.replace(recipe, augment=None)

    def mean_cost(params: Any) -> Any:
        costs, scores, _ = evaluate(quiet, params, state.model_state, batch, train=True)
        return (costs * batch.weight).sum() / batch.weight.sum(), (costs, scores)

    value, (costs, scores), gradients, marks = value_grad_and_marks(mean_cost, state.params)
    others, other_scores, _ = evaluate(quiet, state.params, state.model_state, batch)
    costs, others, scores, other_scores, weight = (
        np.asarray(unwrap(v), np.float64) for v in (costs, others, scores, other_scores, batch.weight)
    )
    layers = _layers({name: (np.asarray(v), None if g is None else np.asarray(g)) for name, (v, g) in marks.items()})
    update, kappa, alignment, skipped = _next_step(recipe, state, batch, batch_size)
    parameters = _parameters(recipe, state, gradients, update, [layer.name for layer in layers])
    n = len(weight)
    share = weight / weight.sum()
    return Look(
        step=state.step,
        lr=_rate(recipe, state),
        cost=float(np.asarray(value)),
        prediction_cost=float(share @ others),
        score=float(scores.mean()),
        prediction_score=float(other_scores.mean()),
        cost_error=float((n * share * (costs - others)).std() / math.sqrt(n)),
        kappa=kappa,
        alignment=alignment,
        layers=layers,
        parameters=parameters,
        nonfinite=_nonfinite(layers, float(np.asarray(value)), parameters),
        skipped=skipped,
    )


def _rate(recipe: Recipe, state: State) -> float:
    run = state.settings["run"]
    return float(np.asarray(rate_at(recipe.optimizer.lr, state.step / run["steps_per_epoch"], run["epochs"])))


def _layers(marks: Mapping[str, tuple[np.ndarray, np.ndarray | None]]) -> tuple[LayerLook, ...]:
    """Return what there is to say of marked values; the output of a layer with an activation is the latter's value."""
    looks = []
    for name, (value, gradient) in marks.items():
        layer, _, kind = name.rpartition("/")
        if kind == "output" and f"{layer}/a" in marks:
            continue
        before = marks.get(f"{layer}/z") if kind == "a" else None
        values = _by_unit(value)
        rms = _rms(value)
        dead = flat = None
        if before is not None and before[0].shape == value.shape:
            dead, flat = _gates(values, gradient, before[1])
        looks.append(
            LayerLook(
                name=name,
                rms=rms,
                between=_between(values),
                likeness=_likeness(values),
                gradient=None if gradient is None else _rms(gradient),
                dead=dead,
                flat=flat,
            )
        )
    return tuple(looks)


def _by_unit(values: np.ndarray) -> np.ndarray:
    """Return values as (samples, positions, units) in float64: of pictures some positions, evenly."""
    cells = values.reshape(len(values), -1, values.shape[-1] if values.ndim > 1 else 1)
    return np.asarray(cells[:, :: max(1, cells.shape[1] // POSITIONS)], np.float64)


def _rms(values: Any) -> float:
    """Return the root of the mean square; a value is not lost because its square is too small for its type."""
    values = np.asarray(values)
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean(np.square(values / largest, dtype=np.float64))))


def _between(values: np.ndarray) -> float:
    """Return the share of the mean square that differs between samples, of each unit and position."""
    square = np.mean(values * values)
    return float(np.mean(values.var(axis=0)) / square) if square > 0 else 0.0


def _likeness(values: np.ndarray) -> float | None:
    """Return the mean absolute correlation of two units over samples and positions."""
    cells = values.reshape(-1, values.shape[-1])
    cells = cells[:: max(1, len(cells) // PLACES), :: max(1, cells.shape[1] // UNITS)]
    deviation = cells.std(axis=0)
    cells = cells[:, deviation > 1e-9 * np.sqrt(np.mean(cells * cells, axis=0))]
    if cells.shape[1] < 2 or not np.isfinite(cells).all():
        return None
    standard = (cells - cells.mean(axis=0)) / cells.std(axis=0)
    correlations = np.abs(standard.T @ standard) / len(standard)
    units = len(correlations)
    return float(min(1.0, (correlations.sum() - np.trace(correlations)) / (units * (units - 1))))


def _gates(values: np.ndarray, after: np.ndarray | None, before: np.ndarray | None) -> tuple[float, float]:
    """Return the share of units that are dead, and that of values which are flat; see `LayerLook`."""
    dead = (values == 0).all(axis=(0, 1))
    if after is None or before is None:
        return float(dead.mean()), float(dead.mean())
    outer, inner = np.abs(_by_unit(after)), np.abs(_by_unit(before))
    reached = outer > 0
    dead = dead | (reached.any(axis=(0, 1)) & (inner == 0).all(axis=(0, 1)))
    flat = (inner < FLAT * outer)[reached].mean() if reached.any() else dead.mean()
    return float(dead.mean()), float(flat)


def _next_step(recipe: Recipe, state: State, batch: Batch, size: int) -> tuple[Any, float | None, float | None, str]:
    """Return what the next step adds to the parameters, its κ, the alignment, and why these are missing, if they are.

    The step is that of training, with its dropout, augmentation and moments, on a batch drawn from the rows. The costs
    before and after it differ little, so they are taken in float64, with the same random numbers.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(batch.x))[:size])
    some = Batch(*(v[rows] for v in batch))
    try:
        after = (_after_optax if isinstance(recipe.optimizer, Optax) else _after_step)(recipe, state, some)
    except Exception as error:
        return None, None, None, f"the next step cannot be taken here ({type(error).__name__}: {error})"
    params, update = _wide(state.params), tree.map(lambda v, w: _wide(v) - _wide(w), after, state.params)
    moved = tree.map(lambda w, d: w + d, params, update)
    key, wide = step_key(recipe, state, 0), _wide(some._asdict())
    model_state, samples = _wide(state.model_state), state.settings["run"]["samples"]

    def cost(params: Any) -> Any:
        costs, _, _ = evaluate(recipe, params, model_state, Batch(**wide), key=key, train=True)
        return (costs * wide["weight"]).sum() / wide["weight"].sum()

    try:
        (before, gradient), (then, turned) = value_and_grad(cost)(params), value_and_grad(cost)(moved)
    except Exception as error:
        return update, None, None, f"the step's own batch cannot be looked at ({type(error).__name__}: {error})"
    l1, l2 = recipe.l1, recipe.l2
    gradient, turned = (add_penalty(g, w, l1, l2, samples) for g, w in ((gradient, params), (turned, moved)))
    change = float(then) - float(before) + _penalty(moved, l1, l2, samples) - _penalty(params, l1, l2, samples)
    slope = _dot(gradient, update)
    if not (math.isfinite(change) and math.isfinite(slope)):
        return update, None, None, ""
    lengths = math.sqrt(_dot(gradient, gradient) * _dot(turned, turned))
    return (
        update,
        float((change - slope) / abs(slope)) if slope else None,
        _dot(gradient, turned) / lengths if lengths and math.isfinite(lengths) else None,
        "",
    )


def _after_step(recipe: Recipe, state: State, batch: Batch) -> Any:
    """Return the parameters after a step."""
    return advance(recipe, state, batch)[0].params


def _after_optax(recipe: Recipe, state: State, batch: Batch) -> Any:
    """Return the parameters after a step of an optax transformation: only that works on arrays of JAX."""
    key = step_key(recipe, state, 0)

    def cost(params: Any) -> Any:
        costs, _, _ = evaluate(recipe, params, state.model_state, batch, key=key, train=True)
        return (costs * batch.weight).sum() / batch.weight.sum()

    gradients = value_and_grad(cost)(state.params)[1]
    gradients = add_penalty(gradients, state.params, recipe.l1, recipe.l2, state.settings["run"]["samples"])
    rate = _rate(recipe, state)
    moved = _compiled_update(recipe.optimizer)(gradients, state.opt_state, state.params, rate, state.step + 1)
    return tree.map(lambda _, value: np.asarray(value), state.params, moved)  # JAX sorts the keys of a dict


@functools.lru_cache(maxsize=8)
def _compiled_update(optimizer: Optimizer) -> Any:
    """Return what gives the parameters after a step, compiled: operation by operation it would take seconds."""
    import jax

    return jax.jit(lambda grads, opt, params, lr, step: optimizer.update(grads, opt, params, lr=lr, step=step)[0])


def _wide(values: Any) -> Any:
    """Return floating numbers as NumPy's float64, others as they are."""
    return tree.map(lambda v: np.asarray(v, np.float64) if np.asarray(v).dtype.kind == "f" else np.asarray(v), values)


def _dot(one: Any, other: Any) -> float:
    return float(sum(np.vdot(a, b) for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True)))


def _penalty(params: Any, l1: Any, l2: Any, samples: float) -> float:
    """Return λ₁/n Σ|w| + λ₂/(2n) Σw²."""
    weights = [w for path, w in tree.leaves_with_path(params) if is_weight(path)]
    return sum(float(l1) * np.abs(w).sum() + float(l2) / 2 * np.square(w).sum() for w in weights) / samples


def _parameters(
    recipe: Recipe, state: State, gradients: Any, update: Any, order: list[str]
) -> tuple[ParameterLook, ...]:
    """Return what there is to say of the parameters, in the order of the layers."""
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in order))

    def place(path: tuple[str, ...]) -> int:
        """Return where the layer of a parameter comes in the forward pass: JAX sorts layers by their names."""
        return next((at for at, name in enumerate(layers) if name == "/".join(path[:-1])), len(layers))

    samples, decay = state.settings["run"]["samples"], recipe.optimizer.weight_decay
    updates = [None] * len(tree.leaves(state.params)) if update is None else tree.leaves(update)
    looks = []
    for (path, w), (_, g), change in zip(
        tree.leaves_with_path(state.params), tree.leaves_with_path(gradients), updates, strict=True
    ):
        penalty = 0.0
        if is_weight(path):
            w64 = _wide(w)
            term = np.sign(w64) * float(recipe.l1) / samples + w64 * (float(recipe.l2) / samples)
            penalty = _rms(term + w64 * (0.0 if decay is None else float(np.asarray(unwrap(decay)))))
        looks.append(
            (
                place(path),
                ParameterLook("/".join(path), _rms(w), _rms(g), penalty, None if change is None else _rms(change)),
            )
        )
    return tuple(each for _, each in sorted(looks, key=lambda pair: pair[0]))


def _nonfinite(layers: tuple[LayerLook, ...], cost: float, parameters: tuple[ParameterLook, ...]) -> str:
    """Return what is first not finite, in the order in which a step computes it."""
    for parameter in parameters:
        if not math.isfinite(parameter.size):
            return parameter.name
    for layer in layers:
        if not math.isfinite(layer.rms):
            return layer.name
    if not math.isfinite(cost):
        return "the cost"
    for layer in reversed(layers):
        if layer.gradient is not None and not math.isfinite(layer.gradient):
            return f"the gradient of {layer.name}"
    for parameter in parameters:
        if not math.isfinite(parameter.gradient):
            return f"the gradient of {parameter.name}"
        if parameter.update is not None and not math.isfinite(parameter.update):
            return f"the step of {parameter.name}"
    return ""
