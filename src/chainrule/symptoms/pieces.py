"""A network taken apart: each layer with its values and the input that it gets, and a run in float64 to check it by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop import Tensor
from chainrule.backprop.tensor import unwrap
from chainrule.layers import Average, Concat, Layer, Residual, Sequential
from chainrule.losses import FunctionLoss, Loss, check_costs
from chainrule.models.values import cast
from chainrule.random import fold_in
from chainrule.recipe.state import Recipe, State, filled
from chainrule.recipe.step import Batch
from chainrule.settings import is_ours

__all__ = [
    "Piece",
    "PieceError",
    "Wide",
    "apply_piece",
    "is_own_code",
    "is_users_own",
    "loss_is_users_own",
    "loss_name",
    "pieces_of",
    "row_costs",
    "widened",
]


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer that contains no others, where it stands in a network.

    Attributes
    ----------
    name : its name, after those of the containers that it is in: "sequential_1/dense_2"
    layer, params, state : the layer and its values
    x, key : what it gets for a batch
    out : what it makes of it
    """

    name: str
    layer: Layer
    params: Any
    state: Any
    x: Any
    key: Any
    out: Any = None


class PieceError(Exception):
    """A layer that cannot be applied: ``piece`` is the layer, the cause of this error what it raised."""

    def __init__(self, piece: Piece) -> None:
        super().__init__(piece.name)
        self.piece = piece


def pieces_of(
    net: Layer, params: Any, state: Any, x: Any, *, key: Any = None, train: bool = False
) -> tuple[list[Piece], np.ndarray]:
    """Return the layers of a network with what each gets and makes of a batch, and the network's output.

    Raises `PieceError` where a layer fails.
    """
    pieces: list[Piece] = []

    def sequence(net: Any, params: Any, state: Any, x: Any, key: Any, path: str) -> Any:
        for at, (layer, name) in enumerate(zip(net.layers, net.names, strict=True)):
            x = apply(layer, params.get(name, {}), state.get(name, {}), x, _folded(key, at), path + name)
        return x

    def beside(net: Any, params: Any, state: Any, x: Any, key: Any, path: str) -> list[Any]:
        parts = enumerate(zip(net.layers, net.names, strict=True))
        return [
            apply(layer, params.get(name, {}), state.get(name, {}), x, _folded(key, at), path + name)
            for at, (layer, name) in parts
        ]

    def apply(layer: Layer, params: Any, state: Any, x: Any, key: Any, path: str) -> Any:
        inside = f"{path}/" if path else ""
        if type(layer) is Sequential:
            return sequence(layer, params, state, x, key, inside)
        if type(layer) is Residual:
            y = sequence(layer, params, state, x, key, inside)
            shortcut = layer.shortcut
            if shortcut is None:
                return x + y
            values = params.get("shortcut", {}), state.get("shortcut", {})
            return y + apply(shortcut, *values, x, _folded(key, len(layer.layers)), f"{inside}shortcut")
        if type(layer) is Concat:
            return np.concatenate(beside(layer, params, state, x, key, inside), axis=-1)
        if type(layer) is Average:
            parts = beside(layer, params, state, x, key, inside)
            return np.mean(np.stack(parts), axis=0)
        piece = Piece(path, layer, params, state, x, key if layer.random else None)
        try:
            out = np.asarray(unwrap(apply_piece(piece, params, x, train=train)))
        except Exception as error:
            raise PieceError(piece) from error
        pieces.append(dataclasses.replace(piece, out=out))
        return out

    with np.errstate(all="ignore"):
        out = apply(net, params, state, x, key, "")
    return pieces, out


def apply_piece(piece: Piece, params: Any, x: Any, *, train: bool) -> Any:
    """Return what a layer makes of an input, with other parameters; tensors stay tensors."""

    def wrap(values: Any) -> Any:
        return tree.map(lambda v: v if isinstance(v, Tensor) else Tensor(v), values)

    return piece.layer.apply(wrap(params), wrap(piece.state), wrap(x), key=piece.key, train=train)[0]


def is_users_own(piece: Piece) -> bool:
    """Return whether a layer, or its activation, is the user's own code."""
    activation = getattr(piece.layer, "activation", None)
    return not is_ours(type(piece.layer)) or is_own_code(activation)


def is_own_code(part: Any) -> bool:
    """Return whether a part of a run is code that does not belong to the package: a function or class of one's own."""
    if part is None or isinstance(part, str):
        return False
    return not is_ours(type(part)) or callable(getattr(part, "function", None))


def loss_name(loss: Loss) -> str:
    """Return what a loss is called: that of a plain function by the function's name."""
    return getattr(loss.function, "__name__", "loss") if isinstance(loss, FunctionLoss) else type(loss).__name__


def loss_is_users_own(loss: Loss) -> bool:
    """Return whether a loss is the user's own code."""
    return is_own_code(loss)


@dataclass(frozen=True, eq=False)
class Wide:
    """A moment of a run in float64, for a few rows, without augmentation: what exact checks are made on.

    Attributes
    ----------
    recipe : with its continuous settings in it
    params, model_state, batch : in float64
    key : a fixed one, so that dropout and the like draw the same numbers each time
    """

    recipe: Recipe
    params: Any
    model_state: Any
    batch: Batch
    key: Any


def widened(recipe: Recipe, state: State, batch: Batch, rows: int) -> Wide:
    """Return a moment of a run in float64, for the first rows of a batch."""
    recipe = dataclasses.replace(filled(recipe, state.settings), augment=None, compute=None, micro_batches=1)
    y = np.asarray(batch.y)[:rows]
    few = Batch(
        np.asarray(batch.x)[:rows].astype(np.float64),
        y.astype(np.float64) if y.dtype.kind == "f" else y,
        np.ones(min(rows, len(y))),
    )
    return Wide(recipe, cast(state.params, "float64"), cast(state.model_state, "float64"), few, random.key(0))


def row_costs(recipe: Recipe, out: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the cost of each row for outputs as the loss gets them; raises what the loss raises."""
    cost = recipe.loss.from_logits if recipe.fused else recipe.loss
    with np.errstate(all="ignore"):
        costs = check_costs(loss_name(recipe.loss), cost(Tensor(out), Tensor(y)), Tensor(out))
    return np.asarray(unwrap(costs), np.float64)


def _folded(key: Any, number: int) -> Any:
    return None if key is None else fold_in(key, number)
