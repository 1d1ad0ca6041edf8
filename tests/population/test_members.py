"""Members of a population are what they would be alone, whatever makes them different."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import DataError, SettingError
from chainrule.population.member import ZEROS_STAY

IRIS = cr.data.load("iris")
X, Y = IRIS.x, IRIS.labels(IRIS.y)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(40, 6, 6, 1)).astype(np.float32)
KINDS = RNG.integers(0, 3, 40)


def test_callbacks_are_called_for_the_epoch_at_which_early_stopping_stops() -> None:
    seen: list[tuple[int, int]] = []

    def watch(event: cr.Event) -> cr.Decision | None:
        seen.append((event.member["seed"], event.epoch))  # type: ignore[index]
        return cr.Decision(stop="the callback's reason") if event.epoch == 3 else None

    stopping = cr.EarlyStopping(monitor="loss", patience=2, min_delta=1e9)
    settings: dict[str, Any] = {"epochs": 9, "engine": "numpy", "progress": False, "early_stopping": stopping}
    population = cr.fit_population(cr.Dense(3, "softmax"), (X, Y), 2, callbacks=watch, **settings)
    assert sorted(seen) == [(seed, epoch) for seed in (0, 1) for epoch in (1, 2, 3)]
    assert all("has not improved for 2 epochs" in str(run.stopped) for run in population)


def alike(one: Any, other: Any, tolerance: float = 1e-5) -> None:
    """Two trees of arrays agree to a share of each array's largest value."""
    for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0.0) <= tolerance * max(1e-3, float(np.abs(a).max(initial=0.0)))


def same_run(member: cr.Run, solo: cr.Run, tolerance: float = 1e-5) -> None:
    """Two runs have the same weights, the same record and the same end."""
    alike(solo.model.params, member.model.params, tolerance)
    alike(solo.model.state, member.model.state, tolerance)
    assert member.history.columns == solo.history.columns
    assert len(member.history) == len(solo.history)
    for name in solo.history.columns:
        if name != "seconds":
            assert member.history[name] == pytest.approx(solo.history[name], rel=tolerance, abs=1e-6), name
    assert (member.best_epoch, member.stopped) == (solo.best_epoch, solo.stopped)


def small(*sizes: int, **rest: Any) -> cr.Sequential:
    return cr.mlp([4, *(sizes or (6,)), 3], **rest)


def regression(units: int) -> cr.Sequential:
    return cr.Sequential(cr.Dense(units, "relu"), cr.Dense(1))


SHARED = {"epochs": 3, "batch_size": 32, "validation": 0.2, "engine": "jax", "progress": False}

