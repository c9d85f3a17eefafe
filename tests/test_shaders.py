"""Shader files: includes, include guards, macros, and errors that name file and line."""

from __future__ import annotations

import re

import pytest

import ddepth_gl as dd
from ddepth_gl.gl import shaders, state_bindings
from ddepth_gl.gl.shaders import compile_program, compose


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "include").mkdir()
    monkeypatch.setattr(shaders, "shader_folder", lambda: tmp_path)
    shaders._read.cache_clear()
    yield tmp_path
    shaders._read.cache_clear()


def test_includes_are_recursive_and_keep_line_numbers(folder):
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


def guarded(macro: str, text: str) -> str:
    return f"#ifndef {macro}\n#define {macro}\n{text}#endif\n"


@pytest.mark.parametrize(
    ("broken", "location"),
    [
        (None, None),
        ("include/deep.glsl", "include/deep.glsl:4"),
        ("include/user.glsl", "include/user.glsl:4"),
        ("f.frag", "f.frag:5"),
    ],
)
def test_an_include_that_is_reached_twice(folder, renderer, broken, location):
    """Its guard hides the second copy. Line numbers stay right inside and after both copies."""
    deep = guarded("DEEP_GLSL", "const float deep = 1.0;\n")
    user = '#include "deep.glsl"\n#include "deep.glsl"\nconst float user = deep;\n'
    main = '#version 410 core\n#include "deep.glsl"\n#include "user.glsl"\nvoid main() {}\n'
    sources = {"include/deep.glsl": deep, "include/user.glsl": user, "f.frag": main}
    if broken is not None:
        lines = sources[broken].splitlines(keepends=True)
        end = len(lines) - lines[-1].startswith("#endif")
        sources[broken] = "".join([*lines[:end], "float broken = nonsense;\n", *lines[end:]])
    for name, text in sources.items():
        (folder / name).write_text(text)
    (folder / "v.vert").write_text("#version 410 core\nvoid main() { gl_Position = vec4(0.0); }\n")
    stages = {"vertex_shader": "v.vert", "fragment_shader": "f.frag"}
    with renderer._context as context:
        if location is None:
            compile_program(context.gl, **stages).release()
        else:
            with pytest.raises(dd.ShaderError) as caught:
                compile_program(context.gl, **stages)
            assert f": {location}" in str(caught.value)


def test_a_circular_include_and_a_missing_file(folder):
    (folder / "a.frag").write_text('#version 410 core\n#include "b.glsl"\n')
    (folder / "include" / "b.glsl").write_text('#include "b.glsl"\n')
    expected = r"includes itself: a.frag -> include/b.glsl -> include/b.glsl"
    with pytest.raises(dd.ShaderError, match=expected):
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


def test_a_missing_shader_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shaders, "files", lambda _: tmp_path / "ddepth_gl")
    shaders.shader_folder.cache_clear()
    try:
        with pytest.raises(dd.ShaderError, match=r"_shaders.*shaders.*reinstall"):
            shaders.shader_folder()
    finally:
        shaders.shader_folder.cache_clear()


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


def test_coverage_and_order_need_no_built_in_of_open_order():
    """`precise` does not reach into dot() and the like; wide.glsl has exact replacements."""
    shades = {
        *("resolve.frag", "photo.frag", "shade_sheet.frag", "light.glsl", "srgb.glsl"),
        *("attributes.frag", "crossing_attributes.glsl", "surface_color.glsl"),
        *("surface_texture.glsl", "world_points.vert"),
    }
    folder = shaders.shader_folder()
    paths = [path for path in folder.rglob("*.*") if path.name not in shades]
    assert len(paths) > 20
    for path in paths:
        code = re.sub("//.*", "", path.read_text(encoding="utf-8"))
        assert not re.findall(r"\b(?:dot|cross|length|distance|normalize|mix|fma)\(", code), path


def test_write_only_buffers_are_not_read():
    """`a[i] = b[j] = c` reads b: NVIDIA refuses it, while Mesa and glslang do not."""
    found = 0
    for path in shaders.shader_folder().rglob("*.*"):
        code = re.sub(r"//.*|(?m:^\s*#.*)", "", path.read_text(encoding="utf-8"))
        for name in re.findall(r"writeonly buffer \w+ \{[^}]*?(\w+)\[\]; \}", code):
            uses = re.findall(rf"(.)\s*\b{name}\[(?!\])", code, re.S)
            found += len(uses)
            assert set(uses) <= set(";{})"), f"{path}: {name} is read"
    assert found > 10


def test_borrowed_contexts_get_back_every_binding_that_shaders_use():
    bindings = {"sampler": set(), "buffer": set()}
    for path in shaders.shader_folder().rglob("*.*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.search(r"binding = (\d+)\).*\b[iu]?(sampler|buffer)", line)
            if found:
                bindings[found[2]].add(int(found[1]))
    assert len(bindings["sampler"]) > 10
    assert max(bindings["sampler"]) < state_bindings._TEXTURE_UNITS
    assert len(bindings["buffer"]) > 3
    assert max(bindings["buffer"]) < state_bindings._STORAGE_BUFFERS
