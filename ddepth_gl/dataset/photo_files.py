"""Photos that exist, as files of samples and columns of the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..camera.camera import Camera
from .photo_masks import Mask, Photo, mask_iou, photo_mask, photo_png

if TYPE_CHECKING:
    from .config import PhotosConfig
    from .corrections import Correction

__all__ = ["PhotoFiles"]


class PhotoFiles:
    """The photos of a mesh, one for each view; none if the settings name none.

    Args:
        config: settings of photos.
        photos: the photos.
        correction: of their poses, if one was found.
        is_stored: whether samples hold the photos.
    """

    def __init__(
        self,
        config: PhotosConfig | None = None,
        photos: Sequence[Photo] = (),
        correction: Correction | None = None,
        *,
        is_stored: bool = False,
    ) -> None:
        self._config, self._photos, self._is_stored = config, photos, is_stored
        found = None if correction is None else correction.to_dict()
        self._correction = None if found is None else json.dumps(found, sort_keys=True)

    @property
    def cameras(self) -> list[Camera]:
        """The cameras that took the photos."""
        return [photo.camera for photo in self._photos]

    def files(self, view: int) -> dict[str, bytes]:
        """Return ``photo.png`` of a view, if samples hold it."""
        return {"photo.png": photo_png(self._photos[view])} if self._is_stored else {}

    def columns(self, view: int, rendered: Mask) -> dict[str, Any]:
        """Return what the index says of the photo of a view.

        Args:
            view: number of the view.
            rendered: (H, W) bool silhouette of the mesh.

        Returns:
            Empty without photos. Else ``mask_iou``, the intersection over union of `rendered` and
            the photo's silhouette, None if it has none; ``pose_correction``, JSON text of
            `Correction.to_dict`, or None; and ``left_out``, whether the ratio is below ``min_iou``,
            so that the sample has no files.
        """
        if self._config is None:
            return {}
        mask = photo_mask(self._photos[view])
        iou = None if mask is None else mask_iou(mask, rendered)
        return {
            "mask_iou": iou,
            "pose_correction": self._correction,
            "left_out": iou is not None and iou < self._config.min_iou,
        }
