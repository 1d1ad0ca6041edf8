"""The lab as a server for the browser of this machine: pages whose parameters are typed into a form.

A page is computed as a whole, by a process of its own that tells how far it is, and that ends with the request: whoever
closes the page, or asks for another one, stops it. What the browser gets is the page of `chainrule.views.reel`, the
same that ``chainrule lab NAME --out FILE`` writes; it can be saved from there.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import multiprocessing
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from chainrule.display.markup import Html, document, escape, tag
from chainrule.draw.figure import STYLE
from chainrule.errors import ChainruleError, KeywordError
from chainrule.fields import settings_of
from chainrule.lab import QUESTIONS
from chainrule.lab.index import index
from chainrule.lab.parameters import Parameters, from_texts, parameters_of, progress
from chainrule.serving import application, listen, page, run
from chainrule.views.reel import read

#: Seconds that a page may be computed, and how many at once.
SECONDS, AT_ONCE = 60.0, 2

SCRIPTS = (read("reel.js"), read("ask.js"))
CSS = """
.ask { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); gap: 10px 20px;
  margin: 12px 0; }
.ask label { display: grid; font-size: 14px; align-content: start; }
.ask input { font: inherit; padding: 4px 8px; min-height: 34px; width: 100%; border: 1px solid var(--line);
  border-radius: 6px; background: var(--surface); color: inherit; }
.ask small { color: var(--muted); overflow-wrap: anywhere; }
.buttons { display: flex; flex-wrap: wrap; gap: 8px; }
[hidden] { display: none; }
summary { cursor: pointer; min-height: 28px; }
progress { width: min(100%, 320px); accent-color: var(--accent); }
.reel { min-height: 200px; }
"""


def serve(port: int | None = None, *, open_browser: bool = False) -> None:
    """Serve the lab to the browser of this machine until Ctrl-C."""
    address = listen(port)
    run(application(routes(), address), address, "Lab", open_browser=open_browser)


def routes() -> list[BaseRoute]:
    """Return what the server answers: the index, a page, and a reel with its parameters."""
    busy = asyncio.Semaphore(AT_ONCE)

    async def reel(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in QUESTIONS:
            return PlainTextResponse("There is no such page.\n", 404)
        try:
            texts = check(name, await request.body())
        except ChainruleError as error:
            return PlainTextResponse(str(error), 400)
        return StreamingResponse(_lines(name, texts, busy), media_type="application/x-ndjson")

    return [
        Route("/", _index),
        Route("/page/{name}", _page),
        Route("/reel/{name}", reel, methods=["POST"]),
    ]


def check(name: str, body: bytes) -> dict[str, str]:
    """Return the parameters that a form has sent, if they are ones of the page and within their bounds.

    Files and runs are named on the command line alone: no page can ask for them.
    """
    group = group_of(name)
    known = parameters_of(group)
    try:
        texts = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise KeywordError("A form sends the texts of its parameters, by name.")
    if unknown := set(texts) - set(known):
        raise KeywordError(f"The page {name} has no parameter {min(unknown)!r}. Known: {', '.join(known)}.")
    from_texts(group, texts)
    return texts


def group_of(name: str) -> type[Parameters]:
    """Return the parameters of a page."""
    group: type[Parameters] = importlib.import_module(f"chainrule.lab.{name}").Settings
    return group


def compute(name: str, texts: Mapping[str, str], out: Connection) -> None:
    """Compute a page, and send how far it is, and then the page, or why there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    progress.set(_counter(out))
    try:
        module = importlib.import_module(f"chainrule.lab.{name}")
        parameters = from_texts(module.Settings, texts)
        chosen = {field: getattr(parameters, field) for field in texts}
        out.send({"page": getattr(module, name)(**chosen).html()})
    except ChainruleError as error:
        out.send({"error": str(error)})


def _counter(out: Connection) -> Callable[[int], None]:
    done = 0

    def count(of: int) -> None:
        nonlocal done
        done += 1
        out.send({"done": done, "of": of})

    return count


async def _lines(name: str, texts: Mapping[str, str], busy: asyncio.Semaphore) -> AsyncIterator[str]:
    """Yield what the process of a page says, as lines of JSON, and end it where nobody listens any more."""
    async with busy:
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(target=compute, args=(name, texts, there), daemon=True)
        process.start()
        there.close()
        end = time.monotonic() + SECONDS
        try:
            while True:
                if not await asyncio.to_thread(here.poll, 0.1):
                    if time.monotonic() > end:
                        yield _line({"error": f"It would take more than {SECONDS:.0f} seconds: give fewer values."})
                        return
                    yield "\n"  # fails where the browser has gone
                    continue
                message = await asyncio.to_thread(here.recv)
                yield _line(message)
                if "page" in message or "error" in message:
                    return
        except EOFError:
            yield _line({"error": "The process that computed it has ended; the terminal may say why."})
        finally:
            process.kill()
            process.join()
            here.close()


def _line(message: Mapping[str, Any]) -> str:
    return json.dumps(message) + "\n"


async def _index(request: Request) -> Response:
    return page(index("/page/{}"))


async def _page(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in QUESTIONS:
        return PlainTextResponse("There is no such page.\n", 404)
    return page(form(name), *SCRIPTS)


def form(name: str) -> str:
    """Return the page that asks for the parameters of a reel, and shows it."""
    group = group_of(name)
    settings = settings_of(group)
    fields = []
    for field in parameters_of(group):
        default = escape(settings[field].options[0].default or "")
        words = settings[field].help.partition(". ")[0].removesuffix(".")
        box = Html(f'<input name="{field}" value="{default}" data-default="{default}" spellcheck="false">')
        fields.append(tag("label", tag("span", field), box, tag("small", words)))
    lesson = importlib.import_module(f"chainrule.lab.{name}").LESSON
    controls = [
        tag("button", "Compute", type="button", id="compute"),
        tag("button", "Cancel", type="button", id="cancel", hidden=""),
        tag("button", "Export", type="button", id="export", hidden=""),
    ]
    body = tag(
        "main",
        tag("p", tag("a", "The lab", href="/")),
        tag("h1", lesson.question),
        tag("details", tag("summary", "Other values"), tag("div", *fields, class_="ask")),
        tag("p", *controls, class_="buttons"),
        tag("p", Html('<progress hidden max="1"></progress> '), tag("span", "", id="status", role="status")),
        tag("noscript", tag("p", f"This page needs scripts; chainrule lab {name} writes one that does not.")),
        tag("div", id="place", data_name=name),
    )
    style = f"{STYLE}\n{read('reel.css')}\n{CSS}"
    return document(f"{lesson.question} – chainrule", style, body, scripts=SCRIPTS, fetches=True)
