"""Report of a run: files, times, and what could not be written."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

__all__ = ["RenderReport"]


@dataclass
class RenderReport:
    """Report of a run: the files written, and the time each step took.

    Attributes:
        files: files written, grouped by the part of their names after the view's number; without
            the preview.
        preview: file of the preview image.
        milliseconds: times of each step, one entry per image. Steps are ``"the sheets"``,
            ``"all layers"`` and ``"the photo"``, with read-back, if they are written to files, and
            ``"writing"`` for the files of the formats. Names of steps with attributes say so, as
            in ``"the sheets with face"``. The preview and a photo that only the
            preview shows are not included.
        views: numbers of the views that were written, one per entry of the lists below.
        skipped: number of views whose files were there already.
        replaced: number of views with files that were damaged or had other settings.
        covered: fraction of each image's pixels with both an entry and an exit.
        failures: files of single views that could not be written, one message each.
        left_out: for each format, the number of crossings that it had no room for.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    preview: Path | None = None
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    views: list[int] = field(default_factory=list)
    skipped: int = 0
    replaced: int = 0
    covered: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Add the time that the block takes to the `milliseconds` of a step."""
        start = time.perf_counter()
        yield
        self.milliseconds.setdefault(step, []).append(1e3 * (time.perf_counter() - start))

    def times_text(self, known_steps: Collection[str] = ()) -> str:
        """Return the median time of each step as text; empty if nothing was rendered.

        The first image compiles shaders and allocates buffers. So its rendering is left out of the
        medians and stated separately.

        Args:
            known_steps: steps to leave out.
        """
        shown = {step: t for step, t in self.milliseconds.items() if step not in known_steps}
        rendering = [times for step, times in shown.items() if step != "writing"]
        if not rendering:
            return ""
        has_more = len(rendering[0]) > 1
        texts: list[str] = []
        for step, times in shown.items():
            typical = median(times[has_more and step != "writing" :])
            texts.append(f"{typical:.1f}{'' if texts else ' ms per image'} for {step}")
        first = (
            f"{sum(times[0] for times in rendering):.1f} to render the first, " if has_more else ""
        )
        return f"{', '.join(texts)}; {first}set-up included"
