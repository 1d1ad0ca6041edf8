"""A computational graph as text: the table that ``print`` shows, and Graphviz's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.backprop.tensor import unwrap

if TYPE_CHECKING:
    from chainrule.graph.trace import Graph, Node


def number(x: Any, digits: int = 6) -> str:
    """Return a number in few characters."""
    if isinstance(x, bool | np.bool_ | int | np.integer):
        return str(x)
    return f"{float(x) + 0.0:.{digits}g}"  # + 0.0 turns -0.0 into 0.0


def summary(x: Any, digits: int = 6, entries: int = 4) -> str:
    """Return a number or a short array as it is; a longer array as its mean and range.

    >>> import numpy as np
    >>> summary(0.5), summary(np.array([[1.0, 2.0]])), summary(np.arange(9.0))
    ('0.5', '[[1, 2]]', 'mean 4, 0 to 8')
    """
    x = unwrap(x)
    if not (isinstance(x, bool | int | float) or hasattr(x, "dtype")):
        return shorten(repr(x))
    a = np.asarray(x)
    if a.dtype.kind not in "biuf" and str(a.dtype) != "bfloat16":
        return shorten(repr(a.tolist()))
    if a.ndim == 0:
        return number(a[()], digits)
    if a.size == 0:
        return "empty"
    if a.size <= entries:
        return _nested(a, min(digits, 4))
    a = a.astype(np.float64)
    finite = a[np.isfinite(a)]
    bad = "" if finite.size == a.size else f"{a.size - finite.size} of {a.size} not finite"
    if finite.size == 0:
        return bad
    low, mean, high = (number(v, min(digits, 4)) for v in (finite.min(), finite.mean(), finite.max()))
    text = f"all {low}" if low == high else f"mean {mean}, {low} to {high}"
    return f"{text}, {bad}" if bad else text


def _nested(a: Any, digits: int) -> str:
    if a.ndim == 0:
        return number(a[()], digits)
    return f"[{', '.join(_nested(row, digits) for row in a)}]"


def shorten(text: str, length: int = 40) -> str:
    """Return the text, cut at a length."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def setting(value: Any) -> str:
    """Return a setting of an operation: an axis, a shape, an index."""
    if isinstance(value, slice):
        ends = ":".join("" if v is None else str(v) for v in (value.start, value.stop))
        return ends if value.step is None else f"{ends}:{value.step}"
    if value is Ellipsis:
        return "..."
    if isinstance(value, tuple | list):
        inside = ", ".join(setting(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if hasattr(value, "dtype"):
        return summary(value, 4)
    return shorten(str(np.dtype(value)) if isinstance(value, type) else repr(value))


def expression(node: Node) -> str:
    """Return how a node was made: ``input x``, ``constant``, ``z = add(#3, #4)``, ``sum(#5, axis=0)``."""
    if node.op == "input":
        return f"input {shorten(node.label, 80)}"
    if node.op == "constant":
        return f"constant {shorten(node.label, 80)}" if node.label != summary(node.value) else "constant"
    inside = [f"#{i}" for i in node.inputs] + [f"{k}={setting(v)}" for k, v in node.settings.items()]
    return f"{shorten(node.label)} = " * bool(node.label) + f"{node.op}({', '.join(inside)})"


def local_derivatives(node: Node) -> str:
    """Return the local derivative for each input of a node, where it is a short one."""
    found = (
        f"#{i}: {summary(d)}"
        for i, d in zip(node.inputs, node.local, strict=False)
        if d is not None and np.size(d) <= 4
    )
    return ", ".join(found)


def headline(graph: Graph) -> str:
    """Return one sentence on the graph."""
    of = f" of {graph.name}" if graph.name else ""
    nodes = f"{len(graph.nodes)} node{'s' if len(graph.nodes) != 1 else ''}"
    return f"Computational graph{of}: {nodes}, the result is #{graph.output.index}."


def table(graph: Graph) -> str:
    """Return one row per node: number, expression, shape, value, gradient, local derivatives and layer."""
    columns = {
        "#": [str(n.index) for n in graph.nodes],
        "node": [expression(n) for n in graph.nodes],
        "shape": [str(n.shape).replace(" ", "") for n in graph.nodes],
        "value": [summary(n.value) for n in graph.nodes],
        "gradient": ["" if n.gradient is None else summary(n.gradient) for n in graph.nodes],
        "local derivatives": [local_derivatives(n) for n in graph.nodes],
        "layer": ["/".join(n.scope) for n in graph.nodes],
    }
    columns = {title: rows for title, rows in columns.items() if any(rows)}
    widths = {title: max(map(len, (title, *rows))) for title, rows in columns.items()}
    lines = [headline(graph)]
    for row in [tuple(columns), *zip(*columns.values(), strict=True)]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths.values(), strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """Return the graph in Graphviz's language, with nested clusters for the layers."""
    lines = [
        'digraph "computational graph" {',
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    lines += _clusters(graph.nodes, (), "  ")
    for n in graph.nodes:
        for i, back in zip(n.inputs, n.contributions or (None,) * len(n.inputs), strict=True):
            label = ""
            if back is None and graph.gradients is not None:
                label = " [style=dashed]"
            elif back is not None and np.size(back) <= 2:
                label = f' [label={_quote(summary(back, 4))}, fontcolor="#b3400a"]'
            lines.append(f"  n{i} -> n{n.index}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _clusters(nodes: list[Node], path: tuple[str, ...], indent: str) -> list[str]:
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
