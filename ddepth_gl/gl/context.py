"""The only place that creates and closes an OpenGL context, and that knows the machine's devices."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import moderngl

from .._checks import shown
from ..errors import ContextClosedError, ContextError, DeviceMemoryError
from . import egl
from .functions import GLFunctions
from .memory import host_memory

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Device",
    "DeviceReport",
    "GLContext",
    "check_not_forked",
    "devices",
    "inspect_devices",
]

ENVIRONMENT_VARIABLE = "DDEPTH_DEVICE"
DEVICE_FORMS = "an EGL index such as 0, 'cuda:0', a PCI address such as '0000:3b:00.0', 'gpu', 'software' or 'auto'"

# Newest first: a driver may answer a request for 4.1 with just 4.1. 4.3 brings compute shaders.
_VERSIONS = ((4, 6), (4, 5), (4, 3), (4, 1))

# Of Mesa's and Google's software rasterizers, in lower case.
_SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "swrast")

# Contexts of this module; when one of them is current at entry it need not be put back at exit.
_our_contexts: set[int] = set()

# The process that opened a device, or asked a GPU's driver for its devices: this one, or the one that it was
# forked from. Mesa's worker threads and the connections of GPU drivers begin there and do not survive fork:
# OpenGL in the child would hang.
_gl_process: int | None = None


def _note_use() -> None:
    global _gl_process
    _gl_process = os.getpid()


def _is_forked() -> bool:
    return _gl_process not in (None, os.getpid())


def check_not_forked() -> None:
    """Raises ContextError where this process was forked from one that had used OpenGL."""
    if _is_forked():
        raise ContextError(
            f"OpenGL does not survive fork, and process {_gl_process} had used it when this one was forked "
            "(a DepthRenderer, even one closed since); start processes with multiprocessing's 'spawn' or "
            "'forkserver' method (DataLoader: multiprocessing_context='spawn'), or make no DepthRenderer "
            "before the fork"
        )


@dataclass(frozen=True)
class Device:
    """One EGL device of this machine.

    Attributes:
        index: EGL index, the number that `GLContext` takes.
        handle: the driver's handle.
        is_software: Mesa's software rasterizer.
        cuda_index: CUDA ordinal, where the device has one.
        pci_address: such as ``0000:3b:00.0``, where the device has one.
    """

    index: int
    handle: int
    is_software: bool
    cuda_index: int | None
    pci_address: str | None

    def __str__(self) -> str:
        kind = "software" if self.is_software else self.pci_address or "GPU"
        return f"device {self.index} ({kind})"


def devices() -> list[Device]:
    """Every EGL device, in the driver's order.

    Raises:
        ContextError: there is no EGL on this machine, or this process was forked from one that used it.
    """
    check_not_forked()
    library = egl.load()
    found = [
        Device(
            index,
            handle,
            library.is_software(handle),
            library.cuda_index(handle),
            library.pci_address(handle),
        )
        for index, handle in enumerate(library.devices())
    ]
    if not all(device.is_software for device in found):
        _note_use()  # a GPU's driver connects as soon as it is asked for devices
    return found


def _candidates(wanted: int | str | None, require_gpu: bool) -> list[Device]:
    """The devices to try, in order: GPUs first, then software."""
    asked_by = "device="
    if wanted is None:
        wanted, asked_by = (
            os.environ.get(ENVIRONMENT_VARIABLE) or "auto",
            f"{ENVIRONMENT_VARIABLE}=",
        )
    if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
        raise ContextError(f"{asked_by}{shown(wanted)} is not a device; give {DEVICE_FORMS}")
    present = devices()
    if not present:
        raise ContextError(
            f"EGL finds no device: no vendor library answers; {egl.INSTALL_HINT}; "
            "in an NVIDIA container set NVIDIA_DRIVER_CAPABILITIES=all"
        )
    in_order = sorted(present, key=lambda device: device.is_software)
    name = (wanted if isinstance(wanted, str) else shown(wanted)).strip().lower()
    if name == "auto":
        chosen = in_order
    elif name in ("gpu", "software"):
        chosen = [device for device in in_order if device.is_software == (name == "software")]
    elif name.startswith("cuda:") and name[5:].isdigit():
        chosen = [device for device in present if device.cuda_index == int(name[5:])]
    elif name.isdigit():
        chosen = [device for device in present if device.index == int(name)]
    elif ":" in name and "." in name:
        chosen = [device for device in present if device.pci_address == name]
    else:
        raise ContextError(f"{asked_by}{shown(wanted)} is not a device; give {DEVICE_FORMS}")
    listing = ", ".join(map(str, present))
    if not chosen:
        raise ContextError(
            f"{asked_by}{shown(wanted)} matches none of the EGL devices here: {listing}; use one of these"
        )
    if require_gpu:
        chosen = [device for device in chosen if not device.is_software]
        if not chosen:
            raise ContextError(
                f"require_gpu=True, but the EGL devices here are: {listing}; install the GPU's driver "
                "with its EGL library (in an NVIDIA container: NVIDIA_DRIVER_CAPABILITIES=all)"
            )
    return chosen


class _Loader:
    """What moderngl asks of a context: addresses of functions; currency is `GLContext`'s business."""

    def __init__(self, library: egl.Egl) -> None:
        self._library = library

    def load_opengl_function(self, name: str) -> int:
        return self._library.get_proc_address(name.encode()) or 0

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def release(self) -> None: ...


