"""One double depth map in one call, without a renderer to create and close."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .camera.camera import Camera
from .io.meshes.read import load_mesh
from .mesh.mesh import Mesh
from .renderer import DepthRenderer, Surfaces
from .results.attributes import COLOR_ATTRIBUTES, checked_names
from .results.depth_maps import DepthMaps

__all__ = ["double_depth"]


def double_depth(
    mesh: Mesh | str | os.PathLike[str],
    camera: Camera | None = None,
    *,
    surfaces: Surfaces = "auto",
    near: float | None = None,
    far: float | None = None,
    attributes: Iterable[str] = (),
    engine: str = "auto",
    device: int | str | None = None,
) -> DepthMaps:
    """Render one double depth map of a mesh.

    This opens and closes an OpenGL context. For more than one image use `DepthRenderer`.

    Args:
        mesh: a Mesh, or the path of a mesh file. Its textures are read only if an attribute
            shows colors.
        camera: a Camera; None frames the whole mesh at 512x512 pixels.
        surfaces, near, far, attributes: see `DepthRenderer.entry_exit`.
        engine, device: see `DepthRenderer`.

    Returns:
        DepthMaps, see `DepthRenderer.entry_exit`.

    Raises:
        DDepthError: see `load_mesh`, `DepthRenderer` and `DepthRenderer.entry_exit`.
    """
    names = checked_names(attributes)
    shows_colors = not COLOR_ATTRIBUTES.isdisjoint(names)
    loaded = mesh if isinstance(mesh, Mesh) else load_mesh(mesh, appearance=shows_colors)
    with DepthRenderer(engine, device) as renderer:
        return renderer.entry_exit(
            renderer.upload(loaded),
            Camera.orbit(loaded, views=1)[0] if camera is None else camera,
            surfaces=surfaces,
            near=near,
            far=far,
            attributes=names,
        )
