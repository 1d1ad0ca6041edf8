"""A computational graph as a picture: inline SVG in a page that needs nothing else."""

from __future__ import annotations

import html
import itertools
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.graph.layout import Layout, layout
from chainrule.graph.node import Node, expression
from chainrule.graph.text import box_name, table
from chainrule.graph.values import number, setting, shorten, summary

LIMIT = 400  # nodes; above, operations are folded

# All rules begin with .cr-graph, so that nothing else on a notebook's page changes.
STYLE = """
.cr-graph { --back: #ffffff; --ink: #1b1f24; --muted: #59636e; --line: #7d8894; --box: #f3f5f7;
  --border: #aab3bd; --input: #dfebfa; --input-border: #6f9fd8; --layer: #59636e14; --value: #0a58b0;
  --gradient: #b2390a;
  background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .cr-graph { --back: #14171b; --ink: #e8ebee; --muted: #9aa5b1;
  --line: #8591a0; --box: #23282f; --border: #505a66; --input: #1c3350; --input-border: #4a7ab5;
  --layer: #a9b4c01a; --value: #7db7ff; --gradient: #ff9d70; } }
.cr-graph p { margin: 0 0 8px; max-width: 46em; }
.cr-graph .cr-scroll { overflow-x: auto; max-width: 100%; }
.cr-graph svg { display: block; }
.cr-graph text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink);
  text-anchor: middle; }
.cr-graph text.cr-name { font: 600 13px system-ui, sans-serif; }
.cr-graph text.cr-shape { font-size: 11px; fill: var(--muted); }
.cr-graph text.cr-value { fill: var(--value); }
.cr-graph text.cr-gradient { fill: var(--gradient); }
.cr-graph text.cr-back { font-size: 11px; fill: var(--gradient); text-anchor: end; paint-order: stroke;
  stroke: var(--back); stroke-width: 4px; stroke-linejoin: round; }
.cr-graph text.cr-layer { font: 12px system-ui, sans-serif; fill: var(--muted); text-anchor: start; }
.cr-graph rect { fill: var(--box); stroke: var(--border); stroke-width: 1.2px; }
.cr-graph .cr-input rect { fill: var(--input); stroke: var(--input-border); }
.cr-graph .cr-constant rect { fill: none; stroke-dasharray: 3 3; }
.cr-graph .cr-result rect { stroke: var(--ink); stroke-width: 2.4px; }
.cr-graph rect.cr-layer { fill: var(--layer); stroke: none; }
.cr-graph path { fill: none; stroke: var(--line); stroke-width: 1.3px; }
.cr-graph path.cr-still { stroke-dasharray: 3 4; }
.cr-graph path.cr-head { fill: var(--line); stroke: none; }
.cr-graph path.cr-reach { stroke: transparent; stroke-width: 12px; }
.cr-graph .cr-arrow:hover path { stroke: var(--gradient); }
.cr-graph .cr-arrow:hover path.cr-head { fill: var(--gradient); stroke: none; }
.cr-graph .cr-arrow:hover path.cr-reach { stroke: transparent; }
.cr-graph span.cr-value { color: var(--value); font-weight: 600; }
.cr-graph span.cr-gradient { color: var(--gradient); font-weight: 600; }
.cr-graph summary { cursor: pointer; }
.cr-graph pre { overflow-x: auto; margin: 8px 0 0; font: 12px/1.6 ui-monospace, Menlo, Consolas, monospace; }
"""


