"""The tables of the speed benchmark."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from process import Answer
from settings import Settings, normalize_name
from workloads import WORKLOADS

NAMES = {
    "chainrule": "chainrule",
    "torch": "PyTorch",
    "keras": "Keras 3 on JAX",
    "flax": "Flax NNX, optax",
    "sklearn": "scikit-learn",
    "nielsen": "per-sample code in Nielsen's style",
    "roofline": "its matrix products alone",
    "digits_torch": "the same job as a PyTorch script",
    "bare": "the bare loop",
    "memory": "the same in memory",
}
PACKAGES = ("numpy", "jax", "torch", "keras", "flax", "optax", "scikit-learn")

HEAD = """# Speed, beside what people would use instead

Written by `bench/speed.py`. {machine}

Every measurement is a fresh process. chainrule and its peers run in alternation, in reversed order every second round.
A time is the median of a process's epochs after the first, then the median of the rounds (in brackets the least and
the greatest). The ratio is the peer's time over chainrule's in the same round.

{summary}

Every peer first tries its settings, one after the other, each with the best so far of the others; its best runs in the
rounds. PyTorch: denormals flushed to zero, data in one tensor, shuffled once per epoch. Keras: `Model.fit` with
`jit_compile`. Flax: `nnx` is `nnx.jit` with `cached_partial`, `loop` a jitted pure step with donated state, `scan` that
step in `lax.scan` (on the CPU not for convolutions, which take tens of times longer inside a loop: jax issue 12868).

In the tables below, *start* is everything else in the call that trains: preparing, tracing, compiling (not imports);
caches of compiled programs are empty when a workload starts, and then kept. *Cost* is the mean training cost over the
last epoch, each batch before its step. *Equal* is how far a peer's mean cost over the rounds is from chainrule's, with
the same batch size, epochs, hyperparameters and law of initial weights, and other random numbers; it may be
{tolerance:.0%} (residual network: {wide:.0%}). *Memory* is the peak of the whole process.

"""


@dataclass
class Row:
    """What was measured of one workload."""

    command: str
    tried: dict[str, list[tuple[Settings, float | str]]] = field(default_factory=dict)  # seconds, or why not
    best: dict[str, Settings] = field(default_factory=dict)
    rounds: dict[str, list[Answer]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def summary(rows: dict[str, Row]) -> list[str]:
    """A line for each comparison."""
    lines = ["| workload | peer | chainrule | peer's time | ratio | target | |", "|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        workload, ours = WORKLOADS[name], row.rounds.get("chainrule", [])
        own = spread([a.warm for a in ours], shown) if ours else f"failed: {row.failed['chainrule']}"
        for side, target in workload.targets.items():
            theirs = row.rounds.get(side, [])
            if not theirs and side not in row.failed:
                continue
            time = spread([a.warm for a in theirs], shown) if theirs else f"failed: {row.failed[side]}"
            ratio = verdict = ""
            if ours and len(ours) == len(theirs):
                ratios = [a.warm / b.warm for a, b in zip(theirs, ours, strict=True)]
                ratio, verdict = spread(ratios), "met" if statistics.median(ratios) >= target else "**missed**"
            cells = [workload.title, NAMES[side], own, time, ratio, f"≥ {target:.3g}", verdict]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def details(name: str, row: Row) -> list[str]:
    """Everything else about one workload."""
    workload, ours = WORKLOADS[name], row.rounds.get("chainrule", [])
    lines = [f"## {workload.title}", "", f"`{row.command}`; time per {workload.unit}.", ""]
    lines += ["| side | settings | time | start s | cost | equal | memory MB | |", "|---|---|---|---|---|---|---|---|"]
    for side, answers in row.rounds.items():
        costs = [a.cost for a in answers if a.cost is not None]
        cells = [
            NAMES[side],
            normalize_name(row.best[side]),
            spread([a.warm for a in answers], shown),
            spread([a.start for a in answers]) if costs and workload.task != "overhead" else "",
            spread(costs, lambda v: f"{v:.3g}") if costs else "",
            equality(ours, answers, workload.tolerance) if costs and ours and side != "chainrule" else "",
            f"{max(a.peak_mb for a in answers):.0f}",
            answers[-1].note,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for side, tried in row.tried.items():
        said = "; ".join(f"{normalize_name(settings)} {shown(seconds)}" for settings, seconds in tried)
        lines += ["", f"{NAMES[side]} tried: {said}."]
    return [*lines, ""]


def equality(ours: list[Answer], theirs: list[Answer], tolerance: float) -> str:
    """How far the mean costs of the last epoch are apart."""
    own, other = (statistics.fmean(a.cost or 0.0 for a in answers) for answers in (ours, theirs))
    difference = other / own - 1
    return f"{difference:+.0%}{'' if abs(difference) <= tolerance else ' **differs**'}"


def spread(values: list[float], text: Callable[[float], str] | None = None) -> str:
    """The median, and from where to where."""
    text = text or three
    middle = text(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({text(min(values))}–{text(max(values))})"


def shown(seconds: float | str) -> str:
    """A time with three digits, in the unit that fits."""
    if isinstance(seconds, str):
        return seconds
    scale, unit = (1, "s") if seconds >= 1 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
    return f"{three(seconds * scale)} {unit}"


def three(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def processor() -> str:
    """The kind of processor, its cores and the system."""
    cpu, info = platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text(encoding="utf-8")
        cpu = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), cpu)
        cpu += next((f" with {kind}" for kind in ("AVX-512", "AVX2") if kind.replace("-", "").lower() in text), "")
    return f"{cpu}, {os.cpu_count()} cores; {platform.system()}"


def machine(device: str, packages: tuple[str, ...] = PACKAGES) -> str:
    """What the figures depend on."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    text = f"Machine: {processor()}.\nPython {platform.python_version()}, {versions}."
    if device == "gpu":
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        text += f"\nGPU: {subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()}."
    return text


def write(path: Path, rows: dict[str, Row], device: str) -> None:
    """The tables, and the figures of every round, which a later run of other workloads adds to."""
    path.parent.mkdir(exist_ok=True)
    rows = {name: rows[name] for name in WORKLOADS if name in rows}
    raw = json.dumps(rows, default=vars, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(raw + "\n", encoding="utf-8")
    head = HEAD.format(
        machine=machine(device),
        summary="\n".join(summary(rows)),
        tolerance=WORKLOADS["mlp128"].tolerance,
        wide=WORKLOADS["resnet"].tolerance,
    )
    text = "\n".join(line for name, row in rows.items() for line in details(name, row))
    path.write_text(head + text, encoding="utf-8")


def read(path: Path, kind: Callable[..., Any] = Answer) -> dict[str, Row]:
    """The rows of earlier runs; `kind` is what a round is kept in."""
    if not path.with_suffix(".json").exists():
        return {}
    rows = {name: Row(**raw) for name, raw in json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).items()}
    for row in rows.values():
        row.rounds = {side: [kind(**raw) for raw in answers] for side, answers in row.rounds.items()}  # type: ignore
    return rows
