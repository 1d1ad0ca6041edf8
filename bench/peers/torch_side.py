"""The workloads in PyTorch: data in one tensor, shuffled once per epoch; denormals flushed to zero."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from side import Times, each_call, each_epoch, main
from torch import nn
from torch.nn import functional as F
from workloads import Workload

ACTIVATIONS = {"relu": [nn.ReLU()], "sigmoid": [nn.Sigmoid()], None: []}


class Residual(nn.Module):
    def __init__(self, filters: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*norm_conv(filters, 3, stride), nn.ReLU(), *norm_conv(filters, 3))
        self.shortcut = nn.Sequential(*norm_conv(filters, 1, stride)) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.shortcut(x) + self.body(x))


def norm_conv(filters: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.LazyConv2d(filters, size, stride, padding=size // 2, bias=False),
        nn.LazyBatchNorm2d(),
    ]


def layer(described: tuple[Any, ...]) -> list[nn.Module]:
    """The layers of a description."""
    match described:
        case "dense", units, activation:
            return [nn.LazyLinear(units), *ACTIVATIONS[activation]]
        case "conv", filters, size, padding, activation:
            return [nn.LazyConv2d(filters, size, padding=padding), *ACTIVATIONS[activation]]
        case ("pool",):
            return [nn.MaxPool2d(2)]
        case ("flatten",):
            return [nn.Flatten()]
        case ("mean",):
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case "norm_conv", filters:
            return [*norm_conv(filters, 3), nn.ReLU()]
        case "block", filters, stride:
            return [Residual(filters, stride)]
    raise ValueError(described)


def network(workload: Workload, x: torch.Tensor) -> nn.Module:
    net = nn.Sequential(*(part for described in workload.layers for part in layer(described)))
    net(x[:2])  # gives lazy layers their shapes
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return net


def optimizer(workload: Workload, net: nn.Module, fused: bool) -> torch.optim.Optimizer:
    match workload.optimizer:
        case "adam", lr:
            return torch.optim.Adam(net.parameters(), lr=lr, fused=fused, foreach=False)
        case "sgd", lr, momentum:
            return torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum, fused=fused, foreach=False)
    raise ValueError(workload.optimizer)


def set_up(workload: Workload, x: np.ndarray, job: SimpleNamespace) -> tuple[torch.Tensor, nn.Module]:
    """The images and the network, both in the memory format asked for."""
    torch.manual_seed(job.seed)
    torch.set_num_threads(job.threads)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("highest")
    images, form = torch.from_numpy(x), torch.preserve_format
    if workload.convolves:
        form = torch.channels_last if job.channels_last else torch.contiguous_format
        images = images.permute(0, 3, 1, 2).contiguous(memory_format=form)
    net = network(workload, images)
    return images, net.to("cuda" if job.device == "gpu" else "cpu", memory_format=form)


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    images, net = set_up(workload, x, job)
    device = next(net.parameters()).device
    images, labels = images.to(device), torch.from_numpy(y).to(device)
    moves = optimizer(workload, net, job.fused)

    def cost(xb: torch.Tensor, yb: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(net(xb), yb)

    if job.compile:
        cost = torch.compile(cost, mode=job.compile)

    def epoch(rows: np.ndarray) -> float:
        order = torch.from_numpy(rows.ravel()).to(device)
        costs = []
        for xb, yb in zip(images[order].split(workload.batch), labels[order].split(workload.batch), strict=True):
            value = cost(xb, yb)
            value.backward()
            moves.step()
            moves.zero_grad()
            costs.append(value.detach().clone() if job.compile else value.detach())
        return float(torch.stack(costs).mean())

    return each_epoch(epoch, workload, job)


def predict(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    images, net = set_up(workload, x, job)
    device = next(net.parameters()).device
    net.eval()
    forward = torch.compile(net, mode=job.compile) if job.compile else net

    @torch.inference_mode()
    def call() -> np.ndarray:
        parts = [F.softmax(forward(part.to(device)), dim=1) for part in images.split(job.block)]
        return torch.cat(parts).cpu().numpy()

    return each_call(call, job)


if __name__ == "__main__":
    main(train=train, predict=predict)
