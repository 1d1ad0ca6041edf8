"""scikit-learn's own checks: all of them, with no failure expected, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import chainrule as cr

# Small ones, so that compiling for the shape of every check's data stays affordable.
SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 30, "optimizer": cr.SGD(lr=0.1)}
KINDS = (cr.NetClassifier, cr.NetRegressor)

#: There is no `decision_function` whose form could be checked, and array API needs a switch set before SciPy is loaded.
NOT_FOR_US = {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}


@pytest.mark.filterwarnings("ignore")  # checks provoke warnings; those that matter they look at themselves
@parametrize_with_checks([kind(**SMALL, engine="jax") for kind in KINDS])
def test_checks_on_jax(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_checks_of_what_the_defaults_give(kind: Any) -> None:
    results = check_estimator(kind(engine="numpy"), on_skip=None)
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= NOT_FOR_US
    assert len(results) > 40
    assert not any(r["expected_to_fail"] for r in results)
