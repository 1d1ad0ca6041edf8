"""Learned vectors in the place of category numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import initializers
from chainrule.backprop import ops
from chainrule.backprop.tensor import unwrap
from chainrule.checks import is_whole
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError, ShapeError
from chainrule.initializers import Initializer
from chainrule.layers.base import Layer, Params, Shape, State
from chainrule.random import fold_in

#: Where "auto" stops, however many categories there are.
MOST_UNITS = 50


@dataclass(frozen=True)
class Embedding(Layer):
    """A learned vector for each category: the last features are codes c_j, and row c_j of W_j takes their place.

    From (batch, features) it makes (batch, features - k + Σ units), with k categories: first the features that are no
    codes, as they are, then one vector after the other. Codes are whole numbers from 0 to categories - 1; numbers
    between them are rounded, and those beyond go to the nearest code. A vector is learned like the weights of a `Dense`
    layer behind one-hot inputs, which this layer equals without ever making them: ∂C/∂W_j gets at row c_j the gradient
    of that sample's output, and ∂C/∂c_j is 0.

    Parameters
    ----------
    categories : how many categories each of the last features has
    units : the length of each one's vectors; "auto" takes min(50, round(1.6 n^0.56)) for n categories, fastai's rule
    init : initializer of the W_j, of shape (categories, units), with fan-in ``units``: with "lecun_normal" the vectors
        start with a length around 1, that of a one-hot row

    Raises
    ------
    ShapeError
        If a sample has fewer features than there are categories.
    SettingError
        If the inputs' data type cannot tell the codes apart (bfloat16 counts to 256 only, float32 to 2^24).

    Example
    -------
    Two numbers and one of five cities, which gets a vector of length 3:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> layer = cr.layers.Embedding((5,), (3,))
    >>> model = cr.Model(layer, input_shape=(3,))
    >>> model.params["embedding_1"]["column_1"]["weight"].shape, model.output_shape
    ((5, 3), (5,))
    >>> out = model.predict(np.array([[0.5, -1.0, 4.0]]))
    >>> bool((out[0, 2:] == model.params["embedding_1"]["column_1"]["weight"][4]).all())
    True

    Source: Guo and Berkhahn, "Entity embeddings of categorical variables" (2016); Howard and Gugger, "fastai: a layered
    API for deep learning" (2020), for the rule of "auto".
    """

    categories: tuple[int, ...]
    units: tuple[int, ...] | str = "auto"
    _: KW_ONLY
    init: str | Initializer = "lecun_normal"  # type: ignore[assignment]

    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_counts("categories", self.categories, "(12, 300)")
        if self.units != "auto":
            _check_counts("units", self.units, '(7, 39), or "auto"')
            if len(self.units) != len(self.categories):
                raise SettingError(
                    f"Embedding: units has {len(self.units)} numbers for {len(self.categories)} categories; give one "
                    'for each, or units="auto".'
                )
        initializers.get(self.init)

    @property
    def codes(self) -> int:  # type: ignore[override]
        return len(self.categories)

    @property
    def widths(self) -> tuple[int, ...]:
        """The length of each category's vectors.

        >>> import chainrule as cr
        >>> cr.layers.Embedding((2, 10, 100, 10_000)).widths
        (2, 6, 21, 50)
        """
        if isinstance(self.units, tuple):
            return self.units
        return tuple(min(MOST_UNITS, round(1.6 * n**0.56)) for n in self.categories)

    def build(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        k = len(self.categories)
        if len(shape) != 1 or shape[0] < k:
            raise ShapeError(
                f"Embedding takes samples with one axis whose last {k} features are codes, but one sample here has "
                f"shape {shape}."
            )
        make = initializers.get(self.init)
        params = {
            f"column_{j + 1}": {"weight": make(fold_in(key, j), (n, width), width, width)}
            for j, (n, width) in enumerate(zip(self.categories, self.widths, strict=True))
        }
        return params, {}, (shape[0] - k + sum(self.widths),)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        plain = x.shape[1] - len(self.categories)
        array = unwrap(x)  # the array itself: a code is a choice, and has no gradient
        self._check_precision(array.dtype)
        xp = namespace(array)
        parts = [x[:, :plain]] if plain else []
        for j, n in enumerate(self.categories):
            code = xp.clip(xp.rint(array[:, plain + j]), 0, n - 1).astype(np.int32)
            parts.append(ops.take(params[f"column_{j + 1}"]["weight"], code, axis=0))
        return ops.concatenate(parts, axis=1), state

    def _check_precision(self, dtype: Any) -> None:
        exact = 2 ** (_fraction_bits(dtype) + 1)
        if max(self.categories) - 1 > exact:
            raise SettingError(
                f"Embedding: {max(self.categories):,} categories, but {dtype} counts to {exact:,} only, and larger "
                'codes would run together. Use precision="float32", or fewer categories.'
            )


def _fraction_bits(dtype: Any) -> int:
    """Return the bits after the leading 1: whole numbers up to 2^(bits + 1) are exact."""
    if str(dtype) == "bfloat16":
        return 7
    return int(np.finfo(dtype).nmant) if np.dtype(dtype).kind == "f" else 62


def _check_counts(name: str, value: Any, example: str) -> None:
    whole = isinstance(value, tuple) and all(is_whole(n) and n > 0 for n in value)
    if not whole or not value:
        raise SettingError(
            f"Embedding: {name} must be whole numbers of at least 1 in a tuple, such as {example}; got {value!r}."
        )


__all__ = ["Embedding"]
