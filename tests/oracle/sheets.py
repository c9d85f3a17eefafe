"""Entry and exit of every pixel, and where rounding may change them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .alpha_masks import AlphaMask
from .candidates import ROUNDING, Candidates, find_candidates
from .geometry import SAME_DEPTH, Booleans, Floats, Integers, View, mesh_arrays


@dataclass(frozen=True)
class Sheet:
    """One of the two sheets; arrays are (H, W).

    A *key* is a depth times `sign`, so the smallest key wins on either sheet.

    Attributes:
        name: "entry" or "exit".
        two_sided: (F,) bool: the face counts on either side.
        depth: NaN if the ray through the exact center meets nothing.
        face: -1 for a miss. Ties go to the smallest index on entry, the largest on exit; see
            `Reference.tied`.
        slope: |dz/du| + |dz/dv| of that face's plane, mesh units per pixel; NaN for a miss.
        stable: no rounding can choose another answer.
        candidate: index of the answer among the candidates; -1 for a miss.
        bound: largest key that the answer can have, because a certain face lies there; inf if none.
    """

    name: str
    two_sided: Booleans
    depth: Floats
    face: Integers
    slope: Floats
    stable: Booleans
    candidate: Integers
    bound: Floats

    @property
    def sign(self) -> int:
        """1 for entry, -1 for exit."""
        return 1 if self.name == "entry" else -1

    def keys(self, c: Candidates) -> tuple[Floats, Floats, Floats]:
        """Return each candidate's depth and interval as keys: depth, low and high."""
        return (c.depth, c.low, c.high) if self.sign > 0 else (-c.depth, -c.high, -c.low)

    def selects(self, c: Candidates) -> Booleans:
        """Return whether each candidate has the facing that this sheet requires, if any."""
        return np.asarray((c.front == (self.sign > 0)) | self.two_sided[c.face])


@dataclass(frozen=True)
class Reference:
    """Both sheets of a mesh in a view, and the candidates they were chosen from."""

    vertices: Floats
    faces: Integers
    view: View
    margin: float
    candidates: Candidates
    sheets: dict[str, Sheet] = field(repr=False)

    @property
    def entry(self) -> Floats:
        """(H, W) depth."""
        return self.sheets["entry"].depth

    @property
    def exit(self) -> Floats:
        """(H, W) depth."""
        return self.sheets["exit"].depth

    @property
    def entry_face(self) -> Integers:
        """(H, W) face index."""
        return self.sheets["entry"].face

    @property
    def exit_face(self) -> Integers:
        """(H, W) face index."""
        return self.sheets["exit"].face

    @property
    def entry_slope(self) -> Floats:
        """(H, W) slope of the face's plane."""
        return self.sheets["entry"].slope

    @property
    def exit_slope(self) -> Floats:
        """(H, W) slope of the face's plane."""
        return self.sheets["exit"].slope

    @property
    def entry_stable(self) -> Booleans:
        """(H, W) bool."""
        return self.sheets["entry"].stable

    @property
    def exit_stable(self) -> Booleans:
        """(H, W) bool."""
        return self.sheets["exit"].stable

    def candidates_at(self, row: int, column: int) -> Integers:
        """Return the indices of a pixel's candidates."""
        pixel = row * self.view.width + column
        first, stop = np.searchsorted(self.candidates.pixel, [pixel, pixel + 1])
        return np.arange(first, stop)

    def tied(self, name: str, row: int, column: int) -> set[int]:
        """Return all faces that are the answer at a pixel.

        There are several where faces coincide, or where the ray meets a shared edge.
        """
        sheet, c, here = self.sheets[name], self.candidates, self.candidates_at(row, column)
        depth = sheet.depth[row, column]
        same_depth = np.abs(c.depth[here] - depth) <= SAME_DEPTH * abs(depth)
        return set(c.face[here[(sheet.selects(c) & c.hit)[here] & same_depth]].tolist())


def reference(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    view: View,
    surfaces: str = "oriented",
    margin: float = 1 / 128,
    two_sided: npt.ArrayLike | None = None,
    mask: AlphaMask | None = None,
) -> Reference:
    """Return entry and exit of every pixel, decided at the exact pixel centers.

    A sheet is *stable* at a pixel if no rounding within the margin can choose another answer. The
    answer cannot lie beyond the far end of any certain candidate's interval; `Sheet.bound` is the
    nearest such end. So only candidates whose interval begins before the bound can be the answer. A
    pixel is stable if all of these are certain and none can come before the exact answer's own
    interval. A pixel without candidates is stable too.

    Args:
        vertices: (N, 3) in the world frame.
        faces: (F, 3) indices of vertices.
        view: the camera.
        surfaces: "oriented" or "any", as in `DepthRenderer.entry_exit`.
        margin: bound on the movement of projected vertices, in pixels.
        two_sided: (F,) bool, the faces that count on either side; in place of `surfaces`.
        mask: alpha masks of the faces.

    Returns:
        Both sheets and their candidates.
    """
    vertices, faces = mesh_arrays(vertices, faces)
    if surfaces not in ("oriented", "any"):
        raise ValueError(f"surfaces must be 'oriented' or 'any', not {surfaces!r}")
    c = find_candidates(vertices, faces, view, margin, mask)
    on_either_side = np.full(len(faces), surfaces == "any")
    if two_sided is not None:
        on_either_side[:] = two_sided
    sheets = {name: _sheet(c, name, on_either_side, view) for name in ("entry", "exit")}
    return Reference(vertices, faces, view, margin, c, sheets)


def _sheet(c: Candidates, name: str, two_sided: Booleans, view: View) -> Sheet:
    H, W = view.shape
    depth, slope, bound = np.full(H * W, np.nan), np.full(H * W, np.nan), np.full(H * W, np.inf)
    face, candidate, stable = np.full(H * W, -1), np.full(H * W, -1), np.ones(H * W, bool)
    sheet = Sheet(  # of views, filled below
        name,
        two_sided,
        depth=depth.reshape(H, W),
        face=face.reshape(H, W),
        slope=slope.reshape(H, W),
        stable=stable.reshape(H, W),
        candidate=candidate.reshape(H, W),
        bound=bound.reshape(H, W),
    )
    key, low, high = sheet.keys(c)
    selected = sheet.selects(c)

    # The exact answer has the smallest key. Candidates are in face order and the last assignment
    # stays, so reversing them chooses the smallest face among equal keys.
    hits = np.flatnonzero(selected & c.hit)
    best = np.full(H * W, np.inf)
    np.minimum.at(best, c.pixel[hits], key[hits])
    hits = hits[key[hits] <= best[c.pixel[hits]] + SAME_DEPTH * np.abs(key[hits])]
    hits = hits[:: -1 if sheet.sign > 0 else 1]
    candidate[c.pixel[hits]] = hits
    answered = np.flatnonzero(candidate >= 0)
    chosen = candidate[answered]
    depth[answered] = sheet.sign * best[answered]
    face[answered] = c.face[chosen]
    slope[answered] = c.slope[chosen]

    # Its stability. Rounding may turn a thin face over, so it may count on either sheet.
    certain, uncertain = selected & c.certain, (selected | c.thin) & c.uncertain
    np.minimum.at(bound, c.pixel[certain], high[certain])
    begin = np.full(H * W, np.inf)
    begin[answered] = low[chosen]
    before_bound = low <= bound[c.pixel] + ROUNDING * np.abs(low)
    before_answer = low < begin[c.pixel] - ROUNDING * np.abs(low)
    stable[c.pixel[before_bound & (uncertain | (certain & before_answer))]] = False
    return sheet
