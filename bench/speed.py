"""How fast training and prediction are, beside what people would use instead.

    python bench/speed.py [--workloads mlp30,cnn] [--peers torch,keras] [--rounds 3] [--quick] [--device gpu]
                          [--scratch FOLDER]

Needs an environment of its own (`make bench-speed` makes it) and MNIST's IDX files (CHAINRULE_DATA). Every measurement
is a fresh process. First each peer tries its settings; then chainrule and its peers, each at its best settings, run in
alternation. Writes bench/results/speed.md (or speed_gpu.md) after every workload, and the figures of every round into a
.json file beside it; a run of some workloads renews their rows only. With --quick, no settings are tried and nothing is
written. The streaming row needs --scratch, a folder with 5 GB to spare.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / "peers"
sys.path.insert(0, str(PEERS))

from process import Answer, Bench  # noqa: E402
from rounds import alternate, try_out  # noqa: E402
from settings import Settings, choices  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

from report import Row, details, read, shown, summary, write  # noqa: E402


def measure(bench: Bench, name: str, sides: list[str], rounds: int, command: str) -> Row:
    """Each peer's settings, then all sides in alternation."""
    row = Row(command)
    for side in sides:
        try:
            row.best[side] = WORKLOADS[name].ours if side == "chainrule" else tune(bench, name, side, row)
        except RuntimeError as error:
            row.failed[side] = str(error)

    def once(side: str, number: int) -> Answer:
        answer = bench.run(name, side, row.best[side], seed=number)
        for other, seconds in answer.beside.items():
            row.rounds.setdefault(other, []).append(replace(answer, warm=seconds))
        return answer

    alone = [side for side in sides if side != "bare"]  # which is measured with ours
    alternate(row, alone, rounds, once, lambda answer: f"{shown(answer.warm)}, start {answer.start:.1f} s")
    return row


def tune(bench: Bench, name: str, side: str, row: Row) -> Settings:
    """The best settings of a peer; what was tried is noted in the row."""
    offered = choices(side, WORKLOADS[name], bench.device)
    if bench.quick:
        return {key: values[0] for key, values in offered.items()}
    return try_out(row, side, offered, lambda tried: bench.run(name, side, tried, seed=0, trial=True).warm)


def prepare(scratch: Path, large: bool) -> None:
    """Make the arrays in a process of its own: the peak memory of a child is at least that of its parent."""
    calls = "w.save_mnist(p); w.save_large(p)" if large else "w.save_mnist(p)"
    code = f"import sys; from pathlib import Path; import workloads as w; p = Path(sys.argv[1]); {calls}"
    subprocess.run([sys.executable, "-c", code, str(scratch)], check=True, env=os.environ | {"PYTHONPATH": str(PEERS)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default="", help=f"some of {', '.join(WORKLOADS)}, separated by commas")
    parser.add_argument("--peers", default="", help="only these, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of two epochs; nothing tried, nothing written")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--scratch", type=Path, help="a folder with 5 GB to spare, for the streaming row")
    options = parser.parse_args()
    names = options.workloads.split(",") if options.workloads else list(WORKLOADS)
    if not options.scratch:
        names = [name for name in names if name != "stream" or options.workloads]
    for name in names:
        if name not in WORKLOADS:
            parser.error(f"no workload {name!r}; there are {', '.join(WORKLOADS)}")
    given = {"--workloads": options.workloads, "--peers": options.peers, "--rounds": options.rounds}
    words = [f"{word} {value}" for word, value in (given | {"--device": options.device}).items() if value]
    command = " ".join(["python bench/speed.py", *words, *(["--scratch FOLDER"] if options.scratch else [])])

    path = HERE / "results" / ("speed.md" if options.device == "cpu" else f"speed_{options.device}.md")
    scratch = Path(tempfile.mkdtemp(dir=options.scratch, prefix="chainrule-bench-"))
    try:
        prepare(scratch, "stream" in names)
        bench = Bench(options.device, scratch, options.quick)
        for name in names:
            workload = WORKLOADS[name]
            print(f"== {name}: {workload.title}", flush=True)
            sides = ["chainrule", *(p for p in workload.targets if not options.peers or p in options.peers.split(","))]
            # a round of the streaming row takes minutes
            row = measure(bench, name, sides, 1 if options.quick or name == "stream" else options.rounds, command)
            print("\n".join([*summary({name: row}), "", *details(name, row)]), flush=True)
            if not options.quick:
                write(path, read(path) | {name: row}, options.device)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
