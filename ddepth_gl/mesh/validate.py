"""Validation of the arrays that a `Mesh` is constructed from.

Each function returns the value as `Mesh` stores it, or raises `MeshError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from .._checks import one_line, shown, unmasked_array
from .._text import counted
from ..errors import MeshError
from .chunks import face_chunks
from .lazy_texture import LazyTexture
from .normals import unit_normals
from .sampler import Sampler

__all__ = [
    "as_array",
    "check_area",
    "checked_alpha_cutoff",
    "checked_bounds",
    "checked_colors",
    "checked_faces",
    "checked_matrix",
    "checked_object_id",
    "checked_object_names",
    "checked_polygon_id",
    "checked_samplers",
    "checked_texture_id",
    "checked_textures",
    "checked_up",
    "checked_uv",
    "checked_vertices",
]

_FLOAT32_MAX = float(np.finfo(np.float32).max)
# Depths of a mesh this small still have all the bits of a float32.
_MIN_EXTENT = 2.0**-100
_SAMPLER_CHOICES = {n: get_args(hint) for n, hint in get_type_hints(Sampler).items()}
_MAX_COUNT = 2**31  # indices are int32, on the CPU and on the GPU


def as_array(value: object, name: str, kinds: str) -> npt.NDArray[Any]:
    """Return ``value`` as an array, checking the kind of its dtype.

    Args:
        value: anything array-like.
        name: the argument's name, for messages.
        kinds: the kinds allowed: b(ool), i(nt), u(nsigned), f(loat).
    """
    try:
        array = unmasked_array(value)
    except Exception as error:  # an __array__ method may raise anything
        reason = one_line(error)
        raise MeshError(
            f"{name} cannot be read as an array ({reason}); pass a NumPy array"
        ) from None
    if array.size and array.dtype.kind not in kinds:
        expected = "numbers" if "f" in kinds else "integers"
        raise MeshError(f"{name} must hold {expected}, not {array.dtype}; convert the values first")
    return array


def checked_vertices(value: object) -> npt.NDArray[np.float64]:
    """Return the vertices as a new (V, 3) float64 array."""
    given = as_array(value, "vertices", "iuf")
    if given.size == 0:
        raise MeshError("there are no vertices; pass vertices of shape (V, 3)")
    if given.ndim != 2 or given.shape[1] != 3:
        raise MeshError(
            f"vertices have shape {given.shape}, expected (V, 3); pass one row of x, y, z each"
        )
    if len(given) >= _MAX_COUNT:
        raise MeshError(
            f"{len(given)} vertices are too many, the limit is 2**31 - 1; split the mesh"
        )
    with np.errstate(all="ignore"):
        points = np.array(given, dtype=np.float64, order="C")
        low, high = points.min(initial=0), points.max(initial=0)
        if not (low >= -_FLOAT32_MAX and high <= _FLOAT32_MAX):  # NaN compares false
            bad = np.flatnonzero(~(np.abs(points) <= _FLOAT32_MAX).all(axis=1))
            x, y, z = points[bad[0]].tolist()
            raise MeshError(
                f"{len(bad)} of {len(points)} vertices are not finite in float32, the first is "
                f"vertex {bad[0]} = ({x:g}, {y:g}, {z:g}); remove or repair them"
            )
    return points


def checked_faces(value: object, vertex_count: int) -> npt.NDArray[np.int32]:
    """Return the faces as a new (F, 3) int32 array."""
    given = as_array(value, "faces", "iu")
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
        vertices = counted(vertex_count, "vertex", "vertices")
        raise MeshError(
            f"{len(bad)} of {len(given)} faces use vertices that do not exist, the first is "
            f"face {bad[0]} = {tuple(given[bad[0]].tolist())} with {vertices}; "
            "use indices from 0 to V - 1"
        )
    return np.array(given, dtype=np.int32, order="C")


def checked_bounds(
    points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return (2, 3): minimum and maximum coordinates of the vertices that faces use.

    Vertices without a face do not count: a stray one would inflate the bounds.
    """
    bounds = _bounds(points)
    corners = faces.reshape(-1)
    # Testing six vertices is much faster than finding all that are in use.
    extremes = {int(np.argmin(x)) for x in points.T} | {int(np.argmax(x)) for x in points.T}
    if not all((corners == vertex).any() for vertex in extremes):
        used = np.zeros(len(points), dtype=bool)
        used[corners] = True
        bounds = _bounds(points[used])
    with np.errstate(over="ignore"):
        extent = float((bounds[1] - bounds[0]).max())
    if extent > _FLOAT32_MAX:
        raise MeshError(f"the mesh is {extent:g} wide, more than float32 can hold; scale it down")
    if 0.0 < extent < _MIN_EXTENT:
        raise MeshError(f"the mesh is {extent:g} wide, too small for float32 depths; scale it up")
    return bounds


