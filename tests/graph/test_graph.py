"""`trace`: the graph's structure, its values and gradients, and its pictures."""

from __future__ import annotations

import html
import itertools
import re
import xml.etree.ElementTree as ET
from collections import namedtuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.backprop import collect_marks, mark, ops, scope
from chainrule.errors import FileError, GradientError
from chainrule.graph.boxes import boxes
from chainrule.graph.html import DRAWN
from chainrule.graph.layout import layout
from chainrule.graph.levels import LIMIT, Level, fold
from chainrule.graph.node import Node
from chainrule.graph.trace import Graph


def lecture(x, y, z):
    return (x + y) * (y - z)


def mlp_loss(params, x, labels):
    h = x
    for number, layer in enumerate(params, 1):
        with scope(f"dense{number}"):
            z = mark(h @ layer["weight"] + layer["bias"], "z")
            h = mark(ops.sigmoid(z), "a")
    return np.mean(ops.softmax_cross_entropy(h, ops.one_hot(labels, 3, dtype=float)))


@pytest.fixture
def mlp() -> tuple[list[dict[str, np.ndarray]], np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    params = [
        {"weight": random.normal(size=(4, 5)), "bias": random.normal(size=5)},
        {"weight": random.normal(size=(5, 3)), "bias": random.normal(size=3)},
    ]
    return params, random.normal(size=(8, 4)), np.arange(8) % 3


def pictures(graph: Graph) -> list[ET.Element]:
    """The whole graph, then the inside of each layer; parsed as XML."""
    return [ET.fromstring(picture) for picture in re.findall(r"<svg.*?</svg>", graph.to_html(), flags=re.DOTALL)]


def svg(graph: Graph) -> ET.Element:
    """The picture of the whole."""
    return pictures(graph)[0]


def texts(graph: Graph, kind: str) -> list[str]:
    return [t.text or "" for t in svg(graph).iter("text") if t.get("class") == kind]


# --- structure, values, gradients ---------------------------------------------------------------------------


def test_the_lectures_example() -> None:
    g = cr.trace(lecture)(2.0, 1.0, 0.0)
    assert [n.op for n in g.nodes] == ["input", "input", "input", "add", "subtract", "multiply"]
    assert [n.label for n in g.nodes[:3]] == ["x", "y", "z"]
    assert [n.inputs for n in g.nodes[3:]] == [(0, 1), (1, 2), (3, 4)]
    assert [n.value for n in g.nodes] == [2.0, 1.0, 0.0, 3.0, 1.0, 3.0]
    assert [n.gradient for n in g.nodes] == [1.0, 4.0, -3.0, 1.0, 3.0, 1.0]
    assert g.output is g.nodes[5]
    assert g.value == 3.0
    assert g.gradients == (1.0, 4.0, -3.0)


def test_local_derivatives_and_what_flows_back_along_each_edge() -> None:
    g = cr.trace(lecture)(2.0, 1.0, 0.0)
    assert [n.local for n in g.nodes[3:]] == [(1.0, 1.0), (1.0, -1.0), (1.0, 3.0)]
    assert [n.contributions for n in g.nodes[3:]] == [(1.0, 1.0), (3.0, -3.0), (1.0, 3.0)]


def test_the_gradient_of_a_node_is_the_sum_over_the_edges_that_leave_it(mlp) -> None:
    x = np.random.default_rng(1).normal(size=3)
    shared = cr.trace(lambda x: np.sum(x * x + np.tanh(x) / (x + 3.0)))(x)
    for g in (shared, cr.trace(lecture)(2.0, 1.0, 0.0), cr.trace(mlp_loss)(*mlp)):
        added = [0.0] * len(g.nodes)
        for n in g.nodes:
            for i, back in zip(n.inputs, n.contributions, strict=True):
                if back is not None:
                    added[i] = added[i] + back
        for n in g.nodes:
            if n is not g.output and n.gradient is not None:
                np.testing.assert_allclose(added[n.index], n.gradient, rtol=1e-12)
        for n in g.nodes:
            for local, back in zip(n.local, n.contributions, strict=True):
                if local is not None and np.shape(local) == np.shape(back):
                    np.testing.assert_allclose(local * n.gradient, back, rtol=1e-12)


def test_values_and_gradients_are_those_of_value_and_grad(mlp) -> None:
    params, x, labels = mlp
    value, gradient = cr.value_and_grad(mlp_loss)(params, x, labels)
    g = cr.trace(mlp_loss)(params, x, labels)
    assert g.value == value
    assert g.output.value == value
    for ours, theirs in zip(g.gradients[0], gradient, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(g.gradients[1], cr.grad(mlp_loss, argnums=1)(params, x, labels))
    assert g.gradients[2] is None  # integers have no gradient
    by_label = {n.label: n for n in g.nodes}
    np.testing.assert_array_equal(by_label["params[1]['bias']"].gradient, gradient[1]["bias"])


def test_layers_and_marked_values_keep_their_names(mlp) -> None:
    g = cr.trace(mlp_loss)(*mlp)
    named = [("/".join(n.scope), n.label, n.op) for n in g.nodes if n.scope]
    assert named == [
        ("dense1", "", "matmul"),
        ("dense1", "z", "add"),
        ("dense1", "a", "sigmoid"),
        ("dense2", "", "matmul"),
        ("dense2", "z", "add"),
        ("dense2", "a", "sigmoid"),
    ]


def test_marks_still_reach_whoever_collects_outside(mlp) -> None:
    with collect_marks() as marks:
        cr.trace(mlp_loss)(*mlp)
    assert list(marks) == ["dense1/z", "dense1/a", "dense2/z", "dense2/a"]


def test_inputs_of_any_nesting_are_labelled_with_their_path() -> None:
    Pair = namedtuple("Pair", "low high")

    def f(params, pair, *rest):
        return params["w"][0] * pair.low + params["w"][1] * pair.high + rest[0] - rest[1]

    g = cr.trace(f)({"w": [1.0, 2.0]}, Pair(3.0, 4.0), 5.0, 6.0)
    labels = [n.label for n in g.nodes if n.op == "input"]
    assert labels == ["params['w'][0]", "params['w'][1]", "pair.low", "pair.high", "rest[0]", "rest[1]"]
    assert g.gradients == ({"w": [3.0, 4.0]}, Pair(1.0, 2.0), 1.0, -1.0)
    assert isinstance(g.gradients[1], Pair)


def test_argnums_choose_the_inputs_and_the_rest_are_named_constants() -> None:
    x, w, shift = np.ones(3), np.full(3, 2.0), np.zeros(3)

    def f(x, w, *, shift):
        return np.sum(x * w + shift)

    g = cr.trace(f, argnums=1)(x, w, shift=shift)
    np.testing.assert_array_equal(g.gradients, x)
    assert [(n.op, n.label) for n in g.nodes if not n.inputs] == [
        ("input", "w"),
        ("constant", "x"),
        ("constant", "shift"),
    ]
    assert [n.gradient for n in g.nodes if n.op == "constant"] == [None, None]
    (only,) = cr.trace(f, argnums=(-1,))(x, w, shift=shift).gradients
    np.testing.assert_array_equal(only, x)


def test_a_primitive_and_a_gradient_can_be_traced_by_name() -> None:
    g = cr.trace(ops.power)(2.0, 3.0)
    assert [n.label for n in g.nodes] == ["a", "b", ""]
    assert g.name == "power"


def test_constants_show_their_value_and_a_constant_array_is_one_node() -> None:
    c = np.array([1.0, 2.0])
    g = cr.trace(lambda x: np.sum((x * c + c) * 0.5))(np.ones(2))
    constants = [n for n in g.nodes if n.op == "constant"]
    assert [n.label for n in constants] == ["[1, 2]", "0.5"]
    assert sum(constants[0].index in n.inputs for n in g.nodes) == 2


def test_the_same_input_twice_is_two_edges() -> None:
    g = cr.trace(lambda x: x * x)(3.0)
    assert g.nodes[1].inputs == (0, 0)
    assert g.nodes[1].contributions == (3.0, 3.0)
    assert len(list(svg(g).iter("path"))) == 4  # line and head of two arrows


def test_where_no_gradient_is_defined_there_is_none_and_where_nothing_depends_it_is_zero() -> None:
    def f(x, unused):
        blocked = ops.stop_gradient(x * 2.0)
        return np.where(x > 0, x, 0.1 * x) * blocked

    g = cr.trace(f)(3.0, np.ones(2))
    by_op = {n.op: n for n in g.nodes if n.op != "constant"}
    assert by_op["greater"].gradient is None
    assert by_op["greater"].contributions == (None, None)
    assert by_op["where"].local == (None, 1.0, 0.0)
    np.testing.assert_array_equal(g.nodes[1].gradient, np.zeros(2))
    behind = next(n for n in g.nodes if n.op == "multiply")  # x * 2.0, behind stop_gradient
    assert (behind.value, behind.gradient, behind.contributions) == (6.0, None, (None, None))
    assert g.gradients[0] == 6.0


def test_a_missing_argument_is_not_drawn() -> None:
    g = cr.trace(lambda x: ops.clip(x, None, 1.0))(3.0)
    assert len(g.output.inputs) == 2
    assert g.gradients == (0.0,)


@pytest.mark.parametrize(
    ("f", "value", "gradient"), [(lambda x: x, 2.0, 1.0), (lambda x: 5.0, 5.0, 0.0), (lambda x: 7, 7, 0.0)]
)
def test_results_that_are_an_input_or_a_constant(f, value, gradient) -> None:
    g = cr.trace(f)(2.0)
    assert (g.output.value, g.value, g.gradients) == (value, value, (gradient,))
    assert value == float(texts(g, "cr-value")[0] if value == 2.0 else texts(g, "cr-name")[-1])


def test_operations_without_a_name_of_their_own_show_settings_and_formula() -> None:
    g = cr.trace(lambda x: np.sum(np.reshape(x, (2, 3)), axis=0)[1:2].sum())(np.arange(6.0))
    rows = str(g).splitlines()
    assert [re.split(r"  +", row)[1] for row in rows[2:]] == [
        "input x",
        "reshape(#0, shape=(2, 3))",
        "sum(#1, axis=0)",
        "index(#2, key=1:2)",
        "sum(#3)",
    ]
    assert g.nodes[1].formula.startswith("Return the same values")


def test_nested_derivatives_do_not_disturb_each_other() -> None:
    # The graph of a derivative: d/dw w³ = 3w², its own gradient is 6w.
    g = cr.trace(cr.grad(lambda w: w**3))(2.0)
    assert (g.value, g.gradients) == (12.0, (12.0,))
    assert g.nodes[0].label == "w"
    # A graph inside of a derivative: its gradient 2xy, at y = x, has the derivative 4x.
    inside: list[Graph] = []

    def outer(x):
        inside.append(cr.trace(lambda y: x * y**2)(x))
        return inside[0].gradients[0]

    assert cr.grad(outer)(3.0) == 12.0
    assert [n.value for n in inside[0].nodes] == [3.0, 2, 9.0, 3.0, 27.0]
    assert inside[0].nodes[0].gradient == 18.0
    assert "27" in str(inside[0])
    svg(inside[0])
    # A graph inside of a graph.
    assert cr.trace(lambda x: cr.trace(lambda y: y * y * x)(x).gradients[0])(3.0).gradients == (12.0,)


def test_float32_stays_float32() -> None:
    g = cr.trace(lambda x: np.sum(np.exp(x) * 2.0))(np.ones(3, np.float32))
    assert {str(n.dtype) for n in g.nodes if n.op != "constant"} == {"float32"}
    assert all(n.gradient.dtype == np.float32 for n in g.nodes if n.op not in ("constant",))


# --- JAX ----------------------------------------------------------------------------------------------------


def test_jax_arrays() -> None:
    jnp = pytest.importorskip("jax.numpy")

    def f(w, x):
        return np.mean(np.tanh(x @ w["weight"]))

    random = np.random.default_rng(0)
    w, x = {"weight": random.normal(size=(4, 2))}, random.normal(size=(3, 4))
    g = cr.trace(f, argnums=0)({"weight": jnp.asarray(w["weight"], "float32")}, jnp.asarray(x, "float32"))
    expected = cr.trace(f, argnums=0)(w, x)
    assert [n.label for n in g.nodes if not n.inputs] == ["w['weight']", "x"]
    assert isinstance(g.gradients["weight"], jnp.ndarray)
    for ours, theirs in zip(g.nodes, expected.nodes, strict=True):
        assert (ours.op, ours.inputs, ours.shape) == (theirs.op, theirs.inputs, theirs.shape)
        np.testing.assert_allclose(np.asarray(ours.value), theirs.value, rtol=1e-4)
        if theirs.gradient is not None:
            np.testing.assert_allclose(np.asarray(ours.gradient), theirs.gradient, rtol=1e-4)
    svg(g)
    assert "matmul" in str(g)


def test_inside_of_jit_and_vmap_the_error_says_what_to_do() -> None:
    jax = pytest.importorskip("jax")
    with pytest.raises(GradientError, match=r"Call cr\.trace\(f\)\(\.\.\.\) outside"):
        jax.jit(lambda x: cr.trace(lambda y: y * y)(x).value)(2.0)
    with pytest.raises(GradientError, match=r"jax\.vmap"):
        jax.vmap(lambda x: cr.trace(lambda y: y * y)(x).value)(np.ones(3))
    with pytest.raises(GradientError, match="outside"):  # traced values that come in sideways
        jax.jit(lambda c: cr.trace(lambda y: y * c)(2.0).value)(2.0)
    assert cr.grad(lambda x: x * x)(3.0) == 6.0  # nothing is left in a wrong state


# --- errors -------------------------------------------------------------------------------------------------


def test_an_array_has_no_gradient_but_its_values_can_be_traced() -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(GradientError, match=r"returned shape \(2,\).*gradient=False"):
        cr.trace(np.exp)(x)
    g = cr.trace(np.exp, gradient=False)(x)
    np.testing.assert_array_equal(g.value, np.exp(x))
    assert g.gradients is None
    assert {n.gradient for n in g.nodes} == {None}
    assert "gradient" not in str(g).splitlines()[1]
    assert texts(g, "cr-gradient") == []


def test_other_wrong_uses() -> None:
    with pytest.raises(GradientError, match="argnums=2 asks for argument 2"):
        cr.trace(lecture, argnums=2)(1.0)
    with pytest.raises(GradientError, match="floating-point"):
        cr.trace(np.sum, argnums=0)(np.arange(3))
    with pytest.raises(GradientError, match="returned a tuple"):
        cr.trace(lambda x: (x, x), gradient=False)(1.0)
    with pytest.raises(GradientError, match="must return a number"):
        cr.trace(lambda x: "no")(1.0)


# --- text ---------------------------------------------------------------------------------------------------


def test_the_table_has_one_aligned_row_per_node_and_abbreviates_arrays(mlp) -> None:
    g = cr.trace(mlp_loss)(*mlp)
    headline, title, *rows = str(g).splitlines()
    assert headline == "Computational graph of mlp_loss: 14 nodes, the result is #13."
    assert len(rows) == len(g.nodes)
    for name in ("node", "shape", "value"):
        column = title.index(name)
        assert all(row[column - 2 : column] == "  " and row[column] != " " for row in rows)
    assert re.search(r"5   matmul\(#4, #0\) +\(8,5\) +mean -?[\d.]+, -[\d.]+ to [\d.]+ .*dense1$", rows[5])
    assert max(map(len, rows)) < 140


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.array([1.0, -0.0]), "[1, 0]"),
        (np.array([[True, False]]), "[[True, False]]"),
        (np.full(9, 2.0), "all 2"),
        (np.array([np.nan, 1.0, 2.0, 3.0, np.inf]), "mean 2, 1 to 3, 2 of 5 not finite"),
        (np.full(5, np.nan), "5 of 5 not finite"),
        (np.zeros((0, 3)), "empty"),
    ],
)
def test_arrays_in_few_characters(value, written) -> None:
    g = cr.trace(lambda x: x, gradient=False)(value)
    assert str(g).splitlines()[-1].endswith("  " + written)
    svg(g)


