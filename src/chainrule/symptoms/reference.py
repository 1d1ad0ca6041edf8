"""The reference: the user's network with a default recipe, the yardstick for what can be learnt here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chainrule import activations
from chainrule.layers import (
    Activation,
    Average,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Layer,
    LayerNorm,
    Maxout,
    Residual,
    Sequential,
)
from chainrule.models import Model
from chainrule.models.model import last_activation_of
from chainrule.optimizers import Adam
from chainrule.run_settings import TrainingSettings
from chainrule.settings import is_ours
from chainrule.symptoms.net_changes import SHAPING

__all__ = ["LEAST_STEPS", "OUTPUTS", "Reference", "hidden_activations", "reference"]

#: The output activation of each task, whose loss follows from it.
OUTPUTS = {"classification": "softmax", "binary": "sigmoid", "multilabel": "sigmoid", "regression": "linear"}

#: Hidden activations through which (almost) no gradient comes.
BLOCKING = ("softmax", "step", "sign")

#: Squashing activations around ½ let the signal fade from layer to layer; after more layers than these none is left.
MOST_SIGMOIDS = 3

#: The least steps that the reference is trained for.
LEAST_STEPS = 600


@dataclass(frozen=True)
class Reference:
    """A network with default recipe, and how to train it.

    Attributes
    ----------
    net, settings : what `fit` takes; the settings have no early stopping, which needs rows of its own
    custom : the user's own layers by their names in the network, which stay: nothing standard could take their place
    """

    net: Layer
    settings: TrainingSettings = field(compare=False)
    custom: tuple[str, ...] = ()


def reference(
    net: Layer | Model, task: str, settings: TrainingSettings | None = None, *, rows: int | None = None
) -> Reference:
    """Return the same network with default recipe: it need only be decent.

    Weights start by ``init="auto"``, biases are there and start at 0, hidden layers without an activation, or with
    softmax or step units, get ReLU, as do deep stacks of sigmoids; the output layer and the loss follow from the
    task; batch normalization is as it comes, and nothing is dropped. It is trained by Adam in batches of 16 to 64, on
    normalized inputs (and numbers to predict), without penalty, augmentation and class weights, for as many steps as
    the user's run and at least 600.

    Parameters
    ----------
    net : the network, or a model, of which the network is taken
    task : "classification", "binary", "multilabel" or "regression"
    settings : of the user's run; what is not part of a recipe (validation, seed, sample weights) stays
    rows : how many training rows there are

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.symptoms.reference import reference
    >>> bad = cr.Sequential(cr.Dense(8, init="zeros", bias=False), cr.Dropout(0.9), cr.Dense(3, "sigmoid"))
    >>> reference(bad, "classification").net
    Sequential(Dense(8, 'relu'), Dense(3, 'softmax'))
    """
    settings = TrainingSettings() if settings is None else settings
    layer = net.net if isinstance(net, Model) else net
    sequence = layer if type(layer) is Sequential else Sequential(layer)
    deep = sum(1 for _ in hidden_activations(sequence)) > MOST_SIGMOIDS
    plan = _Plan(OUTPUTS[task], deep)
    new = plan.sequence(sequence, "output", None, "")
    if last_activation_of(new).name != plan.output and plan.output != "linear":
        new = Sequential(*new.layers, Activation(plan.output))
    return Reference(new, _settings(new, task, settings, rows), tuple(plan.custom))


def hidden_activations(net: Layer) -> Iterator[Any]:
    """Yield the activations of a network that are not linear, but for that of its last layer."""
    last = _last(net)
    for layer in walk(net):
        function = getattr(layer, "activation", None)
        if layer is not last and isinstance(layer, Dense | Conv2D | Activation) and function is not None:
            function = activations.get(function)
            if function.name != "linear":
                yield function


def walk(net: Layer) -> Iterator[Layer]:
    """Yield the layers of a network that contain no others, in order."""
    parts = getattr(net, "layers", None)
    if not isinstance(parts, tuple):
        yield net
        return
    for part in parts:
        yield from walk(part)
    if isinstance(net, Residual) and net.shortcut is not None:
        yield from walk(net.shortcut)


def _last(net: Layer) -> Layer:
    while isinstance(net, Sequential) and net.layers:
        net = next((layer for layer in reversed(net.layers) if not isinstance(layer, SHAPING)), net[-1])
    return net


@dataclass
class _Plan:
    """How layers are replaced: ``role`` is "output" (of the network), "hidden", or "free" (may be linear)."""

    output: str
    deep: bool
    custom: list[str] = field(default_factory=list)

    def sequence(self, net: Any, role: str, meets: Any, path: str) -> Sequential:
        """Return layers one after the other; ``meets`` is the activation that their output comes to, if any."""
        new: list[Layer] = []
        end = max((at for at, layer in enumerate(net.layers) if not isinstance(layer, SHAPING)), default=-1)
        for at, (layer, name) in reversed(list(enumerate(zip(net.layers, net.names, strict=True)))):
            if not isinstance(layer, Dropout):
                new.insert(0, self.layer(layer, role if at == end else "hidden", meets, path + name))
            if not is_ours(type(layer)):
                meets = layer  # may be the activation of what comes before
            elif layer.transparent or not isinstance(layer, Dense | Conv2D | Maxout | Embedding):
                meets = layer.next_activation(meets)
            else:
                meets = None
        return Sequential(*new)

    def layer(self, layer: Layer, role: str, meets: Any, path: str) -> Layer:
        """Return what takes the place of a layer."""
        kind = type(layer)
        if not is_ours(kind):
            self.custom.append(path)
            return layer
        if kind is Sequential:
            return self.sequence(layer, role, meets, f"{path}/")
        if isinstance(layer, Residual):
            body = self.sequence(layer, "free", meets, f"{path}/")
            shortcut = layer.shortcut
            if shortcut is not None:
                shortcut = self.layer(shortcut, "free", meets, f"{path}/shortcut")
            return Residual(*body.layers, shortcut=shortcut)
        if isinstance(layer, Average | Concat):
            role = "free" if isinstance(layer, Concat) and role == "output" else role
            pairs = zip(layer.layers, layer.names, strict=True)
            return kind(*(self.layer(part, role, meets, f"{path}/{name}") for part, name in pairs))
        if isinstance(layer, Dense | Conv2D):
            function = self.activation(layer.activation, role, meets)
            return dataclasses.replace(layer, activation=function, init="auto", bias=True, bias_init="zeros")
        if isinstance(layer, Activation):
            return Activation(self.activation(layer.activation, role, None) or "linear")
        if isinstance(layer, Maxout):
            return Maxout(layer.units, layer.pieces)
        if isinstance(layer, Embedding):
            return Embedding(layer.categories, layer.units)
        if isinstance(layer, BatchNorm | LayerNorm):
            return kind()
        return Dropout(0.0) if isinstance(layer, Dropout) else layer

    def activation(self, activation: Any, role: str, meets: Any) -> Any:
        """Return the activation of a layer; None is linear."""
        function = activations.get(activation)
        if role == "output":
            linear = self.output == "linear" or meets is not None
            return None if linear else self.output
        if function.name == "linear":
            return None if role == "free" or meets is not None else "relu"
        squashing = function.saturates == "both sides" and not function.zero_centred
        if function.name in BLOCKING or not is_ours(type(function)) or (self.deep and squashing):
            return "relu"
        if isinstance(function, activations.FunctionActivation):
            return "relu"
        return function.name


def _settings(net: Layer, task: str, settings: TrainingSettings, rows: int | None) -> TrainingSettings:
    """Return the settings of the reference."""
    first = next(walk(net), net)
    codes = not settings.normalize and not is_ours(type(first))  # a layer of the user's own may take codes
    batch = _batch_size(int(settings.batch_size) if rows is None else rows, net, known=rows is not None)
    return dataclasses.replace(
        settings,
        loss="auto",
        optimizer=Adam(),
        batch_size=batch,
        epochs=_epochs(settings, batch, rows),
        l1=0.0,
        l2=0.0,
        augment=None,
        normalize=not codes,
        normalize_target=task == "regression" and last_activation_of(net).name == "linear",
        early_stopping=None,
        class_weight=None,
        micro_batches=1,
        precision="float32",
    )


def _batch_size(rows: int, net: Layer, *, known: bool) -> int:
    """Return 16 to 64 rows, by their number; without a single one at the end where the network needs two."""
    if not known:
        return max(16, min(64, rows))
    size = 16 if rows < 500 else 32 if rows < 5000 else 64
    while rows % size == 1 and any(isinstance(layer, BatchNorm) for layer in walk(net)):
        size += 1
    return size


def _epochs(settings: TrainingSettings, batch: int, rows: int | None) -> int:
    if rows is None:
        return int(settings.epochs)
    steps = max(LEAST_STEPS, int(settings.epochs) * -(-rows // int(settings.batch_size)))
    return -(-steps // -(-rows // batch))
