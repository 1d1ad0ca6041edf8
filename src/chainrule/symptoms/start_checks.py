"""Checks of a state of a run, mostly of the first: whether gradient and signal come through, and what the cost is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import losses, tree
from chainrule.backprop import value_and_grad
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.display.numbers import percent
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models.model import last_activation_of
from chainrule.random import key as random_key
from chainrule.recipe.state import Recipe, State, filled
from chainrule.recipe.step import Batch, evaluate, step
from chainrule.settings import is_ours
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.gradient_check import drawn_anew
from chainrule.symptoms.pieces import loss_is_users_own, loss_name, pieces_of, row_costs, widened
from chainrule.symptoms.subject import Subject

__all__ = [
    "CHECKS",
    "constant_cost",
    "gradient_reaches",
    "loss_scale",
    "scaling_layer",
    "signal",
    "start_cost",
]

#: Rows that are looked at; of samples with more values than these fewer.
ROWS, LARGE, FEW_ROWS = 256, 256, 64

#: Steps after which a zero gradient, or equal units, count: a layer that starts at zero on purpose has left it then.
STEPS, STEP_ROWS = 5, 64

#: The least share of a layer's mean square that differs between samples. Six layers of sigmoids, which learn at some
#: rates, have 1.6e-8; seven, which do not, 1e-9.
LEAST_BETWEEN = 5e-9

#: The likeness of units from which on they are one, and the share of units that may be dead.
MOST_ALIKE, MOST_DEAD = 0.9999, 0.9

#: The cost at the start beside that of the best constant answer: above the first it is advice, and an alarm above the
#: second where inputs and targets are scaled (healthy networks on raw inputs have shown 155).
MOST_COST, HUGE_COST = 12.0, 500.0


@dataclass(frozen=True, eq=False)
class Pass:
    """A pass forward and back: the mean cost, the gradients, and the marked values with theirs."""

    cost: float
    gradients: Any
    marks: dict[str, tuple[np.ndarray, np.ndarray | None]]


def one_pass(recipe: Recipe, state: State, batch: Batch) -> Pass:
    """Go forward and back on some rows in training mode, without augmentation, with fixed random numbers."""
    recipe = dataclasses.replace(filled(recipe, state.settings), augment=None, compute=None)

    def mean_cost(params: Any) -> tuple[Any, None]:
        key = random_key(0) if recipe.net.random else None
        costs, _, _ = evaluate(recipe, params, state.model_state, batch, key=key, train=True)
        return (costs * batch.weight).sum() / batch.weight.sum(), None

    with np.errstate(all="ignore"):
        cost, _, gradients, marks = value_grad_and_marks(mean_cost, state.params)
    values = {name: (np.asarray(v), None if g is None else np.asarray(g)) for name, (v, g) in marks.items()}
    return Pass(float(cost), gradients, values)


def after_steps(recipe: Recipe, state: State, batch: Batch, steps: int = STEPS) -> State:
    """Return the state after some steps on the same few rows."""
    few = Batch(*(values[:STEP_ROWS] for values in batch))
    with np.errstate(all="ignore"):
        for _ in range(steps):
            state, _ = step(recipe, state, few)
    return state


def gradient_reaches(recipe: Recipe, state: State, batch: Batch) -> Iterable[Finding]:
    """Yield whether the gradient reaches every parameter.

    Statistic: arrays whose gradient is 0 for all of 256 rows, and still is after 5 steps (weights that start at 0 on
    purpose have left it then). Null: exact. Where the cost would change with the array for other weights, the present
    ones hold the gradient back: units are dead or saturated, or weights are 0. An array on which no cost depends is a
    note.

    Source: lecture 003, "Check the gradient": a gradient of 0 means no learning.
    """
    if not np.any(batch.x):
        yield Finding(
            "gradient_reaches",
            "alarm",
            "All inputs are 0: the gradient of a weight is its input times δ, so that no weight of the first layer "
            "moves.",
            "inputs",
            causes=("labels_unrelated", "inputs_unscaled"),
        )
        return
    passed = one_pass(recipe, state, batch)
    count = len(tree.leaves(passed.gradients))
    zero = _zero(passed.gradients)
    if zero and math.isfinite(passed.cost):
        passed = one_pass(recipe, after_steps(recipe, state, batch), batch)
        zero = [path for path in _zero(passed.gradients) if path in zero]
    if not math.isfinite(passed.cost):
        return
    unused = _unused(recipe, state, batch) if zero else []
    blocked = [path for path in zero if path not in unused]
    evidence = (Evidence("parameters without gradient", len(blocked), 0.0, 0.0),)
    if not blocked:
        also = f" No cost depends on {', '.join(unused)}." if unused else ""
        yield Finding(
            "gradient_reaches",
            "note",
            f"The gradient reaches all {count - len(unused)} arrays of parameters.{also}",
            evidence=evidence,
            against=("code_cut",),
        )
        return
    where, why, causes = _reason(passed, blocked)
    names = ", ".join(blocked[:4]) + (f" and {len(blocked) - 4} more" if len(blocked) > 4 else "")
    yield Finding(
        "gradient_reaches",
        "alarm",
        f"No gradient reaches {len(blocked)} of {count} arrays of parameters ({names}): {why}.",
        where,
        evidence,
        causes,
    )


def _zero(gradients: Any) -> list[str]:
    return ["/".join(path) for path, g in tree.leaves_with_path(gradients) if np.size(g) and not np.any(g)]


def _unused(recipe: Recipe, state: State, batch: Batch) -> list[str]:
    """Return the parameters whose gradient is 0 for other weights, too."""
    wide = widened(recipe, state, batch, STEP_ROWS)

    def mean_cost(params: Any) -> Any:
        costs, _, _ = evaluate(wide.recipe, params, wide.model_state, wide.batch, key=wide.key, train=True)
        return costs.sum()

    with np.errstate(all="ignore"):
        return _zero(value_and_grad(mean_cost)(drawn_anew(wide.params))[1])


def _reason(passed: Pass, blocked: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """Return the layer that holds the gradient back, why it does, and the causes that this speaks for."""
    for name in reversed([name.rpartition("/")[0] for name in passed.marks if name.endswith("/a")]):
        value = passed.marks[f"{name}/a"][0]
        delta = passed.marks.get(f"{name}/z", (None, None))[1]
        arriving = passed.marks[f"{name}/a"][1]
        if delta is not None and arriving is not None and np.any(arriving) and not np.any(delta):
            if not np.any(value):
                return name, f"all units of {name} are dead (0 for every sample)", ("init", "lr_high", "activation")
            if np.ptp(value, axis=0).max() == 0:
                why = f"all units of {name} give the same for every sample, far from where they change"
                return name, why, ("init", "activation", "inputs_unscaled")
            return name, f"all units of {name} are saturated", ("init", "inputs_unscaled", "activation")
        if not np.any(value):
            return name, f"all units of {name} are 0 for every sample", ("init", "lr_high", "activation")
    return blocked[-1], "the weights on the way to it are 0", ("init",)


def signal(recipe: Recipe, state: State, batch: Batch) -> Iterable[Finding]:
    """Yield whether the hidden layers carry a signal: they differ between samples, and their units from each other.

    Statistics, free of scale: the smallest share of a layer's mean square that differs between samples; the likeness
    of its units, 1 - mean of ‖aᵢ - aⱼ‖² / (‖aᵢ‖² + ‖aⱼ‖²) over pairs, which is 1 for equal units only, and that of
    their gradients (units that start equal may be told apart by the weights behind them); the share of dead units. What
    is suspicious is looked at again after 5 steps, since layers may start at 0 on purpose.
    Reference: the largest values of healthy networks (bench/results/doctor_start.md).

    Source: lecture 000 (equal weights make equal neurons), lecture 002 (signals fade); Glorot and Bengio (2010).
    """
    layers = _signals(one_pass(recipe, state, batch))
    if not layers:
        return
    between = min(layers, key=lambda layer: layer.between)
    alike = max(layers, key=lambda layer: layer.alike)
    dead = max(layers, key=lambda layer: layer.dead)
    if alike.alike > MOST_ALIKE or between.between < LEAST_BETWEEN:
        later = {layer.name: layer for layer in _signals(one_pass(recipe, after_steps(recipe, state, batch), batch))}
        still = [later[layer.name] for layer in layers if layer.name in later]
        between = min(still or layers, key=lambda layer: layer.between)
        alike = max(still or layers, key=lambda layer: min(layer.alike, layer.gradients_alike))
    one_unit = min(alike.alike, alike.gradients_alike)
    evidence = (
        Evidence(f"share of {between.name} that differs between samples", between.between, LEAST_BETWEEN, 1.0),
        Evidence(f"likeness of the units of {alike.name}, and of their gradients", one_unit, 0.0, MOST_ALIKE),
        Evidence(f"dead units of {dead.name}", dead.dead, 0.0, MOST_DEAD),
    )
    fine = True
    if dead.dead > MOST_DEAD:
        fine = False
        yield Finding(
            "signal",
            "alarm" if dead.dead == 1.0 else "advice",
            f"{percent(dead.dead, 0)} of the units of {dead.name} are dead: 0 for every one of {len(batch.x)} samples.",
            dead.name,
            evidence[2:],
            ("init", "lr_high", "activation", "inputs_unscaled"),
        )
    if one_unit > MOST_ALIKE:
        fine = False
        yield Finding(
            "signal",
            "alarm",
            f"The units of {alike.name} are all equal, and stay so: equal weights get equal gradients, so that the "
            "layer is one unit.",
            alike.name,
            evidence[1:2],
            ("init",),
        )
    if between.between < LEAST_BETWEEN and not dead.dead > MOST_DEAD:
        fine = False
        yield Finding(
            "signal",
            "alarm",
            f"The signal is lost on its way: of {between.name} a share of {between.between:.1g} differs between "
            f"samples (at least {LEAST_BETWEEN:g} where networks learn).",
            between.name,
            evidence[:1],
            _fading(recipe.net, layers),
        )
    if fine:
        yield Finding(
            "signal",
            "note",
            f"The signal comes through: every hidden layer differs between samples (at least {between.between:.2g} of "
            f"its mean square, {between.name}), and so do its units.",
            evidence=evidence,
            against=("too_deep",),
        )


@dataclass(frozen=True)
class LayerSignal:
    """How the values of a hidden layer differ between samples, and between units; and the units' gradients."""

    name: str
    between: float
    alike: float
    gradients_alike: float
    dead: float


