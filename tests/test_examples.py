"""Every example runs (``--quick``), and shows what it says it shows."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))

CHECKS: dict[str, Callable[[Any], None]] = {}


def shows(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """Register what must hold for the results of the example with the function's name."""
    CHECKS[check.__name__] = check
    return check


@shows
def descent(result: Any) -> None:
    rates = result["rates"]
    assert [float(w) for w in rates[0.125].points[:4]] == [2.0, 1.5, 1.125, 0.84375]  # lecture 000's picture
    assert abs(float(rates[0.125].end)) < 1e-6
    assert not rates[1.0].diverged
    assert float(rates[1.0].end) == 2.0
    assert rates[1.1].diverged
    assert max(abs(end) for end in result["convex"].values()) < 1e-3
    plain = [ends[0] for ends in result["valleys"].values()]
    assert min(plain) == pytest.approx(-2.3517, abs=1e-3)
    assert max(plain) == pytest.approx(2.0994, abs=1e-3)  # stuck in the other valley
    assert result["valleys"][4.0][1] == pytest.approx(-2.3517, abs=1e-3)  # momentum carries it out


@shows
def optimizer_paths(result: Any) -> None:
    on_bowl = result["steps"]["bowl"]
    assert on_bowl["SGD"] is None
    assert on_bowl["Nesterov 0.9"] < on_bowl["momentum 0.9"] < 100
    assert all(steps is not None for steps in result["steps"]["saddle"].values())
    assert result["apart"]["constant η"] < 1e-12
    assert result["apart"]["decaying η"] > 0.1


@shows
def why_does_it_not_learn(result: Any) -> None:
    causes = {name: each["cause"] for name, each in result.items()}
    assert causes == {"all weights zero": "init", "rate of 300": "lr_high", "nothing": None}
    for name in ("all weights zero", "rate of 300"):
        assert result[name]["after"] > result[name]["before"] + 0.3


@shows
def slow_learning(result: Any) -> None:
    quadratic, entropy = result[2.0, "quadratic"], result[2.0, "cross-entropy"]
    a = 1 / (1 + np.exp(-4.0))
    assert entropy["delta"] == pytest.approx(a, rel=1e-5)  # a - y
    assert quadratic["delta"] == pytest.approx(a * a * (1 - a), rel=1e-4)  # (a - y) σ'(z)
    assert quadratic["half"] > 10 * entropy["half"]
    assert quadratic["half"] > 5 * result[0.6, "quadratic"]["half"]  # saturated against not
    assert quadratic["answers"][-1] == pytest.approx(0.20, abs=0.01)  # Nielsen, chapter 3
    assert result[0.6, "quadratic"]["answers"][-1] == pytest.approx(0.09, abs=0.01)


@shows
def initialization(result: Any) -> None:
    assert result["all 0"] == [1, 1, 1]  # one effective neuron per layer
    assert result["all 0.1"][:2] == [1, 1]
    assert result["He"] == [20, 20, 10]
    assert result["He", "accuracy"] > 0.9 > 0.3 > result["all 0.1", "accuracy"]

    def ratio(hidden: str, start: str, of: str) -> float:
        """The last layer's deviation over the first one's."""
        (stds,) = [s for key, s in result.items() if key[0] == hidden and key[1].startswith(start)]
        return stds[of][-1] / stds[of][0]

    for hidden in ("tanh", "relu"):
        assert ratio(hidden, "too small", "a") < 1e-5  # vanish on the way up ...
        assert ratio(hidden, "too small", "delta") > 1e5  # ... and on the way down
        assert 0.5 < ratio(hidden, "He", "a") < 2
        assert 0.5 < ratio(hidden, "He", "delta") < 2
    assert ratio("relu", "too large", "a") > 1e3
    assert ratio("tanh", "Xavier", "a") > 0.3


@shows
def universal_approximation(errors: Any) -> None:
    ordered = [errors[width] for width in sorted(errors)]
    assert ordered == sorted(ordered, reverse=True)
    assert ordered[-1] < ordered[0] / 2


