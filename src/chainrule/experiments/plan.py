"""What is to be trained: settings without gaps, the data with its parts, the network, and the arguments of `fit`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule import random
from chainrule.data import Dataset, encode_target
from chainrule.data.sources import is_image_data
from chainrule.experiments.data import TABLE_TEST, Part, as_data, prepare_table, read_data, train_and_test
from chainrule.experiments.presets import complete, fit_kwargs, network
from chainrule.experiments.settings import ExperimentSettings
from chainrule.experiments.usage import OF_DATA, Situation, check_used, kind_in_memory
from chainrule.models import Model
from chainrule.recipe.prepare import hold_out
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.table import Table


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes
    ----------
    requested, settings : the settings before the preset filled their gaps, and without gaps
    source : the data as it was read: of a table all columns
    data, table : the data as numbers, and what was found in a table
    training, test : the rows to train on (with those for validation), and those for the test
    model : the network with its first weights
    fit_kwargs : the arguments of `fit` besides the network and the data, as far as they say what is trained
    """

    requested: ExperimentSettings
    settings: ExperimentSettings
    source: Dataset | Table
    data: Dataset
    table: PreparedTable | None
    training: Part
    test: Part | None
    model: Model
    fit_kwargs: Mapping[str, Any]

    @property
    def training_data(self) -> Dataset:
        """The rows to train on, as `fit` takes them."""
        return self.training.of(self.data)

    def split(self) -> Dataset:
        """Return the rows to train on, those for validation apart, as `fit` would draw them with the first seed."""
        data, settings = self.training_data, self.settings
        if data.validation is not None or not settings.validation:
            return data
        units, activation = self.model.output_shape[-1], self.model.last_activation.name
        encoded, target = encode_target(self.training.y, units=units, output_activation=activation)
        rows, held_out = hold_out(encoded, target.task, settings.validation, random.key(settings.seed))
        return dataclasses.replace(
            data, x=data.x[rows], y=data.y[rows], x_validation=data.x[held_out], y_validation=data.y[held_out]
        )

    def with_settings(self, **changes: Any) -> Plan:
        """Return the plan for the same data with other settings."""
        return _plan(dataclasses.replace(self.settings, **changes), self.source)


def make_plan(settings: ExperimentSettings, typed: Collection[str] = (), *, data: Any = None) -> Plan:
    """Load the data, complete the settings, and make the network.

    Parameters
    ----------
    typed : names of settings that were asked for: they must have an effect (`chainrule.experiments.usage`), and so must
        those for another kind of data
    data : the data itself; None: what the settings name
    """
    kind = kind_in_memory(data)
    situation = Situation(settings.data if kind is None else getattr(data, "name", "the data"), settings, kind=kind)
    check_used(situation, _for_some_data(settings, typed))
    source = read_data(settings) if data is None else as_data(data, settings)
    return _plan(settings, source, typed, situation)


def _plan(
    requested: ExperimentSettings,
    source: Dataset | Table,
    typed: Collection[str] = (),
    situation: Situation | None = None,
) -> Plan:
    """Return the plan for data that has been read."""
    settings, table, dataset = requested, None, source
    named: tuple[str, ...] = ()
    if isinstance(source, Table):
        table = prepare_table(source, settings)
        dataset, named = table.data, table.rows.named
        settings = dataclasses.replace(settings, test=TABLE_TEST if settings.test is None else settings.test)
    assert isinstance(dataset, Dataset)
    if settings.data is not None and is_image_data(settings.data):
        settings = dataclasses.replace(settings, image_size=dataset.x.shape[1:3])
    settings = complete(settings, dataset)
    if situation is not None:
        situation = dataclasses.replace(situation, settings=settings, dataset=dataset, named=named)
        check_used(situation, {option: getattr(requested, option, None) for option in typed})
    training, test = train_and_test(dataset, settings)
    model = Model(network(settings, dataset), dataset.x.shape[1:], seed=settings.seed, precision=settings.precision)
    kwargs = fit_kwargs(settings, dataset)
    return Plan(requested, settings, source, dataset, table, training, test, model, kwargs)


def _for_some_data(settings: ExperimentSettings, typed: Collection[str]) -> dict[str, Any]:
    """Return what is asked for that is for a kind of data, by the names of the options."""
    values = {name: getattr(settings, "columns" if name == "column" else name, None) for name in OF_DATA}
    return {name: True for name in typed if name in ("column", "drop", "data_dir")} | values
