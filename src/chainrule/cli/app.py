"""The commands. Only click and what says which settings there are is imported here: ``chainrule --help`` is quick."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from chainrule import signals
from chainrule.cli import completion
from chainrule.cli.options import (
    TYPES,
    HelpedCommand,
    LiveSettings,
    ProcessSettings,
    argument,
    option,
    options_of,
    together,
)
from chainrule.display.lines import print_line
from chainrule.errors import (
    ChainruleError,
    ChainruleWarning,
    DivergedError,
    DoctorError,
    PeerError,
    SettingError,
    UnsavedError,
)
from chainrule.experiments.search_settings import SearchSettings
from chainrule.experiments.settings import DATA_HELP, ExperimentSettings, TrialSettings
from chainrule.fields import settings_of
from chainrule.memory import format_bytes, free_memory, is_out_of_memory

DONE, FAILED, WRONG_INPUT = 0, 1, 2

F = TypeVar("F", bound=Callable[..., Any])


@contextlib.contextmanager
def warnings_as_messages() -> Iterator[None]:
    """Show what the library warns of as a message, each text once; where it arose says nothing to those who type."""
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


class Commands(click.Group):
    """All commands, with one place where an error becomes a message and an exit code."""

    command_class = HelpedCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which they stand here

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except (KeyboardInterrupt, signals.Terminated) as error:  # while what was typed is read
            raise interrupted(error) from None

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        ctx.meta["words"] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            check_words(ctx.meta["words"])
            with signals.handled(), warnings_as_messages():
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
            failed = isinstance(error, DivergedError | DoctorError | PeerError | UnsavedError)
            code = FAILED if failed else WRONG_INPUT
            leave_the_others(code)
            raise click.exceptions.Exit(code) from None


def check_words(words: Sequence[str]) -> None:
    """Refuse an empty word, as an unset variable of a shell gives it: for a path it would mean this folder.

    >>> check_words(["train", "digits", "--out", "runs/1"])
    """
    for before, word in zip(("", *words), words, strict=False):
        option, mark, value = word.partition("=")
        if not word or (word.startswith("--") and mark and not value):
            name = option if mark else before if before.startswith("-") else "An argument"
            raise SettingError(f"{name} is empty: give it a value, or leave it out.")


def interrupted(error: BaseException) -> click.exceptions.Exit:
    """Print how to go on after Ctrl-C or SIGTERM, and give the exit code."""
    code = signals.TERMINATED if isinstance(error, signals.Terminated) else signals.INTERRUPTED
    print_line(f"\n{str(error) or 'Interrupted.'}")
    leave_the_others(code)
    return click.exceptions.Exit(code)


def leave_the_others(code: int) -> None:
    """End at once if this is one of several processes: an ordinary end would wait for the others."""
    if "chainrule.engine.distributed" in sys.modules:
        sys.modules["chainrule.engine.distributed"].leave(code)


def explain(error: Exception) -> str:
    """Return an error as one message; those of the system name the file, and the doctor's is the whole diagnosis."""
    if isinstance(error, DoctorError) and error.diagnosis is not None:
        return f"A check before training has found a fault (--doctor off trains).\n{error.diagnosis}"
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


PATH = TYPES["Path"]

with_run = argument(
    "run",
    metavar="RUN",
    help="A run's folder, or a .safetensors model.",
    shell_complete=completion.of("runs"),
)
with_data = argument("data", metavar="DATA", help=DATA_HELP, shell_complete=completion.of("data"))
with_data_dir = option(
    "--data-dir",
    type=PATH,
    metavar="DIR",
    help=settings_of(ExperimentSettings)["data_dir"].help,
    shell_complete=completion.of("folders"),
)
#: How the text of a table is read.
with_csv = options_of(csv_options=[settings_of(ExperimentSettings)[name] for name in ("encoding", "separator")])


