"""`diagnose`: checks, looks and trials of one run, and what they come to."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.checks import check_whole
from chainrule.display.progress import progress as show_progress
from chainrule.doctor.arms import REFUSALS, Arm, Laboratory, OutOfTime
from chainrule.doctor.clock import now
from chainrule.doctor.cuts import trial_rows
from chainrule.doctor.proof import not_tried, prove
from chainrule.doctor.trials import Candidate, Tried, Trials
from chainrule.doctor.words import recipe_finding, trial_findings
from chainrule.errors import ChainruleError
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
from chainrule.symptoms.fixes import fixes_for
from chainrule.symptoms.subject import Subject, subject_of
from chainrule.tables.table import Table
from chainrule.training.run import Run

__all__ = ["diagnose"]

#: The trials of a network need so many seconds at least.
LEAST_BUDGET = 1.0

#: How likely each further fix of a cause is to help, beside the one before it.
NEXT_FIX = 0.6


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
    examination = _Examination(seed, float(budget), trials, confidence, progress)
    try:
        examination.examine(net_or_run, data, settings)
    except KeyboardInterrupt:
        examination.ran.append(Stage("interrupted", 0.0, "interrupted: this is what was found until then"))
    return examination.diagnosis()


class _Examination:
    """One examination: what was found so far, so that an interruption loses nothing."""

    def __init__(self, seed: int, budget: float, trials: bool, confidence: float, progress: bool) -> None:
        self.seed, self.budget, self.try_out = seed, budget, trials
        self.confidence, self.progress = confidence, progress
        self.findings: list[Finding] = []
        self.ran: list[Stage] = []
        self.subject: Subject | None = None
        self.trials: Trials | None = None
        self.proofs: dict[str, Proof] = {}

    def examine(self, net_or_run: Any, data: Any, settings: Mapping[str, Any]) -> None:
        """Run the stages, one after the other."""
        with self._stage("checks"):
            self._prepare(net_or_run, data, settings)
        if self.subject is None:
            return
        if not self.try_out:
            self.ran.append(Stage("trials", 0.0, "not asked for"))
            return
        if self.budget < LEAST_BUDGET:
            self.ran.append(Stage("trials", 0.0, f"a budget of {self.budget:g} s is too small for one fold"))
            return
        self._try()

    def diagnosis(self) -> Diagnosis:
        """Return what was found."""
        findings = list(self.findings)
        if self.trials is not None and self.trials.comparison is not None:
            findings += [recipe_finding(self.trials), *trial_findings(self.trials, self.proofs)]
        alarm = any(finding.level == "alarm" for finding in findings)
        return Diagnosis(tuple(self._causes(findings)) if alarm else (), tuple(findings), tuple(self.ran))

    # --- stages -------------------------------------------------------------------------------------------------

    def _prepare(self, net_or_run: Any, data: Any, settings: Mapping[str, Any]) -> None:
        try:
            net, known = net_or_run, dict(settings)
            if isinstance(net_or_run, Run):
                net = net_or_run.model.net
                known = values_of(TrainingSettings, getattr(net_or_run, "settings", TrainingSettings())) | known
            known = {key: value for key, value in known.items() if key != "progress"} | {"seed": self.seed}
            fit_settings = FitSettings(**known)
            training = TrainingSettings(**values_of(TrainingSettings, fit_settings))
            self.engine, self.devices = fit_settings.engine, fit_settings.devices
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.subject = subject_of(_layer(net, data, training), data, training)
        except REFUSALS as error:
            self.findings.append(_refused(error))

    def _try(self) -> None:
        """Run the trials: the recipe beside the reference, single fixes, the proof."""
        assert self.subject is not None
        subject = self.subject
        with self._stage("trials") as stage, self._watch() as watch:
            try:
                rows = trial_rows(subject, seed=self.seed)
                settings = _for_trials(subject, rows)
                control = Arm("control", _flexible(subject.net, rows.data), rows.data, settings)
                deadline = now() + self.budget
                laboratory = Laboratory(rows, self.engine, self.devices, deadline, watch)
                self.trials = Trials(subject, rows, control, laboratory, self.budget, self.confidence, self.seed)
                comparison = self.trials.compare()
                if not comparison.alarm:
                    return
                self.trials.try_fixes(list(self._candidates(subject)))
                self._prove()
            except OutOfTime:
                stage.append("the budget was spent")
            except REFUSALS as error:
                stage.append(f"not possible: {error}")

    def _candidates(self, subject: Subject) -> Iterator[Candidate]:
        """Yield the fixes that apply; the first of a cause is likelier to help than the next."""
        for cause, probability in self._probabilities().items():
            for place, fix in enumerate(fixes_for(cause, subject, self.findings)):
                yield Candidate(cause, fix, probability * NEXT_FIX**place)

    def _probabilities(self) -> dict[str, float]:
        """Return how likely each cause is, before any trial."""
        return dict.fromkeys(CAUSES, 1.0 / len(CAUSES))

    def _prove(self) -> None:
        """Prove the likeliest causes, one after the other, until one is."""
        assert self.trials is not None
        for tried in self._best_of_causes()[:2]:
            if tried.ratio.log <= 0 or not self.trials.has_room(12):
                self.proofs[tried.cause] = not_tried("the budget was spent")
                continue
            self.proofs[tried.cause] = prove(self.trials, tried, causes=1 + len(self.proofs))
            if self.proofs[tried.cause].verdict == "proven":
                return

    def _best_of_causes(self) -> list[Tried]:
        """Return for each cause that was tried its best fix, the one that explains the fault best first."""
        assert self.trials is not None
        shares = self.trials.smallest_sufficient()
        best: dict[str, tuple[float, Tried]] = {}
        for share, tried in zip(shares, self.trials.tried, strict=True):
            if tried.cause not in best or (share, tried.explained) > (
                best[tried.cause][0],
                best[tried.cause][1].explained,
            ):
                best[tried.cause] = (share, tried)
        return [tried for _, tried in sorted(best.values(), key=lambda pair: (-pair[0], -pair[1].explained))]

    def _causes(self, findings: list[Finding]) -> Iterator[Cause]:
        """Yield the causes, the likeliest first."""
        if self.trials is None or self.trials.comparison is None:
            return
        shares = self.trials.smallest_sufficient()
        by_cause: dict[str, float] = {}
        for share, tried in zip(shares, self.trials.tried, strict=True):
            by_cause[tried.cause] = by_cause.get(tried.cause, 0.0) + share
        for tried in self._best_of_causes():
            probability = 0.95 * by_cause[tried.cause]
            proof = self.proofs.get(tried.cause) or not_tried("another cause is likelier")
            evidence = [finding for finding in findings if tried.cause in finding.causes]
            against = [finding for finding in findings if tried.cause in finding.against]
            yield Cause(tried.cause, probability, tuple(evidence), tuple(against), fix=tried.fix, proof=proof)

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


def _layer(net: Any, data: Any, settings: TrainingSettings) -> Any:
    """Return the network that a function of the data makes; others as they are."""
    if isinstance(net, Layer | Model) or not callable(net):
        return net
    rows = run_data(None, data, settings.validation, settings.seed)
    return network(net, rows.x, rows.y, rows.inputs.preparation)


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


def _refused(error: BaseException) -> Finding:
    """Return the finding of data or settings that `fit` refuses."""
    text = f"Training refuses this: {error}"
    kind = "nan" if "finite" in str(error) or "missing" in str(error) else ""
    return Finding("readable", "alarm", text, causes=(kind,) if kind and isinstance(error, ChainruleError) else ())