def test_of_a_long_path_the_picture_shows_the_end() -> None:
    g = cr.trace(lambda params: params["residual_1"]["conv2d_1"]["weight"] * 2.0)(
        {"residual_1": {"conv2d_1": {"weight": 1.0}}}
    )
    assert "…['conv2d_1']['weight']" in texts(g, "cr-name")
    assert "input params['residual_1']['conv2d_1']['weight']" in str(g)


# --- pictures -----------------------------------------------------------------------------------------------

AWKWARD = 'a<b>&"c"\\d\n\x07'


def awkward() -> Graph:
    def f(params):
        with scope('layer <1> & "2"'):
            return mark(params[AWKWARD] * 2.0, "<z>")

    return cr.trace(f)({AWKWARD: 3.0})


def test_the_pictures_show_every_node_and_every_edge_once(mlp) -> None:
    for g in (cr.trace(lecture)(2.0, 1.0, 0.0), cr.trace(mlp_loss)(*mlp)):
        levels = list(fold(g.nodes).levels)
        assert len(pictures(g)) == len(levels)
        of_node = {}
        for level in levels:
            for box in boxes(level, g.nodes, g.output, backward=True):
                if isinstance(box.key, Node) and box.kind != "cr-outside":
                    assert box.key.index not in of_node
                    of_node[box.key.index] = len(box.arrows)
        assert of_node == {node.index: len(node.inputs) for node in g.nodes}
        bold = [e for e in svg(g).iter("g") if "cr-result" in (e.get("class") or "")]
        assert len(bold) == 1
        dot = g.to_dot()
        assert len(re.findall(r"^ +n\d+ \[", dot, flags=re.MULTILINE)) == len(g.nodes)
        assert dot.count(" -> ") == sum(of_node.values())


