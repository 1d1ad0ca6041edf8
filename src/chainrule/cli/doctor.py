"""``chainrule doctor``: what is wrong with a run, or with what would be trained, and the way of working as a guide."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chainrule import signals
from chainrule.cli.messages import print_message, print_result, show_log
from chainrule.errors import SettingError
from chainrule.experiments.diagnosis import diagnose_data, diagnose_folder, is_run, save_diagnosis
from chainrule.experiments.settings import settings_from
from chainrule.files import check_not_read
from chainrule.symptoms.diagnosis import Diagnosis

#: The exit code of ``--strict`` where something is wrong.
ALARM = 1

#: Seconds of trials where nothing else is asked for.
BUDGET = 60.0


def doctor(
    subject: str,
    typed: Mapping[str, Any],
    *,
    budget: float | None,
    no_trials: bool,
    guide: bool,
    data: str | None,
    config: Path | None,
    everything: bool,
    json_file: Path | None,
    html_file: Path | None,
    strict: bool,
) -> None:
    """Examine what the command line names, and print what was found."""
    show_log()
    run = is_run(subject)
    check_together(run, typed, locals())
    if guide:
        from chainrule.cli.guide import guide as walk

        walk(subject, typed, config, BUDGET if budget is None else budget)
        return
    for file in (json_file, html_file):
        if file is not None:
            check_not_read(file, subject, data, config)
    how = {"budget": BUDGET if budget is None else budget, "trials": not no_trials, "progress": True}
    if run:
        diagnosis = diagnose_folder(subject, data, **how)
        for path in save_diagnosis(subject, diagnosis):
            print_message(f"Written: {path}")
    else:
        settings = dataclasses.replace(settings_from(typed, config), data=subject)
        diagnosis = diagnose_data(settings, (*typed, "data"), seed=settings.seed, **how)
    if json_file is not None:
        diagnosis.save(json_file)
    if html_file is not None:
        diagnosis.to_html(html_file)
    print_result(diagnosis.summary(everything=everything))
    if was_interrupted(diagnosis):
        raise click.exceptions.Exit(signals.INTERRUPTED)
    if strict and diagnosis.alarm:
        raise click.exceptions.Exit(ALARM)


def check_together(run: bool, typed: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse options that would have no effect together."""

    def refuse(name: str, why: str) -> None:
        if options[name] not in (None, False):
            raise SettingError(f"--{name.removesuffix('_file').replace('_', '-').replace('everything', 'all')} {why}")

    if run:
        for name in typed:
            raise SettingError(
                f"--{name.replace('_', '-')} would make another run of it: the settings of a run are in its folder. "
                "Leave it out, or examine its data with other settings: chainrule doctor DATA --config "
                f"{options['subject']}/config.toml --{name.replace('_', '-')} ..."
            )
        refuse("config", "is for DATA: a run has its own settings. Leave it out.")
        refuse("guide", "walks through the steps for DATA, and this is a run: name its data instead.")
    else:
        refuse("data", "says where the data of a RUN is, and what is examined is data already: leave it out.")
    if options["guide"]:
        for name in ("no_trials", "everything", "json_file", "html_file", "strict"):
            refuse(name, "is for a diagnosis, and --guide makes none: leave one of the two out.")
    if options["no_trials"]:
        refuse("budget", "is for trials, and --no-trials makes none: leave one of the two out.")


def was_interrupted(diagnosis: Diagnosis) -> bool:
    """Return whether Ctrl-C has ended the examination."""
    return any(stage.name == "interrupted" or stage.skipped == "interrupted" for stage in diagnosis.ran)
