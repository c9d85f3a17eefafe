"""Files that the viewer saves: image, arrays, points and camera of what is shown."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice
from ..errors import OutputError
from ..io.cameras.write import save_cameras
from ..io.results.metadata import file_metadata
from ..io.results.npz import write_npz
from ..io.results.png import write_png
from ..io.results.point_clouds import write_layer_clouds, write_sheet_clouds
from ..mesh.normals import face_normals
from .image_texts import image_texts
from .session import Session
from .state import ViewerState

__all__ = ["EXPORTS", "export", "export_bytes"]

# Kinds of files, and labels for buttons.
EXPORTS: dict[str, str] = {
    "image": "Image (PNG)",
    "npz": "Arrays (npz)",
    "ply": "Points (PLY)",
    "camera": "Camera (JSON)",
}
_MAX_NUMBER = 10_000  # of a name that is taken


def export(
    kind: str,
    session: Session,
    state: ViewerState,
    width: int,
    height: int,
    folder: str | Path = ".",
    drawn: npt.NDArray[np.uint8] | None = None,
) -> list[Path]:
    """Save what is shown in a folder; no file that is there is replaced.

    ``NAME_MODE.png`` is the image as it is shown; ``NAME_maps.npz``, or ``NAME_layers.npz`` where
    the mode shows layers, what `load_npz` reads; ``NAME_front.ply`` and ``NAME_back.ply``, or
    ``NAME_layer01.ply``, ..., the points; ``NAME_camera.json`` the camera, as `save_cameras` writes
    it. The image of the mould view is ``NAME_mould.png``. If one of them exists, NAME ends in a
    number.

    Args:
        kind: one of `EXPORTS`.
        session: renders what is saved.
        state: state that is shown.
        width, height: image size in pixels.
        folder: where to save; it must exist.
        drawn: (H, W, 4) uint8, the mould view as it is drawn, to save as its image; None for the
            image of the mode.

    Returns:
        The files written.

    Raises:
        OutputError: a file cannot be written, or the format cannot hold it, such as parallel rays
            in a camera file.
        DDepthError: see `DepthRenderer.render`.
    """
    checked_choice("the file", kind, EXPORTS)
    place = Path(folder)
    if not place.is_dir():
        raise OutputError(f"{place} is not a folder; give an existing one")
    names, write = _writers(kind, session, state, width, height, drawn)
    return write(_free_stem(place, _file_stem(session.name), names))


def export_bytes(
    kind: str, session: Session, state: ViewerState, width: int, height: int
) -> tuple[str, bytes]:
    """Return the name and the content of the file that `export` saves; a zip of several files."""
    with tempfile.TemporaryDirectory(prefix="ddepth-") as folder:
        files = export(kind, session, state, width, height, folder)
        if len(files) == 1:
            return files[0].name, files[0].read_bytes()
        content = BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return f"{_file_stem(session.name)}_points.zip", content.getvalue()


def _writers(
    kind: str,
    session: Session,
    state: ViewerState,
    width: int,
    height: int,
    drawn: npt.NDArray[np.uint8] | None,
) -> tuple[list[str], Callable[[Path], list[Path]]]:
    """Return the ends of the names of the files, and what writes them, by their common start."""
    shows_layers = state.mode_info.needs_layers or (state.place == "mould" and state.mould_layers)
    if kind == "image" and drawn is not None:
        texts = {**file_metadata(), "mode": "mould"}
        return ["_mould.png"], lambda stem: write_png(_with(stem, "_mould.png"), drawn, texts)
    if kind == "image":
        ending = f"_{state.mode}{state.layer + 1 if state.mode == 'layer' else ''}.png"

        def write_image(stem: Path) -> list[Path]:
            frame = session.frame(state, width, height)
            image = session.image(state, width, height)
            texts = image_texts(state, session.limits(state, width, height))
            rendered = frame.maps or frame.layers
            return write_png(_with(stem, ending), image, {**file_metadata(rendered), **texts})

        return [ending], write_image
    if kind == "camera":

        def write_camera(stem: Path) -> list[Path]:
            camera = state.camera_for(width, height)
            if camera.is_orthographic or camera.K[0, 1] != 0.0:
                what = (
                    "parallel rays" if camera.is_orthographic else "pixels that are not square-on"
                )
                raise OutputError(
                    f"camera files (transforms.json) have no {what}; save one in perspective, or "
                    "copy the Python lines, which keep this camera"
                )
            return save_cameras(_with(stem, "_camera.json"), [camera])

        return ["_camera.json"], write_camera
    if kind == "npz":
        ending = "_layers.npz" if shows_layers else "_maps.npz"

        def write_arrays(stem: Path) -> list[Path]:
            if shows_layers:
                return write_npz(_with(stem, ending), session.layers(state, width, height))
            return write_npz(_with(stem, ending), session.maps(state, width, height, ("face",)))

        return [ending], write_arrays

    def write_points(stem: Path) -> list[Path]:
        if shows_layers:
            layers = session.layers(state, width, height, ("normal",))
            return write_layer_clouds(_with(stem, ".ply"), layers)
        maps = session.maps(state, width, height, ("face",))
        normals = face_normals(session.mesh.vertices, session.mesh.faces)
        return write_sheet_clouds(stem, maps, normals)

    return ["_layer01.ply"] if shows_layers else ["_front.ply", "_back.ply"], write_points


def _file_stem(name: str) -> str:
    """Return the start of file names for a mesh of any name."""
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._-")
    # File systems limit the bytes of a name.
    return stem.encode()[:120].decode(errors="ignore") or "view"


def _free_stem(folder: Path, stem: str, endings: list[str]) -> Path:
    """Return the first path, numbered if needed, with which none of the files exists."""
    for number in range(1, _MAX_NUMBER):
        path = folder / (stem if number == 1 else f"{stem}_{number}")
        if not any(_with(path, ending).exists() for ending in endings):
            return path
    raise OutputError(f"{folder} holds {_MAX_NUMBER} files named like {stem}; save elsewhere")


def _with(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
