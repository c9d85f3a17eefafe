"""Photos that exist already, with the cameras that took them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from .._checks import one_line
from ..camera.camera import Camera
from ..camera.checks import Float64Array
from ..errors import CameraError, DatasetError
from ..io.cameras.read import JSON_NAMES, load_cameras
from .axes import direction_of
from .bop_photos import bop_photos
from .draws import tan_deg
from .entry_paths import path_of_entry
from .photo_masks import Photo, content_of, photo_size
from .similar_cameras import camera_of_similar
from .worlds import placement_in_world

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from .config import PhotosConfig
    from .entries import MeshEntry
    from .normalization import Placement

__all__ = ["photos_of"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".bmp", ".tif", ".tiff")
_MAX_POSE_BYTES = 1 << 16
_MAX_JSON_BYTES = 1 << 29
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_TRELLIS_BOX = [[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]


def photos_of(
    config: PhotosConfig, entry: MeshEntry, loaded: Mesh, placement: Placement | None = None
) -> list[Photo]:
    """Return the photos of a mesh with their cameras, in the order of the layout.

    Layouts; "auto" is the first that the folder holds:

    - "zero123": ``000.png`` beside ``000.npy``, a (3, 4) matrix that maps points to Blender's
      camera frame (x right, y up, z backward), as the scripts of Zero123, Objaverse-XL and LaRI
      write it (``get_3x4_RT_matrix_from_blender``). The field of view is `config.fov_deg`.
    - "bop": a scene of the BOP benchmark, or a folder of scenes; see `bop_photos`.
    - "transforms", "colmap": see `load_cameras`. Images are looked for by their names beside the
      file and in a folder ``images``, beside it or up to two folders up.

    Poses are in one of two worlds, see `placement_in_world`; "auto" is "blender" for "zero123" and
    for a transforms.json of TRELLIS, whose ``aabb`` is the unit box, and "mesh" for all others.

    Either way, the returned cameras are in the frame of the mesh as it is rendered, and depths in
    its units.

    Args:
        config: settings of photos. Its ``folder`` may hold ``{id}``, ``{stem}`` and ``{folder}``,
            see `path_of_entry`.
        entry: the mesh's entry. Its own photos and cameras go before the folder.
        loaded: the mesh as its file has it, before it was normalized.
        placement: how it was normalized; None if it was not.

    Raises:
        DatasetError: the folder has no photos, or one of them is missing or no image.
        CameraError: a camera file cannot be read.
    """
    if entry.photos:
        layout, photos = "transforms", _photos_of_entry(entry)
    else:
        folder = Path(path_of_entry(config.folder, entry))
        layout = _layout_in(folder) if config.layout == "auto" else config.layout
        if layout == "zero123":
            photos = _zero123_photos(folder, config.fov_deg)
        elif layout == "bop":
            photos = bop_photos(folder, entry)
        else:
            photos = _named_photos(folder)
    if config.masks is not None:
        photos = [photo._replace(mask=_mask_file(config.masks, photo.path)) for photo in photos]
    world = config.world
    if world == "auto":
        is_blender = layout == "zero123" or (layout == "transforms" and _is_trellis(config, entry))
        world = "blender" if is_blender else "mesh"
    up = direction_of("photos.mesh_up", config.mesh_up)
    similarity = placement_in_world(world, loaded, placement, entry, up)
    return [photo._replace(camera=camera_of_similar(photo.camera, similarity)) for photo in photos]


def _layout_in(folder: Path) -> str:
    if folder.is_dir():
        if any(folder.glob("scene_camera*.json")) or any(folder.glob("*/scene_camera.json")):
            return "bop"
        if not any(folder.glob("transforms*.json")) and any(folder.glob("*.npy")):
            return "zero123"
    return "transforms"


def _is_trellis(config: PhotosConfig, entry: MeshEntry) -> bool:
    path = Path(entry.cameras or path_of_entry(config.folder, entry))
    path = path / "transforms.json" if path.is_dir() else path
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        document = json.loads(content_of(path, _MAX_JSON_BYTES))
    except (ValueError, RecursionError):
        return False  # load_cameras says what is wrong
    return isinstance(document, dict) and document.get("aabb") == _TRELLIS_BOX


def _photos_of_entry(entry: MeshEntry) -> list[Photo]:
    if entry.cameras is None:
        raise DatasetError(f"{entry.id} has photos and no cameras; give it a camera file")
    paths = [Path(path) for path in entry.photos]
    cameras = _sized_cameras(Path(entry.cameras), paths[0])
    if len(cameras) != len(paths):
        raise DatasetError(
            f"{entry.id} has {len(paths)} photos and {len(cameras)} cameras; give one for each"
        )
    return [Photo(_resized(c, p), p) for c, p in zip(cameras, paths, strict=True)]


def _zero123_photos(folder: Path, fov_deg: float) -> list[Photo]:
    matrices = sorted(folder.glob("*.npy"))
    if not matrices:
        raise DatasetError(
            f"{folder} holds no poses such as 000.npy; check photos.folder and photos.layout"
        )
    photos = []
    for file in matrices:
        path = _first_image([file.with_suffix("")])
        if path is None:
            raise DatasetError(f"{file} has no photo beside it, such as {file.stem}.png; remove it")
        width, height = photo_size(path)
        # Blender's default fits the sensor to the longer side.
        focal = max(width, height) / 2.0 / tan_deg(fov_deg / 2.0)
        K = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
        try:
            camera = Camera(K, _OPENCV_FROM_OPENGL @ _pose_in(file), width, height, name=path.name)
        except CameraError as error:
            raise CameraError(f"{file}: {error}") from None
        photos.append(Photo(camera, path))
    return photos


def _pose_in(file: Path) -> Float64Array:
    """Return the (4, 4) matrix of a .npy file with (3, 4) numbers."""
    data = content_of(file, _MAX_POSE_BYTES)
    try:
        matrix = np.load(io.BytesIO(data), allow_pickle=False)
        if matrix.shape != (3, 4) or matrix.dtype.kind != "f":
            raise DatasetError(f"it holds {matrix.dtype} of shape {matrix.shape}")
    except Exception as error:  # a damaged file may raise anything
        raise DatasetError(
            f"{file} is not a pose ({one_line(error)}); it must hold (3, 4) floats"
        ) from None
    return np.vstack([matrix.astype(np.float64), (0.0, 0.0, 0.0, 1.0)])


def _named_photos(folder: Path) -> list[Photo]:
    base = folder if folder.is_dir() else folder.parent
    roots = [base, *(each / "images" for each in (base, base.parent, base.parent.parent))]
    try:
        cameras = load_cameras(folder)
        _check_names(folder, cameras)
    except CameraError:
        # The file may lack an image size. Names are the same with any; the photos have theirs.
        cameras = load_cameras(folder, width=64, height=64)
        _check_names(folder, cameras)
        cameras = _sized_cameras(folder, _photo_named(cameras[0].name, roots))
    photos = []
    for camera in cameras:
        path = _photo_named(camera.name, roots)
        photos.append(Photo(_resized(camera, path), path))
    return photos


def _check_names(folder: Path, cameras: list[Camera]) -> None:
    """Raise DatasetError if a camera does not name its photo."""
    for number, camera in enumerate(cameras):
        if not camera.name:
            files = (folder / name for name in JSON_NAMES)
            file = next((file for file in files if file.is_file()), folder)
            raise DatasetError(
                f"view {number} of {file} names no photo (file_path is empty); "
                'give it one, such as "000.png" beside the file'
            )


def _sized_cameras(file: Path, photo: Path) -> list[Camera]:
    """Return the cameras of a file; if it has no image size, that of a photo."""
    try:
        return load_cameras(file)
    except CameraError:
        width, height = photo_size(photo)
        return load_cameras(file, width=width, height=height)


def _resized(camera: Camera, path: Path) -> Camera:
    """Return a camera with the size of its photo, as if the image was resized."""
    width, height = photo_size(path)
    if (width, height) == (camera.width, camera.height):
        return camera
    scale = np.array([[width / camera.width], [height / camera.height], [1.0]])
    return replace(camera, K=camera.K * scale, width=width, height=height)


def _photo_named(name: str, roots: list[Path]) -> Path:
    relative = PurePosixPath(name)
    last = PurePosixPath(relative.name)
    # A name that leads elsewhere, such as ../images/a.png, counts by its last part.
    is_inside = not relative.is_absolute() and ".." not in relative.parts
    places = [root / part for root in roots for part in ([relative, last] if is_inside else [last])]
    path = _first_image(places) if relative.name else None
    if path is None:
        raise DatasetError(
            f"the photo {name!r} is in none of {', '.join(str(root) for root in roots)}; "
            "add it or remove its view"
        )
    return path


def _first_image(places: list[Path]) -> Path | None:
    """Return the first file at a place, with its own suffix or that of an image."""
    for place in places:
        if place.suffix in _SUFFIXES and place.is_file():
            return place
        for suffix in _SUFFIXES:
            path = place.with_name(place.name + suffix)
            if path.is_file():
                return path
    return None


def _mask_file(pattern: str, photo: Path) -> Path:
    return photo.parent / pattern.replace("{photo}", photo.stem)
