"""Proof of faults of the data: of rows by leaving them out, of a leak by dealing its column out anew."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.doctor.arms import REFUSALS, Arm, OutOfTime, fixed_arm
from chainrule.doctor.proof import LEAST_EFFECT, difference, not_tried, prove
from chainrule.doctor.ratio import error_ratio
from chainrule.doctor.trials import Trials
from chainrule.recipe.run_data import pair_of
from chainrule.statistics import summary
from chainrule.symptoms.evidence import Finding, Proof
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import fixes_for
from chainrule.tables.table import Table

__all__ = ["BY_PERMUTATION", "prove_data"]

Array = np.ndarray[Any, Any]

#: Causes that no change takes away; what their check has shown by dealing something out anew is their proof.
BY_PERMUTATION = ("labels_unrelated", "scrambled_pixels", "too_little_data", "shift")

#: Beside a change of the data changes of the recipe are drawn at random: those of its values, which cost no compiling.
OTHER_CHANGES = ("lr_high", "lr_low", "patience")


def prove_data(trials: Trials, cause: str, fix: Fix | None, finding: Finding) -> Proof:
    """Return whether a fault of the data is what makes the error."""
    try:
        if cause in BY_PERMUTATION:
            p = next((evidence.p for evidence in finding.evidence if evidence.p is not None), None)
            of_rows = "exact" if p is None else "trial"  # rows are counted, or half of them are tried
            kind = of_rows if cause == "too_little_data" else "permutation"
            return Proof(kind, "proven" if finding.level == "alarm" else "not tried", p=p)
        if fix is None:
            return not_tried("there is no change to try")
        if cause == "leak":
            return _leak(trials, fix)
        arm = fixed_arm(trials.control, cause, fix)
        if cause == "labels_noisy" and len(arm.without):
            return prove(trials, arm, _as_many_others(trials, arm), None, ignored=arm.without)
        weights = trials.rows.class_weights if cause == "imbalance" else None
        return prove(trials, arm, _another_change(trials), None, weights=weights)
    except OutOfTime:
        return not_tried("the budget was spent")
    except REFUSALS as error:
        return not_tried(f"refused: {error}")


def _as_many_others(trials: Trials, arm: Arm) -> Any:
    """Return a function that draws an arm without as many rows, but others."""
    rng = np.random.default_rng([trials.seed, 43])
    others = np.setdiff1d(trials.rows.rows, arm.without)
    count = min(len(arm.without), len(others) // 2)
    return lambda: dataclasses.replace(arm, name="random", without=np.sort(rng.choice(others, count, replace=False)))


def _another_change(trials: Trials) -> Any:
    """Return a function that draws an arm with a change of the recipe; None where there is none."""
    fixes = [(cause, fix) for cause in OTHER_CHANGES for fix in fixes_for(cause, trials.subject)[:2]]
    arms = [fixed_arm(trials.control, cause, fix) for cause, fix in fixes]
    rng = np.random.default_rng([trials.seed, 53])
    return (lambda: arms[int(rng.integers(len(arms)))]) if arms else None


def _leak(trials: Trials, fix: Fix) -> Proof:
    """Return the proof of a leak: with its column dealt out anew among the judged rows the error rises.

    On rows that leak nothing else can prove it: without the column the error is larger, not smaller.
    """
    columns = next((change.columns for change in fix.data if change.kind == "drop_columns"), ())
    rng = np.random.default_rng([trials.seed, 47])
    control, dealt_out = trials.laboratory.run_twice(
        trials.control, trials.cuts, trials.until, lambda data: permuted(data, columns, rng)
    )
    ratio = error_ratio(dealt_out.errors, control.errors)
    unit = trials.rows.unit
    return Proof(
        "permutation",
        "proven" if ratio.p < 0.01 and ratio.log >= LEAST_EFFECT else "no effect",
        "with the column dealt out anew among the rows that are judged, as the random arm has it",
        control=summary([unit * error for error in control.member_errors]),
        random=summary([unit * error for error in dealt_out.member_errors]),
        effect=difference(ratio),
        metric=trials.rows.metric,
        folds=trials.rows.folds,
        seeds=len(control.errors),
        epochs=control.epochs,
        p=ratio.p,
    )


def permuted(data: Any, columns: tuple[str | int, ...], rng: np.random.Generator) -> Any:
    """Return data whose rows have exchanged their values in some columns."""
    if isinstance(data, Table):
        return data.with_rows(_permuted_frame(data.frame, columns, rng))
    if isinstance(data, Dataset):
        names = list(data.feature_names or ())
        places = tuple(names.index(name) if isinstance(name, str) else name for name in columns)
        return dataclasses.replace(data, x=_permuted_array(data.x, places, rng))
    x, y = pair_of(data)
    if hasattr(x, "iloc"):
        return _permuted_frame(x, columns, rng), y
    return _permuted_array(np.asarray(x), columns, rng), y


def _permuted_frame(frame: Any, columns: tuple[str | int, ...], rng: np.random.Generator) -> Any:
    names = [frame.columns[name] if isinstance(name, int) and name not in frame.columns else name for name in columns]
    order = rng.permutation(len(frame))
    return frame.assign(**{str(name): frame[name].to_numpy()[order] for name in names})


def _permuted_array(x: Array, columns: tuple[Any, ...], rng: np.random.Generator) -> Array:
    x, order = np.array(x), rng.permutation(len(x))
    x[:, list(columns)] = x[order][:, list(columns)]
    return x
