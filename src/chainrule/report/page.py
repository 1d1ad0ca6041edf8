"""The page: everything in one file that opens anywhere, and asks nothing of the network."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from chainrule.display.markup import Html, content_policy, escape, join, tag
from chainrule.draw.figure import STYLE, Figure
from chainrule.errors import DataError, FileError
from chainrule.files import as_path, write_atomic
from chainrule.models import Model
from chainrule.report import population_figures, search_figures
from chainrule.report.components import Page
from chainrule.report.figures import figures
from chainrule.report.findings import Curves
from chainrule.report.in_memory import evaluation_of, recipe_in_words, record_of, run_of
from chainrule.report.inside_figures import inside, with_cursor
from chainrule.report.inside_sections import cursor
from chainrule.report.numbering import numbered
from chainrule.report.run_sections import footer, header
from chainrule.report.sections import all_sections
from chainrule.runs.files import CONFIG, DIAGNOSIS, EVALUATION, EVALUATION_FORMAT, REPORT, VIEWS
from chainrule.runs.members import Members, read_facts, read_members, read_unfinished_seeds
from chainrule.runs.trials import Trials, read_trials
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.html import section_style
from chainrule.training.record import Record, read_folder
from chainrule.training.recorded import Recorded
from chainrule.training.run import Run
from chainrule.views.derive.missing import Missing

#: What draws a recording: the figures of each view by its name, or why there are none.
Derive = Callable[[Recorded], Mapping[str, list[Figure] | Missing]]


#: The parts of a page that are no sections.
AROUND = ("header", "cursor", "footer")


def write_report(
    source: str | Path | Run | Model, path: str | Path | None = None, data: Any = None, *, validation: Any = None,
    test: Any = None,
) -> Path:  # fmt: skip
    """Write the page about a run, and give its path.

    From a run's folder: from its files, as ``chainrule report`` does. A run without ``evaluation.json`` (one of `fit`,
    or one that is not finished) gets a page with its curves and settings only. From a `Run` or a `Model`: from what is
    in memory; with ``data``, the model is judged first, beside simple rules that are fitted on the same data.

    Parameters
    ----------
    source
        The folder of a run, a `Run`, or a `Model`.
    path
        The file to write. None: ``report.html`` in the folder of the run.
    data
        What the run was trained on, as `fit` takes it: (x, y), a `Dataset`, a `Table` or a stream.
    validation, test
        Data of the same kind that it was not trained on. It is judged on the test data; where there is none on the
        validation data, and else on the training data, which says nothing about new rows (and the page says so). A
        `Dataset` brings its own parts.

    Raises
    ------
    FileError
        The folder holds no run, a file in it is damaged, or the page cannot be written.
    DataError
        The data does not fit the model; data for a folder, which has its own.

    Example
    -------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> run = cr.fit(cr.Dense(3, "softmax"), (iris.x[::2], iris.y[::2]), epochs=2, progress=False)
    >>> cr.report.write_report(run, "irises.html", (iris.x[::2], iris.y[::2]), test=(iris.x[1::2], iris.y[1::2])).name
    'irises.html'
    """
    if isinstance(source, Model):
        source = run_of(source)
    has_data = any(part is not None for part in (data, validation, test))
    if isinstance(source, Run) and (has_data or source.folder is None):
        if path is None and source.folder is None:
            raise FileError("The run has no folder: say where to write its page, as in write_report(run, 'page.html').")
        if has_data and data is None:
            raise DataError("Give the data that the run was trained on, too: simple rules are fitted on the same rows.")
        path = as_path(source.folder / REPORT if path is None else path)  # type: ignore[operator]
        evaluation = {} if data is None else evaluation_of(source, data, validation, test)
        page = page_of(record_of(source, path), evaluation, recipe_in_words(source), recorded=source.recorded)
    else:
        if has_data:
            raise DataError("The folder of a run says what it was judged on: leave out the data.")
        folder = as_path(source.folder if isinstance(source, Run) else source)  # type: ignore[arg-type]
        path, page = as_path(folder / REPORT if path is None else path), read_page(folder)
    write_atomic(path, render(page))
    return path


def read_page(folder: Path, derive: Derive | None = None) -> Page:
    """Read all that there is to show from a run's folder; ``derive`` draws what it recorded (None: `inside`)."""
    record, evaluation = read_folder(folder), read_evaluation(folder)
    recorded, unrecorded = read_recording(folder)
    with naming_the_damaged(folder):
        config = (folder / CONFIG).read_text("utf-8")
        members = read_members(folder)
        if members is None and record.config.get("seeds") and not record.config.get("folds") and not record.epochs:
            members = read_unfinished_seeds(folder, int(record.config.get("seed", 0)))
            record = record if members is None else dataclasses.replace(record, epochs=members.mean_records())
        page = page_of(record, evaluation, config, members, read_trials(folder), recorded, derive)
    page = dataclasses.replace(page, unrecorded=unrecorded)
    path = folder / DIAGNOSIS
    return dataclasses.replace(page, diagnosis=Diagnosis.load(path)) if path.is_file() else page


