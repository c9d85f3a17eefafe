"""All state of an OpenGL context, queried from the driver, and values for it that nobody expects.

Written from the state tables of the OpenGL 4.6 specification (core profile, chapter 23), and not
from the package's own lists, which it checks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_char_p, c_double, c_float, c_int, c_int64, c_ssize_t, c_ubyte, c_uint
from typing import Any

import moderngl
import numpy as np

State = dict[str, Any]

# Tables 23.4 to 23.29 and 23.50 onward: name, query, number of values.
INTEGERS = {
    "vertex array": (0x85B5, 1),
    "array buffer": (0x8894, 1),
    "draw indirect buffer": (0x8F43, 1),
    "primitive restart index": (0x8F9E, 1),
    "patch vertices": (0x8E72, 1),
    "provoking vertex": (0x8E4F, 1),
    "clip origin": (0x935C, 1),
    "clip depth mode": (0x935D, 1),
    "clamp read color": (0x891C, 1),
    "transform feedback": (0x8E25, 1),
    "transform feedback buffer": (0x8C8F, 1),
    "transform feedback active": (0x8E24, 1),
    "transform feedback paused": (0x8E23, 1),
    "point sprite origin": (0x8CA0, 1),
    "cull face mode": (0x0B45, 1),
    "front face": (0x0B46, 1),
    "polygon mode": (0x0B40, 1),
    "active texture": (0x84E0, 1),
    "texture buffer": (0x8C2A, 1),
    "stencil function": (0x0B92, 1),
    "stencil mask": (0x0B93, 1),
    "stencil reference": (0x0B97, 1),
    "stencil fail": (0x0B94, 1),
    "stencil depth fail": (0x0B95, 1),
    "stencil depth pass": (0x0B96, 1),
    "stencil write mask": (0x0B98, 1),
    "back stencil function": (0x8800, 1),
    "back stencil mask": (0x8CA4, 1),
    "back stencil reference": (0x8CA3, 1),
    "back stencil fail": (0x8801, 1),
    "back stencil depth fail": (0x8802, 1),
    "back stencil depth pass": (0x8803, 1),
    "back stencil write mask": (0x8CA5, 1),
    "stencil clear value": (0x0B91, 1),
    "depth function": (0x0B74, 1),
    "depth mask": (0x0B72, 1),
    "logic operation": (0x0BF0, 1),
    "draw framebuffer": (0x8CA6, 1),
    "read framebuffer": (0x8CAA, 1),
    "read buffer": (0x0C02, 1),
    "renderbuffer": (0x8CA7, 1),
    "pixel pack buffer": (0x88ED, 1),
    "pixel unpack buffer": (0x88EF, 1),
    "program": (0x8B8D, 1),
    "program pipeline": (0x825A, 1),
    "uniform buffer": (0x8A28, 1),
    "shader storage buffer": (0x90D3, 1),
    "atomic counter buffer": (0x92C1, 1),
    "dispatch indirect buffer": (0x90EF, 1),
    "copy read buffer": (0x8F36, 1),
    "copy write buffer": (0x8F37, 1),
    "query buffer": (0x9193, 1),
    "line smooth hint": (0x0C52, 1),
    "polygon smooth hint": (0x0C53, 1),
    "derivative hint": (0x8B8B, 1),
    "compression hint": (0x84EF, 1),
    "reset strategy": (0x8256, 1),
    "debug groups": (0x826D, 1),
}
PIXEL_STORE = {
    f"{kind} {what}": base + offset if base else 0
    for kind, first, second in (("pack", 0x0D00, 0x806B), ("unpack", 0x0CF0, 0x806D))
    for what, base, offset in (
        ("swap bytes", first, 0),
        ("lsb first", first, 1),
        ("row length", first, 2),
        ("skip rows", first, 3),
        ("skip pixels", first, 4),
        ("alignment", first, 5),
        ("skip images", second, 0),
        ("image height", second, 1),
    )
} | {
    "unpack compressed width": 0x9127,
    "unpack compressed height": 0x9128,
    "unpack compressed depth": 0x9129,
    "unpack compressed size": 0x912A,
    "pack compressed width": 0x912B,
    "pack compressed height": 0x912C,
    "pack compressed depth": 0x912D,
    "pack compressed size": 0x912E,
}
FLOATS = {
    "blend color": (0x8005, 4),
    "clear color": (0x0C22, 4),
    "clear depth": (0x0B73, 1),
    "line width": (0x0B21, 1),
    "point size": (0x0B11, 1),
    "point fade threshold": (0x8128, 1),
    "polygon offset factor": (0x8038, 1),
    "polygon offset units": (0x2A00, 1),
    "sample coverage value": (0x80AA, 1),
    "sample coverage invert": (0x80AB, 1),
    "minimum sample shading": (0x8C37, 1),
    "outer tessellation levels": (0x8E74, 4),
    "inner tessellation levels": (0x8E73, 2),
}
CAPABILITIES = {
    "blend": 0x0BE2,
    "color logic op": 0x0BF2,
    "cull face": 0x0B44,
    "debug output": 0x92E0,
    "debug output synchronous": 0x8242,
    "depth clamp": 0x864F,
    "depth test": 0x0B71,
    "dither": 0x0BD0,
    "framebuffer srgb": 0x8DB9,
    "line smooth": 0x0B20,
    "multisample": 0x809D,
    "polygon offset fill": 0x8037,
    "polygon offset line": 0x2A02,
    "polygon offset point": 0x2A01,
    "polygon smooth": 0x0B41,
    "primitive restart": 0x8F9D,
    "primitive restart fixed index": 0x8D69,
    "program point size": 0x8642,
    "rasterizer discard": 0x8C89,
    "sample alpha to coverage": 0x809E,
    "sample alpha to one": 0x809F,
    "sample coverage": 0x80A0,
    "sample mask": 0x8E51,
    "sample shading": 0x8C36,
    "scissor test": 0x0C11,
    "stencil test": 0x0B90,
    "cube map seamless": 0x884F,
    **{f"clip distance {index}": 0x3000 + index for index in range(8)},
}
# Of the compatibility profile.
OLD_CAPABILITIES = {"alpha test": 0x0BC0, "polygon stipple": 0x0B42, "fog": 0x0B60}
OLD_INTEGERS = {"clamp vertex color": (0x891A, 1), "clamp fragment color": (0x891B, 1)}
OLD_FLOATS = {
    "alpha test reference": (0x0BC2, 1),
    **{
        f"pixel transfer {name:#x}": (name, 1)
        for name in range(0x0D10, 0x0D20)
        if name not in (0x0D16, 0x0D17)
    },
}
TEXTURES = {
    0x0DE0: 0x8068,  # 1D
    0x0DE1: 0x8069,  # 2D
    0x806F: 0x806A,  # 3D
    0x8C18: 0x8C1C,  # 1D array
    0x8C1A: 0x8C1D,  # 2D array
    0x84F5: 0x84F6,  # rectangle
    0x8513: 0x8514,  # cube map
    0x9009: 0x900A,  # cube map array
    0x8C2A: 0x8C2C,  # buffer
    0x9100: 0x9104,  # 2D multisample
    0x9102: 0x9105,  # 2D multisample array
}
# Query of the number of binding points; then name, start and size at an index.
INDEXED_BUFFERS = {
    "uniform buffer": (0x8A2F, 0x8A28, 0x8A29, 0x8A2A),
    "shader storage buffer": (0x90DD, 0x90D3, 0x90D4, 0x90D5),
    "atomic counter buffer": (0x92DC, 0x92C1, 0x92C2, 0x92C3),
    "transform feedback buffer": (0x8E70, 0x8C8F, 0x8C84, 0x8C85),
}
IMAGES = {  # name, level, layered, layer, access, format
    "name": 0x8F3A,
    "level": 0x8F3B,
    "layered": 0x8F3C,
    "layer": 0x8F3D,
    "access": 0x8F3E,
    "format": 0x906E,
}
QUERIES = {"samples": 0x8914, "any samples": 0x8C2F, "primitives": 0x8C87, "time": 0x88BF}


class RawGL:
    """OpenGL by name, without checks: integers as they are, anything else as ctypes objects."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self._load: Callable[[str], int] = ctx.mglo._context.load_opengl_function
        self._functions: dict[tuple[str, Any], Any] = {}

    def __call__(self, name: str, *arguments: Any, result: Any = None) -> Any:
        key = (name, result)
        if key not in self._functions:
            address = self._load(name)
            assert address, name
            self._functions[key] = ctypes.CFUNCTYPE(result)(address)
        return self._functions[key](*arguments)

    def get(self, kind: Any, name: int, count: int = 1, *index: int) -> tuple[Any, ...]:
        values = (kind * 16)()
        letter = {c_int: "Integer", c_int64: "Integer64", c_float: "Float", c_double: "Double"}
        letter[c_ubyte] = "Boolean"
        self(f"glGet{letter[kind]}{'i_' if index else ''}v", name, *index, values)
        return tuple(values[:count])

    def number(self, name: int) -> int:
        value: int = self.get(c_int, name)[0]
        return value

    def generate(self, kind: str, count: int = 1) -> list[int]:
        names = (c_uint * count)()
        self(f"glGen{kind}", count, names)
        return list(names)


