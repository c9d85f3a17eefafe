"""Photos by Cycles or EEVEE: .blend files seen by the cameras of the data set."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._packages import import_needed
from .._text import counted
from ..errors import DatasetError, MeshError
from .blend_mesh import BLEND_SUFFIX
from .blend_process import run_blender, with_advice
from .codecs import png_bytes
from .photo_masks import Mask, mask_iou
from .similar_cameras import camera_of_similar

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..mesh.mesh import Mesh
    from .config import DatasetConfig
    from .entries import MeshEntry
    from .normalization import Placement

__all__ = ["BlendPhotos", "blender_versions", "check_are_blend", "take_photos"]

_EXAMPLES = 3


class BlendPhotos:
    """The photos of a .blend file, one for each view.

    Args:
        folder: with ``000000.png``, ...; it must stay.
        about: what they were rendered with.

    Attributes:
        about: engine, version of Blender, samples and color management, ready for JSON.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder, self.about = folder, about

    def files(self, view: int) -> dict[str, bytes]:
        """Return ``photo.png`` of a view: its pixels alone, without times and names."""
        return {"photo.png": png_bytes(self._pixels(view))}

    def columns(self, view: int, rendered: Mask) -> dict[str, Any]:
        """Return ``mask_iou`` for the index: how well the photo's alpha matches `rendered`.

        Args:
            view: number of the view.
            rendered: (H, W) bool silhouette of the mesh.
        """
        return {"mask_iou": mask_iou(self._pixels(view)[..., 3] >= 128, rendered)}

    def _pixels(self, view: int) -> npt.NDArray[np.uint8]:
        pillow = import_needed("PIL.Image", "reading photos", DatasetError)
        data = (self._folder / f"{view:06d}.png").read_bytes()
        with pillow.open(io.BytesIO(data), formats=("PNG",)) as image:
            return np.asarray(image.convert("RGBA"))


def take_photos(
    config: DatasetConfig,
    path: Path,
    loaded: Mesh,
    placement: Placement,
    cameras: Sequence[Camera],
    folder: Path,
) -> BlendPhotos:
    """Have Blender render a file from cameras, in a process of its own.

    Args:
        config: settings of the data set.
        path: the .blend file.
        loaded: its mesh, before it was placed.
        placement: how it was placed.
        cameras: in the frame of the placed mesh.
        folder: for the photos and other temporary files.

    Raises:
        MeshError: Blender cannot read or render the file.
    """
    seen = [camera_of_similar(camera, placement) for camera in cameras]
    limit, own = config.loading.max_file_mb, config.blender
    crop = [
        None if d is None else d / placement.scale for d in (config.store.near, config.store.far)
    ]
    told = _ask(
        {
            "engine": own.photo,
            "path": str(path.absolute()),
            "max_bytes": None if limit is None else limit * 10**6,
            "folder": str(folder),
            "samples": own.samples,
            "seed": own.seed,
            "view_transform": own.view_transform,
            "views": [
                {"camera": replace(c, name="").to_dict(), "near_far": _near_far(loaded, c, *crop)}
                for c in seen
            ],
        },
        folder,
        str(path),
        "rendered its photos",
    )
    return BlendPhotos(folder, told)


def blender_versions(engine: str) -> dict[str, str]:
    """Return the version of Blender, and for EEVEE that of its OpenGL.

    Raises:
        DatasetError: there is no Blender, or the engine does not render here.
    """
    subject = f"--photo {engine}"
    with tempfile.TemporaryDirectory(prefix="ddepth_") as folder:
        try:
            told = _ask({"engine": engine}, Path(folder), subject, "started")
        except MeshError as error:
            raise DatasetError(str(error)) from None
    return {str(name): str(text) for name, text in told.items()}


def check_are_blend(config: DatasetConfig, entries: Sequence[MeshEntry]) -> None:
    """Check that Blender can render all meshes, if it is to.

    Raises:
        DatasetError: some are in other formats.
    """
    if config.blender.photo == "own":
        return
    paths = [entry.member or entry.address for entry in entries]
    others = [path for path in paths if not path.lower().endswith(BLEND_SUFFIX)]
    if others:
        names = ", ".join(others[:_EXAMPLES]) + (", ..." if len(others) > _EXAMPLES else "")
        raise DatasetError(
            f"--photo {config.blender.photo} (blender.photo) is for .blend files, and "
            f"{len(others)} of {counted(len(paths), 'mesh', 'meshes')} are in other formats "
            f"({names}), whose photos can only be own; leave out one or the other"
        )


def _ask(request: dict[str, Any], folder: Path, subject: str, work: str) -> dict[str, Any]:
    """Return the answer of the process to a request."""
    question, answer = folder / "request.json", folder / "answer.json"
    question.write_text(json.dumps(request))
    run_blender("photo_child", (str(question), str(answer)), answer, subject, work)
    told: dict[str, Any] = json.loads(answer.read_text())
    if "error" in told:
        raise MeshError(with_advice(told["error"], subject))
    return told


def _near_far(
    mesh: Mesh, camera: Camera, near: float | None, far: float | None
) -> tuple[float, float]:
    """Return clip start and end: far before and behind the mesh, but for crops on request."""
    low, high = mesh.bounds
    corners = np.array([[(low, high)[i >> axis & 1][axis] for axis in range(3)] for i in range(8)])
    depths = camera.project(corners)[1]
    nearest, farthest = float(depths.min()), float(depths.max())
    reach = float(np.linalg.norm(high - low))
    end = max(farthest, reach) + reach
    start = max(nearest - reach, end * 1e-5)
    return (max(near, end * 1e-5) if near is not None else start, end if far is None else far)
