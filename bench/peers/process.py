"""One measurement of the speed benchmark: one side of a workload, in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from child import Finished, environment, run
from settings import Settings
from workloads import WORKLOADS

HERE = Path(__file__).parent
SCRIPTS = {
    "chainrule": "chainrule_side.py",
    "memory": "chainrule_side.py",
    "roofline": "roofline.py",
}
LIMIT = {"stream": 1200.0}  # seconds a process may take
USUAL_LIMIT = 300.0


@dataclass
class Answer:
    """What one process said: see `side.main`."""

    warm: float  # seconds per unit, the median of its epochs
    start: float
    cost: float | None
    peak_mb: float
    note: str
    beside: dict[str, float] = field(default_factory=dict)  # other sides, measured in the same process


@dataclass
class Bench:
    """Runs processes, one at a time."""

    device: str
    scratch: Path
    quick: bool

    def run(self, name: str, side: str, settings: Settings, seed: int, trial: bool = False) -> Answer:
        """One measurement; a trial is shorter."""
        workload = WORKLOADS[name]
        if workload.task == "process":
            return self._whole(name, side)
        job = {
            "workload": name,
            "data": str(self.scratch),
            "device": self.device,
            "seed": seed,
            "epochs": 2 if self.quick else max(3, workload.epochs // 2) if trial else workload.epochs,
        }
        script = HERE / SCRIPTS.get(side, f"{side}_side.py")
        done = self._process([str(script), json.dumps(job | settings)], name, settings)
        told = json.loads(done.out.splitlines()[-1])
        return Answer(peak_mb=done.peak_mb, **told | {"warm": statistics.median(told["warm"])})

    def _whole(self, name: str, side: str) -> Answer:
        """The time of a whole process that trains on the digits and saves its model."""
        out = Path(tempfile.mkdtemp(dir=self.scratch)) / "run"
        command = {
            "chainrule": ["-m", "chainrule", "train", "digits", "--out", str(out)],
            "digits_torch": [str(HERE / "digits_torch.py"), str(out)],
        }[side]
        done = self._process(command, name, {})
        result = json.loads((out / "result.json").read_text())
        accuracy = result.get("test", result)["accuracy"]
        return Answer(done.seconds, 0.0, None, done.peak_mb, f"test accuracy {accuracy:.3f}")

    def _process(self, arguments: list[str], name: str, settings: Settings) -> Finished:
        """The script with these arguments; caches of compiled programs are empty when a workload starts."""
        env = environment(self.device, self.scratch / f"cache-{name}", settings.get("threads", os.cpu_count()))
        return run(arguments, env, LIMIT.get(WORKLOADS[name].task, USUAL_LIMIT))
