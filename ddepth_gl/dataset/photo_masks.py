"""Photos that exist already: their sizes and silhouettes, and how well a mesh matches them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._checks import one_line
from .._packages import import_needed
from ..camera.camera import Camera
from ..errors import DatasetError
from ..io.opened_files import opened
from .codecs import png_bytes

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Mask", "Photo", "content_of", "mask_iou", "photo_mask", "photo_png", "photo_size"]

Mask = npt.NDArray[np.bool_]

# Formats that Pillow decodes itself. For others (EPS) it starts programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_MAX_PHOTO_BYTES = 1 << 29
_MAX_PIXELS = 1 << 27


class Photo(NamedTuple):
    """A photo of a mesh.

    Attributes:
        camera: that took it, in the frame of the mesh as it is rendered.
        path: image file.
        mask: image file of the silhouette, light where the object is; None if the photo's alpha
            has it.
    """

    camera: Camera
    path: Path
    mask: Path | None = None


def content_of(path: Path, max_bytes: int = _MAX_PHOTO_BYTES) -> bytes:
    """Return the content of a file that belongs to a mesh.

    Raises:
        DatasetError: the file is missing, no regular file, or larger than `max_bytes`.
    """
    try:
        with opened(path) as file:
            is_usable = file.is_regular and file.size <= max_bytes
            data = file.read() if is_usable else None
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read ({error.args[-1]}); check photos.folder"
        ) from None
    if data is None:
        raise DatasetError(
            f"{path} is not a regular file of at most {max_bytes} bytes; remove it or its view"
        )
    return data


def photo_size(path: Path) -> tuple[int, int]:
    """Return the width and height of an image file; its pixels are not decoded.

    Raises:
        DatasetError: the file cannot be read, or is no image.
    """
    with _opened_image(path) as image:
        width, height = image.size
        return int(width), int(height)


def photo_mask(photo: Photo) -> Mask | None:
    """Return the silhouette of the object in a photo.

    It is the mask file, if there is one, where it is lighter than half; else the photo where its
    alpha is at least half, which at an antialiased edge means that the object covers the pixel
    center.

    Returns:
        (H, W) bool. None if the photo has neither; an alpha that is opaque everywhere counts as
        none.

    Raises:
        DatasetError: a file cannot be read, is no image, or has another size than the camera.
    """
    path = photo.mask or photo.path
    with _opened_image(path) as image:
        expected = (photo.camera.width, photo.camera.height)
        if image.size != expected:
            raise DatasetError(
                f"{path} has {image.size[0]}x{image.size[1]} pixels, its camera "
                f"{expected[0]}x{expected[1]}; give both the same size"
            )
        if photo.mask is not None:
            return _lighter_than_half(image, path)
        if "A" not in image.getbands() and "transparency" not in image.info:
            return None
        alpha = _decoded(image, path, "RGBA")[..., 3]
    return None if (alpha == 255).all() else alpha >= 128


def photo_png(photo: Photo) -> bytes:
    """Return a photo as a PNG file, sRGB with or without alpha: the file itself if it is one.

    Raises:
        DatasetError: the file cannot be read, or is no image.
    """
    with _opened_image(photo.path) as image:
        if image.format == "PNG" and image.mode in ("RGB", "RGBA"):
            return content_of(photo.path)
        return png_bytes(_decoded(image, photo.path, "RGBA"))


def mask_iou(a: Mask, b: Mask) -> float:
    """Return the intersection of two masks over their union; 1 if both are empty.

    Raises:
        DatasetError: the masks differ in shape.
    """
    if a.shape != b.shape:
        raise DatasetError(f"masks have shapes {a.shape} and {b.shape}; give both the same size")
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0


def _opened_image(path: Path) -> Image.Image:
    """Return an image whose header was read."""
    pillow = import_needed("PIL.Image", "reading photos", DatasetError)
    data = content_of(path)
    try:
        image: Image.Image = pillow.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:  # a damaged file may raise anything
        raise DatasetError(f"{path} is not a photo ({one_line(error)}); remove its view") from None
    if image.size[0] * image.size[1] > _MAX_PIXELS:
        raise DatasetError(
            f"{path} has {image.size[0]}x{image.size[1]} pixels, more than {_MAX_PIXELS}; "
            "scale it down"
        )
    return image


def _decoded(image: Image.Image, path: Path, mode: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(image.convert(mode))
    except Exception as error:  # a damaged file may raise anything
        raise DatasetError(f"{path} is damaged ({one_line(error)}); remove its view") from None


def _lighter_than_half(image: Image.Image, path: Path) -> Mask:
    if image.mode.startswith(("I", "F")):
        return _decoded(image, path, image.mode) > 32767
    return np.asarray(_decoded(image, path, "L") > 127)
