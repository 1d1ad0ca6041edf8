"""The lab as a server: a form's parameters become a page, and nothing else is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
from typing import Any

import pytest
from starlette.applications import Starlette

import chainrule as cr
from chainrule.lab import server


def ask(method: str, path: str, body: bytes = b"", patience: float = 60.0) -> tuple[int, str]:
    """What the server answers, up to the end or to where the browser has lost its patience."""
    sent: list[dict[str, Any]] = []
    requests = [{"type": "http.request", "body": body}]

    async def go() -> None:
        over = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if requests:
                return requests.pop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), patience)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
        await Starlette(routes=server.routes())(scope, receive, send)  # type: ignore[arg-type]
        over.set()

    asyncio.run(go())
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


def test_a_form_becomes_a_page_and_says_how_far_it_is() -> None:
    status, text = ask("POST", "/reel/activations", json.dumps({"functions": "tanh, ReLU"}).encode())
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert status == 200
    assert lines[:-1] == [{"done": 1, "of": 2}, {"done": 2, "of": 2}]
    assert lines[-1]["page"] == cr.lab.activations(functions=("tanh", "ReLU")).html()


def test_the_process_ends_with_the_request() -> None:
    status, text = ask("POST", "/reel/slow", b"{}", patience=1.0)
    assert status == 200
    assert "page" not in text
    assert multiprocessing.active_children() == []


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SECONDS", 0.5)
    _, text = ask("POST", "/reel/slow", b"{}")
    assert "more than 0 seconds: give fewer values" in json.loads(text.strip())["error"]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/reel/descent", b'{"rates": "0.1,99"}', 400, "from 0 to 10, got 99.0"),
        ("/reel/descent", b'{"rates": "__import__"}', 400, "got '__import__'"),
        ("/reel/descent", b'{"rates": [1]}', 400, "the texts of its parameters"),
        ("/reel/descent", b"[" * 60_000, 400, "the texts of its parameters"),
        ("/reel/backprop", b'{"run": "/etc"}', 400, "no parameter 'run'"),
        ("/reel/boundary", b'{"data": "/etc/passwd"}', 400, "no parameter 'data'"),
        ("/reel/os", b"{}", 404, "no such page"),
        ("/reel/../descent", b"{}", 404, ""),
    ],
)
def test_what_is_no_parameter_of_a_page_is_refused(path: str, body: bytes, status: int, words: str) -> None:
    answer = ask("POST", path, body)
    assert answer[0] == status
    assert words in answer[1]


def test_a_page_asks_for_each_of_its_parameters() -> None:
    assert all(f'href="/page/{name}"' in ask("GET", "/")[1] for name in cr.lab.QUESTIONS)
    status, text = ask("GET", "/page/boundary")
    assert status == 200
    assert all(f'name="{name}"' in text for name in server.parameters_of(server.group_of("boundary")))
    assert 'name="data"' not in text
    assert ask("GET", "/page/os")[0] == 404
