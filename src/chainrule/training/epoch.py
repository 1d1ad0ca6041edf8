"""The driver: many steps in one call, as a loop of Python or as one compiled program."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from chainrule import tree
from chainrule.backprop import Tensor, ops
from chainrule.engine import Engine
from chainrule.errors import SettingError
from chainrule.settings import structure, values, with_values
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.step import Batch, evaluate, step

Array = Any


class Programs(NamedTuple):
    """What an engine runs for one structure of recipe."""

    train: Any  # (state, data, order) -> state, metrics of each step
    evaluate: Any  # (params, layers, settings, batch) -> sums of cost, score and weight
    engine: Engine


def programs(recipe: Recipe, batch_size: int, engine: Engine) -> Programs:
    """The programs of a recipe; found again for every recipe that differs in continuous settings only."""
    form = structure(recipe)
    try:
        hash(form)
    except TypeError as error:
        raise SettingError(
            f"The settings of a layer, loss or optimizer must not change, but one is a list, dict or array "
            f"({error}). Use a tuple instead, and @dataclass(frozen=True); arrays belong into init(). Got: "
            f"{recipe.net}."
        ) from None
    return _programs(form, batch_size, engine)


@functools.lru_cache(maxsize=128)
def _programs(form: Recipe, batch_size: int, engine: Engine) -> Programs:
    def train(state: State, data: Batch, order: Array) -> tuple[State, Metrics]:
        """Train on the samples in ``order``, a batch at a time; the last batch may be shorter."""
        recipe = filled(form, state.settings)
        settings, start = state.settings, state._replace(settings=None)

        def body(carry: State, rows: Array) -> tuple[State, Metrics]:
            batch = tree.map(lambda a: a[rows], data)
            new, metrics = step(recipe, carry._replace(settings=settings), batch)
            return new._replace(settings=None), metrics

        full = len(order) // batch_size * batch_size
        end, seen = start, []
        if full:
            end, many = engine.scan(body, end, order[:full].reshape(-1, batch_size))
            seen.append(many)
        if full < len(order):
            end, last = body(end, order[full:])
            seen.append(tree.map(lambda v: v[None], last))
        return end, tree.map(lambda *parts: ops.concatenate(parts), *seen)

    def measure(params: Any, layers: Any, settings: Any, batch: Batch) -> tuple[Array, Array, Array]:
        costs, scores, _ = evaluate(filled(form, settings), params, layers, batch)
        return (costs.value * batch.weight).sum(), (scores * batch.weight).sum(), batch.weight.sum()

    return Programs(engine.compile(train), engine.compile(measure), engine)


def start_settings(recipe: Recipe, *, samples: int, batch_size: int, epochs: int) -> dict[str, Any]:
    """The settings part of a state: the recipe's continuous values, and the lengths of the run."""
    run = {
        "samples": float(samples),
        "steps_per_epoch": float(-(-samples // batch_size)),
        "epochs": float(epochs),
    }
    return {"recipe": values(recipe), "run": run}


def filled(form: Recipe, settings: dict[str, Any]) -> Recipe:
    """The recipe with the run's continuous settings put in."""
    found = dict(settings["recipe"])
    for part in ("net", "loss"):  # NumPy's functions in a user's layer or loss must reach our operations
        if part in found:
            found[part] = tree.map(lambda v: v if isinstance(v, float) else Tensor(v), found[part])
    return with_values(form, found)
