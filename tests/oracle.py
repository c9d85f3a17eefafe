"""The float64 reference: every ray against every face it could meet, from geometry alone.

It shares no code with the package and uses none of a rasterizer's tricks: no snapping to a grid, no
fill rule, no depth buffer, no clipping. A pixel's ray meets a face where three triple products agree
in sign, and the depth there is the depth of the face's plane. It is slow and meant to be read.

Frames and units
----------------
The camera frame is OpenCV's (x right, y down, z forward), depth is camera z in mesh units, and pixel
(row, column) is sampled at image coordinates (u, v) = (column + 0.5, row + 0.5). Everything is float64.

How two answers are compared
----------------------------
A correct renderer may move the image of every vertex a little: float32 rounding, and positions snapped
to a fraction of a pixel. `margin` (pixels) bounds that movement. Two facts about a triangle whose
corners move by at most `margin` carry all that follows:

* a point deeper inside than `margin` stays inside, a point farther outside than `margin` stays outside;
* at a point that the moved triangle covers, its depth is the depth of the old triangle's plane at
  some point of the old triangle not farther than `margin` away.

So each candidate (pixel, face) has a *clearance* (is it certainly, perhaps or certainly not covered?)
and an interval [low, high] of depths that a correct renderer may give it. A pixel where nothing
uncertain can change the answer is *stable* and is held to the depth; any other is in the *band* and is
held to the intervals. `check` says exactly how.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# How far, relative to the size of the numbers, float32 may put a depth on the wrong side of another depth
# or of a crop plane. It decides only which pixels count as stable; `check` has its own, stricter figure.
ROUNDING = 4e-6

# Depths nearer than this, relatively, are one depth: two float64 computations of the same plane.
SAME = 1e-12

# Pairs of (pixel, face) looked at together: about 50 arrays of this length are alive at once.
CHUNK = 400_000


@dataclass(frozen=True)
class View:
    """One camera. `K` (3,3) in pixels; `camera_from_world` (4,4) rotation and translation to OpenCV axes.

    Perspective: image = K @ (x, y, z) / z, rays from the camera center. Orthographic: image = K @ (x, y, 1),
    K in pixels per mesh unit, rays from the plane z = 0 along +z. Only crossings with z > 0 count;
    `near` and `far` (camera z, mesh units) keep near <= z <= far. A face that reaches behind the camera
    counts as edge-on, so that rounding may show either side of it, if its plane is nearer to the camera than
    `edge_on`, as a part of the face's size.
    """

    K: np.ndarray
    camera_from_world: np.ndarray
    width: int
    height: int
    orthographic: bool = False
    near: float | None = None
    far: float | None = None
    edge_on: float = 1e-6

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True)
class Crossings:
    """Candidate (pixel, face) pairs as flat arrays, sorted by (pixel, face).

    Every pair whose pixel center is inside the face's image, or outside it by less than 2 * margin.
    """

    pixel: np.ndarray  # int64, row * width + column
    face: np.ndarray  # int64, index into the faces as given
    depth: (
        np.ndarray
    )  # depth of the face's plane at the pixel center, clamped to the face's own depths
    low: (
        np.ndarray
    )  # least depth of the plane within `margin` of the center, clamped to face and crop
    high: np.ndarray  # greatest, likewise
    slope: (
        np.ndarray
    )  # |dz/du| + |dz/dv| of the face's plane, mesh units per pixel; inf where edge-on
    clearance: (
        np.ndarray
    )  # signed distance, pixels, from center to the boundary of the image; inside > 0
    front: np.ndarray  # bool: the counter-clockwise side faces the ray's origin
    thin: (
        np.ndarray
    )  # bool: so thin in the image that moving its corners by `margin` may turn it over
    inside: (
        np.ndarray
    )  # bool: the ray meets the closed face, and the crossing is kept by z > 0 and the crop
    kept: np.ndarray  # bool: z > 0 and the crop keep it beyond doubt
    margin: float  # pixels

    @property
    def certain(self) -> np.ndarray:
        """Covered whatever the rounding."""
        return self.kept & ~self.thin & (self.clearance > self.margin)

    @property
    def uncertain(self) -> np.ndarray:
        """Covered or not, as the rounding falls."""
        return ~self.certain & (self.clearance >= -self.margin)

    def __len__(self) -> int:
        return len(self.pixel)


# ---------------------------------------------------------------------------------------------------------
# From faces to candidates
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Faces:
    """The faces that could be seen, in camera space and in the image."""

    index: np.ndarray  # (F,) index into the faces as given
    X: np.ndarray  # (3, F) homogeneous image coordinates of the corners: image = (X, Y) / w
    Y: np.ndarray  # (3, F)
    w: np.ndarray  # (3, F) camera z (perspective) or 1 (orthographic)
    plane: np.ndarray  # (3, F) affine in (u, v): 1/z of the plane (perspective) or z (orthographic)
    z_low: np.ndarray  # (F,) the face's own depths, never below 0
    z_high: np.ndarray  # (F,)
    size: (
        np.ndarray
    )  # (F,) largest coordinate in camera space: what float32 rounding is relative to
    sign: np.ndarray  # (F,) sign that the triple products have inside the face; 0 when seen edge-on
    front: np.ndarray  # (F,) bool
    thin: np.ndarray  # (F,) bool


def _cross(a, b):
    """Cross product of two triples of arrays."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _length(a):
    return np.sqrt(sum(component * component for component in a))


def _inputs(vertices, faces) -> tuple[np.ndarray, np.ndarray]:
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    if not np.isfinite(vertices).all():
        raise ValueError("a vertex is not finite")
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError("a face names a vertex that is not there")
    return vertices, faces


