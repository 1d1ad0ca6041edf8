"""Layers made of layers: one after the other, around a shortcut, or side by side."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from chainrule import activations
from chainrule.activations import Activation
from chainrule.backprop import mark, ops, scope
from chainrule.errors import ChainruleError, SettingError, ShapeError
from chainrule.layers.base import Layer, Params, Shape, State
from chainrule.layers.dense import Dense
from chainrule.random import fold_in
from chainrule.settings import replace


@dataclass(frozen=True, init=False, repr=False)
class _Container(Layer):
    """Layers given one by one, or as a list; each gets a name from its kind: dense_1, dense_2, …"""

    layers: tuple[Layer, ...]

    def __init__(self, *args: Any, layers: Any = None) -> None:
        items = tuple(layers if layers is not None else args)
        if len(items) == 1 and isinstance(items[0], list | tuple):
            items = tuple(items[0])
        for at, layer in enumerate(items):
            if not isinstance(layer, Layer):
                hint = f" Call it: {layer.__name__}(...)." if isinstance(layer, type) else ""
                raise SettingError(
                    f"{type(self).__name__}: item {at} must be a layer, got {layer!r} ({type(layer).__name__}).{hint}"
                )
        object.__setattr__(self, "layers", items)

    @property
    def random(self) -> bool:  # type: ignore[override]
        return any(layer.random for layer in self.layers)

    @property
    def codes(self) -> int:  # type: ignore[override]
        """Those of any layer that gets the input of the container."""
        return max((layer.codes for layer in self.layers), default=0)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each layer, under which its parameters are found."""
        counts: dict[str, int] = {}
        names = []
        for layer in self.layers:
            counts[layer.name] = counts.get(layer.name, 0) + 1
            names.append(f"{layer.name}_{counts[layer.name]}")
        return tuple(names)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, at: int) -> Layer:
        return self.layers[at]

    def fit_init(self, activation: Activation | None) -> Layer:
        return self._with_layers(tuple(layer.fit_init(activation) for layer in self.layers))

    def next_activation(self, activation: Activation | None) -> Activation | None:
        """Return that of all layers that get the same input, if it is the same one."""
        first, *others = (layer.next_activation(activation) for layer in self.layers) if self.layers else (activation,)
        return first if all(other == first for other in others) else None

    def _with_layers(self, layers: tuple[Layer, ...]) -> Self:
        """Return the same container of layers that have the same names."""
        new = copy.copy(self)
        object.__setattr__(new, "layers", layers)
        return new

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _arguments(self) -> list[str]:
        return [repr(layer) for layer in self.layers]

    def _build(self, at: int, key: Any, shape: Shape, params: Params, state: State) -> Shape:
        """Build one layer, put its values under its name, and return its output shape."""
        layer, name = self.layers[at], self.names[at]
        try:
            built = layer.build(fold_in(key, at), tuple(shape))
        except ChainruleError as error:
            raise type(error)(f"{name}: {error}") from None
        except MemoryError as error:
            raise SettingError(
                f"{name}: there is not enough memory for the weights of {layer} on samples of shape {tuple(shape)}: "
                f"{error}. Give it fewer units, or samples with fewer values."
            ) from None
        if not isinstance(built, tuple) or len(built) != 3:
            raise SettingError(
                f"{name}: {type(layer).__name__}.init must return (parameters, state, output shape), got {built!r}."
            )
        layer_params, layer_state, shape = built
        if layer_params:
            params[name] = layer_params
        if layer_state:
            state[name] = layer_state
        return tuple(shape)

    def _apply(self, at: int, params: Params, state: State, new: State, x: Any, key: Any, train: bool) -> Any:
        """Apply one layer to x; its new state goes to ``new``."""
        layer, name = self.layers[at], self.names[at]
        layer_key = fold_in(key, at) if train and key is not None and layer.random else None
        with scope(name):
            try:
                result = layer.apply(params.get(name, {}), state.get(name, {}), x, key=layer_key, train=train)
            except ShapeError as error:
                raise ShapeError(f"{name}: {error}") from None
            if not isinstance(result, tuple) or len(result) != 2:
                raise SettingError(
                    f"{name}: {type(layer).__name__}.apply must return (output, state), got {type(result).__name__}."
                )
            x, layer_state = result
            mark(x, "output")
        if layer_state:
            new[name] = layer_state
        return x


class Sequential(_Container):
    """Layers one after the other.

    >>> import chainrule as cr
    >>> net = cr.Sequential(cr.Dense(30, "sigmoid"), cr.Dense(10, "softmax"))
    >>> net.names
    ('dense_1', 'dense_2')
    """

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        params: Params = {}
        state: State = {}
        fitted = self.fit_init(None)
        for at in range(len(self.layers)):
            shape = fitted._build(at, key, shape, params, state)
        return params, state, shape

    @property
    def codes(self) -> int:  # type: ignore[override]
        return next((layer.codes for layer in self.layers if not layer.transparent), 0)

    def fit_init(self, activation: Activation | None) -> Self:
        fitted: list[Layer] = []
        for layer in reversed(self.layers):
            fitted.insert(0, layer.fit_init(activation))
            activation = layer.next_activation(activation)
        return self._with_layers(tuple(fitted))

    def next_activation(self, activation: Activation | None) -> Activation | None:
        for layer in reversed(self.layers):
            activation = layer.next_activation(activation)
        return activation

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        new: State = {}
        for at in range(len(self.layers)):
            x = self._apply(at, params, state, new, x, key, train)
        return x, new


