"""The commands and their options. Only typer is imported here, so that ``chainrule --help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chainrule.errors import ChainruleError, DivergedError, PeerError, UnsavedError

DONE, FAILED, WRONG_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


class Commands(TyperGroup):
    """All commands, with one place where an error becomes a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            print(f"\n{error or 'Interrupted.'}", file=sys.stderr)
            leave_the_others(INTERRUPTED)
            raise typer.Exit(INTERRUPTED) from None
        except SystemExit as error:  # training was ended by SIGTERM, see `chainrule.training.signals`
            if error.code == TERMINATED:
                print(f"\n{error}", file=sys.stderr)
                leave_the_others(TERMINATED)
            raise
        except BrokenPipeError:  # the reader of the output has gone: nobody is left to be told
            raise
        except (ChainruleError, OSError) as error:
            if ctx.params.get("debug"):
                import traceback

                traceback.print_exc()
            print(f"error: {explain(error)}", file=sys.stderr)
            code = FAILED if isinstance(error, DivergedError | PeerError | UnsavedError) else WRONG_INPUT
            leave_the_others(code)
            raise typer.Exit(code) from None


def leave_the_others(code: int) -> None:
    """End at once if this is one of several processes: an ordinary end would wait for the others."""
    if "chainrule.engine.distributed" in sys.modules:
        sys.modules["chainrule.engine.distributed"].leave(code)


def explain(error: Exception) -> str:
    """An error as one message; those of the system name the file."""
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


def main() -> None:
    """The command ``chainrule``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show is no error
    app(prog_name="chainrule")


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
    chainrule evaluate RUN digits           how good is it, class by class
    chainrule predict RUN new.npz           predictions as CSV
    """


#: How the processes of a run find each other; of this start, not of the run.
MEETING = ("coordinator", "processes", "process_id", "start_timeout", "heartbeat_timeout")

DataOf = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A table (.csv, .tsv, .parquet), an .npz file, a folder of pictures by class or of IDX files, or a name: "
        "digits, iris, wine, breast_cancer, diabetes, mnist, fashion_mnist.",
        show_default=False,
    ),
]
RunOf = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, or a .safetensors model.", show_default=False)
]
Encoding = Annotated[
    str | None,
    typer.Option(help="Of a table that is not UTF-8: cp1252, latin-1, ...", metavar="NAME", show_default=False),
]
Separator = Annotated[
    str | None,
    typer.Option(
        help="Of a table's cells, if it cannot be told: ',', ';', '|' or tab.", metavar="CHARACTER", show_default=False
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where mnist/ and fashion_mnist/ lie (or set CHAINRULE_DATA).", metavar="DIR", show_default=False
    ),
]


