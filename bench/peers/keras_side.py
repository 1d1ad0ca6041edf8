"""The workloads in Keras 3 on JAX, with `Model.fit`."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from keras import layers
from side import Times, main
from workloads import Workload


def layer(described: tuple[Any, ...], x: Any) -> Any:
    """The result of a described layer."""
    match described:
        case "dense", units, activation:
            return layers.Dense(units, activation)(x)  # Glorot's uniform law is the default
        case "conv", filters, size, padding, activation:
            return layers.Conv2D(filters, size, padding=padding, activation=activation)(x)
        case ("pool",):
            return layers.MaxPooling2D(2)(x)
        case ("flatten",):
            return layers.Flatten()(x)
        case ("mean",):
            return layers.GlobalAveragePooling2D()(x)
        case "norm_conv", filters:
            return layers.ReLU()(norm_conv(x, filters, 3))
        case "block", filters, stride:
            body = norm_conv(layers.ReLU()(norm_conv(x, filters, 3, stride)), filters, 3)
            return layers.ReLU()(layers.add([norm_conv(x, filters, 1, stride) if stride > 1 else x, body]))
    raise ValueError(described)


def norm_conv(x: Any, filters: int, size: int, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def network(workload: Workload) -> keras.Model:
    x = inputs = keras.Input(workload.shape)
    for described in workload.layers:
        x = layer(described, x)
    return keras.Model(inputs, x)


def optimizer(workload: Workload) -> keras.optimizers.Optimizer:
    match workload.optimizer:
        case "adam", lr:
            return keras.optimizers.Adam(lr, epsilon=1e-8)
        case "sgd", lr, momentum:
            return keras.optimizers.SGD(lr, momentum=momentum)
    raise ValueError(workload.optimizer)


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.before)


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    keras.utils.set_random_seed(job.seed)
    net, clock = network(workload), Clock()
    net.compile(
        optimizer(workload),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
        steps_per_execution=job.steps_per_execution,
    )
    seen = net.fit(x, y, batch_size=workload.batch, epochs=job.epochs, verbose=0, callbacks=[clock])
    return clock.seconds, seen.history["loss"][-1]


if __name__ == "__main__":
    main(train=train)
