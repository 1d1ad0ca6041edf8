"""Reels: one picture for each position of a few controls, all made in Python, played by a page that computes
nothing.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from chainrule.display.markup import Html, document, escape, join, tag
from chainrule.draw.figure import STYLE, Figure
from chainrule.errors import SettingError
from chainrule.files import as_path, write_atomic


@dataclass(frozen=True)
class Control:
    """Something that can be chosen: its name, what it can be, as text, and where it stands at first.

    ``names`` says whether the values are names, which are listed, and not places on a line, which one slides along.
    """

    label: str
    values: Sequence[str]
    start: int = 0
    names: bool = False


@dataclass(frozen=True)
class Frame:
    """What is shown at one position of the controls: figures, what is to be seen in words, a few numbers, and more."""

    figures: Sequence[Figure]
    text: str
    numbers: Sequence[tuple[str, str]] = ()
    more: Html | None = None


@dataclass(frozen=True)
class Lesson:
    """What a page teaches.

    Attributes
    ----------
    question : what the page answers
    introduction : what is shown
    equation : the formula behind it, as MathML
    look_for : what to try, and what is to be seen then
    claim : what the lecture says
    tested : how that was tested here, with the figure
    source : the lecture or paper
    """

    question: str
    introduction: str
    equation: Html
    look_for: Sequence[str]
    claim: str
    tested: str
    source: str


@dataclass(frozen=True)
class Reel:
    """Frames for all positions of some controls, and what they teach.

    Attributes
    ----------
    name : the name of the page
    controls : what can be chosen; the position of the last one changes fastest in ``frames``
    frames : one for each combination
    lesson : the words around it
    series : names of curves and paths that the reader may hide

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.descent()
    >>> [control.label for control in reel.controls]
    ['curve', 'momentum α', 'start w', 'learning rate η']
    >>> reel.to_html("descent.html").name
    'descent.html'
    """

    name: str
    controls: Sequence[Control]
    frames: Sequence[Frame]
    lesson: Lesson
    series: Sequence[str] = ()

    def __post_init__(self) -> None:
        wanted = math.prod(len(control.values) for control in self.controls)
        if len(self.frames) != wanted:
            raise SettingError(f"A reel has one frame for each position: {wanted}, got {len(self.frames)}.")

    @property
    def start(self) -> int:
        """The number of the frame that is shown first."""
        return self.at([control.start for control in self.controls])

    def at(self, positions: Sequence[int]) -> int:
        """Return the number of the frame at these positions of the controls."""
        number = 0
        for control, position in zip(self.controls, positions, strict=True):
            number = number * len(control.values) + position
        return number

    def to_html(self, path: str | Path) -> Path:
        """Write a page that needs nothing else: no server, no network; without scripts it shows the first frame."""
        path = as_path(path)
        write_atomic(path, self.html())
        return path

    def html(self) -> str:
        """Return the page."""
        lesson = self.lesson
        body = tag(
            "main",
            tag("h1", lesson.question),
            tag("p", lesson.introduction),
            self.player(),
            tag("section", tag("h2", "What to look for"), tag("ul", *(tag("li", words) for words in lesson.look_for))),
            tag("section", tag("h2", "The formula"), tag("p", lesson.equation, class_="formula")),
            tag(
                "section",
                tag("h2", "What the lecture says"),
                tag("p", lesson.claim),
                tag("p", f"Tested here: {lesson.tested}"),
                tag("p", lesson.source, class_="source"),
            ),
            tag("footer", "Every number and every drawing was computed by chainrule; this page only shows them."),
        )
        style = f"{STYLE}\n{read('reel.css')}"
        return document(f"{lesson.question} – chainrule", style, body, scripts=(read("reel.js"),))

    def player(self) -> Html:
        """Return the controls and the first frame, with all frames packed beside them."""
        shown = self.frames[self.start]
        packed = json.dumps([_inside(frame) for frame in self.frames], separators=(",", ":")).encode()
        data = base64.b64encode(gzip.compress(packed, 9, mtime=0)).decode()
        return tag(
            "section",
            tag("div", *(_control(control, i) for i, control in enumerate(self.controls)), _play(), class_="controls"),
            _series(self.series) if self.series else None,
            tag("noscript", tag("p", f"Scripts are off: this is one of {len(self.frames):,} pictures.")),
            tag("div", Html(_inside(shown)), class_="frame", aria_live="polite"),
            tag("script", Html(data), type="text/plain", data_frames=""),
            class_="reel",
            id=f"reel-{self.name}",
            data_testid=f"reel-{self.name}",
            data_start=self.start,
        )

    def _repr_html_(self) -> str:
        """Return the first frame, for a notebook: static, with the sentence below it."""
        frame = self.frames[self.start]
        figures = (figure.html() for figure in frame.figures)
        return join([tag("style", Html(STYLE)), tag("p", frame.text), *figures, frame.more or Html("")])


def reel(
    name: str, controls: Sequence[Control], frame: Callable[..., Frame], lesson: Lesson, series: Sequence[str] = ()
) -> Reel:
    """Return a reel whose frames a function makes of the positions of the controls."""
    places = itertools.product(*(range(len(control.values)) for control in controls))
    return Reel(name, controls, [frame(*place) for place in places], lesson, series)


def _inside(frame: Frame) -> str:
    """Return what is swapped when a control moves."""
    figures = (
        tag(
            "figure",
            tag("div", tag("h2", figure.title), class_="cr-top"),
            figure.drawing,
            tag("figcaption", figure.note) if figure.note else None,
            class_="cr-figure",
            id=f"figure-{figure.name}",
            data_testid=f"figure-{figure.name}",
        )
        for figure in frame.figures
    )
    numbers = [tag("div", tag("dt", name), tag("dd", value)) for name, value in frame.numbers]
    return join(
        [
            tag("p", frame.text, class_="finding"),
            tag("div", *figures, class_="figures") if frame.figures else Html(""),
            tag("dl", *numbers) if numbers else Html(""),
            frame.more or Html(""),
        ]
    )


def _control(control: Control, i: int) -> Html:
    if control.names:
        options = (
            Html(f'<option value="{at}"{" selected" if at == control.start else ""}>{escape(text)}</option>')
            for at, text in enumerate(control.values)
        )
        inside: Any = tag("select", *options, data_control=i, disabled="")
    else:
        slider = (
            f'<input type="range" min="0" max="{len(control.values) - 1}" value="{control.start}" disabled '
            f'data-control="{i}" data-values="{escape(json.dumps(list(control.values)))}" '
            f'aria-valuetext="{escape(control.values[control.start])}">'
        )
        inside = join([Html(slider), tag("output", control.values[control.start])])
    return tag("label", tag("span", control.label), inside)


def _series(names: Sequence[str]) -> Html:
    """Return boxes that hide and show curves by their names."""
    boxes = (
        tag("label", Html(f'<input type="checkbox" checked disabled data-series="{escape(name)}">'), name)
        for name in names
    )
    return tag("fieldset", tag("legend", "shown"), *boxes)


def _play() -> Html:
    return tag("button", "Play", type="button", data_play="", disabled="")


def read(name: str) -> str:
    """Return a file that lies beside this one."""
    return resources.files("chainrule.views").joinpath(name).read_text("utf-8").strip()
