"""The commands and their options. Only typer is imported here, so that ``chainrule --help`` answers at once."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chainrule import signals
from chainrule.cli import options as o
from chainrule.display.lines import print_line
from chainrule.errors import ChainruleError, ChainruleWarning, DivergedError, PeerError, SettingError, UnsavedError
from chainrule.memory import format_bytes, free_memory, is_out_of_memory

DONE, FAILED, WRONG_INPUT = 0, 1, 2


@contextlib.contextmanager
def told_warnings() -> Iterator[None]:
    """Tell what the library warns of as a message, each text once; where it arose says nothing to those who type."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
        if not issubclass(category, ChainruleWarning):
            ordinary(message, category, *place, **rest)
        elif str(message) not in shown:
            shown.add(str(message))
            print_line(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", ChainruleWarning)
        ordinary, warnings.showwarning = warnings.showwarning, show
        yield


class Commands(TyperGroup):
    """All commands, with one place where an error becomes a message and an exit code."""

    def make_context(self, *given: Any, **words: Any) -> Any:
        try:
            return super().make_context(*given, **words)
        except (KeyboardInterrupt, signals.Terminated) as error:  # while what was typed is read
            raise interrupted(error) from None

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        ctx.meta["words"] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            check_words(ctx.meta["words"])
            with signals.handled(), told_warnings():
                return super().invoke(ctx)
        except (KeyboardInterrupt, signals.Terminated) as error:
            raise interrupted(error) from None
        except BrokenPipeError:  # the reader of the output has gone: nobody is left to be told
            raise
        except (ChainruleError, OSError, MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError | RuntimeError) and not is_out_of_memory(error):
                raise
            if ctx.params.get("debug"):
                import traceback

                print_line(traceback.format_exc())
            print_line(f"error: {explain(error)}")
            code = FAILED if isinstance(error, DivergedError | PeerError | UnsavedError) else WRONG_INPUT
            leave_the_others(code)
            raise typer.Exit(code) from None


def check_words(words: Sequence[str]) -> None:
    """Refuse an empty word, as an unset variable of a shell gives it: for a path it would mean this folder.

    >>> check_words(["train", "digits", "--out", "runs/1"])
    """
    for before, word in zip(("", *words), words, strict=False):
        option, mark, value = word.partition("=")
        if not word or (word.startswith("--") and mark and not value):
            name = option if mark else before if before.startswith("-") else "An argument"
            raise SettingError(f"{name} is empty: give it a value, or leave it out.")


def interrupted(error: BaseException) -> typer.Exit:
    """Print how to go on after Ctrl-C or SIGTERM, and give the exit code."""
    code = signals.TERMINATED if isinstance(error, signals.Terminated) else signals.INTERRUPTED
    print_line(f"\n{str(error) or 'Interrupted.'}")
    leave_the_others(code)
    return typer.Exit(code)


def leave_the_others(code: int) -> None:
    """End at once if this is one of several processes: an ordinary end would wait for the others."""
    if "chainrule.engine.distributed" in sys.modules:
        sys.modules["chainrule.engine.distributed"].leave(code)


def explain(error: Exception) -> str:
    """Return an error as one message; those of the system name the file."""
    if is_out_of_memory(error) and not isinstance(error, ChainruleError):
        free = free_memory()
        left = "" if free is None else f" ({format_bytes(max(free, 0.0))} are free)"
        return (
            f"This needs more memory than there is{left}. Less is taken by fewer units, smaller batches, fewer "
            "networks, or less data at once."
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from chainrule import __version__

        print(f"chainrule {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    """Train neural networks with a backpropagation you can read.

    \b
    chainrule demo                          a network learns handwritten digits, in seconds
    chainrule train digits                  train on a bundled data set; the run gets a folder in runs/
    chainrule search digits                 try many settings, keep the best
    chainrule evaluate RUN digits           how good is it, class by class
    chainrule predict RUN new.npz           predictions as CSV
    """


#: How the processes of a run find each other; of this start, not of the run.
MEETING = ("coordinator", "processes", "process_id", "start_timeout", "heartbeat_timeout")


@app.command()
def train(
    data: o.Data = None,
    target: o.Target = None,
    task: o.Task = None,
    column: o.Column = None,
    drop: o.Drop = None,
    encoding: o.Encoding = None,
    separator: o.Separator = None,
    missing: o.Missing = None,
    image_size: o.ImageSize = None,
    group: o.Group = None,
    time: o.Time = None,
    split: o.Split = None,
    components: o.Components = None,
    preset: o.Preset = None,
    hidden: o.Hidden = None,
    activation: o.Activation = None,
    output: o.Output = None,
    init: o.Init = None,
    dropout: o.Dropout = None,
    loss: o.Loss = None,
    optimizer: o.Optimizer = None,
    lr: o.Lr = None,
    momentum: o.Momentum = None,
    weight_decay: o.WeightDecay = None,
    schedule: o.Schedule = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    validation: o.Validation = None,
    test: o.Test = None,
    l1: o.L1 = None,
    l2: o.L2 = None,
    normalize: o.Normalize = None,
    augment: o.Augment = None,
    normalize_target: o.NormalizeTarget = None,
    class_weight: o.ClassWeight = None,
    early_stopping: o.EarlyStopping = None,
    seed: o.Seed = None,
    seeds: o.Seeds = None,
    folds: o.Folds = None,
    save: o.Save = None,
    engine: o.Engine = None,
    precision: o.Precision = None,
    devices: o.Devices = None,
    config: o.Config = None,
    out: o.Out = None,
    resume: o.Resume = None,
    checkpoint_every: o.CheckpointEvery = None,
    checkpoint_minutes: o.CheckpointMinutes = None,
    keep: o.Keep = None,
    data_dir: o.DataDir = None,
    distributed: o.Distributed = False,
    coordinator: o.Coordinator = None,
    processes: o.Processes = None,
    process_id: o.ProcessId = None,
    start_timeout: o.StartTimeout = None,
    heartbeat_timeout: o.HeartbeatTimeout = None,
) -> None:
    """Train a network; the run gets a folder of its own.

    \b
    chainrule train digits
    chainrule train people.csv --target income
    chainrule train mnist --preset nielsen
    chainrule train data.npz --hidden 64,32 --dropout 0.2 --early-stopping 5
    chainrule train digits --config runs/digits-20250101-120000/config.toml --lr 0.01
    chainrule train digits --seeds 8
    chainrule train people.csv --target income --folds 5 --seeds 2
    chainrule train digits --distributed --coordinator 10.0.0.1:9999 --processes 2 --process-id 0

    Ctrl-C (or SIGTERM) ends the run after the step it is at and saves it; pressed twice, it ends at once.
    chainrule train --resume RUN goes on to the same weights as without the interruption.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    wanted = given.pop("distributed")
    meeting = {name: given.pop(name) for name in MEETING if name in given}
    for name in ("config", "out", "resume"):
        given.pop(name, None)
    from chainrule.cli.train import meet
    from chainrule.cli.train import train as run

    meet(wanted, meeting)
    run(given, config=config, out=out, resume=resume)


#: What a search is told besides the settings of its trials.
ASKED = (
    "space",
    "trials",
    "sampler",
    "stages",
    "metric",
    "timeout",
    "max_epochs",
    "study",
    "study_name",
    "retrain",
)


@app.command()
def search(
    data: o.Data = None,
    target: o.Target = None,
    space: o.Space = None,
    trials: o.Trials = None,
    sampler: o.Sampler = None,
    stages: o.Stages = None,
    metric: o.Metric = None,
    timeout: o.Timeout = None,
    max_epochs: o.MaxEpochs = None,
    study: o.Study = None,
    study_name: o.StudyName = None,
    retrain: o.Retrain = None,
    resume: o.ResumeSearch = None,
    task: o.Task = None,
    column: o.Column = None,
    drop: o.Drop = None,
    encoding: o.Encoding = None,
    separator: o.Separator = None,
    missing: o.Missing = None,
    image_size: o.ImageSize = None,
    group: o.Group = None,
    time: o.Time = None,
    split: o.Split = None,
    components: o.Components = None,
    preset: o.Preset = None,
    hidden: o.Hidden = None,
    activation: o.Activation = None,
    output: o.Output = None,
    init: o.Init = None,
    dropout: o.Dropout = None,
    loss: o.Loss = None,
    optimizer: o.Optimizer = None,
    lr: o.Lr = None,
    momentum: o.Momentum = None,
    weight_decay: o.WeightDecay = None,
    schedule: o.Schedule = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    validation: o.Validation = None,
    test: o.Test = None,
    l1: o.L1 = None,
    l2: o.L2 = None,
    normalize: o.Normalize = None,
    augment: o.Augment = None,
    normalize_target: o.NormalizeTarget = None,
    class_weight: o.ClassWeight = None,
    early_stopping: o.EarlyStopping = None,
    seed: o.Seed = None,
    engine: o.Engine = None,
    precision: o.Precision = None,
    devices: o.Devices = None,
    config: o.Config = None,
    out: o.Out = None,
    data_dir: o.DataDir = None,
) -> None:
    """Try many settings at once, and keep the network of the best; the run gets a folder of its own.

    \b
    chainrule search digits
    chainrule search people.csv --target income --trials 128 --stages coarse_to_fine
    chainrule search digits --space "lr=1e-4..1e-1,hidden=64|128,64|256,dropout=0..0.5" --sampler tpe
    chainrule search --resume runs/search-digits-20250101-120000

    The best trials go to standard output. The run's folder holds the model of the best one, config.toml to train it
    again, leaderboard.csv, and report.html. All trials share the seed and the rows, so that they differ in nothing but
    their settings; settings that are given by their own options are the same in all. Ctrl-C keeps what is finished.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    asked = {name: given.pop(name) for name in ASKED if name in given}
    for name in ("config", "out", "resume"):
        given.pop(name, None)
    from chainrule.experiments.search import search as run

    run(given, asked, config=config, out=out, resume=resume)


@app.command()
def augment(
    data: o.DataOf,
    augment: Annotated[
        str, typer.Option(metavar="NAME:X,...", help="As in train, such as shift:2,rotation:10.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the picture.")] = Path("augment.png"),
    rows: Annotated[int, typer.Option(metavar="N", help="How many images.")] = 6,
    versions: Annotated[int, typer.Option(metavar="N", help="How many versions of each.")] = 8,
    seed: Annotated[int, typer.Option(metavar="N", help="Another number, other versions.")] = 0,
    data_dir: o.DataDir = None,
) -> None:
    """See what an augmentation does: a picture of some images, each beside versions as training may see it."""
    from chainrule.cli.augment import augment as call

    call(data, augment, out=out, rows=rows, versions=versions, seed=seed, data_dir=data_dir)


@app.command()
def predict(
    run: o.RunOf,
    data: o.DataOf,
    out: Annotated[Path | None, o.option("Write to a file instead of standard output.", metavar="FILE")] = None,
    probabilities: Annotated[bool, o.option("Add a column for each class.", "--probabilities")] = False,
    encoding: o.Encoding = None,
    separator: o.Separator = None,
    data_dir: o.DataDir = None,
) -> None:
    """Predict with a trained network: CSV with the columns index and prediction, or Parquet (--out NAME.parquet).

    DATA may lack the targets: a table with the other columns in any order, an .npz file with x alone, a folder of
    pictures. Of named data with a test part, the test part is predicted.
    """
    from chainrule.cli.predict import predict as call

    words = {"encoding": encoding, "separator": separator}
    call(run, data, out=out, probabilities=probabilities, data_dir=data_dir, **words)


@app.command()
def evaluate(
    run: o.RunOf,
    data: o.DataOf,
    json: Annotated[bool, o.option("Print JSON instead of tables.", "--json")] = False,
    target: Annotated[
        str | None, o.option("The column of a table with the right answers. [the run's]", metavar="COLUMN")
    ] = None,
    encoding: o.Encoding = None,
    separator: o.Separator = None,
    data_dir: o.DataDir = None,
) -> None:
    """Judge a trained network: loss, accuracy, precision, recall and F1 of each class, confusion.

    Of data with a test part, the test part is judged, and of data that the run held a test part out of, that part.
    """
    from chainrule.cli.evaluate import evaluate as call

    call(run, data, as_json=json, data_dir=data_dir, target=target, encoding=encoding, separator=separator)


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
) -> None:
    """Write the page about a run (report.html) again from the run's files, and print where it is."""
    from chainrule.cli.report import report as call

    call(run)


@app.command()
def export(
    run: o.RunOf,
    out: Annotated[
        Path | None,
        o.option(
            "NAME.onnx; NAME.safetensors writes weights for PyTorch. [model.onnx in the run's folder]", metavar="FILE"
        ),
    ] = None,
    check: Annotated[str | None, o.option("Compare on these data. [on random rows]", metavar="DATA")] = None,
    opset: Annotated[int | None, o.option("Version of ONNX's operations. [18]", metavar="N")] = None,
    data_dir: o.DataDir = None,
) -> None:
    """Write a trained network to an ONNX file, with all that is done to its data, and check what it predicts."""
    from chainrule.cli.export import export as call

    call(run, out=out, check=check, opset=opset, data_dir=data_dir)


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the runs lie.")] = Path("runs"),
) -> None:
    """List what was trained, newest first."""
    from chainrule.cli.runs import runs as call

    call(folder)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(metavar="N", help="Another number, another run.")] = 0,
    out: Annotated[Path | None, o.option("The run's folder, a new one. [runs/digits-DATE-TIME]", metavar="DIR")] = None,
) -> None:
    """Watch a network learn handwritten digits, and see what it says about some it has not seen."""
    from chainrule.cli.demo import demo as call

    call(seed=seed, out=out)