def query_all(gl: RawGL, *, compatibility: bool = False) -> State:
    """Return all state. Leaves none changed but errors, of which there must be none."""
    state: State = {"error": gl("glGetError", result=c_uint)}
    version = 100 * gl.number(0x821B) + 10 * gl.number(0x821C)
    integers, floats = dict(INTEGERS), dict(FLOATS)
    capabilities = dict(CAPABILITIES)
    if compatibility:
        integers |= OLD_INTEGERS
        integers["polygon mode"] = (0x0B40, 2)
        floats |= OLD_FLOATS
        capabilities |= OLD_CAPABILITIES
    for name, (query, count) in integers.items():
        state[name] = gl.get(c_int, query, count)
    for name, query in PIXEL_STORE.items():
        state[name] = gl.get(c_int, query)
    for name, (query, count) in floats.items():
        state[name] = gl.get(c_float, query, count)
    for name, capability in capabilities.items():
        state[name] = gl("glIsEnabled", capability, result=c_ubyte)
    for index in range(gl.number(0x825B)):  # GL_MAX_VIEWPORTS
        state[f"viewport {index}"] = gl.get(c_float, 0x0BA2, 4, index)
        state[f"scissor {index}"] = gl.get(c_int, 0x0C10, 4, index)
        state[f"depth range {index}"] = gl.get(c_double, 0x0B70, 2, index)
        state[f"scissor test {index}"] = gl("glIsEnabledi", 0x0C11, index, result=c_ubyte)
    for index in range(gl.number(0x8824)):  # GL_MAX_DRAW_BUFFERS
        state[f"blend {index}"] = gl("glIsEnabledi", 0x0BE2, index, result=c_ubyte)
        state[f"color mask {index}"] = gl.get(c_ubyte, 0x0C23, 4, index)
        state[f"blending {index}"] = [
            gl.get(c_int, query, 1, index)
            for query in (0x80C9, 0x80C8, 0x80CB, 0x80CA, 0x8009, 0x883D)
        ]
        state[f"draw buffer {index}"] = gl.number(0x8825 + index)
    state["sample mask value"] = gl.get(c_int, 0x8E52, 1, 0)
    for target, query in QUERIES.items():
        value = c_int()
        gl("glGetQueryiv", query, 0x8865, byref(value))
        state[f"query {target}"] = value.value
    for index in range(1, 16):  # the current value of attribute 0 is an error in some profiles
        values = (c_float * 4)()
        gl("glGetVertexAttribfv", index, 0x8626, values)
        state[f"attribute {index}"] = tuple(values)
    state["vertex array contents"] = vertex_array_contents(gl)
    state |= bindings(gl)
    state["subroutines"] = subroutines(gl)
    error = gl("glGetError", result=c_uint)
    assert version < 450 or not error, hex(error)
    return state


