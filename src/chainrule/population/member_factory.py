"""Members are made of their differences; data that several have in common is prepared once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.checks import is_whole
from chainrule.data import PreparedInputs
from chainrule.errors import DataError, SettingError
from chainrule.fields import settings_of
from chainrule.keywords import unknown_keywords
from chainrule.models import Model
from chainrule.population.member import Member
from chainrule.recipe.memory import check_room
from chainrule.recipe.networks import network
from chainrule.recipe.prepare import Prepared
from chainrule.recipe.prepared_run import PreparedRun, prepare_run, streams
from chainrule.recipe.run_data import RunData, run_data
from chainrule.recipe.settings_paths import ROOTS, root_of, with_setting
from chainrule.run_settings import TrainingSettings
from chainrule.settings import plain
from chainrule.tables.table import Table

#: What a member may be given besides the settings of `fit` and the paths into its recipe.
PARTS = ("net", "rows", "held_out")

JOB_SETTINGS = tuple(settings_of(TrainingSettings))


class MemberFactory:
    """Makes members of one network and data.

    Parameters
    ----------
    net, data : as for `fit`
    common : settings of `fit` that all members have where their differences name no others
    """

    def __init__(self, net: Any, data: Any, common: TrainingSettings) -> None:
        self.net, self.data, self.common = net, data, common
        self._data: dict[Any, RunData] = {}
        self._prepared: dict[Any, Prepared] = {}

    def make(self, differences: Mapping[str, Any]) -> Member:
        """Make a member of its differences; raises `SettingError` for a setting that there is not."""
        if not isinstance(differences, Mapping):
            raise SettingError(
                f'A member is a mapping such as {{"seed": 1, "optimizer.lr": 0.1}}, got {differences!r}.'
            )
        changes = {key: value for key, value in differences.items() if key in JOB_SETTINGS}
        settings = dataclasses.replace(self.common, **changes)
        net = differences.get("net", self.net)
        for path, value in differences.items():
            if path not in JOB_SETTINGS and path not in PARTS:
                if root_of(path) not in ROOTS or path in ROOTS:
                    known = [*JOB_SETTINGS, *PARTS, *(f"{name}.…" for name in ROOTS)]
                    raise unknown_keywords("A member", [path], known)
                net, settings = with_setting(net, settings, path, value)
        data, key = self._data_of(net, settings, differences)
        net = network(net, data.x, data.y, data.inputs.preparation)
        if settings.sample_weight is not None and differences.get("rows") is not None:
            settings = dataclasses.replace(
                settings, sample_weight=np.asarray(settings.sample_weight)[differences["rows"]]
            )
        differences = {name: plain(value) for name, value in differences.items()}
        return Member(differences | {"seed": settings.seed}, self._prepared_run(net, data, settings, key))

    def _data_of(self, net: Any, settings: TrainingSettings, differences: Mapping[str, Any]) -> tuple[RunData, Any]:
        """Return the data of a member, all of it or some rows, and a key that tells it from the data of others."""
        rows, held_out, validation = differences.get("rows"), differences.get("held_out"), settings.validation
        if held_out is not None and rows is None:
            raise SettingError('A member with "held_out" needs "rows", the samples that it is trained on.')
        drawn = validation is None or isinstance(validation, float | int | np.number)
        model = net if isinstance(net, Model) else None
        key = (
            *(None if part is None else np.asarray(part).tobytes() for part in (rows, held_out)),
            validation if drawn else id(validation),
            settings.seed if validation and drawn and isinstance(self.data, Table) else None,
            id(model),
        )
        if key not in self._data:
            if rows is not None and not isinstance(self.data, Table):
                data = self._rows(model, rows, held_out, validation)
            elif rows is not None:
                prepared = self._coded.prepare_rows(rows, held_out).data
                data = run_data(model, prepared, None if held_out is not None else validation, settings.seed)
            else:
                data = run_data(model, self.data, validation, settings.seed)
            self._data[key] = data
        return self._data[key], key

    @functools.cached_property
    def _coded(self) -> Table:
        """The table, for many members with rows of their own."""
        return self.data.coded()

    def _rows(self, net: Model | None, rows: Any, held_out: Any, validation: Any) -> RunData:
        """Return some rows of the data to train on, and others to validate on."""
        all_rows = run_data(net, self.data, None, 0)
        trained = positions(rows, len(all_rows.x), "rows")
        if held_out is not None:
            validated = positions(held_out, len(all_rows.x), "held_out")
            x = all_rows.x[validated]
            validation = (PreparedInputs(x) if all_rows.inputs.preparation is not None else x, all_rows.y[validated])
        return dataclasses.replace(all_rows, x=all_rows.x[trained], y=all_rows.y[trained], validation=validation)

    def _prepared_run(self, net: Any, data: RunData, settings: TrainingSettings, data_key: Any) -> PreparedRun:
        """Return what is trained; members for which `prepare` would make the same share what it makes."""
        drawn = isinstance(data.validation, float | int | np.number) and data.validation
        last = () if isinstance(net, Model) else getattr(net, "layers", (net,))[-1:]
        key = (
            data_key,
            settings.seed if drawn else None,
            settings.normalize,
            settings.normalize_target,
            None if settings.sample_weight is None else np.asarray(settings.sample_weight).tobytes(),
            repr(settings.class_weight),
            settings.precision,
            id(net) if isinstance(net, Model) else (repr(last), getattr(net, "codes", None)),
        )
        prepared_run = prepare_run(net, data, settings, self._prepared.get(key))
        if streams(prepared_run):
            raise DataError(
                "A population is trained on data in memory; this is read from a file while it is used. Train its "
                "members one after the other with cr.fit, or give a part of the data as arrays."
            )
        self._prepared[key] = prepared_run.prepared
        return prepared_run


def positions(rows: Any, n: int, name: str) -> np.ndarray:
    """Return positions of samples as an array; raises `DataError` for others."""
    positions = np.asarray(rows)
    if positions.dtype == bool and positions.shape == (n,):
        positions = np.flatnonzero(positions)
    if positions.ndim != 1 or positions.dtype.kind not in "iu" or not positions.size:
        raise DataError(f"{name} are positions of samples, a list of whole numbers; got {rows!r}.")
    if positions.min() < 0 or positions.max() >= n:
        raise DataError(f"{name} are positions from 0 to {n - 1}; got {positions.min()} to {positions.max()}.")
    return positions


def list_members(members: int | Sequence[Mapping[str, Any]], seed: int) -> list[Mapping[str, Any]]:
    """Return the members asked for: a number of seeds, or a list of differences."""
    if is_whole(members):
        if members < 1:
            raise SettingError(f"members is a number of at least 1, or a list of differences; got {members}.")
        check_room({}, int(members))
        return [{"seed": seed + i} for i in range(int(members))]
    if isinstance(members, str | Mapping) or not isinstance(members, Sequence) or not members:
        raise SettingError(
            "members is a number of seeds, or a list of what makes each different, such as "
            f'[{{"seed": 0}}, {{"optimizer.lr": 0.1}}]; got {members!r}.'
        )
    return list(members)
