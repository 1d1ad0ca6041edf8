"""The driver: what it does between and inside the calls of the training program never changes what is learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import chainrule as cr
from chainrule import random, tree
from chainrule.data import batch_order
from chainrule.engine import choose
from chainrule.errors import SettingError, UnknownNameError
from chainrule.recipe.prepared_run import SHUFFLE, STEPS
from chainrule.recipe.step import step
from chainrule.training import Batch, layout, start
from chainrule.training.epoch import _programs

rng = np.random.default_rng(0)
x = rng.normal(size=(46, 5))
y = np.where(x[:, 0] > x[:, 1], "yes", "no")
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def fit(engine: str, net: Any = None, **settings: Any) -> cr.Run:
    fixed = {"epochs": 3, "batch_size": 8, "engine": engine, "precision": "float64", "progress": False}
    net = net or cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.2), cr.Dense(1, "sigmoid"))
    return cr.fit(net, (x, y), **(fixed | settings))


def same(one: Any, other: Any, tolerance: float = 0.0) -> None:
    actual, expected = (sorted(tree.leaves_with_path(v), key=lambda leaf: leaf[0]) for v in (one, other))
    for (path, a), (_, b) in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg="/".join(path))


@engines
@pytest.mark.parametrize("norm", [False, True])
def test_a_short_last_batch_counts_as_what_it_is(engine: str, norm: bool) -> None:
    """Filled up, it gives the gradient and the batch statistics of the samples it has."""
    layers = (cr.Dense(4), cr.BatchNorm(), cr.Activation("tanh")) if norm else (cr.Dense(4, "tanh"),)
    net = cr.Sequential(*layers, cr.Dense(2, "softmax"))
    labels = (x[:, 0] > 0).astype(int)
    run = cr.fit(net, (x, labels), optimizer=cr.SGD(0.5, momentum=0.9), epochs=2, batch_size=8, l2=0.3, engine=engine,
                 precision="float64", normalize=False, progress=False)  # fmt: skip

    model, root = cr.Model(net, (5,), precision="float64"), random.key(0)
    recipe, state = start(model, "cross_entropy", cr.SGD(0.5, momentum=0.9), samples=46, batch_size=8, epochs=2,
                          key=random.fold_in(root, STEPS), l2=0.3)  # fmt: skip
    for epoch in (1, 2):
        order = batch_order(random.fold_in(random.fold_in(root, SHUFFLE), epoch), 46)
        for first in range(0, 46, 8):
            rows = order[first : first + 8]  # the last one has 6
            state, _ = step(recipe, state, Batch(x[rows], labels[rows], np.ones(len(rows))))
    same(run.model.params, state.params, 1e-10)
    same(run.model.state, state.model_state, 1e-10)


@engines
def test_calls_within_an_epoch_change_nothing(engine: str) -> None:
    seen: list[tuple[int, int, bool]] = []

    def look(event: cr.Event) -> None:
        seen.append((event.epoch, event.step, event.end_of_epoch))
        assert set(event.metrics) >= {"loss", "accuracy"}

    plain, called = fit(engine), fit(engine, callbacks=look, call_every=4)
    same(plain.model.params, called.model.params)
    assert plain.history["loss"] == pytest.approx(called.history["loss"], rel=1e-12)
    assert seen == [(1, 4, False), (1, 6, True), (2, 10, False), (2, 12, True), (3, 16, False), (3, 18, True)]


@engines
def test_a_callback_can_stop_within_an_epoch(engine: str) -> None:
    run = fit(engine, callbacks=lambda e: cr.Decision(stop="enough") if e.step == 9 else None, call_every=3)
    assert run.stopped == "enough"
    assert len(run.history) == 2
    short = fit(engine, callbacks=lambda e: cr.Decision(stop="enough") if e.step == 6 else None)
    assert not np.array_equal(run.model.params["dense_1"]["weight"], short.model.params["dense_1"]["weight"])


@engines
def test_a_setting_changed_within_an_epoch_holds_from_there_on(engine: str) -> None:
    def still(event: cr.Event) -> cr.Decision | None:
        return cr.Decision(settings={"optimizer.lr": 0.0}) if event.step == 3 else None

    states: list[Any] = []
    run = fit(engine, optimizer=cr.SGD(0.1), callbacks=[still, lambda e: states.append(e.state)], call_every=3)
    same(states[0].params, run.model.params)
    assert run.history["lr"] == [0.0, 0.0, 0.0]


@engines
def test_states_shown_to_callbacks_stay_as_they_were(engine: str) -> None:
    """The program writes over the state that it is given, not over what others were shown."""
    states: list[Any] = []
    run = fit(engine, callbacks=lambda e: states.append(e.state), call_every=2)
    assert [int(s.step) for s in states] == [2, 4, 6, 8, 10, 12, 14, 16, 18]  # 6, 12 and 18 once each
    same(states[-1].params, run.model.params)
    assert len({float(np.asarray(s.params["dense_1"]["weight"])[0, 0]) for s in states}) == len(states)


@engines
def test_the_model_that_training_starts_from_is_not_changed(engine: str) -> None:
    model = cr.Model(cr.Dense(1, "sigmoid"), (5,), precision="float64")
    before = model.params["dense_1"]["weight"].copy()
    fit(engine, net=model)
    assert np.array_equal(model.params["dense_1"]["weight"], before)


@engines
def test_metrics_of_every_step(engine: str) -> None:
    run = fit(engine, record_steps=True, optimizer=cr.SGD(cr.schedules.Cosine(0.1)))
    steps = run.history.steps
    assert {name: len(values) for name, values in steps.items()} == {"loss": 18, "accuracy": 18, "lr": 18}
    weights = [8, 8, 8, 8, 8, 6]
    for epoch in range(3):
        mean = np.average(steps["loss"][6 * epoch : 6 * epoch + 6], weights=weights)
        assert mean == pytest.approx(run.history["loss"][epoch], rel=1e-9)
    assert steps["lr"][0] > steps["lr"][1] > steps["lr"][-1]
    assert fit(engine).history.steps == {}


class TestProbes:
    @engines
    def test_they_change_nothing_and_sit_on_every_nth_step(self, engine: str) -> None:
        plain, probed = fit(engine), fit(engine, probe_every=4)
        same(plain.model.params, probed.model.params, 1e-12)
        assert plain.probes is None
        assert probed.probes.steps == [1, 5, 9, 13, 17]
        assert all(len(probed.probes[name]) == 5 for name in probed.probes)
        cut = fit(engine, probe_every=4, callbacks=lambda e: None, call_every=3)
        assert cut.probes.steps == [1, 5, 9, 13, 17]
        np.testing.assert_allclose(cut.probes.rows, probed.probes.rows, rtol=1e-5, atol=1e-7)

    @engines
    def test_their_figures(self, engine: str) -> None:
        net = cr.mlp([5, 4, 2], hidden="relu")
        labels = (x[:, 0] > 0).astype(int)
        model = cr.Model(net, (5,), precision="float64")
        pass_ = model.backprop(x, labels)
        run = cr.fit(model, (x, labels), optimizer=cr.SGD(0.5), epochs=1, batch_size=46, normalize=False,
                     probe_every=1, engine=engine, precision="float64", progress=False)  # fmt: skip

        def size(v: Any) -> float:
            return float(np.sqrt(np.mean(np.square(v))))

        expected = {
            "dense_1/z/mean": pass_.z[0].mean(),
            "dense_1/z/std": pass_.z[0].std(),
            "dense_1/a/zeros": (pass_.a[0] == 0).mean(),
            "dense_1/z/gradient": size(pass_.delta[0] / 46),
            "dense_2/weight/size": size(model.params["dense_2"]["weight"]),
            "dense_2/weight/gradient": size(pass_.grads["dense_2"]["weight"]),
            "dense_2/weight/change": size(0.5 * pass_.grads["dense_2"]["weight"]),
        }
        for name, value in expected.items():
            assert run.probes[name][0] == pytest.approx(value, rel=1e-5), name

    def test_a_wrong_name(self) -> None:
        run = fit("numpy", probe_every=10)
        with pytest.raises(UnknownNameError, match="dense_1/weight/size"):
            run.probes["dense_1/weight/sise"]
        with pytest.raises(SettingError, match="probe_every"):
            fit("numpy", probe_every=0)

    def test_as_a_table(self) -> None:
        frame = fit("numpy", probe_every=6).probes.to_pandas()
        assert frame.index.tolist() == [1, 7, 13]
        assert "dense_1/weight/change" in frame.columns

    def test_they_go_on_after_a_resume(self, tmp_path: Path) -> None:
        whole = fit("numpy", probe_every=4)
        fit("numpy", probe_every=4, epochs=1, out=tmp_path / "run")
        resumed = fit("numpy", probe_every=4, out=tmp_path / "run", resume=True)
        assert resumed.probes.steps == whole.probes.steps
        assert resumed.probes.rows == whole.probes.rows


class TestTraces:
    """Compiling is paid once: nothing that may change without another program causes another one."""

    def test_a_fit_traces_each_program_once(self) -> None:
        _programs.cache_clear()
        net = cr.Sequential(cr.Dense(3, "tanh"), cr.Dropout(0.2), cr.Dense(1, "sigmoid"))
        first = fit("jax", net, validation=0.2, callbacks=lambda e: None, call_every=2, early_stopping=True)
        assert first.traces == {"train": 1, "measure": 1}
        rate = cr.Sequential(cr.Dense(3, "tanh"), cr.Dropout(0.4), cr.Dense(1, "sigmoid"))
        for again in (
            fit("jax", net, validation=0.2, optimizer=cr.Adam(lr=0.3, beta1=0.5)),
            fit("jax", net, validation=0.2, epochs=5, seed=7),
            fit("jax", rate, validation=0.2),
            fit("jax", net, validation=0.2, call_every=3, callbacks=lambda e: None),
            cr.fit(net, (x + 1, y[::-1]), validation=0.2, epochs=1, batch_size=8, engine="jax", precision="float64",
                   progress=False),
        ):  # fmt: skip
            assert again.traces == {}

    def test_penalties(self) -> None:
        _programs.cache_clear()
        assert fit("jax", l2=0.1).traces == {"train": 1}
        assert fit("jax", l2=0.5).traces == fit("jax", l2=0.0).traces == {}

    def test_finding_where_a_run_diverged_compiles_nothing(self) -> None:
        with pytest.raises(cr.errors.DivergedError) as caught:
            cr.fit(cr.Dense(1), (x, x[:, :1]), optimizer=cr.SGD(1e30), epochs=3, engine="jax", progress=False)
        assert caught.value.run.traces in ({"train": 1}, {})

    def test_another_lowering_is_another_program_with_the_same_result(self) -> None:
        images = rng.normal(size=(16, 6, 6, 1))
        net = cr.Sequential(cr.Conv2D(3, 3, activation="tanh"), cr.Flatten(), cr.Dense(2, "softmax"))

        def run() -> cr.Run:
            settings = {"epochs": 1, "batch_size": 8, "engine": "jax", "precision": "float64", "progress": False}
            return cr.fit(net, (images, np.arange(16) % 2), **settings)

        _programs.cache_clear()
        plain = run()
        with cr.lowering(forward="shifts", input="native", weight="shifts"):
            forced = run()
        assert plain.traces == forced.traces == {"train": 1}
        assert run().traces == {}
        same(plain.model.params, forced.model.params, 1e-10)

    def test_numpy_compiles_nothing(self) -> None:
        assert fit("numpy").traces == {}


class TestLayout:
    def test_narrow_matrices_are_turned_and_turned_back(self) -> None:
        params = {"a": {"weight": np.ones((100, 10)), "bias": np.ones(10)}, "b": {"weight": np.ones((100, 90))}}
        turns = layout.narrow(params)
        assert turns == {("a", "weight"): (-2, -1)}
        turned = layout.transpose(params, turns)
        assert turned["a"]["weight"].shape == (10, 100)
        same(layout.transpose(turned, turns), params)

    @pytest.mark.parametrize("optimizer", [cr.Adam(0.05, clip_norm=0.5), cr.SGD(0.1, momentum=0.9), cr.AdamW(0.05)])
    def test_it_changes_nothing(self, monkeypatch: pytest.MonkeyPatch, optimizer: Any) -> None:
        net = cr.Sequential(cr.Dense(4, "prelu"), cr.BatchNorm(), cr.Dense(2, "softmax"))
        runs = []
        for limit in (layout.NARROW, 0):
            _programs.cache_clear()
            monkeypatch.setattr(layout, "NARROW", limit)
            runs.append(fit("jax", net, optimizer=optimizer, l1=0.1, l2=0.1))
        _programs.cache_clear()
        same(runs[0].model.params, runs[1].model.params, 1e-9)


class TestPrecision:
    def test_bfloat16_learns_like_float32(self) -> None:
        """Products and activations have 8 bits of mantissa: a relative rounding of 2⁻⁹ each, 2 % in the cost here."""
        digits = cr.data.load("digits")
        net = cr.Sequential(
            cr.Reshape((8, 8, 1)), cr.Conv2D(8, 3), cr.BatchNorm(), cr.Activation("relu"), cr.MaxPool2D(2),
            cr.Flatten(), cr.LayerNorm(), cr.Dropout(0.1), cr.Dense(10, "softmax"),
        )  # fmt: skip
        half, whole = (
            cr.fit(net, digits, precision=p, epochs=2, engine="jax", progress=False) for p in ("bfloat16", "float32")
        )
        np.testing.assert_allclose(half.history["loss"], whole.history["loss"], rtol=0.02)
        assert half.history["loss"] != whole.history["loss"]
        leaves = tree.leaves((half.model.params, half.model.state))
        assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}
        assert half.model.predict_proba(digits.x[:5]).dtype == np.float32

    def test_products_are_really_taken_in_bfloat16(self) -> None:
        recipe, state = start(cr.Model(cr.Dense(3, "softmax"), (4,)), samples=8, batch_size=8, compute="bfloat16")
        batch = Batch(jax.numpy.ones((8, 4)), jax.numpy.zeros(8, "int32"), jax.numpy.ones(8))
        program = jax.make_jaxpr(lambda s: step(recipe, s._replace(settings=state.settings), batch))
        text = str(program(state._replace(settings=None)))
        products = [line for line in text.splitlines() if "dot_general" in line]
        assert products
        assert all("bf16" in line.split("=")[0] for line in products)

    def test_bad_precisions(self) -> None:
        with pytest.raises(SettingError, match="NumPy has no bfloat16"):
            fit("numpy", precision="bfloat16")
        with pytest.raises(UnknownNameError, match="bfloat16"):
            fit("jax", precision="bfloat15")

    def test_the_compiled_program_flushes_denormals(self) -> None:
        """Adam's moments of dead units decay into denormals, on which processors are slow."""
        halve = choose("jax").compile(lambda v: v * 0.5)
        assert np.asarray(halve(np.full(3, 2e-38, np.float32)))[0] == 0.0


