"""The lectures' network written by hand in NumPy: a witness that shares no code with chainrule.

Stochastic gradient descent on a sigmoid network with quadratic cost and N(0, 1) weights, the algorithm of Nielsen's
book (lecture 003: BP1-BP4), with all samples of a mini-batch in one matrix.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1/(1 + e^-z), written so that nothing overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def train(
    sizes: list[int],
    x: np.ndarray,
    labels: np.ndarray,
    x_test: np.ndarray,
    labels_test: np.ndarray,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    seed: int,
) -> float:
    """The test accuracy in percent after the last epoch."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)).astype(np.float32) for n, m in pairwise(sizes)]
    biases = [rng.normal(size=m).astype(np.float32) for m in sizes[1:]]
    targets = np.eye(sizes[-1], dtype=np.float32)[labels]
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            a = [x[rows]]
            for w, b in zip(weights, biases, strict=True):
                a.append(sigmoid(a[-1] @ w + b))
            delta = (a[-1] - targets[rows]) * a[-1] * (1 - a[-1])  # BP1
            for layer in reversed(range(len(weights))):
                w_gradient, b_gradient = a[layer].T @ delta, delta.sum(axis=0)  # BP4, BP3
                if layer:
                    delta = (delta @ weights[layer].T) * a[layer] * (1 - a[layer])  # BP2
                weights[layer] -= lr / len(rows) * w_gradient
                biases[layer] -= lr / len(rows) * b_gradient
    a_test = x_test
    for w, b in zip(weights, biases, strict=True):
        a_test = sigmoid(a_test @ w + b)
    return 100 * float(np.mean(a_test.argmax(axis=1) == labels_test))
