"""Engine `raster`: the depth test, twice; front faces nearest for entry, back faces farthest for exit.

The rasterizer decides which pixels a face covers; the depth there is that of the face's plane, set up once a
face in double precision (shaders/sheet.vert). It goes through the depth test as ``depth / range`` in a 32-bit
float buffer: the range is a power of two, so the test compares the very depths that are written, LESS means
nearer, and no near or far plane has to be chosen. See docs/decisions/0003.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ..base import Engine, Pending
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from ..shared.drawn_faces import drawn_faces
from ..shared.local_camera import local_camera
from .peeling import LayerDraws, PeelTargets, peel_layers
from .targets import SheetTargets
from .vertex_order import FaceVertices

__all__ = ["RasterEngine"]

# Where faces are cut that reach behind the camera, as a fraction of the farthest depth of the mesh: at no
# depth that matters, yet not at 0, where clipped corners would have no place in the image.
_NEAR_FRACTION = 2.0**-60

_MISS = np.float32(np.nan).view(np.int32)

# Faces whose vertices are put together at a time while uploading: bounds the memory needed for it.
_FACES_AT_A_TIME = 1 << 16

# Images that layers were peeled into are kept for the next ones, 24 bytes a pixel, up to so many pixels.
_PEEL_PIXELS_KEPT = 1 << 23

# Sheets in the order they are drawn: the faces culled, the depth test, what the depth buffer starts with.
# Of equal depths the smallest face index counts as the entry and the largest as the exit.
_ENTRY = ("back", "<", 1.0)
_EXIT = ("front", ">=", 0.0)


class RasterEngine(Engine[SheetTargets]):
    """Renders both sheets through the fixed-function depth test; needs OpenGL 4.1."""

    name = "raster"
    inverts_entries = False

    def __init__(self, context: GLContext) -> None:
        super().__init__(context, partial(SheetTargets, context))
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._idle_peel: PeelTargets | None = None

    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[SheetTargets]:
        """Draws both sheets; on a GPU, has it copy them to where they are read from."""
        (camera,) = cameras
        targets = self._pool.take((camera.width, camera.height), request.needs_faces)
        with self._pool.returning_on_error(targets):
            self._draw_sheets(scene, camera, request, targets)
            targets.start_reading()
        return Pending(targets, scene, cameras, request)

    def _draw_sheets(
        self, scene: Scene, camera: Camera, request: SheetRequest, targets: SheetTargets
    ) -> None:
        program = self._program("sheet", camera, request, _uniforms(scene, camera, request))
        vertex_array = self._vertex_array(scene, program)
        gl = self._context.gl
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if request.oriented else gl.NOTHING))
        gl.front_face = (
            "cw"  # counter-clockwise, in an image that is turned over; see Camera.projection
        )
        for framebuffer, (culled, comparison, cleared) in zip(
            targets.sheets, (_ENTRY, _EXIT), strict=True
        ):
            gl.cull_face, gl.depth_func = culled, comparison
            framebuffer.color_mask = (True,) * 4 if not request.needs_faces else ((True,) * 4,) * 2
            framebuffer.depth_mask = True
            framebuffer.use()  # only now do masks take effect
            framebuffer.viewport = (0, 0, *targets.size)
            framebuffer.scissor = None
            framebuffer.clear(float("nan"), 0.0, 0.0, 0.0, depth=cleared)
            vertex_array.render()

    def _read(self, pending: Pending[SheetTargets]) -> list[list[npt.NDArray[Any]]]:
        with self._pool.returning(pending.targets):
            entry, exit_, *faces = pending.targets.read()
        self._context.check_error("rendering", "the image size or the number of faces")
        if not self._context.is_software:
            # NVIDIA clears to a NaN of its own, which as an integer is more than that of everybody else.
            for bits in (entry.view(np.int32), exit_.view(np.int32)):
                np.minimum(bits, _MISS, out=bits)
        for depth, face in zip((entry, exit_), faces, strict=False):
            face[np.isnan(depth)] = -1
        return [[entry, exit_, *faces]]

    def _shade_band(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[np.uint8]:
        targets = self._pool.take((camera.width, camera.height), True)
        with self._pool.returning(targets):
            self._draw_sheets(scene, camera, request, targets)
            # The depth buffer holds the exits: the test passes just where there is one.
            return self._shading.draw(
                scene,
                camera,
                targets.faces[0],
                targets.depths[0],
                samples,
                targets.depth_buffer,
                _EXIT[2],
            )

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Peels the layers one by one; see `peel_layers`."""
        uniforms = _uniforms(scene, camera, request)

        def drawing(faces: bool, **which: int) -> Callable[[], None]:
            wanted = replace(request, attributes=("face",) if faces else ())
            program = self._program("layer", camera, wanted, uniforms, **which)
            if not (which["COUNT"] or which["FIRST"]):
                program["previous_layer"] = 0
            render: Callable[[], None] = self._vertex_array(scene, program).render
            return render

        draws = LayerDraws(
            first=drawing(True, COUNT=0, FIRST=1),
            later=drawing(True, COUNT=0, FIRST=0),
            count=lambda: drawing(False, COUNT=1, FIRST=0)(),  # seldom needed
        )
        size = (camera.width, camera.height)
        targets, self._idle_peel = self._idle_peel, None
        if targets is None or targets.size != size:
            if targets is not None:
                targets.release()
            targets = PeelTargets(self._context, size)
        try:
            layers = peel_layers(
                self._context,
                targets,
                draws,
                max_layers,
                memory_limit,
                request.computed_bytes_per_crossing,
            )
        finally:
            if size[0] * size[1] <= _PEEL_PIXELS_KEPT:
                self._idle_peel = targets
            else:
                targets.release()
        return self._attributes.with_attributes(layers, scene, camera, request.computed_attributes)

    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """On a GPU always: the transfer runs beside the drawing.

        On Mesa's software rasterizer only the vertices of the next image can run beside the pixels of this
        one; where there are few vertices, the second set of images just takes cache from the first (measured:
        docs/performance.md).
        """
        return (
            not self._context.is_software
            or 8 * len(scene.mesh.faces) >= camera.width * camera.height
        )

    def trim(self, max_idle: int = 1) -> None:
        """Frees idle images beyond the last `max_idle`; with 0 those of layers as well."""
        super().trim(max_idle)
        if max_idle == 0 and self._idle_peel is not None:
            self._idle_peel.release()
            self._idle_peel = None

    def release(self) -> None:
        """Frees every GL object of the engine."""
        super().release()
        for program in self._programs.values():
            program.release()
        self._programs.clear()

    def prepare(self, scene: Scene) -> None:
        """Uploads the vertices in an order of their own, see `FaceVertices`."""
        self._buffers(scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def _buffers(self, scene: Scene) -> tuple[Any, Any]:
        return scene.cached("raster", lambda: self._upload(scene))

    def _upload(self, scene: Scene) -> tuple[Any, Any]:
        """The vertex and the index buffer; see `FaceVertices` for the order."""
        mesh, gl = scene.mesh, self._context.gl
        layout = FaceVertices(mesh.faces, len(mesh.vertices))
        count = len(mesh.faces)
        positions = scene.local_vertices()
        vertices = scene.adopt(gl.buffer(reserve=36 * (count + len(layout.extra))))
        indices = scene.adopt(gl.buffer(reserve=12 * count))
        for start in range(0, count, _FACES_AT_A_TIME):
            part = slice(start, min(start + _FACES_AT_A_TIME, count))
            corners = positions[layout.corners(part)[:, (2, 0, 1)]]
            vertices.write(corners, offset=36 * start)
            drawn = drawn_faces(corners, scene.mesh)
            indices.write(layout.indices(part) * drawn[:, None], offset=12 * start)
        if len(layout.extra):
            vertices.write(positions[layout.extra].repeat(3, axis=0), offset=36 * count)
        return vertices, indices

    def _vertex_array(self, scene: Scene, program: Any) -> Any:
        def make() -> Any:
            vertices, indices = self._buffers(scene)
            content = [(vertices, "3i 3i 3i", "corner", "corner_after", "corner_before")]
            # The compiler drops what a program does not use; skip_errors passes over the buffer's part of it.
            return scene.adopt(
                self._context.gl.vertex_array(program, content, indices, skip_errors=True)
            )

        return scene.cached(("raster", program.glo), make)

    def _program(
        self,
        shader: str,
        camera: Camera,
        request: SheetRequest,
        uniforms: dict[str, npt.NDArray[Any]],
        **more: int,
    ) -> Any:
        """The program of sheet.vert with a fragment shader, for this request, its uniforms set."""
        defines = {
            "PERSPECTIVE": int(not camera.is_orthographic),
            "WRITE_FACE": int(request.needs_faces),
            "CROP": int(request.crop is not None),
            **more,
        }
        key = (shader, *defines.items())
        program = self._programs.get(key)
        if program is None:
            program = compile_program(
                self._context.gl,
                defines,
                vertex_shader="sheet.vert",
                fragment_shader=f"{shader}.frag",
            )
            self._programs[key] = program
        for name, value in uniforms.items():
            if name in program:  # the compiler drops what a variant does not use
                program[name].write(value)
        return program


def _uniforms(scene: Scene, camera: Camera, request: SheetRequest) -> dict[str, npt.NDArray[Any]]:
    """The camera in the scene's local frame; float64 for what the planes are made from."""
    local = local_camera(scene, camera)
    farthest = max(scene.depth_range(camera)[1] / scene.step, 1e-6)
    window_range = 2.0 ** math.ceil(math.log2(farthest))
    # Clip z does nothing but cut faces off in front of the camera: at a depth of `near`, or of 0.
    near = farthest * _NEAR_FRACTION
    depth_row = (
        (0.0, 0.0, 1.0 / farthest, -1.0) if camera.is_orthographic else (0.0, 0.0, 0.0, -near)
    )
    clip_from_camera = camera.projection(depth_row)
    if camera.is_orthographic:
        clip_from_camera[:2, :3] *= (
            scene.step
        )  # K is per mesh unit; in perspective the unit cancels
    single = {
        # moderngl wants columns; row i of the transpose is column i.
        "clip_from_local": (clip_from_camera[:, :3] @ camera.camera_from_world[:3, :3]).T,
        "clip_offset": clip_from_camera[:, 3],
        "mesh_units": scene.step,
        "window_scale": 1.0 / window_range,
    }
    if request.crop is not None:
        single["crop"] = request.crop
    double = {
        "camera_center": local.center,
        "view_direction": local.view_direction,
        "ray_right": local.rays[0],
        "ray_down": local.rays[1],
        "ray_origin": local.rays[2],
        "ray_direction": local.ray_direction,
    }
    with np.errstate(
        over="ignore"
    ):  # a crop beyond float32 becomes infinite, which is what it means
        return {
            **{
                name: np.ascontiguousarray(value, dtype=np.float32)
                for name, value in single.items()
            },
            **{
                name: np.ascontiguousarray(value, dtype=np.float64)
                for name, value in double.items()
            },
        }