def _bounds(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Column by column, because NumPy's minimum along the first axis is twenty times slower.
    return np.array([[x.min() for x in points.T], [x.max() for x in points.T]])


def check_area(
    points: npt.NDArray[np.float64], faces: npt.NDArray[np.int32], bounds: npt.NDArray[np.float64]
) -> None:
    """Raise if no face has an area. Single faces without area are harmless."""
    if (bounds[1] > bounds[0]).any():
        # Nearly always one of the first faces has an area.
        for chunk in (faces[:16], *face_chunks(faces[16:])):
            if unit_normals(points, chunk).any():
                return
    which = "its only face is" if len(faces) == 1 else f"all {len(faces)} faces are"
    raise MeshError(f"{which} degenerate (zero area); check the vertices and faces")


def checked_uv(value: object, vertex_count: int) -> npt.NDArray[np.float32]:
    """Return the texture coordinates as a new (V, 2) float32 array."""
    given = _checked_shape(value, "uv", "iuf", "vertex", (vertex_count, 2))
    with np.errstate(all="ignore"):
        uv = np.array(given, dtype=np.float32, order="C")
    bad = np.flatnonzero(~np.isfinite(uv).all(axis=1))
    if len(bad):
        raise MeshError(
            f"uv of {len(bad)} of {vertex_count} vertices is not finite in float32, the first is "
            f"vertex {bad[0]}; repair or omit uv"
        )
    return uv


def checked_colors(value: object, vertex_count: int) -> npt.NDArray[np.uint8]:
    """Return the vertex colors as a new (V, 4) uint8 array; alpha is 255 by default."""
    given = _checked_shape(value, "colors", "iuf", "vertex", (vertex_count, 3), (vertex_count, 4))
    maximum = 1 if given.dtype.kind == "f" else 255
    with np.errstate(all="ignore"):
        if not ((given >= 0) & (given <= maximum)).all():  # NaN compares false
            raise MeshError(
                f"colors of dtype {given.dtype} are not all in 0..{maximum}; "
                "use uint8, or float in 0..1"
            )
    colors = np.full((vertex_count, 4), 255, np.uint8)
    colors[:, : given.shape[1]] = np.rint(given * 255.0) if given.dtype.kind == "f" else given
    return colors


def checked_textures(value: object) -> tuple[LazyTexture, ...]:
    """Return one texture, or a list or tuple of them, as a tuple of RGBA textures."""
    if value is None:
        return ()
    textures = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(_checked_texture(texture) for texture in textures)


def checked_texture_id(value: object, face_count: int, texture_count: int) -> npt.NDArray[np.int32]:
    """Return the texture index of each face as (F,) int32, -1 for none."""
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


def checked_samplers(value: object, texture_count: int) -> tuple[Sampler, ...]:
    """Return the sampler of each texture; one sampler counts for all textures."""
    if value is None:
        return (Sampler(),) * texture_count
    samplers = (value,) * texture_count if isinstance(value, Sampler) else value
    if (
        not isinstance(samplers, (list, tuple))
        or len(samplers) != texture_count
        or not all(isinstance(sampler, Sampler) for sampler in samplers)
    ):
        textures = counted(texture_count, "texture")
        raise MeshError(
            f"samplers must be a Sampler, or a sequence of one for each texture, not "
            f"{shown(value)} with {textures}; pass Sampler(wrap_u, wrap_v, filter)"
        )
    for sampler in samplers:
        for name, choices in _SAMPLER_CHOICES.items():
            if getattr(sampler, name) not in choices:
                raise MeshError(
                    f"{name} of a sampler must be one of {', '.join(choices)}, not "
                    f"{shown(getattr(sampler, name))}"
                )
    return tuple(samplers)


def checked_alpha_cutoff(value: object, face_count: int) -> npt.NDArray[np.float32] | None:
    """Return the alpha cutoff of each face as (F,) float32; None if all are 0."""
    if value is None:
        return None
    given = _checked_shape(value, "alpha_cutoff", "iuf", "face", (face_count,))
    with np.errstate(all="ignore"):
        cutoff = np.array(given, np.float32, order="C")
    if not ((cutoff >= 0.0) & np.isfinite(cutoff)).all():
        bad = int(np.flatnonzero(~((cutoff >= 0.0) & np.isfinite(cutoff)))[0])
        raise MeshError(
            f"alpha_cutoff of face {bad} is {given[bad]}; pass finite numbers of at least 0, "
            "0 for faces without a mask"
        )
    return cutoff if cutoff.any() else None


def checked_polygon_id(value: object, face_count: int) -> npt.NDArray[np.int64] | None:
    """Return the polygon index of each face as (F,) int64; None if none is given."""
    if value is None:
        return None
    given = _checked_shape(value, "polygon_id", "iu", "face", (face_count,))
    if int(given.min()) < 0 or int(given.max()) >= 2**63:
        raise MeshError("polygon_id holds negative or huge numbers; pass indices from 0")
    return np.array(given, np.int64, order="C")


def checked_object_id(value: object, face_count: int, name_count: int) -> npt.NDArray[np.int32]:
    """Return the object index of each face as (F,) int32; 0 everywhere by default."""
    if value is None:
        return np.zeros(face_count, np.int32)
    return _checked_ids(value, "object_id", face_count, 0, (name_count or _MAX_COUNT) - 1)


def checked_object_names(value: object) -> tuple[str, ...]:
    """Return the object names as a tuple."""
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(name, str) for name in value)
    ):
        raise MeshError("object_names must be a sequence of strings; pass a tuple of str")
    return tuple(value)