def test_the_picture_of_the_lecture_shows_its_numbers() -> None:
    g = cr.trace(lecture)(2.0, 1.0, 0.0)
    assert sorted(texts(g, "cr-name")) == ["add", "multiply", "subtract", "x", "y", "z"]
    assert sorted(texts(g, "cr-value")) == ["0", "1", "1", "2", "3", "3"]
    assert sorted(texts(g, "cr-gradient")) == ["-3", "1", "1", "1", "3", "4"]
    assert sorted(texts(g, "cr-back cr-end")) == ["-3", "1", "1", "1", "3", "3"]


def entries(page: str) -> dict[str, str]:
    """The list below a picture: what is said of each node, by its address."""
    return {name: html.unescape(words) for name, words in re.findall(r'<p id="([^"]+)">(.*?)</p>', page, re.DOTALL)}


def test_every_box_leads_to_its_numbers_or_to_its_inside(mlp) -> None:
    g = cr.trace(lecture)(2.0, 1.0, 0.0)
    (multiply,) = (words for words in entries(g.to_html()).values() if words.startswith("#5"))
    assert "multiply: a · b; each factor's derivative" in multiply
    assert "shape (), float64" in multiply
    assert "to #3 add flows back 1 = local derivative 1 × gradient 1" in multiply
    page = cr.trace(mlp_loss)(*mlp).to_html()
    links = re.findall(r'<a href="#([^"]+)"', page)
    names = set(re.findall(r' id="([^"]+)"', page))
    assert len(names) == len(re.findall(r' id="', page))
    assert set(links) <= names
    assert sum("-inside-" in link for link in links) == 2
    assert len(entries(page)) == 14


