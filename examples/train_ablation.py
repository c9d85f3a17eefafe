"""Train one network on three kinds of exits, and test each on the true ones.

Usage: python examples/train_ablation.py [--steps 600] [--seed 0]

The kinds: exits as a material of transparent nodes makes them, where the depths of all back faces
of a ray add up; exits from layers that lack whatever lies less than 1 % of the object's diameter
behind the last hit, as when rays are cast again from a step behind each; and exact ones. Photos,
entries, network, batches and seeds are the same. Takes about four minutes on two cores, and prints
one table. Needs the extra [torch].
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from train_double_depth import (
    HELD_OUT,
    SIZE,
    UNet,
    cameras_around,
    fit,
    one_batch,
    predicted,
    scores,
)
from training_meshes import make_mesh

import ddepth_gl as dd
from ddepth_gl.torch import RenderedDataset

DIAMETER = 2.0  # of the unit sphere around each mesh
STEP = 0.01 * DIAMETER
KINDS = ("sum of all back faces", "no gaps under 1 %", "exact")


def exits(layers: dd.DepthLayers) -> list[npt.NDArray[np.float32]]:
    """Return the exits of each kind, (H, W), NaN where there is none."""
    pixels, depths = back_faces(layers)
    total = np.bincount(pixels, depths, layers.count.size).astype(np.float32)
    total[total == 0.0] = np.nan
    last = np.full(layers.count.size, np.nan, np.float32)
    pixels, depths = back_faces(layers.merged(STEP))
    last[pixels] = depths  # the farthest comes last
    shape = layers.count.shape
    return [total.reshape(shape), last.reshape(shape), layers.entry_exit().exit]


def back_faces(layers: dd.DepthLayers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return pixel and depth of all crossings with back faces."""
    is_back = ~layers.front_facing
    pixels = np.repeat(np.arange(layers.count.size), layers.count.ravel())
    return pixels[is_back], layers.depth[is_back]


def rendered(meshes: int, views: int) -> tuple[Tensor, Tensor]:
    """Return photos (N, 4, H, W) and, for each kind, sheets (kinds, N, 2, H, W)."""
    photos, sheets = [], []
    with dd.DepthRenderer() as renderer:
        pairs = (
            (mesh, camera)
            for seed in range(meshes)
            for mesh in [make_mesh(seed)]
            for camera in cameras_around(mesh, views, seed)
        )
        for frame in renderer.render_many(pairs, layers=True):
            assert frame.image is not None  # for type checkers: all were asked for
            assert frame.maps is not None
            assert frame.layers is not None
            photos.append(frame.image.transpose(2, 0, 1))
            sheets.append([np.stack([frame.maps.entry, each]) for each in exits(frame.layers)])
    return torch.from_numpy(np.stack(photos)), torch.from_numpy(np.stack(sheets, 1))


def batches(
    photos: Tensor, sheets: Tensor, steps: int, size: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the same batches in the same order for the same seed."""
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(photos), (size,), generator=random)
        yield photos[chosen], sheets[chosen]


def wrong_share(given: Tensor, exact: Tensor) -> float:
    """Return the share of exits that are missing or off by 1 % of the diameter, in percent."""
    differs = ~((given - exact).abs() <= 0.01 * DIAMETER)
    return 100 * float(differs[~exact.isnan()].float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--meshes", type=int, default=384, help="for training")
    parser.add_argument("--views", type=int, default=8, help="of each mesh")
    parser.add_argument("--seed", type=int, default=0, help="of the network and the batches")
    parser.add_argument("--test-meshes", type=int, default=64)
    options = parser.parse_args()

    photos, sheets = rendered(options.meshes, options.views)
    nets: dict[str, UNet] = {}
    for kind, of_kind in zip(KINDS, sheets, strict=True):
        print(f"exits: {kind}")
        pairs = batches(photos, of_kind, options.steps, options.batch, options.seed)
        nets[kind] = fit(pairs, options.steps, options.seed)
    with RenderedDataset(
        [make_mesh(HELD_OUT + seed) for seed in range(options.test_meshes)],
        2, SIZE, cameras=cameras_around, seed=1,
    ) as test:  # fmt: skip
        sample = one_batch(test)

    print(f"\non {options.test_meshes} other meshes, in percent of the diameter:\n")
    print("| exits trained on | wrong labels | entry error | exit error | Chamfer exit |")
    print("|---|---|---|---|---|")
    for kind, of_kind in zip(KINDS, sheets, strict=True):
        found = scores(predicted(nets[kind], sample["photo"]), sample)
        wrong = wrong_share(of_kind[:, 1], sheets[-1][:, 1])
        print(f"| {kind} | {wrong:.1f} % | {found.entry:.2f} | {found.exit:.2f} | "
              f"{found.back:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
