"""Damage to small mesh files that follows their structure, the same for the same seed.

Random bits rarely get past the first check of a reader. These changes keep most of a file valid:
one number of a text, one field of a binary file, one value of a JSON tree, one member of an
archive.
"""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
import zipfile
from typing import Any

import numpy as np

__all__ = ["damaged"]

_NUMBERS = (
    *("0", "-0", "1", "-1", "2", "3", "7", "255", "256", "65535", "65536", "2147483647"),
    *("2147483648", "-2147483648", "4294967295", "4294967296", "9223372036854775807", "1e9"),
    *("18446744073709551616", "9" * 400, "0.5", "1e38", "1e39", "-1e300", "1e400", "5e-324"),
    *("nan", "inf", "-inf", "", "x", "1.2.3", "0x10", "1_000", "٣", "#", "/", "//", "1/2/3"),
)
_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 5126, 65535, 2**31, 2**32, 2**53, 2**63, 10**400, 0.5, -0.5, 1e39, 1e308),
    *(float("nan"), float("inf"), True, False, None, "", "0", "data:,", "a.png", "../a.bin"),
    *("data:application/octet-stream;base64,AAAA", [], {}, [0], [-1], [[]], {"index": 0}),
    *([0] * 16, [1e39] * 3, ["x"], [None]),
)
_INTEGERS = (0, 1, 2, 3, 4, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**24)
_TEXT = (".obj", ".off", ".mtl", ".dae", ".usda", ".gltf")


def damaged(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Return the content of a file with one to three changes.

    Args:
        name: name of the file; its suffix tells the structure.
        data: content of the file.
        rng: decides what changes.
    """
    suffix = name[name.rindex(".") :]
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.1:
            data = _any_bytes(data, rng)
        elif data[:4] == b"glTF":
            data = _glb(data, rng)
        elif suffix == ".gltf":
            data = _json(data, rng)
        elif data[:2] == b"PK":
            data = _archive(data, rng)
        elif suffix in _TEXT or b"format ascii" in data[:40] or data[:6] == b"solid ":
            data = _text(data, rng)
        else:
            data = _binary(data, rng)
    return data


def _pick(choices: Any, rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _any_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, repeat, remove or overwrite a range of bytes."""
    if not data:
        return b"\0"
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    kind = int(rng.integers(4))
    if kind == 0:
        return data[:stop]
    if kind == 1:
        return data[:stop] + data[start:stop] + data[stop:]
    if kind == 2:
        return data[:start] + data[stop:]
    stop = min(stop, start + 8)
    return data[:start] + rng.bytes(stop - start) + data[stop:]


def _text(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a number or a line, or the line ends."""
    kind = int(rng.integers(8))
    if kind < 5:
        numbers = list(re.finditer(rb"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?", data))
        if numbers:
            found = _pick(numbers, rng)
            number: str = _pick(_NUMBERS, rng)
            return data[: found.start()] + number.encode() + data[found.end() :]
    lines = data.split(b"\n")
    index = int(rng.integers(len(lines)))
    if kind == 5:
        del lines[index]
    elif kind == 6:
        lines.insert(index, _pick(lines, rng) * int(rng.integers(1, 4)))
    else:
        end: bytes = _pick((b"\r", b"\r\n", b" ", b"\n\n", b"\t\n", b""), rng)
        return data.replace(b"\n", end)
    return b"\n".join(lines)


def _binary(data: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite a field with a number that programs stumble over, or change a header's number."""
    end = data.find(b"end_header")
    if end > 0 and rng.random() < 0.4:
        return _text(data[:end], rng) + data[end:]
    form = _pick(("<B", "<H", "<I", ">I", "<f", "<Q"), rng)
    size = struct.calcsize(form)
    if len(data) < size:
        return _any_bytes(data, rng)
    at = int(rng.integers(0, len(data) - size + 1))
    if form == "<f":
        field = struct.pack(form, _pick((np.nan, np.inf, -1e38, 1e-40, 0.0), rng))
    else:
        field = struct.pack(form, _pick(_INTEGERS, rng) & (256**size - 1))
    return data[:at] + field + data[at + size :]


def _glb(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the JSON of a GLB, its binary chunk or its headers."""
    if len(data) < 20 or rng.random() < 0.1:
        return _binary(data, rng)
    length = struct.unpack("<I", data[12:16])[0]
    text, rest = data[20 : 20 + length], data[20 + length :]
    if rest and rng.random() < 0.3:
        rest = rest[:8] + _binary(rest[8:], rng)
    else:
        text = _json(text, rng)
        text += b" " * (-len(text) % 4)
    total = 20 + len(text) + len(rest)
    return struct.pack("<4sIII4s", b"glTF", 2, total, len(text), b"JSON") + text + rest


def _json(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace, remove or copy one value of a JSON tree."""
    try:
        tree = json.loads(data)
    except ValueError:
        return _any_bytes(data, rng)
    slots: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in entries:
            slots.append((node, key))
            if isinstance(value, (dict, list)):
                stack.append(value)
    if not slots:
        return data
    parent, key = _pick(slots, rng)
    kind = rng.random()
    if kind < 0.15:
        del parent[key]
    elif kind < 0.3:
        other, other_key = _pick(slots, rng)
        parent[key] = json.loads(json.dumps(other[other_key]))
    elif kind < 0.5 and type(parent[key]) is int:
        parent[key] += _pick((-1, 1, 4, 1000), rng)
    else:
        parent[key] = _pick(_VALUES, rng)
    return json.dumps(tree).encode()


def _archive(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage, rename or remove a member of a ZIP archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(each.filename, archive.read(each)) for each in archive.infolist()]
    except Exception:  # damaged before
        return _any_bytes(data, rng)
    if not members:
        return data
    index = int(rng.integers(len(members)))
    name, content = members[index]
    kind = rng.random()
    if kind < 0.08:
        del members[index]
    elif kind < 0.16:
        members[index] = (_pick(("../a", "/a", "a\\b", "3D/3dmodel.model", "x"), rng), content)
    else:
        members[index] = (name, (_text if b"<" in content[:200] else _binary)(content, rng))
    result = io.BytesIO()
    method = _pick((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), rng)
    with zipfile.ZipFile(result, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            archive.writestr(name, content)
    return result.getvalue()
