"""Frame: everything that one call of `DepthRenderer.render` returns for one camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._checks import checked_result, shown
from ..camera.camera import Camera, check_camera
from ..errors import RequestError
from .depth_layers import DepthLayers
from .depth_maps import DepthMaps
from .plots import notebook_png, plot_frame

__all__ = ["Frame"]


@dataclass(frozen=True, eq=False)
class Frame:
    """The results of one camera: image, depth maps and depth layers, as far as requested.

    Attributes:
        camera: Camera of the frame.
        image: (H, W, 4) uint8, sRGB and straight alpha, see `DepthRenderer.shade`; None if not
            requested.
        maps: DepthMaps; None if not requested.
        layers: DepthLayers; None if not requested.

    Raises:
        CameraError: `camera` is not a Camera.
        RequestError: a result has the wrong type or shape.
    """

    camera: Camera
    image: npt.NDArray[np.uint8] | None = None
    maps: DepthMaps | None = None
    layers: DepthLayers | None = None

    def __post_init__(self) -> None:
        check_camera(self.camera)
        if self.image is not None:
            shape = self.camera.height, self.camera.width, 4
            image = checked_result("image", self.image, np.uint8, shape)
            object.__setattr__(self, "image", image)
        for name, kind in (("maps", DepthMaps), ("layers", DepthLayers)):
            value = getattr(self, name)
            if not isinstance(value, (kind, type(None))):
                raise RequestError(f"{name} must be {kind.__name__} or None, not {shown(value)}")
            if value is not None:
                size, found = (
                    f"{camera.width}x{camera.height}" for camera in (self.camera, value.camera)
                )
                if size != found:
                    raise RequestError(f"{name} must be of a {size} image, not of a {found} one")

    def __repr__(self) -> str:
        size = f"Frame {self.camera.width}x{self.camera.height}"
        names = ("image", "maps", "layers")
        return f"<{', '.join((size, *(n for n in names if getattr(self, n) is not None)))}>"

    def _repr_png_(self) -> bytes | None:
        return notebook_png(lambda: plot_frame(self, title=repr(self)[1:-1]))
