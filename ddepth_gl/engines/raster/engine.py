"""Engine `raster`: the nearest front faces by one depth test, the farthest back faces by another.

The rasterizer decides which pixels a face covers. Depth there is that of the face's plane, set up
once per face in double precision by sheet.vert. The depth test uses ``depth / range`` in a 32-bit
float buffer. The range is a power of two, so the test compares exactly the depths that are
written. LESS means nearer, and there is no near or far plane to choose. See decision 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.programs import Programs
from ..base import Engine, Pending
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from ..shared.alpha_masks import AlphaMasks, alpha_masks
from ..shared.float_pairs import Uniforms, in_arithmetic
from ..shared.photo_targets import PhotoTargets
from ..shared.shading import SheetTextures
from ..shared.sheet_uniforms import sheet_uniforms
from ..shared.target_pool import TargetPool
from .mesh_draws import DrawFacing, MeshDraws
from .peeled_crossings import PeeledCrossings, PeeledTargets
from .peeling import LayerDraws, PeelTargets, peel_layers
from .selection import (
    FaceList,
    faces_for_layers,
    faces_for_sheets,
    faces_of_sheet,
    may_clip_in_software,
)
from .targets import SheetTargets
from .visible_faces import VisibleFaces

__all__ = ["ENTRY_TEST", "EXIT_TEST", "RasterEngine"]

_NAN_BITS = np.float32(np.nan).view(np.int32)

# Largest peel targets that are kept for the next image: 32 bytes per pixel.
_MAX_IDLE_PEEL_PIXELS = 1 << 23

# The sheets, in the order of drawing: culled faces, depth test, cleared depth. Ties go to the
# smallest face index at the entry, and to the largest at the exit.
ENTRY_TEST = ("back", "<", 1.0)
EXIT_TEST = ("front", ">=", 0.0)


class RasterEngine(Engine[SheetTargets]):
    """An engine that uses the fixed-function depth test; it needs OpenGL 4.1."""

    name = "raster"
    inverts_entries = False
    snaps_vertices = False

    def __init__(self, context: GLContext) -> None:
        super().__init__(context, partial(SheetTargets, context))
        self._draws = MeshDraws(context)
        self._programs = Programs(context.gl)
        self._idle_peel_targets: PeelTargets | None = None
        self._peeled_pool = TargetPool(partial(PeeledTargets, context))

    def prepare(self, scene: Scene) -> None:
        """Upload the vertices in an order of their own, see `FaceVertices`; and alpha masks."""
        self._draws.prepare(scene)
        alpha_masks(self._context, scene)
        self._context.check_error(f"uploading {scene.mesh!r}", "the number of faces")

    def submits_ahead(self, scene: Scene, camera: Camera) -> bool:
        """Return whether submitting the next image before collecting this one saves time.

        On a GPU always, because transfer and drawing overlap. On Mesa's software rasterizer only
        the next image's vertices and this one's pixels overlap. If the vertices are few, the second
        set of targets merely takes cache from the first; see docs/measurements.md.
        """
        return (
            not self._context.is_software
            or 8 * len(scene.mesh.faces) >= camera.width * camera.height
        )

    def submit(
        self, scene: Scene, cameras: tuple[Camera, ...], request: SheetRequest
    ) -> Pending[SheetTargets]:
        """Draw both sheets; on a GPU, also start the transfer."""
        (camera,) = cameras
        targets = self._pool.take((camera.width, camera.height), request.needs_faces)
        with self._pool.returning_on_error(targets):
            self._draw_sheets(scene, camera, request, targets)
            targets.start_reading()
            return self._finish_ahead(Pending(targets, scene, cameras, request))

    def _draw_sheets(
        self, scene: Scene, camera: Camera, request: SheetRequest, targets: SheetTargets
    ) -> None:
        # Of faces of both kinds, the shader discards those that would be culled. Drawn one kind
        # after the other, ties would no longer go to the smallest or largest face index.
        mixed = request.surfaces == "mixed"
        uniforms, arithmetic = self._uniforms(scene, camera, request)
        masks = alpha_masks(self._context, scene)
        by_facing = request.surfaces == "oriented" and may_clip_in_software(
            self._context, scene, camera
        )
        options = {"MIXED": int(mixed), "BY_FACING": int(by_facing), **arithmetic}
        program = self._program("sheet", camera, request, uniforms, masks, **options)
        draw = self._draws.draw_call(scene, program, mixed)
        visible = faces_for_sheets(self._context, scene, camera)
        gl = self._context.gl
        culls = request.surfaces == "oriented" and not by_facing
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if culls else gl.NOTHING))
        # Counter-clockwise faces appear clockwise, as row 0 is the top row; see Camera.projection.
        gl.front_face = "cw"
        for facing, (framebuffer, (culled, depth_test, cleared_depth)) in enumerate(
            zip(targets.sheets, (ENTRY_TEST, EXIT_TEST), strict=True)
        ):
            gl.cull_face, gl.depth_func = culled, depth_test
            if mixed or by_facing:
                program["fronts_count"] = culled == "back"
            framebuffer.color_mask = ((True,) * 4,) * 2 if request.needs_faces else (True,) * 4
            framebuffer.depth_mask = True
            framebuffer.use()  # moderngl applies the masks here
            framebuffer.viewport = (0, 0, *targets.size)
            framebuffer.scissor = None
            framebuffer.clear(float("nan"), 0.0, 0.0, 0.0, depth=cleared_depth)
            draw(faces_of_sheet(visible, facing, scene, request))

    def _read(self, pending: Pending[SheetTargets]) -> list[list[npt.NDArray[Any]]]:
        with self._pool.returning(pending.targets):
            entry, exit_, *faces = pending.targets.read()
        self._context.check_error("rendering", "the image size or the number of faces")
        if not self._context.is_software:
            # NVIDIA clears to a NaN of its own, whose bits are a larger integer than NumPy's.
            for bits in (entry.view(np.int32), exit_.view(np.int32)):
                np.minimum(bits, _NAN_BITS, out=bits)
        for depth, face in zip((entry, exit_), faces, strict=False):
            face[np.isnan(depth)] = -1
        return [[entry, exit_, *faces]]

    def _shade_band(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        targets: PhotoTargets,
    ) -> None:
        sheets = self._pool.take((camera.width, camera.height), True)
        with self._pool.returning(sheets):
            self._draw_sheets(scene, camera, request, sheets)
            self._shade_sheets(scene, camera, request, samples, sheets, targets)

    def _read_shaded(
        self, pending: Pending[SheetTargets]
    ) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
        with self._pool.returning_on_error(pending.targets):
            (camera,) = pending.cameras
            with self._photo_targets(camera, 1) as targets:
                self._shade_sheets(
                    pending.scene, camera, pending.request, 1, pending.targets, targets
                )
                image = self._resolver.photo(targets)
        (arrays,) = self._read(pending)
        return arrays, image

    def _shade_sheets(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        rendered: SheetTargets,
        targets: PhotoTargets,
    ) -> None:
        sheets = _sheet_textures(rendered)
        all_rows = [(0, camera.height)]
        self._shading.draw(scene, camera, request, samples, sheets, all_rows, targets)

    @contextmanager
    def sheet_textures(self, pending: Pending[SheetTargets]) -> Iterator[SheetTextures]:
        """Lend both sheets of a submitted image."""
        with self._pool.returning(pending.targets):
            yield _sheet_textures(pending.targets)

    @contextmanager
    def crossings_on_device(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> Iterator[PeeledCrossings]:
        """Lend all crossings of an image, peeled layer by layer; see `PeeledCrossings`."""
        draws = self._layer_draws(scene, camera, request)
        visible = faces_for_layers(self._context, scene, camera, later=False)
        targets = self._peeled_pool.take((camera.width, camera.height))
        with self._peeled_pool.returning(targets):
            yield PeeledCrossings(
                self._context,
                self._fullscreen,
                self._limits,
                targets,
                draws,
                None if visible is None else visible.faces,
            )

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
    ) -> LayerBuffers:
        """Return every crossing of one image, peeled layer by layer; see `peel_layers`."""
        by_facing = may_clip_in_software(self._context, scene, camera)
        draws = self._layer_draws(scene, camera, request, by_facing)
        visible = faces_for_layers(self._context, scene, camera, later=False)

        def find_visible() -> VisibleFaces | None:
            return visible or faces_for_layers(self._context, scene, camera, later=True)

        size = (camera.width, camera.height)
        targets, self._idle_peel_targets = self._idle_peel_targets, None
        if targets is None or targets.size != size:
            if targets is not None:
                targets.release()
            targets = PeelTargets(self._context, size)
        try:
            layers = peel_layers(
                self._context,
                targets,
                draws,
                visible,
                find_visible,
                max_layers,
                memory_limit,
                request.computed_bytes_per_crossing,
            )
        finally:
            if size[0] * size[1] <= _MAX_IDLE_PEEL_PIXELS:
                self._idle_peel_targets = targets
            else:
                targets.release()
        return self._attributes.with_attributes(layers, scene, camera, request.computed_attributes)

    def _layer_draws(
        self, scene: Scene, camera: Camera, request: SheetRequest, by_facing: bool = False
    ) -> LayerDraws:
        uniforms, arithmetic = self._uniforms(scene, camera, request)
        masks = alpha_masks(self._context, scene)

        def draw_call(needs_faces: bool, by_facing: bool, **options: int) -> DrawFacing:
            variant = replace(request, attributes=("face",) if needs_faces else ())
            program = self._program(
                "layer",
                camera,
                variant,
                uniforms,
                masks,
                BY_FACING=int(by_facing),
                **options,
                **arithmetic,
            )
            if not (options["COUNT"] or options["FIRST"]):
                program["previous_layer"] = 0
            draw = self._draws.draw_call(scene, program)

            def draw_facing(facing: int, faces: FaceList | None) -> None:
                if by_facing:
                    program["fronts_count"] = facing == 0
                draw(faces)

            return draw_facing

        return LayerDraws(
            culls=not by_facing,
            first=draw_call(True, by_facing, COUNT=0, FIRST=1),
            later=draw_call(True, by_facing, COUNT=0, FIRST=0),
            # Rarely needed.
            count=lambda faces: draw_call(False, False, COUNT=1, FIRST=0)(0, faces),
        )

    def trim(self, max_idle: int = 1) -> None:
        """Free all idle targets but the last `max_idle`; with 0, those of layers as well."""
        super().trim(max_idle)
        self._peeled_pool.trim(max_idle)
        if max_idle == 0 and self._idle_peel_targets is not None:
            self._idle_peel_targets.release()
            self._idle_peel_targets = None

    def release(self) -> None:
        """Free every GL object of the engine."""
        super().release()
        self._programs.release()

    def _uniforms(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> tuple[Uniforms, dict[str, int]]:
        """Return the uniforms of an image, and the macro of the arithmetic they are for."""
        return in_arithmetic(self._context, scene, request, sheet_uniforms(scene, camera, request))

    def _program(
        self,
        shader: str,
        camera: Camera,
        request: SheetRequest,
        uniforms: Uniforms,
        masks: AlphaMasks | None = None,
        **options: int,
    ) -> Any:
        """Return the program of sheet.vert and a fragment shader, its uniforms and masks set.

        Args:
            shader: name of the fragment shader, "sheet" or "layer".
            camera: Camera, which decides on the projection.
            request: request, which decides on faces and crop.
            uniforms: from `_uniforms`, whose macro is among the options.
            masks: alpha masks of the scene.
            options: further macros.
        """
        defines = {
            "PERSPECTIVE": int(not camera.is_orthographic),
            "WRITE_FACE": int(request.needs_faces),
            "CROP": int(request.crop is not None),
            "MIXED": 0,
            "MASKED": int(masks is not None),
            "PHOTO": 0,
            "SNAPPED": 0,
            **options,
        }
        program = self._programs.get(
            defines, vertex_shader="sheet.vert", fragment_shader=f"{shader}.frag"
        )
        for name, value in uniforms.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                program[name].write(value)
        if masks is not None:
            masks.use(self._context, program)
        return program


def _sheet_textures(rendered: SheetTargets) -> SheetTextures:
    names = ("entry_depth", "exit_depth", "entry_face", "exit_face")
    textures = (*rendered.depths, *rendered.faces)
    return SheetTextures(False, dict(zip(names, textures, strict=False)))
