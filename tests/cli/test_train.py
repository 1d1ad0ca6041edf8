"""`chainrule train`: the run folder, settings from options and files, resuming, failing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

import chainrule as cr
from chainrule.training.loop import Loop
from tests_cli import Command, metrics  # type: ignore[import-not-found]
