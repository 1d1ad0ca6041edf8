"""Whether the gradients are right: backpropagation beside differences of the cost, and the layer where they part."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop import Tensor, ops, value_and_grad
from chainrule.backprop.tensor import unwrap
from chainrule.layers import Activation, Conv2D, Dense
from chainrule.losses import check_costs
from chainrule.recipe.step import evaluate
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.pieces import (
    Piece,
    Wide,
    apply_piece,
    is_users_own,
    loss_name,
    pieces_of,
)
from chainrule.symptoms.reference import walk

__all__ = ["failing", "gradient"]

#: Rows of the batch, and values of each array that are moved.
ROWS, VALUES = 8, 6

#: The largest error of an array; right ones are below 1e-6.
MOST = 1e-3

#: Steps of the differences: the second for code that computes in float32 somewhere.
STEPS = (6e-6, 1e-3)

#: Gradients below this, beside the size of the cost, count as none.
FLOOR = 1e-6

#: After so many seconds the arrays that are left are not looked at.
SECONDS = 1.5


@dataclass(frozen=True)
class Array:
    """How the gradient of an array compares with differences of the cost: their sizes, and the error."""

    path: str
    error: float
    analytic: float
    numeric: float

    @property
    def kind(self) -> str:
        """What the two say: "right", "cut" (0 against a number), "surrogate" (a number against 0) or "wrong"."""
        if not self.error > MOST:
            return "right"
        if self.analytic <= MOST * self.numeric:
            return "cut"
        return "surrogate" if self.numeric <= MOST * self.analytic else "wrong"


def gradient(wide: Wide) -> Iterable[Finding]:
    """Yield whether the gradients of the cost are right, and where they are not, the layer or the loss at fault.

    Statistic: for 6 values of each array ‖a - n‖ / (‖a‖ + ‖n‖), with a by backpropagation and n by differences, on 8
    rows in float64; the weights are drawn anew (those of a run may lie in a corner where no gradient can be told), and
    between the two one-sided differences of a kink anything is right. Null: exact, below 1e-6; 1e-3 is an error. Where
    arrays are in error each layer, and the loss, is compared by itself, which names the one at fault. A gradient of 0
    against a number is cut off; a number against 0 is a surrogate (step units), which is a note. A layer of the user's
    own that changes in steps only (rounding) has a derivative of 0 that is right, and cuts the gradient off, too.

    Source: lecture 003, "Check the gradient".
    """
    params = drawn_anew(wide.params)
    arrays = list(compared(_mean_cost(wide), params))
    bad = [array for array in arrays if array.kind != "right"]
    worst = max((array.error for array in arrays), default=0.0)
    evidence = (
        Evidence("arrays whose gradient is right", len(arrays) - len(bad), len(arrays), len(arrays)),
        Evidence("largest relative error", min(worst, 1e300), 0.0, MOST),
    )
    if not bad and (flat := _flat_piece(wide, params)):
        yield Finding(
            "gradient",
            "alarm",
            f"{flat} lets no gradient through: its derivative is 0 everywhere, though its output changes (in steps, as "
            "rounding and comparing do), so that nothing before it learns. Give it a derivative of its own.",
            flat,
            evidence,
            ("code_cut",),
        )
        return
    if not bad:
        yield Finding(
            "gradient",
            "note",
            f"Gradients are right: {len(arrays)} of {len(arrays)} arrays (largest error {worst:.1g}).",
            evidence=evidence,
            against=("code_gradient", "code_cut"),
        )
        return
    at_fault = list(_at_fault(wide, params))
    for name, array in at_fault:
        yield _finding(name, array, len(bad), len(arrays), evidence)
    if not at_fault:
        kinds = {array.kind for array in bad}
        if "surrogate" in kinds or _stated_surrogates(wide):
            yield Finding(
                "gradient",
                "note",
                f"The gradients of {len(bad)} of {len(arrays)} arrays are surrogates (step units have none of their "
                "own); all layers and the loss are right by themselves.",
                evidence=evidence,
            )
        else:
            worst_array = max(bad, key=lambda array: array.error)
            yield _finding(worst_array.path, worst_array, len(bad), len(arrays), evidence)


def _finding(name: str, array: Array, bad: int, count: int, evidence: tuple[Evidence, ...]) -> Finding:
    figures = f"{array.analytic:.3g} by backpropagation, {array.numeric:.3g} by differences of the cost"
    if array.kind == "surrogate":
        return Finding(
            "gradient",
            "note",
            f"{name} has a surrogate gradient ({figures}): the cost itself does not change with it.",
            name,
            evidence,
        )
    if array.kind == "cut":
        text = (
            f"{name} lets no gradient through: {figures}, so {bad} of {count} arrays get a wrong one. Look for "
            "stop_gradient, .value or a plain array in it."
        )
        return Finding("gradient", "alarm", text, name, evidence, ("code_cut",))
    text = (
        f"The gradient of {name} is wrong: {figures} (relative error {array.error:.2g}), so {bad} of {count} arrays "
        "get a wrong one."
    )
    return Finding("gradient", "alarm", text, name, evidence, ("code_gradient",))


def drawn_anew(params: Any) -> Any:
    """Return parameters around which gradients can be told: weights on the scale 1/√inputs, others moved a little."""
    rng = np.random.default_rng(0)

    def draw(path: tuple[str, ...], value: np.ndarray) -> np.ndarray:
        value = np.asarray(value, np.float64)
        size = float(np.sqrt(np.mean(value * value))) if value.size else 0.0
        noise = rng.normal(size=value.shape)
        if path[-1] == "weight" and value.ndim > 1:
            scale = math.sqrt(1.0 / max(1, int(np.prod(value.shape[:-1]))))
            if not 0.2 * scale < size < 5.0 * scale or np.ptp(value) == 0:
                return scale * noise
        if path[-1] == "bias" or not math.isfinite(size) or size > 100.0:
            return 0.1 * noise
        return value + 0.1 * max(size, 0.1) * noise

    return tree.map_with_path(draw, params)


def failing(wide: Wide) -> Iterator[tuple[str, Exception]]:
    """Yield the layer, or the loss, whose way back raises an error, with the error."""
    try:
        value_and_grad(_mean_cost(wide))(wide.params)
        return
    except Exception as error:
        whole = error
    pieces, out = pieces_of(wide.recipe.net, wide.params, wide.model_state, wide.batch.x, key=wide.key, train=True)
    parts = [(piece.name, _total_of_piece(piece)) for piece in pieces]
    for name, (total, values) in [*parts, (loss_name(wide.recipe.loss), _total_of_loss(wide, out))]:
        try:
            value_and_grad(total)(values)
        except Exception as error:
            yield name, error
            return
    yield "The network", whole


def _mean_cost(wide: Wide) -> Callable[[Any], Any]:
    def mean_cost(params: Any) -> Any:
        costs, _, _ = evaluate(wide.recipe, params, wide.model_state, wide.batch, key=wide.key, train=True)
        return costs.sum() / len(wide.batch.x)

    return mean_cost


def _at_fault(wide: Wide, params: Any) -> Iterator[tuple[str, Array]]:
    """Yield the layers, and the loss, whose own gradient is in error, with the worst comparison."""
    pieces, out = pieces_of(wide.recipe.net, params, wide.model_state, wide.batch.x, key=wide.key, train=True)
    for piece in pieces:
        if is_users_own(piece) or not _has_steps(piece):
            yield from _worst(piece.name, compared(*_total_of_piece(piece)))
    yield from _worst(loss_name(wide.recipe.loss), compared(*_total_of_loss(wide, out)))


def _flat_piece(wide: Wide, params: Any) -> str:
    """Return the layer of the user's own whose derivative is 0 where its output changes, with weights before it."""
    with np.errstate(all="ignore"):
        gradients = value_and_grad(_mean_cost(wide))(params)[1]
        if all(np.any(g) for g in tree.leaves(gradients)):
            return ""
        pieces, _ = pieces_of(wide.recipe.net, params, wide.model_state, wide.batch.x, key=wide.key, train=True)
        for piece in pieces:
            if not is_users_own(piece) or piece.layer.codes or not np.ptp(piece.out, axis=0).any():
                continue
            total, values = _total_of_piece(piece)
            if not np.any(value_and_grad(total)(values)[1]["input"]):
                return piece.name
    return ""


