"""Many settings tried at once, and the network of the best ones, as a run."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.engine.cache import ignore_cache_warnings
from chainrule.errors import ChainruleError, DivergedError, SettingError, UnsavedError
from chainrule.experiments.evaluation import evaluate_and_report, scores_of
from chainrule.experiments.folder import Out, open_folder
from chainrule.experiments.leaderboard import describe_search, leaderboard_of, search_facts
from chainrule.experiments.listener import Listener
from chainrule.experiments.plan import Plan, make_plan
from chainrule.experiments.presets import VALIDATION
from chainrule.experiments.result import Trained, save_outcome, save_result
from chainrule.experiments.resume import saving
from chainrule.experiments.search_settings import SearchSettings, write_search
from chainrule.experiments.search_space import SpaceMapping
from chainrule.experiments.settings import ExperimentSettings
from chainrule.experiments.space_syntax import Axis, default_space, format_space, parse_space
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import write_atomic
from chainrule.metrics import format_value
from chainrule.outcome import Outcome
from chainrule.runs.files import CONFIG, ENVIRONMENT, JOURNAL, LEADERBOARD, MODEL, SEARCH_CONFIG
from chainrule.runs.folder import RunFolder, write_config
from chainrule.runs.trials import Trials, at_the_edge, write_trials
from chainrule.signals import Terminated, with_message
from chainrule.tuning import SearchProgress, SearchResult, Stage, search
from chainrule.tuning.stages import plan as plan_stages


@dataclass(frozen=True, eq=False, repr=False)
class Searched(Trained):
    """The network of the best trial of a search; `plan` is that of the search, `settings` are the best ones.

    Attributes
    ----------
    result : the trials, with their histories, and the `Run` of the best one
    mapping : from settings as they are typed to those of `chainrule.tuning.search`, and back
    request : how it was searched
    best_settings : all settings of the best trial, without gaps
    facts : what the report shows of the search
    """

    result: SearchResult
    mapping: SpaceMapping
    request: SearchSettings
    best_settings: ExperimentSettings
    facts: Mapping[str, Any]

    @property
    def settings(self) -> ExperimentSettings:
        """All settings of the best trial, without gaps: what ``config.toml`` holds."""
        return self.best_settings

    @property
    def leaderboard(self) -> Any:
        """The trials as a data frame, the best first, with settings as they are typed."""
        return leaderboard_of(self.mapping, self.result)

    def _lines(self) -> list[str]:
        result = self.result
        chosen = ", ".join(
            f"{name} {v:.4g}" if isinstance(v, float) else f"{name} {v}"
            for name, v in self.mapping.typed(result.winner.settings).items()
        )
        value = f"{result.metric} {format_value(result.metric, result.score)}"
        lines = [f"Best of {len(result.trials)} trials: trial {result.winner.number}, {value}, with {chosen}."]
        if result.search_gap is not None:
            lines.append(f"Test: {result.search_gap}")
        lines += [f"warning: {note}" for note in self.facts["notes"]]
        lines += [f"note: {note}" for note in at_the_edge(Trials(self.facts))]
        if running := sum(trial.state == "running" for trial in result.trials):
            lines.append(
                f"note: other processes of this study still train {running} of {self.request.trials} trials. When they "
                f"have ended: chainrule search --resume {self.folder}"
            )
        return lines


def train_trials(
    settings: ExperimentSettings,
    request: SearchSettings,
    typed: Collection[str],
    *,
    data: Any = None,
    fixed: Collection[str] | None = None,
    out: Out,
    resume: bool,
    listener: Listener,
) -> Searched:
    """Search, and write the winner as a run.

    Parameters
    ----------
    typed : names of the settings that were asked for: they must have an effect
    fixed : names of those that are not searched; None: ``typed``
    """
    if settings.seeds is not None or settings.folds is not None:
        settings = dataclasses.replace(settings, seeds=None, folds=None, save=None)
    if settings.validation is None:
        settings = dataclasses.replace(settings, validation=VALIDATION)
    plan = make_plan(settings, typed, data=data)
    if plan.table is not None:
        listener.on_table(plan.table)
    if plan.data.validation is None and not plan.settings.validation:
        raise SettingError("A search compares trials on validation rows: --validation 0.1 sets a tenth apart.")
    axes, request = _space(plan, request, typed if fixed is None else fixed)
    names = {axis.name: axis for axis in axes}
    if "hidden" not in names:
        check_used(Situation(plan.settings.data, plan.settings, plan.data), names, "--space: ")
    stages = plan_stages(request.stages, request.trials, plan.settings.epochs or 1)
    how = _in_words(plan, axes, request, stages)
    listener.on_start(plan, [f"search    {how}; in place of the above:", *_indented(axes)], "to choose the trial")
    with open_folder(out, f"search-{plan.data.name}", resume=resume) as path, contextlib.ExitStack() as stack:
        folder = None if path is None else RunFolder(path, resume=resume)
        if folder is not None:
            stack.enter_context(folder.opened())
            stack.enter_context(_resumable(folder.path, listener))
            listener.on_folder(folder.path)
        mapping = SpaceMapping(plan, axes)
        if folder is not None:
            _begin(folder, plan, settings, request)
        result, notes = _search(mapping, request, path, is_new=not resume, progress=listener.progress)
        run, test = result.best, plan.test
        run.folder = path
        best = _winner_settings(mapping, result, stages, request)
        scores = None if test is None else scores_of(run, test.x, test.y)
        facts = search_facts(mapping, result, how, notes)
        searched = Searched(run, plan, scores, path, result, mapping, request, best, facts)
        if folder is not None:
            with saving(run):
                _write(folder, searched)
            evaluate_and_report(run, dataclasses.replace(plan, settings=best), listener)
    return searched


def _space(plan: Plan, request: SearchSettings, fixed: Collection[str]) -> tuple[tuple[Axis, ...], SearchSettings]:
    """Return what is searched: what was said, or what fits the preset."""
    if request.space is None:
        text = default_space(None if plan.settings.net is not None else plan.settings.preset, fixed)
        request = dataclasses.replace(request, space=text)
    assert request.space is not None
    axes = parse_space(request.space)
    for axis in axes:
        if axis.name in fixed:
            flag = axis.name.replace("_", "-")
            raise SettingError(f"{axis.name} is in --space and given by --{flag}, too; leave out one of the two.")
    return axes, request


def _indented(axes: Sequence[Axis]) -> list[str]:
    """Return the space as lines of text."""
    return [f"          {line}" for line in format_space(axes).splitlines()]


def _begin(folder: RunFolder, plan: Plan, settings: ExperimentSettings, request: SearchSettings) -> None:
    """Write what was asked for, before all else: whatever is in the folder then, the search can be gone on with."""
    if not (folder.path / SEARCH_CONFIG).exists():
        write_search(folder.path, settings, request)
    if not (folder.path / CONFIG).exists():
        folder.start(plan.settings.to_dict())


@contextlib.contextmanager
def _resumable(folder: Path, listener: Listener) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM, and a result that cannot be saved, say how to go on."""
    to_go_on = f"To go on: {listener.how_to_resume(folder, 'search')}"
    try:
        yield
    except (KeyboardInterrupt, Terminated) as error:
        if not (folder / SEARCH_CONFIG).exists():
            raise with_message(error, "Interrupted before anything was trained.", "") from None
        raise with_message(error, getattr(error, "message", "") or "Interrupted.", to_go_on) from None
    except UnsavedError as error:
        raise UnsavedError(error.message, to_go_on, run=error.run) from None


