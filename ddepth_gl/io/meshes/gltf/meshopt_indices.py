"""The two index codecs of meshoptimizer: triangles, and sequences of any indices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode_indices", "decode_triangles"]

_MASK = 0xFFFFFFFF
_UNSET = -1  # an entry of a queue that was never written
_TOO_SHORT = "it ends too early"


def decode_triangles(
    stream: memoryview, count: int, stride: int
) -> npt.NDArray[np.unsignedinteger]:
    """Return the indices of a triangle list as (count,) unsigned integers of `stride` bytes.

    Args:
        stream: the encoded bytes.
        count: number of indices, a multiple of 3.
        stride: bytes of an index, 2 or 4.

    Raises:
        ValueError: the stream is damaged, or too short for this many indices.
    """
    if not stream or stream[0] not in (0xE0, 0xE1):
        raise ValueError("its header is not that of triangles")
    if 1 + count // 3 + 16 > len(stream):
        raise ValueError(f"{len(stream)} bytes are too few for {count} indices")
    content = bytes(stream)
    indices = np.array(_triangles(content, count // 3), np.int64)
    if (indices < 0).any():
        raise ValueError("it refers to an edge or a vertex before the first")
    return indices.astype(f"<u{stride}")  # modulo 2^16 if an index has 2 bytes


def _triangles(content: bytes, count: int) -> list[int]:
    """Return the indices of a stream; negative ones refer to what was never written.

    The codes are read one by one: each depends on the queues of the last 16 edges and vertices.
    """
    position, table = 1 + count, len(content) - 16
    free = 13 if content[0] & 15 else 15  # version 0 has no codes for neighbors of `last`
    after = last = 0
    edges = [(_UNSET, _UNSET)] * 16
    vertices = [_UNSET] * 16
    edge_at = vertex_at = 0  # where the next one is written
    indices: list[int] = []
    emit = indices.extend

    def free_index() -> int:
        nonlocal position, last
        value, position = _varint(content, position, table)
        last = last + (value >> 1 ^ -(value & 1)) & _MASK
        return last

    for code in content[1 : 1 + count]:
        low = code & 15
        if code < 0xF0:  # an edge of an earlier triangle, and a vertex
            a, b = edges[edge_at - 1 - (code >> 4) & 15]
            if low == 0:
                c = after
                after = after + 1 & _MASK
                vertices[vertex_at] = c
                vertex_at = vertex_at + 1 & 15
            elif low < free:
                c = vertices[vertex_at - 1 - low & 15]
            else:
                if low == 15:
                    c = free_index()
                else:
                    c = last = last + (1 if low == 14 else -1) & _MASK
                vertices[vertex_at] = c
                vertex_at = vertex_at + 1 & 15
            edges[edge_at] = (c, b)
            edges[edge_at + 1 & 15] = (a, c)
            edge_at = edge_at + 2 & 15
            emit((a, b, c))
            continue
        if low < 14:
            pair = content[table + low]
            first = 0
        else:
            if position >= table:
                raise ValueError(_TOO_SHORT)
            pair = content[position]
            position += 1
            first = 0 if low == 14 else 15
            if pair == 0:
                after = 0
        second, third = pair >> 4, pair & 15
        # All of `after` comes before anything that is stored in full: a b, c of the queue are those
        # before this triangle.
        a = b = c = 0
        if first == 0:
            a = after
            after = after + 1 & _MASK
        if second == 0:
            b = after
            after = after + 1 & _MASK
        else:
            b = vertices[vertex_at - second & 15]
        if third == 0:
            c = after
            after = after + 1 & _MASK
        else:
            c = vertices[vertex_at - third & 15]
        if first == 15:
            a = free_index()
        if second == 15:
            b = free_index()
        if third == 15:
            c = free_index()
        for vertex, is_new in ((a, True), (b, second in (0, 15)), (c, third in (0, 15))):
            if is_new:
                vertices[vertex_at] = vertex
                vertex_at = vertex_at + 1 & 15
        for edge in ((b, a), (c, b), (a, c)):
            edges[edge_at] = edge
            edge_at = edge_at + 1 & 15
        emit((a, b, c))
    if position != table:
        raise ValueError(f"{table - position} bytes are left over")
    return indices


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and the position behind it."""
    value = 0
    for shift in range(0, 35, 7):
        if position >= end:
            raise ValueError(_TOO_SHORT)
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _MASK, position
    raise ValueError("an index has more than 5 bytes")


def decode_indices(stream: memoryview, count: int, stride: int) -> npt.NDArray[np.unsignedinteger]:
    """Return a sequence of indices as (count,) unsigned integers of `stride` bytes.

    Args:
        stream: the encoded bytes.
        count: number of indices.
        stride: bytes of an index, 2 or 4.

    Raises:
        ValueError: the stream is damaged, or too short for this many indices.
    """
    if not stream or stream[0] not in (0xD0, 0xD1):
        raise ValueError("its header is not that of indices")
    if 1 + count + 4 > len(stream):
        raise ValueError(f"{len(stream)} bytes are too few for {count} indices")
    content = np.frombuffer(stream, np.uint8)[1:-4]
    (ends,) = np.nonzero(content < 128)
    if len(ends) != count or ends[-1] != len(content) - 1:
        raise ValueError(f"it holds {len(ends)} indices instead of {count}")
    begins = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - begins + 1
    if lengths.max() > 5:
        raise ValueError("an index has more than 5 bytes")
    values = np.zeros(count, np.uint64)
    for k in range(int(lengths.max())):
        has = lengths > k
        values[has] |= (content[begins[has] + k] & np.uint8(127)).astype(np.uint64) << np.uint64(
            7 * k
        )
    encoded = values.astype(np.uint32)
    # Bit 0 chooses one of two running indices, the rest is what it changes by, the sign lowest.
    delta = encoded >> np.uint32(2) ^ -(encoded >> np.uint32(1) & np.uint32(1))
    is_second = (encoded & np.uint32(1)).astype(bool)
    running = [
        np.cumsum(np.where(chosen, delta, np.uint32(0)), dtype=np.uint32)
        for chosen in (~is_second, is_second)
    ]
    return np.where(is_second, running[1], running[0]).astype(f"<u{stride}")
