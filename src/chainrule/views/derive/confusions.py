"""The confusion matrix of every epoch: when were classes learnt apart?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_rows

__all__ = ["Confusions", "confusions"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Confusions:
    """How many rows of each class were taken for each class, epoch by epoch.

    Attributes
    ----------
    part : "validation" or "training"
    epochs : from 1
    steps : done at the end of each
    classes : their names
    counts : (epochs, right class, answered class)
    truths, answers, numbers : of each row its right class, what was answered in each epoch, and its number, so that a
        cell leads to its rows
    """

    part: str
    epochs: tuple[int, ...]
    steps: tuple[int, ...]
    classes: tuple[str, ...]
    counts: Array
    truths: Array
    answers: Array
    numbers: Array

    def rows(self, right: int, answered: int, at: int = -1) -> Array:
        """Return the numbers of the rows in a cell of an epoch."""
        return self.numbers[(self.truths == right) & (self.answers[at] == answered)]

    def answered_since(self) -> Array:
        """Return for each row in each epoch since which epoch it was answered so, without a break: (epochs, rows)."""
        changed = np.ones(self.answers.shape, bool)
        changed[1:] = self.answers[1:] != self.answers[:-1]
        places = np.where(changed, np.arange(len(changed))[:, None], 0)
        return np.asarray(self.epochs)[np.maximum.accumulate(places, axis=0)]

    def first_right_for_good(self) -> Array:
        """Return for each row the epoch from which on it was always right; 0 where it is wrong in the last one."""
        wrong = self.answers != self.truths
        after = len(wrong) - np.argmax(wrong[::-1], axis=0)  # the place behind the last wrong answer
        after = np.where(wrong.any(axis=0), after, 0)
        return np.where(after < len(wrong), np.array([*self.epochs, 0])[after], 0)


def confusions(recorded: Recorded) -> Confusions | Missing:
    """Return the confusion matrix of each recorded epoch, of the validation rows or, without any, of the training rows.

    Training rows were answered in the step that they were in, with the weights of that moment, dropout and
    augmentation.
    """
    rows, part = (recorded.validation, "validation") if recorded.validation else (recorded.rows, "training")
    if rows is None:
        return without_rows(recorded)
    if rows.answers is None or rows.truths is None or not len(rows.epochs):
        return Missing("There is no class that was answered: the network gives numbers, or several labels at once.")
    answers, truths = np.asarray(rows.answers, int), np.asarray(rows.truths, int)
    target = recorded.model.target.classes
    size = max(len(target or ()), int(answers.max(initial=0)) + 1, int(truths.max(initial=0)) + 1)
    names = tuple(map(str, target)) if target and len(target) == size else tuple(map(str, range(size)))
    cells = truths * size + answers
    counts = np.stack([np.bincount(row, minlength=size * size).reshape(size, size) for row in cells])
    steps = tuple(int(epoch) * recorded.steps_per_epoch for epoch in rows.epochs)
    epochs, numbers = tuple(map(int, rows.epochs)), np.asarray(rows.numbers)
    return Confusions(part, epochs, steps, names, counts, truths, answers, numbers)
