"""The triangle mesh that everything else works on: validated once, then never changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from .._checks import one_line, shown, unmasked_array
from .._frozen_arrays import frozen
from ..errors import MeshError

__all__ = ["Mesh", "MeshSource", "position_keys"]

_FLOAT32_MAX = float(np.finfo(np.float32).max)
# Depths of a mesh as small as this still have all the bits of a float32.
_SMALLEST_EXTENT = 2.0**-100
_MAX_COUNT = 2**31  # indices are int32 here and on the GPU


class MeshSource(NamedTuple):
    """The file that a mesh was read from.

    Attributes:
        path: absolute.
        sha256: of its content, in hexadecimal.
        side_files_sha256: of the other files that were read for it (materials, textures, buffers) and their
            names; empty if there were none.
    """

    path: str
    sha256: str
    side_files_sha256: str = ""


class Mesh:
    """An immutable triangle mesh in world coordinates (right-handed, any unit of length).

    Args:
        vertices: (V, 3) numbers, in mesh units; stored as float64. Must be finite in float32.
        faces: (F, 3) integers, counter-clockwise seen from outside; stored as int32.
        uv: (V, 2) texture coordinates; stored as float32. u points right and v points up, as in OBJ:
            (0, 0) is the bottom-left corner of the picture, (1, 1) its top-right corner.
        colors: (V, 3) or (V, 4) sRGB colors, uint8 or float in 0..1; stored as (V, 4) uint8.
        texture: one uint8 sRGB picture, (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), top row first, or a
            list or tuple of such pictures; stored as ``textures``, a tuple of (h, w, 4) uint8.
        texture_id: (F,) integers, the picture of each face, -1 for none; stored as int32. By default 0
            everywhere when there is one picture, -1 everywhere when there is none.
        object_id: (F,) non-negative integers; stored as int32. By default 0 everywhere.
        object_names: the name of each object id; empty when the objects have no names.
        name: what to call the mesh in messages.
        source: the file it was read from, as `load_mesh` gives it; None if it came from no file.

    Everything array-like may be a NumPy array, a list or anything with ``__array__``. The arrays are
    copied, C-contiguous and read-only.

    Raises:
        MeshError: if the mesh cannot be used; one line that says what was given and what to do.
    """

    __slots__ = (
        "_bounds",
        "_topology",
        "_volume",
        "colors",
        "faces",
        "name",
        "object_id",
        "object_names",
        "source",
        "texture_id",
        "textures",
        "uv",
        "vertices",
    )

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]
    uv: npt.NDArray[np.float32] | None
    colors: npt.NDArray[np.uint8] | None
    textures: tuple[npt.NDArray[np.uint8], ...]
    texture_id: npt.NDArray[np.int32]
    object_id: npt.NDArray[np.int32]
    object_names: tuple[str, ...]
    name: str
    source: MeshSource | None
    _bounds: npt.NDArray[np.float64]
    _topology: tuple[bool, bool] | None
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
        object_id: npt.ArrayLike | None = None,
        object_names: Sequence[str] = (),
        name: str = "mesh",
        source: MeshSource | None = None,
    ) -> None:
        points = _checked_vertices(vertices)
        triangles = _checked_faces(faces, len(points))
        bounds = _checked_bounds(points, triangles)
        _check_area(points, triangles, bounds)
        textures = _checked_textures(texture)
        if textures and uv is None:
            raise MeshError("a texture was given without uv; pass uv of shape (V, 2) as well")
        if (
            not isinstance(object_names, Sequence)
            or isinstance(object_names, str)
            or not all(isinstance(n, str) for n in object_names)
        ):
            raise MeshError("object_names must be a sequence of strings; pass a tuple of str")
        if source is not None and not isinstance(source, MeshSource):
            raise MeshError(
                f"source must be a MeshSource or None, not a {type(source).__name__}; omit it"
            )
        if not isinstance(name, str):
            raise MeshError(f"name must be a str, not {shown(name)}")
        values: dict[str, Any] = {
            "vertices": frozen(points),
            "faces": frozen(triangles),
            "uv": None if uv is None else frozen(_checked_uv(uv, len(points))),
            "colors": None if colors is None else frozen(_checked_colors(colors, len(points))),
            "textures": textures,
            "texture_id": frozen(_checked_texture_id(texture_id, len(triangles), len(textures))),
            "object_id": frozen(_checked_object_id(object_id, len(triangles), len(object_names))),
            "object_names": tuple(object_names),
            "name": str(name),
            "source": source,
            "_bounds": frozen(bounds),
            "_topology": None,
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
        # Rebuilding through the constructor keeps the arrays of an unpickled mesh read-only.
        return partial(type(self), **self._attributes(), source=self.source), (
            self.vertices,
            self.faces,
        )

    def __repr__(self) -> str:
        closed = "unknown" if self._topology is None else self._topology[0]
        name = shown(self.name)
        return (
            f"Mesh({name}, {len(self.vertices)} vertices, {len(self.faces)} faces, closed={closed})"
        )

    @property
    def texture(self) -> npt.NDArray[np.uint8] | None:
        """The first picture, (h, w, 4) uint8 sRGB with the top row first, or None."""
        return self.textures[0] if self.textures else None

    @property
    def bounds(self) -> npt.NDArray[np.float64]:
        """(2, 3) float64: least and greatest coordinates of the vertices that faces use, in mesh units."""
        return self._bounds

    @property
    def is_closed(self) -> bool:
        """Whether every edge is shared by an even number of faces, so that there is no hole.

        Vertices at exactly the same position count as one, so a UV seam is no hole; faces that have a
        corner twice do not count. Computed when first asked for.
        """
        return self._edges_summary()[0]

    @property
    def is_oriented(self) -> bool:
        """Whether the mesh is closed and its faces consistently show their outside.

        Every edge is traversed equally often in each direction, and the volume is positive. The test is
        for the mesh as a whole: it does not notice a small part that is inside out beside a larger one.
        """
        closed, balanced = self._edges_summary()
        return closed and balanced and self.volume > 0.0

    @property
    def volume(self) -> float:
        """Signed volume of a closed mesh, in cubic mesh units; positive when outside is outside."""
        if self._volume is None:
            points = self.vertices - self._bounds.mean(axis=0)
            total = 0.0
            for faces in _in_parts(self.faces):
                a, b, c = (points[faces[:, corner]] for corner in range(3))
                total += float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)
            object.__setattr__(self, "_volume", total)
            return total
        return self._volume

    def face_normals(self) -> npt.NDArray[np.float64]:
        """(F, 3) float64 unit normals on the counter-clockwise side; zeros for faces without area."""
        return np.concatenate(
            [_unit_normals(self.vertices, faces) for faces in _in_parts(self.faces)]
        )

    def transformed(self, matrix: npt.ArrayLike) -> Mesh:
        """A new mesh with every vertex moved by an affine (4, 4) matrix that acts on column vectors.

        A mirroring matrix (negative determinant) also reverses the winding: outside stays outside.

        Raises:
            MeshError: if the matrix is not affine and invertible, or moves vertices out of float32.
        """
        m = _as_array(matrix, "matrix", "biuf")
        with np.errstate(over="ignore"):
            m = m.astype(np.float64) if m.shape == (4, 4) else m
        if (
            m.shape != (4, 4)
            or not np.isfinite(m).all()
            or not np.array_equal(m[3], (0.0, 0.0, 0.0, 1.0))
        ):
            raise MeshError(
                f"matrix of shape {m.shape} is not affine; pass finite (4, 4) with last row 0, 0, 0, 1"
            )
        sign, _ = np.linalg.slogdet(m[:3, :3])
        if sign == 0.0:
            raise MeshError("matrix is not invertible, it would flatten the mesh; pass one that is")
        with np.errstate(all="ignore"):  # overflow is reported by the new mesh
            points = self.vertices @ m[:3, :3].T + m[:3, 3]
        faces = self.faces if sign > 0 else self.faces[:, [0, 2, 1]]
        return Mesh(points, faces, **self._attributes())

    def _attributes(self) -> dict[str, Any]:
        return {
            "uv": self.uv,
            "colors": self.colors,
            "texture": self.textures or None,
            "texture_id": self.texture_id if self.textures else None,
            "object_id": self.object_id,
            "object_names": self.object_names,
            "name": self.name,
        }

    def _edges_summary(self) -> tuple[bool, bool]:
        topology = self._topology
        if topology is None:
            topology = _edge_parity(self.vertices, self.faces)
            object.__setattr__(self, "_topology", topology)
        return topology


def _edge_parity(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[bool, bool]:
    """(every edge is used an even number of times, every edge is used equally in both directions).

    By hashing instead of sorting, several times faster: every edge has a 64-bit number that depends on
    the positions of its ends only. Where all uses are even the numbers cancel under exclusive or; where
    the directions balance they cancel in a sum that counts one direction negative. Wrong with a chance of
    2**-64.
    """
    position = position_keys(vertices)
    uses = balance = 0
    any_proper = False
    for part in _in_parts(faces):
        ends = [position[part[:, corner]] for corner in range(3)]
        proper = (ends[0] != ends[1]) & (ends[1] != ends[2]) & (ends[2] != ends[0])
        any_proper |= bool(proper.any())
        for corner in range(3):
            start, end = ends[corner][proper], ends[(corner + 1) % 3][proper]
            forward = start < end
            edge = _mixed(_mixed(np.minimum(start, end)) + np.maximum(start, end))
            uses ^= int(np.bitwise_xor.reduce(edge))
            balance += int(edge[forward].sum()) - int(edge[~forward].sum())
    if not any_proper:
        return False, False
    return uses == 0, balance % 2**64 == 0


def position_keys(vertices: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """(V,) a 64-bit number for each vertex: the same at the same position, else another (but for 2**-64)."""
    bits = (vertices + 0.0).view(np.uint64)  # adding makes 0.0 of -0.0
    return _mixed(_mixed(_mixed(bits[:, 0]) + bits[:, 1]) + bits[:, 2])


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A bijection of 64-bit numbers that scatters them (the finalizer of SplitMix64, Steele et al., 2014)."""
    mixed: npt.NDArray[np.uint64] = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _in_parts(faces: npt.NDArray[np.int32]) -> Iterator[npt.NDArray[np.int32]]:
    """The faces in runs of 65536: what is computed for each then takes little memory."""
    for start in range(0, len(faces), 1 << 16):
        yield faces[start : start + (1 << 16)]


