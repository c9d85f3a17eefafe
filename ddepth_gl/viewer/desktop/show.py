"""show_window: the viewer in a window, until it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...camera.camera import Camera
from ...mesh.mesh import Mesh
from ..state import ViewerState
from .needs import check_needs

if TYPE_CHECKING:
    from .viewer import Loader

__all__ = ["show_window"]


def show_window(
    mesh: Mesh,
    state: ViewerState,
    *,
    name: str,
    files: Sequence[Path] = (),
    cameras: Sequence[Camera] = (),
    load: Loader,
    is_framed: bool = False,
) -> None:
    """Show a mesh in a window until the user closes it.

    Args:
        mesh: the mesh.
        state: what to show first; it is changed by the user.
        name: name of the mesh, for the title and for files that are saved.
        files: mesh files to step through, of which the mesh is the first.
        cameras: cameras to step through.
        load: reads mesh files that are chosen or dropped.
        is_framed: whether the orbits of the state frame the mesh, and are to fit the window's
            image; a camera that was asked for stays as it is.

    Raises:
        ViewerError: there is no display, no usable OpenGL, or a package is missing.
        ContextError, DeviceMemoryError, MeshError: the mesh cannot be rendered here.
    """
    check_needs()
    from .viewer import Viewer
    from .window import Window

    with Window(f"{name} - ddepth") as window:
        viewer = Viewer(
            window, mesh, state, name=name, files=files, cameras=cameras, load=load,
            is_framed=is_framed,
        )  # fmt: skip
        try:
            viewer.run()
        finally:
            viewer.release()
