"""The driver: many steps in one call, as a loop of Python or as one compiled program."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from chainrule import tree
from chainrule.backprop.tensor import unwrap
from chainrule.engine import Engine, namespace
from chainrule.errors import SettingError
from chainrule.optimizers import Optax
from chainrule.settings import structure
from chainrule.training.layout import narrow, turn
from chainrule.training.state import Metrics, Recipe, State, filled
from chainrule.training.step import Batch, advance, count, evaluate

Array = Any


class Trained(NamedTuple):
    """What a call of the training program returns.

    Attributes
    ----------
    state : after the last step
    metrics : of each step of the piece, arrays of length ``steps``; 0 for those that this call did not run
    finite : whether all weights and statistics are
    """

    state: State
    metrics: Metrics
    finite: Array


class Programs(NamedTuple):
    """What an engine runs for one structure of recipe.

    ``train(state, settings, piece, samples, first, last)`` runs the steps from ``first`` to before ``last`` of a piece
    (see `chainrule.training.feed`) and gives `Trained`; the state is given away. ``measure(params, layers, settings,
    blocks)`` gives the sums of cost, weight, score, and their number for each block of data.

    Both take everything that may change without a change of the program as values: continuous settings, the part of the
    epoch, the number of samples.
    """

    train: Any
    measure: Any


def programs(recipe: Recipe, engine: Engine) -> Programs:
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
    return _programs(form, engine)


@functools.lru_cache(maxsize=128)
def _programs(form: Recipe, engine: Engine) -> Programs:
    def train(
        state: State, settings: Any, data: Batch, order: Array | None, samples: Array, first: Array, last: Array
    ) -> Trained:
        recipe = filled(form, settings)
        batch_at = _batches(data, order, samples, engine)
        paths = narrow(state.params) if engine.turns_matrices and not isinstance(form.optimizer, Optax) else frozenset()

        def turned(state: State) -> State:
            moments = {name: turn(values, paths) for name, values in state.moments.items()} if paths else state.moments
            return state._replace(params=turn(state.params, paths), moments=moments)

        def body(i: Array, carry: State) -> tuple[State, Metrics]:
            whole = carry._replace(settings=settings)
            new, metrics = advance(recipe, whole, batch_at(i), view=lambda params: turn(params, paths))
            return new._replace(settings=None), metrics

        steps = len(data.x) if order is None else len(order)
        end, metrics = engine.loop(body, turned(state), steps, first, last)
        end = turned(end)
        return Trained(end, metrics, _is_finite((end.params, end.layers)))

    def measure(params: Any, layers: Any, settings: Any, blocks: Batch) -> tuple[Array, ...]:
        recipe = filled(form, settings)

        def body(i: Array, carry: None) -> tuple[None, tuple[Array, ...]]:
            block = Batch(*(a[i] for a in blocks))
            costs, scores, _ = evaluate(recipe, params, layers, block)
            return None, ((unwrap(costs) * block.weight).sum(), block.weight.sum(), *count(scores, block.weight))

        sums: tuple[Array, ...] = engine.loop(body, None, len(blocks.x), 0, len(blocks.x))[1]
        return sums

    return Programs(engine.compile(train, donate=(0,)), engine.compile(measure))


def _batches(data: Batch, order: Array | None, samples: Array, engine: Engine) -> Any:
    """A function that gives the batch of a step."""
    if order is None:
        return lambda i: Batch(*(a[i] for a in data))
    # Targets and weights are small: they are put in order once, inputs step by step.
    xp = namespace(order)
    here = xp.arange(order.size).reshape(order.shape) < samples
    y, weight = engine.rows(data.y, order), engine.rows(data.weight, order) * here
    return lambda i: Batch(engine.rows(data.x, order[i]), y[i], weight[i])


def _is_finite(values: Any) -> Array:
    """Whether all numbers of a tree are finite."""
    xp = namespace(*tree.leaves(values))
    return xp.stack([xp.isfinite(v).all() for v in tree.leaves(values)]).all()
