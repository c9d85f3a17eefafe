"""The OpenGL state that passes change or rely on, as entries to save and restore; bindings aside.

moderngl's own changes count. Numbers and default values are from the state tables of OpenGL 4.6,
chapter 23 of each profile's specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import c_double, c_float, c_int, c_ubyte, c_uint

from .state_access import Entry, StateAccess, joined

__all__ = ["state_entries"]

_MAX_DRAW_BUFFERS, _MAX_VIEWPORTS, _MAX_CLIP_DISTANCES = 0x8824, 0x825B, 0x0D32

# Capabilities and their defaults.
_CAPABILITIES = {
    0x0B41: False,  # GL_POLYGON_SMOOTH
    0x0B44: False,  # GL_CULL_FACE
    0x0B71: False,  # GL_DEPTH_TEST
    0x0B90: False,  # GL_STENCIL_TEST
    0x0BD0: True,  # GL_DITHER
    0x0BF2: False,  # GL_COLOR_LOGIC_OP
    0x2A01: False,  # GL_POLYGON_OFFSET_POINT
    0x2A02: False,  # GL_POLYGON_OFFSET_LINE
    0x8037: False,  # GL_POLYGON_OFFSET_FILL
    0x809D: True,  # GL_MULTISAMPLE
    0x809E: False,  # GL_SAMPLE_ALPHA_TO_COVERAGE
    0x809F: False,  # GL_SAMPLE_ALPHA_TO_ONE
    0x80A0: False,  # GL_SAMPLE_COVERAGE
    0x8642: False,  # GL_PROGRAM_POINT_SIZE
    0x864F: False,  # GL_DEPTH_CLAMP
    0x884F: False,  # GL_TEXTURE_CUBE_MAP_SEAMLESS; moderngl enables it
    0x8C36: False,  # GL_SAMPLE_SHADING
    0x8C89: False,  # GL_RASTERIZER_DISCARD
    0x8DB9: False,  # GL_FRAMEBUFFER_SRGB
    0x8E51: False,  # GL_SAMPLE_MASK
    0x8F9D: False,  # GL_PRIMITIVE_RESTART; moderngl enables it
}
_PRIMITIVE_RESTART_FIXED_INDEX = 0x8D69  # OpenGL 4.3
_CLIP_DISTANCE0, _BLEND, _SCISSOR_TEST = 0x3000, 0x0BE2, 0x0C11
_COMPATIBILITY_CAPABILITIES = (0x0BC0, 0x0B42)  # GL_ALPHA_TEST, GL_POLYGON_STIPPLE
# Capabilities of extensions that change which fragments are drawn; disabled by default.
_EXTENSION_CAPABILITIES = {
    "GL_EXT_depth_bounds_test": 0x8890,
    "GL_INTEL_conservative_rasterization": 0x83FE,
    "GL_NV_conservative_raster": 0x9346,
}

# Parameters of glPixelStorei, for packing and unpacking: swap bytes, LSB first, row length, skipped
# rows, skipped pixels, alignment, skipped images, image height.
_PIXEL_STORE = (
    *(0x0D00, 0x0D01, 0x0D02, 0x0D03, 0x0D04, 0x0D05, 0x806B, 0x806C),
    *(0x0CF0, 0x0CF1, 0x0CF2, 0x0CF3, 0x0CF4, 0x0CF5, 0x806D, 0x806E),
)
_ALIGNMENTS = (0x0D05, 0x0CF5)
# Parameters of glPixelTransferf, in the compatibility profile: those whose default is 0, and 1.
_PIXEL_BIASES = (0x0D10, 0x0D11, 0x0D12, 0x0D13, 0x0D15, 0x0D19, 0x0D1B, 0x0D1D, 0x0D1F)
_PIXEL_SCALES = (0x0D14, 0x0D18, 0x0D1A, 0x0D1C, 0x0D1E)
_CLAMP_READ_COLOR, _CLAMP_FRAGMENT_COLOR = 0x891C, 0x891B

# Face, then the queries of function, reference, mask of the comparison, the three operations, and
# the mask of writes.
_STENCIL = (
    (0x0404, 0x0B92, 0x0B97, 0x0B93, 0x0B94, 0x0B95, 0x0B96, 0x0B98),
    (0x0405, 0x8800, 0x8CA3, 0x8CA4, 0x8801, 0x8802, 0x8803, 0x8CA5),
)


def state_entries(access: StateAccess) -> list[Entry]:
    """Return the entries of a context."""
    groups: list[Callable[[StateAccess], Iterator[Entry]]] = [
        _capabilities,
        _rasterization,
        _draw_buffers,
        _viewports,
        _stencil,
        _pixels,
    ]
    return [entry for group in groups for entry in group(access)]


def _capabilities(access: StateAccess) -> Iterator[Entry]:
    defaults = dict(_CAPABILITIES)
    for index in range(access.number(_MAX_CLIP_DISTANCES)):
        defaults[_CLIP_DISTANCE0 + index] = False
    if access.version >= 430:
        defaults[_PRIMITIVE_RESTART_FIXED_INDEX] = False
    if access.is_compatible:
        defaults.update(dict.fromkeys(_COMPATIBILITY_CAPABILITIES, False))
    for extension, capability in _EXTENSION_CAPABILITIES.items():
        if extension in access.extensions:
            defaults[capability] = False
    for capability, default in defaults.items():
        yield _capability(access, "", (capability,), default)


def _capability(
    access: StateAccess, suffix: str, arguments: tuple[int, ...], default: bool
) -> Entry:
    """Return the entry of a capability, or with the suffix "i" of one at an index."""
    types = [c_uint] * len(arguments)
    is_enabled = access.function(f"glIsEnabled{suffix}", c_ubyte, *types)
    enable = access.function(f"glEnable{suffix}", None, *types)
    disable = access.function(f"glDisable{suffix}", None, *types)
    return Entry(
        lambda: (is_enabled(*arguments),),
        lambda on: (enable if on else disable)(*arguments),
        (int(default),),
    )


def _rasterization(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.reader, access.setter
    yield Entry(read(0x0B45), setter("glCullFace", [c_uint]))
    yield Entry(read(0x0B46), setter("glFrontFace", [c_uint]))
    yield Entry(read(0x0B72), setter("glDepthMask", [c_ubyte]), (1,))
    yield Entry(read(0x0B74), setter("glDepthFunc", [c_uint]))
    yield Entry(read(0x8E4F), setter("glProvokingVertex", [c_uint]), (0x8E4E,))  # the last
    yield Entry(read(0x8F9E), setter("glPrimitiveRestartIndex", [c_uint]))
    set_mode = access.function("glPolygonMode", None, c_uint, c_uint)
    if access.is_compatible:  # front and back may differ

        def set_modes(front: int, back: int) -> None:
            set_mode(0x0404, front)
            set_mode(0x0405, back)

        yield Entry(read(0x0B40, 2), set_modes, (0x1B02, 0x1B02))  # GL_FILL
    else:
        yield Entry(read(0x0B40), lambda mode: set_mode(0x0408, mode), (0x1B02,))
    if access.version >= 450 or "GL_ARB_clip_control" in access.extensions:
        yield Entry(
            joined(read(0x935C), read(0x935D)),
            setter("glClipControl", [c_uint, c_uint]),
            (0x8CA1, 0x935E),  # GL_LOWER_LEFT, GL_NEGATIVE_ONE_TO_ONE
        )
    yield Entry(read(0x0C22, 4, c_float), setter("glClearColor", [c_float] * 4))
    yield Entry(read(0x0B73, 1, c_double), setter("glClearDepth", [c_double]))


def _draw_buffers(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.indexed_reader, access.setter
    for index in range(access.number(_MAX_DRAW_BUFFERS)):
        yield _capability(access, "i", (_BLEND, index), False)
        yield Entry(
            read(0x0C23, index, 4, c_ubyte),
            setter("glColorMaski", [c_uint, *[c_ubyte] * 4], index),
            (1, 1, 1, 1),
        )
        # Source and destination of color, then of alpha.
        functions = [read(name, index) for name in (0x80C9, 0x80C8, 0x80CB, 0x80CA)]
        yield Entry(joined(*functions), setter("glBlendFuncSeparatei", [c_uint] * 5, index))
        equations = [read(name, index) for name in (0x8009, 0x883D)]
        yield Entry(joined(*equations), setter("glBlendEquationSeparatei", [c_uint] * 3, index))


def _viewports(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.indexed_reader, access.setter
    for index in range(access.number(_MAX_VIEWPORTS)):
        yield _capability(access, "i", (_SCISSOR_TEST, index), False)
        yield Entry(
            read(0x0BA2, index, 4, c_float),
            setter("glViewportIndexedf", [c_uint, *[c_float] * 4], index),
        )
        yield Entry(
            read(0x0C10, index, 4), setter("glScissorIndexed", [c_uint, *[c_int] * 4], index)
        )
        yield Entry(
            read(0x0B70, index, 2, c_double),
            setter("glDepthRangeIndexed", [c_uint, c_double, c_double], index),
            (0.0, 1.0),
        )


def _stencil(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.reader, access.setter
    for face, function, reference, mask, *operations, write_mask in _STENCIL:
        yield Entry(
            joined(read(function), read(reference), read(mask)),
            setter("glStencilFuncSeparate", [c_uint, c_uint, c_int, c_uint], face),
        )
        yield Entry(
            joined(*map(read, operations)), setter("glStencilOpSeparate", [c_uint] * 4, face)
        )
        yield Entry(read(write_mask), setter("glStencilMaskSeparate", [c_uint, c_uint], face))


def _pixels(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.reader, access.setter
    for name in _PIXEL_STORE:
        default = 4 if name in _ALIGNMENTS else 0
        yield Entry(read(name), setter("glPixelStorei", [c_uint, c_int], name), (default,))
    clamps = (_CLAMP_READ_COLOR, *[_CLAMP_FRAGMENT_COLOR] * access.is_compatible)
    for name in clamps:
        set_clamp = setter("glClampColor", [c_uint, c_uint], name)
        yield Entry(read(name), set_clamp, (0x891D,))  # GL_FIXED_ONLY
    if access.is_compatible:
        for names, neutral in ((_PIXEL_BIASES, 0.0), (_PIXEL_SCALES, 1.0)):
            for name in names:
                set_transfer = setter("glPixelTransferf", [c_uint, c_float], name)
                yield Entry(read(name, 1, c_float), set_transfer, (neutral,))
