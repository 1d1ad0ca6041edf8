"""`fit`: what is learned from what, the history, schedules, callbacks, weights of samples, and every kind of target."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import random, tree
from chainrule.data import stratified_split
from chainrule.errors import ChainruleWarning, SettingError
from chainrule.recipe.prepare import SPLIT

rng = np.random.default_rng(0)
x = rng.normal(size=(60, 3)) * [1.0, 5.0, 0.2] + [0.0, 10.0, 0.0]
y = (x[:, 0] + 0.3 * rng.normal(size=60) > 0).astype(int)
NET = cr.mlp([3, 4, 2], hidden="tanh")


def fit(net: Any = NET, data: Any = (x, y), **settings: Any) -> Any:
    fixed = {"epochs": 3, "batch_size": 16, "engine": "numpy", "progress": False, "precision": "float64"}
    return cr.fit(net, data, **(fixed | settings))


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(tree.leaves(first), tree.leaves(second), strict=True))


class TestValidation:
    def test_a_fraction_is_drawn_from_the_training_data_in_proportion_to_the_classes(self) -> None:
        rows, others = stratified_split(y, 0.25, random.fold_in(random.key(3), SPLIT))
        assert abs(np.mean(y[others]) - np.mean(y)) < 0.05
        run = fit(validation=0.25, seed=3)
        # The same split by hand gives the same run, so nothing else was used.
        model = cr.Model(NET, (3,), seed=3, precision="float64")
        assert len(rows) == 45
        by_hand = fit(model, (x[rows], y[rows]), validation=(x[others], y[others]), seed=3)
        assert same(run.model.params, by_hand.model.params)
        assert run.history["val_loss"] == by_hand.history["val_loss"]

    def test_nothing_is_learned_from_the_validation_part(self) -> None:
        _, others = stratified_split(y, 0.25, random.fold_in(random.key(0), SPLIT))
        noisy = x.copy()
        noisy[others] = rng.normal(size=(len(others), 3)) * 1e3
        run, other = fit(validation=0.25), fit(data=(noisy, y), validation=0.25)
        assert same(run.model.params, other.model.params)
        assert np.array_equal(run.model.standardizer.mean, other.model.standardizer.mean)
        assert run.history["loss"] == other.history["loss"]
        assert run.history["val_loss"] != other.history["val_loss"]

    def test_balanced_class_weights_come_from_the_training_part(self) -> None:
        rows, _ = stratified_split(y, 0.25, random.fold_in(random.key(0), SPLIT))
        counts = np.bincount(y[rows])
        stated = {label: 45 / (2 * counts[label]) for label in (0, 1)}
        assert same(
            fit(validation=0.25, class_weight="balanced").model.params,
            fit(validation=0.25, class_weight=stated).model.params,
        )

    def test_the_data_is_normalized_by_the_mean_and_deviation_of_the_training_part(self) -> None:
        rows, _ = stratified_split(y, 0.25, random.fold_in(random.key(0), SPLIT))
        scale = fit(validation=0.25).model.standardizer
        np.testing.assert_allclose(scale.mean, x[rows].mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(scale.std, x[rows].std(axis=0), rtol=1e-10)
        assert fit(normalize=False).model.standardizer is None

    def test_evaluate_gives_the_recorded_numbers(self) -> None:
        xv, yv = x[:20] + 0.1, y[:20]
        run = fit(validation=(xv, yv))
        scores = run.evaluate(xv, yv)
        assert scores["loss"] == pytest.approx(run.history["val_loss"][-1], rel=1e-12)
        assert scores["accuracy"] == run.history["val_accuracy"][-1] == np.mean(run.model.predict(xv) == yv)


class TestHistory:
    def test_columns_and_table(self) -> None:
        history = fit(validation=0.2).history
        assert history.columns == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
        assert history["epoch"] == [1, 2, 3]
        assert len(history) == 3
        assert [r["epoch"] for r in history] == [1, 2, 3]
        table = history.to_pandas()
        assert list(table.columns) == history.columns
        assert table["loss"].tolist() == history["loss"]
        assert fit(net=cr.Dense(1), data=(x, x[:, 0])).history.columns == ["epoch", "loss", "mae", "lr", "seconds"]

    def test_best(self) -> None:
        history = cr.History(
            [
                {"epoch": 1, "val_loss": 0.9, "accuracy": 0.5},
                {"epoch": 2, "val_loss": 0.3, "accuracy": 0.9},
                {"epoch": 3, "val_loss": float("nan"), "accuracy": 0.9},
            ]
        )
        assert history.best_epoch() == 2
        assert history.best_epoch("accuracy") == 2
        with pytest.raises(cr.ChainruleError, match="did you mean 'val_loss'"):
            history["val_los"]
        with pytest.raises(cr.ChainruleError, match="history column 'val_mae'"):
            history.best_epoch("val_mae")

    def test_training_metrics_are_means_over_the_epoch(self) -> None:
        """With a learning rate of 0 they are those of the model itself, the short last batch included."""
        run = fit(optimizer=cr.SGD(0.0))
        scores = run.evaluate(x, y)
        assert run.history["loss"] == pytest.approx([scores["loss"]] * 3, rel=1e-12)
        assert run.history["accuracy"] == pytest.approx([scores["accuracy"]] * 3)

    def test_the_learning_rate_of_the_last_step_is_recorded(self) -> None:
        schedule = cr.schedules.Cosine(0.4)
        run = fit(optimizer=cr.SGD(schedule), epochs=4)
        expected = [float(schedule(epoch + 0.75, 4)) for epoch in range(4)]  # 4 steps an epoch
        assert run.history["lr"] == pytest.approx(expected, rel=1e-12)


class TestSchedules:
    def test_reduce_on_plateau_shows_in_the_history(self) -> None:
        plateau = cr.schedules.ReduceOnPlateau(0.5, factor=0.1, patience=2, threshold=0.999)  # nothing is good enough
        run = fit(optimizer=cr.SGD(plateau), epochs=7, validation=0.2)
        assert run.history["lr"] == pytest.approx([0.5, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005], rel=1e-9)

    def test_a_schedule_of_ones_own(self) -> None:
        @dataclass(frozen=True)
        class Halves(cr.schedules.Schedule, name="halves_of_test_fit"):
            lr: float

            def __call__(self, epoch: Any, epochs: Any) -> Any:
                return self.lr * 0.5 ** np.floor(epoch)

        run = fit(optimizer=cr.SGD(Halves(0.8)))
        assert run.history["lr"] == pytest.approx([0.8, 0.4, 0.2])
        del cr.schedules.Schedule.registry["halves_of_test_fit"]


class TestEarlyStopping:
    def test_stops_when_nothing_improves_and_restores_the_best_weights(self) -> None:
        seen: list[Any] = []
        run = fit(
            validation=0.3,
            epochs=200,
            optimizer=cr.Adam(0.1),
            early_stopping=cr.EarlyStopping(patience=4),
            callbacks=lambda event: seen.append(event.model().params),
        )
        losses = run.history["val_loss"]
        best = int(np.argmin(losses))
        assert len(losses) == best + 1 + 4 < 200
        assert run.best_epoch == best + 1 == run.history.best_epoch()
        assert same(run.model.params, seen[best])
        assert run.stopped == f"val_loss has not improved for 4 epochs (best: epoch {best + 1})"

    def test_callbacks_are_called_for_the_epoch_at_which_it_stops(self) -> None:
        seen: list[int] = []

        def watch(event: cr.Event) -> cr.Decision:
            seen.append(event.epoch)
            return cr.Decision(stop="the callback's reason" if event.epoch == 4 else None)

        stopping = cr.EarlyStopping(monitor="loss", patience=3, min_delta=1e9)
        run = fit(epochs=20, early_stopping=stopping, callbacks=watch)
        assert seen == [1, 2, 3, 4] == run.history["epoch"]
        assert "has not improved for 3 epochs" in run.stopped

    def test_its_settings_may_be_numbers_of_numpy(self) -> None:
        stopping = cr.EarlyStopping(patience=np.int64(4), min_delta=np.float32(0.5), monitor=np.str_("loss"))
        assert (stopping.patience, stopping.min_delta) == (4, 0.5)
        assert [type(v) for v in vars(stopping).values()] == [int, str, float, bool]

    def test_can_keep_the_last_weights(self) -> None:
        stopping = cr.EarlyStopping(patience=4, restore_best=False)
        run = fit(validation=0.3, epochs=200, optimizer=cr.Adam(0.1), early_stopping=stopping)
        assert run.best_epoch == len(run.history)
        assert run.evaluate(x, y)["loss"] > 0

    def test_also_restores_when_the_epochs_run_out_first(self) -> None:
        run = fit(validation=0.3, epochs=8, optimizer=cr.Adam(0.3), early_stopping=cr.EarlyStopping(patience=50))
        assert run.stopped is None
        assert run.best_epoch == run.history.best_epoch()

    @pytest.mark.parametrize(
        ("values", "settings", "expected"),
        [
            ([3, 2, 1], {"patience": 1}, None),
            ([1, 2], {"patience": 1}, 1),
            ([1, 2], {"patience": 2}, None),
            ([1, 0.99, 0.98], {"patience": 2, "min_delta": 0.1}, 1),
            ([1, 0.95, 0.89], {"patience": 2, "min_delta": 0.1}, None),
            ([0.5, 0.9, 0.8, 0.9], {"patience": 2, "monitor": "accuracy"}, 2),
            ([float("nan"), float("nan")], {"patience": 1}, 1),
        ],
    )
    def test_when_it_decides_to_stop(self, values: Any, settings: Any, expected: int | None) -> None:
        reason = cr.EarlyStopping(**settings).decide(values)
        assert (reason is None) == (expected is None)
        if expected is not None:
            assert f"best: epoch {expected}" in reason

    def test_settings_that_cannot_be(self) -> None:
        with pytest.raises(SettingError, match="no validation data"):
            fit(early_stopping=True)
        with pytest.raises(SettingError, match="not measured for classification: watch 'val_loss' or 'val_accuracy'"):
            fit(early_stopping=cr.EarlyStopping(monitor="val_mae"), validation=0.2)
        with pytest.raises(SettingError, match=r"True or cr\.EarlyStopping"):
            fit(early_stopping=5, validation=0.2)
        with pytest.raises(SettingError, match="patience must be a whole number"):
            cr.EarlyStopping(patience=0)
        with pytest.raises(cr.ChainruleError, match="did you mean 'val_loss'"):
            cr.EarlyStopping(monitor="val_los")
        assert fit(early_stopping=cr.EarlyStopping(monitor="loss")).best_epoch >= 1


class TestCallbacks:
    def test_they_see_every_epoch(self) -> None:
        seen: list[cr.Event] = []
        run = fit(validation=0.2, callbacks=[seen.append])
        assert [e.epoch for e in seen] == [1, 2, 3]
        assert {e.epochs for e in seen} == {3}
        assert [e.metrics["loss"] for e in seen] == run.history["loss"]
        assert same(seen[-1].model().params, run.model.params)
        assert not same(seen[0].model().params, run.model.params)
        assert int(seen[1].state.step) == 2 * 3

    def test_they_may_stop_the_run(self) -> None:
        run = fit(callbacks=lambda e: cr.Decision(stop="enough") if e.epoch == 2 else None)
        assert len(run.history) == 2
        assert run.stopped == "enough"

    def test_they_may_change_settings_by_their_path(self) -> None:
        def change(event: cr.Event) -> Any:
            return cr.Decision(settings={"optimizer.lr": 0.1 / 10**event.epoch, "l2": 3.0})

        run = fit(optimizer=cr.SGD(0.1), callbacks=change)
        assert run.history["lr"] == pytest.approx([0.1, 0.01, 0.001])

    def test_the_values_they_set_may_be_of_numpy(self) -> None:
        run = fit(optimizer=cr.SGD(0.5), callbacks=lambda e: cr.Decision(settings={"optimizer.lr": np.float32(0.25)}))
        assert run.history["lr"] == [0.5, 0.25, 0.25]

    def test_a_changed_dropout_rate_acts(self) -> None:
        net = cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.9), cr.Dense(2, "softmax"))
        off = cr.Decision(settings={"net.layers.1.rate": 0.0})
        run = fit(net, optimizer=cr.SGD(0.0), callbacks=lambda e: off)
        plain = fit(cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.0), cr.Dense(2, "softmax")), optimizer=cr.SGD(0.0))
        assert run.history["loss"][0] != plain.history["loss"][0]
        assert run.history["loss"][1:] == pytest.approx(plain.history["loss"][1:], rel=1e-12)

    def test_what_they_must_not_do(self) -> None:
        with pytest.raises(SettingError, match=r"returns None or cr\.Decision.*got 'stop'"):
            fit(callbacks=lambda e: "stop")
        with pytest.raises(
            SettingError, match=r"no continuous setting 'optimizer\.rate'; did you mean 'optimizer\.lr'"
        ):
            fit(callbacks=lambda e: cr.Decision(settings={"optimizer.rate": 1.0}))
        with pytest.raises(SettingError, match="lr must be at least 0, got -1"):
            fit(callbacks=lambda e: cr.Decision(settings={"optimizer.lr": -1.0}))
        with pytest.raises(SettingError, match=r"a function of one event, got 3"):
            fit(callbacks=[3])


class TestBatchesOfOneSample:
    """Batch normalization makes β of a sample that is alone in its batch, so that nothing is learnt."""

    NET = cr.Sequential(cr.Dense(4, "relu"), cr.BatchNorm(), cr.Dense(2, "softmax"))

    @pytest.mark.parametrize("settings", [{"batch_size": 1}, {"batch_size": 8, "micro_batches": 8},
                                          {"batch_size": 7, "micro_batches": 3}])  # fmt: skip
    def test_they_are_refused(self, settings: Any) -> None:
        with pytest.raises(SettingError, match=r"a single sample.*batch_norm_1.*two values.*LayerNorm"):
            fit(self.NET, **settings)
        with pytest.raises(SettingError, match="a single sample"):
            cr.fit_population(self.NET, (x, y), 2, engine="numpy", progress=False, **settings)
        assert len(fit(**settings).history) == 3  # a network that does not look across samples learns from each

    def test_images_have_many_values_of_each_channel(self) -> None:
        images = rng.normal(size=(12, 4, 4, 1))
        net = cr.Sequential(cr.Conv2D(2, 3), cr.BatchNorm(), cr.Flatten(), cr.Dense(2, "softmax"))
        assert len(fit(net, (images, y[:12]), batch_size=1).history) == 3

    @pytest.mark.parametrize(
        ("n", "settings", "larger"),
        [(33, {"batch_size": 16}, 17), (41, {"batch_size": 20, "micro_batches": 2}, 21), (33, {"batch_size": 4}, 5)],
    )
    def test_a_last_one_is_told_and_leaves_the_averages_as_they_are(self, n: int, settings: Any, larger: int) -> None:
        with pytest.warns(ChainruleWarning, match=rf"leave one sample alone.*batch_size={larger} leaves none alone"):
            run = fit(self.NET, (x[:n], y[:n]), **settings)
        fit(self.NET, (x[:n], y[:n]), **settings | {"batch_size": larger})  # no warning
        assert run.model.state["batch_norm_1"]["variance"].min() > 0


class TestWeights:
    def test_a_sample_of_weight_two_counts_as_two_samples(self) -> None:
        weight = np.ones(60)
        weight[:10] = 2.0
        twice = (np.concatenate([x, x[:10]]), np.concatenate([y, y[:10]]))
        whole = {"optimizer": cr.SGD(0.5)}
        weighted = fit(sample_weight=weight, batch_size=60, **whole)
        repeated = fit(data=twice, batch_size=70, **whole)
        np.testing.assert_allclose(weighted.history["loss"], repeated.history["loss"], rtol=1e-12)
        for a, b in zip(tree.leaves(weighted.model.params), tree.leaves(repeated.model.params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)

    def test_a_sample_of_weight_zero_does_not_count(self) -> None:
        weight = np.repeat([1.0, 0.0], 30)
        whole = {"optimizer": cr.SGD(0.5)}
        some = fit(data=(x[:30], y[:30]), batch_size=30, **whole)
        weighted = fit(sample_weight=weight, batch_size=60, **whole)
        np.testing.assert_allclose(weighted.history["loss"], some.history["loss"], rtol=1e-12)

    def test_class_weights_multiply_sample_weights(self) -> None:
        weight = np.linspace(1, 2, 60)
        labels = np.array(["no", "yes"])[y]
        # Inputs are standardized by the samples' weights alone, whatever their classes weigh.
        both = fit(data=(x, labels), sample_weight=weight, class_weight={"yes": 3.0}, normalize=False)
        by_hand = fit(data=(x, labels), sample_weight=weight * np.where(y == 1, 3.0, 1.0), normalize=False)
        assert same(both.model.params, by_hand.model.params)

    def test_a_batch_without_any_weight_is_no_division_by_zero(self) -> None:
        run = fit(class_weight={0: 0.0}, batch_size=1, epochs=1)
        assert np.all(np.isfinite(run.history["loss"]))

    def test_bad_weights(self) -> None:
        for weight in (np.ones(59), np.ones((60, 1)), np.full(60, -1.0), np.full(60, np.nan), np.zeros(60), ["a"] * 60):
            with pytest.raises(cr.ChainruleError, match="sample_weight needs 60 finite numbers"):
                fit(sample_weight=weight)
        with pytest.raises(SettingError, match="class_weight names 7; the classes are"):
            fit(class_weight={7: 1.0})
        with pytest.raises(SettingError, match="class_weight must be at least 0, got -1"):
            fit(class_weight={0: -1.0})
        with pytest.raises(SettingError, match='class_weight is "balanced" or'):
            fit(class_weight="even")
        with pytest.raises(SettingError, match="class_weight is for classification"):
            fit(cr.Dense(1), (x, x[:, 0]), class_weight={0: 1.0})
        with pytest.raises(SettingError, match="every training sample the weight 0"):
            fit(class_weight={0: 0.0, 1: 0.0})


class TestRegularization:
    def test_l2_of_the_lecture_by_hand(self) -> None:
        """One full-batch step: w - η (∂C/∂w + λ₂/n w + λ₁/n sign w), biases without."""
        settings = {"epochs": 1, "batch_size": 60, "optimizer": cr.SGD(0.5)}
        before = cr.Model(NET, (3,), precision="float64").params
        plain = fit(**settings).model.params
        both = fit(l1=0.6, l2=1.2, **settings).model.params
        for name, layer in before.items():
            shift = 0.5 * (1.2 / 60 * layer["weight"] + 0.6 / 60 * np.sign(layer["weight"]))
            np.testing.assert_allclose(both[name]["weight"], plain[name]["weight"] - shift, rtol=1e-12)
            np.testing.assert_allclose(both[name]["bias"], plain[name]["bias"], rtol=1e-12)

    def test_n_is_the_number_of_training_samples_without_the_validation_part(self) -> None:
        settings = {"epochs": 1, "batch_size": 60, "optimizer": cr.SGD(0.5), "validation": 0.25}
        before = cr.Model(NET, (3,), precision="float64").params["dense_1"]["weight"]
        plain, shrunk = (fit(l2=v, **settings).model.params["dense_1"]["weight"] for v in (0.0, 0.9))
        np.testing.assert_allclose(plain - shrunk, 0.5 * 0.9 / 45 * before, rtol=1e-9)

    def test_micro_batches_give_the_same_run(self) -> None:
        whole, parts = fit(), fit(micro_batches=3)
        np.testing.assert_allclose(parts.history["loss"], whole.history["loss"], rtol=1e-12)


class TestTargets:
    def test_regression_in_one_and_two_axes(self) -> None:
        target = x @ [1.0, 0.2, -3.0] + 5
        run = fit(cr.Dense(1), (x, target), optimizer=cr.Adam(0.5), epochs=100)
        column = fit(cr.Dense(1), (x, target[:, None]), optimizer=cr.Adam(0.5), epochs=100)
        assert run.model.predict(x).shape == (60,)
        assert run.history["loss"] == column.history["loss"]
        assert np.abs(run.model.predict(x) - target).mean() == pytest.approx(run.evaluate(x, target)["mae"], rel=1e-9)
        assert run.evaluate(x, target)["mae"] < 0.2
        several = fit(cr.Dense(2), (x, np.column_stack([target, -target])), optimizer=cr.Adam(0.5), epochs=100)
        assert several.model.predict(x).shape == (60, 2)
        assert several.evaluate(x, np.column_stack([target, -target]))["mae"] < 0.2

    @pytest.mark.parametrize("labels", [(0, 1), ("no", "yes"), (False, True)])
    def test_binary(self, labels: tuple[Any, Any]) -> None:
        targets = np.array(labels)[y]
        run = fit(cr.Dense(1, "sigmoid"), (x, targets), epochs=20, optimizer=cr.Adam(0.1))
        assert run.history["accuracy"][-1] > 0.8
        assert run.evaluate(x, targets)["accuracy"] == np.mean(run.model.predict(x) == targets)

    def test_multilabel(self) -> None:
        both = np.column_stack([x[:, 0] > 0, x[:, 1] > 10]).astype(int)
        run = fit(cr.Dense(2, "sigmoid"), (x, both), epochs=60, optimizer=cr.Adam(0.1))
        assert run.model.target.task == "multilabel"
        assert run.model.predict(x).shape == (60, 2)
        scores = run.evaluate(x, both)["accuracy"]
        assert scores == np.mean((run.model.predict(x) == both).all(axis=1)) > 0.85

    def test_one_hot_rows_are_labels(self) -> None:
        first, second = fit(), fit(data=(x, np.eye(2)[y]))
        np.testing.assert_allclose(second.history["loss"], first.history["loss"], rtol=1e-12)
        assert second.model.predict(x).tolist() == first.model.predict(x).tolist()

    def test_every_pair_of_output_and_loss_learns(self) -> None:
        for output, loss in [
            ("softmax", "quadratic"),
            ("softmax", "cross_entropy"),
            ("sigmoid", "quadratic"),
            ("sigmoid", "binary_cross_entropy"),
            (None, "quadratic"),
            (None, "hinge"),
            ("tanh", "hinge"),
            (None, "huber"),
        ]:
            run = fit(cr.mlp([3, 4, 2], hidden="tanh", output=output), loss=loss, epochs=25, optimizer=cr.Adam(0.05))
            assert run.history["accuracy"][-1] > 0.8, (output, loss)
            assert run.history["loss"][-1] < run.history["loss"][0]

    def test_a_loss_given_as_a_function(self) -> None:
        run = fit(loss=lambda a, t: -np.sum(t * np.log(a), axis=1))
        np.testing.assert_allclose(run.history["loss"], fit().history["loss"], rtol=1e-9)

    def test_an_activation_given_as_a_function(self) -> None:
        net = cr.Sequential(cr.Dense(4, np.tanh), cr.Dense(2, "softmax"))
        np.testing.assert_allclose(fit(net).history["loss"], fit().history["loss"], rtol=1e-12)


class TestModels:
    def test_a_model_goes_on_from_its_weights_and_is_not_changed(self) -> None:
        first = fit(epochs=5, optimizer=cr.SGD(0.5))
        before = tree.map(np.copy, first.model.params)
        second = fit(first.model, epochs=1, optimizer=cr.SGD(0.0))
        assert same(first.model.params, before)
        assert same(second.model.params, before)
        assert second.history["loss"][0] == pytest.approx(first.evaluate(x, y)["loss"], rel=1e-12)

    def test_a_model_trained_without_normalization_goes_on_without(self) -> None:
        first = fit(normalize=False)
        second = fit(first.model, optimizer=cr.SGD(0.0), epochs=1)
        assert second.model.standardizer is None
        assert second.history["loss"][0] == pytest.approx(first.evaluate(x, y)["loss"], rel=1e-12)

    def test_a_model_keeps_its_classes(self) -> None:
        first = fit(data=(x, np.array(["no", "yes"])[y]))
        only = y == 1
        again = fit(first.model, (x[only], ["yes"] * int(only.sum())), epochs=1)
        assert again.model.target.classes == ("no", "yes")
        with pytest.raises(cr.ChainruleError, match=r"'maybe'.*Known classes: 'no', 'yes'"):
            fit(first.model, (x, ["maybe"] * 60))

    def test_a_model_keeps_its_task_however_the_new_rows_look(self) -> None:
        both = np.column_stack([x[:, 0] > 0, x[:, 1] > 10]).astype(int)
        model = fit(cr.Dense(2, "sigmoid"), (x, both)).model
        assert fit(model, (x, np.eye(2)[y])).model.target == model.target
        share = fit(cr.Dense(1, "sigmoid"), (x, rng.uniform(size=60)))
        assert "mae" in share.evaluate(x, np.ones(60))
        assert fit(share.model, (x, y.astype(float))).model.target.task == "regression"

    def test_a_model_keeps_its_precision(self) -> None:
        model = cr.Model(NET, (3,), precision="float64")
        assert fit(model, precision="float32").model.precision == "float64"
        with pytest.raises(SettingError, match="in float32; make it with precision='float64'"):
            fit(cr.Model(NET, (3,)))

    def test_evaluate_says_which_shape_it_takes(self) -> None:
        with pytest.raises(cr.errors.ShapeError, match=r"\(samples, 3\), got \(60, 2\)"):
            fit(normalize=False).evaluate(x[:, :2], y)

    def test_the_result_says_what_it_is(self) -> None:
        run = fit()
        assert repr(run).startswith("Run(3 epochs on numpy, last: {'epoch': 3")
        assert run.engine == "numpy"
        assert run.folder is None

    def test_a_dataset_is_taken(self) -> None:
        iris = cr.data.load("iris")
        run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=2, progress=False)
        assert run.model.predict(iris.x).shape == (150,)


class TestHooks:
    def test_augmentation_sees_training_inputs_only_and_a_key_of_its_own(self) -> None:
        seen: list[tuple[tuple[int, ...], bytes]] = []

        def augment(batch: Any, key: Any) -> Any:
            seen.append((batch.shape, np.asarray(key).tobytes()))
            return batch * 1.0

        run = fit(augment=augment, validation=0.2, epochs=2)
        assert [s for s, _ in seen] == [(16, 3), (16, 3), (16, 3)] * 2
        assert len({key for _, key in seen}) == 6
        np.testing.assert_allclose(run.history["loss"], fit(validation=0.2, epochs=2).history["loss"], rtol=1e-12)

    def test_an_optax_transformation(self) -> None:
        import optax

        run = fit(optimizer=optax.sgd(0.1, momentum=0.9), engine="auto", precision="float32")
        assert run.engine == "jax"
        ours = fit(optimizer=cr.SGD(0.1, momentum=0.9), precision="float32")
        np.testing.assert_allclose(run.history["loss"], ours.history["loss"], rtol=1e-5)
        with pytest.raises(SettingError, match='use engine="jax"'):
            fit(optimizer=optax.sgd(0.1), engine="numpy")
        with pytest.raises(SettingError, match=r"optax\.lbfgs.*search along a line"):
            fit(optimizer=optax.lbfgs(), precision="float32")

    def test_progress_goes_to_standard_error_as_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        fit(progress=True, validation=0.2)
        lines = stream.getvalue().splitlines()
        assert "val_accuracy" in lines[0]
        assert "1/3" in lines[0]
        assert "3/3" in lines[-1]
