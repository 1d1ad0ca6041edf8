"""The workloads of the speed benchmark: one description of each, from which every side builds its own.

A network is a tuple of layers: ("dense", units, activation), ("conv", filters, size, padding, activation), ("pool",),
("norm_conv", filters) (convolution, batch norm, ReLU), ("block", filters, stride) (a basic residual block), ("mean",)
(over the image), ("flatten",). Its last layer gives logits; the cost is softmax with cross-entropy. Weights start
from Glorot's uniform law and biases from 0, on all sides; Adam has its usual β₁ 0.9, β₂ 0.999, ε 1e-8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MLP_30 = (("dense", 30, "sigmoid"), ("dense", 10, None))
MLP_128 = (("dense", 128, "relu"), ("dense", 10, None))
MLP_512 = (("dense", 512, "relu"), ("dense", 512, "relu"), ("dense", 10, None))
CNN = (
    ("conv", 32, 3, "valid", "relu"),
    ("pool",),
    ("conv", 64, 3, "valid", "relu"),
    ("pool",),
    ("flatten",),
    ("dense", 128, "relu"),
    ("dense", 10, None),
)
RESNET = (
    ("norm_conv", 16),
    ("block", 16, 1),
    ("block", 16, 1),
    ("block", 32, 2),
    ("block", 32, 1),
    ("block", 64, 2),
    ("block", 64, 1),
    ("mean",),
    ("dense", 10, None),
)
FLAT, IMAGE, COLOUR = (784,), (28, 28, 1), (32, 32, 3)
ADAM = ("adam", 0.001)

#: Rows of the file that the streaming row reads: 4 GB of float32.
STREAM_ROWS = 4_000_000_000 // (4 * FLAT[0]) // 128 * 128


@dataclass(frozen=True)
class Workload:
    """What is done, on what, and what it is compared with.

    `targets` are the peers, each with the least ratio wanted of its time over chainrule's.
    """

    title: str
    task: str  # "train", "predict", "process", "stream" or "overhead"
    targets: dict[str, float]
    layers: tuple[Any, ...] = ()
    shape: tuple[int, ...] = FLAT
    optimizer: tuple[Any, ...] = ADAM
    batch: int = 128
    images: int = 0
    epochs: int = 4  # calls, for "predict"; the first is not counted
    ours: dict[str, Any] = field(default_factory=dict)  # what the chainrule side is told
    tolerance: float = 0.15  # by how much the costs of the last epoch may differ

    @property
    def steps(self) -> int:
        """Steps in an epoch; a prediction is one."""
        return self.images // self.batch if self.task != "predict" else 1

    @property
    def unit(self) -> str:
        """What is timed."""
        return {"predict": "call", "process": "process"}.get(self.task, "step")

    @property
    def convolves(self) -> bool:
        """Whether there are images in it."""
        return len(self.shape) == 3


def trains(title: str, targets: dict[str, float], **words: Any) -> Workload:
    """A training workload: on MNIST, beside the two other packages on JAX."""
    return Workload(title, "train", targets | {"keras": 1.0, "flax": 1.0}, **words)


def overhead(variant: str, what: str) -> Workload:
    """What happens between and beside the steps of 784-128-10, beside the bare loop: at most 3 % more time."""
    return Workload(
        f"784-128-10 as above: {what}, beside the bare loop",
        "overhead",
        {"bare": 1 / 1.03},
        layers=MLP_128,
        batch=32,
        images=32_000,
        epochs=6,
        ours={"variant": variant},
    )


WORKLOADS = {
    "mlp30": trains(
        "784-30-10 sigmoid, softmax, SGD, batch 10",
        {"nielsen": 20.0, "torch": 6.0},
        layers=MLP_30,
        optimizer=("sgd", 0.5, 0.0),
        batch=10,
        images=20_000,
    ),
    "mlp128": trains(
        "784-128-10 ReLU, Adam, batch 32",
        {"torch": 2.5, "sklearn": 4.0},
        layers=MLP_128,
        batch=32,
        images=32_000,
    ),
    "mlp512": trains(
        "784-512-512-10 ReLU, Adam, batch 128",
        {"torch": 1.5, "roofline": 0.6},
        layers=MLP_512,
        images=38_400,
    ),
    "cnn": trains(
        "two conv 3×3 (32, 64), pools, dense 128, Adam, batch 128",
        {"torch": 1.5},
        layers=CNN,
        shape=IMAGE,
        images=3_840,
    ),
    "resnet": trains(
        "residual network 16-32-64, batch norm, 32×32×3, SGD momentum 0.9, batch 128",
        {"torch": 1.0},
        layers=RESNET,
        shape=COLOUR,
        optimizer=("sgd", 0.05, 0.9),
        images=1_024,
        epochs=3,
        tolerance=0.25,
    ),
    "predict_mlp": Workload(
        "prediction of 10,000 images, 784-512-512-10",
        "predict",
        {"torch": 1.0},
        layers=MLP_512,
        images=10_000,
        epochs=30,
    ),
    "predict_cnn": Workload(
        "prediction of 10,000 images, the convolutional network above",
        "predict",
        {"torch": 1.0},
        layers=CNN,
        shape=IMAGE,
        images=10_000,
        epochs=8,
    ),
    "digits": Workload("`chainrule train digits`, cold process to saved model", "process", {"digits_torch": 1 / 0.6}),
    "callbacks": overhead("callbacks", "the loop with callbacks"),
    "probes": overhead("probes", "per-layer probes every 50 steps"),
    "stream": Workload(
        "4 GB of memory-mapped features, 784-512-512-10, Adam, batch 128, beside the same in memory",
        "stream",
        {"memory": 0.8},
        layers=MLP_512,
        images=STREAM_ROWS,
        epochs=2,
        ours={"variant": "stream"},
    ),
}


def arrays(workload: Workload, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images of a workload in its shape, and their labels."""
    rows = 1280 if workload.task == "stream" else workload.images  # there only to warm up
    x = np.array(np.load(folder / "x.npy", mmap_mode="r")[:rows])
    y = np.load(folder / "y.npy")[:rows]
    if workload.shape == COLOUR:
        x = np.pad(x.reshape(-1, *IMAGE), ((0, 0), (2, 2), (2, 2), (0, 0)))
        return np.ascontiguousarray(np.repeat(x, 3, axis=3)), y
    return x.reshape(-1, *workload.shape), y


