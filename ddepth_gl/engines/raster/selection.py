"""Selection of the faces to draw: those that may be visible, where finding them saves time.

A GPU draws all faces in less time than the CPU takes to find those that are visible. So faces are
left out on software rasterizers only, and only where the whole mesh lies in the image. See
decision 22.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ..request import SheetRequest
from ..scene import Scene, is_inside
from ..shared.crossing_keys import CountArray
from .screen_vertices import screen_vertices
from .visible_faces import VisibleFaces, share_of_visible_faces, visible_faces

__all__ = [
    "FaceList",
    "LaterFaces",
    "faces_for_layers",
    "faces_for_sheets",
    "faces_of_sheet",
    "may_clip_in_software",
]

# Indices of faces to draw, (n,) in ascending order.
FaceList = npt.NDArray[np.int64]

# With fewer faces, there is little to save in two passes, or in the passes of later layers.
_MIN_FACES, _MIN_FACES_FOR_LATER_LAYERS = 1 << 13, 1 << 10
# The largest share of faces that are visible for which leaving out the others pays for sheets. It
# is estimated from this many faces.
_MAX_SHARE, _SAMPLE_SIZE = 0.85, 1 << 10


def faces_for_sheets(context: GLContext, scene: Scene, camera: Camera) -> VisibleFaces | None:
    """Return the faces that may be visible, to be drawn for sheets; None to draw all faces."""
    if not _may_leave_out(context, scene, _MIN_FACES):
        return None
    sample = scene.mesh.faces[:: 1 + len(scene.mesh.faces) // _SAMPLE_SIZE]
    corners = scene.mesh.vertices[sample].reshape(-1, 3)
    vertices = screen_vertices(scene, camera, context.subpixel_bits, corners)
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    if vertices is None or share_of_visible_faces(faces, vertices) > _MAX_SHARE:
        return None
    return _visible_faces(context, scene, camera)


def faces_for_layers(
    context: GLContext, scene: Scene, camera: Camera, *, later: bool
) -> VisibleFaces | None:
    """Return the faces that may be visible, to be drawn for layers; None to draw all faces.

    Args:
        context: the scene's.
        scene: Scene to render.
        camera: Camera to render.
        later: False for the first layers, after which most meshes have more, True for those.
    """
    fewest = _MIN_FACES_FOR_LATER_LAYERS if later else _MIN_FACES
    if not _may_leave_out(context, scene, fewest):
        return None
    return _visible_faces(context, scene, camera)


def _may_leave_out(context: GLContext, scene: Scene, fewest: int) -> bool:
    return context.is_software and len(scene.mesh.faces) >= fewest


def _visible_faces(context: GLContext, scene: Scene, camera: Camera) -> VisibleFaces | None:
    mesh = scene.mesh
    vertices = screen_vertices(scene, camera, context.subpixel_bits, mesh.vertices)
    # Where something is clipped, leaving out a face may change others, see `is_inside_image`.
    if vertices is None or not is_inside(vertices.extent(), camera):
        return None
    return visible_faces(mesh.faces, vertices)


def faces_of_sheet(
    visible: VisibleFaces | None, facing: int, scene: Scene, request: SheetRequest
) -> FaceList | None:
    """Return the visible faces that count for a sheet; None for all faces.

    Args:
        visible: faces that may be visible; None for all.
        facing: 0 for the entries, which are front faces, 1 for the exits.
        scene: Scene of the faces.
        request: request, which decides on surfaces.
    """
    if visible is None:
        return None
    if request.surfaces == "any":
        return visible.faces
    which = visible.of_facing[facing]
    if request.surfaces == "mixed":
        counts = scene.mesh.bodies.two_sided_faces.take(visible.faces)
        counts[which] = True
        which = np.flatnonzero(counts)
    return visible.faces.take(which)


def may_clip_in_software(context: GLContext, scene: Scene, camera: Camera) -> bool:
    """Return whether a software rasterizer may have to clip faces.

    llvmpipe clips all faces of a batch if one of them leaves the image. Then it culls by float32
    corners, and once more by the snapped ones: slivers between the two are drawn in neither pass,
    and a closed mesh loses one of two crossings. Without culling, the snapped corners alone decide.
    """
    return context.is_software and not scene.is_inside_image(camera)


class LaterFaces:
    """Faces of one facing to draw, fewer for each layer: those at pixels that have the layer.

    Args:
        visible: faces that may cover a pixel; None if all may.
        facing: 0 for fronts, 1 for backs.
        counts: (H, W), number of crossings of this facing.
    """

    def __init__(self, visible: VisibleFaces | None, facing: int, counts: CountArray) -> None:
        self._visible, self._facing, self._counts = visible, facing, counts
        self._faces: FaceList | None = None
        self._largest_counts: CountArray | None = None

    def of_layer(self, index: int) -> FaceList | None:
        """Return the faces of a layer, not the first one; None for all. Call it in order."""
        if self._visible is None:
            return None
        if self._faces is None or self._largest_counts is None:
            which = self._visible.of_facing[self._facing]
            self._faces = self._visible.faces.take(which)
            self._largest_counts = self._visible.largest_counts(which, self._counts)
        has_layer = self._largest_counts > index
        self._faces = self._faces[has_layer]
        self._largest_counts = self._largest_counts[has_layer]
        return self._faces
