"""The networks whose weights the lectures give compute their truth tables."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import networks
from chainrule.errors import DataError, UnknownNameError

SQUARE = [[0, 0], [0, 1], [1, 0], [1, 1]]
TABLES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nor": [1, 0, 0, 0], "nand": [1, 1, 1, 0]}


@pytest.mark.parametrize("activation", ["sigmoid", "step"])
@pytest.mark.parametrize("name", [*TABLES, "not"])
def test_gates(name: str, activation: str) -> None:
    gate = networks.gate(name, activation)
    if name == "not":
        assert gate.predict([[0], [1]]).tolist() == [1, 0]
    else:
        assert gate.predict(SQUARE).tolist() == TABLES[name]


def test_a_sigmoid_gate_is_sure_of_its_answer() -> None:
    p = networks.gate("and").predict_proba(SQUARE)[:, 0]
    np.testing.assert_allclose(p, 1 / (1 + np.exp([30, 10, 10, -10])), rtol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "step"])
def test_xnor(activation: str) -> None:
    assert networks.xnor(activation).predict(SQUARE).tolist() == [1, 0, 0, 1]


def test_xor_with_the_weights_of_the_lecture() -> None:
    model = networks.xor()
    assert model.predict(SQUARE).tolist() == [0.0, 1.0, 1.0, 0.0]
    hidden = model.backprop(SQUARE, [0.0, 1.0, 1.0, 0.0]).a["dense_1"]
    assert hidden.tolist() == [[0, 0], [1, 0], [1, 0], [2, 1]]  # where one line separates the points


def test_the_adder_over_all_pairs_of_four_bits() -> None:
    a, b = np.meshgrid(np.arange(16), np.arange(16))
    assert np.array_equal(networks.add(a, b, bits=4), a + b)
    assert int(networks.add(255, 1)) == 256


def test_bad_input() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'nand'"):
        networks.gate("nandd")
    for a, b in ((16, 1), (1, -1), (1.5, 1)):
        with pytest.raises(DataError, match="whole numbers from 0 to 15"):
            networks.add(a, b, bits=4)


def test_one_neuron_cannot_compute_xor() -> None:
    assert cr.Perceptron(passes=200).fit(SQUARE, [0, 1, 1, 0]).separable is False
