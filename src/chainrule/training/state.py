"""What is trained, as a recipe, and everything that changes while training, as one tree of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from chainrule import optimizers
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.optimizers import Optimizer

Array = Any


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
    augment : a function (x, key) -> x applied to training inputs, or None
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
    augment: Any = None


def recipe_of(
    model: Model, loss: Any = "auto", optimizer: Any = "sgd", *, task: str | None = None, **rest: Any
) -> Recipe:
    """The recipe that trains (or evaluates) a model: its network and the loss, fused where they are a pair."""
    net, function, activation = model.pair(loss, task)
    return Recipe(
        net=net,
        loss=function,
        optimizer=optimizers.get(optimizer),
        fused=activation is not None,
        task=task or model.target.task,
        threshold=model.threshold if activation is None else 0.0,
        **rest,
    )


class State(NamedTuple):
    """One training run at one moment: a plain tree of arrays that can be saved, compared and resumed.

    Attributes
    ----------
    params : parameters, nested by layer
    layers : what layers keep besides (running statistics)
    moments : what the optimizer keeps
    step : number of steps done
    key : random key of the run; each step folds its number in, so the key itself never changes
    settings : {"recipe": its continuous settings, "run": the run's lengths}; constant within an epoch
    """

    params: Any
    layers: Any
    moments: Any
    step: Any
    key: Array
    settings: Any


class Metrics(NamedTuple):
    """What a step measures on its batch: sums over samples, weighted, and the weights' sum."""

    cost: Array
    score: Array
    weight: Array
    lr: Array
