"""Whether the samples of a batch are kept apart, by the loss and by every layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.pieces import Piece, PieceError, Wide, loss_name, pieces_of, row_costs

__all__ = ["samples_apart"]

#: Rows of the batch, and how many of them are taken alone.
ROWS, ALONE = 8, 3

#: By so much of their size results may differ; in float64 right ones differ by rounding only.
MOST = 1e-4


def samples_apart(wide: Wide) -> Iterable[Finding]:
    """Yield whether a row has the same cost and the same output alone as in its batch.

    Statistic: the largest difference beside the size of the values, of the loss at the network's outputs and at random
    ones, and of every layer in prediction mode (in training batch normalization mixes the rows on purpose). Null:
    exact, 0 up to rounding.

    Source: lecture 003: C = 1/n Σ Cₓ, a mean of costs that each belong to one sample.
    """
    layers = list(_layers(wide))
    costs = list(_loss(wide))
    yield from layers
    yield from costs
    if not layers and not costs:
        yield Finding(
            "samples_apart",
            "note",
            f"Samples are kept apart: {ALONE} rows have the same output and cost alone as in a batch of "
            f"{len(wide.batch.x)}.",
            against=("code_axis",),
        )


def _layers(wide: Wide) -> Iterator[Finding]:
    """Yield the first layer of which a row alone comes out as another than in its batch."""
    x, net = wide.batch.x, wide.recipe.net
    together, _ = pieces_of(net, wide.params, wide.model_state, x)
    again, _ = pieces_of(net, wide.params, wide.model_state, x)
    if any(_apart(a.out, b.out) > MOST for a, b in zip(together, again, strict=True)):
        return  # a layer draws numbers of its own in every call: nothing can be compared
    for row in range(min(ALONE, len(x))):
        try:
            alone, _ = pieces_of(net, wide.params, wide.model_state, x[row : row + 1])
        except PieceError as error:
            yield Finding(
                "samples_apart",
                "advice",
                f"{error.piece.name} cannot be applied to a single row, so that one row cannot be predicted: "
                f"{error.__cause__}",
                error.piece.name,
                causes=("code_axis",),
            )
            return
        for piece, single in zip(together, alone, strict=True):
            difference = _apart(piece.out[row : row + 1], single.out)
            if difference > MOST:
                yield _mixing(piece, difference)
                return


def _mixing(piece: Piece, difference: float) -> Finding:
    return Finding(
        "samples_apart",
        "alarm",
        f"{piece.name} mixes the samples of a batch: the output of a row alone differs from that in its batch by "
        f"{difference:.2g} of its size. Work along the axes of one sample (axis=-1), not along the first.",
        piece.name,
        (Evidence("difference of a row's output alone and in its batch", difference, 0.0, MOST),),
        ("code_axis",),
    )


def _loss(wide: Wide) -> Iterator[Finding]:
    """Yield that the loss of a row depends on the others."""
    recipe, y = wide.recipe, wide.batch.y
    out = np.asarray(pieces_of(recipe.net, wide.params, wide.model_state, wide.batch.x)[1], np.float64)
    n, name = len(y), loss_name(recipe.loss)
    together = row_costs(recipe, out, y)
    alone = np.array([row_costs(recipe, out[i : i + 1], y[i : i + 1])[0] for i in range(n)])
    usable = np.isfinite(together) & np.isfinite(alone)
    if not usable.any():
        return
    together, alone = together[usable], alone[usable]
    difference = _apart(together, alone)
    if difference <= MOST:
        return
    factor = float(np.median(together / np.where(alone == 0, np.nan, alone)))
    evidence = (Evidence("difference of a row's cost alone and in its batch", difference, 0.0, MOST),)
    if _apart(together, factor * alone) <= MOST:
        many = f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"
        yield Finding(
            "samples_apart",
            "alarm",
            f"The cost of a row by {name} is {many} what it is alone, in a batch of {n}: the mean over the batch is "
            "taken (or the sum), which is not the loss's business. Return one cost per sample.",
            name,
            evidence,
            ("code_scale", "code_axis"),
        )
        return
    yield Finding(
        "samples_apart",
        "alarm",
        f"The cost of a row by {name} depends on the other rows of its batch: alone it differs by {difference:.2g} of "
        "its size. Sum or average over the axes of one sample only.",
        name,
        evidence,
        ("code_axis", "code_loss"),
    )


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference beside the size of the values."""
    if a.shape != b.shape:
        return float("inf")
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return 0.0
    size = np.sqrt(np.mean(np.square(a[both])))
    return float(np.abs(a[both] - b[both]).max() / max(size, 1e-12))
