"""ListedCrossings: the list of all crossings, built and kept on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...gl.context import GLContext
from ..shared.image_targets import FullscreenPasses, ImageTarget, below_layer
from .programs import ComputePrograms

__all__ = ["ListTargets", "ListedCrossings", "OffsetSums"]

_BLOCK = 64  # numbers that an invocation sums up


class OffsetSums:
    """Prefix sums on the device, see compute_offsets.comp; its buffers are kept.

    Args:
        context: current in every call.
        programs: of the context.
    """

    def __init__(self, context: GLContext, programs: ComputePrograms) -> None:
        self._context, self._programs = context, programs
        self._levels: list[Any] = []
        self._count = 0

    def replace(self, numbers: Any, count: int) -> int:
        """Replace each number of a buffer by the sum of all before it; return the total.

        Args:
            numbers: buffer of (count,) uint32.
            count: how many there are.

        Returns:
            The total; 2**31 - 1 if it is larger.
        """
        if count != self._count:
            self.release()
            self._count, size = count, count
            while not self._levels or size > 1:
                size = -(-size // _BLOCK)
                self._levels.append(self._context.gl.buffer(reserve=4 * size))
        levels = [numbers, *self._levels]
        sizes = [count, *(level.size // 4 for level in self._levels)]
        steps = list(zip(levels, sizes, levels[1:], strict=False))
        for step in steps:
            self._run(0, *step)
        total = int(np.frombuffer(levels[-1].read(4), np.uint32)[0])
        self._context.functions.fill_buffer(levels[-1], 0, 1)
        for step in reversed(steps):
            self._run(1, *step)
        return total

    def _run(self, down: int, numbers: Any, count: int, sums: Any) -> None:
        program = self._programs.get("compute_offsets", BLOCK=_BLOCK, DOWN=down)
        program["number_count"] = count
        numbers.bind_to_storage_buffer(0)
        sums.bind_to_storage_buffer(1)
        self._programs.dispatch(program, -(-count // _BLOCK))
        self._programs.barrier()

    def release(self) -> None:
        """Free the buffers."""
        for level in self._levels:
            level.release()
        self._levels.clear()
        self._count = 0


class ListTargets:
    """The images of a list, with depths that mark how many crossings a pixel has.

    Args:
        context: current in every call.
        size: (width, height) in pixels.

    Attributes:
        key: the arguments after `context`.
        counts: target of the number of crossings of each pixel.
        layer: target of the keys of one layer.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int]) -> None:
        self.key = (size,)
        self.counts = ImageTarget(context, size, 1, "i4", marks=True)
        try:
            self.layer = ImageTarget(context, size, 2, "u4", depth=self.counts.depth)
        except BaseException:
            self.counts.release()
            raise

    def release(self) -> None:
        """Free all textures and framebuffers."""
        self.layer.release()
        self.counts.release()


class ListedCrossings:
    """All crossings of an image, see `DeviceCrossings`.

    Args:
        passes: of the context, which is current in every call.
        targets: with the counts, and their marks.
        max_count: largest number of crossings of a pixel.
        lists: buffer textures "crossings" and "range_ends", see listed_layer.frag.
    """

    def __init__(
        self,
        passes: FullscreenPasses,
        targets: ListTargets,
        max_count: int,
        lists: dict[str, Any],
    ) -> None:
        self.counts, self.max_count = targets.counts.texture, max_count
        self._passes, self._lists, self._target = passes, lists, targets.layer

    def layers(self, stop: int | None = None) -> Iterator[Any]:
        """Yield the layers, see `DeviceCrossings`."""
        target = self._target
        for layer in range(self.max_count if stop is None else min(stop, self.max_count)):
            self._passes.draw(
                target.framebuffer,
                "listed_layer",
                {},
                {**self._lists, "counts": self.counts},
                {"layer": layer, "image_width": target.texture.width},
                marks=False,
                below=below_layer(layer),
            )
            yield target.texture
