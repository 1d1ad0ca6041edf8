"""`fit_population`: many networks in one call, as one program where they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.errors import FileError, SettingError, UnsavedError
from chainrule.fields import takes_settings, values_of
from chainrule.outcome import Outcome
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.member import Member
from chainrule.population.member_factory import list_members
from chainrule.population.population import Population
from chainrule.population.show import progress as show_progress
from chainrule.population.trainer import PopulationTrainer
from chainrule.recipe.prepared_run import describe
from chainrule.run_settings import PopulationSettings, TrainerSettings
from chainrule.runs.files import CONFIG
from chainrule.runs.folder import RunFolder, write_result
from chainrule.signals import Terminated, with_message


@takes_settings(PopulationSettings)
def fit_population(
    net: Any, data: Any, members: int | Sequence[Mapping[str, Any]], settings: PopulationSettings
) -> Population:
    """Train many networks at once.

    Each member's result is that of `fit` with its settings and seed, up to rounding (float32: about 1e-5 relative).
    Members that differ in values only (seed, initial weights, order and choice of the samples, learning rate, λ, any
    other continuous setting) train as one program; those that differ in structure (layers, widths, batch size, kind of
    optimizer) are grouped. A member that stops early, or diverges, costs nothing from the next epoch on and changes
    nothing for the others.

    Parameters
    ----------
    net, data
        As for `fit`; ``net`` may also be a function of the `Dataset` that returns a layer.
    members
        A number of seeds (``seed``, ``seed`` + 1, …), or for each member a mapping of what makes it different:

        - ``"seed"``, ``"l2"``, ``"optimizer"``, ``"batch_size"``, … : any setting of `fit` that says what is trained;
        - a dotted path into one: ``"optimizer.lr"``, ``"net.layers.0.units"``, ``"net.layers.1.rate"``;
        - ``"net"``: another network;
        - ``"rows"``: positions of the samples it is trained on (a fold, a bootstrap sample, the first thousand), and
          ``"held_out"``: of those it is validated on.
    seed
        Of members that are not given one.
    engine, devices
        As for `fit`. Of several devices each trains members of its own.
    callbacks
        Called with an `Event` for each member after each of its epochs; they may stop it or change its settings.
    out
        A folder to save the population in: ``00``, ``01`` and so on hold the members, each as `fit` saves a run, with
        a checkpoint from time to time and its model in the end.
    resume
        Go on with the population in ``out``: the same call, with more epochs if wanted. Each member goes on from its
        last checkpoint on the same engine, to weights that are the same up to rounding; those that a callback stopped,
        or that diverged, stay where they ended. What is missing of a population that has ended is written.
    strategy
        "auto" follows a measured rule (see `chainrule.population.plan`); "vectorized" makes one batch of all
        members of a program, "single" a batch of each, a number batches of so many members.
    others
        As for `fit`, common to all members that are not given others: {names}.

    Returns
    -------
    Population
        ``population[i]`` is the run of member i; of a member that diverged ``outcome.diverged`` is true.

    Raises
    ------
    ChainruleError
        For settings that there are not (with the nearest), before anything is trained.
    KeyboardInterrupt
        After Ctrl-C, once the members are saved in ``out``.

    Example
    -------
    >>> import chainrule as cr
    >>> rates = [{"optimizer.lr": lr} for lr in (0.001, 0.01, 0.1)]
    >>> runs = cr.fit_population(
    ...     cr.mlp([4, 16, 3]), cr.data.load("iris"), rates, validation=0.2, epochs=20, progress=False)
    >>> runs.scores("val_accuracy").shape, runs.best in list(runs)
    ((3,), True)
    """
    out, resume, progress = settings.out, settings.resume, settings.progress
    trainer = PopulationTrainer(net, data, **values_of(TrainerSettings, settings))
    population = trainer.add_members(list_members(members, settings.seed))
    if out is None:
        if resume:
            raise SettingError("resume=True needs out=, the folder of the population to go on with.")
        with show_progress(population, progress) as watch:
            trainer.train(population, watch=watch)
        return Population(population)
    configs = [describe(member.prepared_run, settings.engine, settings.devices) for member in population]
    folder = RunFolder(out, resume=resume)
    with folder.opened():
        checkpointer = Checkpointer(folder.path, population, configs)
        if not all(member.done for member in population) or not (folder.path / CONFIG).exists():
            folder.start(settings.config or {"members": len(population), **configs[0]})
        train_with_checkpoints(trainer, population, checkpointer, "the same call with resume=True.", progress)
        outcome = Outcome("diverged" if all(member.diverged for member in population) else "finished")
        write_result(
            folder.path, outcome.to_dict() | {"members": len(population), "epochs": max(m.epoch for m in population)}
        )
    return Population(population)


def train_with_checkpoints(
    trainer: PopulationTrainer,
    members: Sequence[Member],
    checkpointer: Checkpointer,
    to_go_on: str,
    progress: bool = True,
) -> None:
    """Train members to their end, and save them on the way.

    Those that go on do so on the engine on which they were trained before, unless another is asked for. After Ctrl-C
    and SIGTERM the message says up to where they are saved and what goes on (``to_go_on``). If their models cannot be
    written in the end, `UnsavedError` has the `Population`.
    """
    if trainer.engine == "auto":
        trainer.engine = checkpointer.engine or trainer.engine
    try:
        checkpointer.start()
        with show_progress(members, progress) as watch:
            trainer.train(members, watch=watch, checkpointer=checkpointer)
        try:
            checkpointer.finish()
        except FileError as error:
            message = f"The population has been trained, but could not be saved. {error}"
            raise UnsavedError(message, f"To go on: {to_go_on}", run=Population(members)) from None
    except (KeyboardInterrupt, Terminated) as error:
        raise with_message(error, f"Interrupted. {checkpointer.progress}.", f"To go on: {to_go_on}") from None
