"""The training step: one pure function, the same lines on NumPy and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from chainrule import tree
from chainrule.backprop import Tensor, ops, value_and_grad
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.backprop.tensor import unwrap
from chainrule.engine import namespace
from chainrule.layers.samples import counting
from chainrule.losses import check_costs
from chainrule.models.forward import forward
from chainrule.optimizers import is_weight
from chainrule.random import fold_in
from chainrule.recipe.state import Metrics, Recipe, State, filled
from chainrule.schedules import rate_at

Array = Any


#: So that a batch whose samples all have weight 0 gives a gradient of 0.
TINY = 1e-12


class Batch(NamedTuple):
    """Some samples: inputs, targets, and the weight of each sample in the mean cost."""

    x: Array
    y: Array
    weight: Array


class Judged(NamedTuple):
    """What a network makes of each sample of a batch.

    Attributes
    ----------
    costs : the cost
    scores : 1 for a correct class and 0 for a wrong one; for regression the absolute error
    answers : the class that is answered, as an integer (in the binary task 0 or 1); None where it is not one class
    """

    costs: Array
    scores: Array
    answers: Array | None


def step(recipe: Recipe, state: State, batch: Batch) -> tuple[State, Metrics]:
    """Do one step of gradient descent: forward, backward, update.

    A pure function: it can be compiled (``jax.jit``), looped (``lax.scan``) and run for many members at once
    (``jax.vmap`` over states that differ in weights, keys and settings). `start` makes the first state.

    Parameters
    ----------
    recipe : what is trained; its continuous settings are taken from the state
    state : the run at this moment; it is not changed
    batch : some samples

    Returns
    -------
    The next state, and the metrics of the batch before the update.
    """
    return advance(filled(recipe, state.settings), state, batch)[:2]


def advance(
    recipe: Recipe,
    state: State,
    batch: Batch,
    view: Callable[[Any], Any] = lambda params: params,
    probe: Callable[..., Any] | None = None,
) -> tuple[State, Metrics, Any]:
    """Do a `step` of a recipe that has the state's settings in it: a driver puts them in once for many steps.

    ``view`` gives the parameters as the network takes them, of a state that keeps them otherwise (`layout`). ``probe``
    is called with what a step knows (marks, parameters, gradients, new parameters), and its result returned as well.
    """
    run = state.settings["run"]
    parts = _micro_batches(batch, recipe.micro_batches)
    model_state, gradients, metrics = state.model_state, None, None
    judged_parts: list[Judged] = []
    weight = namespace(batch.weight).maximum(batch.weight.sum(), TINY)
    for at, part in enumerate(parts):
        key = step_key(recipe, state, at)

        def mean_cost(params: Any, model_state: Any = model_state, part: Batch = part, key: Any = key) -> Any:
            judged, new_model_state = judge(recipe, view(params), model_state, part, key=key, train=True)
            total = (judged.costs * part.weight).sum()
            return total / weight, (total, judged, new_model_state)

        if probe is None:
            (_, (cost, judged, model_state)), part_gradients = value_and_grad(mean_cost, has_aux=True)(state.params)
        else:
            _, (cost, judged, model_state), part_gradients, marks = value_grad_and_marks(mean_cost, state.params)
        gradients = part_gradients if gradients is None else tree.map(_add, gradients, part_gradients)
        seen = (cost, part.weight.sum(), *count(judged.scores, part.weight))
        metrics = seen if metrics is None else tree.map(_add, metrics, seen)
        judged_parts.append(judged)

    gradients = add_penalty(gradients, state.params, recipe.l1, recipe.l2, run["samples"])
    lr = rate_at(recipe.optimizer.lr, state.step / run["steps_per_epoch"], run["epochs"])
    params, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params, lr=lr, step=state.step + 1)
    assert metrics is not None
    costs, answers = _of_samples(judged_parts)
    xp, dtype = namespace(batch.weight), batch.weight.dtype
    return (
        state._replace(params=params, model_state=model_state, opt_state=opt_state, step=state.step + 1),
        Metrics(*(xp.asarray(v, dtype) for v in (*metrics, lr)))._replace(costs=costs, answers=answers),
        None if probe is None else probe(marks, state.params, gradients, params),
    )


def evaluate(
    recipe: Recipe, params: Any, model_state: Any, batch: Batch, *, key: Any = None, train: bool = False
) -> tuple[Array, Array, Any]:
    """Return cost and score of each sample, see `Judged`, and the layers' new state."""
    judged, model_state = judge(recipe, params, model_state, batch, key=key, train=train)
    return judged.costs, judged.scores, model_state