def _option(help: str, *names: str, metavar: str | None = None) -> Any:  # noqa: A002 - typer's word
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="A table (.csv, .tsv, .parquet), an .npz file, a folder of pictures by class or of IDX files, or a "
            "name: digits, iris, wine, breast_cancer, diabetes, mnist, fashion_mnist. Not needed with --resume, or if "
            "--config names it.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[str | None, _option("The column of a table that is to be predicted.", metavar="COLUMN")] = None,
    task: Annotated[
        str | None, _option("classification or regression. [by the target's values]", metavar="NAME")
    ] = None,
    column: Annotated[
        list[str] | None,
        _option(
            "What a column is, where you know better: number, boolean, category, date, text. Can be repeated.",
            metavar="NAME=KIND",
        ),
    ] = None,
    drop: Annotated[list[str] | None, _option("Leave a column out. Can be repeated.", metavar="COLUMN")] = None,
    encoding: Encoding = None,
    separator: Separator = None,
    group: Annotated[
        str | None, _option("Keep rows with the same value of this column in one part.", metavar="COLUMN")
    ] = None,
    time: Annotated[
        str | None, _option("Test on the latest rows by this column, validate on those before.", metavar="COLUMN")
    ] = None,
    split: Annotated[
        str | None,
        _option("The column that says train, validation or test. [one called split, if it does]", metavar="COLUMN"),
    ] = None,
    components: Annotated[
        float | None,
        _option(
            "Reduce a table's inputs to N principal components, or (below 1) to that share of variance.", metavar="N"
        ),
    ] = None,
    preset: Annotated[
        str | None, _option("auto, table, mlp, cnn, linear or nielsen. [auto: by the data]", metavar="NAME")
    ] = None,
    hidden: Annotated[
        str | None, _option("Units of the hidden dense layers. [by the preset]", metavar="N,N,...")
    ] = None,
    activation: Annotated[
        str | None, _option("Of the hidden layers: relu, tanh, sigmoid, gelu, ... [relu]", metavar="NAME")
    ] = None,
    output: Annotated[
        str | None, _option("Of the last layer. [softmax for classes, linear for numbers]", metavar="NAME")
    ] = None,
    init: Annotated[
        str | None, _option("Initial weights: he_normal, normal, ... [by the activation]", metavar="NAME")
    ] = None,
    dropout: Annotated[
        float | None, _option("Rate after each hidden dense layer. [by the preset]", metavar="RATE")
    ] = None,
    loss: Annotated[str | None, _option("cross_entropy, quadratic, huber, ... [by the output]", metavar="NAME")] = None,
    optimizer: Annotated[
        str | None, _option("sgd, adagrad, rmsprop, adam or adamw. [by the preset]", metavar="NAME")
    ] = None,
    lr: Annotated[float | None, _option("Learning rate. [the preset's, or the optimizer's]")] = None,
    momentum: Annotated[float | None, _option("For sgd and rmsprop. [none]")] = None,
    weight_decay: Annotated[
        float | None, _option("Part of each weight that a step takes away, times the learning rate. [by the preset]")
    ] = None,
    schedule: Annotated[
        str | None,
        _option("Of the learning rate: constant, cosine, step_decay, one_cycle, ... [by the preset]", metavar="NAME"),
    ] = None,
    epochs: Annotated[int | None, _option("Passes over the training data. [by the preset]", metavar="N")] = None,
    batch_size: Annotated[int | None, _option("Rows per step. [by their number, 16 to 128]", metavar="N")] = None,
    validation: Annotated[
        float | None, _option("Share of the training rows for validation, 0 for none. [0.1]", metavar="SHARE")
    ] = None,
    test: Annotated[
        float | None,
        _option(
            "Share of the rows for the test, if the data has no test part. [0.2 for tables and bundled data, else 0]",
            metavar="SHARE",
        ),
    ] = None,
    l1: Annotated[float | None, _option("λ of the penalty λ/n Σ|w|. [0]", metavar="λ")] = None,
    l2: Annotated[float | None, _option("λ of the penalty λ/(2n) Σw². [0]", metavar="λ")] = None,
    normalize: Annotated[
        bool | None,
        _option("Scale the inputs by the training rows' mean and deviation. [yes]", "--normalize/--no-normalize"),
    ] = None,
    augment: Annotated[
        str | None,
        _option(
            "Change training samples at random, anew in every epoch: names and strengths, as in shift:2,rotation:10 "
            "(shift, crop, rotation, zoom, shear, elastic, horizontal_flip, vertical_flip, brightness, contrast, blur, "
            "cutout, mixup for images; noise, mixup, swap for tables). [none]",
            metavar="NAME:X,...",
        ),
    ] = None,
    normalize_target: Annotated[
        bool | None,
        _option(
            "Learn numbers as standardized ones; predictions are in their own unit. [yes]",
            "--normalize-target/--no-normalize-target",
        ),
    ] = None,
    class_weight: Annotated[
        str | None, _option("balanced: rare classes count more. [all alike]", metavar="NAME")
    ] = None,
    early_stopping: Annotated[
        int | None,
        _option(
            "Stop after N epochs without a better validation cost, keep the best weights; 0: never. [by the preset]",
            metavar="N",
        ),
    ] = None,
    seed: Annotated[int | None, _option("The whole run follows from it. [0]", metavar="N")] = None,
    engine: Annotated[str | None, _option("numpy, jax or auto. [auto: the faster one]", metavar="NAME")] = None,
    precision: Annotated[
        str | None, _option("float32, bfloat16 (for GPUs) or float64. [float32]", metavar="NAME")
    ] = None,
    devices: Annotated[
        str | None,
        _option(
            "Share each batch among them: all, or a number; or one device: cpu, gpu, gpu:2. [one]", metavar="WHICH"
        ),
    ] = None,
    config: Annotated[
        Path | None, _option("Settings from a run's config.toml; options win over it.", metavar="FILE")
    ] = None,
    out: Annotated[Path | None, _option("The run's folder, a new one. [runs/NAME-DATE-TIME]", metavar="DIR")] = None,
    resume: Annotated[
        Path | None, _option("Go on with an interrupted run, from its last checkpoint.", metavar="DIR")
    ] = None,
    checkpoint_every: Annotated[
        int | None, _option("Write a checkpoint after every N steps, too. [only by time]", metavar="N")
    ] = None,
    checkpoint_minutes: Annotated[
        float | None,
        _option("Write one when the last is M minutes old, besides those at the end of epochs. [10]", metavar="M"),
    ] = None,
    keep: Annotated[
        int | None, _option("So many checkpoints stay, the last ones, and the best model. [3]", metavar="K")
    ] = None,
    data_dir: DataDir = None,
    distributed: Annotated[
        bool, _option("Join a run of several processes; the same command is started in each.", "--distributed")
    ] = False,
    coordinator: Annotated[
        str | None, _option("Where process 0 is. [by the cluster's environment]", metavar="HOST:PORT")
    ] = None,
    processes: Annotated[int | None, _option("How many there are. [by the environment]", metavar="N")] = None,
    process_id: Annotated[
        int | None, _option("Which this is, from 0; 0 writes the run. [by the environment]", metavar="I")
    ] = None,
    start_timeout: Annotated[int | None, _option("Seconds until all must have arrived. [60]", metavar="N")] = None,
    heartbeat_timeout: Annotated[
        int | None, _option("Seconds without a sign of life until one counts as lost. [30]", metavar="N")
    ] = None,
) -> None:
    """Train a network; the run gets a folder of its own.

    \b
    chainrule train digits
    chainrule train people.csv --target income
    chainrule train mnist --preset nielsen
    chainrule train data.npz --hidden 64,32 --dropout 0.2 --early-stopping 5
    chainrule train digits --config runs/digits-20250101-120000/config.toml --lr 0.01
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


@app.command()
def augment(
    data: DataOf,
    augment: Annotated[
        str, typer.Option(metavar="NAME:X,...", help="As in train, such as shift:2,rotation:10.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the picture.")] = Path("augment.png"),
    rows: Annotated[int, typer.Option(metavar="N", help="How many images.")] = 6,
    versions: Annotated[int, typer.Option(metavar="N", help="How many versions of each.")] = 8,
    seed: Annotated[int, typer.Option(metavar="N", help="Another number, other versions.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """See what an augmentation does: a picture of some images, each beside versions as training may see it."""
    from chainrule.cli.augment import augment as call

    call(data, augment, out=out, rows=rows, versions=versions, seed=seed, data_dir=data_dir)


@app.command()
def predict(
    run: RunOf,
    data: DataOf,
    out: Annotated[Path | None, _option("Write to a file instead of standard output.", metavar="FILE")] = None,
    probabilities: Annotated[bool, _option("Add a column for each class.", "--probabilities")] = False,
    encoding: Encoding = None,
    separator: Separator = None,
    data_dir: DataDir = None,
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
    run: RunOf,
    data: DataOf,
    json: Annotated[bool, _option("Print JSON instead of tables.", "--json")] = False,
    target: Annotated[
        str | None, _option("The column of a table with the right answers. [the run's]", metavar="COLUMN")
    ] = None,
    encoding: Encoding = None,
    separator: Separator = None,
    data_dir: DataDir = None,
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
    run: RunOf,
    out: Annotated[
        Path | None,
        _option(
            "NAME.onnx; NAME.safetensors writes weights for PyTorch. [model.onnx in the run's folder]", metavar="FILE"
        ),
    ] = None,
    check: Annotated[str | None, _option("Compare on these data. [on random rows]", metavar="DATA")] = None,
    opset: Annotated[int | None, _option("Version of ONNX's operations. [18]", metavar="N")] = None,
    data_dir: DataDir = None,
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
    out: Annotated[Path | None, _option("The run's folder, a new one. [runs/digits-DATE-TIME]", metavar="DIR")] = None,
) -> None:
    """Watch a network learn handwritten digits, and see what it says about some it has not seen."""
    from chainrule.cli.demo import demo as call

    call(seed=seed, out=out)