def _worst(name: str, arrays: Iterable[Array]) -> Iterator[tuple[str, Array]]:
    bad = [array for array in arrays if array.kind != "right"]
    if bad:
        yield name, max(bad, key=lambda array: (array.kind != "surrogate", array.error))


def _total_of_piece(piece: Piece) -> tuple[Callable[[Any], Any], Any]:
    """Return a function of a layer's input and parameters, a sum of its output with random weights, and the values."""
    weights = np.random.default_rng(1).normal(size=piece.out.shape)
    x = np.asarray(piece.x, np.float64)
    values = {"params": piece.params} | ({} if piece.layer.codes else {"input": x})  # codes have no gradient

    def total(values: Any) -> Any:
        return ops.sum(apply_piece(piece, values["params"], values.get("input", x), train=True) * weights)

    return total, values


def _total_of_loss(wide: Wide, out: np.ndarray) -> tuple[Callable[[Any], Any], Any]:
    """Return a function of the network's outputs, the summed cost, and the outputs."""
    recipe = wide.recipe
    cost = recipe.loss.from_logits if recipe.fused else recipe.loss

    def total(values: Any) -> Any:
        out = values["outputs"]
        return check_costs(loss_name(recipe.loss), cost(out, Tensor(wide.batch.y)), out).sum()

    return total, {"outputs": np.asarray(out, np.float64)}


