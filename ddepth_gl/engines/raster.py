"""Engine `raster`: the depth test, twice. Front faces nearest for the entry, back faces farthest for the exit.

The window depth is 32-bit float and reversed for perspective cameras, near / z with an infinite far plane
(Reed, "Depth Precision Visualized", 2015), so that no plane has to be chosen and nothing is merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera import Camera
from ..context import GLContext
from ..errors import DeviceMemoryError
from ..scene import Scene
from ..shader_library import compile_program
from .sheets import SheetBuffers, SheetRequest

__all__ = ["DepthEncoding", "PendingSheets", "RasterEngine"]

# The near plane, as a fraction of the farthest depth of the mesh. The smallest depth that a float32 vertex can
# have at all is about 2**-24 of it, so nothing that exists is cut off.
_NEAR_FRACTION = 2.0**-24


@dataclass(frozen=True)
class DepthEncoding:
    """How depth becomes window depth, in one place; `shaders/include/depth_encoding.glsl` is its inverse.

    Perspective: window z = scale / depth, reversed: nearer is greater. Orthographic: window z = depth / scale,
    nearer is less. Either way a float32 keeps the depth's relative precision.

    Attributes:
        scale: the near plane (perspective) or the range (orthographic), local units.
        is_reversed: whether nearer is greater.
    """

    scale: float
    is_reversed: bool

    @classmethod
    def of(cls, scene: Scene, camera: Camera) -> DepthEncoding:
        """The encoding that holds every depth of `scene` seen from `camera`."""
        centre = camera.camera_from_world[2, :3] @ scene.origin + camera.camera_from_world[2, 3]
        farthest = max(float(centre) / scene.scale + 1.01 * scene.radius, 1e-6)
        if camera.is_orthographic:
            return cls(farthest, is_reversed=False)
        return cls(farthest * _NEAR_FRACTION, is_reversed=True)

    @property
    def depth_row(self) -> tuple[float, float, float, float]:
        """The row of the projection that gives clip z; see `Camera.projection`."""
        return (0.0, 0.0, 0.0, self.scale) if self.is_reversed else (0.0, 0.0, 1.0 / self.scale, 0.0)

    def depth_test(self, *, nearest: bool) -> tuple[str, float]:
        """The comparison that keeps the nearest (LESS) or farthest (GREATER) depth, and what to clear to.

        This is where the comparison turns round for a reversed buffer.
        """
        if nearest != self.is_reversed:
            return "<", 1.0
        return ">", 0.0


class _Targets:
    """The textures and framebuffers of one image in flight."""

    def __init__(self, context: GLContext, size: tuple[int, int], faces: bool) -> None:
        self.size, self.faces = size, faces
        self._context = context
        self.objects: list[Any] = []
        gl = context.gl
        try:
            self.depth = self._keep(context.depth_texture(size))
            self.framebuffers = [self._framebuffer(gl) for _ in range(2)]
            self.pixel_buffer = None
            if not context.is_software:
                self.pixel_buffer = self._keep(gl.buffer(reserve=self.bytes_per_plane * self.planes))
            context.check_error("making the images", "the image size")
        except BaseException as error:
            self.release()
            # moderngl reports a texture the driver could not allocate as an incomplete framebuffer.
            if isinstance(error, DeviceMemoryError) or not isinstance(error, Exception):
                raise
            gl.error  # noqa: B018  reading it clears what the failed allocation left behind
            raise DeviceMemoryError(
                f"{context.renderer} cannot make images of {size[0]}x{size[1]} pixels ({error}); "
                "reduce the image size"
            ) from error

    def _keep(self, made: Any) -> Any:
        self.objects.append(made)
        return made

    def _framebuffer(self, gl: Any) -> Any:
        attachments = [self._keep(gl.texture(self.size, 1, dtype="f4"))]
        if self.faces:
            attachments.append(self._keep(gl.texture(self.size, 1, dtype="i4")))
        return self._keep(gl.framebuffer(attachments, self.depth))

    @property
    def planes(self) -> int:
        return 4 if self.faces else 2

    @property
    def bytes_per_plane(self) -> int:
        return 4 * self.size[0] * self.size[1]

    def release(self) -> None:
        self._context.unbind_framebuffer()
        for made in reversed(self.objects):
            made.release()
        self.objects.clear()


@dataclass
class PendingSheets:
    """An image that was drawn and not yet read; give it to `RasterEngine.collect`."""

    targets: _Targets


class RasterEngine:
    """Renders both sheets through the fixed-function depth test; needs OpenGL 4.1 and clip control."""

    name = "raster"

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[bool, bool, bool], Any] = {}
        self._idle: list[_Targets] = []

    def submit(self, scene: Scene, camera: Camera, request: SheetRequest) -> PendingSheets:
        """Draws both sheets without waiting for the device.

        Raises:
            DeviceMemoryError: the images do not fit.
        """
        encoding = DepthEncoding.of(scene, camera)
        program = self._program(camera, scene, encoding, request)
        vertex_array = scene.vertex_array(program)
        targets = self._take_targets((camera.width, camera.height), request.faces)
        gl = self._context.gl
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if request.oriented else gl.NOTHING))
        gl.front_face = "cw"  # counter-clockwise, in an image that is turned over; see Camera.projection
        for sheet, framebuffer in enumerate(targets.framebuffers):
            is_entry = sheet == 0
            gl.cull_face = "back" if is_entry else "front"
            gl.depth_func, farthest_away = encoding.depth_test(nearest=is_entry)
            framebuffer.use()
            framebuffer.viewport = (0, 0, *targets.size)
            framebuffer.scissor = None
            framebuffer.color_mask = (True,) * 4 if not request.faces else ((True,) * 4,) * 2
            framebuffer.depth_mask = True
            framebuffer.clear(float("nan"), 0.0, 0.0, 0.0, depth=farthest_away)
            vertex_array.render()
        if targets.pixel_buffer is not None:
            self._read(targets, targets.pixel_buffer)
        return PendingSheets(targets)

    def collect(self, pending: PendingSheets) -> SheetBuffers:
        """Waits for an image and gives its buffers, which belong to the caller.

        Raises:
            DeviceMemoryError, ContextError: what the driver reports of this image's calls.
        """
        targets = pending.targets
        width, height = targets.size
        kinds = (np.float32, np.int32) if targets.faces else (np.float32,)
        planes = [np.empty((height, width), kind) for _ in range(2) for kind in kinds]
        if targets.pixel_buffer is None:
            self._read(targets, planes)
        else:
            for index, plane in enumerate(planes):
                targets.pixel_buffer.read_into(plane, plane.nbytes, index * plane.nbytes)
        self._idle.append(targets)
        self._context.check_error("rendering", "the image size or the number of faces")
        if targets.faces:
            entry, entry_face, exit_, exit_face = planes
            return SheetBuffers(entry, exit_, entry_face, exit_face)
        return SheetBuffers(*planes)

    def discard(self, pending: PendingSheets) -> None:
        """Gives up an image that was submitted."""
        self._idle.append(pending.targets)

    def trim(self, keep: int = 1) -> None:
        """Frees idle images beyond the last `keep`."""
        while len(self._idle) > keep:
            self._idle.pop(0).release()

    def release(self) -> None:
        """Frees every GL object of the engine."""
        self.trim(keep=0)
        for program in self._programs.values():
            program.release()
        self._programs.clear()

    @staticmethod
    def _read(targets: _Targets, into: Any) -> None:
        """Reads the planes (entry, its face, exit, its face) into arrays, or one pixel buffer."""
        index = 0
        for framebuffer in targets.framebuffers:
            for attachment, kind in enumerate(("f4", "i4")[: targets.planes // 2]):
                is_buffer = not isinstance(into, list)
                framebuffer.read_into(
                    into if is_buffer else into[index],
                    components=1,
                    attachment=attachment,
                    dtype=kind,
                    write_offset=index * targets.bytes_per_plane if is_buffer else 0,
                )
                index += 1

    def _take_targets(self, size: tuple[int, int], faces: bool) -> _Targets:
        for targets in self._idle:
            if (targets.size, targets.faces) == (size, faces):
                self._idle.remove(targets)
                return targets
        self.trim(keep=0)
        return _Targets(self._context, size, faces)

    def _program(self, camera: Camera, scene: Scene, encoding: DepthEncoding, request: SheetRequest) -> Any:
        """The program for this request, its uniforms set."""
        key = (not camera.is_orthographic, request.faces, request.crop is not None)
        program = self._programs.get(key)
        if program is None:
            defines = dict(zip(("PERSPECTIVE", "WRITE_FACE", "CROP"), map(int, key), strict=True))
            program = compile_program(
                self._context.gl, defines, vertex_shader="sheet.vert", fragment_shader="sheet.frag"
            )
            self._programs[key] = program
        clip_from_camera = camera.projection(encoding.depth_row)
        linear = clip_from_camera[:, :3] @ camera.camera_from_world[:3, :3]
        if camera.is_orthographic:
            linear[:2] *= scene.scale  # K is per mesh unit here; in perspective the unit cancels
        centre = scene.to_local(camera.centre)
        high = centre.astype(np.float32)
        uniforms: dict[str, npt.ArrayLike] = {
            "camera_centre_high": high,
            "camera_centre_low": centre - high,
            # moderngl wants columns; row i of the transpose is column i.
            "clip_from_local": linear.T,
            "clip_offset": clip_from_camera[:, 3],
            "depth_scale": encoding.scale * scene.scale,
        }
        if request.crop is not None:
            uniforms["crop"] = request.crop
        for name, value in uniforms.items():
            program[name].write(np.ascontiguousarray(value, dtype=np.float32))
        return program