def _image(points, view: View):
    """Camera-space points and homogeneous image points of `points` (N,3), each as three (N,) arrays.

    Written out as sums, not as matrix products, because equal points must give equal bits wherever they
    stand in the array: the sign of a shared edge is then exactly opposite for the two faces that share it.
    """
    K, M = np.asarray(view.K, np.float64), np.asarray(view.camera_from_world, np.float64)
    if K.shape != (3, 3) or M.shape != (4, 4) or not np.array_equal(K[2], (0, 0, 1)):
        raise ValueError("K must be (3,3) with last row 0 0 1, and camera_from_world (4,4)")
    px, py, pz = points.T
    x, y, z = (M[i, 0] * px + M[i, 1] * py + M[i, 2] * pz + M[i, 3] for i in range(3))
    w = np.ones_like(z) if view.orthographic else z
    X = K[0, 0] * x + K[0, 1] * y + K[0, 2] * w
    Y = K[1, 0] * x + K[1, 1] * y + K[1, 2] * w
    return (x, y, z), (X, Y, w)


def _prepare(vertices, faces, view: View, margin: float) -> _Faces:
    # Zero area covers nothing. Judged in the mesh's own frame, where no rotation has added rounding.
    index = np.arange(len(faces))
    corner = [tuple(vertices[faces[:, j]].T) for j in range(3)]
    e1 = [b - a for a, b in zip(corner[0], corner[1], strict=True)]
    e2 = [b - a for a, b in zip(corner[0], corner[2], strict=True)]
    solid = _length(_cross(e1, e2)) > 4 * np.finfo(float).eps * _length(e1) * _length(e2)
    index, faces = index[solid], faces[solid]

    camera, image = _image(vertices, view)
    p = [[component[faces[:, j]] for component in camera] for j in range(3)]  # p[corner][axis]
    z = np.array([p[j][2] for j in range(3)])
    seen = z.max(axis=0) > 0
    index, faces, z = index[seen], faces[seen], z[:, seen]
    p = [[component[seen] for component in q] for q in p]
    X, Y, w = (np.array([component[faces[:, j]] for j in range(3)]) for component in image)

    # The plane: normal . point = offset, the normal on the counter-clockwise side.
    normal = _cross(*([b - a for a, b in zip(p[0], p[j], strict=True)] for j in (1, 2)))
    offset = sum(n * a for n, a in zip(normal, p[0], strict=True))
    inverse = np.linalg.inv(np.asarray(view.K, np.float64))
    size = np.abs(np.array(p)).max(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        if view.orthographic:
            # The ray (x, y, 0) + z (0, 0, 1) with (x, y, 1) = inverse K (u, v, 1).
            toward = normal[2]
            plane = np.array(
                [-(normal[0] * inverse[0, k] + normal[1] * inverse[1, k]) for k in range(3)]
            )
            plane[2] += offset
            plane /= toward
            edge_on = np.abs(toward) <= 1e-14 * _length(normal)
        else:
            # The ray z (inverse K (u, v, 1)): 1/z = normal . direction / offset, affine in the image. It
            # shows one side at every pixel: where z > 0, normal . direction has the sign of the offset.
            toward = offset
            plane = np.array(
                [sum(n * inverse[i, k] for i, n in enumerate(normal)) for k in range(3)]
            )
            plane /= offset
            edge_on = np.abs(toward) <= 1e-14 * _length(normal) * size

        # Least height of the triangle in the image. Three corners that each move by `margin` cannot turn it
        # over if it is higher than twice that.
        px, py = X / w, Y / w
        area = np.abs((px[1] - px[0]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[1] - py[0]))
        longest = np.max([np.hypot(px[j] - px[j - 1], py[j] - py[j - 1]) for j in range(3)], axis=0)
        thin = area <= 2 * margin * longest
    # A face that crosses z = 0 has no height in the image; it is thin when its plane holds the camera center.
    crosses = w.min(axis=0) <= 0
    thin[crosses] = np.abs(toward[crosses]) <= view.edge_on * (_length(normal) * size)[crosses]

    return _Faces(
        index=index,
        X=X,
        Y=Y,
        w=w,
        plane=plane,
        z_low=np.maximum(z.min(axis=0), 0),
        z_high=z.max(axis=0),
        size=size,
        sign=np.where(edge_on, 0, np.sign(toward) * np.sign(np.linalg.det(view.K))),
        front=toward < 0,
        thin=thin | edge_on,
    )


def _boxes(f: _Faces, view: View, reach: float):
    """First row, first column, rows and columns of the pixel centers within `reach` of each face's bounds."""
    front = f.w > 0

    def bounds(A):
        # Of A / w over the part with w > 0: the corners there, and each edge from a corner a in front to a
        # corner b behind, whose image goes from that of a to infinity, along the sign of A_b w_a - A_a w_b.
        with np.errstate(all="ignore"):
            image = A / f.w
        low = np.where(front, image, np.inf).min(axis=0)
        high = np.where(front, image, -np.inf).max(axis=0)
        for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
            leaves, along = front[a] & ~front[b], A[b] * f.w[a] - A[a] * f.w[b]
            low[leaves & (along < 0)] = -np.inf
            high[leaves & (along > 0)] = np.inf
        return low, high

    def span(low, high, count):
        # Pixel i has its center at i + 0.5. Clipped before the conversion to int, since bounds may be huge.
        first = np.ceil(np.clip(low - reach - 0.5, -1, count + 1)).astype(np.int64)
        last = np.floor(np.clip(high + reach - 0.5, -1, count + 1)).astype(np.int64)
        first, last = np.maximum(first, 0), np.minimum(last, count - 1)
        return first, np.maximum(last - first + 1, 0)

    column, columns = span(*bounds(f.X), view.width)
    row, rows = span(*bounds(f.Y), view.height)
    return row, column, rows, columns


def _seen_from(f: _Faces, g, u, v):
    """Corners of faces `g` (N,) with the origin of the image moved to (u, v): X, Y and w, each (3, N)."""
    w = f.w[:, g]
    return f.X[:, g] - u * w, f.Y[:, g] - v * w, w


def _edges(f: _Faces, g, X, Y, w):
    """Triple product of the ray and each edge, positive inside, and its gradient's length: both (3, N).

    Their quotient is the signed distance in pixels to the edge's line. With the origin moved to the ray the
    triple product d . (a x b) is a 2x2 determinant, whose rounding is relative to the distance to the edge;
    swapping a and b negates every bit, so two faces never both disown a point on their common edge.
    """
    sign = f.sign[g]
    edge = np.empty_like(X)
    length = np.empty_like(X)
    for j in range(3):
        a, b = j, (j + 1) % 3
        edge[j] = sign * (X[a] * Y[b] - X[b] * Y[a])
        length[j] = np.hypot(Y[a] * w[b] - Y[b] * w[a], X[b] * w[a] - X[a] * w[b])
    return edge, length


def _edge_distance(X, Y, w, j: int):
    """Distance in pixels from the origin to the visible part of edge j (from corner j to the next one).

    The part with w > 0: a segment, a half-line if one end is behind the camera, nothing (inf) if both are.
    """
    k = (j + 1) % 3
    swap = w[j] < w[k]  # start at the end with the larger w, which is in front if either is
    Xa, Xb = np.where(swap, X[k], X[j]), np.where(swap, X[j], X[k])
    Ya, Yb = np.where(swap, Y[k], Y[j]), np.where(swap, Y[j], Y[k])
    wa, wb = np.where(swap, w[k], w[j]), np.where(swap, w[j], w[k])
    with np.errstate(all="ignore"):
        ax, ay = Xa / wa, Ya / wa
        # The image of a + t (b - a) runs in this direction; b is reached after 1 / (wa wb), or never.
        dx, dy = Xb * wa - Xa * wb, Yb * wa - Ya * wb
        end = np.where(wb > 0, 1 / (wa * wb), np.inf)
        t = np.clip(-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0, end)
        t = np.where(np.isnan(t), 0, t)
        distance = np.hypot(ax + t * dx, ay + t * dy)
    return np.where(wa > 0, distance, np.inf)


def crossings(vertices, faces, view: View, margin: float = 1 / 128) -> Crossings:
    """All candidates of a mesh: vertices (N,3) in the world frame, faces (F,3) indices; see `Crossings`."""
    vertices, faces = _inputs(vertices, faces)
    f = _prepare(vertices, faces, view, margin)
    row, column, rows, columns = _boxes(f, view, 2 * margin)

    # Pair number k belongs to the face g with start[g] <= k < start[g + 1] and is pixel k - start[g], row by
    # row, of that face's box. Chunks are cut from the pairs, so that no face is too big for memory.
    start = np.concatenate([[0], np.cumsum(rows * columns)])
    parts = []
    for first in range(0, int(start[-1]), CHUNK):
        stop = min(first + CHUNK, int(start[-1]))
        held = slice(
            np.searchsorted(start, first, "right") - 1, np.searchsorted(start, stop, "left")
        )
        inside_chunk = np.clip(start[held.start : held.stop + 1], first, stop)
        g = np.repeat(np.arange(held.start, held.stop), np.diff(inside_chunk))
        r, c = np.divmod(np.arange(first, stop) - start[g], columns[g])
        parts.append(_candidates(f, g, row[g] + r, column[g] + c, view, margin))
    if not parts:
        none = np.zeros(0, np.int64)
        parts.append(_candidates(f, none, none, none, view, margin))

    names = parts[0].keys()
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in names}
    order = np.lexsort([arrays["face"], arrays["pixel"]])
    return Crossings(margin=margin, **{name: arrays[name][order] for name in names})


