"""Layout: where image, panel, section plot and status line are in the window."""

from __future__ import annotations

from dataclasses import dataclass

from ...camera.camera import Camera

__all__ = ["Area", "Layout", "moved_point"]

_PANEL, _STATUS, _PLOT = 336.0, 30.0, 220.0  # points of the style
_LEAST_IMAGE = 200.0


@dataclass(frozen=True)
class Area:
    """A rectangle; x to the right and y down from the upper left corner of the window."""

    x: float
    y: float
    width: float
    height: float

    def has(self, x: float, y: float) -> bool:
        """Return whether a point is inside."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


@dataclass(frozen=True)
class Layout:
    """The areas of a window, in points.

    Attributes:
        image: what is left for the image.
        panel: at the right; None if hidden.
        status: a line below the image.
        plot: below the image, above the status line; None without a section.
    """

    image: Area
    panel: Area | None
    status: Area
    plot: Area | None

    @classmethod
    def of(
        cls, width: float, height: float, scale: float, *, has_panel: bool, has_plot: bool
    ) -> Layout:
        """Return the areas of a window of this size.

        Args:
            width, height: of the window, points.
            scale: points of the window for each point of the style.
            has_panel, has_plot: whether these are shown.
        """
        right = 0.0
        if has_panel:
            right = min(_PANEL * scale, max(width - _LEAST_IMAGE * scale, 0.0))
        # Whole points: images are shown pixel by pixel.
        left = float(int(width - right))
        status = float(int(min(_STATUS * scale, height)))
        plot = float(int(min(_PLOT * scale, (height - status) / 2))) if has_plot else 0.0
        image = Area(0.0, 0.0, max(left, 1.0), max(height - status - plot, 1.0))
        return cls(
            image,
            Area(left, 0.0, right, height) if right else None,
            Area(0.0, height - status, left, status),
            Area(0.0, height - status - plot, left, plot) if plot else None,
        )


def moved_point(
    point: tuple[float, float],
    before: tuple[int, int],
    after: tuple[int, int],
    camera: Camera | None,
) -> tuple[float, float]:
    """Return where the ray of a point is in an image of another size.

    Args:
        point: image coordinates.
        before, after: width and height of the image.
        camera: camera of a file that is shown; None for an orbit. See `ViewerState.camera_for`.
    """

    def scale(width: int, height: int) -> float:
        return height if camera is None else min(width / camera.width, height / camera.height)

    ratio = scale(*after) / scale(*before)
    x, y = (
        (each - old / 2.0) * ratio + new / 2.0
        for each, old, new in zip(point, before, after, strict=True)
    )
    return x, y