def vertex_array_contents(gl: RawGL) -> Any:
    if not gl.number(0x85B5):
        return None
    contents: list[Any] = [gl.number(0x8895)]  # element array buffer
    for index in range(16):
        for query in (0x8622, 0x8623, 0x8624, 0x8625, 0x886A, 0x889F, 0x88FD, 0x88FE):
            value = c_int()
            gl("glGetVertexAttribiv", index, query, byref(value))
            contents.append(value.value)
    return contents


def bindings(gl: RawGL) -> State:
    state: State = {}
    active = gl.number(0x84E0)
    for unit in range(gl.number(0x8B4D)):  # GL_MAX_COMBINED_TEXTURE_IMAGE_UNITS
        gl("glActiveTexture", 0x84C0 + unit)
        state[f"textures {unit}"] = [gl.number(query) for query in TEXTURES.values()]
        state[f"sampler {unit}"] = gl.number(0x8919)
    gl("glActiveTexture", active)
    for kind, (count, name, start, size) in INDEXED_BUFFERS.items():
        for index in range(gl.number(count)):
            state[f"{kind} {index}"] = (
                gl.get(c_int, name, 1, index),
                gl.get(c_int64, start, 1, index),
                gl.get(c_int64, size, 1, index),
            )
    for unit in range(gl.number(0x8F38)):  # GL_MAX_IMAGE_UNITS
        state[f"image {unit}"] = [gl.get(c_int, query, 1, unit) for query in IMAGES.values()]
    return state


