"""`search`: many trials of a space, trained as populations, and the best of them."""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule import random
from chainrule.checks import check_whole, is_number
from chainrule.data import Dataset
from chainrule.display.progress import print_notes
from chainrule.errors import SettingError
from chainrule.evaluation.search_gap import search_gap, test_part
from chainrule.fields import passes_settings
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.recipe.callbacks import Callback
from chainrule.run_settings import TrainingSettings
from chainrule.settings import plain
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.result import SearchResult
from chainrule.tuning.runner import SearchRunner
from chainrule.tuning.show import Watch
from chainrule.tuning.show import progress as show_progress
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage, plan

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study

#: Trials that are claimed, and trained, at once: by samplers that do not look at results, and by those that do.
BATCH, ADAPTIVE_BATCH = 64, 16

#: Of a study that several processes may share, each takes one in so many of the trials that are left.
ONE_IN = 4


@passes_settings(TrainingSettings)
def search(
    net: Layer | Model | Callable[..., Layer],
    data: Any,
    space: Mapping[str, Any],
    *,
    trials: int = 64,
    sampler: str | BaseSampler = "random",
    stages: str | Sequence[Stage] | None = None,
    metric: str | None = None,
    seed: int = 0,
    epochs: int = 10,
    validation: Any = None,
    batch: int | None = None,
    timeout: float | None = None,
    max_epochs: int | None = None,
    study: str | Path | Study | None = None,
    name: str | None = None,
    shared: bool | None = None,
    retrain: bool = False,
    test: Any = None,
    callbacks: Callback | Sequence[Callback] = (),
    watch: Watch | None = None,
    engine: str = "auto",
    devices: str | int | None = None,
    progress: bool = True,
    **settings: Any,
) -> SearchResult:
    """Search for the settings with which a network does best on validation rows.

    Trials are claimed in batches, and each batch is trained as one population, so that several validations run at the
    same time (lecture 003). All trials have the same seed, training rows, order of these and validation rows: they
    differ in nothing but their settings.

    Parameters
    ----------
    net
        As for `fit`. Or a function of settings of the space that returns a layer, so that structure is searched, too:
        ``def net(layers, width, activation): ...``; with an argument ``data`` it gets the `Dataset`.
    data
        As for `fit`, in memory.
    space
        A distribution (`uniform`, `log_uniform`, `integer`, `choice`) for each setting: an argument of `fit` ("l2",
        "batch_size", "optimizer"), a dotted path ("optimizer.lr", "net.layers.0.units", "net.layers.1.rate"), or an
        argument of ``net``. One that is asked for only sometimes has a condition:
        ``cr.uniform(0, 0.99).when("optimizer", "sgd")``.
    trials
        How many, over all processes that share the study.
    sampler
        "random"; "grid" (all options, and as many evenly spaced values of each range as the trials have room for);
        "sobol" (Sobol, 1967: more even than chance); "tpe" (Bergstra et al., 2011: follows what was good so far); or a
        sampler of Optuna.
    stages
        None: every trial gets all epochs. "coarse_to_fine" (lecture 003): ½ of the trials for ⅒ of the epochs, ¼ for ⅕
        of them in the space around the best eighth, and ¼ for all in that around the best of these. "halving"
        (Jamieson and Talwalkar, 2016): all begin, and the best third goes on from where it is, from rung to rung.
        "hyperband" (Li et al., 2018): several halvings, from bold to careful. Or a list of `chainrule.tuning.Stage`.
    metric
        "val_accuracy", "val_mae" (None: the one of these that is measured), "val_loss", …; the value of a trial is that
        of the epoch whose weights it ends with. Of equal ones that with the lower cost on validation rows is better.
    seed
        The search and every trial follow from it.
    epochs
        Of a trial that is not stopped.
    validation
        As for `fit`; None: the data's own part, or else a fifth, drawn once for all trials.
    batch
        Trials to a batch. None: 64 (of "tpe" and samplers of Optuna 16), or as many as the smallest stage has;
        of a ``shared`` study at most a quarter of those that are left; of a stage with rungs all.
    timeout, max_epochs
        End after so many seconds, or epochs over all trials. Trials that are under way then count as they are.
    study, name
        Where the search is kept: the path of a journal file, a database's URL, or an Optuna study; None: in memory. A
        journal costs next to nothing, a database a transaction for each value (some 15 ms an epoch of a trial in
        SQLite). The same call goes on with what is there: finished trials are not run again, those that were under way
        when the process was killed are, at once on the same machine, and when the process has been silent for a minute
        on another one. ``name`` tells studies in one place apart.
    shared
        Several processes may work on one study: each trial is trained by one of them, and each returns when no trial is
        left to begin. None: where ``study`` is given; False: this process takes larger batches, and leaves less to
        others. A batch whose worst are stopped (``stages`` with rungs) is trained by one process.
    retrain
        Train the winner once more, on training and validation rows together, for as many epochs as it had.
    test
        ``(x, y)`` or a `Dataset` to evaluate the winner on, once, at the end; None: the data's test part if it has one;
        False: not at all. A warning says when the search has fitted the validation rows.
    callbacks
        As for `fit_population`: called with an `Event` for each trial after each of its epochs.
    watch
        Called with a `chainrule.tuning.SearchProgress` of the search after every epoch of some trials.
    engine, devices, progress
        As for `fit`.
    settings
        Other settings of `fit`, the same for all trials.

    Returns
    -------
    SearchResult
        ``.leaderboard``, ``.settings`` and ``.best`` (a `Run`) of the best trial, ``.trials`` with their curves,
        ``.study``.

    Raises
    ------
    SettingError
        Before anything is trained: for settings that there are not, ranges that a setting cannot have, a continuous
        range for a structural setting, a study of another experiment.
    FileError
        For a storage that cannot be reached.
    DivergedError
        If all trials diverged, with the ranges tried.
    NothingLeftError
        If other processes that share the study train all that is left, and have finished none yet.
    KeyboardInterrupt
        After Ctrl-C. Finished trials are kept, the others wait for the next call.

    Example
    -------
    >>> import chainrule as cr
    >>> best = cr.search(
    ...     cr.mlp([4, 16, 3]), cr.data.load("iris"),
    ...     {"optimizer.lr": cr.log_uniform(1e-3, 1.0), "l2": cr.log_uniform(1e-4, 1.0)},
    ...     trials=8, epochs=10, progress=False)
    >>> best.score >= 0.9
    True
    """
    started = time.monotonic()
    trials, epochs = check_whole("search: trials", plain(trials)), check_whole("search: epochs", plain(epochs))
    batch = None if batch is None else check_whole("search: batch", plain(batch))
    max_epochs = None if max_epochs is None else check_whole("search: max_epochs", plain(max_epochs))
    seed, timeout = plain(seed), plain(timeout)
    if timeout is not None and (not is_number(timeout) or not timeout > 0):
        raise SettingError(f"search: timeout is a number of seconds above 0, got {timeout!r}.")
    random.key(seed)
    test_data = test_part(test, data)
    if validation is None and not (isinstance(data, Dataset) and data.validation is not None):
        validation = 0.2
    full_space = Space(space)
    if "epochs" in full_space and stages is not None:
        raise SettingError("space: 'epochs' is shared out by stages; leave one of them out.")
    if repeated := [name for name in settings if name in full_space]:
        raise SettingError(
            f"search: {repeated[0]!r} is in the space and given for all trials, too; leave one of them out."
        )
    all_stages = plan(stages, trials, epochs)
    common = settings | {"epochs": epochs, "validation": validation, "seed": seed}
    options = {"engine": engine, "devices": devices, "callbacks": callbacks}

    from chainrule.tuning.samplers import PositionalSampler
    from chainrule.tuning.storage import quiet
    from chainrule.tuning.trial_store import TrialStore

    with quiet():
        optuna_sampler = (
            PositionalSampler(sampler, full_space, all_stages, seed) if isinstance(sampler, str) else sampler
        )
        if isinstance(optuna_sampler, PositionalSampler) and optuna_sampler.most < all_stages[0].trials:
            all_stages = [Stage(int(optuna_sampler.most), all_stages[0].rungs, all_stages[0].factor)]
        experiment = Experiment(net, data, full_space, common, metric, options)
        # More trials may be added later, but not where their number says how the others are treated.
        fixed: dict[str, Any] = {"trials": trials} if stages is not None or sampler == "grid" else {}
        if stages is not None:
            fixed["shares"] = [(stage.trials, stage.rungs, stage.narrow) for stage in all_stages]
        identity = experiment.identity(stages=stages, **fixed)
        store = TrialStore(study, name, experiment.metric, identity, full_space, all_stages, optuna_sampler)
        largest_batch = batch or _largest_batch(optuna_sampler, all_stages)
        batch_size = functools.partial(min, largest_batch)
        if batch is None and (study is not None if shared is None else shared):
            batch_size = functools.partial(_fair_batch, largest_batch, store.total)
        runner = SearchRunner(experiment, store, batch_size, batch, started, timeout, max_epochs)
        if progress:
            print_notes(experiment.notes)
        with show_progress(store.total, progress) as show:
            runner.run([show, *([watch] if watch is not None else [])], study is not None)
        result = runner.result(stages is not None, retrain)
    if retrain:
        result.best  # noqa: B018 - now, not when it is looked at
    if test_data is not None:
        compared = sum(trial.value is not None for trial in result.trials)
        result.search_gap = search_gap(
            result.best, test_data, experiment.metric, result.score, compared, experiment.validation_rows
        )
        if (warning := result.search_gap.warning()) is not None:
            warnings.warn(warning, stacklevel=2)
    result.seconds = time.monotonic() - started
    return result


def _largest_batch(sampler: Any, stages: Sequence[Stage]) -> int:
    """Return the trials to a batch: not more than the smallest stage has, so that all batches use one program."""
    adaptive = getattr(sampler, "name", "tpe") == "tpe"
    return min([ADAPTIVE_BATCH if adaptive else BATCH, *(stage.trials for stage in stages if len(stage.rungs) == 1)])


def _fair_batch(most: int, trials: int, left: int) -> int:
    """Return the trials to a batch of a study that others may work on: a quarter of those left, and not too few.

    Powers of two, since each number of networks that train together is a program to compile.

    >>> [_fair_batch(64, 64, left) for left in (64, 48, 24, 4)]
    [16, 8, 4, 4]
    """
    quarter = max(math.ceil(left / ONE_IN), min(ONE_IN, trials // ONE_IN), 1)
    return min(most, 2 ** int(math.log2(quarter)))
