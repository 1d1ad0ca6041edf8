"""What all tests share: real data, float64 on JAX, and a quiet machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Before NumPy and JAX are imported. The figures compare engines to 1e-5 in float32, which an accelerator's
# reduced-precision products would not meet, so tests run on the CPU unless told otherwise.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most programs are small and run once or twice: what costs is to compile them, and XLA takes a third of the time for
# it if it does not optimize, and a third less again if it does not compile their parts on several threads.
# `make test-slow` tests what it makes of programs otherwise.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers fill the cores; their libraries must not fight for them
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ["XLA_FLAGS"] += " --xla_cpu_multi_thread_eigen=false"

# A command that a shell starts in the background ignores Ctrl-C, and so would the tests of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import pytest

# No deadline: the first example of a JAX function compiles it. In CI the examples are always the same ones.
hypothesis.settings.register_profile(
    "chainrule", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
hypothesis.settings.load_profile("chainrule")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real data: ``mnist/`` (IDX files) and ``tables/`` (CSV files)."""
    path = os.environ.get("CHAINRULE_DATA")
    if not path:
        pytest.skip("needs real data: set CHAINRULE_DATA to a folder with mnist/ and tables/")
    folder = Path(path)
    if not folder.is_dir():
        pytest.fail(f"CHAINRULE_DATA is {path!r}, which is not a folder")
    return folder


@pytest.fixture
def x64() -> Iterator[None]:
    """JAX computes in float64 inside a test that takes this fixture, and in float32 again after it."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture
def from_inside() -> None:
    """Pages show training from inside in a test that takes this fixture, as they do in tests of pages and views."""


@pytest.fixture(autouse=True)
def _pages_without_the_inside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time of a small run is to show it from inside, which hundreds of other tests do not need."""
    if "from_inside" not in request.fixturenames and not {"report", "views", "live"} & set(request.path.parts):
        monkeypatch.setattr("chainrule.report.page.inside", lambda recorded: {})
