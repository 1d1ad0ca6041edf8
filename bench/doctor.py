"""The doctor on its development set: faults found, causes named, false alarms, seconds.

    python bench/doctor.py --measure --part both         # which faults matter, and which odd runs are healthy (once)
    python bench/doctor.py --part dev --stage preflight  # checks only
    python bench/doctor.py --part dev                    # the whole examination
    python bench/doctor.py --part dev --share 1/2        # one of two processes that share the cases
    python bench/doctor.py --part dev --table --learn    # the counts by which causes are ranked
    python bench/doctor.py --part test --write           # the last measurement, to bench/results

Cases are examined one after the other; results are appended to a file, so that a measurement that was ended goes on
where it was. Data: CHAINRULE_DATA names the folder.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

from doctor_cases import ROUNDS, Case, cases, table
from doctor_cases import measure as measuring
from doctor_cases.examine import examine
from doctor_rules import PACKAGE, fingerprint, rule_files

from chainrule.doctor import clock
from chainrule.symptoms.catalogue import SYMPTOMS
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.rank import learn_counts

RESULTS = Path(__file__).parent / "results"
MEASURED = RESULTS / "doctor_cases.json"


def measured() -> dict[str, dict[str, float]]:
    """Return what was measured of the cases, by name."""
    return stored()["cases"]


def stored() -> dict[str, Any]:
    """Return what was measured: of the cases, and the errors of the healthy recipes that they were made from."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {"bases": {}, "cases": {}}


def counts(case: Case, figures: dict[str, dict[str, float]]) -> bool | None:
    """Return whether a case is what it is called: a material fault, a healthy run; None if it was not measured."""
    if case.judged == "by name":
        return True
    if case.name not in figures:
        return None
    if case.kind == "fault":
        return measuring.is_material(figures[case.name])
    return measuring.is_healthy(figures[case.name])


