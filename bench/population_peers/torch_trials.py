"""Random trials with Optuna and PyTorch, one after the other; several of these processes can share a study.

All images in one tensor, shuffled once per epoch; denormals flushed to zero; L2 as weight decay λ/n on weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rows import SPACE, CostEstimate, Told, main, mnist, scaled
from torch import nn
from torch.nn import functional as F

Epoch = Callable[[torch.Tensor, torch.Tensor], None]  # over images and labels that are in order


def network(std: float) -> nn.Sequential:
    """784-30-10: N(0, std²) for the first weights, N(0, 1/n_in) for the second, 0 for the biases."""
    net = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10))
    for layer, deviation in ((net[0], std), (net[2], 1 / math.sqrt(30))):
        nn.init.normal_(layer.weight, std=deviation)
        nn.init.zeros_(layer.bias)
    return net


def cost(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(net(x), y)


def by_loop(net: nn.Sequential, lr: float, decay: float, batch: int, job: SimpleNamespace) -> Epoch:
    """The usual loop: autograd, and an update that is PyTorch's own or written out."""
    weights, biases = ([p for p in net.parameters() if p.ndim == n] for n in (2, 1))
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases}]
    moves = torch.optim.SGD(groups, lr=lr, fused=job.update == "fused", foreach=job.update == "foreach")

    @torch.no_grad()
    def written_out() -> None:
        for weight in weights:
            weight.mul_(1 - lr * decay).sub_(weight.grad, alpha=lr)
        for bias in biases:
            bias.sub_(bias.grad, alpha=lr)

    update = written_out if job.update == "written out" else moves.step
    cost_of = COMPILED[job.compile]

    def epoch(x: torch.Tensor, y: torch.Tensor) -> None:
        for xb, yb in zip(x.split(batch), y.split(batch), strict=True):
            cost_of(net, xb, yb).backward()
            update()
            moves.zero_grad()

    return epoch


def by_program(net: nn.Sequential, lr: float, decay: float, batch: int, job: SimpleNamespace) -> Epoch:
    """Several steps in each call of a compiled function; settings are tensors, so that it is compiled once."""
    values = [p.detach() for p in net.parameters()]
    rate, shrink = torch.tensor(lr), torch.tensor(decay)

    def epoch(x: torch.Tensor, y: torch.Tensor) -> None:
        xs, ys = x.view(-1, job.steps, batch, x.shape[1]), y.view(-1, job.steps, batch)
        for xb, yb in zip(xs, ys, strict=True):
            COMPILED["program"](*values, xb, yb, rate, shrink)

    return epoch


def program(*given: torch.Tensor) -> None:
    """Steps of gradient descent on two layers, in place: forward, backward and update."""
    *values, xs, ys, lr, decay = given
    for i in range(len(xs)):

        def cost(w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(F.linear(torch.sigmoid(F.linear(xs[i], w1, b1)), w2, b2), ys[i])  # noqa: B023

        gradients = torch.func.grad(cost, argnums=(0, 1, 2, 3))(*values)
        for value, gradient in zip(values, gradients, strict=True):
            value.sub_(lr * (gradient + decay * value if value.ndim > 1 else gradient))


COMPILED = {  # when they are first called
    "eager": cost,
    "torch.compile": torch.compile(cost),
    "torch.compile with its C++ wrapper": torch.compile(cost, options={"cpp_wrapper": True}),
    "program": torch.compile(program, fullgraph=True, options={"cpp_wrapper": True}),
}


def trials(work: CostEstimate, job: SimpleNamespace) -> Told:
    """Trials of a study; those that are given first."""
    torch.manual_seed(job.seed)
    torch.set_num_threads(job.threads)
    torch.set_flush_denormal(True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    (x, y), (xv, yv) = ([torch.from_numpy(part) for part in pair] for pair in mnist(work, job))
    seconds: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        before = time.perf_counter()
        lr, l2, std = (trial.suggest_float(name, *bounds, log=True) for name, bounds in SPACE.items())
        net = network(std)
        make = by_program if job.compile == "program" else by_loop
        epoch = make(net, lr, l2 / len(x), work.batch, job)
        for _ in range(work.epochs):
            order = torch.randperm(len(x))
            epoch(x[order], y[order])
        with torch.inference_mode():
            accuracy = float((net(xv).argmax(1) == yv).float().mean())
        seconds.append(time.perf_counter() - before)
        return accuracy

    storage = JournalStorage(JournalFileBackend(job.study)) if job.study else None
    study = optuna.create_study(
        study_name="trials",
        storage=storage,
        sampler=optuna.samplers.RandomSampler(seed=None if storage else job.seed),
        direction="maximize",
        load_if_exists=True,
    )
    for settings in job.settings:
        study.enqueue_trial(settings)
    own: list[optuna.trial.FrozenTrial] = []
    study.optimize(objective, n_trials=job.units, callbacks=[lambda _, trial: own.append(trial)])
    counted = seconds if job.compile == "eager" else seconds[1:]  # the first trial compiles
    told = scaled(work, counted, [trial.value for trial in own], job.processes, settings=[t.params for t in own])
    told.more -= float(np.median(counted)) * (len(seconds) - len(counted))
    return told


if __name__ == "__main__":
    main(trials=trials)
