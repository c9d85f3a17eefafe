"""One run of `ddepth render`: one mesh and its cameras in, files out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..engines.scene import Scene
from ..errors import MeshError
from ..io.results.earlier_files import EarlierFiles, check_replaceable
from ..io.results.metadata import file_metadata
from ..io.results.png import write_png
from ..io.results.quantization import scale_for_cameras
from ..mesh.mesh import Mesh, MeshSource
from ..renderer import DepthRenderer
from ..results.frame import Frame
from ..results.provenance import (
    FILE_COUNT,
    SETTINGS_HASH,
    TEXTURES_HASH,
    mesh_entries,
    source_in_memory,
)
from .formats import FrameToWrite
from .names import PREVIEW_VIEWS, frame_name, output_pattern
from .options import JobOptions
from .report import RenderReport
from .skipping import preview_settings, remaining_views, view_settings

__all__ = ["RenderJob"]


class RenderJob(JobOptions):
    """One run: it renders meshes and writes the files that its options name. See `JobOptions`.

    Raises:
        RequestError, OutputError: see `JobOptions`.
    """

    def run(
        self,
        renderer: DepthRenderer,
        mesh: Mesh,
        cameras: Sequence[Camera],
        name: str,
        progress: Callable[[], None] = lambda: None,
        settings: Sequence[str] = (),
        earlier: EarlierFiles | None = None,
        stems: Sequence[str] = (),
        source: MeshSource | None = None,
    ) -> RenderReport:
        """Render one mesh from every camera and write the files.

        Args:
            renderer: open renderer.
            mesh: mesh to render.
            cameras: at least one camera.
            name: beginning of the file names; ``_`` and the number of the view follow.
            progress: called after every image.
            settings: one text per camera that decides its rays for this mesh, so that it can be
                compared before the mesh is read; by default the camera itself.
            earlier: files in the folder; by default it is listed.
            stems: beginning of the file names of each view instead, which begin with `name`.
            source: origin of the mesh that files record; by default that of the mesh.

        Raises:
            OutputError: a file cannot be written. Or, before anything is rendered: a file exists
                that was not written from this mesh, and `overwrite` is False.
            DDepthError: rendering failed.
        """
        self.check_preview()
        source = source or mesh.source or source_in_memory(mesh)
        formats = self._chosen_formats
        earlier = earlier or EarlierFiles(self.folder)
        settings = settings or [repr(camera.to_dict()) for camera in cameras]
        if not self.overwrite:
            endings = [chosen.endings[self.layers] for chosen in formats]
            names = output_pattern(name, len(cameras), endings, self.preview, stems)
            present = earlier.matching(name, names)
            check_replaceable(
                present,
                source,
                or_damaged=self.skip_existing,
                with_colors=self.shows_colors,
            )
        remaining = remaining_views(self, source, name, settings, earlier)
        scale = scale_for_cameras(mesh.bounds, cameras) if "png16" in self.formats else None
        report = RenderReport(
            skipped=len(cameras) - len(remaining.views), replaced=len(remaining.replaced)
        )
        rows: list[npt.NDArray[np.uint8]] = []
        to_write = set(remaining.views)
        scene = renderer.upload(mesh)
        try:
            for number, camera in enumerate(cameras):
                stem = stems[number] if stems else frame_name(name, number, len(cameras))
                with_preview = remaining.preview and number < PREVIEW_VIEWS
                is_written = number in to_write
                if not (is_written or with_preview):
                    progress()
                    continue
                frame = self._render(renderer, scene, camera, stem, scale, with_preview, report)
                frame = _with_provenance(frame, mesh_entries(source))
                if is_written:
                    report.views.append(number)
                    report.covered.append(float(frame.maps.mask.mean()))
                    for format_name, chosen in zip(self.formats, formats, strict=True):
                        count = chosen.count_left_out(frame)
                        report.left_out[format_name] = report.left_out.get(format_name, 0) + count
                    with report.timing("writing"):
                        for path in self._write(frame, number, settings, report.failures):
                            report.files.setdefault(path.name.removeprefix(stem), []).append(path)
                if with_preview and frame.photo is not None:
                    from ..io.results.preview import heading_pixels, preview_pixels

                    title = f"{stem}   {camera.width}x{camera.height}"
                    shown = Frame(camera, frame.photo, frame.maps, frame.layers)
                    rows.append(preview_pixels(shown, title))
                    if number == 0 and len(cameras) > PREVIEW_VIEWS:
                        text = f"{name}: {PREVIEW_VIEWS} of {len(cameras)} views"
                        rows.insert(0, heading_pixels(text, rows[0].shape[1]))
                progress()
        finally:
            scene.release()
        if rows:
            report.preview = self.folder / f"{name}_preview.png"
            about = {SETTINGS_HASH: preview_settings(self, settings), FILE_COUNT: "1"}
            texts = file_metadata(_with_provenance(frame, about).maps)
            write_png(report.preview, _stack_rows(rows), texts)
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
        if self.layers:
            map_attributes = set()
            layer_attributes |= set(self.attributes)
        else:
            map_attributes |= set(self.attributes)
        # One view at a time: if the next view were rendered while files are written, the reported
        # times would be too short.
        with report.timing("the sheets" + _attributes_note(map_attributes)):
            maps = renderer.entry_exit(
                scene, camera, surfaces=self.surfaces, attributes=map_attributes, **crop
            )
        layers = photo = None
        if self.layers:
            with report.timing("all layers" + _attributes_note(layer_attributes)):
                layers = renderer.peel(
                    scene,
                    camera,
                    max_layers=self.max_layers,
                    memory_limit=self.memory_limit,
                    attributes=layer_attributes,
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
            compression=self.compression,
            derived=self.derived,
            tolerance=self.tolerance,
        )

    def _write(
        self, frame: FrameToWrite, view: int, settings: Sequence[str], failures: list[str]
    ) -> Iterator[Path]:
        """Write the files of one view and yield their paths; add what failed to `failures`."""
        for name, chosen in zip(self.formats, self._chosen_formats, strict=True):
            # The content of a file does not depend on the other formats of the run.
            reduced = frame.with_only(
                {*self.attributes, *chosen.map_attributes},
                {*self.attributes, *chosen.layer_attributes},
            )
            about = {
                SETTINGS_HASH: view_settings(self, name, view, settings),
                FILE_COUNT: str(chosen.count(reduced)),
            }
            if not chosen.shows_colors(self.attributes, self.layers):
                about[TEXTURES_HASH] = ""
            try:
                yield from chosen.write(_with_provenance(reduced, about))
            except MeshError as error:
                # No mould can be built from this view; the other views are still worth having.
                failures.append(f"{frame.path('_mould.ply')}: {error}")


def _attributes_note(names: Collection[str]) -> str:
    """Return what is rendered besides depth, as it takes more time: `` with face``."""
    return f" with {', '.join(names) if len(names) == 1 else f'{len(names)} attributes'}" * bool(
        names
    )


def _with_provenance(frame: FrameToWrite, entries: Mapping[str, str]) -> FrameToWrite:
    """Return the frame with other entries in the provenance of its results.

    An empty hash of textures removes that entry.
    """

    def changed(provenance: Mapping[str, str]) -> dict[str, str]:
        return {
            key: text
            for key, text in {**provenance, **entries}.items()
            if text or key != TEXTURES_HASH
        }

    maps, layers = frame.maps, frame.layers
    return replace(
        frame,
        maps=replace(maps, provenance=changed(maps.provenance)),
        layers=layers and replace(layers, provenance=changed(layers.provenance)),
    )


def _stack_rows(rows: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded)
