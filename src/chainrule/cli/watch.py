"""``chainrule watch``: the page of a run while it goes on."""

from __future__ import annotations

import contextlib
import os


def watch(run: str, *, port: int | None, open_browser: bool, of_training: bool) -> None:
    """Serve the page of a run, or of a folder of runs.

    Training has the machine first: this process takes one core when it is free, and no accelerator.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    with contextlib.suppress(AttributeError, OSError):  # not every system can
        os.nice(10)

    from chainrule.experiments.find import find_folder
    from chainrule.live.server import watch as serve

    serve(find_folder(run), port, open_browser=open_browser, of_training=of_training)
