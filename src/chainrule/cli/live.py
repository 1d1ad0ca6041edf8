"""``--live``: the page of a run, beside the training that a command does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_message
from chainrule.cli.tell import Printer
from chainrule.experiments.usage import Situation, check_used
from chainrule.runs.folder import nothing_saved
from chainrule.signals import Terminated
from chainrule.training.live_page import LivePage, check_port


class PrinterWithPage(Printer):
    """Prints what it hears, and serves the page of the run as soon as the run has a folder."""

    def __init__(self, port: int | None = None, *, open_browser: bool = False) -> None:
        super().__init__()
        self.port, self.open_browser = port, open_browser
        self.page: LivePage | None = None
        self.folder: Path | None = None

    def on_folder(self, folder: Path) -> None:
        """Serve its page."""
        self.page, self.folder = LivePage(folder, self.port, open_browser=self.open_browser), folder


@contextlib.contextmanager
def listening(command: str, typed: Mapping[str, Any]) -> Iterator[Printer]:
    """Yield the listener of a command; with --live wait, after all else, until the page was closed.

    Ctrl-C during the training ends the page, too. After another error it ends by itself.
    """
    has_page = bool(typed.get("live"))
    check_used(Situation(live=has_page), {f"{command}.{name}": value for name, value in typed.items()})
    if not has_page:
        yield Printer()
        return
    check_port(typed.get("port"))
    listener = PrinterWithPage(typed.get("port"), open_browser=bool(typed.get("open")))
    try:
        yield listener
    except BaseException as error:
        is_empty = listener.folder is None or not listener.folder.exists() or nothing_saved(listener.folder)
        if listener.page is not None and (is_empty or isinstance(error, KeyboardInterrupt | Terminated)):
            listener.page.stop()
        raise
    if (page := listener.page) is not None and page.is_running:
        print_message("The live page stays until it is closed, and 30 s more; Ctrl-C ends it.")
        page.wait()
