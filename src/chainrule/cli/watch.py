"""``chainrule watch``: the page of a run while it goes on."""

from __future__ import annotations

from chainrule.experiments.find import find_folder
from chainrule.live.server import watch as serve


def watch(run: str, *, port: int | None, open_browser: bool, of_training: bool) -> None:
    """Serve the page of a run, or of a folder of runs."""
    serve(find_folder(run), port, open_browser=open_browser, of_training=of_training)
