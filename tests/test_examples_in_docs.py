"""Every Python example in the README and the docs runs, in the order of its file.

The blocks of one file share a namespace. A block with ``>>>`` is a doctest: what it prints is compared. A
block that cannot run here says why in its first line: ``# not run: downloads 12 MB``.
"""

from __future__ import annotations

import doctest
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]

FENCE = re.compile(
    r"^(?P<indent>[ ]*)(?P<fence>`{3,})python\b[^\n]*\n(?P<code>.*?)^(?P=indent)(?P=fence)[ ]*$", re.M | re.S
)
NOT_RUN = re.compile(r"# not run: \S")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    code: str
    line: int  # of the file, counted from 1, where the code begins


def blocks(text: str) -> list[Block]:
    """The Python blocks of a Markdown text that are to be run."""
    all_blocks = [
        Block(textwrap.dedent(match["code"]), text.count("\n", 0, match.start("code")) + 1)
        for match in FENCE.finditer(text)
    ]
    return [block for block in all_blocks if not NOT_RUN.match(block.code)]


def run(block: Block, page: str, module: ModuleType) -> None:
    """Run a block in a module; errors and failed comparisons name the page and its line."""
    if not re.search(r"^\s*>>> ", block.code, re.M):
        code = "\n" * (block.line - 1) + block.code  # so that a traceback counts the page's lines
        exec(compile(code, page, "exec"), vars(module))
        return
    test = doctest.DocTestParser().get_doctest(block.code, {}, page, page, block.line - 1)
    test.globs = vars(module)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
    if report:
        pytest.fail("".join(report), pytrace=False)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """An empty module to run in (dataclasses look their module up), inside an empty folder."""
    made = ModuleType("example_of_the_docs")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_run(page: Path, module: ModuleType) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        run(block, page.relative_to(ROOT).as_posix(), module)


SAMPLE = """
```python
x = 1
```
```sh
exit 1
```
```python
# not run: needs a network
raise SystemExit
```
1. In a list:
   ```python
   >>> x + 1
   2
   ```
"""


def test_blocks_share_a_namespace_and_know_their_line(module: ModuleType) -> None:
    sample = blocks(SAMPLE)
    assert [block.line for block in sample] == [3, 14]
    for block in sample:
        run(block, "sample", module)
    assert module.x == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [(">>> 1 + 1\n3\n", "line 7, in sample"), ("# not run:\n1 / 0\n", "division")],
    ids=["a wrong output", "an error, in a block that gives no reason for not running"],
)
def test_a_wrong_example_fails(code: str, message: str, module: ModuleType) -> None:
    text = "\n" * 5 + f"```python\n{code}```\n"
    with pytest.raises((pytest.fail.Exception, ZeroDivisionError), match=message):
        run(blocks(text)[0], "sample", module)
