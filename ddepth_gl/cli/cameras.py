"""The camera options of `ddepth render`: --cameras, --eye with --target, or --views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CameraError, RequestError
from .options import naming, parse_numbers, parse_size
from .up import parse_up

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..mesh.mesh import Mesh

__all__ = ["Views", "views_from_options"]


@dataclass(frozen=True)
class Views:
    """The cameras of a run, as far as they are known without a mesh.

    Attributes:
        cameras_of: returns the cameras of a mesh.
        settings: one text per view, known before a mesh is read. For the same mesh, equal texts
            mean equal cameras.
        up: direction of --up; None for ``auto``.
        uses_up: whether the cameras are placed by an up direction.
    """

    cameras_of: Callable[[Mesh], list[Camera]]
    settings: tuple[str, ...]
    up: tuple[float, float, float] | None
    uses_up: bool


def views_from_options(
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
    file_limit: dict[str, int],
) -> Views:
    """Return the views of a run; only those of --views and of --up auto depend on the mesh.

    Args:
        file: value of --cameras.
        eye, target, up, fov_deg, size, ortho, views, seed: values of the options of these names;
            None where an option is not given.
        file_limit: the argument `max_file_bytes` of `load_cameras`, if an option gives it.

    Raises:
        RequestError: a value is malformed or out of range, or options contradict each other.
        CameraError: the camera file cannot be read, or a position is unusable.
    """
    from ..camera.camera import Camera
    from ..camera.checks import checked_field_of_view
    from ..io.cameras.read import load_cameras

    _check_combination(file, eye, target, up, fov_deg, ortho, views, seed)
    width, height = (512, 512) if size is None else parse_size(size)
    fov_deg = 40.0 if fov_deg is None else fov_deg
    with naming("--fov-deg"):
        checked_field_of_view(fov_deg)
    direction = parse_up(up)

    def apply_ortho(cameras: list[Camera]) -> list[Camera]:
        if ortho is None:
            return cameras
        with naming("--ortho"):
            return [
                replace(
                    Camera.orthographic(
                        ortho, camera.camera_from_world, camera.width, camera.height
                    ),
                    name=camera.name,
                )
                for camera in cameras
            ]

    # What decides the cameras besides the mesh. The placement itself is that of this version.
    common = {"up": direction, "fov": fov_deg, "size": (width, height), "ortho": ortho}
    if file is not None:
        fixed = apply_ortho(
            load_cameras(file, **({"width": width, "height": height} if size else {}), **file_limit)
        )
        settings = tuple(repr(camera.to_dict()) for camera in fixed)
        return Views(lambda mesh: fixed, settings, None, uses_up=False)
    if eye is not None and target is not None:
        start, end = (
            parse_numbers(option, text, "X,Y,Z", ",", float)
            for option, text in (("--eye", eye), ("--target", target))
        )

        def looking(upward: Sequence[float]) -> list[Camera]:
            return apply_ortho([Camera.look_at(start, end, upward, fov_deg, width, height)])

        def looking_at(mesh: Mesh) -> list[Camera]:
            try:
                return looking(direction or mesh.up)
            except CameraError as error:
                raise CameraError(f"{mesh.name}: --up {up or 'auto'}: {error}") from None

        # Points that suit no mesh are an error of the run, not of each mesh.
        looking(direction or _across(start, end))
        return Views(looking_at, (repr((start, end, common)),), direction, uses_up=True)
    count, seed = views or 1, seed or 0

    def around(mesh: Mesh) -> list[Camera]:
        return apply_ortho(Camera.orbit(mesh, count, width, height, seed, fov_deg, direction))

    settings = tuple(repr((view, count, seed, common)) for view in range(count))
    return Views(around, settings, direction, uses_up=True)


def _across(eye: Sequence[float], target: Sequence[float]) -> list[float]:
    """Return the axis that is farthest from parallel to the view from eye to target."""
    view = [abs(b - a) for a, b in zip(eye, target, strict=True)]
    return [float(axis == view.index(min(view))) for axis in range(3)]


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
    for option, number, least in (("--views", views, 1), ("--seed", seed, 0)):
        if number is not None and number < least:
            raise RequestError(f"{option} must be at least {least}, not {number}")
