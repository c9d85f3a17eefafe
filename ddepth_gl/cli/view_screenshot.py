"""The options of `ddepth view` for --screenshot, and what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from .options import parse_size
from .reporting import print_line

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..mesh.mesh import Mesh
    from ..viewer.state import ViewerState

__all__ = ["check_effect", "image_size", "write_screenshot"]

_SIZE = (1024, 768)


def check_effect(
    mode: str,
    shows_points: bool,
    color_map: str | None,
    limits: str | None,
    samples: int,
    color_bar: bool,
) -> None:
    """Raise RequestError for options that change nothing in a screenshot."""
    from ..viewer.modes import MODES

    if color_bar and shows_points:
        raise RequestError("--color-bar has no effect on the mould view; leave it out")
    if mode not in MODES or shows_points:
        return
    for option, is_given in (
        ("--color-map", color_map is not None),
        ("--range", limits is not None),
        ("--color-bar", color_bar),
    ):
        if is_given and not MODES[mode].has_scale:
            raise RequestError(f"{option} has no effect with --mode {mode}; leave it out")
    if samples != 1 and mode != "photo":
        raise RequestError(f"--samples has no effect with --mode {mode}; leave it out")


def image_size(size: str | None, camera: Camera | None) -> tuple[int, int]:
    """Return width and height from --size, or those of the camera of a file."""
    if size is not None:
        return parse_size(size)
    return _SIZE if camera is None else (camera.width, camera.height)


def write_screenshot(
    path: Path,
    mesh: Mesh,
    state: ViewerState,
    size: tuple[int, int],
    device: str | None,
    has_color_bar: bool,
    note: str,
) -> None:
    """Write the image of a state, and say what it shows."""
    from ..io.results.metadata import file_metadata
    from ..io.results.png import checked_png_path, import_png_packages, write_png
    from ..viewer.image_texts import image_texts, range_text, with_color_bar
    from ..viewer.screenshot import taken

    checked_png_path(path)
    import_png_packages()
    picture = taken(mesh, state, *size, device=device)
    image, limits = picture.image, picture.limits
    if has_color_bar and limits is not None:
        image = with_color_bar(image, state, limits)
    write_png(path, image, {**file_metadata(), **image_texts(state, limits)})
    what = "mould" if state.place == "mould" else state.mode_info.label.lower()
    if what == "layer":
        what += f" {state.layer + 1}"
    values = range_text(state, limits)
    if not picture.has_values:
        values = "no value anywhere"
        if state.mode == "solid_length" and not mesh.is_oriented:
            values = "unknown: open or of mixed winding, see ddepth inspect"
    facts = (f"{what} of {mesh.name}", values, f"{size[0]}x{size[1]} pixels", note)
    print_line(f"{path}: {', '.join(filter(None, facts))}")