def test_a_network_is_folded_by_layer_from_top_to_bottom() -> None:
    net = cr.Sequential(
        cr.Conv2D(4, 3), cr.Residual(cr.Conv2D(4, 3, activation="relu"), cr.BatchNorm()), cr.Flatten(), cr.Dense(3)
    )
    model = cr.Model(net, input_shape=(6, 6, 1))
    g = model.trace(np.ones((2, 6, 6, 1)), np.array([0.0, 1.0, 0.0] * 2).reshape(2, 3))
    whole = fold(g.nodes)
    layers = [member.path[-1] for member in whole.members if isinstance(member, Level)]
    assert layers == ["conv2d_1", "residual_1", "flatten_1", "dense_1"]
    assert [level.path for level in whole.levels if len(level.path) == 2] == [
        ("residual_1", "conv2d_1"),
        ("residual_1", "batch_norm_1"),
    ]
    drawn = pictures(g)
    assert all(float(picture.get("viewBox", "").split()[2]) <= 900 for picture in drawn)
    # Within its layer a parameter needs no path, and the way around a residual's layers is an arrow of its own.
    names = [[t.text for t in picture.iter("text") if t.get("class") == "cr-name"] for picture in drawn]
    assert "x" in names[0]
    assert {"weight", "bias", "x"} <= set(names[1])
    assert not any("params" in str(name) for inside in names for name in inside)
    residual = next(level for level in whole.levels if level.path == ("residual_1",))
    (add,) = (box for box in boxes(residual, g.nodes, g.output, True) if "add" in box.lines[0][1])
    assert len(add.arrows) == 2
    # From top to bottom: what is computed later stands lower.
    tops = {t.text: float(t.get("y", 0)) for t in drawn[0].iter("text") if t.get("class") == "cr-name"}
    assert tops["x"] < tops["conv2d_1"] < tops["residual_1"] < tops["flatten_1"] < tops["dense_1"]
    sizes = dict(zip(names[0], [t.text for t in drawn[0].iter("text") if t.get("class") == "cr-shape"], strict=False))
    assert sizes["conv2d_1"] == "2 × 6 × 6 × 4, 40 parameters"


