"""EGL bindings through ctypes: the devices of this machine, and headless contexts on them.

They replace moderngl's own EGL loader; docs/decisions/0002-egl-through-ctypes.md says why.

Sources: EGL 1.5, EGL_EXT_device_enumeration, EGL_EXT_device_query, EGL_EXT_platform_device,
EGL_KHR_surfaceless_context, EGL_NV_device_cuda.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_ssize_t, c_uint, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ContextError
from .current import glx_is_current
from .unpacked_mesa import load_libegl

__all__ = ["INSTALL_HINT", "Egl", "load"]

INSTALL_HINT = (
    "on Debian or Ubuntu: apt-get install -y libegl1 libgl1 libgl1-mesa-dri, or without root, in "
    "the folder of the repository: scripts/system-gl PATH_OF_YOUR_ENVIRONMENT"
)

_EXTENSIONS = 0x3055
_PLATFORM_DEVICE = 0x313F
_OPENGL_API = 0x30A2
_NONE = 0x3038
_CONTEXT_MAJOR, _CONTEXT_MINOR = 0x3098, 0x30FB
_CONTEXT_PROFILE, _CORE_PROFILE = 0x30FD, 1
_DRM_DEVICE_FILE = 0x3233
_CUDA_DEVICE = 0x323A

_ERROR_NAMES = {
    0x3000: "EGL_SUCCESS",
    0x3001: "EGL_NOT_INITIALIZED",
    0x3002: "EGL_BAD_ACCESS",
    0x3003: "EGL_BAD_ALLOC",
    0x3004: "EGL_BAD_ATTRIBUTE",
    0x3005: "EGL_BAD_CONFIG",
    0x3006: "EGL_BAD_CONTEXT",
    0x3008: "EGL_BAD_DISPLAY",
    0x3009: "EGL_BAD_MATCH",
    0x300C: "EGL_BAD_PARAMETER",
    0x300E: "EGL_CONTEXT_LOST",
}


class Egl:
    """The loaded EGL library, with typed functions. Errors raise `ContextError`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        def core(name: str, result: Any, *arguments: Any) -> Any:
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            return function

        self.get_proc_address = core("eglGetProcAddress", c_void_p, c_char_p)
        self._get_error = core("eglGetError", c_int)
        self._query_string = core("eglQueryString", c_char_p, c_void_p, c_int)
        self._initialize = core("eglInitialize", c_uint, c_void_p, c_void_p, c_void_p)
        self._bind_api = core("eglBindAPI", c_uint, c_uint)
        self._create_context = core(
            "eglCreateContext", c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_int)
        )
        self._destroy_context = core("eglDestroyContext", c_uint, c_void_p, c_void_p)
        self._make_current = core("eglMakeCurrent", c_uint, c_void_p, c_void_p, c_void_p, c_void_p)
        self.current_context = core("eglGetCurrentContext", c_void_p)
        self._current_display = core("eglGetCurrentDisplay", c_void_p)
        self._current_surface = core("eglGetCurrentSurface", c_void_p, c_int)

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return the EGL extension or OpenGL function `name` as a ctypes callable.

        Raises:
            ContextError: the driver has no such function.
        """
        address = self.get_proc_address(name.encode())
        if not address:
            raise ContextError(f"the driver has no {name}; update it, or {INSTALL_HINT}")
        return CFUNCTYPE(result, *arguments)(address)

    def devices(self) -> list[int]:
        """Return the handles of all EGL devices, in the driver's order."""
        extensions = (self._query_string(None, _EXTENSIONS) or b"").split()
        if not {b"EGL_EXT_device_enumeration", b"EGL_EXT_device_base"} & set(extensions):
            return []
        query = self.function(
            "eglQueryDevicesEXT", c_uint, c_int, POINTER(c_void_p), POINTER(c_int)
        )
        count = c_int()
        if not query(0, None, byref(count)) or count.value < 1:
            return []
        handles = (c_void_p * count.value)()
        query(count.value, handles, byref(count))
        return [handle for handle in handles[: count.value] if handle]

    def _device_extensions(self, device: int) -> set[bytes]:
        query = self.function("eglQueryDeviceStringEXT", c_char_p, c_void_p, c_int)
        return set((query(device, _EXTENSIONS) or b"").split())

    def is_software(self, device: int) -> bool:
        """Return whether the device is Mesa's software rasterizer."""
        return b"EGL_MESA_device_software" in self._device_extensions(device)

    def cuda_index(self, device: int) -> int | None:
        """Return the device's CUDA ordinal or None; CUDA_VISIBLE_DEVICES does not affect it."""
        if b"EGL_NV_device_cuda" not in self._device_extensions(device):
            return None
        value = c_ssize_t(-1)
        query = self.function(
            "eglQueryDeviceAttribEXT", c_uint, c_void_p, c_int, POINTER(c_ssize_t)
        )
        has_index = query(device, _CUDA_DEVICE, byref(value)) and value.value >= 0
        return value.value if has_index else None

    def pci_address(self, device: int) -> str | None:
        """Return the PCI address such as ``0000:3b:00.0``, found through the DRM node, or None."""
        if b"EGL_EXT_device_drm" not in self._device_extensions(device):
            return None
        query = self.function("eglQueryDeviceStringEXT", c_char_p, c_void_p, c_int)
        node = query(device, _DRM_DEVICE_FILE)
        if not node:
            return None
        link = Path("/sys/class/drm") / Path(node.decode()).name / "device"
        return link.resolve().name if link.exists() else None

    def display(self, device: int) -> int:
        """Return the initialized EGL display of a device.

        A device has one display per process, shared by all libraries that use EGL. So it is never
        terminated here: that would destroy the other libraries' contexts.

        Raises:
            ContextError: the display does not initialize, or needs a surface.
        """
        get_display = self.function(
            "eglGetPlatformDisplayEXT", c_void_p, c_uint, c_void_p, POINTER(c_int)
        )
        display = get_display(_PLATFORM_DEVICE, device, None)
        if not display or not self._initialize(display, None, None):
            raise ContextError(f"the EGL display does not initialize ({self._error()})")
        extensions = (self._query_string(display, _EXTENSIONS) or b"").split()
        if b"EGL_KHR_surfaceless_context" not in extensions:
            raise ContextError("the EGL display has no EGL_KHR_surfaceless_context")
        return int(display)

    def create_context(self, display: int, versions: tuple[tuple[int, int], ...]) -> int:
        """Return a core-profile OpenGL context of the first of `versions` that the driver offers.

        Raises:
            ContextError: the driver offers none of them.
        """
        if not self._bind_api(_OPENGL_API):
            raise ContextError(f"EGL offers no desktop OpenGL ({self._error()})")
        for major, minor in versions:
            attributes = (c_int * 7)(
                _CONTEXT_MAJOR, major, _CONTEXT_MINOR, minor, _CONTEXT_PROFILE, _CORE_PROFILE, _NONE
            )
            context = self._create_context(display, None, None, attributes)
            if context:
                return int(context)
        wanted = ".".join(map(str, versions[-1]))
        raise ContextError(f"no OpenGL {wanted} core context ({self._error()})")

    def destroy_context(self, display: int, context: int) -> None:
        """Destroy a context. If it is current, no context is current afterward."""
        if self.current_context() == context:
            self._make_current(display, None, None, None)
        self._destroy_context(display, context)

    def current(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Return this thread's current (display, draw surface, read surface, context)."""
        draw, read = self._current_surface(0x3059), self._current_surface(0x305A)
        return self._current_display(), draw, read, self.current_context()

    def make_current(
        self, display: int | None, draw: int | None, read: int | None, context: int | None
    ) -> None:
        """Make a context current in this thread.

        Raises:
            ContextError: the driver refuses, for example because the context is current in another
                thread.
        """
        if self._make_current(display, draw, read, context):
            return
        if glx_is_current():
            raise ContextError(
                "another library's GLX context (an X11 window's) is current in this thread, and "
                f"the driver refuses EGL beside it ({self._error()}); pass that context to "
                "DepthRenderer(context=...), release it from the thread first, or use the "
                "DepthRenderer in another thread or process"
            )
        raise ContextError(f"the OpenGL context cannot be made current ({self._error()})")

    def _error(self) -> str:
        code = self._get_error()
        return _ERROR_NAMES.get(code, f"EGL error {code:#x}")


@cache
def load() -> Egl:
    """Return the EGL library, loaded once per process.

    Raises:
        ContextError: there is no libEGL, or the system is Windows or macOS.
    """
    if sys.platform in ("win32", "darwin"):
        raise ContextError(
            "rendering without a window needs EGL, which ddepth_gl uses on Linux only; pass a "
            "window's context: DepthRenderer(context=moderngl.get_context())"
        )
    try:
        return Egl(load_libegl())
    except OSError as error:
        raise ContextError(f"libEGL.so.1 cannot be loaded ({error}); {INSTALL_HINT}") from None
