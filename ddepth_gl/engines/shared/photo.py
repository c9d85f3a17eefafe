"""The photo by the rasterizer: colors interpolated across faces, at one fragment a sample.

It is several times as fast as the attribute pass for faces larger than a few samples, and needs no
sheets. It covers exactly the samples of the sheets' entries, and of two faces shows the one that
the sheets show: the rasterizer gets the same screen positions, and depth is that of the face's
plane. `PhotoPass.viewport` tells which images it renders; the attribute pass renders all others.
See decision 17.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.programs import Programs
from ...gl.vertex_arrays import vertex_array
from ..request import SheetRequest
from ..scene import Scene
from .alpha_masks import alpha_masks
from .float_pairs import Uniforms, in_arithmetic
from .local_camera import local_camera
from .photo_mesh import PhotoMesh, TextureRun, photo_mesh, photo_paint, textures_fit
from .photo_targets import PhotoTargets
from .sheet_uniforms import sheet_uniforms

__all__ = ["PhotoPass", "Viewport"]

# With fewer samples a face, setting up faces takes longer than the attribute pass.
_MIN_SAMPLES_PER_FACE = 10
# Pixels along a side of the largest viewport in which the driver's float32 arithmetic surely snaps
# to the subpixel that sheet.vert chose. Its error, four roundings, stays below a quarter of it.
_MAX_EXACT_VIEWPORT = 1 << 13
_SUBPIXELS = 256  # per pixel, along each side; as on the engine `compute`

# Of glViewport: first column and row, width and height.
Viewport = tuple[int, int, int, int]


class PhotoPass:
    """The programs of sheet.vert with PHOTO and photo.frag.

    Args:
        context: current in every call.
        snapped: take the screen positions of the engine `compute` instead of those of `raster`.
    """

    def __init__(self, context: GLContext, snapped: bool) -> None:
        self._context = context
        self._snapped = snapped
        self._programs = Programs(context.gl)

    @property
    def is_exact(self) -> bool:
        """Boolean: the rasterizer covers the samples of the sheets, also where it breaks ties.

        GPUs may break ties at edges otherwise than the engine `compute`.
        """
        return not self._snapped or self._context.is_software

    def viewport(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> Viewport | None:
        """Return the viewport for an image; None if the attribute pass must shade it, or is faster.

        This pass draws entries only, so there must be an exit wherever there is an entry: the faces
        that count by facing belong to closed bodies, all of them lies in front of the camera, and
        nothing is cut off.

        Args:
            scene: Scene to render.
            camera: Camera of the image.
            request: which crossings count.
            samples: samples along each side of a pixel.
        """
        mesh = scene.mesh
        if (
            not self.is_exact
            or camera.width * camera.height * samples**2 < _MIN_SAMPLES_PER_FACE * len(mesh.faces)
            or request.beside_a_face
            or request.crop is not None
            or not (request.surfaces == "any" or request.by_geometry or mesh.is_oriented)
            or not textures_fit(self._context, scene)
            or alpha_masks(self._context, scene) is not None
        ):
            return None
        return self._viewport(scene, camera, samples)

    def _viewport(self, scene: Scene, camera: Camera, samples: int) -> Viewport | None:
        """Return a viewport for an image; None if the mesh is too large in it, or partly behind.

        On `compute` the viewport holds the whole mesh: faces that leave it are clipped in float32,
        which may move their edges. On `raster` it is the image, as for the sheets.
        """
        box = scene.extent_in_image(camera)
        if box is None:
            return None
        if not self._snapped and self._context.is_software and not scene.is_inside_image(camera):
            return None  # what is clipped may lack the exit of a very thin face
        size = np.array((camera.width, camera.height)) * samples
        with np.errstate(over="ignore"):
            start = np.minimum(np.floor(samples * box[0]) - 1.0, 0.0)
            extent = np.maximum(np.ceil(samples * box[1]) + 1.0, size) - start
        # With one sample, alpha must equal the mask of the sheets, pixel by pixel.
        limit = self._context.max_image_size
        if self._snapped and samples == 1:
            limit = min(limit, _MAX_EXACT_VIEWPORT)
        if extent.max() > limit:
            return None
        left, top, width, height = (int(number) for number in (*start, *extent))
        return (left, top, width, height) if self._snapped else (0, 0, int(size[0]), int(size[1]))

    def draw(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        viewport: Viewport,
        targets: PhotoTargets,
    ) -> None:
        """Draw the samples of a band of the photo.

        Args:
            scene: Scene to render.
            camera: Camera with one pixel per sample of the band.
            request: which crossings count.
            samples: samples along each side of a pixel.
            viewport: from `viewport`, relative to the first row of the band.
            targets: to draw to.

        Raises:
            DeviceMemoryError: the mesh does not fit into the device's memory.
        """
        mesh = photo_mesh(self._context, scene)
        uniforms, arithmetic = in_arithmetic(
            self._context, scene, request, self._uniforms(scene, camera, request, viewport)
        )
        gl = self._context.gl
        culls = request.surfaces == "oriented"
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if culls else gl.NOTHING))
        gl.front_face = "cw"  # see Camera.projection
        gl.cull_face, gl.depth_func = "back", "<"  # ties go to the smallest face index
        targets.clear()
        if self._snapped:  # otherwise positions are relative to the image
            targets.samples.viewport = viewport
        for run in mesh.runs:
            vertex_array = self._prepared(
                scene, camera, request, mesh, run, samples, uniforms, **arithmetic
            )
            vertex_array.render(vertices=3 * run.count, first=3 * run.first)

    def _uniforms(
        self, scene: Scene, camera: Camera, request: SheetRequest, viewport: Viewport
    ) -> Uniforms:
        local = local_camera(scene, camera)
        toward = np.zeros((3, 3))
        if camera.is_orthographic:
            toward[2] = -local.view_direction
        else:
            toward[:] = -local.rays
        single = {
            "toward_right": toward[0],
            "toward_down": toward[1],
            "toward_origin": toward[2],
            "image_up": -camera.camera_from_world[1, :3],
            "paint": photo_paint(scene.mesh),
        }
        double = {
            "image_right": _SUBPIXELS * local.image_from_offset[0],
            "image_down": _SUBPIXELS * local.image_from_offset[1],
            "image_origin": _SUBPIXELS * local.image_origin,
            "viewport_start": _SUBPIXELS * np.array(viewport[:2]),
            "viewport_size": _SUBPIXELS * np.array(viewport[2:]),
        }
        return {
            **sheet_uniforms(scene, camera, request),
            **{name: np.ascontiguousarray(value, np.float32) for name, value in single.items()},
            **{name: np.ascontiguousarray(value, np.float64) for name, value in double.items()},
        }

    def _prepared(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        mesh: PhotoMesh,
        run: TextureRun,
        samples: int,
        uniforms: Uniforms,
        **arithmetic: int,
    ) -> Any:
        """Return the vertex array of a run of faces; its program and texture are ready to draw."""
        defines = {
            "PERSPECTIVE": int(not camera.is_orthographic),
            "MIXED": int(request.surfaces == "mixed"),
            "HAS_COLORS": int(scene.mesh.colors is not None),
            "HAS_TEXTURES": int(run.texture is not None),
            "MIRRORED": int(run.is_mirrored),
            "ENCODED": int(samples == 1),
            "SNAPPED": int(self._snapped),
            **arithmetic,
            **{"PHOTO": 1, "WRITE_FACE": 0, "MASKED": 0},
        }
        program = self._programs.get(
            defines, vertex_shader="sheet.vert", fragment_shader="photo.frag"
        )
        for name, value in uniforms.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                program[name].write(value)
        run.use(self._context.gl, program)

        def make() -> Any:
            return scene.adopt(vertex_array(self._context.gl, program, mesh.content, mesh.indices))

        return scene.cached(("photo", program.glo), make)

    def release(self) -> None:
        """Free the programs. Buffers and textures belong to their scenes."""
        self._programs.release()