def page(nodes: list[Node], output: Node, title: str, backward: bool) -> str:
    """Return a whole HTML page; see `fragment`."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n"
        "<style>body { margin: 0; background: #ffffff; } .cr-graph { padding: 16px; }\n"
        "@media (prefers-color-scheme: dark) { body { background: #14171b; } }</style>\n"
        f"</head>\n<body>\n{fragment(nodes, output, title, backward)}\n</body>\n</html>\n"
    )


def fragment(nodes: list[Node], output: Node, title: str, backward: bool) -> str:
    """Return the picture for a notebook or for a page of one's own.

    ``output`` is the node of the result, and ``backward`` says whether gradients were computed.
    """
    boxes, folded = _boxes(nodes, output, backward)
    legend = 'Above each box is its <span class="cr-value">value</span>'
    if backward:
        legend += (
            ', below it its <span class="cr-gradient">gradient</span>: the derivative of the result. The '
            "number at an arrow flows back along it: local derivative × gradient. The numbers on all arrows "
            "that leave a box add up to its gradient"
        )
    legend += ". "
    if any(a.still for b in boxes for a in b.arrows):
        legend += "No gradient flows back along a dashed arrow. "
    if any("…" in b.value for b in boxes):
        legend += "Of an array, the smallest … the largest number is shown. "
    if folded:
        legend += (
            f"The graph has {len(nodes):,} nodes; here, operations in a row are folded into one box, "
            "with the last one's value and gradient. The printed graph has every node. "
        )
    legend += "Point at a box or an arrow for all details."
    rows = ""
    if not folded:
        rows = f"<details><summary>The same as a table</summary><pre>{_text(table(nodes, title))}</pre></details>"
    return (
        f'<div class="cr-graph"><style>{STYLE}</style>\n'
        f"<p><strong>{_text(title)}</strong></p>\n<p>{legend}</p>\n"
        f'<div class="cr-scroll">{_svg(boxes, title)}</div>\n{rows}</div>'
    )


# --- what is drawn ------------------------------------------------------------------------------------------


@dataclass
class _Arrow:
    source: int  # number of the box
    label: str
    details: str
    still: bool  # no gradient flows back


@dataclass
class _Box:
    kind: str  # the classes of CSS
    name: str
    shape: str
    value: str
    gradient: str
    details: str
    scope: tuple[str, ...]
    arrows: list[_Arrow] = field(default_factory=list)

    @property
    def inner_height(self) -> float:
        """Of the rounded box; many arrows need a high one."""
        return max(44.0 if self.shape else 30.0, min(20.0 * len(self.arrows), 240.0))

    @property
    def size(self) -> tuple[float, float]:
        """With the value above and the gradient below."""
        text = max(len(self.value), len(self.gradient))
        width = max(8.3 * len(self.name) + 22, 6.7 * len(self.shape) + 18, 7.25 * text + 4, 36.0)
        return width, self.inner_height + (36.0 if self.value or self.gradient else 0.0)


def _boxes(nodes: list[Node], output: Node, backward: bool) -> tuple[list[_Box], bool]:
    groups = _fold(nodes)
    homes = _homes(nodes)
    first_use: dict[int, int] = {}
    for n in nodes:
        for i in n.inputs:
            first_use.setdefault(i, n.index)

    def order(group: list[Node]) -> tuple[float, bool]:
        """Return what orders nodes: operations in order; an input just before its first use, those of a layer last."""
        operations = [n.index for n in group if n.inputs]
        if operations:
            return operations[0], False
        return first_use.get(group[0].index, len(nodes)) - 0.5, bool(homes[group[0].index])

    if len(groups) < len(nodes):  # a folded box may stand before the first use
        groups.sort(key=lambda group: (any(n.inputs for n in group), order(group)))
    else:
        groups.sort(key=order)
    of_node = {n.index: b for b, group in enumerate(groups) for n in group}
    boxes = []
    for group in groups:
        box = _box(group[0], homes) if len(group) == 1 else _folded_box(group)
        if any(n is output for n in group):
            box.kind += " cr-result"
        boxes.append(box)
    for b, group in enumerate(groups):
        for n in group:
            for position, i in enumerate(n.inputs):
                source = of_node[i]
                if source == b:
                    continue
                if len(group) == 1 and len(groups[source]) == 1:
                    boxes[b].arrows.append(_arrow(nodes[i], n, position, source, backward))
                elif source not in [a.source for a in boxes[b].arrows]:
                    details = f"from {boxes[source].name} to {boxes[b].name}"
                    boxes[b].arrows.append(_Arrow(source, "", details, still=False))
    return boxes, len(groups) < len(nodes)


def _homes(nodes: list[Node]) -> dict[int, tuple[str, ...]]:
    """Return the layer in whose background each node belongs.

    Parameters and constants are made outside of all layers, but belong to the one that alone uses them.
    """
    users: dict[int, list[Node]] = {}
    for n in nodes:
        for i in n.inputs:
            users.setdefault(i, []).append(n)
    homes = {}
    for n in nodes:
        homes[n.index] = n.scope
        if n.index in users and not n.inputs and not _is_argument(n):
            homes[n.index] = _common_scope(users[n.index])
    return homes


def _is_argument(n: Node) -> bool:
    """Return whether this is a whole argument, such as x: unlike params["w"], it belongs to no layer."""
    return not n.inputs and n.label.isidentifier() and n.label != summary(n.value)


def _apart(boxes: list[_Box]) -> list[tuple[int, int]]:
    """Return pairs (first, second) that keep layers apart: a layer's inputs stand behind what enters the layer."""
    pairs = []
    for box in boxes:
        sources = [a.source for a in box.arrows]
        for second in sources:
            if not boxes[second].arrows:
                pairs += [
                    (first, second)
                    for first in sources
                    if first < second
                    and boxes[first].scope != boxes[second].scope
                    and (boxes[first].arrows or not boxes[first].scope)
                    and (boxes[first].scope or boxes[second].scope)
                ]
    return pairs


