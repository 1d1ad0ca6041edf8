"""The driver: many steps in one call, as a loop of Python or as one compiled program."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from chainrule import tree
from chainrule.backprop.tensor import unwrap
from chainrule.engine import Engine, lowering, namespace
from chainrule.errors import SettingError
from chainrule.optimizers import Optax
from chainrule.recipe.probe import figures
from chainrule.recipe.state import Metrics, Recipe, State, filled
from chainrule.recipe.step import Batch, advance, count, judge
from chainrule.settings import structure
from chainrule.training.layout import Turns, narrow, reading, transpose

Array = Any


class Trained(NamedTuple):
    """What a call of the training program returns.

    Attributes
    ----------
    state : after the last step
    metrics : of each step of the chunk, arrays of length ``steps``; 0 for those that this call did not run
    probed : what the probes saw of each step, (steps, figures); 0 for those that were not probed
    finite : whether all weights and statistics are
    """

    state: State
    metrics: Metrics
    probed: Array | None
    finite: Array


class Measured(NamedTuple):
    """What the program that measures returns: sums for each block of data, and the answers of each sample.

    Attributes
    ----------
    cost, weight, score, count : as in `Metrics`, arrays (blocks,)
    answers : (blocks, size), see `chainrule.recipe.step.Judged`; None where the program leaves them out
    """

    cost: Array
    weight: Array
    score: Array
    count: Array
    answers: Array | None


class Programs(NamedTuple):
    """What an engine runs for one structure of recipe.

    ``train(state, settings, data, order, first, last)`` runs the steps from ``first`` to before ``last`` of a chunk
    (see `chainrule.training.loader`) and gives `Trained`; the state is given away. ``measure(params, model_state,
    settings, blocks)`` gives `Measured`.

    Both take everything that may change without a change of the program as values: the continuous settings, and which
    part of the epoch to run.
    """

    train: Any
    measure: Any


class Shared(NamedTuple):
    """What the members of a population that train together have in common besides the structure of their recipe.

    Attributes
    ----------
    order : the samples come to all in the same order
    validation : all are validated on the same data
    """

    order: bool
    validation: bool


def programs(recipe: Recipe, engine: Engine, probes: int = 0, shared: Shared | None = None) -> Programs:
    """Return the programs of a recipe; found again for every recipe that differs in continuous settings only.

    ``probes`` is the number of figures that probes take on every ``settings["run"]["probe_every"]``-th step.
    ``shared`` asks for the programs of many members at once: states and settings then have a first axis with one entry
    for each; order, targets, weights and metrics an axis for them after that of the steps, where they are not shared.
    The inputs lie in one array for all.
    """
    form = structure(recipe)
    try:
        hash(form)
    except TypeError as error:
        raise SettingError(
            f"The settings of a layer, loss or optimizer must not change, but one is a list, dict or array "
            f"({error}). Use a tuple instead, and @dataclass(frozen=True); arrays belong into init(). Got: "
            f"{recipe.net}."
        ) from None
    return _programs(form, engine, probes, lowering.current(), shared)


@functools.lru_cache(maxsize=128)
def _programs(
    form: Recipe, engine: Engine, probes: int, lowerings: tuple[str | None, ...], shared: Shared | None
) -> Programs:
    # Of members they would be many, and of several devices they would have to be exchanged.
    of_samples = shared is None and engine.shards == 1

    def train(state: State, settings: Any, data: Batch, order: Array | None, first: Array, last: Array) -> Trained:
        on_side, beside = Turns(), Turns()
        if engine.turns_matrices and not isinstance(form.optimizer, Optax):
            if shared is not None and shared.order:
                beside = reading(state.params, math.prod(data.x.shape[1:] if order is not None else data.x.shape[2:]))
            turned = narrow(state.params, members=shared is not None)
            on_side = {path: axes for path, axes in turned.items() if path not in beside}

        def relayout(state: State) -> State:
            """Transpose narrow weight matrices for the loop; applied twice it undoes itself."""
            if not (turns := on_side | beside):
                return state
            opt_state = {name: transpose(values, turns) for name, values in state.opt_state.items()}
            return state._replace(params=transpose(state.params, turns), opt_state=opt_state)

        recipe = filled(form, settings) if shared is None else None  # members have settings of their own
        view = functools.partial(transpose, turns=on_side)

        def advanced(
            state: State, settings: Any, batch: Batch, probe: Any = None
        ) -> tuple[State, Metrics, Array | None]:
            whole = state._replace(settings=settings)
            new, metrics, seen = advance(recipe or filled(form, settings), whole, batch, view=view, probe=probe)
            if not of_samples:
                metrics = metrics._replace(costs=None, answers=None)
            return new._replace(settings=None), metrics, seen

        step = advanced
        if shared is not None:
            axes = tree.map_with_path(lambda path, _: 1 if path in beside else 0, state.params)
            states = State(axes, 0, dict.fromkeys(state.opt_state, axes), 0, 0, None)
            axis = None if shared.order else 0
            step = engine.together(advanced, (states, 0, Batch(axis, axis, axis)), (states, 0, 0))

        def batch_at(i: Array) -> Batch:
            x = data.x[i] if order is None else engine.rows(data.x, order[i])
            return Batch(x, data.y[i], data.weight[i])

        def body(i: Array, carry: State) -> tuple[State, tuple[Metrics, Array | None]]:
            new, metrics, _ = step(carry, settings, batch_at(i))
            return new, (metrics, namespace(metrics.cost).zeros(probes, np.float32) if probes else None)

        def probed(i: Array, carry: State) -> tuple[State, tuple[Metrics, Array | None]]:
            new, metrics, seen = advanced(carry, settings, batch_at(i), figures)
            return new, (metrics, seen)

        every = (probed, settings["run"]["probe_every"], state.step - first) if probes else None
        end, (metrics, seen) = engine.loop(body, relayout(state), len(data.y), first, last, every)
        end = relayout(end)
        axis = 0 if shared is None else 1
        return Trained(end, metrics, seen, _is_finite((end.params, end.model_state), axis))

    def measure(params: Any, model_state: Any, settings: Any, blocks: Batch) -> Measured:
        recipe = filled(form, settings)

        def body(i: Array, carry: None) -> tuple[None, Measured]:
            block = Batch(*(a[i] for a in blocks))
            judged, _ = judge(recipe, params, model_state, block)
            sums = ((unwrap(judged.costs) * block.weight).sum(), block.weight.sum())
            answers = judged.answers if of_samples else None
            return None, Measured(*sums, *count(judged.scores, block.weight), answers)

        measured: Measured = engine.loop(body, None, len(blocks.x), 0, len(blocks.x))[1]
        return measured

    if shared is not None:
        measure = engine.together(measure, (0, 0, 0, None if shared.validation else 0), 0)
    return Programs(engine.compile(train, donate=(0,)), engine.compile(measure))


def _is_finite(values: Any, axis: int) -> Array:
    """Return whether all numbers of a tree are finite; with ``axis`` 1, for each row of its arrays."""
    xp = namespace(*tree.leaves(values))
    each = [xp.isfinite(v).reshape(*v.shape[:axis], -1).all(axis=-1) for v in tree.leaves(values)]
    return xp.stack(each).all(axis=0)
