"""Passes over the faces of a mesh in compute shaders: vertices first, then queues of small and large ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ..request import SheetRequest
from ..scene import Scene
from .mesh_buffers import FaceParts, VertexBlock
from .queues import MEDIUM, FaceQueues, PartQueues
from .tiles import TILE_OPTIONS, TILE_ROWS_APART, FaceTiles
from .view_block import VIEW, largest_face, packed_view

__all__ = ["COUNT", "FACES", "SHEETS", "SORTED_MOST", "STORE", "VIEWS", "FacePasses", "Transformed"]

# What a pass does where a face covers a pixel; see shaders/include/compute_pass.glsl.
SHEETS, FACES, COUNT, STORE = range(4)

# Views that programs are made for: for one, and for several that go out in one dispatch.
VIEWS = 16

# The longest side of a face's box, pixels, up to which one invocation walks it (64 at most: it counts in 32
# bits), and up to which it is medium, not large.
_SMALL_FACE, _MEDIUM_FACE = 24, 256
# How many invocations walk side by side through the rows of a medium and of a large face (the latter a
# multiple of _GROUP), and how many pixels of a large face one invocation walks through, but for what rounding
# adds: Mesa's software rasterizer ends all loops of an invocation after 2^16 times silently.
_ROWS_APART = (8, 256)
_PIXELS_EACH = 1 << 15
# Where no face can be larger than this, all of them are walked by one invocation each; and where none can be
# larger than that, pixel by pixel. The bound is coarse, some four times too large.
_FINE_FACE, _TINY_FACE = 64, 8

# Invocations in a group, and groups along the first axis of a dispatch; more go along the second.
_GROUP = 64
_MAX_GROUPS = 32768

# Crossings of a pixel, up to which they are sorted by insertion, and at all: with more, Mesa's software
# rasterizer would end loops, see above.
_FEW, SORTED_MOST = 24, 2048

_BYTES_PER_TEXEL = 12  # of a vertex, and of a face

# Faces that one invocation of compute_queues.comp looks at, 32 at most. Many save a processor some work, few
# keep a GPU busy.
_FACES_EACH_IN_SOFTWARE, _FACES_EACH_ON_A_GPU = 32, 4

# The program for each queue, and its options.
_Rasterizers = tuple[tuple[str, dict[str, int]], ...]
_TINY = ("compute_small", {"OWNED": 0, "TINY": 1})
_SMALL = ("compute_small", {"OWNED": 0, "TINY": 0})
_MEDIUM = ("compute_large", {"OWNED": 0, "QUEUE": 1})
_LARGE = ("compute_large", {"OWNED": 0, "QUEUE": 2})
_SMALL_BESIDE = ("compute_large", {"OWNED": 0, "QUEUE": 0})
_TILES = ("compute_tiles", {"OWNED": 1, "GROUP": TILE_ROWS_APART})


@dataclass(frozen=True)
class Transformed:
    """Images whose faces are in their queues.

    Attributes:
        queues: the faces.
        band: the rows that passes are to render, from the first up to, not including, the second.
        options: of the programs, see compute_view.glsl and compute_pass.glsl.
        rasterizers: the program for each queue, if only the first then because all faces are small.
    """

    queues: FaceQueues
    band: tuple[int, int]
    options: dict[str, int]
    rasterizers: _Rasterizers


class FacePasses:
    """The programs of the passes, and what they need of each scene.

    Args:
        context: current, OpenGL 4.3.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._views = context.gl.buffer(reserve=VIEWS * VIEW.itemsize)
        self._tiles = FaceTiles(context) if context.is_software else None

    def prepare(self, scene: Scene) -> FaceParts:
        """The mesh in the device's buffers, uploaded at the first call.

        Raises:
            DeviceMemoryError: it does not fit.
        """
        # Of a part's faces there are two queues, one texel a face each.
        limit = min(
            self._context.max_storage_block, _BYTES_PER_TEXEL * self._context.max_texels // 2
        )
        parts: FaceParts = scene.cached("compute", lambda: FaceParts(self._context, scene, limit))
        self._queues(scene, parts, 1)
        return parts

    def _queues(self, scene: Scene, parts: FaceParts, views: int) -> FaceQueues:
        queues: FaceQueues = scene.cached(
            ("compute", views), lambda: self._new_queues(scene, parts, views)
        )
        return queues

    def _new_queues(self, scene: Scene, parts: FaceParts, views: int) -> FaceQueues:
        queues = FaceQueues(self._context, scene, parts, views)
        # Before the scene remembers them: buffers that did not fit must not be used again.
        self._context.check_error(f"queueing {scene.mesh!r}", "the number of faces")
        return queues

    def transform(
        self, scene: Scene, cameras: Sequence[Camera], request: SheetRequest, band: tuple[int, int]
    ) -> Transformed:
        """Sets the cameras, finds every vertex's place, queues the faces that may be seen; passes may follow.

        Args:
            scene: whose faces.
            cameras: of the images, VIEWS at most, of one size and all of them perspective, or orthographic.
            request: of all the images.
            band: the rows that passes are to render, from the first up to, not including, the second.
        """
        parts = self.prepare(scene)
        queues = self._queues(scene, parts, 1 if len(cameras) == 1 else VIEWS)
        views = np.zeros(len(cameras), VIEW)  # np.stack would change the layout
        for number, camera in enumerate(cameras):
            views[number] = packed_view(scene, camera, request, band)
        orthographic = cameras[0].is_orthographic
        largest = [largest_face(view, scene, orthographic, parts.longest_edge) for view in views]
        beside = request.beside_a_face
        if beside:
            scene.cached(("compute", "remainders"), lambda: self._add_remainders(scene, parts))
        options = {
            "PERSPECTIVE": int(not orthographic),
            "VIEWS": queues.views,
            "BESIDE_A_FACE": int(beside),
        }
        is_fine = not beside and all(bound <= _FINE_FACE for bound in largest)  # a bound may be NaN
        self._views.write(views)
        self._views.bind_to_uniform_block(0)
        self._place_vertices(queues, len(views), FINE=int(is_fine), **options)
        rasterizers: _Rasterizers = (_SMALL_BESIDE if beside else _SMALL, _MEDIUM, _LARGE)
        if is_fine:
            rasterizers = (_TINY if all(bound <= _TINY_FACE for bound in largest) else _SMALL,)
        has_tiles = not (is_fine or beside) and queues.views == 1 and len(queues) == 1
        tiles = self._tiles if has_tiles else None
        self._fill(queues, len(views), FINE=int(is_fine), TILED=int(tiles is not None), **options)
        if tiles and (medium := queues.count(MEDIUM)):
            tiles.clear(cameras[0].width, band[1] - band[0])
            self._put_into_tiles(queues, medium, **options)
            if tiles.had_room():
                queues.set_groups(MEDIUM, tiles.count)
                rasterizers = (_SMALL, _TILES, _LARGE)
            else:
                self._fill(queues, 1, FINE=0, TILED=0, **options)
        options |= {"CROP": int(request.crop is not None), "ANY": int(not request.oriented)}
        return Transformed(queues, band, options, rasterizers)

    def _add_remainders(self, scene: Scene, parts: FaceParts) -> None:
        parts.add_remainders(self._context, scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def _place_vertices(self, queues: FaceQueues, views: int, **options: int) -> None:
        program = self._program("compute_vertices", **options)
        for vertices in queues.vertices:
            block = vertices.block
            self._use_positions(block)
            vertices.places.buffer.bind_to_storage_buffer(1)
            vertices.cells.buffer.bind_to_storage_buffer(2)
            program["vertex_count"] = block.count
            self._run(program, block.count, views)
        self._context.gl.memory_barrier()

    def _fill(self, queues: FaceQueues, views: int, **options: int) -> None:
        each = _FACES_EACH_IN_SOFTWARE if self._context.is_software else _FACES_EACH_ON_A_GPU
        program = self._program(
            "compute_queues",
            FACES_EACH=each,
            SMALL_FACE=_SMALL_FACE,
            MEDIUM_FACE=_MEDIUM_FACE,
            MAX_GROUPS=_MAX_GROUPS,
            **options,
        )
        queues.clear(views)
        queues.dispatches.buffer.bind_to_storage_buffer(6)
        for part in queues:
            part.vertices.cells.texels.use(5)
            part.queues.buffer.bind_to_storage_buffer(5)
            self._set(program, part, first_dispatch=part.first_dispatch)
            self._run(program, -(-part.part.count // each), views)
        self._context.gl.memory_barrier()

    def _put_into_tiles(self, queues: FaceQueues, medium: int, **options: int) -> None:
        program = self._program("compute_bins", **options)
        (part,) = queues
        part.queues.texels.use(3)
        queues.dispatches.texels.use(4)
        self._set(program, part, dispatch_of_queue=MEDIUM)
        self._run(program, medium)
        self._context.gl.memory_barrier()

    def run(self, which: int, faces: Transformed, *buffers: Any) -> None:
        """One pass over the faces that were transformed last.

        Args:
            which: SHEETS, FACES, COUNT or STORE; the last two for a single view.
            faces: from `transform`.
            buffers: what the pass reads and writes, in the order of their bindings.
        """
        options = {"PASS": which, **faces.options}
        programs = [self._program(shader, **options, **more) for shader, more in faces.rasterizers]
        if _TILES in faces.rasterizers and self._tiles:
            self._tiles.use()
        self._views.bind_to_uniform_block(0)
        for binding, buffer in enumerate(buffers, start=3):
            buffer.bind_to_storage_buffer(binding)
        queues = faces.queues
        queues.dispatches.texels.use(4)
        for part in queues:
            part.queues.texels.use(3)
            for number, program in enumerate(programs, start=part.first_dispatch):
                self._set(program, part, first_face=part.part.first, dispatch_of_queue=number)
                program.run_indirect(queues.dispatches.buffer, queues.bytes_per_dispatch * number)
        self._context.gl.memory_barrier()

    def sort(self, pixel_count: int, most: int, ends: Any, stored: Any) -> None:
        """Sorts each pixel's crossings by (depth, face), where there are no more than SORTED_MOST.

        Args:
            pixel_count: n.
            most: crossings that any pixel has.
            ends: buffer of (n,) uint32, where each pixel's stretch of the list ends.
            stored: buffer of the crossings, see shaders/include/compute_pass.glsl.
        """
        ends.bind_to_storage_buffer(0)
        stored.bind_to_storage_buffer(1)
        for many in range((most > 1) + (most > _FEW)):
            program = self._program("compute_sort", FEW=_FEW, MOST=SORTED_MOST, MANY=many)
            program["pixel_count"] = pixel_count
            self._run(program, pixel_count)
        self._context.gl.memory_barrier()

    def release(self) -> None:
        """Frees the programs; buffers of meshes belong to their scenes."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
        self._views.release()
        if self._tiles:
            self._tiles.release()

    def _run(self, program: Any, invocations: int, views: int = 1) -> None:
        groups = -(-invocations // _GROUP)
        program.run(min(groups, _MAX_GROUPS), -(-groups // _MAX_GROUPS), views)

    def _use_positions(self, block: VertexBlock) -> None:
        block.positions.use(0)
        if block.remainders is not None:
            block.remainders.use(7)

    def _set(self, program: Any, part: PartQueues, **uniforms: int) -> None:
        """Has a program work on a part of the faces."""
        self._use_positions(part.vertices.block)
        part.vertices.places.texels.use(1)
        part.part.indices.use(2)
        counts = {"vertex_count": part.vertices.block.count, "face_count": part.part.count}
        for name, value in (counts | uniforms).items():
            if name in program:  # the compiler drops what a variant does not use
                program[name] = value

    def _program(self, shader: str, **options: int) -> Any:
        key = (shader, *options.items())
        if key not in self._programs:
            defines = {
                "GROUP": _GROUP,
                "MEDIUM_ROWS_APART": _ROWS_APART[0],
                "LARGE_ROWS_APART": _ROWS_APART[1],
                "PIXELS_EACH": _PIXELS_EACH,
                **TILE_OPTIONS,
                **options,
            }
            self._programs[key] = compile_program(
                self._context.gl, defines, compute_shader=f"{shader}.comp"
            )
        return self._programs[key]
