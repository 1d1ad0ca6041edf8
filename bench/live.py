"""What training costs while its live page is open, beside the same training without it, in alternating rounds.

    python bench/live.py               # prints the table
    python bench/live.py --write       # to bench/results/live.md
    python bench/live.py --rounds 9    # more rounds

A client in a process of its own stands for the browser: it reads the stream of events, and fetches each part that is
new. The order within a round changes from round to round. Besides the time of the training, the processor time of the
server is measured: on a machine that others use, too, two trainings differ by more than the page costs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import chainrule as cr

RESULTS = Path(__file__).parent / "results" / "live.md"

#: Reads events for ever, and fetches what is new.
CLIENT = """
import http.client, json, sys
port, key = int(sys.argv[1]), sys.argv[2]
def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Cookie": f"chainrule-{port}={key}"})
    return connection.getresponse()
get("/").read()
events, known = get("/events"), {}
for line in iter(events.readline, b""):
    if line.startswith(b"data: "):
        parts = json.loads(line[6:])["parts"]
        for name in [name for name in parts if known.get(name) != parts[name]]:
            get(f"/section/{name}").read()
        known = parts
"""


def train(folder: Path, epochs: int, engine: str) -> float:
    """Return the seconds that training takes."""
    net = cr.Sequential(cr.Flatten(), cr.Dense(64, "relu"), cr.Dense(10, "softmax"))
    data = cr.data.load("digits")
    before = time.perf_counter()
    cr.fit(net, data, epochs=epochs, validation=0.2, engine=engine, out=folder, record="light", progress=False)
    return time.perf_counter() - before


def train_with_page(folder: Path, epochs: int, engine: str) -> tuple[float, float]:
    """Return the seconds that training takes with the page open, and the processor time of the server meanwhile."""
    folder.mkdir()
    command = [sys.executable, "-m", "chainrule", "watch", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        port, key = address.split(":")[2].split("/")[0], address.partition("key=")[2]
        client = subprocess.Popen([sys.executable, "-c", CLIENT, port, key], stderr=subprocess.DEVNULL)
        time.sleep(1)  # its imports
        before = processor_time(server.pid)
        seconds = train(folder, epochs, engine)
        spent = processor_time(server.pid) - before
        client.kill()
        client.wait()
        server.terminate()
    return seconds, spent


def processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has taken (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(engine: str, epochs: int, rounds: int) -> str:
    """Return a row of the table."""
    ratios, plain, shares = [], [], []
    with tempfile.TemporaryDirectory() as name:
        train(Path(name) / "warm", 2, engine)
        for number in range(rounds):
            seconds: dict[str, float] = {}
            for way in ("without", "with") if number % 2 == 0 else ("with", "without"):
                folder = Path(name) / f"{number}-{way}"
                if way == "without":
                    seconds[way] = train(folder, epochs, engine)
                else:
                    seconds[way], spent = train_with_page(folder, epochs, engine)
                    shares.append(100 * spent / seconds[way])
            ratios.append(100 * (seconds["with"] / seconds["without"] - 1))
            plain.append(seconds["without"])
    spread = f"{min(ratios):+.1f} … {max(ratios):+.1f} %"
    return (
        f"| digits, 64-64-10, {engine}, {epochs} epochs | {statistics.median(plain):.1f} s | "
        f"{statistics.median(ratios):+.1f} % | {spread} | {statistics.median(shares):.0f} % |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--engines", nargs="+", default=["numpy", "jax"])
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    load = os.getloadavg()[0]
    rows = [measure(engine, arguments.epochs, arguments.rounds) for engine in arguments.engines]
    lines = [
        "# What the live page costs",
        "",
        f"`python bench/live.py --rounds {arguments.rounds} --epochs {arguments.epochs}`, "
        f"{platform.machine()}, {os.cpu_count()} processors, load {load:.1f} at the beginning. Medians over rounds.",
        "",
        "| training | without the page | with it open | lowest … highest | processor time of the server, of one core |",
        "|---|---|---|---|---|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
