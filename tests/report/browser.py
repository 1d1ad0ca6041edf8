"""Chromium without a window, steered through a pipe: what a page shows, says and asks of the network."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --proxy-server=127.0.0.1:9
--remote-debugging-pipe""".split()

#: The browser listens at file 3 and answers at file 4.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)

SECONDS = 60.0


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((program for name in names if (program := shutil.which(name))), None)


class Browser:
    """One page. ``events`` holds all that happened; the only way out is a proxy that nobody answers at."""

    def __init__(self, program: str, folder: Path) -> None:
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_browser, from_browser)]  # out of the way of 3 and 4
        flags = [*FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, ends), program, *flags],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self.rest, self.number, self.session = b"", 0, None
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        number = self.number
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data) :]
        while True:
            answer = self.next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def next(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.into], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self.into, 2**20) if ready else b""
            if not chunk:
                raise RuntimeError("the browser does not answer")
            self.rest += chunk
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def open(self, path: Path, width: int = 1280, *, dark: bool = False) -> None:
        """Load a page and wait until it is there."""
        self.visit(path.resolve().as_uri(), width, dark=dark)

    def visit(self, address: str, width: int = 1280, *, dark: bool = False) -> None:
        """Load what is at an address, and wait until it is there."""
        self.size(width)
        self.dark(dark)
        self.events.clear()
        self("Page.navigate", url=address)
        address = address.partition("?")[0]
        end = time.monotonic() + SECONDS
        while not self.value(f"document.readyState == 'complete' && location.href.startsWith({json.dumps(address)})"):
            if time.monotonic() > end:
                raise RuntimeError("the page was not loaded")
            time.sleep(0.05)

    def scripts(self, allowed: bool) -> None:
        """Allow or forbid scripts in the pages that are opened from now on."""
        self("Emulation.setScriptExecutionDisabled", value=not allowed)

    def size(self, width: int, height: int = 900) -> None:
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def dark(self, dark: bool) -> None:
        value = "dark" if dark else "light"
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def value(self, expression: str) -> Any:
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Console errors and warnings, exceptions, and entries of the browser's own log."""
        complaints = []
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                complaints.append(str(params["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                complaints.append(str(params["args"]))
            elif event["method"] == "Log.entryAdded":
                complaints.append(str(params["entry"]))
        return complaints

    def requests(self) -> list[str]:
        """All addresses asked for, besides the page itself."""
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        height = self.value("document.documentElement.scrollHeight")
        width = self.value("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))