# What differs, and the same as arguments of `fit` for each member: (common, members, arguments of each).
DIFFERENCES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = {
    "seed": ({}, [{"seed": s} for s in (3, 4, 5)], [{"seed": s} for s in (3, 4, 5)]),
    "learning rate": (
        {"optimizer": "adam"},
        [{"optimizer.lr": lr} for lr in (0.01, 0.1)],
        [{"optimizer": cr.Adam(lr)} for lr in (0.01, 0.1)],
    ),
    "momentum and nesterov's": (
        {"optimizer": cr.SGD(0.1, momentum=0.5)},
        [{"optimizer.momentum": m} for m in (0.0, 0.9)],
        [{"optimizer": cr.SGD(0.1, momentum=m)} for m in (0.0, 0.9)],
    ),
    "schedule": (
        {"optimizer": cr.SGD(cr.schedules.Cosine(0.1))},
        [{"optimizer.lr.lr": lr} for lr in (0.05, 0.2)],
        [{"optimizer": cr.SGD(cr.schedules.Cosine(lr))} for lr in (0.05, 0.2)],
    ),
    "penalties": (
        {},
        [{"l2": 1.0}, {"l1": 0.5}, {}],
        [{"l2": 1.0}, {"l1": 0.5}, {}],
    ),
    "weight decay and clipping": (
        {"optimizer": cr.AdamW(0.01, weight_decay=0.1, clip_norm=1.0)},
        [{"optimizer.weight_decay": 0.3}, {"optimizer.clip_norm": 0.1}],
        [
            {"optimizer": cr.AdamW(0.01, weight_decay=0.3, clip_norm=1.0)},
            {"optimizer": cr.AdamW(0.01, weight_decay=0.1, clip_norm=0.1)},
        ],
    ),
    "initial weights": (
        {"net": cr.Sequential(cr.Dense(6, "tanh", init=cr.initializers.Normal(1.0)), cr.Dense(3, "softmax"))},
        [{"net.layers.0.init.std": d} for d in (0.01, 0.5)],
        [
            {"net": cr.Sequential(cr.Dense(6, "tanh", init=cr.initializers.Normal(d)), cr.Dense(3, "softmax"))}
            for d in (0.01, 0.5)
        ],
    ),
    "early stopping": (
        {"epochs": 8, "optimizer": cr.SGD(2.0)},
        [{"seed": s, "early_stopping": cr.EarlyStopping(p)} for s, p in ((0, 1), (1, 2), (2, 5))],
        [{"seed": s, "early_stopping": cr.EarlyStopping(p)} for s, p in ((0, 1), (1, 2), (2, 5))],
    ),
    "epochs": ({}, [{"epochs": 1}, {"epochs": 4}], [{"epochs": 1}, {"epochs": 4}]),
    "structure": (
        {},
        [{"net.layers.0.units": 5}, {"net.layers.0.activation": "tanh"}, {"batch_size": 20}, {"optimizer": "rmsprop"}],
        [
            {"net": small(5)},
            {"net": small(hidden="tanh")},
            {"batch_size": 20},
            {"optimizer": "rmsprop"},
        ],
    ),
    "network": ({}, [{"net": small(7, 5)}, {"seed": 1}], [{"net": small(7, 5)}, {"seed": 1}]),
    "weights of classes": (
        {},
        [{"class_weight": "balanced"}, {"class_weight": {"setosa": 3.0}}],
        [{"class_weight": "balanced"}, {"class_weight": {"setosa": 3.0}}],
    ),
    "weights of samples": (
        {},
        [{"sample_weight": np.linspace(0, 1, 150)}, {}],
        [{"sample_weight": np.linspace(0, 1, 150)}, {}],
    ),
    "scaling": ({}, [{"normalize": False}, {}], [{"normalize": False}, {}]),
    "dropout": (  # not so much that all units of a sample are dropped: its classes would be as likely, up to rounding
        {"net": cr.Sequential(cr.Dense(16, "relu"), cr.Dropout(0.5), cr.Dense(3, "softmax"))},
        [{"net.layers.1.rate": 0.1}, {"net.layers.1.rate": 0.3}, {"seed": 1}],
        [
            {"net": cr.Sequential(cr.Dense(16, "relu"), cr.Dropout(0.1), cr.Dense(3, "softmax"))},
            {"net": cr.Sequential(cr.Dense(16, "relu"), cr.Dropout(0.3), cr.Dense(3, "softmax"))},
            {"seed": 1},
        ],
    ),
    "reduced on plateau": (
        {"optimizer": cr.SGD(cr.schedules.ReduceOnPlateau(0.5, patience=1)), "epochs": 6},
        [{"seed": 0}, {"optimizer.lr.lr": 2.0}],
        [{"seed": 0}, {"optimizer": cr.SGD(cr.schedules.ReduceOnPlateau(2.0, patience=1))}],
    ),
    "micro-batches": ({"micro_batches": 2}, [{"seed": 0}, {"seed": 1}], [{"seed": 0}, {"seed": 1}]),
}


#: The other runs alone are trained on NumPy, which compiles nothing: that engines agree is shown in
#: tests/training/test_engines.py. With parts of a batch, rounding decides about the class of a sample here.
ALONE_ON_JAX = ("seed", "dropout", "micro-batches")


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_member_is_the_run_that_it_would_be_alone(name: str) -> None:
    common, members, each = DIFFERENCES[name]
    settings = SHARED | {"net": small()} | common
    # In one program: otherwise two members are trained side by side, each alone.
    population = cr.fit_population(settings.pop("net"), (X, Y), members, strategy="vectorized", **settings)
    for run, changes in zip(population, each, strict=True):
        arguments = SHARED | {"net": small()} | common | changes
        arguments["engine"] = "jax" if name in ALONE_ON_JAX else "numpy"
        same_run(run, cr.fit(arguments.pop("net"), (X, Y), **arguments))


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_members_with_samples_of_their_own(engine: str) -> None:
    rng = np.random.default_rng(1)
    folds = np.array_split(rng.permutation(150), 3)
    rows = [np.concatenate(folds[:i] + folds[i + 1 :]) for i in range(3)]
    members = [{"rows": r, "held_out": h} for r, h in zip(rows, folds, strict=True)]
    members.append({"rows": rng.integers(0, 150, 100), "held_out": folds[0]})  # drawn with repetitions
    members.append({"rows": np.arange(0, 150, 5), "held_out": folds[0]})  # fewer samples, so fewer steps
    members.append({"rows": rows[0], "held_out": folds[0], "seed": 7})
    common = SHARED | {"engine": engine, "validation": None}
    population = cr.fit_population(small(), (X, Y), members, **common)
    for run, member in zip(population, members, strict=True):
        r, h = member["rows"], member["held_out"]
        settings = common | {"validation": (X[h], Y[h]), "seed": member.get("seed", 0)}
        solo = cr.fit(small(), (X[r], Y[r]), **settings)
        same_run(run, solo)
        assert np.array_equal(run.model.standardizer.mean, solo.model.standardizer.mean)


