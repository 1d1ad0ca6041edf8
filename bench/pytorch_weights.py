"""A convolutional network trained here, with its weights in PyTorch: are the outputs the same?

    python bench/pytorch_weights.py

Trains on the bundled digits, writes the weights with `chainrule.export.save_torch_weights`, loads them into the module
below with `load_state_dict` and compares the outputs for all images. Needs PyTorch, which is in the environment of
`make bench-speed`. Writes bench/results/pytorch_weights.md. The mapping is explained in docs/pytorch.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.export import save_torch_weights

RESULTS = Path(__file__).parent / "results" / "pytorch_weights.md"

NET = cr.Sequential(
    cr.Conv2D(8, 3, "relu"),
    cr.BatchNorm(),
    cr.Conv2D(16, 3, "prelu", stride=2),
    cr.Residual(cr.Conv2D(16, 3, "relu"), cr.BatchNorm()),
    cr.MaxPool2D(2),
    cr.Flatten(),
    cr.Dropout(0.2),
    cr.Dense(32, "gelu"),
    cr.LayerNorm(),
    cr.Dense(10, "softmax"),
)


def main() -> None:
    try:
        import torch
        from safetensors.torch import load_file
        from torch import nn
    except ImportError:
        print("Not run: it needs PyTorch (make bench-speed sets up an environment with it).")
        return

    class Standardized(nn.Module):
        """(x - mean) / deviation."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(channels, 1, 1))
            self.register_buffer("std", torch.ones(channels, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x - self.mean) / self.std

    class Net(nn.Module):
        """The same network; the attributes have the names of the layers."""

        def __init__(self) -> None:
            super().__init__()
            self.standardizer = Standardized(1)
            self.conv2d_1 = nn.Conv2d(1, 8, 3, padding="same")
            self.batch_norm_1 = nn.BatchNorm2d(8)
            self.conv2d_2 = nn.Conv2d(8, 16, 3, stride=2)
            self.conv2d_2_prelu = nn.PReLU(16)
            self.residual_1 = nn.ModuleDict(
                {"conv2d_1": nn.Conv2d(16, 16, 3, padding="same"), "batch_norm_1": nn.BatchNorm2d(16)}
            )
            self.dense_1 = nn.Linear(2 * 2 * 16, 32)
            self.layer_norm_1 = nn.LayerNorm(32)
            self.dense_2 = nn.Linear(32, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.batch_norm_1(torch.relu(self.conv2d_1(self.standardizer(x))))
            x = nn.functional.pad(x, (0, 1, 0, 1))  # "same" with stride 2 on 8 pixels: 1 more at the end
            x = self.conv2d_2_prelu(self.conv2d_2(x))
            inner = self.residual_1
            x = x + inner["batch_norm_1"](torch.relu(inner["conv2d_1"](x)))
            x = nn.functional.max_pool2d(x, 2).flatten(1)
            x = self.layer_norm_1(nn.functional.gelu(self.dense_1(x)))
            return torch.softmax(self.dense_2(x), dim=-1)

    digits = cr.data.load("digits")
    model = cr.fit(NET, digits, optimizer="adam", epochs=4, batch_size=32, progress=False).model
    x = digits.x
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        save_torch_weights(model, path)
        net = Net().eval()
        net.load_state_dict(load_file(path))  # strict: every name and every shape must fit
    with torch.no_grad():
        theirs = net(torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).numpy()
    ours = model.predict_proba(x)
    difference = float(np.abs(theirs - ours).max())
    right = float((ours.argmax(1) == digits.y).mean())
    lines = [
        "# Weights in PyTorch",
        "",
        f"A convolutional network trained on the bundled digits ({right:.1%} of the images are right), with its",
        f"weights in PyTorch {torch.__version__.split('+')[0]}: the probabilities of all {len(x):,} images differ by",
        f"{difference:.1e} at most, and {int((theirs.argmax(1) != ours.argmax(1)).sum())} classes differ.",
        "",
        "`python bench/pytorch_weights.py` makes this page.",
    ]
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    assert difference < 1e-5


if __name__ == "__main__":
    main()
