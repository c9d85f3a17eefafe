"""`MeshReport`: what a mesh consists of, and what is wrong with it, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import printable, shortened
from .._text import counted
from .bodies import BODY_KINDS
from .chunks import face_chunks
from .normals import unit_normals

if TYPE_CHECKING:
    from .mesh import Mesh

__all__ = ["MeshReport", "direction_text", "report_on"]

_MAX_NAMES = 6  # object names in the text
_FACING_KINDS = BODY_KINDS[:2]


@dataclass(frozen=True)
class MeshReport:
    """Facts about a mesh. `str` formats them as a few lines, `as_dict` for JSON.

    Attributes:
        name: name of the mesh.
        path: absolute path of the file that `load_mesh` read; None without a file.
        sha256: SHA-256 of the file's content, in hexadecimal; None without a file.
        vertices: number of vertices.
        unused_vertices: number of vertices that no face uses.
        faces: number of faces.
        degenerate_faces: number of faces without area.
        duplicate_faces: number of faces at the positions of an earlier face, in either winding.
        bodies: number of bodies by kind, see `Bodies`; only kinds that occur.
        faces_of_bodies: number of faces by kind of their body.
        two_sided_faces: number of faces that count on either side by geometry, those of no body
            included.
        is_closed: every edge belongs to an even number of faces.
        is_consistent: every body is consistently wound.
        is_oriented: see `Mesh.is_oriented`.
        bounds: minimum and maximum coordinates in mesh units.
        up: see `Mesh.up`.
        is_up_known: whether the file, or who made the mesh, said which direction is up.
        area: sum of the areas of all faces in square mesh units.
        volume: signed volume in cubic mesh units; None if a body is open or not consistently wound.
        object_names: names of the objects; empty if they have none.
        objects: number of objects.
        has_uv: there are texture coordinates.
        has_colors: there are vertex colors.
        has_alpha: a vertex color or a texel is not opaque.
        textures: width and height of each texture.
        textured_faces: number of faces with a texture.
        left_out: what the file holds and the mesh does not, one text each.
    """

    name: str
    path: str | None
    sha256: str | None
    vertices: int
    unused_vertices: int
    faces: int
    degenerate_faces: int
    duplicate_faces: int
    bodies: dict[str, int]
    faces_of_bodies: dict[str, int]
    two_sided_faces: int
    is_closed: bool
    is_consistent: bool
    is_oriented: bool
    bounds: tuple[tuple[float, ...], ...]
    up: tuple[float, ...]
    is_up_known: bool
    area: float
    volume: float | None
    object_names: tuple[str, ...]
    objects: int
    has_uv: bool
    has_colors: bool
    has_alpha: bool
    textures: tuple[tuple[int, int], ...]
    textured_faces: int
    left_out: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all facts as a dictionary that `json.dumps` accepts."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{_shown(self.name)}: {counted(self.faces, 'face')}, " + counted(
            self.vertices, "vertex", "vertices"
        )
        count = sum(self.bodies.values())
        yield _line("bodies", counted(count, "body", "bodies") + self._closedness())
        yield _line("by facing", self._kinds(_FACING_KINDS) or "none")
        yield _line("two-sided", self._kinds(BODY_KINDS[2:]) or "none")
        low, high = ("(" + ", ".join(f"{x:.6g}" for x in corner) + ")" for corner in self.bounds)
        size = " x ".join(f"{b - a:.6g}" for a, b in zip(*self.bounds, strict=True))
        yield _line("bounds", f"{low} to {high}, size {size}")
        yield _line("up", direction_text(self.up) + " by default" * (not self.is_up_known))
        volume = "not defined" if self.volume is None else f"{self.volume:.6g}"
        yield _line("area", f"{self.area:.6g}, volume {volume}")
        names = [_shown(name) for name in self.object_names[:_MAX_NAMES]]
        more = ["..."] * (len(self.object_names) > _MAX_NAMES)
        yield _line("objects", f"{self.objects:,}{': ' * bool(names)}{', '.join(names + more)}")
        yield _line("appearance", ", ".join(self._appearance()))
        defects = [
            (self.degenerate_faces, "face without area", "faces without area"),
            (self.duplicate_faces, "duplicate face", "duplicate faces"),
            (self.unused_vertices, "unused vertex", "unused vertices"),
        ]
        found = [counted(number, *words) for number, *words in defects if number]
        yield _line("defects", ", ".join(found) or "none")
        for text in self.left_out:
            yield _line("left out", printable(text))

    def _closedness(self) -> str:
        closed = "closed" if self.is_closed else "not closed"
        consistent = "consistently wound" if self.is_consistent else "not consistently wound"
        return f", {closed}, {consistent}"

    def _kinds(self, kinds: Sequence[str]) -> str:
        return ", ".join(
            f"{self.bodies[kind]:,} {kind} ({counted(self.faces_of_bodies[kind], 'face')})"
            for kind in kinds
            if kind in self.bodies
        )

    def _appearance(self) -> Iterator[str]:
        yield "uv" if self.has_uv else "no uv"
        sizes = ", ".join(dict.fromkeys(f"{width}x{height}" for width, height in self.textures))
        if self.textures:
            faces = counted(self.textured_faces, "face")
            yield f"{counted(len(self.textures), 'texture')} ({sizes}) on {faces}"
        else:
            yield "no texture"
        yield "vertex colors" if self.has_colors else "no vertex colors"
        if self.has_alpha:
            yield "not everywhere opaque"


def direction_text(direction: Sequence[float]) -> str:
    """Return a unit vector as text: ``y`` or ``-y`` along an axis, otherwise ``(0, 0.6, 0.8)``."""
    for axis, name in enumerate("xyz"):
        if abs(direction[axis]) == 1.0:
            return f"{'-' * (direction[axis] < 0.0)}{name}"
    return "(" + ", ".join(f"{x:.6g}" for x in direction) + ")"


def report_on(mesh: Mesh) -> MeshReport:
    """Return the report on a mesh; see `Mesh.report`."""
    bodies = mesh.bodies
    is_used = np.zeros(len(mesh.vertices), bool)
    is_used[mesh.faces.reshape(-1)] = True
    has_area = sum(
        int(unit_normals(mesh.vertices, chunk).any(axis=1).sum())
        for chunk in face_chunks(mesh.faces)
    )
    of_kind = {kind: bodies.kind == kind for kind in BODY_KINDS}
    of_kind = {kind: which for kind, which in of_kind.items() if which.any()}
    is_well_wound = len(bodies) > 0 and bool((bodies.is_closed & bodies.is_consistent).all())
    has_vertex_alpha = mesh.colors is not None and bool((mesh.colors[:, 3] < 255).any())
    source = mesh.source
    return MeshReport(
        name=mesh.name,
        path=None if source is None else source.path,
        sha256=None if source is None else source.sha256,
        vertices=len(mesh.vertices),
        unused_vertices=int(np.count_nonzero(~is_used)),
        faces=len(mesh.faces),
        degenerate_faces=len(mesh.faces) - has_area,
        duplicate_faces=int(bodies.duplicate_faces.sum()),
        bodies={kind: int(which.sum()) for kind, which in of_kind.items()},
        faces_of_bodies={k: int(bodies.face_count[which].sum()) for k, which in of_kind.items()},
        two_sided_faces=int(bodies.two_sided_faces.sum()),
        is_closed=mesh.is_closed,
        is_consistent=bool(bodies.is_consistent.all()),
        is_oriented=mesh.is_oriented,
        bounds=tuple(map(tuple, mesh.bounds.tolist())),
        up=mesh.up,
        is_up_known=mesh.is_up_known,
        area=float(bodies.area.sum()),
        volume=float(bodies.volume.sum()) if is_well_wound else None,
        object_names=mesh.object_names,
        objects=len(np.unique(mesh.object_id)),
        has_uv=mesh.uv is not None,
        has_colors=mesh.colors is not None,
        has_alpha=has_vertex_alpha or any(texture.has_alpha() for texture in mesh._textures),
        textures=mesh.texture_sizes,
        textured_faces=int(np.count_nonzero(mesh.texture_id >= 0)),
        left_out=() if source is None else source.left_out,
    )


def _line(title: str, text: str) -> str:
    return f"  {title:<12}{text}"


def _shown(name: str) -> str:
    """Return a name from a file on one line, with at most 60 characters."""
    return shortened(printable(name), 60)
