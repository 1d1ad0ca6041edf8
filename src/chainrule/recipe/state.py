"""What is trained, as a recipe, and everything that changes while training, as one tree of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from chainrule import augment as augmentations
from chainrule import optimizers, random, tree
from chainrule.augment import Augmentation
from chainrule.backprop import Tensor
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.models.values import cast
from chainrule.optimizers import Optimizer
from chainrule.settings import values, with_values

Array = Any


@dataclass(frozen=True)
class Unit:
    """How much 1 is, of an output whose targets are standardized, in the target's own unit."""

    size: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """What one training step depends on besides the state: the network, the cost, and how weights move.

    Its continuous settings (`chainrule.settings.values`) are part of the state's ``settings``, addressed by
    paths such as ``optimizer.lr``, ``l2`` or ``net.layers.1.rate``.

    Attributes
    ----------
    net : the network; with a linear output if ``fused``
    fused : whether the loss takes the values before the output activation (the lectures' pairs)
    task : "classification", "binary", "multilabel" or "regression": how outputs are scored
    threshold : outputs above it count as 1 in the binary tasks
    micro_batches : parts of a batch whose gradients are added up one after the other
    augment : what changes training samples at random, or None
    units : for standardized targets the deviation of each output, by which the mean absolute error is multiplied
    compute : the data type of products and activations in training where it is not that of the weights ("bfloat16")
    """

    net: Layer
    loss: Loss
    optimizer: Optimizer
    l1: float = 0.0
    l2: float = 0.0
    fused: bool = False
    task: str = "classification"
    threshold: float = 0.5
    micro_batches: int = 1
    augment: Augmentation | None = None
    units: tuple[Unit, ...] = ()
    compute: str | None = None


def recipe_of(
    model: Model,
    loss: Any = "auto",
    optimizer: Any = "sgd",
    *,
    task: str | None = None,
    augment: Any = None,
    **rest: Any,
) -> Recipe:
    """Return the recipe that trains (or evaluates) a model: its network and the loss, fused where they are a pair."""
    if augment is not None:
        augment = augmentations.get(augment)
        augment.check(model.input_shape)
    net, function, activation = model.pair(loss, task)
    return Recipe(
        net=net,
        loss=function,
        optimizer=optimizers.get(optimizer),
        fused=activation is not None,
        task=task or model.target.task,
        threshold=model.threshold if activation is None else 0.0,
        augment=augment,
        **{"units": tuple(Unit(size) for size in model.target.std)} | rest,
    )


class State(NamedTuple):
    """One training run at one moment: a plain tree of arrays that can be saved, compared and resumed.

    Attributes
    ----------
    params : parameters, nested by layer
    model_state : what layers keep besides (running statistics)
    opt_state : what the optimizer keeps
    step : number of steps done
    key : random key of the run; each step folds its number in, so the key itself never changes
    settings : {"recipe": its continuous settings, "run": the run's lengths}; constant within an epoch
    """

    params: Any
    model_state: Any
    opt_state: Any
    step: Any
    key: Array
    settings: Any


class Metrics(NamedTuple):
    """What a step measures on its batch.

    Attributes
    ----------
    cost, weight : the weighted costs and the weights, summed
    score, count : the scores and their number, summed
    lr : the learning rate
    costs, answers : of every sample its cost and the class that is answered, see `chainrule.recipe.step.Judged`; None
        where a driver leaves them out
    """

    cost: Array
    weight: Array
    score: Array
    count: Array
    lr: Array
    costs: Array | None = None
    answers: Array | None = None


def start(
    model: Model,
    loss: Any = "auto",
    optimizer: Any = "sgd",
    *,
    samples: int,
    batch_size: int,
    epochs: int = 1,
    key: Array | None = None,
    **rest: Any,
) -> tuple[Recipe, State]:
    """Return the recipe that trains a model and the state before the first step: what `step` takes.

    Parameters
    ----------
    model : its weights are where training starts
    loss, optimizer : as in `fit`
    samples, batch_size, epochs : the size of the training set, of a batch, and the length of the run
    key : random key of the run
    rest : further settings of the `Recipe`, such as ``l2``

    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Model(cr.Dense(2, "softmax"), input_shape=(3,))
    >>> recipe, state = cr.training.start(model, optimizer=cr.SGD(lr=0.1), samples=4, batch_size=4)
    >>> batch = cr.training.Batch(np.eye(4, 3, dtype="float32"), np.array([0, 1, 1, 0]), np.ones(4, "float32"))
    >>> state, metrics = cr.training.step(recipe, state, batch)
    >>> state.step, round(float(metrics.cost / metrics.weight), 3)
    (1, 0.439)
    """
    recipe = recipe_of(model, loss, optimizer, **rest)
    state = State(
        params=model.params,
        model_state=model.state,
        opt_state=cast(recipe.optimizer.init(model.params), model.precision),
        step=0,
        key=random.key(0) if key is None else key,
        settings=start_settings(recipe, samples=samples, batch_size=batch_size, epochs=epochs),
    )
    return recipe, state


def start_settings(recipe: Recipe, *, samples: int, batch_size: int, epochs: int) -> dict[str, Any]:
    """Return the settings part of a state: the recipe's continuous values, and the lengths of the run."""
    run = {
        "samples": float(samples),
        "steps_per_epoch": float(-(-samples // batch_size)),
        "epochs": float(epochs),
    }
    return {"recipe": values(recipe), "run": run}


def filled(form: Recipe, settings: dict[str, Any]) -> Recipe:
    """Return the recipe with the run's continuous settings put in."""
    continuous = dict(settings["recipe"])
    for part in ("net", "loss"):  # NumPy's functions in a user's layer or loss must reach our operations
        if part in continuous:
            continuous[part] = tree.map(lambda v: v if isinstance(v, float) else Tensor(v), continuous[part])
    return with_values(form, continuous)
