"""The camera options of `ddepth render`: --cameras, --eye with --target, or --views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CameraError, RequestError
from .options import parse_numbers

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..mesh.mesh import Mesh

__all__ = ["cameras_from_options"]


def cameras_from_options(
    *,
    file: Path | None,
    eye: str | None,
    target: str | None,
    up: str | None,
    fov_deg: float | None,
    size: str | None,
    ortho: float | None,
    views: int | None,
    seed: int | None,
) -> Callable[[Mesh], list[Camera]]:
    """Return a function from a mesh to its cameras; only those of --views depend on the mesh.

    Args:
        file: value of --cameras.
        eye, target, up, fov_deg, size, ortho, views, seed: values of the options of these names;
            None where an option is not given.

    Raises:
        RequestError: a value is malformed or out of range, or options contradict each other.
        CameraError: the camera file cannot be read, or a position is unusable.
    """
    from ..camera.camera import Camera
    from ..camera.checks import checked_field_of_view, checked_image_size
    from ..io.cameras.read import load_cameras

    _check_combination(file, eye, target, up, fov_deg, ortho, views, seed)
    width, height = (512, 512) if size is None else parse_numbers("--size", size, "WxH", "x", int)
    fov_deg = 40.0 if fov_deg is None else fov_deg
    with _naming("--size"):
        checked_image_size(width, height)
    with _naming("--fov-deg"):
        checked_field_of_view(fov_deg)
    up = "0,0,1" if up is None else up

    def apply_ortho(cameras: list[Camera]) -> list[Camera]:
        if ortho is None:
            return cameras
        with _naming("--ortho"):
            return [
                replace(
                    Camera.orthographic(
                        ortho, camera.camera_from_world, camera.width, camera.height
                    ),
                    name=camera.name,
                )
                for camera in cameras
            ]

    if file is not None:
        fixed = apply_ortho(
            load_cameras(file, **({"width": width, "height": height} if size else {}))
        )
    elif eye is not None and target is not None:
        points = [
            parse_numbers(option, text, "X,Y,Z", ",", float)
            for option, text in (("--eye", eye), ("--target", target), ("--up", up))
        ]
        fixed = apply_ortho(
            [Camera.look_at(points[0], points[1], points[2], fov_deg, width, height)]
        )
    else:
        axis = parse_numbers("--up", up, "X,Y,Z", ",", float)
        return lambda mesh: apply_ortho(
            Camera.orbit(mesh, views or 1, width, height, seed or 0, fov_deg, axis)
        )
    return lambda mesh: fixed


def _check_combination(
    file: Path | None,
    eye: str | None,
    target: str | None,
    up: str | None,
    fov_deg: float | None,
    ortho: float | None,
    views: int | None,
    seed: int | None,
) -> None:
    """Raise RequestError if options contradict each other or have no effect."""
    if sum(option is not None for option in (file, eye, views)) > 1:
        raise RequestError(
            "--cameras, --eye with --target, and --views exclude each other; give one of them"
        )
    if (eye is None) != (target is None):
        raise RequestError("--eye and --target belong together; give both as X,Y,Z")
    if file is not None and fov_deg is not None:
        raise RequestError("--cameras brings its own field of view; leave --fov-deg out")
    if file is not None and up is not None:
        raise RequestError("--cameras brings its own poses; leave --up out")
    if seed is not None and (file is not None or eye is not None):
        raise RequestError(
            "--seed turns the cameras of --views; leave it out with --cameras or --eye"
        )
    if eye is not None and ortho is not None and fov_deg is not None:
        raise RequestError("parallel rays have no field of view; give --ortho or --fov-deg")
    if views is not None and views < 1:
        raise RequestError(f"--views must be at least 1, not {views}")


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Put the option before the message of a CameraError, which names the Python argument."""
    try:
        yield
    except CameraError as error:
        raise RequestError(f"{option}: {error}") from None
