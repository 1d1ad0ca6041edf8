"""``chainrule doctor DATA --guide``: the way of working, step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_result
from chainrule.experiments.guide import command, walk_through
from chainrule.experiments.settings import settings_from


def guide(data: str, typed: Mapping[str, Any], config: Path | None, budget: float) -> None:
    """Walk through the steps, and print each with its figure and the command to go on with."""
    settings = dataclasses.replace(settings_from(typed, config), data=data)
    options = ({} if config is None else {"config": str(config)}) | dict(typed)

    def go_on(verb: str, chosen: Mapping[str, Any]) -> str:
        return command(verb, data, options, chosen)

    print_result(walk_through(settings, (*typed, "data"), budget=budget, go_on=go_on))