def checked_matrix(value: object) -> npt.NDArray[np.float64]:
    """Return an affine, invertible transform as a (4, 4) float64 array."""
    matrix = as_array(value, "matrix", "biuf")
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float64) if matrix.shape == (4, 4) else matrix
    if (
        matrix.shape != (4, 4)
        or not np.isfinite(matrix).all()
        or not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0))
    ):
        raise MeshError(
            f"matrix of shape {matrix.shape} is not affine; "
            "pass a finite (4, 4) matrix whose last row is 0, 0, 0, 1"
        )
    if np.linalg.slogdet(matrix[:3, :3])[0] == 0.0:
        raise MeshError("matrix is not invertible and would flatten the mesh; pass one that is")
    return matrix


def checked_up(value: object) -> tuple[float, float, float]:
    """Return a direction as a unit vector."""
    up = as_array(value, "up", "biuf")
    with np.errstate(over="ignore"):
        up = up.astype(np.float64) if up.shape == (3,) else up
    if up.shape != (3,) or not np.isfinite(up).all() or not up.any():
        given = shown(up.tolist()) if up.shape == (3,) else f"of shape {up.shape}"
        raise MeshError(
            f"up must be a direction of three finite numbers, not {given}; pass (x, y, z)"
        )
    # In two steps: the length of very small or large vectors would be 0 or infinite. The sum with
    # 0 turns -0 into 0.
    up = up / np.abs(up).max()
    x, y, z = (up / np.sqrt((up * up).sum()) + 0.0).tolist()
    return x, y, z


def _checked_shape(
    value: object, name: str, kinds: str, element: str, *shapes: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Return an array of one of the given shapes, with a row for each element."""
    array = as_array(value, name, kinds)
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise MeshError(
            f"{name} has shape {array.shape}, expected {expected}; pass one row for each {element}"
        )
    return array


def _checked_ids(
    value: object, name: str, face_count: int, low: int, high: int
) -> npt.NDArray[np.int32]:
    given = _checked_shape(value, name, "iu", "face", (face_count,))
    minimum, maximum = int(given.min()), int(given.max())
    if minimum < low or maximum > high:
        raise MeshError(
            f"{name} goes from {minimum} to {maximum}, expected {low} to {high}; correct the ids"
        )
    return np.array(given, dtype=np.int32, order="C")


def _checked_texture(value: object) -> LazyTexture:
    """Return an image of 1, 3 or 4 channels as a texture of four; `load_mesh` passes them whole."""
    if isinstance(value, LazyTexture):
        return value
    given = as_array(value, "texture", "biuf")
    channels = 1 if given.ndim == 2 else given.shape[-1] if given.ndim == 3 else 0
    if given.dtype != np.uint8 or channels not in (1, 3, 4) or given.size == 0:
        raise MeshError(
            f"texture has shape {given.shape} and dtype {given.dtype}; "
            "pass uint8 of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"
        )
    texture = np.full((*given.shape[:2], 4), 255, np.uint8)
    texture[..., : max(channels, 3)] = given[..., None] if given.ndim == 2 else given
    return LazyTexture(texture.shape[1::-1], None, texture)
