"""``chainrule search``: many settings tried at once, and the network of the best ones."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.data import fingerprint_of, path_of
from chainrule.cli.judge import judge_and_report
from chainrule.cli.messages import say, show, table
from chainrule.cli.resume import from_search
from chainrule.cli.settings import settings_from
from chainrule.cli.space import Axis, default_space, parse_space, shown
from chainrule.cli.task import Task, find_task
from chainrule.cli.tell import say_start
from chainrule.cli.train import RUNS, check_place, result, say_folder
from chainrule.cli.translate import Translation
from chainrule.cli.trials import facts_of, frame, how, leaderboard, say_found
from chainrule.cli.usage import Situation, check_used
from chainrule.errors import ChainruleError, DivergedError, SettingError
from chainrule.files import check_not_read, check_text, write_atomic
from chainrule.presets import TrainSettings
from chainrule.report.trials import write_trials
from chainrule.signals import Terminated
from chainrule.training.folder import RunFolder, claim_folder, without_none, write_config, write_result
from chainrule.tuning import Search, Stage
from chainrule.tuning.stages import plan

#: What the search was asked for, in its folder; and where its trials are kept unless it is told otherwise.
ASKED, JOURNAL = "search.toml", "study.journal"


@dataclass(frozen=True)
class Asked:
    """What a search can be told besides the settings of `train`: the table ``[search]`` of ``search.toml``.

    Attributes
    ----------
    space : as typed; None: by the preset
    trials, sampler, stages, metric, timeout, max_epochs, study, study_name, retrain : as in `chainrule.tuning.search`
    """

    space: str | None = None
    trials: int = 64
    sampler: str = "random"
    stages: str | None = None
    metric: str | None = None
    timeout: float | None = None
    max_epochs: int | None = None
    study: str | None = None
    study_name: str | None = None
    retrain: bool = False

    def __post_init__(self) -> None:
        check_text(vars(self))
        if self.trials < 1:
            raise SettingError(f"trials must be a whole number of at least 1, got {self.trials}.")


def search(
    given: Mapping[str, Any], asked: Mapping[str, Any], *, config: Path | None, out: Path | None, resume: Path | None
) -> None:
    """Search as the command line says, and tell what came of it."""
    if resume is None:
        settings, wanted = settings_from(given, config), Asked(**asked)
    else:
        settings, plain = from_search(resume, given, asked, config, out)
        wanted = Asked(**plain)
    check_place(out, settings, config)
    if wanted.study is not None:
        check_not_read(wanted.study, path_of(settings.data), config)
    if settings.seeds is not None or settings.folds is not None:
        settings = dataclasses.replace(settings, seeds=None, folds=None, save=None)
    task = find_task(settings, tuple(given))
    if task.data.validation is None and not task.settings.validation:
        raise SettingError("A search compares trials on validation rows: --validation 0.1 sets a tenth apart.")
    typed = () if config is not None and wanted.space is not None else tuple(given)
    axes, wanted = space_of(task, wanted, typed)
    searched_names = {axis.name: axis for axis in axes}
    if "hidden" not in searched_names:
        check_used(Situation(task.settings.data, task.settings, task.data), searched_names, "--space: ")
    stages = plan(wanted.stages, wanted.trials, task.settings.epochs or 1)
    say_search(task, axes, wanted, stages)
    with claim_folder(resume or out, RUNS, f"search-{task.data.name}", resume=resume is not None) as path:
        folder = RunFolder(path, resume=resume is not None)
        with folder.opened():
            translation = Translation(task, axes)
            begin = functools.partial(start, folder, task, settings, wanted)
            found, notes = searched(translation, wanted, path, begin)
            facts = facts_of(translation, found, in_words(task, axes, wanted, stages), notes)
            write(folder, translation, found, stages, wanted, facts)
    show(leaderboard(translation, found))
    say_found(translation, found, facts)
    say_folder(path)
    say(f"The best settings are in {path / 'config.toml'}: chainrule train --config {path / 'config.toml'}")
    say(f"Next: chainrule evaluate {path} {task.settings.data}")


def space_of(task: Task, wanted: Asked, typed: Sequence[str]) -> tuple[tuple[Axis, ...], Asked]:
    """What is searched: what was said, or what fits the preset."""
    if wanted.space is None:
        text = default_space(None if task.settings.net is not None else task.settings.preset, typed)
        wanted = dataclasses.replace(wanted, space=text)
    assert wanted.space is not None
    axes = parse_space(wanted.space)
    for axis in axes:
        if axis.name in typed:
            flag = axis.name.replace("_", "-")
            raise SettingError(f"{axis.name} is in --space and given by --{flag}, too; leave out one of the two.")
    return axes, wanted


def start(folder: RunFolder, task: Task, settings: TrainSettings, wanted: Asked, standing: Any = None) -> None:
    """Write what was asked for, as soon as something is trained: before, a mistake leaves nothing behind."""
    if not (folder.path / ASKED).exists():
        folder.start(dataclasses.asdict(task.settings))
        write_asked(folder.path, settings, wanted)


def searched(
    translation: Translation, wanted: Asked, folder: Path, begin: Callable[[Any], None]
) -> tuple[Search, list[str]]:
    """The search, done; and what it warned of."""
    from chainrule.tuning import search as run

    task, settings = translation.task, translation.task.settings
    words = {name: value for name, value in task.words.items() if name not in ("validation",)}
    if "epochs" in translation.space:
        del words["epochs"]
    test = task.test
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            found = run(
                translation.net,
                task.split(),
                translation.space,
                trials=wanted.trials,
                sampler=wanted.sampler,
                stages=wanted.stages,
                metric=wanted.metric,
                timeout=wanted.timeout,
                max_epochs=wanted.max_epochs,
                study=wanted.study or str(folder / JOURNAL),
                name=wanted.study_name,
                retrain=wanted.retrain,
                test=False if test is None else (test.x, test.y),
                engine=settings.engine,
                devices=settings.devices,
                watch=begin,
                **{name: value for name, value in words.items() if name not in translation.space},
            )
    except (KeyboardInterrupt, Terminated) as error:
        if not (folder / ASKED).exists():
            forget(folder)
            raise type(error)("Interrupted before anything was trained.") from None
        told = str(error).partition(" The same call")[0]
        raise type(error)(f"{told} To go on: chainrule search --resume {folder}") from None
    except DivergedError:
        write_result(folder, {"state": "diverged", "reason": "all trials diverged"})
        raise
    except ChainruleError:
        if not (folder / ASKED).exists():
            forget(folder)
        raise
    return found, [str(one.message) for one in caught if issubclass(one.category, UserWarning)]


def forget(folder: Path) -> None:
    """Take away the study of a search that has not begun."""
    for path in folder.glob(f"{JOURNAL}*"):
        path.unlink(missing_ok=True)


def write(
    folder: RunFolder,
    translation: Translation,
    found: Search,
    stages: Sequence[Stage],
    wanted: Asked,
    facts: Mapping[str, Any],
) -> None:
    """Write the winner as a run, and all trials."""
    task, run, path = translation.task, found.best, folder.path
    run.folder = path
    settings = winner_settings(translation, found, stages, wanted)
    write_config(path, dataclasses.asdict(settings))
    folder.write_metrics(run.history.records)
    run.model.save(path / "model.safetensors")
    scores = None if task.test is None else run.evaluate(task.test.x, task.test.y)
    write_result(
        path,
        result(run, scores, task.test, fingerprint_of(task.part, settings.data))
        | {"trials": len(found.trials), "best_trial": found.winner.number},
    )
    frame(translation, found).to_csv(path / "leaderboard.csv", index=False)
    write_trials(path, facts)
    judge_and_report(run, task.data, task.part, task.test, settings, task.table)


def winner_settings(translation: Translation, found: Search, stages: Sequence[Stage], wanted: Asked) -> TrainSettings:
    """The settings of the best trial, for ``config.toml``."""
    winner = found.winner
    settings = translation.settings(translation.typed(winner.settings), found.best)
    if "epochs" not in translation.names:
        settings = dataclasses.replace(settings, epochs=stages[winner.stage].epochs)
    if wanted.retrain:
        settings = dataclasses.replace(settings, epochs=winner.best_epoch, validation=0.0, early_stopping=0)
    return settings


def say_search(task: Task, axes: Sequence[Axis], wanted: Asked, stages: Sequence[Stage]) -> None:
    """What is about to happen."""
    say_start(task.settings, task.data, task.part, task.test, task.model)
    say(f"  search    {in_words(task, axes, wanted, stages)}; in place of the above:")
    for line in table(shown(axes), left=(0, 1, 2)).splitlines():
        say(f"            {line}")


def write_asked(folder: Path, settings: TrainSettings, wanted: Asked) -> None:
    """Write what was asked for, so that the search can be gone on with."""
    import tomli_w

    plain = without_none(dataclasses.asdict(settings) | {"search": dataclasses.asdict(wanted)})
    write_atomic(folder / ASKED, tomli_w.dumps(plain))


def in_words(task: Task, axes: Sequence[Axis], wanted: Asked, stages: Sequence[Stage]) -> str:
    """How it is searched."""
    epochs = "epochs as below" if "epochs" in [axis.name for axis in axes] else f"{task.settings.epochs} epochs each"
    return how(wanted.trials, wanted.sampler, wanted.stages, stages, epochs)