def _box(n: Node, homes: dict[int, tuple[str, ...]]) -> _Box:
    return _Box(
        kind=f"cr-node cr-{n.op}" if n.op in ("input", "constant") else "cr-node",
        name=box_name(n),
        shape=" × ".join(map(str, n.shape)),
        value="" if box_name(n) == summary(n.value) else _short(n.value),
        gradient="" if n.gradient is None else _short(n.gradient),
        details=_details(n),
        scope=homes[n.index],
    )


def _short(x: Any) -> str:
    """Return a number or up to three; of more, the range."""
    text = summary(x, digits=4, entries=3)
    if not text.startswith("mean "):
        return text
    a = np.asarray(x, np.float64)
    a = a[np.isfinite(a)]
    bad = f" ({np.size(x) - a.size} not finite)" if a.size < np.size(x) else ""
    return f"{number(a.min(), 2)} … {number(a.max(), 2)}{bad}"


def _details(n: Node) -> str:
    lines = [f"#{n.index}  {expression(n)}"]
    if n.formula:
        lines.append(f"{n.op}: {n.formula}")
    lines.append(f"shape {n.shape}, {n.dtype}")
    for name, x in (("value", n.value), ("gradient", n.gradient)):
        if x is not None:
            spread = ""
            if np.size(x) > 4 and np.asarray(x).dtype.kind == "f":
                spread = f", deviation {float(np.std(np.asarray(x, np.float64))):.4g}"
            lines.append(f"{name} {summary(x)}{spread}")
    lines += [f"{k} = {setting(v)}" for k, v in n.settings.items()]
    if n.scope:
        lines.append(f"layer {'/'.join(n.scope)}")
    return "\n".join(lines)


def _arrow(source: Node, target: Node, position: int, box: int, backward: bool) -> _Arrow:
    back, local = target.contributions[position], target.local[position]
    details = f"from #{source.index} {box_name(source)} to #{target.index} {box_name(target)}"
    if local is not None:
        details += f"\nlocal derivative {summary(local)}"
    label = ""
    if back is not None:
        details += f"\ngradient that flows back {summary(back)}"
        if local is not None:
            details += f"\n= local derivative × gradient {summary(target.gradient)}"
        text = summary(back, digits=4, entries=3)
        label = text if np.size(back) <= 3 and len(text) <= 14 else ""
    elif backward:
        details += "\nno gradient flows back"
    return _Arrow(box, label, details, still=backward and back is None)


# --- large graphs -------------------------------------------------------------------------------------------