class GLContext:
    """A headless OpenGL context on one device; ``with context:`` makes it current.

    It serves the thread and the process that made it. Whatever other EGL context was current at entry is
    current again at exit. In a forked child it counts as closed: what it owns is the parent's.

    Args:
        device: an EGL index, ``"cuda:0"``, a PCI address, ``"gpu"``, ``"software"`` or ``"auto"``;
            None takes the environment variable DDEPTH_DEVICE, else ``"auto"``: GPUs first, then software.
        require_gpu: refuse Mesa's software rasterizer.

    Attributes:
        gl: the `moderngl.Context`.
        calls: the calls that it lacks.
        device: the `Device` it runs on.
        vendor, renderer, gl_version: what the driver says of itself.
        is_software: whether a processor does the rendering.
        max_image_size: the largest width and height of an image.
        memory: bytes that the device has, or that this process may use if that is less.
        has_compute: whether there are compute shaders, OpenGL 4.3.
        max_storage_block: bytes of the largest buffer that a compute shader can address.
        max_texels: of the largest buffer that is read as a texture.

    Raises:
        ContextError: no device serves; the message says what was tried and what mends it. Or the process was
            forked from one that had opened a device.
    """

    def __init__(self, device: int | str | None = None, *, require_gpu: bool = False) -> None:
        check_not_forked()
        self._thread = threading.get_ident()
        self._handle = 0
        self._depth = 0
        self._outer: tuple[int | None, ...] | None = None
        self._postponed: deque[Callable[[], None]] = deque()
        self._egl = egl.load()
        failures = []
        for candidate in _candidates(device, require_gpu):
            try:
                self._open(candidate, require_gpu)
                return
            except ContextError as error:
                if egl.glx_is_current():
                    raise  # no other device and no package would help
                failures.append(f"{candidate}: {error}")
        raise ContextError(f"no OpenGL context; tried {'; '.join(failures)}; {egl.INSTALL_HINT}")

    def _open(self, device: Device, require_gpu: bool) -> None:
        _note_use()
        self._display = self._egl.display(device.handle)
        self._handle = self._egl.create_context(self._display, _VERSIONS)
        _our_contexts.add(self._handle)
        try:
            with self:
                self._inspect(device, require_gpu)
        except BaseException:
            self._destroy()
            raise

    def _inspect(self, device: Device, require_gpu: bool) -> None:
        try:
            loader: Any = _Loader(self._egl)
            self.gl: Any = moderngl.create_context(require=410, standalone=True, context=loader)
        except Exception as error:  # moderngl raises bare Exception
            raise ContextError(f"moderngl refuses the context ({error})") from error
        info = self.gl.info
        self.device = device
        self.vendor: str = info["GL_VENDOR"]
        self.renderer: str = info["GL_RENDERER"]
        self.gl_version: str = info["GL_VERSION"]
        self.version_code: int = self.gl.version_code
        # A vendor library that fails to load is passed over silently: only the renderer's name is proof.
        self.is_software = device.is_software or any(
            name in self.renderer.lower() for name in _SOFTWARE_RENDERERS
        )
        if require_gpu and self.is_software:
            raise ContextError(f"require_gpu=True, but the renderer is {self.renderer}")
        self.max_image_size = min(
            info["GL_MAX_TEXTURE_SIZE"],
            info["GL_MAX_RENDERBUFFER_SIZE"],
            *info["GL_MAX_VIEWPORT_DIMS"],
        )
        # What a shader can address of one buffer; 0 without compute shaders.
        self.max_storage_block: int = info.get("GL_MAX_SHADER_STORAGE_BLOCK_SIZE", 0)
        self.max_texels: int = info.get("GL_MAX_TEXTURE_BUFFER_SIZE", 0)
        self.has_compute = self.version_code >= 430 and self.max_storage_block > 0
        self.functions = GLFunctions(self.gl, self._egl)
        host = host_memory()  # a software renderer's own; and no more is ever believed of a device
        device_memory = None if self.is_software else self.functions.device_memory()
        self.memory = min(host, device_memory or host)
        self._resting_framebuffer = self.gl.framebuffer([self.gl.renderbuffer((1, 1))])

    def unbind_framebuffer(self) -> None:
        """To be called before framebuffers are released: moderngl would bind a released one again."""
        self._resting_framebuffer.use()

    def release_when_collected(self, owner: object, objects: list[Any]) -> None:
        """Has `objects` (moderngl's) released soon after `owner` is garbage-collected.

        Not at once: collection may happen in any thread and in the middle of another context's calls. They
        wait until this context is next entered.
        """

        def release() -> None:
            for each in objects:
                each.release()

        weakref.finalize(owner, self.defer, release).atexit = False

    def defer(self, action: Callable[[], None]) -> None:
        """Has something done when this context is next entered; may be called in any thread."""
        self._postponed.append(action)

    @contextmanager
    def allocating(self, what: str, size: tuple[int, int], objects: list[Any]) -> Iterator[None]:
        """Within it, textures and framebuffers of one size are made.

        Args:
            what: they are for, in the message.
            size: (width, height) in pixels.
            objects: what was made so far, moderngl's, to be released if the rest cannot be made.

        Raises:
            DeviceMemoryError: they do not fit.
        """
        try:
            yield
            self.check_error(f"making {what}", "the image size")
        except BaseException as error:
            self.unbind_framebuffer()
            while objects:
                objects.pop().release()
            if isinstance(error, DeviceMemoryError) or not isinstance(error, Exception):
                raise
            raise self.allocation_error(what, size, error) from error

    def allocation_error(
        self, what: str, size: tuple[int, int], error: Exception
    ) -> DeviceMemoryError:
        """The error to raise where textures of `size` could not be made.

        moderngl reports a texture that the driver did not allocate as an incomplete framebuffer, or as it
        likes. What the failed allocation left behind is cleared.
        """
        self.gl.error  # noqa: B018  reading it clears it
        return DeviceMemoryError(
            f"{self.renderer} cannot make {what} of {size[0]}x{size[1]} pixels ({error}); "
            "reduce the image size"
        )

    def check_error(self, doing: str, reduce: str) -> None:
        """Raises what the driver has to say about the calls since the last check.

        Args:
            doing: what was being done, for the message.
            reduce: what to make smaller if memory ran out.

        Raises:
            DeviceMemoryError: the driver reports GL_OUT_OF_MEMORY.
            ContextError: it reports any other error.
        """
        error = self.gl.error
        if error == "GL_NO_ERROR":
            return
        if error == "GL_OUT_OF_MEMORY":
            raise DeviceMemoryError(
                f"{self.renderer} ran out of memory while {doing}; reduce {reduce}"
            )
        raise ContextError(f"{self.renderer} reports {error} while {doing}")

    @property
    def is_closed(self) -> bool:
        """Whether there is nothing to use or to free: it was released, or belongs to a parent process."""
        return self._handle == 0 or _is_forked()

    @property
    def in_owner_thread(self) -> bool:
        """Whether the caller is the thread that made the context."""
        return threading.get_ident() == self._thread

    def check_usable(self) -> None:
        """Raises unless the context is open and the caller is the thread and process that made it."""
        check_not_forked()
        if self.is_closed:
            raise ContextClosedError("the renderer is closed; make a new DepthRenderer")
        if threading.get_ident() != self._thread:
            raise ContextError(
                "a DepthRenderer serves only the thread that made it; make one in this thread as well"
            )

    def __enter__(self) -> GLContext:
        self.check_usable()
        if self._depth == 0:
            current = self._egl.current_context()
            if current != self._handle:
                self._outer = (
                    self._egl.current() if current and current not in _our_contexts else None
                )
                self._egl.make_current(self._display, None, None, self._handle)
            while self._postponed:
                self._postponed.popleft()()
        elif self._egl.current_context() != self._handle:
            self._egl.make_current(self._display, None, None, self._handle)
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0 and self._outer is not None:
            outer, self._outer = self._outer, None
            self._egl.make_current(*outer)

    def release(self) -> None:
        """Destroys the context; GL objects still alive in it go with it. Idempotent."""
        if self.is_closed:
            return
        with self:
            self.gl.release()
        self._destroy()

    def _destroy(self) -> None:
        self._egl.destroy_context(self._display, self._handle)
        _our_contexts.discard(self._handle)
        self._handle = 0


@dataclass(frozen=True)
class DeviceReport:
    """What `inspect_devices` found out about one device; `error` is set where no context could be made."""

    device: Device
    vendor: str | None = None
    renderer: str | None = None
    gl_version: str | None = None
    is_software: bool | None = None
    max_image_size: int | None = None
    engines: tuple[str, ...] = ()
    error: str | None = None


def inspect_devices() -> list[DeviceReport]:
    """Opens and closes a context on every EGL device and reports what it says of itself.

    Raises:
        ContextError: there is no EGL on this machine, or the process was forked from one that had opened a
            device.
    """
    reports = []
    for device in devices():
        try:
            context = GLContext(device.index)
        except ContextError as error:
            reports.append(DeviceReport(device, error=str(error)))
            continue
        reports.append(
            DeviceReport(
                device,
                context.vendor,
                context.renderer,
                context.gl_version,
                context.is_software,
                context.max_image_size,
                engines=("raster", "compute") if context.has_compute else ("raster",),
            )
        )
        context.release()
    return reports
