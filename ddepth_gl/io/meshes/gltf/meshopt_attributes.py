"""The attribute codec of meshoptimizer, versions 0 and 1: deltas of each byte in groups of 16."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode_attributes"]

_GROUP = 16  # elements
_BLOCK_BYTES = 8192
_MAX_BLOCK = 256  # elements
_LONGEST = 24  # bytes of a group
# Blocks are decoded this many groups at a time, so that index arrays stay in the CPU's cache.
_BATCH_GROUPS = 1 << 15
# Bits per delta by the two header bits of a group: version 0, then control modes 0 and 1.
_WIDTHS = {"0": (0, 2, 4, 8), 0: (0, 1, 2, 4), 1: (1, 2, 4, 8)}
# The four fields of two bits in each byte, lowest first.
_FIELDS = tuple((b & 3, b >> 2 & 3, b >> 4 & 3, b >> 6) for b in range(256))


def decode_attributes(stream: memoryview, count: int, stride: int) -> npt.NDArray[np.uint8]:
    """Return the elements of a stream as (count, stride) uint8.

    Args:
        stream: the encoded bytes.
        count: number of elements.
        stride: bytes of an element, a multiple of 4.

    Raises:
        ValueError: the stream is damaged, or too short for this many elements.
    """
    if not stream or stream[0] not in (0xA0, 0xA1):
        raise ValueError("its header is not that of attributes")
    version = stream[0] & 1
    tail = stride + stride // 4 if version else stride
    end = len(stream) - max(tail, 24 if version else 32)
    block = min(_BLOCK_BYTES // stride & -_GROUP, _MAX_BLOCK)
    # Every block has headers: bits for each group, or control modes for each byte.
    headers = stride // 4 if version else stride * -(-block // _GROUP // 4)
    if end < 1 or (count // block) * headers > end - 1:
        raise ValueError(f"{len(stream)} bytes are too few for {count} elements")
    channels = bytes(stream[len(stream) - stride // 4 :]) if version else bytes(stride // 4)
    if any(channel & 15 != 2 and channel > 1 for channel in channels):
        raise ValueError("it has an unknown channel mode")
    baseline = np.frombuffer(stream, np.uint8, stride, len(stream) - tail)
    walk = _Groups(bytes(stream[:end]), version, stride)
    elements = np.empty((count, stride), np.uint8)
    per_batch = max(_BATCH_GROUPS * _GROUP // stride // block, 1) * block
    for first in range(0, count, per_batch):
        batch = elements[first : first + per_batch]
        starts: list[int] = []
        widths: list[int] = []
        for begin in range(0, len(batch), block):
            walk.add_block(min(block, len(batch) - begin), starts, widths)
        deltas = _deltas(walk.data, np.array(starts), np.array(widths, np.uint8))
        whole = len(batch) // block * block
        rows = deltas[: whole * stride // _GROUP].reshape(-1, stride, block)
        batch[:whole] = rows.transpose(0, 2, 1).reshape(whole, stride)
        if whole < len(batch):
            rest = deltas[whole * stride // _GROUP :].reshape(stride, -1)
            batch[whole:] = rest[:, : len(batch) - whole].T
        _undo_deltas(batch, baseline, channels)
        baseline = batch[-1]
    if walk.position != end:
        raise ValueError(f"{end - walk.position} bytes are left over")
    return elements


class _Groups:
    """Walk over the groups of a stream: where each starts depends on the bytes of those before.

    Args:
        data: the stream without its tail.
        version: 0 or 1.
        stride: bytes of an element.
    """

    def __init__(self, data: bytes, version: int, stride: int) -> None:
        self.position = 1
        self._end = len(data)
        self._version, self._stride = version, stride
        # A group may be read to its longest possible end.
        padded = np.frombuffer(data + bytes(2 * _LONGEST), np.uint8)
        self.data = padded
        # Bytes of a group that starts at a position, by the bits of a delta: the packed deltas, and
        # one byte more for each that has all bits set.
        self._sizes: dict[int, bytes] = {}
        for bits in (1, 2, 4):
            sums = np.concatenate(([0], np.cumsum(_SENTINELS[bits][padded], dtype=np.uint8)))
            packed = 2 * bits
            inside = (sums[packed:] - sums[:-packed]).astype(np.uint8) + packed
            self._sizes[bits] = inside.astype(np.uint8).tobytes()
        self._sizes[8] = bytes((_GROUP,)) * len(padded)
        self._sizes[0] = bytes(len(padded))

    def add_block(self, elements: int, starts: list[int], widths: list[int]) -> None:
        """Append the start and the bits per delta of every group of a block.

        Raises:
            ValueError: the block reaches beyond the stream.
        """
        data, position, end, sizes = self.data, self.position, self._end, self._sizes
        groups = -(-elements // _GROUP)
        if self._version:
            control = data[position : position + self._stride // 4].tolist()
            position += self._stride // 4
            kinds: list[int | str] = [field for byte in control for field in _FIELDS[byte]]
        else:
            kinds = ["0"] * self._stride
        for kind in kinds:
            if kind == 2:  # no change
                starts.extend([position] * groups)
                widths.extend([0] * groups)
            elif kind == 3:  # not packed, and the last group as short as the block
                starts.extend(range(position, position + groups * _GROUP, _GROUP))
                widths.extend([8] * groups)
                position += elements
            else:
                table = _WIDTHS[kind]
                header = data[position : position + -(-groups // 4)].tolist()
                position += len(header)
                bits = [table[field] for byte in header for field in _FIELDS[byte]][:groups]
                widths.extend(bits)
                for width in bits:
                    starts.append(position)
                    if position > end:
                        break
                    position += sizes[width][position]
            if position > end:
                raise ValueError("it ends too early")
        self.position = position


def _sentinels(bits: int) -> npt.NDArray[np.uint8]:
    """Return how many deltas with all bits set each byte holds, (256,) uint8."""
    values = np.arange(256, dtype=np.uint8)
    mask = (1 << bits) - 1
    found = [(values >> shift & mask) == mask for shift in range(0, 8, bits)]
    return np.asarray(np.sum(found, axis=0, dtype=np.uint8))


_SENTINELS = {bits: _sentinels(bits) for bits in (1, 2, 4)}


def _deltas(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], widths: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the encoded deltas of groups as (n, 16) uint8."""
    deltas = np.zeros((len(starts), _GROUP), np.uint8)
    for bits in (1, 2, 4, 8):
        (chosen,) = np.nonzero(widths == bits)
        if len(chosen) == 0:
            continue
        begin = starts[chosen, None]
        packed = data[begin + np.arange(2 * bits)]
        if bits == 8:
            deltas[chosen] = packed
            continue
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        if bits > 1:  # the highest bits come first, but single bits from the lowest
            shifts = shifts[::-1]
        mask = (1 << bits) - 1
        values = (packed[:, :, None] >> shifts & mask).reshape(-1, _GROUP)
        is_outside = values == mask
        rank = np.cumsum(is_outside, axis=1) - 1
        values[is_outside] = data[(begin + 2 * bits + rank)[is_outside]]
        deltas[chosen] = values
    return deltas


