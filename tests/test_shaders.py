"""Shader files: includes, defines, and errors that name file and line."""

from __future__ import annotations

import pytest

import ddepth_gl as dd
from ddepth_gl.gl import shaders as shader_library
from ddepth_gl.gl.shaders import compile_program, compose


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "include").mkdir()
    monkeypatch.setattr(shader_library, "shader_folder", lambda: tmp_path)
    shader_library._read.cache_clear()
    yield tmp_path
    shader_library._read.cache_clear()


def test_includes_are_recursive_and_lines_are_kept(folder):
    (folder / "a.frag").write_text('#version 410 core\n#include "b.glsl"\nvoid main() {}\n')
    (folder / "include" / "b.glsl").write_text('#include "c.glsl"\nfloat b;\n')
    (folder / "include" / "c.glsl").write_text("float c;\n")
    text, names = compose("a.frag", {"N": 3})
    assert names == ["a.frag", "include/b.glsl", "include/c.glsl"]
    assert text.splitlines() == [
        "#version 410 core",
        "#define N 3",
        "#line 2",
        "#line 100001",
        "#line 200001",
        "float c;",
        "#line 100002",
        "float b;",
        "#line 3",
        "void main() {}",
    ]


def test_a_circle_and_a_missing_file(folder):
    (folder / "a.frag").write_text('#version 410 core\n#include "b.glsl"\n')
    (folder / "include" / "b.glsl").write_text('#include "b.glsl"\n')
    with pytest.raises(dd.ShaderError, match=r"round: a.frag -> include/b.glsl -> include/b.glsl"):
        compose("a.frag")
    with pytest.raises(dd.ShaderError, match=r"missing\.frag.*reinstall"):
        compose("missing.frag")


def test_a_compile_error_names_file_and_line(folder, renderer):
    (folder / "v.vert").write_text("#version 410 core\nvoid main() { gl_Position = vec4(0.0); }\n")
    (folder / "f.frag").write_text('#version 410 core\n#include "bad.glsl"\nvoid main() {}\n')
    (folder / "include" / "bad.glsl").write_text("float fine;\n\nfloat broken = nonsense;\n")
    with (
        renderer._context as context,
        pytest.raises(dd.ShaderError, match=r"include/bad\.glsl:3") as caught,
    ):
        compile_program(context.gl, vertex_shader="v.vert", fragment_shader="f.frag")
    assert "\n" not in str(caught.value)
    assert "f.frag" in str(caught.value)


def test_no_shaders_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(shader_library, "files", lambda _: tmp_path / "ddepth_gl")
    shader_library.shader_folder.cache_clear()
    try:
        with pytest.raises(dd.ShaderError, match=r"_shaders.*shaders.*reinstall"):
            shader_library.shader_folder()
    finally:
        shader_library.shader_folder.cache_clear()


def test_every_shader_compiles_in_every_variant(renderer):
    with renderer._context as context:
        for variant in range(8):
            defines = {
                "PERSPECTIVE": variant & 1,
                "WRITE_FACE": variant >> 1 & 1,
                "CROP": variant >> 2,
            }
            compile_program(
                context.gl, defines, vertex_shader="sheet.vert", fragment_shader="sheet.frag"
            ).release()