def subroutines(gl: RawGL) -> Any:
    program = gl.number(0x8B8D)
    if not program:
        return None
    found = []
    for stage in (0x8B31, 0x8B30):
        count = c_int()
        gl("glGetProgramStageiv", program, stage, 0x8E47, byref(count))
        for location in range(count.value):
            index = c_uint()
            gl("glGetUniformSubroutineuiv", stage, location, byref(index))
            found.append((stage, location, index.value))
    return found


def make_unusual(ctx: moderngl.Context, gl: RawGL, *, compatibility: bool = False) -> list[Any]:
    """Give all state an unusual value; return what must be kept alive."""
    kept: list[Any] = []
    # Of an earlier call: these would apply to the images that are created here.
    gl("glBindBuffer", 0x88EC, 0)
    for name, query in PIXEL_STORE.items():
        gl("glPixelStorei", query, 4 if "alignment" in name else 0)
    program = program_with_subroutines(ctx, gl, kept)
    framebuffer = two_framebuffers(ctx, kept)
    vertex_array = ctx.vertex_array(
        program, [(ctx.buffer(np.zeros(30, "f4")), "2f4 1f4", "corner", "more")],
        ctx.buffer(np.arange(9, dtype="u4")),
    )  # fmt: skip
    kept += [program, vertex_array]
    # Enabled capabilities would hide what a renderer does wrong in others, so set them all.
    gl("glBindVertexArray", vertex_array.glo)
    for name, capability in CAPABILITIES.items():
        if name.startswith("debug"):
            continue
        gl("glDisable" if name in ("dither", "multisample") else "glEnable", capability)
    gl("glPrimitiveRestartIndex", 3)
    gl("glPatchParameteri", 0x8E72, 5)
    gl("glPatchParameterfv", 0x8E74, (c_float * 4)(2, 3, 4, 5))
    gl("glProvokingVertex", 0x8E4D)
    gl("glClipControl", 0x8CA2, 0x935F)
    gl("glClampColor", 0x891C, 1)
    gl("glPointParameteri", 0x8CA0, 0x8CA1)
    gl("glPointParameterf", 0x8128, c_float(0.5))
    gl("glPointSize", c_float(3))
    gl("glCullFace", 0x0408)  # both sides
    gl("glFrontFace", 0x0901)  # passes set the other one
    gl("glPolygonMode", 0x0408, 0x1B01)
    gl("glPolygonOffset", c_float(3.5), c_float(-7))
    gl("glStencilFuncSeparate", 0x0404, 0x0200, 3, 0x55)
    gl("glStencilFuncSeparate", 0x0405, 0x0204, 5, 0x33)
    gl("glStencilOpSeparate", 0x0404, 0x1E01, 0x1E02, 0x150A)
    gl("glStencilOpSeparate", 0x0405, 0x8507, 0x8508, 0x1E03)
    gl("glStencilMaskSeparate", 0x0404, 0x0F)
    gl("glStencilMaskSeparate", 0x0405, 0xF0)
    gl("glClearStencil", 9)
    gl("glDepthFunc", 0x0200)  # never
    gl("glDepthMask", 0)
    gl("glLogicOp", 0x150A)
    gl("glBlendColor", *map(c_float, (0.1, 0.2, 0.3, 0.4)))
    gl("glClearColor", *map(c_float, (0.4, 0.3, 0.2, 0.1)))
    gl("glClearDepth", c_double(0.25))
    gl("glSampleCoverage", c_float(0.25), 1)
    gl("glSampleMaski", 0, 0)
    gl("glMinSampleShading", c_float(0.75))
    for index in range(gl.number(0x8824)):
        gl("glBlendFuncSeparatei", index, 0x0300, 0x0303, 0x0306 if index % 2 else 0x0307, 1)
        gl("glBlendEquationSeparatei", index, 0x800A, 0x8007 + index % 2)
        gl("glColorMaski", index, index % 2, 0, 1, (index + 1) % 2)
        if index % 3 == 2:
            gl("glDisablei", 0x0BE2, index)
    for index in range(gl.number(0x825B)):
        gl("glViewportIndexedf", index, *map(c_float, (1.5 + index, 2.25, 7, 5)))
        gl("glScissorIndexed", index, 1, 2 + index, 3, 2)
        gl("glDepthRangeIndexed", index, c_double(0.75), c_double(0.125 + index / 64))
        if index % 3 == 2:
            gl("glDisablei", 0x0C11, index)
    for name, query in PIXEL_STORE.items():
        value = 1 if name.endswith(("bytes", "first")) else 8 if "alignment" in name else 3
        gl("glPixelStorei", query, 0 if "compressed" in name else value)
    for hint in (0x0C53, 0x8B8B, 0x84EF):
        gl("glHint", hint, 0x1102)
    for index in range(1, 16):
        gl("glVertexAttrib4f", index, *map(c_float, (index, 0.5, -1, 2)))
    if compatibility:
        make_old_state_unusual(gl)
    bind_unusual(ctx, gl, kept)
    gl("glBindFramebuffer", 0x8CA9, framebuffer[0].glo)
    gl("glBindFramebuffer", 0x8CA8, framebuffer[1].glo)
    gl("glReadBuffer", 0x8CE1)
    gl("glUseProgram", program.glo)
    gl("glUniformSubroutinesuiv", 0x8B31, 1, byref(c_uint(1)))
    assert gl("glGetError", result=c_uint) == 0
    return kept


