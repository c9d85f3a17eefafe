"""The parts of OBJ files, as read by trimesh."""

from __future__ import annotations

import io
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError
from .folder import PLACEHOLDER_NAME, MeshFolder
from .merge import MeshPart

__all__ = ["interrupts_delayed", "trimesh_parts"]

_MAX_OBJECTS = 1000  # trimesh takes time in proportion to objects x vertices

# Without a handler, trimesh's warnings would go to stderr. Logging that a user sets up still gets
# them.
logging.getLogger("trimesh").addHandler(logging.NullHandler())


def trimesh_parts(data: bytes, suffix: str, folder: MeshFolder) -> list[MeshPart]:
    """Return one part for each object of the file.

    Args:
        data: content of the file, checked.
        suffix: suffix of its format, in lower case.
        folder: reader of its side files.

    Raises:
        MeshError: a side file is too large, or trimesh is not installed.
        Exception: trimesh may raise anything.
    """
    with interrupts_delayed():
        trimesh = import_needed("trimesh", f"reading {suffix[1:].upper()} files", MeshError)
    options: dict[str, Any] = {}
    if suffix == ".obj" and data.count(b"\no ") <= _MAX_OBJECTS:
        options["split_objects"] = True
    scene = trimesh.load_scene(
        io.BytesIO(data), file_type=suffix[1:], resolver=folder, process=False, **options
    )
    if folder.refusal is not None:
        raise folder.refusal
    parts = []
    without_faces = differing_colors = 0
    for node in scene.graph.nodes_geometry:
        world_from_part, key = scene.graph[node]
        geometry = scene.geometry[key]
        if not isinstance(geometry, trimesh.Trimesh) or geometry.is_empty:
            without_faces += 1
            continue
        # trimesh calls objects without a name "geometry_0" and so on.
        has_name = node != PLACEHOLDER_NAME and not str(node).startswith("geometry_")
        vertices = np.asarray(geometry.vertices)
        colors = _colors(geometry, len(vertices))
        if colors is None and geometry.visual.kind == "face":
            differing_colors += 1
        parts.append(
            MeshPart(
                vertices,
                np.asarray(geometry.faces),
                str(node) if has_name else folder.stem,
                node,
                np.asarray(world_from_part, np.float64),
                uv=_vertex_rows(getattr(geometry.visual, "uv", None), len(vertices)),
                colors=colors,
                texture=getattr(getattr(geometry.visual, "material", None), "image", None),
            )
        )
    for text, count in (
        ("objects of points or lines, or without faces", without_faces),
        ("objects with face colors that differ", differing_colors),
    ):
        if count:
            folder.leave_out(f"{text}: {count}")
    return parts


@contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block, because trimesh's imports swallow every exception.

    Raises:
        KeyboardInterrupt: at the end, if Ctrl-C was pressed in the block.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    received: list[int] = []
    try:
        signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    except ValueError:  # only the main thread can set handlers, and only it is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt


def _vertex_rows(value: Any, vertex_count: int) -> npt.NDArray[Any] | None:
    """Return an array with a row per vertex; None for others, which trimesh sometimes keeps."""
    array = None if value is None else np.asarray(value)
    return array if array is not None and array.ndim == 2 and len(array) == vertex_count else None


def _colors(geometry: Any, vertex_count: int) -> npt.NDArray[np.uint8] | None:
    """Return (V, 4) vertex colors, one (1, 4) color for all vertices, or None."""
    visual = geometry.visual
    if visual.kind == "vertex":
        return _vertex_rows(visual.vertex_colors, vertex_count)
    if visual.kind == "face":
        is_uniform = bool((visual.face_colors == visual.face_colors[0]).all())
        return np.asarray(visual.face_colors[:1]) if is_uniform else None
    # Next to a texture, trimesh keeps vertex colors as an attribute.
    given = _vertex_rows(geometry.vertex_attributes.get("color"), vertex_count)
    if given is not None and given.shape[1] in (3, 4):
        if given.dtype.kind == "f":
            given = np.rint(np.clip(np.nan_to_num(given), 0.0, 1.0) * 255.0)
        colors = np.full((vertex_count, 4), 255, np.uint8)
        colors[:, : given.shape[1]] = given
        return colors
    material = getattr(visual, "material", None)
    if getattr(material, "image", None) is None and "kd" in getattr(material, "kwargs", {}):
        return np.asarray(material.diffuse, np.uint8).reshape(1, 4)  # type: ignore[union-attr]
    return None