def _signals(passed: Pass) -> list[LayerSignal]:
    """Return the figures of every hidden layer that has an activation and does anything."""
    names = [name.rpartition("/")[0] for name in passed.marks if name.endswith("/a")]
    layers = []
    for name in names[:-1] if _ends_with(passed, names) else names:
        value = np.asarray(passed.marks[f"{name}/a"][0], np.float64)
        if len(value) < 2 or not np.isfinite(value).all() or value.ndim < 2:
            continue
        units = value.reshape(-1, value.shape[-1])
        dead = float((~units.any(axis=0)).mean())
        square = float(np.mean(value * value))
        if square == 0.0:
            if dead == 1.0 and passed.marks.get(f"{name}/z") is not None and np.any(passed.marks[f"{name}/z"][0]):
                layers.append(LayerSignal(name, 0.0, 0.0, 0.0, 1.0))
            continue
        between = float(np.mean(value.var(axis=0)) / square)
        delta = passed.marks.get(f"{name}/z", (None, None))[1]
        gradients = 1.0
        if delta is not None and np.any(delta) and np.isfinite(delta).all():
            gradients = _likeness(np.asarray(delta, np.float64).reshape(-1, delta.shape[-1]))
        layers.append(LayerSignal(name, between, _likeness(units), gradients, dead))
    return layers


