"""The mesh of a photo: vertices with a normal, a color and a texture coordinate each, and textures.

A vertex at a crease has a smooth normal of its own on either side, so it becomes several vertices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._srgb import linear_from_srgb
from ...gl.context import GLContext
from ...mesh.mesh import Mesh
from ...mesh.normals import smooth_normals
from ...mesh.sampler import Sampler
from ..scene import Scene
from .face_buffers import TWO_SIDED_FORMAT, VERTEX_FORMAT, upload_faces, upload_two_sided
from .vertex_order import FaceVertices

__all__ = [
    "PhotoMesh",
    "TextureRun",
    "photo_mesh",
    "photo_paint",
    "sampled_texture",
    "split_at_creases",
    "textures_fit",
]

Int32Array = npt.NDArray[np.int32]

# Draw calls of one image: one for each run of faces with the same texture.
_MAX_RUNS = 64
# Texels between the origin of texture coordinates and the farthest texel that a face samples.
# float32, in which the rasterizer interpolates, resolves 1/1024 of a texel there.
_MAX_TEXELS_FROM_ORIGIN = 1 << 14
# Rounds of `split_at_creases`; corners left over become vertices of their own.
_MAX_ROUNDS = 8

_SRGB8_ALPHA8 = 0x8C43


@dataclass(frozen=True)
class TextureRun:
    """Consecutive faces with the same texture.

    Attributes:
        first: the first face.
        count: number of faces.
        texture: sRGB texture, top row first; None for none.
        sampler: how the texture is sampled.
    """

    first: int
    count: int
    texture: Any
    sampler: Sampler

    @property
    def is_mirrored(self) -> bool:
        """True if the texture is mirrored along some axis."""
        return "mirror" in (self.sampler.wrap_u, self.sampler.wrap_v)

    def use(self, gl: Any, program: Any) -> None:
        """Bind the texture to unit 0 for a program of photo.frag, with its sampler."""
        if self.texture is None:
            return
        mode = gl.LINEAR if self.sampler.filter == "linear" else gl.NEAREST
        self.texture.filter = mode, mode
        # The shader mirrors; of a mirrored texture, the texels at its border continue.
        wraps = self.sampler.wrap_u, self.sampler.wrap_v
        self.texture.repeat_x, self.texture.repeat_y = (wrap == "repeat" for wrap in wraps)
        if self.is_mirrored:
            program["mirrors"] = tuple(float(wrap == "mirror") for wrap in wraps)
        program["surface_texture"] = 0
        self.texture.use(0)


@dataclass(frozen=True)
class PhotoMesh:
    """Buffers of a scene's mesh for sheet.vert with PHOTO; the scene owns them.

    Attributes:
        content: vertex buffers with their formats, as moderngl takes them.
        indices: index buffer; face i of the mesh is the i-th triangle.
        runs: all faces, in order.
    """

    content: list[tuple[Any, ...]]
    indices: Any
    runs: list[TextureRun]


def textures_fit(context: GLContext, scene: Scene) -> bool:
    """Return whether the hardware samples the scene's textures as the attribute pass does."""
    mesh = scene.mesh

    def check() -> bool:
        sizes = np.array(mesh.texture_sizes).reshape(-1, 2)
        if not len(sizes):
            return True
        if mesh.uv is None or sizes.max() > context.max_image_size:
            return False
        extent = float(np.abs(mesh.uv).max()) * float(sizes.max())
        # False for NaN.
        return len(_run_starts(mesh)) <= _MAX_RUNS and extent <= _MAX_TEXELS_FROM_ORIGIN

    return scene.cached("photo textures fit", check)


def sampled_texture(context: GLContext, scene: Scene) -> TextureRun | None:
    """Return the texture of a scene if it has only one, which the hardware can sample; else None.

    Args:
        context: the scene's, current.
        scene: owner of the texture.

    Raises:
        DeviceMemoryError: it does not fit into the device's memory.
    """
    if len(scene.mesh.texture_sizes) != 1 or not textures_fit(context, scene):
        return None
    runs = texture_runs(context, scene)
    return next((run for run in runs if run.texture is not None), None)


def photo_paint(mesh: Mesh) -> float:
    """Return the linear color of a mesh without colors and textures, else 1.

    A white object on white paper would hardly be visible.
    """
    return 0.6 if mesh.colors is None and not mesh.texture_sizes else 1.0


def photo_mesh(context: GLContext, scene: Scene) -> PhotoMesh:
    """Return the buffers for the photo of a scene; they are uploaded on the first call.

    Args:
        context: the scene's, current.
        scene: owner of the buffers.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """
    return scene.cached("photo", lambda: _upload(context, scene))


