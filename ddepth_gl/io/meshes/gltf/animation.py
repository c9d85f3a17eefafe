"""Animations of glTF files, sampled at one time (glTF 2.0, section 3.11 and appendix C)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...._checks import shown
from ...._text import counted
from ....errors import MeshError
from .accessors import GltfAccessors
from .document import GltfDocument

__all__ = ["GltfAnimations"]

_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3, "weights": 1}


class GltfAnimations:
    """Reader of the animations of a document.

    Args:
        document: the glTF document.
        accessors: its arrays.
        leave_out: called with a text if an animation has channels of unknown kinds.
    """

    def __init__(
        self,
        document: GltfDocument,
        accessors: GltfAccessors,
        leave_out: Callable[[str], None],
    ) -> None:
        self._document = document
        self._accessors = accessors
        self._leave_out = leave_out
        self._times: dict[int, npt.NDArray[np.float64]] = {}

    def posed(
        self, pose: tuple[int | str, float] | None
    ) -> dict[int, dict[str, npt.NDArray[np.float64]]]:
        """Return what an animation sets at a time, by node: see `GltfNodes`.

        Args:
            pose: index or name of the animation, and seconds; None for nothing.

        Raises:
            MeshError: there is no such animation, or it is damaged.
        """
        result: dict[int, dict[str, npt.NDArray[np.float64]]] = {}
        if pose is None:
            return result
        wanted, seconds = pose
        animation = self._animation(wanted)
        unknown = 0
        for channel in animation["channels"]:
            target = channel["target"]
            path = target["path"]
            if path not in _WIDTHS:
                unknown += 1
            elif "node" in target:
                self._document.item("nodes", target["node"])
                sampler = _sampler(animation, channel["sampler"])
                value = self._sampled(sampler, path, seconds)
                result.setdefault(target["node"], {})[path] = value
        if unknown:
            names = ", ".join(list(_WIDTHS)[:-1])
            self._leave_out(f"animation channels other than {names} and weights: {unknown}")
        return result

    def _animation(self, wanted: int | str) -> Any:
        animations = self._document.tree.get("animations") or []
        names = [animation.get("name") for animation in animations]
        if isinstance(wanted, str):
            found = [i for i, name in enumerate(names) if name == wanted]
        else:
            found = [wanted] if 0 <= wanted < len(animations) else []
        if len(found) == 1:
            return animations[found[0]]
        if not animations:
            raise MeshError("it holds no animation; leave pose out")
        if found:
            indices = ", ".join(map(str, found))
            raise MeshError(
                f"its animations {indices} are all named {shown(wanted)}; pass pose an index"
            )
        listed = ", ".join(
            f"{i} ({shown(name) if name else 'no name'})" for i, name in enumerate(names[:6])
        )
        raise MeshError(
            f"it has no animation {shown(wanted)}; pass pose one of these, by index or name: "
            f"{listed}{', ...' if len(names) > 6 else ''}"
        )

    def _sampled(self, sampler: Any, path: str, seconds: float) -> npt.NDArray[np.float64]:
        """Return the value of a channel at a time; outside of the key times, that of the end."""
        times = self._key_times(sampler["input"])
        width = _WIDTHS[path]
        given = self._accessors.array(sampler["output"], path, (width,))
        mode = sampler.get("interpolation", "LINEAR")
        if mode not in ("STEP", "LINEAR", "CUBICSPLINE"):
            raise MeshError(f"its animation has the interpolation {shown(mode)}; export it again")
        per_key = 3 if mode == "CUBICSPLINE" else 1  # tangent in, value, tangent out
        row = given.size // (len(times) * per_key)
        if given.size != row * len(times) * per_key or row < 1 or (width > 1 and row != width):
            raise MeshError(
                f"its animation has {len(given)} values of {path} for "
                f"{counted(len(times), 'key time')}; export it again"
            )
        rows = given.reshape(len(times), per_key, row)
        k = int(np.searchsorted(times, seconds, "right")) - 1
        last = len(times) - 1
        start: npt.NDArray[np.float64] = rows[min(max(k, 0), last)].astype(np.float64)
        if mode == "STEP" or not 0 <= k < last:
            return np.asarray(start[per_key // 2])
        end = rows[k + 1].astype(np.float64)
        length = times[k + 1] - times[k]
        t = float((seconds - times[k]) / length)
        if mode == "CUBICSPLINE":
            return _spline(start[1], length * start[2], end[1], length * end[0], t)
        if path == "rotation":
            return _slerp(start[0], end[0], t)
        return np.asarray((1 - t) * start[0] + t * end[0])

    def _key_times(self, index: Any) -> npt.NDArray[np.float64]:
        if index not in self._times:
            times = self._accessors.array(index, "key times", (1,))[:, 0].astype(np.float64)
            if not np.isfinite(times).all() or (np.diff(times) < 0).any():
                raise MeshError("its animation has key times that decrease; export it again")
            self._times[index] = times
        return self._times[index]


def _sampler(animation: Any, index: Any) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(animation["samplers"]):
        raise MeshError(f"its animation refers to a missing sampler {index!s:.40}; export it again")
    return animation["samplers"][index]


def _spline(
    start: npt.NDArray[np.float64],
    out_of_start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    into_end: npt.NDArray[np.float64],
    t: float,
) -> npt.NDArray[np.float64]:
    """Return the cubic Hermite spline at t in 0..1, with tangents per unit of t."""
    square, cube = t * t, t * t * t
    return np.asarray(
        (2 * cube - 3 * square + 1) * start
        + (cube - 2 * square + t) * out_of_start
        + (3 * square - 2 * cube) * end
        + (cube - square) * into_end
    )


def _slerp(
    start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], t: float
) -> npt.NDArray[np.float64]:
    """Return the rotation at t in 0..1 on the shorter way between two quaternions."""
    start = start / max(float(np.linalg.norm(start)), 1e-300)
    end = end / max(float(np.linalg.norm(end)), 1e-300)
    if start @ end < 0:
        end = -end
    # Unlike the arc cosine, this is exact for small angles.
    angle = 2.0 * np.arctan2(np.linalg.norm(end - start), np.linalg.norm(end + start))
    if np.sin(angle) == 0:
        return np.asarray(start)
    return np.asarray((np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle))
