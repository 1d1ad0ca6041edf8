"""The options of the commands: what can be typed, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def option(help: str, *names: str, metavar: str | None = None) -> Any:  # noqa: A002 - typer's word
    """Return an option that is None unless it is given; its help says what then happens."""
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


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
ImageSize = Annotated[
    str | None,
    typer.Option(
        help="Of the pictures of a folder: what all are brought to, and what the network takes from then on. [their "
        "median size, at most 64 pixels along a side]",
        metavar="HxW",
        show_default=False,
    ),
]
Missing = Annotated[
    str | None,
    option(
        "The texts of a table that stand for missing values; none: only empty cells. [NA, nan, null, ?, -, ...]",
        metavar="TEXT,TEXT,...",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where mnist/ and fashion_mnist/ lie (or set CHAINRULE_DATA).", metavar="DIR", show_default=False
    ),
]
Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="A table (.csv, .tsv, .parquet), an .npz file, a folder of pictures by class or of IDX files, or a "
        "name: digits, iris, wine, breast_cancer, diabetes, mnist, fashion_mnist. Not needed with --resume, or if "
        "--config names it.",
        show_default=False,
    ),
]
Target = Annotated[str | None, option("The column of a table that is to be predicted.", metavar="COLUMN")]
Task = Annotated[str | None, option("classification or regression. [by the target's values]", metavar="NAME")]
Column = Annotated[
    list[str] | None,
    option(
        "What a column is, where you know better: number, boolean, category, date, text. Can be repeated.",
        metavar="NAME=KIND",
    ),
]
Drop = Annotated[list[str] | None, option("Leave a column out. Can be repeated.", metavar="COLUMN")]
Group = Annotated[str | None, option("Keep rows with the same value of this column in one part.", metavar="COLUMN")]
Time = Annotated[
    str | None, option("Test on the latest rows by this column, validate on those before.", metavar="COLUMN")
]
Split = Annotated[
    str | None,
    option("The column that says train, validation or test. [one called split, if it does]", metavar="COLUMN"),
]
Components = Annotated[
    float | None,
    option("Reduce a table's inputs to N principal components, or (below 1) to that share of variance.", metavar="N"),
]
Preset = Annotated[str | None, option("auto, table, mlp, cnn, linear or nielsen. [auto: by the data]", metavar="NAME")]
Hidden = Annotated[str | None, option("Units of the hidden dense layers. [by the preset]", metavar="N,N,...")]
Activation = Annotated[
    str | None, option("Of the hidden layers: relu, tanh, sigmoid, gelu, ... [relu]", metavar="NAME")
]
Output = Annotated[str | None, option("Of the last layer. [softmax for classes, linear for numbers]", metavar="NAME")]
Init = Annotated[str | None, option("Initial weights: he_normal, normal, ... [by the activation]", metavar="NAME")]
Dropout = Annotated[float | None, option("Rate after each hidden dense layer. [by the preset]", metavar="RATE")]
Loss = Annotated[str | None, option("cross_entropy, quadratic, huber, ... [by the output]", metavar="NAME")]
Optimizer = Annotated[str | None, option("sgd, adagrad, rmsprop, adam or adamw. [by the preset]", metavar="NAME")]
Lr = Annotated[float | None, option("Learning rate. [the preset's, or the optimizer's]")]
Momentum = Annotated[float | None, option("For sgd and rmsprop. [none]")]
WeightDecay = Annotated[
    float | None, option("Part of each weight that a step takes away, times the learning rate. [by the preset]")
]
Schedule = Annotated[
    str | None,
    option("Of the learning rate: constant, cosine, step_decay, one_cycle, ... [by the preset]", metavar="NAME"),
]
Epochs = Annotated[int | None, option("Passes over the training data. [by the preset]", metavar="N")]
BatchSize = Annotated[int | None, option("Rows per step. [by their number, 16 to 128]", metavar="N")]
Validation = Annotated[
    float | None,
    option("Share of the training rows for validation, 0 for none. [0.1 if something needs them]", metavar="SHARE"),
]
Test = Annotated[
    float | None,
    option(
        "Share of the rows for the test, if the data has no test part. [0.2 for tables and bundled data, else 0]",
        metavar="SHARE",
    ),
]
L1 = Annotated[float | None, option("λ of the penalty λ/n Σ|w|. [0]", metavar="λ")]
L2 = Annotated[float | None, option("λ of the penalty λ/(2n) Σw². [0]", metavar="λ")]
Normalize = Annotated[
    bool | None,
    option("Scale the inputs by the training rows' mean and deviation. [yes]", "--normalize/--no-normalize"),
]
Augment = Annotated[
    str | None,
    option(
        "Change training samples at random, anew in every epoch: names and strengths, as in shift:2,rotation:10 "
        "(shift, crop, rotation, zoom, shear, elastic, horizontal_flip, vertical_flip, brightness, contrast, blur, "
        "cutout, mixup for images; noise, mixup, swap for tables). [none]",
        metavar="NAME:X,...",
    ),
]
NormalizeTarget = Annotated[
    bool | None,
    option(
        "Learn numbers as standardized ones; predictions are in their own unit. [yes]",
        "--normalize-target/--no-normalize-target",
    ),
]
ClassWeight = Annotated[str | None, option("balanced: rare classes count more. [all alike]", metavar="NAME")]
EarlyStopping = Annotated[
    int | None,
    option(
        "Stop after N epochs without a better validation cost, keep the best weights; 0: never. [by the preset]",
        metavar="N",
    ),
]
Seed = Annotated[int | None, option("The whole run follows from it. [0]", metavar="N")]
Engine = Annotated[str | None, option("numpy, jax or auto. [auto: the faster one]", metavar="NAME")]
Precision = Annotated[str | None, option("float32, bfloat16 (for GPUs) or float64. [float32]", metavar="NAME")]
Devices = Annotated[
    str | None,
    option("Share each batch among them: all, or a number; or one device: cpu, gpu, gpu:2. [one]", metavar="WHICH"),
]
Config = Annotated[Path | None, option("Settings from a run's config.toml; options win over it.", metavar="FILE")]
Out = Annotated[Path | None, option("The run's folder, a new one. [runs/NAME-DATE-TIME]", metavar="DIR")]
Resume = Annotated[Path | None, option("Go on with an interrupted run, from its last checkpoint.", metavar="DIR")]
CheckpointEvery = Annotated[
    int | None, option("Write a checkpoint after every N steps, too. [only by time]", metavar="N")
]
CheckpointMinutes = Annotated[
    float | None,
    option("Write one when the last is M minutes old, besides those at the end of epochs. [10]", metavar="M"),
]
Keep = Annotated[int | None, option("So many checkpoints stay, the last ones, and the best model. [3]", metavar="K")]
Distributed = Annotated[
    bool, option("Join a run of several processes; the same command is started in each.", "--distributed")
]
Coordinator = Annotated[str | None, option("Where process 0 is. [by the cluster's environment]", metavar="HOST:PORT")]
Processes = Annotated[int | None, option("How many there are. [by the environment]", metavar="N")]
ProcessId = Annotated[int | None, option("Which this is, from 0; 0 writes the run. [by the environment]", metavar="I")]
StartTimeout = Annotated[int | None, option("Seconds until all must have arrived. [60]", metavar="N")]
HeartbeatTimeout = Annotated[
    int | None, option("Seconds without a sign of life until one counts as lost. [30]", metavar="N")
]
Seeds = Annotated[
    int | None,
    option(
        "Train N networks as one population: seeds SEED, SEED + 1, … on the same split of the rows. The model is their "
        "ensemble (see --save); scores come with mean, deviation and interval. [1]",
        metavar="N",
    ),
]
Folds = Annotated[
    int | None,
    option(
        "Cross-validate first, with K folds of the training rows (and --seeds networks for each); then train the model "
        "on all of them, with the first seed. [none]",
        metavar="K",
    ),
]
Save = Annotated[
    str | None,
    option(
        "Of several seeds: ensemble (one model that averages all of them) or best (the one with the best validation "
        "score; without validation, training score). [ensemble]",
        metavar="NAME",
    ),
]
Space = Annotated[
    str | None,
    option(
        "Settings with a range A..B or options A|B, as in lr=1e-4..1e-1,hidden=64|128,64|256,dropout=0..0.5. For lr, "
        "momentum, weight_decay, l1, l2, dropout, batch_size, epochs, hidden, activation, init, optimizer, loss, "
        "augment, and paths such as optimizer.beta1. A range is logarithmic if its ends are above 0 and one is ten "
        "times the other; :log or :linear behind it decides otherwise. [by the preset]",
        metavar="NAME=A..B,...",
    ),
]
Trials = Annotated[int | None, option("How many. [64]", metavar="N")]
Sampler = Annotated[str | None, option("random, grid, sobol or tpe. [random]", metavar="NAME")]
Stages = Annotated[
    str | None,
    option(
        "coarse_to_fine (half of the trials for a few epochs, the others for more around the best), halving or "
        "hyperband (the worst are stopped on the way). [all epochs for all trials]",
        metavar="NAME",
    ),
]
Metric = Annotated[str | None, option("val_accuracy (val_mae), val_loss. [the first of these]", metavar="NAME")]
Timeout = Annotated[float | None, option("End after so many seconds.", metavar="SECONDS")]
MaxEpochs = Annotated[int | None, option("End after so many epochs, all trials together.", metavar="N")]
Study = Annotated[
    str | None,
    option(
        "Where the trials are kept: a journal file, or a database such as sqlite:///search.db. Several processes may "
        "share it, each with a folder of its own. A password is written nowhere: with --resume give the address again, "
        "or CHAINRULE_STUDY in the environment. [study.journal in the run's folder]",
        metavar="FILE_OR_URL",
    ),
]
StudyName = Annotated[str | None, option("Tells several studies in one place apart.", metavar="NAME")]
Retrain = Annotated[
    bool | None,
    option("Train the best once more, on training and validation rows together. [no]", "--retrain/--no-retrain"),
]
ResumeSearch = Annotated[
    Path | None,
    option("Go on with a search: interrupted trials are done again, finished ones are not.", metavar="DIR"),
]