def read_recording(folder: Path) -> tuple[Recorded | None, str]:
    """Return what a run recorded of its training, if it did, and why it cannot be read, "" if it can.

    A recording that is damaged does not take the page with it: the page says so.
    """
    if not (folder / VIEWS).exists():
        return None, ""
    try:
        return Recorded.read(folder), ""
    except FileError as error:
        return None, str(error)


@contextlib.contextmanager
def naming_the_damaged(folder: Path) -> Iterator[None]:
    """Turn what a file lacks into a `FileError`."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise FileError(f"A file in {folder} is damaged: {type(error).__name__}: {error}.") from None


def page_of(
    record: Record,
    evaluation: Mapping[str, Any],
    config: str,
    members: Members | None = None,
    trials: Trials | None = None,
    recorded: Recorded | None = None,
    derive: Derive | None = None,
) -> Page:
    """Draw the figures of a page."""
    recorded = None if recorded is None else numbered(recorded, evaluation)
    curves = Curves(record.epochs, record.kept_epoch)
    drawn = figures(record, evaluation, curves, None if recorded is None else recorded.steps)
    if recorded is not None and len(recorded.stops) > 1:
        stops, epochs = recorded.stops, [stop / recorded.steps_per_epoch for stop in recorded.stops]
        places = {"loss": epochs, "score": epochs, "lr": stops}
        drawn |= {name: with_cursor(drawn[name], stops, at) for name, at in places.items() if name in drawn}
    if members is not None:
        at_end = bool(record.config.get("measure_training"))
        drawn |= population_figures.figures(members, evaluation, at_end=at_end)
    drawn |= search_figures.figures(trials) if trials is not None else {}
    if members is not None and members.kind == "seeds":  # the curves of the run are those of its members
        renamed = (("loss", "members-loss"), ("score", "members-score"))
        drawn |= {name: dataclasses.replace(drawn.pop(of), name=name) for name, of in renamed if of in drawn}
    page = Page(record, evaluation, curves, drawn, config, members, trials, recorded=recorded)
    return page if recorded is None else dataclasses.replace(page, inside=(derive or inside)(recorded))


def parts_of(page: Page) -> dict[str, Html]:
    """Return what a page is made of, in its order: "header", its sections by their names, "cursor", "footer"."""
    with naming_the_damaged(page.record.path):
        sections = all_sections(page)
        named = {name: html for name, _, html in sections}
        moving = {} if page.recorded is None else {"cursor": cursor(page.recorded.steps_per_epoch)}
        return {"header": header(page, sections), **named, **moving, "footer": footer(page)}


def render(page: Page) -> str:
    """Render a page as text."""
    styles = [section_style()] if page.diagnosis else []
    return document(f"{page.record.path.resolve().name} – chainrule", parts_of(page), styles)


def document(
    title: str,
    parts: Mapping[str, Html],
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    top: Html | None = None,
    *,
    fetches: bool = False,
) -> str:
    """Return a whole page.

    Parameters
    ----------
    parts : what `parts_of` returned
    styles, scripts : besides those of every page
    top : what stands above the header
    fetches : whether it may fetch from the server that it comes from
    """
    scripts = [own_script(), *scripts]
    places: dict[str, str] = {
        "title": escape(title),
        "top": top or "",
        "header": parts["header"],
        "main": join(html for name, html in parts.items() if name not in AROUND),
        "cursor": parts.get("cursor", ""),
        "footer": parts["footer"],
        "policy": content_policy(*scripts, fetches=fetches),
        "style": "\n".join([STYLE, _file("page.css"), *styles]),
        "scripts": join(tag("script", Html(script)) for script in scripts),
    }
    # In one pass: what was put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: places[match[1]], _file("page.html"))


def own_script() -> str:
    """Return the script of every page."""
    return "\n".join(map(_script, ("page.js", "zoom.js", "inside.js")))


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Return what `gather` found; {} if there is no such file."""
    path = folder / EVALUATION
    return read_facts(path, EVALUATION_FORMAT) if path.exists() else {}


def _script(name: str) -> str:
    """Return a script without what only its readers need: comments and the room before lines."""
    lines = (line.strip() for line in _file(name).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _file(name: str) -> str:
    return resources.files("chainrule.report").joinpath(name).read_text("utf-8").strip()
