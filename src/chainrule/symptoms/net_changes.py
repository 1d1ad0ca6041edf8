"""Networks that are the given one but for some of its layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    Flatten,
    Layer,
    Maxout,
    Reshape,
    Residual,
    Sequential,
)
from chainrule.settings import is_ours, replace

__all__ = ["Part", "parts", "rebuilt", "with_parts"]

#: Layers that are made of others, by a field ``layers``.
CONTAINERS = (Sequential, Residual, Concat, Average)

#: Layers after which the outputs still mean the same.
SHAPING = (Dropout, Flatten, Reshape)

#: Layers of units, and the setting that says how many.
WIDTHS: dict[type[Layer], str] = {Dense: "units", Conv2D: "filters", Maxout: "units"}


@dataclass(frozen=True)
class Part:
    """A layer of a network that is not made of others.

    Attributes
    ----------
    path : to it, as in ``"layers.0"``; "" where the network is this layer
    layer : the layer
    output : whether its outputs are those of the network, or have the activation of those
    """

    path: str
    layer: Layer
    output: bool = False

    @property
    def custom(self) -> bool:
        """Whether it is a layer of the user's own."""
        return not is_ours(type(self.layer))

    @property
    def weighted(self) -> bool:
        """Whether it is a layer of units with weights, whose number is a setting."""
        return type(self.layer) in WIDTHS

    @property
    def width(self) -> int:
        """How many units or filters it has; 0 for a layer that has none."""
        return int(getattr(self.layer, WIDTHS[type(self.layer)])) if self.weighted else 0

    @property
    def function(self) -> Any:
        """Its activation; None where it has none, or is linear."""
        if not isinstance(self.layer, Dense | Conv2D | Activation):
            return None
        function = activations.get(self.layer.activation)
        return None if function.name == "linear" else function

    def at(self, setting: str) -> str:
        """Return the path to one of its settings, in the words of a member of a population."""
        return ".".join(filter(None, ("net", self.path, setting)))


def parts(net: Layer) -> list[Part]:
    """Return the layers of a network that are not made of others, in order.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.net_changes import parts
    >>> [(part.path, part.output) for part in parts(cr.Sequential(cr.Dense(8, "relu"), cr.Dense(3, "softmax")))]
    [('layers.0', False), ('layers.1', True)]
    """
    return list(_parts(net, "", True))


def _parts(layer: Layer, path: str, output: bool) -> Iterator[Part]:
    if not isinstance(layer, CONTAINERS):
        yield Part(path, layer, output)
        return
    ends = _ends(layer) if output else set()
    for at, part in enumerate(layer.layers):
        yield from _parts(part, _step(path, f"layers.{at}"), at in ends)
    if isinstance(layer, Residual) and layer.shortcut is not None:
        yield from _parts(layer.shortcut, _step(path, "shortcut"), output)


def _ends(layer: Any) -> set[int]:
    """Return which layers of a container make its outputs: of a sequence the last ones, up to one with weights."""
    if isinstance(layer, Concat | Average):
        return set(range(len(layer)))
    ends: set[int] = set()
    for at in reversed(range(len(layer))):
        if isinstance(layer[at], SHAPING):
            continue
        ends.add(at)
        if not isinstance(layer[at], Activation):
            break
    return ends