def test_images_with_convolution_normalization_and_augmentation() -> None:
    net = cr.Sequential(
        cr.Conv2D(4, 3, "relu"), cr.BatchNorm(), cr.MaxPool2D(2), cr.Flatten(), cr.Dropout(0.2), cr.Dense(3, "softmax")
    )
    common = SHARED | {"augment": "shift:1,rotation:10", "batch_size": 16, "epochs": 2}
    members = [{"seed": 0}, {"seed": 1}, {"seed": 0, "net.layers.4.rate": 0.5}]
    population = cr.fit_population(net, (IMAGES, KINDS), members, **common)
    for i, run in enumerate(population):
        layers = (*net.layers[:4], cr.Dropout(0.5), net.layers[5]) if i == 2 else net.layers
        alone = common | {"engine": "numpy"}  # as above
        solo = cr.fit(cr.Sequential(*layers), (IMAGES, KINDS), seed=members[i]["seed"], **alone)
        same_run(run, solo, 1e-4)  # two epochs of convolutions round otherwise in another order of sums


def test_numbers_to_predict_in_double_precision() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(90, 3))
    y = 100 + 50 * x @ rng.normal(size=3)
    common = SHARED | {"normalize_target": True, "precision": "float64", "loss": cr.losses.Huber(1.0)}
    members = [{"loss.delta": 0.5}, {"seed": 3}, {"seed": 4}]
    population = cr.fit_population(regression(5), (x, y), members, **common)
    for run, settings in zip(population, ({"loss": cr.losses.Huber(0.5)}, {"seed": 3}, {"seed": 4}), strict=True):
        same_run(run, cr.fit(regression(5), (x, y), **(common | settings | {"engine": "numpy"})), 1e-11)
    assert population.statistics().mean < 100


@pytest.mark.parametrize("strategy", ["auto", "vectorized", 3, "single"])
def test_how_members_are_put_together_changes_nothing(strategy: str | int) -> None:
    members = [{"seed": s % 3, "optimizer.lr": 0.01 * (s + 1)} for s in range(7)]
    population = cr.fit_population(small(), (X, Y), members, strategy=strategy, **SHARED)
    for run, member in zip(population, members, strict=True):
        solo = cr.fit(small(), (X, Y), optimizer=cr.Adam(member["optimizer.lr"]), seed=member["seed"], **SHARED)
        same_run(run, solo)


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_member_that_diverges_ends_and_harms_no_one(engine: str) -> None:
    common = SHARED | {"engine": engine, "optimizer": cr.SGD(0.1), "normalize": False, "loss": "quadratic"}
    net = regression(6)
    data = (X, X[:, :1] * 10)
    rates = [1e-3, 1e6, 2e-3, 1e9, 1e-4]
    population = cr.fit_population(net, data, [{"optimizer.lr": lr} for lr in rates], **common)
    for run, lr in zip(population, rates, strict=True):
        settings = common | {"optimizer": cr.SGD(lr)}
        if lr < 1:
            same_run(run, cr.fit(net, data, **settings))
            continue
        with pytest.raises(cr.errors.DivergedError) as error:
            cr.fit(net, data, **settings)
        assert run.stopped == f"diverged at step {error.value.step} (epoch 1)"
        assert all(np.isfinite(w).all() for w in tree.leaves(run.model.params))
    assert np.isnan(population.scores()).tolist() == [lr > 1 for lr in rates]
    assert population.best is population[int(np.nanargmin(population.scores()))]
    assert "2 failed" in population.summary()


