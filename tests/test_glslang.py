"""What conftest.py does with every program that tests compile: it is recorded and checked."""

from __future__ import annotations

import glslang
import pytest
from conftest import ENGINES
from shapes import box, turned_view

import ddepth_gl as dd
from ddepth_gl.gl import shaders

VERTEX = "#version 410 core\nvoid main() { gl_Position = vec4(0.0); }\n"
FRAGMENT = """#version 410 core
#include "color.glsl"
layout(location = 0) out vec4 color;
void main() { color = vec4(gray()); }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of shaders instead of the project's, with a vertex shader."""
    (tmp_path / "include").mkdir()
    (tmp_path / "v.vert").write_text(VERTEX)
    monkeypatch.setattr(shaders, "shader_folder", lambda: tmp_path)
    shaders._read.cache_clear()
    yield tmp_path
    shaders._read.cache_clear()


@pytest.mark.skipif(not glslang.validator(), reason=glslang.MISSING)
@pytest.mark.parametrize(
    ("gray", "fault"),
    [
        ("float gray() {\n    return 0.5 * GRAY;\n}\n", None),
        ("float gray() { return 0.5lf * GRAY; }\n", "include/color.glsl:1: "),
        ("float gray() {\n    return nonsense;\n}\n", "include/color.glsl:2: 'nonsense'"),
        ("float gray() {\n", "f.frag:3: 'out'"),  # after the include
    ],
)
def test_a_fault_is_located(folder, gray, fault):
    (folder / "f.frag").write_text(FRAGMENT)
    (folder / "include" / "color.glsl").write_text(gray)
    sources = shaders.compose_program({"GRAY": 1}, vertex_shader="v.vert", fragment_shader="f.frag")
    found = glslang.faults({"v.vert + f.frag with GRAY=1": sources})
    if fault is None:
        assert found == []
    else:
        assert all(message.startswith("v.vert + f.frag with GRAY=1: ") for message in found)
        assert fault in found[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_programs_are_recorded_once_they_are_compiled(engine):
    camera = turned_view(0.1, 0.0, 0.0)
    with glslang.recorded_programs() as programs, dd.DepthRenderer(engine=engine) as renderer:
        scene = renderer.upload(box())
        renderer.entry_exit(scene, camera)
        renderer.entry_exit(scene, camera, near=2.5)
    texts = {
        name: "".join(text for text, _ in sources.values()) for name, sources in programs.items()
    }
    shader = {"raster": "sheet.vert + sheet.frag", "compute": "compute_small.comp"}[engine]
    cropped = [text for name, text in texts.items() if shader in name and "CROP=1" in name]
    assert cropped
    assert all("#define CROP 1\n" in text for text in cropped)
    assert [name for name in texts if shader in name and "CROP=0" in name]
    assert not [name for name, text in texts.items() if "#include" in text]


def test_the_session_records_its_programs(compiled_programs):
    with dd.DepthRenderer(engine="raster") as renderer:
        renderer.entry_exit(renderer.upload(box()), turned_view(0.1, 0.0, 0.0))
    assert any("sheet.vert + sheet.frag" in name for name in compiled_programs)
    if glslang.validator():
        assert glslang.faults(compiled_programs) == []


def test_broken_shaders_of_tests_are_not_recorded(folder, compiled_programs):
    (folder / "f.frag").write_text("#version 410 core\nnonsense\n")
    stages = {"vertex_shader": "v.vert", "fragment_shader": "f.frag"}
    with (
        dd.DepthRenderer() as renderer,
        renderer._context as context,
        pytest.raises(dd.ShaderError),
    ):
        shaders.compile_program(context.gl, **stages)
    assert not [name for name in compiled_programs if "f.frag" in name.split()]
