"""Trials as they are read from a study, and which of them is the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.checks import is_number
from chainrule.errors import DivergedError
from chainrule.recipe.history import History
from chainrule.tuning.result import Trial
from chainrule.tuning.space import Space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: States of trials, from the best to the worst.
STATES = ("complete", "pruned", "running", "diverged", "failed")


def state_of(trial: FrozenTrial) -> str:
    """Return the state of a trial of Optuna, one of `STATES`."""
    name = trial.state.name.lower()
    if name == "pruned" and trial.user_attrs.get("diverged", False):
        return "diverged"
    return {"fail": "failed"}.get(name, name)


def read_trial(trial: FrozenTrial, space: Space) -> Trial:
    """Return a trial of Optuna as one of a search result."""
    attributes, state = trial.user_attrs, state_of(trial)
    curves = {
        name: [math.nan if value is None else value for value in values]
        for name, values in attributes.get("curves", {}).items()
    }
    epochs = int(attributes.get("epochs", max(trial.intermediate_values, default=0)))
    records = [{"epoch": i + 1, **{name: values[i] for name, values in curves.items()}} for i in range(epochs)]
    return Trial(
        number=trial.number,
        settings=space.options({name: value for name, value in trial.params.items() if name in space.entries}),
        value=trial.value if state in ("complete", "pruned") and trial.value is not None else None,
        state=state,
        epochs=epochs,
        best_epoch=int(attributes.get("best_epoch", epochs)),
        seconds=float(attributes.get("seconds", 0.0)),
        history=History(records if curves else []),
        stopped=attributes.get("stopped"),
        stage=int(attributes["claim"]["stage"]),
    )


def rank(trials: Sequence[Trial], order: Callable[[float, float, int], tuple[Any, ...]]) -> list[Trial]:
    """Return trials from the best to the worst.

    Those that are complete by their value (``order`` of value, validation cost and number), then those that were
    stopped, the last ones first, then those without a value.
    """

    def key(trial: Trial) -> tuple[Any, ...]:
        late = -trial.epochs if trial.state == "pruned" else 0
        if trial.value is None:
            return STATES.index(trial.state), late, math.inf, math.inf, trial.number
        history = trial.history
        loss = history["val_loss"][trial.best_epoch - 1] if "val_loss" in history.columns else math.nan
        return STATES.index(trial.state), late, *order(trial.value, loss, trial.number)

    return sorted(trials, key=key)


def all_diverged(trials: Sequence[Trial]) -> DivergedError:
    """Return an error that says which settings were tried."""
    ranges = []
    for name in dict.fromkeys(name for trial in trials for name in trial.settings):
        values = [trial.settings[name] for trial in trials if name in trial.settings]
        if all(map(is_number, values)):
            ranges.append(f"{name} from {min(values):.4g} to {max(values):.4g}")
        else:
            ranges.append(f"{name} {', '.join(dict.fromkeys(map(repr, values)))}")
    return DivergedError(
        f"All {len(trials)} trials diverged: the cost became NaN or infinite. Tried: {'; '.join(ranges)}. Search "
        "smaller learning rates, or give the optimizer clip_norm=1.0.",
        step=0,
        layer="",
    )
