"""What makes a run possible that `fit` refuses: there is no subject then, and each fix is tried by making one."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.fields import values_of
from chainrule.layers import Activation, Dense, Layer
from chainrule.recipe.run_data import pair_of
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.data_fixes import finite_rows
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import settings_before
from chainrule.symptoms.net_changes import parts, with_parts
from chainrule.symptoms.subject import subject_of
from chainrule.tables.table import Table

__all__ = ["refused_fixes"]


def refused_fixes(causes: Iterable[str], net: Any, data: Any, settings: TrainingSettings) -> dict[str, Fix]:
    """Return for each cause of a refusal the first fix with which `fit` takes network, data and settings; never raises.

    Values that are missing are left out with their rows, and outputs and loss are made as the targets ask for.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.run_settings import TrainingSettings
    >>> from chainrule.symptoms.refused_fixes import refused_fixes
    >>> data = np.eye(4), np.array(["a", "b", "c", "a"])
    >>> refused_fixes(["output"], cr.Dense(2, "softmax"), data, TrainingSettings())["output"].changes["net"]
    Dense(3, 'softmax')
    """
    fixes: dict[str, Fix] = {}
    for cause in causes:
        try:
            fix = next((fix for fix in _candidates(cause, net, data) if _is_taken(fix, net, data, settings)), None)
        except Exception:  # data of a kind that nothing can be done about
            continue
        if fix is not None:
            fixes[cause] = dataclasses.replace(fix, before=settings_before(net, data, settings))
    return fixes


def _candidates(cause: str, net: Any, data: Any) -> Iterator[Fix]:
    if cause == "nan":
        yield from finite_rows(data)
    if cause == "loss":
        yield Fix("The loss that belongs to the outputs.", {"loss": "auto"})
    if cause in ("output", "loss", "targets_unscaled") and isinstance(net, Layer):
        for function, units in _outputs(data):
            if (new := _with_output(net, function, units)) is not None:
                outputs = f"{units} {function or 'linear'} output{'s' if units > 1 else ''}"
                text = f"{outputs}, as the targets ask for, and the loss that belongs to them."
                yield Fix(text[0].upper() + text[1:], {"net": new, "loss": "auto"})


def _outputs(data: Any) -> Iterator[tuple[str | None, int]]:
    """Yield the outputs that the targets may ask for: activation and number."""
    y = np.asarray(data.targets()[1] if isinstance(data, Table) else pair_of(data)[1])
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim == 2:
        flags = bool(np.isin(y, (0, 1)).all())
        yield from ((("softmax", y.shape[1]), ("sigmoid", y.shape[1])) if flags else ((None, y.shape[1]),))
        return
    if y.dtype.kind != "f":
        classes = len(np.unique(y))
        yield from ((("sigmoid", 1), ("softmax", 2)) if classes == 2 else (("softmax", classes),))
    if y.dtype.kind in "iuf":
        yield None, 1


def _with_output(net: Layer, function: str | None, units: int) -> Layer | None:
    ends = [part for part in parts(net) if part.output]
    weighted = [part for part in ends if isinstance(part.layer, Dense)]
    if len(weighted) != 1 or any(not isinstance(part.layer, Dense | Activation) for part in ends):
        return None
    changes: dict[str, Layer] = {part.path: Activation("linear") for part in ends}
    last: Any = weighted[0].layer
    changes[weighted[0].path] = dataclasses.replace(last, units=units, activation=function)
    return with_parts(net, changes)


def _is_taken(fix: Fix, net: Any, data: Any, settings: TrainingSettings) -> bool:
    """Return whether `fit` would take what a fix makes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net, data, changed = fix.apply(net, data, values_of(TrainingSettings, settings))
            subject_of(net, data, TrainingSettings(**changed))
    except Exception:
        return False
    return True