def _ends_with(passed: Pass, names: list[str]) -> bool:
    """Return whether the last layer with an activation is that of the outputs."""
    last = list(passed.marks)[-1].rpartition("/")[0]
    return bool(names) and names[-1].startswith(last)


def _likeness(units: np.ndarray, most: int = 64) -> float:
    """Return 1 - the mean of ‖aᵢ - aⱼ‖² / (‖aᵢ‖² + ‖aⱼ‖²) over pairs of units that are not 0."""
    step = max(1, len(units) // 2048)
    some = units[::step, units.any(axis=0)][:, :most]
    if some.shape[1] < 2:
        return 0.0
    squares = np.sum(some * some, axis=0)
    both = squares[:, None] + squares[None, :]
    apart = np.maximum(both - 2.0 * some.T @ some, 0.0) / np.maximum(both, 1e-300)
    pairs = np.triu_indices(some.shape[1], 1)
    return float(1.0 - apart[pairs].mean())


def _fading(net: Layer, layers: list[LayerSignal]) -> tuple[str, ...]:
    """Return why a signal fades: from layer to layer by the activations, or at once by the first weights."""
    first = layers[0].between
    deep = len(layers) > 3 and first > 1e3 * LEAST_BETWEEN
    return ("activation", "too_deep", "batch_norm", "init") if deep else ("init", "inputs_unscaled", "batch_norm")


def start_cost(recipe: Recipe, state: State, batch: Batch) -> Iterable[Finding]:
    """Yield whether the cost at the start is near that of the best constant answer.

    Statistic: cost / cost of the best constant answer (ln C for even classes, half the variance for the quadratic
    cost). Reference: healthy networks start below 12 times it on scaled inputs, and have shown 155 times on raw ones.
    Above 12 it is advice (whether the run recovers is told by learning); above 500 with inputs and targets on a scale
    around 1 it is an alarm.

    Source: Karpathy, "A recipe for training neural networks" (2019), "verify loss @ init"; lecture 003.
    """
    best = constant_cost(recipe, batch)
    cost = one_pass(recipe, state, batch).cost
    if not best or not best > 0.0 or not math.isfinite(best):
        return
    ratio = cost / best
    scale = loss_scale(recipe, batch)
    evidence = [Evidence("cost at the start / cost of the best constant answer", min(ratio, 1e300), 0.0, MOST_COST)]
    if not ratio <= MOST_COST:
        causes: tuple[str, ...] = ("init", "inputs_unscaled", "code_scale")
        if recipe.task == "regression" and _offset(batch.y) > 2.0:
            causes = ("targets_unscaled", *causes)
        layer = scaling_layer(recipe, state, batch)
        if layer:
            causes = ("code_scale", "init", "inputs_unscaled")
        scaled = 0.01 < _rms(batch.x) < 10.0 and (
            recipe.task != "regression" or (_offset(batch.y) < 2.0 and 0.1 < float(np.std(batch.y)) < 10.0)
        )
        yield Finding(
            "start_cost",
            "alarm" if scaled and not ratio <= HUGE_COST else "advice",
            f"The first weights cost {ratio:.3g} times what the best constant answer does ({cost:.3g} against "
            f"{best:.3g}); healthy networks start below {MOST_COST:g} times.",
            layer,
            tuple(evidence),
            causes,
        )
    elif scale is None or 1 / 30 <= scale <= 30:
        yield Finding(
            "start_cost",
            "note",
            f"The cost at the start, {cost:.3g}, is {ratio:.2f} times that of the best constant answer.",
            evidence=tuple(evidence),
            against=("code_scale",),
        )
    if scale is not None and not 1 / 30 <= scale <= 30:
        name = loss_name(recipe.loss)
        evidence = [Evidence("cost of a constant answer beside the task's own loss", scale, 1 / 30, 30.0)]
        text = f"The loss {name} is on another scale: a constant answer costs {scale:.3g} times what it does by the "
        yield Finding(
            "start_cost",
            "advice",
            f"{text}task's own loss. Steps are so many times larger (but for Adam and the like).",
            name,
            tuple(evidence),
            ("code_scale",),
        )


def constant_cost(recipe: Recipe, batch: Batch) -> float | None:
    """Return the mean cost of the best answer that is the same for every row, among those that usual losses have.

    For classes that is their frequencies, for numbers mean or median; None where the loss takes none of them.
    """
    return _constant_cost(recipe, recipe.loss, batch)


def _constant_cost(recipe: Recipe, loss: Loss, batch: Batch) -> float | None:
    recipe = dataclasses.replace(recipe, loss=loss, fused=recipe.fused and loss is recipe.loss)
    y, weight = np.asarray(batch.y), np.asarray(batch.weight, np.float64)
    units = y.shape[-1] if y.ndim > 1 else _units(recipe, y)
    form = np.zeros((len(y), units))
    goal = np.asarray(losses.targets_like(form, y), np.float64).reshape(len(y), -1)
    mean = np.average(goal, axis=0, weights=weight) if weight.sum() > 0 else goal.mean(axis=0)
    answers = [mean, np.median(goal, axis=0)]
    if recipe.task != "regression":
        mean = np.clip(mean, 1e-7, 1.0 - 1e-7)
        answers = [np.log(mean) if recipe.loss.pair == "softmax" else np.log(mean / (1.0 - mean))]
        if not recipe.fused:
            answers = [mean, 2.0 * mean - 1.0, np.sign(mean - 0.5), np.zeros_like(mean), -np.ones_like(mean)]
            if last_activation_of(recipe.net).distribution or recipe.loss.outputs in ("distribution", "probabilities"):
                answers = answers[:1]
    costs = []
    for answer in answers:
        try:
            rows = row_costs(recipe, np.broadcast_to(answer, goal.shape).copy(), y)
        except Exception:
            continue
        mean_cost = float(np.average(rows, weights=weight)) if weight.sum() > 0 else float(rows.mean())
        costs += [mean_cost] if math.isfinite(mean_cost) else []
    return min(costs, default=None)


def _units(recipe: Recipe, y: np.ndarray) -> int:
    """Return how many outputs labels need: those of the network are at least their largest one."""
    return int(y.max()) + 1 if recipe.task == "classification" else 1


def loss_scale(recipe: Recipe, batch: Batch) -> float | None:
    """Return how many times a constant answer costs by a loss of the user's own what it does by the task's."""
    if not loss_is_users_own(recipe.loss):
        return None
    best = constant_cost(recipe, batch)
    usual = losses.Quadratic() if recipe.task == "regression" else losses.BinaryCrossEntropy()
    standard = _constant_cost(recipe, losses.CrossEntropy() if recipe.task == "classification" else usual, batch)
    return best / standard if best and standard else None


def scaling_layer(recipe: Recipe, state: State, batch: Batch) -> str:
    """Return the layer of the user's own whose output is more than 30 times as large as its input, or as small."""
    wide = widened(recipe, state, batch, 16)
    for piece in pieces_of(wide.recipe.net, wide.params, wide.model_state, wide.batch.x)[0]:
        before, after = (
            float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) for values in (piece.x, piece.out)
        )
        if not is_ours(type(piece.layer)) and before > 0.0 and after > 0.0 and not 1 / 30 <= after / before <= 30:
            return piece.name
    return ""


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _offset(y: np.ndarray) -> float:
    """Return how many deviations targets lie from 0."""
    spread = float(np.std(y))
    return abs(float(np.mean(y))) / spread if spread > 0 else 0.0


def _of_subject(check: Callable[[Recipe, State, Batch], Iterable[Finding]]) -> Callable[[Subject], Iterable[Finding]]:
    def of_subject(subject: Subject) -> Iterable[Finding]:
        x = subject.run.prepared.train.x
        return check(subject.recipe, subject.state, subject.batch(ROWS if x[0].size <= LARGE else FEW_ROWS))

    of_subject.__doc__ = check.__doc__
    return of_subject


#: The checks, in their order, by the symptom that they look for.
CHECKS: tuple[tuple[str, Callable[[Subject], Iterable[Finding]]], ...] = (
    ("gradient_reaches", _of_subject(gradient_reaches)),
    ("signal", _of_subject(signal)),
    ("start_cost", _of_subject(start_cost)),
)
