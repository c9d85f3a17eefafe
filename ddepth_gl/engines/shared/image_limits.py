"""ImageLimits: the smallest and the largest number of an image, without reading the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...gl.context import GLContext
from .image_targets import FullscreenPasses, ImageTarget

__all__ = ["ImageLimits"]

_SIDE = 8  # of the blocks that become one pixel each, pixels


class ImageLimits:
    """The images that an image is reduced to, each smaller than the one before.

    Args:
        context: current in every call.
        passes: of the context.
    """

    def __init__(self, context: GLContext, passes: FullscreenPasses) -> None:
        self._context, self._passes = context, passes
        self._size = (0, 0)
        self._targets: list[ImageTarget] = []

    def of(self, texture: Any, *, is_integer: bool) -> tuple[float, float] | None:
        """Return the smallest and the largest finite number of a texture; None without any.

        Only these two come to the CPU. Integers must be exact in float32.

        Args:
            texture: of one number per pixel.
            is_integer: it holds integers.
        """
        if texture.size != self._size:
            self.release()
            self._size = size = texture.size
            while not self._targets or size != (1, 1):
                size = -(-size[0] // _SIDE), -(-size[1] // _SIDE)
                self._targets.append(ImageTarget(self._context, size, 2, "f4"))
        kind = 1 if is_integer else 0
        name = "integers" if is_integer else "numbers"
        for target in self._targets:
            self._passes.draw(
                target.framebuffer,
                "image_limits",
                {"SIDE": _SIDE, "KIND": kind},
                {name: texture},
                {},
            )
            kind, name, texture = 2, "numbers", target.texture
        low, high = np.frombuffer(
            self._targets[-1].framebuffer.read(components=2, dtype="f4"), "f4"
        )
        self._context.unbind_framebuffer()
        return (float(low), float(high)) if low <= high else None

    def release(self) -> None:
        """Free the images."""
        for target in self._targets:
            target.release()
        self._targets.clear()
        self._size = (0, 0)
