"""Canvas: draws an image of the device into a framebuffer, colored as by `colored`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..gl.programs import Programs
from .coloring import BACKGROUND, ODD_COLOR, color_table
from .device_images import DeviceImage
from .modes import MODES
from .state import ViewerState

__all__ = ["Canvas", "Viewport"]

# The KIND_ numbers of view_canvas.frag.
_KINDS = ("photo", "number", "count", "direction", "label")
_UNITS = {"image": 0, "table": 1, "counts": 2}  # texture units

# Of glViewport: first column and row, width and height; row 0 is at the bottom.
Viewport = tuple[int, int, int, int]


class Canvas:
    """The programs of view_canvas.frag in one context, and the color table of the last image.

    It sets the state that it relies on, and leaves it behind.

    Args:
        gl: a `moderngl.Context`, current in every call: that of the textures, or one of the owner
            of the same OpenGL context.
    """

    def __init__(self, gl: Any) -> None:
        self._gl = gl
        self._programs = Programs(gl)
        self._table: Any = None
        self._table_name = ""

    def draw(
        self, framebuffer: Any, image: DeviceImage, state: ViewerState, viewport: Viewport
    ) -> None:
        """Fill a viewport of a framebuffer with an image of any size, nearest pixel by pixel.

        Args:
            framebuffer: moderngl framebuffer.
            image: to draw.
            state: decides on color map, limits and odd pixels.
            viewport: in pixels of the framebuffer.
        """
        mode = MODES[image.mode]
        highlights = state.highlight_odd and image.counts is not None
        limits = (0.0, 1.0)
        if mode.has_scale:  # before the framebuffer is bound: it may be found on the device first
            limits = state.limits or image.limits
        options = {"KIND": _KINDS.index(mode.kind), "ODD": int(highlights)}
        program, vertex_array = self._programs.fullscreen("view_canvas", options)
        values: dict[str, Any] = {
            "clip_z": 0.0,
            "limits": limits,
            "background": BACKGROUND,
            "odd_color": ODD_COLOR,
            "viewport": viewport,
            **_UNITS,
        }
        for name, value in values.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                program[name] = value
        image.texture.use(_UNITS["image"])
        if "table" in program:
            name = mode.color_map
            if mode.has_scale:
                name = state.color_map or mode.color_map
            self._color_table(name).use(_UNITS["table"])
        if highlights:
            image.counts.use(_UNITS["counts"])
        self._gl.enable_only(self._gl.NOTHING)
        framebuffer.color_mask = (True,) * 4
        framebuffer.use()  # moderngl applies the mask here
        framebuffer.viewport = viewport
        framebuffer.scissor = None
        vertex_array.render(vertices=3)

    def _color_table(self, name: str) -> Any:
        """Return a texture of the 256 colors of a map."""
        if self._table is None:
            self._table = self._gl.texture((256, 1), 4)  # software reads three channels slowly
            self._table.filter = self._gl.NEAREST, self._gl.NEAREST
        if name != self._table_name:
            colors = np.full((256, 4), 255, np.uint8)
            colors[:, :3] = color_table(name)
            self._table.write(colors)
            self._table_name = name
        return self._table

    def release(self) -> None:
        """Free every OpenGL object of the canvas. Idempotent."""
        self._programs.release()
        if self._table is not None:
            self._table.release()
            self._table, self._table_name = None, ""
