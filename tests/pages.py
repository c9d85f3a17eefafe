"""Pages of the documentation and their code blocks, for tests that run them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks_of"]

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
)

# A block, and a comment before it: ``<!-- not run: REASON -->`` or ``<!-- run by tests/X.py -->``.
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<mark>not run: |run by )(?P<words>.*?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>.*)\n(?P<content>(?:.*\n)*?)(?P=indent)```$",
    re.M,
)


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        language: the word after the backticks.
        content: its lines, without their common indent.
        line: number of its first line in the page.
        reason: why it is not run; empty if it is.
        run_by: path of the test that runs it; empty if tests/test_pages.py does.
    """

    language: str
    content: str
    line: int
    reason: str
    run_by: str


def blocks_of(page: str) -> Iterator[Block]:
    """Yield the code blocks of a page, a path relative to the project."""
    text = (ROOT / page).read_text("utf-8")
    for match in _BLOCK.finditer(text):
        lines = match["content"].splitlines(keepends=True)
        words = {match["mark"]: match["words"]}
        yield Block(
            match["language"],
            "".join(line.removeprefix(match["indent"]) for line in lines),
            text.count("\n", 0, match.start("content")) + 1,
            words.get("not run: ", ""),
            words.get("run by ", ""),
        )
