"""`diagnose`: checks, looks and trials of one run, and what they come to."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.checks import check_whole
from chainrule.display.progress import progress as show_progress
from chainrule.doctor.arms import REFUSALS, Arm, Laboratory, OutOfTime
from chainrule.doctor.clock import now
from chainrule.doctor.cuts import trial_rows
from chainrule.doctor.data_proof import prove_data
from chainrule.doctor.few_rows import few_rows_finding
from chainrule.doctor.proof import not_tried, prove_fix, tried_proof
from chainrule.doctor.rare_class import rare_class_finding
from chainrule.doctor.trials import Candidate, Trials, Tried
from chainrule.doctor.words import recipe_finding, trial_findings
from chainrule.errors import KeywordError
from chainrule.fields import passes_settings, values_of
from chainrule.layers import Dense, Layer
from chainrule.models import Model
from chainrule.population.member import first_layer
from chainrule.recipe.networks import network
from chainrule.recipe.run_data import run_data
from chainrule.run_settings import FitSettings, TrainingSettings
from chainrule.settings import check_number, replace
from chainrule.statistics import LEVEL, check_confidence
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.evidence import Cause, Finding, Proof, Stage
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import fixes_for
from chainrule.symptoms.observed import Observed
from chainrule.symptoms.preflight import examine
from chainrule.symptoms.rank import Trial, is_exact, probabilities, rank
from chainrule.symptoms.rates import version
from chainrule.symptoms.refusal import refusal
from chainrule.symptoms.signs import signs
from chainrule.symptoms.subject import Subject
from chainrule.tables.table import Table
from chainrule.training.run import Run

__all__ = ["diagnose"]

#: The trials of a network need so many seconds at least.
LEAST_BUDGET = 1.0

#: How likely each further fix of a cause is to help, beside the one before it.
NEXT_FIX = 0.6

#: A fix that explains less is not proven, and no more causes than this are.
WORTH_A_PROOF, MOST_PROOFS = 0.3, 2


@passes_settings(FitSettings, without=("out", "resume", "config"))
def diagnose(
    net_or_run: Any,
    data: Any,
    *,
    seed: int = 0,
    budget: float = 60.0,
    trials: bool = True,
    confidence: float = LEVEL,
    progress: bool = True,
    **settings: Any,
) -> Diagnosis:
    """Find out whether something is wrong with a training run, what it is, and what to change.

    Three kinds of evidence, cheapest first, each of which may end the examination: checks of data, code and start
    (`preflight`); looks at the run, where one is given; and trials: the untouched run, the same network with a default
    recipe, and single changes, trained on folds of the rows. The cause is what a change takes away.

    Parameters
    ----------
    net_or_run
        A network (or a function of the data that makes one, or a model that is gone on with), to be trained with
        ``settings``; or a `Run`, of which they are known.
    data
        What it is trained on, as `fit` takes it. Rows for the test are never touched.
    seed
        The same seed gives the same trials, as far as the budget reaches.
    budget
        Seconds of trials. What does not fit is listed as not tried.
    trials
        False: checks and looks alone.
    confidence
        Of the intervals.
    progress
        Show on standard error what is being tried.
    settings
        Those of `fit`: {names}.

    Returns
    -------
    Diagnosis
        ``alarm``, ``causes`` (the first is the answer), ``fix``, ``proven``, ``findings``, ``ran``. Data and settings
        that `fit` refuses are a finding, not an error; after Ctrl-C it has what was found until then.

    Raises
    ------
    SettingError
        Settings that there are not, a budget or confidence that is none.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.doctor.diagnose import diagnose
    >>> iris = cr.data.load("iris")
    >>> diagnosis = diagnose(cr.Dense(3, "softmax"), iris, validation=0.3, epochs=20, optimizer=cr.Adam(lr=0.1),
    ...     budget=10.0, progress=False)
    >>> diagnosis.alarm
    False
    """
    check_whole("diagnose: seed", seed, 0)
    check_number("diagnose", "budget", budget, 0.0)
    check_confidence(confidence)
    diagnosing = _Diagnosing(seed, float(budget), confidence, progress)
    try:
        if not diagnosing.check(net_or_run, data, settings):
            why = "the data and settings cannot be used, or a fault makes them meaningless"
        elif not trials:
            why = "not asked for"
        elif budget < LEAST_BUDGET:
            why = f"a budget of {budget:g} s is too small for one fold"
        else:
            why = ""
            diagnosing.try_out()
        if why:
            diagnosing.ran.append(Stage("trials", 0.0, why))
    except KeyboardInterrupt:
        diagnosing.ran.append(Stage("interrupted", 0.0, "interrupted: this is what was found until then"))
    return diagnosing.diagnosis()


class _Diagnosing:
    """An examination that is going on: what was found so far, so that an interruption loses nothing."""

    def __init__(self, seed: int, budget: float, confidence: float, progress: bool) -> None:
        self.seed, self.budget, self.confidence, self.progress = seed, budget, confidence, progress
        self.findings: tuple[Finding, ...] = ()
        self.ran: list[Stage] = []
        self.subject: Subject | None = None
        self.fixes: Mapping[str, Fix] = {}
        self.trials: Trials | None = None
        self.proofs: dict[str, Proof] = {}
        self.run: Run | None = None  # that was given

    def diagnosis(self) -> Diagnosis:
        """Return what was found."""
        findings = list(self.findings)
        if self.trials is not None and self.trials.comparison is not None:
            if self._recipe_is_cleared():
                findings = [_cleared(finding) for finding in findings]
            findings += [recipe_finding(self.trials), *trial_findings(self.trials)]
        alarm = any(finding.level == "alarm" for finding in findings)
        causes = tuple(self._causes(findings)) if alarm else ()
        return Diagnosis(causes, tuple(findings), tuple(self.ran), version())

    # --- stages -------------------------------------------------------------------------------------------------

    def check(self, net_or_run: Any, data: Any, settings: Mapping[str, Any]) -> bool:
        """Run the checks before training, and look at a run; return whether trials can tell more."""
        with self._stage("checks") as skipped:
            try:
                net, training = self._what_to_train(net_or_run, data, settings)
            except KeywordError:
                raise
            except REFUSALS as error:
                self.findings = (refusal(error),)
                return False
            examination = examine(net, data, training)
            self.findings, self.subject, self.fixes = examination.findings, examination.subject, examination.fixes
            if examination.ended:
                skipped.append("trials tell no more: a fault of data or code makes them meaningless")
        self.ran[-1:] = [*examination.ran, *([self.ran[-1]] if examination.ended else [])]
        if self.run is not None:
            self._look_at(self.run)
        return not examination.ended and self.subject is not None

    def _what_to_train(self, net_or_run: Any, data: Any, settings: Mapping[str, Any]) -> tuple[Any, TrainingSettings]:
        """Return network and settings; raises what `fit` would raise."""
        net, known = net_or_run, dict(settings)
        if isinstance(net_or_run, Run):
            self.run, net = net_or_run, net_or_run.model.net
            if net_or_run.settings is not None:
                known = values_of(TrainingSettings, net_or_run.settings) | known
        fit_settings = FitSettings(**known | {"seed": self.seed, "progress": False})
        self.engine, self.devices = fit_settings.engine, fit_settings.devices
        training = TrainingSettings(**values_of(TrainingSettings, fit_settings))
        if not isinstance(net, Layer | Model) and callable(net):
            rows = run_data(None, data, training.validation, training.seed)
            net = network(net, rows.x, rows.y, rows.inputs.preparation)
        return net, training

    def _look_at(self, run: Run) -> None:
        """Look at what a run has kept of itself, where it has."""
        if run.recordings is None or run.settings is None:
            self.ran.append(Stage("looks", 0.0, "the run has kept nothing to look at"))
            return
        with self._stage("looks") as skipped, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                observed = Observed(run.recipe, run.settings, run.history, run.recordings, run.outcome)
                self.findings += signs(observed)
            except Exception as error:  # parts of the user's own may raise anything
                skipped.append(f"not possible: {error}")

    def try_out(self) -> None:
        """Run the trials: the recipe beside the reference, single fixes, the proof."""
        assert self.subject is not None
        subject = self.subject
        with self._stage("trials") as skipped, self._watch() as watch:
            try:
                rows = trial_rows(subject, seed=self.seed)
                if rows.drawn:
                    skipped.append(f"{len(rows.rows):,} rows drawn by lot were used")
                control = Arm("control", _flexible(subject.net, rows.data), rows.data, _for_trials(subject, rows))
                laboratory = Laboratory(rows, self.engine, self.devices, now() + self.budget, watch)
                self.trials = Trials(subject, rows, control, laboratory, self.budget, self.confidence, self.seed)
                comparison = self.trials.compare()
                if comparison.until is not None:
                    skipped.append(f"only the first {comparison.until} of {control.epochs} epochs were tried")
                if comparison.alarm and self.run is None and comparison.control.run is not None:
                    self._look_at(comparison.control.run)
                if not comparison.alarm:
                    of_rows = (rare_class_finding(self.trials), few_rows_finding(self.trials))
                    self.findings += tuple(finding for finding in of_rows if finding is not None)
                suspects = self._suspects()
                if comparison.alarm or (suspects and not self._recipe_is_cleared()):
                    self.trials.try_fixes(list(self._candidates(subject, suspects)))
                    self.trials.try_pairs()
                self._prove_data(subject)
                self._prove_recipe()
            except OutOfTime:
                skipped.append("the budget was spent")
            except REFUSALS as error:
                skipped.append(f"not possible: {error}")

    def _suspects(self) -> set[str]:
        """Return the causes that checks have raised an alarm for."""
        return {cause for finding in self.findings if finding.level == "alarm" for cause in finding.causes}

    def _candidates(self, subject: Subject, suspects: Collection[str]) -> Iterator[Candidate]:
        """Yield the fixes that apply; the first of a cause is likelier to help than the next.

        Changes of the data are tried where something speaks for them. Where nothing is lost beside the reference, only
        what a check has raised an alarm for is tried.
        """
        assert self.trials is not None
        assert self.trials.comparison is not None
        likely = probabilities(self.findings, None, subject)
        if not self.trials.comparison.alarm:
            likely = {cause: probability for cause, probability in likely.items() if cause in suspects}
        speaking = {cause for each in self.findings if each.level != "note" for cause in each.causes}
        for cause, probability in likely.items():
            if CAUSES[cause].family != "recipe" and cause not in speaking:
                continue
            for place, fix in enumerate(fixes_for(cause, subject, self.findings)):
                yield Candidate(cause, fix, probability * NEXT_FIX**place)

    def _prove_data(self, subject: Subject) -> None:
        """Prove the faults of the data that a check has raised an alarm for."""
        assert self.trials is not None
        for finding in self.findings:
            cause = finding.causes[0] if finding.causes else ""
            data = finding.level == "alarm" and cause and CAUSES[cause].family == "data"
            if not data or cause in self.proofs or is_exact(finding):
                continue
            fix = next(iter(fixes_for(cause, subject, self.findings)), None)
            self.proofs[cause] = prove_data(self.trials, cause, fix, finding)

    def _prove_recipe(self) -> None:
        """Prove the likeliest causes, one after the other, until one is."""
        assert self.trials is not None
        if not self.trials.tried:
            return
        best = self._best_of_causes()
        likely = probabilities(self.findings, self._trials_by_cause(), self.subject)
        order = sorted(best.values(), key=lambda tried: -likely.get(tried.cause, 0.0))
        tries = 0
        for tried in order:
            if tried.ratio.log <= 0 or tried.explained < WORTH_A_PROOF or tried.cause in self.proofs:
                continue
            if not self.trials.has_room(12) or tries == MOST_PROOFS:
                return
            tries += 1
            self.proofs[tried.cause] = prove_fix(self.trials, tried, causes=tries)
            if self.proofs[tried.cause].verdict == "proven":
                return

    # --- what they come to --------------------------------------------------------------------------------------

    def _recipe_is_cleared(self) -> bool:
        """Return whether the whole run was tried, and is no worse than the reference."""
        comparison = None if self.trials is None else self.trials.comparison
        return (
            comparison is not None
            and not comparison.alarm
            and comparison.until is None
            and comparison.ratio.value < comparison.material
        )

    def _best_of_causes(self) -> dict[str, Tried]:
        """Return for each cause that was tried its best fix: the smallest sufficient one most often."""
        assert self.trials is not None
        shares = self.trials.smallest_sufficient()
        best: dict[str, tuple[float, float, Tried]] = {}
        for share, tried in zip(shares, self.trials.tried, strict=True):
            now_best = best.get(tried.cause)
            if now_best is None or (share, tried.explained) > now_best[:2]:
                best[tried.cause] = (share, tried.explained, tried)
        return {cause: tried for cause, (_, _, tried) in best.items()}

    def _trials_by_cause(self) -> dict[str, Trial]:
        """Return what came of the fixes of each cause, for the ranking."""
        if self.trials is None or self.trials.comparison is None:
            return {}
        shares: dict[str, float] = {}
        for share, tried in zip(self.trials.smallest_sufficient(), self.trials.tried, strict=True):
            shares[tried.cause] = shares.get(tried.cause, 0.0) + share
        # Of the data some causes are proven whose fix is not tried: columns are dealt out anew, rows left out.
        proven = {cause: proof for cause, proof in self.proofs.items() if proof.verdict == "proven"}
        return {cause: Trial(cause, None, 1.0, 1.0, proof) for cause, proof in proven.items()} | {
            cause: Trial(
                cause,
                tried.fix,
                shares[cause],
                tried.explained,
                self.proofs.get(cause) or tried_proof(self.trials, tried),
            )
            for cause, tried in self._best_of_causes().items()
        }

    def _causes(self, findings: list[Finding]) -> Iterator[Cause]:
        """Yield the causes, the likeliest first, each with its proof or why there is none."""
        reasons = {} if self.trials is None else self.trials.not_tried
        named = {cause for finding in findings for cause in finding.causes}
        for cause in rank(findings, self._trials_by_cause(), self.subject, self.fixes):
            if self.subject is None and cause.name not in named:
                continue
            proof = self.proofs.get(cause.name) or cause.proof
            if proof is None:
                why = reasons.get(cause.name) or ("" if cause.fix else "there is no change to try")
                proof = not_tried(why or "the trials did not come to it")
            yield dataclasses.replace(cause, proof=proof)

    # --- around them --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[list[str]]:
        """Note what a part of the examination took, and what was left out."""
        began, skipped = now(), list[str]()
        try:
            yield skipped
        except KeyboardInterrupt:
            skipped.append("interrupted")
            raise
        finally:
            self.ran.append(Stage(name, now() - began, "; ".join(skipped)))

    @contextlib.contextmanager
    def _watch(self) -> Iterator[Callable[[str], None]]:
        """Show what is being trained, and how much of the budget is spent."""
        began = now()

        def line(text: str) -> str:
            return f"{now() - began:3.0f} of {self.budget:.0f} s  {text}"

        with show_progress(math.ceil(self.budget), line, enabled=self.progress, elapsed=True) as show:
            yield lambda text: show(int(now() - began), text)


def _flexible(net: Any, data: Any) -> Any:
    """Return the network for any number of inputs, where folds of a table may have different ones."""
    if not isinstance(data, Table) or isinstance(net, Model):
        return net
    path, first = first_layer(net)
    if not isinstance(first, Dense) or first.inputs is None:
        return net
    return replace(net, f"{path}.inputs".lstrip("."), None)


def _for_trials(subject: Subject, rows: Any) -> TrainingSettings:
    """Return the settings of the control: weights of samples for all rows that are used."""
    weight = subject.settings.sample_weight
    if weight is None or len(np.asarray(weight)) == len(rows.y):
        return subject.settings
    return dataclasses.replace(subject.settings, sample_weight=None)


def _cleared(finding: Finding) -> Finding:
    """Return a finding as advice where it raised an alarm about the recipe, and trials have shown that nothing is lost
    by it.
    """
    families = {CAUSES[cause].family for cause in finding.causes}
    if finding.level != "alarm" or families != {"recipe"} or finding.symptom == "finite":
        return finding
    return dataclasses.replace(finding, level="advice", text=f"{finding.text} Nothing is lost by it: see the trials.")
