"""What the results come to: faults found, first causes right, false alarms, by cause and by rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.statistics import wilson

Row = dict[str, Any]


def share(count: int, n: int) -> str:
    """Return a share with its interval.

    >>> share(97, 100)
    '97/100 = 97.0 % (91.5 to 99.0)'
    """
    if not n:
        return "none"
    low, high = wilson(count, n)
    return f"{count}/{n} = {100 * count / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def named(row: Row, first: int = 1) -> bool:
    """Return whether a right cause is among the first ones, by its name."""
    return any(cause[0] in row["right"] for cause in row["causes"][:first])


def restores(row: Row, figures: dict[str, dict[str, float]]) -> bool | None:
    """Return whether the first fix gives back half of what was lost; None where that was not tried."""
    if "fixed" not in row or row["name"] not in figures:
        return None
    lost = figures[row["name"]]["error"] - figures[row["name"]]["base"]
    return bool(figures[row["name"]]["error"] - row["fixed"] >= 0.5 * lost)


def is_right(row: Row, figures: dict[str, dict[str, float]]) -> bool:
    """Return whether the first cause is right: by its name, or since its fix restores what was lost."""
    return named(row) or bool(restores(row, figures))


def false_alarms(rows: Iterable[Row]) -> dict[tuple[str, str], int]:
    """Return how many healthy runs have a finding that is no note, by symptom and level."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        for key in {(finding[0], finding[1]) for finding in row["findings"] if finding[1] != "note"}:
            counts[key] += 1
    return dict(counts)


def report(rows: Sequence[Row], figures: dict[str, dict[str, float]]) -> str:
    """Return the tables as Markdown."""
    faults = [row for row in rows if row["kind"] == "fault"]
    healthy = [row for row in rows if row["kind"] != "fault"]
    lines = [
        *in_all(rows, figures),
        "",
        *by_cause(faults, figures),
        "",
        *by_rule(healthy, faults),
        "",
        *misses(rows, figures),
    ]
    return "\n".join(lines) + "\n"


def in_all(rows: Sequence[Row], figures: dict[str, dict[str, float]]) -> list[str]:
    """Return the lines of the table of all cases."""
    faults = [row for row in rows if row["kind"] == "fault"]
    healthy = [row for row in rows if row["kind"] != "fault"]
    odd = [row for row in healthy if row["kind"] == "odd"]
    alarmed = [row for row in faults if row["alarm"]]
    right = [row for row in alarmed if is_right(row, figures)]
    tried = [row for row in alarmed if restores(row, figures) is not None]
    alarms = sum(row["alarm"] for row in healthy)
    seconds, cpu = [row["seconds"] for row in rows] or [0.0], [row["cpu"] for row in rows] or [0.0]
    return [
        "| what | figure (95 % interval) |",
        "|---|---|",
        f"| faults found | {share(len(alarmed), len(faults))} |",
        f"| first cause right, of all faults | {share(len(right), len(faults))} |",
        f"| … by its name alone | {share(sum(named(row) for row in alarmed), len(faults))} |",
        f"| … its fix restores half of what was lost, where tried "
        f"| {share(sum(bool(restores(row, figures)) for row in tried), len(tried))} |",
        f"| right or among the first three | "
        f"{share(sum(named(row, 3) or is_right(row, figures) for row in alarmed), len(faults))} |",
        f"| proven, where the first cause is right | {share(sum(row['proven'] for row in right), len(right))} |",
        f"| undetermined, of the alarms | {share(sum(row['undetermined'] for row in alarmed), len(alarmed))} |",
        f"| false alarms, healthy and odd | {share(alarms, len(healthy))} |",
        f"| … odd ones only | {share(sum(row['alarm'] for row in odd), len(odd))} |",
        f"| errors of the doctor | {share(sum('error' in row for row in rows), len(rows))} |",
        f"| seconds: median, 95th percentile, most | {spread(seconds)} |",
        f"| seconds of CPU: median, 95th percentile, most | {spread(cpu)} |",
    ]


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.1f}, {np.quantile(values, 0.95):.1f}, {max(values):.1f}"


def by_cause(faults: Sequence[Row], figures: dict[str, dict[str, float]]) -> list[str]:
    """Return the lines of the table of causes."""
    lines = ["| planted | found | first right | among three | proven | named instead |", "|---|---|---|---|---|---|"]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in faults:
        groups[row["cause"]].append(row)
    for cause, rows in sorted(groups.items()):
        found = [row for row in rows if row["alarm"]]
        right = [row for row in found if is_right(row, figures)]
        others: dict[str, int] = defaultdict(int)
        for row in found:
            if row not in right and row["causes"]:
                others[row["causes"][0][0]] += 1
        three = sum(named(row, 3) or is_right(row, figures) for row in found)
        instead = ", ".join(f"{name} {n}" for name, n in sorted(others.items(), key=lambda item: -item[1]))
        proven = sum(row["proven"] for row in right)
        lines.append(f"| {cause} | {len(found)}/{len(rows)} | {len(right)} | {three} | {proven} | {instead} |")
    return lines


def by_rule(healthy: Sequence[Row], faults: Sequence[Row]) -> list[str]:
    """Return the lines of the table of rules."""
    lines = ["| rule | level | false, of the healthy | in faulty runs |", "|---|---|---|---|"]
    false, found = false_alarms(healthy), false_alarms(faults)
    for symptom, level in sorted(set(false) | set(found)):
        key = symptom, level
        lines.append(f"| {symptom} | {level} | {share(false.get(key, 0), len(healthy))} | {found.get(key, 0)} |")
    return lines


def misses(rows: Sequence[Row], figures: dict[str, dict[str, float]], most: int = 10) -> list[str]:
    """Return the worst misses: errors, false alarms, faults that were not found, wrong causes; the worst first."""

    def badness(row: Row) -> tuple[int, float]:
        loss = figures.get(row["name"], {}).get("ratio", 10.0)
        if "error" in row:
            return 0, -loss
        if row["kind"] != "fault":
            return 1, 0.0
        return (2, -loss) if not row["alarm"] else (3, -loss)

    bad = [
        row
        for row in rows
        if "error" in row
        or (row["kind"] != "fault" and row["alarm"])
        or (row["kind"] == "fault" and not (row["alarm"] and is_right(row, figures)))
    ]
    lines = [f"The {min(most, len(bad))} worst of {len(bad)} misses:", ""]
    for row in sorted(bad, key=badness)[:most]:
        lines.append(f"- {row['name']}: {why(row, figures)}")
    return lines


def why(row: Row, figures: dict[str, dict[str, float]]) -> str:
    """Return what went wrong with a case, in words."""
    if "error" in row:
        return f"it failed with {row['error']}"
    alarms = [finding for finding in row["findings"] if finding[1] == "alarm"]
    said = f"{alarms[0][0]}: {alarms[0][4]}" if alarms else "nothing"
    if row["kind"] != "fault":
        return f"a false alarm, {said}"
    loss = figures.get(row["name"], {}).get("ratio")
    size = f" (error {loss:.2f} times that of the base)" if loss else ""
    if not row["alarm"]:
        return f"not found{size}"
    causes = ", ".join(f"{name} {probability:.2f}" for name, probability, *_ in row["causes"][:3])
    return f"named {causes or 'no cause'}{size}; {said}"