def test_all_diverging_is_told() -> None:
    population = cr.fit_population(
        regression(6), (X, X[:, :1]), [{"optimizer.lr": 1e8}, {"optimizer.lr": 1e9}],
        optimizer="sgd", epochs=1, progress=False,
    )  # fmt: skip
    with pytest.raises(SettingError, match="All 2 members diverged"):
        population.best  # noqa: B018
    with pytest.raises(SettingError, match="All 2 members diverged"):
        population.ensemble()


def test_stopped_members_cost_nothing_more() -> None:
    """Of sixteen members all but one stop after the second epoch; the last one trains in a smaller program."""
    seen: list[tuple[int, int]] = []

    def stop(event: cr.Event) -> cr.Decision | None:
        seen.append((event.member["seed"], event.epoch))
        return cr.Decision(stop="enough") if event.epoch == 2 and event.member["seed"] else None

    common = SHARED | {"epochs": 6}
    population = cr.fit_population(small(), (X, Y), 16, callbacks=stop, **common)
    assert [len(run.history) for run in population] == [6] + [2] * 15
    assert sorted(seen) == sorted([(0, e) for e in range(1, 7)] + [(s, e) for s in range(1, 16) for e in (1, 2)])
    assert {run.stopped for run in population[1:]} == {"enough"}
    same_run(population[0], cr.fit(small(), (X, Y), seed=0, **common))


def test_callbacks_change_settings_of_their_member_alone() -> None:
    def halve(event: cr.Event) -> cr.Decision | None:
        return cr.Decision(settings={"optimizer.lr": 0.001}) if event.epoch == 1 and event.member["seed"] == 1 else None

    common = SHARED | {"optimizer": cr.SGD(0.1)}
    population = cr.fit_population(small(), (X, Y), 3, callbacks=halve, **common)
    assert [run.history["lr"] for run in population] == [[0.1] * 3, [0.1, 0.001, 0.001], [0.1] * 3]
    alone = cr.fit(
        small(), (X, Y), seed=1, **common,
        callbacks=lambda e: cr.Decision(settings={"optimizer.lr": 0.001}) if e.epoch == 1 else None,
    )  # fmt: skip
    same_run(population[1], alone)


def test_members_go_on_from_where_they_are() -> None:
    trainer = cr.PopulationTrainer(small(), (X, Y), epochs=6, batch_size=32, validation=0.2, engine="jax")
    members = trainer.add_members([{"optimizer.lr": 0.002 * (i + 1)} for i in range(6)])
    trainer.train(members, until=2)
    assert [m.epoch for m in members] == [2] * 6
    trainer.train(members[::2], until=4)
    trainer.train(members[:1])
    assert [m.epoch for m in members] == [6, 2, 4, 2, 4, 2]
    assert [m.done for m in members] == [True] + [False] * 5
    same_run(members[0].run(), cr.fit(small(), (X, Y), optimizer=cr.Adam(0.002), **(SHARED | {"epochs": 6})))
    half = members[2].run().model.params
    assert not np.array_equal(half["dense_1"]["weight"], members[4].run().model.params["dense_1"]["weight"])


def test_one_program_for_all_values() -> None:
    """Members that differ in values do not compile anything of their own, and neither does a second population."""
    from chainrule.engine import choose
    from chainrule.engine.choice import workers

    net = small(9)
    members = [{"seed": s, "optimizer.lr": 0.01 + s / 100, "l2": float(s)} for s in range(8)]
    cr.fit_population(net, (X, Y), members, strategy=4, **SHARED)
    engines = {id(e): e for e, _ in workers(choose("jax"))} | {0: choose("jax")}
    before = [e.traces.copy() for e in engines.values()]
    again = [{"seed": s + 50, "optimizer.lr": 0.5, "l2": 0.0} for s in range(8)]
    cr.fit_population(net, (X, Y), again, strategy=4, **(SHARED | {"epochs": 5}))
    assert [e.traces for e in engines.values()] == before


WIDE = np.concatenate([X, RNG.normal(size=(150, 5)).astype(np.float32)], axis=1)


