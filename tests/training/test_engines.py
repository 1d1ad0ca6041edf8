"""Both engines run the same training: the same numbers, from the same seed, without compiling twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.engine import CostEstimate, choose
from chainrule.errors import UnknownNameError

rng = np.random.default_rng(0)
images = rng.normal(size=(46, 6, 6, 1))
labels = (images.mean(axis=(1, 2, 3)) > 0).astype(int) + (images[:, 0, 0, 0] > 0.7)
rows = rng.normal(size=(40, 5))  # no short last batch: half as much to compile
yes = np.where(rows[:, 0] - rows[:, 1] > 0, "yes", "no")


def shift(x: Any, key: Any) -> Any:
    """An augmentation that draws a random number for each sample."""
    return x + 0.1 * cr.random.uniform(key, (x.shape[0], 1))


def conv_run(engine: str, precision: str, **changes: Any) -> Any:
    """Convolution, pooling, batch normalization, dropout, momentum, schedule, penalties, a short last batch."""
    net = cr.Sequential(
        cr.Conv2D(3, 3, bias=False),
        cr.BatchNorm(),
        cr.Activation("relu"),
        cr.MaxPool2D(2),
        cr.Flatten(),
        cr.Dropout(0.3),
        cr.Dense(3, "softmax"),
    )
    settings = {
        "optimizer": cr.SGD(cr.schedules.Cosine(0.1), momentum=0.9, nesterov=True, clip_norm=1.0),
        "l1": 0.01,
        "l2": 0.1,
        "sample_weight": np.linspace(0.5, 2.0, 46),
    }
    return train(net, (images, labels), engine, precision, settings | changes)


def dense_run(engine: str, precision: str, **changes: Any) -> Any:
    """Two parts of a batch one after the other, weighted classes, augmentation, a decoupled decay."""
    net = cr.Sequential(cr.Dense(6, "tanh"), cr.Residual(cr.LayerNorm(), cr.Dense(6, "prelu")), cr.Dense(1, "sigmoid"))
    settings = {
        "optimizer": cr.AdamW(cr.schedules.ReduceOnPlateau(0.05, patience=1, threshold=0.1), weight_decay=0.1),
        "micro_batches": 2,
        "class_weight": "balanced",
        "augment": shift,
    }
    return train(net, (rows, yes), engine, precision, settings | changes)


def train(net: Any, data: Any, engine: str, precision: str, settings: dict[str, Any]) -> Any:
    fixed = {"epochs": 4, "batch_size": 8, "validation": 0.2, "engine": engine, "precision": precision}
    return cr.fit(net, data, **(fixed | {"progress": False} | settings))


EACH = [(conv_run, "float32", 1e-5), (dense_run, "float64", 1e-10)]
OTHERS = [(conv_run, "float64", 1e-10), (dense_run, "float32", 1e-5)]


@pytest.mark.parametrize(
    ("run", "precision", "tolerance"), [*EACH, *(pytest.param(*other, marks=pytest.mark.slow) for other in OTHERS)]
)
def test_the_same_run_has_the_same_history(run: Any, precision: str, tolerance: float) -> None:
    numpy, jax = run("numpy", precision), run("jax", precision)
    assert (numpy.engine, jax.engine) == ("numpy", "jax")
    assert len(numpy.history) == len(jax.history) == 4
    for column in numpy.history.columns:
        if column != "seconds":
            np.testing.assert_allclose(jax.history[column], numpy.history[column], rtol=tolerance, err_msg=column)
    assert numpy.history.columns == jax.history.columns
    for (path, a), b in zip(tree.leaves_with_path(numpy.model.params), tree.leaves(jax.model.params), strict=True):
        assert a.dtype == b.dtype == precision
        assert np.abs(a - b).max() < 100 * tolerance * np.abs(a).max(), path
    for a, b in zip(tree.leaves(numpy.model.state), tree.leaves(jax.model.state), strict=True):
        np.testing.assert_allclose(a, b, rtol=100 * tolerance)


#: What users are promised of compiled programs: both engines agree, going on changes no bit, a member is the run alone.
PROMISES = (
    "tests/training/test_engines.py::test_the_same_run_has_the_same_history[conv_run-float32-1e-05]",
    "tests/training/test_checkpoints.py::test_everything_that_a_run_can_have_goes_on_from_within_an_epoch[jax]",
    "tests/population/test_members.py::test_a_member_is_the_run_that_it_would_be_alone[dropout]",
)
#: The same of other networks and settings.
MORE_PROMISES = (
    "tests/training/test_engines.py::test_the_same_run_has_the_same_history",
    "tests/population/test_members.py::test_a_member_is_the_run_that_it_would_be_alone",
)


@pytest.mark.parametrize("promises", [PROMISES, pytest.param(MORE_PROMISES, marks=pytest.mark.slow)])
def test_programs_that_xla_optimizes_keep_their_promises(promises: tuple[str, ...]) -> None:
    """As users run them; in most other tests XLA optimizes nothing, see tests/conftest.py."""
    root = Path(__file__).parents[2]
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *(str(root / promise) for promise in promises)]
    command = [sys.executable, "-m", "pytest", *words]
    done = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": ""}, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= len(promises)


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_run_follows_from_its_seed(engine: str) -> None:
    first, again, other = (conv_run(engine, "float32", seed=s) for s in (1, 1, 2))
    assert first.history["loss"] == again.history["loss"]
    for a, b in zip(tree.leaves(first.model.params), tree.leaves(again.model.params), strict=True):
        assert np.array_equal(a, b)
    assert first.history["loss"][0] != other.history["loss"][0]


def test_float64_leaves_the_users_jax_as_it_was() -> None:
    import jax
    import jax.numpy as jnp

    dense_run("jax", "float64", epochs=1)
    assert not jax.config.jax_enable_x64
    assert jnp.ones(2).dtype == np.float32


class TestTracing:
    traces = 0

    @pytest.fixture
    def counting(self) -> Iterator[Any]:
        @dataclass(frozen=True)
        class Counting(cr.Layer, name="counting_of_test_engines"):
            """Counts how often Python runs through it."""

            def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
                TestTracing.traces += 1
                return x, state

        yield Counting()
        del cr.Layer.registry["counting_of_test_engines"]

    def test_continuous_settings_compile_once(self, counting: Any) -> None:
        def run(rate: float, optimizer: Any, **settings: Any) -> None:
            net = cr.Sequential(cr.Dense(4, "relu"), cr.Dropout(rate), counting, cr.Dense(1, "sigmoid"))
            train(net, (rows, yes), "jax", "float32", {"optimizer": optimizer, **settings})

        run(0.2, cr.SGD(0.1, momentum=0.5))
        once = TestTracing.traces
        assert once > 0
        run(0.5, cr.SGD(0.1, momentum=0.5))  # dropout rate
        run(0.2, cr.SGD(0.3, momentum=0.9))  # learning rate, momentum
        run(0.2, cr.SGD(0.1, momentum=0.5), l1=0.1, l2=0.3)  # λ
        run(0.2, cr.SGD(0.1, momentum=0.5), epochs=7)  # length of the run
        run(0.2, cr.SGD(0.1, momentum=0.5), seed=9)
        run(0.2, cr.SGD(0.1, momentum=0.5), callbacks=lambda e: cr.Decision(settings={"net.layers.1.rate": 0.1}))
        assert TestTracing.traces == once
        run(0.2, cr.SGD(0.1))  # another optimizer state is another program
        assert TestTracing.traces > once


class TestChoice:
    def test_auto_takes_numpy_for_small_jobs_and_jax_for_large_ones(self) -> None:
        assert choose("auto", steps=100).name == "numpy"
        assert choose("auto", steps=100_000, work=lambda: CostEstimate(flops=1e7)).name == "jax"

    def test_an_unknown_engine(self) -> None:
        with pytest.raises(UnknownNameError, match="Unknown engine 'jaxx'; did you mean 'jax'"):
            train(cr.Dense(1), (rows, rows[:, 0]), "jaxx", "float32", {})
        with pytest.raises(UnknownNameError, match="Unknown precision 'double'"):
            train(cr.Dense(1), (rows, rows[:, 0]), "numpy", "double", {})
