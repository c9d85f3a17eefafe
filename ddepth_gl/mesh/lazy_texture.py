"""LazyTexture: a texture of a mesh that is decoded when its texels are first used."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .._frozen_arrays import frozen

__all__ = ["LazyTexture"]


def _nothing_to_decode() -> npt.NDArray[np.uint8]:
    """Return no texels; of a texture that has them, it is never called."""
    return np.zeros((0, 0, 4), np.uint8)


class LazyTexture:
    """A texture that is decoded once, by the first thread that reads its texels.

    Meshes that are made from each other share it. It can be pickled if `decode` can: encoded as
    long as it is not decoded, then as texels.

    Args:
        size: width and height in texels.
        decode: returns (h, w, 4) uint8, sRGB, top row first. It is called at most once without an
            exception, and then dropped with the encoded data that it holds. None with `texels`.
        texels: what it would return, if that is known; the caller must not keep the array.
        may_have_alpha: whether a texel may not be opaque.
        decode_alpha: returns (h, w) uint8, the alpha alone, which takes less memory. It is called
            at most once without an exception, by `alpha`. None if `alpha` should decode all, so
            that nothing is decoded twice.
    """

    __slots__ = (
        "_alpha",
        "_decode",
        "_decode_alpha",
        "_lock",
        "_texels",
        "may_have_alpha",
        "size",
    )

    def __init__(
        self,
        size: tuple[int, int],
        decode: Callable[[], npt.NDArray[np.uint8]] | None,
        texels: npt.NDArray[np.uint8] | None = None,
        may_have_alpha: bool = True,
        decode_alpha: Callable[[], npt.NDArray[np.uint8]] | None = None,
    ) -> None:
        self.size = size
        self.may_have_alpha = may_have_alpha
        self._decode = decode or _nothing_to_decode
        self._texels = None if texels is None else frozen(texels)
        self._decode_alpha = decode_alpha
        self._alpha: npt.NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def texels(self) -> npt.NDArray[np.uint8]:
        """Return the texels: (h, w, 4) uint8, sRGB, top row first; read-only.

        Raises:
            MeshError: the encoded data is damaged.
        """
        with self._lock:
            texels = self._texels
            if texels is None:
                texels = self._texels = frozen(self._decode())
                self._decode = _nothing_to_decode
                self._alpha = self._decode_alpha = None
            return texels

    def alpha(self) -> npt.NDArray[np.uint8]:
        """Return the alpha of the texels: (h, w) uint8, top row first; read-only.

        Raises:
            MeshError: the encoded data is damaged.
        """
        with self._lock:
            if self._decode_alpha is not None:
                if self._alpha is None:
                    self._alpha = frozen(self._decode_alpha())
                return self._alpha
        return self.texels()[..., 3]

    def has_alpha(self) -> bool:
        """Return whether a texel is not opaque."""
        return self.may_have_alpha and int(self.alpha().min(initial=255)) < 255

    def __reduce__(self) -> tuple[object, ...]:
        with self._lock:
            return LazyTexture, (
                self.size,
                self._decode,
                self._texels,
                self.may_have_alpha,
                self._decode_alpha,
            )
