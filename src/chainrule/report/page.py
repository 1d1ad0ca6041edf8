"""The page: everything in one file that opens anywhere, and asks nothing of the network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from chainrule.errors import FileError
from chainrule.files import write_atomic
from chainrule.report import population_figures as bands
from chainrule.report import search_figures as landscape
from chainrule.report.components import Page
from chainrule.report.figures import figures
from chainrule.report.findings import Curves
from chainrule.report.markup import escape, join
from chainrule.report.run_sections import footer, header
from chainrule.report.sections import all_sections
from chainrule.runs.files import CONFIG, EVALUATION, EVALUATION_FORMAT, REPORT
from chainrule.runs.folder import finite
from chainrule.runs.members import read_facts, read_members
from chainrule.runs.trials import read_trials
from chainrule.training.record import read_folder


def write_report(folder: str | Path) -> Path:
    """Write ``report.html`` from the other files of a run's folder, and give its path.

    A run without ``evaluation.json`` (one of `fit`, or one that is not finished) gets a page with its curves and
    settings only.

    Raises
    ------
    FileError
        The folder holds no run, a file in it is damaged, or the page cannot be written.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.report import write_report
    >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, out="irises", progress=False)
    >>> write_report("irises").name
    'report.html'
    """
    folder = Path(folder)
    path = folder / REPORT
    write_atomic(path, render(folder))
    return path


def render(folder: Path) -> str:
    """Return the page as text."""
    record = read_folder(folder)
    facts = read_evaluation(folder)
    try:
        curves = Curves(record.epochs, record.kept_epoch)
        members, trials = read_members(folder), read_trials(folder)
        drawn = figures(facts, curves) | (bands.figures(members) if members else {})
        drawn |= landscape.figures(trials) if trials else {}
        if members is not None and members.kind == "seeds":  # the curves of the run are those of its members
            drawn |= {
                name: drawn.pop(of)
                for name, of in (("loss", "members-loss"), ("score", "members-score"))
                if of in drawn
            }
        config = (folder / CONFIG).read_text("utf-8")
        page = Page(record, facts, curves, drawn, config, members, trials)
        sections = all_sections(page)
        parts: dict[str, str] = {
            "title": escape(f"{record.path.resolve().name} – chainrule"),
            "header": header(page, sections),
            "main": join(html for _, _, html in sections),
            "footer": footer(page),
        }
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise FileError(f"A file in {folder} is damaged: {type(error).__name__}: {error}.") from None
    script, plotly = _file("page.js"), plotly_script()
    parts |= {
        "hashes": f"{_hash(script)} {_hash(plotly)}",
        "style": _file("page.css"),
        "figures": json.dumps(finite(page.figures), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "plotly": base64.b64encode(gzip.compress(plotly.encode(), 9, mtime=0)).decode(),
        "script": script,
    }
    # In one pass: what was put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Return the facts that `gather` found; {} if there are none."""
    path = folder / EVALUATION
    return read_facts(path, EVALUATION_FORMAT) if path.exists() else {}


def plotly_script() -> str:
    """Plotly's script, from its Python package."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _file(name: str) -> str:
    return resources.files("chainrule.report").joinpath(name).read_text("utf-8").strip()


def _hash(script: str) -> str:
    """Return a script by its content, as a content security policy names it: no other may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
