"""The attribute pass: attributes of crossings, computed where each ray meets the face's plane.

A crossing is a pixel and a face, so the pass serves both engines. It runs after coverage is known
and reads the mesh by face index, from the buffer textures of `mesh_tables`. What is constant over a
face is looked up by NumPy instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...results.attributes import ATTRIBUTES
from ..request import LayerBuffers
from ..scene import Scene
from .attribute_batches import BatchPass, ComputedBatches, DrawnBatches
from .attribute_programs import LIST_WIDTH, AttributePrograms
from .crossing_keys import BLOCK_SIZE
from .crossing_lists import (
    SHEET_RUN,
    Arrays,
    CrossingBatch,
    CrossingBlock,
    layer_blocks,
    sheet_blocks,
)
from .face_attributes import face_values

__all__ = ["AttributePass"]

# Crossings that are computed at a time. Larger batches are not faster. All attributes of a batch
# take 10 MB, and every device has buffers of 16 MB.
_BATCH_SIZE = 1 << 17


class AttributePass:
    """Attributes of sheets and layers.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs = AttributePrograms(context)
        self._computed = ComputedBatches(context, self._programs)
        self._drawn = DrawnBatches(context, self._programs)
        self._batch: CrossingBatch | None = None

    def sheet_attributes(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        faces: Sequence[npt.NDArray[np.int32]],
    ) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Return attributes of both sheets.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the sheets.
            names: names of attributes.
            faces: entry and exit faces, (H, W) each, -1 for a miss.

        Returns:
            Name to (entry, exit), each (H, W) or (H, W, channels).

        Raises:
            DeviceMemoryError: the mesh tables or the buffers do not fit.
        """
        sheets: list[Arrays] = []
        blocks = []
        computed = tuple(name for name in names if name != "face")
        for face in faces:
            images = _new_arrays(computed, face.shape)
            if computed:
                blocks.append(sheet_blocks(face, images))
            if "face" in names:
                images["face"] = face.astype(np.int64)
            sheets.append(images)
        max_crossings = sum(_rounded_up(face.size, BLOCK_SIZE) for face in faces)
        self._compute(scene, camera, computed, chain(*blocks), SHEET_RUN, max_crossings)
        entry, exit_ = sheets
        return {name: (entry[name], exit_[name]) for name in names}

    def with_attributes(
        self, layers: LayerBuffers, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> LayerBuffers:
        """Return the layers with these attributes of every crossing, the face not among them.

        Raises:
            DeviceMemoryError: the mesh tables or the buffers do not fit.
        """
        lists = _new_arrays(names, layers.face.shape)
        if names:
            self._compute(scene, camera, names, layer_blocks(layers, lists), 1, len(layers.face))
        return replace(layers, attributes=lists)

    def _compute(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        blocks: Iterator[CrossingBlock],
        run: int,
        max_crossings: int,
    ) -> None:
        """Compute attributes of crossings, and store their values.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the crossings.
            names: names of attributes, the face not among them.
            blocks: the crossings.
            run: pixels of each run.
            max_crossings: number of crossings, misses included, or more.

        Raises:
            DeviceMemoryError: the mesh tables or the buffers do not fit.
        """
        constant = {name: face_values(scene, name) for name in names}
        varying = tuple(name for name in names if constant[name] is None)
        rows = {
            name: _rows_at_once(values) for name, values in constant.items() if values is not None
        }
        batch_pass: BatchPass = self._computed if self._context.has_compute else self._drawn
        batch = self._batch_for(_rounded_up(min(_BATCH_SIZE, max_crossings), LIST_WIDTH), run)
        try:
            for block in blocks:
                if rows:
                    indices = block.faces + 1
                for name, values in rows.items():
                    # Clipping lets a single value serve all faces.
                    taken = values.take(indices, mode="clip")
                    block.store(name, taken.view(ATTRIBUTES[name].dtype))
                if not len(block.faces):
                    for name in varying:
                        block.store(name, ATTRIBUTES[name].empty(0))
                elif varying and not batch.add(block):
                    batch_pass.run(batch, scene, camera, varying)
                    batch.clear()
                    batch.add(block)
            if batch.count:
                batch_pass.run(batch, scene, camera, varying)
        finally:
            batch.clear()
        self._context.check_error("computing attributes", "the number of attributes")

    def _batch_for(self, size: int, run: int) -> CrossingBatch:
        """Return an empty batch; that of the last call, if it suffices."""
        if self._batch is None or self._batch.run != run or self._batch.size < size:
            self._batch = CrossingBatch(size, run)
        return self._batch

    def release(self) -> None:
        """Free programs and buffers. Mesh tables belong to their scenes."""
        self._computed.release()
        self._programs.release()
        self._batch = None


def _rounded_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _new_arrays(names: tuple[str, ...], shape: tuple[int, ...]) -> Arrays:
    """Return arrays of attributes, not initialized: storing all crossings fills them."""
    arrays: Arrays = {}
    for name in names:
        attribute = ATTRIBUTES[name]
        channels = (attribute.channels,) if attribute.channels else ()
        arrays[name] = np.empty(shape + channels, attribute.dtype)
    return arrays


def _rows_at_once(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows as single elements, which NumPy takes faster."""
    return values.view(f"V{values.nbytes // len(values)}").reshape(len(values))
