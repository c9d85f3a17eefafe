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
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ..request import SheetRequest
from ..scene import Scene
from .alpha_masks import alpha_masks
from .local_camera import local_camera
from .photo_mesh import PhotoMesh, TextureRun, photo_mesh, textures_fit
from .shading import Resolver
from .sheet_uniforms import sheet_uniforms

__all__ = ["PhotoPass", "Viewport"]

# With fewer samples a face, setting up faces takes longer than the attribute pass.
_MIN_SAMPLES_PER_FACE = 4
# Pixels along a side of the largest viewport in which the driver's float32 arithmetic surely snaps
# to the subpixel that sheet.vert chose. Its error, four roundings, stays below a quarter of it.
_MAX_EXACT_VIEWPORT = 1 << 13
# Largest targets that are kept for the next image, samples: 12 bytes each.
_MAX_IDLE_SAMPLES = 1 << 20
_SUBPIXELS = 256  # per pixel, along each side; as on the engine `compute`

# Of glViewport: first column and row, width and height.
Viewport = tuple[int, int, int, int]


class PhotoPass:
    """The programs of sheet.vert with PHOTO and photo.frag.

    Args:
        context: current in every call.
        resolver: averages samples.
        snapped: take the screen positions of the engine `compute` instead of those of `raster`.
    """

    def __init__(self, context: GLContext, resolver: Resolver, snapped: bool) -> None:
        self._context = context
        self._resolver = resolver
        self._snapped = snapped
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._targets: _Targets | None = None

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
            camera.width * camera.height * samples**2 < _MIN_SAMPLES_PER_FACE * len(mesh.faces)
            # GPUs may break ties at edges otherwise than the engine `compute`.
            or (self._snapped and not self._context.is_software)
            or request.beside_a_face
            or request.crop is not None
            or not (request.surfaces == "any" or request.by_geometry or mesh.is_oriented)
            or not textures_fit(self._context, scene)
            or alpha_masks(self._context, scene) is not None
        ):
            return None
        return self._viewport(scene, camera, samples)

    def _viewport(self, scene: Scene, camera: Camera, samples: int) -> Viewport | None:
        """Return a viewport that holds the whole mesh and the image; None if there is none.

        Faces that leave the viewport are clipped in float32, which may move their edges.
        """
        low, high = scene.mesh.bounds
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        image, depth = camera.project(corners)
        if not depth.min() > 0.0:
            return None
        size = np.array((camera.width, camera.height)) * samples
        with np.errstate(over="ignore"):
            start = np.minimum(np.floor(samples * image.min(axis=0)) - 1.0, 0.0)
            extent = np.maximum(np.ceil(samples * image.max(axis=0)) + 1.0, size) - start
        # With one sample, alpha must equal the mask of the sheets, pixel by pixel.
        limit = self._context.max_image_size
        if self._snapped:
            limit = min(limit, _MAX_EXACT_VIEWPORT) if samples == 1 else limit
            if extent.max() <= limit:
                return int(start[0]), int(start[1]), int(extent[0]), int(extent[1])
        elif extent.max() <= limit and (samples > 1 or (extent == size).all()):
            return 0, 0, int(size[0]), int(size[1])
        return None

    def draw(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        viewport: Viewport,
    ) -> npt.NDArray[np.uint8]:
        """Return a band of the photo: (h, W, 4) uint8, sRGB and alpha.

        Args:
            scene: Scene to render.
            camera: Camera with one pixel per sample of the band.
            request: which crossings count.
            samples: samples along each side of a pixel.
            viewport: from `viewport`, relative to the first row of the band.

        Raises:
            DeviceMemoryError: the images or the mesh do not fit into the device's memory.
        """
        mesh = photo_mesh(self._context, scene)
        uniforms = self._uniforms(scene, camera, request, viewport)
        size = camera.width, camera.height
        targets = self._targets
        if targets is None or targets.key != (size, samples):
            self.trim()
            targets = self._targets = _Targets(self._context, size, samples)
        gl = self._context.gl
        culls = request.surfaces == "oriented"
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if culls else gl.NOTHING))
        gl.front_face = "cw"  # see Camera.projection
        gl.cull_face, gl.depth_func = "back", "<"  # ties go to the smallest face index
        framebuffer = targets.samples
        framebuffer.depth_mask = True
        framebuffer.use()
        framebuffer.viewport = (0, 0, *size)
        framebuffer.scissor = None
        framebuffer.clear(depth=1.0)
        if not self._snapped:
            # The position of a corner is relative to the image, as that of sheet.vert is.
            viewport = (0, 0, *size)
        framebuffer.viewport = viewport
        for run in mesh.runs:
            vertex_array = self._prepared(scene, camera, request, mesh, run, samples, uniforms)
            vertex_array.render(vertices=3 * run.count, first=3 * run.first)
        try:
            if samples > 1:
                self._resolver.draw(targets.linear, targets.pixels, samples)
            image = np.empty((size[1] // samples, size[0] // samples, 4), np.uint8)
            targets.pixels.read_into(image, components=4)
        finally:
            self._context.unbind_framebuffer()
            if size[0] * size[1] > _MAX_IDLE_SAMPLES:
                self.trim()
        return image

    def _uniforms(
        self, scene: Scene, camera: Camera, request: SheetRequest, viewport: Viewport
    ) -> dict[str, npt.NDArray[np.floating[Any]]]:
        local = local_camera(scene, camera)
        toward = np.zeros((3, 3))
        if camera.is_orthographic:
            toward[2] = -local.view_direction
        else:
            toward[:] = -local.rays
        has_paint = scene.mesh.colors is None and not scene.mesh.texture_sizes
        single = {
            "toward_right": toward[0],
            "toward_down": toward[1],
            "toward_origin": toward[2],
            "image_up": -camera.camera_from_world[1, :3],
            # A white object on white paper would hardly be visible.
            "paint": 0.6 if has_paint else 1.0,
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
        uniforms: dict[str, npt.NDArray[np.floating[Any]]],
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
            **{"PHOTO": 1, "WRITE_FACE": 0, "MASKED": 0},
        }
        key = tuple(defines.values())
        if key not in self._programs:
            self._programs[key] = compile_program(
                self._context.gl, defines, vertex_shader="sheet.vert", fragment_shader="photo.frag"
            )
        program = self._programs[key]
        for name, value in uniforms.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                program[name].write(value)
        run.use(self._context.gl, program)

        def make() -> Any:
            # skip_errors ignores vertex attributes that a program does not use.
            return scene.adopt(
                self._context.gl.vertex_array(program, mesh.content, mesh.indices, skip_errors=True)
            )

        return scene.cached(("photo", program.glo), make)

    def trim(self) -> None:
        """Free the idle targets."""
        targets, self._targets = self._targets, None
        if targets is not None:
            targets.release()

    def release(self) -> None:
        """Free every GL object of the pass. Buffers and textures belong to their scenes."""
        self.trim()
        for program in self._programs.values():
            program.release()
        self._programs.clear()


class _Targets:
    """The images that a photo is drawn to.

    Args:
        context: current in every call.
        size: (width, height) in samples.
        samples: samples along each side of a pixel.

    Attributes:
        key: the arguments after `context`.
        linear: texture of linear colors, one a sample; None if the samples are the pixels.
        samples: framebuffer of the samples, with depth.
        pixels: framebuffer of the pixels.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], samples: int) -> None:
        self.key = size, samples
        self._context = context
        self._gl_objects: list[Any] = []
        self.linear = None
        gl, add = context.gl, self._add
        with context.allocating("a photo", size, self._gl_objects):
            depth_buffer = add(context.functions.depth_texture(size))
            srgb = add(gl.texture((size[0] // samples, size[1] // samples), 4))
            if samples == 1:
                self.samples = self.pixels = add(gl.framebuffer([srgb], depth_buffer))
            else:
                self.linear = add(gl.texture(size, 4, dtype="f2"))
                self.samples = add(gl.framebuffer([self.linear], depth_buffer))
                self.pixels = add(gl.framebuffer([srgb]))

    def _add(self, gl_object: Any) -> Any:
        self._gl_objects.append(gl_object)
        return gl_object

    def release(self) -> None:
        """Free all textures and framebuffers."""
        self._context.unbind_framebuffer()
        for gl_object in reversed(self._gl_objects):
            gl_object.release()
        self._gl_objects.clear()