def _undo_deltas(
    elements: npt.NDArray[np.uint8], baseline: npt.NDArray[np.uint8], channels: bytes
) -> None:
    """Replace encoded deltas by elements, in place.

    Args:
        elements: (n, stride) deltas.
        baseline: (stride,) the element before the first.
        channels: kind of delta of every 4 bytes.
    """
    for index, channel in enumerate(channels):
        columns = slice(4 * index, 4 * index + 4)
        dtype = ("u1", "<u2", "<u4")[channel & 15]
        deltas = np.ascontiguousarray(elements[:, columns]).view(dtype)
        before = np.ascontiguousarray(baseline[columns]).view(dtype)
        if channel & 15 == 2:  # differing bits of 4 bytes, rotated left by the encoder
            right, left = channel >> 4, 32 - (channel >> 4) & 31
            if right:
                deltas = deltas >> right | deltas << left
            deltas[0] ^= before
            values = np.bitwise_xor.accumulate(deltas, axis=0, dtype=deltas.dtype)
        else:  # differences modulo 2^8 or 2^16, the sign in the lowest bit
            deltas = deltas >> 1 ^ -(deltas & 1)
            deltas[0] += before
            values = np.cumsum(deltas, axis=0, dtype=deltas.dtype)
        elements[:, columns] = np.ascontiguousarray(values.astype(dtype)).view(np.uint8)
