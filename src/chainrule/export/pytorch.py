"""Weights under the names and in the layout of PyTorch, for ``load_state_dict``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import activations, layers, random, tree
from chainrule.errors import SettingError
from chainrule.files import write_atomic
from chainrule.layers.embedding import Embedding
from chainrule.models import Model

Array = np.ndarray[Any, np.dtype[Any]]


#: What PyTorch calls the learned values of activations.
_LEARNED = {"slope": "weight", "beta": "beta"}


@dataclass(frozen=True)
class _Features:
    """What a layer gets: the shape of a sample, and where PyTorch has its features in another order.

    ``order[i]`` is our feature at PyTorch's place i; None where the order is the same.
    """

    shape: tuple[int, ...]
    order: Array | None = None

    @property
    def places(self) -> Array:
        """The order, also where it is PyTorch's."""
        return np.arange(self.shape[-1]) if self.order is None else self.order

    def __call__(self, values: Array) -> Array:
        """Return one value for each feature (or one row of weights), in PyTorch's order."""
        return values if self.order is None else values[self.order]


def to_torch_state_dict(model: Model) -> dict[str, Array]:
    """Return the values of a model as PyTorch names and stores them; see docs/pytorch.md for the modules that take
    them.

    ==================  =================================  =========================================================
    layer               PyTorch                            values
    ==================  =================================  =========================================================
    ``Dense``           ``nn.Linear``                      ``weight`` (out, in): transposed; ``bias``
    ``Conv2D``          ``nn.Conv2d``                      ``weight`` (filters, in, kh, kw); ``bias``
    ``BatchNorm``       ``nn.BatchNorm1d``, ``2d``         ``weight`` γ, ``bias`` β, ``running_mean``, ``running_var``
    ``LayerNorm``       ``nn.LayerNorm``                   ``weight`` γ, ``bias`` β
    ``PReLU``           ``nn.PReLU(units)``                ``weight``; of ``dense_1`` it is ``dense_1_prelu.weight``
    ``Swish``           x·sigmoid(β x)                     ``beta``; of ``dense_1`` it is ``dense_1_swish.beta``
    ``Rescale``         scale · x + shift                  ``scale``, ``shift``
    ``Embedding``       one ``nn.Embedding`` per column    ``embedding_1.column_1.weight``: as here
    standardizer        (x - mean) / deviation             ``standardizer.mean``, ``standardizer.std``
    ==================  =================================  =========================================================

    Names are those of the layers, with dots: ``dense_1.weight``, ``residual_1.conv2d_2.bias``. PyTorch has images as
    (batch, channels, height, width), so that a Flatten there puts the values of an image in another order. What comes
    after a `Flatten` of images (up to the next `Dense` layer and including it) is put in that order here.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.export import to_torch_state_dict
    >>> model = cr.Model(cr.Sequential(cr.Conv2D(8, 3), cr.Flatten(), cr.Dense(10)), input_shape=(28, 28, 1))
    >>> {name: value.shape for name, value in to_torch_state_dict(model).items()}
    {'conv2d_1.weight': (8, 1, 3, 3), 'conv2d_1.bias': (8,), 'dense_1.weight': (10, 6272), 'dense_1.bias': (10,)}
    """
    weights: dict[str, Array] = {}
    if model.standardizer is not None:
        wide = (-1, 1, 1) if len(model.input_shape) == 3 else (-1,)  # channels come first there
        weights["standardizer.mean"] = model.standardizer.mean.reshape(wide)
        weights["standardizer.std"] = model.standardizer.std.reshape(wide)
    if model.target.mean:  # outputs · deviation + mean are in the target's own unit
        weights["target.mean"] = np.array(model.target.mean)
        weights["target.std"] = np.array(model.target.std)
    out = _collect(weights, "", model.net, model.params, model.state, _Features(model.input_shape))
    if out.order is not None:
        raise _out_of_order("", model.net)
    return {name: np.ascontiguousarray(value) for name, value in weights.items()}


def save_torch_weights(model: Model, path: str | Path) -> None:
    """Write `to_torch_state_dict` to a safetensors file; in PyTorch: ``net.load_state_dict(load_file(path))``.

    >>> import chainrule as cr
    >>> from chainrule.export import save_torch_weights
    >>> save_torch_weights(cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,)), "for_pytorch.safetensors")
    """
    from safetensors.numpy import save

    write_atomic(path, save(to_torch_state_dict(model)))


