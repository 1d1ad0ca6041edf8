"""The settings of a run from the command line and from a file; what was typed wins over what is in the file.

They are those of `fit` (`chainrule.run_settings`), and those that only a name can give: of the data, of the network of
a preset, of the optimizer. What is left open, None, is decided by the preset (`chainrule.experiments.presets`).
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from chainrule.checks import check_fraction, check_name, check_whole, is_number, is_whole
from chainrule.errors import ChainruleError, FileError, SettingError, unknown_name
from chainrule.fields import Option, Setting, setting, settings_of
from chainrule.files import as_path, check_text
from chainrule.keywords import instead
from chainrule.run_settings import (
    BY_PRESET,
    CheckpointSettings,
    DoctorSettings,
    EngineSettings,
    RecordSettings,
    TrainingSettings,
)
from chainrule.settings import PlainSettings

#: The presets; "auto" chooses one of the others by the data.
PRESET_NAMES = ("auto", "table", "mlp", "cnn", "linear", "nielsen")

#: What the model of a run of several seeds may be.
SAVED = ("ensemble", "best")

#: What data may be.
DATA_HELP = (
    "A table (.csv, .tsv, .parquet), an .npz file, a folder of pictures by class or of IDX files, or a name: digits, "
    "iris, wine, breast_cancer, diabetes, mnist, fashion_mnist."
)


def parse_hidden(text: str) -> tuple[int, ...]:
    """``"128,64"`` as (128, 64); ``"none"`` is no hidden layer."""
    if text.strip().lower() == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--hidden takes the units of each hidden layer, such as 128,64 (or none), got {text!r}."
        ) from None


def parse_image_size(text: str) -> tuple[int, int]:
    """``"48x64"`` as (48, 64), height and width; ``"64"`` is (64, 64)."""
    height, by, width = text.lower().partition("x")
    try:
        return int(height), int(width if by else height)
    except ValueError:
        raise SettingError(f"--image-size takes height x width in pixels, such as 48x64, got {text!r}.") from None


def parse_missing(text: str) -> tuple[str, ...]:
    """``"NA,?"`` as ("NA", "?"); ``"none"`` is no text, so that only empty cells are missing."""
    return () if text == "none" else tuple(part.strip() for part in text.split(",") if part.strip())


@dataclass(frozen=True, kw_only=True)
class DataSettings(metaclass=PlainSettings):
    """Which data, and how they are read and split."""

    data: str | None = setting(
        None,
        DATA_HELP,
        Option(
            "DATA",
            help=f"{DATA_HELP} Not needed with --resume, or if --config names it.",
            argument=True,
            complete="data",
        ),
    )
    target: str | None = setting(None, "The column of a table that is to be predicted.", Option("COLUMN"))
    task: str | None = setting(
        None, "classification or regression.", Option("NAME", "by the target's values", complete="tasks")
    )
    columns: Mapping[str, Any] | None = setting(
        None,
        "Kinds of columns, or tables of their settings, where you know better (see `chainrule.Table`).",
        (
            Option(
                "NAME=KIND",
                help="What a column is, where you know better: number, boolean, category, date, text. Can be repeated.",
                name="column",
                repeated=True,
            ),
            Option("COLUMN", help="Leave a column out. Can be repeated.", name="drop", repeated=True),
        ),
    )
    encoding: str | None = setting(
        None, "Of a table that is not UTF-8: cp1252, latin-1, ...", Option("NAME", complete="encodings")
    )
    separator: str | None = setting(
        None, "Of a table's cells, if it cannot be told: ',', ';', '|' or tab.", Option("CHARACTER")
    )
    missing: tuple[str, ...] | None = setting(
        None,
        "The texts of a table that stand for missing values; none: only empty cells.",
        Option("TEXT,TEXT,...", "NA, nan, null, ?, -, ...", parse=parse_missing),
    )
    image_size: tuple[int, ...] | None = setting(
        None,
        "Of the pictures of a folder: what all are brought to, and what the network takes from then on.",
        Option("HxW", "their median size, at most 64 pixels along a side", parse=parse_image_size),
    )
    group: str | None = setting(None, "Keep rows with the same value of this column in one part.", Option("COLUMN"))
    time: str | None = setting(
        None, "Test on the latest rows by this column, validate on those before.", Option("COLUMN")
    )
    split: str | None = setting(
        None,
        "The column that says train, validation or test.",
        Option("COLUMN", "one called split, if it does"),
    )
    components: float | None = setting(
        None,
        "Reduce a table's inputs to N principal components, or (below 1) to that share of variance.",
        Option("N"),
    )
    test: float | None = setting(
        None,
        "Share of the rows for the test, if the data has no test part.",
        Option("FRACTION", "0.2 for tables and bundled data, else 0"),
    )
    data_dir: str | None = setting(
        None, "Where mnist/ and fashion_mnist/ lie (or set CHAINRULE_DATA).", Option("DIR", complete="folders")
    )


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(metaclass=PlainSettings):
    """The network that a preset makes, or a network in a file."""

    preset: str = setting(
        "auto",
        "auto, table, mlp, cnn, linear or nielsen.",
        Option("NAME", "auto: by the data", complete="presets"),
    )
    net: Mapping[str, Any] | None = setting(
        None,
        "A network as `Layer.to_dict` describes it, instead of a preset.",
        "a whole network is written in a file",
    )
    hidden: tuple[int, ...] | None = setting(
        None, "Units of the hidden dense layers.", Option("N,N,...", BY_PRESET, parse=parse_hidden)
    )
    activation: str | None = setting(
        None,
        "Of the hidden layers: relu, tanh, sigmoid, gelu, ...",
        Option("NAME", "relu", complete="activations"),
    )
    output: str | None = setting(
        None,
        "Activation of the last layer.",
        Option("NAME", "softmax for classes, linear for numbers", complete="activations"),
    )
    init: str | None = setting(
        None,
        "Initial weights: he_normal, normal, ...",
        Option("NAME", "by the activation", complete="initializers"),
    )
    dropout: float | None = setting(None, "Rate after each hidden dense layer.", Option("RATE", BY_PRESET))


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings(metaclass=PlainSettings):
    """What an optimizer has, in Python as an object: `chainrule.experiments.presets.optimizer` makes it of these."""

    heading: ClassVar[str] = "Training"

    lr: float | None = setting(None, "Learning rate.", Option("RATE", "the preset's, or the optimizer's"))
    momentum: float | None = setting(None, "For sgd and rmsprop.", Option("PART", "none"))
    weight_decay: float | None = setting(
        None,
        "Part of each weight that a step takes away, times the learning rate.",
        Option("PART", BY_PRESET),
    )
    schedule: str | Mapping[str, Any] | None = setting(
        None,
        "Of the learning rate: constant, cosine, step_decay, one_cycle, ...",
        Option("NAME", BY_PRESET, complete="schedules"),
    )


@dataclass(frozen=True, kw_only=True)
class TrialSettings(DataSettings, NetworkSettings, OptimizerSettings, TrainingSettings, EngineSettings):
    """What can be told of the training of one network: where `fit` has a value, None leaves it to the preset."""

    loss: str | Mapping[str, Any] | None = None  # type: ignore[assignment]
    optimizer: str | Mapping[str, Any] | None = None
    epochs: int | None = None  # type: ignore[assignment]
    batch_size: int | None = None  # type: ignore[assignment]
    validation: float | None = None
    augment: str | Mapping[str, Any] | None = None
    normalize: bool | None = None  # type: ignore[assignment]
    normalize_target: bool | None = None  # type: ignore[assignment]
    early_stopping: int | Mapping[str, Any] | None = None  # type: ignore[assignment]
    class_weight: str | Mapping[str, Any] | None = None
    micro_batches: None = None  # type: ignore[assignment]  # Python alone has it

    def __post_init__(self) -> None:
        from chainrule import augment
        from chainrule.data.images import check_size

        for name, value in vars(self).items():
            if value == "":
                raise SettingError(f"{name} is empty: say what it is, or leave it out.")
        check_name("preset", self.preset, PRESET_NAMES)
        check_whole("seed", self.seed, 0)
        check_size(self.image_size)
        check_text(vars(self))
        if self.augment is not None:
            augment.get(self.augment)
        for name in ("test", "validation"):
            check_fraction(name, getattr(self, name) or 0.0, or_zero=True)


@dataclass(frozen=True, kw_only=True)
class RepeatSettings(metaclass=PlainSettings):
    """Several networks instead of one."""

    heading: ClassVar[str] = "Several networks"

    seeds: int | None = setting(
        None,
        "Train N networks as one population: seeds SEED, SEED + 1, … on the same split of the rows; the model is their "
        "ensemble (see --save), and scores come with mean, deviation and interval.",
        Option("N", "1"),
    )
    folds: int | None = setting(
        None,
        "Cross-validate first, with K folds of the training rows (and --seeds networks for each); then train the model "
        "on all of them, with the first seed.",
        Option("K", "none"),
    )
    save: str | None = setting(
        None,
        "Of several seeds: ensemble (one model that averages all of them) or best (the one with the best validation "
        "score; without validation, training score).",
        Option("NAME", "ensemble", complete="models to save"),
    )


@dataclass(frozen=True, kw_only=True)
class ExperimentSettings(TrialSettings, RepeatSettings, CheckpointSettings, DoctorSettings, RecordSettings):
    """What a training run can be told: the keys of ``config.toml``.

    Example
    -------
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> ExperimentSettings(data="digits", hidden=(30,)).preset
    'auto'
    """

    checkpoint_minutes: float = 10.0
    doctor: str = "watch"

    def __post_init__(self) -> None:
        super().__post_init__()
        DoctorSettings.__post_init__(self)
        RecordSettings.__post_init__(self)
        if self.seeds is not None:
            check_whole("seeds", self.seeds)
        if self.folds is not None:
            check_whole("folds", self.folds, 2, note=": with one fold, nothing is left to train on")
        if self.save not in (None, *SAVED):
            raise unknown_name("model to save", self.save, SAVED)

    def to_dict(self) -> dict[str, Any]:
        """Return all settings, plain, in the order of the options: the data first.

        >>> from chainrule.experiments.settings import ExperimentSettings
        >>> next(iter(ExperimentSettings(data="digits").to_dict().items()))
        ('data', 'digits')
        """
        values = dataclasses.asdict(self)
        return {name: values[name] for name in settings_of(type(self))}


#: What a file may hold.
FIELDS = {
    name: each
    for name, each in settings_of(ExperimentSettings).items()
    if each.options or each.group is NetworkSettings
}

#: How the types of settings are called in a message, and which values of a file fit them.
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text in quotes", lambda v: isinstance(v, str)),
    "int": ("a whole number", is_whole),
    "float": ("a number", is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "tuple[int, ...]": (
        "a list of whole numbers, such as [128, 64]",
        lambda v: isinstance(v, list) and all(map(is_whole, v)),
    ),
    "tuple[str, ...]": (
        'a list of texts, such as ["NA", "?"]',
        lambda v: isinstance(v, list) and all(isinstance(text, str) for text in v),
    ),
    "Mapping[str, Any]": ("a table", lambda v: isinstance(v, Mapping)),
}


def fits(field: Setting, value: Any) -> bool:
    """Return whether a value of a file is one that a setting may have."""
    return any(KINDS[kind][1](value) for kind in field.types)


def settings_from(typed: Mapping[str, Any], file: Path | None) -> ExperimentSettings:
    """Return the settings of a file (if there is one) with those given on the command line put over them."""
    values = {name: _value(name, text) for name, text in typed.items() if name not in ("column", "drop")}
    columns = parse_columns(typed.get("column", ()), typed.get("drop", ()))
    settings = read_settings(file) | values
    if columns:
        settings["columns"] = {**settings.get("columns", {}), **columns}
    return ExperimentSettings(**settings)


def _value(name: str, typed: Any) -> Any:
    return str(typed) if isinstance(typed, Path) else parse_text(name, typed)


def parse_text(name: str, value: Any) -> Any:
    """Return what a text says where a setting is neither text nor a number; any other value as it is.

    >>> from chainrule.experiments.settings import parse_text
    >>> parse_text("image_size", "48x64"), parse_text("hidden", (30,)), parse_text("target", "48x64")
    ((48, 64), (30,), '48x64')
    """
    option = (
        next((option for option in FIELDS[name].options if option.parse is not None), None) if name in FIELDS else None
    )
    return value if option is None or option.parse is None or not isinstance(value, str) else option.parse(value)


def read_settings(path: str | os.PathLike[str] | None, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """Read the settings in a TOML file, checked: no unknown keys, no values of the wrong kind; none without a file."""
    if path is None:
        return {}
    path = as_path(path)
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of TOML, UTF-8, numbers of thousands of digits, deep nesting
        raise FileError(f"{path} is not a readable TOML file: {error}.") from None
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}. Expected the settings of a run, a config.toml."
        ) from None
    plain = {name: value for name, value in plain.items() if name not in leave_out}
    for name, value in plain.items():
        if name not in FIELDS:
            raise SettingError(f"{path}: there is no setting {name!r}{instead(name, FIELDS)}")
        if not fits(FIELDS[name], value):
            kinds = " or ".join(KINDS[kind][0] for kind in FIELDS[name].types)
            raise SettingError(f"{path}: {name} is {kinds}, got {value!r}.")
        if isinstance(value, list):
            plain[name] = tuple(value)
    if "net" in plain:  # written by `fit`, which leaves out what is not used
        plain = {"validation": 0.0} | plain
    try:
        ExperimentSettings(**plain)
    except ChainruleError as error:
        raise type(error)(f"{path}: {error}") from None
    return plain


def parse_columns(kinds: Iterable[str], dropped: Iterable[str]) -> dict[str, Any]:
    """``NAME=KIND`` and names to leave out, as `Table` takes them."""
    columns: dict[str, Any] = {}
    for text in kinds:
        name, mark, kind = text.rpartition("=")
        if not mark or not name or not kind:
            raise SettingError(f"--column takes a column and what it is, such as Cabin=category, got {text!r}.")
        if columns.setdefault(name, kind.strip()) != kind.strip():
            raise SettingError(f"--column says that {name} is {columns[name]} and that it is {kind.strip()}.")
    dropped = tuple(dropped)
    for name in dropped:
        if name in columns:
            raise SettingError(f"--column says that {name} is {columns[name]}, and --drop leaves it out: choose one.")
    return columns | {name: {"use": False} for name in dropped}
