"""``chainrule search``: many settings tried at once, and the network of the best ones."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.cli.messages import say, show
from chainrule.cli.tell import say_start
from chainrule.cli.train import check_place, say_folder
from chainrule.display.text_table import text_table as table
from chainrule.engine.cache import ignore_cache_warnings
from chainrule.errors import ChainruleError, DivergedError, NothingLeftError, SettingError, UnsavedError
from chainrule.experiments.data import fingerprint_of, path_of
from chainrule.experiments.evaluate import judge_and_report, scores_of
from chainrule.experiments.leaderboard import facts_of, frame, how, leaderboard, say_found
from chainrule.experiments.plan import Task, find_task
from chainrule.experiments.presets import VALIDATION, TrainSettings
from chainrule.experiments.resume import saving
from chainrule.experiments.search_settings import SearchSettings, read_search, write_search
from chainrule.experiments.search_space import SpaceMapping
from chainrule.experiments.settings import settings_from
from chainrule.experiments.single import RUNS, result
from chainrule.experiments.space_syntax import Axis, default_space, parse_space, shown
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import check_not_read, write_atomic
from chainrule.outcome import Outcome
from chainrule.runs.files import CONFIG, ENVIRONMENT, JOURNAL, LEADERBOARD, MODEL, SEARCH_CONFIG
from chainrule.runs.folder import RunFolder, create_run_dir, write_config, write_result
from chainrule.runs.trials import write_trials
from chainrule.signals import Terminated
from chainrule.tuning import SearchProgress, SearchResult, Stage
from chainrule.tuning.stages import plan


def search(
    given: Mapping[str, Any], asked: Mapping[str, Any], *, config: Path | None, out: Path | None, resume: Path | None
) -> None:
    """Search as the command line says, and tell what came of it."""
    if resume is None:
        settings, wanted = settings_from(given, config), SearchSettings(**asked)
    else:
        settings, wanted = read_search(resume, given, asked, config, out)
    check_place(out, settings, config, resume=resume is not None)
    if wanted.study is not None:
        check_not_read(wanted.study, path_of(settings.data), config)
    if settings.seeds is not None or settings.folds is not None:
        settings = dataclasses.replace(settings, seeds=None, folds=None, save=None)
    if settings.validation is None:
        settings = dataclasses.replace(settings, validation=VALIDATION)
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
    with create_run_dir(resume or out, RUNS, f"search-{task.data.name}", resume=resume is not None) as path:
        folder = RunFolder(path, resume=resume is not None)
        with folder.opened(), resumable(path):
            translation = SpaceMapping(task, axes)
            begin(folder, task, settings, wanted)
            try:
                found, notes = searched(translation, wanted, path, is_new=resume is None)
            except NothingLeftError as error:
                say(str(error))
                return
            facts = facts_of(translation, found, in_words(task, axes, wanted, stages), notes)
            with saving(found.best):
                write(folder, translation, found, stages, wanted, facts)
    show(leaderboard(translation, found))
    say_found(translation, found, facts)
    if training := sum(trial.state == "running" for trial in found.trials):
        say(
            f"note: other processes of this study still train {training} of {wanted.trials} trials. When they have "
            f"ended: chainrule search --resume {path}"
        )
    say_folder(path)
    say(f"The best settings are in {path / CONFIG}: chainrule train --config {path / CONFIG}")
    say(f"Next: chainrule evaluate {path} {task.settings.data}")


def space_of(task: Task, wanted: SearchSettings, typed: Sequence[str]) -> tuple[tuple[Axis, ...], SearchSettings]:
    """Return what is searched: what was said, or what fits the preset."""
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


def begin(folder: RunFolder, task: Task, settings: TrainSettings, wanted: SearchSettings) -> None:
    """Write what was asked for, before all else: whatever is in the folder then, the search can be gone on with."""
    if not (folder.path / SEARCH_CONFIG).exists():
        write_search(folder.path, settings, wanted)
    if not (folder.path / CONFIG).exists():
        folder.start(dataclasses.asdict(task.settings))


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM, and a result that cannot be saved, say how to go on."""
    try:
        yield
    except (KeyboardInterrupt, Terminated) as error:
        if not (folder / SEARCH_CONFIG).exists():
            raise type(error)("Interrupted before anything was trained.") from None
        text = str(error).partition(" The same call")[0] or "Interrupted."
        raise type(error)(f"{text} To go on: chainrule search --resume {folder}") from None
    except UnsavedError as error:
        raise UnsavedError(f"{error} To go on: chainrule search --resume {folder}", run=error.run) from None


