"""A sigmoid network in the style of Nielsen's book: backpropagation sample by sample, with vectors."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from side import Times, each_epoch, main
from workloads import Workload, glorot

Vectors = list[np.ndarray]


class Network:
    """Sigmoid layers, softmax outputs, and the log-likelihood cost; vectors are columns."""

    def __init__(self, sizes: list[int], rng: np.random.Generator, precision: str) -> None:
        self.weights = [
            rng.uniform(-1, 1, (n, m)).astype(precision) * np.dtype(precision).type(glorot(m, n))
            for m, n in pairwise(sizes)
        ]
        self.biases = [np.zeros((n, 1), precision) for n in sizes[1:]]
        self.cost = 0.0

    def update_mini_batch(self, batch: list[tuple[np.ndarray, np.ndarray]], lr: float) -> None:
        """One step of gradient descent."""
        nabla_b = [np.zeros_like(b) for b in self.biases]
        nabla_w = [np.zeros_like(w) for w in self.weights]
        for x, y in batch:
            delta_b, delta_w = self.backprop(x, y)
            nabla_b = [nb + db for nb, db in zip(nabla_b, delta_b, strict=True)]
            nabla_w = [nw + dw for nw, dw in zip(nabla_w, delta_w, strict=True)]
        self.weights = [w - (lr / len(batch)) * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - (lr / len(batch)) * nb for b, nb in zip(self.biases, nabla_b, strict=True)]

    def backprop(self, x: np.ndarray, y: np.ndarray) -> tuple[Vectors, Vectors]:
        """The gradients of one sample's cost: biases, weights."""
        activation, activations = x, [x]
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activation = 1.0 / (1.0 + np.exp(-(np.dot(w, activation) + b)))
            activations.append(activation)
        z = np.dot(self.weights[-1], activation) + self.biases[-1]
        output = np.exp(z - z.max())
        output /= output.sum()
        self.cost -= float(np.log(output[y == 1][0]))
        delta = output - y
        nabla_b, nabla_w = [delta], [np.dot(delta, activations[-1].T)]
        for layer in range(len(self.weights) - 1, 0, -1):
            a = activations[layer]
            delta = np.dot(self.weights[layer].T, delta) * a * (1 - a)
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, activations[layer - 1].T))
        return nabla_b, nabla_w


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    net = Network([784, *(layer[1] for layer in workload.layers)], np.random.default_rng(job.seed), job.precision)
    columns = x.astype(job.precision)[:, :, None]
    targets = np.eye(10, dtype=job.precision)[y][:, :, None]
    samples = list(zip(columns, targets, strict=True))

    def epoch(rows: np.ndarray) -> float:
        net.cost = 0.0
        for batch in rows:
            net.update_mini_batch([samples[row] for row in batch], workload.optimizer[1])
        return net.cost / rows.size

    return each_epoch(epoch, workload, job)


if __name__ == "__main__":
    main(train=train)
