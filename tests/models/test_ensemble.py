"""An ensemble is one model that gives the plain averages of what its members give."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.data import Standardizer, Target
from chainrule.errors import SettingError, ShapeError
from chainrule.evaluation import Predictions, evaluate
from chainrule.models import Model, ensemble, load_model
from chainrule.outcome import Outcome

rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """Data, a network for it, and settings with which seeds differ also in what they standardize by."""

    name: str
    net: Any
    x: Any
    y: Any
    settings: Any = None
    rescaled: bool = True

    def __str__(self) -> str:
        return self.name

    def members(self, n: int = 3, **settings: Any) -> list[Model]:
        fixed = {"epochs": 2, "batch_size": 16, "engine": "numpy", "progress": False} | (self.settings or {}) | settings
        return [cr.fit(self.net, (self.x, self.y), seed=seed, **fixed).model for seed in range(n)]


NUMBERS = rng.normal(size=(90, 4)) * [1.0, 10.0, 0.1, 3.0] + [0.0, 500.0, -1.0, 7.0]
PLACES = NUMBERS[:, :2] @ [1.0, 0.1] - 50.0
IMAGES = rng.normal(size=(40, 6, 5, 2)) * 3 + [1.0, 100.0]
DIGITS = cr.Sequential(cr.Conv2D(3, 3, "relu"), cr.BatchNorm(), cr.Dropout(0.2), cr.Flatten(), cr.Dense(3, "softmax"))
SPLIT = {"validation": 0.3}

CASES = [
    Case("classes", cr.mlp([4, 6, 3]), NUMBERS, np.array(["ape", "bee", "cat"])[np.arange(90) % 3], SPLIT),
    Case("classes, one split", cr.mlp([4, 6, 3]), NUMBERS, np.arange(90) % 3, None, False),
    Case("binary", cr.mlp([4, 6, 1], output="sigmoid"), NUMBERS, np.array(["no", "yes"])[(PLACES > 0) * 1], SPLIT),
    Case("labels", cr.mlp([4, 6, 3], output="sigmoid"), NUMBERS, rng.integers(0, 2, (90, 3)), SPLIT),
    Case("numbers", cr.mlp([4, 6, 1], output=None), NUMBERS, 1e3 * PLACES + 5e4, SPLIT | {"normalize_target": True}),
    Case(
        "two numbers", cr.mlp([4, 6, 2], output=None), NUMBERS, NUMBERS[:, :2] * 3, SPLIT | {"normalize_target": True}
    ),
    Case(
        "plain numbers",
        cr.mlp([4, 6, 1], output="tanh"),
        NUMBERS / [1, 500, 1, 7],
        np.sin(PLACES),
        {"normalize": False},
        False,
    ),
    Case("images", DIGITS, IMAGES, np.arange(40) % 3, SPLIT),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def plain(members: list[Model], x: Any) -> np.ndarray:
    return np.mean([member.predict_proba(x).astype(np.float64) for member in members], axis=0)


def close(values: Any, expected: np.ndarray, tolerance: float = 1e-6) -> bool:
    """Within a share of the largest value."""
    return bool(np.abs(values - expected).max() <= tolerance * max(1.0, np.abs(expected).max()))


@each_case
def test_outputs_are_the_averages_of_the_members(case: Case) -> None:
    members = case.members()
    together, expected = ensemble(members), plain(members, case.x)
    assert len({member.predict_proba(case.x).tobytes() for member in members}) == 3
    for engine in ("numpy", "jax"):
        assert close(together.predict_proba(case.x, engine=engine), expected)
    assert close(together(np.asarray(case.x, np.float32)), expected, 1e-5)  # the sample itself rounded to float32
    predicted, labels = together.predict(case.x), members[0].labels(expected)
    assert np.array_equal(predicted, labels) if together.target.task != "regression" else close(predicted, labels)
    kinds = {type(layer) for branch in together.net[0] for layer in getattr(branch, "layers", ())}
    assert (cr.layers.Rescale in kinds) == case.rescaled
    assert together.target_is_known
    assert together.last_activation == members[0].last_activation
    assert together.count() == sum(member.count() for member in members)


@each_case
def test_a_saved_ensemble_comes_back_bit_by_bit(case: Case, tmp_path: Path) -> None:
    together = ensemble(case.members(2))
    together.save(tmp_path / "together.safetensors")
    again = load_model(tmp_path / "together.safetensors")
    assert again.net == together.net
    assert again.target == together.target
    assert np.array_equal(again.predict_proba(case.x), together.predict_proba(case.x))
    assert again.predict(case.x).tolist() == together.predict(case.x).tolist()


@each_case
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_onnx_file_gives_the_same(case: Case, precision: str) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    together = ensemble(case.members(2, precision=precision))
    check = cr.export.check_onnx(together, cr.export.to_onnx(together), case.x)
    assert check.ok
    assert check.max_difference < {"float32": 1e-5, "float64": 1e-12}[precision]


@each_case
def test_metrics_are_those_of_the_averaged_outputs(case: Case) -> None:
    members = case.members()
    together, a, n = ensemble(members), plain(members, case.x), len(case.x)
    scores = Predictions(together, case.x, case.y).scores
    classes = together.target.classes
    if together.target.task == "classification":
        codes = np.searchsorted(np.asarray(classes), case.y)
        expected = {"loss": -np.log(a[np.arange(n), codes]).mean(), "accuracy": (a.argmax(1) == codes).mean()}
    elif together.target.task == "regression":
        y = np.reshape(case.y, (n, -1))
        std = np.array(together.target.std or 1.0)
        cost = 0.5 * np.square((a - y) / std).sum(axis=1).mean()
        expected = {"loss": cost, "mae": np.abs(a - y).mean()}
    else:
        y = np.reshape(case.y == "yes" if classes else case.y, (n, -1)).astype(float)
        cost = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1).mean()
        expected = {"loss": cost, "accuracy": ((a > 0.5) == (y > 0.5)).all(axis=1).mean()}
    assert scores == pytest.approx(expected, rel=2e-5)
    judged = evaluate(together, case.x, case.y)
    assert judged.metrics == together.evaluate(case.x, case.y) == scores | judged.metrics
    if judged.confusion is not None:
        assert np.trace(judged.confusion) == round(scores["accuracy"] * n)


def test_members_trained_on_one_preparation_of_a_table_share_it(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    towns = np.array(["Rome", "Oslo", "Lima"])[np.arange(90) % 3]
    frame = pd.DataFrame({"size": NUMBERS[:, 1], "town": towns, "price": 100 * PLACES})
    part = cr.Table.read(frame, "price").prepare(validation=0.2, key=cr.random.key(0)).data
    settings = {"epochs": 2, "progress": False, "normalize_target": True}
    members = [cr.fit(cr.mlp([4, 5, 1], output=None), part, seed=seed, **settings).model for seed in range(2)]
    members[1].save(tmp_path / "second.safetensors")
    together = ensemble([members[0], load_model(tmp_path / "second.safetensors")])  # an equal one, read from a file
    assert close(together.predict_proba(frame), plain(members, frame))
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    assert cr.export.check_onnx(together, cr.export.to_onnx(together), frame).ok

    table = cr.Table.read(frame, "price")
    apart = [
        cr.fit(cr.mlp([4, 5, 1], output=None), table, validation=0.3, seed=seed, **settings).model for seed in (0, 1)
    ]
    with pytest.raises(SettingError, match=r"same preparation .*split the table once, .*fit_population"):
        ensemble(apart)
    with pytest.raises(SettingError, match=r"same preparation .*, member 1 none"):
        ensemble([members[0], Model(members[0].net, (4,), target=members[0].target)])


def test_inputs_far_from_zero_and_of_any_scale_lose_nothing() -> None:
    x = rng.normal(size=(50, 3)) * [1e-6, 1.0, 1e4] + [1.0, 1e3, 1e6]
    y = np.arange(50) % 2
    parts = [rng.permutation(50)[:35] for _ in range(3)]
    nets = [cr.fit(cr.mlp([3, 4, 2]), (x[p], y[p]), epochs=3, seed=i, progress=False) for i, p in enumerate(parts)]
    raw = Model(cr.mlp([3, 2]), (3,), target=nets[0].model.target)  # takes its inputs as they are
    raw.params["dense_1"]["weight"] = raw.params["dense_1"]["weight"] * np.float32(1e-6)
    members = [*(run.model for run in nets), raw]
    assert close(ensemble(nets).predict_proba(x), plain(members[:3], x))
    assert close(ensemble(members).predict_proba(x), plain(members, x))


def test_members_with_and_without_a_standardized_target_are_averaged_in_its_unit() -> None:
    case = CASES[4]
    members = [*case.members(1), *case.members(1, normalize_target=False)]
    assert close(ensemble(members).predict_proba(case.x), plain(members, case.x))


def test_one_member_and_ensembles_of_ensembles() -> None:
    case = CASES[0]
    members = case.members(3)
    assert close(ensemble(members[:1]).predict_proba(case.x), members[0].predict_proba(case.x), 1e-7)
    nested = ensemble([ensemble(members[:2]), members[2]])
    assert close(nested.predict_proba(case.x), plain([ensemble(members[:2]), members[2]], case.x))
    first, second, third = (member.predict_proba(case.x) for member in members)
    assert close(nested.predict_proba(case.x), (first + second) / 4 + third / 2)  # an ensemble counts as one
    assert nested.last_activation.name == "softmax"


def test_networks_of_different_kinds_can_be_averaged() -> None:
    case = CASES[1]
    nets = [cr.mlp([4, 3]), cr.Sequential(cr.LayerNorm(), cr.Dense(5, "tanh"), cr.Dense(3, "softmax"))]
    members = [cr.fit(net, (case.x, case.y), epochs=1, progress=False).model for net in nets]
    assert close(ensemble(members).predict_proba(case.x), plain(members, case.x))


def test_members_stay_as_they_were_when_the_ensemble_is_trained_on() -> None:
    case = CASES[0]
    members = case.members(2)
    before = [member.predict_proba(case.x) for member in members]
    together = ensemble(members)
    run = cr.fit(together, (case.x, case.y), epochs=5, optimizer=cr.Adam(0.01), batch_size=16, progress=False)
    assert run.history["loss"][-1] < run.history["loss"][0]
    old, new = (dict(tree.leaves_with_path(model.state)) for model in (together, run.model))
    assert any(path[-2] == "rescale_1" for path in old)
    assert all(np.array_equal(old[path], new[path]) for path in old)
    trained = tree.map(lambda a, b: not np.array_equal(a, b), together.params, run.model.params)
    assert all(tree.leaves(trained))
    assert all(np.array_equal(a, member.predict_proba(case.x)) for a, member in zip(before, members, strict=True))


def test_an_average_learns_from_scratch_and_in_bfloat16() -> None:
    iris = cr.data.load("iris")
    net = cr.layers.Average(cr.mlp([4, 8, 3]), cr.Sequential(cr.layers.Rescale(), cr.mlp([4, 8, 3], hidden="tanh")))
    settings = {"epochs": 20, "optimizer": cr.Adam(0.02), "progress": False}
    wide = cr.fit(net, iris, **settings)
    narrow = cr.fit(net, iris, precision="bfloat16", engine="jax", **settings)
    assert min(run.history["accuracy"][-1] for run in (wide, narrow)) > 0.9
    assert narrow.history["loss"] == pytest.approx(wide.history["loss"], rel=0.1)
    assert wide.history["loss"] != narrow.history["loss"]


def test_gradients_through_an_ensemble_equal_central_differences() -> None:
    together = ensemble(CASES[4].members(2, precision="float64"))
    assert isinstance(together.standardizer, Standardizer)
    x = np.asarray(CASES[4].x[:3])
    check = cr.check_gradient(lambda x: (together(x) * 1e-4).sum(), x)
    assert check, str(check)
    pass_ = together.backprop(x, np.asarray(CASES[4].y[:3]))
    names = [f"average_1/sequential_{i}/sequential_1/dense_{j}" for i in (1, 2) for j in (1, 2)]
    assert list(pass_.delta) == names
    scale, y = together.target.std[0], together.target.scale(np.reshape(CASES[4].y[:3], (-1, 1)))
    error = together.target.scale(together.predict_proba(x)) - y
    for i, name in enumerate(names[1::2]):  # 1/M of the error, in the member's own unit
        factor = together.state["average_1"][f"sequential_{i + 1}"]["rescale_2"]["scale"]
        np.testing.assert_allclose(pass_.delta[name], error * factor / 2, rtol=1e-9)
    assert scale > 1e3


def test_diverged_members_are_left_out_with_a_warning() -> None:
    case = CASES[0]
    members = case.members(3)
    broken = case.members(1)[0]
    broken.params["dense_1"]["weight"][0, 0] = np.nan
    runs = [SimpleNamespace(model=member, outcome=Outcome()) for member in members]
    runs[1].outcome = Outcome.at_divergence(7, 1)
    message = r"Left out .*: member 1 \(diverged at step 7 \(epoch 1\)\), 3 \(its weights are not finite\)\."
    with pytest.warns(UserWarning, match=message) as warned:
        together = ensemble([*runs, broken])
    assert warned[0].filename == __file__
    assert close(together.predict_proba(case.x), plain([members[0], members[2]], case.x))
    with pytest.raises(SettingError, match=r"all members have diverged: 0 \(diverged at step 7 .*smaller learning"):
        ensemble([runs[1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs[1].outcome = Outcome.after("no better val_loss for 3 epochs")  # stopped early is not diverged
        assert len(ensemble(runs).net[0]) == 3


def softmax(n: int = 3, **settings: Any) -> Model:
    target = Target("classification", tuple(range(n)), n)
    return Model(cr.mlp([4, n]), **{"input_shape": (4,), "target": target} | settings)


@pytest.mark.parametrize(
    ("members", "error", "match"),
    [
        ([], SettingError, "at least one"),
        (softmax(), SettingError, r"takes several .*ensemble\(\[first, second\]\)"),
        ("runs", SettingError, "takes several"),
        (5, SettingError, "takes several"),
        ([softmax(), "adam"], SettingError, "item 1 is 'adam' "),
        ([softmax(), softmax(2)], ShapeError, r"same output shape: member 0 has \(3,\), member 1 \(2,\)"),
        (
            [softmax(), softmax(), Model(cr.mlp([5, 3]), (5,), target=softmax().target)],
            ShapeError,
            r"same input shape: member 0 has \(4,\), member 2 \(5,\)",
        ),
        ([softmax(), softmax(precision="float64")], SettingError, "same precision: member 0 has 'float32'"),
        (
            [softmax(), softmax(target=Target("classification", ("a", "b", "c"), 3))],
            SettingError,
            r"same classes .*\(0, 1, 2\), member 1 \('a', 'b', 'c'\)",
        ),
        (
            [softmax(), Model(cr.mlp([4, 3], output="sigmoid"), (4,), target=Target("multilabel", None, 3))],
            SettingError,
            "same task: member 0 has 'classification', member 1 'multilabel'",
        ),
        (
            [softmax(), Model(cr.mlp([4, 3], output=None), (4,), target=softmax().target)],
            SettingError,
            "same output activation: member 0 has 'softmax', member 1 'linear'",
        ),
    ],
)
def test_what_cannot_be_averaged_is_told(members: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        ensemble(members)


def test_members_of_regression_may_end_in_different_activations() -> None:
    members = [Model(cr.mlp([4, 2], output=name), (4,), seed=i) for i, name in enumerate(("linear", "tanh"))]
    together = ensemble(members)
    assert together.last_activation.name == "linear"
    assert not together.target_is_known
    assert close(together.predict(NUMBERS), np.mean([member.predict(NUMBERS) for member in members], axis=0), 1e-6)
