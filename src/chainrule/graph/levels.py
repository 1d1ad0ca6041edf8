"""A computational graph folded by layer: what each layer is made of is a small graph of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.graph.node import Node
from chainrule.graph.values import summary

#: More members than these are folded into equal pieces.
LIMIT = 400


@dataclass(frozen=True, eq=False)
class Level:
    """The whole graph, a layer, or operations in a row: operations, and the layers within, in order of computation.

    Attributes
    ----------
    path : the names of the layers around it and its own, outermost first; empty for the whole graph
    members : nodes, and levels in which others lie; what needs no computation stands before its first use
    is_piece : whether these are operations in a row, folded because there are so many
    """

    path: tuple[str, ...]
    members: tuple[Node | Level, ...]
    is_piece: bool = False

    @property
    def nodes(self) -> Iterator[Node]:
        """Every node within, at any depth."""
        for member in self.members:
            if isinstance(member, Level):
                yield from member.nodes
            else:
                yield member

    @property
    def levels(self) -> Iterator[Level]:
        """Itself and every level within, from the outside in."""
        yield self
        for member in self.members:
            if isinstance(member, Level):
                yield from member.levels

    @property
    def last(self) -> Node:
        """The node that is computed last."""
        return max(self.nodes, key=lambda node: node.index)

    @property
    def operations(self) -> int:
        """The number of operations within, at any depth."""
        return sum(bool(node.inputs) for node in self.nodes)


def fold(nodes: Sequence[Node]) -> Level:
    """Return the graph of these nodes as a level, with a level for each layer."""
    return _level(list(nodes), ())


def _level(nodes: list[Node], path: tuple[str, ...]) -> Level:
    depth = len(path)

    def layer(node: Node) -> str | int:
        """Return the layer within this one that the node is computed in; a number where there is none."""
        return node.scope[depth] if len(node.scope) > depth else node.index

    operations = [node for node in nodes if node.inputs]
    runs = [list(run) for _, run in itertools.groupby(operations, layer)]
    folded = [isinstance(layer(run[0]), str) for run in runs]
    run_of = {node.index: r for r, run in enumerate(runs) for node in run}
    before: dict[int, list[Node]] = {}  # of a run: what stands before it
    for node, users in _users(nodes).items():
        used_in = {run_of[user.index] for user in users}
        first = min(used_in, default=len(runs))
        if len(used_in) == 1 and folded[first] and not is_argument(node):
            runs[first].insert(0, node)  # made outside of all layers, but only this one uses it
        else:
            before.setdefault(first, []).append(node)
    members: list[Node | Level] = []
    for r, run in enumerate(runs):
        members += before.get(r, [])
        members.append(_level(run, (*path, str(layer(run[-1])))) if folded[r] else run[0])
    members += before.get(len(runs), [])
    return Level(path, tuple(members if len(members) <= LIMIT else _pieces(members, path)))


def _users(nodes: list[Node]) -> dict[Node, list[Node]]:
    """Return for each node that needs no computation which ones use it."""
    users: dict[int, list[Node]] = {node.index: [] for node in nodes if not node.inputs}
    for node in nodes:
        for at in node.inputs:
            if at in users:
                users[at].append(node)
    return {node: users[node.index] for node in nodes if not node.inputs}


def is_argument(node: Node) -> bool:
    """Return whether this is a whole argument, such as x: unlike params["w"], it belongs to no layer."""
    return not node.inputs and node.label.isidentifier() and node.label != summary(node.value)


def _pieces(members: list[Node | Level], path: tuple[str, ...]) -> Iterator[Node | Level]:
    """Yield equal pieces of many members; arguments stay as they are, before all others."""
    arguments = [member for member in members if isinstance(member, Node) and is_argument(member)]
    yield from arguments
    rest = [member for member in members if member not in arguments]
    size = -(-len(rest) // (LIMIT // 2))
    for start in range(0, len(rest), size):
        yield Level((*path, ""), tuple(rest[start : start + size]), is_piece=True)
