"""Probe: everything that is known of the ray of one pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from .._checks import one_line
from .._text import counted
from ..camera.camera import Camera
from ..engines.scene import Scene
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer, Surfaces
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps
from .orbit import Vector

__all__ = ["Probe", "ProbeCrossing", "pixel_camera", "render_probe"]

_MAX_LINES = 40  # of crossings in the text


@dataclass(frozen=True)
class ProbeCrossing:
    """A crossing of the ray.

    Attributes:
        depth, distance: mesh units, see `DepthLayers`.
        is_front: whether the ray meets the counter-clockwise side.
        face: index of the face in the mesh.
        object_id, object_name: object of the face; the name is empty if it has none.
        nesting: number of bodies that the ray is inside right after the crossing; None if nothing
            tells what is solid, see `DepthLayers.nesting`.
        point: world frame.
    """

    depth: float
    distance: float
    is_front: bool
    face: int
    object_id: int
    object_name: str
    nesting: int | None
    point: Vector


@dataclass(frozen=True)
class Probe:
    """All that is known of the ray of one pixel; ``str(probe)`` is a text for a panel.

    Attributes:
        pixel: column and row.
        crossings: all of them, nearest first.
        entry, exit: depths of the sheets, NaN for misses.
        thickness: exit minus entry along the ray, NaN for misses.
        solid_length: length inside the solid, NaN if nothing tells what is solid.
        origin, direction: of the ray, world frame; the direction is a unit vector.
        inside: start and end of each piece of the ray inside the solid, as distances along it.
    """

    pixel: tuple[int, int]
    crossings: tuple[ProbeCrossing, ...]
    entry: float
    exit: float
    thickness: float
    solid_length: float
    origin: Vector
    direction: Vector
    inside: tuple[tuple[float, float], ...]

    @property
    def inside_lengths(self) -> tuple[float | None, ...]:
        """Length of the piece inside the solid that begins at each crossing; None if none does."""
        lengths: list[float | None] = [None] * len(self.crossings)
        for start, end in self.inside:
            if start > 0.0 and self.crossings:  # else the ray starts inside
                _, _, index = min(
                    (abs(each.distance - start), not each.is_front, index)
                    for index, each in enumerate(self.crossings)
                )
                lengths[index] = end - start
        return tuple(lengths)

    def at(self, distance: float) -> Vector:
        """Return the point of the ray at a distance from its origin, world frame."""
        x, y, z = (
            start + distance * step for start, step in zip(self.origin, self.direction, strict=True)
        )
        return x, y, z

    def __str__(self) -> str:
        column, row = self.pixel
        lines = [f"pixel ({column}, {row})"]
        if not self.crossings:
            return f"{lines[0]}: the ray meets nothing"
        sheets = (
            ("entry", self.entry),
            ("exit", self.exit),
            ("thickness", self.thickness),
            ("solid length", self.solid_length),
        )
        lines += [f"{name} {_number(value)}" for name, value in sheets]
        lines.append(f"{counted(len(self.crossings), 'crossing')}:")
        lines += [_line(k, each) for k, each in enumerate(self.crossings[:_MAX_LINES], start=1)]
        if len(self.crossings) > _MAX_LINES:
            lines.append(f"and {len(self.crossings) - _MAX_LINES} more")
        if self.inside:
            pieces = (f"{_number(start)} to {_number(end)}" for start, end in self.inside)
            lines.append(f"inside at distances {', '.join(pieces)}")
        return "\n".join(lines)


def pixel_camera(camera: Camera, column: int, row: int, width: int = 1, height: int = 1) -> Camera:
    """Return the camera of some pixels of an image: the same rays, in a smaller image.

    Args:
        camera: camera of the image.
        column, row: the first of the pixels.
        width, height: number of columns and rows.
    """
    K = camera.K.copy()
    K[:2, 2] -= column, row
    return Camera(K, camera.camera_from_world, width, height, camera.is_orthographic, camera.name)


def render_probe(
    renderer: DepthRenderer,
    scene: Scene,
    camera: Camera,
    pixel: tuple[int, int],
    surfaces: Surfaces,
) -> Probe:
    """Return the probe of a pixel; no other pixel of the image is rendered.

    Args:
        renderer: open renderer.
        scene: the mesh.
        camera: camera of the image.
        pixel: column and row.
        surfaces: how faces count.

    Raises:
        DDepthError: see `DepthRenderer.render`.
    """
    frame = renderer.render(
        scene,
        pixel_camera(camera, *pixel),
        image=False,
        layers=True,
        layer_attributes=("object_id",),
        surfaces=surfaces,
    )
    maps, layers = cast(DepthMaps, frame.maps), cast(DepthLayers, frame.layers)
    return _probe_of(maps, layers, scene.mesh, pixel)


def _probe_of(maps: DepthMaps, layers: DepthLayers, mesh: Mesh, pixel: tuple[int, int]) -> Probe:
    """Return the probe of an image of a single pixel.

    Args:
        maps: sheets of that image.
        layers: all of its crossings, with the attribute object_id.
        mesh: the mesh, for names of objects.
        pixel: column and row to name.
    """
    camera = layers.camera
    origins, directions = camera.rays()
    per_depth = float(camera.distance_per_depth()[0, 0])
    points = camera.unproject(np.full((len(layers.depth), 2), 0.5), layers.depth)
    nesting, (at_start,) = layers.nesting
    pieces = layers.solid_pieces[1].astype(np.float64) * per_depth
    columns = zip(
        layers.depth.tolist(),
        layers.distance.tolist(),
        layers.front_facing.tolist(),
        layers.face.tolist(),
        layers.object_id.tolist(),
        nesting.tolist(),
        points,
        strict=True,
    )
    crossings = tuple(
        ProbeCrossing(
            depth,
            distance,
            is_front,
            face,
            object_id,
            _object_name(mesh, object_id),
            None if math.isnan(inside) else int(inside),
            _vector(point),
        )
        for depth, distance, is_front, face, object_id, inside, point in columns
    )
    return Probe(
        pixel,
        crossings,
        float(maps.entry[0, 0]),
        float(maps.exit[0, 0]),
        float(maps.thickness[0, 0]),
        math.nan if math.isnan(at_start) else float((pieces[:, 1] - pieces[:, 0]).sum()),
        _vector(origins[0, 0]),
        _vector(directions[0, 0]),
        tuple((start, end) for start, end in pieces.tolist()),
    )


def _object_name(mesh: Mesh, object_id: int) -> str:
    names = mesh.object_names
    return one_line(names[object_id], 60) if 0 <= object_id < len(names) else ""


def _line(number: int, crossing: ProbeCrossing) -> str:
    side = "front" if crossing.is_front else "back"
    name = f" {crossing.object_name!r}" if crossing.object_name else ""
    nesting = "unknown" if crossing.nesting is None else crossing.nesting
    depths = f"depth {_number(crossing.depth)}  distance {_number(crossing.distance)}"
    face = f"{side}  face {crossing.face}  object {crossing.object_id}{name}"
    return f"{number}  {depths}  {face}  nesting {nesting}"


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.6g}"


def _vector(values: np.ndarray) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