def program_with_subroutines(ctx: moderngl.Context, gl: RawGL, kept: list[Any]) -> Any:
    return ctx.program(
        vertex_shader="""
            #version 410
            subroutine float Choice(float x);
            subroutine(Choice) float first(float x) { return x; }
            subroutine(Choice) float second(float x) { return -x; }
            subroutine uniform Choice choice;
            in vec2 corner; in float more;
            void main() { gl_Position = vec4(corner, choice(more), 1.0); }
        """,
        fragment_shader="""
            #version 410
            layout(location = 0) out vec4 color; layout(location = 1) out vec4 other;
            void main() { color = vec4(1.0); other = color; }
        """,
    )


def two_framebuffers(ctx: moderngl.Context, kept: list[Any]) -> list[Any]:
    found = []
    for size in ((12, 11), (9, 13)):
        images = [ctx.texture(size, 4, dtype=dtype) for dtype in ("f4", "f1")]
        found.append(ctx.framebuffer(images, ctx.depth_renderbuffer(size)))
        kept += [*images, found[-1]]
    return found


def make_old_state_unusual(gl: RawGL) -> None:
    for capability in OLD_CAPABILITIES.values():
        gl("glEnable", capability)
    gl("glAlphaFunc", 0x0200, c_float(0.5))
    gl("glPolygonStipple", (c_ubyte * 128)())
    gl("glClampColor", 0x891A, 0)
    gl("glClampColor", 0x891B, 1)
    gl("glPolygonMode", 0x0404, 0x1B00)
    for name in range(0x0D10, 0x0D20):
        if name not in (0x0D16, 0x0D17):
            gl("glPixelTransferf", name, c_float(1 if name < 0x0D14 else 0.375))


