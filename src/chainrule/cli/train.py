"""``chainrule train``: train as the command line says, and print what came of it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_message
from chainrule.cli.tell import Printer, print_folder
from chainrule.engine import distributed
from chainrule.experiments.commands import run
from chainrule.experiments.result import Trained
from chainrule.experiments.resume import going_on, settings_to_resume, why_complete
from chainrule.experiments.settings import ExperimentSettings, settings_from
from chainrule.experiments.usage import Situation, check_used
from chainrule.symptoms import text


def train(
    typed: Mapping[str, Any], listener: Printer, *, config: Path | None, out: Path | None, resume: Path | None
) -> None:
    """Train as the command line says, and print what came of it."""

    def read() -> dict[str, Any]:
        if resume is None:
            return dataclasses.asdict(settings_from(typed, config))
        return dataclasses.asdict(settings_to_resume(typed, resume, config, out))

    values: dict[str, Any] = distributed.from_first(read)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    settings = ExperimentSettings(**values)
    if resume is not None and (text := distributed.from_first(functools.partial(why_complete, resume, settings))):
        if distributed.is_first():
            print_message(text)
        return
    trained = run(
        settings, tuple(typed), out=True if out is None else out, resume=resume, read=[config], listener=listener
    )
    if trained.folder is not None:
        with going_on(trained.folder, listener):
            print_message(trained.summary())
            tell_faults(trained, settings)
            print_folder(trained.folder)
            print_message(f"Next: chainrule evaluate {trained.folder} {settings.data}")


def tell_faults(trained: Trained, settings: ExperimentSettings) -> None:
    """Tell what the run itself shows to be wrong, unless that was not to be looked at: short runs are not watched."""
    if settings.doctor == "off" or not (diagnosis := trained.run.diagnosis).alarm:
        return
    print_message(f"warning: {text.why(diagnosis)[0] if diagnosis.undetermined else text.headline(diagnosis)}")
    print_message(f"Why, and what to change: chainrule doctor {trained.folder}")


def join_cluster(wanted: bool, addresses: Mapping[str, Any]) -> None:
    """Wait for the other processes of the run, if there are to be any."""
    if not wanted:
        check_used(Situation(), addresses)
        return
    kwargs = {"index" if name == "process_id" else name: value for name, value in addresses.items()}
    index, processes = distributed.start(**kwargs)
    if index == 0:
        print_message(f"{processes} processes have met.")
