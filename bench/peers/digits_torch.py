"""The job of `chainrule train digits` as a PyTorch script: its default preset, from the data to a saved model.

python bench/peers/digits_torch.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

EPOCHS, BATCH, TEST, VALIDATION = 30, 16, 0.2, 0.1


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # faster than two for a network of this size
    torch.set_flush_denormal(True)
    folder.mkdir(parents=True)
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    test, validation, train = (
        np.concatenate(part) for part in zip(*(split(np.flatnonzero(y == label)) for label in range(10)), strict=True)
    )
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    features = torch.from_numpy((x - mean) / np.where(deviation > 0, deviation, 1))
    labels = torch.from_numpy(y)
    test, validation, train = (torch.from_numpy(rows) for rows in (test, validation, train))

    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    for layer in net[::2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, fused=True)

    @torch.inference_mode()
    def judge(rows: torch.Tensor) -> dict[str, float]:
        z = net(features[rows])
        right = (z.argmax(dim=1) == labels[rows]).float().mean()
        return {"loss": float(F.cross_entropy(z, labels[rows])), "accuracy": float(right)}

    for epoch in range(1, EPOCHS + 1):
        order = train[torch.randperm(len(train))]
        costs = []
        for xb, yb in zip(features[order].split(BATCH), labels[order].split(BATCH), strict=True):
            optimizer.zero_grad()
            cost = F.cross_entropy(net(xb), yb)
            cost.backward()
            optimizer.step()
            costs.append(cost.detach())
        print(epoch, float(torch.stack(costs).mean()), judge(validation))
    torch.save({"net": net.state_dict(), "mean": mean, "deviation": deviation}, folder / "model.pt")
    (folder / "result.json").write_text(json.dumps(judge(test)))
    print("test", judge(test))


def split(rows: np.ndarray) -> list[np.ndarray]:
    """The rows of one class for the test, for validation and for training."""
    rows = np.random.default_rng(0).permutation(rows)
    test = round(TEST * len(rows))
    return np.split(rows, [test, test + round(VALIDATION * (len(rows) - test))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
