"""What a command is to train: settings without gaps, the data with its parts, the network, and what `fit` is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule import random
from chainrule.cli.tell import say_table
from chainrule.data import Dataset, encode_target
from chainrule.data.sources import is_image_data
from chainrule.engine import distributed
from chainrule.errors import SettingError
from chainrule.experiments.data import TABLE_TEST, Part, load_data, train_and_test, training_table
from chainrule.experiments.presets import TrainSettings, complete, network, optimizer
from chainrule.experiments.usage import OF_DATA, Situation, check_used
from chainrule.models import Model
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.read import is_table
from chainrule.training import EarlyStopping
from chainrule.training.prepare import hold_out


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes
    ----------
    given : the settings before the preset filled their gaps
    settings : without gaps
    data, table : as loaded, and what was found in a table
    part, test : the training rows (with those for validation), and those for the test
    model : the network with its first weights
    words : what `fit` is told besides the network and the data, as far as it says what is trained
    """

    given: TrainSettings
    settings: TrainSettings
    data: Dataset
    table: PreparedTable | None
    part: Part
    test: Part | None
    model: Model
    words: Mapping[str, Any]

    @property
    def training(self) -> Dataset:
        """The rows to train on."""
        return self.part.of(self.data)

    def split(self) -> Dataset:
        """Return the rows to train on, those for validation apart, as `fit` would draw them with the first seed."""
        data, settings = self.training, self.settings
        if data.validation is not None or not settings.validation:
            return data
        units, activation = self.model.output_shape[-1], self.model.last_activation.name
        encoded, target = encode_target(self.part.y, units=units, output_activation=activation)
        rows, held_out = hold_out(encoded, target.task, settings.validation, random.key(settings.seed))
        return dataclasses.replace(
            data, x=data.x[rows], y=data.y[rows], x_validation=data.x[held_out], y_validation=data.y[held_out]
        )


def find_task(given: TrainSettings, typed: Collection[str] = (), *, tell: bool = True) -> Task:
    """Load the data, complete the settings, and make the network; tell what was found in a table.

    Options that were ``typed``, and settings for another kind of data, must have an effect
    (`chainrule.experiments.usage`).
    """
    if given.data is None:
        raise SettingError('Which data? Name it: chainrule train digits (or in the config file: data = "digits").')
    named_by_column: tuple[str, ...] = ()
    check_used(Situation(given.data, given), _of_data(given, typed))
    table, settings = None, given
    if is_table(given.data):
        table = training_table(given)
        named_by_column = table.rows.named
        settings = dataclasses.replace(given, test=TABLE_TEST if given.test is None else given.test)
        if tell and distributed.is_first():
            say_table(table)
    data = table.data if table is not None else load_data(given.data, given.data_dir, image_size=given.image_size)
    if is_image_data(given.data):
        settings = dataclasses.replace(settings, image_size=data.x.shape[1:3])
    settings = complete(settings, data)
    situation = Situation(given.data, settings, data, named_by_column)
    check_used(situation, {name: getattr(given, name, None) for name in typed})
    part, test = train_and_test(data, settings)
    model = Model(network(settings, data), data.x.shape[1:], seed=settings.seed, precision=settings.precision)
    return Task(given, settings, data, table, part, test, model, words_of(settings, data))


def _of_data(given: TrainSettings, typed: Collection[str]) -> dict[str, Any]:
    """Return what is asked for that is of a kind of data, by the names of the options."""
    asked = {name: getattr(given, "columns" if name == "column" else name, None) for name in OF_DATA}
    return {name: True for name in typed if name in ("column", "drop", "data_dir")} | asked


def words_of(settings: TrainSettings, data: Dataset) -> dict[str, Any]:
    """Return what `fit` is told by complete settings."""
    return {
        "loss": find_loss(settings),
        "optimizer": optimizer(settings),
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "validation": None if data.validation is not None else settings.validation or None,
        "l1": settings.l1,
        "l2": settings.l2,
        "augment": settings.augment,
        "normalize": bool(settings.normalize),
        "normalize_target": bool(settings.normalize_target),
        "class_weight": class_weight(settings, data),
        "early_stopping": early_stopping(settings),
        "seed": settings.seed,
        "precision": settings.precision,
    }


def find_loss(settings: TrainSettings) -> Any:
    """Return the loss by its name, or from the table of a file."""
    from chainrule import losses

    if isinstance(settings.loss, Mapping):
        return losses.Loss.from_dict(dict(settings.loss))
    return "auto" if settings.loss in (None, "auto") else losses.get(settings.loss)


def early_stopping(settings: TrainSettings) -> EarlyStopping | None:
    """Early stopping from a number of epochs, or from the table of a file."""
    if not settings.early_stopping:
        return None
    if isinstance(settings.early_stopping, Mapping):
        try:
            return EarlyStopping(**settings.early_stopping)
        except TypeError:
            known = ", ".join(f.name for f in dataclasses.fields(EarlyStopping))
            raise SettingError(
                f"early_stopping has the settings {known}; got {dict(settings.early_stopping)}."
            ) from None
    return EarlyStopping(patience=settings.early_stopping)


def class_weight(settings: TrainSettings, data: Dataset) -> Any:
    """Return weights of classes by their labels: in a file the labels are text."""
    if not isinstance(settings.class_weight, Mapping):
        return settings.class_weight
    labels = {str(label): label for label in data.classes or ()}
    return {labels.get(name, name): weight for name, weight in settings.class_weight.items()}
