"""The options of `ddepth view` that decide from where a mesh is seen first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._text import counted
from ..errors import CameraError, DDepthError, RequestError
from .options import naming, parse_numbers
from .up import assumed_up_text, parse_up

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..mesh.mesh import Mesh
    from ..viewer.state import ViewerState

__all__ = ["FirstView", "numbers_of"]


@dataclass(frozen=True)
class FirstView:
    """The first view of a mesh, as far as it is known without a mesh.

    Attributes:
        side: standard side, or None.
        eye, target: position and target of the camera, or None.
        up: up direction; None for that of the mesh.
        fov_deg: vertical field of view.
        is_orthographic: whether rays are parallel.
        cameras: cameras of the file of --cameras.
        number: index of the first of them to show.
        file: file of --cameras, or None.
    """

    side: str | None
    eye: list[float] | None
    target: list[float] | None
    up: tuple[float, float, float] | None
    fov_deg: float
    is_orthographic: bool
    cameras: list[Camera]
    number: int
    file: Path | None = None

    @classmethod
    def of_options(
        cls,
        side: str | None,
        eye: str | None,
        target: str | None,
        up: str | None,
        fov_deg: float | None,
        ortho: bool,
        cameras: Path | None,
        camera: str | None,
        file_limit: dict[str, int],
    ) -> FirstView:
        """Return the view of options, checked, with the cameras of the file."""
        from ..camera.checks import checked_field_of_view
        from ..io.cameras.read import load_cameras

        if (eye is None) != (target is None):
            raise RequestError("--eye and --target belong together; give both as X,Y,Z")
        if sum(option is not None for option in (side, eye, cameras)) > 1:
            raise RequestError(
                "--side, --eye with --target, and --cameras exclude each other; give one of them"
            )
        if cameras is not None and (fov_deg is not None or ortho):
            raise RequestError("--cameras brings its own projection; leave --fov and --ortho out")
        if camera is not None and cameras is None:
            raise RequestError("--camera names one of --cameras; give their file")
        with naming("--fov"):
            checked_field_of_view(40.0 if fov_deg is None else fov_deg)
        loaded = [] if cameras is None else load_cameras(cameras, **file_limit)
        return cls(
            side,
            None if eye is None else numbers_of("--eye", eye, "X,Y,Z"),
            None if target is None else numbers_of("--target", target, "X,Y,Z"),
            parse_up(up),
            40.0 if fov_deg is None else fov_deg,
            ortho,
            loaded,
            0 if camera is None else _camera_number(camera, loaded),
            cameras,
        )

    def check(self, values: dict[str, Any]) -> None:
        """Raise RequestError for values that suit no mesh, before one is loaded."""
        from ..viewer.orbit import Orbit
        from ..viewer.state import ViewerState

        bounds = [[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]
        ViewerState.framing(bounds, **values)
        if self.side is not None:
            Orbit.framing(bounds).seen_from(self.side)

    @property
    def is_framed(self) -> bool:
        """Boolean: the view frames the mesh; no camera was asked for."""
        return self.eye is None and not self.cameras

    def up_note(self, mesh: Mesh) -> str:
        """Return which direction was taken for up; empty where a file or an option says it."""
        return "" if self.cameras else assumed_up_text(mesh, self.up)

    def state_of(self, mesh: Mesh, aspect: float, values: dict[str, Any]) -> ViewerState:
        """Return the state that shows a mesh first."""
        from ..viewer.orbit import Orbit
        from ..viewer.state import ViewerState

        home = Orbit.framing(mesh, self.up, aspect, self.fov_deg)
        orbit = home
        if self.side is not None:
            orbit = home.seen_from(self.side).fitted(mesh, aspect)
        elif self.eye is not None and self.target is not None:
            orbit = Orbit.looking(self.eye, self.target, mesh, self.up, self.fov_deg)
        elif self.cameras:
            camera = self.cameras[self.number]
            try:
                orbit = Orbit.from_camera(camera, mesh)
                orbit.camera(2, 2)
            except DDepthError as error:
                name = camera.name or self.number + 1
                raise CameraError(f"{self.file}: camera {name}: {error}") from None
            values = {**values, "camera": camera}
        if self.is_orthographic:
            orbit = replace(orbit, is_orthographic=True)
            if self.eye is None:
                orbit = orbit.fitted(mesh, aspect)
        beside = replace(home, azimuth_deg=orbit.azimuth_deg).beside()
        return ViewerState(orbit=orbit, mould_orbit=beside, **values)


def numbers_of(option: str, text: str, form: str) -> Any:
    """Return the numbers in an option value such as ``1,0,2.5``, as a tuple."""
    return tuple(parse_numbers(option, text, form, ",", float))


def _camera_number(text: str, cameras: list[Camera]) -> int:
    """Return the index of a camera, from its name or its number from 1."""
    names = [each.name for each in cameras]
    if text in names:
        return names.index(text)
    if text.isdecimal() and 1 <= int(text) <= len(cameras):
        return int(text) - 1
    name = next(filter(None, names), "")
    raise RequestError(
        f"--camera {text} is not in --cameras, which has {counted(len(cameras), 'camera')}; give a "
        "number from 1" + (f", or a name such as {name}" if name else "")
    )
