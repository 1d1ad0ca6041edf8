"""The driver: many steps in one call, as a loop of Python or as one compiled program."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from chainrule import tree
from chainrule.backprop import ops
from chainrule.backprop.tensor import unwrap
from chainrule.engine import Engine
from chainrule.errors import SettingError
from chainrule.settings import structure
from chainrule.training.state import Metrics, Recipe, State, filled
from chainrule.training.step import Batch, advance, count, evaluate

Array = Any


class Programs(NamedTuple):
    """What an engine runs for one structure of recipe."""

    train: Any  # (state, data, order) -> state, metrics of each step
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
            new, metrics = advance(recipe, carry._replace(settings=settings), batch)
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

    return Programs(engine.compile(train), engine)


def measuring(recipe: Recipe, engine: Engine) -> Any:
    """The program ``(params, layers, settings, batch) -> sums of cost, weight, score, and their number``."""
    return _measuring(structure(recipe), engine)


@functools.lru_cache(maxsize=128)
def _measuring(form: Recipe, engine: Engine) -> Any:
    def measure(params: Any, layers: Any, settings: Any, batch: Batch) -> tuple[Array, ...]:
        costs, scores, _ = evaluate(filled(form, settings), params, layers, batch)
        return (unwrap(costs) * batch.weight).sum(), batch.weight.sum(), *count(scores, batch.weight)

    return engine.compile(measure)
