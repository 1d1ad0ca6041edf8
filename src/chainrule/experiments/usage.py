"""Which options have an effect on what: one that is given and would have none is an error.

`NEEDS` is the one table of it: for each option what it needs, as a function of the `Situation` that says what is
missing, or None. An option that always has an effect (or is checked where it is used, as a momentum that an optimizer
does not have) is in `ALWAYS`, as the settings of the training are without more. To add another option, give it a row in
one of the two; a test fails until it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.data import Dataset
from chainrule.data.idx import IDX_NAME
from chainrule.data.sources import BUNDLED, MIRRORED, is_image_data
from chainrule.errors import SettingError
from chainrule.experiments.presets import normalize_name
from chainrule.experiments.settings import ExperimentSettings, OptimizerSettings, RepeatSettings
from chainrule.fields import settings_of
from chainrule.files import as_path
from chainrule.run_settings import (
    CheckpointSettings,
    DoctorSettings,
    EngineSettings,
    RecordSettings,
    TrainingSettings,
)
from chainrule.tables.read import has_named_columns, is_table
from chainrule.tables.table import Table

#: The kinds of data, and how one of them is called.
KINDS = {
    "text": "a table of text",
    "parquet": "a Parquet file",
    "npz": "an .npz file",
    "pictures": "a folder of pictures",
    "idx": "a folder of IDX files",
    "bundled": "a bundled data set",
    "mirrored": "a data set that comes by its name",
}
#: The kinds of data that is given itself, in Python.
IN_MEMORY = {"frame": "a table in memory", "arrays": "no table"}
TABLES = ("text", "parquet", "frame")


@dataclass(frozen=True)
class Situation:
    """What a command is about to do, as far as it is known.

    Attributes
    ----------
    data : its data, as named
    settings : of the run: as asked for, or without gaps
    dataset : the data, loaded
    named : the parts that a column of a table names: "train", "validation", "test"
    task : of the model that predicts
    out : the file that is written
    distributed : whether there are several processes
    live : whether the run is shown while it goes on
    kind : of the data, one of `KINDS` or `IN_MEMORY`; None: by its name or path, if that is known
    """

    data: str | None = None
    settings: ExperimentSettings | None = None
    dataset: Dataset | None = None
    named: tuple[str, ...] = ()
    task: str | None = None
    out: Path | None = None
    distributed: bool = False
    live: bool = False
    kind: str | None = None

    def __post_init__(self) -> None:
        if self.kind is None and self.data is not None:
            object.__setattr__(self, "kind", kind_of(self.data))


#: What an option lacks, as a clause that follows its name, for this value of it; None: it has an effect.
Rule = Callable[[Situation, Any], str | None]


def kind_of(data: str) -> str | None:
    """Return the kind of some data by its name or path, one of `KINDS`; None for what is not there.

    >>> kind_of("digits"), kind_of("people.csv"), kind_of("nothing")
    ('bundled', 'text', None)
    """
    if (name := normalize_name(data)) in BUNDLED or name in MIRRORED:
        return "bundled" if name in BUNDLED else "mirrored"
    if is_table(data):
        return "parquet" if data.lower().endswith((".parquet", ".pq")) else "text"
    path = as_path(data)
    if path.suffix.lower() == ".npz":
        return "npz"
    try:
        if not path.is_dir():
            return None
        has_idx = any(IDX_NAME.fullmatch(file.name) for file in path.iterdir())
    except (OSError, ValueError):  # whoever reads it says what is wrong
        return None
    return "idx" if has_idx else "pictures" if is_image_data(data) else None


def kind_in_memory(data: Any) -> str | None:
    """Return the kind of data that is given itself, one of `IN_MEMORY`; None for names and paths.

    >>> kind_in_memory(([[0.0], [1.0]], [0, 1])), kind_in_memory("digits")
    ('arrays', None)
    """
    if data is None or isinstance(data, str):
        return None
    sample = data[0] if isinstance(data, tuple) and data else data
    is_frame = isinstance(data, Table) or has_named_columns(sample)
    return "frame" if is_frame else "arrays"


def check_used(situation: Situation, values: Mapping[str, Any], where: str = "") -> None:
    """Raise `SettingError` for a value that would have no effect.

    Parameters
    ----------
    values : what was given, by the names of the options; None: it was not
    where : to name it by instead of its option: "--space: "
    """
    for name, value in values.items():
        rule = NEEDS.get(name)
        if value is not None and rule is not None and (lack := rule(situation, value)) is not None:
            option = f"{where}{name}" if where else f"--{name.rpartition('.')[2].replace('_', '-')}"
            raise SettingError(f"{option} {lack}")


def _of(*kinds: str, what: str, instead: str = "leave it out") -> Rule:
    """Return a rule for options that are for these kinds of data."""

    def rule(situation: Situation, value: Any) -> str | None:
        kind = situation.kind
        if kind is None or kind in kinds:
            return None
        return f"is for {what}, and {situation.data} is {(KINDS | IN_MEMORY)[kind]}: {instead}."

    return rule


def _named_by_preset(situation: Situation, value: Any) -> str | None:
    if situation.settings is None or situation.settings.net is None or value == "auto":
        return None
    return "is for the network of a preset, and the settings name a network of their own (net): leave it out."


def _hidden_layers(what: str) -> Rule:
    def rule(situation: Situation, value: Any) -> str | None:
        settings = situation.settings
        if settings is None or situation.dataset is None or not value:
            return _named_by_preset(situation, value) if value else None
        if settings.net is not None:
            return _named_by_preset(situation, value)
        if settings.hidden or (what == "activation" and settings.preset == "cnn"):
            return None
        return f"is for hidden layers, and this network (preset {settings.preset}) has none: leave it out, or give " \
               "--hidden 64."  # fmt: skip

    return rule


def _test(situation: Situation, value: Any) -> str | None:
    if situation.named:
        return "draws rows by lot, and a column of the table names the parts: leave it out."
    if situation.dataset is None or situation.dataset.x_test is None or situation.dataset.preparation is not None:
        return None
    return f"draws rows by lot, and {situation.data} has a test part of its own: leave it out."


def _validation(situation: Situation, value: Any) -> str | None:
    settings, dataset = situation.settings, situation.dataset
    if settings is None or dataset is None:
        return None
    if "validation" in situation.named:
        return "draws rows by lot, and a column of the table names those for validation: leave it out."
    if dataset.validation is not None and dataset.preparation is None:
        return f"draws rows by lot, and {situation.data} has a validation part of its own: leave it out."
    if settings.folds is not None and value and not settings.early_stopping:
        return "draws rows for early stopping, where there are --folds: leave it out, or add --early-stopping 5."
    return None


def _normalize_target(situation: Situation, value: Any) -> str | None:
    dataset, settings = situation.dataset, situation.settings
    if dataset is None or settings is None or not value:
        return None
    if dataset.task != "regression":
        return f"is for numbers to predict, and {situation.data} has classes: leave it out."
    if settings.net is None and settings.output != "linear":
        return f"is for linear outputs, and these are {settings.output}: leave it out, or leave out --output."
    return None


def _class_weight(situation: Situation, value: Any) -> str | None:
    if situation.dataset is None or situation.dataset.task != "regression":
        return None
    return f"is for classes, and {situation.data} has numbers to predict: leave it out."


def _save(situation: Situation, value: Any) -> str | None:
    settings = situation.settings
    if settings is None:
        return None
    if settings.folds is not None:
        return "chooses the model of several seeds, and --folds trains one model in the end: leave one of them out."
    if (settings.seeds or 1) == 1:
        return "chooses the model of several seeds; add --seeds 8, for example."
    return None


def _one_network(why: str) -> Rule:
    def rule(situation: Situation, value: Any) -> str | None:
        settings = situation.settings
        if settings is None or settings.folds is not None or (settings.seeds or 1) == 1:
            return None
        return f"{why} of one network; several seeds are kept after epochs. Leave it out."

    return rule


def _doctor(situation: Situation, value: Any) -> str | None:
    settings = situation.settings
    if settings is None or value == "off" or (settings.folds is None and (settings.seeds or 1) == 1):
        return None
    return "examines the training of one network, and several are trained here: leave it out."


def _record(situation: Situation, value: Any) -> str | None:
    settings = situation.settings
    if settings is None or value == "none" or settings.folds is not None or (settings.seeds or 1) == 1:
        return None
    return "records the training of one network, and several are trained here: leave it out."


def _distributed(situation: Situation, value: Any) -> str | None:
    return None if situation.distributed else "belongs to --distributed; add it."


def _live(situation: Situation, value: Any) -> str | None:
    return None if situation.live else "is for the page of --live: add it."


def _probabilities(situation: Situation, value: Any) -> str | None:
    if not value or situation.task != "regression":
        return None
    return "is for classes, and this network predicts numbers: leave it out."


def _onnx(situation: Situation, value: Any) -> str | None:
    if situation.out is None or situation.out.suffix.lower() == ".onnx":
        return None
    return f"is for ONNX, and {situation.out} holds weights for PyTorch: leave it out, or write NAME.onnx."


def _data_of_check(situation: Situation, value: Any) -> str | None:
    return _MNIST(situation, value) if situation.data is not None else "is for the data of --check: add it."


_COLUMNS = {"what": "the columns of tables"}
_MNIST = _of("mirrored", what="mnist and fashion_mnist")

#: What each option needs to have an effect. A name with a dot is of one command only.
NEEDS: dict[str, Rule] = {
    "target": _of(*TABLES, **_COLUMNS, instead="its targets are known; leave it out"),
    "task": _of(
        *TABLES,
        what="the target of tables",
        instead="leave it out (whole numbers, text and truth values are classes, and floating numbers are numbers to "
        "predict: y.astype(int) makes classes of them)",
    ),
    "column": _of(*TABLES, **_COLUMNS),
    "drop": _of(*TABLES, **_COLUMNS),
    "group": _of(*TABLES, **_COLUMNS),
    "time": _of(*TABLES, **_COLUMNS),
    "split": _of(*TABLES, **_COLUMNS, instead="leave it out (parts are given as x_train, x_test and folders)"),
    "components": _of(*TABLES, **_COLUMNS),
    "missing": _of(*TABLES, **_COLUMNS),
    "encoding": _of("text", what="tables of text"),
    "separator": _of("text", what="tables of text"),
    "image_size": _of("pictures", what="folders of pictures"),
    "data_dir": _MNIST,
    "preset": _named_by_preset,
    "hidden": _named_by_preset,
    "output": _named_by_preset,
    "init": _named_by_preset,
    "activation": _hidden_layers("activation"),
    "dropout": _hidden_layers("dropout"),
    "test": _test,
    "validation": _validation,
    "normalize_target": _normalize_target,
    "class_weight": _class_weight,
    "save": _save,
    "checkpoint_every": _one_network("counts the steps"),
    "checkpoint_minutes": _one_network("is for the checkpoints"),
    "doctor": _doctor,
    "record": _record,
    "coordinator": _distributed,
    "processes": _distributed,
    "process_id": _distributed,
    "start_timeout": _distributed,
    "heartbeat_timeout": _distributed,
    "train.port": _live,
    "train.open": _live,
    "search.port": _live,
    "search.open": _live,
    "predict.probabilities": _probabilities,
    "export.opset": _onnx,
    "export.check": _onnx,
    "export.data_dir": _data_of_check,
}

#: Options that always have an effect, or are checked where they are used: those of the training, unless they are above,
#: and these.
ALWAYS = frozenset(
    name
    for group in (
        *(TrainingSettings, OptimizerSettings, EngineSettings, CheckpointSettings, DoctorSettings),
        *(RecordSettings, RepeatSettings),
    )
    for name, each in settings_of(group).items()
    if each.options and name not in NEEDS
) | frozenset(
    "version debug data run folder config out resume distributed space trials sampler stages metric timeout max_epochs "
    "study study_name retrain as_json rows versions shell subject no_trials budget guide json_file html_file "
    "everything strict runs live port open_browser serve of_training".split()
)

#: Those whose need is a kind of data alone: they are checked before it is loaded, and in a file of settings, too.
OF_DATA = (
    "target", "task", "column", "group", "time", "split", "components", "missing", "encoding", "separator",
    "image_size",
)  # fmt: skip
