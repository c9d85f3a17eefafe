"""Formats that are refused: one line each, with a command that a shell can split."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest

import ddepth_gl as dd
from ddepth_gl.io.meshes import refused_formats
from ddepth_gl.io.meshes.read import MESH_SUFFIXES

ALL = [
    *refused_formats._COMMANDS,
    *refused_formats._PROGRAMS,
    *refused_formats._POINTS,
    *refused_formats._PACKED,
]


@pytest.mark.parametrize("suffix", [*ALL, ".FBX", ".foo"])
def test_refused_in_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(dd.MeshError) as caught:
        dd.load_mesh(path)
    message = str(caught.value).removeprefix(f"{path}: ")
    assert len(message) <= 240
    assert not message.endswith("...")
    assert "; " in message
    assert suffix in message or suffix in refused_formats._PACKED


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.obj.gz", "gunzip in.obj.gz"),
        ("a.OBJ.GZ", "gunzip in.OBJ.gz"),
        ("a.ply.zst", "unzstd in.ply.zst"),
        ("a.fbx.xz", "unxz in.fbx.xz"),
        ("a.tar.gz", "tar xf in.tar.gz"),
        ("a.v2.gz", "gunzip in.gz"),
        ("a.glb.zip", "unzip in.glb.zip"),
    ],
)
def test_what_is_packed_keeps_its_name(name: str, command: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(dd.MeshError) as caught:
        dd.load_mesh(tmp_path / name)
    assert str(caught.value).endswith(f"it is packed; unpack it first: {command}")


def test_no_format_is_both_read_and_refused() -> None:
    assert not set(MESH_SUFFIXES) & set(ALL)
    assert len(ALL) == len(set(ALL))


def test_commands_name_the_file(tmp_path: Path) -> None:
    for name, shown in (
        ("bracket_v2.step", "gmsh bracket_v2.step -2 -o out.stl"),
        ("Bracket.STEP", "gmsh Bracket.STEP -2"),
        ("two words.step", "gmsh in.step"),  # would need quotes, and quotes in quotes elsewhere
        ("-o.step", "gmsh in.step"),
        (f"{'x' * 60}.step", "gmsh in.step"),
        ("a.fbx", "filepath='a.fbx'"),
    ):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(dd.MeshError) as caught:
            dd.load_mesh(tmp_path / name)
        assert shown in str(caught.value)


@pytest.mark.parametrize("suffix", list(refused_formats._COMMANDS))
def test_commands(suffix: str) -> None:
    advice = refused_formats.conversion_advice(suffix, MESH_SUFFIXES)
    words = shlex.split(advice.partition("convert it: ")[2])
    assert words[0] in ("blender", "assimp", "gmsh", "python", "meshio")
    assert any(f"in{suffix}" in word for word in words)
    assert any("out." in word for word in words)
    for flag in ("--python-expr", "-c"):
        if flag in words:
            ast.parse(words[words.index(flag) + 1])
