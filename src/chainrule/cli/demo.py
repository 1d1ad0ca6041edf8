"""``chainrule demo``: a network learns handwritten digits while one watches."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.draw import picture, shades, side_by_side
from chainrule.cli.messages import say
from chainrule.display.numbers import percent
from chainrule.experiments.presets import TrainSettings
from chainrule.experiments.single import Trained, train_run

#: How many images are shown, and how many of them wrong at most.
SHOWN, WRONG = 6, 2

WIDTHS = (5, 13, 15, 15, 17)


def demo(seed: int, out: Path | None) -> None:
    """Train on the bundled digits, print the learning table, the test accuracy, and some predictions."""
    settings = TrainSettings(
        data="digits", preset="mlp", hidden=(64,), epochs=12, validation=0.2, seed=seed, engine="numpy"
    )
    trained = train_run(settings, out=out, progress=False, callbacks=[print_epoch])
    assert trained.scores is not None
    assert trained.test is not None
    right = round(trained.scores["accuracy"] * len(trained.test.x))
    accuracy = percent(trained.scores["accuracy"])
    print(f"\nTest accuracy {accuracy}: {right} of {len(trained.test.x)} digits it had not seen.\n")
    print(predictions(trained), flush=True)
    say(f"\nThe run is in {trained.folder}: settings, metrics, weights. What next?")
    if shutil.which("chainrule") is None:  # make demo runs the command by its path
        say(f"  . {Path(os.path.relpath(sys.executable)).parent / 'activate'}")
    say(f"  chainrule evaluate {trained.folder} digits")
    say("  chainrule train digits --hidden 128,64 --activation tanh")
    say("  chainrule runs")


def print_epoch(event: Any) -> None:
    """One row of the learning table."""
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
    """Return the cells under each other in every row."""
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def predictions(trained: Trained) -> str:
    """Return some test images with what the network says; among them wrong answers, if there are any."""
    test = trained.test
    assert test is not None
    outputs = trained.run.model.predict_proba(test.x)
    said = trained.run.model.labels(outputs)
    chosen = choose(said, np.asarray(test.y))
    characters = shades(sys.stdout.encoding)
    cards = [[*picture(test.x[i], characters), *caption(said[i], test.y[i], float(outputs[i].max()))] for i in chosen]
    return side_by_side(cards, shutil.get_terminal_size((80, 24)).columns)


def choose(said: np.ndarray, true: np.ndarray) -> list[int]:
    """Return rows to show: right answers of different classes first, then wrong ones."""
    wrong = np.flatnonzero(said != true)[:WRONG].tolist()
    right = [int(np.flatnonzero((said == true) & (true == c))[0]) for c in np.unique(true[said == true])]
    return [*right[: SHOWN - len(wrong)], *wrong]


def caption(said: Any, true: Any, probability: float) -> list[str]:
    """Return what the network says, how sure it is, and whether that is wrong."""
    text = f"says {said} ({100 * probability:.0f} %)"
    return [text] if said == true else [text, f"WRONG: it is {true}"]
