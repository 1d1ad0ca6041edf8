"""What was measured in the population benchmark, and its tables."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from child import Finished
from rows import ROWS, SPACE
from settings import normalize_name

from report import Row, machine, shown, spread, three

NAMES = {
    "chainrule": "chainrule",
    "torch": "Optuna + PyTorch, one after the other",
    "torch_two": "Optuna + PyTorch, 2 processes",
    "torch_program": "the same, with its steps rewritten as one compiled program",
    "sklearn": "scikit-learn, 2 processes",
    "single": "single fits of chainrule",
    "random": "random search of chainrule",
}
PACKAGES = ("numpy", "jax", "torch", "optuna", "scikit-learn")

HEAD = """# Many networks, beside what people would use instead

Written by `bench/population.py`. {machine}

Every measurement is a fresh process. chainrule and its peers run in alternation, in reversed order every second round.
A time is that of the whole process: start of Python, imports, loading the data, compiling, and all the work; the
median of the rounds (in brackets the least and the greatest). The ratio is the peer's time over chainrule's in the same
round, and is what the target is about. *Warm* leaves out what is done only once in a process: chainrule does the work
a second time in the same process. Caches of compiled programs are empty when a row starts, and then kept.

{summary}

Where it says that a side did some of the units, its time for all of them is the median of those it did, times their
number, and what else the process took. The trials that a peer did have the settings of chainrule's (every so many of
them), put into Optuna's queue: *equal* is the mean difference of the peer's validation accuracy from chainrule's, and
the greatest, over the same settings; without equal settings, the difference of the means. It may be {tolerance:g}.

PyTorch: one thread or two; denormals flushed to zero; data in one tensor, shuffled once per epoch; L2 as weight decay
on weights. What `torch.compile` is given is the network with its cost; *program*: a function of several whole steps
(forward, `torch.func.grad`, update in place), which is another program than the usual loop, and has no target.
scikit-learn: *one call* is `cross_val_score` with repeated folds, *call per seed* one for each seed.

Searches have the same number of trials. Their time is that from the start of the process until a finished trial has the
best validation score that both reach in the end; *warm* is that of another search in the same process, from its call.

