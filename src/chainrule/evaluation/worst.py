"""The rows with the highest cost, as small pictures or as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.draw.images import png
from chainrule.evaluation.rows import take
from chainrule.models.predictions import Predictions

#: How many rows are kept, how many columns of each, and how large a picture may be.
ROWS, COLUMNS, PIXELS = 24, 12, 64


def worst_rows(
    predictions: Predictions,
    x: Any,
    names: list[str],
    *,
    frame: Any = None,
    columns: Sequence[str] | None = None,
    numbers: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return the rows with the highest cost, the worst first.

    Parameters
    ----------
    predictions, x : what is predicted, and of what
    names : of the classes
    frame : the rows as they were in the table (a pandas DataFrame), if there is one
    columns : names for the columns of x, where there is no frame
    numbers : the number of each row in the data
    """
    cost = np.where(np.isfinite(predictions.loss), predictions.loss, np.inf)
    order = np.argsort(-cost, kind="stable")[:ROWS]
    rows = np.sort(order)
    values = frame.iloc[rows] if frame is not None else take(x, rows)
    if not hasattr(values, "iloc"):
        values = np.asarray(values)
    place = {int(row): i for i, row in enumerate(rows)}
    labels = numbers if numbers is not None else getattr(frame, "index", None)
    worst = []
    for row in order.tolist():
        entry: dict[str, Any] = {"row": _plain(labels[row]) if labels is not None else row}
        entry |= {"cost": float(predictions.loss[row]), **_labels(predictions, row, names)}
        if frame is None and np.ndim(values) == 4:
            entry["picture"] = picture(values[place[row]])
        elif hasattr(values, "iloc"):
            entry["values"] = {str(k): _cell(v) for k, v in list(values.iloc[place[row]].items())[:COLUMNS]}
        elif np.ndim(values) == 2:
            names_of = columns or [f"input {i + 1}" for i in range(values.shape[1])]
            entry["values"] = {
                str(k): _cell(v) for k, v in list(zip(names_of, values[place[row]].tolist(), strict=True))[:COLUMNS]
            }
        worst.append(entry)
    return worst


def picture(pixels: np.ndarray) -> str:
    """Return an image (height, width, channels) as a PNG in a data URI; values outside [0, 1] are brought into it.

    >>> import numpy as np
    >>> picture(np.zeros((8, 8, 1)))[:26]
    'data:image/png;base64,iVBO'
    """
    from PIL import Image

    values = np.nan_to_num(np.asarray(pixels, np.float64))
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        values = (values - low) / ((high - low) or 1.0)
    values = values if values.shape[-1] in (1, 3) else values.mean(axis=-1, keepdims=True)
    image = Image.fromarray(np.round(255 * (values[..., 0] if values.shape[-1] == 1 else values)).astype(np.uint8))
    image.thumbnail((PIXELS, PIXELS))
    return png(np.asarray(image))


def _labels(predictions: Predictions, row: int, names: list[str]) -> dict[str, Any]:
    """Return what a row is, what it is taken for, and how confidently."""
    true, predicted = predictions.true[row], predictions.predicted[row]
    if predictions.task == "regression":
        return {"true": true.tolist(), "said": predicted.tolist()}
    confidence = None if predictions.confidence is None else float(predictions.confidence[row])
    if predictions.task == "multilabel":
        labels = [", ".join(names[i] for i in np.flatnonzero(flags)) or "none" for flags in (true, predicted)]
        return {"true": labels[0], "said": labels[1], "sure": confidence}
    return {"true": names[int(true)], "said": names[int(predicted)], "sure": confidence}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value if isinstance(value, int) else str(value)


def _cell(value: Any) -> str:
    """Return a value of a table as text."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{float(value):.4g}"
    text = str(value)
    if text in ("nan", "None", "<NA>", "NaT"):
        return ""
    return text if len(text) <= 60 else f"{text[:59]}…"
