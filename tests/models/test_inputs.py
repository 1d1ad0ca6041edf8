"""One door: what training learnt of inputs and labels holds wherever a model is used."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.data import PreparedInputs
from chainrule.errors import DataError, InputWarning, ShapeError

QUICK: dict[str, Any] = {"progress": False, "engine": "numpy"}
FROZEN = {
    "epochs": 1,
    "optimizer": cr.SGD(lr=1e-12),
} | QUICK  # the loss of its epoch is that of the weights it began with
rng = np.random.default_rng(0)


def people(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, rows),
            "town": rng.choice(["Rome", "Oslo"], rows),
            "dose": rng.normal(0, 1e-3, rows),
        }
    )
    frame["ill"] = np.where((frame.height - 170) / 10 + frame.dose * 1e3 > 0, "yes", "no")
    return frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def run(frame: pd.DataFrame) -> Any:
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(2, "softmax"))
    table = cr.Table.read(frame, target="ill")
    return cr.fit(net, table, epochs=20, optimizer=cr.Adam(lr=0.03), **QUICK)


def turned(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.columns[::-1]].assign(unknown=1.0)


class TestTables:
    def test_columns_are_found_by_name_wherever_a_frame_comes_in(self, run: Any, frame: pd.DataFrame) -> None:
        model, other = run.model, turned(frame)
        expected = run.evaluate(frame, frame.ill)
        assert expected["accuracy"] > 0.9
        assert run.evaluate(other, frame.ill) == expected
        assert np.array_equal(model(other), model(frame))
        assert np.array_equal(model.predict(other), model.predict(frame))
        np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(frame))
        assert model.backprop(other, frame.ill).loss == pytest.approx(expected["loss"], rel=1e-5)

    def test_a_table_and_its_pairs_are_judged_alike(self, run: Any, frame: pd.DataFrame) -> None:
        prepared = cr.Table.read(frame, target="ill").prepare(
            validation=0.2, key=cr.random.key(1), preparation=run.model.preparation
        )
        assert run.evaluate(cr.Table.read(frame, target="ill")) == run.evaluate(frame, frame.ill)
        assert prepared.data.validation is not None
        rows = prepared.rows.validation
        assert run.evaluate(*prepared.data.validation) == run.evaluate(frame.iloc[rows], frame.ill.iloc[rows])

    def test_going_on_prepares_the_columns(self, run: Any, frame: pd.DataFrame) -> None:
        before = run.evaluate(frame, frame.ill)["loss"]
        for data in ((frame, frame.ill), (turned(frame), frame.ill.tolist()), cr.Table.read(frame, target="ill")):
            more = cr.fit(run.model, data, **FROZEN)
            assert more.history["loss"][0] == pytest.approx(before, rel=1e-5)
            assert more.model.preparation is run.model.preparation

    def test_validation_data_is_prepared_as_the_training_rows_are(self, frame: pd.DataFrame) -> None:
        net, table = cr.Dense(2, "softmax"), cr.Table.read(frame, target="ill")
        new = people(50, seed=1)
        for validation in ((turned(new), new.ill), cr.Table.read(new, target="ill")):
            run = cr.fit(net, table, validation=validation, epochs=1, **QUICK)
            assert run.history["val_loss"][-1] == pytest.approx(run.evaluate(new, new.ill)["loss"], rel=1e-5)

    @pytest.mark.parametrize(
        "use", ["predict", "predict_proba", "__call__", "evaluate", "backprop", "fit", "validation"]
    )
    def test_a_plain_array_is_refused(self, run: Any, frame: pd.DataFrame, use: str) -> None:
        x, model = np.zeros((120, run.model.input_shape[0])), run.model
        calls: dict[str, Any] = {
            "evaluate": lambda: run.evaluate(x, frame.ill),
            "backprop": lambda: model.backprop(x, frame.ill),
            "fit": lambda: cr.fit(model, (x, frame.ill), **FROZEN),
            "validation": lambda: cr.fit(model, (frame, frame.ill), validation=(x, frame.ill), **FROZEN),
        }
        with pytest.raises(DataError, match=r"'height', 'town', 'dose'.*PreparedInputs"):
            calls[use]() if use in calls else getattr(model, use)(x)

    def test_inputs_that_are_prepared_already_are_taken_where_the_caller_says_so(
        self, run: Any, frame: pd.DataFrame
    ) -> None:
        x = PreparedInputs(run.model.preparation(frame))
        assert run.evaluate(x, frame.ill) == run.evaluate(frame, frame.ill)
        assert run.evaluate(x[:50], frame.ill[:50]) == run.evaluate(frame[:50], frame.ill[:50])
        with pytest.raises(ShapeError):
            run.model.predict(PreparedInputs(np.zeros((3, 2))))

    def test_a_traced_value_is_said_to_be_prepared(self, run: Any, frame: pd.DataFrame) -> None:
        model, x = run.model, run.model.prepare(frame[:2])
        with pytest.raises(DataError, match="PreparedInputs"):
            cr.grad(lambda q: model(q).sum())(x)
        slope = cr.grad(lambda q: model(PreparedInputs(q))[:, 0].sum())(x)
        assert slope.shape == x.shape
        assert model.trace(turned(frame)[:2], frame.ill[:2]).value == pytest.approx(
            model.backprop(frame[:2], frame.ill[:2]).loss
        )

    def test_inputs_of_another_preparation_are_refused(self, run: Any) -> None:
        other = cr.Table.read(people(80, seed=2), target="ill").prepare(key=cr.random.key(0)).data
        with pytest.raises(DataError, match="another preparation"):
            run.evaluate(*other.train)
        with pytest.raises(DataError, match="another preparation"):
            cr.fit(run.model, other, **FROZEN)

    def test_a_model_of_arrays_does_not_go_on_with_a_prepared_table(self, frame: pd.DataFrame) -> None:
        x = frame[["height", "dose"]]
        model = cr.fit(cr.Dense(2, "softmax"), (x, frame.ill), epochs=1, **QUICK).model
        with pytest.raises(DataError, match="trained on arrays"):
            cr.fit(model, cr.Table.read(frame[["height", "dose", "ill"]], target="ill"), **FROZEN)

    def test_it_is_kept_in_the_file(self, run: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
        run.model.save(tmp_path / "m.safetensors")
        again = cr.load_model(tmp_path / "m.safetensors")
        assert np.array_equal(again.predict_proba(turned(frame)), run.model.predict_proba(frame))
        more = cr.fit(again, (frame, frame.ill), **FROZEN)
        assert more.history["loss"][0] == pytest.approx(run.evaluate(frame, frame.ill)["loss"], rel=1e-5)

    def test_rows_without_a_target_are_told(self, run: Any, frame: pd.DataFrame) -> None:
        labels = frame.ill.astype(object).copy()
        labels.iloc[7] = None
        with pytest.raises(DataError, match=r"1 of 120 rows have no ill.* row 7"):
            run.evaluate(frame, labels)


class TestFramesOfNumbers:
    x = pd.DataFrame(rng.normal([1000, 0.0], [50, 0.01], (200, 2)), columns=["mass", "charge"])
    y = (x.mass > 1000).astype(int)
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(2, "softmax"))

    def trained(self) -> Any:
        return cr.fit(self.net, (self.x, self.y), epochs=10, optimizer=cr.Adam(lr=0.03), **QUICK)

    def test_names_are_kept_and_columns_are_put_in_order(self, tmp_path: Path) -> None:
        run = self.trained()
        run.model.save(tmp_path / "m.safetensors")
        again = cr.load_model(tmp_path / "m.safetensors")
        expected = run.model.predict_proba(self.x)
        assert run.model.inputs.names == ("mass", "charge")
        for x in (self.x[["charge", "mass"]], self.x.assign(more=0.0), self.x.to_numpy()):
            assert np.array_equal(again.predict_proba(x), expected)
        more = cr.fit(again, (self.x[["charge", "mass"]], self.y), **FROZEN)
        assert more.history["loss"][0] == pytest.approx(run.evaluate(self.x, self.y)["loss"], rel=1e-5)
        with pytest.raises(DataError, match="'charge'"):
            again.predict(self.x[["mass"]])

    def test_validation_columns_are_put_in_order(self) -> None:
        run = cr.fit(self.net, (self.x, self.y), validation=(self.x[["charge", "mass"]], self.y), epochs=2, **QUICK)
        assert run.history["val_loss"][-1] == pytest.approx(run.evaluate(self.x, self.y)["loss"], rel=1e-5)

    def test_numbered_columns_are_found_by_number_and_stand_for_any_names(self) -> None:
        x = pd.DataFrame(self.x.to_numpy())
        run = cr.fit(self.net, (x, self.y), epochs=1, **QUICK)
        expected = run.model.predict_proba(x)
        assert np.array_equal(run.model.predict_proba(x[[1, 0]]), expected)
        assert np.array_equal(run.model.predict_proba(self.x), expected)
        tens = cr.fit(self.net, (x.set_axis([10, 20], axis=1), self.y), epochs=1, **QUICK).model
        assert np.array_equal(
            tens.predict_proba(x.set_axis([10, 20], axis=1)[[20, 10]]), tens.predict_proba(x.to_numpy())
        )

    def test_frames_of_arrow_that_train_predict(self) -> None:
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"charge": self.x.charge.to_numpy(), "mass": self.x.mass.to_numpy()})
        run = cr.fit(self.net, (table, self.y.to_numpy()), epochs=1, **QUICK)
        assert np.array_equal(run.model.predict_proba(table), run.model.predict_proba(self.x))

    def test_populations_and_ensembles_keep_the_names(self) -> None:
        runs = cr.fit_population(self.net, (self.x, self.y), 2, epochs=1, **QUICK)
        together = cr.ensemble(runs)
        assert np.array_equal(together.predict_proba(self.x[["charge", "mass"]]), together.predict_proba(self.x))
        other = cr.fit(self.net, (self.x[["charge", "mass"]], self.y), epochs=1, **QUICK)
        with pytest.raises(cr.ChainruleError, match="names of the input columns"):
            cr.ensemble([runs[0], other])

    @pytest.mark.parametrize("call", ["fit", "partial_fit"])
    def test_estimators_keep_the_names(self, call: str) -> None:
        net = cr.NetClassifier(hidden=(4,), epochs=1, engine="numpy")
        labels = {} if call == "fit" else {"classes": [0, 1]}
        getattr(net, call)(self.x, self.y, **labels)
        assert np.array_equal(net.model_.predict(self.x[["charge", "mass"]]), net.predict(self.x))
        assert net.run_.evaluate(self.x[["charge", "mass"]], self.y)["accuracy"] == net.score(self.x, self.y)


class TestOtherWays:
    def test_a_perceptron_finds_columns_by_name(self) -> None:
        x = np.random.default_rng(0).normal(size=(100, 2))
        right = x[:, 0] > x[:, 1]
        frame = pd.DataFrame(x + np.where(right, 0.3, -0.3)[:, None] * [1, -1], columns=["u", "v"])
        neuron = cr.Perceptron().fit(frame, right)
        assert neuron.score(frame, right) == neuron.score(frame[["v", "u"]], right) == 1.0
        assert neuron.partial_fit(frame[["v", "u"]], right).score(frame, right) == 1.0

    def test_codes_are_not_standardized_by_partial_fit(self) -> None:
        x = np.random.default_rng(0).integers(0, 50, (200, 3))
        net = cr.Sequential(cr.Embedding((50,) * 3), cr.Dense(2, "softmax"))
        net = cr.NetClassifier(net=net, engine="numpy").partial_fit(x, x[:, 0] % 2, classes=[0, 1])
        assert np.array_equal(net.model_.prepare(x), x)

    def test_categories_that_became_codes_need_an_embedding(self) -> None:
        rng = np.random.default_rng(0)
        town = rng.integers(0, 40, 600)
        frame = pd.DataFrame({"town": [f"t{i}" for i in town], "price": town * 10.0 + rng.normal(size=600)})
        table = cr.Table.read(frame, target="price")
        with pytest.raises(cr.ChainruleError, match=r"'town'.*cr.Embedding"):
            cr.fit(cr.Dense(1), table, epochs=1, **QUICK)
        codes = table.prepare(key=cr.random.key(0)).data.preparation.embedded
        cr.fit(cr.Sequential(cr.Embedding(tuple(n for _, n in codes)), cr.Dense(1)), table, epochs=1, **QUICK)

    def test_whole_numbers_of_64_bits_are_classes_as_they_are(self) -> None:
        a = np.random.default_rng(0).normal(size=200)
        y = np.array([1234567890123456789, 1234567890123456788, 42])[np.digitize(a, [-0.5, 0.5])]
        frame = pd.DataFrame({"a": a, "y": y})
        run = cr.fit(cr.Dense(3, "softmax"), cr.Table.read(frame, target="y", task="classification"), epochs=1, **QUICK)
        assert run.model.target.classes == (42, 1234567890123456788, 1234567890123456789)
        assert run.evaluate(frame, frame.y)["accuracy"] == np.mean(run.model.predict(frame) == y)


class TestPixels:
    y = rng.integers(0, 3, 120)
    pixels = (rng.integers(0, 60, (120, 6, 6)) + 80 * y[:, None, None]).astype(np.uint8)
    net = cr.Sequential(cr.Flatten(), cr.Dense(3, "softmax"))

    def trained(self, x: Any, **settings: Any) -> Any:
        data = x if isinstance(x, cr.Dataset) else (x, self.y)
        return cr.fit(self.net, data, epochs=5, optimizer=cr.Adam(lr=0.03), **QUICK | settings)

    @pytest.mark.parametrize("normalize", [True, False])
    @pytest.mark.parametrize("fractions", [True, False], ids=["dataset", "fractions"])
    def test_bytes_and_fractions_are_the_same_to_a_model_of_fractions(self, normalize: bool, fractions: bool) -> None:
        as_fractions = self.pixels[..., None] / np.float32(255)
        data = cr.Dataset.from_arrays("pixels", self.pixels, self.y)
        model = self.trained(as_fractions if fractions else data, normalize=normalize).model
        expected = model.predict_proba(as_fractions)
        assert np.array_equal(model.predict_proba(self.pixels), expected)
        assert np.array_equal(model.predict_proba(self.pixels[..., None]), expected)
        with pytest.warns(InputWarning, match="divided by 255"):
            np.testing.assert_allclose(model.predict_proba(self.pixels.astype(np.float64)), expected, rtol=1e-4)

    def test_a_model_of_undivided_bytes_takes_bytes_and_their_values(self) -> None:
        model = self.trained(self.pixels).model
        expected = model.predict_proba(self.pixels)
        assert np.array_equal(model.predict_proba(self.pixels.astype(np.float32)), expected)
        with pytest.warns(InputWarning, match="seem to have been divided"):
            model.predict_proba(self.pixels / np.float32(255))

    @pytest.mark.parametrize("kind", [np.uint8, bool, np.int64, np.float32])
    def test_masks_of_zeros_and_ones_are_the_same_in_every_type(self, kind: Any) -> None:
        masks = self.pixels > 90
        model = self.trained(masks.astype(kind)).model
        expected = model.predict_proba(masks.astype(np.float32))
        for other in (np.uint8, bool, np.int64):
            assert np.array_equal(model.predict_proba(masks.astype(other)), expected)

    def test_bytes_for_a_model_of_deeper_pixels_are_told(self) -> None:
        model = self.trained(self.pixels.astype(np.uint16) * 257).model
        with pytest.warns(InputWarning, match="another depth"):
            model.predict(self.pixels)

    def test_a_mask_of_zeros_and_ones_is_no_mask_of_bytes(self) -> None:
        model = self.trained(self.pixels[..., None] / np.float32(255)).model
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict((self.pixels > 90).astype(np.float32)[..., None])

    def test_it_is_kept_in_the_file_and_for_validation(self, tmp_path: Path) -> None:
        as_fractions = self.pixels[..., None] / np.float32(255)
        run = self.trained(as_fractions, validation=(self.pixels, self.y))
        assert run.history["val_loss"][-1] == pytest.approx(run.evaluate(as_fractions, self.y)["loss"], rel=1e-5)
        run.model.save(tmp_path / "m.safetensors")
        again = cr.load_model(tmp_path / "m.safetensors")
        assert np.array_equal(again.predict_proba(self.pixels), run.model.predict_proba(self.pixels))

    def test_a_stream_of_bytes_is_divided_too(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", self.pixels[..., None])
        model = self.trained(self.pixels[..., None] / np.float32(255)).model
        streamed = model.predict_proba(cr.data.stream(tmp_path / "x.npy"))
        np.testing.assert_allclose(streamed, model.predict_proba(self.pixels), rtol=1e-6)


class TestLargeNumbers:
    def test_whole_numbers_beyond_what_float32_tells_apart(self) -> None:
        x = 2**30 + np.arange(64).reshape(-1, 1)
        run = cr.fit(cr.Dense(1), (x, np.arange(64.0)), normalize_target=True, epochs=200,
                     optimizer=cr.Adam(lr=0.05), **QUICK)  # fmt: skip
        assert len(np.unique(run.model.prepare(x))) == 64
        assert run.evaluate(x, np.arange(64.0))["mae"] < 1

    @pytest.mark.parametrize("kind", [object, "Int64"])
    def test_whole_numbers_in_frames_of_objects(self, kind: Any) -> None:
        v = np.random.default_rng(0).integers(0, 100, 300)
        frame = pd.DataFrame({"t": 2**40 + v, "flag": v % 2 == 0})
        run = cr.fit(cr.Dense(2, "softmax"), (frame.astype({"t": kind}), (v > 50).astype(int)), epochs=60,
                     optimizer=cr.Adam(lr=0.1), **QUICK)  # fmt: skip
        assert run.evaluate(frame.astype(int), (v > 50).astype(int))["accuracy"] > 0.95

    @pytest.mark.parametrize("normalize_target", [True, False])
    @pytest.mark.parametrize("kind", [np.float64, np.int64])
    def test_targets_with_a_large_offset(self, normalize_target: bool, kind: Any, tmp_path: Path) -> None:
        x = np.linspace(-1, 1, 80)[:, None]
        y = (1e9 + 40 * x[:, 0]).astype(kind)
        run = cr.fit(cr.Dense(1), (x, y), normalize_target=normalize_target, epochs=300,
                     optimizer=cr.Adam(lr=0.3), **QUICK)  # fmt: skip
        predicted = run.model.predict(x)
        assert predicted.dtype == np.float64
        assert run.evaluate(x, y)["mae"] == pytest.approx(np.abs(predicted - y).mean(), rel=0.05, abs=1e-5)
        assert np.abs(predicted - y).mean() < 2
        run.model.save(tmp_path / "m.safetensors")
        assert np.array_equal(cr.load_model(tmp_path / "m.safetensors").predict(x), predicted)

    @pytest.mark.parametrize("value", [1e-30, 0.1, 1.0, 1e9 + 1 / 3, 1e15 + 0.3])
    def test_a_constant_is_exactly_zero_whatever_its_size(self, value: float) -> None:
        for kind in (np.float32, np.float64):
            x = np.column_stack([np.full(1001, value), np.arange(1001)]).astype(kind)
            assert (cr.data.Standardizer.fit(x)(x)[:, 0] == 0).all()


class TestOutside:
    x = rng.normal(0, 1, (200, 3))
    run = cr.fit(cr.Dense(2, "softmax"), (pd.DataFrame(x, columns=list("abc")), x[:, 0] > 0), epochs=1, **QUICK)

    def test_inputs_in_another_unit_are_told(self) -> None:
        other = self.x * [1, 1000, 1]
        with pytest.warns(InputWarning, match=r"'b' goes from .*far outside in 199 of 200 rows"):
            self.run.model.predict(other)
        with pytest.warns(InputWarning, match="'b'"):
            self.run.evaluate(other, self.x[:, 0] > 0)

    def test_new_rows_of_the_same_kind_are_not(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.run.model.predict(np.random.default_rng(5).normal(0, 1.5, (5000, 3)))

    def test_a_column_of_a_table_in_another_unit_is_named(self, run: Any, frame: pd.DataFrame) -> None:
        with pytest.warns(InputWarning, match="'height'"):
            run.model.predict(frame.assign(height=frame.height * 1000))

    def test_what_is_trained_on_later_is_inside(self) -> None:
        more = cr.fit(self.run.model, (self.x * [1, 1000, 1], self.x[:, 0] > 0), **FROZEN)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            more.model.predict(self.x * [1, 1000, 1])


class TestLabels:
    @pytest.mark.parametrize(
        ("labels", "kind"),
        [
            ([True, False, True, False], np.bool_),
            ([3, 5, 3, 5], np.integer),
            (["1", "2", "1", "2"], np.str_),
            (pd.Categorical(["lo", "hi", "lo", "hi"]), np.str_),
            (pd.array([3, 5, 3, 5], dtype="Int64"), np.integer),
            (pd.array([True, False, True, False], dtype="boolean"), np.bool_),
        ],
        ids=["bool", "int", "text", "category", "Int64", "boolean"],
    )
    def test_predictions_have_the_type_of_the_target(self, labels: Any, kind: Any) -> None:
        frame = pd.DataFrame({"a": [0.0, 1.0, 0.1, 1.1] * 20})
        frame["y"] = pd.Series(labels).take([0, 1, 2, 3] * 20).reset_index(drop=True)
        run = cr.fit(cr.Dense(2, "softmax"), cr.Table.read(frame, target="y"), epochs=30,
                     optimizer=cr.Adam(lr=0.3), **QUICK)  # fmt: skip
        predicted = run.model.predict(frame)
        assert np.issubdtype(predicted.dtype, kind)
        assert predicted.tolist() == frame.y.tolist()
        for y in (frame.y, frame.y.tolist(), frame.y.astype(str)):
            assert run.evaluate(frame, y)["accuracy"] == 1.0

    def test_columns_of_a_target_are_found_by_name(self, tmp_path: Path) -> None:
        k = np.random.default_rng(0).integers(0, 3, 150)
        x = np.eye(3)[k]
        y = pd.get_dummies(pd.Series(np.array(["k", "l", "m"])[k]))
        other = y[["m", "l", "k"]]
        run = cr.fit(
            cr.Dense(3, "softmax"), (x, y), validation=(x, other), epochs=20, optimizer=cr.Adam(lr=0.1), **QUICK
        )
        expected = run.evaluate(x, y)
        assert expected["accuracy"] == run.history["val_accuracy"][-1] == 1.0
        run.model.save(tmp_path / "m.safetensors")
        for model in (run.model, cr.load_model(tmp_path / "m.safetensors")):
            more = cr.fit(model, (x, other), **FROZEN)
            assert more.history["accuracy"] == [1.0]
            assert more.evaluate(x, other)["accuracy"] == 1.0
            assert model.backprop(x, other).loss == pytest.approx(expected["loss"], rel=1e-4)
        with pytest.raises(DataError, match="'k'"):
            run.evaluate(x, other.rename(columns={"k": "n"}))

    def test_numbers_are_not_codes_of_classes_that_are_text(self) -> None:
        x = np.array([[0.0], [1.0], [2.0]] * 30)
        labels = np.array(["1", "2", "none"] * 30)
        run = cr.fit(cr.mlp([1, 16, 3]), (x, labels), epochs=60, optimizer=cr.Adam(lr=0.05), **QUICK)
        some = labels != "none"
        assert run.evaluate(x[some], labels[some].astype(int)) == run.evaluate(x[some], labels[some])
        with pytest.raises(DataError, match=r"not among the classes.*: 0 "):
            run.evaluate(x[:2], [0, 1])

    def test_a_dataset_with_class_names_takes_its_codes(self) -> None:
        iris = cr.data.load("iris")
        run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=1, **QUICK)
        assert run.evaluate(iris.x, iris.y) == run.evaluate(*iris.train) == run.evaluate(iris.x, iris.labels(iris.y))
        shifted = cr.Dataset.from_arrays("shifted", iris.x, iris.y + 1)
        run = cr.fit(cr.Dense(3, "softmax"), shifted, epochs=1, **QUICK)
        assert run.evaluate(*shifted.train) == run.evaluate(iris.x, iris.y + 1)

    def test_unknown_labels_are_listed_alone(self, run: Any, frame: pd.DataFrame) -> None:
        with pytest.raises(DataError, match=r"'perhaps' \(1 of 2 rows, first in row 1\).*'no', 'yes'"):
            run.evaluate(frame[:2], ["yes", "perhaps"])


class TestExports:
    x = rng.normal([2.0**28, 0], size=(60, 2))
    y = 1e9 + 40 * x[:, 1]

    def trained(self) -> Any:
        net = cr.Dense(1)
        return cr.fit(
            net, (self.x, self.y), normalize_target=True, epochs=200, optimizer=cr.Adam(lr=0.1), **QUICK
        ).model

    def test_onnx_keeps_large_numbers_apart(self) -> None:
        export = pytest.importorskip("chainrule.export")
        pytest.importorskip("onnxruntime")
        model = self.trained()
        check = export.check_onnx(model, export.to_onnx(model), self.x, tolerance=1e-9)
        assert check.ok, check

    def test_onnx_takes_pixels_as_the_model_does(self) -> None:
        export = pytest.importorskip("chainrule.export")
        pytest.importorskip("onnxruntime")
        case = TestPixels()
        model = case.trained(cr.Dataset.from_arrays("pixels", case.pixels, case.y)).model
        pixels = export.onnx_inputs(model, case.pixels)["x"]
        assert (pixels.shape, pixels.dtype, pixels.max() <= 1) == ((120, 6, 6, 1), np.float32, True)
        assert export.check_onnx(model, export.to_onnx(model), case.pixels).ok

    def test_the_weights_for_pytorch_come_with_the_scale_of_the_target(self) -> None:
        from chainrule.export import to_torch_state_dict

        model = self.trained()
        t = to_torch_state_dict(model)
        z = (self.x - t["standardizer.mean"]) / t["standardizer.std"]
        outputs = z @ t["dense_1.weight"].T + t["dense_1.bias"]
        np.testing.assert_allclose(outputs * t["target.std"] + t["target.mean"], model.predict_proba(self.x), rtol=1e-9)
