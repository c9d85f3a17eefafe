"""One run of `ddepth render`: meshes and cameras in, files out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import MAX_SAMPLES, checked_count
from ..camera.camera import Camera
from ..engines.scene import Scene
from ..errors import MeshError, OutputError, RequestError
from ..io.results.contents import checked_fill, provenance
from ..io.results.png import write_png
from ..io.results.png16 import check_positive, common_scale
from ..io.results.replaced_files import check_replaceable
from ..mesh.mesh import Mesh, MeshSource
from ..renderer import DepthRenderer, Surfaces
from ..results.attributes import checked_names
from ..results.provenance import mesh_entries, source_in_memory
from .formats import FORMATS, Format, View, checked_formats

__all__ = [
    "PREVIEW_VIEWS",
    "RenderJob",
    "RenderReport",
    "make_folder",
    "unique_names",
]

PREVIEW_VIEWS = 4  # rows of the preview picture


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """What to write for every image, and where. Everything is checked before anything is rendered.

    Attributes:
        folder: an existing one.
        formats: names of `FORMATS`, each once.
        surfaces: see `DepthRenderer.entry_exit`.
        near, far: crop, mesh units.
        fill: what npz files of the two sheets, and exr files, hold where there is no value.
        png_scale: mesh units per step of 16-bit PNG; None takes one that fits all images of a mesh.
        preview: whether to write one picture per mesh to look at.
        layers: whether to render all layers besides the two sheets.
        max_layers: keep the first that many crossings of a pixel; None keeps all.
        memory_limit: bytes that the crossings of an image may take; see `DepthRenderer.peel`.
        attributes: what to store of each crossing; see `DepthRenderer.entry_exit`.
        samples: of the photo, along each side of a pixel.
        overwrite: whether to replace files that were not written from the same mesh.

    Raises:
        RequestError: an option is out of its range, contradicts another, or changes nothing in the formats.
        OutputError: float32 cannot hold `fill`, `png_scale` is not positive, or a format needs a package that
            is not installed.
    """

    folder: Path
    formats: tuple[str, ...] = ("npz",)
    surfaces: Surfaces = "oriented"
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
        formats = checked_formats(self.formats, self.layers)
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
                    raise RequestError(f"{option} belongs to --layers; give both")
        if self.png_scale is not None:
            check_positive(self.png_scale)
        if not self.formats and not self.preview:
            raise RequestError(
                f"nothing to write: no format and no preview; give {', '.join(FORMATS)}"
            )
        self._check_effects(formats)
        for each in formats:
            each.check()

    def _check_effects(self, formats: Sequence[Format]) -> None:
        """Raises RequestError if an option was given that none of the formats takes."""
        is_given = {
            "layers": self.layers and not self.preview,  # which shows them
            "fill": not math.isnan(self.fill),
            "png_scale": self.png_scale is not None,
            "attributes": bool(self.attributes),
            "samples": self.samples != 1,
        }
        for option in (name for name, given in is_given.items() if given):
            if any(each.takes(option, self.layers) for each in formats):
                continue
            flag, chosen = "--" + option.replace("_", "-"), ", ".join(self.formats) or "the preview"
            if self.layers and option != "layers":
                chosen += " with --layers"
            takers = [name for name, each in FORMATS.items() if each.takes(option, self.layers)]
            raise RequestError(
                f"{flag} has no effect on {chosen}; it is for {', '.join(takers)}: "
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
        """Renders one mesh from every camera and writes the files.

        Args:
            renderer: an open one.
            mesh: the mesh.
            cameras: at least one.
            name: of the files, followed by ``_`` and the view's number.
            progress: called after every image.

        Raises:
            OutputError: a file cannot be written; or, before anything is rendered, one is there already that
                is not from this mesh, and `overwrite` is False.
            DDepthError: whatever rendering raises.
        """
        source = mesh.source or source_in_memory(mesh)
        if not self.overwrite:
            check_replaceable(self.folder, self._names(name, len(cameras)), source)
        scale = common_scale(mesh.bounds, cameras) if "png16" in self.formats else None
        report = RenderReport()
        rows: list[npt.NDArray[np.uint8]] = []
        digits = _digits(len(cameras))
        scene = renderer.upload(mesh)
        try:
            for number, camera in enumerate(cameras):
                stem = f"{name}_{number:0{digits}d}"
                with_preview = self.preview and len(rows) < PREVIEW_VIEWS
                view = self._rendered(renderer, scene, camera, stem, scale, with_preview, report)
                view = _from_source(view, source)
                report.covered.append(float(view.maps.mask.mean()))
                for name_of, each in zip(
                    self.formats, checked_formats(self.formats, self.layers), strict=True
                ):
                    report.left_out[name_of] = report.left_out.get(name_of, 0) + each.left_out(view)
                with report.timing("writing"):
                    for path in self._write(view, report.failures):
                        report.files.setdefault(path.name.removeprefix(stem), []).append(path)
                if with_preview and view.photo is not None:
                    from ..plot.preview import preview

                    title = f"{stem}   {camera.width}x{camera.height}"
                    rows.append(preview(view.maps, title, view.layers, photo=view.photo))
                progress()
        finally:
            scene.release()
        if rows:
            report.preview = self.folder / f"{name}_preview.png"
            write_png(report.preview, _stack(rows), provenance(view.maps))
        return report

    def _names(self, name: str, views: int) -> re.Pattern[str]:
        """The names of all files that `run` may write or remove."""
        endings = [FORMATS[each].endings[self.layers] for each in self.formats]
        # Numbers of as many digits that are too large are those of an earlier run with more views.
        patterns = [f"_[0-9]{{{_digits(views)}}}({'|'.join(endings)})"] if endings else []
        patterns += [r"_preview\.png"] if self.preview else []
        return re.compile(re.escape(name) + f"({'|'.join(patterns)})")

    def _rendered(
        self,
        renderer: DepthRenderer,
        scene: Scene,
        camera: Camera,
        stem: str,
        scale: float | None,
        with_preview: bool,
        report: RenderReport,
    ) -> View:
        """One view, rendered as far as the formats and the preview need it."""
        formats = checked_formats(self.formats, self.layers)
        of_maps = {name for each in formats for name in each.of_maps} | set(self.attributes)
        of_layers = {name for each in formats for name in each.of_layers} | set(self.attributes)
        crop: dict[str, Any] = {"near": self.near, "far": self.far}
        # One at a time: drawing ahead while files are written would hide what an image takes.
        with report.timing("the sheets"):
            maps = renderer.entry_exit(
                scene,
                camera,
                surfaces=self.surfaces,
                attributes=() if self.layers else of_maps,
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
                    attributes=of_layers,
                    **crop,
                )
        if "photo" in self.formats:
            with report.timing("the photo"):
                photo = renderer.shade(
                    scene, camera, samples=self.samples, surfaces=self.surfaces, **crop
                )
        elif with_preview:
            # Not timed: of the few images of the preview only.
            photo = renderer.shade(scene, camera, surfaces=self.surfaces, **crop)
        return View(
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

    def _write(self, view: View, failures: list[str]) -> Iterator[Path]:
        for each in checked_formats(self.formats, self.layers):
            # What a format stores depends on its own options, not on the formats beside it.
            alone = view.with_only(
                {*self.attributes, *each.of_maps}, {*self.attributes, *each.of_layers}
            )
            try:
                yield from each.write(alone)
            except MeshError as error:
                # The view shows nothing to cast a mould of: the other views are still worth having.
                failures.append(f"{view.file('_mould.ply')}: {error}")


@dataclass
class RenderReport:
    """What a run did.

    Attributes:
        files: written, by what follows the view's number in their names; without the preview.
        preview: the picture to look at.
        milliseconds: that each step took, an entry an image: ``"the sheets"``, ``"all layers"`` and
            ``"the photo"``, read-back included, where they are to be written, and ``"writing"`` the files of
            the formats; without the preview, and the photo that only it shows.
        covered: fraction of each image's pixels with both an entry and an exit.
        failures: what could not be written of single views, a line each.
        left_out: by format, how many crossings it had no room for.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    preview: Path | None = None
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    covered: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Adds the time that the block takes to the `milliseconds` of a step."""
        start = time.perf_counter()
        yield
        self.milliseconds.setdefault(step, []).append(1e3 * (time.perf_counter() - start))

    def time_taken(self) -> str:
        """Return what each step took per image, as text: medians, to render of all images but the first.

        The first one compiles shaders and makes buffers: what it took to render is said apart.
        """
        rendering = [times for step, times in self.milliseconds.items() if step != "writing"]
        has_more = len(rendering[0]) > 1
        each: list[str] = []
        for step, times in self.milliseconds.items():
            usual = median(times[has_more and step != "writing" :])
            each.append(f"{usual:.1f}{'' if each else ' ms per image'} for {step}")
        first = (
            f"{sum(times[0] for times in rendering):.1f} to render the first, " if has_more else ""
        )
        return f"{', '.join(each)}; {first}set-up included"


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for the files of every path: its stem, and where stems repeat what tells the paths apart.

    ``part.obj`` and ``part.stl`` become ``part-obj`` and ``part-stl``, ``a/model.obj`` and ``b/model.obj``
    become ``model-a`` and ``model-b``. The same path given again gets ``-2``, ``-3``, ...
    """
    whole = [path.absolute() for path in paths]
    names: list[str] = []
    for path in whole:
        plain = _telling_name(path, {other for other in whole if other.stem == path.stem})
        name, number = plain, 1
        while name in names:
            number += 1
            name = f"{plain}-{number}"
        names.append(name)
    return names


