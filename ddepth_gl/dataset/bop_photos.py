"""Photos of an object in scenes of the BOP benchmark.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera.camera import Camera
from ..camera.checks import checked_numbers
from ..errors import CameraError, DatasetError
from ..io.cameras.files import locating_errors, read_json
from ..io.cameras.read import load_cameras
from .photo_masks import Photo

if TYPE_CHECKING:
    from .entries import MeshEntry

__all__ = ["bop_photos"]

_MAX_JSON_BYTES = 1 << 29
_SUFFIXES = (".png", ".jpg", ".tif", ".jpeg")


def bop_photos(folder: Path, entry: MeshEntry) -> list[Photo]:
    """Return the photos of an object, one for each time that it is in an image.

    Its poses are those of ``scene_gt.json``, from the frame of the model: `cam_R_m2c` and
    `cam_t_m2c` of the entries with its `obj_id`, the last number in the mesh's name, as 5 in
    ``obj_000005.ply``. Its silhouettes are in ``mask/``, occluded parts included. Without a
    scene_gt.json, the mesh is the scene: poses are those of ``scene_camera.json``. Cameras are
    sorted by scene, image and instance.

    Args:
        folder: a scene, or a folder of scenes.
        entry: the mesh's entry.

    Raises:
        DatasetError: there is no scene, no image of the object, or an image is missing.
        CameraError: a file cannot be read or has an invalid value.
    """
    scenes = [folder] if (folder / "scene_camera.json").is_file() else _scenes_below(folder)
    photos = [photo for scene in scenes for photo in _scene_photos(scene, entry)]
    if not photos:
        raise DatasetError(
            f"{folder} has no image of object {_object_id(entry)}; check photos.folder"
        )
    return photos


def _scenes_below(folder: Path) -> list[Path]:
    scenes = sorted(path.parent for path in folder.glob("*/scene_camera.json"))
    if not scenes:
        raise DatasetError(
            f"{folder} holds no scene_camera.json, nor does a folder in it; check photos.folder"
        )
    return scenes


def _scene_photos(scene: Path, entry: MeshEntry) -> list[Photo]:
    cameras = load_cameras(scene / "scene_camera.json")
    truth = scene / "scene_gt.json"
    if not truth.is_file():
        return [Photo(camera, _image_of(scene, camera.name)) for camera in cameras]
    wanted = _object_id(entry)
    document = read_json(truth, _MAX_JSON_BYTES)
    photos = []
    for camera in cameras:
        instances = document.get(camera.name, [])
        if not isinstance(instances, list):
            raise CameraError(f"{truth}: image {camera.name} is not a list; correct the file")
        for number, values in enumerate(instances):
            if not isinstance(values, dict) or values.get("obj_id") != wanted:
                continue
            with locating_errors(f"{truth}, image {camera.name}, instance {number}"):
                posed = _posed(camera, values)
            mask = scene / "mask" / f"{int(camera.name):06d}_{number:06d}.png"
            path = _image_of(scene, camera.name)
            photos.append(Photo(posed, path, mask if mask.is_file() else None))
    return photos


def _posed(camera: Camera, values: dict[str, Any]) -> Camera:
    missing = [key for key in ("cam_R_m2c", "cam_t_m2c") if key not in values]
    if missing:
        raise CameraError(f"lacks {' and '.join(map(repr, missing))}; correct the file")
    pose = np.eye(4)
    pose[:3, :3] = checked_numbers("cam_R_m2c", values["cam_R_m2c"], (9,), (3, 3)).reshape(3, 3)
    pose[:3, 3] = checked_numbers("cam_t_m2c", values["cam_t_m2c"], (3,), (3, 1)).ravel()
    return replace(camera, camera_from_world=pose)


def _image_of(scene: Path, image_id: str) -> Path:
    for name in ("rgb", "gray"):
        for suffix in _SUFFIXES:
            path = scene / name / f"{int(image_id):06d}{suffix}"
            if path.is_file():
                return path
    raise DatasetError(f"{scene} has no image {int(image_id):06d} in rgb or gray; add it")


def _object_id(entry: MeshEntry) -> int:
    numbers = re.findall(r"[0-9]+", Path(entry.member or entry.address).stem)
    if not numbers:
        raise DatasetError(
            f"{entry.id} has no number in its name, such as obj_000005.ply, which BOP's "
            "scene_gt.json needs; rename the mesh"
        )
    return int(numbers[-1])
