"""The bodies of each object of a mesh, judged by its own faces alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._frozen_arrays import frozen
from .bodies import Bodies, Surfaces, find_bodies

__all__ = ["ObjectBodies", "bodies_of_objects"]


@dataclass(frozen=True, eq=False)
class ObjectBodies:
    """Kinds of the faces of each object if it is rendered alone.

    Attributes:
        oriented: ids of the objects that are closed and wound outward, see `Mesh.is_oriented`.
        surfaces: object id to `Bodies.surfaces`.
        two_sided_faces, solid_faces: (F,) bool, see `Bodies`.
    """

    oriented: frozenset[int]
    surfaces: Mapping[int, Surfaces]
    two_sided_faces: npt.NDArray[np.bool_]
    solid_faces: npt.NDArray[np.bool_]


def bodies_of_objects(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    object_id: npt.NDArray[np.int32],
    of_mesh: Callable[[], Bodies],
    alpha_cutoff: npt.NDArray[np.float32] | None = None,
) -> ObjectBodies:
    """Return how the faces of each object count, apart from those of all other objects.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        object_id: (F,).
        of_mesh: returns the bodies of the whole mesh; called if all faces belong to one object.
        alpha_cutoff: (F,), see `Mesh`; None if no face has a mask.
    """
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    # Faces that use a position twice belong to no body.
    is_proper = (a != b).any(axis=1) & (b != c).any(axis=1) & (c != a).any(axis=1)
    order = np.argsort(object_id, kind="stable")
    order = order[is_proper[order]]
    ids, starts = np.unique(object_id[order], return_index=True)
    if len(ids) == 1:
        bodies, only = of_mesh(), ids.tolist()
        return ObjectBodies(
            frozenset(only if _is_oriented(bodies) else ()),
            dict.fromkeys(only, bodies.surfaces),
            frozen(bodies.two_sided_faces),
            frozen(bodies.solid_faces),
        )
    oriented, surfaces = set(), dict[int, Surfaces]()
    two_sided, solid = np.ones(len(faces), np.bool_), np.zeros(len(faces), np.bool_)
    for each, members in zip(ids.tolist(), np.split(order, starts[1:]), strict=True):
        used, index = np.unique(faces[members], return_inverse=True)
        bodies = find_bodies(
            vertices[used],
            index.reshape(-1, 3).astype(np.int32),
            None if alpha_cutoff is None else alpha_cutoff[members],
        )
        two_sided[members], solid[members] = bodies.two_sided_faces, bodies.solid_faces
        surfaces[each] = bodies.surfaces
        if _is_oriented(bodies):
            oriented.add(each)
    return ObjectBodies(frozenset(oriented), surfaces, frozen(two_sided), frozen(solid))


def _is_oriented(bodies: Bodies) -> bool:
    is_sound = bodies.is_closed & bodies.is_consistent & (bodies.kind != "masked")
    return bool(is_sound.all()) and float(bodies.volume.sum()) > 0.0
