"""Networks whose weights the lectures give: logic gates, XOR, and an adder made of NAND gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.checks import check_name
from chainrule.errors import DataError
from chainrule.layers import Dense, Layer, Sequential
from chainrule.models.model import Model

#: Weights (bias first) of the gates of lecture 004: 1 in front of the inputs, then σ.
GATES = {
    "and": (-30.0, 20.0, 20.0),
    "or": (-10.0, 20.0, 20.0),
    "not": (10.0, -20.0),
    "nor": (10.0, -20.0, -20.0),
    "nand": (30.0, -20.0, -20.0),
}


def gate(name: str, activation: str = "sigmoid") -> Model:
    """Return a neuron that computes a logic function: "and", "or", "not", "nor" (lecture 004), "nand" (lecture 003).

    With ``activation="step"`` it is the threshold neuron of lecture 003.

    >>> import chainrule as cr
    >>> cr.networks.gate("and").predict([[0, 0], [0, 1], [1, 0], [1, 1]]).tolist()
    [0, 0, 0, 1]
    """
    check_name("gate", name, GATES)
    bias, *weights = GATES[name]
    return _with_weights([Dense(1, activation)], [(np.array(weights)[:, None], [bias])])


def xnor(activation: str = "sigmoid") -> Model:
    """Make XNOR from AND, NOR and OR in two layers (lecture 004); one neuron alone cannot compute it.

    >>> import chainrule as cr
    >>> cr.networks.xnor().predict([[0, 0], [0, 1], [1, 0], [1, 1]]).tolist()
    [1, 0, 0, 1]
    """
    (b1, *w1), (b2, *w2), (b3, *w3) = GATES["and"], GATES["nor"], GATES["or"]
    hidden = (np.array([w1, w2]).T, [b1, b2])
    return _with_weights([Dense(2, activation), Dense(1, activation)], [hidden, (np.array(w3)[:, None], [b3])])


def xor() -> Model:
    """Make XOR with ReLU and the weights of lecture 003: W₁ = [[1, 1], [1, 1]], b₁ = [0, -1], w₂ = [1, -2], b₂ = 0.

    The hidden layer maps the four points so that one line separates them; the output is max(0, x W₁ + b₁) w₂ + b₂.
    (The lecture prints max(0, w + b); w x + b is meant.)

    >>> import chainrule as cr
    >>> cr.networks.xor().predict([[0, 0], [0, 1], [1, 0], [1, 1]]).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    return _with_weights(
        [Dense(2, "relu"), Dense(1)],
        [(np.ones((2, 2)), [0.0, -1.0]), (np.array([[1.0], [-2.0]]), [0.0])],
    )


def add(a: Any, b: Any, bits: int = 8) -> np.ndarray:
    """Compute a + b of whole numbers with nothing but NAND neurons (lecture 003's addition circuit).

    Parameters
    ----------
    a, b : whole numbers from 0 to 2**bits - 1 (one, or arrays of them)
    bits : width of the adder; the result has bits + 1 bits

    >>> import chainrule as cr
    >>> int(cr.networks.add(19, 23))
    42
    """
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    for name, value in (("a", a), ("b", b)):
        if not np.issubdtype(value.dtype, np.integer) or np.any(value < 0) or np.any(value >= 2**bits):
            raise DataError(f"{name} must be whole numbers from 0 to {2**bits - 1} (bits={bits}), got {value}.")
    neuron = gate("nand", "step")

    def nand(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        pairs = np.stack([p.reshape(-1), q.reshape(-1)], axis=1)
        return neuron.predict(pairs).reshape(p.shape)

    carry = np.zeros(a.shape, int)
    total = np.zeros(a.shape, int)
    for bit in range(bits):
        p, q = (a >> bit) & 1, (b >> bit) & 1
        half, not_both = _xor(nand, p, q)
        digit, not_carried = _xor(nand, half, carry)
        carry = nand(not_both, not_carried)
        total = total + (digit << bit)
    return total + (carry << bits)


def _xor(nand: Any, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute XOR from four NANDs; the first of them, not (p and q), is what the carry needs."""
    both = nand(p, q)
    return nand(nand(p, both), nand(q, both)), both


def _with_weights(layers: list[Layer], weights: list[tuple[Any, Any]]) -> Model:
    params = {f"dense_{i}": {"weight": w, "bias": np.array(b)} for i, (w, b) in enumerate(weights, 1)}
    return Model(Sequential(layers), (weights[0][0].shape[0],), params=params)
