"""The order of samples in an epoch, divided among the processes that read them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["epoch_order", "part_of_epoch"]

IntArray = npt.NDArray[np.int64]


def part_of_epoch(total: int, part: int, parts: int, is_even: bool) -> range:
    """Return the positions in an epoch's order that one of several processes reads.

    Together, the parts have every position exactly once.

    Args:
        total: number of samples.
        part: number of this part, from 0.
        parts: number of parts.
        is_even: all parts have the same length; up to ``parts - 1`` positions at the end are in
            none.
    """
    if is_even:
        length = total // parts
        return range(part * length, (part + 1) * length)
    return range(total * part // parts, total * (part + 1) // parts)


def epoch_order(
    group_sizes: IntArray, seed: int, epoch: int, positions: range, mix: int | None
) -> Iterator[int]:
    """Yield the samples at some positions of an epoch's order.

    Groups, such as shards, come in random order, and the samples of `mix` consecutive groups are
    shuffled together. So few groups are in use at a time, and the memory needed is that of `mix`
    groups, however many samples there are.

    Args:
        group_sizes: (groups,) number of samples in each group; sample numbers count on from group
            to group.
        seed, epoch: decide the order, and nothing else does.
        positions: the positions in the order, consecutive.
        mix: number of groups shuffled together; None keeps the samples in order of their numbers.
    """
    if mix is None:
        yield from positions
        return
    first_samples = np.cumsum(group_sizes) - group_sizes
    groups = np.random.default_rng((seed, epoch)).permutation(len(group_sizes))
    window_starts = np.arange(0, len(groups), mix)
    ends = np.cumsum(np.add.reduceat(group_sizes[groups], window_starts)) if len(groups) else ()
    start = 0
    for number, end in enumerate(ends):
        if start < positions.stop and end > positions.start:
            window = groups[number * mix : (number + 1) * mix]
            samples = np.concatenate(
                [np.arange(size) + first for first, size in zip(
                    first_samples[window], group_sizes[window], strict=True)]
            )  # fmt: skip
            np.random.default_rng((seed, epoch, number + 1)).shuffle(samples)
            chosen = samples[max(positions.start - start, 0) : max(positions.stop - start, 0)]
            yield from chosen.tolist()
        start = int(end)
