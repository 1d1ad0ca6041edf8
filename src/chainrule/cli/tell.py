"""What the training commands print: the listener of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chainrule import augment
from chainrule.cli.messages import print_message, print_result, show_log
from chainrule.data import Dataset
from chainrule.display.text_table import text_table
from chainrule.experiments.listener import Listener
from chainrule.experiments.plan import Plan
from chainrule.experiments.presets import optimizer, use_of_validation
from chainrule.population import CrossValidation
from chainrule.report.run_list import describe_net
from chainrule.runs.files import REPORT
from chainrule.tables.describe import format_columns
from chainrule.tables.prepared import PreparedTable


class Printer(Listener):
    """Prints what it hears to standard error, and what programs read to standard output."""

    def __init__(self, *, progress: bool = True) -> None:
        super().__init__(progress=progress)
        show_log()

    def on_table(self, prepared: PreparedTable) -> None:
        """Print a table's columns and what happens to each."""
        print_message(text_table(format_columns(prepared.columns, rows=prepared.looked_at), left=(0, 1, 4, 5)))
        for note in prepared.notes:
            print_message(f"note: {note}")

    def on_start(self, plan: Plan, details: Sequence[str] = (), validation_use: str | None = None) -> None:
        """Print the data, the network and how it is trained, before it takes its time."""
        for line in describe_plan(plan, details, validation_use):
            print_message(line)

    def on_cross_validation(self, result: CrossValidation) -> None:
        """Print the scores of the folds."""
        print_result(result)
        print_message("Now one network of all training rows:")

    def on_message(self, text: str) -> None:
        """Print it."""
        print_message(text)

    def on_warning(self, text: str) -> None:
        """Print it as a warning."""
        print_message(f"warning: {text}")

    def how_to_resume(self, folder: Path, function: str = "train") -> str:
        """Return the command that goes on with a run."""
        return f"chainrule {function} --resume {folder}"


def describe_plan(plan: Plan, details: Sequence[str] = (), validation_use: str | None = None) -> list[str]:
    """Return the data, the network and how it is trained, as lines of text."""
    settings, data, test = plan.settings, plan.data, plan.test
    rows = len(plan.training.x) + (0 if data.validation is None else len(data.validation[0]))
    use = validation_use or use_of_validation(settings, rows, test is not None) or "for their curves"
    validation = "none for validation: nothing needs them"
    if data.validation is not None:
        validation = f"{len(data.validation[0]):,} more for validation, {use}"
    elif settings.validation:
        validation = f"{100 * settings.validation:g} % of them for validation, {use}"
    moves = optimizer(settings)
    rate = f"{moves.lr:g}" if isinstance(moves.lr, int | float) else repr(moves.lr)
    epochs = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    decay = f", weight decay {settings.weight_decay:g}" if settings.weight_decay else ""
    lines = [
        f"training  {len(plan.training.x):,} rows, {validation}",
        f"test      {f'{len(test.x):,} rows, {test.text}' if test else 'none'}",
        f"network   {describe_net(plan.model.net.to_dict())} ({plan.model.count():,} parameters)",
    ]
    if settings.augment is not None:
        change = settings.augment if isinstance(settings.augment, str) else augment.get(settings.augment)
        lines.append(f"augment   {change}")
    lines.append(f"descent   {epochs} of {moves.name}, lr {rate}{decay}, batches of {settings.batch_size}")
    if isinstance(settings.early_stopping, int) and settings.early_stopping:
        patience = settings.early_stopping
        lines.append(f"stopping  after {patience} epochs without a better validation cost; the best stays")
    return [f"{data.name}: {data.task} of {_shape(data)}", *(f"  {line}" for line in (*lines, *details))]


def print_folder(folder: Path) -> None:
    """Print where all of a run is."""
    print_message(f"The run is in {folder}")
    if (folder / REPORT).exists():
        print_message(f"The report: {folder / REPORT}")


def _shape(data: Dataset) -> str:
    shape = " x ".join(map(str, data.x.shape[1:]))
    samples = f"images of {shape}" if data.x.ndim == 4 else f"rows of {shape} features"
    return samples + (f", {len(data.classes)} classes" if data.classes else "")
