"""How long `import chainrule` and `chainrule --help` take, beside importing NumPy.

    python bench/startup.py [--runs 20]

Fresh processes, in alternation; medians with the quartiles. Targets: import at most NumPy's + 50 ms; --help below
0.3 s. Writes bench/results/startup.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "startup.md"
COMMANDS = {
    "python -c 'pass'": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import chainrule": [sys.executable, "-c", "import chainrule"],
    "import chainrule, then use cr.grad": [sys.executable, "-c", "import chainrule as cr; cr.grad"],
    "import chainrule, then use cr.fit": [sys.executable, "-c", "import chainrule as cr; cr.fit"],
    "chainrule --help": [sys.executable, "-m", "chainrule", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for at in range(runs + 1):
        for name, command in COMMANDS.items():
            before = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if at:  # the first round warms the disk's cache
                seconds[name].append(time.perf_counter() - before)
    lines = [
        "# Start-up time",
        "",
        f"Written by `python bench/startup.py --runs {runs}`: seconds of whole processes, in alternation.",
        "",
        "| command | median | quartiles |",
        "|---|---|---|",
    ]
    for name, values in seconds.items():
        low, middle, high = statistics.quantiles(values, n=4)
        lines.append(f"| `{name}` | {middle:.3f} | {low:.3f} – {high:.3f} |")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
