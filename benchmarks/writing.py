"""Codecs of depth, and the files of write_npz: bytes, time to write, time to read.

The first table encodes both sheets of real images in memory, each codec on its own. Lossless
codecs must return every bit before anything is timed, the others may be wrong by half a step. The
second one rounds depths first. The third one calls ``write_npz`` and ``load_npz``, file system
included, beside ``numpy.savez_compressed`` of every array as versions up to 0.3 wrote it.

Times are CPU milliseconds of all threads, the least of several rounds, so that other programs on
the machine matter less; waiting for the disk is not in them. zstandard, blosc2 and OpenEXR are
measured if they are installed.

    python benchmarks/writing.py [--meshes FOLDER] [--device DEVICE] [--rounds N] [--write]
"""

from __future__ import annotations

import io
import lzma
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import typer
from cases import IMAGE_SIZES, MESHES, DeviceOption, MeshesOption, RoundsOption
from rich.progress import track
from tables import WriteOption, markdown_table, report

import ddepth_gl as dd
from ddepth_gl._version import __version__
from ddepth_gl.io.results.packing import pack, unpack
from ddepth_gl.io.results.rounding import rounded

MESH_FILES = ("spot/spot.obj", "rocker-arm.obj", "ogre.obj", "Duck.glb", "stanford-bunny.obj")
VIEWS = 2
TOLERANCES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
STEPS = 65_534  # of 16-bit images, from 0 to the largest depth

Sheet = npt.NDArray[np.float32]
Coder = Callable[[bytes], bytes]


class Codec(NamedTuple):
    """A way to store a sheet.

    Attributes:
        encode: returns the bytes of a sheet.
        decode: returns the sheet of this shape.
        is_lossy: whether depths are rounded to `STEPS` steps.
    """

    encode: Callable[[Sheet], bytes]
    decode: Callable[[bytes, tuple[int, int]], Sheet]
    is_lossy: bool = False


def plain(encode: Coder, decode: Coder) -> Codec:
    """Return a codec of the numbers as they are."""
    return Codec(
        lambda sheet: encode(sheet.tobytes()),
        lambda data, shape: np.frombuffer(decode(data), np.float32).reshape(shape),
    )


def byte_planes(numbers: npt.NDArray[Any]) -> bytes:
    """Return all lowest bytes of an image, then all second ones, and so on."""
    size = numbers.dtype.itemsize
    planes = np.moveaxis(numbers.view(np.uint8).reshape(*numbers.shape, size), -1, 0)
    return np.ascontiguousarray(planes).tobytes()


def from_byte_planes(data: bytes, shape: tuple[int, int], dtype: Any) -> npt.NDArray[Any]:
    """Return the image that `byte_planes` took apart."""
    planes = np.frombuffer(data, np.uint8).reshape(-1, *shape)
    image: npt.NDArray[Any] = np.stack(list(planes), -1).view(dtype)[..., 0]
    return image


def bytewise(encode: Coder, decode: Coder) -> Codec:
    """Return a codec of the bytes of the numbers."""
    return Codec(
        lambda sheet: encode(byte_planes(sheet)),
        lambda data, shape: from_byte_planes(decode(data), shape, np.float32),
    )


def packed(encode: Coder, decode: Coder) -> Codec:
    """Return a codec of packed arrays, as `write_npz` stores them."""
    return Codec(
        lambda sheet: encode(pack(sheet).tobytes()),
        lambda data, shape: unpack(np.frombuffer(decode(data), np.uint8).reshape(4, *shape)),
    )


def quantized(sheet: Sheet) -> npt.NDArray[np.uint16]:
    """Return depths as steps of 1 / STEPS of the largest; a miss is 0."""
    steps: npt.NDArray[np.uint16] = np.nan_to_num(sheet * (STEPS / np.nanmax(sheet)), nan=0.0)
    return steps.round().astype(np.uint16)