def judge(
    recipe: Recipe, params: Any, model_state: Any, batch: Batch, *, key: Any = None, train: bool = False
) -> tuple[Judged, Any]:
    """Return what the network makes of each sample, and the layers' new state."""
    x, blend = Tensor(batch.x), None
    present = (batch.weight > 0).astype(batch.weight.dtype) if train else None
    if train and recipe.augment is not None:
        key, augment_key = fold_in(key, 0), fold_in(key, 1)
        x, blend = recipe.augment.apply(x, augment_key, present)
    if train and recipe.compute is not None:
        params, x = tree.map(lambda v: ops.astype(v, recipe.compute), (params, x))
    with counting(present):
        out, model_state = forward(recipe.net, params, model_state, x, key=key, train=train)
    out = out if isinstance(out, Tensor) else Tensor(out)
    if train and recipe.compute is not None:
        out = ops.astype(out, batch.weight.dtype)
    cost = recipe.loss.from_logits if recipe.fused else recipe.loss
    costs = check_costs(type(recipe.loss).__name__, cost(out, Tensor(batch.y)), out)
    if blend is not None:
        costs = blend.costs(costs, cost(out, Tensor(batch.y[blend.partner])), batch.weight)
    answers = answer(recipe, unwrap(out))
    return Judged(costs, score(recipe, unwrap(out), batch.y, answers), answers), model_state


def count(scores: Array, weight: Array) -> tuple[Array, Array]:
    """Return the sum of the scores and their number. Weights do not change a score, but a sample of weight 0 is not
    there.
    """
    present = (weight > 0).astype(scores.dtype)
    return (scores * present).sum(), present.sum()


def answer(recipe: Recipe, out: Array) -> Array | None:
    """Return the class that is answered for each sample; None where it is not one class."""
    if recipe.task == "classification":
        return out.argmax(axis=-1)
    if recipe.task == "binary":
        return (out > recipe.threshold).reshape(len(out))
    return None


def score(recipe: Recipe, out: Array, y: Array, answers: Array | None) -> Array:
    """Return 1 for each sample whose class is right, 0 for others; for regression the mean absolute error."""
    xp = namespace(out)
    if recipe.task == "regression":
        error = xp.abs(out - y).reshape(len(out), -1)
        if recipe.units:
            error = error * xp.asarray([unit.size for unit in recipe.units], error.dtype)
        return error.mean(axis=1)
    if recipe.task == "classification":
        labels = y if y.ndim < out.ndim else y.argmax(axis=-1)
        return (answers == labels).astype(out.dtype)
    return ((out > recipe.threshold) == (y > 0.5)).reshape(len(out), -1).all(axis=1).astype(out.dtype)


def add_penalty(gradients: Any, params: Any, l1: Any, l2: Any, samples: Any) -> Any:
    """Add the gradients of λ₁/n Σ|w| and λ₂/(2n) Σw², for weights only (lecture 003).

    n is the size of the training set, so λ does not depend on the batch size. L2 seen as weight decay:
    w ← (1 - ηλ/n) w - η ∂C₀/∂w.
    """
    if _is_zero(l1) and _is_zero(l2):
        return gradients

    def add(path: tuple[str, ...], g: Array, w: Array) -> Array:
        if not is_weight(path):
            return g
        xp = namespace(w)
        g = g if _is_zero(l2) else g + (l2 / samples) * w
        return g if _is_zero(l1) else g + (l1 / samples) * xp.sign(w)

    return tree.map_with_path(add, gradients, params)


def _micro_batches(batch: Batch, parts: int) -> list[Batch]:
    """Return the batch in equal parts (the last may be shorter), whose gradients are added up (lecture 004)."""
    if parts == 1:
        return [batch]
    size = -(-len(batch.x) // parts)
    return [Batch(*(a[i : i + size] for a in batch)) for i in range(0, len(batch.x), size)]


def _of_samples(parts: list[Judged]) -> tuple[Array, Array | None]:
    """Return costs and answers of the samples of a batch that was judged in parts."""
    if len(parts) == 1:
        return parts[0].costs, parts[0].answers
    xp, answers = namespace(parts[0].costs), [part.answers for part in parts]
    return xp.concatenate([part.costs for part in parts]), None if answers[0] is None else xp.concatenate(answers)


def step_key(recipe: Recipe, state: State, part: int) -> Any:
    """Return the random key of a step, or None for networks that draw no numbers."""
    if not recipe.net.random and recipe.augment is None:
        return None
    key = fold_in(state.key, state.step)
    return fold_in(key, part) if recipe.micro_batches > 1 else key


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _add(a: Array, b: Array) -> Array:
    return a + b
