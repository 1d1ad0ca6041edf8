"""What is drawn of one level of a graph: boxes for its operations, its layers and what comes in, and arrows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.graph.levels import Level
from chainrule.graph.node import Node
from chainrule.graph.text import box_name
from chainrule.graph.values import count, number, shorten, summary

#: Widths of a character, in px: of the name, and of the lines below it.
NAME_WIDTH, LINE_WIDTH = 7.9, 7.25
LINE_HEIGHT = 16.0


@dataclass(frozen=True)
class Arrow:
    """An arrow that ends at a box.

    Attributes
    ----------
    source : the place of the box in which it begins
    label : what flows back along it, where that is a short number
    is_still : whether no gradient flows back
    """

    source: int
    label: str
    is_still: bool


@dataclass
class Box:
    """A box with its lines of text, as (class, text), and the arrows that end at it.

    ``key`` says what it stands for, and ``kind`` are its classes for CSS.
    """

    key: Node | Level
    kind: str
    lines: list[tuple[str, str]]
    arrows: list[Arrow] = field(default_factory=list)

    @property
    def width(self) -> float:
        """In px."""
        (_, name), *rest = self.lines
        lines = max((LINE_WIDTH * len(text) for _, text in rest), default=0.0)
        return max(NAME_WIDTH * len(name), lines, 20.0) + 20.0

    @property
    def height(self) -> float:
        """In px."""
        return LINE_HEIGHT * len(self.lines) + 14.0


def boxes(level: Level, nodes: list[Node], output: Node, backward: bool) -> list[Box]:
    """Return the boxes of a level, each after those from which arrows lead to it.

    ``nodes`` are all of the graph, ``output`` the one of its result; ``backward`` says whether gradients were computed.
    """
    place: dict[int, int] = {}
    drawn: list[Box] = []

    def add(box: Box, *within: Node) -> None:
        place.update((node.index, len(drawn)) for node in within)
        drawn.append(box)

    inside = {node.index for node in level.nodes}
    outside = sorted({at for index in inside for at in nodes[index].inputs} - inside)
    for at in outside:
        add(_of_node(nodes[at], (), "cr-outside"), nodes[at])
    for member in level.members:
        if isinstance(member, Level):
            add(_of_level(member), *member.nodes)
        else:
            add(_of_node(member, level.path, _kind(member)), member)
    for index in inside:
        target = drawn[place[index]]
        for position, at in enumerate(nodes[index].inputs):
            if place[at] != place[index]:
                _connect(target, nodes[index], position, drawn[place[at]], place, at, backward)
    drawn[place[output.index] if output.index in inside else place[level.last.index]].kind += " cr-result"
    return drawn


def _connect(
    target: Box, node: Node, position: int, source: Box, place: Mapping[int, int], at: int, backward: bool
) -> None:
    """Add an arrow: one for each use between operations, one in all between layers."""
    back = node.contributions[position] if node.contributions else None
    is_still = backward and back is None
    if isinstance(target.key, Node) and isinstance(source.key, Node):
        target.arrows.append(Arrow(place[at], _label(back), is_still))
        return
    same = [arrow for arrow in target.arrows if arrow.source == place[at]]
    if not same:
        target.arrows.append(Arrow(place[at], "", is_still))
    elif same[0].is_still and not is_still:
        target.arrows[target.arrows.index(same[0])] = Arrow(place[at], "", is_still=False)


def _label(back: Any) -> str:
    """Return what flows back along an arrow, where it is short."""
    if back is None or np.size(back) > 3:
        return ""
    text = summary(back, digits=4, entries=3)
    return text if len(text) <= 14 else ""


def _kind(node: Node) -> str:
    return f"cr-{node.op}" if node.op in ("input", "constant") else ""


def _of_node(node: Node, path: tuple[str, ...], kind: str) -> Box:
    name = name_within(node, path)
    if kind == "cr-outside" and node.scope:
        name = f"{shorten(node.label, 16) or node.op} of {shorten(node.scope[-1], 20)}"
    value = "" if name == summary(node.value) else _short(node.value)
    return Box(node, kind, _lines(name, _shape(node), value, node))


def _of_level(level: Level) -> Box:
    last = level.last
    name = count(level.operations, "operation") if level.is_piece else shorten(level.path[-1], 28)
    parameters = sum(int(np.size(node.value)) for node in level.nodes if node.op == "input")
    size = [_shape(last), count(parameters, "parameter") if parameters else ""]
    return Box(level, "cr-level", _lines(name, ", ".join(part for part in size if part), _short(last.value), last))


def _lines(name: str, shape: str, value: str, node: Node) -> list[tuple[str, str]]:
    gradient = "" if node.gradient is None else _short(node.gradient)
    lines = [("cr-shape", shape), ("cr-value", value), ("cr-gradient", gradient)]
    return [("cr-name", name), *(line for line in lines if line[1])]


def name_within(node: Node, path: tuple[str, ...]) -> str:
    """Return the name of a node for a picture; within a layer, a parameter's without the way that leads there.

    >>> import chainrule as cr
    >>> node = cr.trace(lambda params: params["dense_1"]["weight"])({"dense_1": {"weight": 1.0}}).nodes[0]
    >>> name_within(node, ()), name_within(node, ("dense_1",))
    ("params['dense_1']['weight']", 'weight')
    """
    key = re.search(r"\['([^'\]]+)'\]$", node.label) if path and not node.inputs else None
    return shorten(key[1], 28) if key else box_name(node)


def _shape(node: Node) -> str:
    return " × ".join(map(str, node.shape))


def _short(values: Any) -> str:
    """Return a number or up to three; of more, the range."""
    text = summary(values, digits=4, entries=3)
    if not text.startswith("mean "):
        return text
    a = np.asarray(values, np.float64)
    a = a[np.isfinite(a)]
    bad = f" ({np.size(values) - a.size} not finite)" if a.size < np.size(values) else ""
    return f"{number(a.min(), 2)} … {number(a.max(), 2)}{bad}"