def split_at_creases(
    faces: Int32Array, normals: npt.NDArray[np.float32]
) -> tuple[Int32Array, npt.NDArray[np.int64]]:
    """Return the faces of a mesh whose vertices have one normal each.

    Args:
        faces: (F, 3) indices of vertices.
        normals: (F, 3, 3) normal of each corner.

    Returns:
        (F, 3) indices of split vertices, and (S,) for each split vertex a corner, 3 * face + i,
        that has its position and its normal.
    """
    vertex, normal = faces.reshape(-1), normals.reshape(-1, 3)
    split = np.empty(len(vertex), np.int32)
    corner_of: list[npt.NDArray[np.int64]] = []
    count = 0
    left = np.arange(len(vertex))
    for _ in range(_MAX_ROUNDS):
        # The first corner left at each vertex is split off, with those that have the same normal.
        first = np.empty(int(vertex.max()) + 1, np.int64)
        first[vertex[left][::-1]] = left[::-1]
        model = first[vertex[left]]
        models = left[model == left]
        split[models] = np.arange(count, count + len(models))
        is_same = (normal[left] == normal[model]).all(axis=1)
        split[left[is_same]] = split[model[is_same]]
        corner_of.append(models)
        count += len(models)
        left = left[~is_same]
        if not len(left):
            break
    split[left] = np.arange(count, count + len(left))
    return split.reshape(-1, 3), np.concatenate([*corner_of, left])


def _upload(context: GLContext, scene: Scene) -> PhotoMesh:
    mesh, gl = scene.mesh, context.gl
    normals = smooth_normals(mesh.vertices, mesh.faces)
    faces, corner_of = split_at_creases(mesh.faces, normals)
    vertex_of = mesh.faces.reshape(-1)[corner_of]
    layout = FaceVertices(faces, len(corner_of))
    vertices, indices = upload_faces(context, scene, layout, scene.local_vertices()[vertex_of])
    # The split vertex of each vertex of the layout: the last corner of the face that it provokes.
    order = np.concatenate([layout.corners(slice(0, len(faces)))[:, 2], layout.extra])
    vertex_of = vertex_of[order]

    def adopt(values: npt.NDArray[np.float32]) -> Any:
        return scene.adopt(gl.buffer(np.ascontiguousarray(values, np.float32)))

    content: list[tuple[Any, ...]] = [
        (vertices, *VERTEX_FORMAT),
        (adopt(normals.reshape(-1, 3)[corner_of[order]]), "3f", "corner_normal"),
    ]
    if mesh.colors is not None:
        colors = linear_from_srgb(mesh.colors[:, :3])[vertex_of]
        content.append((adopt(colors), "3f", "corner_color"))
    if mesh.texture_sizes and mesh.uv is not None:
        u, v = mesh.uv[vertex_of].T
        content.append((adopt(np.stack([u, 1.0 - v], axis=1)), "2f", "corner_uv"))
    if mesh.bodies.surfaces == "mixed":
        content.append((upload_two_sided(context, scene, vertices), *TWO_SIDED_FORMAT))
    photo = PhotoMesh(content, indices, texture_runs(context, scene))
    context.check_error(f"uploading {mesh!r} for the photo", "the mesh")
    return photo


def _run_starts(mesh: Mesh) -> list[int]:
    return [0, *(np.flatnonzero(np.diff(mesh.texture_id)) + 1).tolist()]


def texture_runs(context: GLContext, scene: Scene) -> list[TextureRun]:
    """Return the runs of all faces; their textures are uploaded on the first call."""
    return scene.cached("texture runs", lambda: _runs(context, scene))


def _runs(context: GLContext, scene: Scene) -> list[TextureRun]:
    mesh = scene.mesh
    count = len(mesh.faces)
    if not mesh.texture_sizes:
        return [TextureRun(0, count, None, Sampler())]
    textures: dict[int, Any] = {}

    def texture(index: int) -> Any:
        texels = mesh.textures[index]
        if id(texels) not in textures:
            textures[id(texels)] = scene.adopt(
                context.gl.texture(
                    texels.shape[1::-1],
                    4,
                    np.ascontiguousarray(texels),
                    alignment=1,
                    internal_format=_SRGB8_ALPHA8,
                )
            )
        return textures[id(texels)]

    runs = []
    starts = _run_starts(mesh)
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        index = int(mesh.texture_id[start])
        if index < 0:
            runs.append(TextureRun(start, stop - start, None, Sampler()))
        else:
            runs.append(TextureRun(start, stop - start, texture(index), mesh.samplers[index]))
    return runs
