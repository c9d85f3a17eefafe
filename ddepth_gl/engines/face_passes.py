"""Passes over the faces of a mesh in compute shaders: vertices first, then queues of small and large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..camera import Camera
from ..context import GLContext
from ..scene import Scene
from ..shader_library import compile_program
from .face_parts import FacePart, FaceParts, VertexBlock
from .sheets import SheetRequest

__all__ = ["COUNT", "FACES", "SHEETS", "STORE", "FacePasses", "Transformed"]

# What a pass does where a face covers a pixel; see shaders/include/compute_pass.glsl.
SHEETS, FACES, COUNT, STORE = range(4)

_SUBPIXELS = 256  # of a pixel, along each side

# The longest side of a face's box, pixels, up to which one invocation walks it (64 at most: it counts in 32
# bits), and up to which it is split over _CHUNKS[0] invocations. Larger faces are split over _CHUNKS[1].
_SMALL_FACE, _MEDIUM_FACE = 16, 256
# Where all faces are known to be smaller than this, none is looked at that closely. The bound is coarse: faces of the
# usual meshes are smaller by a factor of four.
_FINE_FACE = 64
_CHUNKS = (8, 256)

# Invocations in a group, and groups along the first axis of a dispatch; more go along the second.
_GROUP = 64
_MAX_GROUPS = 32768

_FEW = 24  # crossings of a pixel, up to which they are sorted by insertion

_BYTES_PER_TEXEL = 12  # of a vertex, and of a face
# That one invocation of compute_queues.comp looks at, 32 at most: many save a processor work, few keep a GPU busy.
_FACES_EACH_ON_PROCESSOR, _FACES_EACH_ON_GPU = 32, 4
_GUARD_BAND = 2.0**23  # of compute_view.glsl, subpixels

# The uniform block View of shaders/include/compute_view.glsl, in the layout std140.
_DOUBLES = (
    "camera_centre", "image_right", "image_down", "view_direction", "image_origin",
    "ray_right", "ray_down", "ray_origin",
)  # fmt: skip
_VIEW = np.dtype(
    {
        "names": [*_DOUBLES, "image_size", "band", "crop", "mesh_units", "column_bits"],
        "formats": [*["3f8"] * len(_DOUBLES), "2i4", "2i4", "2f4", "f4", "i4"],
        "offsets": [*range(0, 32 * len(_DOUBLES), 32), 248, 256, 264, 272, 276],
        "itemsize": 288,
    }
)

# A dispatch that no face has asked for yet: groups along each axis, faces.
_NOTHING_QUEUED = (0, 1, 1, 0)


@dataclass(frozen=True)
class Transformed:
    """An image whose faces are in their queues.

    Attributes:
        parts: the faces.
        band: the rows that passes are to render, from the first up to, not including, the second.
        options: of the programs, see compute_view.glsl and compute_pass.glsl.
        is_fine: all faces are small in the image.
    """

    parts: FaceParts
    band: tuple[int, int]
    options: dict[str, int]
    is_fine: bool


class FacePasses:
    """The programs of the passes, and what they need of each scene.

    Args:
        context: current, OpenGL 4.3.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._view = context.gl.buffer(reserve=_VIEW.itemsize)

    def prepare(self, scene: Scene) -> FaceParts:
        """The mesh in the device's buffers, uploaded at the first call.

        Raises:
            DeviceMemoryError: it does not fit.
        """
        # Of a part's faces there are two queues, one texel a face each.
        limit = min(self._context.max_storage_block, _BYTES_PER_TEXEL * self._context.max_texels // 2)
        made: FaceParts = scene.once("compute", lambda: FaceParts(self._context, scene, limit))
        return made

    def transform(
        self, scene: Scene, camera: Camera, request: SheetRequest, band: tuple[int, int]
    ) -> Transformed:
        """Sets the camera, finds every vertex's place, queues the faces that may be seen; passes may follow.

        Args:
            scene, camera, request: of the image.
            band: the rows that passes are to render, from the first up to, not including, the second.
        """
        parts = self.prepare(scene)
        view = _view(scene, camera, request, band)
        perspective = int(not camera.is_orthographic)
        is_fine = _largest_face(view, scene, parts.longest_edge, bool(perspective)) <= _FINE_FACE
        self._view.write(view)
        self._view.bind_to_uniform_block(0)
        program = self._program("compute_vertices", PERSPECTIVE=perspective, FINE=int(is_fine))
        for block in parts.blocks:
            block.positions.use(0)
            block.places.bind_to_storage_buffer(1)
            block.cells.bind_to_storage_buffer(2)
            program["vertex_count"] = block.count
            self._run(program, block.count)
        self._context.gl.memory_barrier()
        self._fill_queues(parts, is_fine)
        options = {
            "PERSPECTIVE": perspective,
            "CROP": int(request.crop is not None),
            "ANY": int(not request.oriented),
        }
        return Transformed(parts, band, options, is_fine)

    def _fill_queues(self, parts: FaceParts, is_fine: bool) -> None:
        each = _FACES_EACH_ON_PROCESSOR if self._context.is_software else _FACES_EACH_ON_GPU
        program = self._program(
            "compute_queues",
            FINE=int(is_fine),
            FACES_EACH=each,
            SMALL_FACE=_SMALL_FACE,
            MEDIUM_FACE=_MEDIUM_FACE,
            MEDIUM_CHUNKS=_CHUNKS[0],
            LARGE_CHUNKS=_CHUNKS[1],
        )
        parts.dispatches.write(np.tile(np.array(_NOTHING_QUEUED, np.uint32), 3 * parts.part_count))
        parts.dispatches.bind_to_storage_buffer(6)
        for number, block, part in parts:
            _bind(block, part)
            block.in_cells.use(5)
            part.queues.bind_to_storage_buffer(5)
            _set(program, face_count=part.count, first_dispatch=3 * number)
            self._run(program, -(-part.count // each))
        self._context.gl.memory_barrier()

    def run(self, which: int, faces: Transformed, *buffers: Any) -> None:
        """One pass over the faces that were transformed last.

        Args:
            which: SHEETS, FACES, COUNT or STORE.
            faces: from `transform`.
            buffers: what the pass reads and writes, in the order of their bindings.
        """
        options = {"PASS": which, **faces.options}
        programs = [self._program("compute_small", **options)]
        if not faces.is_fine:
            programs += [
                self._program("compute_large", CHUNKS=chunks, LARGE=large, **options)
                for large, chunks in enumerate(_CHUNKS)
            ]
        self._view.bind_to_uniform_block(0)
        for binding, buffer in enumerate(buffers, start=3):
            buffer.bind_to_storage_buffer(binding)
        parts = faces.parts
        parts.dispatched.use(4)
        for number, block, part in parts:
            _bind(block, part)
            part.queued.use(3)
            for queue, program in enumerate(programs, start=3 * number):
                _set(program, first_face=part.first, face_count=part.count, dispatch_of_queue=queue)
                program.run_indirect(parts.dispatches, 16 * queue)
        self._context.gl.memory_barrier()

    def sort(self, pixel_count: int, most: int, ends: Any, stored: Any) -> None:
        """Sorts each pixel's crossings by (depth, face).

        Args:
            pixel_count: n.
            most: crossings that any pixel has.
            ends: buffer of (n,) uint32, where each pixel's stretch of the list ends.
            stored: buffer of the crossings, see shaders/include/compute_pass.glsl.
        """
        ends.bind_to_storage_buffer(0)
        stored.bind_to_storage_buffer(1)
        for many in range((most > 1) + (most > _FEW)):
            program = self._program("compute_sort", FEW=_FEW, MANY=many)
            program["pixel_count"] = pixel_count
            self._run(program, pixel_count)
        self._context.gl.memory_barrier()

    def release(self) -> None:
        """Frees the programs; buffers of meshes belong to their scenes."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
        self._view.release()

    def _run(self, program: Any, invocations: int) -> None:
        groups = -(-invocations // _GROUP)
        program.run(min(groups, _MAX_GROUPS), -(-groups // _MAX_GROUPS))

    def _program(self, shader: str, **options: int) -> Any:
        key = (shader, *options.items())
        if key not in self._programs:
            defines = {"GROUP": _GROUP, "MAX_GROUPS": _MAX_GROUPS, **options}
            self._programs[key] = compile_program(self._context.gl, defines, compute_shader=f"{shader}.comp")
        return self._programs[key]


def _bind(block: VertexBlock, part: FacePart) -> None:
    block.positions.use(0)
    block.placed.use(1)
    part.indices.use(2)


def _set(program: Any, **uniforms: int) -> None:
    for name, value in uniforms.items():
        if name in program:  # the compiler drops what a variant does not use
            program[name] = value


def _view(scene: Scene, camera: Camera, request: SheetRequest, band: tuple[int, int]) -> Any:
    """The uniform block: the camera in the scene's local frame."""
    rotation = camera.camera_from_world[:3, :3]
    image_from_local = _SUBPIXELS * camera.image_from_camera[:2, :3] @ rotation
    rays = np.linalg.inv(camera.K)
    if camera.is_orthographic:
        # K is per mesh unit; in perspective the unit cancels. The rays start on the plane of depth 0.
        image_from_local *= scene.step
        rays[:2] /= scene.step
        rays[2] = 0.0
    local_rays = rotation.T @ rays
    view = np.zeros((), _VIEW)
    view["camera_centre"] = scene.to_local(camera.centre)
    view["image_right"], view["image_down"] = image_from_local
    view["view_direction"] = rotation[2]
    view["image_origin"][:2] = _SUBPIXELS * camera.image_from_camera[:2, 3]
    view["ray_right"], view["ray_down"], view["ray_origin"] = local_rays.T
    view["image_size"] = camera.width, camera.height
    view["band"] = band
    with np.errstate(over="ignore"):  # a crop beyond float32 becomes infinite, which is what it means
        view["crop"] = np.array(request.crop or (0.0, np.inf))
    view["mesh_units"] = scene.step
    view["column_bits"] = camera.width.bit_length()
    return view


def _largest_face(view: Any, scene: Scene, longest_edge: float, perspective: bool) -> float:
    """A bound on the sides of the faces' boxes in the image, pixels; infinite if a vertex may have no place."""
    offset = -view["camera_centre"]  # of the local origin, the middle of a sphere around all vertices
    rows = np.stack((view["image_right"], view["image_down"]))
    middle = rows @ offset
    radius = 1.01 * scene.radius
    nearest = 1.0
    if perspective:
        depth = float(view["view_direction"] @ offset)
        nearest = depth - radius
        if nearest <= 0.0:
            return np.inf
        middle /= depth
        rows -= middle[:, None] * view["view_direction"]
    else:
        middle += view["image_origin"][:2]
    slope = float(np.sqrt((rows**2).sum(axis=1).max())) / nearest
    if np.abs(middle).max() + slope * radius > _GUARD_BAND:
        return np.inf
    # An edge also moves a point in depth; of a point at the sphere's rim that counts most.
    return slope * longest_edge * (1.0 + (radius / nearest if perspective else 0.0)) / _SUBPIXELS
