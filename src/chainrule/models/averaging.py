"""Several trained models as one that averages what they say."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import tree
from chainrule.data import Standardizer, Target
from chainrule.data.limits import Limits
from chainrule.errors import ChainruleError, SettingError, ShapeError
from chainrule.layers import Average, Layer, Rescale, Sequential
from chainrule.models.inputs import Inputs
from chainrule.models.model import Model
from chainrule.outcome import Outcome

Array = NDArray[Any]

#: A layer with its parameters and its state.
Part = tuple[Layer, dict[str, Any], dict[str, Any]]


def ensemble(models: Iterable[Any]) -> Model:
    """Return one model that averages several: a(x) = 1/M Σₘ aₘ(x), of probabilities, or of values for regression.

    What comes back is a `Model` like any other (predict, save, export, train on). Its network is one
    `chainrule.layers.Average` of the members' networks, each with a copy of its weights. Every member counts the same,
    an ensemble among them as one.

    Networks that differ by chance alone (their initial weights, the order of the samples) make partly different
    mistakes, which an average evens out. For a convex cost, such as cross-entropy or the quadratic cost, the average
    never costs more than its members do on average; `chainrule.ensemble_gain` measures by how much less.

    Members may have standardized their inputs or targets by different numbers (they were trained on different parts of
    the data): the ensemble standardizes by the averages of these, and a `Rescale` layer brings each member what it was
    trained on. Values are equal to the averages of the members' own up to rounding.

    Parameters
    ----------
    models
        Trained models, or runs (of `fit`, or a whole population). Those that have diverged are left out, with a
        warning.

    Raises
    ------
    SettingError
        There is no model, or all have diverged; or they differ in precision, task, classes, output activation, or (for
        models trained on a table) in how they prepare its columns.
    ShapeError
        They differ in the shape of their inputs or outputs.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> nets = [cr.fit(cr.mlp([4, 8, 3]), iris, epochs=2, seed=seed, progress=False).model for seed in range(3)]
    >>> together = cr.ensemble(nets)
    >>> average = np.mean([net.predict_proba(iris.x) for net in nets], axis=0)
    >>> bool(np.allclose(together.predict_proba(iris.x), average, atol=1e-6))
    True

    Source: lecture 003 (several networks, averaged); Hansen and Salamon, "Neural network ensembles" (1990); Krogh and
    Vedelsby, "Neural network ensembles, cross validation, and active learning" (1995), for why it helps.
    """
    return averaged(usable(models))


def averaged(numbered: Sequence[tuple[int, Model]]) -> Model:
    """Return the ensemble of members that can be averaged, each with the number at which it was given."""
    _check(numbered)
    members = [model for _, model in numbered]
    standardizer, entrances = _inputs(members)
    target, exits = _outputs(members)
    branches = [_branch(*parts) for parts in zip(entrances, members, exits, strict=True)]
    net, params, state = _joined(Sequential, [_joined(Average, branches)])
    return Model(
        net,
        members[0].input_shape,
        precision=members[0].precision,
        params=params,
        state=state,
        inputs=_merged(members, standardizer),
        target=target if any(model.target_is_known for model in members) else None,
    )


def usable(models: Any) -> list[tuple[int, Model]]:
    """Return the models that have not diverged, each with its position; a warning names the others."""
    if isinstance(models, str | Model) or not hasattr(models, "__iter__"):
        raise SettingError(
            f"ensemble takes several trained models or runs, got {models!r} ({type(models).__name__}): "
            "cr.ensemble([first, second])."
        )
    numbered, lost = [], []
    for at, item in enumerate(models):
        model = getattr(item, "model", item)
        if not isinstance(model, Model):
            raise SettingError(
                f"ensemble averages trained models or runs, but item {at} is {item!r} ({type(item).__name__})."
            )
        outcome = getattr(item, "outcome", None)
        if isinstance(outcome, Outcome) and outcome.diverged:
            lost.append(f"{at} ({outcome.reason})")
        elif not all(np.isfinite(leaf).all() for leaf in tree.leaves([model.params, model.state])):
            lost.append(f"{at} (its weights are not finite)")
        else:
            numbered.append((at, model))
    if not numbered and not lost:
        raise SettingError("ensemble needs at least one trained model, got none.")
    if not numbered:
        raise SettingError(
            f"There is nothing to average: all members have diverged: {', '.join(lost)}. Train them with a smaller "
            "learning rate."
        )
    if lost:
        warnings.warn(f"Left out of the ensemble, since diverged: member {', '.join(lost)}.", stacklevel=3)
    return numbered


def _check(members: Sequence[tuple[int, Model]]) -> None:
    """Raise unless averages of these members' outputs mean something."""

    def same(
        what: str, of: Callable[[Model], Any], advice: str, error: type[ChainruleError] = SettingError, show: Any = repr
    ) -> None:
        first, expected = members[0][0], of(members[0][1])
        for at, model in members:
            if (other := of(model)) != expected:
                raise error(
                    f"Members of an ensemble need the same {what}: member {first} has {show(expected)}, member {at} "
                    f"{show(other)}. {advice}"
                )

    again = "Leave one of them out, or train it again like the others."
    units = "Train all of them on pixels as bytes, or all on pixels from 0 to 1."
    same("input shape", lambda model: model.input_shape, again, ShapeError)
    same("output shape", lambda model: model.output_shape, again, ShapeError)
    same("names of the input columns", lambda model: model.inputs.names, again)
    same("unit of pixels", lambda model: model.inputs.byte_scale, units)
    same("precision", lambda model: model.precision, "Train them with the same precision=.")
    same("task", lambda model: model.target.task, again)
    same(
        "classes in the same order",
        lambda model: model.target.classes,
        "Train them on data that holds every class, so that each output means the same.",
    )
    if members[0][1].target.task != "regression":
        same("output activation", lambda model: model.last_activation.name, again)
    same(
        "preparation of a table's columns",
        _fingerprint,
        "Each was learnt from its own training rows, and one model has one. So split the table once, and train all of "
        "them on that: part = table.prepare(validation=0.2, key=cr.random.key(0)).data, then "
        "cr.fit_population(net, part, 5) or cr.fit(net, part, seed=...).",
        show=lambda digest: "none" if digest is None else f"one with the checksum {digest[:8]}",
    )


