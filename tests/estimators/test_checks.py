"""scikit-learn's own checks: all of them, with no failure expected."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator, parametrize_with_checks

import chainrule as cr

# Small ones: some checks fit twenty times.
SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 30, "optimizer": cr.SGD(lr=0.1)}
KINDS = (cr.NetClassifier, cr.NetRegressor)

#: There is no `decision_function` whose form could be checked, and array API needs a switch set before SciPy is loaded.
NOT_FOR_US = {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}


#: Checks of what an estimator learns: these are for its defaults. `make test-slow` makes all checks with them.
OF_WHAT_IS_LEARNT = {"check_classifiers_train", "check_regressors_train", "check_classifiers_classes"}


#: Checks in which it matters whose arrays they are: bits, copies, memory, pickles. The others are the same on NumPy.
OF_ARRAYS = {
    "check_dict_unchanged",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_readonly_memmap_input",
    "check_sample_weights_not_overwritten",
}


def checks_of(estimator: Any, names: set[str]) -> list[tuple[Any, Any]]:
    return [(e, check) for e, check in estimator_checks_generator(estimator) if check.func.__name__ in names]


@pytest.mark.filterwarnings("ignore")  # checks provoke warnings; those that matter they look at themselves
@parametrize_with_checks([kind(**SMALL, engine="numpy") for kind in KINDS])
def test_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_checks_of_arrays_on_jax(kind: Any) -> None:
    checks = checks_of(kind(**SMALL, engine="jax"), OF_ARRAYS)
    assert {check.func.__name__ for _, check in checks} == OF_ARRAYS
    for estimator, check in checks:
        check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([kind(**SMALL, engine="jax") for kind in KINDS])
def test_checks_on_jax(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_defaults_learn(kind: Any) -> None:
    once = {check.func.__name__: (estimator, check) for estimator, check in checks_of(kind(), OF_WHAT_IS_LEARNT)}
    assert once
    for estimator, check in once.values():
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