class TestPrediction:
    net = cr.Sequential(cr.Dense(7, "relu"), cr.BatchNorm(), cr.Dense(3, "softmax"))

    @pytest.mark.parametrize("batch_size", [1, 4, 16, None])
    def test_blocks_do_not_show(self, batch_size: int | None) -> None:
        model = cr.Model(self.net, (5,), precision="float64")
        for n in (1, 2, 3, 7, 16, 17, 46):
            compiled = model.predict_proba(x[:n], engine="jax", batch_size=batch_size)
            eager = model.predict_proba(x[:n], engine="numpy", batch_size=batch_size)
            assert compiled.shape == (n, 3)
            np.testing.assert_allclose(compiled, eager, rtol=1e-10)
            np.testing.assert_allclose(eager, np.asarray(model(x[:n])), rtol=1e-10)

    def test_not_every_number_of_samples_is_a_program_of_its_own(self) -> None:
        model = cr.Model(cr.Dense(2), (3,))
        data = np.ones((1000, 3), np.float32)
        before = choose("jax").traces.total()
        for n in range(1, 1000, 7):
            model.predict_proba(data[:n], engine="jax")
        assert choose("jax").traces.total() - before <= 4 * 10


class TestCompilationCache:
    script = (
        "import numpy as np, chainrule as cr\n"
        "from chainrule.engine import cache\n"
        "cache.WORTH_KEEPING = 0.0\n"  # a small one compiles at once
        "run = cr.fit(cr.mlp([4, 8, 2]), (np.random.rand(64, 4), np.arange(64) % 2), optimizer='adam', epochs=1,"
        " engine='jax', progress=False)\n"
        "import jax; print(jax.config.jax_compilation_cache_dir)\n"
    )

    def run(self, **environment: str) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XDG_"))}
        done = subprocess.run(
            [sys.executable, "-c", self.script], env=clean | environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def test_programs_are_kept_in_the_users_cache_folder(self, tmp_path: Path) -> None:
        folder = Path(self.run(XDG_CACHE_HOME=str(tmp_path)))
        assert folder.parent == tmp_path / "chainrule" / "programs"
        assert list(folder.glob("*train*"))

    def test_the_users_own_choice_is_left_alone(self, tmp_path: Path) -> None:
        mine = str(tmp_path / "mine")
        assert self.run(XDG_CACHE_HOME=str(tmp_path), JAX_COMPILATION_CACHE_DIR=mine) == mine
        assert not (tmp_path / "chainrule").exists()
        self.run(XDG_CACHE_HOME=str(tmp_path), JAX_ENABLE_COMPILATION_CACHE="false")
        assert not (tmp_path / "chainrule").exists()