def compared(f: Callable[[Any], Any], values: Any) -> Iterator[Array]:
    """Yield for each array of a tree how the gradient of f by backpropagation compares with differences."""
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        at, gradients = value_and_grad(f)(values)
        at = float(at)
        if not math.isfinite(at):
            return
        floor = FLOOR * max(1.0, abs(at))
        leaves = list(tree.leaves_with_path(values))
        for number, ((path, leaf), gradient) in enumerate(zip(leaves, tree.leaves(gradients), strict=True)):
            if not np.size(leaf) or time.perf_counter() - start > SECONDS:
                continue

            def moved(place: int, step: float, number: int = number, leaf: Any = leaf) -> float:
                new = np.array(leaf, np.float64)
                new.flat[place] += step
                new_leaves = iter([new if i == number else each for i, (_, each) in enumerate(leaves)])
                return float(unwrap(f(tree.map(lambda _: Tensor(next(new_leaves)), values))))

            yield _comparison("/".join(path), np.asarray(leaf), np.asarray(gradient, np.float64), moved, at, floor)


def _comparison(
    path: str,
    leaf: np.ndarray,
    gradient: np.ndarray,
    moved: Callable[[int, float], float],
    at: float,
    floor: float,
) -> Array:
    places = np.arange(leaf.size)
    if leaf.size > VALUES:
        places = np.sort(random.permutation(random.key(0), leaf.size)[:VALUES])
    analytic = gradient.reshape(-1)[places]
    numeric, apart = np.zeros(len(places)), np.zeros(len(places))
    for k, place in enumerate(places.tolist()):
        best = math.inf
        for step in STEPS:
            h = step * max(1.0, abs(float(leaf.flat[place])))
            above, below = (moved(place, h) - at) / h, (at - moved(place, -h)) / h
            low, high = min(above, below), max(above, below)
            middle = 0.5 * (low + high)
            curved = (high - low) > 0.01 * max(abs(low), abs(high))  # a kink: anything between is a slope there
            off = max(low - analytic[k], analytic[k] - high, 0.0) if curved else abs(analytic[k] - middle)
            slope = float(np.clip(analytic[k], low, high)) if curved else middle
            if not off >= best:
                best, numeric[k], apart[k] = off, slope, off
            if best <= 0.1 * MOST * max(abs(analytic[k]) + abs(middle), floor):
                break
    if not np.isfinite(analytic).all() or not np.isfinite(numeric).all():
        return Array(path, 0.0, 0.0, 0.0)  # values that are not finite are another check's business
    size_a, size_n = _size(analytic), _size(numeric)
    return Array(path, _size(apart) / max(size_a + size_n, floor), size_a, size_n)


def _size(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values * values)))


def _has_steps(piece: Piece) -> bool:
    """Return whether a layer of the package has step units, whose gradient is a surrogate by its documentation."""
    layer = piece.layer
    name = getattr(getattr(layer, "activation", None), "name", getattr(layer, "activation", None))
    return isinstance(layer, Dense | Conv2D | Activation) and name in ("step", "sign")


def _stated_surrogates(wide: Wide) -> bool:
    return any(
        getattr(getattr(layer, "activation", None), "name", getattr(layer, "activation", None)) in ("step", "sign")
        for layer in walk(wide.recipe.net)
    )