def _telling_name(path: Path, alike: Collection[Path]) -> str:
    """The stem, and as little of the ending and the folders as tells it apart from those of the same stem."""
    longest = max(len(other.parts) for other in alike)
    for folders, with_ending in ((n, ending) for n in range(longest) for ending in (False, True)):

        def telling(other: Path, n: int = folders, ending: bool = with_ending) -> tuple[str, ...]:
            above = other.parent.parts[-n:] if n else ()
            return *(part.replace("/", "") for part in above), *(
                [other.suffix[1:]] if ending else []
            )

        if len(set(map(telling, alike))) == len(alike):
            return "-".join(filter(None, (path.stem, *telling(path))))
    return path.stem


def make_folder(folder: Path) -> None:
    """Makes the output folder and those above it.

    Raises:
        OutputError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(
            (path for path in (folder, *folder.parents) if not path.is_dir() and path.exists()),
            folder,
        )
        where = f"-o {folder}" if file == folder else f"-o {folder}: {file}"
        raise OutputError(f"{where} is a file; give a folder") from error
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made a folder ({error.strerror}); give another -o"
        ) from error


def _digits(views: int) -> int:
    """How many digits the number of a view has in the names of files."""
    return max(3, len(str(views - 1)))


def _from_source(view: View, source: MeshSource) -> View:
    """The view, its results naming the mesh whether it came from a file or not."""
    named = mesh_entries(source)
    maps, layers = view.maps, view.layers
    return replace(
        view,
        maps=replace(maps, provenance={**maps.provenance, **named}),
        layers=layers and replace(layers, provenance={**layers.provenance, **named}),
    )


def _stack(rows: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded)
