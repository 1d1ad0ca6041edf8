"""The server for pages on this machine: who gets an answer, and what every answer says."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from chainrule.errors import SettingError
from chainrule.serving import LIMIT, Address, application, listen, page, run, user_key

EVIL = "http://evil.example"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Client:
    """Asks a server, as a browser or as somebody else would."""

    address: Address

    def __call__(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=10)
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    @property
    def cookie(self) -> str:
        return f"{self.address.cookie}={self.address.key}"


async def show(request: Request) -> Response:
    return page("<p>shown</p><script>1</script>", "1")


async def change(request: Request) -> Response:
    return PlainTextResponse(f"got {len(await request.body())}")


async def fail(request: Request) -> Response:
    raise ZeroDivisionError("nothing to divide by")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        address = listen()
    routes = [Route("/", show), Route("/change", change, methods=["POST"]), Route("/fail", fail)]
    over = threading.Event()

    async def until() -> None:
        while not over.is_set():
            await asyncio.sleep(0.02)

    thread = threading.Thread(target=run, args=(application(routes, address), address, "Test", until))
    thread.start()
    yield Client(address)
    over.set()
    thread.join(10)
    assert not thread.is_alive()


def test_the_key_comes_once_in_the_address_and_then_in_a_cookie(client: Client) -> None:
    first = client(f"/?key={client.address.key}")
    assert first.status == 200
    cookie = first.headers["set-cookie"]
    assert cookie == f"{client.cookie}; HttpOnly; SameSite=Strict; Path=/"
    then = client("/", Cookie=client.cookie)
    assert (then.status, "set-cookie" in then.headers) == (200, False)


@pytest.mark.parametrize("path", ["/", "/?key=", "/?key=wrong", "/nothing", "/change"])
def test_without_the_key_nothing_is_answered(client: Client, path: str) -> None:
    assert client(path).status == 403
    assert client(path, Cookie=f"{client.address.cookie}=wrong").status == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.1:8765", "0.0.0.0"])
def test_another_host_is_refused_even_with_the_key(client: Client, host: str) -> None:
    assert client(f"/?key={client.address.key}", Host=host).status == 400


def test_only_a_page_of_the_server_may_change_something(client: Client) -> None:
    here = f"http://127.0.0.1:{client.address.port}"

    def post(size: int = 3, **headers: str) -> Answer:
        return client("/change", "POST", b"x" * size, Cookie=client.cookie, **headers)

    assert (post(Origin=here).status, post(Origin=here).text) == (200, "got 3")
    for headers in ({}, {"Origin": EVIL}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}):
        assert post(**headers).status == 403
    assert post(LIMIT + 1, Origin=here).status == 413
    assert post(LIMIT, Origin=here).status == 200
    assert post(0, Origin=here, Transfer_Encoding="chunked").status == 411
    assert client(f"/change?key={client.address.key}", "POST", b"x", Origin=here).status == 403, "the cookie alone"


@pytest.mark.parametrize("path", ["/..", "/../", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//", "/change/"])
def test_there_is_nothing_besides_the_routes(client: Client, path: str) -> None:
    assert client(path, Cookie=client.cookie).status == 404


def test_every_answer_has_the_headers(client: Client) -> None:
    for path, status in (("/", 200), ("/nothing", 404), ("/fail", 500)):
        answer = client(path, Cookie=client.cookie)
        assert answer.status == status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
    policy = client("/", Cookie=client.cookie).headers["content-security-policy"]
    assert "connect-src 'self'" in policy
    assert "script-src 'sha256-" in policy


def test_what_went_wrong_is_told_on_the_terminal_alone(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert "divide" not in client("/fail", Cookie=client.cookie).text
    assert "/fail could not be answered: ZeroDivisionError" in capsys.readouterr().err


def test_it_listens_on_this_machine_alone(client: Client) -> None:
    assert client.address.listener.getsockname()[0] == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for other in others:
        with socket.socket() as here:
            here.settimeout(1)
            assert here.connect_ex((other, client.address.port)) != 0


def test_a_port_in_use(client: Client) -> None:
    with pytest.raises(SettingError, match=rf"Port {client.address.port} is in use: take another"):
        listen(client.address.port)
    with listen().listener as another:
        assert another.getsockname()[1] != client.address.port
    with pytest.raises(SettingError, match="from 1 to 65535, got 70000"):
        listen(70000)


def test_the_key_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    key, file = user_key(), tmp_path / "chainrule" / "server.key"
    assert (user_key(), len(key) >= 43, file.stat().st_mode & 0o777) == (key, True, 0o600)
    monkeypatch.setattr("chainrule.serving.KEY_AGE", -1.0)
    assert user_key() != key


def test_the_browser_is_sent_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)

    async def until() -> None:
        return None

    address = listen()
    run(application([], address), address, "Test", until, open_browser=True)
    assert address.key not in opened[0]
    path: Any = tmp_path / "chainrule" / "open.html"
    assert (opened[0], path.stat().st_mode & 0o777) == (path.as_uri(), 0o600)
    assert address.url in path.read_text()
