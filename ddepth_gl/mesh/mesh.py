"""The triangle mesh: an immutable class, validated once at construction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from .._checks import shown
from .._frozen_arrays import frozen
from .._text import counted
from ..errors import MeshError
from .bodies import Bodies, find_bodies
from .lazy_texture import LazyTexture
from .normals import face_normals
from .object_bodies import ObjectBodies, bodies_of_objects
from .report import MeshReport, report_on
from .sampler import Sampler
from .topology import closed_and_balanced, signed_volume
from .validate import (
    check_area,
    checked_alpha_cutoff,
    checked_bounds,
    checked_colors,
    checked_faces,
    checked_matrix,
    checked_object_id,
    checked_object_names,
    checked_polygon_id,
    checked_samplers,
    checked_texture_id,
    checked_textures,
    checked_up,
    checked_uv,
    checked_vertices,
)

__all__ = ["Mesh", "MeshSource"]

_DEFAULT_UP = (0.0, 0.0, 1.0)  # of meshes that do not say which way is up


class MeshSource(NamedTuple):
    """The file that a mesh was read from.

    Attributes:
        path: absolute path.
        sha256: SHA-256 of the content, in hexadecimal.
        side_files_sha256: SHA-256 of the names and contents of the other files that were read with
            it and decide where the surface is (buffers, layers, textures with alpha masks); empty
            if there were none.
        left_out: what the file holds and the mesh does not, one text each.
        textures_sha256: the same as `side_files_sha256`, of files that decide colors alone (MTL
            materials, textures); empty without `appearance`, see `load_mesh`.
    """

    path: str
    sha256: str
    side_files_sha256: str = ""
    left_out: tuple[str, ...] = ()
    textures_sha256: str = ""


class Mesh:
    """An immutable triangle mesh in world coordinates (right-handed, any unit of length).

    Args:
        vertices: (V, 3) numbers, in mesh units; stored as float64. Must be finite in float32.
        faces: (F, 3) integers, counter-clockwise seen from outside; stored as int32.
        uv: (V, 2) texture coordinates; stored as float32. u points right and v points up, as in
            OBJ: (0, 0) is the bottom-left corner of the texture, (1, 1) its top-right corner.
        colors: (V, 3) or (V, 4) sRGB colors, uint8 or float in 0..1; stored as (V, 4) uint8.
        texture: one texture, or a list or tuple of textures. Each is uint8 sRGB, top row first,
            of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4). Stored as ``textures``, a tuple of
            (h, w, 4) uint8.
        texture_id: (F,) integers: index of each face's texture, -1 for none; stored as int32.
            The default is 0 with one texture and -1 with none; with more it must be given.
        samplers: how textures are sampled: one `Sampler`, or one for each texture. The default
            repeats and interpolates. Stored as a tuple, one for each texture.
        alpha_cutoff: (F,) numbers of at least 0; stored as float32, or None if all are 0. A face
            with a cutoff above 0 has a mask: it exists only where alpha, the vertex colors' times
            the texture's, is at least the cutoff. A body with such a face is two-sided.
        polygon_id: (F,) index of the polygon that each face was cut from, in the order of the file;
            stored as int64. By default each face is its own polygon.
        object_id: (F,) non-negative integers; stored as int32. The default is 0.
        object_names: name of each object id; empty if the objects have no names.
        name: name of the mesh in messages.
        source: file that `load_mesh` read the mesh from; None if there is none.
        up: (3,) direction that is up, world frame; stored as a unit vector, three floats. None if
            it is not known: ``up`` is then (0, 0, 1) and ``is_up_known`` is False. `Camera.orbit`
            places cameras by it; vertices stay as they are.

    Array arguments may be NumPy arrays, lists or anything with ``__array__``. They are copied; the
    stored arrays are C-contiguous and read-only.

    Raises:
        MeshError: the mesh cannot be used. One line says what was given and what to do.
    """

    __slots__ = (
        "_bodies",
        "_bounds",
        "_closed_and_balanced",
        "_object_bodies",
        "_polygon_id",
        "_textures",
        "_volume",
        "alpha_cutoff",
        "colors",
        "faces",
        "is_up_known",
        "name",
        "object_id",
        "object_names",
        "samplers",
        "source",
        "texture_id",
        "up",
        "uv",
        "vertices",
    )

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]
    uv: npt.NDArray[np.float32] | None
    colors: npt.NDArray[np.uint8] | None
    samplers: tuple[Sampler, ...]
    texture_id: npt.NDArray[np.int32]
    alpha_cutoff: npt.NDArray[np.float32] | None
    object_id: npt.NDArray[np.int32]
    object_names: tuple[str, ...]
    name: str
    source: MeshSource | None
    up: tuple[float, float, float]
    is_up_known: bool
    _bodies: Bodies | None
    _bounds: npt.NDArray[np.float64]
    _closed_and_balanced: tuple[bool, bool] | None
    _object_bodies: ObjectBodies | None
    _polygon_id: npt.NDArray[np.int64] | None
    _textures: tuple[LazyTexture, ...]
    _volume: float | None

    def __init__(
        self,
        vertices: npt.ArrayLike,
        faces: npt.ArrayLike,
        *,
        uv: npt.ArrayLike | None = None,
        colors: npt.ArrayLike | None = None,
        texture: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
        texture_id: npt.ArrayLike | None = None,
        samplers: Sampler | Sequence[Sampler] | None = None,
        alpha_cutoff: npt.ArrayLike | None = None,
        polygon_id: npt.ArrayLike | None = None,
        object_id: npt.ArrayLike | None = None,
        object_names: Sequence[str] = (),
        name: str = "mesh",
        source: MeshSource | None = None,
        up: npt.ArrayLike | None = None,
    ) -> None:
        points = checked_vertices(vertices)
        triangles = checked_faces(faces, len(points))
        bounds = checked_bounds(points, triangles)
        check_area(points, triangles, bounds)
        textures = checked_textures(texture)
        if textures and uv is None:
            raise MeshError("a texture was given without uv; pass uv of shape (V, 2) as well")
        cutoff = checked_alpha_cutoff(alpha_cutoff, len(triangles))
        polygons = checked_polygon_id(polygon_id, len(triangles))
        names = checked_object_names(object_names)
        if source is not None and not isinstance(source, MeshSource):
            raise MeshError(
                f"source must be a MeshSource or None, not {type(source).__name__}; omit it"
            )
        if not isinstance(name, str):
            raise MeshError(f"name must be a str, not {shown(name)}")
        values: dict[str, Any] = {
            "vertices": frozen(points),
            "faces": frozen(triangles),
            "uv": None if uv is None else frozen(checked_uv(uv, len(points))),
            "colors": None if colors is None else frozen(checked_colors(colors, len(points))),
            "texture_id": frozen(checked_texture_id(texture_id, len(triangles), len(textures))),
            "samplers": checked_samplers(samplers, len(textures)),
            "alpha_cutoff": None if cutoff is None else frozen(cutoff),
            "_textures": textures,
            "_polygon_id": None if polygons is None else frozen(polygons),
            "object_id": frozen(checked_object_id(object_id, len(triangles), len(names))),
            "object_names": names,
            "name": str(name),
            "source": source,
            "up": checked_up(_DEFAULT_UP if up is None else up),
            "is_up_known": up is not None,
            "_bodies": None,
            "_bounds": frozen(bounds),
            "_closed_and_balanced": None,
            "_object_bodies": None,
            "_volume": None,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __setattr__(self, key: str, value: object) -> NoReturn:
        raise AttributeError(
            f"a Mesh cannot be changed: cannot set {key!r}; make a new Mesh instead"
        )

    def __delattr__(self, key: str) -> NoReturn:
        raise AttributeError(f"a Mesh cannot be changed: cannot delete {key!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling through the constructor keeps the arrays read-only.
        rebuild = partial(type(self), **self._attributes(), source=self.source)
        return rebuild, (self.vertices, self.faces)

    def __repr__(self) -> str:
        closed = "unknown" if self._closed_and_balanced is None else self._closed_and_balanced[0]
        vertices = counted(len(self.vertices), "vertex", "vertices")
        counts = f"{vertices}, {counted(len(self.faces), 'face')}"
        return f"Mesh({shown(self.name)}, {counts}, closed={closed})"

    @property
    def textures(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """(h, w, 4) uint8 each: sRGB, top row first.

        `load_mesh` leaves textures encoded; they are decoded on first access. Textures that differ
        in their samplers alone are the same array.

        Raises:
            MeshError: a texture of the file is damaged.
        """
        return tuple(texture.texels() for texture in self._textures)

    @property
    def texture(self) -> npt.NDArray[np.uint8] | None:
        """(h, w, 4) uint8: the first texture, sRGB, top row first; None if there is none."""
        return self._textures[0].texels() if self._textures else None

    @property
    def texture_sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each texture, without decoding any."""
        return tuple(texture.size for texture in self._textures)

    @property
    def polygon_id(self) -> npt.NDArray[np.int64]:
        """(F,) int64: index of the polygon that each face was cut from, in the order of the file.

        Without polygons of more than three corners, it is the index of the face.
        """
        ids = self._polygon_id
        if ids is None:
            ids = frozen(np.arange(len(self.faces)))
            object.__setattr__(self, "_polygon_id", ids)
        return ids

    @property
    def bounds(self) -> npt.NDArray[np.float64]:
        """(2, 3) float64: minimum and maximum coordinates in mesh units.

        Only vertices that faces use count.
        """
        return self._bounds

    @property
    def is_closed(self) -> bool:
        """True if every edge belongs to an even number of faces, so that there is no hole.

        Vertices at exactly the same position count as one vertex, so a UV seam is no hole. Faces
        that use a position twice do not count. Computed on first access.
        """
        return self._edge_summary()[0]

    @property
    def is_oriented(self) -> bool:
        """True if the mesh is closed and its faces are wound outward; False with alpha masks.

        Faces traverse every edge equally often in both directions, and the volume is positive.
        The test is for the mesh as a whole: it does not notice a small body that is inside out
        beside a larger one.
        """
        if self.alpha_cutoff is not None:
            return False  # rays pass through what a mask leaves out
        closed, balanced = self._edge_summary()
        return closed and balanced and self.volume > 0.0

    @property
    def oriented_objects(self) -> frozenset[int]:
        """Ids of the objects whose own faces are closed and wound outward, as for `is_oriented`.

        An object that shares edges with others is open on its own. Computed on first access.
        """
        return self.object_bodies.oriented

    @property
    def volume(self) -> float:
        """Signed volume of a closed mesh in cubic mesh units; positive if it is wound outward."""
        volume = self._volume
        if volume is None:
            volume = signed_volume(self.vertices, self.faces, self._bounds.mean(axis=0))
            object.__setattr__(self, "_volume", volume)
        return volume

    @property
    def bodies(self) -> Bodies:
        """The bodies of the mesh, and how the crossings of each can count.

        Computed on first access, in about a microsecond per face.
        """
        bodies = self._bodies
        if bodies is None:
            bodies = find_bodies(self.vertices, self.faces, self.alpha_cutoff)
            object.__setattr__(self, "_bodies", bodies)
        return bodies

    @property
    def object_bodies(self) -> ObjectBodies:
        """Kinds of the faces of each object if it is rendered alone. Computed on first access."""
        found = self._object_bodies
        if found is None:
            found = bodies_of_objects(
                self.vertices,
                self.faces,
                self.object_id,
                lambda: self.bodies,
                self.alpha_cutoff,
            )
            object.__setattr__(self, "_object_bodies", found)
        return found

    def report(self) -> MeshReport:
        """Return what the mesh consists of: bodies, winding, appearance, defects.

        ``print(mesh.report())`` shows it in a few lines. `ddepth inspect` prints the same.
        """
        return report_on(self)

    def face_normals(self) -> npt.NDArray[np.float64]:
        """Return (F, 3) float64 unit normals on the counter-clockwise side; zeros without area."""
        return face_normals(self.vertices, self.faces)

    def transformed(self, matrix: npt.ArrayLike, up: npt.ArrayLike | None = None) -> Mesh:
        """Return a new mesh with every vertex transformed by an affine matrix.

        A mirroring matrix (negative determinant) also reverses the winding: faces that are wound
        outward stay so.

        Args:
            matrix: (4, 4), applied to column vectors.
            up: (3,) up direction of the new mesh. None transforms `Mesh.up`, if it is known.

        Raises:
            MeshError: the matrix is not affine or not invertible, or moves vertices beyond the
                range of float32.
        """
        m = checked_matrix(matrix)
        with np.errstate(all="ignore"):  # the new mesh reports overflow
            points = self.vertices @ m[:3, :3].T + m[:3, 3]
        is_mirrored = np.linalg.slogdet(m[:3, :3])[0] < 0.0
        faces = self.faces[:, [0, 2, 1]] if is_mirrored else self.faces
        if up is None and self.is_up_known:
            up = m[:3, :3] @ self.up
        return Mesh(points, faces, **{**self._attributes(), "up": up})

    def _texels(self, index: int) -> npt.NDArray[np.uint8]:
        """Return one of `textures`, (h, w, 4) uint8; the others are not read."""
        return self._textures[index].texels()

    def _attributes(self) -> dict[str, Any]:
        """Return the constructor's arguments besides vertices, faces and source."""
        return {
            "uv": self.uv,
            "colors": self.colors,
            "texture": self._textures or None,
            "texture_id": self.texture_id if self._textures else None,
            "samplers": self.samplers if self._textures else None,
            "alpha_cutoff": self.alpha_cutoff,
            "polygon_id": self._polygon_id,
            "object_id": self.object_id,
            "object_names": self.object_names,
            "name": self.name,
            "up": self.up if self.is_up_known else None,
        }

    def _edge_summary(self) -> tuple[bool, bool]:
        summary = self._closed_and_balanced
        if summary is None:
            summary = closed_and_balanced(self.vertices, self.faces)
            object.__setattr__(self, "_closed_and_balanced", summary)
        return summary
