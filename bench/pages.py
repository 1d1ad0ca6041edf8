"""How large the pages are, and how long a browser takes to draw them: `python bench/pages.py` (needs Chromium)."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import chainrule as cr
from chainrule.display.text_table import text_table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from report.browser import Browser, find_chromium  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "pages.md"

#: What is packed beside figures and moves: it does not count as a part of the plain page.
PACKED = re.compile(r'<script type="text/plain".*?</script>', re.S)
BOUNDARY = re.compile(r'<section id="boundary".*?</section>', re.S)

#: When all scripts had run, in milliseconds from the start of loading.
LOADED = """new Promise(done => requestAnimationFrame(() => setTimeout(() =>
  done(performance.getEntriesByType('navigation')[0].loadEventEnd))))"""

#: How long one move of the slider takes: the median over all of its places.
MOVE = """(async () => {
  const slider = document.querySelector('#cursor input');
  if (!slider) return null;
  const times = [];
  for (let at = 0; at <= Number(slider.max); at++) {
    const began = performance.now();
    slider.value = at;
    slider.dispatchEvent(new Event('input'));
    await new Promise(done => setTimeout(done));
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
})()"""


def pages(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write the pages; return each with the limits of its size in KB: the plain page, and all of it."""
    iris = cr.data.load("iris")
    data = Path(os.environ.get("CHAINRULE_DATA", ROOT.parent / "shared" / "data"))
    cr.train("digits", out=folder / "digits")
    cr.train(data / "tables" / "titanic.csv", target="Survived", out=folder / "titanic")
    net = cr.mlp([2, 8, 6, 3], hidden="tanh")
    run = cr.fit(net, (iris.x[:, 2:], iris.y), epochs=60, record="light", engine="numpy", progress=False)
    two = cr.report.write_report(run, folder / "iris.html", (iris.x[:, 2:], iris.y))
    return {
        "report of digits": (folder / "digits" / "report.html", "250 / 600"),
        "report of titanic": (folder / "titanic" / "report.html", "250 / 600"),
        "report of two columns of iris": (two, "250 / 600"),
        "lab: descent": (cr.lab.descent().to_html(folder / "descent.html"), "– / 300"),
        "lab: backprop": (cr.lab.backprop(run=run).to_html(folder / "backprop.html"), "– / 300"),
    }


def measured(browser: Browser, page: Path) -> list[str]:
    """Return a page's sizes in KB, and its times in a browser in milliseconds: the medians of five."""
    text = page.read_text("utf-8")
    packed = sum(len(part.encode()) for part in PACKED.findall(BOUNDARY.sub("", text)))
    boundary = sum(len(part.encode()) for part in BOUNDARY.findall(text))
    whole = len(text.encode())
    times: list[float] = []
    for _ in range(5):
        browser.open(page)
        times.append(browser.value(LOADED))
    move = browser.value(MOVE)
    sizes = [f"{(whole - packed - boundary) / 1000:,.0f}", f"{whole / 1000:,.0f}"]
    return [*sizes, f"{sorted(times)[2]:.0f}", "" if move is None else f"{move:.0f}"]


def main() -> None:
    program = find_chromium()
    if program is None:
        sys.exit("Needs Chromium: none was found by its name in PATH.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = pages(folder)
        with Browser(program, folder / "browser") as browser:
            rows = [[what, *measured(browser, page), limit] for what, (page, limit) in made.items()]
    head = ["page", "plain (KB)", "whole (KB)", "loaded (ms)", "slider (ms)", "limits (KB)"]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    about = (
        "# Pages\n\nBy `python bench/pages.py`, in headless Chromium on 2 cores. Plain: without what is packed for the "
        "slider and without the decision boundary. Slider: one move of it, the median over all of its places. "
        f"While this was measured {os.getloadavg()[0]:.0f} programs shared the cores, on average.\n\n"
    )
    RESULTS.write_text(about + "\n".join(lines) + "\n", encoding="utf-8")
    print(text_table([head, *rows]))


if __name__ == "__main__":
    main()
