"""A computational graph as a picture that opens in any browser: folded by layer, every number below it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from chainrule.display.markup import Html, escape, join, tag
from chainrule.graph.boxes import boxes
from chainrule.graph.levels import Level, fold
from chainrule.graph.node import Node, expression
from chainrule.graph.svg import svg
from chainrule.graph.values import count, setting, summary

#: The insides of the layers of a graph with up to so many nodes are drawn, and stand open at first up to so many.
DRAWN, OPEN = 2000, 40

# All rules begin with .cr-graph, so that nothing else on a notebook's page changes.
STYLE = """
.cr-graph { --back: #ffffff; --ink: #1b1f24; --muted: #59636e; --line: #7d8894; --box: #f3f5f7;
  --border: #aab3bd; --input: #dfebfa; --input-border: #6f9fd8; --level: #e9edf2; --value: #0a58b0;
  --gradient: #b2390a; --mark: #fff3c4;
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; container-type: inline-size; }
@media (prefers-color-scheme: dark) { .cr-graph { --back: #14171b; --ink: #e8ebee; --muted: #9aa5b1;
  --line: #8591a0; --box: #23282f; --border: #505a66; --input: #1c3350; --input-border: #4a7ab5;
  --level: #2c333c; --value: #7db7ff; --gradient: #ff9d70; --mark: #4a3f12; } }
.cr-graph p { margin: 0 0 8px; max-width: 46em; }
@container (min-width: 800px) { .cr-graph .cr-folded:has(details) { display: grid; gap: 24px;
  grid-template-columns: fit-content(50%) minmax(0, 1fr); align-items: start; } }
.cr-graph .cr-scroll { overflow-x: auto; max-width: 100%; }
.cr-graph svg { display: block; max-width: none; }
.cr-graph svg text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink);
  text-anchor: middle; }
.cr-graph svg text.cr-name { font: 600 13px system-ui, sans-serif; }
.cr-graph svg text.cr-shape { fill: var(--muted); }
.cr-graph svg text.cr-value { fill: var(--value); }
.cr-graph svg text.cr-gradient { fill: var(--gradient); }
.cr-graph svg text.cr-back { font-size: 11px; fill: var(--gradient); text-anchor: start; paint-order: stroke;
  stroke: var(--back); stroke-width: 4px; stroke-linejoin: round; }
.cr-graph svg text.cr-end { text-anchor: end; }
.cr-graph rect { fill: var(--box); stroke: var(--border); stroke-width: 1.2px; }
.cr-graph .cr-input rect { fill: var(--input); stroke: var(--input-border); }
.cr-graph .cr-constant rect { fill: none; stroke-dasharray: 3 3; }
.cr-graph .cr-outside rect { fill: none; stroke: none; }
.cr-graph .cr-level rect { fill: var(--level); stroke: var(--line); }
.cr-graph .cr-result rect { stroke: var(--ink); stroke-width: 2.4px; }
.cr-graph a:hover rect, .cr-graph a:focus-visible rect { stroke: var(--value); stroke-width: 2.4px; }
.cr-graph path { fill: none; stroke: var(--line); stroke-width: 1.3px; }
.cr-graph path.cr-still { stroke-dasharray: 3 4; }
.cr-graph path.cr-head { fill: var(--line); stroke: none; }
.cr-graph span.cr-value { color: var(--value); font-weight: 600; }
.cr-graph span.cr-gradient { color: var(--gradient); font-weight: 600; }
.cr-graph summary { cursor: pointer; }
.cr-graph details { margin: 6px 0; padding-left: 12px; border-left: 3px solid var(--border); }
.cr-graph .cr-nodes { position: sticky; bottom: 0; max-height: 11.5em; overflow: auto; background: var(--back);
  border: 1px solid var(--border); border-radius: 8px; padding: 4px 10px; margin-top: 10px; }
.cr-graph .cr-nodes p { max-width: none; margin: 0; padding: 4px 0; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 12px/1.6 ui-monospace, Menlo, Consolas, monospace; }
.cr-graph .cr-nodes p:target { background: var(--mark); }
"""


def page(nodes: list[Node], output: Node, title: str, backward: bool) -> str:
    """Return a whole HTML page; see `fragment`."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>body { margin: 0; background: #ffffff; } .cr-graph { padding: 16px; box-sizing: border-box; }\n"
        "@media (prefers-color-scheme: dark) { body { background: #14171b; } }</style>\n"
        f"</head>\n<body>\n{fragment(nodes, output, title, backward)}\n</body>\n</html>\n"
    )


def fragment(nodes: list[Node], output: Node, title: str, backward: bool) -> str:
    """Return the picture for a notebook or for a page of one's own.

    ``output`` is the node of the result, and ``backward`` says whether gradients were computed.
    """
    return tag(
        "div",
        tag("style", Html(STYLE)),
        tag("p", tag("strong", title)),
        tag("p", *_legend(nodes, backward)),
        picture(nodes, output, title, backward),
        class_="cr-graph",
    )


