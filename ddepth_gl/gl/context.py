"""GLContext: an OpenGL context for the duration of a call, and what is owned in it."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from .._log import logger
from ..errors import ContextClosedError, ContextError, DeviceMemoryError
from .borrowed import BorrowedBinding
from .current import glx_is_current
from .devices import Device, candidate_devices
from .egl import INSTALL_HINT
from .forks import check_not_forked, is_forked
from .functions import GLFunctions
from .headless import HeadlessBinding
from .loader import Loader
from .memory import host_memory
from .moderngl_context import own_moderngl_context, track_objects
from .renderer_names import prefers_float_pairs, renders_on_cpu
from .result_buffers import ResultBuffers
from .staging import Staging
from .triton import keep_triton_apart

__all__ = ["GLContext"]

_log = logger(__name__)


class _Binding(Protocol):
    """The way in which a context becomes usable for a call, see `headless` and `borrowed`."""

    loader: Loader

    @property
    def is_reachable(self) -> bool: ...

    def enter(self) -> None: ...

    def reenter(self) -> None: ...

    def leave(self) -> None: ...

    def destroy(self) -> None: ...


class GLContext:
    """An OpenGL context; within ``with context:`` it can be used.

    It is a headless context of our own, which is current only within such a block: afterward, what
    was current before is so again. Or it is a context that others own and have made current; then
    the block leaves its state unchanged.

    Only the thread and the process that created it may use it. In a forked child the context counts
    as closed, because its objects belong to the parent.

    Args:
        device: an EGL index, ``"cuda:0"``, a PCI address, ``"gpu"``, ``"software"`` or ``"auto"``.
            ``"auto"`` tries GPUs first, then software. None takes the environment variable
            DDEPTH_DEVICE, or ``"auto"`` if it is not set.
        require_gpu: whether to refuse software rasterizers.
        borrowed: a `moderngl.Context` that others own, instead of a context on `device`.

    Attributes:
        gl: the `moderngl.Context`, our own also if the OpenGL context is not.
        functions: OpenGL functions that moderngl lacks.
        staging: how contents of buffers come to the CPU.
        result_buffers: buffers for results that stay on the device.
        device: the `Device` that the context is on; None if others own it.
        vendor, renderer, gl_version: the driver's GL_VENDOR, GL_RENDERER and GL_VERSION.
        version_code: OpenGL version as an integer, such as 430 for 4.3.
        is_software: True if the CPU renders.
        prefers_float_pairs: True if shaders should compute with pairs of floats instead of doubles:
            on GPUs that are slow with doubles, or as the environment variable DDEPTH_FLOAT_PAIRS
            says, 0 or 1.
        max_image_size: largest width and height of an image, in pixels.
        memory: bytes of memory that the device has, or that this process may use if that is less.
        has_compute: True if there are compute shaders (OpenGL 4.3).
        max_storage_block: bytes of the largest buffer that a compute shader can address; 0 without
            compute shaders.
        max_texels: texels of the largest buffer texture.
        subpixel_bits: the rasterizer snaps corners to multiples of 2**-subpixel_bits pixel.

    Raises:
        ContextError: no device works; the message lists what was tried and how to fix it. Or
            `borrowed` cannot be used; or this process was forked from one that had used OpenGL; or
            DDEPTH_FLOAT_PAIRS is neither 0 nor 1.
        RequestError: `borrowed` is not a `moderngl.Context`.
    """

    def __init__(
        self,
        device: int | str | None = None,
        *,
        require_gpu: bool = False,
        borrowed: object = None,
    ) -> None:
        check_not_forked()
        self._thread = threading.get_ident()
        self._binding: _Binding | None = None
        self._nesting = 0  # with statements that are open
        self._deferred: deque[Callable[[], None]] = deque()
        # Objects that must be freed one by one, as the context outlives this instance.
        self._objects: weakref.WeakSet[Any] | None = None
        if borrowed is not None:
            self._objects = weakref.WeakSet()
            self._open(BorrowedBinding(borrowed), None, require_gpu)
            _log.info("a context of others: %s, OpenGL %s", self.renderer, self.gl_version)
            return
        failures = []
        for candidate in candidate_devices(device, require_gpu):
            try:
                self._open(HeadlessBinding(candidate), candidate, require_gpu)
                _log.info("%s: %s, OpenGL %s", candidate, self.renderer, self.gl_version)
                return
            except ContextError as error:
                if glx_is_current():
                    raise  # no other device and no package would help
                failures.append(f"{candidate}: {error}")
                _log.warning("%s does not work: %s", candidate, error)
        raise ContextError(f"no OpenGL context; tried {'; '.join(failures)}; {INSTALL_HINT}")

    def _open(self, binding: _Binding, device: Device | None, require_gpu: bool) -> None:
        self._binding = binding
        try:
            with self:
                try:
                    self._inspect(device, require_gpu)
                except BaseException:
                    self._release_objects()
                    raise
        except BaseException:
            self._destroy()
            raise

    def _inspect(self, device: Device | None, require_gpu: bool) -> None:
        loader = self._usable_binding().loader
        self.gl: Any = own_moderngl_context(loader)
        info = self.gl.info
        self.device = device
        self.vendor: str = info["GL_VENDOR"]
        self.renderer: str = info["GL_RENDERER"]
        self.gl_version: str = info["GL_VERSION"]
        self.version_code: int = self.gl.version_code
        # EGL silently skips a vendor library that fails to load, so only the renderer's name is
        # proof.
        on_cpu = device is not None and device.is_software
        self.is_software = on_cpu or renders_on_cpu(self.renderer)
        self.prefers_float_pairs = prefers_float_pairs(self.renderer)
        if self.is_software:
            keep_triton_apart()
        if require_gpu and self.is_software:
            raise ContextError(f"require_gpu=True, but the renderer is {self.renderer}")
        self.max_image_size = min(
            info["GL_MAX_TEXTURE_SIZE"],
            info["GL_MAX_RENDERBUFFER_SIZE"],
            *info["GL_MAX_VIEWPORT_DIMS"],
        )
        self.max_storage_block: int = info.get("GL_MAX_SHADER_STORAGE_BLOCK_SIZE", 0)
        self.max_texels: int = info.get("GL_MAX_TEXTURE_BUFFER_SIZE", 0)
        self.subpixel_bits: int = info["GL_SUBPIXEL_BITS"]
        self.has_compute = self.version_code >= 430 and self.max_storage_block > 0
        if self._objects is not None:
            track_objects(self.gl, self._objects)
        self.functions = GLFunctions(self.gl, loader, self._objects)
        self.staging = Staging(self.gl, loader, self.functions, not self.is_software)
        self.result_buffers = ResultBuffers(self.gl, self.defer)
        # A software renderer uses host memory. No device is trusted to have more than the host.
        host = host_memory()
        device_memory = None if self.is_software else self.functions.device_memory()
        self.memory = min(host, device_memory or host)
        self._placeholder_framebuffer = self.gl.framebuffer([self.gl.renderbuffer((1, 1))])

    def unbind_framebuffer(self) -> None:
        """Bind a framebuffer that is never released.

        Call it before releasing framebuffers: otherwise moderngl would bind a released one again.
        """
        self._placeholder_framebuffer.use()

    def release_when_collected(self, owner: object, objects: list[Any]) -> None:
        """Release moderngl `objects` after `owner` is garbage-collected.

        Collection may happen in any thread, and between OpenGL calls to another context. So the
        release is deferred until this context is next entered.
        """

        def release() -> None:
            for item in objects:
                item.release()

        weakref.finalize(owner, self.defer, release).atexit = False

    def defer(self, action: Callable[[], None]) -> None:
        """Call `action` when this context is next entered. Any thread may call this."""
        self._deferred.append(action)

    @contextmanager
    def allocating(self, what: str, size: tuple[int, int], objects: list[Any]) -> Iterator[None]:
        """Guard a block that allocates textures, buffers and framebuffers for an image.

        Args:
            what: what the objects are for, in the error message: "layers".
            size: (width, height) in pixels.
            objects: list to which the block appends each moderngl object. If the block fails, they
                are released.

        Raises:
            DeviceMemoryError: memory ran out.
        """
        try:
            yield
            self.check_error(f"allocating {what}", "the image size")
        except BaseException as error:
            self.release_all(objects)
            if isinstance(error, DeviceMemoryError) or not isinstance(error, Exception):
                raise
            raise self.allocation_error(what, size, error) from error

    def release_all(self, objects: list[Any]) -> None:
        """Release moderngl objects, the last one first, and empty their list.

        The context's own framebuffer is bound afterward.
        """
        self.unbind_framebuffer()
        while objects:
            objects.pop().release()

    def allocation_error(
        self, what: str, size: tuple[int, int], error: Exception
    ) -> DeviceMemoryError:
        """Return the error to raise when textures of `size` cannot be allocated.

        moderngl reports a texture that the driver did not allocate as an incomplete framebuffer, or
        in other ways. This also clears the driver's own error, so that no later check reports it.
        """
        self.gl.error  # noqa: B018  reading it clears it
        return DeviceMemoryError(
            f"{self.renderer} cannot allocate {what} of {size[0]}x{size[1]} pixels ({error}); "
            "reduce the image size"
        )

    def check_error(self, action: str, remedy: str) -> None:
        """Raise the error that the driver has recorded since the last check, if there is one.

        Args:
            action: what was done since then, in the message: "rendering an image".
            remedy: what to reduce if memory ran out, in the message: "the image size".

        Raises:
            DeviceMemoryError: the driver reports GL_OUT_OF_MEMORY.
            ContextError: the driver reports any other error.
        """
        error = self.gl.error
        if error == "GL_NO_ERROR":
            return
        if error == "GL_OUT_OF_MEMORY":
            raise DeviceMemoryError(
                f"{self.renderer} ran out of memory while {action}; reduce {remedy}"
            )
        raise ContextError(f"{self.renderer} reports {error} while {action}")

    @property
    def is_closed(self) -> bool:
        """True if there is nothing to free: the context was released or is a parent process's."""
        return self._binding is None or is_forked()

    @property
    def can_be_released(self) -> bool:
        """True if this thread created the context, and can make calls to it now."""
        in_owner_thread = threading.get_ident() == self._thread
        return in_owner_thread and self._binding is not None and self._binding.is_reachable

    def check_usable(self) -> None:
        """Raise an error unless the context is open and this thread and process created it."""
        self._usable_binding()

    def _usable_binding(self) -> _Binding:
        check_not_forked()
        if self._binding is None:
            raise ContextClosedError("the renderer is closed; create a new DepthRenderer")
        if threading.get_ident() != self._thread:
            raise ContextError(
                "a DepthRenderer works only in the thread that created it; create another one in "
                "this thread"
            )
        return self._binding

    def __enter__(self) -> GLContext:
        binding = self._usable_binding()
        if self._nesting:
            binding.reenter()
            self._nesting += 1
            return self
        binding.enter()
        self._nesting = 1
        try:
            while self._deferred:
                self._deferred.popleft()()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._nesting -= 1
        if self._nesting == 0 and self._binding is not None:
            self._binding.leave()

    def release(self) -> None:
        """Free all OpenGL objects still alive in the context; destroy it if it is ours. Idempotent.

        Raises:
            ContextError: the context is another's and not current.
        """
        if self.is_closed:
            return
        with self:
            self.result_buffers.release()
            self._release_objects()
            self.gl.release()
        self._destroy()

    def _release_objects(self) -> None:
        for gl_object in list(self._objects or ()):  # the list keeps all of them until the end
            gl_object.release()

    def _destroy(self) -> None:
        if self._binding is not None:
            self._binding.destroy()
            self._binding = None