def with_folder(resume: str) -> Callable[[F], F]:
    """Give a command the options that say where a run is, and where its settings are."""
    return together(
        option(
            "--config",
            type=PATH,
            metavar="FILE",
            help="Settings from a run's config.toml; options win over it.",
            heading="Run",
            shell_complete=completion.of("files"),
        ),
        option(
            "--out",
            type=PATH,
            metavar="DIR",
            help="The run's folder, a new one. [runs/NAME-DATE-TIME]",
            heading="Run",
            shell_complete=completion.of("folders"),
        ),
        option(
            "--resume",
            type=PATH,
            metavar="DIR",
            help=resume,
            heading="Run",
            shell_complete=completion.of("folders"),
        ),
    )


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from chainrule import __version__

        click.echo(f"chainrule {__version__}")
        ctx.exit()


@click.group(cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.option("--debug", is_flag=True, help="Show where in the code an error arose.")
def app(debug: bool) -> None:
    """Train neural networks with a backpropagation you can read.

    \b
    chainrule demo                          a network learns handwritten digits, in seconds
    chainrule train digits                  train on a bundled data set; the run gets a folder in runs/
    chainrule search digits                 try many settings, keep the best
    chainrule doctor digits --lr 3          why does it not learn?
    chainrule evaluate RUN digits           how good is it, class by class
    chainrule predict RUN new.npz           predictions as CSV
    """


@app.command()
@options_of(settings=ExperimentSettings, page=LiveSettings, processes=ProcessSettings)
@with_folder("Go on with an interrupted run, from its last checkpoint.")
def train(settings: dict[str, Any], page: dict[str, Any], processes: dict[str, Any], **where: Path | None) -> None:
    """Train a network; the run gets a folder of its own.

    \b
    chainrule train digits
    chainrule train people.csv --target income
    chainrule train mnist --preset nielsen
    chainrule train data.npz --hidden 64,32 --dropout 0.2 --early-stopping 5
    chainrule train digits --config runs/digits-20250101-120000/config.toml --lr 0.01
    chainrule train digits --live
    chainrule train digits --seeds 8
    chainrule train people.csv --target income --folds 5 --seeds 2
    chainrule train digits --distributed --coordinator 10.0.0.1:9999 --processes 2 --process-id 0

    Ctrl-C (or SIGTERM) ends the run after the step it is at and saves it; pressed twice, it ends at once.
    chainrule train --resume RUN goes on to the same weights as without the interruption.
    """
    from chainrule.cli.live import listening
    from chainrule.cli.train import join_cluster
    from chainrule.cli.train import train as call

    join_cluster(processes.pop("distributed", False), processes)
    with listening("train", page) as listener:
        call(settings, listener, **where)


@app.command()
@options_of(settings=TrialSettings, search_settings=SearchSettings, page=LiveSettings)
@with_folder("Go on with a search: interrupted trials are done again, finished ones are not.")
def search(
    settings: dict[str, Any], search_settings: dict[str, Any], page: dict[str, Any], **where: Path | None
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
    from chainrule.cli.live import listening
    from chainrule.cli.search import search as call

    with listening("search", page) as listener:
        call(settings, search_settings, listener, **where)


#: The settings of one network without its data, for which `doctor` has an argument of its own.
_TO_TRAIN = [each for each in settings_of(TrialSettings).values() if each.name != "data"]


@app.command()
@argument(
    "subject",
    metavar="DATA|RUN",
    help=f"What would be trained, or the folder of a run. {DATA_HELP}",
    shell_complete=completion.of("data or runs"),
)
@option("--budget", type=float, metavar="SECONDS", help="For trials: what does not fit is not tried. [60]")
@option("--no-trials", is_flag=True, help="Checks and looks alone: nothing is trained but 16 rows.")
@option("--guide", is_flag=True, help="Walk through the steps from a baseline to a search, with a figure for each.")
@option(
    "--data", metavar="DATA", help="Of RUN: where its data is, if that has moved.", shell_complete=completion.of("data")
)
@option(
    "--config",
    type=PATH,
    metavar="FILE",
    help="Settings from a run's config.toml; options win over it.",
    shell_complete=completion.of("files"),
)
@option("--all", "everything", is_flag=True, help="Show each check, also those that found nothing wrong.")
@option(
    "--json",
    "json_file",
    type=PATH,
    metavar="FILE",
    help="Write the diagnosis as JSON, too.",
    shell_complete=completion.of("files"),
)
@option(
    "--html",
    "html_file",
    type=PATH,
    metavar="FILE",
    help="Write it as a page of its own, too.",
    shell_complete=completion.of("files"),
)
@option("--strict", is_flag=True, help="Exit with 1 where something is wrong.")
@options_of(settings=_TO_TRAIN)
def doctor(subject: str, settings: dict[str, Any], **how: Any) -> None:
    """Find out why a network does not learn: what is wrong, why, and what to change, proven by trying it.

    \b
    chainrule doctor people.csv --target income          what train would train
    chainrule doctor digits --lr 3 --hidden 64
    chainrule doctor digits-20250101-120000              a run: writes its diagnosis.json, and a section of its page
    chainrule doctor people.csv --target income --guide  step by step from a baseline to a search

    First come checks of data, code and start, then a look at the run, then trials on folds of the rows: the run as it
    is, a reference, and single changes. A cause is proven where its change beats the run as it is, and changes drawn at
    random. Rows for the test are never touched. Ctrl-C gives what was found until then.
    """
    from chainrule.cli.doctor import doctor as call

    call(subject, settings, **how)


@app.command()
@with_data
@option(
    "--augment",
    required=True,
    metavar="NAME:X,...",
    help="As in train, such as shift:2,rotation:10.",
)
@option(
    "--out", type=PATH, default=Path("augment.png"), metavar="FILE", help="Where to write the picture. [augment.png]"
)
@option("--rows", type=int, default=6, metavar="N", help="How many images. [6]")
@option("--versions", type=int, default=8, metavar="N", help="How many versions of each. [8]")
@option("--seed", type=int, default=0, metavar="N", help="Another number, other versions. [0]")
@with_data_dir
def augment(data: str, augment: str, **how: Any) -> None:
    """See what an augmentation does: a picture of some images, each beside versions as training may see it."""
    from chainrule.cli.augment import augment as call

    call(data, augment, **how)


@app.command()
@with_run
@with_data
@option("--out", type=PATH, metavar="FILE", help="Write to a file instead of standard output.")
@option("--probabilities", is_flag=True, help="Add a column for each class.")
@with_csv
@with_data_dir
def predict(run: str, data: str, csv_options: dict[str, Any], **how: Any) -> None:
    """Predict with a trained network: CSV with the columns index and prediction, or Parquet (--out NAME.parquet).

    DATA may lack the targets: a table with the other columns in any order, an .npz file with x alone, a folder of
    pictures. Of named data with a test part, the test part is predicted.
    """
    from chainrule.cli.predict import predict as call

    call(run, data, **how, **csv_options)


@app.command()
@with_run
@with_data
@option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@option("--target", metavar="COLUMN", help="The column of a table with the right answers. [the run's]")
@with_csv
@with_data_dir
def evaluate(run: str, data: str, csv_options: dict[str, Any], **how: Any) -> None:
    """Evaluate a trained network: loss, accuracy, precision, recall and F1 of each class, confusion.

    Of data with a test part, the test part is judged, and of data that the run held a test part out of, that part.
    """
    from chainrule.cli.evaluate import evaluate as call

    call(run, data, **how, **csv_options)


@app.command()
@argument("run", metavar="RUN", help="A run's folder.", shell_complete=completion.of("runs"))
def report(run: str) -> None:
    """Write the page about a run (report.html) again from the run's files, and print where it is."""
    from chainrule.cli.report import report as call

    call(run)


@app.command()
@argument(
    "runs",
    nargs=-1,
    metavar="RUN RUN ...",
    help="The folders of two runs or more.",
    shell_complete=completion.of("runs"),
)
@option("--out", type=PATH, metavar="FILE", help="Write a page with curves and scores, such as compared.html.")
def compare(runs: tuple[str, ...], out: Path | None) -> None:
    """Show runs side by side: the settings in which they differ, how good each is, and whether that is chance."""
    from chainrule.cli.compare import compare as call

    call(runs, out)


@app.command()
@with_run
@option(
    "--out",
    type=PATH,
    metavar="FILE",
    help="NAME.onnx; NAME.safetensors writes weights for PyTorch. [model.onnx in the run's folder]",
)
@option(
    "--check",
    metavar="DATA",
    help="Compare on these data. [on random rows]",
    shell_complete=completion.of("data"),
)
@option("--opset", type=int, metavar="N", help="Version of ONNX's operations. [18]")
@with_data_dir
def export(run: str, **how: Any) -> None:
    """Write a trained network to an ONNX file, with all that is done to its data, and check what it predicts."""
    from chainrule.cli.export import export as call

    call(run, **how)


@app.command()
@argument("folder", type=PATH, default=Path("runs"), metavar="[FOLDER]", help="Where the runs lie. [runs]")
def runs(folder: Path) -> None:
    """List what was trained, newest first."""
    from chainrule.cli.runs import runs as call

    call(folder)


@app.command()
@argument(
    "run",
    metavar="RUN|FOLDER",
    help="The folder of a run, also one that goes on or has ended; or a folder of runs: a list of them.",
    shell_complete=completion.of("runs"),
)
@option("--port", type=int, metavar="N", help="Of the page. [8765, or the next one that is free]")
@option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@click.option("--of-training", is_flag=True, hidden=True)
def watch(run: str, **how: Any) -> None:
    """Show a run in the browser while it goes on: the page of its report, kept up to date.

    \b
    chainrule watch digits-20250101-120000
    chainrule watch runs

    The page is for this machine alone. Ctrl-C ends it; so does, 30 s later, closing the page of a run that has ended.
    """
    from chainrule.cli.watch import watch as call

    call(run, **how)


@app.command()
@option("--seed", type=int, default=0, metavar="N", help="Another number, another run. [0]")
@option("--out", type=PATH, metavar="DIR", help="The run's folder, a new one. [runs/digits-DATE-TIME]")
def demo(seed: int, out: Path | None) -> None:
    """Watch a network learn handwritten digits, and see what it says about some it has not seen."""
    from chainrule.cli.demo import demo as call

    call(seed=seed, out=out)


class LabPages(click.Group):
    """The pages of the lab as commands. Each is made when it is asked for: what it computes with is loaded then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from chainrule import lab as pages

        return list(pages.QUESTIONS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        from chainrule.cli.lab import command_of

        return command_of(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from chainrule import lab as pages

        with formatter.section("Pages"):
            formatter.write_dl(list(pages.QUESTIONS.items()))


@app.group(cls=LabPages, invoke_without_command=True)
@option("--out", type=PATH, metavar="FOLDER", help="Write all pages and an index into this folder.")
@option("--serve", is_flag=True, help="Show the pages in the browser, with forms for their parameters, until Ctrl-C.")
@option("--port", type=int, metavar="N", help="Of --serve. [8765, or the next one that is free]")
@option("--open", "open_browser", is_flag=True, help="Of --serve: open the browser, too.")
@click.pass_context
def lab(ctx: click.Context, out: Path | None, serve: bool, port: int | None, open_browser: bool) -> None:
    """Write a page with a picture that moves, about one question of training; or list the questions."""
    if ctx.invoked_subcommand is None:
        from chainrule.cli.lab import all_pages

        all_pages(out, serve, port, open_browser)
        return
    name = ctx.invoked_subcommand
    if out is not None:
        raise SettingError(f"--out {out} of a page stands after its name: chainrule lab {name} --out {out}")
    if serve or port is not None or open_browser:
        raise SettingError(f"--serve, --port and --open are for all pages: leave out {name}.")


@app.command("completion")
@argument("shell", type=click.Choice(completion.SHELLS), metavar="SHELL", help="bash, zsh or fish.")
def print_completion(shell: str) -> None:
    """Print what a shell has to read so that it completes the words of chainrule.

    \b
    eval "$(chainrule completion bash)"              in ~/.bashrc
    eval "$(chainrule completion zsh)"               in ~/.zshrc
    chainrule completion fish | source               in ~/.config/fish/config.fish
    """
    click.echo(completion.script(shell))