def test_the_clusters_of_graphviz_are_the_layers(mlp) -> None:
    g = cr.trace(mlp_loss)(*mlp)
    assert re.findall(r'subgraph "(.*)"', g.to_dot()) == ["cluster/dense1", "cluster/dense2"]


def test_text_is_escaped_everywhere() -> None:
    g = awkward()
    page = g.to_html()
    assert "a<b>" not in page
    assert "<z>" not in page
    assert "\x07" not in page
    inside = [t.text or "" for t in pictures(g)[1].iter("text")]
    assert any("<z> = multiply" in t for t in inside)
    assert 'layer <1> & "2"' in texts(g, "cr-name")
    for line in g.to_dot().splitlines():
        assert re.sub(r'"(?:[^"\\]|\\.)*"', "", line).count('"') == 0  # every quotation ends


def test_the_page_is_self_contained_and_leaks_no_style(tmp_path, mlp) -> None:
    g = cr.trace(mlp_loss)(*mlp)
    page = g.to_html(tmp_path / "graph.html")
    assert (tmp_path / "graph.html").read_text(encoding="utf-8") == page
    for outside in ("<script", "http", "//", "src=", 'href="/', "url(", "@import", "<link"):
        assert outside not in page
    assert "prefers-color-scheme: dark" in page
    part = g._repr_html_()
    assert part in page
    assert "<html" not in part
    (style,) = re.findall(r"<style>(.*?)</style>", part, flags=re.DOTALL)
    selectors = re.findall(r"([^{}]+)\{", re.sub(r"@(media|container)[^{]*\{", "", style))
    assert all(s.strip().startswith(".cr-graph") for s in selectors)
    other = cr.trace(lecture)(2.0, 1.0, 0.0)._repr_html_()
    assert not {*re.findall(r' id="([^"]+)"', part)} & {*re.findall(r' id="([^"]+)"', other)}  # on one page


