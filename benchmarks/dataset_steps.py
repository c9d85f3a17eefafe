"""The steps of a worker of `ddepth dataset`, one after the other and each timed; for dataset.py.

python benchmarks/dataset_steps.py MESHES VIEWS SIZE PART PARTS
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ddepth_gl as dd
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.samples import MeshRenderer
from ddepth_gl.dataset.sources import find_meshes
from ddepth_gl.dataset.tar_file import TarWriter

STEPS = ("load", "prepare", "render", "encode", "write")


def _clock() -> Any:
    """Return wall time and CPU time in seconds, both in one array."""
    return np.array([time.perf_counter(), time.process_time()])


def main(folder: str, views: int, size: int, part: int, parts: int) -> None:
    """Render a part of the meshes; print seconds of wall and CPU time of each step as JSON."""
    config = DatasetConfig(sources={"paths": [folder]}, views={"count": views, "size": size})
    entries = find_meshes(config.sources, lambda _: None)[part::parts]
    written: Any = 0.0
    with dd.DepthRenderer() as renderer, tempfile.TemporaryFile() as file:
        meshes = MeshRenderer(config, renderer, clock=_clock)
        next(meshes.samples(entries[0], Path(entries[0].address)))  # compiles programs
        meshes.seconds = dict.fromkeys(meshes.seconds, 0.0)
        for entry in entries:
            writer = TarWriter(file)
            for sample in meshes.samples(entry, Path(entry.address)):
                start = _clock()
                for ending, content in sample.files.items():
                    writer.add(f"{sample.key}.{ending}", len(content), [content])
                written += _clock() - start
            start = _clock()
            file.flush()
            os.fsync(file.fileno())
            written += _clock() - start
    seconds: dict[str, Any] = {**meshes.seconds, "write": written}
    print(json.dumps({step: list(seconds[step]) for step in STEPS}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