def picture(nodes: list[Node], output: Node, title: str, backward: bool) -> Html:
    """Return the drawing of the whole, the insides of its layers to open, and the list of all nodes, without style."""
    whole = fold(nodes)
    name = f"graph-{hashlib.sha256(repr(nodes).encode()).hexdigest()[:8]}"  # two graphs on one page do not mix
    levels = list(whole.levels)
    is_drawn = len(nodes) <= DRAWN
    place = {id(level): at for at, level in enumerate(levels)}

    def link(key: Node | Level) -> str:
        """Return the address of what a box stands for."""
        if isinstance(key, Level) and is_drawn:
            return f"#{name}-inside-{place[id(key)]}"
        return f"#{name}-{(key.last if isinstance(key, Level) else key).index}"

    def draw(level: Level, words: str) -> Html:
        drawing = svg(boxes(level, nodes, output, backward), words, link, is_tall=len(levels) > 1)
        return tag("div", drawing, class_="cr-scroll", tabindex="0")

    def inside(level: Level) -> list[Html]:
        """Return the insides of the layers of a level, each with those within."""
        return [
            tag(
                "details",
                tag("summary", _heading(member)),
                tag(
                    "div",
                    draw(member, f"Inside of {_heading(member)}"),
                    *inside(member),
                    id=f"{name}-inside-{place[id(member)]}",
                ),
                open="" if len(nodes) <= OPEN else None,
            )
            for member in level.members
            if isinstance(member, Level)
        ]

    shown = (member.last if isinstance(member, Level) else member for member in whole.members)
    listed = nodes if is_drawn else sorted(shown, key=lambda node: node.index)
    entries = (tag("p", _details(node, nodes), id=f"{name}-{node.index}") for node in listed)
    insides = inside(whole) if is_drawn else []
    return join(
        [
            tag("div", draw(whole, title), tag("div", *insides) if insides else None, class_="cr-folded"),
            tag(
                "div", *entries, class_="cr-nodes", tabindex="0", role="region", aria_label="All numbers, node by node"
            ),
        ]
    )


def _heading(level: Level) -> str:
    """Return what a level is called, and how much is in it."""
    operations = count(level.operations, "operation")
    return operations if level.is_piece else f"{'/'.join(level.path)}: {operations}"


def _legend(nodes: list[Node], backward: bool) -> list[object]:
    """Return how the picture is read."""
    words: list[object] = ["Below the name of each box is its ", tag("span", "value", class_="cr-value")]
    if backward:
        words += [
            ", and its ",
            tag("span", "gradient", class_="cr-gradient"),
            ", the derivative of the result. The number at an arrow flows back along it: local derivative × gradient. "
            "The numbers on all arrows that leave a box add up to its gradient",
        ]
    words.append(". ")
    if any(back is None for node in nodes for back in node.contributions):
        words.append("No gradient flows back along a dashed arrow. ")
    if any(np.size(node.value) > 3 for node in nodes):
        words.append("Of an array, the smallest … the largest number is shown. ")
    has_layers = any(node.scope for node in nodes)
    if has_layers:
        words.append("A layer is one box, with the value and the gradient of its last operation. ")
    if len(nodes) > DRAWN:
        words.append(f"The graph has {len(nodes):,} nodes, too many to draw inside; the printed graph has every node. ")
        return words
    inside = "; a layer, to what is inside" if has_layers else ""
    return [*words, f"Follow a box to all of its numbers, in the list below{inside}."]


def _details(node: Node, nodes: Sequence[Node]) -> str:
    """Return everything about a node, a line each; where it comes from and what flows back."""
    lines = [f"#{node.index}  {expression(node)}{f'  in {chr(47).join(node.scope)}' if node.scope else ''}"]
    if node.formula:
        lines.append(f"{node.op}: {node.formula}")
    lines.append(f"shape {node.shape}, {node.dtype}")
    for name, values in (("value", node.value), ("gradient", node.gradient)):
        if values is not None:
            lines.append(f"{name} {summary(values)}{_deviation(values)}")
    for position, at in enumerate(node.inputs):
        back = node.contributions[position] if node.contributions else None
        if back is None:
            continue
        local = node.local[position]
        how = "" if local is None else f" = local derivative {summary(local)} × gradient {summary(node.gradient)}"
        lines.append(f"to #{at} {nodes[at].label or nodes[at].op} flows back {summary(back)}{how}")
    lines += [f"{key} = {setting(value)}" for key, value in node.settings.items()]
    return "\n".join(lines)


def _deviation(values: object) -> str:
    """Return the standard deviation of an array of floating-point numbers."""
    if np.size(values) <= 4 or np.asarray(values).dtype.kind != "f":  # type: ignore[arg-type]
        return ""
    return f", deviation {float(np.std(np.asarray(values, np.float64))):.4g}"
