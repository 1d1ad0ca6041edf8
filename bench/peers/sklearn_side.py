"""The workloads of dense layers in scikit-learn: an epoch is one `partial_fit`."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
from side import Times, main
from sklearn.neural_network import MLPClassifier
from workloads import Workload


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    name, lr, *_ = workload.optimizer
    net = MLPClassifier(
        [units for _, units, _ in workload.layers[:-1]],
        activation=workload.layers[0][2],
        solver=name,
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=lr,
        random_state=job.seed,
    )
    seconds = []
    for _ in range(job.epochs):
        before = time.perf_counter()
        net.partial_fit(x, y, classes=range(10))
        seconds.append(time.perf_counter() - before)
    return seconds, float(net.loss_)


if __name__ == "__main__":
    main(train=train)
