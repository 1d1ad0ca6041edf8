"""The server of live pages: it looks at the files of runs twice a second, and tells open pages what is new.

``GET /`` is the page, ``/events`` a stream of server-sent events, each of which names all parts of the page with their
versions, and ``/section/NAME`` a part. Of a folder of runs ``/`` is a list, and each run has these three below
``/run/NAME/``. Names are looked up among the parts and the runs that there are; no file is served.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from chainrule import serving
from chainrule.display.markup import Html, tag
from chainrule.draw.figure import as_json
from chainrule.errors import FileError
from chainrule.live.run import LiveRun
from chainrule.live.runs import LiveRuns, runs_in
from chainrule.report.page import document, own_script
from chainrule.runs.folder import begun, holds_run, nothing_saved
from chainrule.symptoms.html import section_style

#: Seconds between two looks at the files: there are at most two events a second.
PAUSE = 0.5

#: Seconds without news after which a stream says that it is alive.
HEARTBEAT = 15.0

#: Seconds that the server waits for a page after its run has ended and the last page was closed.
LINGER = 30.0


class Channel:
    """A page that is kept up to date, and how many look at it.

    Attributes
    ----------
    source : what it shows
    pages : so many are open
    left : when the last one was closed; None: none was opened yet
    """

    def __init__(self, source: LiveRun | LiveRuns) -> None:
        self.source, self.pages, self.number = source, 0, 0
        self.left: float | None = None
        self.message = ""
        self._news = asyncio.Event()
        self._looking, self._deriving = asyncio.Lock(), asyncio.Lock()

    async def look(self, *, is_shown: bool) -> None:
        """Look for news, and tell those who wait for them."""
        async with self._looking:
            await asyncio.to_thread(self.source.look, is_shown=is_shown)
        message = json.dumps(message_of(self.source), separators=(",", ":"))
        if message != self.message:
            self.message, self.number = message, self.number + 1
            news, self._news = self._news, asyncio.Event()
            news.set()

    async def derive(self) -> None:
        """Derive what takes long, beside all else."""
        if not self._deriving.locked():
            async with self._deriving:
                await asyncio.to_thread(self.source.derive)

    async def events(self) -> AsyncIterator[str]:
        """Yield the state of the page, and each change of it."""
        self.pages += 1
        try:
            sent = None
            yield "retry: 1000\n\n"
            while True:
                news = self._news
                if sent != self.number:
                    sent = self.number
                    yield f"id: {sent}\ndata: {self.message}\n\n"
                try:
                    await asyncio.wait_for(news.wait(), HEARTBEAT)
                except TimeoutError:
                    yield ": nothing new\n\n"
        finally:
            self.pages -= 1
            self.left = time.monotonic()


class Live:
    """The live pages of a run, or of a folder of runs.

    Parameters
    ----------
    source : what the first page shows
    waits_for_page : whether the server waits for a first page, also after the run has ended
    """

    def __init__(self, source: LiveRun | LiveRuns, *, waits_for_page: bool) -> None:
        self.source, self.waits_for_page = source, waits_for_page
        self.channels: dict[str, Channel] = {"": Channel(source)}
        self.ended: float | None = None

    def routes(self) -> list[Route]:
        """Return all addresses that there are."""
        of_page = (("", self.page), ("events", self.events), ("section/{part}", self.section))
        return [Route(f"{place}{path}", call) for place in ("/", "/run/{run}/") for path, call in of_page]

    async def until(self) -> None:
        """Keep all pages up to date, until the run has ended and nobody looks any more."""
        tasks = set()
        while not self.is_over():
            for channel in list(self.channels.values()):
                await channel.look(is_shown=channel.pages > 0)
                if channel.pages:
                    tasks.add(task := asyncio.ensure_future(channel.derive()))
                    task.add_done_callback(tasks.discard)
            await asyncio.sleep(PAUSE)

    def is_over(self) -> bool:
        """Return whether the server has nothing left to do."""
        if not self.source.state.is_over or any(channel.pages for channel in self.channels.values()):
            self.ended = None
            return False
        closed = [channel.left for channel in self.channels.values() if channel.left is not None]
        if self.waits_for_page and not closed:
            return False
        self.ended = self.ended or time.monotonic()
        return time.monotonic() - self.ended >= LINGER

    def channel(self, request: Request) -> Channel | None:
        """Return the channel that an address names; None if there is no such run."""
        name = request.path_params.get("run", "")
        if name not in self.channels and isinstance(self.source, LiveRuns) and name in self.source.folders:
            self.channels[name] = Channel(LiveRun(self.source.folders[name]))
        return self.channels.get(name)

    async def page(self, request: Request) -> Response:
        """Answer with the whole page."""
        if (channel := self.channel(request)) is None:
            return NOT_THERE
        await channel.look(is_shown=True)
        is_one_of_many = channel.source is not self.source
        return serving.page(page_of(channel.source, is_one_of_many=is_one_of_many), own_script(), script())

    async def events(self, request: Request) -> Response:
        """Answer with the stream of events."""
        if (channel := self.channel(request)) is None:
            return NOT_THERE
        await channel.look(is_shown=True)
        return StreamingResponse(channel.events(), media_type="text/event-stream")

    async def section(self, request: Request) -> Response:
        """Answer with a part of the page, whose version is its ETag."""
        if (channel := self.channel(request)) is None:
            return NOT_THERE
        if not channel.number:  # nobody has looked yet
            await channel.look(is_shown=True)
        if (html := channel.source.parts.get(request.path_params["part"])) is None:
            return NOT_THERE
        return Response(html, media_type="text/html", headers={"ETag": f'"{version_of(html)}"'})


NOT_THERE = PlainTextResponse("There is no such page.\n", 404)


def message_of(source: LiveRun | LiveRuns) -> dict[str, Any]:
    """Return what an event says: how the run is getting on, and the versions of all parts in their order."""
    state = source.state
    versions = {name: version_of(html) for name, html in source.parts.items()}
    return {"kind": state.kind, "head": state.head, "text": state.text, "parts": versions}


def version_of(html: str) -> str:
    """Return a name of some content."""
    return hashlib.sha256(html.encode()).hexdigest()[:16]


def page_of(source: LiveRun | LiveRuns, *, is_one_of_many: bool = False) -> str:
    """Return the page: the parts as they are in the report, and above them how the run is getting on."""
    state = source.state
    top = tag(
        "div",
        tag("strong", state.head, role="status"),
        tag("span", state.text),
        tag("a", "All runs", href="/") if is_one_of_many else None,
        tag("noscript", "Scripts are off: load the page again to see what is new."),
        tag("script", Html(as_json(message_of(source))), type="application/json"),
        id="live",
        data_kind=state.kind,
    )
    styles = [section_style(), _read("live.css")]
    return document(source.title, source.parts, styles, [script()], top, fetches=True)


def script() -> str:
    """Return the script that fetches what is new."""
    return _read("live.js")


def _read(name: str) -> str:
    return resources.files("chainrule.live").joinpath(name).read_text("utf-8").strip()


def watch(path: Path, port: int | None = None, *, open_browser: bool = False, of_training: bool = False) -> None:
    """Serve the live page of a run, or of a folder of runs, until Ctrl-C or 30 s after all is over.

    Parameters
    ----------
    path
        The folder.
    port
        None: 8765, or the next one that is free.
    open_browser
        Open the page in the user's browser.
    of_training
        Whether a training has started the server: it then waits for no first page after the run.

    Raises
    ------
    FileError
        There is no such folder, or nothing to watch in it.
    SettingError
        The port is in use.
    """
    source = source_of(path)
    address = serving.listen(port)
    live = Live(source, waits_for_page=not of_training)
    serving.run(serving.application(live.routes(), address), address, "Live", live.until, open_browser=open_browser)


def source_of(path: Path) -> LiveRun | LiveRuns:
    """Return what there is to watch in a folder: a run, also one that is about to begin, or several."""
    if not path.is_dir():
        raise FileError(f"{path} is a file: watch takes the folder of a run, or a folder of runs.")
    if holds_run(path) or begun(path) != path:
        return LiveRun(path)
    if runs_in(path):
        return LiveRuns(path)
    if nothing_saved(path):
        return LiveRun(path)
    raise FileError(f"{path} holds no run, and no folders of runs. See what there is: chainrule runs")