def _collect(
    weights: dict[str, Array], name: str, layer: layers.Layer, params: Any, state: Any, x: _Features
) -> _Features:
    """Put a layer's values under PyTorch's names; returns what the next layer gets."""

    def inner(part: str, inside: layers.Layer, x: _Features) -> _Features:
        full = f"{name}.{part}" if name else part
        return _collect(weights, full, inside, params.get(part, {}), state.get(part, {}), x)

    def keep(**values: Array) -> None:
        weights.update({f"{name}.{last}": value for last, value in values.items()})

    match layer:
        case layers.Sequential() | layers.Residual():
            out = x
            for part, inside in zip(layer.names, layer.layers, strict=True):
                out = inner(part, inside, out)
            if isinstance(layer, layers.Residual):
                around = x if layer.shortcut is None else inner("shortcut", layer.shortcut, x)
                if not np.array_equal(around.places, out.places):
                    raise _out_of_order(name, layer)
            return out
        case layers.Concat():
            parts = [inner(part, inside, x) for part, inside in zip(layer.names, layer.layers, strict=True)]
            starts = np.cumsum([0, *(part.shape[-1] for part in parts)])
            order = np.concatenate([part.places + start for part, start in zip(parts, starts, strict=False)])
            moved = any(part.order is not None for part in parts)
            return _Features((*parts[0].shape[:-1], int(starts[-1])), order if moved else None)
        case layers.Average():
            parts = [inner(part, inside, x) for part, inside in zip(layer.names, layer.layers, strict=True)]
            if any(not np.array_equal(part.places, parts[0].places) for part in parts):
                raise _out_of_order(name, layer)
            return parts[0]
        case layers.Rescale():
            wide = (-1, 1, 1) if len(x.shape) == 3 else (-1,)  # channels come first there
            keep(scale=x(state["scale"]).reshape(wide), shift=x(state["shift"]).reshape(wide))
            return x
        case layers.Dropout():
            return x
        case layers.BatchNorm():
            keep(weight=x(params["gamma"]), bias=x(params["beta"]))
            keep(running_mean=x(state["mean"]), running_var=x(state["variance"]), num_batches_tracked=np.array(0))
            return x
        case layers.LayerNorm():
            keep(weight=x(params["gamma"]), bias=x(params["beta"]))
            return x

    shape = tuple(layer.build(random.key(0), x.shape)[2])
    match layer:
        case layers.Flatten() | layers.Reshape() if len(x.shape) == 3:
            if len(shape) > 1:
                raise _out_of_order(name, layer)
            return _Features(shape, np.arange(shape[0]).reshape(x.shape).transpose(2, 0, 1).ravel())
        case layers.Activation() if activations.get(layer.activation).elementwise and shape == x.shape:
            keep(**{_LEARNED[key]: x(value) for key, value in params.items()})
            return x
        case layers.Dense() | layers.Maxout():
            keep(weight=x(params["weight"]).T)
        case layers.Conv2D():
            keep(weight=params["weight"].transpose(3, 2, 0, 1))
        case Embedding() if x.order is None:
            keep(**{f"{column}.weight": values["weight"] for column, values in params.items()})
        case _ if x.order is not None:
            raise _out_of_order(name, layer)
        case _ if type(layer).__module__.split(".")[0] != "chainrule":  # a layer of one's own
            keep(**{".".join(path): leaf for path, leaf in tree.leaves_with_path({**params, **state})})
            return _Features(shape)
    if "bias" in params:
        keep(bias=params["bias"])
    function = activations.get(getattr(layer, "activation", None))
    for key in set(params) & set(_LEARNED):
        weights[f"{name}_{function.name}.{_LEARNED[key]}"] = params[key]
    return _Features(shape)


def _out_of_order(name: str, layer: layers.Layer) -> SettingError:
    return SettingError(
        f"{name or 'The network'}: {type(layer).__name__} gets (or gives) the values of images in a row, which PyTorch "
        "has in another order (channels first), and no reordering of weights makes up for it. Put a Dense layer after "
        "Flatten, or GlobalAvgPool2D in its place."
    )
