"""What the commands do, from Python: `train`, `search`, `predict`, `evaluate`; and the data that they take."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.data import Dataset
from chainrule.engine import distributed
from chainrule.errors import SettingError
from chainrule.evaluation import Evaluation
from chainrule.evaluation import evaluate as evaluate_model
from chainrule.experiments.calls import check_options, errors_for_python, settings_of_call, typed_names
from chainrule.experiments.data import fingerprint_of
from chainrule.experiments.find import TrainedModel, find_model
from chainrule.experiments.folder import Out, check_out
from chainrule.experiments.folds import check_folds, train_folds
from chainrule.experiments.held_out import rows_to_evaluate
from chainrule.experiments.listener import Listener
from chainrule.experiments.plan import make_plan
from chainrule.experiments.prediction import Predictor, blocks_to_predict
from chainrule.experiments.presets import find_loss
from chainrule.experiments.result import Trained
from chainrule.experiments.resume import settings_to_resume, where_it_goes_on
from chainrule.experiments.search_run import Searched, train_trials
from chainrule.experiments.search_settings import SearchSettings, read_search
from chainrule.experiments.seeds import train_seeds
from chainrule.experiments.settings import DataSettings, ExperimentSettings, read_settings
from chainrule.experiments.single import train_single
from chainrule.experiments.usage import Situation, check_used, kind_in_memory
from chainrule.files import as_path, check_not_read
from chainrule.models import Model

if TYPE_CHECKING:
    from pandas import DataFrame

#: A trained network: a run's folder, or its name in ``runs/``, or a model's file; or what training gave back.
Network = str | os.PathLike[str] | Trained | Model

#: What says how data is read and split.
_DATA_FIELDS = {field.name for field in dataclasses.fields(DataSettings)} | {"normalize", "seed", "validation"}
_SEARCH_FIELDS = {field.name for field in dataclasses.fields(SearchSettings)}


def train(
    data: Any = None,
    target: str | None = None,
    *,
    out: Out = None,
    resume: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    progress: bool = False,
    listener: Listener | None = None,
    **settings: Any,
) -> Trained:
    """Train as ``chainrule train`` does: the same presets and defaults, the same rows for the test, the same weights.

    Parameters
    ----------
    data
        A name or path, as for `chainrule.data.load`, or the path of a table; or the data itself: ``(x, y)``, a
        `Dataset`, a data frame, a `Table`. Data in memory has rows for the test where it comes with them, or
        ``test=0.2`` holds some out; of tables a fifth is held out.
    target
        The column of a table that is to be predicted.
    out
        A folder to write the run to, as the command does; True: a new one in ``runs/``. None: no file is written.
    resume
        The folder of a run to go on with; its settings are taken from there. Data that was in memory is given again.
    config
        A file with settings (a run's ``config.toml``); those that are given here stand above them.
    progress
        Show the epochs on standard error.
    listener
        A `Listener` that hears what is about to happen. None: nobody.
    settings
        The options of the command by their names in ``config.toml`` (see `ExperimentSettings`): ``epochs``, ``lr``,
        ``hidden``, ``columns``, … ; recipes may be objects (``optimizer=cr.Adam(0.01)``, ``net=cr.mlp([4, 8, 3])``).
        ``seeds=8`` trains eight networks and makes one model of them, ``folds=5`` cross-validates first.

    Returns
    -------
    Trained
        ``model``, ``metrics``, ``test`` (metrics on rows that the model was not trained on), ``folder``, ``run`` with
        the history, ``settings``, ``data``; printed, it says what came of it. Of several seeds a `TrainedSeeds`, with
        ``population`` and ``gain``; with folds a `TrainedFolds`, with ``cross_validation``.

    Raises
    ------
    ChainruleError
        For data or settings that cannot be used; `DivergedError` when the cost becomes NaN or infinite.

    Examples
    --------
    >>> import chainrule as cr
    >>> trained = cr.train("iris", epochs=30)
    >>> trained.test["accuracy"] > 0.8, trained.folder is None
    (True, True)
    >>> from pathlib import Path
    >>> _ = Path("pets.csv").write_text("age,weight,pet\\n" + "4,3.5,cat\\n30,24,dog\\n5,4,cat\\n41,20,dog\\n" * 10)
    >>> trained = cr.train("pets.csv", target="pet", seeds=3, epochs=20, out="pets")
    >>> len(trained.population), cr.experiments.predict("pets", "pets.csv").prediction[:2].tolist()
    (3, ['cat', 'dog'])
    """
    with errors_for_python():
        listener = listener or Listener(progress=progress)
        values, in_memory = settings_of_call(data, target, settings, "train")
        file = None if config is None else as_path(config)
        if resume is None:
            chosen = ExperimentSettings(**(read_settings(file) | values))
        else:
            chosen = settings_to_resume(values, as_path(resume), file, out, has_data=in_memory is not None)
        return run(
            chosen, typed_names(values), data=in_memory, out=out, resume=resume, read=[config], listener=listener
        )


def run(
    settings: ExperimentSettings,
    typed: Collection[str] = (),
    *,
    data: Any = None,
    out: Out = None,
    resume: str | os.PathLike[str] | None = None,
    read: Sequence[str | os.PathLike[str] | None] = (),
    listener: Listener,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Train as settings say: one network, several seeds, folds.

    Parameters
    ----------
    typed : names of the settings that were asked for: they must have an effect
    data : the data itself, where the settings do not name it
    out, resume : where it is written; the folder of the run that is gone on with
    read : files that were read, which nothing may overwrite
    callbacks : of `fit`, for one network
    """
    again = resume is not None
    if not again:
        check_out(out, settings.data, *(None if path is None else as_path(path) for path in read))
    several = settings.folds is not None or (settings.seeds or 1) > 1
    if several and distributed.rank_and_size()[1] > 1:
        raise SettingError("Several seeds or folds train in one process; leave out --distributed.")
    if settings.folds is not None:
        check_folds(settings)
    if resume is not None:
        out = as_path(resume)
        if not several and distributed.is_first() and (text := where_it_goes_on(out)):
            listener.on_message(text)
    plan = make_plan(settings, typed, data=data)
    if plan.table is not None and distributed.is_first():
        listener.on_table(plan.table)
    if settings.folds is not None:
        return train_folds(plan, out=out, resume=again, listener=listener)
    if several:
        return train_seeds(plan, out=out, resume=again, listener=listener)
    return train_single(plan, out=out, resume=again, listener=listener, callbacks=callbacks)


def load_data(data: Any, target: str | None = None, **settings: Any) -> Dataset:
    """Return data as `train` takes it: of a table as numbers, with the parts for training, validation and the test.

    `chainrule.data.load` reads all but tables; this reads tables, too, and what it returns is what `fit` takes. All
    that is learnt from a table (what its columns are, means, categories) is learnt from the training rows.

    Parameters
    ----------
    data, target
        As for `train`.
    settings
        Those of `train` that say how data is read and split: ``columns``, ``missing``, ``test``, ``validation``,
        ``group``, ``time``, ``split``, ``seed``, ``data_dir``, ``image_size``, ``normalize``, …

    Example
    -------
    >>> import chainrule as cr
    >>> from pathlib import Path
    >>> _ = Path("pets.csv").write_text("age,weight,pet\\n" + "4,3.5,cat\\n30,24,dog\\n5,4,cat\\n41,20,dog\\n" * 10)
    >>> pets = cr.load_data("pets.csv", target="pet")
    >>> pets
    Dataset('pets': classification, 32 rows of 2 features, 2 classes, 8 for the test)
    >>> run = cr.fit(cr.Dense(2, "softmax"), pets, epochs=3, progress=False)
    """
    with errors_for_python():
        values, in_memory = settings_of_call(data, target, settings, "load_data", _DATA_FIELDS)
        return make_plan(ExperimentSettings(**values), typed_names(values), data=in_memory).data


def search(
    data: Any = None,
    target: str | None = None,
    *,
    out: Out = None,
    resume: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    progress: bool = False,
    listener: Listener | None = None,
    **settings: Any,
) -> Searched:
    """Search as ``chainrule search`` does: many settings tried at once, from the presets' spaces or one of yours.

    To search over networks and settings in Python's own terms there is `chainrule.search`.

    Parameters
    ----------
    data, target, out, config, progress, listener
        As for `train`.
    resume
        The folder of a search to go on with.
    settings
        Those of `train`, the same in all trials; and of the search: ``space`` ("lr=1e-4..1e-1,hidden=64|128,64",
        see `chainrule.experiments.space_syntax`; None: the preset's), ``trials``, ``sampler``, ``stages``, ``metric``,
        ``timeout``, ``max_epochs``, ``study``, ``study_name``, ``retrain``.

    Returns
    -------
    Searched
        The model of the best trial, as `train` gives one, with ``settings``, ``leaderboard`` (a data frame) and
        ``result`` (the `SearchResult`).

    Example
    -------
    >>> import chainrule as cr
    >>> best = cr.experiments.search("iris", space="lr=1e-3..1e-1", trials=4, epochs=3)
    >>> len(best.leaderboard), best.settings.lr == float(best.leaderboard.lr[0])
    (4, True)
    """
    with errors_for_python():
        listener = listener or Listener(progress=progress)
        search_values = {name: settings.pop(name) for name in list(settings) if name in _SEARCH_FIELDS}
        values, in_memory = settings_of_call(data, target, settings, "search")
        file = None if config is None else as_path(config)
        if resume is None:
            chosen = ExperimentSettings(**(read_settings(file) | values))
            request = SearchSettings(**search_values)
        else:
            chosen, request = read_search(as_path(resume), values, search_values, file, out)
        return run_search(
            chosen, request, typed_names(values), data=in_memory, out=out, resume=resume, config=file, listener=listener
        )


def run_search(
    settings: ExperimentSettings,
    request: SearchSettings,
    typed: Collection[str],
    *,
    data: Any = None,
    out: Out,
    resume: str | os.PathLike[str] | None,
    config: Path | None,
    listener: Listener,
) -> Searched:
    """Search as settings and a request say; ``typed`` names the settings that were asked for."""
    again = resume is not None
    if not again:
        check_out(out, settings.data, config)
    if request.study is not None:
        check_not_read(request.study, settings.data, config)
    fixed = () if config is not None and request.space is not None else typed
    out = as_path(resume) if resume is not None else out
    return train_trials(settings, request, typed, data=data, fixed=fixed, out=out, resume=again, listener=listener)


def predict(run: Network, data: Any, *, probabilities: bool = False, **options: Any) -> DataFrame:
    """Predict as ``chainrule predict`` does.

    Parameters
    ----------
    run
        The folder of a run (or its name in ``runs/``), a model's file, a `Model`, or what `train` gave back.
    data
        A name or path (targets may be missing; of named data with a test part, that part), an array, a data frame or
        a `Dataset`.
    probabilities
        Add a column for each class.
    options
        ``encoding`` and ``separator`` of a table of text, ``data_dir``, ``listener``.

    Returns
    -------
    pandas.DataFrame
        ``index`` (the row), ``file`` for pictures, ``prediction`` (or ``prediction_0``, … for several outputs), and
        with ``probabilities`` one column for each class.

    Example
    -------
    >>> import chainrule as cr
    >>> trained = cr.train("iris", epochs=20, out="flowers")
    >>> list(cr.experiments.predict("flowers", "iris", probabilities=True).columns[:3])
    ['index', 'prediction', 'probability_setosa']
    """
    import pandas as pd

    with errors_for_python():
        listener = options.pop("listener", None) or Listener()
        check_options(options, "predict", ("encoding", "separator", "data_dir"))
        trained = _trained_model(run)
        name = str(data) if isinstance(data, str | os.PathLike) else None
        situation = Situation(name, task=trained.model.target.task, kind=kind_in_memory(data))
        check_used(situation, {"predict.probabilities": probabilities, **options})
        predictor = Predictor(trained.model, probabilities)
        blocks = blocks_to_predict(trained, data, options.pop("data_dir", None), listener=listener, **options)
        frames = [pd.DataFrame(predictor(block)) for block in blocks]
        predictor.warn(listener)
        return pd.concat(frames, ignore_index=True)


def evaluate(run: Network, data: Any, *, target: str | None = None, **options: Any) -> Evaluation:
    """Evaluate as ``chainrule evaluate`` does: loss, accuracy, precision, recall and F1 of each class, confusion.

    Of data with a test part, that part is taken, and of data that the run held a test part out of, that part.

    Parameters
    ----------
    run
        As for `predict`.
    data
        A name or path, ``(x, y)``, a data frame with the target, or a `Dataset`.
    target
        The column of a table with the right answers. None: the run's.
    options
        ``encoding`` and ``separator`` of a table of text, ``data_dir``, ``listener``.

    Example
    -------
    >>> import chainrule as cr
    >>> trained = cr.train("iris", epochs=20)
    >>> evaluation = cr.experiments.evaluate(trained, "iris")
    >>> evaluation.samples, evaluation.metrics == trained.test
    (30, True)
    """
    with errors_for_python():
        listener = options.pop("listener", None) or Listener()
        check_options(options, "evaluate", ("encoding", "separator", "data_dir"))
        name = str(data) if isinstance(data, str | os.PathLike) else None
        check_used(Situation(name, kind=kind_in_memory(data)), {"target": target, **options})
        return evaluate_trained(_trained_model(run), name or data, target=target, listener=listener, **options)


def evaluate_trained(
    trained: TrainedModel, data: Any, *, target: str | None, listener: Listener, **options: Any
) -> Evaluation:
    """Return how good a trained model is on the rows of data that it has not seen, as far as they are known."""
    settings = trained.settings
    loss = find_loss(settings) if settings is not None and settings.loss else "auto"
    part = rows_to_evaluate(trained, data, target=target, listener=listener, **options)
    name = data if isinstance(data, str) else getattr(data, "name", "the data")
    listener.on_message(f"{name}: {len(part.x):,} rows, {part.text}")
    return evaluate_model(trained.model, part.x, part.y, loss)


def _trained_model(run: Network) -> TrainedModel:
    """Return the model that is named or given, with what is known of its training."""
    if isinstance(run, Model):
        return TrainedModel(run, None)
    if isinstance(run, Trained):
        return TrainedModel(run.model, run.settings, fingerprint_of(run.plan.training, run.settings.data))
    return find_model(run)