def _step(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step


def with_parts(net: Layer, changes: dict[str, Layer]) -> Layer:
    """Return the network with other layers at some paths.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.net_changes import with_parts
    >>> with_parts(cr.Sequential(cr.Dense(8), cr.Dense(1)), {"layers.0": cr.Dense(9)})
    Sequential(Dense(9), Dense(1))
    """
    for path, layer in changes.items():
        net = replace(net, path, layer) if path else layer
    return net


def rebuilt(net: Layer, change: Callable[[Part], Sequence[Layer]]) -> Layer:
    """Return the network in which several layers, or none, take the place of each part.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.net_changes import rebuilt
    >>> net = cr.Sequential(cr.Dense(8), cr.Dropout(0.9), cr.Dense(1))
    >>> rebuilt(net, lambda part: () if isinstance(part.layer, cr.Dropout) else (part.layer,))
    Sequential(Dense(8), Dense(1))
    """
    new = _rebuilt(net, {part.path: tuple(change(part)) for part in parts(net)}, "")
    return new[0] if len(new) == 1 else Sequential(*new)


def _rebuilt(layer: Layer, new: dict[str, tuple[Layer, ...]], path: str) -> tuple[Layer, ...]:
    if not isinstance(layer, CONTAINERS):
        return new[path]
    inner = [_rebuilt(part, new, _step(path, f"layers.{at}")) for at, part in enumerate(layer.layers)]
    if isinstance(layer, Concat | Average):  # its layers stand side by side
        layers = tuple(several[0] if len(several) == 1 else Sequential(*several) for several in inner)
    else:
        layers = tuple(part for several in inner for part in several)
    if layers != layer.layers:
        layer = replace(layer, "layers", layers)
    if isinstance(layer, Residual) and layer.shortcut is not None:
        around = _rebuilt(layer.shortcut, new, _step(path, "shortcut"))
        shortcut = around[0] if len(around) == 1 else Sequential(*around)
        layer = layer if shortcut == layer.shortcut else replace(layer, "shortcut", shortcut)
    return (layer,)


def before_output(net: Layer, *layers: Layer) -> Layer:
    """Return the network with more layers in front of those that make its outputs."""
    first = next((part.path for part in parts(net) if part.output), None)
    return rebuilt(net, lambda part: (*layers, part.layer) if part.path == first else (part.layer,))


def with_batch_norm(net: Layer) -> Layer:
    """Return the network with batch normalization between the weights of each hidden layer and its activation."""
    listed = parts(net)
    following = {part.path: after for part, after in itertools.pairwise(listed)}

    def change(part: Part) -> tuple[Layer, ...]:
        layer = part.layer
        if part.output or part.custom or not isinstance(layer, Dense | Conv2D):
            return (layer,)
        if layer.activation is not None and part.function is not None and part.function.pieces == 1:
            return (replace(layer, "activation", None), BatchNorm(), Activation(layer.activation))
        after = following.get(part.path)
        return (layer, BatchNorm()) if after is not None and isinstance(after.layer, Activation) else (layer,)

    return rebuilt(net, change)


def with_widths(net: Layer, width: Callable[[int], int]) -> Layer:
    """Return the network with another number of units in each hidden layer."""
    changes: dict[str, Layer] = {
        part.path: replace(part.layer, WIDTHS[type(part.layer)], max(1, int(width(part.width))))
        for part in parts(net)
        if part.weighted and not part.output
    }
    return with_parts(net, changes)


def hidden_stages(net: Layer) -> list[list[int]]:
    """Return the hidden stages of a sequence, as places: a layer with weights (or a block) and what follows it.

    What comes before the first one, embeddings, and the stages that make the outputs are none.
    """
    if type(net) is not Sequential:
        return []
    ends = _ends(net)
    stages: list[list[int]] = []
    for at, layer in enumerate(net):
        if at in ends:
            break
        weighted = type(layer) in WIDTHS or isinstance(layer, CONTAINERS)
        if weighted:
            stages.append([at])
        elif isinstance(layer, Flatten | Reshape | Embedding):
            stages.append([])  # what follows it belongs to no stage
        elif stages and stages[-1]:
            stages[-1].append(at)
    return [stage for stage in stages if stage]


def with_stages(net: Any, keep: int) -> Layer:
    """Return a sequence with so many of its hidden stages, spread evenly and beginning with the first."""
    stages = hidden_stages(net)
    chosen = {round(i * (len(stages) - 1) / max(keep - 1, 1)) for i in range(keep)}
    gone = {at for number, stage in enumerate(stages) if number not in chosen for at in stage}
    return Sequential(*(layer for at, layer in enumerate(net) if at not in gone))
