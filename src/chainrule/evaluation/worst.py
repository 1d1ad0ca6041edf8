"""The rows with the highest cost, as small pictures or as rows of a table."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.evaluation.predictions import Predictions
from chainrule.evaluation.rows import opened, take

#: How many rows are kept, how many columns of each, and how large a picture may be.
ROWS, COLUMNS, PIXELS = 24, 12, 64


def worst_rows(
    judged: Predictions,
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
    judged, x : what was judged, and on what
    names : of the classes
    frame : the rows as they were in the table (a pandas DataFrame), if there is one
    columns : names for the columns of x, where there is no frame
    numbers : the number of each row in the data
    """
    cost = np.where(np.isfinite(judged.cost), judged.cost, np.inf)
    order = np.argsort(-cost, kind="stable")[:ROWS]
    rows = np.sort(order)
    shown = frame.iloc[rows] if frame is not None else take(opened(x), rows)
    if not hasattr(shown, "iloc"):
        shown = np.asarray(shown)
    place = {int(row): i for i, row in enumerate(rows)}
    labels = numbers if numbers is not None else getattr(frame, "index", None)
    found = []
    for row in order.tolist():
        one: dict[str, Any] = {"row": _plain(labels[row]) if labels is not None else row}
        one |= {"cost": float(judged.cost[row]), **_answer(judged, row, names)}
        if frame is None and np.ndim(shown) == 4:
            one["picture"] = picture(shown[place[row]])
        elif hasattr(shown, "iloc"):
            one["values"] = {str(k): _cell(v) for k, v in list(shown.iloc[place[row]].items())[:COLUMNS]}
        elif np.ndim(shown) == 2:
            names_of = columns or [f"input {i + 1}" for i in range(shown.shape[1])]
            one["values"] = {
                str(k): _cell(v) for k, v in list(zip(names_of, shown[place[row]].tolist(), strict=True))[:COLUMNS]
            }
        found.append(one)
    return found


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
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _answer(judged: Predictions, row: int, names: list[str]) -> dict[str, Any]:
    if judged.right is None:
        return {"true": judged.true[row].tolist(), "said": judged.said[row].tolist()}
    sure = None if judged.sure is None else float(judged.sure[row])
    if judged.true.ndim == 2:
        given, said = ([names[i] for i in np.flatnonzero(flags[row])] for flags in (judged.true, judged.said))
        return {"true": ", ".join(given) or "none", "said": ", ".join(said) or "none", "sure": sure}
    return {"true": names[int(judged.true[row])], "said": names[int(judged.said[row])], "sure": sure}


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
