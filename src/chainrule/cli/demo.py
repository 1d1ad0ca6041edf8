"""``chainrule demo``: a network learns handwritten digits while one watches."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.draw import picture, shades, side_by_side
from chainrule.cli.messages import print_message
from chainrule.cli.tell import Printer
from chainrule.display.numbers import percent
from chainrule.experiments.commands import run
from chainrule.experiments.result import Trained
from chainrule.experiments.settings import ExperimentSettings
from chainrule.runs.files import REPORT

#: How many images are shown, and how many of them wrong at most.
SHOWN, WRONG = 6, 2

WIDTHS = (5, 13, 15, 15, 17)


def demo(seed: int, out: Path | None) -> None:
    """Train on the bundled digits, print the learning table, the test accuracy, and some predictions."""
    settings = ExperimentSettings(
        data="digits", preset="mlp", hidden=(64,), epochs=12, validation=0.2, seed=seed, engine="numpy"
    )
    trained = run(settings, out=True if out is None else out, listener=Printer(progress=False), callbacks=[print_epoch])
    assert trained.test is not None
    assert trained.plan.test is not None
    accuracy, rows = trained.test["accuracy"], len(trained.plan.test.x)
    print(f"\nTest accuracy {percent(accuracy)}: {round(accuracy * rows)} of {rows} digits it had not seen.\n")
    print(predictions(trained), flush=True)
    print_message(f"\nThe run is in {trained.folder}: settings, metrics, weights. What next?")
    if trained.folder is not None:
        print_message("  See this network from inside, as it learnt: open this page in a browser")
        print_message(f"  {(trained.folder / REPORT).resolve().as_uri()}")
    if shutil.which("chainrule") is None:  # make demo runs the command by its path
        print_message(f"  . {Path(os.path.relpath(sys.executable)).parent / 'activate'}")
    print_message(f"  chainrule evaluate {trained.folder} digits")
    print_message("  chainrule train digits --hidden 128,64 --activation tanh")
    print_message("  chainrule runs")


def print_epoch(event: Any) -> None:
    """Print one row of the learning table."""
    if event.epoch == 1:
        print(row("epoch", "training cost", "validation cost", "training right", "validation right"))
    m = event.metrics
    print(
        row(
            str(event.epoch),
            f"{m['loss']:.4f}",
            f"{m['val_loss']:.4f}",
            percent(m["accuracy"]),
            percent(m["val_accuracy"]),
        ),
        flush=True,
    )


def row(*cells: str) -> str:
    """Return a row of cells, aligned with those of the other rows."""
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def predictions(trained: Trained) -> str:
    """Return some test images with what the network says; among them wrong answers, if there are any."""
    test = trained.plan.test
    assert test is not None
    outputs = trained.model.predict_proba(test.x)
    predicted = trained.model.labels(outputs)
    chosen = choose(predicted, np.asarray(test.y))
    characters = shades(sys.stdout.encoding)
    cards = [
        [*picture(test.x[i], characters), *caption(predicted[i], test.y[i], float(outputs[i].max()))] for i in chosen
    ]
    return side_by_side(cards, shutil.get_terminal_size((80, 24)).columns)


def choose(predicted: np.ndarray, true: np.ndarray) -> list[int]:
    """Return rows to show: right answers of different classes first, then wrong ones."""
    wrong = np.flatnonzero(predicted != true)[:WRONG].tolist()
    right = [int(np.flatnonzero((predicted == true) & (true == c))[0]) for c in np.unique(true[predicted == true])]
    return [*right[: SHOWN - len(wrong)], *wrong]


def caption(predicted: Any, true: Any, probability: float) -> list[str]:
    """Return what the network says, how sure it is, and whether that is wrong."""
    text = f"says {predicted} ({100 * probability:.0f} %)"
    return [text] if predicted == true else [text, f"WRONG: it is {true}"]
