"""What follows from the record of a run: whether an epoch is the best, and what schedule and callbacks change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from chainrule.errors import SettingError
from chainrule.recipe.callbacks import Callback, Decision, EarlyStopping, Event
from chainrule.recipe.history import History
from chainrule.recipe.state import Recipe, State
from chainrule.schedules import Schedule, rate_at
from chainrule.settings import replace, values, with_values
from chainrule.tree import leaves_with_path


def watched(stopping: EarlyStopping | None, validated: bool) -> str | None:
    """Return the column that says which epoch is the best one; None: the last one is."""
    return stopping.monitor if stopping is not None else "val_loss" if validated else None


def is_best(history: History, stopping: EarlyStopping | None, column: str | None, best: int) -> bool:
    """Return whether the last epoch of a history is better than ``best``, the best one before it (0: there is none)."""
    epoch = len(history)
    if stopping is not None:
        return stopping.best_epoch(history[stopping.monitor]) == epoch
    if column is None or not best:
        return True
    now, before = history.records[-1][column], history.records[best - 1][column]
    return now < before or before != before


def kept_epoch(stopping: EarlyStopping | None, epochs: int, best: int) -> int | None:
    """Return the epoch whose weights a run has that ends here; ``best``: that which early stopping would choose.

    Every score that is shown of a model comes from this epoch, or was measured on the model itself.
    """
    return (best if stopping is not None and stopping.restore_best else epochs) or None


def resumed(stopping: EarlyStopping | None, history: History, best: int) -> str | None:
    """Return the reason that early stopping has to end a run that goes on; it has the weights of the epoch ``best``.

    Raises `SettingError` where this early stopping would have kept those of another.
    """
    if stopping is None or not len(history):
        return None
    if (now := stopping.best_epoch(history[stopping.monitor])) != best:
        raise SettingError(
            f"By this early stopping the best epoch is {now}, but the weights that were kept are those of epoch "
            f"{best}. Resume with the early stopping that the run was started with."
        )
    return stopping.decide(history[stopping.monitor])


def rescheduled(recipe: Recipe, state: State, before: float | None) -> str | None:
    """Return what to say where another number of epochs changes the learning rate of a run that goes on, if it does.

    ``before`` is the number that it was to have until now.
    """
    schedule, run = recipe.optimizer.lr, state.settings["run"]
    if before is None or not isinstance(schedule, Schedule):
        return None
    schedule = with_values(schedule, state.settings["recipe"]["optimizer"]["lr"])
    epoch = float(state.step) / run["steps_per_epoch"]
    old, new = (float(rate_at(schedule, epoch, epochs)) for epochs in (before, run["epochs"]))
    if math.isclose(old, new, rel_tol=1e-6):
        return None
    return (
        f"The learning rate follows {schedule} over {run['epochs']:g} epochs now, not {before:g}: after epoch "
        f"{epoch:.4g} it is {new:.3g}, where it had come to {old:.3g}. (A run of {run['epochs']:g} epochs from its "
        "beginning would have had other rates before.)"
    )


def scheduled(recipe: Recipe, settings: Any, history: History, validated: bool) -> dict[str, float]:
    """Return the settings that the learning rate's schedule changes after an epoch, by their paths."""
    schedule = recipe.optimizer.lr
    if not isinstance(schedule, Schedule):
        return {}
    current = with_values(schedule, settings["recipe"]["optimizer"]["lr"])
    changed = current.after_epoch(history["val_loss" if validated else "loss"])
    if changed is None:
        return {}
    return {".".join(path): value for path, value in leaves_with_path(values(changed), ("optimizer", "lr"))}


def ask(
    callbacks: Iterable[Callback], event: Callable[[], Event], recipe: Recipe, change: Callable[[Any], None]
) -> str | None:
    """Show each callback where the run is and do what it decides: the reason to stop, if any."""
    reason = None
    for callback in callbacks:
        decision = callback(event())
        if decision is None:
            continue
        if not isinstance(decision, Decision):
            raise SettingError(f"A callback returns None or cr.Decision(stop=..., settings=...), got {decision!r}.")
        change(decision.settings)
        for path, value in decision.settings.items():
            replace(recipe, path, value)  # a value out of its range is an error here
        reason = reason or decision.stop
    return reason
