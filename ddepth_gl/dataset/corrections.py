"""Corrections of poses: the axes, scale and position with which a mesh matches its photos.

Poses are often for another copy of the mesh than the one at hand: with y and z up exchanged, in
millimeters, or scaled into a unit box. The silhouettes in the photos tell which.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera.camera import Camera
from .normalization import Placement, placement_of
from .photo_masks import Mask, Photo, mask_iou, photo_mask
from .photos import photos_of
from .silhouette_fit import Outlines, extreme_points, outline_iou
from .similar_cameras import camera_of_similar

if TYPE_CHECKING:
    from ..engines.scene import Scene
    from ..mesh.mesh import Mesh
    from ..renderer import DepthRenderer
    from .config import PhotosConfig
    from .entries import MeshEntry

__all__ = ["AXIS_ROTATIONS", "Correction", "best_correction", "matched_photos"]

_VIEWS = 6  # that a search looks at
_SMALL = 96  # pixels of the longer side, in the first round
_FIRST_ROUND, _SECOND_ROUND = 16, 4  # candidates that are rendered
# Of two candidates whose intersections over union differ less, the simpler one is taken.
_CLOSE = 0.005
_UNITS = (1.0, 1000.0, 100.0, 10.0, 0.1, 0.01, 0.001, 0.0254, 1.0 / 0.0254)


def _axis_rotations() -> tuple[tuple[tuple[float, ...], ...], ...]:
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            rows = [[0.0] * 3 for _ in range(3)]
            for row, (column, sign) in enumerate(zip(order, signs, strict=True)):
                rows[row][column] = sign
            if round(float(np.linalg.det(rows))) == 1:
                found.append(tuple(map(tuple, rows)))
    # The identity first, then quarter turns, which are the usual mistake.
    rank = {3: 0, 1: 1, -1: 2, 0: 3}
    return tuple(sorted(found, key=lambda rows: rank[round(sum(rows[i][i] for i in range(3)))]))


AXIS_ROTATIONS = _axis_rotations()
"""The 24 rotations that take axes to axes; reflections are not among them."""

_IDENTITY = Placement()
_Render = Callable[[Sequence[Camera]], list[Mask]]


@dataclass(frozen=True)
class Correction:
    """The similarity of a mesh with which it matches its photos best.

    Attributes:
        placement: maps the mesh as it is rendered to where the photos show it.
        iou: mean intersection over union of the silhouettes with it, over the views of the search.
        iou_before: the same without it.
    """

    placement: Placement
    iou: float
    iou_before: float

    @property
    def axes(self) -> str:
        """The axes of the mesh that become x, y and z, such as ``x,-z,y``."""
        names = []
        for row in self.placement.rotation:
            column = int(np.argmax(np.abs(row)))
            names.append(("-" if row[column] < 0 else "") + "xyz"[column])
        return ",".join(names)

    def to_dict(self) -> dict[str, Any]:
        """Return axes, scale, offset and both ratios, as JSON can hold them."""
        return {
            "axes": self.axes,
            "scale": self.placement.scale,
            "offset": list(self.placement.offset),
            "iou": self.iou,
            "iou_before": self.iou_before,
        }


def matched_photos(
    config: PhotosConfig,
    entry: MeshEntry,
    loaded: Mesh,
    mesh: Mesh,
    placement: Placement,
    renderer: DepthRenderer,
    scene: Scene,
) -> tuple[list[Photo], Correction | None]:
    """Return the photos of a mesh, and the correction that their silhouettes ask for.

    A correction is looked for if the mean intersection over union of the silhouettes is below
    `config.search_below`. With `config.correct`, the returned cameras have it; else they stay as
    the files have them, and the correction is a remark for the index.

    Args:
        config, entry, loaded, placement: see `photos_of`.
        mesh: the mesh as it is rendered.
        renderer: renders silhouettes.
        scene: the mesh, uploaded to `renderer`.

    Returns:
        The photos, and the correction; None if none was needed or none is better, or if the photos
        have no silhouettes. Six photos, evenly chosen, are looked at.
    """
    photos = photos_of(config, entry, loaded, placement)
    step = max(1.0, len(photos) / _VIEWS)
    chosen = [photos[int(index * step)] for index in range(min(_VIEWS, len(photos)))]
    masks = ((photo.camera, photo_mask(photo)) for photo in chosen)
    views = [(camera, mask) for camera, mask in masks if mask is not None and mask.any()]

    def render(cameras: Sequence[Camera]) -> list[Mask]:
        return [maps.mask for maps in renderer.entry_exit_many(scene, cameras)]

    correction = best_correction(render, mesh, views, config.search_below)
    if correction is not None and config.correct:
        photos = [
            photo._replace(camera=camera_of_similar(photo.camera, correction.placement))
            for photo in photos
        ]
    return photos, correction


def best_correction(
    render: _Render, mesh: Mesh, views: Sequence[tuple[Camera, Mask]], search_below: float = 1.0
) -> Correction | None:
    """Return the similarity of a mesh with which it matches silhouettes best.

    For each of the 24 rotations of axes, candidates are the mesh in some unit of length, the mesh
    scaled into the unit box, and the mesh with the scale and position whose bounding boxes in the
    images fit those of the silhouettes. The best by these boxes are rendered small, the best of
    those in full size. Of candidates that match about as well, the simplest is taken.

    Args:
        render: returns the silhouettes of the mesh for cameras, each (H, W) bool.
        mesh: the mesh.
        views: perspective cameras, and (H, W) bool silhouettes that are not empty; a few are
            enough.
        search_below: mean intersection over union from which on nothing is searched.

    Returns:
        The correction; None without views, or if the mesh matches as well without one.
    """
    if not views:
        return None
    cameras, masks = [camera for camera, _ in views], [mask for _, mask in views]

    def score(
        candidates: Sequence[Placement], seen: Sequence[Camera], targets: Sequence[Mask]
    ) -> list[float]:
        rendered = render([camera_of_similar(c, each) for each in candidates for c in seen])
        ratios = map(mask_iou, rendered, list(targets) * len(candidates))
        means = np.fromiter(ratios, np.float64).reshape(len(candidates), len(seen)).mean(axis=1)
        return [float(mean) for mean in means]

    (before,) = score([_IDENTITY], cameras, masks)
    if before >= search_below:
        return None
    small = [_smaller(camera, mask) for camera, mask in views]
    first = _candidates(mesh, cameras, masks)
    scores = score(first, *zip(*small, strict=True))
    second = sorted(range(len(first)), key=lambda i: -scores[i])[:_SECOND_ROUND]
    finalists = [first[index] for index in sorted(second)]  # simple ones come first
    scores = score(finalists, cameras, masks)
    best = next(i for i, each in enumerate(scores) if each >= max(scores) - _CLOSE)
    if scores[best] <= before + _CLOSE:
        return None
    return Correction(finalists[best], scores[best], before)


def _candidates(mesh: Mesh, cameras: list[Camera], masks: list[Mask]) -> list[Placement]:
    """Return the candidates whose boxes match best; simple ones first, without the identity."""
    points = extreme_points(mesh)
    outlines = Outlines(cameras, masks)
    box = placement_of(mesh, "box")
    simple, fitted = [], []
    for rotation in AXIS_ROTATIONS:
        turned = np.array(rotation)
        simple += [Placement(unit, rotation=rotation) for unit in _UNITS]
        moved = (turned * box.offset).sum(axis=1) + 0.0
        simple.append(Placement(box.scale, tuple(moved.tolist()), rotation))
        found = outlines.fitted(points @ turned.T)
        if found is not None:
            fitted.append(Placement(found[0], found[1], rotation))
    candidates = [each for each in simple + fitted if not each.is_identity]
    scores = [outline_iou(outlines, each.placed(points)) for each in candidates]
    order = sorted(range(len(candidates)), key=lambda i: -scores[i])[:_FIRST_ROUND]
    return [candidates[index] for index in sorted(order)]


def _smaller(camera: Camera, mask: Mask) -> tuple[Camera, Mask]:
    """Return a camera and a silhouette of fewer pixels: every n-th row and column."""
    step = max(1, -(-max(mask.shape) // _SMALL))
    start = step // 2
    sampled = mask[start::step, start::step]
    height, width = sampled.shape
    K = camera.K.copy()
    # The new pixel centers are those of the kept pixels.
    K[:2, 2] = (K[:2, 2] - start - 0.5) / step + 0.5
    K[:2, :2] /= step
    return replace(camera, K=K, width=width, height=height), sampled