def measure(part: str, rounds: int, only: str, budget: float) -> None:
    """Measure every case of a part that was not measured yet, and write it down."""
    file, end = stored(), time.monotonic() + budget
    bases, figures = file["bases"], file["cases"]
    for case in cases(rounds):
        if time.monotonic() > end:
            break
        if case.judged == "by name" or case.name in figures or only not in case.name:
            continue
        if part not in ("both", case.part):
            continue
        setup = case.setup()
        key = f"{case.base}{', balanced' if setup.balanced else ''}"
        if key not in bases:
            errors = measuring.of_setup(Case(case.base, SAME, 0).setup().but(balanced=setup.balanced))
            bases[key] = [clean(error) for error in errors]
        verdict = measuring.verdict(measuring.of_setup(setup), bases[key])
        figures[case.name] = {name: clean(value) for name, value in verdict.items()}
        MEASURED.write_text(json.dumps(file, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{case.name:70s} {counts(case, figures)!s:5s} {figures[case.name]}", flush=True)


def clean(value: float) -> float:
    """Return a number with four digits, as JSON takes it."""
    return float(f"{value:.4g}") if math.isfinite(value) else 1e9


SAME: Any = next(case.change for case in cases(1) if case.variant == "as it is")


def chosen(part: str, rounds: int, only: str, each: int, unmeasured: bool = False) -> list[Case]:
    """Return the cases to examine: material faults and healthy runs; ``each``: so many of a cause, of the odd, …"""
    figures, seen, result = measured(), Counter[str](), []
    for case in cases(rounds):
        group = case.cause or case.kind
        most = each if case.cause else 10 * each
        if part not in ("both", case.part) or only not in case.name or (each and seen[group] >= most):
            continue
        if counts(case, figures) or (unmeasured and counts(case, figures) is None):
            seen[group] += 1
            result.append(case)
    return result


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of results, the last of each case."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return list({row["name"]: row for row in map(json.loads, lines)}.values())


def run(todo: list[Case], stage: str, path: Path, *, keep: bool, seconds: float, retrain: bool, budget: float) -> None:
    """Examine every case whose result is not there yet, and append it."""
    rules, end = fingerprint(), time.monotonic() + budget
    done = {row["name"] for row in read(path) if keep or row["rules"] == rules}
    path.parent.mkdir(parents=True, exist_ok=True)
    for i, case in enumerate(todo):
        if case.name in done:
            continue
        if time.monotonic() > end:
            print(f"The budget is spent; {len(todo) - i} cases are left.")
            return
        row = examine(case, stage, seconds, retrain)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        first = ", ".join(
            f"{cause[0]} {cause[1]:.2f}{' ' + cause[2] if cause[2] else ''}" for cause in row["causes"][:3]
        )
        said = row.get("error") or (f"alarm: {first}" if row["alarm"] else "no alarm")
        print(f"{i + 1}/{len(todo)} {row['cpu']:5.1f} s CPU  {case.name:66s} {said}", flush=True)


def write(rows: list[dict[str, Any]], cases: int, text: str) -> None:
    """Write the tables and the false alarms of each rule."""
    healthy = [row for row in rows if row["kind"] != "fault"]
    false = table.false_alarms(healthy)
    rules = {symptom: {"false": false.get((symptom, "alarm"), 0), "of": len(healthy)} for symptom in SYMPTOMS}
    version = f"{time.strftime('%Y-%m-%d')}-{fingerprint()[:6]}"
    rates = {"version": version, "rules": rules, "files": rule_files()}
    (PACKAGE / "symptoms" / "rates.json").write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    parts = " and ".join(sorted({row["part"] for row in rows}))
    head = HEAD.format(version=version, parts=parts, rows=len(rows), cases=cases)
    (RESULTS / "doctor.md").write_text(head + text, encoding="utf-8")


def learn(rows: list[dict[str, Any]]) -> None:
    """Write the counts that causes are ranked by, from faults of the development half only."""
    faults = [
        (row["cause"], [found(*finding) for finding in row["findings"]])
        for row in rows
        if row["kind"] == "fault" and row["part"] == "dev"
    ]
    counted = json.dumps(learn_counts(faults), indent=1) + "\n"
    (PACKAGE / "symptoms" / "evidence.json").write_text(counted, encoding="utf-8")


def found(symptom: str, level: str, causes: list[str], where: str, text: str, against: list[str]) -> Finding:
    """Return a finding as it was."""
    return Finding(symptom, level, text, where, causes=tuple(causes), against=tuple(against))


#: What is said of cases of later rounds that are in the results as well.
APART = """
## Cases of later rounds

The rules of this version were changed in knowledge of which kinds of cases of this half the version before had missed,
and of figures of some of these: a rare class, few rows, wrong labels of one class, networks on pictures whose trials
took too long, and a cause that was proven and yet came second. Bounds were set on the other half. {n} more cases of
this half, with other networks, strengths and seeds, are of later rounds, which nothing was changed by; faults of the
largest strength and those that count by their name, since only these were measured:

{text}
"""

HEAD = """# The doctor, measured

Written by `python bench/doctor.py --write`. Faults are planted in healthy recipes (bench/doctor_cases), and count where
they matter: p < .05, d ≥ .5 and an error of at least 1.25 times that of the base over 8 seeds, on rows that the doctor
never sees (leaks, overlaps, duplicates, shifts and values that are missing count by their name). Healthy runs have an
error of at most 1.10 times that of the base. A first cause is right by its name, or where its fix gives back half of
what was lost (4 seeds). Half: {parts}; {rows} of the {cases} cases that count were examined, of each cause one at
least. Version {version}.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure the cases, not the doctor")
    parser.add_argument("--part", choices=["dev", "test", "both"], default="dev")
    parser.add_argument("--stage", choices=["preflight", "full"], default="full")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--each", type=int, default=0, help="so many of each cause, ten times as many healthy; 0: all")
    parser.add_argument("--unmeasured", action="store_true", help="also cases that --measure has not come to")
    parser.add_argument("--seconds", type=float, default=60.0, help="of trials, for each case")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="what these seconds are counted by")
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds in all")
    parser.add_argument("--share", default="1/1", help="k/n: the k-th of n processes that share the cases")
    parser.add_argument("--no-retrain", action="store_true", help="do not try the first fix on the rows apart")
    parser.add_argument("--results", type=Path, default=None, help="the file of results")
    parser.add_argument("--keep", action="store_true", help="keep results of other rules")
    parser.add_argument("--table", action="store_true", help="examine nothing, print the table of what there is")
    parser.add_argument("--write", action="store_true", help="write bench/results/doctor.md and the rates")
    parser.add_argument("--learn", action="store_true", help="write symptoms/evidence.json from the development half")
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.part, asked.rounds, asked.only, asked.budget)
        return
    path = asked.results or RESULTS / "runs" / f"doctor-{asked.stage}.jsonl"
    todo = chosen(asked.part, asked.rounds, asked.only, asked.each, asked.unmeasured)
    if asked.clock == "cpu":
        clock.use(time.process_time)
    if not asked.table:
        mine, of = map(int, asked.share.split("/"))
        run(
            todo[mine - 1 :: of],
            asked.stage,
            path,
            keep=asked.keep,
            seconds=asked.seconds,
            retrain=not asked.no_retrain,
            budget=asked.budget,
        )
    names = {case.name for case in todo}
    rows = [row for row in read(path) if row["name"] in names]
    text = table.report(rows, measured())
    seen = {case.name for case in cases(asked.rounds)}
    later = {case.name for case in chosen(asked.part, ROUNDS, asked.only, 0)} - seen
    if apart := [row for row in read(path) if row["name"] in later]:
        text += APART.format(n=len(apart), text="\n".join(table.in_all(apart, measured())))
    print("\n" + text)
    if asked.learn:
        learn(rows)
    if asked.write:
        write(rows, len(todo), text)


if __name__ == "__main__":
    main()
