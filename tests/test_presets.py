"""The presets: which network and which settings come from a name and the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Dataset, load
from chainrule.experiments.presets import PRESETS, complete, network, optimizer, use_of_validation
from chainrule.experiments.settings import ExperimentSettings


def images(size: int, n: int = 40, channels: int = 1) -> Dataset:
    pixels = np.zeros((n, size, size, channels), np.uint8)
    return Dataset.from_arrays("images", pixels, np.arange(n) % 4)


def built(data: Dataset, **changes: Any) -> tuple[ExperimentSettings, cr.Model]:
    settings = complete(ExperimentSettings(**changes), data)
    return settings, cr.Model(network(settings, data), data.x.shape[1:])


def test_auto_takes_convolutions_for_large_colour_images() -> None:
    assert complete(ExperimentSettings(), images(16, channels=3)).preset == "cnn"
    assert complete(ExperimentSettings(), images(15, channels=3)).preset == "mlp"
    assert complete(ExperimentSettings(), images(28)).preset == "cnn"
    assert complete(ExperimentSettings(), images(8)).preset == "mlp"
    assert complete(ExperimentSettings(), load("wine")).preset == "table"


def test_mlp_flattens_images() -> None:
    _, model = built(load("digits"), hidden=(5,), dropout=0.1)
    assert [layer.name for layer in model.net] == ["flatten", "dense", "dropout", "dense"]
    assert model.output_shape == (10,)


@pytest.mark.parametrize(("size", "kernel"), [(8, 3), (28, 5)])
def test_cnn_scales_with_the_image(size: int, kernel: int) -> None:
    _, model = built(images(size), preset="cnn")
    assert model.params["conv2d_1"]["weight"].shape == (kernel, kernel, 1, 16)
    assert model.params["dense_1"]["weight"].shape == ((size // 4) ** 2 * 32, 128)


def test_nielsen_is_the_network_of_the_book() -> None:
    settings, model = built(images(28), preset="nielsen")
    assert (settings.loss, settings.optimizer, settings.lr, settings.batch_size) == ("quadratic", "sgd", 3.0, 10)
    assert (settings.epochs, settings.normalize) == (30, False)
    assert model.net[1:] == (
        cr.Dense(30, "sigmoid", init="normal", bias_init="normal"),
        cr.Dense(4, "sigmoid", init="normal", bias_init="normal"),
    )
    assert complete(ExperimentSettings(preset="nielsen", loss="binary_cross_entropy"), images(28)).lr == 0.5
    assert complete(ExperimentSettings(preset="nielsen", optimizer="adam"), images(28)).lr == 0.001


def test_table_grows_with_the_rows() -> None:
    def rows(n: int, classes: int = 2) -> Dataset:
        return Dataset.from_arrays("rows", np.zeros((n, 3)), np.arange(n) % classes)

    small, large = (complete(ExperimentSettings(), rows(n)) for n in (4_999, 5_000))
    assert (small.hidden, small.dropout, large.hidden, large.dropout) == ((128, 64), 0.3, (256, 128), 0.1)
    assert (small.optimizer, small.weight_decay, small.schedule, small.lr) == ("adamw", 0.01, "cosine", 0.002)
    assert complete(ExperimentSettings(), rows(100)).epochs == 200
    assert complete(ExperimentSettings(), rows(1_000_000)).epochs == 20
    stopping = (small, large, complete(ExperimentSettings(validation=0.0), rows(5_000)))
    assert [settings.early_stopping for settings in stopping] == [0, 12, 0]


@pytest.mark.parametrize(
    ("more", "share", "use"),
    [
        ({}, 0.0, None),
        ({"validation": 0.3}, 0.3, None),
        ({"validation": 0.0, "early_stopping": 3}, 0.0, "choose the epoch"),
        ({"early_stopping": 3}, 0.1, "choose the epoch"),
        ({"early_stopping": 0}, 0.0, None),
        ({"schedule": "reduce_on_plateau"}, 0.1, "learning rate"),
        ({"schedule": {"type": "cosine"}}, 0.0, None),
        ({"seeds": 2, "save": "best"}, 0.1, "choose the network"),
        ({"seeds": 2}, 0.0, None),
        ({"test": 0.0}, 0.1, "judge the network"),
    ],
)
def test_rows_are_set_apart_for_validation_where_something_needs_them(more: Any, share: float, use: str | None) -> None:
    settings = complete(ExperimentSettings(data="wine", **more), load("wine"))
    assert settings.validation == share
    text = use_of_validation(settings, 178, tested=settings.test > 0)
    assert text is None if use is None else use in str(text)


def test_of_many_rows_a_tenth_shows_whether_the_network_overfits() -> None:
    x = np.zeros((5_000, 20, 20, 1), np.float32)
    data = Dataset.from_arrays("images", x, np.arange(5_000) % 2, x[:9], np.arange(9) % 2)
    assert complete(ExperimentSettings(), data).validation == 0.1
    few = Dataset.from_arrays("images", x[:4_999], np.arange(4_999) % 2, x[:9], np.arange(9) % 2)
    assert complete(ExperimentSettings(), few).validation == 0.0


def test_what_a_preset_says_of_its_optimizer_is_not_said_of_another() -> None:
    settings = complete(ExperimentSettings(optimizer="sgd"), load("wine"))
    assert settings.weight_decay is None
    assert settings.lr == cr.SGD().lr


def test_a_network_of_one_s_own_is_trained_as_fit_would() -> None:
    net = cr.Sequential(cr.Dense(3, "softmax")).to_dict()
    settings = complete(ExperimentSettings(net=net, optimizer={"type": "adam", "lr": 0.5}), load("wine"))
    assert (optimizer(settings).lr, settings.schedule, settings.dropout) == (0.5, "constant", 0.0)


def test_linear_has_no_hidden_layer() -> None:
    _, model = built(load("wine"), preset="linear")
    assert len(model.net) == 1


def test_outputs_and_loss_follow_the_target() -> None:
    x = np.ones((6, 2))
    numbers = Dataset.from_arrays("numbers", x, np.arange(12.0).reshape(6, 2) / 7)
    settings, model = built(numbers)
    assert (settings.output, settings.loss, model.output_shape) == ("linear", "quadratic", (2,))
    labels = Dataset.from_arrays("labels", x, np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]] * 2))
    settings, model = built(labels)
    assert (settings.output, settings.loss, model.output_shape) == ("sigmoid", "binary_cross_entropy", (3,))
    settings, model = built(load("breast_cancer"), output="sigmoid")
    assert (settings.loss, model.output_shape) == ("binary_cross_entropy", (1,))


@pytest.mark.parametrize("preset", PRESETS)
def test_complete_settings_stay_as_they_are(preset: str) -> None:
    settings = complete(ExperimentSettings(data="digits", preset=preset), load("digits"))
    assert complete(settings, load("digits")) == settings
    decided = "hidden output activation init dropout loss optimizer schedule lr epochs batch_size early_stopping test"
    assert [name for name in decided.split() if getattr(settings, name) is None] == []


@pytest.mark.parametrize(("rows", "size"), [(40, 16), (3199, 16), (3200, 32), (12799, 64), (70000, 128)])
def test_batches_grow_with_the_data(rows: int, size: int) -> None:
    data = Dataset.from_arrays("rows", np.zeros((rows, 1)), np.arange(rows) % 2)
    assert complete(ExperimentSettings(preset="mlp"), data).batch_size == size
    assert complete(ExperimentSettings(preset="table"), data).batch_size == max(32, size)


def test_every_schedule_starts_from_the_learning_rate() -> None:
    with pytest.raises(cr.ChainruleError, match="schedule 'ramp' needs a value for 'high'"):
        optimizer(ExperimentSettings(schedule="ramp", lr=0.5))  # not to train with, but to find a learning rate
    for name in set(cr.schedules.Schedule.registry) - {"ramp"}:
        moves = optimizer(ExperimentSettings(optimizer="sgd", lr=0.5, schedule=name, momentum=0.9))
        assert moves.momentum == 0.9  # type: ignore[attr-defined]
        rates = [float(moves.learning_rate(t, 10)) for t in np.linspace(0, 10, 21)]
        assert max(rates) == pytest.approx(0.5)


def test_presets_refuse_data_that_they_are_not_for() -> None:
    with pytest.raises(cr.ChainruleError, match="'cnn' is for images"):
        complete(ExperimentSettings(preset="cnn"), load("iris"))
    with pytest.raises(cr.ChainruleError, match="'nielsen' tells classes apart"):
        complete(ExperimentSettings(preset="nielsen"), load("diabetes"))
