"""Convolution and pooling layers, for images of shape (batch, height, width, channels)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from chainrule import activations, initializers
from chainrule.activations import Activation
from chainrule.backprop import ops
from chainrule.backprop.ops.convolution import check_fits, pair
from chainrule.engine.convolution import positions, resolve_padding
from chainrule.errors import SettingError
from chainrule.initializers import Initializer
from chainrule.layers.base import Layer, Params, Shape, State, activate, require_axes
from chainrule.layers.dense import check_count, fit_weights
from chainrule.random import split

Size = int | tuple[int, int]

IMAGES = "images (height, width, channels); gray images need a channel axis: x[..., None]"


@dataclass(frozen=True)
class Conv2D(Layer):
    """A convolution: z = kernels slid over the images + b, a = f(z).

    Images (batch, height, width, channels) become (batch, rows, columns, filters); the kernels have shape
    (kh, kw, channels, filters). See `cr.ops.conv2d` for the formula.

    Parameters
    ----------
    filters : number of kernels
    size : height and width of a kernel (one number for both)
    activation : name or object; None is linear
    stride, dilation : step of the window, and distance between the pixels it sees
    padding : "same" (⌈length / stride⌉ results) or "valid" (only where the kernel fits)
    init, bias, bias_init : as in `Dense`

    >>> import chainrule as cr
    >>> cr.Model(cr.Conv2D(8, 3, padding="valid"), input_shape=(28, 28, 1)).output_shape
    (26, 26, 8)
    """

    filters: int
    size: Size
    activation: str | Activation | None = None
    _: KW_ONLY
    stride: Size = 1
    padding: str = "same"
    dilation: Size = 1
    init: str | Initializer = "auto"  # type: ignore[assignment]
    bias: bool = True
    bias_init: str | Initializer = "zeros"

    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count(self, "filters", self.filters)
        check_window(self, self.padding, size=self.size, stride=self.stride, dilation=self.dilation)
        activations.get(self.activation)
        initializers.get(self.init, self.activation)
        initializers.get(self.bias_init)

    def build(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        require_axes(self, shape, 3, IMAGES)
        rows, columns = window_positions(self, shape, self.size, self.stride, self.padding, self.dilation)
        function = activations.get(self.activation)
        (kh, kw), width = pair(self.size), self.filters * function.pieces
        fan_in, fan_out = kh * kw * shape[2], kh * kw * width
        weight_key, bias_key = split(key, 2)
        make = initializers.get(self.init, self.activation)
        params = {"weight": make(weight_key, (kh, kw, shape[2], width), fan_in, fan_out)}
        if self.bias:
            params["bias"] = initializers.get(self.bias_init)(bias_key, (width,), fan_in, fan_out)
        params |= function.parameters(self.filters)
        return params, {}, (rows, columns, self.filters)

    def fit_init(self, activation: Activation | None) -> Layer:
        return fit_weights(self, activation)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        z = ops.conv2d(x, params["weight"], self.stride, self.padding, self.dilation)
        z = z + params["bias"] if self.bias else z
        return activate(self.activation, params, z), state


@dataclass(frozen=True)
class MaxPool2D(Layer):
    """The largest value under a sliding window; ``stride`` is the window's size unless given.

    >>> import chainrule as cr
    >>> cr.Model(cr.MaxPool2D(2), input_shape=(28, 28, 3)).output_shape
    (14, 14, 3)
    """

    size: Size = 2
    _: KW_ONLY
    stride: Size | None = None
    padding: str = "same"

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_window(self, self.padding, size=self.size, stride=self.stride or self.size)

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        require_axes(self, shape, 3, IMAGES)
        rows, columns = window_positions(self, shape, self.size, self.stride or self.size, self.padding)
        return {}, {}, (rows, columns, shape[2])

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        return ops.max_pool2d(x, self.size, self.stride, self.padding), state


@dataclass(frozen=True)
class AvgPool2D(MaxPool2D):
    """The mean value under a sliding window (the border does not count); settings as in `MaxPool2D`.

    >>> import chainrule as cr
    >>> cr.Model(cr.AvgPool2D(4), input_shape=(28, 28, 3)).output_shape
    (7, 7, 3)
    """

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        return ops.avg_pool2d(x, self.size, self.stride, self.padding), state


@dataclass(frozen=True)
class GlobalAvgPool2D(Layer):
    """The mean of each channel over the whole image: (batch, h, w, c) becomes (batch, c) (Lin et al., 2013).

    >>> import chainrule as cr
    >>> cr.Model(cr.GlobalAvgPool2D(), input_shape=(7, 7, 64)).output_shape
    (64,)
    """

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        require_axes(self, shape, 3, IMAGES)
        return {}, {}, shape[2:]

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        return ops.mean(x, axis=(1, 2)), state


def check_window(layer: Layer, padding: str, **sizes: Any) -> None:
    """Raise `SettingError` for a padding or a window setting that cannot be."""
    if padding not in ("same", "valid"):
        raise SettingError(f'{type(layer).__name__}: padding must be "same" or "valid", got {padding!r}.')
    for name, value in sizes.items():
        if isinstance(value, tuple) and len(value) != 2:
            raise SettingError(f"{type(layer).__name__}: {name} is one number or two (height, width), got {value!r}.")
        for number in value if isinstance(value, tuple) else (value,):
            check_count(layer, name, number)


def window_positions(
    layer: Layer, shape: Shape, size: Size, stride: Size, padding: str, dilation: Size = 1
) -> tuple[int, int]:
    """Return rows and columns of the result of sliding a window over images of a shape."""
    (kh, kw), (sh, sw), (dh, dw) = pair(size), pair(stride), pair(dilation)
    border = resolve_padding(padding, (shape[0], shape[1]), (kh, kw), (sh, sw), (dh, dw))
    check_fits(str(layer), (0, *shape), (kh, kw), (dh, dw), border)
    return (
        positions(shape[0] + sum(border[0]), kh, sh, dh),
        positions(shape[1] + sum(border[1]), kw, sw, dw),
    )
