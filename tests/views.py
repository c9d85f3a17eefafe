"""Views of a ball around the origin by cameras that differ in every parameter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import ddepth_gl as dd


def look(
    direction: npt.ArrayLike,
    distance: float,
    K: npt.ArrayLike,
    width: int,
    height: int,
    orthographic: bool = False,
    target: npt.ArrayLike = (0.0, 0.0, 0.0),
) -> dd.Camera:
    """Return a camera that looks at the target from that direction and distance."""
    eye = np.asarray(target) + distance * np.asarray(direction) / np.linalg.norm(direction)
    pose = dd.Camera.look_at(eye, target, (0.1, 0.2, 1.0)).camera_from_world
    return dd.Camera(np.array(K, float), pose, width, height, orthographic)


def look_with_fov(
    fov_y_deg: float,
    width: int,
    height: int,
    reach: float,
    direction: npt.ArrayLike = (3.0, -2.0, 1.5),
    fill: float = 0.95,
) -> dd.Camera:
    """Return a camera at the distance where a ball of radius `reach` fills `fill` of the view."""
    half = np.radians(fov_y_deg) / 2
    focal = height / 2 / np.tan(half)
    K = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    return look(direction, reach / np.sin(fill * half), K, width, height)


def views(reach: float) -> dict[str, dd.Camera]:
    """Return the views of a ball of radius `reach` around the origin, by name."""
    f, g = 120.0, 80 / (2.3 * reach)  # pixels; pixels per mesh unit

    def matrix(fx: float, skew: float, cx: float, fy: float, cy: float) -> npt.ArrayLike:
        return np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]])

    return {
        "plain": look_with_fov(40, 96, 80, reach),
        "wide": look_with_fov(150, 90, 90, reach),
        "narrow": look_with_fov(0.5, 72, 72, reach, (-1.0, 0.3, 0.2)),
        "odd_sizes": look_with_fov(50, 97, 41, reach, (0.1, 0.2, -1.0)),
        "off_center": look((1, 1, 0.2), 4 * reach, matrix(f, 0, 20.3, f, 61.8), 90, 70),
        # The camera moves sideways and the principal point the other way, so the ball appears near
        # the rim of a much larger image.
        "principal_point_outside": look(
            (0, -1, 0.3),
            4 * reach,
            matrix(f, 0, -60.0, f, 35.0),
            80,
            70,
            target=-3.3 * reach * np.array([1.0, 0, 0]),
        ),
        "skew": look((-2, 1, 1), 4 * reach, matrix(f, 0.3 * f, 40, 0.7 * f, 31), 80, 62),
        "orthographic": look((1, 2, 3), 1.5 * reach, matrix(g, 0, 40, g, 40), 80, 80, True),
        "orthographic_skew": look(
            (1, -2, 1), 40 * reach, matrix(g, 0.2 * g, 20.7, 0.6 * g, 33.1), 71, 53, True
        ),
        "one_pixel": look_with_fov(3, 1, 1, reach, (1, 2, 3), fill=2.0),
        "one_row": look_with_fov(1, 93, 1, reach, fill=18.0),
        "one_column": look_with_fov(40, 1, 93, reach),
    }


VIEWS = tuple(views(1.0))
