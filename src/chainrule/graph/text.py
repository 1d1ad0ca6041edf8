"""A computational graph as text: the table that ``print`` shows, and Graphviz's language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.display.text_table import text_table
from chainrule.graph.node import Node, expression
from chainrule.graph.values import count, shorten, summary


def local_derivatives(node: Node) -> str:
    """Return the local derivative for each input of a node, where it is a short one."""
    pairs = zip(node.inputs, node.local, strict=False)
    return ", ".join(f"#{i}: {summary(d)}" for i, d in pairs if d is not None and np.size(d) <= 4)


def headline(nodes: Sequence[Node], output: Node, name: str) -> str:
    """Return one sentence on the graph of a function."""
    of = f" of {name}" if name else ""
    return f"Computational graph{of}: {count(len(nodes), 'node')}, the result is #{output.index}."


def table(nodes: Sequence[Node], title: str) -> str:
    """Return one row per node: number, expression, shape, value, gradient, local derivatives and layer."""
    columns = {
        "#": [str(n.index) for n in nodes],
        "node": [expression(n) for n in nodes],
        "shape": [str(n.shape).replace(" ", "") for n in nodes],
        "value": [summary(n.value) for n in nodes],
        "gradient": ["" if n.gradient is None else summary(n.gradient) for n in nodes],
        "local derivatives": [local_derivatives(n) for n in nodes],
        "layer": ["/".join(n.scope) for n in nodes],
    }
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    return f"{title}\n{text_table(rows, range(len(columns)), drop_empty=True)}"


def dot(nodes: Sequence[Node], backward: bool) -> str:
    """Return the graph in Graphviz's language, with nested clusters for the layers.

    ``backward`` says whether gradients were computed: an edge along which none flows is then dashed.
    """
    lines = [
        'digraph "computational graph" {',
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    lines += _clusters(nodes, (), "  ")
    for n in nodes:
        for i, back in zip(n.inputs, n.contributions or (None,) * len(n.inputs), strict=True):
            label = ""
            if back is None and backward:
                label = " [style=dashed]"
            elif back is not None and np.size(back) <= 2:
                label = f' [label={_quote(summary(back, 4))}, fontcolor="#b3400a"]'
            lines.append(f"  n{i} -> n{n.index}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _clusters(nodes: Sequence[Node], path: tuple[str, ...], indent: str) -> list[str]:
    """Return the statements for the nodes of one layer, with the layers inside of it as clusters."""
    depth = len(path)
    lines = [f"{indent}n{n.index} [{_dot_node(n)}];" for n in nodes if len(n.scope) == depth]
    for name in dict.fromkeys(n.scope[depth] for n in nodes if len(n.scope) > depth):
        inside = [n for n in nodes if len(n.scope) > depth and n.scope[depth] == name]
        lines.append(f"{indent}subgraph {_quote('/'.join(('cluster', *path, name)))} {{")
        lines.append(f"{indent}  label={_quote(name)}; style=rounded; color=gray;")
        lines += _clusters(inside, (*path, name), indent + "  ")
        lines.append(f"{indent}}}")
    return lines


def _dot_node(n: Node) -> str:
    lines = [box_name(n)]
    if n.shape:
        lines.append(str(n.shape))
    if not (n.op == "constant" and n.shape == ()):
        lines.append(f"value {summary(n.value, 4)}")
    if n.gradient is not None:
        lines.append(f"gradient {summary(n.gradient, 4)}")
    style = {"input": ', style="rounded,filled", fillcolor="#e3eefb"', "constant": ', style="rounded,dashed"'}
    return f"label={_quote(*lines)}{style.get(n.op, '')}"


def box_name(n: Node) -> str:
    """Return the short name for a picture: ``x``, ``0.5``, ``z = add``."""
    if n.op == "constant" and n.shape and n.label == summary(n.value):
        return "constant"
    if n.op in ("input", "constant"):
        label = shorten(n.label, 400)
        if len(label) <= 28:
            return label
        end = label[-27:]  # the end of a path says most
        return "…" + end[max(end.find("["), 0) :]
    return f"{shorten(n.label, 16)} = {n.op}" if n.label else n.op


def _quote(*lines: str) -> str:
    """Return a quoted string of Graphviz; several lines are centred."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
