"""Files: meshes of the command line, and what can be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from ...._text import printable
from ..style import FAINT
from .widgets import button, button_row, choice, colored_text, tooltip

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_meshes", "draw_report", "draw_saving"]

_SAVED = {"image": "Image", "npz": "npz", "ply": "ply", "camera": "Camera"}
_TIPS = {
    "image": "what the window shows, as PNG  [S]",
    "npz": "maps and layers of this camera, as arrays",
    "ply": "both sheets as points",
    "camera": "this camera as JSON; --cameras reads it",
}


def draw_meshes(viewer: Viewer) -> None:
    """Draw the list of meshes, if there are several."""
    names = [printable(path.name) for path in viewer.files]
    if len(names) > 1:
        numbers = {str(number): name for number, name in enumerate(names)}
        chosen = choice("Mesh", str(viewer.file_number), numbers)
        if chosen is not None:
            viewer.open_number(int(chosen))


def draw_saving(viewer: Viewer) -> None:
    """Draw the buttons that write files, and the one that copies Python lines."""
    pressed = button_row("save", _SAVED, None, 4, _TIPS)
    if pressed is not None:
        viewer.save(pressed)
    if button("Copy Python lines", width=-1):
        viewer.copy_lines()
    tooltip("lines that render this image with ddepth_gl, for the clipboard")


def draw_report(viewer: Viewer) -> None:
    """Draw what the mesh holds."""
    heading, *lines = viewer.report_lines
    imgui.push_text_wrap_pos(0.0)
    imgui.text_unformatted(heading)
    imgui.pop_text_wrap_pos()
    for line in lines:
        colored_text(FAINT, line.strip())
