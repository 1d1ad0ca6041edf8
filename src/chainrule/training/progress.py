"""Progress over the epochs of a run, on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from chainrule import metrics
from chainrule.display.progress import progress

Show = Callable[[Mapping[str, float]], None]

#: What an epoch takes on a line, with cost and accuracy of training and validation.
METRICS_WIDTH = 84


@contextlib.contextmanager
def epoch_progress(epochs: int, enabled: bool = True) -> Iterator[Show]:
    """Give a function to call with each epoch's record."""

    def live(record: Mapping[str, float]) -> str:
        return epoch_line({name: value for name, value in record.items() if name != "lr"}, epochs)

    width = METRICS_WIDTH + 2 * len(str(epochs))
    with progress(epochs, lambda record: epoch_line(record, epochs), live, enabled=enabled, width=width) as show:
        yield lambda record: show(int(record["epoch"]), record)


def epoch_line(record: Mapping[str, float], epochs: int) -> str:
    """Return one epoch on one line: ``epoch 3/30 loss 0.1234 accuracy 96.54 % …``."""
    parts = [f"epoch {int(record['epoch']):>{len(str(epochs))}}/{epochs}"]
    for name, value in record.items():
        if name not in ("epoch", "seconds"):
            parts.append(f"{name} {_figure(name, value)}")
    return "  ".join([*parts, f"{record['seconds']:.2f} s"])


def _figure(name: str, value: float) -> str:
    """Return a figure with digits after the point that stay as many, so that lines stand under each other."""
    if name == "lr":
        return f"{value:.3g}"
    return metrics.format_value(name, value) if metrics.is_fraction(name) else f"{value:.4f}"