def _fold(nodes: list[Node], limit: int = LIMIT) -> list[list[Node]]:
    """Group the nodes into boxes: one each, or operations in a row together if there are too many.

    First the operations of a layer, the innermost first; if that is not enough, equal pieces. Groups of
    operations in a row never depend on each other in a circle.
    """
    if len(nodes) <= limit:
        return [[n] for n in nodes]
    for depth in range(max(len(n.scope) for n in nodes), 0, -1):
        # An operation outside of all layers stays alone.
        groups = _runs(nodes, lambda n, depth=depth: n.scope[:depth] or n.index)  # type: ignore[misc]
        if len(groups) <= limit:
            return groups
    operations = [n.index for n in nodes if n.inputs]
    piece = -(-len(operations) // (limit // 2))
    rank = {i: r // piece for r, i in enumerate(operations)}
    return _runs(nodes, lambda n: rank[n.index])


def _runs(nodes: list[Node], key: Callable[[Node], Hashable]) -> list[list[Node]]:
    runs = [list(run) for _, run in itertools.groupby((n for n in nodes if n.inputs), key)]
    run_of = {n.index: r for r, run in enumerate(runs) for n in run}
    users: dict[int, set[int]] = {}
    for n in nodes:
        for i in n.inputs:
            users.setdefault(i, set()).add(run_of[n.index])
    sources = []
    for n in nodes:
        if n.inputs:
            continue
        used = users.get(n.index, set())
        run = runs[min(used)] if len(used) == 1 else []
        if len(run) > 1 and not _is_argument(n):
            run.insert(0, n)  # used in one folded box only: goes into it
        else:
            sources.append([n])
    return [*sources, *runs]


def _folded_box(group: list[Node]) -> _Box:
    operations = [n for n in group if n.inputs]
    if not operations:
        operations = group
    last = max(operations, key=lambda n: n.index)
    counts = Counter(n.op for n in operations)
    common = _common_scope(operations)
    title = shorten("/".join(common), 28) if common else f"{len(operations)} operations"
    lines = [f"{len(group)} nodes, up to #{last.index}"]
    lines += [f"{k} × {op}" for op, k in counts.most_common(12)]
    return _Box(
        kind="cr-node",
        name=title,
        shape=f"{len(operations)} operations" if common else "",
        value=_short(last.value),
        gradient="" if last.gradient is None else _short(last.gradient),
        details="\n".join([*lines, "the last one:", _details(last)]),
        scope=common[:-1],
    )


def _common_scope(nodes: list[Node]) -> tuple[str, ...]:
    common: list[str] = []
    for names in zip(*(n.scope for n in nodes), strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return tuple(common)


# --- SVG ----------------------------------------------------------------------------------------------------


def _svg(boxes: list[_Box], title: str) -> str:
    arrows = [(a.source, b) for b, box in enumerate(boxes) for a in box.arrows]
    all_arrows = [a for box in boxes for a in box.arrows]
    plan = layout(
        sizes=[b.size for b in boxes],
        arrows=arrows,
        ports=[b.inner_height for b in boxes],
        labels=[6.7 * len(a.label) for a in all_arrows],
        after=_apart(boxes),
    )
    layers = _layers(boxes, plan)
    parts = [_draw_layer(*group) for group in layers]
    drawn: set[tuple[_Point, _Point]] = set()
    # The way that several arrows share is drawn once; with a gradient first: dashed only if all of them are.
    for a, path in sorted(zip(all_arrows, plan.paths, strict=True), key=lambda pair: pair[0].still):
        parts.append(_draw_arrow(a, _not_yet(path, drawn)))
    parts += [_draw_box(b, x, y) for b, x, y in zip(boxes, plan.x, plan.y, strict=True)]
    # Labels come last, above all lines.
    parts += [
        f'<text class="cr-back" x="{path[-1][0] - 9:.1f}" y="{path[-1][1] - 4:.1f}">{_text(a.label)}</text>'
        for a, path in zip(all_arrows, plan.paths, strict=True)
        if a.label
    ]
    left, top, right, bottom = zip((0.0, 0.0, plan.width, plan.height), *(area for _, area in layers), strict=True)
    x, y = min(left), min(top)
    w, h = max(right) - x, max(bottom) - y
    inside = "\n".join(parts)
    return (
        f'<svg role="img" width="{w:.0f}" height="{h:.0f}" viewBox="{x:.0f} {y:.0f} {w:.0f} {h:.0f}" '
        f'aria-label="{_text(title)}">\n'
        f"{inside}\n</svg>"
    )


def _draw_box(b: _Box, x: float, y: float) -> str:
    width, inner = b.size[0], b.inner_height
    texts = [("cr-name", y + (-3.0 if b.shape else 4.5), b.name), ("cr-shape", y + 13.0, b.shape)]
    texts += [("cr-value", y - inner / 2 - 6, b.value), ("cr-gradient", y + inner / 2 + 15, b.gradient)]
    written = "".join(
        f'<text class="{kind}" x="{x:.1f}" y="{ty:.1f}">{_text(text)}</text>' for kind, ty, text in texts if text
    )
    return (
        f'<g class="{b.kind}"><title>{_text(b.details)}</title><rect x="{x - width / 2:.1f}" '
        f'y="{y - inner / 2:.1f}" width="{width:.1f}" height="{inner:.1f}" rx="8"/>{written}</g>'
    )


_Point = tuple[float, float]


def _not_yet(points: list[_Point], drawn: set[tuple[_Point, _Point]]) -> list[_Point]:
    """Return the end of an arrow from where it leaves the ways already drawn."""
    first = 0
    while first < len(points) - 2 and (points[first], points[first + 1]) in drawn:
        first += 1
    drawn.update(itertools.pairwise(points))
    return points[first:]


def _draw_arrow(a: _Arrow, points: list[_Point]) -> str:
    """Draw an arrow: straight through a column, curved between two columns."""
    (x, y), (end_x, end_y) = points[0], points[-1]
    d = f"M{x:.1f},{y:.1f}"
    for px, py in points[1:-1]:
        middle = (x + px) / 2
        bend = f" C{middle:.1f},{y:.1f} {middle:.1f},{py:.1f} {px:.1f},{py:.1f}"
        d += bend if abs(py - y) > 0.05 else f" H{px:.1f}"
        x, y = px, py
    d += f" H{end_x - 6:.1f}"
    still = ' class="cr-still"' if a.still else ""
    return (
        f'<g class="cr-arrow"><title>{_text(a.details)}</title><path class="cr-reach" d="{d}"/>'
        f'<path{still} d="{d}"/>'
        f'<path class="cr-head" d="M{end_x:.1f},{end_y:.1f} l-8,-4 v8 z"/></g>'
    )


# --- layers as backgrounds ----------------------------------------------------------------------------------

_Area = tuple[float, float, float, float]  # left, top, right, bottom


def _layers(boxes: list[_Box], plan: Layout) -> list[tuple[str, _Area]]:
    """Return a background for each layer, outermost first, where it would cover no box of another layer."""
    areas = [
        (x - b.size[0] / 2, y - b.size[1] / 2, x + b.size[0] / 2, y + b.size[1] / 2)
        for b, x, y in zip(boxes, plan.x, plan.y, strict=True)
    ]
    paths = dict.fromkeys(box.scope[:d] for box in boxes for d in range(1, len(box.scope) + 1))
    drawn: list[tuple[tuple[str, ...], _Area]] = []
    for path in sorted(paths, key=len):
        depth = len(path)
        inside = [box.scope[:depth] == path for box in boxes]
        within = max(len(box.scope) for box, member in zip(boxes, inside, strict=True) if member) - depth
        area = _around([a for a, member in zip(areas, inside, strict=True) if member], within)
        strangers = (a for a, member in zip(areas, inside, strict=True) if not member)
        others = (a for p, a in drawn if p != path[: len(p)])
        if not any(_overlap(area, a) for a in (*strangers, *others)):
            drawn.append((path, area))
    return [(path[-1], area) for path, area in drawn]


def _around(areas: list[_Area], within: int) -> _Area:
    """Return the area around others, with room for a title and for the backgrounds within."""
    left, top, right, bottom = zip(*areas, strict=True)
    pad = 8.0 + 5.0 * within
    return min(left) - pad, min(top) - pad - 12.0 * (within + 1), max(right) + pad, max(bottom) + pad


def _overlap(a: _Area, b: _Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_layer(name: str, area: _Area) -> str:
    left, top, right, bottom = area
    return (
        f'<rect class="cr-layer" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" rx="10"/><text class="cr-layer" x="{left + 8:.1f}" '
        f'y="{top + 14:.1f}">{_text(shorten(name, 40))}</text>'
    )


def _text(s: str) -> str:
    """Escape text for HTML and XML, without control characters."""
    return html.escape("".join(c if c.isprintable() or c == "\n" else "�" for c in s))
