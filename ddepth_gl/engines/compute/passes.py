"""Passes over the faces of a mesh: snap vertices, queue faces by size, rasterize the queues."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...camera.camera import Camera
from ...gl.context import GLContext
from ..request import SheetRequest
from ..scene import Scene
from ..shared.alpha_masks import AlphaMasks, alpha_masks
from ..shared.float_pairs import as_pairs, uses_pairs
from .camera_block import CAMERA, VECTORS, packed_cameras
from .face_size import max_face_sizes
from .mesh_buffers import BYTES_PER_FACE, VERTICES_AT_ONCE, MeshBuffers, VertexBlock
from .programs import MAX_GROUPS_X, ComputePrograms
from .queues import MEDIUM, FaceQueues, PartQueues
from .tiles import TILE_ROW_STRIDE, FaceTiles

__all__ = ["BOTH", "COUNT", "FACES", "MAX_CAMERAS", "SHEETS", "STORE", "FacePasses", "QueuedFaces"]

# What a pass does with each pixel that a face covers: the PASS_ numbers of
# shaders/include/compute_pass.glsl.
SHEETS, FACES, COUNT, STORE, BOTH = range(5)

# The SURFACES_ numbers there.
_SURFACES = ("oriented", "any", "mixed")

# Cameras that can share a dispatch. Programs exist for one camera and for this many.
MAX_CAMERAS = 16

# A face is small, or medium, if no side of its bounding box is longer than this many pixels. The
# first may be 64 at most: one invocation rasterizes a small face and computes in 32 bits.
_MAX_SMALL_FACE, _MAX_MEDIUM_FACE = 24, 256
# Limits on `max_face_sizes`, which is an upper bound and usually about four times too large. Up to
# the first limit, all faces count as small. Up to the second, their pixels are tested one by one.
_MAX_FINE_FACE, _MAX_TINY_FACE = 64, 8

# Faces per invocation of compute_queues.comp, at most 32, the bits of an integer. Many save work on
# a CPU; few keep a GPU busy.
_QUEUED_PER_INVOCATION_IN_SOFTWARE, _QUEUED_PER_INVOCATION_ON_A_GPU = 32, 4

# The program for each queue, and its options.
_Rasterizers = tuple[tuple[str, dict[str, int]], ...]
_TINY = ("compute_small", {"OWNED": 0, "TINY": 1})
_SMALL = ("compute_small", {"OWNED": 0, "TINY": 0})
_MEDIUM = ("compute_large", {"OWNED": 0, "QUEUE": 1})
_LARGE = ("compute_large", {"OWNED": 0, "QUEUE": 2})
_SMALL_BESIDE = ("compute_large", {"OWNED": 0, "QUEUE": 0})
_TILES = ("compute_tiles", {"OWNED": 1, "GROUP_SIZE": TILE_ROW_STRIDE})


@dataclass(frozen=True)
class QueuedFaces:
    """The faces that may be visible in one image or several, ready for passes.

    Attributes:
        queues: the faces.
        band: rows that passes render: the first, and the one after the last.
        options: of the programs, see compute_camera.glsl and compute_pass.glsl.
        rasterizers: the program for each queue; a single one if all faces are small.
        masks: alpha masks of the faces; None without any.
    """

    queues: FaceQueues
    band: tuple[int, int]
    options: dict[str, int]
    rasterizers: _Rasterizers
    masks: AlphaMasks | None

    def with_request(self, request: SheetRequest) -> QueuedFaces:
        """Return the same faces with the options of a request."""
        crop, surfaces = int(request.crop is not None), _SURFACES.index(request.surfaces)
        return replace(self, options={**self.options, "CROP": crop, "SURFACES": surfaces})


@dataclass(frozen=True)
class _LastQueued:
    """The arguments of the last `queue_faces`, and its result.

    Attributes:
        scene: weak, so that it is freed with its last reference.
        key: everything else that the queues depend on.
        cameras: kept alive, since `key` holds their ids.
        faces: the result, without the options of a request.
    """

    scene: weakref.ref[Scene]
    key: tuple[Any, ...]
    cameras: tuple[Camera, ...]
    faces: QueuedFaces


class FacePasses:
    """The passes over the faces of scenes; each scene owns the buffers of its mesh and queues.

    Args:
        context: current whenever a method is called; OpenGL 4.3.
        programs: of the context.
    """

    def __init__(self, context: GLContext, programs: ComputePrograms) -> None:
        self._context, self._programs = context, programs
        self._camera_buffer = context.gl.buffer(reserve=MAX_CAMERAS * CAMERA.itemsize)
        self._tiles = FaceTiles(context) if context.is_software else None
        self._last_queued: _LastQueued | None = None

    def mesh_buffers(self, scene: Scene) -> MeshBuffers:
        """Return the mesh on the device; the first call for a scene uploads it.

        Raises:
            DeviceMemoryError: the mesh or its queues do not fit.
        """
        # The queues of a part take two texels per face, so it may have max_texels / 2 faces.
        limit = min(self._context.max_storage_block, BYTES_PER_FACE * self._context.max_texels // 2)
        mesh: MeshBuffers = scene.cached(
            "compute", lambda: MeshBuffers(self._context, scene, limit)
        )
        # Allocated now, so that `upload` fails if they do not fit.
        self._queues(scene, mesh, 1)
        alpha_masks(self._context, scene)
        return mesh

    def _queues(self, scene: Scene, mesh: MeshBuffers, max_cameras: int) -> FaceQueues:
        """Return the queues of a scene with room for one camera, or for MAX_CAMERAS."""
        queues: FaceQueues = scene.cached(
            ("compute", max_cameras), lambda: self._new_queues(scene, mesh, max_cameras)
        )
        return queues

    def _new_queues(self, scene: Scene, mesh: MeshBuffers, max_cameras: int) -> FaceQueues:
        queues = FaceQueues(self._context, scene, mesh, max_cameras)
        # Checked before the scene keeps them: buffers that did not fit must not be used again.
        self._context.check_error(f"queueing {scene.mesh!r}", "the number of faces")
        return queues

    def queue_faces(
        self, scene: Scene, cameras: Sequence[Camera], request: SheetRequest, band: tuple[int, int]
    ) -> QueuedFaces:
        """Snap every vertex to a screen position, and queue the faces that may be visible.

        Passes over one image, such as sheets and layers, share its queues: nothing is done if the
        last call was for the same image.

        Args:
            scene: of the faces.
            cameras: of the images; at most MAX_CAMERAS, of one size, and all perspective or all
                orthographic.
            request: of all images.
            band: rows that passes will render: the first, and the one after the last.
        """
        if request.surfaces == "mixed":
            mesh = self.mesh_buffers(scene)
            scene.cached(("compute", "two_sided"), lambda: self._add_two_sided(scene, mesh))
        key = (tuple(map(id, cameras)), request.beside_a_face, request.crop, band, self._tiles)
        last = self._last_queued
        if last is not None and last.scene() is scene and last.key == key:
            return last.faces.with_request(request)
        self._last_queued = None
        faces = self._queue_faces(scene, cameras, request, band)
        self._last_queued = _LastQueued(weakref.ref(scene), key, tuple(cameras), faces)
        return faces.with_request(request)

    def _queue_faces(
        self, scene: Scene, cameras: Sequence[Camera], request: SheetRequest, band: tuple[int, int]
    ) -> QueuedFaces:
        mesh = self.mesh_buffers(scene)
        mesh.count_images(self._context, scene, len(cameras))
        queues = self._queues(scene, mesh, 1 if len(cameras) == 1 else MAX_CAMERAS)
        orthographic, beside = cameras[0].is_orthographic, request.beside_a_face
        if beside:
            scene.cached(("compute", "remainders"), lambda: self._add_remainders(scene, mesh))
        packed = packed_cameras(scene, cameras, request, band)
        sizes = max_face_sizes(packed, scene, orthographic, mesh.longest_edge)
        # Fine: every vertex certainly has a screen position, and every face is small. NaN is not.
        is_fine = not beside and bool((sizes <= _MAX_FINE_FACE).all())
        vectors = (packed[name] for name in VECTORS)
        with_pairs = uses_pairs(self._context, scene, request, vectors)
        if with_pairs:
            for name in VECTORS:
                packed[name] = as_pairs(packed[name])
        options = {
            "PERSPECTIVE": int(not orthographic),
            "CAMERAS": queues.cameras,
            "BESIDE_A_FACE": int(beside),
            "FLOAT_PAIRS": int(with_pairs),
        }
        self._camera_buffer.write(packed)
        self._camera_buffer.bind_to_uniform_block(0)
        self._snap_vertices(queues, len(cameras), FINE=int(is_fine), **options)
        rasterizers: _Rasterizers = (_SMALL_BESIDE if beside else _SMALL, _MEDIUM, _LARGE)
        if is_fine:
            rasterizers = (_TINY if (sizes <= _MAX_TINY_FACE).all() else _SMALL,)
        may_use_tiles = not (is_fine or beside) and queues.cameras == 1 and len(queues) == 1
        tiles = self._tiles if may_use_tiles else None
        # With tiles, all faces that are not small go to the medium queue.
        tiled = int(tiles is not None)
        self._fill_queues(queues, len(cameras), FINE=int(is_fine), TILED=tiled, **options)
        masks = alpha_masks(self._context, scene)
        if tiles and (medium := queues.count(MEDIUM)):
            tiles.clear(cameras[0].width, band[1] - band[0])
            self._bin_into_tiles(queues, medium, MASKED=int(masks is not None), **options)
            if tiles.have_overflowed():  # queue the faces again, without tiles
                self._fill_queues(queues, 1, FINE=0, TILED=0, **options)
            else:
                queues.set_groups(MEDIUM, tiles.count)
                rasterizers = (_SMALL, _TILES, _LARGE)
        options["REORDERED"] = int(mesh.is_reordered)
        return QueuedFaces(queues, band, options, rasterizers, masks)

    def _add_remainders(self, scene: Scene, mesh: MeshBuffers) -> None:
        mesh.add_remainders(self._context, scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def _add_two_sided(self, scene: Scene, mesh: MeshBuffers) -> None:
        mesh.add_two_sided(self._context, scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def _snap_vertices(self, queues: FaceQueues, camera_count: int, **options: int) -> None:
        program = self._programs.get("compute_vertices", **options)
        for vertices in queues.vertices:
            block = vertices.block
            _use_positions(block)
            vertices.screen_positions.buffer.bind_to_storage_buffer(1)
            vertices.cells.buffer.bind_to_storage_buffer(2)
            program["vertex_count"] = block.count
            self._programs.dispatch(program, block.count // VERTICES_AT_ONCE, camera_count)
        self._programs.barrier()

    def _fill_queues(self, queues: FaceQueues, camera_count: int, **options: int) -> None:
        faces_per_invocation = (
            _QUEUED_PER_INVOCATION_IN_SOFTWARE
            if self._context.is_software
            else _QUEUED_PER_INVOCATION_ON_A_GPU
        )
        program = self._programs.get(
            "compute_queues",
            FACES_PER_INVOCATION=faces_per_invocation,
            MAX_SMALL_FACE=_MAX_SMALL_FACE,
            MAX_MEDIUM_FACE=_MAX_MEDIUM_FACE,
            MAX_GROUPS_X=MAX_GROUPS_X,
            **options,
        )
        queues.clear(camera_count)
        queues.dispatches.buffer.bind_to_storage_buffer(6)
        for part in queues:
            part.vertices.cells.texels.use(5)
            part.queues.buffer.bind_to_storage_buffer(5)
            _use_part(part)
            _set_part(program, part, first_dispatch=part.first_dispatch)
            invocations = -(-part.faces.count // faces_per_invocation)
            self._programs.dispatch(program, invocations, camera_count)
        self._programs.barrier()

    def _bin_into_tiles(self, queues: FaceQueues, medium: int, **options: int) -> None:
        program = self._programs.get("compute_bins", **options)
        (part,) = queues
        part.queues.texels.use(3)
        queues.dispatches.texels.use(4)
        _use_part(part)
        _set_part(program, part, queue_dispatch=MEDIUM)
        self._programs.dispatch(program, medium)
        self._programs.barrier()

    def run(self, pass_number: int, faces: QueuedFaces, *buffers: Any) -> None:
        """Run one pass over the faces that were queued last.

        Args:
            pass_number: SHEETS, FACES, BOTH, COUNT or STORE; the last two take a single camera.
            faces: from `queue_faces`.
            buffers: what the pass reads and writes, in the order of their bindings.
        """
        masks = faces.masks
        options = {"PASS": pass_number, "MASKED": int(masks is not None), **faces.options}
        programs = [
            self._programs.get(shader, **options, **more) for shader, more in faces.rasterizers
        ]
        if masks is not None:
            for program in programs:
                masks.use(self._context, program)
        if _TILES in faces.rasterizers and self._tiles:
            self._tiles.use()
        self._camera_buffer.bind_to_uniform_block(0)
        for binding, buffer in enumerate(buffers, start=3):
            buffer.bind_to_storage_buffer(binding)
        queues = faces.queues
        queues.dispatches.texels.use(4)
        for part in queues:
            part.queues.texels.use(3)
            _use_part(part)
            for dispatch, program in enumerate(programs, start=part.first_dispatch):
                _set_part(program, part, first_face=part.faces.first, queue_dispatch=dispatch)
                program.run_indirect(queues.dispatches.buffer, queues.bytes_per_dispatch * dispatch)
        self._programs.barrier()

    def release(self) -> None:
        """Free the buffers of cameras and tiles; those of meshes belong to their scenes."""
        self._camera_buffer.release()
        if self._tiles:
            self._tiles.release()


def _use_positions(block: VertexBlock) -> None:
    """Bind the positions of a block for reading."""
    block.positions.texels.use(0)
    if block.remainders is not None:
        block.remainders.texels.use(7)


def _use_part(part: PartQueues) -> None:
    """Bind a part of the faces for reading."""
    _use_positions(part.vertices.block)
    part.vertices.screen_positions.texels.use(1)
    part.faces.indices.texels.use(2)
    if part.faces.two_sided is not None:
        part.faces.two_sided.texels.use(8)
    if part.faces.numbers is not None:
        part.faces.numbers.texels.use(12)


def _set_part(program: Any, part: PartQueues, **uniforms: int) -> None:
    """Set the uniforms of a program for a part of the faces."""
    counts = {"vertex_count": part.vertices.block.count, "face_count": part.faces.count}
    for name, value in (counts | uniforms).items():
        uniform = program.get(name, None)  # the compiler drops those that a variant does not use
        if uniform is not None:
            uniform.value = value