@dataclass(frozen=True, init=False, repr=False)
class Residual(_Container):
    """Layers with a shortcut around them: y = x + layers(x) (He et al., 2015).

    The layers must keep the shape of their input. Where they change it, the shortcut gets a layer of its own:
    y = shortcut(x) + layers(x).

    >>> import chainrule as cr
    >>> block = cr.Residual(cr.Conv2D(8, 3, stride=2), cr.BatchNorm(), shortcut=cr.Conv2D(8, 1, stride=2))
    >>> cr.Model(block, input_shape=(28, 28, 1)).output_shape
    (14, 14, 8)
    """

    shortcut: Layer | None = None

    def __init__(self, *args: Any, layers: Any = None, shortcut: Layer | None = None) -> None:
        super().__init__(*args, layers=layers)
        object.__setattr__(self, "shortcut", shortcut)

    def _arguments(self) -> list[str]:
        return [*super()._arguments(), *([f"shortcut={self.shortcut!r}"] if self.shortcut is not None else [])]

    @property
    def _body(self) -> Sequential:
        return Sequential(layers=self.layers)

    @property
    def random(self) -> bool:  # type: ignore[override]
        return self._body.random or (self.shortcut is not None and self.shortcut.random)

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        params, state, out = self._body.init(key, shape)
        around = shape
        if self.shortcut is not None:
            values = self.shortcut.build(fold_in(key, len(self.layers)), shape)
            around = values[2]
            params |= {"shortcut": values[0]} if values[0] else {}
            state |= {"shortcut": values[1]} if values[1] else {}
        if tuple(around) != tuple(out):
            raise ShapeError(
                f"Residual adds its input to its layers' output, but their shapes differ: {tuple(around)} and {out}. "
                "Keep the shape, or give a layer that changes the input likewise: "
                f"Residual(..., shortcut=Conv2D({out[-1]}, 1, stride=...)) or shortcut=Dense({out[-1]})."
            )
        return params, state, out

    @property
    def codes(self) -> int:  # type: ignore[override]
        return max(self._body.codes, self.shortcut.codes if self.shortcut is not None else 0)

    def fit_init(self, activation: Activation | None) -> Self:
        """Resolve ``init`` in both ways: they lead to what follows the sum."""
        fitted = self._with_layers(self._body.fit_init(activation).layers)
        if self.shortcut is not None:
            object.__setattr__(fitted, "shortcut", self.shortcut.fit_init(activation))
        return fitted

    def next_activation(self, activation: Activation | None) -> Activation | None:
        return self._body.next_activation(activation)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        y, new = self._body.apply(params, state, x, key=key, train=train)
        if self.shortcut is None:
            return x + y, new
        at = len(self.layers)
        shortcut_key = fold_in(key, at) if train and key is not None and self.shortcut.random else None
        with scope("shortcut"):
            around, shortcut_state = self.shortcut.apply(
                params.get("shortcut", {}), state.get("shortcut", {}), x, key=shortcut_key, train=train
            )
        return around + y, new | ({"shortcut": shortcut_state} if shortcut_state else {})


class Concat(_Container):
    """The same input through each layer, the results side by side along the last axis.

    >>> import chainrule as cr
    >>> both = cr.Concat(cr.Conv2D(8, 1), cr.Conv2D(16, 3))
    >>> cr.Model(both, input_shape=(28, 28, 1)).output_shape
    (28, 28, 24)
    """

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        params: Params = {}
        state: State = {}
        shapes = [self._build(at, key, shape, params, state) for at in range(len(self.layers))]
        if not shapes:
            raise ShapeError("Concat needs at least one layer.")
        if len({s[:-1] for s in shapes}) > 1:
            raise ShapeError(f"Concat joins the last axis, but the results have the shapes {shapes}.")
        return params, state, (*shapes[0][:-1], sum(s[-1] for s in shapes))

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        new: State = {}
        parts = [self._apply(at, params, state, new, x, key, train) for at in range(len(self.layers))]
        return ops.concatenate(parts, axis=-1), new


def mlp(
    sizes: list[int] | tuple[int, ...],
    hidden: str | Activation = "relu",
    output: str | Activation | None = "softmax",
    **settings: Any,
) -> Sequential:
    """Return a fully connected network: ``sizes`` are the inputs, the hidden layers and the outputs.

    Further settings (``init``, ``bias``, ``bias_init``) go to every `Dense` layer.

    >>> import chainrule as cr
    >>> cr.Model(cr.mlp([784, 30, 10], hidden="sigmoid"), input_shape=(784,)).count()
    23860
    """
    if len(sizes) < 2:
        raise SettingError(f"mlp needs the number of inputs and of outputs at least, got {list(sizes)}.")
    last = len(sizes) - 2
    return Sequential(
        *(
            Dense(n, output if i == last else hidden, inputs=sizes[0] if i == 0 else None, **settings)
            for i, n in enumerate(sizes[1:])
        )
    )


def split_output(net: Layer) -> tuple[Layer, Activation]:
    """Return the network with a linear output, and the activation taken from its last layer.

    A loss that has a fused rule for this activation works on the values before it. Only softmax and sigmoid
    are taken out (for others there is nothing to fuse); the layers' names stay as they were.
    """
    path, layer = "", net
    while isinstance(layer, Sequential) and layer.layers:
        path += f"layers.{len(layer) - 1}."
        layer = layer[-1]
    activation = activations.get(getattr(layer, "activation", None))
    if activation.name not in ("softmax", "sigmoid") or activation != type(activation)():
        return net, activations.get(None)
    return replace(net, path + "activation", "linear"), activation


__all__ = ["Concat", "Residual", "Sequential", "mlp", "split_output"]
