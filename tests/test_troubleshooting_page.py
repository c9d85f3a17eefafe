"""Errors that docs/troubleshooting.md quotes are messages of the code, by their first words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shapes import box

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
# Rows that begin with the error; all others describe a symptom.
QUOTED = re.findall(r"^\| (?:a warning )?`(.+?)` \|", PAGE, re.M)


def text_of(node):
    """Return a text of the code, with … for what is filled in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = text_of(node.left), text_of(node.right)
        return None if None in parts else "".join(parts)
    return None


def texts_of_the_code():
    found = []
    for path in sorted((ROOT / "ddepth_gl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = text_of(node)
            if text:
                found.append(text)
    return found


TEXTS = texts_of_the_code()


def starts(quoted, text):
    """Return whether a text of the code begins with the words of the page.

    Each … of the page stands for what the code fills in, or for some words that it writes out.
    """
    pattern = ".*?".join(re.escape(part) for part in quoted.split("…"))
    return re.match(r"…*(?:…: )?" + pattern, text, re.S) is not None


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_error_is_one_of_the_code(quoted):
    assert any(starts(quoted, text) for text in TEXTS), quoted


def test_the_page_quotes_many_errors():
    assert len(QUOTED) > 50
    assert not any(starts("no such words …", text) for text in TEXTS)
    assert len(set(QUOTED)) == len(QUOTED)


def raised(call):
    with pytest.raises(dd.DDepthError) as caught:
        call()
    return str(caught.value)


def test_some_of_them_are_raised(tmp_path):
    """Errors that need no device, each by doing what the page warns of."""
    vertices, faces = box().vertices, box().faces
    eye = (0.0, 0.0, 3.0)
    (tmp_path / "empty.ply").touch()
    messages = [
        raised(lambda: dd.Mesh(vertices, faces[:, :2])),
        raised(lambda: dd.Mesh(vertices, faces + 1)),
        raised(lambda: dd.Mesh(np.where(vertices > 0, np.nan, vertices), faces)),
        raised(lambda: dd.Mesh(vertices * 2e38, faces)),
        raised(lambda: box().transformed(np.diag([1.0, 1.0, 0.0, 1.0]))),
        raised(lambda: dd.Camera.look_at(eye, (0, 0, 0), width=8, height=8)),
        raised(lambda: dd.Camera.look_at(eye, eye, width=8, height=8)),
        raised(lambda: dd.load_mesh(tmp_path / "empty.ply")),
        raised(lambda: dd.load_mesh(tmp_path / "missing.ply")),
        raised(lambda: dd.load_mesh(tmp_path / "part")),
    ]
    for message in messages:
        words = message.split(": ", 1)[-1]
        assert any(is_message(quoted, each) for quoted in QUOTED for each in (message, words)), (
            message
        )


def is_message(quoted, message):
    """Return whether a message that was raised begins with the words of the page."""
    return re.match(".*?".join(map(re.escape, quoted.split("…"))), message, re.S) is not None


def test_errors_of_the_command(tmp_path):
    for arguments, quoted in (
        (("--format", "xray"), "format … stores all layers; give --layers as well"),
        (("--format", "jpeg"), "unknown format …; give …"),
        (("--samples", "2"), "… has no effect on …; it is for …"),
    ):
        assert quoted in QUOTED
        command = [sys.executable, "-m", "ddepth_gl", "render", "part.ply", "-o", "out", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        line = done.stderr.removeprefix("ddepth: error: ")
        assert done.returncode == 1
        assert is_message(quoted, line), line