"""


@dataclass
class Measured:
    """What one side took: see `rows.Told`; of several processes the one that took longest."""

    whole: float  # seconds
    warm: float
    peak_mb: float
    scores: list[float]
    settings: list[dict[str, float]] = field(default_factory=list)
    curve: list[list[float]] = field(default_factory=list)
    note: str = ""
    warm_curve: list[list[float]] = field(default_factory=list)

    @classmethod
    def of(cls, told: list[dict[str, Any]], done: list[Finished]) -> Measured:
        """Of what each process said."""
        return cls(
            whole=max(one.seconds + said["more"] for one, said in zip(done, told, strict=True)),
            warm=max(said["warm"] for said in told),
            peak_mb=sum(one.peak_mb for one in done),
            scores=[score for said in told for score in said["scores"]],
            settings=[settings for said in told for settings in said["settings"]],
            curve=told[0]["curve"],
            note=told[0]["note"],
            warm_curve=told[0]["warm_curve"],
        )

    def told(self) -> str:
        """Its scores in a few words."""
        mean = f"mean score {statistics.fmean(self.scores):.4f}" if self.scores else "no score"
        return f"{mean}, best {max(self.scores):.4f} of {len(self.scores)}" if len(self.scores) > 1 else mean


def reached(curve: list[list[float]], score: float) -> float:
    """Seconds until the best score was at least this; infinite if it never was."""
    return next((seconds for seconds, best in curve if best >= score), math.inf)


def times(ours: Measured, peer: Measured) -> tuple[float, float]:
    """The seconds of both that are compared: of the whole work, or of searches until the best score both reach."""
    if not ours.curve:
        return ours.whole, peer.whole
    return until_equal(ours.curve, peer.curve)


def warm_times(ours: Measured, peer: Measured) -> tuple[float, float]:
    """As `times`, of what was done a second time in the same process."""
    if not ours.warm_curve:
        return ours.warm, peer.warm
    return until_equal(ours.warm_curve, peer.warm_curve)


def until_equal(ours: list[list[float]], peer: list[list[float]]) -> tuple[float, float]:
    """Seconds of both until the best score that both reach."""
    score = min(ours[-1][1], peer[-1][1])
    return reached(ours, score), reached(peer, score)


def summary(rows: dict[str, Row]) -> list[str]:
    """A line for each comparison."""
    lines = ["| work | peer | chainrule | peer's time | ratio | warm | target | |", "|---|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        work, ours = ROWS[name], row.rounds.get("chainrule", [])
        for side, target in work.targets.items():
            theirs = row.rounds.get(side, [])
            if not theirs and side not in row.failed:
                continue
            cells = ["", f"failed: {row.failed.get(side, row.failed.get('chainrule'))}", "", "", ""]
            if ours and len(ours) == len(theirs):
                pairs = [times(a, b) for a, b in zip(ours, theirs, strict=True)]
                ratios = [peer / own for own, peer in pairs]
                warm = [peer / own for own, peer in (warm_times(a, b) for a, b in zip(ours, theirs, strict=True))]
                verdict = "" if not target else "met" if statistics.median(ratios) >= target else "**missed**"
                told = [spread([pair[i] for pair in pairs], seconds) for i in (0, 1)]
                cells = [*told, spread(ratios), spread(warm), verdict]
            lines.append(
                f"| {' | '.join([work.title, NAMES[side], *cells[:4], f'≥ {target:g}' if target else '', cells[4]])} |"
            )
    return lines


def details(name: str, row: Row) -> list[str]:
    """Everything else about one row."""
    work, ours = ROWS[name], row.rounds.get("chainrule", [])
    lines = [f"## {work.title}", "", f"`{row.command}`", ""]
    lines += ["| side | settings | did | whole | warm | mean score | best | equal | memory MB | |", "|---" * 10 + "|"]
    for side, found in row.rounds.items():
        did = f"{len(found[0].scores)} of {work.count} {work.unit}s" if work.count > 1 else ""
        cells = [
            NAMES[side],
            normalize_name(row.best.get(side, {})),
            did,
            spread([one.whole for one in found], shown),
            spread([one.warm for one in found], shown),
            spread([statistics.fmean(one.scores) for one in found], four),
            spread([max(one.scores) for one in found], four),
            equality(ours, found, work.tolerance) if ours and side != "chainrule" and not ours[0].curve else "",
            f"{max(one.peak_mb for one in found):.0f}",
            found[-1].note,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for side, tried in row.tried.items():
        said = "; ".join(f"{normalize_name(settings)} {shown(value)}" for settings, value in tried)
        lines += ["", f"{NAMES[side]} tried (seconds of less work): {said}."]
    if name == "trials":
        lines += [
            "",
            "Searched, evenly in the logarithm: " + ", ".join(f"{k} {a:g} to {b:g}" for k, (a, b) in SPACE.items()),
        ]
        lines[-1] += "."
    if ours and ours[0].curve:
        lines += ["", *levels(row)]
    return [*lines, ""]


def levels(row: Row) -> list[str]:
    """Seconds until a score was reached, in the median of the rounds, for scores up to what the peers reach."""
    ends = [one.curve[-1][1] for side, found in row.rounds.items() if side != "chainrule" for one in found]
    starts = [one.curve[0][1] for found in row.rounds.values() for one in found]
    low, high = max(starts), statistics.median(ends)
    wanted = [low + share * (high - low) for share in (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)]
    lines = [f"| best score so far | {' | '.join(four(score) for score in wanted)} |", "|---" * (len(wanted) + 1) + "|"]
    for side, found in row.rounds.items():
        cells = [seconds(statistics.median(reached(one.curve, score) for one in found)) for score in wanted]
        lines.append(f"| {NAMES[side]} | {' | '.join(cells)} |")
    return lines


def equality(ours: list[Measured], theirs: list[Measured], tolerance: float) -> str:
    """How far scores are apart: of equal settings where there are, otherwise of the means."""

    def by_settings(side: list[Measured]) -> list[tuple[str, float]]:
        return [
            (json.dumps(settings, sort_keys=True), score)
            for one in side
            if one.settings
            for settings, score in zip(one.settings, one.scores, strict=True)
        ]

    known = dict(by_settings(ours))
    same = [score - known[settings] for settings, score in by_settings(theirs) if settings in known]
    if same:
        difference, most = statistics.fmean(same), f", at most {max(map(abs, same)):.4f}"
    else:
        own, other = (statistics.fmean(score for one in side for score in one.scores) for side in (ours, theirs))
        difference, most = other - own, ""
    return f"{difference:+.4f}{most}{'' if abs(difference) <= tolerance else ' **differs**'}"


def four(value: float) -> str:
    return f"{value:.4f}"


def seconds(value: float) -> str:
    return "not reached" if math.isinf(value) else f"{three(value)} s"


def write(path: Path, rows: dict[str, Row]) -> None:
    """The tables, and the figures of every round, which a later run of other rows adds to."""
    rows = {name: rows[name] for name in ROWS if name in rows}
    path.parent.mkdir(exist_ok=True)
    raw = json.dumps(rows, default=vars, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(raw + "\n", encoding="utf-8")
    head = HEAD.format(
        machine=machine("cpu", PACKAGES), summary="\n".join(summary(rows)), tolerance=ROWS["trials"].tolerance
    )
    text = "\n".join(line for name, row in rows.items() for line in details(name, row))
    path.write_text(head + text, encoding="utf-8")
