"""Messages: one printable line, whatever a file or its name holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import ddepth_gl as dd
from ddepth_gl._checks import shown
from ddepth_gl._text import counted, printable
from ddepth_gl.io.meshes.face_limit import check_face_count

NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("käse 日本", "käse 日本"),
        ("a\nb\tc\x1b[31m\x9b", "a b c [31m "),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj", " gpj"),
        (NOT_UTF8, r"caf\xe9"),
        ("\ud800", " "),  # no byte of a file name
    ],
)
def test_printable(text, expected):
    assert printable(text) == expected
    assert printable(text, keep_bytes=True) == (text if text == NOT_UTF8 else expected)


def test_counted():
    assert [counted(number, "face") for number in (0, 1, 2000)] == [
        "0 faces",
        "1 face",
        "2,000 faces",
    ]
    assert [counted(number, "body", "bodies") for number in (1, 2)] == ["1 body", "2 bodies"]
    with pytest.raises(dd.MeshError, match=r"^it holds 1 face, the limit is 0; pass"):
        check_face_count(1, 0, "holds")


def test_a_path_is_shown_as_its_text():
    assert shown(Path("a\0b")) == shown("a\0b") == r"'a\x00b'"


@pytest.mark.parametrize("name", ["a\0b", "a\nb\x1b[31m", NOT_UTF8])
@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize(
    "call",
    [
        dd.load_cameras,
        lambda path: dd.load_mesh(f"{path}.ply") if isinstance(path, str) else dd.load_mesh(path),
        dd.load_npz,
        lambda path: dd.write_ply(path / Path("no folder/a.ply"), [[0.0, 0.0, 0.0]]),
    ],
    ids=["load_cameras", "load_mesh", "load_npz", "write_ply"],
)
def test_messages_about_paths_are_one_printable_line(tmp_path, monkeypatch, name, kind, call):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dd.DDepthError) as raised:
        call(kind(name))
    message = str(raised.value)
    assert message.isprintable()
    assert "Path(" not in message
    assert ";" in message  # what to do


def test_a_folder_of_cameras_is_named_on_one_line(tmp_path):
    (tmp_path / "a\nb").mkdir()
    with pytest.raises(dd.CameraError, match=r"/a b: this folder holds none of") as raised:
        dd.load_cameras(tmp_path / "a\nb")
    assert str(raised.value).isprintable()