@shows
def overfitting(result: Any) -> None:
    few, many = sorted({n for n, _ in result})

    def gap(n: int, words: str) -> float:
        return result[n, words]["training"] - result[n, words]["validation"]

    assert result[few, "nothing"]["training"] > 0.98
    assert gap(few, "nothing") > 0.1 > 0.05 > gap(many, "nothing")
    assert result[many, "nothing"]["validation"] > result[few, "nothing"]["validation"] + 0.05
    assert gap(many, "dropout 0.5") < gap(many, "nothing")


@shows
def gates(result: Any) -> None:
    assert result["neurons"]["AND"].separable
    assert result["neurons"]["OR"].separable
    assert result["neurons"]["XOR"].separable is False
    expected = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nor": [1, 0, 0, 0], "nand": [1, 1, 1, 0]}
    expected |= {"not": [1, 0], "xor": [0, 1, 1, 0], "xnor": [1, 0, 0, 1]}
    assert result["tables"] == expected
    assert result["sums"].tolist() == [0, 2, 42, 155, 510]
    np.testing.assert_allclose(result["learnt"], [0, 1, 1, 0], atol=0.05)


@shows
def why_normalize(result: Any) -> None:
    assert result["normalized", 0.1] < 20
    assert [result["as they are", rate] for rate in (1e-5, 1e-3, 0.1)] == [None] * 3  # never
    prepared, bare = result["test"]
    assert prepared > 0.9 > 0.6 > bare
    without, with_batch_normalization = result["batch", 1.0]
    assert without is None
    assert with_batch_normalization <= 3


@shows
def own_parts(result: Any) -> None:
    assert {name: check.ok for name, check in result["checks"].items()} == {
        "softsign": True,
        "wrong": False,
        "Gain": True,
        "Focal": True,
    }
    np.testing.assert_allclose(result["losses"]["numpy"], result["losses"]["jax"], rtol=1e-5)
    assert result["losses"]["numpy"][-1] < result["losses"]["numpy"][0]


@shows
def logistic_regression(apart: Any) -> None:
    assert apart["weights"] < 1e-3
    assert apart["answers"] < 1e-4


@shows
def see_backprop(result: Any) -> None:
    a = 1 / (1 + np.exp(-4.0))
    w, b, x, y = result["graph"].gradients
    assert w == pytest.approx(a * a * (1 - a))
    assert b == pytest.approx(w)
    assert x == pytest.approx(2 * w)
    assert y == pytest.approx(-a)
    assert max(result["apart"]) < 1e-12
    assert result["check"].ok
    assert result["seconds"]["numerical"] > 3 * result["seconds"]["backpropagation"]  # extremely slow


@shows
def several_networks(result: Any) -> None:
    few, many = result["gains"].values()
    assert many.evident
    assert min(few.gain, many.gain) > 0.01
    together, (x, y) = result["together"], result["test"]
    assert (together.predict(x) == y).mean() == pytest.approx(many.ensemble)


@shows
def honest_comparison(result: Any) -> None:
    (slow,) = result["slow"].pairs
    assert slow.better == "cross-entropy"
    assert abs(slow.difference.mean) > 0.1
    better = {(pair.first, pair.second): pair.better for pair in result["starts"].pairs}
    assert better["N(0, 0.01²)", "Glorot"] == "Glorot"
    assert better["Glorot", "He"] is None
    assert len(result["optimizers"].pairs) == 3


@pytest.fixture
def registries() -> Iterator[None]:
    """What an example registers (an activation of its own, say) is forgotten after it."""
    families = (cr.activations.Activation, cr.layers.Layer, cr.losses.Loss, cr.optimizers.Optimizer)
    before = [dict(family.registry) for family in families]
    yield
    for family, registry in zip(families, before, strict=True):
        family.registry.clear()
        family.registry.update(registry)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look for it
    monkeypatch.chdir(tmp_path)
    spec.loader.exec_module(module)
    result = module.main(["--quick"])
    shown = capsys.readouterr()
    assert shown.out.strip()
    assert max(map(len, shown.out.splitlines())) <= 120  # fits on a screen
    assert not list(tmp_path.iterdir())  # nothing is left behind
    if name in CHECKS:
        CHECKS[name](result)


def test_every_check_has_its_example() -> None:
    assert set(CHECKS) <= set(EXAMPLES)


def test_the_list_of_examples_is_complete() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in EXAMPLES if f"`{name}.py`" not in listed] == []
