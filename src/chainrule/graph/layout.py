"""Where the boxes and arrows of a computational graph go: a layered drawing from left to right.

With widths and heights exchanged it is one from top to bottom.

The four steps of Sugiyama, Tagawa and Toda (1981): every box gets a column (its longest path from an input);
an arrow over several columns is led through a place of its own in each of them; the order within a column is
chosen so that few arrows cross; boxes move up or down towards their neighbours, keeping the order.
The result depends on the graph alone, so the same graph gives the same picture.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from dataclasses import dataclass, field

SPACE = 16.0  # between boxes of a column
LANE = 12.0  # height of the place that an arrow has in a column which it passes
MARGIN = 20.0


@dataclass
class Layout:
    """Centres of the boxes, points of the arrows, size of the whole."""

    width: float
    height: float
    x: list[float]
    y: list[float]
    paths: list[list[tuple[float, float]]]


@dataclass
class _Vertex:
    """A box, or the lane of an arrow that passes a column."""

    column: int
    width: float
    height: float
    lane: bool
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    #: Where lines from the left neighbours end, measured from the centre.
    ports: dict[int, float] = field(default_factory=dict)
    y: float = 0.0


def layout(
    sizes: list[tuple[float, float]],
    arrows: list[tuple[int, int]],
    ports: list[float],
    labels: list[float],
    gap: float = 52.0,
) -> Layout:
    """Place boxes of given (width, height).

    An arrow (from, to) goes from a box to a later one in the list. ``ports`` is the height of the part of
    each box at which arrows may end, ``labels`` the width of each arrow's label, which stands above its
    straight end, and ``gap`` is between columns, at least.
    """
    column = _columns(len(sizes), arrows)
    vertices = [_Vertex(c, w, h, lane=False) for c, (w, h) in zip(column, sizes, strict=True)]
    routes = _routes(vertices, arrows)
    order = _order(vertices)
    offsets = _offsets(vertices, order, arrows, routes, ports)
    _set_heights(vertices, order)
    _straighten(vertices, order)
    entering = Counter(target for _, target in arrows)
    ends = []
    for (_, target), route, offset in zip(arrows, routes, offsets, strict=True):
        # A line that is straight but for a few pixels becomes straight.
        slack = min(0.25 * ports[target] / entering[target], 8.0)
        end = vertices[target].y + offset
        ends.append(min(max(vertices[route[-1]].y, end - slack), end + slack))

    # A column is as wide as its widest box with the label at its left; between columns, steep arrows need
    # room.
    wide = [max((vertices[v].width for v in vs), default=0.0) for vs in order]
    lead = [0.0] * len(order)
    gaps = [gap] * len(order)
    for (_, target), route, label, end in zip(arrows, routes, labels, ends, strict=True):
        c = column[target]
        lead[c] = max(lead[c], label + 14.0 - (wide[c] - sizes[target][0]) / 2)
        heights = [vertices[v].y for v in route] + [end]
        for v, (y, next_y) in zip(route, itertools.pairwise(heights), strict=True):
            c = vertices[v].column + 1
            gaps[c] = max(gaps[c], min(130.0, gap + 0.12 * abs(next_y - y)))
    starts, x = [], MARGIN
    for c, w in enumerate(wide):
        x += gaps[c] if c else 0.0
        starts.append(x)
        x += lead[c] + w
    top = min((v.y - v.height / 2 for v in vertices), default=0.0) - MARGIN
    bottom = max((v.y + v.height / 2 for v in vertices), default=0.0) + MARGIN

    stops = [s + extra + w for s, extra, w in zip(starts, lead, wide, strict=True)]
    centres = [stops[c] - wide[c] / 2 for c in column]
    paths = []
    for (source, target), route, end in zip(arrows, routes, ends, strict=True):
        points = [(centres[source] + sizes[source][0] / 2, vertices[source].y)]
        c = column[source]
        points.append((stops[c], vertices[source].y))
        for v in route[1:]:
            c = vertices[v].column
            points += [(starts[c], vertices[v].y), (stops[c], vertices[v].y)]
        points += [(starts[column[target]], end), (centres[target] - sizes[target][0] / 2, end)]
        paths.append([(px, py - top) for px, py in points])
    return Layout(x + MARGIN, bottom - top, centres, [v.y - top for v in vertices[: len(sizes)]], paths)


def _columns(count: int, arrows: list[tuple[int, int]]) -> list[int]:
    """Return the longest path from a box without inputs; such boxes stand next to where they are first used."""
    column = [0] * count
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in arrows:
        into[target].append(source)
        out[source].append(target)
    for i in range(count):
        column[i] = max((column[s] + 1 for s in into[i]), default=0)
    for i in reversed(range(count)):
        if not into[i] and out[i]:
            column[i] = min(column[t] for t in out[i]) - 1
    return column


def _routes(vertices: list[_Vertex], arrows: list[tuple[int, int]]) -> list[list[int]]:
    """Return for each arrow the vertices before its end: its source, and a lane in each column that it passes.

    Arrows from the same box share their lanes. Fills the neighbours of the vertices.
    """
    lanes: dict[tuple[int, int], int] = {}
    linked: set[tuple[int, int]] = set()
    routes = []
    for source, target in arrows:
        route = [source]
        for c in range(vertices[source].column + 1, vertices[target].column):
            if (source, c) not in lanes:
                lanes[source, c] = len(vertices)
                vertices.append(_Vertex(c, 0.0, LANE, lane=True))
            route.append(lanes[source, c])
        for pair in zip(route, [*route[1:], target], strict=True):
            if pair not in linked:
                linked.add(pair)
                vertices[pair[0]].right.append(pair[1])
                vertices[pair[1]].left.append(pair[0])
        routes.append(route)
    return routes


def _order(vertices: list[_Vertex]) -> list[list[int]]:
    """Return the vertices of each column from top to bottom.

    Barycenter rule: sort a column by the mean place of the neighbours in the column before; sweep to the
    right and back, and keep the order with the fewest crossings.
    """
    order: list[list[int]] = [[] for _ in range(max((v.column for v in vertices), default=-1) + 1)]
    for v, vertex in enumerate(vertices):
        order[vertex.column].append(v)
    best, fewest = [vs[:] for vs in order], _crossings(vertices, order)
    place = [0.0] * len(vertices)

    def number(vs: list[int]) -> None:
        for i, v in enumerate(vs):
            place[v] = (i + 0.5) / len(vs)

    for vs in order:
        number(vs)
    since = 0
    for sweep in range(24):
        if fewest == 0 or since == 6:
            break
        to_right = sweep % 2 == 0
        for vs in order if to_right else reversed(order):
            near = {v: vertices[v].left if to_right else vertices[v].right for v in vs}
            vs.sort(key=lambda v: sum(place[u] for u in near[v]) / len(near[v]) if near[v] else place[v])
            number(vs)
        now = _crossings(vertices, order)
        since += 1
        if now < fewest:
            best, fewest, since = [vs[:] for vs in order], now, 0
    return best


def _crossings(vertices: list[_Vertex], order: list[list[int]]) -> int:
    """Return how many pairs of lines between neighbouring columns cross: the inversions of their ends."""
    total = 0
    for left, right in itertools.pairwise(order):
        place = {v: i for i, v in enumerate(right)}
        seen: list[int] = []
        for v in left:
            ends = sorted(place[u] for u in vertices[v].right)
            total += sum(len(seen) - bisect.bisect_right(seen, e) for e in ends)
            for e in ends:
                bisect.insort(seen, e)
    return total


def _offsets(
    vertices: list[_Vertex],
    order: list[list[int]],
    arrows: list[tuple[int, int]],
    routes: list[list[int]],
    ports: list[float],
) -> list[float]:
    """Return where each arrow ends, from the centre of its box: spread over it in the order in which they come."""
    place = {v: i for vs in order for i, v in enumerate(vs)}
    into: dict[int, list[int]] = {}
    for i, (_, target) in enumerate(arrows):
        into.setdefault(target, []).append(i)
    offsets = [0.0] * len(arrows)
    for target, incoming in into.items():
        incoming.sort(key=lambda i: place[routes[i][-1]])
        for rank, i in enumerate(incoming):
            offsets[i] = ports[target] * ((rank + 0.5) / len(incoming) - 0.5)
            vertices[target].ports[routes[i][-1]] = offsets[i]
    return offsets


def _set_heights(vertices: list[_Vertex], order: list[list[int]]) -> None:
    """Choose heights: every vertex goes as near to its neighbours as the order within its column allows."""
    for vs in order:
        _move(vertices, vs, [0.0] * len(vs), [1.0] * len(vs))
    for sweep in range(12):
        both = sweep >= 10
        for vs in order if sweep % 2 == 0 else reversed(order):
            targets, weights = [], []
            for v in vs:
                vertex = vertices[v]
                near: list[tuple[float, float]] = []  # pull, height at which the line is straight
                if both or sweep % 2 == 0:
                    near += [(_pull(vertices[u]), vertices[u].y - vertex.ports.get(u, 0.0)) for u in vertex.left]
                if both or sweep % 2 == 1:
                    near += [(1.0, vertices[u].y + vertices[u].ports.get(v, 0.0)) for u in vertex.right]
                pull = sum(p for p, _ in near)
                targets.append(sum(p * y for p, y in near) / pull if near else vertex.y)
                # Lanes pull hardest, so that long arrows are straight; what has no neighbours makes way.
                weights.append((4.0 if vertex.lane else 1.0) if near else 0.1)
            _move(vertices, vs, targets, weights)


def _pull(neighbour: _Vertex) -> float:
    """Return what was computed counts more than an input, so that the main line is straight."""
    return 1.0 if neighbour.left else 0.2


def _move(vertices: list[_Vertex], vs: list[int], wanted: list[float], weights: list[float]) -> None:
    """Put a column's vertices at the wanted heights, or as near (least squares) as order and sizes allow.

    Without the sizes this is isotonic regression: neighbours in the wrong order are pooled at their mean.
    """
    offsets, offset = [], 0.0
    for i, v in enumerate(vs):
        if i:
            offset += _distance(vertices[vs[i - 1]], vertices[v])
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] >= mean:
            m, w, n = pools.pop()
            mean, weight, count = (m * w + mean * weight) / (w + weight), w + weight, n + count
        pools.append((mean, weight, count))
    members = iter(zip(vs, offsets, strict=True))
    for mean, _, count in pools:
        for _ in range(count):
            v, offset = next(members)
            vertices[v].y = mean + offset


def _distance(a: _Vertex, b: _Vertex) -> float:
    """Return the least distance of the centres of neighbours in a column."""
    return (a.height + b.height) / 2 + (LANE / 2 if a.lane and b.lane else SPACE)


def _straighten(vertices: list[_Vertex], order: list[list[int]]) -> None:
    """Move the lanes of an arrow to one height, as far to the right as there is room for it; then on."""
    room: dict[int, tuple[list[int], int]] = {v: (vs, i) for vs in order for i, v in enumerate(vs)}

    def bounds(v: int) -> tuple[float, float]:
        vs, i = room[v]
        low, high = -float("inf"), float("inf")
        if i:
            low = vertices[vs[i - 1]].y + _distance(vertices[vs[i - 1]], vertices[v])
        if i + 1 < len(vs):
            high = vertices[vs[i + 1]].y - _distance(vertices[v], vertices[vs[i + 1]])
        return low, high

    for v, vertex in enumerate(vertices):
        if not vertex.lane or vertices[vertex.left[0]].lane:
            continue
        y = vertices[vertex.left[0]].y  # of the box in which the arrow begins
        chain = [v]
        while more := [u for u in vertices[chain[-1]].right if vertices[u].lane]:
            chain.append(more[0])
        while chain:
            run: list[int] = []
            low, high = -float("inf"), float("inf")
            for u in chain:
                lowest, highest = bounds(u)
                if max(low, lowest) > min(high, highest):
                    break
                low, high = max(low, lowest), min(high, highest)
                run.append(u)
            if not run:  # no room to move (rounding)
                run, low, high = chain[:1], vertices[chain[0]].y, vertices[chain[0]].y
            y = min(max(y, low), high)
            for u in run:
                vertices[u].y = y
            chain = chain[len(run) :]
