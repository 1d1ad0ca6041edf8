"""What a training command says: what it is about to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import augment
from chainrule.cli.messages import say
from chainrule.data import Dataset
from chainrule.display.text_table import text_table as lined_up
from chainrule.experiments.data import Part
from chainrule.experiments.presets import TrainSettings, optimizer, use_of_validation
from chainrule.models import Model
from chainrule.tables.describe import show_columns
from chainrule.tables.prepared import PreparedTable


def say_table(table: PreparedTable) -> None:
    """What was found in each column and what happens to it, before anything is trained."""
    say(lined_up(show_columns(table.columns, rows=table.looked_at), left=(0, 1, 4, 5)))
    for note in table.notes:
        say(f"note: {note}")


def say_start(
    settings: TrainSettings,
    data: Dataset,
    part: Part,
    test: Part | None,
    model: Model,
    *more: str,
    validation_is: str | None = None,
) -> None:
    """What is about to happen, before it takes its time."""
    rows = len(part.x) + (0 if data.validation is None else len(data.validation[0]))
    use = validation_is or use_of_validation(settings, rows, test is not None) or "for their curves"
    validation = "none for validation: nothing needs them"
    if data.validation is not None:
        validation = f"{len(data.validation[0]):,} more for validation, {use}"
    elif settings.validation:
        validation = f"{100 * settings.validation:g} % of them for validation, {use}"
    say(f"{data.name}: {data.task} of {_shape(data)}")
    say(f"  training  {len(part.x):,} rows, {validation}")
    say(f"  test      {f'{len(test.x):,} rows, {test.text}' if test else 'none'}")
    say(f"  network   {describe_net(model.net.to_dict())} ({model.count():,} parameters)")
    moves = optimizer(settings)
    rate = f"{moves.lr:g}" if isinstance(moves.lr, int | float) else repr(moves.lr)
    epochs = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    if settings.augment is not None:
        say(f"  augment   {settings.augment if isinstance(settings.augment, str) else augment.get(settings.augment)}")
    decay = f", weight decay {settings.weight_decay:g}" if settings.weight_decay else ""
    say(f"  descent   {epochs} of {moves.name}, lr {rate}{decay}, batches of {settings.batch_size}")
    if isinstance(settings.early_stopping, int) and settings.early_stopping:
        say(f"  stopping  after {settings.early_stopping} epochs without a better validation cost; the best stays")
    for text in more:
        say(f"  {text}")


def describe_net(net: Mapping[str, Any]) -> str:
    """Return a network's recipe on one line: its layers with their sizes and activations."""
    parts = []
    for layer in net.get("layers", [net]):
        words = [
            str(layer.get(key)) for key in ("units", "filters", "rate", "activation") if layer.get(key) is not None
        ]
        parts.append(" ".join([str(layer.get("type", "?")), *words]))
    return ", ".join(parts)


def _shape(data: Dataset) -> str:
    shape = " x ".join(map(str, data.x.shape[1:]))
    what = f"images of {shape}" if data.x.ndim == 4 else f"rows of {shape} features"
    return what + (f", {len(data.classes)} classes" if data.classes else "")
