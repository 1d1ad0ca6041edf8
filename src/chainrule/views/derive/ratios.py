"""How far a step moves the weights, beside how large they are: is the learning rate too large or too small?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule import tree
from chainrule.optimizers import is_weight
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops

__all__ = ["Ratios", "ratios"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Ratios:
    """The size of each weight array's change in a step, relative to its own size.

    Attributes
    ----------
    steps : the steps that were measured, from 1
    weights : the names of the arrays, such as "dense_1/weight"
    log10 : log₁₀ (rms(change) / rms(weight)), (weights, steps); -inf where nothing changed, NaN where the weight was 0
    source : "probes", measured in the run, or "snapshots", from two copies of the weights one step apart
    """

    steps: tuple[int, ...]
    weights: tuple[str, ...]
    log10: Array
    source: str


def ratios(recorded: Recorded) -> Ratios | Missing:
    """Return log₁₀ rms(Δw) / rms(w) of single steps, for each array of weights; about -3 is usual.

    From the probes of the run; where it has none, from stops that are one step apart (the first few). The last step of
    an epoch is left out: its batch may be shorter than the others, and its gradient noisier.

    Source: Karpathy, "CS231n: Ratio of weights:updates" (2015).
    """
    if not recorded.stops and not recorded.probes:
        return without_stops(recorded)
    steps, weights, sizes, changes = _of_probes(recorded) if recorded.probes else _of_snapshots(recorded)
    inner = np.array([step % recorded.steps_per_epoch != 0 for step in steps], bool)
    chosen = inner if inner.any() else np.ones(len(steps), bool)
    if not len(steps) or not weights:
        why = "no weights" if not weights and len(steps) else "neither probes nor two copies of weights one step apart"
        return Missing(f"There are {why}, which the ratio of a step to its weights is made of.")
    with np.errstate(all="ignore"):
        log10 = np.log10(changes / sizes)
    log10[sizes == 0] = np.nan
    measured = tuple(int(step) for step, is_chosen in zip(steps, chosen, strict=True) if is_chosen)
    return Ratios(measured, weights, log10[:, chosen], "probes" if recorded.probes else "snapshots")


def _of_probes(recorded: Recorded) -> tuple[list[int], tuple[str, ...], Array, Array]:
    """Return steps, names of weights, and the root mean squares of weights and changes, from the probes."""
    probes = recorded.probes
    assert probes is not None
    paths = [name.removesuffix("/change") for name in probes if name.endswith("/weight/change")]
    order = {name: at for at, name in enumerate(_weights(recorded.model.params))}
    paths = sorted(paths, key=lambda path: order.get(path, len(order)))
    sizes, changes = (np.array([probes[f"{path}/{what}"] for path in paths], float) for what in ("size", "change"))
    return list(probes.steps), tuple(paths), sizes, changes


def _of_snapshots(recorded: Recorded) -> tuple[list[int], tuple[str, ...], Array, Array]:
    """Return the same from stops that are one step apart."""
    stops = set(recorded.stops)
    steps = [step for step in recorded.stops if step - 1 in stops]
    names: tuple[str, ...] = ()
    sizes, changes = [], []
    for step in steps:
        before, after = (_weights(recorded.read_snapshot(at).params) for at in (step - 1, step))
        names = tuple(before)
        sizes.append([_rms(before[name]) for name in names])
        changes.append([_rms(after[name] - before[name]) for name in names])
    return steps, names, np.array(sizes, float).T, np.array(changes, float).T


def _weights(params: object) -> dict[str, Array]:
    """Return the arrays of weights by their names."""
    leaves = tree.leaves_with_path(params)
    return {"/".join(path): np.asarray(leaf, np.float64) for path, leaf in leaves if is_weight(path)}


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
