"""OpenGL functions that moderngl lacks, such as buffer textures and mapped buffers."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ContextError, DeviceMemoryError
from .loader import Loader

__all__ = ["STENCIL_MAX", "BufferTexture", "GLFunctions"]

STENCIL_MAX = 255  # counts saturate here

_TEXTURE_2D, _TEXTURE0, _TEXTURE_BUFFER = 0x0DE1, 0x84C0, 0x8C2A
_INTEGER_TEXELS = (0x8235, 0x823B, 0x8D83, 0x8D82)  # GL_R32I, GL_RG32I, GL_RGB32I, GL_RGBA32I
_FLOAT, _UNSIGNED_BYTE = 0x1406, 0x1401
# Internal format, pixel format and pixel type.
# GL_DEPTH_COMPONENT32F, GL_DEPTH_COMPONENT, GL_FLOAT
_DEPTH = (0x8CAC, 0x1902, _FLOAT)
# GL_DEPTH32F_STENCIL8, GL_DEPTH_STENCIL, GL_FLOAT_32_UNSIGNED_INT_24_8_REV
_DEPTH_STENCIL = (0x8CAD, 0x84F9, 0x8DAD)
_FRAMEBUFFER, _DEPTH_STENCIL_ATTACHMENT, _STENCIL_INDEX = 0x8D40, 0x821A, 0x1901
_STENCIL_TEST, _ALWAYS, _KEEP, _INCREMENT = 0x0B90, 0x0207, 0x1E00, 0x1E02
_PACK_ALIGNMENT = 0x0D05
_COPY_READ_BUFFER = 0x8F36
# GL_MAP_READ_BIT 1, GL_MAP_WRITE_BIT 2, GL_MAP_INVALIDATE_RANGE_BIT 4
_MAP_ACCESS = {"read": 1, "write": 2 | 4, "update": 1 | 2}
_COPY_WRITE_BUFFER, _R32UI, _RED_INTEGER, _UNSIGNED_INT = 0x8F37, 0x8236, 0x8D94, 0x1405
_DEDICATED_KILOBYTES = 0x9047  # GL_GPU_MEMORY_INFO_DEDICATED_VIDMEM_NVX

_UINT, _INT, _SIZE, _POINTER = ctypes.c_uint, ctypes.c_int, ctypes.c_ssize_t, ctypes.c_void_p
# Argument types of the functions that return nothing.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "glActiveTexture": (_UINT,),
    "glBindBuffer": (_UINT, _UINT),
    "glBindTexture": (_UINT, _UINT),
    "glClearBufferfi": (_UINT, _INT, ctypes.c_float, _INT),
    "glDeleteTextures": (_INT, _POINTER),
    "glDisable": (_UINT,),
    "glEnable": (_UINT,),
    "glFramebufferTexture2D": (_UINT, _UINT, _UINT, _UINT, _INT),
    "glGenTextures": (_INT, _POINTER),
    "glGetBufferSubData": (_UINT, _SIZE, _SIZE, _POINTER),
    "glGetIntegerv": (_UINT, _POINTER),
    "glPixelStorei": (_UINT, _INT),
    "glProgramUniform1i": (_UINT, _INT, _INT),
    "glReadPixels": (_INT, _INT, _INT, _INT, _UINT, _UINT, _POINTER),
    "glStencilFunc": (_UINT, _INT, _UINT),
    "glStencilMask": (_UINT,),
    "glStencilOp": (_UINT, _UINT, _UINT),
    "glTexBuffer": (_UINT, _UINT, _UINT),
    "glTexImage2D": (_UINT, _INT, _INT, _INT, _INT, _INT, _UINT, _UINT, _POINTER),
}

# Name, return type and argument types.
_MAP_BUFFER = ("glMapBufferRange", _POINTER, _UINT, _SIZE, _SIZE, _UINT)
_UNMAP_BUFFER = ("glUnmapBuffer", ctypes.c_ubyte, _UINT)

# OpenGL 4.3; only the compute engine calls them.
_SIGNATURES_43: dict[str, tuple[Any, ...]] = {
    "glClearBufferSubData": (_UINT, _UINT, _SIZE, _SIZE, _UINT, _UINT, _POINTER),
}


class GLFunctions:
    """The OpenGL functions of one context, which must be current.

    Args:
        gl: the `moderngl.Context`.
        loader: looks up the functions.
        objects: a set to add every object to that is created here; None for none.

    Raises:
        ContextError: the driver lacks one of the functions.
    """

    def __init__(
        self, gl: Any, loader: Loader, objects: weakref.WeakSet[Any] | None = None
    ) -> None:
        self._gl, self._objects = gl, objects
        self._functions: dict[str, Callable[..., None]] = {
            name: loader.function(name, None, *arguments)
            for name, arguments in (
                _SIGNATURES | (_SIGNATURES_43 if gl.version_code >= 430 else {})
            ).items()
        }
        self._map, self._unmap = loader.function(*_MAP_BUFFER), loader.function(*_UNMAP_BUFFER)

    def device_memory(self) -> int | None:
        """Return the bytes of dedicated video memory, or None if the driver does not report it.

        GL_NVX_gpu_memory_info reports kilobytes as a signed 32-bit integer and defines no error.
        Do not call this for a software renderer: Mesa's llvmpipe reports garbage, often negative.
        """
        if "GL_NVX_gpu_memory_info" not in self._gl.extensions:
            return None
        kilobytes = _INT()
        self._call("glGetIntegerv", _DEDICATED_KILOBYTES, ctypes.byref(kilobytes))
        return 1024 * kilobytes.value if kilobytes.value > 0 else None

    def depth_texture(self, size: tuple[int, int], *, stencil: bool = False) -> Any:
        """Return a moderngl depth texture stored as 32-bit float; moderngl's own are 24-bit.

        Args:
            size: (width, height) in pixels.
            stencil: whether to add 8 bits of stencil; see `attach_stencil`.
        """
        internal_format, pixel_format, pixel_type = _DEPTH_STENCIL if stencil else _DEPTH
        texture = self._gl.depth_texture(size)
        self._call("glBindTexture", _TEXTURE_2D, texture.glo)
        self._call(
            "glTexImage2D",
            _TEXTURE_2D,
            0,
            internal_format,
            *size,
            0,
            pixel_format,
            pixel_type,
            None,
        )
        return texture

    def attach_stencil(self, framebuffer: Any, depth_buffer: Any) -> None:
        """Attach the stencil of `depth_buffer` to a framebuffer that already has its depth."""
        framebuffer.use()
        self._call(
            "glFramebufferTexture2D",
            _FRAMEBUFFER,
            _DEPTH_STENCIL_ATTACHMENT,
            _TEXTURE_2D,
            depth_buffer.glo,
            0,
        )

    def clear_depth(self) -> None:
        """Clear the bound framebuffer's depth to 1 and its stencil to 0; keep its colors."""
        self._call("glStencilMask", STENCIL_MAX)
        self._call("glClearBufferfi", _DEPTH_STENCIL[1], 0, 1.0, 0)

    @contextmanager
    def counting_fragments(self) -> Iterator[None]:
        """Count fragments in the stencil during a block, also those that fail the depth test."""
        self._call("glEnable", _STENCIL_TEST)
        self._call("glStencilMask", STENCIL_MAX)
        self._call("glStencilFunc", _ALWAYS, 0, STENCIL_MAX)
        self._call("glStencilOp", _KEEP, _INCREMENT, _INCREMENT)
        try:
            yield
        finally:
            self._call("glDisable", _STENCIL_TEST)

    def read_stencil(self, framebuffer: Any) -> npt.NDArray[np.uint8]:
        """Return the stencil of a framebuffer, (H, W) uint8."""
        width, height = framebuffer.size
        stencil = np.empty((height, width), np.uint8)
        framebuffer.use()
        self._call("glPixelStorei", _PACK_ALIGNMENT, 1)
        self._call(
            "glReadPixels", 0, 0, width, height, _STENCIL_INDEX, _UNSIGNED_BYTE, stencil.ctypes.data
        )
        return stencil

    def fill_buffer(self, buffer: Any, value: int, count: int, first: int = 0) -> None:
        """Set `count` 32-bit elements of a buffer to `value`, from index `first`. OpenGL 4.3."""
        self._call("glBindBuffer", _COPY_WRITE_BUFFER, buffer.glo)
        self._call(
            "glClearBufferSubData",
            _COPY_WRITE_BUFFER,
            _R32UI,
            4 * first,
            4 * count,
            _RED_INTEGER,
            _UNSIGNED_INT,
            ctypes.byref(_UINT(value)),
        )

    @contextmanager
    def mapped(
        self,
        buffer: Any,
        dtype: npt.DTypeLike,
        count: int,
        first: int = 0,
        *,
        access: Literal["read", "write", "update"] = "read",
    ) -> Iterator[npt.NDArray[Any]]:
        """Map elements of a buffer during a block, and yield them as an array without a copy.

        Args:
            buffer: moderngl buffer; nothing else may use it during the block.
            dtype: type of the elements.
            count: number of elements.
            first: index of the first element.
            access: what the block does with the elements: "read" them, "write" all of them and read
                none, or "update" them, reading and writing.

        Raises:
            DeviceMemoryError: the driver finds no memory that the CPU can access.
            ContextError: the driver lost the contents, as some do when the display changes.
        """
        size = np.dtype(dtype).itemsize
        if count == 0:  # OpenGL refuses an empty range
            yield np.empty(0, dtype)
            return
        self._call("glBindBuffer", _COPY_READ_BUFFER, buffer.glo)
        address = self._map(_COPY_READ_BUFFER, size * first, size * count, _MAP_ACCESS[access])
        if not address:
            self._gl.error  # noqa: B018  reading it clears it
            raise DeviceMemoryError(
                f"the driver cannot map {size * count:,} bytes; reduce the image size"
            )
        memory = (ctypes.c_char * (size * count)).from_address(address)
        try:
            yield np.frombuffer(memoryview(memory), dtype)
        finally:
            self._call("glBindBuffer", _COPY_READ_BUFFER, buffer.glo)
            is_intact = self._unmap(_COPY_READ_BUFFER)
        if not is_intact:
            raise ContextError("the driver lost the contents of a buffer; render the image again")

    def copy_from_buffer(self, buffer: Any, first_byte: int, array: npt.NDArray[Any]) -> None:
        """Wait for the device; fill a C-contiguous array from a buffer, which is not mapped."""
        self._call("glBindBuffer", _COPY_READ_BUFFER, buffer.glo)
        self._call(
            "glGetBufferSubData", _COPY_READ_BUFFER, first_byte, array.nbytes, array.ctypes.data
        )

    def buffer_texture(self, buffer: Any, components: int) -> BufferTexture:
        """Return a view of a buffer as texels of signed 32-bit integers; moderngl has none.

        Args:
            buffer: moderngl buffer; it must outlive the texture.
            components: integers per texel, 1 to 4.
        """
        name = _UINT()
        self._call("glGenTextures", 1, ctypes.byref(name))
        texture = BufferTexture(self._functions, name.value)
        if self._objects is not None:
            self._objects.add(texture)
        texture.use(0)
        self._call("glTexBuffer", _TEXTURE_BUFFER, _INTEGER_TEXELS[components - 1], buffer.glo)
        return texture

    def set_sampler(self, program: Any, name: str, unit: int) -> None:
        """Set a sampler's texture unit; moderngl silently ignores samplers of buffer textures."""
        self._call("glProgramUniform1i", program.glo, program[name].location, unit)

    def _call(self, name: str, *arguments: Any) -> None:
        self._functions[name](*arguments)


class BufferTexture:
    """A view of a buffer for texelFetch in shaders; created by `GLFunctions.buffer_texture`."""

    def __init__(self, functions: dict[str, Callable[..., None]], name: int) -> None:
        self._functions, self._name = functions, name

    def use(self, unit: int) -> None:
        """Bind the texture to a texture unit."""
        self._functions["glActiveTexture"](_TEXTURE0 + unit)
        self._functions["glBindTexture"](_TEXTURE_BUFFER, self._name)

    def release(self) -> None:
        """Free the view but not the buffer. Idempotent."""
        self._functions["glDeleteTextures"](1, ctypes.byref(_UINT(self._name)))
        self._name = 0  # OpenGL ignores it