def _candidates(f: _Faces, g, row, column, view: View, margin: float) -> dict[str, np.ndarray]:
    """The fields of `Crossings` for face g[i] and pixel (row[i], column[i]), without the pairs far apart."""
    # Coverage. The distance to the nearest edge line is exact inside and an underestimate outside.
    corners = _seen_from(f, g, column + 0.5, row + 0.5)
    edge, length = _edges(f, g, *corners)
    inside = (edge >= 0).all(axis=0) & (f.sign[g] != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lines = edge / length
    lines[(edge == 0) & (length == 0)] = 0
    clearance = lines.min(axis=0)
    near = clearance > -2 * margin
    g, row, column, inside, clearance = (
        g[near],
        row[near],
        column[near],
        inside[near],
        clearance[near],
    )
    corners = [values[:, near] for values in corners]

    # Outside, past a corner, the edge is farther away than its line.
    outside = [values[:, ~inside] for values in corners]
    clearance[~inside] = -np.min([_edge_distance(*outside, j) for j in range(3)], axis=0)

    # Depth, its slope, and its range within the margin: exact, since 1/z (or z) is affine in the image.
    with np.errstate(all="ignore"):
        a, b, c = f.plane[:, g]
        at = a * (column + 0.5) + b * (row + 0.5) + c
        steep = np.abs(a) + np.abs(b)
        if view.orthographic:
            depth, low, high, slope = at, at - steep * margin, at + steep * margin, steep
        else:
            inverses = (at, at + steep * margin, at - steep * margin)
            depth, low, high = (np.where(value > 0, 1 / value, np.inf) for value in inverses)
            slope = steep * np.minimum(depth, f.z_high[g]) ** 2
    # Edge-on the plane says nothing (NaN), and the face may be met at any of its depths.
    slope = np.where(np.isnan(slope), np.inf, slope)
    low = np.clip(np.where(np.isnan(low), -np.inf, low), f.z_low[g], f.z_high[g])
    high = np.clip(np.where(np.isnan(high), np.inf, high), f.z_low[g], f.z_high[g])
    unclamped = np.where(np.isnan(depth), low, depth)
    depth = np.clip(unclamped, f.z_low[g], f.z_high[g])

    # The crop. An orthographic camera's plane is one, at z = 0; perspective rays meet nothing behind it.
    nearest = 0.0 if view.near is None else max(float(view.near), 0.0)
    farthest = np.inf if view.far is None else float(view.far)
    inside &= (depth >= nearest) & (depth <= farthest)
    if view.orthographic:
        inside &= unclamped > 0
    doubt = ROUNDING * f.size[g]
    if view.orthographic or nearest > 0:
        kept = low > nearest + doubt
    else:
        kept = np.ones(len(g), bool)
    kept &= high < farthest - doubt
    possible = (high >= nearest - doubt) & (low <= farthest + doubt)
    low, high = np.clip(low, nearest, farthest), np.clip(high, nearest, farthest)

    keep = possible & (clearance > -2 * margin)
    fields = {
        "pixel": row * view.width + column,
        "face": f.index[g],
        "depth": depth,
        "low": low,
        "high": high,
        "slope": slope,
        "clearance": clearance,
        "front": f.front[g],
        "thin": f.thin[g],
        "inside": inside,
        "kept": kept,
    }
    return {name: values[keep] for name, values in fields.items()}


# ---------------------------------------------------------------------------------------------------------
# From candidates to the two sheets
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """One of the two answers; arrays are (H,W)."""

    name: str  # "entry" or "exit"
    surfaces: str  # "oriented" or "any"
    depth: np.ndarray  # NaN where the ray at the exact center meets nothing
    face: (
        np.ndarray
    )  # int64, -1 where none; ties: smallest index for entry, largest for exit (see `tied`)
    slope: np.ndarray  # of that face's plane, mesh units per pixel; NaN where none
    stable: np.ndarray  # bool
    candidate: np.ndarray  # int64 index of the answer among the candidates, -1 where none
    bound: (
        np.ndarray
    )  # key (see below) that the answer cannot pass, for a certain face is there; else inf

    @property
    def side(self) -> int:
        """What depths are multiplied by to make a key: the smallest key wins on either sheet."""
        return 1 if self.name == "entry" else -1

    def keys(self, c: Crossings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each candidate's depth, low and high as keys."""
        return (c.depth, c.low, c.high) if self.side > 0 else (-c.depth, -c.high, -c.low)

    def takes(self, c: Crossings) -> np.ndarray:
        """Whether each candidate has the side that this sheet asks for (bool)."""
        return np.ones(len(c), bool) if self.surfaces == "any" else c.front == (self.side > 0)


@dataclass(frozen=True)
class Reference:
    """The two sheets of a mesh in a view, and the candidates they were chosen from."""

    vertices: np.ndarray
    faces: np.ndarray
    view: View
    surfaces: str
    margin: float
    crossings: Crossings
    sheets: dict[str, Sheet] = field(repr=False)

    entry = property(lambda self: self.sheets["entry"].depth)
    exit = property(lambda self: self.sheets["exit"].depth)
    entry_face = property(lambda self: self.sheets["entry"].face)
    exit_face = property(lambda self: self.sheets["exit"].face)
    entry_slope = property(lambda self: self.sheets["entry"].slope)
    exit_slope = property(lambda self: self.sheets["exit"].slope)
    entry_stable = property(lambda self: self.sheets["entry"].stable)
    exit_stable = property(lambda self: self.sheets["exit"].stable)

    def at(self, row: int, column: int) -> np.ndarray:
        """Indices of the candidates at a pixel."""
        pixel = row * self.view.width + column
        return np.arange(*np.searchsorted(self.crossings.pixel, [pixel, pixel + 1]))

    def tied(self, name: str, row: int, column: int) -> set[int]:
        """The faces that are the answer at a pixel: several where faces coincide or share an edge there."""
        sheet, c, here = self.sheets[name], self.crossings, self.at(row, column)
        depth = sheet.depth[row, column]
        same = (sheet.takes(c) & c.inside)[here] & (
            np.abs(c.depth[here] - depth) <= SAME * abs(depth)
        )
        return set(c.face[here[same]].tolist())


def reference(
    vertices, faces, view: View, surfaces: str = "oriented", margin: float = 1 / 128
) -> Reference:
    """Entry and exit of every pixel, decided at the exact pixel centers. `margin` in pixels.

    A sheet is *stable* at a pixel when no rounding within the margin can choose another answer. The answer
    cannot be beyond the far end of the interval of any certain candidate (`Sheet.bound`); so the candidates
    that could be it are those whose interval begins before that bound. Stable: all of these are certain, and
    none could come out before the exact answer's own interval. (No candidate at all is stable too.)
    """
    vertices, faces = _inputs(vertices, faces)
    if surfaces not in ("oriented", "any"):
        raise ValueError(f"surfaces must be 'oriented' or 'any', not {surfaces!r}")
    c = crossings(vertices, faces, view, margin)
    sheets = {name: _sheet(c, name, surfaces, view) for name in ("entry", "exit")}
    return Reference(vertices, faces, view, surfaces, margin, c, sheets)


def _sheet(c: Crossings, name: str, surfaces: str, view: View) -> Sheet:
    H, W = view.shape
    depth, slope, bound = np.full(H * W, np.nan), np.full(H * W, np.nan), np.full(H * W, np.inf)
    face, candidate, stable = np.full(H * W, -1), np.full(H * W, -1), np.ones(H * W, bool)
    arrays = (
        values.reshape(H, W) for values in (depth, face, slope, stable, candidate, bound)
    )  # views
    sheet = Sheet(name, surfaces, *arrays)
    key, low, high = sheet.keys(c)
    takes = sheet.takes(c)

    # The exact answer: the smallest key, then among equal ones the smallest (entry) or largest (exit) index.
    met = np.flatnonzero(takes & c.inside)
    best = np.full(H * W, np.inf)
    np.minimum.at(best, c.pixel[met], key[met])
    met = met[key[met] <= best[c.pixel[met]] + SAME * np.abs(key[met])]
    met = met[
        :: -1 if sheet.side > 0 else 1
    ]  # candidates are in face order, and the last assignment stays
    candidate[c.pixel[met]] = met
    answered = np.flatnonzero(candidate >= 0)
    chosen = candidate[answered]
    depth[answered] = sheet.side * best[answered]
    face[answered] = c.face[chosen]
    slope[answered] = c.slope[chosen]

    # Its stability. A thin face may be turned over by the rounding, so it may count on either sheet.
    certain, uncertain = takes & c.certain, (takes | c.thin) & c.uncertain
    np.minimum.at(bound, c.pixel[certain], high[certain])
    begin = np.full(H * W, np.inf)
    begin[answered] = low[chosen]
    in_time = low <= bound[c.pixel] + ROUNDING * np.abs(low)
    early = low < begin[c.pixel] - ROUNDING * np.abs(low)
    stable[c.pixel[in_time & (uncertain | (certain & early))]] = False
    return sheet


# ---------------------------------------------------------------------------------------------------------
# Judging a renderer
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What `check` found. Counts are of values, two to a pixel; a failure's `sheet` is 'entry' or 'exit'."""

    stable: int  # values held to the exact answer
    covered: int  # those of them that should be and are depths
    band: int  # values held to the candidates' intervals
    # Each failure is (row, column, sheet, got, expected); in the band, what was possible instead of expected.
    coverage_mismatches: list[
        tuple[int, int, str, float, float]
    ]  # stable: one is NaN, the other is not
    depth_failures: list[tuple[int, int, str, float, float]]  # stable: error beyond the allowance
    band_failures: list[tuple[int, int, str, float, str]]
    max_relative_error: float  # on stable values
    max_error_over_allowed: float  # on stable values; above 1 is a failure
    within_flat: float  # fraction of the covered values with |error| <= relative * z + absolute
    flat_fraction: float  # what `within_flat` has to reach

    @property
    def ok(self) -> bool:
        failures = self.coverage_mismatches or self.depth_failures or self.band_failures
        return not failures and self.within_flat >= self.flat_fraction

    def __str__(self) -> str:
        text = (
            f"{'ok' if self.ok else 'FAILED'}: {self.stable} stable values ({self.covered} with a depth), "
            f"{self.band} in the band; largest relative error {self.max_relative_error:.3g}, "
            f"largest error / allowed {self.max_error_over_allowed:.3g}, "
            f"{self.within_flat:.3%} within the flat tolerance ({self.flat_fraction:.3%} needed)"
        )
        kinds = (
            ("coverage mismatches", self.coverage_mismatches),
            ("depths beyond the allowance", self.depth_failures),
            ("unexplained band values", self.band_failures),
        )
        for kind, failures in kinds:
            if failures:
                shown = "; ".join(
                    f"{name} at row {row}, column {column}: got {got:.9g}, expected "
                    + (expected if isinstance(expected, str) else f"{expected:.9g}")
                    for row, column, name, got, expected in failures[:5]
                )
                text += f". {len(failures)} {kind}, the first: {shown}"
        return text + "."


def check(
    reference: Reference,
    entry,
    exit,
    relative: float = 2e-6,
    flat_fraction: float = 0.999,
    absolute: float = 0.0,
) -> Report:
    """Compare a renderer's two sheets, (H,W) depths with NaN for a miss, with the reference.

    `tolerance` below is relative * |depth| + absolute (mesh units; raise `absolute` only where the camera
    is so near that the rounding of the mesh's coordinates is not small beside the depth). [low, high] is
    a candidate's interval, see `Crossings`: to first order depth -+ slope * margin, exactly the range of
    the plane's depth over the square of half-width `margin`, cut to the depths that the face has.

    Stable values (`Sheet.stable`):
      * NaN exactly where the reference is NaN;
      * the depth in the answering face's [low - tolerance, high + tolerance];
      * all but 1 - flat_fraction of them within the tolerance alone, without the margin.

    Band values. Let `bound` be the farthest that the answer can be ("far" in the sense of the sheet: for
    exit read nearest). It is set by what is certainly there:
      * each certain candidate: the answer is not beyond its high;
      * each closed patch around the center (`_closed_patches`): faces that join along shared edges and
        have no other edge within the margin cover the center however their corners move, though none of
        them does so for certain by itself. The answer is not beyond the highest of their highs.
    Then
      * a depth is explained by a candidate whose [low, high] holds it within the tolerance, if it is not
        beyond the bound by more than the tolerance. The candidate is of the right side, certain or not; or
        of the wrong side and uncertain, if it is so thin that it may turn over, or if one of the right
        side is uncertain as well: where a front and a back face meet at a silhouette, entry and exit are
        one depth;
      * NaN is explained if there is no bound. So an interior edge never excuses a hole, nor a look through
        to what is behind it; a silhouette, the rim of an open mesh, a crack or a T-junction does.
    """
    relative, absolute = float(relative), float(absolute)
    counts = {"stable": 0, "covered": 0, "band": 0}
    mismatches, failures, band_failures = [], [], []
    worst_relative = worst_allowed = 0.0
    flat = 0
    c = reference.crossings

    for name, given in (("entry", entry), ("exit", exit)):
        got = np.asarray(given, np.float64)
        if got.shape != reference.view.shape:
            raise ValueError(f"{name} has shape {got.shape}, the view {reference.view.shape}")
        sheet = reference.sheets[name]
        key, low, high = sheet.keys(c)

        # Stable values.
        wrong = sheet.stable & (np.isfinite(got) != np.isfinite(sheet.depth))
        wrong |= sheet.stable & np.isinf(got)  # a miss is NaN, nothing else
        mismatches += [
            (int(r), int(k), name, got[r, k], sheet.depth[r, k]) for r, k in np.argwhere(wrong)
        ]
        held = sheet.stable & ~wrong & np.isfinite(got)
        answer = sheet.candidate[held]
        value, exact = got[held], sheet.depth[held]
        error = np.abs(value - exact)
        tolerance = relative * np.abs(exact) + absolute
        allowed = tolerance + np.where(
            value > exact, c.high[answer] - exact, exact - c.low[answer]
        ).clip(0)
        beyond = np.zeros(got.shape, bool)
        beyond[held] = error > allowed
        failures += [
            (int(r), int(k), name, got[r, k], sheet.depth[r, k]) for r, k in np.argwhere(beyond)
        ]
        counts["stable"] += int(sheet.stable.sum())
        counts["covered"] += int(held.sum())
        flat += int((error <= tolerance).sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            worst_relative = max(
                worst_relative, np.nan_to_num(error / np.abs(exact)).max(initial=0)
            )
            worst_allowed = max(worst_allowed, np.nan_to_num(error / allowed).max(initial=0))

        # Band values, first by the certain candidates' bound alone.
        band = ~sheet.stable
        counts["band"] += int(band.sum())
        value = sheet.side * got.ravel()[c.pixel]
        tolerance = relative * np.abs(value) + absolute
        right = sheet.takes(c)
        at_rim = np.zeros(got.size, bool)
        at_rim[c.pixel[right & c.uncertain]] = True
        could_be = (right & c.certain) | ((right | c.thin | at_rim[c.pixel]) & c.uncertain)
        fits = could_be & (value >= low - tolerance) & (value <= high + tolerance)
        fits &= (value <= sheet.bound.ravel()[c.pixel] + tolerance) & np.isfinite(value)
        explained = np.zeros(got.size, bool)
        explained[c.pixel[fits]] = True
        explained = explained.reshape(got.shape)
        missing = np.isnan(got)
        explained |= missing & np.isinf(sheet.bound)

        # Closed patches can only matter where the value is beyond the exact answer's interval, or missing.
        end = np.full(got.shape, np.inf)
        answered = sheet.candidate >= 0
        end[answered] = high[sheet.candidate[answered]]
        late = missing | (sheet.side * got > end + relative * np.abs(got) + absolute)
        for row, column in np.argwhere(band & explained & answered & late):
            bound = _closed_patches(reference, sheet, row, column)
            if missing[row, column]:
                explained[row, column] = np.isinf(bound)
            else:
                slack = relative * abs(got[row, column]) + absolute
                explained[row, column] = sheet.side * got[row, column] <= bound + slack

        for row, column in np.argwhere(band & ~explained):
            here = reference.at(row, column)
            here = here[could_be[here]]
            possible = [
                f"face {c.face[i]} in [{c.low[i]:.9g}, {c.high[i]:.9g}] (clearance {c.clearance[i]:.2g} px)"
                for i in here[np.argsort(key[here])][:4]
            ]
            reason = "; or ".join(possible) or "no value"
            band_failures.append((int(row), int(column), name, float(got[row, column]), reason))

    return Report(
        **counts,
        coverage_mismatches=mismatches,
        depth_failures=failures,
        band_failures=band_failures,
        max_relative_error=float(worst_relative),
        max_error_over_allowed=float(worst_allowed),
        within_flat=flat / counts["covered"] if counts["covered"] else 1.0,
        flat_fraction=flat_fraction,
    )


def _closed_patches(reference: Reference, sheet: Sheet, row: int, column: int) -> float:
    """Bound on side * depth at a pixel, set by patches of faces that close around its center; inf if none.

    Take the faces of the right side within the margin of the center. Turn those seen from behind, so that
    all run the same way round in the image: an edge is interior where one face runs along it and another
    against it, for then they lie on either side of it. Faces joined by interior edges within the margin form
    a patch. If all its edges within the margin are interior and one of its faces holds the center, its rim
    stays clear of the center however its corners move, so it goes round the center as before: at least once.

    Only ever too lenient: where an edge has more faces on one side than on the other, or a face that is
    degenerate or turned away closes the gap between two others, the patch counts as open.
    """
    c, view = reference.crossings, reference.view
    here = reference.at(row, column)
    right = sheet.takes(c)[here] & c.kept[here] & (c.clearance[here] >= -reference.margin)
    here = here[right]
    points = reference.vertices[reference.faces[c.face[here]]]  # (N, 3 corners, 3)
    points[~c.front[here]] = points[~c.front[here]][:, ::-1]
    _, (X, Y, w) = _image(points.reshape(-1, 3), view)
    X, Y, w = X.reshape(-1, 3).T, Y.reshape(-1, 3).T, w.reshape(-1, 3).T
    X, Y = X - (column + 0.5) * w, Y - (row + 0.5) * w

    # Edges within the margin, each with the faces that run along it. Corners are known by position, for
    # a mesh may hold one point under several indices.
    close = np.array([_edge_distance(X, Y, w, j) <= reference.margin for j in range(3)])
    names = [[tuple(corner) for corner in face] for face in points.tolist()]
    along: dict[tuple, list[int]] = {}
    for j, i in np.argwhere(close):
        along.setdefault((names[i][j], names[i][(j + 1) % 3]), []).append(int(i))

    # Join faces into patches, and mark those at an edge that is not interior.
    group = list(range(len(here)))
    rim = set()
    for (a, b), members in along.items():
        against = along.get((b, a), [])
        if len(against) == len(members):
            joined = {group[i] for i in (*members, *against)}
            group = [min(joined) if g in joined else g for g in group]
        else:
            rim.update(members)

    _, _, high = sheet.keys(c)
    bound = np.inf
    for g in set(group):
        members = [i for i in range(len(here)) if group[i] == g]
        if not rim.intersection(members) and c.inside[here[members]].any():
            bound = min(bound, high[here[members]].max())
    return float(bound)


# ---------------------------------------------------------------------------------------------------------
# Every crossing of every ray
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AllCrossings:
    """Every crossing; those of pixel p are offsets[p]:offsets[p + 1], sorted by (depth, face).

    A ray through the edge between two faces meets both; such a pixel is not stable.
    """

    offsets: np.ndarray  # (H*W + 1,) int64, pixels in row order
    face: np.ndarray  # (C,) int64
    depth: np.ndarray  # (C,)
    front: np.ndarray  # (C,) bool
    certain: np.ndarray  # (C,) bool: covered whatever the rounding
    stable: (
        np.ndarray
    )  # (H,W) bool: no face is uncertain here, so the number of crossings is beyond doubt


def all_crossings(vertices, faces, view: View, margin: float = 1 / 128) -> AllCrossings:
    """All crossings at the exact pixel centers.

    Depths that differ by float64 rounding alone count as equal and are ordered by face. A renderer with
    float32 depths has more ties: compare orders only where depths differ by more than its rounding.
    """
    c = crossings(vertices, faces, view, margin)
    stable = np.ones(view.height * view.width, bool)
    stable[c.pixel[c.uncertain]] = False

    met = np.flatnonzero(c.inside)
    met = met[np.lexsort([c.depth[met], c.pixel[met]])]
    pixel, depth = c.pixel[met], c.depth[met]
    # A new rank begins where the depth steps up; within a rank the face decides.
    step = np.ones(len(met), bool)
    step[1:] = (pixel[1:] != pixel[:-1]) | (depth[1:] - depth[:-1] > SAME * np.abs(depth[1:]))
    met = met[np.lexsort([c.face[met], np.cumsum(step)])]

    offsets = np.searchsorted(c.pixel[met], np.arange(len(stable) + 1))
    return AllCrossings(
        offsets, c.face[met], c.depth[met], c.front[met], c.certain[met], stable.reshape(view.shape)
    )


# ---------------------------------------------------------------------------------------------------------
# Attributes of crossings
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attributes:
    """What a ray finds where it meets a face's plane, for N pairs of (pixel, face).

    The ray is the one through the exact pixel center, so the point may lie just outside of the face: then a
    weight is negative. All is NaN where ray and plane do not meet.
    """

    barycentric: (
        np.ndarray
    )  # (N,3) weights of the corners in the order of faces[face]; they sum to 1
    position: np.ndarray  # (N,3) world frame
    normal: np.ndarray  # (N,3) unit, world frame, on the counter-clockwise side
    depth: np.ndarray  # (N,) camera z
    altitude: (
        np.ndarray
    )  # (N,) pixels: smallest altitude of the face's image; 0 if a corner has z <= 0
    nearest: np.ndarray  # (N,) least camera z of the corners
    farthest: np.ndarray  # (N,) greatest

    @property
    def outside(self) -> np.ndarray:
        """(N,) how far outside of the face the point is: what the negative weights sum to, as a positive."""
        return np.maximum(-self.barycentric, 0).sum(axis=1)


def attributes(vertices, faces, view: View, pixel, face) -> Attributes:
    """The attributes of pixels (row * width + column) and the faces that cover them, pair by pair."""
    vertices, faces = _inputs(vertices, faces)
    pixel, face = np.asarray(pixel, np.int64), np.asarray(face, np.int64)
    world = vertices[faces[face]]  # (N, corner, axis)
    rotation, translation = view.camera_from_world[:3, :3], view.camera_from_world[:3, 3]
    corner = np.einsum("ij,nkj->nki", rotation, world) + translation

    # The ray: origin + t * along, in the camera frame.
    row, column = np.divmod(pixel, view.width)
    image = np.stack([column + 0.5, row + 0.5, np.ones(len(pixel))], axis=1)
    on_plane_1 = image @ np.linalg.inv(np.asarray(view.K, np.float64)).T
    if view.orthographic:
        origin, along = on_plane_1 * (1, 1, 0), np.broadcast_to((0.0, 0.0, 1.0), on_plane_1.shape)
    else:
        origin, along = np.zeros_like(on_plane_1), on_plane_1

    # corner 0 + b1 e1 + b2 e2 = origin + t along, solved by Cramer's rule.
    def dot(a, b):
        return (a * b).sum(axis=-1)

    e1, e2, back = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], origin - corner[:, 0]
    with np.errstate(all="ignore"):
        determinant = dot(e1, np.cross(along, e2))
        b1 = dot(back, np.cross(along, e2)) / determinant
        b2 = dot(along, np.cross(back, e1)) / determinant
        b1, b2 = (np.where(np.isfinite(b1) & np.isfinite(b2), b, np.nan) for b in (b1, b2))

        edge1, edge2 = world[:, 1] - world[:, 0], world[:, 2] - world[:, 0]
        # Edges of about one, or their products leave float64's range on tiny and on huge meshes.
        size = np.abs(np.stack([edge1, edge2])).max(axis=(0, 2))[:, None]
        normal = np.cross(edge1 / size, edge2 / size)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)

        z = corner[..., 2]
        w = np.ones_like(z) if view.orthographic else z
        flat = (
            np.stack([*np.moveaxis(corner[..., :2], -1, 0), w], axis=-1)
            @ np.asarray(view.K, np.float64).T
        )
        flat = flat[..., :2] / flat[..., 2:]
        sides = flat - np.roll(flat, 1, axis=1)
        area = np.abs(sides[:, 1, 0] * sides[:, 2, 1] - sides[:, 1, 1] * sides[:, 2, 0])
        longest = np.linalg.norm(sides, axis=2).max(axis=1)
        altitude = np.where((z > 0).all(axis=1) & (longest > 0), area / longest, 0.0)

    return Attributes(
        barycentric=np.stack([1 - b1 - b2, b1, b2], axis=1),
        position=world[:, 0] + b1[:, None] * edge1 + b2[:, None] * edge2,
        normal=normal,
        depth=z[:, 0] + b1 * (z[:, 1] - z[:, 0]) + b2 * (z[:, 2] - z[:, 0]),
        altitude=altitude,
        nearest=z.min(axis=1),
        farthest=z.max(axis=1),
    )


# Between these, relative to the product of two edges, nobody can say whether a face has area.
NO_AREA, SOME_AREA = 1e-13, 1e-9

# Angles nearer to the limit of smooth edges than this, in radians, may count as either.
ANGLE_DOUBT = 1e-5


def corner_normals(
    vertices, faces, wanted, smooth_deg: float = 45.0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (N,3,3) at the three corners of each `wanted` face, and (N,) whether they are certain.

    At a corner: the mean of the normals of the faces around that position, each weighted with its angle
    there, over those whose normal is within `smooth_deg` of the wanted face's; scaled to unit length. Faces
    without area do not count. Uncertain where a neighbor's area, or its angle against the limit, hangs on
    rounding. A loop on purpose.
    """
    vertices, faces = _inputs(vertices, faces)
    # Positions by number; 0.0, not -0.0.
    place = np.unique(vertices + 0.0, axis=0, return_inverse=True)[1].reshape(-1)[faces]
    around: dict[int, list[tuple[int, int]]] = {int(p): [] for p in np.unique(place[wanted])}
    for f, k in np.argwhere(np.isin(place, place[wanted])).tolist():
        around[int(place[f, k])].append((f, k))

    def shape(f):
        """The unit normal, None without area; the three angles; whether it is certain that there is area."""
        p = vertices[faces[f]]
        edges = [p[(k + 1) % 3] - p[k] for k in range(3)]
        size = max(float(np.abs(edge).max()) for edge in edges)
        if size == 0:
            return None, None, True
        edges = [edge / size for edge in edges]
        cross = np.array(_cross(edges[0], edges[1]))
        length = float(np.linalg.norm(cross))
        lengths = sorted(float(np.linalg.norm(edge)) for edge in edges)
        if length <= NO_AREA * lengths[1] * lengths[2]:
            return None, None, length == 0
        angles = []
        for k in range(3):
            a, b = edges[k], -edges[k - 1]
            angles.append(float(np.arctan2(np.linalg.norm(_cross(a, b)), a @ b)))
        return cross / length, angles, length >= SOME_AREA * lengths[1] * lengths[2]

    shapes: dict[int, tuple] = {}
    normals = np.full((len(wanted), 3, 3), np.nan)
    certain = np.ones(len(wanted), bool)
    for i, f in enumerate(np.asarray(wanted).tolist()):
        own = shapes.setdefault(f, shape(f))
        if own[0] is None or not own[2]:
            certain[i] = False
            continue
        for k in range(3):
            total = np.zeros(3)
            for other, corner in around[int(place[f, k])]:
                if other not in shapes:
                    shapes[other] = shape(other)
                normal, angles, is_certain = shapes[other]
                certain[i] &= is_certain
                if normal is None:
                    continue
                between = np.arctan2(np.linalg.norm(_cross(own[0], normal)), own[0] @ normal)
                certain[i] &= abs(between - np.radians(smooth_deg)) > ANGLE_DOUBT
                if between <= np.radians(smooth_deg):
                    total += angles[corner] * normal
            normals[i, k] = total / np.linalg.norm(total)
    return normals, certain


def linear_from_srgb(level):
    """Linear light, 0..1, of sRGB levels 0..255 (IEC 61966-2-1)."""
    encoded = np.asarray(level, np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded(value: float) -> float:
    """sRGB, 0..1, of linear light: IEC 61966-2-1, one number."""
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def linear_rgba(levels) -> np.ndarray:
    """(..., 4) linear color of (..., 4) sRGB levels; alpha is linear already."""
    levels = np.asarray(levels)
    return np.concatenate([linear_from_srgb(levels[..., :3]), levels[..., 3:] / 255.0], axis=-1)


def texture_at(picture, uv, doubt_texels=0.0) -> tuple[np.ndarray, np.ndarray]:
    """(N,4) bilinear linear color of a picture (h,w,4) sRGB at uv (N,2), and (N,4) how steep it is there.

    v points up, the picture's top row comes first, texel centers are at halves, and it repeats. Steepness is
    a bound on the change of color for each texel of movement in each of the two directions, good for
    movements of up to `doubt_texels`.
    """
    picture = np.asarray(picture)
    height, width, _ = picture.shape
    uv = np.asarray(uv, np.float64)
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, down = (x - column)[:, None], (y - row)[:, None]

    def texel(r, c):
        return linear_rgba(picture[(row + r) % height, (column + c) % width])

    top = texel(0, 0) * (1 - right) + texel(0, 1) * right
    bottom = texel(1, 0) * (1 - right) + texel(1, 1) * right

    # The texels that a point can get between. Where it may go farther than to the next ones, all of them.
    block = [texel(r, c) for r in range(-1, 3) for c in range(-1, 3)]
    steepness = np.max(block, axis=0) - np.min(block, axis=0)
    far = np.broadcast_to(np.asarray(doubt_texels) > 1, len(uv))
    levels = picture.reshape(-1, 4)
    steepness[far] = linear_rgba(levels.max(axis=0)) - linear_rgba(levels.min(axis=0))
    return top * (1 - down) + bottom * down, steepness