def test_the_same_graph_gives_the_same_text_and_pictures(mlp) -> None:
    first, second = cr.trace(mlp_loss)(*mlp), cr.trace(mlp_loss)(*mlp)
    assert first.to_html() == second.to_html()
    assert first.to_dot() == second.to_dot()
    assert str(first) == str(second)


def test_a_page_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"graph\.html"):
        cr.trace(lecture)(2.0, 1.0, 0.0).to_html(tmp_path / "file" / "graph.html")


def test_a_dashed_arrow_where_no_gradient_flows() -> None:
    g = cr.trace(lambda x: x * 2.0)(3.0)
    assert sum(p.get("class") == "cr-still" for p in svg(g).iter("path")) == 1
    assert g.to_dot().count("style=dashed]") == 1


def test_large_graphs_are_folded_by_layer_and_say_so() -> None:
    def f(w, x):
        h = x
        for step in range(300):
            with scope(f"step{step}"):
                for _ in range(3):
                    h = np.tanh(w * h + x)
        return h

    g = cr.trace(f)(0.5, 0.1)
    assert len(g.nodes) > DRAWN
    page = g.to_html()
    assert f"The graph has {len(g.nodes):,} nodes, too many to draw inside" in page
    assert sorted(texts(g, "cr-name")) == sorted(["w", "x", *(f"step{i}" for i in range(300))])
    assert {link in entries(page) for link in re.findall(r'<a href="#([^"]+)"', page)} == {True}
    assert len(str(g).splitlines()) == len(g.nodes) + 2


