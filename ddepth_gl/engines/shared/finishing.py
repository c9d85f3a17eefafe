"""The finish pass: both sheets finished on the GPU, for results that stay there or are copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...errors import ContextError, DeviceMemoryError
from ...gl.context import GLContext
from ...gl.programs import Programs
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
        self._programs = Programs(context.gl)

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
        cameras: Sequence[Camera],
        request: SheetRequest,
        results: Sequence[tuple[Any, int]],
    ) -> None:
        """Finish the sheets of some images of one size.

        Args:
            sheets: buffer of depths, of each image the entries, then the exits. Any NaN is a miss.
            scene: Scene that was rendered.
            cameras: of the images.
            request: request for each image.
            results: for each image a buffer and an index in it, from which on its entries are
                written, then its exits: (H, W) float32 each, mesh units, NaN for a miss.

        Raises:
            ContextError: the device has no compute shaders.
            DeviceMemoryError: an image is larger than one buffer.
        """
        camera = cameras[0]
        self._check_fits(camera)
        fix_silhouettes = request.fixes_silhouettes(scene.mesh)
        size = (camera.width, camera.height)
        program = self._program(camera.is_orthographic, fix_silhouettes, request.may_exchange)
        program["image_size"] = size
        sheets.bind_to_storage_buffer(0)
        groups = -(-size[0] * size[1] // _GROUP_SIZE)
        for index, (camera, (buffer, first)) in enumerate(zip(cameras, results, strict=True)):
            program["first_row"] = 2 * index * size[1]
            program["first_result"] = first
            if fix_silhouettes:
                program["swap_limits"].write(np.array(swap_limits(camera)))
            buffer.bind_to_storage_buffer(1)
            program.run(min(groups, _MAX_GROUPS_X), -(-groups // _MAX_GROUPS_X))
        self._context.gl.memory_barrier()

    def _program(self, orthographic: bool, fix_silhouettes: bool, exchanges: bool) -> Any:
        defines = {
            "GROUP_SIZE": _GROUP_SIZE,
            "PERSPECTIVE": int(not orthographic),
            "FIX_SILHOUETTES": int(fix_silhouettes),
            "EXCHANGE": int(exchanges),
            "INVERTED_ENTRIES": int(self._inverted_entries),
        }
        return self._programs.get(defines, compute_shader="compute_finish.comp")

    def release(self) -> None:
        """Free the programs."""
        self._programs.release()
