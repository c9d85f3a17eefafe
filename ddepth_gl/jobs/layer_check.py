"""Methods of published pipelines, on the same rays: what each of them loses of the layers.

The truth is float64 rays through pixel centers (`RayCaster`). The methods are computed from the
same rays, with the one step changed that makes the method, so nothing else is judged: neither a
program nor its rounding. Only what ddepth_gl renders is rendered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..camera.camera import Camera
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer
from .float64_rays import Booleans, Floats, Integers, RayCaster

__all__ = ["LayerCheck", "MethodRow", "check_layers"]

_SUMS = (
    "rays", "walls", "wrong", "wrong_exits", "walls_lost", "walls_added", "truncated", "images",
    "seconds",
)  # fmt: skip
_MAX_TRANSPARENT = 8  # faces that a ray passes by default in Blender's Cycles


@dataclass
class MethodRow:
    """Result of one method for the rays of some images.

    Attributes:
        method: its name.
        rays: rays that were compared: those that meet a face, and no border of one within 1/128
            pixel, so that float64 leaves no doubt.
        walls: crossings of these rays.
        wrong: rays with another number of crossings, or a depth that is off by more than the
            tolerance.
        wrong_exits: rays whose last exit is off by more than the tolerance, or missing.
        walls_lost: crossings that the method does not have; None if it has exits alone.
        walls_added: crossings that do not exist; None likewise.
        truncated: rays that have more crossings than the method stores.
        shift: how far the mask is moved, in pixels: the distance of the centroids, a mean over the
            images; None if the method has exits alone.
        images: number of images.
        seconds: of rendering, if the method was run itself; None if it was only computed.
    """

    method: str
    rays: int = 0
    walls: int = 0
    wrong: int = 0
    wrong_exits: int = 0
    walls_lost: int | None = None
    walls_added: int | None = None
    truncated: int = 0
    shift: float | None = None
    images: int = 0
    seconds: float | None = None

    def add(self, other: MethodRow) -> None:
        """Add the numbers of other images."""
        images = self.images + other.images
        if self.shift is not None and other.shift is not None and images:
            self.shift = (self.shift * self.images + other.shift * other.images) / images
        for name in _SUMS:
            ours, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, None if ours is None or theirs is None else ours + theirs)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        values = {**vars(self)}
        seconds = values.pop("seconds")
        milliseconds = None if seconds is None else 1e3 * seconds / max(1, self.images)
        return {**values, "ms_per_image": milliseconds}


@dataclass(frozen=True)
class LayerCheck:
    """Settings of a check.

    Attributes:
        tolerance: relative error of a depth that counts as right.
        steps: lengths of the step behind a hit from which rays are cast again, in diagonals of the
            mesh's bounding box.
        layers: numbers of layers that are stored.
    """

    tolerance: float = 1e-4
    steps: tuple[float, ...] = (1e-3, 1e-5)
    layers: tuple[int, ...] = (4, 8)


@dataclass(frozen=True)
class _Rays:
    """Crossings of each pixel, sorted by depth: those of pixel i are offsets[i]:offsets[i + 1]."""

    offsets: Integers
    depth: Floats
    front: Booleans
    either: Booleans  # the face counts on either side

    @property
    def count(self) -> Integers:
        return np.diff(self.offsets)

    @property
    def pixel(self) -> Integers:
        return np.repeat(np.arange(len(self.count)), self.count)

    @property
    def rank(self) -> Integers:
        """Number of each crossing within its pixel, from 0."""
        return np.arange(len(self.depth)) - np.repeat(self.offsets[:-1], self.count)

    def kept(self, chosen: Booleans) -> _Rays:
        """Return some of the crossings."""
        count = np.bincount(self.pixel[chosen], minlength=len(self.count))
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return _Rays(offsets, self.depth[chosen], self.front[chosen], self.either[chosen])

    @property
    def exit(self) -> Floats:
        """The farthest back face of each pixel, NaN without one."""
        exits = np.full(len(self.count), -np.inf)
        is_exit = ~self.front | self.either
        np.maximum.at(exits, self.pixel[is_exit], self.depth[is_exit])
        return np.where(np.isinf(exits), np.nan, exits)


def check_layers(
    mesh: Mesh,
    cameras: Iterable[Camera],
    renderers: Sequence[DepthRenderer],
    check: LayerCheck | None = None,
) -> list[MethodRow]:
    """Return a row for each method, those of ddepth_gl last.

    Args:
        mesh: the mesh; alpha masks are not looked at.
        cameras: of the images.
        renderers: open renderers, one for each engine.
        check: settings.
    """
    check = check or LayerCheck()
    rows: dict[str, MethodRow] = {}
    for camera in cameras:
        for row in _rows_of_image(mesh, camera, renderers, check):
            if row.method in rows:
                rows[row.method].add(row)
            else:
                rows[row.method] = row
    return list(rows.values())


def _rows_of_image(
    mesh: Mesh, camera: Camera, renderers: Sequence[DepthRenderer], check: LayerCheck
) -> Iterator[MethodRow]:
    start = time.perf_counter()
    caster = RayCaster(mesh.vertices, mesh.faces, camera)
    centers = camera.pixel_centers().reshape(-1, 2)
    truth, certain = _cast(mesh, caster, centers)
    seconds = time.perf_counter() - start
    compared = certain & (truth.count > 0)
    judge = _Judge(camera, truth, compared, certain, check.tolerance)
    diagonal = float(np.linalg.norm(np.ptp(mesh.bounds, axis=0)))

    row = judge.row("float64 rays, the reference", truth)
    row.seconds = seconds
    yield row
    yield judge.exits(
        f"transparent nodes: back faces add up, {_MAX_TRANSPARENT} faces", _added_exits(truth)
    )
    for step in check.steps:
        again = truth.kept(_beyond_step(truth, step * diagonal))
        yield judge.row(f"cast again, {step:g} of the diagonal behind", again)
    moved, _ = _cast(mesh, caster, centers - 0.5)
    yield judge.row("rays through integer pixels", moved)
    for layers in check.layers:
        row = judge.row(f"the first {layers} layers", truth.kept(truth.rank < layers))
        row.truncated = int((truth.count[compared] > layers).sum())
        yield row
    with np.errstate(over="ignore"):
        half = truth.depth.astype(np.float16).astype(np.float64)
    row = judge.row("depths in float16", _Rays(truth.offsets, half, truth.front, truth.either))
    merged = (half[1:] == half[:-1]) & (truth.depth[1:] != truth.depth[:-1])
    merged &= (truth.pixel[1:] == truth.pixel[:-1]) & compared[truth.pixel[1:]]
    row.walls_lost = int(merged.sum())
    yield row
    for renderer in renderers:
        yield _own_row(mesh, camera, renderer, judge)


def _cast(mesh: Mesh, caster: RayCaster, points: Floats) -> tuple[_Rays, Booleans]:
    """Return the crossings of rays, and which rays meet no border of a face within the margin."""
    crossings = caster.cast(points)
    rows = crossings.of_ray()
    certain = np.ones(len(points), bool)
    certain[crossings.point[~crossings.certain]] = False
    count = np.bincount(crossings.point[rows], minlength=len(points))
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    either = mesh.bodies.two_sided_faces[crossings.face[rows]]
    return _Rays(offsets, crossings.depth[rows, 0], crossings.front[rows], either), certain


def _added_exits(truth: _Rays) -> Floats:
    """Return the depths of back faces, added up.

    Nodes that make front faces transparent and let back faces emit their depth show what the ray
    collects: with several back faces behind each other, and each of them transparent for the next,
    that is a sum.
    """
    seen = ~truth.front & (truth.rank < _MAX_TRANSPARENT)
    total = np.bincount(truth.pixel[seen], weights=truth.depth[seen], minlength=len(truth.count))
    return np.where(total == 0.0, np.nan, total)


def _beyond_step(truth: _Rays, step: float) -> Booleans:
    """Return which crossings are found by rays that start a step behind the crossing before."""
    kept = np.zeros(len(truth.depth), bool)
    last = np.full(len(truth.count), -np.inf)
    rank, pixel = truth.rank, truth.pixel
    for layer in range(int(truth.count.max(initial=0))):
        of_layer = np.flatnonzero(rank == layer)
        found = of_layer[truth.depth[of_layer] >= last[pixel[of_layer]] + step]
        kept[found] = True
        last[pixel[found]] = truth.depth[found]
    return kept


def _own_row(mesh: Mesh, camera: Camera, renderer: DepthRenderer, judge: _Judge) -> MethodRow:
    scene = renderer.upload(mesh)
    try:
        renderer.peel(scene, camera)  # compiles, decides, allocates
        start = time.perf_counter()
        layers = renderer.peel(scene, camera)
        seconds = time.perf_counter() - start
    finally:
        scene.release()
    rays = _Rays(
        layers.offsets,
        layers.depth.astype(np.float64),
        layers.front_facing,
        mesh.bodies.two_sided_faces[layers.face],
    )
    row = judge.row(f"ddepth_gl, engine {renderer.info.engine}", rays)
    row.seconds = seconds
    return row


@dataclass(frozen=True)
class _Judge:
    """Compares a method's rays with the truth, where that is certain."""

    camera: Camera
    truth: _Rays
    compared: Booleans
    certain: Booleans
    tolerance: float

    def row(self, method: str, rays: _Rays) -> MethodRow:
        """Return what a method makes of all crossings."""
        row = self.exits(method, rays.exit)
        missing = (self.truth.count - rays.count)[self.compared]
        row.walls_lost = int(np.maximum(missing, 0).sum())
        row.walls_added = int(np.maximum(-missing, 0).sum())
        same = self.compared & (self.truth.count == rays.count)
        wrong = self.compared & ~same
        in_truth, in_rays = same[self.truth.pixel], same[rays.pixel]
        off = ~self._is_close(rays.depth[in_rays], self.truth.depth[in_truth])
        wrong[self.truth.pixel[in_truth][off]] = True
        row.wrong = int(wrong.sum())
        row.shift = self._shift(rays.count > 0)
        return row

    def exits(self, method: str, exits: Floats) -> MethodRow:
        """Return what a method makes of the last exits, all that it has."""
        expected = self.truth.exit
        right = self._is_close(exits, expected) | (np.isnan(exits) & np.isnan(expected))
        wrong = int((self.compared & ~right).sum())
        rays, walls = int(self.compared.sum()), int(self.truth.count[self.compared].sum())
        return MethodRow(method, rays, walls, wrong, wrong, images=1)

    def _is_close(self, got: Floats, expected: Floats) -> Booleans:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(got - expected) <= self.tolerance * np.abs(expected))

    def _shift(self, mask: Booleans) -> float:
        """Return the distance of the mask's centroid from the true one, pixels.

        Of pixels at borders of faces, the mask is as certain as anywhere else.
        """
        true = self.truth.count > 0
        if not (true.any() and mask.any()):
            return 0.0
        centers = self.camera.pixel_centers().reshape(-1, 2)
        return float(np.linalg.norm(centers[mask].mean(axis=0) - centers[true].mean(axis=0)))
