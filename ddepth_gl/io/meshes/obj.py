"""OBJ files: checks, and repairs of what trimesh misreads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import MeshError
from .text import as_utf8

__all__ = ["checked_obj"]


def checked_obj(data: bytes, max_faces: int) -> bytes:
    """Return an OBJ with plain line ends and spaces, and with absolute instead of relative indices.

    Args:
        data: content of the file.
        max_faces: not used: OBJ declares no counts.

    Raises:
        MeshError: it is not text, or has a vertex index that does not exist.
    """
    if b"\0" in data:
        raise MeshError("it is not an OBJ: it is not text; check the name of the file")
    text = as_utf8(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\\\n", b" ")
    # trimesh skips indented lines.
    text = re.sub(rb"(?m)^ +", b"", text.replace(b"\t", b" "))
    # Most files have all faces after the vertices. A quick search there avoids the slow one that
    # looks at every line.
    faces = text[max(text.find(b"\nf "), 0) :]
    if re.search(rb" 0+[/ \n]", faces + b"\n") and re.search(rb"(?m)^f[^\n]*? 0+(?:[/ ]|$)", faces):
        raise MeshError("a face uses vertex 0, but OBJ counts from 1; export it again")
    if re.search(rb"[ /]-", faces) and re.search(rb"(?m)^f[^\n]*?[ /]-", faces):
        text = b"\n".join(_with_absolute_indices(text.split(b"\n")))
    return text


def _with_absolute_indices(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Yield the lines with negative indices resolved.

    OBJ counts them back from the line that they stand in; trimesh from the end of the file.
    """
    counts = {b"v": 0, b"vt": 0, b"vn": 0}
    for line in lines:
        keyword, _, rest = line.partition(b" ")
        if keyword in counts:
            counts[keyword] += 1
        elif keyword == b"f" and b"-" in rest:
            corners = [
                b"/".join(
                    _absolute_index(index, count)
                    for index, count in zip(corner.split(b"/"), counts.values(), strict=False)
                )
                for corner in rest.split()
            ]
            line = b"f " + b" ".join(corners)
        yield line


def _absolute_index(index: bytes, count: int) -> bytes:
    """Return an index counted from 1, given the number of elements before it."""
    if not index.startswith(b"-"):
        return index
    value = count + 1 + int(index)
    if value < 1:
        raise MeshError(
            f"a face refers {-int(index)} lines back, but there are only {count}; export it again"
        )
    return b"%d" % value
