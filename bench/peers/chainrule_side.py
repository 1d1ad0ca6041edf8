"""The workloads in chainrule, through its public API only."""

from __future__ import annotations

import resource
import statistics
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from side import Times, each_call, main
from workloads import Workload

import chainrule as cr

INIT = "glorot_uniform"


def layer(described: tuple[Any, ...]) -> list[cr.layers.Layer]:
    """The layers of a description."""
    match described:
        case "dense", units, activation:
            return [cr.Dense(units, activation or "softmax", init=INIT)]
        case "conv", filters, size, padding, activation:
            return [cr.Conv2D(filters, size, activation, padding=padding, init=INIT)]
        case ("pool",):
            return [cr.MaxPool2D(2, padding="valid")]
        case ("flatten",):
            return [cr.Flatten()]
        case ("mean",):
            return [cr.GlobalAvgPool2D()]
        case "norm_conv", filters:
            return [*norm_conv(filters, 3), cr.Activation("relu")]
        case "block", filters, stride:
            can_pad = cr.Sequential(*norm_conv(filters, 1, stride)) if stride > 1 else None
            body = [*norm_conv(filters, 3, stride), cr.Activation("relu"), *norm_conv(filters, 3)]
            return [cr.Residual(*body, shortcut=can_pad), cr.Activation("relu")]
    raise ValueError(described)


def norm_conv(filters: int, size: int, stride: int = 1) -> list[cr.layers.Layer]:
    return [cr.Conv2D(filters, size, stride=stride, bias=False, init=INIT), cr.BatchNorm()]


def network(workload: Workload) -> cr.Sequential:
    return cr.Sequential(*(part for described in workload.layers for part in layer(described)))


def optimizer(workload: Workload) -> Any:
    match workload.optimizer:
        case "adam", lr:
            return cr.Adam(lr=lr)
        case "sgd", lr, momentum:
            return cr.SGD(lr=lr, momentum=momentum or None)
    raise ValueError(workload.optimizer)


def fit(workload: Workload, data: Any, epochs: int, seed: int, **words: Any) -> cr.Run:
    return cr.fit(
        network(workload),
        data,
        optimizer=optimizer(workload),
        epochs=epochs,
        batch_size=workload.batch,
        seed=seed,
        normalize=False,
        engine="jax",
        progress=False,
        **words,
    )


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    run = fit(workload, (x, y), job.epochs, job.seed)
    return run.history["seconds"], run.history["loss"][-1]


def predict(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    model = cr.Model(network(workload), workload.shape, seed=job.seed)
    return each_call(lambda: model.predict_proba(x, engine="jax"), job)


def callbacks() -> dict[str, Any]:
    """Two callbacks: one that looks at the metrics, and early stopping that watches and never stops."""

    def look(event: cr.Event) -> None:
        if event.metrics["loss"] < 0:
            raise AssertionError

    return {"callbacks": [look], "early_stopping": cr.EarlyStopping(patience=10**6, monitor="loss")}


def probes() -> dict[str, Any]:
    """Per-layer probes every 50 steps."""
    return {"probe_every": 50}


def overhead(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    """Epochs with everything that happens between them, beside the bare loop's, in alternation in this process.

    Between processes times differ by more than what is to be seen here. An epoch is the time of a long fit less that
    of a short one.
    """
    kinds = {"bare": dict, "chainrule": {"callbacks": callbacks, "probes": probes}[job.variant]}
    cost = 0.0

    def seconds(kind: str, epochs: int) -> float:
        nonlocal cost
        before = time.perf_counter()
        cost = fit(workload, (x, y), epochs, job.seed, **kinds[kind]()).history["loss"][-1]
        return time.perf_counter() - before

    cold = {kind: seconds(kind, 1) for kind in kinds}
    times = [{kind: (seconds(kind, 1), seconds(kind, 1 + job.epochs)) for kind in kinds} for _ in range(5)]
    epoch = {
        kind: (statistics.median(t[kind][1] for t in times) - statistics.median(t[kind][0] for t in times)) / job.epochs
        for kind in kinds
    }
    job.beside = {"bare": epoch["bare"] / workload.steps}
    return [cold["chainrule"], epoch["chainrule"]], cost


def stream(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    """Train on the large files; the peak of memory is given beside that of training on a few images."""
    folder = Path(job.data)
    fit(workload, (x, y), 1, job.seed)
    baseline = peak_gb()
    if job.variant == "stream":
        data = cr.data.stream(folder / "large_x.npy", folder / "large_y.npy")
    else:
        data = np.load(folder / "large_x.npy"), np.load(folder / "large_y.npy")
    run = fit(workload, data, job.epochs, job.seed)
    job.note = f"peak memory {peak_gb() - baseline:.2f} GB over the baseline of {baseline:.2f}"
    return run.history["seconds"], run.history["loss"][-1]


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main(train=train, predict=predict, overhead=overhead, stream=stream)
