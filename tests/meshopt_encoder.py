"""An encoder of meshopt streams, from the text of KHR_meshopt_compression: small, not fast.

Bit widths, control modes and baselines are drawn at random, so that decoders meet all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["encode_attributes", "encode_indices", "encode_triangles", "rotated"]

Rng = np.random.Generator


def _zigzag(value: int, bits: int) -> int:
    """Return the sign of a difference modulo 2^bits in bit 0, the rest above."""
    value %= 1 << bits
    return (2 * value if value < 1 << (bits - 1) else 2 * ((1 << bits) - value) - 1) % (1 << bits)


def encode_attributes(
    elements: npt.NDArray[np.uint8], rng: Rng, version: int = 1, channels: list[int] | None = None
) -> bytes:
    """Return the stream of (count, stride) bytes.

    Args:
        elements: the bytes of each element.
        rng: source of choices.
        version: 0 or 1.
        channels: channel mode of every 4 bytes.
    """
    count, stride = elements.shape
    channels = [0] * (stride // 4) if channels is None else channels
    baseline = rng.integers(0, 256, stride, np.uint8)
    deltas = np.zeros((count, stride), np.uint8)
    before = baseline
    for row, element in zip(deltas, elements, strict=True):
        for index, mode in enumerate(channels):
            size = (1, 2, 4)[mode & 15]
            for at in range(4 * index, 4 * index + 4, size):
                now = int.from_bytes(element[at : at + size].tobytes(), "little")
                last = int.from_bytes(before[at : at + size].tobytes(), "little")
                if mode & 15 == 2:
                    turn, bits = mode >> 4, now ^ last
                    code = ((bits << turn) | (bits >> (32 - turn))) & 0xFFFFFFFF
                else:
                    code = _zigzag(now - last, 8 * size)
                row[at : at + size] = list(code.to_bytes(size, "little"))
        before = element
    out = bytearray([0xA0 + version])
    block = min(8192 // stride // 16 * 16, 256)
    for first in range(0, count, block):
        out += _block(deltas[first : first + block], rng, version)
    tail: bytes = baseline.tobytes() + (bytes(channels) if version else b"")
    return bytes(out) + bytes(max(0, (24 if version else 32) - len(tail))) + tail


def _block(deltas: npt.NDArray[np.uint8], rng: Rng, version: int) -> bytes:
    count, stride = deltas.shape
    controls = []
    for column in deltas.T:
        controls.append(int(rng.choice([0, 1, 3] if column.any() else [0, 1, 2, 3])))
    out = bytearray()
    if version:
        for at in range(0, stride, 4):
            out.append(sum(controls[at + k] << 2 * k for k in range(4)))
    for control, column in zip(controls, deltas.T, strict=True):
        if version and control == 2:
            continue
        if version and control == 3:
            out += column.tobytes()
            continue
        widths = ((0, 1, 2, 4), (1, 2, 4, 8))[control] if version else (0, 2, 4, 8)
        padded = np.concatenate((column, np.zeros(-count % 16, np.uint8))).reshape(-1, 16)
        choices, bodies = [], b""
        for group in padded:
            allowed = [i for i, width in enumerate(widths) if width or not group.any()]
            choices.append(int(rng.choice(allowed)))
            bodies += _group(group, widths[choices[-1]])
        choices += [0] * (-len(choices) % 4)
        for at in range(0, len(choices), 4):
            out.append(sum(choices[at + k] << 2 * k for k in range(4)))
        out += bodies
    return bytes(out)


def _group(deltas: npt.NDArray[np.uint8], width: int) -> bytes:
    if width == 0:
        return b""
    if width == 8:
        return deltas.tobytes()
    largest, per_byte = (1 << width) - 1, 8 // width
    packed = bytearray()
    for at in range(0, 16, per_byte):
        values = [min(int(delta), largest) for delta in deltas[at : at + per_byte]]
        if width > 1:
            values.reverse()
        packed.append(sum(value << width * k for k, value in enumerate(values)))
    return bytes(packed) + bytes(int(delta) for delta in deltas if delta >= largest)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def encode_indices(indices: list[int], rng: Rng) -> bytes:
    """Return the stream of a sequence of indices."""
    last, out = [0, 0], bytearray([0xD1])
    for index in indices:
        which = int(rng.integers(2))
        delta = _zigzag(index - last[which], 31)
        out += _varint((delta << 1 | which) & 0xFFFFFFFF)
        last[which] = index
    return bytes(out) + bytes(4)


# Pairs of places in the queue of vertices; a stream may choose any table.
_TABLE = bytes((0x00, 0x76, 0x87, 0x56, 0x67, 0x78, 0xA9, 0x86, 0x65, 0x89, 0x68, 0x98, 0x01, 0x69))


def encode_triangles(faces: list[tuple[int, int, int]], version: int = 1) -> bytes:
    """Return the stream of a list of triangles, whose corners may be rotated."""
    codes, data = bytearray(), bytearray()
    edges: list[tuple[int, int]] = []  # the most recent first
    vertices: list[int] = []
    after = last = 0

    def free(index: int) -> None:
        nonlocal last
        data.extend(_varint(_zigzag(index - last, 32)))
        last = index

    def push(vertex: int) -> None:
        vertices.insert(0, vertex)
        del vertices[16:]

    def place(vertex: int, limit: int) -> int | None:
        return vertices.index(vertex) if vertex in vertices[:limit] else None

    for face in faces:
        a, b, c = face
        turns = [(a, b, c), (b, c, a), (c, a, b)]
        found = [(edges.index((t[0], t[1])), t) for t in turns if (t[0], t[1]) in edges[:15]]
        if found:
            at, (a, b, c) = min(found)
            where = place(c, 13 if version else 15)
            if c == after:
                low, after = 0, after + 1
            elif where:
                low = where
            elif version and c in (last - 1, last + 1):
                low, last = (13 if c < last else 14), c
            else:
                low = 15
                free(c)
            codes.append(at << 4 | low)
            if low == 0 or low >= (13 if version else 15):
                push(c)
            edges[:0] = [(a, c), (c, b)]
        else:
            a, b, c = next((t for t in turns if t[0] == after), turns[0])
            is_next = a == after
            following = after + is_next
            fields = []
            for vertex in (b, c):
                where = place(vertex, 14)
                if vertex == following:
                    fields.append(0)
                    following += 1
                else:
                    fields.append(15 if where is None else where + 1)
            if not is_next and fields == [0, 0]:  # would restart `after`
                fields, following = [15, 15], after
            b_at, c_at = fields
            pair = b_at << 4 | c_at
            if is_next and pair in _TABLE:
                codes.append(0xF0 | _TABLE.index(pair))
            else:
                codes.append(0xFE if is_next else 0xFF)
                data.append(pair)
                for at, vertex in ((0 if is_next else 15, a), (b_at, b), (c_at, c)):
                    if at == 15:
                        free(vertex)
            after = following
            push(a)
            for at, vertex in ((b_at, b), (c_at, c)):
                if at in (0, 15):
                    push(vertex)
            edges[:0] = [(a, c), (c, b), (b, a)]
        del edges[16:]
    return bytes((0xE0 + version, *codes, *data)) + _TABLE.ljust(16, b"\0")


def rotated(faces: Any) -> list[tuple[int, int, int]]:
    """Return triangles with their smallest corner first, keeping the winding."""
    return [min((a, b, c), (b, c, a), (c, a, b)) for a, b, c in np.asarray(faces).tolist()]
