"""A change that may take a cause away: of settings, of the network, of the data."""

from __future__ import annotations

import dataclasses
import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from chainrule.errors import SettingError
from chainrule.fields import settings_of
from chainrule.layers import Dense, Layer, Sequential
from chainrule.models import Model
from chainrule.recipe.settings_paths import ROOTS, root_of, with_setting
from chainrule.run_settings import TrainingSettings
from chainrule.settings import replace
from chainrule.symptoms.changed_data import clipped, other_rows, scaled, without_columns, without_rows
from chainrule.symptoms.command_line import NoOption, options_of
from chainrule.symptoms.plain import Plain
from chainrule.symptoms.plain_settings import Unwritten, read_setting, written_setting
from chainrule.symptoms.python_code import Unwritable, python_of

__all__ = ["DataChange", "Fix"]

#: Of more rows than this, code names where they are found instead of listing them.
MOST_ROWS = 60


@dataclass(frozen=True)
class DataChange(Plain):
    """A change of the data.

    Attributes
    ----------
    kind : "drop_columns", "drop_rows", "clip" or "scale"
    columns : names or positions of the inputs it is about; of "clip" and "scale" () is the target
    rows : numbers of training rows, counted from 0 in the data as it was given
    low, high : of "clip", the least and the largest value of each column; of "scale", what is subtracted and what it is
        then divided by

    Example
    -------
    >>> import numpy as np
    >>> from chainrule.symptoms.fix import DataChange
    >>> change = DataChange("clip", columns=(1,), low=(0.0,), high=(9.0,))
    >>> (x, y), settings = change.apply((np.array([[1.0, 2.0], [3.0, -999.0]]), np.array([0, 1])), {})
    >>> x.tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """

    kind: str
    columns: tuple[str | int, ...] = ()
    rows: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def apply(self, data: Any, settings: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the data with this change, and the settings that go with it; nothing that was passed is changed.

        Parameters
        ----------
        data
            Whatever `fit` takes. Of a `Dataset` the training part is changed (columns are left out of all parts).
        settings
            Keywords of `fit`: weights of samples lose their rows, validation data its columns.

        Raises
        ------
        SettingError
            A column or row that there is not, and changes that cannot be made of a stream.
        """
        if self.kind == "drop_columns":
            return without_columns(data, settings, self.columns)
        if self.kind == "drop_rows":
            return without_rows(data, settings, self.rows)
        if self.kind in ("clip", "scale"):
            change = clipped if self.kind == "clip" else scaled
            return change(data, settings, self.columns, self.low, self.high)
        raise SettingError(f"A change of data is drop_columns, drop_rows, clip or scale, got {self.kind!r}.")

    def code(self, place: int = 0, table: bool = False) -> str:
        """Return the lines of Python that change ``x`` and ``y``, or the `Table` ``data``.

        ``place`` is that among the changes of a fix.
        """
        columns = python_of(list(self.columns))
        named = table or any(isinstance(column, str) for column in self.columns)
        if self.kind == "drop_columns":
            if table:
                left_out = python_of({column: {"use": False} for column in self.columns})
                arguments = f"columns={{**data.columns, **{left_out}}}, task=data.task"
                return f"data = cr.Table.read(data.frame, data.target, {arguments})"
            return f"x = x.drop(columns={columns})" if named else f"x = np.delete(x, {columns}, axis=1)"
        if self.kind == "drop_rows":
            many = len(self.rows) > MOST_ROWS
            rows = f"list(diagnosis.fix.data[{place}].rows)" if many else python_of(list(self.rows))
            lines = textwrap.wrap(f"rows = {rows}", 100, subsequent_indent="    ")
            if table:
                lines += ["frame = data.frame.drop(index=data.frame.index[rows]).reset_index(drop=True)"]
                return "\n".join([*lines, "data = data.with_rows(frame)"])
            return "\n".join([*lines, "x, y = np.delete(x, rows, axis=0), np.delete(y, rows, axis=0)"])
        low, high = (python_of(ends[0] if len(ends) == 1 else list(ends)) for ends in (self.low, self.high))
        whole, variable = ("x", f"x[:, {columns}]") if self.columns else ("y", "y")
        if named:
            whole = "frame" if table else "x"
            variable = f"{whole}[{columns if self.columns else '[data.target]'}]"
        new = f"np.clip({variable}, {low}, {high})" if self.kind == "clip" else f"({variable} - {low}) / {high}"
        if table:
            return f"frame = data.frame.copy()\n{variable} = {new}\ndata = data.with_rows(frame)"
        return f"{variable} = {new}" if whole == "y" else f"x = x.copy()\n{variable} = {new}"


@dataclass(frozen=True)
class Fix(Plain):
    """A change that may take a cause away.

    Attributes
    ----------
    text : what to do, as a sentence
    changes : what to set, in the words of a member of `fit_population`: ``"optimizer.lr"``, ``"net"``, ``"normalize"``
    data : changes of the data, in their order
    before : the network, and the settings that were not the usual ones, so that the changed ones can be written as
        code; ``"data": "table"`` where the data is a `Table`

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.symptoms.fix import Fix
    >>> fix = Fix("A lower rate.", {"optimizer.lr": 0.01}, before={"optimizer": cr.Adam(lr=1.0)})
    >>> iris = cr.data.load("iris")
    >>> net, data, settings = fix.apply(cr.Dense(3, "softmax"), iris, {"optimizer": cr.Adam(lr=1.0), "epochs": 5})
    >>> settings
    {'optimizer': Adam(0.01), 'epochs': 5}
    >>> print(fix.code())
    run = cr.fit(net, (x, y), optimizer=cr.Adam(0.01))
    >>> print(fix.command())
    --lr 0.01
    """

    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[DataChange, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    parts: ClassVar[Mapping[str, type]] = {"data": DataChange}

    def apply(self, net: Any, data: Any, settings: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Return network, data and settings with the fix, ready for `fit`; nothing that was passed is changed.

        Parameters
        ----------
        net
            A layer, a model, or a function of the data that makes a layer.
        data
            Whatever `fit` takes: (x, y), a `Dataset`, a `Table` or a stream.
        settings
            Keywords of `fit`.

        Raises
        ------
        SettingError
            What cannot be changed: settings of a network whose weights are gone on with, columns of a stream, a fix
            that was read from a file which could not hold it.

        Example
        -------
        >>> import chainrule as cr
        >>> from chainrule.symptoms.fix import Fix
        >>> Fix("More epochs.", {"epochs": 40}).apply(cr.Dense(3, "softmax"), cr.data.load("iris"), {"seed": 1})[2]
        {'seed': 1, 'epochs': 40}
        """
        changed = dict(settings)
        for change in self.data:
            data, changed = change.apply(data, changed)
            if change.kind == "drop_columns":
                net = _for_any_inputs(net)
        known = settings_of(TrainingSettings)
        for path, value in sorted(self.changes.items(), key=lambda item: "." in item[0]):  # paths lead into the others
            if isinstance(value, Unwritten):
                raise SettingError(f"{path} cannot be set to what a file could not hold: {value}.")
            if path == "net":
                net = value
            elif path == "rows":
                data, changed = without_rows(data, changed, other_rows(data, value))
            elif "." in path and root_of(path) in ROOTS:
                net, changed = _with_path(net, changed, path, value)
            elif path in known:
                changed[path] = value
            else:
                raise SettingError(f"There is no setting {path!r} that could be changed.")
        return net, data, changed

    def code(self) -> str:
        """Return lines of Python to paste, where ``net``, ``x`` and ``y`` are what was trained; and on what."""
        try:
            return "\n".join(self._lines())
        except Unwritable:
            return "# with diagnosis.fix as the fix, and settings as a dict:\n" + "\n".join(
                f"# {line}"
                for line in (
                    "net, data, settings = diagnosis.fix.apply(net, (x, y), settings)",
                    "run = cr.fit(net, data, **settings)",
                )
            )

    def _lines(self) -> Iterator[str]:
        table = self.before.get("data") == "table"
        if self.data:
            yield "import numpy as np\n"
            for place, change in enumerate(self.data):
                yield change.code(place, table)
        settings = self._wholes()
        net = settings.pop("net", None)
        if net is not None:
            yield f"net = {python_of(net)}"
        arguments = ["net", "data" if table else "(x, y)"]
        for name, value in settings.items():
            try:
                arguments.append(f"{name}={python_of(value)}")
            except Unwritable:
                if name in {root_of(path) for path in self.changes}:
                    raise
                yield f"# {name}: as it is"
        call = f"run = cr.fit({', '.join(arguments)})"
        yield call if len(call) <= 110 else "run = cr.fit(\n    " + ",\n    ".join(arguments) + ",\n)"

    def _wholes(self) -> dict[str, Any]:
        """Return all settings that are not the usual ones, each as a whole: the optimizer instead of its rate."""
        changed = {root_of(path) for path in self.changes}
        wholes = {name: value for name, value in self.before.items() if name not in ("net", "data")}
        if "net" in changed and "net" in self.before:
            wholes["net"] = self.before["net"]
        for path, value in sorted(self.changes.items(), key=lambda item: "." in item[0]):
            root, _, rest = path.partition(".")
            if rest and root not in wholes:
                raise Unwritable(f"What {path} leads into is not known.")
            wholes[root] = replace(wholes[root], rest, value) if rest else value
        return wholes

    def command(self) -> str:
        """Return the options of ``chainrule train`` that make the change; "" where there are none."""
        words: list[str] = []
        for change in self.data:
            if change.kind != "drop_columns" or not all(isinstance(column, str) for column in change.columns):
                return ""
            for column in change.columns:
                words += ["--drop", str(column)]
        try:
            return shlex.join([*words, *options_of(self.changes, self.before)])
        except NoOption:
            return ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values; a part that no file can hold (a function) as its text."""
        plain = super().to_dict()
        for name in ("changes", "before"):
            plain[name] = {path: written_setting(value) for path, value in getattr(self, name).items()}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described."""
        fix = super().from_dict({key: value for key, value in plain.items() if key not in ("changes", "before")})
        settings = {
            name: {path: read_setting(value) for path, value in plain.get(name, {}).items()}
            for name in ("changes", "before")
        }
        return dataclasses.replace(fix, **settings)  # type: ignore[arg-type]


def _with_path(net: Any, settings: dict[str, Any], path: str, value: Any) -> tuple[Any, dict[str, Any]]:
    """Return network and settings with the setting at a dotted path."""
    root = root_of(path)
    if root == "net":
        if callable(net) and not isinstance(net, Layer | Model):
            return _made_with(net, path, value), settings
        return with_setting(net, TrainingSettings(), path, value)[0], settings
    alone = TrainingSettings(**({root: settings[root]} if root in settings else {}))
    _, new = with_setting(net, alone, path, value)
    return net, {**settings, root: getattr(new, root)}


def _made_with(make: Callable[[Any], Any], path: str, value: Any) -> Callable[[Any], Any]:
    return lambda data: with_setting(make(data), TrainingSettings(), path, value)[0]


def _for_any_inputs(net: Any) -> Any:
    """Return the network for any number of inputs."""
    if isinstance(net, Model):
        raise SettingError("A model that is gone on with keeps its inputs: train a new network without the columns.")
    path, first = "", net
    while isinstance(first, Sequential) and len(first):
        path, first = f"{path}layers.0.", first[0]
    if not isinstance(first, Dense) or first.inputs is None:
        return net
    return replace(net, f"{path}inputs", None)
