"""What a run recorded, made by hand from callbacks: for tests of what is derived from it."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.views.record import FixedRows, Recorded, RowValues, Snapshot

STOPS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 29, 40, 56, 79, 111, 156)


def record(net: Any, x: np.ndarray, y: np.ndarray, *, fixed: int = 64, **settings: Any) -> Recorded:
    """Train on rows as they are (nothing is standardized), and record weights at stops and each row at each epoch."""
    snapshots: dict[int, Snapshot] = {}
    answers: list[np.ndarray] = []
    costs: list[np.ndarray] = []
    codes = np.asarray(y)

    def watch(event: cr.Event) -> None:
        model = event.model()
        if event.step in STOPS or event.end_of_epoch:
            snapshots[event.step] = Snapshot(event.step, model.params, model.state)
        if event.end_of_epoch and codes.dtype.kind in "iu":
            p = model.outputs(model.prepare(x))
            p = p if p.shape[1] > 1 else np.concatenate([1 - p, p], axis=1)
            answers.append(p.argmax(axis=1))
            costs.append(-np.log(np.maximum(p[np.arange(len(p)), codes], 1e-30)))

    settings = {"batch_size": 16, "epochs": 4, "normalize": False, "engine": "numpy"} | settings
    run = cr.fit(net, (x, y), callbacks=[watch], call_every=1, progress=False, **settings)
    first = run.recordings.first
    snapshots[0] = Snapshot(0, first.params, first.model_state)
    steps = -(-len(x) // settings["batch_size"])
    last = max(snapshots)
    stops = tuple(step for step in sorted(snapshots) if step in STOPS or step == last)
    model = run.model
    some = FixedRows(
        x=np.asarray(model.prepare(x[:fixed])),
        y=model.target.scale(model.encode(y[:fixed])),
        weight=np.ones(min(fixed, len(x)), np.float32),
        numbers=np.arange(min(fixed, len(x))),
        is_validation=np.zeros(min(fixed, len(x)), bool),
    )
    rows = None
    if answers:
        epochs, numbers = np.arange(1, len(answers) + 1), np.arange(len(x))
        rows = RowValues(epochs, np.array(costs), np.array(answers), codes, numbers)
    return Recorded(model, run.recipe, steps, stops, snapshots.__getitem__, some, rows=rows, probes=run.probes)