def _search(
    mapping: SpaceMapping, request: SearchSettings, folder: Path | None, *, is_new: bool, progress: bool
) -> tuple[SearchResult, list[str]]:
    """Search; return the result, and what was warned of. A new one that ends before anything is trained leaves nothing
    behind.
    """
    plan, settings = mapping.plan, mapping.plan.settings
    kwargs = {name: value for name, value in plan.fit_kwargs.items() if name not in ("validation", *mapping.space)}
    test, last = plan.test, collections.deque[SearchProgress](maxlen=1)
    journal = None if folder is None else str(folder / JOURNAL)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            ignore_cache_warnings()
            result = search(
                mapping.net,
                plan.split(),
                mapping.space,
                trials=request.trials,
                sampler=request.sampler,
                stages=request.stages,
                metric=request.metric,
                timeout=request.timeout,
                max_epochs=request.max_epochs,
                study=request.study or journal,
                name=request.study_name,
                shared=request.study is not None,
                retrain=request.retrain,
                test=False if test is None else (test.x, test.y),
                engine=settings.engine,
                devices=settings.devices,
                watch=last.append,
                progress=progress,
                **kwargs,
            )
    except DivergedError:
        if folder is not None:
            save_outcome(folder, Outcome("diverged", "all trials diverged"))
        raise
    except (ChainruleError, KeyboardInterrupt, Terminated):
        if folder is not None and is_new and not last:
            _forget(folder)
        raise
    return result, [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]


def _forget(folder: Path) -> None:
    """Remove what a search has written that has not trained anything; what was asked for last of all."""
    for path in (*folder.glob(f"{JOURNAL}*"), folder / ENVIRONMENT, folder / CONFIG, folder / SEARCH_CONFIG):
        path.unlink(missing_ok=True)


def _write(folder: RunFolder, searched: Searched) -> None:
    """Write the winner as a run, and all trials."""
    run, path, result = searched.run, folder.path, searched.result
    folder.reopen()  # until all is of the same winner
    write_config(path, searched.settings.to_dict())
    folder.write_metrics(run.history.records)
    run.model.save(path / MODEL)
    write_atomic(path / LEADERBOARD, searched.leaderboard.to_csv(index=False))
    write_trials(path, searched.facts)
    more = {"trials": len(result.trials), "best_trial": result.winner.number}
    save_result(path, run, searched.plan, searched.test, **more)


def _winner_settings(
    mapping: SpaceMapping, result: SearchResult, stages: Sequence[Stage], request: SearchSettings
) -> ExperimentSettings:
    """Return the settings of the best trial, for ``config.toml``."""
    winner = result.winner
    settings = mapping.settings(mapping.typed(winner.settings), result.best)
    if "epochs" not in mapping.names:
        settings = dataclasses.replace(settings, epochs=stages[winner.stage].epochs)
    if request.retrain:
        settings = dataclasses.replace(settings, epochs=winner.best_epoch, validation=0.0, early_stopping=0)
    return settings


def _in_words(plan: Plan, axes: Sequence[Axis], request: SearchSettings, stages: Sequence[Stage]) -> str:
    """Return how it is searched."""
    epochs = "epochs as below" if "epochs" in [axis.name for axis in axes] else f"{plan.settings.epochs} epochs each"
    return describe_search(request.trials, request.sampler, request.stages, stages, epochs)
