"""Names of output files: unique for each mesh, numbered for each view."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

__all__ = [
    "PREVIEW_ENDING",
    "PREVIEW_MESHES",
    "PREVIEW_VIEWS",
    "frame_name",
    "output_pattern",
    "stale_pattern",
    "unique_names",
]

PREVIEW_ENDING = r"_preview\.png"
PREVIEW_VIEWS = 4  # rows of the preview image
PREVIEW_MESHES = 8  # more meshes get no preview images by default


def frame_name(name: str, view: int, views: int) -> str:
    """Return the beginning of the file names of one view: ``NAME_000``.

    Args:
        name: name of the mesh.
        view: number of the view, from 0.
        views: number of views in the run.
    """
    return f"{name}_{view:0{_digits(views)}d}"


def output_pattern(
    name: str, views: int, endings: Iterable[str], preview: bool, stems: Sequence[str] = ()
) -> re.Pattern[str]:
    """Return a pattern for the names of all files that a run may write or remove.

    Args:
        name: name of the mesh.
        views: number of views in the run.
        endings: regular expressions for the file names after the number of the view.
        preview: whether the run writes a preview.
        stems: beginnings of the file names of the views, if they are not numbered.
    """
    alternatives = "|".join(endings)
    # Larger numbers with as many digits belong to an earlier run with more views.
    middle = f"_[0-9]{{{_digits(views)}}}"
    if stems:
        middle = f"({'|'.join(re.escape(stem.removeprefix(name)) for stem in stems)})"
    patterns = [f"{middle}({alternatives})"] if alternatives else []
    patterns += [PREVIEW_ENDING] if preview else []
    return re.compile(re.escape(name) + f"({'|'.join(patterns)})")


def stale_pattern(name: str, endings: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for the names of files of any view; the group ``stem`` is its `frame_name`.

    Args:
        name: name of the mesh.
        endings: regular expressions for the file names after the number of the view.
    """
    return re.compile(f"(?P<stem>{re.escape(name)}_[0-9]{{3,}})({'|'.join(endings)})")


def _digits(views: int) -> int:
    return max(3, len(str(views - 1)))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each mesh: the stem of its path, extended where stems repeat.

    The extension is what distinguishes the paths: ``part.obj`` and ``part.stl`` become ``part-obj``
    and ``part-stl``, ``a/model.obj`` and ``b/model.obj`` become ``model-a`` and ``model-b``. The
    same path given again becomes ``NAME-2``, ``NAME-3``, ...
    """
    absolute = [path.absolute() for path in paths]
    by_stem: dict[str, set[Path]] = {}
    for path in absolute:
        by_stem.setdefault(path.stem, set()).add(path)
    names: dict[str, None] = {}  # in order
    for path in absolute:
        base = _distinct_name(path, by_stem[path.stem])
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names[name] = None
    return list(names)


def _distinct_name(path: Path, same_stem: Collection[Path]) -> str:
    """Return the stem, with as few folders as distinguish the path, and its suffix if necessary.

    Args:
        path: one of `same_stem`.
        same_stem: absolute paths with the same stem.
    """
    longest = max(len(other.parts) for other in same_stem)
    for folders, with_suffix in ((n, suffix) for n in range(longest) for suffix in (False, True)):

        def parts(other: Path, n: int = folders, suffix: bool = with_suffix) -> tuple[str, ...]:
            above = other.parent.parts[-n:] if n else ()
            return *(part.replace("/", "") for part in above), *(
                [other.suffix[1:]] if suffix else []
            )

        if len(set(map(parts, same_stem))) == len(same_stem):
            return "-".join(filter(None, (path.stem, *parts(path))))
    return path.stem
