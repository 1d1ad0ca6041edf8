"""Several networks on the same input, averaged; and what brings their inputs and outputs to one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.backprop import ops
from chainrule.errors import ShapeError
from chainrule.layers.base import Layer, Params, Shape, State
from chainrule.layers.containers import _Container


class Average(_Container):
    """The mean of what several layers (or whole networks) make of the same input: y = 1/M Σₘ layerₘ(x).

    Averaged softmax outputs are probabilities again, so networks that end in the same activation give an average that
    is read, judged and trained like one of them. In training every network receives 1/M of the gradient; networks that
    are to differ are trained on their own and then put together: `chainrule.ensemble`.

    Source: lecture 003, dropout as the average of several networks; Hansen and Salamon, "Neural network ensembles"
    (1990).

    Raises
    ------
    ShapeError
        If the results have different shapes, or there is no layer.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> both = cr.layers.Average(cr.Activation("relu"), cr.Activation("linear"))
    >>> cr.Model(both, input_shape=(2,)).predict(np.array([[-1.0, 3.0]]))
    array([[-0.5,  3. ]], dtype=float32)
    """

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        params: Params = {}
        state: State = {}
        shapes = [self._build(at, key, shape, params, state) for at in range(len(self.layers))]
        if not shapes:
            raise ShapeError("Average needs at least one layer.")
        if len(set(shapes)) > 1:
            raise ShapeError(f"Average takes the mean of results of one shape, but they have the shapes {shapes}.")
        return params, state, shapes[0]

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        new: State = {}
        total, *others = (self._apply(at, params, state, new, x, key, train) for at in range(len(self.layers)))
        for part in others:
            total = total + part
        return total / len(self.layers), new


@dataclass(frozen=True)
class Rescale(Layer):
    """y = scale · x + shift for each feature (or channel), with numbers that are given and not learned.

    They are part of the model's state, ``scale`` 1 and ``shift`` 0 at the start. `chainrule.ensemble` writes to them
    what brings data standardized in one way to the way in which a member was trained.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> numbers = {"rescale_1": {"scale": np.array([2.0, 1.0]), "shift": np.array([0.0, 5.0])}}
    >>> cr.Model(cr.layers.Rescale(), input_shape=(2,), state=numbers).predict(np.array([[3.0, 3.0]]))
    array([[6., 8.]], dtype=float32)
    """

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        return {}, {"scale": np.ones(shape[-1:]), "shift": np.zeros(shape[-1:])}, shape

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        kind = x.dtype
        wide = np.promote_types(kind, state["scale"].dtype)  # the numbers stay in float32 beside bfloat16 activations
        y = (x if kind == wide else ops.astype(x, wide)) * state["scale"] + state["shift"]
        return (y if kind == wide else ops.astype(y, kind)), state


__all__ = ["Average", "Rescale"]
