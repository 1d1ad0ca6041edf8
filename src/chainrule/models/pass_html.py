"""A pass of one row as HTML without scripts: stages that open, each with its numbers, a sum, and what checks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.backprop.check import GradientCheck, GradientRow
from chainrule.display.markup import Html, join, tag
from chainrule.models.linear_terms import Terms
from chainrule.models.stage import Stage

Array = Any

#: Of more numbers or terms, those that are largest without their sign.
MOST = 12

STYLE = """
.cr-pass { font: 14px/1.5 system-ui, sans-serif; max-width: 60em; }
.cr-pass details { border-top: 1px solid #8886; padding: 3px 0; }
.cr-pass summary { cursor: pointer; }
.cr-pass table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 4px 0 8px; }
.cr-pass td, .cr-pass th { padding: 1px 12px 1px 0; text-align: right; font-weight: 400; }
.cr-pass p { margin: 4px 0; }
"""


def pass_html(stages: Sequence[Stage], check: GradientCheck, ties: int) -> str:
    """Return a pass as HTML: in each stage the 12 numbers of largest size, and the sum that makes the largest one."""
    rows = {row.path: row for row in check.rows}
    count = sum(row.checked for row in check.rows)
    verdict = "agree" if check.ok else "do not agree"
    head = (
        f"{count:,} gradients and their central differences {verdict}: the largest relative error is "
        f"{check.max_relative_error:.1e}, and {check.tolerance:g} is allowed."
    )
    if ties:
        head += f" {ties:,} values lie exactly at a corner of their activation, where a difference averages both sides."
    parts = [_stage(stage, rows.get(_path(stage)), check.tolerance) for stage in stages]
    return join([tag("style", Html(STYLE)), tag("div", tag("p", head), *parts, class_="cr-pass")])


def _path(stage: Stage) -> str:
    """Return the name in the check of the parameter whose gradient a stage is; "" for other stages."""
    names = {"BP3": "bias", "BP4": "weight"}
    name = names.get(stage.kind) or stage.equation.partition(",")[0].removeprefix("∂C/∂")
    return ".".join(("params", *stage.layer.split("/"), name))


def _stage(stage: Stage, row: GradientRow | None, tolerance: float) -> Html:
    """Return one stage."""
    value = np.asarray(stage.value, float)
    order = np.argsort(-np.abs(value).ravel(), kind="stable")[:MOST]
    cells = [[_at(place, value.shape), _number(value.flat[place])] for place in order.tolist()]
    head = ["", stage.kind if value.shape else ""]
    if row is not None and row.places is not None and row.differences is not None:
        head = ["", "backpropagation", "central difference", "distance", ""]
        checked = dict(zip(row.places.tolist(), row.differences.tolist(), strict=True))
        for place, line in zip(order.tolist(), cells, strict=True):
            if place in checked:
                apart = abs(float(value.flat[place]) - checked[place])
                # The whole array passes or fails: single small numbers are beyond what a difference resolves.
                line += [_number(checked[place]), f"{apart:.1e}", "✓" if row.error <= tolerance else "✗"]
    more = value.size - len(order)
    others = f"… and {more:,} more: their sum is {_number(value.sum() - value.ravel()[order].sum())}." if more else ""
    name = " ".join(part for part in (stage.kind, stage.layer) if part)
    shape = f" ({' × '.join(map(str, value.shape))})" if value.shape else ""
    sums = []
    if stage.terms is not None and value.size:
        place = np.unravel_index(int(order[0]), value.shape)
        sums.append(_sum(stage.terms(*map(int, place)), _at(int(order[0]), value.shape)))
    summary = tag("summary", tag("b", name), f": {stage.equation}{shape}")
    return tag("details", summary, _table(head, cells), tag("p", others) if others else None, *sums)


def _sum(terms: Terms, at: str) -> Html:
    """Return how the number at a place comes about, term by term."""
    values = terms.values
    order = np.argsort(-np.abs(values), kind="stable")[:MOST]
    cells = [[terms.names[i], " · ".join(map(_number, terms.factors[i])), _number(values[i])] for i in order.tolist()]
    if len(values) > len(order):
        rest = values.sum() - values[order].sum()
        cells.append([f"… and {len(values) - len(order):,} more", "", _number(rest)])
    total = "sum" if terms.scale == 1 else f"sum × f′(z) = {_number(terms.scale)}"
    cells.append([total, "", _number(terms.total)])
    return _table([f"the number at {at}", "factors", "term"], cells)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    top = tag("tr", *(tag("th", name) for name in head))
    return tag("table", top, *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))


def _at(place: int, shape: tuple[int, ...]) -> str:
    """Return an index as people write it."""
    return ", ".join(str(int(i)) for i in np.unravel_index(place, shape)) if shape else ""


def _number(value: Any) -> str:
    """Return a number to ten digits."""
    return f"{float(value):.10g}".replace("-", "−")