def sixteen_bits(
    encode: Callable[[npt.NDArray[np.uint16]], bytes],
    decode: Callable[[bytes, tuple[int, int]], npt.NDArray[np.uint16]],
) -> Codec:
    """Return a lossy codec; the largest depth is not stored, so a decoded sheet ends at 1."""

    def decoded(data: bytes, shape: tuple[int, int]) -> Sheet:
        steps = decode(data, shape)
        return np.where(steps == 0, np.float32(np.nan), steps * np.float32(1 / STEPS))

    return Codec(lambda sheet: encode(quantized(sheet)), decoded, is_lossy=True)


def delta_16(level: int) -> Codec:
    """Return differences of neighbors in 16 bits, byte by byte, deflated."""

    def encode(steps: npt.NDArray[np.uint16]) -> bytes:
        differences = np.diff(steps, axis=1, prepend=np.uint16(0)) + np.uint16(0x80)
        return zlib.compress(byte_planes(differences), level)

    def decode(data: bytes, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
        differences = from_byte_planes(zlib.decompress(data), shape, np.uint16)
        return np.add.accumulate(differences - np.uint16(0x80), 1, np.uint16)

    return sixteen_bits(encode, decode)


def png_16(level: int) -> Codec:
    """Return a 16-bit PNG."""
    return sixteen_bits(
        lambda steps: iio.imwrite("<bytes>", steps, extension=".png", compress_level=level),
        lambda data, _: iio.imread(data, extension=".png"),
    )


def exr(openexr: Any, compression: Any) -> Codec:
    """Return an EXR file in memory; OpenEXR sorts bytes itself."""

    def encode(sheet: Sheet) -> bytes:
        stream = io.BytesIO()
        header = {"compression": compression, "type": openexr.scanlineimage}
        openexr.File(header, {"Z": sheet}).write(stream)
        return stream.getvalue()

    return Codec(encode, lambda data, _: openexr.File(io.BytesIO(data)).channels()["Z"].pixels)


def deflate(level: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> tuple[Coder, Coder]:
    """Return zlib's encoder and decoder."""

    def encode(data: bytes) -> bytes:
        coder = zlib.compressobj(level, zlib.DEFLATED, -15, strategy=strategy)
        return coder.compress(data) + coder.flush()

    return encode, lambda data: zlib.decompress(data, -15)


def lzma_by_position() -> tuple[Coder, Coder]:
    """Return an encoder that tells the four bytes of a number apart, as zip files allow it."""
    mode = {"id": lzma.FILTER_LZMA1, "preset": 0, "lc": 0, "lp": 2, "pb": 2, "depth": 1}
    options: dict[str, Any] = {"format": lzma.FORMAT_RAW, "filters": [mode]}
    return (
        lambda data: lzma.compress(data, **options),
        lambda data: lzma.decompress(data, **options),
    )


def codecs() -> dict[str, Codec]:
    """Return all codecs whose packages are installed, by name."""
    found = {
        "as they are": plain(lambda data: data, lambda data: data),
        "deflate 1": plain(*deflate(1)),
        "deflate 6": plain(*deflate(6)),
        "LZMA 0, lp=2": plain(*lzma_by_position()),
        "bytes, deflate 1": bytewise(*deflate(1)),
        "bytes, deflate 6": bytewise(*deflate(6)),
        "packed, deflate 1": packed(*deflate(1)),
        "packed, deflate 6": packed(*deflate(6)),
        "packed, deflate runs": packed(*deflate(1, zlib.Z_RLE)),
    }
    try:
        import zstandard
    except ImportError:
        typer.echo("zstandard is not installed and is left out", err=True)
    else:
        zstd = zstandard.ZstdCompressor(level=1).compress, zstandard.ZstdDecompressor().decompress
        found["zstd 1"] = plain(*zstd)
        found["bytes, zstd 1"] = bytewise(*zstd)
        found["packed, zstd 1"] = packed(*zstd)
    try:
        import blosc2
    except ImportError:
        typer.echo("blosc2 is not installed and is left out", err=True)
    else:
        found["blosc2, shuffle, zstd 1"] = plain(
            lambda data: blosc2.compress2(data, typesize=4, clevel=1, codec=blosc2.Codec.ZSTD),
            blosc2.decompress2,
        )
    try:
        import OpenEXR
    except ImportError:
        typer.echo("OpenEXR is not installed and is left out", err=True)
    else:
        found["EXR ZIP"] = exr(OpenEXR, OpenEXR.ZIP_COMPRESSION)
        found["EXR PIZ"] = exr(OpenEXR, OpenEXR.PIZ_COMPRESSION)
    found["16-bit PNG, level 1 (lossy)"] = png_16(1)
    found["16-bit PNG, level 3 (lossy)"] = png_16(3)
    found["16-bit PNG, level 6 (lossy)"] = png_16(6)
    found["16-bit differences, deflate 1 (lossy)"] = delta_16(1)
    return found


def rendered(
    meshes: Path, device: str | None, views: int
) -> tuple[dict[int, list[dd.DepthMaps]], str]:
    """Return both sheets of all meshes by image size, and the name of the renderer."""
    images: dict[int, list[dd.DepthMaps]] = {size: [] for size in IMAGE_SIZES}
    with dd.DepthRenderer(device=device) as renderer:
        for name in MESH_FILES:
            path = meshes / "good" / name
            if not path.exists():
                typer.echo(f"{path} does not exist and is left out; use --meshes", err=True)
                continue
            mesh = dd.load_mesh(path)
            scene = renderer.upload(mesh)
            for size in IMAGE_SIZES:
                cameras = dd.Camera.orbit(mesh, views, size, size)
                images[size] += [renderer.entry_exit(scene, camera) for camera in cameras]
            scene.release()
        return images, renderer.info.renderer


def least(call: Callable[[], Any], rounds: int) -> float:
    """Return CPU milliseconds of the fastest call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def check(name: str, codec: Codec, sheet: Sheet) -> None:
    """Exit unless a sheet comes back, exactly or within half a step."""
    again = codec.decode(codec.encode(sheet), sheet.shape)
    is_same = again.tobytes() == sheet.tobytes()
    if codec.is_lossy:
        error = np.abs(again.astype(np.float64) - sheet / np.float64(np.nanmax(sheet)))
        same_misses = np.array_equal(np.isnan(again), np.isnan(sheet))
        is_same = same_misses and np.nanmax(error) < 0.51 / STEPS
    if not is_same:
        raise SystemExit(f"{name} does not return what it stored; nothing is timed")


def measured_codec(codec: Codec, maps: dd.DepthMaps, rounds: int) -> list[float]:
    """Return KB, milliseconds to encode and to decode both sheets of an image."""
    sheets = maps.entry, maps.exit
    stored = [codec.encode(sheet) for sheet in sheets]
    return [
        sum(map(len, stored)) / 1e3,
        least(lambda: [codec.encode(sheet) for sheet in sheets], rounds),
        least(lambda: [codec.decode(data, maps.entry.shape) for data in stored], rounds),
    ]


def means(rows: Iterable[list[float]]) -> list[float]:
    """Return the means of columns."""
    return [statistics.mean(column) for column in zip(*rows, strict=True)]


def codec_table(images: dict[int, list[dd.DepthMaps]], rounds: int) -> str:
    """Return the first table."""
    rows = []
    for name, codec in track(codecs().items(), "codecs", transient=True):
        cells = [name]
        for all_maps in images.values():
            for maps in all_maps:
                check(name, codec, maps.entry)
                check(name, codec, maps.exit)
            values = means(measured_codec(codec, maps, rounds) for maps in all_maps)
            cells += [f"{values[0]:.0f}", f"{values[1]:.1f}", f"{values[2]:.1f}"]
        rows.append(cells)
    headings = ["codec"]
    for size in images:
        headings += [f"{size}: KB", "encode", "decode"]
    return markdown_table(headings, rows)


def rounding_table(all_maps: list[dd.DepthMaps]) -> str:
    """Return the second table: KB of both sheets by tolerance."""
    chosen = {name: codecs()[name] for name in ("deflate 1", "packed, deflate 1", "EXR ZIP")}
    rows = []
    for tolerance in TOLERANCES:
        cells = [f"{tolerance:g}" if tolerance else "0 (lossless)"]
        for codec in chosen.values():
            sizes = [
                sum(len(codec.encode(rounded(s, tolerance))) for s in (maps.entry, maps.exit))
                for maps in all_maps
            ]
            cells.append(f"{statistics.mean(sizes) / 1e3:.0f}")
        rows.append(cells)
    return markdown_table(["relative tolerance", *(f"{name}: KB" for name in chosen)], rows)


def all_arrays(maps: dd.DepthMaps) -> dict[str, Any]:
    """Return what versions up to 0.3 stored."""
    names = ("entry", "exit", "entry_distance", "exit_distance", "thickness", "mask")
    camera = {name: getattr(maps.camera, name) for name in ("K", "camera_from_world")}
    return {**{name: getattr(maps, name) for name in names}, **camera, **maps.provenance}


def file_table(images: dict[int, list[dd.DepthMaps]], rounds: int, folder: Path) -> str:
    """Return the third table."""
    path = folder / "image.npz"

    def load_arrays() -> dict[str, Any]:
        with np.load(path) as file:
            return dict(file)

    def write_as(compression: Any) -> Callable[[dd.DepthMaps], Any]:
        return lambda maps: dd.write_npz(path, maps, compression=compression)

    ways: dict[str, tuple[Callable[[dd.DepthMaps], Any], Callable[[], Any]]] = {
        f"`{name}`": (write_as(name), lambda: dd.load_npz(path))
        for name in ("packed", "deflate", "none")
    }
    ways["as up to 0.3, NumPy alone"] = (
        lambda maps: np.savez_compressed(path, **all_arrays(maps)),
        load_arrays,
    )
    found: dict[tuple[str, int], list[list[float]]] = {}
    for size, all_maps in track(images.items(), "files", transient=True):
        for maps in all_maps:
            for name, (write, load) in ways.items():
                times = [least(call, rounds) for call in (partial(write, maps), load)]
                found.setdefault((name, size), []).append([path.stat().st_size / 1e3, *times])
    rows = []
    for name in ways:
        for size in images:
            kilobytes, *cells = means(found[name, size])
            largest = max(row[0] for row in found[name, size])
            numbers = [f"{kilobytes:.0f} ({largest:.0f})", *(f"{cell:.1f}" for cell in cells)]
            rows.append([name, size, *numbers])
    return markdown_table(["compression", "size", "KB (largest)", "write", "read"], rows)


def main(
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 5,
    write: WriteOption = False,
) -> None:
    images, renderer = rendered(meshes, device, VIEWS)
    if not images[IMAGE_SIZES[0]]:
        raise SystemExit("no mesh was found; use --meshes")
    with tempfile.TemporaryDirectory() as folder:
        tables = [
            f"ddepth_gl {__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {renderer}; {rounds} "
            f"rounds; means of {len(images[IMAGE_SIZES[0]])} images of {len(MESH_FILES)} meshes.",
            "Both sheets in memory; KB, ms of CPU time:",
            codec_table(images, rounds),
            "Both sheets at 512, rounded first; KB:",
            rounding_table(images[512]),
            "Files, with camera and provenance; ms of CPU time:",
            file_table(images, rounds, Path(folder)),
        ]
    report("writing", "\n\n".join(tables), write)


if __name__ == "__main__":
    typer.run(main)
