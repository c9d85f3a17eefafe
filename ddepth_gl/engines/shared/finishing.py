"""Both sheets finished on the device, for results that stay there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...errors import ContextError, DeviceMemoryError
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ...results.silhouettes import swap_limits
from ..request import SheetRequest
from ..scene import Scene

__all__ = ["FinishPass"]

# Invocations in a group, and groups along the first axis of a dispatch; more go along the second.
_GROUP, _MAX_GROUPS = 64, 32768


class FinishPass:
    """The programs of compute_finish.comp; needs OpenGL 4.3, which is checked when it is used.

    Args:
        context: current whenever it is used.
        inverted: whether the bits of entries come inverted.
    """

    def __init__(self, context: GLContext, inverted: bool) -> None:
        self._context = context
        self._inverted = inverted
        self._programs: dict[tuple[bool, bool], Any] = {}

    def _check_fits(self, camera: Camera) -> None:
        context = self._context
        if not context.has_compute:
            raise ContextError(
                f'output="gpu" needs OpenGL 4.3; {context.renderer} has {context.gl_version}; leave it out'
            )
        if 8 * camera.width * camera.height > context.max_storage_block:
            raise DeviceMemoryError(
                f"both sheets of {camera.width}x{camera.height} pixels are more than the "
                f'{context.max_storage_block:,} bytes of a buffer of {context.renderer}; leave output="gpu" '
                "out, or reduce the image size"
            )

    def run(
        self, sheets: Any, scene: Scene, camera: Camera, request: SheetRequest, number: int = 0
    ) -> list[Any]:
        """Two buffers, the caller's, of entry and of exit: (H, W) float32, NaN where there is none.

        Args:
            sheets: buffer of the depths, entries and then exits, of one image or several; a miss is any NaN.
            scene, camera, request: of the image.
            number: which one of them it is.

        Raises:
            ContextError: there are no compute shaders.
            DeviceMemoryError: the image is larger than one buffer, or the results do not fit.
        """
        self._check_fits(camera)
        fix_silhouettes = request.may_fix_silhouettes and scene.mesh.is_oriented
        gl = self._context.gl
        size = (camera.width, camera.height)
        program = self._program(camera.is_orthographic, fix_silhouettes)
        program["image_size"] = size
        program["first_row"] = 2 * number * size[1]
        if "swap_limits" in program:
            program["swap_limits"].write(np.array(swap_limits(camera)))
        made: list[Any] = []
        with self._context.allocating("sheets", size, made):
            made += [gl.buffer(reserve=4 * size[0] * size[1]) for _ in range(2)]
        for binding, buffer in enumerate((sheets, *made)):
            buffer.bind_to_storage_buffer(binding)
        groups = -(-size[0] * size[1] // _GROUP)
        program.run(min(groups, _MAX_GROUPS), -(-groups // _MAX_GROUPS))
        gl.memory_barrier()
        return made

    def _program(self, orthographic: bool, fix_silhouettes: bool) -> Any:
        key = orthographic, fix_silhouettes
        if key not in self._programs:
            defines = {
                "GROUP": _GROUP,
                "PERSPECTIVE": int(not orthographic),
                "FIX_SILHOUETTES": int(fix_silhouettes),
                "INVERTED": int(self._inverted),
            }
            self._programs[key] = compile_program(
                self._context.gl, defines, compute_shader="compute_finish.comp"
            )
        return self._programs[key]

    def release(self) -> None:
        """Frees the programs."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
