"""One run of `ddepth render`: meshes and cameras in, files out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt

from .camera import Camera
from .depth_maps import DepthMaps
from .errors import MeshError, OutputError, RequestError
from .mesh import Mesh
from .renderer import DepthRenderer, Surfaces
from .writers.npz import write_npz
from .writers.ply import sheet_normals, write_ply
from .writers.png16 import common_scale, write_png16
from .writers.whole_file import whole_file

__all__ = [
    "FORMATS",
    "PREVIEW_VIEWS",
    "RenderJob",
    "RenderReport",
    "make_folder",
    "unique_names",
    "write_mesh",
]

FORMATS = ("npz", "ply", "png16", "mould")
PREVIEW_VIEWS = 4  # rows of the preview picture


@dataclass(frozen=True)
class RenderJob:
    """What to write for every image, and where.

    Attributes:
        folder: an existing one.
        formats: of `FORMATS`.
        surfaces: see `DepthRenderer.entry_exit`.
        near, far: crop, mesh units.
        fill: what npz files hold where there is no value.
        png_scale: mesh units per step of 16-bit PNG; None takes one that fits all images of a mesh.
        preview: whether to write one picture per mesh to look at.
    """

    folder: Path
    formats: tuple[str, ...] = ("npz",)
    surfaces: Surfaces = "oriented"
    near: float | None = None
    far: float | None = None
    fill: float = float("nan")
    png_scale: float | None = None
    preview: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown:
            raise RequestError(f"unknown format {unknown[0]!r}; give {', '.join(FORMATS)}")
        if not self.formats and not self.preview:
            raise RequestError(f"nothing to write: no format and no preview; give {', '.join(FORMATS)}")

    def run(
        self,
        renderer: DepthRenderer,
        mesh: Mesh,
        cameras: Sequence[Camera],
        name: str,
        progress: Callable[[], None] = lambda: None,
    ) -> RenderReport:
        """Renders one mesh from every camera and writes the files.

        Args:
            renderer: an open one.
            mesh: the mesh.
            cameras: at least one.
            name: of the files, followed by ``_`` and the view's number.
            progress: called after every image.

        Raises:
            OutputError: a file cannot be written.
            DDepthError: whatever rendering raises.
        """
        png_scale = self.png_scale
        if png_scale is None and "png16" in self.formats:
            png_scale = common_scale(mesh.bounds, cameras)
        report = RenderReport()
        rows: list[npt.NDArray[np.uint8]] = []
        digits = max(3, len(str(len(cameras) - 1)))
        # Normals and the photo come from the faces; whoever wants only numbers does not pay for them.
        attributes = ("face",) if self.preview or "ply" in self.formats else ()
        scene = renderer.upload(mesh)
        try:
            for view, camera in enumerate(cameras):
                # One at a time: drawing ahead while files are written would hide what an image takes.
                with report.timing():
                    maps = renderer.entry_exit(
                        scene,
                        camera,
                        surfaces=self.surfaces,
                        near=self.near,
                        far=self.far,
                        attributes=attributes,
                    )
                report.covered.append(float(maps.mask.mean()))
                stem = f"{name}_{view:0{digits}d}"
                for path in self._write(maps, mesh, stem, png_scale, report.failures):
                    report.files.setdefault(path.name.removeprefix(stem), []).append(path)
                if self.preview and len(rows) < PREVIEW_VIEWS:
                    from .preview import preview

                    rows.append(preview(maps, mesh, f"{stem}   {maps.camera.width}x{maps.camera.height}"))
                progress()
        finally:
            scene.release()
        if rows:
            report.preview = self.folder / f"{name}_preview.png"
            write_picture(report.preview, _stack(rows))
        return report

    def _write(
        self, maps: DepthMaps, mesh: Mesh, stem: str, png_scale: float | None, failures: list[str]
    ) -> Iterator[Path]:
        target = self.folder / stem
        if "npz" in self.formats:
            path = target.with_name(f"{stem}.npz")
            write_npz(path, maps, fill=self.fill)
            yield path
        if "ply" in self.formats:
            yield from _write_clouds(target, maps, mesh)
        if "png16" in self.formats:
            yield from write_png16(target, maps, png_scale)
        if "mould" in self.formats:
            path = target.with_name(f"{stem}_mould.ply")
            try:
                write_mesh(path, maps.to_mesh())
            except MeshError as error:
                # The view shows nothing to cast: the other views are still worth having.
                failures.append(f"{path}: {error}")
            else:
                yield path


@dataclass
class RenderReport:
    """What a run did.

    Attributes:
        files: written, by what follows the view's number in their names; without the preview.
        preview: the picture to look at.
        milliseconds: to render each image, read-back included.
        covered: fraction of each image's pixels with both an entry and an exit.
        failures: what could not be written of single views, a line each.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    preview: Path | None = None
    milliseconds: list[float] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Adds the time that the block takes to `milliseconds`."""
        start = time.perf_counter()
        yield
        self.milliseconds.append(1e3 * (time.perf_counter() - start))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """The stem of every path; where stems repeat, with ``-2``, ``-3``, ... so that no output is lost."""
    names: list[str] = []
    for path in paths:
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}"
        names.append(name)
    return names


def make_folder(folder: Path) -> None:
    """Makes the output folder and those above it.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made a folder ({error.strerror}); give another -o") from error


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Writes a PNG of (h, w, 3) uint8 sRGB, whole or not at all."""
    with whole_file(path) as file:
        file.write(iio.imwrite("<bytes>", picture, extension=".png"))


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Writes a Mesh with its vertex colours as binary PLY."""
    vertices = mesh.vertices.astype(_coordinate_type(mesh.vertices))
    write_ply(path, vertices, colors=mesh.colors, faces=mesh.faces)


def _write_clouds(target: Path, maps: DepthMaps, mesh: Mesh) -> Iterator[Path]:
    """``NAME_front.ply`` and ``NAME_back.ply``: the mould's points with outward normals, world frame."""
    clouds = maps.points(frame="world", dtype=np.float64)
    _, directions = maps.camera.rays()
    along_ray = directions[maps.mask]
    normals = mesh.face_normals()
    sheets = (
        ("front", clouds.front, maps.entry_face, -along_ray),
        ("back", clouds.back, maps.exit_face, along_ray),
    )
    for name, points, faces, outward in sheets:
        path = target.with_name(f"{target.name}_{name}.ply")
        kind = _coordinate_type(points)
        write_ply(path, points.astype(kind), normals=sheet_normals(normals, faces[maps.mask], toward=outward))
        yield path


def _coordinate_type(points: npt.NDArray[np.float64]) -> type[np.floating]:
    """float32 unless, far from the origin, it would lose more than a millionth of the points' extent."""
    if not len(points):
        return np.float32
    size = float(np.ptp(points, axis=0).max())
    return np.float64 if np.spacing(np.float32(np.abs(points).max())) > 1e-6 * size else np.float32


def _stack(rows: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)
