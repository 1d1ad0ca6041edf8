"""The settings of a run: each stands here once, with its default, its help, and its option on the command line.

To add one, write its field here and use it; `fit`, `fit_population`, the estimators, files and commands take it then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from chainrule.checks import check_whole
from chainrule.errors import SettingError, unknown_name
from chainrule.fields import Option, setting
from chainrule.settings import PlainSettings, check_number

if TYPE_CHECKING:
    from pathlib import Path

    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer
    from chainrule.recipe.callbacks import Callback, EarlyStopping

__all__ = [
    "CallbackSettings",
    "CheckpointSettings",
    "DoctorSettings",
    "EngineSettings",
    "FitSettings",
    "PopulationSettings",
    "RecordSettings",
    "RunSettings",
    "TrainerSettings",
    "TrainingSettings",
]

#: What is decided where the command line leaves a setting open.
BY_PRESET = "by the preset"


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingSettings(metaclass=PlainSettings):
    """What is trained and how: what makes the weights that they become. See `fit`."""

    loss: str | Loss = setting(
        "auto",
        'A name, an object, or a function ``(a, y) -> cost of each sample``. "auto" follows the output layer: softmax '
        "and categorical cross-entropy, sigmoid and binary cross-entropy, linear and quadratic cost.",
        Option("NAME", "by the output", "cross_entropy, quadratic, huber, ...", complete="losses"),
    )
    optimizer: str | Optimizer | Any = setting(
        "adam",
        "A name, an object (its ``lr`` is a number or a schedule), or an optax transformation (JAX engine).",
        Option("NAME", BY_PRESET, "sgd, adagrad, rmsprop, adam or adamw.", complete="optimizers"),
    )
    epochs: int = setting(10, "Passes over the training data.", Option("N", BY_PRESET))
    batch_size: int = setting(
        32,
        "Rows per step. The last batch of an epoch may be shorter.",
        Option("N", "by their number, 16 to 128"),
    )
    validation: Any = setting(
        None,
        "``(x, y)`` (or a `Dataset` or stream), or a fraction of the training data, drawn at random and in proportion "
        "to the classes.",
        Option("FRACTION", "0.1 if something needs them", "Share of the training rows for validation, 0 for none."),
    )
    l1: float = setting(
        0.0,
        "λ of the penalty λ/n Σ|w|. It is on weights, not biases; n is the number of training samples (the sum of "
        "their weights).",
        Option("λ", "0"),
    )
    l2: float = setting(0.0, "λ of the penalty λ/(2n) Σw². On what, see ``l1``.", Option("λ", "0"))
    augment: Any = setting(
        None,
        'Changes training samples at random, anew in every epoch: names with strengths (``"shift:2,rotation:10"``), an '
        "object (``cr.augment.Mixup(0.2)``), a function ``(x, key) -> x``, or several in a list; see "
        "`chainrule.augment`.",
        Option(
            "NAME:X,...",
            "none",
            "Change training samples at random, anew in every epoch: names and strengths, as in shift:2,rotation:10 "
            "(shift, crop, rotation, zoom, shear, elastic, horizontal_flip, vertical_flip, brightness, contrast, blur, "
            "cutout, mixup for images; noise, mixup, swap for tables).",
        ),
    )
    normalize: bool = setting(
        True,
        "Scale the inputs by the training rows' mean and deviation. That is per feature; per channel for images. The "
        "two are kept with the model and applied to everything it predicts. False for a `Table`: its numbers stay as "
        "they are, but for columns of which it says how they are scaled. Codes that an `Embedding` layer takes stay as "
        "they are.",
        Option(default="yes"),
    )
    normalize_target: bool = setting(
        False,
        "Learn numbers as standardized ones; predictions are in their own unit. For regression with linear outputs: "
        "(y − mean) / deviation is learnt, with those of the training targets. The loss is then that of standardized "
        "targets; the mean absolute error is in the target's own unit.",
        Option(default="yes"),
    )
    early_stopping: EarlyStopping | bool | None = setting(
        None,
        "An `EarlyStopping` (True: with its defaults). Needs validation data unless it monitors training data.",
        Option(
            "N",
            BY_PRESET,
            "Stop after N epochs without a better validation cost, keep the best weights; 0: never.",
        ),
    )
    sample_weight: Any = setting(
        None, "The weight of each sample in the mean cost.", "one number for each row is no option"
    )
    class_weight: Mapping[Any, float] | str | None = setting(
        None,
        'Weights of classes in the mean cost, as {label: weight}, or "balanced" (n / (classes · count)).',
        Option("NAME", "all alike", "balanced: rare classes count more."),
    )
    micro_batches: int = setting(
        1,
        "Compute each step's gradient in so many parts, one after the other, and add them up: the result of the whole "
        "batch with less memory (but batch normalization takes the statistics of each part).",
        "the networks of presets are small enough for whole batches",
    )
    seed: int = setting(
        0, "The whole run follows from it. So do initial weights, split, order, dropout.", Option("N", "0")
    )
    precision: str = setting(
        "float32",
        '"float32", "float64" or "bfloat16": matrix products and activations in bfloat16, weights, statistics, cost '
        "and update in float32 (Micikevicius et al., 2018). It is meant for GPUs: XLA's bfloat16 products on the CPU "
        "are slower than its float32 ones. Needs the JAX engine.",
        Option("NAME", help="float32, bfloat16 (for GPUs) or float64.", complete="precisions"),
    )

    def __post_init__(self) -> None:
        from chainrule import random

        for name in ("epochs", "batch_size", "micro_batches"):
            check_whole(f"fit: {name}", getattr(self, name))
        for name in ("l1", "l2"):
            check_number("fit", name, getattr(self, name), 0.0)
        random.key(self.seed)


@dataclass(frozen=True, eq=False, kw_only=True)
class EngineSettings(metaclass=PlainSettings):
    """Where a run is computed. See `fit`."""

    heading: ClassVar[str] = "Run"

    engine: str = setting(
        "auto",
        '"numpy", "jax", or "auto": NumPy where compiling would cost more than it saves; of a run that is gone on with '
        "the one by which it was trained so far.",
        Option("NAME", "auto: the faster one", "numpy, jax or auto.", complete="engines"),
    )
    devices: str | int | None = setting(
        None,
        'None: one device, JAX\'s first. "all", or a number n for the first n: every batch is split among them, and '
        "batch_size must be a multiple of n. The same seed gives the same weights on any number, up to rounding. Also "
        '"cpu", "gpu", "tpu" or "gpu:2": one device of that kind. The engine is "jax" then. In a run of several '
        "processes (`cr.distributed.start`) None is all devices of all processes.",
        Option(
            "WHICH",
            "one",
            "Share each batch among them: all, or a number; or one device: cpu, gpu, gpu:2.",
        ),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class CallbackSettings(metaclass=PlainSettings):
    """What is called on the way. See `fit`."""

    callbacks: Callback | Sequence[Callback] = setting(
        (),
        "Functions (or one) that get an `Event` after every epoch and may return a `Decision`.",
        "functions of Python cannot be typed",
    )

    def __post_init__(self) -> None:
        callbacks = tuple(self.callbacks) if isinstance(self.callbacks, list | tuple) else (self.callbacks,)
        for callback in callbacks:
            if not callable(callback):
                raise SettingError(f"A callback is a function of one event, got {callback!r}.")
        object.__setattr__(self, "callbacks", callbacks)


@dataclass(frozen=True, eq=False, kw_only=True)
class RunSettings(metaclass=PlainSettings):
    """What is kept of a run, and what is shown of it. See `fit`."""

    out: str | Path | None = setting(
        None,
        "A folder to write the run to. Of several processes only the first needs and writes it.",
        "the command has an --out of its own",
    )
    resume: bool = setting(
        False,
        "Go on from the last checkpoint in ``out``, to the same bits as without the interruption (on the same machine "
        "and engine). It may have more epochs than before; a schedule that depends on their number then follows the "
        "new one, and what the learning rate becomes is told. What is missing of a run that has ended is written then; "
        "a run that is complete is given back, and nothing in its folder changes.",
        "the command has a --resume of its own",
    )
    progress: bool = setting(
        True,
        "Show the epochs on standard error, and before them what should be known about the data (``run.notes``).",
        "commands show their progress",
    )
    config: Mapping[str, Any] | None = setting(
        None,
        "Settings to write to ``config.toml`` instead of those given here (used by the command line).",
        "it is what the command line writes",
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckpointSettings(metaclass=PlainSettings):
    """When the state of a run is kept. See `fit`."""

    heading: ClassVar[str] = "Run"

    checkpoint_every: int | None = setting(
        None,
        "Write a checkpoint after every so many steps, too. Without it they are written at the end of epochs, and by "
        "``checkpoint_minutes``. The first Ctrl-C (or SIGTERM) ends the run after the step it is at, with a "
        "checkpoint, as `KeyboardInterrupt` (`SystemExit`); the second at once.",
        Option("N", "only by time", "Write a checkpoint after every N steps, too."),
    )
    checkpoint_minutes: float | None = setting(
        10.0,
        "Write a checkpoint when the last is so many minutes old, besides those at the end of epochs (None: not by "
        "it).",
        Option("M", "10", "Write one when the last is M minutes old, besides those at the end of epochs."),
    )
    keep: int = setting(3, "So many checkpoints stay, the last ones, and the best model.", Option("K", "3"))

    def __post_init__(self) -> None:
        if self.checkpoint_every is not None:
            check_whole("fit: checkpoint_every", self.checkpoint_every)
        if self.checkpoint_minutes is not None:
            check_number("fit", "checkpoint_minutes", self.checkpoint_minutes, 0.0, open_low=True)
        check_whole("fit: keep", self.keep)


#: What `fit` may be told of the doctor.
DOCTOR = ("off", "watch", "check")


@dataclass(frozen=True, eq=False, kw_only=True)
class DoctorSettings(metaclass=PlainSettings):
    """Whether a run is examined. See `fit`."""

    heading: ClassVar[str] = "Run"

    doctor: str = setting(
        "off",
        'Whether the run is examined: "off"; "watch": it is looked at after epochs 1, 2, 4, 8 and so on, where that '
        "takes less than 2 % of the time, and a fault is told on standard error once (with ``progress``), which "
        'changes nothing; "check": data, code and start are checked before the first step, and a `DoctorError` is '
        "raised for a fault. What a run was like can be asked in any case: ``run.diagnosis``.",
        Option("NAME", help="Examine the run: off, watch (tell faults), check (before it, and stop for a fault)."),
    )

    def __post_init__(self) -> None:
        if self.doctor not in DOCTOR:
            raise unknown_name("doctor", self.doctor, DOCTOR)


#: How much a run may record of itself.
RECORD = ("none", "light", "full")


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordSettings(metaclass=PlainSettings):
    """What a run records of its training, so that it can be seen afterwards. See `fit`."""

    heading: ClassVar[str] = "Run"

    record: str | None = setting(
        None,
        'What is recorded of the training for ``run.recorded``, in ``views/`` of the folder: "light": weights after '
        "steps 0, 1, 2, 3, 4, 6, 8, 11 and so on (40 at most, 32 MB in all), loss and learning rate of every step, "
        'cost and answer of every row in each epoch; "full": also what the optimizer remembers, up to 256 MB; "none". '
        'None: "light" with ``out``, "none" without; of a run that is gone on with, as it began. Recording changes no '
        "bit of the weights.",
        Option("NAME", "light", "Record the training for its views: none, light, full (with the optimizer's memory)."),
    )

    def __post_init__(self) -> None:
        if self.record is not None and self.record not in RECORD:
            raise unknown_name("record", self.record, RECORD)


@dataclass(frozen=True, eq=False, kw_only=True)
class FitSettings(
    TrainingSettings, EngineSettings, CallbackSettings, RunSettings, CheckpointSettings, DoctorSettings, RecordSettings
):
    """All that `fit` can be told."""

    live: bool = setting(
        False,
        "Show the run in a browser while it goes on: a second process serves its page on this machine alone, and its "
        "address is printed (see `chainrule.live`). It ends 30 s after the run has ended and the page was closed. "
        "Without ``out`` the run is written to a new temporary folder, ``run.folder``.",
        "the command has a --live of its own",
    )

    call_every: int | None = setting(
        None, "Call the ``callbacks`` after every so many steps, too.", "functions of Python cannot be typed"
    )
    record_steps: bool = setting(
        False,
        "Keep loss, score and learning rate of every step in ``run.history.steps``.",
        "no file of a run holds them",
    )
    probe_every: int | None = setting(
        None,
        "On every so many steps keep figures of each layer and parameter in ``run.probes`` (see `Probes`), computed in "
        "the same pass.",
        "no file of a run holds them",
    )

    def __post_init__(self) -> None:
        for name in ("call_every", "probe_every"):
            if getattr(self, name) is not None:
                check_whole(f"fit: {name}", getattr(self, name))
        for group in (TrainingSettings, CallbackSettings, CheckpointSettings, DoctorSettings, RecordSettings):
            group.__post_init__(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainerSettings(TrainingSettings, EngineSettings, CallbackSettings):
    """What a `PopulationTrainer` can be told: what is common to its members, and how they are trained."""

    strategy: str | int = setting(
        "auto",
        '"auto" follows a measured rule (see `chainrule.population.plan`); "vectorized" makes one batch of all members '
        'of a program, "single" a batch of each, a number batches of so many members.',
        "the measured rule is what the command line follows",
    )

    def __post_init__(self) -> None:
        for group in (TrainingSettings, CallbackSettings):
            group.__post_init__(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class PopulationSettings(TrainerSettings, RunSettings):
    """All that `fit_population` can be told besides its members."""
