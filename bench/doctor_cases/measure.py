"""What a case costs: the error on rows that the doctor never sees, over seeds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import ChainruleError
from doctor_cases.bases import Setup
from doctor_cases.problems import Rows

SEEDS = 8


def errors(
    net: Any, data: Any, settings: Mapping[str, Any], judge: Rows, balanced: bool = False, seeds: int = SEEDS
) -> list[float]:
    """Return the error of each seed: share of wrong labels (or of the mean over classes), or mean absolute error.

    A run that diverges, and data or settings that `fit` refuses, have an infinite one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with np.errstate(all="ignore"):
                runs = cr.fit_population(net, data, seeds, progress=False, **settings)
        except (ChainruleError, ArithmeticError, TypeError, ValueError):
            return [math.inf] * seeds
        return [math.inf if run.outcome.diverged else error(run.model, judge, balanced) for run in runs]


def error(model: cr.Model, judge: Rows, balanced: bool) -> float:
    """Return the error of a model."""
    x, y = judge
    with np.errstate(all="ignore"):
        answers = np.asarray(model.predict(x))
    answers = answers.reshape(len(answers), -1)
    if model.target.task == "regression":
        if y.dtype.kind == "f":
            misses = np.abs(answers.mean(axis=1) - y)
            return float(misses.mean()) if np.isfinite(misses).all() else math.inf
        answers = answers.argmax(axis=1)[:, None] if answers.shape[1] > 1 else np.rint(answers)
    wrong = answers[:, 0].astype(float) != y
    if balanced:
        return float(np.mean([wrong[y == label].mean() for label in np.unique(y)]))
    return float(wrong.mean())


def of_setup(setup: Setup, seeds: int = SEEDS) -> list[float]:
    """Return the errors of a case."""
    return errors(setup.net, setup.data, setup.settings, setup.judge, setup.balanced, seeds)


def verdict(case: list[float], base: list[float]) -> dict[str, Any]:
    """Return ratio, effect size and p value of a case beside the healthy recipe that it was made from."""
    from scipy import stats

    top = 1.0 if max(base) < 1 else 100 * max(base)
    a, b = np.minimum(case, max(top, 1.0)), np.asarray(base)
    floor = max(float(b.mean()), 1e-3)
    spread = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    same = spread < 1e-6 * max(float(a.mean()), 1e-3)
    d = (0.0 if a.mean() == b.mean() else math.inf) if same else float((a.mean() - b.mean()) / spread)
    p = (1.0 if a.mean() == b.mean() else 0.0) if same else float(stats.ttest_ind(a, b, equal_var=False).pvalue)
    return {"ratio": float(a.mean()) / floor, "d": d, "p": p, "error": float(a.mean()), "base": float(b.mean())}


def is_material(figures: Mapping[str, Any]) -> bool:
    """Return whether a fault is killed (p < .05, d ≥ .5) and material (error ≥ 1.25 times that of the base)."""
    return bool(figures["p"] < 0.05 and figures["d"] >= 0.5 and figures["ratio"] >= 1.25)


def is_healthy(figures: Mapping[str, Any]) -> bool:
    """Return whether a run is as good as its base: error ≤ 1.10 times."""
    return bool(figures["ratio"] <= 1.10)
