"""The finish pass: both sheets finished on the GPU, for results that stay there."""

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

# Invocations per work group, and work groups along the first axis of a dispatch; more go along the
# second.
_GROUP_SIZE, _MAX_GROUPS_X = 64, 32768


class FinishPass:
    """The programs of compute_finish.comp, which need OpenGL 4.3.

    Args:
        context: current in every call.
        inverted_entries: the bits of entry depths are inverted.
    """

    def __init__(self, context: GLContext, inverted_entries: bool) -> None:
        self._context = context
        self._inverted_entries = inverted_entries
        self._programs: dict[tuple[bool, bool, bool], Any] = {}

    def _check_fits(self, camera: Camera) -> None:
        context = self._context
        if not context.has_compute:
            raise ContextError(
                f'output="gpu" needs OpenGL 4.3, but {context.renderer} has {context.gl_version}; '
                "leave it out"
            )
        if 8 * camera.width * camera.height > context.max_storage_block:
            raise DeviceMemoryError(
                f"both sheets of {camera.width}x{camera.height} pixels are larger than the "
                f"{context.max_storage_block:,} bytes of a buffer on {context.renderer}; "
                'leave output="gpu" out, or reduce the image size'
            )

    def run(
        self,
        sheets: Any,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        image_index: int = 0,
    ) -> list[Any]:
        """Return GPU buffers of both finished sheets, which the caller owns.

        Args:
            sheets: buffer of depths, of one image or several: of each the entries, then the exits.
                Any NaN is a miss.
            scene: Scene that was rendered.
            camera: Camera of the image to finish.
            request: request for the image.
            image_index: position of the image in `sheets`.

        Returns:
            Entry and exit depth, (H, W) float32, mesh units, NaN for a miss.

        Raises:
            ContextError: the device has no compute shaders.
            DeviceMemoryError: the image is larger than one buffer, or the results do not fit into
                the device's memory.
        """
        self._check_fits(camera)
        fix_silhouettes = request.fixes_silhouettes(scene.mesh)
        gl = self._context.gl
        size = (camera.width, camera.height)
        exchanges = request.may_exchange
        program = self._program(camera.is_orthographic, fix_silhouettes, exchanges)
        program["image_size"] = size
        program["first_row"] = 2 * image_index * size[1]
        if "swap_limits" in program:
            program["swap_limits"].write(np.array(swap_limits(camera)))
        results: list[Any] = []
        with self._context.allocating("sheets", size, results):
            results += [gl.buffer(reserve=4 * size[0] * size[1]) for _ in range(2)]
        for binding, buffer in enumerate((sheets, *results)):
            buffer.bind_to_storage_buffer(binding)
        groups = -(-size[0] * size[1] // _GROUP_SIZE)
        program.run(min(groups, _MAX_GROUPS_X), -(-groups // _MAX_GROUPS_X))
        gl.memory_barrier()
        return results

    def _program(self, orthographic: bool, fix_silhouettes: bool, exchanges: bool) -> Any:
        key = orthographic, fix_silhouettes, exchanges
        if key not in self._programs:
            defines = {
                "GROUP_SIZE": _GROUP_SIZE,
                "PERSPECTIVE": int(not orthographic),
                "FIX_SILHOUETTES": int(fix_silhouettes),
                "EXCHANGE": int(exchanges),
                "INVERTED_ENTRIES": int(self._inverted_entries),
            }
            self._programs[key] = compile_program(
                self._context.gl, defines, compute_shader="compute_finish.comp"
            )
        return self._programs[key]

    def release(self) -> None:
        """Free the programs."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
