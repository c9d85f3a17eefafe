"""One run of `ddepth render`: one mesh and its cameras in, files out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import MAX_SAMPLES, checked_count
from ..camera.camera import Camera
from ..engines.scene import Scene
from ..errors import MeshError, RequestError
from ..io.results.arguments import checked_fill
from ..io.results.earlier_files import check_replaceable
from ..io.results.metadata import file_metadata
from ..io.results.png import write_png
from ..io.results.quantization import checked_scale, scale_for_cameras
from ..mesh.mesh import Mesh, MeshSource
from ..renderer import DepthRenderer, Surfaces
from ..results.attributes import checked_names
from ..results.provenance import mesh_entries, source_in_memory
from .formats import FORMATS, Format, FrameToWrite, checked_formats
from .names import frame_name, output_pattern
from .report import RenderReport

__all__ = ["PREVIEW_VIEWS", "RenderJob"]

PREVIEW_VIEWS = 4  # rows of the preview image


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """Description of one run: what to render and which files to write, checked before rendering.

    Attributes:
        folder: existing output folder.
        formats: keys of `FORMATS`, each once.
        surfaces: see `DepthRenderer.entry_exit`.
        near, far: crop, mesh units.
        fill: value of misses in exr files, and in npz files of both sheets.
        png_scale: mesh units per step of 16-bit PNG; None chooses one that fits all images of a
            mesh.
        preview: whether to write one preview image per mesh.
        layers: whether to render all layers besides both sheets.
        max_layers: number of crossings to keep per pixel, nearest first; None keeps all.
        memory_limit: limit in bytes for the crossings of an image; see `DepthRenderer.peel`.
        attributes: attributes to store for each crossing; see `DepthRenderer.entry_exit`.
        samples: samples of the photo along each side of a pixel.
        overwrite: whether to replace files that were not written from the same mesh.

    Raises:
        RequestError: an option is out of range, contradicts another one, or has no effect on the
            formats.
        OutputError: a package that a format needs is not installed.
    """

    folder: Path
    formats: tuple[str, ...] = ("npz",)
    surfaces: Surfaces = "auto"
    near: float | None = None
    far: float | None = None
    fill: float = float("nan")
    png_scale: float | None = None
    preview: bool = True
    layers: bool = False
    max_layers: int | None = None
    memory_limit: int | None = None
    attributes: tuple[str, ...] = ()
    samples: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        checked_formats(self.formats, self.layers)
        checked_names(self.attributes)
        checked_fill(self.fill)
        checked_count("--samples", self.samples, MAX_SAMPLES)
        for option, value in (
            ("--max-layers", self.max_layers),
            ("--memory-limit", self.memory_limit),
        ):
            if value is not None:
                checked_count(option, value)
                if not self.layers:
                    raise RequestError(f"{option} has no effect without --layers; give both")
        if self.png_scale is not None:
            checked_scale(self.png_scale)
        if not self.formats and not self.preview:
            raise RequestError(
                f"nothing to write: no format and no preview; give {', '.join(FORMATS)}"
            )
        self._check_effects()
        for chosen in self._chosen_formats:
            chosen.check()

    @property
    def _chosen_formats(self) -> list[Format]:
        return [FORMATS[name] for name in self.formats]

    def _check_effects(self) -> None:
        """Raise RequestError if an option is given that has no effect on any of the formats."""
        is_given = {
            "layers": self.layers and not self.preview,  # the preview shows layers
            "fill": not math.isnan(self.fill),
            "png_scale": self.png_scale is not None,
            "attributes": bool(self.attributes),
            "samples": self.samples != 1,
        }
        for option, given in is_given.items():
            has_effect = any(
                chosen.has_option(option, self.layers) for chosen in self._chosen_formats
            )
            if has_effect or not given:
                continue
            flag = "--" + option.replace("_", "-")
            written = ", ".join(self.formats) or "the preview"
            if self.layers and option != "layers":
                written += " with --layers"
            suitable = [
                name for name, other in FORMATS.items() if other.has_option(option, self.layers)
            ]
            raise RequestError(
                f"{flag} has no effect on {written}; it is for {', '.join(suitable)}: "
                f"add one of them to --format, or leave {flag} out"
            )

    def run(
        self,
        renderer: DepthRenderer,
        mesh: Mesh,
        cameras: Sequence[Camera],
        name: str,
        progress: Callable[[], None] = lambda: None,
    ) -> RenderReport:
        """Render one mesh from every camera and write the files.

        Args:
            renderer: open renderer.
            mesh: mesh to render.
            cameras: at least one camera.
            name: beginning of the file names; ``_`` and the number of the view follow.
            progress: called after every image.

        Raises:
            OutputError: a file cannot be written. Or, before anything is rendered: a file exists
                that was not written from this mesh, and `overwrite` is False.
            DDepthError: rendering failed.
        """
        source = mesh.source or source_in_memory(mesh)
        formats = self._chosen_formats
        if not self.overwrite:
            endings = [chosen.endings[self.layers] for chosen in formats]
            names = output_pattern(name, len(cameras), endings, self.preview)
            check_replaceable(self.folder, names, source)
        scale = scale_for_cameras(mesh.bounds, cameras) if "png16" in self.formats else None
        report = RenderReport()
        rows: list[npt.NDArray[np.uint8]] = []
        scene = renderer.upload(mesh)
        try:
            for number, camera in enumerate(cameras):
                stem = frame_name(name, number, len(cameras))
                with_preview = self.preview and len(rows) < PREVIEW_VIEWS
                frame = self._render(renderer, scene, camera, stem, scale, with_preview, report)
                frame = _with_mesh_provenance(frame, source)
                report.covered.append(float(frame.maps.mask.mean()))
                for format_name, chosen in zip(self.formats, formats, strict=True):
                    count = chosen.count_left_out(frame)
                    report.left_out[format_name] = report.left_out.get(format_name, 0) + count
                with report.timing("writing"):
                    for path in self._write(frame, report.failures):
                        report.files.setdefault(path.name.removeprefix(stem), []).append(path)
                if with_preview and frame.photo is not None:
                    from ..plot.preview import preview

                    title = f"{stem}   {camera.width}x{camera.height}"
                    if not rows and len(cameras) > PREVIEW_VIEWS:
                        title += f"   {PREVIEW_VIEWS} of {len(cameras)} views"
                    rows.append(preview(frame.maps, title, frame.layers, photo=frame.photo))
                progress()
        finally:
            scene.release()
        if rows:
            report.preview = self.folder / f"{name}_preview.png"
            write_png(report.preview, _stack_rows(rows), file_metadata(frame.maps))
        return report

    def _render(
        self,
        renderer: DepthRenderer,
        scene: Scene,
        camera: Camera,
        stem: str,
        scale: float | None,
        with_preview: bool,
        report: RenderReport,
    ) -> FrameToWrite:
        """Render what the formats and the preview need of one view."""
        formats = self._chosen_formats
        map_attributes = {name for chosen in formats for name in chosen.map_attributes}
        layer_attributes = {name for chosen in formats for name in chosen.layer_attributes}
        crop: dict[str, Any] = {"near": self.near, "far": self.far}
        # One view at a time: if the next view were rendered while files are written, the reported
        # times would be too short.
        with report.timing("the sheets"):
            maps = renderer.entry_exit(
                scene,
                camera,
                surfaces=self.surfaces,
                attributes=() if self.layers else map_attributes | set(self.attributes),
                **crop,
            )
        layers = photo = None
        if self.layers:
            with report.timing("all layers"):
                layers = renderer.peel(
                    scene,
                    camera,
                    max_layers=self.max_layers,
                    memory_limit=self.memory_limit,
                    attributes=layer_attributes | set(self.attributes),
                    **crop,
                )
        if "photo" in self.formats:
            with report.timing("the photo"):
                photo = renderer.shade(
                    scene, camera, samples=self.samples, surfaces=self.surfaces, **crop
                )
        elif with_preview:
            # Not timed, because only the few images of the preview need it.
            photo = renderer.shade(scene, camera, surfaces=self.surfaces, **crop)
        return FrameToWrite(
            target=self.folder / stem,
            mesh=scene.mesh,
            maps=maps,
            layers=layers,
            photo=photo,
            fill=self.fill,
            png_scale=self.png_scale,
            common_scale=scale,
            max_layers=self.max_layers,
        )

    def _write(self, frame: FrameToWrite, failures: list[str]) -> Iterator[Path]:
        """Write the files of one view and yield their paths; add what failed to `failures`."""
        for chosen in self._chosen_formats:
            # The content of a file does not depend on the other formats of the run.
            reduced = frame.with_only(
                {*self.attributes, *chosen.map_attributes},
                {*self.attributes, *chosen.layer_attributes},
            )
            try:
                yield from chosen.write(reduced)
            except MeshError as error:
                # No mould can be built from this view; the other views are still worth having.
                failures.append(f"{frame.path('_mould.ply')}: {error}")


def _with_mesh_provenance(frame: FrameToWrite, source: MeshSource) -> FrameToWrite:
    """Return the frame with the mesh in the provenance of its results, even if it has no file."""
    entries = mesh_entries(source)
    maps, layers = frame.maps, frame.layers
    return replace(
        frame,
        maps=replace(maps, provenance={**maps.provenance, **entries}),
        layers=layers and replace(layers, provenance={**layers.provenance, **entries}),
    )


def _stack_rows(rows: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded)
