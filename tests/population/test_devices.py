"""Members on several devices: the same results as on one, and each device trains some of them."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import numpy as np
import chainrule as cr
from chainrule.engine import choose
from chainrule.engine.choice import workers

data = cr.data.load("iris")
found = []
for devices in (None, "all", 3):
    runs = cr.fit_population(
        cr.mlp([4, 6, 3]), data, 8, epochs=3, validation=0.2, engine="jax", devices=devices, progress=False)
    found.append([[*run.history["val_loss"], *run.model.params["dense_1"]["weight"].ravel()] for run in runs])
assert np.ptp(found, axis=0).max() < 1e-5, found
there = workers(choose("jax", devices="all"))
assert len(there) == 4 and all(engine.traces["train"] for engine, _ in there), there
print("alike")
"""


def test_members_on_four_devices() -> None:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    environment = os.environ | {"XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "alike", done.stderr