def _fingerprint(model: Model) -> str | None:
    """Return what tells preparations apart that do different things; None without one."""
    return None if model.preparation is None else model.preparation.checksum


def _inputs(members: Sequence[Model]) -> tuple[Standardizer | None, list[Part | None]]:
    """Return how the ensemble standardizes its inputs, and what brings each member what it was trained on.

    With u = (x − mean) / std of the ensemble, a member's own (x − mᵢ) / dᵢ is u · std / dᵢ +
    (mean − mᵢ) / dᵢ.
    """
    scales = [model.standardizer for model in members]
    known = [scale for scale in scales if scale is not None]
    if not known:
        return None, [None] * len(members)
    if len(known) == len(scales) and all(_equal(scale, known[0]) for scale in known):
        return known[0], [None] * len(members)
    features = len(known[0].mean)
    means = np.array([np.zeros(features) if scale is None else scale.mean for scale in scales], np.float64)
    stds = np.array([np.ones(features) if scale is None else scale.std for scale in scales], np.float64)
    kind = np.result_type(*(scale.mean.dtype for scale in known))
    has_scale = [
        scale is not None for scale in scales
    ]  # a member without one has no say: it may take numbers of any size
    shared = Standardizer(means[has_scale].mean(axis=0).astype(kind), stds[has_scale].mean(axis=0).astype(kind))
    mean, std = shared.mean.astype(np.float64), shared.std.astype(np.float64)
    pairs = zip(means, stds, strict=True)
    return shared, [_rescaled(std / width, (mean - at) / width) for at, width in pairs]


def _merged(members: Sequence[Model], standardizer: Standardizer | None) -> Inputs:
    """Return what the ensemble knows of its inputs: the members' names and units, and the widest of their ranges."""
    limits = [model.inputs.limits for model in members if model.inputs.limits is not None]
    widest = functools.reduce(Limits.merged, limits) if limits else None
    return dataclasses.replace(members[0].inputs, standardizer=standardizer, limits=widest)


def _equal(one: Standardizer, other: Standardizer) -> bool:
    return np.array_equal(one.mean, other.mean) and np.array_equal(one.std, other.std)


def _outputs(members: Sequence[Model]) -> tuple[Target, list[Part | None]]:
    """Return what the ensemble's outputs mean, and what brings each member's to the ensemble's standardized target.

    A member's value aᵢ · dᵢ + mᵢ is, standardized by the ensemble's numbers, aᵢ · dᵢ / std + (mᵢ − mean) / std.
    """
    targets = [model.target for model in members]
    first = targets[0]
    if all((target.mean, target.std) == (first.mean, first.std) for target in targets):
        return first, [None] * len(members)
    means = np.array([target.mean or np.zeros(first.outputs) for target in targets])
    stds = np.array([target.std or np.ones(first.outputs) for target in targets])
    mean, std = means.mean(axis=0), stds.mean(axis=0)
    shared = dataclasses.replace(first, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    pairs = zip(means, stds, strict=True)
    return shared, [_rescaled(width / std, (at - mean) / std) for at, width in pairs]


def _rescaled(scale: Array, shift: Array) -> Part:
    return Rescale(), {}, {"scale": scale, "shift": shift}


def _branch(entrance: Part | None, model: Model, exit_: Part | None) -> Part:
    """Return a member's network with what stands before and behind it."""
    network: Part = (model.net, model.params, model.state)
    parts = [part for part in (entrance, network, exit_) if part is not None]
    return parts[0] if len(parts) == 1 else _joined(Sequential, parts)


def _joined(kind: Any, parts: Sequence[Part]) -> Part:
    """Put layers with their values in a layer made of layers, which keeps each one's under its name."""
    joined = kind(*(layer for layer, _, _ in parts))
    named = list(zip(joined.names, parts, strict=True))
    params = {name: params for name, (_, params, _) in named if params}
    state = {name: state for name, (_, _, state) in named if state}
    return joined, params, state


__all__ = ["averaged", "ensemble", "usable"]
