"""Damaged files of every format: a Mesh or a MeshError, in bounded time and memory.

The damage follows the structure of the files. `make soak` goes on with random seeds.
"""

from __future__ import annotations

import resource
import time
import warnings

import numpy as np
import pytest
from damage_cases import CASES_OF_DAMAGE
from file_damage import damaged
from mesh_files import load_or_refuse

MAX_SECONDS = 20.0
MAX_GROWTH_MIB = 2048.0


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def load_damaged(folder, kind: str, seed: int) -> None:
    """Load one damaged file; check the outcome, the time and the memory."""
    rng = np.random.default_rng((seed, *kind.encode()))
    files = dict(CASES_OF_DAMAGE[kind].files)
    names = list(files)
    name = names[0] if rng.random() < 0.7 else names[int(rng.integers(len(names)))]
    files[name] = damaged(name, files[name], rng)
    for each, data in files.items():
        (folder / each).write_bytes(data)
    before, start = peak_mebibytes(), time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is left out
        load_or_refuse(folder / names[0], **CASES_OF_DAMAGE[kind].options)
    assert time.monotonic() - start < MAX_SECONDS
    assert peak_mebibytes() - before < MAX_GROWTH_MIB


@pytest.mark.parametrize("kind", CASES_OF_DAMAGE)
def test_damaged_files_load_or_are_refused(tmp_path, kind):
    for seed in range(CASES_OF_DAMAGE[kind].count):
        load_damaged(tmp_path, kind, seed)


@pytest.mark.parametrize("kind", CASES_OF_DAMAGE)
def test_the_files_are_right_before_they_are_damaged(tmp_path, kind):
    for name, data in CASES_OF_DAMAGE[kind].files.items():
        (tmp_path / name).write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mesh = load_or_refuse(
            tmp_path / next(iter(CASES_OF_DAMAGE[kind].files)), **CASES_OF_DAMAGE[kind].options
        )
    assert mesh is not None
    assert len(mesh.faces)


def test_damage_is_the_same_for_the_same_seed():
    for kind in CASES_OF_DAMAGE.values():
        name, data = next(iter(kind.files.items()))
        first, again, other = (damaged(name, data, np.random.default_rng(s)) for s in (1, 1, 2))
        assert first == again != other