def searched(
    translation: SpaceMapping, wanted: SearchSettings, folder: Path, *, is_new: bool
) -> tuple[SearchResult, list[str]]:
    """Return the search, done; and what it warned of. A new one that ends before anything is trained leaves nothing
    behind.
    """
    from chainrule.tuning import search as run

    task, settings = translation.task, translation.task.settings
    words = {name: value for name, value in task.words.items() if name not in ("validation",)}
    if "epochs" in translation.space:
        del words["epochs"]
    test, standings = task.test, list[SearchProgress]()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            ignore_cache_warnings()
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
                shared=wanted.study is not None,
                retrain=wanted.retrain,
                test=False if test is None else (test.x, test.y),
                engine=settings.engine,
                devices=settings.devices,
                watch=lambda standing: standings.__setitem__(slice(None), [standing]),
                **{name: value for name, value in words.items() if name not in translation.space},
            )
    except DivergedError:
        write_result(folder, Outcome("diverged", "all trials diverged").to_dict())
        raise
    except (ChainruleError, KeyboardInterrupt, Terminated):
        if is_new and not standings:
            forget(folder)
        raise
    return found, [str(one.message) for one in caught if issubclass(one.category, UserWarning)]


def forget(folder: Path) -> None:
    """Remove what a search has written that has not trained anything; what was asked for last of all."""
    for path in (*folder.glob(f"{JOURNAL}*"), folder / ENVIRONMENT, folder / CONFIG, folder / SEARCH_CONFIG):
        path.unlink(missing_ok=True)


def write(
    folder: RunFolder,
    translation: SpaceMapping,
    found: SearchResult,
    stages: Sequence[Stage],
    wanted: SearchSettings,
    facts: Mapping[str, Any],
) -> None:
    """Write the winner as a run, and all trials."""
    task, run, path = translation.task, found.best, folder.path
    run.folder = path
    folder.reopen()  # until all is of the same winner
    settings = winner_settings(translation, found, stages, wanted)
    write_config(path, dataclasses.asdict(settings))
    folder.write_metrics(run.history.records)
    run.model.save(path / MODEL)
    write_atomic(path / LEADERBOARD, frame(translation, found).to_csv(index=False))
    write_trials(path, facts)
    scores = None if task.test is None else scores_of(run, task.test.x, task.test.y)
    write_result(
        path,
        result(run, scores, task.test, fingerprint_of(task.part, settings.data))
        | {"trials": len(found.trials), "best_trial": found.winner.number},
    )
    judge_and_report(run, task.data, task.part, task.test, settings, task.table)


def winner_settings(
    translation: SpaceMapping, found: SearchResult, stages: Sequence[Stage], wanted: SearchSettings
) -> TrainSettings:
    """Return the settings of the best trial, for ``config.toml``."""
    winner = found.winner
    settings = translation.settings(translation.typed(winner.settings), found.best)
    if "epochs" not in translation.names:
        settings = dataclasses.replace(settings, epochs=stages[winner.stage].epochs)
    if wanted.retrain:
        settings = dataclasses.replace(settings, epochs=winner.best_epoch, validation=0.0, early_stopping=0)
    return settings


def say_search(task: Task, axes: Sequence[Axis], wanted: SearchSettings, stages: Sequence[Stage]) -> None:
    """What is about to happen."""
    say_start(task.settings, task.data, task.part, task.test, task.model, validation_is="to choose the trial")
    say(f"  search    {in_words(task, axes, wanted, stages)}; in place of the above:")
    for line in table(shown(axes), left=(0, 1, 2)).splitlines():
        say(f"            {line}")


def in_words(task: Task, axes: Sequence[Axis], wanted: SearchSettings, stages: Sequence[Stage]) -> str:
    """Return how it is searched."""
    epochs = "epochs as below" if "epochs" in [axis.name for axis in axes] else f"{task.settings.epochs} epochs each"
    return how(wanted.trials, wanted.sampler, wanted.stages, stages, epochs)
