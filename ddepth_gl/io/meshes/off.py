"""OFF files: checks, and triangulation of the polygons that trimesh cannot read."""

from __future__ import annotations

import re
from itertools import pairwise

from ..._text import counted
from ...errors import MeshError
from .face_limit import check_face_count
from .text import as_utf8

__all__ = ["checked_off"]


def checked_off(data: bytes, max_faces: int) -> bytes:
    """Return an OFF with all the rows that it declares, polygons triangulated as fans.

    Args:
        data: content of the file.
        max_faces: largest number of faces that the file may declare.

    Raises:
        MeshError: it is not OFF, was cut short, or declares too many faces.
    """
    text = as_utf8(data)
    rows = [row for row in (r.partition(b"#")[0].strip() for r in text.splitlines()) if row]
    found = re.match(rb"[A-Z0-9]{0,4}OFF\b", rows[0]) if rows else None
    if found is None:
        raise MeshError(
            "it does not begin with OFF; check that it is complete and not another format"
        )
    rows[0] = rows[0][found.end() :].strip()
    rows = rows if rows[0] else rows[1:]
    try:
        vertex_count, face_count = (int(n) for n in rows[0].split()[:2])
    except (ValueError, IndexError) as error:
        raise MeshError(
            "it has no line of vertex and face counts after OFF; export it as text OFF"
        ) from error
    check_face_count(face_count, max_faces, "declares")
    row_count = len(rows) - 1
    if min(vertex_count, face_count) < 0 or row_count < vertex_count + face_count:
        raise MeshError(
            f"it declares {counted(vertex_count, 'vertex', 'vertices')} and "
            f"{counted(face_count, 'face')} but holds {counted(row_count, 'row')}; "
            "it was cut short or damaged, copy it again"
        )
    triangles: list[bytes] = []  # trimesh fails on polygons of more than four corners
    for row in rows[1 + vertex_count : 1 + vertex_count + face_count]:
        numbers = row.split()
        corners = numbers[1 : 1 + int(numbers[0])]
        if len(corners) < 3 or len(corners) != int(numbers[0]):
            raise MeshError(
                f"its face row {row[:40].decode('utf-8', 'replace')!r} is incomplete; "
                "it was cut short or damaged, copy it again"
            )
        triangles += [b"3 %b %b %b" % (corners[0], b, c) for b, c in pairwise(corners[1:])]
    counts = b"%d %d 0" % (vertex_count, len(triangles))
    return b"\n".join([b"OFF", counts, *rows[1 : 1 + vertex_count], *triangles])
