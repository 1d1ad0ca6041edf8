"""Checks of the user's own code: the loss, the layers, and their gradients. All are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from chainrule.errors import GradientError, ShapeError
from chainrule.symptoms import gradient_check, loss_check, samples_check
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.pieces import (
    PieceError,
    Wide,
    loss_is_users_own,
    loss_name,
    pieces_of,
    row_costs,
    widened,
)
from chainrule.symptoms.subject import Subject

__all__ = ["CHECKS", "code_fault", "gradient", "loss_direction", "samples_apart"]


def code_fault(subject: Subject) -> Iterable[Finding]:
    """Yield the layer or the loss that raises an error, in training or in prediction.

    Null: exact. A gradient that would be lost (a traced value made a plain array or a number) is cut off; a loss that
    gives no cost for each sample mixes them.
    """
    yield from _fault(_wide(subject, _few(subject)))


def _fault(wide: Wide) -> Iterator[Finding]:
    recipe, batch = wide.recipe, wide.batch
    try:
        for key, train in ((None, False), (wide.key, True)):
            out = pieces_of(recipe.net, wide.params, wide.model_state, batch.x, key=key, train=train)[1]
    except PieceError as error:
        yield _error(error.piece.name, error.__cause__, ("code_axis", "code_gradient"))
        return
    try:
        row_costs(recipe, out, batch.y)
    except Exception as error:
        causes = ("code_axis", "code_scale") if isinstance(error, ShapeError) else ("code_loss",)
        causes = causes if loss_is_users_own(recipe.loss) else ("output", "loss")
        yield _error(loss_name(recipe.loss), error, causes)
        return
    for name, reason in gradient_check.failing(wide):
        yield _error(name, reason, ("code_gradient",))


def _error(name: str, error: BaseException | None, causes: tuple[str, ...]) -> Finding:
    if isinstance(error, GradientError):
        causes = ("code_cut",)
    return Finding("gradient", "alarm", f"{name} fails: {type(error).__name__}: {error}", name, (), causes)


def loss_direction(subject: Subject) -> Iterable[Finding]:
    """Yield whether the loss points to the targets: see `loss_check`."""
    return loss_check.loss_direction(_wide(subject, loss_check.ROWS))


def samples_apart(subject: Subject) -> Iterable[Finding]:
    """Yield whether samples are kept apart: see `samples_check`."""
    return samples_check.samples_apart(_wide(subject, samples_check.ROWS))


def gradient(subject: Subject) -> Iterable[Finding]:
    """Yield whether gradients are right: see `gradient_check`."""
    return gradient_check.gradient(_wide(subject, _few(subject)))


def _few(subject: Subject) -> int:
    """Return how many rows are enough: of pictures fewer."""
    return gradient_check.ROWS if subject.run.prepared.train.x[0].size <= 256 else gradient_check.ROWS // 2


def _wide(subject: Subject, rows: int) -> Wide:
    return widened(subject.recipe, subject.state, subject.batch(rows), rows)


#: The checks, in their order, by the symptom that they look for.
CHECKS: tuple[tuple[str, Callable[[Subject], Iterable[Finding]]], ...] = (
    ("gradient", code_fault),
    ("samples_apart", samples_apart),  # before the direction: a loss that mixes samples points anywhere
    ("loss_direction", loss_direction),
    ("gradient", gradient),
)
