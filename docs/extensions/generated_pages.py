"""Fills pages of the site from the code: commands from what ``--help`` prints.

Such a page holds a comment, as in docs/cli.md, where the site has tables.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["command_sections", "setup"]

_COMMANDS = "<!-- commands of ddepth -->"


def setup(app: Any) -> dict[str, bool]:
    """Have Sphinx fill the pages as it reads them."""
    app.connect("source-read", _fill)
    app.connect("autodoc-process-docstring", _split_attributes, priority=400)  # before napoleon
    return {"parallel_read_safe": True}


def _fill(_app: Any, _page: str, source: list[str]) -> None:
    if _COMMANDS in source[0]:
        source[0] = source[0].replace(_COMMANDS, command_sections())


def _split_attributes(
    _app: Any, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Give each name of ``a, b: text`` an entry of its own, as napoleon does for arguments only."""
    if "Attributes:" not in lines:
        return
    start = lines.index("Attributes:") + 1
    ends = (i for i, line in enumerate(lines) if i >= start and line and line[0] != " ")
    end = next(ends, len(lines))
    entries: list[list[str]] = []
    for line in lines[start:end]:
        if entries and (not line or line.startswith("     ")):
            entries[-1].append(line)
        else:
            entries.append([line])
    lines[start:end] = [
        line
        for first, *more in entries
        for names, colon, text in [first.partition(":")]
        for name in names.strip().split(", ")
        for line in (f"    {name}{colon}{text}", *more)
    ]


def command_sections() -> str:
    """Return a section of Markdown for each command: its usage, text, arguments and options."""
    names = [names for names, _ in _rows(_help(), "Commands")]
    return "\n\n".join(_section(name, _help(name)) for name in names)


def _help(*command: str) -> str:
    from typer.testing import CliRunner

    from ddepth_gl.cli.main import app

    result = CliRunner().invoke(app, [*command, "--help"], prog_name="ddepth", color=False)
    if result.exit_code:
        raise RuntimeError(f"ddepth {' '.join(command)} --help failed: {result.output}")
    return result.stdout


def _section(name: str, text: str) -> str:
    usage, body = re.split(r"\n\s*\n", text.strip(), maxsplit=1)
    description = re.split(r"^(?:Arguments|Options):$", body, maxsplit=1, flags=re.M)[0]
    lines = [f"## ddepth {name}", ""]
    for paragraph in re.split(r"\n\s*\n", description.strip()):
        lines += [_plain(paragraph), ""]
    lines += ["```text", " ".join(usage.removeprefix("Usage: ").split()), "```"]
    for title in ("Arguments", "Options"):
        rows = _rows(text, title)
        if rows:
            lines += ["", f"| {title.lower()} | |", "|---|---|"]
            lines += [f"| {_code(names)} | {_plain(meaning)} |" for names, meaning in rows]
    return "\n".join(lines)


def _rows(text: str, title: str) -> list[tuple[str, str]]:
    """Return the entries of a section of a help text: names, and what is said about them."""
    section = re.search(rf"^{title}:\n((?:  .*\n?|\n)+)", text, re.M)
    entries = re.split(r"^  (?=\S)", section[1], flags=re.M)[1:] if section else []
    pairs = (re.split(r"\s{2,}|\n", entry.strip(), maxsplit=1) for entry in entries)
    return [(names, " ".join("".join(meaning).split())) for names, *meaning in pairs]


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text in one line, with nothing in it that Markdown could take for markup."""
    return re.sub(r"([*<>_\[\]|`])", r"\\\1", " ".join(text.split()))
