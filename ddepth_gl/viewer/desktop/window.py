"""Window: a GLFW window with an OpenGL context, on which Dear ImGui draws its panels."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import glfw
import moderngl
from imgui_bundle import ImVec2, imgui, implot

from ..._log import logger
from ..._text import printable
from ...errors import ViewerError
from .events import Events
from .needs import WAYS_OUT, cure_of
from .style import apply_style

__all__ = ["Window"]

_LOG = logger(__name__)
# The first one lets both engines run; GLFW returns the newest version that the driver has from it
# on. macOS and some older drivers stop at the second one, which is enough for "raster".
_VERSIONS = ((4, 3), (4, 1))


class Window:
    """A window whose context is current until it is closed.

    Args:
        title: text of its title bar.
        width, height: size in points, without frame.
        is_visible: whether it is shown at once.

    Attributes:
        gl: the moderngl.Context of the window.
        events: what the user did, for the panels; and files that were dropped.
        scale: points of the window for each point of the style.

    Raises:
        ViewerError: there is no display, or no usable OpenGL.
    """

    def __init__(
        self, title: str, width: int = 1280, height: int = 840, *, is_visible: bool = True
    ) -> None:
        self._is_open, self._is_framing, self._last_frame = False, False, 0.0
        self._window = self._opened(printable(title), width, height, is_visible)
        try:
            glfw.make_context_current(self._window)
            glfw.swap_interval(1)
            moderngl.init_context(loader=_Functions())
            self.gl: Any = moderngl.get_context()
            self._start_panels()
            self.events = Events(self._window)
        except BaseException:
            glfw.terminate()
            raise
        self._is_open = True
        info = self.gl.info
        _LOG.debug("window on %s, OpenGL %s", info["GL_RENDERER"], info["GL_VERSION"])

    def _opened(self, title: str, width: int, height: int, is_visible: bool) -> Any:
        glfw.ERROR_REPORTING = "ignore"
        if not glfw.init():
            reason = _reason()
            raise ViewerError(f"no window opens ({reason}); {cure_of(reason)}")
        glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
        glfw.window_hint(glfw.OPENGL_FORWARD_COMPAT, True)
        glfw.window_hint(glfw.VISIBLE, is_visible)
        glfw.window_hint(glfw.SCALE_TO_MONITOR, True)
        glfw.window_hint(glfw.DEPTH_BITS, 24)
        glfw.window_hint_string(glfw.X11_CLASS_NAME, "ddepth")
        glfw.window_hint_string(glfw.X11_INSTANCE_NAME, "ddepth")
        width, height = _on_screen(width, height)
        for major, minor in _VERSIONS:
            glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, major)
            glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, minor)
            if window := glfw.create_window(width, height, title, None, None):
                return window
        reason = _reason()
        glfw.terminate()
        raise ViewerError(f"no window with OpenGL 4.1 opens ({reason}); {cure_of(reason)}")

    def _start_panels(self) -> None:
        imgui.create_context()
        implot.create_context()
        io = imgui.get_io()
        io.set_ini_filename("")  # no file in the working folder
        io.set_log_filename("")
        io.config_debug_highlight_id_conflicts = False  # for programmers; tests look for them
        # A frame that fails is closed, see `give_up_frame`; the terminal gets nothing of it.
        io.config_error_recovery_enable_assert = False
        io.config_error_recovery_enable_debug_log = False
        io.mouse_double_click_time = 0.4  # seconds, as on most desktops
        major, minor = divmod(min(self.gl.version_code, 430) // 10, 10)
        if not imgui.backends.opengl3_init(f"#version {major}{minor}0"):
            raise ViewerError(f"no panels can be drawn in this window; {WAYS_OUT}")
        self.scale = self._content_scale()
        apply_style(self.scale)

    def _content_scale(self) -> float:
        """Return how many points of the window one point of the style is."""
        # Where windows are measured in pixels (X11), the screen's scale is still to be applied.
        scale: float = glfw.get_window_content_scale(self._window)[0]
        return max(1.0, scale / self.pixels_per_point)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in the window, pixels."""
        width, height = glfw.get_framebuffer_size(self._window)
        return max(width, 1), max(height, 1)

    @property
    def pixels_per_point(self) -> float:
        """Pixels along one unit of the coordinates of windows and events."""
        points = glfw.get_window_size(self._window)[0]
        return self.size[0] / points if points else 1.0

    @property
    def is_wanted(self) -> bool:
        """False once the user has closed the window."""
        return not glfw.window_should_close(self._window)

    @property
    def is_minimized(self) -> bool:
        """True if nothing of it can be seen."""
        return bool(glfw.get_window_attrib(self._window, glfw.ICONIFIED))

    def want_close(self) -> None:
        """End the program as if the user had closed the window."""
        glfw.set_window_should_close(self._window, True)

    def set_title(self, title: str) -> None:
        """Change the text of the title bar."""
        glfw.set_window_title(self._window, printable(title))

    def wait(self, seconds: float) -> None:
        """Sleep until an event comes, at most this long; handle all that are waiting."""
        if seconds > 0:
            glfw.wait_events_timeout(seconds)
        else:
            glfw.poll_events()

    def start_frame(self) -> None:
        """Start the panels of one frame."""
        self.events.feed()
        imgui.backends.opengl3_new_frame()
        io, now = imgui.get_io(), glfw.get_time()
        io.display_size = ImVec2(*glfw.get_window_size(self._window))
        io.display_framebuffer_scale = ImVec2(self.pixels_per_point, self.pixels_per_point)
        io.delta_time = max(now - self._last_frame, 1e-4)
        self._last_frame = now
        imgui.new_frame()
        self._is_framing = True

    def end_frame(self) -> None:
        """Draw the panels over what is in the window's framebuffer, and show it."""
        self._is_framing = False
        imgui.render()
        imgui.backends.opengl3_render_draw_data(imgui.get_draw_data())
        glfw.swap_buffers(self._window)

    def give_up_frame(self) -> None:
        """End a frame that failed at any place; nothing of it is shown."""
        if self._is_framing:
            self._is_framing = False
            imgui.end_frame()  # closes what is open
            # A plot that is open would be in the way of the next one.
            implot.destroy_context()
            implot.create_context()

    def set_clipboard(self, text: str) -> None:
        """Put text into the clipboard."""
        no_window: Any = None  # newer versions of the package warn of one
        glfw.set_clipboard_string(no_window, text)

    def close(self) -> None:
        """Close the window and free all that it owns; does nothing the second time."""
        if not self._is_open:
            return
        self._is_open = False
        imgui.backends.opengl3_shutdown()
        implot.destroy_context()
        imgui.destroy_context()
        self.gl.release()
        glfw.terminate()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Functions:
    """OpenGL's functions of the current context, for moderngl.

    GLFW knows them whatever interface (GLX, EGL, ...) it made the context with.
    """

    def load_opengl_function(self, name: str) -> int:
        """Return the address of a function, 0 if there is none."""
        return ctypes.cast(glfw.get_proc_address(name), ctypes.c_void_p).value or 0

    def release(self) -> None:
        """Do nothing: the window owns the context."""


def _on_screen(width: int, height: int) -> tuple[int, int]:
    """Return the size, reduced to what the screen has room for, before GLFW scales it."""
    monitor = glfw.get_primary_monitor()
    if not monitor:
        return width, height
    _, _, room, room_below = glfw.get_monitor_workarea(monitor)
    # Where windows are measured in pixels, GLFW multiplies by the screen's scale.
    scale = 1.0 if sys.platform == "darwin" else glfw.get_monitor_content_scale(monitor)[0]
    room, room_below = int(room / scale), int(room_below / scale)
    return min(width, room or width), min(height, room_below or height)


def _reason() -> str:
    """Return GLFW's last error on one line."""
    text: Any = glfw.get_error()[1]
    return " ".join((text or b"unknown reason").decode(errors="replace").split())
