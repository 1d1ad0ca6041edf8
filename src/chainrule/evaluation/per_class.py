"""Class by class: how many rows of a class are recognized, and how many predictions of it are correct."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.models.predictions import Predictions


def confusion_of(predictions: Predictions) -> np.ndarray | None:
    """Return the confusion matrix: counts, [true class, predicted class]. None where a row has several labels."""
    if predictions.true.ndim == 2:
        return None
    k = predictions.count
    return np.bincount(predictions.true * k + predictions.predicted, minlength=k * k).reshape(k, k)


def per_class(predictions: Predictions) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and support (rows of the class) of each class.

    Of a class with TP rows that are recognized, of its support S, and P rows that are predicted to be of it:
    precision = TP / P, recall = TP / S, F1 = 2 TP / (S + P); each 0 where there is nothing to divide by.
    """
    confusion = confusion_of(predictions)
    if confusion is None:
        true, predicted = predictions.true.astype(bool), predictions.predicted.astype(bool)
        hits, support, positives = (true & predicted).sum(axis=0), true.sum(axis=0), predicted.sum(axis=0)
    else:
        hits, support, positives = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    columns = _divide(hits, positives), _divide(hits, support), _divide(2 * hits, support + positives)
    return [
        {"precision": float(p), "recall": float(r), "f1": float(f1), "support": int(n)}
        for p, r, f1, n in zip(*columns, support, strict=True)
    ]


def most_confused(confusion: np.ndarray, classes: list[str], most: int) -> list[dict[str, Any]]:
    """Return the pairs of classes that are confused most often: {"true", "said", "rows", "of"}."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(i), len(classes)) for i in order]
    return [
        {"true": classes[a], "said": classes[b], "rows": int(wrong[a, b]), "of": int(confusion[a].sum())}
        for a, b in pairs
        if wrong[a, b]
    ]


def _divide(count: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Divide counts; 0 where there is nothing."""
    return np.divide(count, of, out=np.zeros(len(count)), where=of > 0)
