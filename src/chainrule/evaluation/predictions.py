"""One pass over the judged rows: what the network says of each, what that costs, and what the baselines say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.evaluation.baselines import Baseline, codes
from chainrule.evaluation.rows import blocks, matrix, opened, stretch
from chainrule.training.state import Recipe

#: Bins of the probabilities, equally wide.
BINS = 10


@dataclass(frozen=True)
class Predictions:
    """What was found.

    Attributes
    ----------
    target : the encoded targets
    cost : of each row, (n,)
    right : whether a row is answered rightly, (n,); None for regression
    error : the mean absolute error of each row, (n,); None for classes
    true, said : codes of the classes, (n,); 0 or 1 for each of several labels; numbers for regression
    sure : the probability of what was said, (n,); None where outputs are no probabilities
    bins : of the probabilities: (rows, sum of probabilities, sum of outcomes) for each bin; None likewise
    baselines : for each baseline the right rows, or the absolute errors
    """

    target: np.ndarray
    cost: np.ndarray
    right: np.ndarray | None
    error: np.ndarray | None
    true: np.ndarray
    said: np.ndarray
    sure: np.ndarray | None
    bins: np.ndarray | None
    baselines: list[np.ndarray]

    @property
    def score(self) -> np.ndarray:
        """1 for a right answer, 0 for a wrong one; for regression the absolute error."""
        found = self.error if self.right is None else self.right
        assert found is not None
        return found


def judge(
    model: Any, recipe: Recipe, x: Any, y: Any, baselines: list[Baseline], left_out: np.ndarray | None = None
) -> Predictions:
    """Judge a model, and baselines beside it, on rows x with targets y; x may be larger than memory.

    ``left_out`` are numbers of these rows that only the baselines get.
    """
    x, target = opened(x), model.encode(y)
    task = recipe.task
    low, high = model.last_activation.range
    probable = task != "regression" and low >= 0 and high <= 1
    parts: list[tuple[np.ndarray, ...]] = []
    bins = np.zeros((3, BINS))
    for start, stop in blocks(x, max(math.prod(model.input_shape), math.prod(model.output_shape))):
        ready, wanted = model.prepare(stretch(x, start, stop)), target[start:stop]
        outputs = model.outputs(ready)
        with np.errstate(all="ignore"):  # a diverged network's outputs may be anything
            cost = np.asarray(recipe.loss(model.target.scale(outputs), model.target.scale(wanted)), np.float64)
        true, said, sure, outcome = _answers(task, model.threshold, outputs, wanted)
        if probable:
            shown = outputs.ravel() if task == "multilabel" else sure if task == "classification" else outputs[:, 0]
            bins += _binned(np.asarray(shown, np.float64), outcome)
        more = None if left_out is None else left_out[start:stop]
        features = matrix(model, ready, more) if baselines else None
        beside = [_score(task, true, rule.predict(features)) for rule in baselines]
        parts.append((cost, true, said, sure, _score(task, true, said), *beside))
    cost, true, said, sure, score, *others = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Predictions(
        target=target,
        cost=cost,
        right=None if task == "regression" else score,
        error=score if task == "regression" else None,
        true=true,
        said=said,
        sure=sure if probable else None,
        bins=bins if probable else None,
        baselines=others,
    )


def _answers(
    task: str, threshold: float, outputs: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(true, said, probability of what is said, outcome of each probability that is binned)."""
    if task == "regression":
        flat = outputs.reshape(len(outputs), -1)
        return wanted.reshape(len(wanted), -1), flat, flat[:, 0], flat[:, 0]
    if task == "classification":
        true, said = codes(wanted), outputs.argmax(axis=-1)
        return true, said, outputs.max(axis=-1), said == true
    yes = outputs > threshold
    if task == "multilabel":
        true = (wanted > 0.5).astype(np.int8)
        return true, yes.astype(np.int8), np.where(yes, outputs, 1 - outputs).min(axis=1), true.ravel()
    true, said = codes(wanted), yes[:, 0].astype(int)
    return true, said, np.where(said == 1, outputs[:, 0], 1 - outputs[:, 0]), true


def _score(task: str, true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return whether each row is right (with all of its labels), or its mean absolute error."""
    if task == "regression":
        with np.errstate(all="ignore"):
            error: np.ndarray = np.abs(np.asarray(said, np.float64) - true).mean(axis=1)
        return error
    same = said == true
    return same.all(axis=1) if same.ndim == 2 else same


def _binned(probability: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Rows, sum of probabilities and sum of outcomes of each bin; a probability on an edge belongs to the bin below."""
    outcome = outcome[np.isfinite(probability)]
    probability = probability[np.isfinite(probability)]
    number = np.clip(np.ceil(probability * BINS).astype(int) - 1, 0, BINS - 1)
    return np.stack([np.bincount(number, weights, BINS) for weights in (None, probability, outcome)])
