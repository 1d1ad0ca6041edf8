"""Where each layer stands in a network: its name among the marks of a pass, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule import activations
from chainrule.activations import Activation
from chainrule.layers import Average, Concat, Dropout, Flatten, Layer, Reshape, Residual, Sequential

__all__ = ["SHAPING", "Place", "activation_of", "places"]

#: Layers that give their input on as it is, but for its shape; dropout draws nothing where a pass is looked at.
SHAPING = (Flatten, Reshape, Dropout)


@dataclass(frozen=True)
class Place:
    """A layer in a network.

    Attributes
    ----------
    name : the full name, under which its marks are: "residual_1/dense_2"
    layer : the layer
    source : the mark of what it takes, such as "dense_1/output"; "" for the input of the network
    """

    name: str
    layer: Layer
    source: str


def places(layer: Layer, scope: str = "", source: str = "") -> Iterator[Place]:
    """Yield the layers of a network in the order of the pass, each container behind what is in it.

    >>> import chainrule as cr
    >>> [place.name for place in places(cr.Sequential(cr.Dense(3), cr.Residual(cr.Dense(3))))]
    ['dense_1', 'residual_1/dense_1', 'residual_1']
    """
    if isinstance(layer, Sequential | Residual | Concat | Average):
        before = source
        for name, inner in zip(layer.names, layer.layers, strict=True):
            path = f"{scope}/{name}" if scope else name
            yield from places(inner, path, before)
            before = f"{path}/output" if isinstance(layer, Sequential | Residual) else source
    if scope and not isinstance(layer, Sequential):
        yield Place(scope, layer, source)


def activation_of(layer: Layer) -> Activation | None:
    """Return a layer's activation; None where it has no setting for one."""
    return activations.get(layer.activation) if hasattr(layer, "activation") else None
