"""Ranks: processes of a job scheduler that share a data set, each beginning with its own shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import DatasetError

__all__ = ["find_rank", "in_order_of_rank"]

# Variables of the rank and of the number of ranks: Slurm, Kubernetes (indexed jobs, which have no
# variable for the number), AWS Batch (array jobs).
_VARIABLES = (
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("JOB_COMPLETION_INDEX", None),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
)


def find_rank(
    rank: int | None, world_size: int | None, environment: Mapping[str, str]
) -> tuple[int, int]:
    """Return the rank of this process and the number of ranks; 0 of 1 if nothing tells them.

    Args:
        rank, world_size: options of the command; None where they are not given.
        environment: environment variables, which tell what is not given.

    Raises:
        DatasetError: the rank is not below the number of ranks, or only the rank is known.
    """
    if rank is not None and world_size is None:
        raise DatasetError("--rank needs --world-size, the number of ranks; give both")
    if rank is None:
        for rank_name, world_name in _VARIABLES:
            text, count = environment.get(rank_name, ""), environment.get(world_name or "", "")
            if text.isdecimal() and (world_size is not None or count.isdecimal()):
                rank, world_size = int(text), world_size or int(count)
                break
        else:
            if world_size not in (None, 1):
                raise DatasetError(
                    f"--world-size {world_size} needs --rank; no job scheduler's variable tells it"
                )
            rank, world_size = 0, 1
    if not 0 <= rank < (world_size or 1):
        raise DatasetError(
            f"--rank {rank}: ranks start at 0, so with --world-size {world_size} it must be from "
            f"0 to {(world_size or 1) - 1}"
        )
    return rank, world_size or 1


def in_order_of_rank(indices: Sequence[int], rank: int, world_size: int) -> list[int]:
    """Return shards in the order in which a rank tries them: its own, then those of others.

    Ranks that are late, lost or were never started leave work that the others do: claims see to it
    that nobody does it twice.
    """
    return sorted(indices, key=lambda index: ((index - rank) % world_size, index))
