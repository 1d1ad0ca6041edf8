"""Runs as the rows of a table: what each was trained on, how far it is, and how good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chainrule.metrics import find, score_in
from chainrule.training.record import Record

HEAD = ("run", "data", "network", "epochs", "state", "validation", "test", "when")


def describe(record: Record) -> list[str]:
    """Return one run as a row of the table."""
    done, epochs = len(record.epochs) or record.result.get("epochs", 0), record.config.get("epochs", "?")
    ended = record.has_model and "data" not in record.config  # `fit` writes no result, this command line does
    return [
        record.path.name,
        str(record.config.get("data", "(given in Python)")),
        network_of(record.config) + members_of(record.config),
        f"{done}/{epochs}",
        str(record.result.get("state", "finished" if ended else "unfinished")),
        score_of(record.metrics, "val_"),
        score_of(record.result.get("test") or {}),
        when(record.environment.get("started")),
    ]


def network_of(config: Mapping[str, Any]) -> str:
    """Return the network in a few words."""
    if "net" in config:
        return describe_net(config["net"])
    return " ".join([str(config.get("preset", "?")), "-".join(str(n) for n in config.get("hidden", ()))]).strip()


def members_of(config: Mapping[str, Any]) -> str:
    """Return how many networks there are, if there are several."""
    several = [f"{config[name]} {name}" for name in ("folds", "seeds", "members") if config.get(name, 1) != 1]
    return "".join(f" x {text}" for text in several)


def score_of(metrics: Mapping[str, Any], part: str = "") -> str:
    """Return the accuracy or the mean absolute error among the metrics of a model."""
    name = score_in(metrics, part)
    if name is None or metrics[name] is None:
        return "-"
    metric = find(name)
    return metric.format(metrics[name]) if metric.is_fraction else f"{metric.name} {metric.format(metrics[name])}"


def when(started: str | None) -> str:
    """Return the time of the start, on the clock of this place."""
    return "-" if started is None else f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}"


def describe_net(net: Mapping[str, Any]) -> str:
    """Return a network's recipe on one line: its layers with their sizes and activations."""
    parts = []
    for layer in net.get("layers", [net]):
        values = [layer.get(key) for key in ("units", "filters", "rate", "activation")]
        parts.append(" ".join([str(layer.get("type", "?")), *(str(value) for value in values if value is not None)]))
    return ", ".join(parts)