@pytest.mark.parametrize("kind", ZEROS_STAY)
def test_weights_of_zero_stay_where_they_never_have_a_gradient(kind: Any) -> None:
    optimizer = kind(0.1, weight_decay=0.1, clip_norm=0.5, **({"momentum": 0.9} if kind is cr.SGD else {}))
    weights = {"weight": np.array([0.0, 1.0], np.float32)}
    zero = tree.map(np.zeros_like, optimizer.init(weights))  # what fills up moments
    opt_state = tree.map(lambda filled, settings: np.array([filled[0], settings[1]]), zero, optimizer.init(weights))
    for step in range(1, 6):
        grads = {"weight": np.array([0.0, 0.3], np.float32)}
        weights, opt_state = optimizer.update(grads, opt_state, weights, lr=np.float32(0.1), step=step)
    assert float(weights["weight"][0]) == 0.0
    assert float(weights["weight"][1]) != 1.0


def test_more_or_fewer_inputs_are_one_program() -> None:
    """As folds of a table have them, where a rare category does not occur in all: zeros fill up what some lack."""
    from chainrule.population.trainer import PopulationTrainer

    optimizer = cr.AdamW(0.01, weight_decay=0.1, clip_norm=0.5)
    settings: dict[str, Any] = {"l1": 0.1, "l2": 0.5, "optimizer": optimizer, "early_stopping": True, **SHARED}
    settings["precision"] = "float64"
    asked = {name: value for name, value in settings.items() if name != "progress"}
    widths = (4, 9, 7, 6)
    trainers = [
        PopulationTrainer(cr.mlp([width, 7, 3]), (WIDE[:, :width], Y), seed=seed, **asked)
        for seed, width in enumerate(widths)
    ]
    members = [member for trainer in trainers for member in trainer.add_members([{}])]
    assert len({member.program for member in members}) == 1
    trainers[0].train(members)
    for seed, (width, member) in enumerate(zip(widths, members, strict=True)):
        run = member.run()
        assert run.model.input_shape == (width,)
        alone = settings | {"engine": "numpy"}  # which has no program to compile for each width
        same_run(run, cr.fit(cr.mlp([width, 7, 3]), (WIDE[:, :width], Y), seed=seed, **alone), tolerance=1e-9)


def test_inputs_that_are_dropped_at_random_are_not_filled_up() -> None:
    """Which ones are dropped would change; and of an optimizer of one's own it is not known what zeros do."""
    from chainrule.population.trainer import PopulationTrainer

    def programs(net: cr.Layer, **settings: Any) -> int:
        members = [PopulationTrainer(net, (WIDE[:, :width], Y), **settings).add_members([{}])[0] for width in (5, 8)]
        return len({member.program for member in members})

    class Own(cr.Adam):
        pass

    assert programs(cr.Dense(3, "softmax")) == 1
    assert programs(cr.Sequential(cr.Dropout(0.2), cr.Dense(3, "softmax"))) == 2
    assert programs(cr.Sequential(cr.LayerNorm(), cr.Dense(3, "softmax"))) == 2
    assert programs(cr.Dense(3, "softmax"), optimizer=Own()) == 2
    assert programs(cr.Dense(3, "softmax"), augment="noise") == 2


@pytest.mark.parametrize("n", [1024, pytest.param(4096, marks=pytest.mark.slow)])
def test_thousands_of_members_stay_within_bounds(n: int) -> None:
    """Batches train one after the other: members need their own weights, and little besides."""
    net = cr.Dense(3, "softmax")
    population = cr.fit_population(
        net, (X, Y), [{"seed": 0, "optimizer.lr": 1e-4 * (i + 1)} for i in range(n)],
        epochs=1, batch_size=150, engine="jax", progress=False,
    )  # fmt: skip
    assert len(population) == n
    assert np.isfinite(population.scores()).all()
    from chainrule.engine import choose
    from chainrule.population.plan import MOST, capacity

    trainer = cr.PopulationTrainer(net, (X, Y))
    assert capacity(trainer.add_members([{}]) * n, choose("jax"), 2, "auto") <= MOST


