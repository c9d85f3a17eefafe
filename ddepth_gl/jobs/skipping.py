"""The rule of --skip-existing: views whose files are whole and from the same settings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from ..io.results.earlier_files import EarlierFiles, entries_if_whole, names_mesh
from ..io.results.metadata import VERSION
from ..mesh.mesh import MeshSource
from ..results.provenance import (
    FILE_COUNT,
    MESH_HASH,
    MESH_LEFT_OUT,
    SETTINGS_HASH,
    SIDE_FILES_HASH,
    TEXTURES_HASH,
    mesh_entries,
)
from .formats import FORMATS
from .names import PREVIEW_ENDING, PREVIEW_VIEWS, frame_name, stale_pattern
from .options import JobOptions

__all__ = ["Remaining", "preview_settings", "remaining_views", "stale_files", "view_settings"]

# Fields of `JobOptions` that do not decide the content of a file.
_WITHOUT_EFFECT = {
    "folder", "formats", "preview", "memory_limit", "overwrite", "skip_existing"
}  # fmt: skip
# Those that decide it for some formats only.
_OF_FORMATS = {
    option for each in FORMATS.values() for option in (*each.options, *each.sheet_options)
}


@dataclass
class Remaining:
    """Views of a mesh that are left to render.

    Attributes:
        views: numbers of the views to render and write.
        replaced: those among them that have files, but damaged ones or from other settings.
        preview: whether the preview is to be rendered and written.
    """

    views: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    preview: bool = False


def view_settings(job: JobOptions, format_name: str, view: int, cameras: Sequence[str]) -> str:
    """Return the SHA-256 of all that decides the files of a view and format, besides the mesh.

    The engine and the device are not included, because results agree between them.

    Args:
        job: the run.
        format_name: key of `FORMATS`.
        view: number of the view.
        cameras: settings of each view's camera, see `RenderJob.run`.
    """
    chosen = FORMATS[format_name]
    options = {
        each.name: getattr(job, each.name)
        for each in fields(job)
        if each.name not in _WITHOUT_EFFECT
        and (each.name not in _OF_FORMATS or chosen.has_option(each.name, job.layers))
    }
    if not chosen.has_option("layers", True):
        del options["max_layers"]
    # Without a given scale, 16-bit images share one that fits all cameras.
    has_common_scale = "png_scale" in options and job.png_scale is None
    common = tuple(cameras) if has_common_scale else ()
    return _digest(format_name, cameras[view], sorted(options.items()), common)


def preview_settings(job: JobOptions, cameras: Sequence[str]) -> str:
    """Return the SHA-256 of all that decides the preview, besides the mesh."""
    names = ("surfaces", "near", "far", "layers", "max_layers")
    options = [(name, getattr(job, name)) for name in names]
    return _digest("preview", tuple(cameras[:PREVIEW_VIEWS]), len(cameras), options)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()


def remaining_views(
    job: JobOptions, source: MeshSource, name: str, cameras: Sequence[str], earlier: EarlierFiles
) -> Remaining:
    """Return what is left to render of a mesh: everything, unless the job skips what exists.

    Args:
        job: the run.
        source: origin of the mesh; its path does not matter.
        name: beginning of the file names.
        cameras: settings of each view's camera, see `RenderJob.run`.
        earlier: files in the output folder.
    """
    if not job.skip_existing:
        return Remaining(list(range(len(cameras))), preview=job.preview)
    remaining = Remaining()
    for view in range(len(cameras)):
        stem = frame_name(name, view, len(cameras))
        states = set()
        for format_name in job.formats:
            ending = FORMATS[format_name].endings[job.layers]
            paths = earlier.matching(stem, re.compile(f"{re.escape(stem)}({ending})"))
            settings = view_settings(job, format_name, view, cameras)
            shows_colors = FORMATS[format_name].shows_colors(job.attributes, job.layers)
            states.add(_state(paths, source, settings, shows_colors))
        if states - {"same"}:
            remaining.views.append(view)
            if "missing" not in states:
                remaining.replaced.append(view)
    if job.preview:
        paths = earlier.matching(name, re.compile(re.escape(name) + PREVIEW_ENDING))
        remaining.preview = _state(paths, source, preview_settings(job, cameras), True) != "same"
    return remaining


def stale_files(job: JobOptions, name: str, views: int, earlier: EarlierFiles) -> list[Path]:
    """Return files of an earlier run with more views, which a run does not replace.

    Args:
        job: the run.
        name: beginning of the file names.
        views: number of views of the run.
        earlier: files in the output folder.
    """
    endings = [FORMATS[format_name].endings[job.layers] for format_name in job.formats]
    if not endings:
        return []
    current = {frame_name(name, view, views) for view in range(views)}
    pattern = stale_pattern(name, endings)
    return [
        path
        for path in earlier.matching(f"{name}_", pattern)
        if pattern.sub(r"\g<stem>", path.name) not in current and names_mesh(path)
    ]


def _state(paths: Sequence[Path], source: MeshSource, settings: str, shows_colors: bool) -> str:
    """Return "same", "other" or "missing" for the files of one view and format.

    Args:
        paths: all of them that exist.
        source: origin of the mesh.
        settings: see `view_settings`.
        shows_colors: whether the files depend on textures.
    """
    keys = (MESH_HASH, SIDE_FILES_HASH, SETTINGS_HASH, *[TEXTURES_HASH] * shows_colors)
    counts = set()
    wanted = mesh_entries(source) | {SETTINGS_HASH: settings}
    for path in paths:
        found = entries_if_whole(path)
        # The path of the mesh may differ.
        if any(found.get(key, "") != wanted.get(key, "") for key in keys):
            return "other"
        # A texture that was lost may be there now, or the package that decodes it.
        if shows_colors and _ascii(found.get(MESH_LEFT_OUT)) != _ascii(wanted.get(MESH_LEFT_OUT)):
            return "other"
        counts.add(found.get(FILE_COUNT))
    return "same" if counts == {str(len(paths))} else "missing"


def _ascii(text: str | None) -> str:
    """Return a text as PLY files hold it."""
    return " ".join((text or "").encode("ascii", "backslashreplace").decode("ascii").split())
