"""Loading of mesh files, compared with trimesh: seconds and memory.

Files of a million faces are made in a temporary folder, one for each format, and a GLB with a
texture. Each load runs in a process of its own, so that its memory can be told; the ways take
turns. Both must read the same number of faces and the same bounds before anything is timed.
trimesh reads with ``process=False``, as ours keeps all vertices, too. Neither decodes textures. The
report is the median seconds and the growth of the process's peak memory.

    python benchmarks/loading.py [--faces N] [--rounds N] [--write]
"""

from __future__ import annotations

import io
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import typer
from rich.progress import track
from tables import WriteOption, markdown_table, report

# Sends seconds, growth of the peak memory in MiB, number of faces, and bounds.
_MEASURE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
path, way = sys.argv[1:]
if way == "trimesh":
    import trimesh
    load = lambda: trimesh.load_scene(path, process=False)
    load_small = lambda: trimesh.load_scene(sys.argv[1] + ".small" + path[path.rindex("."):],
                                            process=False)
else:
    import ddepth_gl as dd
    options = {"appearance": False} if way == "depth" else {}
    load = lambda: dd.load_mesh(path, **options)
    load_small = lambda: dd.load_mesh(sys.argv[1] + ".small" + path[path.rindex("."):])
load_small()  # imports what the format needs
def peak():  # getrusage also counts the process that started this one
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
open("/proc/self/clear_refs", "w").write("5")  # forgets the peak so far
before = peak()
start = time.perf_counter()
mesh = load()
elapsed = time.perf_counter() - start
growth = (peak() - before) / 1024
faces = len(mesh.faces) if way != "trimesh" else sum(len(g.faces) for g in mesh.geometry.values())
print(json.dumps([elapsed, growth, faces, np.asarray(mesh.bounds).tolist()]))
"""
_WAYS = {"ours": "ours", "depth": "ours, appearance=False", "trimesh": "trimesh"}


def main(
    faces: Annotated[int, typer.Option(help="Faces of each file.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Times that each way loads each file.")] = 3,
    write: WriteOption = False,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = _written(Path(folder), faces)
        results: dict[tuple[str, str], list[list[float]]] = {}
        for number in track(range(rounds), "rounds", transient=True):
            for name, path in paths.items():
                loaded = {way: _measured(path, way) for way in _WAYS}
                if number == 0:
                    _check_equal(name, loaded)
                for way, values in loaded.items():
                    results.setdefault((name, way), []).append(values[:2])
    rows = []
    for name in paths:
        cells = []
        for way in _WAYS:
            seconds, memory = (statistics.median(v) for v in zip(*results[name, way], strict=True))
            cells += [f"{seconds:.2f}", f"{memory:.0f}"]
        ours, peer = (
            [statistics.median(v) for v in zip(*results[name, way], strict=True)]
            for way in ("ours", "trimesh")
        )
        rows.append([name, *cells, f"{peer[0] / ours[0]:.1f}", f"{peer[1] / max(ours[1], 1):.1f}"])
    headings = ["file"]
    for label in _WAYS.values():
        headings += [f"{label} s", "MiB"]
    text = markdown_table([*headings, "time ratio", "memory ratio"], rows)
    report("loading", f"{os.cpu_count()} CPU cores; {rounds} rounds\n\n{text}", write)


def _measured(path: Path, way: str) -> list[float]:
    command = [sys.executable, "-c", _MEASURE, str(path), way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    values: list[float] = json.loads(done.stdout)
    return values


def _check_equal(name: str, loaded: dict[str, list[float]]) -> None:
    faces = {way: values[2] for way, values in loaded.items()}
    bounds = [values[3] for values in loaded.values()]
    if len(set(faces.values())) > 1 or not np.allclose(bounds, bounds[0], atol=1e-5):
        raise SystemExit(f"{name}: the ways read different meshes: {faces}, bounds {bounds}")


def _written(folder: Path, face_count: int) -> dict[str, Path]:
    """Write the files, and one of a few faces beside each."""
    paths = {}
    sizes = {"": face_count, "small": 50}
    for suffix, count in sizes.items():
        vertices, uv, faces = _bumpy_grid(count)
        picture = 4096 if not suffix else 8
        files = {
            "obj": ("uv.obj", _obj(vertices, uv, faces)),
            "ply": ("binary.ply", _ply(vertices, faces)),
            "ascii ply": ("ascii.ply", _ascii_ply(vertices, faces)),
            "stl": ("binary.stl", _stl(vertices, faces)),
            "off": ("text.off", _off(vertices, faces)),
            "glb": ("plain.glb", _glb(vertices, faces)),
            "glb, 4096 x 4096 JPEG": (
                "textured.glb", _glb(vertices[:], faces[: min(82_000, count)], uv, _jpeg(picture)),
            ),
        }  # fmt: skip
        for label, (name, data) in files.items():
            path = folder / name
            if suffix:
                path = folder / f"{name}.small.{name.rsplit('.', 1)[1]}"
            else:
                paths[label] = path
            path.write_bytes(data)
    return paths


def _bumpy_grid(
    face_count: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    side = max(int((face_count / 2) ** 0.5), 2)
    y, x = np.mgrid[0 : side + 1, 0 : side + 1] / side
    z = 0.05 * np.sin(37 * x) * np.cos(23 * y)
    index = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack((a, b, c, a, c, d), -1).reshape(-1, 3)
    uv = np.stack((x, y), -1).reshape(-1, 2).astype(np.float32)
    return np.stack((x, y, z), -1).reshape(-1, 3).astype(np.float32), uv, faces.astype(np.int32)


def _text(array: npt.NDArray[np.generic], form: str) -> str:
    file = io.StringIO()
    np.savetxt(file, array, form)
    return file.getvalue()


def _obj(
    vertices: npt.NDArray[np.float32], uv: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]
) -> bytes:
    corners = np.repeat(faces + 1, 2, axis=1)
    text = _text(vertices, "v %.6f %.6f %.6f") + _text(uv, "vt %.6f %.6f")
    return (text + _text(corners, "f %d/%d %d/%d %d/%d")).encode()


def _ply_header(layout: str, vertex_count: int, face_count: int) -> bytes:
    return (
        f"ply\nformat {layout} 1.0\nelement vertex {vertex_count}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {face_count}\n"
        "property list uchar int vertex_indices\nend_header\n"
    ).encode()


def _ply(vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]) -> bytes:
    rows = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    header = _ply_header("binary_little_endian", len(vertices), len(faces))
    return header + vertices.astype("<f4").tobytes() + rows.tobytes()


def _ascii_ply(vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]) -> bytes:
    text = _text(vertices, "%.6f %.6f %.6f") + _text(faces, "3 %d %d %d")
    return _ply_header("ascii", len(vertices), len(faces)) + text.encode()


def _off(vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]) -> bytes:
    text = _text(vertices, "%.6f %.6f %.6f") + _text(faces, "3 %d %d %d")
    return f"OFF\n{len(vertices)} {len(faces)} 0\n{text}".encode()


def _stl(vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.int32]) -> bytes:
    rows = np.zeros(
        len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")]
    )
    rows["corners"] = vertices[faces]
    return bytes(80) + struct.pack("<I", len(faces)) + rows.tobytes()


def _jpeg(size: int) -> bytes:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (max(size // 8, 1), max(size // 8, 1), 3), np.uint8)
    image = coarse.repeat(8, 0).repeat(8, 1)[:size, :size]
    encoded: bytes = iio.imwrite("<bytes>", image, extension=".jpg")
    return encoded


def _glb(
    vertices: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    uv: npt.NDArray[np.float32] | None = None,
    image: bytes | None = None,
) -> bytes:
    if uv is not None:  # only the vertices in use
        used = int(faces.max()) + 1
        vertices, uv = vertices[:used], uv[:used]
    arrays = [faces.astype("<u4").ravel(), vertices.astype("<f4")]
    arrays += [] if uv is None else [uv.astype("<f4")]
    chunks = [array.tobytes() for array in arrays] + ([] if image is None else [image])
    views, content = [], b""
    for chunk in chunks:
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": len(chunk)})
        content += chunk + bytes(-len(chunk) % 4)
    kinds = [(5125, "SCALAR"), (5126, "VEC3"), (5126, "VEC2")]
    accessors = [
        {"bufferView": i, "componentType": component, "count": len(array), "type": kind}
        for i, (array, (component, kind)) in enumerate(zip(arrays, kinds, strict=False))
    ]
    accessors[1] |= {"min": vertices.min(0).tolist(), "max": vertices.max(0).tolist()}
    attributes = {"POSITION": 1} if uv is None else {"POSITION": 1, "TEXCOORD_0": 2}
    primitive: dict[str, object] = {"attributes": attributes, "indices": 0}
    tree: dict[str, object] = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}], "accessors": accessors, "bufferViews": views,
        "buffers": [{"byteLength": len(content)}],
    }  # fmt: skip
    if image is not None:
        primitive["material"] = 0
        base = {"baseColorTexture": {"index": 0}}
        tree |= {
            "materials": [{"pbrMetallicRoughness": base}], "textures": [{"source": 0}],
            "images": [{"bufferView": 3, "mimeType": "image/jpeg"}],
        }  # fmt: skip
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks_bytes = struct.pack("<I4s", len(text), b"JSON") + text
    chunks_bytes += struct.pack("<I4s", len(content), b"BIN\0") + content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks_bytes)) + chunks_bytes


if __name__ == "__main__":
    typer.run(main)