def test_results_together() -> None:
    population = cr.fit_population(small(), (X, Y), 4, **SHARED)
    scores = population.scores("val_accuracy")
    assert scores.tolist() == [run.history["val_accuracy"][-1] for run in population]
    assert population.statistics().mean == pytest.approx(scores.mean())
    assert population.best_by("val_loss") is population[int(population.scores("val_loss").argmin())]
    assert [m["seed"] for m in population.members] == [0, 1, 2, 3]
    table = population.to_pandas()
    assert len(table) == 12
    assert table[table.member == 2].val_loss.tolist() == population[2].history["val_loss"]
    mean = np.mean([run.model.predict_proba(X) for run in population[:2]], axis=0)
    assert mean.shape == (150, 3)
    with pytest.raises(cr.ChainruleError, match="val_acuracy"):
        population.scores("val_acuracy")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"optimiser.lr": 0.1}], r"no setting 'optimiser.lr'"),
        ([{"optimizer.rate": 0.1}], "no setting 'rate'"),
        ([{"lr": 0.1}], "no setting 'lr'"),
        ([{"net.layers.7.units": 3}], "7"),
        ([{"net.layers.0.unit": 3}], "did you mean 'units'"),
        ([{"net.layers.0.init.std": 3}], "'auto' and has no setting"),
        ([{"augment.strength": 3}], "augment is None here"),
        ([{"l2": -1.0}], "l2 must be at least 0"),
        ([{"optimizer.lr": -1.0}], "must be"),
        ([{"epochs": 0}], "epochs must be"),
        ([{"seed": -1}], "A seed is"),
        ([0.1, 0.2], "A member is a mapping"),
        ([], "members is a number of seeds"),
        (0, "at least 1"),
        ({"seed": 0}, "members is a number of seeds"),
        ([{"held_out": [1, 2]}], 'needs "rows"'),
        ([{"rows": [1, 200]}], "positions from 0 to 149"),
        ([{"rows": []}], "positions of samples"),
        ([{"net": "mlp"}], "fit trains a layer"),
    ],
)
def test_what_there_is_not(members: Any, message: str) -> None:
    with pytest.raises(cr.ChainruleError, match=message):
        cr.fit_population(small(), (X, Y), members, engine="numpy", progress=False)


def test_settings_that_a_population_has_not() -> None:
    with pytest.raises(SettingError, match=r"no setting 'batchsize'.*batch_size"):
        cr.fit_population(small(), (X, Y), 2, batchsize=3)
    with pytest.raises(cr.ChainruleError, match="Unknown strategy 'all'"):
        cr.fit_population(small(), (X, Y), 2, strategy="all")
    with pytest.raises(SettingError, match="a number of members"):
        cr.fit_population(small(), (X, Y), 2, strategy=0)


def test_files_are_not_for_populations(tmp_path: Any) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="in memory"):
        cr.fit_population(small(), (np.load(tmp_path / "x.npy", mmap_mode="r"), IRIS.y), 2, progress=False)


def test_progress_tells_the_best_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    cr.fit_population(small(), (X, Y), 3, **(SHARED | {"progress": True, "engine": "numpy"}))
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("100%  3 of 3 members done, best val_accuracy ")


@pytest.mark.parametrize("error", [ValueError("told"), KeyboardInterrupt()])
def test_what_a_callback_raises_comes_out(error: BaseException) -> None:
    def fail(event: cr.Event) -> None:
        if event.epoch == 2:
            raise error

    with pytest.raises(type(error)):
        cr.fit_population(small(), (X, Y), 5, callbacks=fail, **SHARED)


def test_members_stay_whole_where_someone_ends_the_training() -> None:
    trainer = cr.PopulationTrainer(small(), (X, Y), epochs=5, batch_size=32, validation=0.2, engine="jax")
    members = trainer.add_members([{"optimizer.lr": 0.002 * (i + 1)} for i in range(6)])

    def enough(moved: Any) -> None:
        if all(member.epoch == 3 for member in moved):
            raise TimeoutError

    with pytest.raises(TimeoutError):
        trainer.train(members, watch=enough)
    trainer.train(members)
    same_run(members[5].run(), cr.fit(small(), (X, Y), optimizer=cr.Adam(0.012), **(SHARED | {"epochs": 5})))


def test_data_that_no_member_needs_any_more_is_forgotten() -> None:
    """Blocks of members with rows of their own are put together anew as members end; what they shared goes, too."""
    rows = [np.arange(i, 150, 3) for i in range(3)] * 2
    ends = [{"rows": part, "epochs": 1 + i, "seed": i} for i, part in enumerate(rows)]
    trainer = cr.PopulationTrainer(small(), (X, Y), batch_size=25, engine="jax", strategy=3)
    members = trainer.add_members(ends)
    most = 0

    def watch(moved: Any) -> None:
        nonlocal most
        most = max([most, *(len(cache._inputs) for cache in trainer._caches.values())])

    trainer.train(members, watch=watch)
    assert [member.epoch for member in members] == [1, 2, 3, 4, 5, 6]
    assert most <= 4  # two workers with a batch each, and one that is being put together
