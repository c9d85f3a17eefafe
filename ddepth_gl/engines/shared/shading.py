"""The shading pass: the photo of a sheet whose faces are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.programs import Programs
from ...results.silhouettes import swap_limits
from ..request import SheetRequest
from ..scene import Scene
from .mesh_tables import MESH_TABLES, mesh_table
from .photo_mesh import photo_paint, sampled_texture
from .photo_targets import PhotoTargets
from .surface_uniforms import surface_uniforms

__all__ = ["ShadingPass", "SheetTextures"]


@dataclass(frozen=True)
class SheetTextures:
    """Both sheets with their faces on the device, as shade_sheet.frag reads them.

    Attributes:
        in_buffers: they are buffers of one band, see compute_pass.glsl; otherwise textures of the
            whole image.
        by_sampler: texture of each sampler.
    """

    in_buffers: bool
    by_sampler: dict[str, Any]


class _Step(NamedTuple):
    """A draw call of the shading pass.

    Attributes:
        covers: it draws depth only: 0.5, or 0 where entry and exit are swapped.
        exchanges: it shades exits where a body is inside out.
        window_z: window depth for the depth test.
        depth_test: where it draws.
    """

    covers: bool
    exchanges: bool
    window_z: float
    depth_test: str


# All pixels are shaded as entries, then those where entry and exit are swapped once more.
_STEPS = (
    _Step(True, False, 0.0, "<"),
    _Step(False, False, 0.75, ">"),
    _Step(False, True, 0.25, ">"),
)


class ShadingPass:
    """The programs of shade_sheet.frag: the photo of a sheet whose faces are known.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs = Programs(context.gl)

    def draw(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        samples: int,
        sheets: SheetTextures,
        bands: Iterable[tuple[int, int]],
        targets: PhotoTargets,
    ) -> None:
        """Draw the samples of the photo.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the sheets, with one pixel per sample.
            request: request for the sheets.
            samples: samples along each side of a pixel.
            sheets: both sheets. A pixel is transparent where one of them has no face.
            bands: first row and the one after the last of each band, as soon as `sheets` holds it.
            targets: to draw to.

        Raises:
            DeviceMemoryError: the mesh tables do not fit into the device's memory.
        """
        gl, framebuffer = self._context.gl, targets.samples
        uniforms = surface_uniforms(scene, camera, swap_limits=np.array(swap_limits(camera)))
        targets.clear()
        for band in bands:
            for step in _STEPS[: 2 + request.may_exchange]:
                vertex_array = self._prepared(scene, camera, samples, sheets, band, step, uniforms)
                gl.enable_only(gl.DEPTH_TEST)
                gl.depth_func = step.depth_test
                framebuffer.depth_mask = step.covers
                framebuffer.color_mask = (not step.covers,) * 4
                framebuffer.use()  # moderngl applies the masks here
                framebuffer.viewport = (0, 0, camera.width, camera.height)
                framebuffer.scissor = (0, band[0], camera.width, band[1] - band[0])
                vertex_array.render(vertices=3)

    def _prepared(
        self,
        scene: Scene,
        camera: Camera,
        samples: int,
        sheets: SheetTextures,
        band: tuple[int, int],
        step: _Step,
        uniforms: dict[str, npt.NDArray[Any]],
    ) -> Any:
        """Return a vertex array whose program is ready to draw a band."""
        mesh = scene.mesh
        texture = None if step.covers else sampled_texture(self._context, scene)
        textures = 0
        if mesh.texture_sizes and not step.covers:
            textures = 2 if texture is None else 1
        defines = {
            "IN_BUFFERS": int(sheets.in_buffers),
            "COVER": int(step.covers),
            "EXCHANGE": int(step.exchanges),
            "ENCODED": int(samples == 1 and not step.covers),
            "PERSPECTIVE": int(not camera.is_orthographic),
            "HAS_COLORS": int(mesh.colors is not None and not step.covers),
            "TEXTURES": textures,
            "MIRRORED": int(texture is not None and texture.is_mirrored),
        }
        program, vertex_array = self._programs.fullscreen("shade_sheet", defines)
        height = band[1] - band[0] if sheets.in_buffers else camera.height
        for name, value in {
            "image_size": (camera.width, height),
            "first_row": band[0] if sheets.in_buffers else 0,
            "paint": photo_paint(mesh),
            "clip_z": 2.0 * step.window_z - 1.0,
        }.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                program[name] = value
        for name, values in uniforms.items():
            if name in program:
                program[name].write(values)
        unit = 1
        if texture is not None:
            texture.use(self._context.gl, program)
        tables = [name for name in MESH_TABLES if name in program]
        bound = sheets.by_sampler | {
            name: mesh_table(self._context, scene, name) for name in tables
        }
        for name, each in bound.items():
            if name in program:
                each.use(unit)
                self._context.functions.set_sampler(program, name, unit)
                unit += 1
        return vertex_array

    def release(self) -> None:
        """Free the programs. Mesh tables belong to their scenes."""
        self._programs.release()
