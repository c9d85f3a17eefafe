"""The panel at the right, from all its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .files import draw_meshes, draw_report, draw_saving
from .probe import draw_probe
from .rendering import draw_mould, draw_rendering
from .section_plot import draw_section_controls
from .show import draw_modes, draw_scale
from .view import draw_cameras, draw_view
from .widgets import heading

if TYPE_CHECKING:
    from ..viewer import Viewer

__all__ = ["draw_side"]


def draw_side(viewer: Viewer) -> None:
    """Draw all parts of the panel, those that are used most first."""
    draw_meshes(viewer)
    draw_mould(viewer)
    draw_modes(viewer)
    draw_scale(viewer)
    if heading("View"):
        draw_view(viewer)
    if viewer.cameras and heading("Cameras"):
        draw_cameras(viewer)
    if heading("Probe"):
        draw_probe(viewer)
    if heading("Rendering", is_open=False):
        draw_rendering(viewer)
    if heading("Section", is_open=False):
        draw_section_controls(viewer)
    if heading("Save", is_open=False):
        draw_saving(viewer)
    if heading("Mesh", is_open=False):
        draw_report(viewer)
