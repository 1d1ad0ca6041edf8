"""``chainrule runs``: what was trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chainrule.cli.messages import describe_net, print_message, print_result
from chainrule.display.text_table import text_table
from chainrule.errors import FileError
from chainrule.experiments.folder import RUNS
from chainrule.files import as_path
from chainrule.metrics import find, score_in
from chainrule.runs.folder import begun
from chainrule.training.record import Record, read_folder

HEAD = ("run", "data", "network", "epochs", "state", "validation", "test", "when")


def runs(folder: Path) -> None:
    """Print a table of the runs in a folder, newest first; say which folders cannot be read."""
    folder = as_path(folder)
    if not folder.is_dir():
        if folder == RUNS:
            print_message("No runs yet. Start with: chainrule train digits")
            return
        raise FileError(f"There is no folder {folder}.")
    rows: list[tuple[str, list[str]]] = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        try:
            record = dataclasses.replace(read_folder(begun(path)), path=path)
            rows.append((str(record.environment.get("started", "")), describe(record)))
        except FileError as error:
            print_message(f"warning: left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            print_message(f"warning: left out: {path} is damaged: {error}")
    if not rows:
        print_message(f"No runs in {folder}. Start with: chainrule train digits")
        return
    rows.sort(key=lambda row: (row[0], row[1][0]), reverse=True)
    print_result(text_table([list(HEAD), *(cells for _, cells in rows)], left=(0, 1, 2)))


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