def _unit_normals(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    edges = np.stack((b - a, c - a))
    # Scaling each face to about one keeps the products of very small or large edges in range.
    scale = np.abs(edges).max(axis=(0, 2))[:, None]
    edges = np.divide(edges, scale, out=np.zeros_like(edges), where=scale > 0.0)
    normals: npt.NDArray[np.float64] = np.cross(edges[0], edges[1])
    length = np.linalg.norm(normals, axis=1)[:, None]
    np.divide(
        normals, length, out=normals, where=length > 0.0
    )  # where it is not, they are zeros already
    return normals


def _as_array(value: object, what: str, kinds: str) -> npt.NDArray[Any]:
    """``value`` as an array whose dtype is of one of these kinds: b(ool), i(nt), u(nsigned), f(loat)."""
    try:
        array = unmasked_array(value)
    except Exception as error:  # whatever an __array__ method raises
        reason = one_line(error)
        raise MeshError(
            f"{what} cannot be read as an array ({reason}); pass a NumPy array"
        ) from None
    if array.size and array.dtype.kind not in kinds:
        wanted = "numbers" if "f" in kinds else "integers"
        raise MeshError(f"{what} are of dtype {array.dtype}, expected {wanted}; convert them first")
    return array


def _checked_vertices(value: object) -> npt.NDArray[np.float64]:
    given = _as_array(value, "vertices", "iuf")
    if given.size == 0:
        raise MeshError("there are no vertices; pass vertices of shape (V, 3)")
    if given.ndim != 2 or given.shape[1] != 3:
        raise MeshError(
            f"vertices have shape {given.shape}, expected (V, 3); one row of x, y, z each"
        )
    if len(given) >= _MAX_COUNT:
        raise MeshError(
            f"{len(given)} vertices are too many, the limit is 2**31 - 1; split the mesh"
        )
    with np.errstate(all="ignore"):
        points = np.array(given, dtype=np.float64, order="C")
        if not (np.abs(points) <= _FLOAT32_MAX).all():  # nor is it for NaN
            bad = np.flatnonzero(~(np.abs(points) <= _FLOAT32_MAX).all(axis=1))
            x, y, z = points[bad[0]].tolist()
            raise MeshError(
                f"{len(bad)} of {len(points)} vertices are not finite in float32, first vertex {bad[0]} = "
                f"({x:g}, {y:g}, {z:g}); remove or repair them"
            )
    return points


def _checked_bounds(
    points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """(2, 3): least and greatest coordinates of the vertices that faces use; strays must not count."""
    used = np.zeros(len(points), dtype=bool)
    used[faces.reshape(-1)] = True
    seen = points if used.all() else points[used]
    bounds = np.stack((seen.min(axis=0), seen.max(axis=0)))
    with np.errstate(over="ignore"):
        extent = float((bounds[1] - bounds[0]).max())
    if extent > _FLOAT32_MAX:
        raise MeshError(f"the mesh is {extent:g} wide, more than float32 can hold; scale it down")
    if 0.0 < extent < _SMALLEST_EXTENT:
        raise MeshError(f"the mesh is {extent:g} wide, too small for float32 depths; scale it up")
    return bounds


def _checked_faces(value: object, vertex_count: int) -> npt.NDArray[np.int32]:
    given = _as_array(value, "faces", "iu")
    if given.size == 0:
        raise MeshError(
            "there are no faces; pass faces of shape (F, 3), triangles of vertex indices"
        )
    if given.ndim != 2 or given.shape[1] != 3:
        raise MeshError(
            f"faces have shape {given.shape}, expected (F, 3); triangulate larger polygons first"
        )
    if len(given) >= _MAX_COUNT:
        raise MeshError(f"{len(given)} faces are too many, the limit is 2**31 - 1; split the mesh")
    if int(given.min()) < 0 or int(given.max()) >= vertex_count:
        bad = np.flatnonzero(((given < 0) | (given >= vertex_count)).any(axis=1))
        raise MeshError(
            f"{len(bad)} of {len(given)} faces use vertices that do not exist, first face {bad[0]} = "
            f"{tuple(given[bad[0]].tolist())} with {vertex_count} vertices; indices go from 0 to V - 1"
        )
    return np.array(given, dtype=np.int32, order="C")


def _check_area(
    points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32], bounds: npt.NDArray[np.float64]
) -> None:
    """Refuse a mesh in which no face at all has an area; single faces without one are harmless."""
    if (bounds[1] > bounds[0]).any():
        for part in _in_parts(faces):
            if _unit_normals(points, part).any():
                return
    raise MeshError(
        f"all {len(faces)} faces are degenerate (zero area); check the vertices and faces"
    )


def _checked_rows(
    value: object, what: str, kinds: str, shapes: tuple[tuple[int, ...], ...]
) -> npt.NDArray[Any]:
    array = _as_array(value, what, kinds)
    if array.shape not in shapes:
        wanted = " or ".join(str(shape) for shape in shapes)
        raise MeshError(f"{what} has shape {array.shape}, expected {wanted}; pass one row for each")
    return array


def _checked_uv(value: object, count: int) -> npt.NDArray[np.float32]:
    given = _checked_rows(value, "uv", "iuf", ((count, 2),))
    with np.errstate(all="ignore"):
        uv = np.array(given, dtype=np.float32, order="C")
    bad = np.flatnonzero(~np.isfinite(uv).all(axis=1))
    if len(bad):
        raise MeshError(
            f"{len(bad)} of {count} uv are not finite, first of vertex {bad[0]}; repair or omit them"
        )
    return uv


def _checked_colors(value: object, count: int) -> npt.NDArray[np.uint8]:
    given = _checked_rows(value, "colors", "iuf", ((count, 3), (count, 4)))
    top = 1 if given.dtype.kind == "f" else 255
    with np.errstate(all="ignore"):
        if not ((given >= 0) & (given <= top)).all():  # NaN compares false as well
            raise MeshError(
                f"colors of dtype {given.dtype} are not all in 0..{top}; use uint8, or float in 0..1"
            )
    colors = np.full((count, 4), 255, np.uint8)
    colors[:, : given.shape[1]] = np.rint(given * 255.0) if given.dtype.kind == "f" else given
    return colors


def _checked_textures(value: object) -> tuple[npt.NDArray[np.uint8], ...]:
    if value is None:
        return ()
    return tuple(
        _checked_picture(p) for p in (value if isinstance(value, (list, tuple)) else (value,))
    )


def _checked_picture(value: object) -> npt.NDArray[np.uint8]:
    given = _as_array(value, "texture", "biuf")
    channels = 1 if given.ndim == 2 else given.shape[-1] if given.ndim == 3 else 0
    if given.dtype != np.uint8 or channels not in (1, 3, 4) or given.size == 0:
        raise MeshError(
            f"texture has shape {given.shape} and dtype {given.dtype}; "
            "pass uint8 of shape (h, w, 3 or 4 or 1)"
        )
    picture = np.full((*given.shape[:2], 4), 255, np.uint8)
    picture[..., : max(channels, 3)] = given[..., None] if given.ndim == 2 else given
    return frozen(picture)


def _checked_texture_id(
    value: object, face_count: int, texture_count: int
) -> npt.NDArray[np.int32]:
    if value is None and texture_count <= 1:
        return np.full(face_count, texture_count - 1, np.int32)
    if value is None:
        raise MeshError(
            f"{texture_count} textures were given without texture_id; pass one id for each face"
        )
    if texture_count == 0:
        raise MeshError(
            "texture_id was given without a texture; pass the textures or omit texture_id"
        )
    return _checked_ids(value, "texture_id", face_count, -1, texture_count - 1)


def _checked_object_id(value: object, face_count: int, name_count: int) -> npt.NDArray[np.int32]:
    if value is None:
        return np.zeros(face_count, np.int32)
    return _checked_ids(value, "object_id", face_count, 0, (name_count or _MAX_COUNT) - 1)


def _checked_ids(
    value: object, what: str, count: int, low: int, high: int
) -> npt.NDArray[np.int32]:
    given = _checked_rows(value, what, "iu", ((count,),))
    least, greatest = int(given.min()), int(given.max())
    if least < low or greatest > high:
        raise MeshError(
            f"{what} goes from {least} to {greatest}, expected {low} to {high}; correct the ids"
        )
    return np.array(given, dtype=np.int32, order="C")
