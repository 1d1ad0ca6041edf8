"""Whether the loss points to the targets: moving an output toward its target must lower the cost."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from chainrule import losses
from chainrule.display.numbers import percent
from chainrule.models.forward import forward
from chainrule.models.model import last_activation_of
from chainrule.recipe.state import Recipe
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.pieces import Wide, loss_is_users_own, loss_name, row_costs

__all__ = ["loss_direction"]

#: Rows that are looked at, each at the network's output and at two random ones.
ROWS = 64

#: So much of the way to its target an output is moved.
WAY = 0.01

#: The least share of outputs whose cost falls.
LEAST = 0.98

#: An output that is so near to its target says nothing: smoothed targets are not reached on purpose.
NEAR = 0.5


def loss_direction(wide: Wide) -> Iterable[Finding]:
    """Yield whether the cost falls where an output moves toward its target.

    Statistic: the share of outputs (those of the network for 64 rows, and two random ones for each) whose cost falls
    when they go 1 % of the way to the target; outputs whose cost stays the same are left out. Null: exact; of a right
    loss all fall. A loss of numbers that maps its targets by a curve (a log link, say) is told as a note.

    Source: lecture 003, "Gradient descent": the cost is to fall toward the desired output.
    """
    recipe, y = wide.recipe, wide.batch.y
    name = loss_name(recipe.loss)
    with np.errstate(all="ignore"):
        outputs = np.asarray(forward(recipe.net, wide.params, wide.model_state, wide.batch.x)[0], np.float64)
    fell = rose = 0
    for out in (outputs, *_random_outputs(recipe, outputs, y)):
        down, up = _moved(recipe, out, y)
        fell, rose = fell + down, rose + up
    if fell + rose == 0:
        return
    share = fell / (fell + rose)
    evidence = (Evidence("outputs whose cost falls on the way to the target", share, LEAST, 1.0),)
    if share >= LEAST:
        yield Finding(
            "loss_direction",
            "note",
            f"The loss points to the targets: the cost falls for {fell:,} of {fell + rose:,} outputs that move toward "
            "theirs.",
            evidence=evidence,
            against=("code_loss",),
        )
        return
    if recipe.task == "regression" and _is_curve(recipe, y):
        yield Finding(
            "loss_direction",
            "note",
            f"The loss {name} asks for other numbers than the targets, along a curve of them (a link): the score "
            "compares outputs with the targets themselves.",
            name,
            evidence,
        )
        return
    wrong = f"The cost {name} falls for only {percent(share, 0)} of the outputs that move toward their target"
    yield Finding("loss_direction", "alarm", f"{wrong}; of a right loss for all.", name, evidence, ("code_loss",))


def _moved(recipe: Recipe, out: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """Return for how many rows the cost falls, and for how many it rises, when their output moves to its target."""
    goal = np.asarray(losses.targets_like(out, y), np.float64)
    seen = _probabilities(recipe, out)
    way = goal - seen
    if recipe.task != "regression" and not recipe.fused:
        # Codes may be 0 and 1 or -1 and 1: what is on the right side of both stays.
        way = np.where(goal > 0.5, np.maximum(1.0 - out, 0.0), -np.maximum(out, 0.0)) if _is_hard(goal) else way
    far = np.abs(way).reshape(len(out), -1).max(axis=1) > (NEAR if recipe.task != "regression" else 1e-6)
    before, after = row_costs(recipe, out, y), row_costs(recipe, out + WAY * way, y)
    with np.errstate(all="ignore"):
        change = after - before
        counts = far & np.isfinite(change) & (np.abs(change) > 1e-12 * np.maximum(np.abs(before), 1e-12))
    return int((change[counts] < 0).sum()), int((change[counts] > 0).sum())


def _is_hard(goal: np.ndarray) -> bool:
    return bool(((goal == 0) | (goal == 1)).all())


def _probabilities(recipe: Recipe, out: np.ndarray) -> np.ndarray:
    """Return the outputs as they are compared with the targets, of values before the last activation."""
    if not recipe.fused:
        return out
    if recipe.loss.pair == "softmax":
        raised = np.exp(out - out.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * out)))


def _random_outputs(recipe: Recipe, outputs: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return outputs as a network might give them, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=outputs.shape) for _ in range(2)]
    if recipe.task == "regression":
        goal = np.asarray(losses.targets_like(outputs, y), np.float64)
        spread = goal.std(axis=0, keepdims=True)
        spread = np.where(spread > 0, spread, 1.0)
        low, high = _range(recipe)
        return [np.clip(goal + spread * z, low, high) for z in drawn]
    if recipe.fused:
        return [0.5 * z for z in drawn]
    if getattr(_last(recipe), "distribution", False):
        raised = [np.exp(0.5 * z) for z in drawn]
        return [z / z.sum(axis=-1, keepdims=True) for z in raised]
    low, high = _range(recipe)
    return [np.clip(0.5 + 0.5 * z, max(low, -3.0), min(high, 3.0)) for z in drawn]


def _last(recipe: Recipe) -> object:
    return last_activation_of(recipe.net)


def _range(recipe: Recipe) -> tuple[float, float]:
    """Return the values that outputs can take, without the ends."""
    low, high = getattr(_last(recipe), "range", (-np.inf, np.inf))
    inner = 0.01 * (high - low) if np.isfinite(high - low) else 0.0
    return low + inner, high - inner


def _is_curve(recipe: Recipe, y: np.ndarray) -> bool:
    """Return whether the cheapest output of a loss of one number follows its target along a curve.

    A sign that is wrong has its cheapest output at an end; a shift and a factor are straight lines.
    """
    if not loss_is_users_own(recipe.loss) or y.size != len(y) or len(np.unique(y)) < 8:
        return False
    targets = y.reshape(-1).astype(np.float64)
    spread = max(float(targets.std()), 1e-9)
    grid = np.linspace(min(0.0, targets.min()) - 3 * spread, targets.max() + 3 * spread, 401)
    costs = np.stack([row_costs(recipe, np.full((len(y), 1), value), y) for value in grid])
    if not np.isfinite(costs).any(axis=0).all():
        return False
    cheapest = np.nanargmin(np.where(np.isfinite(costs), costs, np.nan), axis=0)
    inside = (cheapest > 0) & (cheapest < len(grid) - 1)
    if inside.mean() < 0.5:
        return False
    order = np.argsort(targets[inside])
    targets, best = targets[inside][order], grid[cheapest][inside][order]
    if np.any(np.diff(best) < -2 * (grid[1] - grid[0])):
        return False
    line = np.polyval(np.polyfit(targets, best, 1), targets)
    return bool(np.std(best - line) > max(0.02 * np.std(best), 2 * (grid[1] - grid[0])))
