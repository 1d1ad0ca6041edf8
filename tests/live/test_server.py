"""The live page of a run: what it shows, and when it tells what is new."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import FileError
from chainrule.live import server
from chainrule.live.server import source_of
from chainrule.live.state import QUIET, stamps_of
from live.conftest import EPOCHS, Growing, Page, until

Serve = Callable[..., Page]


def parts(event: dict[str, Any]) -> set[str]:
    return set(event["parts"])


def test_an_epoch_is_told_and_its_sections_are_new(growing: Growing, serve: Serve) -> None:
    page = serve(growing.folder)
    status, html = page("/")
    assert status == 200
    assert "After 2 epochs" in html
    assert re.search(r'data-testid="figure-loss".*?<svg', html, re.DOTALL), "figures need no script"
    with page.stream() as next_event:
        first = next_event()
        assert (first["kind"], first["head"]) == ("running", "Running")
        growing.epoch()
        then = next_event()
        while then["parts"]["curves"] == first["parts"]["curves"]:
            then = next_event()
        assert f"epoch 3 of {EPOCHS}" in then["text"]
        changed = {name for name in parts(then) if then["parts"][name] != first["parts"].get(name)}
        assert {"verdict", "key-figures", "curves"} <= changed
        assert changed.isdisjoint({"configuration", "environment"})
    assert "After 3 epochs" in page("/section/verdict")[1]


def test_in_the_end_all_parts_are_those_of_the_report(growing: Growing, serve: Serve) -> None:
    page = serve(growing.folder)
    with page.stream() as next_event:
        assert next_event()["kind"] == "running"
        growing.end()
        source = page.live.source
        until(lambda: source.state.kind == "ended" and source.is_complete)
    report = (growing.whole / "report.html").read_text().replace(str(growing.whole), str(growing.folder))
    sections = re.findall(r"<section id=.*?</section>(?=<section id|\n</main>)", report, re.DOTALL)
    assert len(sections) > 12
    assert [html for name, html in source.parts.items() if name not in ("header", "cursor", "footer")] == sections
    names = [re.match(r'<section id="([\w-]+)"', section)[1] for section in sections]  # type: ignore[index]
    assert [page(f"/section/{name}")[1] for name in names] == sections
    assert page("/section/header")[1] in report


def test_views_of_the_inside_come_while_the_run_goes_on(growing: Growing, serve: Serve) -> None:
    page = serve(growing.folder)
    assert 'id="flow"' not in page("/")[1], "what takes long is not waited for"
    with page.stream() as next_event:
        while not {"flow", "ratio"} <= parts(next_event()):
            pass
    assert 'data-testid="figure-flow"' in page("/section/flow")[1]


def test_a_run_that_records_nothing(growing: Growing, serve: Serve) -> None:
    shutil.rmtree(growing.folder / "views")
    html = serve(growing.folder)("/")[1]
    assert "recorded nothing of its training" in html
    assert "After 2 epochs" in html


def test_a_run_that_has_no_epoch_yet(growing: Growing, serve: Serve, tmp_path: Path) -> None:
    (growing.folder / "metrics.jsonl").write_text("")
    html = serve(growing.folder)("/")[1]
    assert f"epoch 0 of {EPOCHS}" in html
    (tmp_path / "begun").mkdir()
    page = serve(tmp_path / "begun")
    assert "Waiting" in page("/")[1]
    with page.stream() as next_event:
        assert next_event()["kind"] == "waiting"
        shutil.copytree(growing.folder, tmp_path / "begun", dirs_exist_ok=True)
        assert until(next_event)["kind"] == "running"


def test_a_run_that_nobody_trains(growing: Growing, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.live.state.time.time", lambda: newest / 1e9 + QUIET + 1)
    newest = max(changed for changed, _ in stamps_of(growing.folder).values())
    html = serve(growing.folder)("/")[1]
    assert re.search(r"<strong role=\"status\">Not running since \d\d:\d\d</strong>", html)


def test_a_run_is_running_while_its_folder_is_held(growing: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.files import locked

    newest = max(changed for changed, _ in stamps_of(growing.folder).values())
    monkeypatch.setattr("chainrule.live.state.time.time", lambda: newest / 1e9 + 3600)
    source = source_of(growing.folder)
    source.look(is_shown=False)
    assert source.state.kind == "stopped"
    with locked(growing.folder):
        source.look(is_shown=False)
        assert source.state.kind == "running"


def test_a_folder_that_vanishes(growing: Growing, serve: Serve) -> None:
    page = serve(growing.folder)
    with page.stream() as next_event:
        before = next_event()
        shutil.rmtree(growing.folder)
        while (event := next_event())["kind"] != "gone":
            pass
        assert event["head"] == "The folder flowers is gone"
        assert set(event["parts"]) >= set(before["parts"])
    assert "After 2 epochs" in page("/section/verdict")[1], "what was read stays"


def test_a_damaged_file_is_told_and_what_was_read_stays(growing: Growing, serve: Serve) -> None:
    page = serve(growing.folder)
    with page.stream() as next_event:
        next_event()
        with open(growing.folder / "metrics.jsonl", "a") as file:
            file.write("nonsense\n")
        while "metrics.jsonl is damaged" not in next_event()["text"]:
            pass
    assert "After 2 epochs" in page("/section/verdict")[1]


@pytest.mark.parametrize("path", ["/section/..", "/section/../", "/section/config.toml", "/run/x/", "/report.html"])
def test_no_file_is_served(growing: Growing, serve: Serve, path: str) -> None:
    assert serve(growing.folder)(path)[0] == 404


def test_the_server_ends_when_nobody_looks_any_more(
    finished: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINGER", 0.0)
    page = serve(finished)
    until(lambda: page.live.source.state.kind == "ended")
    assert not page.live.is_over(), "a first page is waited for"
    with page.stream() as next_event:
        next_event()
        assert not page.live.is_over()
    until(page.live.is_over)
    page.live.waits_for_page = False
    assert page.live.is_over()


def test_a_folder_of_runs_is_a_list(growing: Growing, finished: Path, serve: Serve) -> None:
    shutil.copytree(finished, growing.folder.parent / "<b>ended")
    page = serve(growing.folder.parent)
    html = page("/")[1]
    assert "&lt;b&gt;ended" in html
    assert "<b>ended" not in html
    assert 'href="/run/%3Cb%3Eended/"' in html
    assert "1 of 2 running" in html
    assert "After 2 epochs" in page("/run/flowers/")[1]
    assert page("/run/%3Cb%3Eended/section/curves")[0] == 200
    assert page("/run/nothing/")[0] == 404
    with page.stream() as next_event:
        first = next_event()
        growing.epoch()
        while next_event()["parts"] == first["parts"]:
            pass
    assert f"3/{EPOCHS}" in page("/section/runs")[1]


def test_what_cannot_be_watched(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    with pytest.raises(FileError, match="is a file: watch takes the folder"):
        source_of(tmp_path / "x.txt")
    with pytest.raises(FileError, match="holds no run, and no folders of runs"):
        source_of(tmp_path)
