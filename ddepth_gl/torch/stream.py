"""DoubleDepthStream: the samples of a data set one after another, divided among processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .._checks import checked_count, checked_flag, is_integer, shown
from ..dataset.order import epoch_order, part_of_epoch
from ..errors import RequestError
from .epoch import SharedEpoch
from .package import torch

__all__ = ["DoubleDepthStream", "checked_seed"]


class _Grouped(Protocol):
    """A data set whose samples come in groups, such as shards; numbers count on from each."""

    @property
    def group_sizes(self) -> npt.NDArray[np.int64]: ...

    def set_epoch(self, epoch: int) -> None: ...

    def __getitem__(self, index: int) -> Any: ...


class DoubleDepthStream(torch.utils.data.IterableDataset):
    """The samples of a data set in an order that is good for reading, each once an epoch.

    ::

        stream = DoubleDepthDataset("sofas").stream(seed=1)
        loader = torch.utils.data.DataLoader(stream, batch_size=16, num_workers=4)
        for epoch in range(10):
            stream.set_epoch(epoch)
            for batch in loader: ...

    Samples are divided among the ranks of a distributed run and the workers of each rank's
    DataLoader; the numbers of samples differ by at most one. The order depends on seed and epoch
    alone: the same numbers of ranks and workers get the same samples in the same order. Leave
    `shuffle` of the DataLoader out, and do not divide the samples a second time, as with
    accelerate's `prepare`.

    `DoubleDepthDataset.stream` and `RenderedDataset.stream` make one.

    Args:
        dataset: a DoubleDepthDataset or a RenderedDataset.
        seed: integer, at least 0; decides the order, with the epoch.
        shuffle: False keeps the order of the data set, in every epoch.
        mix: number of shards, or of meshes to render, that are in use at a time. Their samples are
            shuffled together; shards and meshes come in random order.
        rank, world_size: of this process in a distributed run. None takes those of
            `torch.distributed` if it is initialized, else the environment variables RANK and
            WORLD_SIZE that torchrun sets, else 0 and 1. Taken when the stream is made.
        even: every worker of every rank gets the same number of samples, as
            DistributedDataParallel needs. The last few samples of each epoch's order, fewer than
            there are workers, are left out; they are others in every epoch.

    Raises:
        RequestError: an argument has a value that is not allowed.
    """

    def __init__(
        self,
        dataset: _Grouped,
        *,
        seed: int = 0,
        shuffle: bool = True,
        mix: int = 4,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self._seed = checked_seed(seed)
        self._mix = checked_count("mix", mix) if checked_flag("shuffle", shuffle) else None
        self.rank, self.world_size = _checked_rank(rank, world_size)
        self._is_even = checked_flag("even", even)
        self._epoch = SharedEpoch()

    @property
    def samples_per_epoch(self) -> int:
        """Number of samples of this rank in an epoch, without those that `even` leaves out."""
        total = int(self.dataset.group_sizes.sum())
        return len(part_of_epoch(total, self.rank, self.world_size, self._is_even))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the order; call it before each pass over the loader.

        Workers of ``persistent_workers=True`` see it, too.

        Raises:
            RequestError: `epoch` is not an integer, at least 0.
        """
        self._epoch.set(epoch)
        self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        worker = torch.utils.data.get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        sizes = self.dataset.group_sizes
        positions = part_of_epoch(
            int(sizes.sum()),
            self.rank * workers + number,
            self.world_size * workers,
            self._is_even,
        )
        order = epoch_order(sizes, self._seed, self._epoch.value, positions, self._mix)
        return (self.dataset[index] for index in order)


def checked_seed(seed: Any) -> int:
    """Return a seed as an integer.

    Raises:
        RequestError: it is not an integer, at least 0.
    """
    if not is_integer(seed) or seed < 0:
        raise RequestError(f"seed must be an integer, at least 0, not {shown(seed)}")
    return int(seed)


def _checked_rank(rank: Any, world_size: Any) -> tuple[int, int]:
    if (rank is None) != (world_size is None):
        raise RequestError("rank and world_size belong together; give both or neither")
    if rank is None:
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            rank, world_size = distributed.get_rank(), distributed.get_world_size()
        else:
            rank, world_size = _of_environment("RANK", 0), _of_environment("WORLD_SIZE", 1)
    world_size = checked_count("world_size", world_size)
    if not is_integer(rank) or not 0 <= rank < world_size:
        raise RequestError(f"rank must be from 0 to {world_size - 1}, not {shown(rank)}")
    return int(rank), world_size


def _of_environment(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise RequestError(
            f"the environment variable {name} must be an integer, not {shown(text)}"
        ) from None
