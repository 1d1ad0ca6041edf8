"""How fast many networks are trained and searched, beside what people would use instead.

    python bench/population.py [--rows trials,folds] [--peers torch] [--rounds 3] [--quick] [--scratch FOLDER]

Needs an environment of its own (`make bench-population` makes it), and MNIST's IDX files and the table Adult in the
folder that CHAINRULE_DATA names. Every measurement is a fresh process. First each peer tries its settings; then
chainrule and its peers, each at its best settings, run in alternation. Writes bench/results/population.md after every
row, and the figures of every round into a .json file beside it; a run of some rows renews those only. With --quick,
one short round: nothing is tried, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE / "population_peers"
sys.path[:0] = [str(HERE / "peers"), str(PEERS)]

from child import environment, run  # noqa: E402
from outcome import Measured, details, summary, write  # noqa: E402
from rounds import alternate, try_out  # noqa: E402
from rows import ROWS  # noqa: E402
from settings import Settings  # noqa: E402

from report import Row, read, shown  # noqa: E402

LIMIT = 900.0  # seconds a process may take

#: MNIST is made into arrays by a process of its own: the peak memory of a child is at least that of its parent.
SAVE = "import sys; from pathlib import Path; import workloads; workloads.save_mnist(Path(sys.argv[1]))"


@dataclass(frozen=True)
class Side:
    """Which script does the work of a row, as which of its tasks, in how many processes at once, and what it may try.

    One that is `like` another takes the settings that were best for it, in one thread.
    """

    script: str
    task: str = ""  # else the row's
    processes: int = 1
    offered: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    like: str = ""


PYTORCH = (
    ("threads", (1, 2)),
    ("update", ("fused", "foreach", "written out")),
    ("compile", ("eager", "torch.compile", "torch.compile with its C++ wrapper")),
)
PROGRAM = (("threads", (1,)), ("compile", ("program",)), ("steps", (10, 1)))
SKLEARN = (
    ("jobs", (2,)),
    ("threads", (1, 2)),
    ("way", ("one call", "call per seed")),
    ("precision", ("float32", "float64")),
)
SIDES = {
    "chainrule": Side("chainrule_side.py"),
    "single": Side("chainrule_side.py", "single"),
    "random": Side("chainrule_side.py"),
    "torch": Side("torch_trials.py", offered=PYTORCH),
    "torch_two": Side("torch_trials.py", processes=2, like="torch"),
    "torch_program": Side("torch_trials.py", offered=PROGRAM),
    "sklearn": Side("sklearn_folds.py", offered=SKLEARN),
}


@dataclass
class Bench:
    """Runs the processes of a measurement."""

    scratch: Path
    quick: bool

    def run(
        self, name: str, side: str, settings: Settings, seed: int, trial: bool = False, given: list[Any] | None = None
    ) -> Measured:
        """One measurement; a trial of settings is shorter. `given` are settings of units that are wanted."""
        work, how = ROWS[name], SIDES[side]
        units = work.share.get(side, work.count)
        if trial or self.quick:
            work, units = replace(work, **work.short), units if side == "chainrule" else min(units, work.fewer)
        study = str(Path(tempfile.mkdtemp(dir=self.scratch)) / "study.log") if how.processes > 1 else ""
        jobs = [
            {
                "side": side,
                "task": how.task or work.task,
                "work": asdict(work),
                "data": str(self.scratch),
                "tables": str(Path(os.environ["CHAINRULE_DATA"]) / "tables"),
                "seed": seed,
                "units": -(-units // how.processes),
                "processes": how.processes,
                "study": study,
                "settings": (given or [])[number :: how.processes],
                "cold_only": self.quick,
                "started": time.time(),
            }
            | settings
            for number in range(how.processes)
        ]
        env = environment(
            "gpu" if name == "gpu" else "cpu",
            self.scratch / f"cache-{name}-{side}",
            settings.get("threads", os.cpu_count()),
        )
        with ThreadPoolExecutor(how.processes) as pool:
            done = list(pool.map(lambda job: run([str(PEERS / how.script), json.dumps(job)], env, LIMIT), jobs))
        return Measured.of([json.loads(one.out.splitlines()[-1]) for one in done], done)


def measure(bench: Bench, name: str, sides: list[str], rounds: int, command: str) -> Row:
    """Each peer's settings, then all sides in alternation; peers are given settings of some of our units."""
    row = Row(command)
    given: list[Any] = []
    for side in sides:
        try:
            row.best[side] = tune(bench, name, side, row)
        except RuntimeError as error:
            row.failed[side] = str(error)

    def once(side: str, number: int) -> Measured:
        found = bench.run(name, side, row.best[side], number, given=given)
        if side == "chainrule" and ROWS[name].share and not given:
            given.extend(found.settings[:: max(1, len(found.settings) // max(ROWS[name].share.values()))])
        return found

    def told(found: Measured) -> str:
        return f"{shown(found.whole)}, warm {shown(found.warm)}, {found.told()}"

    alternate(row, sides, rounds, once, told)
    return row


def tune(bench: Bench, name: str, side: str, row: Row) -> Settings:
    """The best settings of a side; what was tried is noted in the row."""
    offered = dict(SIDES[side].offered)
    if like := SIDES[side].like:
        return (row.best.get(like) or {key: values[0] for key, values in dict(SIDES[like].offered).items()}) | {
            "threads": 1
        }
    if bench.quick:
        return {key: values[0] for key, values in offered.items()}
    return try_out(row, side, offered, lambda tried: bench.run(name, side, tried, seed=0, trial=True).warm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help=f"some of {', '.join(ROWS)}, separated by commas")
    parser.add_argument("--peers", default="", help="only these, separated by commas")
    parser.add_argument("--rounds", type=int, help="instead of each row's own number")
    parser.add_argument("--quick", action="store_true", help="one short round; nothing tried, nothing written")
    parser.add_argument("--scratch", type=Path, help="a folder for files that are needed only while it runs")
    options = parser.parse_args()
    names = options.rows.split(",") if options.rows else list(ROWS)
    for name in names:
        if name not in ROWS:
            parser.error(f"no row {name!r}; there are {', '.join(ROWS)}")
    if "CHAINRULE_DATA" not in os.environ:
        parser.error("CHAINRULE_DATA must name the folder with mnist/ and tables/adult.csv")
    given = {"--rows": options.rows, "--peers": options.peers, "--rounds": options.rounds}
    command = " ".join(["python bench/population.py", *(f"{word} {value}" for word, value in given.items() if value)])

    path = HERE / "results" / "population.md"
    scratch = Path(tempfile.mkdtemp(dir=options.scratch, prefix="chainrule-bench-"))
    try:
        run(["-c", SAVE, str(scratch)], os.environ | {"PYTHONPATH": str(HERE / "peers")}, LIMIT)
        bench = Bench(scratch, options.quick)
        for name in names:
            work = ROWS[name]
            print(f"== {name}: {work.title}", flush=True)
            if name == "gpu" and shutil.which("nvidia-smi") is None:
                print("  left out: there is no NVIDIA GPU here (no nvidia-smi)", flush=True)
                continue
            sides = ["chainrule", *(p for p in work.targets if not options.peers or p in options.peers.split(","))]
            row = measure(bench, name, sides, 1 if options.quick else options.rounds or work.rounds, command)
            print("\n".join([*summary({name: row}), "", *details(name, row)]), flush=True)
            if not options.quick:
                write(path, read(path, Measured) | {name: row})
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