def bind_unusual(ctx: moderngl.Context, gl: RawGL, kept: list[Any]) -> None:
    """Bind an object of the owner to every binding point."""
    (feedback,) = gl.generate("TransformFeedbacks")
    gl("glBindTransformFeedback", 0x8E22, feedback)
    buffers = [ctx.buffer(reserve=4096) for _ in range(4)]
    kept += buffers
    for number, target in enumerate(
        (0x8892, 0x88EB, 0x88EC, 0x8F3F, 0x90EE, 0x8F36, 0x8F37, 0x8C2A, 0x9192)
    ):
        gl("glBindBuffer", target, buffers[number % 4].glo)
    for target, count in ((0x8A11, 0x8A2F), (0x90D2, 0x90DD), (0x92C0, 0x92DC), (0x8C8E, 0x8E70)):
        for index in range(gl.number(count)):
            name = buffers[index % 4].glo
            if index % 3 == 2:
                gl("glBindBufferBase", target, index, name)
            else:
                ranges = (c_ssize_t(256 * (index % 3)), c_ssize_t(512))
                gl("glBindBufferRange", target, index, name, *ranges)
        gl("glBindBuffer", target, buffers[1].glo)
    samplers = gl.generate("Samplers", 2)
    for sampler in samplers:
        gl("glSamplerParameteri", sampler, 0x884C, 0x884E)  # compare depths
        gl("glSamplerParameteri", sampler, 0x2802, 0x812F)
    images = gl.generate("Textures", 2)
    for texture in images:
        gl("glBindTexture", 0x0DE1, texture)
        gl("glTexStorage2D", 0x0DE1, 2, 0x8058, 8, 8)
    names = {target: gl.generate("Textures", 2) for target in TEXTURES}
    for unit in range(gl.number(0x8B4D)):
        gl("glActiveTexture", 0x84C0 + unit)
        gl("glBindSampler", unit, samplers[unit % 2])
        for target in TEXTURES:
            gl("glBindTexture", target, names[target][unit % 2])
    gl("glActiveTexture", 0x84C0 + 5)
    for unit in range(gl.number(0x8F38)):
        gl("glBindImageTexture", unit, images[unit % 2], 1, 0, 0, 0x88BA, 0x8058)
    (renderbuffer,) = gl.generate("Renderbuffers")
    gl("glBindRenderbuffer", 0x8D41, renderbuffer)
    (pipeline,) = gl.generate("ProgramPipelines")
    gl("glBindProgramPipeline", pipeline)


def version_string(gl: RawGL) -> str:
    text: bytes = gl("glGetString", 0x1F02, result=c_char_p)
    return text.decode()
