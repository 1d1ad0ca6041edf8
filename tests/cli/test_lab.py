"""`chainrule lab`: what there is, a page, and words that it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chainrule as cr


def test_without_a_name_it_lists_the_questions(chainrule: Any) -> None:
    done = chainrule("lab")
    assert all(question in done.stdout for question in cr.lab.QUESTIONS.values())


def test_it_writes_a_page_and_says_where(chainrule: Any) -> None:
    done = chainrule("lab", "activations")
    assert done.stdout.startswith("activations.html")
    assert "What does an activation function pass on?" in Path("activations.html").read_text("utf-8")
    chainrule("lab", "activations", "--out", "other.html")
    assert Path("other.html").read_bytes() == Path("activations.html").read_bytes()
    chainrule("lab", "activations", "--functions", "tanh,ReLU", "--out", "two.html")
    assert len(Path("two.html").read_bytes()) < len(Path("other.html").read_bytes())


def test_what_it_cannot_do_is_said(chainrule: Any) -> None:
    assert "descent" in chainrule("lab", "decent", code=2).stderr
    assert "unexpected extra argument" in chainrule("lab", "descent", "runs/x", code=2).stderr
    assert "lab slow --out x.html" in chainrule("lab", "--out", "x.html", "slow", code=2).stderr
    assert "from 1 to 300, got 900" in chainrule("lab", "descent", "--steps", 900, code=2).stderr


def test_all_pages_and_their_index_are_written(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = {name: cr.lab.QUESTIONS[name] for name in ("activations",)}
    monkeypatch.setattr(cr.lab, "QUESTIONS", questions)
    monkeypatch.setattr("chainrule.lab.index.QUESTIONS", questions)
    assert "index.html" in chainrule("lab", "--out", "pages").stdout
    index = Path("pages/index.html").read_text("utf-8")
    assert 'href="activations.html"' in index
    assert "<svg" in index
    assert Path("pages/activations.html").exists()


def test_options_of_the_server_need_it(chainrule: Any) -> None:
    assert "--port belongs to --serve" in chainrule("lab", "--port", 8000, code=2).stderr
    assert "leave one out" in chainrule("lab", "--serve", "--out", "x", code=2).stderr
    assert "leave out descent" in chainrule("lab", "--serve", "descent", code=2).stderr


def test_a_page_says_what_it_takes(chainrule: Any) -> None:
    assert "--rates N,…" in chainrule("lab", "descent", "--help").stdout