def glorot(fan_in: int, fan_out: int) -> float:
    """The bound of the uniform law that weights start from."""
    return math.sqrt(6.0 / (fan_in + fan_out))


def save_mnist(folder: Path) -> None:
    """Write MNIST's training images, flat and between 0 and 1, and their labels, for every side to load."""
    import chainrule as cr

    data = cr.data.load("mnist")
    np.save(folder / "x.npy", np.asarray(data.x, np.float32).reshape(len(data.x), -1))
    np.save(folder / "y.npy", np.asarray(data.y, np.int64))


def save_large(folder: Path) -> None:
    """Write the files of the streaming row: MNIST's images again and again, with noise, block by block."""
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    rng = np.random.default_rng(0)
    features = np.lib.format.open_memmap(folder / "large_x.npy", "w+", np.float32, (STREAM_ROWS, FLAT[0]))
    labels = np.lib.format.open_memmap(folder / "large_y.npy", "w+", np.int64, (STREAM_ROWS,))
    for start in range(0, STREAM_ROWS, 20_000):
        rows = rng.integers(0, len(x), min(20_000, STREAM_ROWS - start))
        features[start : start + len(rows)] = x[rows] + np.float32(0.1) * rng.random((len(rows), 1), np.float32)
        labels[start : start + len(rows)] = y[rows]
