"""The double depth map of one mesh in one call, for newcomers."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .camera.camera import Camera
from .io.meshes.read import load_mesh
from .mesh.mesh import Mesh
from .renderer import DepthRenderer, Surfaces
from .results.depth_maps import DepthMaps

__all__ = ["double_depth"]


def double_depth(
    mesh: Mesh | str | os.PathLike[str],
    camera: Camera | None = None,
    *,
    surfaces: Surfaces = "oriented",
    near: float | None = None,
    far: float | None = None,
    attributes: Iterable[str] = (),
    device: int | str | None = None,
) -> DepthMaps:
    """The double depth map of one mesh seen by one camera, in one call.

    For more than one image make a `DepthRenderer`: this one sets up and closes a context every time.

    Args:
        mesh: a Mesh, or the path of a mesh file.
        camera: a Camera; None looks at the whole mesh, 512x512.
        surfaces, near, far, attributes: see `DepthRenderer.entry_exit`.
        device: see `DepthRenderer`.

    Raises:
        MeshError, CameraError, ContextError, DeviceMemoryError: as `load_mesh` and `DepthRenderer` do.
    """
    given = mesh if isinstance(mesh, Mesh) else load_mesh(mesh)
    with DepthRenderer(device=device) as renderer:
        return renderer.entry_exit(
            renderer.upload(given),
            Camera.orbit(given, views=1)[0] if camera is None else camera,
            surfaces=surfaces,
            near=near,
            far=far,
            attributes=attributes,
        )
