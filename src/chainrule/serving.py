"""Pages for the browser of this machine, and for nobody else: the server of the live page and of the lab.

It listens on 127.0.0.1 alone. A request must name this host, so that no other page's address can be bent to it (DNS
rebinding), and must have a random key: once in the address that is printed, from then on in a cookie that no script and
no other site can send. What changes something must come from a page of this very server. Nothing is kept by the
browser, and a page may load nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chainrule.display.lines import print_line
from chainrule.display.markup import content_policy
from chainrule.errors import SettingError
from chainrule.files import cache_folder, private_file

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")

#: The first port that is tried where none is asked for, and how many after it.
PORT, PORTS = 8765, 20

#: Bytes that a request may bring.
LIMIT = 64 * 1024

#: Seconds that a key is good for new starts: a server that is started again goes on with the pages that are open.
KEY_AGE = 24 * 3600.0

#: What every answer says. Its own policy allows nothing; that of a page is made by `page`.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Address:
    """Where a server is: a socket that listens, and the key that a browser must have.

    Attributes
    ----------
    listener : bound to a port of 127.0.0.1
    port : its number
    key : the random text
    """

    listener: socket.socket
    port: int
    key: str

    @property
    def url(self) -> str:
        """What is typed into a browser."""
        return f"http://{HOST}:{self.port}/?key={self.key}"

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers keep those of all ports of a host together."""
        return f"chainrule-{self.port}"


def listen(port: int | None = None) -> Address:
    """Return an address of this machine that nobody else listens at.

    Parameters
    ----------
    port
        None: 8765, or the next one that is free.

    Raises
    ------
    SettingError
        The port is in use, or not to be had.

    Example
    -------
    >>> from chainrule.serving import listen
    >>> address = listen()
    >>> address.url.startswith(f"http://127.0.0.1:{address.port}/?key=")
    True
    >>> address.listener.close()
    """
    if port is not None and not 1 <= port <= 65535:
        raise SettingError(f"--port is a number from 1 to 65535, got {port}.")
    for number in (port,) if port is not None else (*range(PORT, PORT + PORTS), 0):
        try:
            listener = socket.create_server((HOST, number))
        except PermissionError:
            raise SettingError(f"Port {number} may not be used: take one above 1023, such as --port {PORT}.") from None
        except OSError:
            continue
        return Address(listener, listener.getsockname()[1], user_key())
    raise SettingError(f"Port {port} is in use: take another, or leave --port out, and one that is free is chosen.")


def user_key() -> str:
    """Return the key of this user: random, kept for a day in a file that only the user can read."""
    path = cache_folder() / "server.key"
    with contextlib.suppress(OSError, ValueError):
        key = path.read_text("ascii")
        if time.time() - path.stat().st_mtime < KEY_AGE and len(key) >= 32:
            return key
    key = secrets.token_urlsafe(32)
    with contextlib.suppress(OSError):  # no place for it: it is good for this start alone
        private_file(path, key)
    return key


def page(html: str, *scripts: str) -> Response:
    """Return a page that may run these scripts, and fetch from its own server alone."""
    policy = f"{content_policy(*scripts, fetches=True)}; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def application(routes: Sequence[BaseRoute], address: Address) -> ASGIApp:
    """Return an application that answers nobody but the browser that has the key."""
    app = Starlette(routes=routes, exception_handlers={Exception: _failed})
    app.router.redirect_slashes = False
    return TrustedHostMiddleware(Door(app, address), allowed_hosts=list(HOSTS), www_redirect=False)


class Door:
    """Lets requests in that have the key, are small, and come from this server's own pages."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self.app, self.address = app, address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        typed = request.query_params.get("key", "") if request.method == "GET" else ""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._is_key(typed):
                    cookie = f"{self.address.cookie}={self.address.key}; HttpOnly; SameSite=Strict; Path=/"
                    headers.append("Set-Cookie", cookie)
            await send(message)

        refused = self._refused(request, typed)
        await (refused or self.app)(scope, receive, answer)

    def _refused(self, request: Request, typed: str) -> Response | None:
        """Return why a request is not answered; None if it is."""
        if not self._is_key(typed) and not self._is_key(request.cookies.get(self.address.cookie, "")):
            return PlainTextResponse("Open the address that chainrule has printed: it has the key.\n", 403)
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            return PlainTextResponse("Say how long the request is.\n", 411)
        if int(length) > LIMIT:
            return PlainTextResponse(f"A request has {LIMIT:,} bytes at most.\n", 413)
        here = f"http://{request.headers.get('host')}"
        if request.method not in ("GET", "HEAD") and request.headers.get("origin") != here:
            return PlainTextResponse("Only a page of this server may ask for that.\n", 403)
        return None

    def _is_key(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.address.key.encode())


def run(
    app: ASGIApp, address: Address, name: str, until: Callable[[], Awaitable[None]] | None = None, *,
    open_browser: bool = False,
) -> None:  # fmt: skip
    """Print where an application is, and answer until Ctrl-C, or until something has happened.

    Parameters
    ----------
    app, address
        What `application` and `listen` returned.
    name
        What is printed before the address, such as "Live".
    until
        It ends with the server: what it awaits, and when it returns.
    open_browser
        Open the page in the user's browser, too.
    """
    print_line(f"{name}: {address.url}")
    if open_browser:
        _open(address.url)
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        asyncio.run(_serve(app, address, until))


async def _serve(app: ASGIApp, address: Address, until: Callable[[], Awaitable[None]] | None) -> None:
    # Streams of events never end by themselves: without a limit the server would wait for them for ever.
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[address.listener]))
    waiting = [serving] if until is None else [serving, asyncio.ensure_future(until())]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {serving}:
            task.result()  # what it raised
    finally:
        server.should_exit = True
        for task in waiting[1:]:
            task.cancel()
        await serving


class Server(uvicorn.Server):
    """A server that Ctrl-C and SIGTERM end, and that is all: uvicorn's own sends them again when it is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _open(url: str) -> None:
    """Open an address in the user's browser; by a file, for the words of a command can be read by all users."""
    path = cache_folder() / "open.html"
    try:
        private_file(path, f'<!DOCTYPE html><title>chainrule</title><meta http-equiv="refresh" content="0; url={url}">')
        is_open = webbrowser.open(Path(path).as_uri())
    except (OSError, webbrowser.Error):
        is_open = False
    if not is_open:
        print_line("No browser was started here: open the address yourself.")


async def _failed(request: Request, error: Exception) -> Response:
    """Say on the terminal what went wrong with a request; the browser gets no more than that."""
    print_line(f"warning: {request.url.path} could not be answered: {type(error).__name__}: {error}")
    return PlainTextResponse("This could not be computed; the terminal says why.\n", 500)
