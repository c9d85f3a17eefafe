"""DoubleDepthDataset: the samples that ``ddepth dataset`` wrote, as tensors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_count
from ..dataset.arrays import checked_outputs, training_arrays
from ..dataset.reading import DatasetReader, checked_sample
from ..errors import DatasetError
from .package import torch
from .stream import DoubleDepthStream
from .tensors import as_tensors

if TYPE_CHECKING:
    import pyarrow.compute as pc

__all__ = ["DoubleDepthDataset"]


class DoubleDepthDataset(torch.utils.data.Dataset):
    """A map-style data set of what ``ddepth dataset`` wrote, read by byte offset.

    ::

        dataset = DoubleDepthDataset("sofas", outputs=("photo", "depth"), split="train")
        loader = DataLoader(dataset, batch_size=16, shuffle=True, num_workers=4)

    Workers may be forked or spawned. `stream` is the same with few shards in use at a time, for
    data sets that are larger than memory, and with the samples divided among ranks.

    A sample is a dict of tensors that `DataLoader` stacks. H is the height, W the width; row 0 is
    the top row.

    - photo: (4, H, W) uint8, sRGB and straight alpha.
    - depth: (2, H, W) float32, entry and exit, z in the camera frame; NaN for a miss.
    - distance: (2, H, W) float32, entry and exit, along the ray; NaN for a miss.
    - thickness: (H, W) float32, exit minus entry along the ray; NaN outside the mask.
    - points: (2, 3, H, W) float32, entry and exit points, world frame; NaN for a miss.
    - normal: (2, 3, H, W) float32, unit normals of the faces, world frame; NaN for a miss.
    - face: (2, H, W) int64, indices of faces; -1 for a miss.
    - object_id: (2, H, W) int32; -1 for a miss.
    - layers: (max_layers, H, W) float32, depths of the first crossings, NaN where there are fewer;
      with count: (H, W) int32, number of all crossings.
    - mask: (H, W) bool, with any of the above but photo and layers: True where both entry and exit
      exist.
    - K: (3, 3), camera_from_world: (4, 4) float64, is_orthographic: bool. See `Camera`.
    - key: text, the id of the mesh, ``_`` and the view; index: integer, the number of the sample.

    Depths, distances and points are in mesh units, or in those that the data set was normalized to.

    Args:
        address: the folder, or an address that fsspec opens, such as ``s3://bucket/sofas``.
        outputs: some of "photo", "depth", "distance", "thickness", "points", "normal", "face",
            "object_id" and "layers", as far as the data set stores them. Distance, thickness and
            points follow from depth.
        split: "train", "val" or "test"; None takes all samples.
        where: a `pyarrow.compute` expression on columns of the index, such as
            ``pc.field("coverage") > 0.05``; None takes all samples.
        transform: called with each sample; the dataset returns what it returns. For workers that
            are spawned it must be picklable: a function of a module, not a lambda.
        max_layers: number of layers in the output "layers".
        max_bytes, max_open: see `DatasetReader`.

    Attributes:
        reader: the DatasetReader.

    Raises:
        DatasetError: there is no such data set, or it lacks what `outputs` need; of a sample, that
            it cannot be read.
        RequestError: an argument has a value that is not allowed.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        outputs: Sequence[str] = ("photo", "depth"),
        *,
        split: str | None = None,
        where: pc.Expression | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        max_layers: int = 8,
        max_bytes: int = 1 << 32,
        max_open: int = 16,
    ) -> None:
        super().__init__()
        self.outputs = checked_outputs(outputs)
        self._transform = transform
        self._max_layers = checked_count("max_layers", max_layers)
        self.reader = DatasetReader(
            address, split=split, where=where, max_bytes=max_bytes, max_open=max_open
        )
        self._endings = self._needed_endings()

    def _needed_endings(self) -> tuple[str, ...]:
        endings: dict[str, None] = {}
        for output in self.outputs:
            stored = [each for each in _files_with(output) if each in self.reader.endings]
            if not stored and len(self.reader):
                raise DatasetError(
                    f"{self.reader.address} has no file for the output {output}, but "
                    f"{', '.join(self.reader.endings)}; render the data set with that output"
                )
            endings |= dict.fromkeys(stored)
        return tuple(endings)

    def __len__(self) -> int:
        return len(self.reader)

    def __repr__(self) -> str:
        split = "" if self.reader.split is None else f" of split {self.reader.split}"
        place = f"{self.reader.address}: {', '.join(self.outputs)}"
        return f"<DoubleDepthDataset of {len(self)} samples{split} in {place}>"

    @property
    def group_sizes(self) -> npt.NDArray[np.int64]:
        """(shards,) int64: number of samples of each shard."""
        return self.reader.shard_sizes

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the samples of all epochs are the same. For `DoubleDepthStream`."""

    def stream(self, **options: Any) -> DoubleDepthStream:
        """Return the samples as a stream that reads few shards at a time.

        Args:
            options: keyword arguments of `DoubleDepthStream`.
        """
        return DoubleDepthStream(self, **options)

    def __getitem__(self, index: int) -> Any:
        number = checked_sample(index, len(self))
        stored = self.reader.read(number, self._endings)
        camera = stored.pop("camera")
        try:
            arrays = training_arrays(self.outputs, stored, camera, self._max_layers)
        except DatasetError as error:
            raise DatasetError(f"{self.reader.address}: {error}") from None
        sample = as_tensors(arrays, camera)
        sample |= {"key": self.reader.key(number), "index": number}
        return self._transform(sample) if self._transform else sample


def _files_with(output: str) -> tuple[str, ...]:
    """Return the endings of files that may have what an output needs."""
    if output == "photo":
        return ("photo.png",)
    if output == "layers":
        return ("layers.npz",)
    depths = ("entry.png", "exit.png") if output in ("depth", "points", "distance") else ()
    distances = ("entry_distance.png", "exit_distance.png") if output == "distance" else ()
    return ("sheets.npz", "sheets.exr", *depths, *distances)
