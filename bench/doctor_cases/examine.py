"""One case examined: what the doctor says of it, and whether what it would change restores what was lost."""

from __future__ import annotations

import dataclasses
import io
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import numpy as np
from doctor_rules import fingerprint

import chainrule as cr
from doctor_cases import Case
from doctor_cases import measure as measuring
from doctor_cases.bases import Setup


def examine(case: Case, stage: str, seconds: float, retrain: bool = True, limit: int = 600) -> dict[str, Any]:
    """Return what the doctor says of a case, as plain values.

    ``seconds`` is the budget of trials; ``retrain``: try the fix of the first cause, too. An exception is a result as
    well: of a doctor that fails.
    """
    setup = case.setup()
    row: dict[str, Any] = {
        "name": case.name, "part": case.part, "kind": case.kind, "cause": case.cause, "variant": case.variant,
        "strength": case.strength, "base": case.base, "right": list(case.right), "judged": case.judged,
        "stage": stage, "rules": fingerprint(),
    }  # fmt: skip
    clock, cpu = time.perf_counter(), time.process_time()
    diagnosis = None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stderr(io.StringIO()), ended_after(limit):
            warnings.simplefilter("ignore")
            if stage == "preflight":
                diagnosis = cr.preflight(setup.net, setup.data, **setup.settings)
            else:
                diagnosis = cr.diagnose(setup.net, setup.data, budget=seconds, progress=False, **setup.settings)
    except Exception as problem:
        row["error"] = f"{type(problem).__name__}: {problem}"[:300]
        row["traceback"] = traceback.format_exc()[-1500:]
    row |= {"seconds": round(time.perf_counter() - clock, 2), "cpu": round(time.process_time() - cpu, 2)}
    if diagnosis is None:
        return row | {"alarm": False, "undetermined": False, "proven": False, "causes": [], "findings": []}
    row |= {
        "alarm": diagnosis.alarm,
        "undetermined": diagnosis.undetermined,
        "proven": diagnosis.proven,
        "causes": [
            [cause.name, round(float(cause.probability), 4), cause.proof.verdict if cause.proof else "",
             cause.fix.text if cause.fix else ""]
            for cause in diagnosis.causes[:6]
        ],
        "findings": [
            [finding.symptom, finding.level, list(finding.causes), finding.where, finding.text[:240],
             list(finding.against)]
            for finding in diagnosis.findings
        ],
        "ran": [[part.name, round(part.seconds, 2), part.skipped[:120]] for part in diagnosis.ran],
    }  # fmt: skip
    return row | (restored(case, setup, diagnosis) if retrain else {})


def restored(case: Case, setup: Setup, diagnosis: Any, seeds: int = 4) -> dict[str, Any]:
    """Return the error of the case with the fix of the first cause, on the rows that the doctor never saw."""
    if case.kind != "fault" or case.judged != "by error" or not diagnosis.causes:
        return {}
    fix = diagnosis.causes[0].fix
    if fix is None or not hasattr(fix, "apply"):
        return {}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            net, data, settings = fix.apply(setup.net, setup.data, setup.settings)
            judge = with_inputs_changed(fix, setup)
        return {"fixed": float(np.mean(measuring.errors(net, data, settings, judge, setup.balanced, seeds)))}
    except Exception as problem:
        return {
            "fix_error": f"{type(problem).__name__}: {problem}"[:300],
            "fix_traceback": traceback.format_exc()[-900:],
        }


def with_inputs_changed(fix: Any, setup: Setup) -> Any:
    """Return the rows to judge on, with what the fix does to columns of the inputs done to them as well."""
    about_columns = tuple(change for change in fix.data if change.columns)
    if not about_columns:
        return setup.judge
    _, data, _ = dataclasses.replace(fix, changes={}, data=about_columns).apply(setup.net, setup.judge, {})
    return data


@contextmanager
def ended_after(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` in what takes longer."""

    def end(number: int, frame: Any) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