def test_large_graphs_without_layers_are_folded_into_equal_pieces() -> None:
    def f(x):
        for _ in range(300):
            x = np.sin(x + 0.1)
        return x

    g = cr.trace(f)(0.5)
    names = texts(g, "cr-name")
    assert len(names) <= LIMIT
    assert names[0] == "x"
    assert {len(list(level.nodes)) for level in fold(g.nodes).levels if level.is_piece} == {5}
    assert len(pictures(g)) == 181


# --- layout -------------------------------------------------------------------------------------------------


def random_layout(seed: int):
    random = np.random.default_rng(seed)
    count = 25
    arrows = [(int(random.integers(0, t)), t) for t in range(3, count) for _ in range(int(random.integers(1, 4)))]
    sizes = [(float(w), float(h)) for w, h in random.integers(20, 90, (count, 2))]
    plan = layout(sizes, arrows, ports=[h for _, h in sizes], labels=[20.0] * len(arrows))
    return sizes, arrows, plan


@pytest.mark.parametrize("seed", range(5))
def test_boxes_do_not_overlap_and_arrows_go_right_without_crossing_boxes(seed: int) -> None:
    sizes, arrows, plan = random_layout(seed)
    boxes = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (w, h), x, y in zip(sizes, plan.x, plan.y, strict=True)]
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= plan.width
        assert bottom <= plan.height
    for (source, target), path in zip(arrows, plan.paths, strict=True):
        assert path[0] == pytest.approx((boxes[source][2], plan.y[source]))
        assert path[-1][0] == pytest.approx(boxes[target][0])
        assert boxes[target][1] - 1e-9 <= path[-1][1] <= boxes[target][3] + 1e-9
        assert all(p[0] <= q[0] + 1e-9 for p, q in itertools.pairwise(path))
        for (x, y), (next_x, next_y) in itertools.pairwise(path):
            for i, (left, top, right, bottom) in enumerate(boxes):
                if i not in (source, target) and abs(y - next_y) < 1e-9:  # straight pieces pass the columns
                    assert not (x < right and left < next_x and top < y < bottom)


def test_a_line_of_two_layers_has_no_crossings() -> None:
    # 0 → 5, 1 → 4, 2 → 3 in this order would cross three times.
    arrows = [(0, 5), (1, 4), (2, 3)]
    plan = layout([(10.0, 10.0)] * 6, arrows, [10.0] * 6, [0.0] * 3)
    tops = [plan.y[source] for source, _ in arrows]
    ends = [plan.y[target] for _, target in arrows]
    assert np.argsort(tops).tolist() == np.argsort(ends).tolist()
