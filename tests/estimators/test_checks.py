"""scikit-learn's own checks: all of them, with no failure expected."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator, parametrize_with_checks

import chainrule as cr

# Small ones, so that compiling for the shape of every check's data stays affordable.
SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 30, "optimizer": cr.SGD(lr=0.1)}
KINDS = (cr.NetClassifier, cr.NetRegressor)

#: There is no `decision_function` whose form could be checked, and array API needs a switch set before SciPy is loaded.
NOT_FOR_US = {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}


#: Checks of what an estimator learns: these are for its defaults. `make test-slow` makes all checks with them.
OF_WHAT_IS_LEARNT = {"check_classifiers_train", "check_regressors_train", "check_classifiers_classes"}


@pytest.mark.filterwarnings("ignore")  # checks provoke warnings; those that matter they look at themselves
@parametrize_with_checks([kind(**SMALL, engine="jax") for kind in KINDS])
def test_checks_on_jax(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_defaults_learn(kind: Any) -> None:
    checks = [(e, check) for e, check in estimator_checks_generator(kind()) if check.func.__name__ in OF_WHAT_IS_LEARNT]
    assert len(checks) > 2
    for estimator, check in checks:
        check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_checks_of_the_defaults(kind: Any) -> None:
    results = check_estimator(kind(), on_skip=None)
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= NOT_FOR_US
    assert len(results) > 40
    assert not any(r["expected_to_fail"] for r in results)
